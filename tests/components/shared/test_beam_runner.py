import apache_beam as beam
import pytest

from components.shared.beam_runner import beam_pipeline
from components.shared.errors import DataRefused, UsageError
from components.shared.process import storage_error
from tests.components.shared.failing import Fail

FLINK = "--runner=FlinkRunner"


def run(options=(), how=""):
    with beam_pipeline(options, "ingest") as pipeline:
        _ = pipeline | beam.Create([1, 2]) | beam.Reshuffle() | beam.ParDo(Fail(how))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--paralelism=2"], "no option --paralelism; did you mean --parallelism?"),
        (["--parallelism=many"], "--parallelism: invalid int value: 'many'"),
        (["--parallelism"], "--parallelism: expected one argument"),
        (["--parallelism", "2"], "'2' is no option: write --name=value or --name"),
        (["--help"], "'--help' is no option"),
        (["--runner=Fink"], "Unexpected pipeline runner: Fink. Valid values are"),
        (["--runner=DataflowRunner"], "Missing required option: project"),
        (["--runner=PortableRunner"], "You must specify a --job_endpoint"),
        ([FLINK, "--flink_job_server_jar=/none.jar"], 'jar URL "/none.jar"'),
        ([FLINK, "--job_endpoint=localhost:9", "--job_server_timeout=1"], "--job_endpoint"),
    ],
)
def test_wrong_option_is_named(options, message, capfd):
    with pytest.raises(UsageError) as refused:
        run(options)
    assert str(refused.value).startswith("ingest.beam_options")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("options", [(), ["--runner=DirectRunner"], ["--direct_num_workers=1"]])
def test_options_of_the_program_are_not_beams(options, monkeypatch):
    monkeypatch.setattr("sys.argv", ["dcgan", "run", "--runner=None", "--parallelism=x"])
    run(options)


def test_errors_of_workers_reach_the_user():
    with pytest.raises(DataRefused, match=r"^no \[picture\] is\slarge enough: add some$"):
        run(how="data")
    with pytest.raises(OSError) as full:
        run(how="storage")
    assert str(storage_error(full.value)).startswith("no space left on the disk (/disk/shard)")
    with pytest.raises(KeyError, match="a mistake in the program"):
        run(how="bug")
