from importlib import metadata

from pipeline.doctor import examine


def test_a_distribution_that_takes_our_names_is_found(tmp_path, monkeypatch):
    owners = {"components": ["dcgan-pipeline", "intruder"], "pipeline": ["dcgan-pipeline"]}
    monkeypatch.setattr(metadata, "packages_distributions", lambda: owners)
    clash = next(check for check in examine(tmp_path) if check.name == "names")
    assert not clash.ok
    assert clash.finding == "also owned by another distribution: components (intruder)"


def test_this_environment_has_no_name_clash(tmp_path):
    assert next(check for check in examine(tmp_path) if check.name == "names").ok


def test_folder_that_does_not_exist_yet_is_measured_at_its_parent(tmp_path):
    disk = next(check for check in examine(tmp_path / "a" / "b") if check.name == "disk")
    assert disk.ok
    assert disk.finding.endswith(str(tmp_path))
