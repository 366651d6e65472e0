import numpy as np
import pytest

from components.metrics import efficientnet_lite0
from components.metrics.efficientnet_lite0 import load_weights
from components.shared.errors import PipelineError
from tests.components.evaluate.extracting import load

features_of = load("efficientnet_lite0")


def test_a_changed_file_of_weights_is_refused_by_name_and_hash(tmp_path):
    content = bytearray(efficientnet_lite0._WEIGHTS.read_bytes())
    content[-1] ^= 1
    changed = tmp_path / "changed.npz"
    changed.write_bytes(content)
    with pytest.raises(
        PipelineError, match=r"changed\.npz has SHA-256 [0-9a-f]{64} instead"
    ) as info:
        load_weights(changed)
    assert efficientnet_lite0.SHA256 in str(info.value)


def test_features_are_those_of_the_network_that_names_a_cat():
    # Taken from this network when, under the source package's classifier, it named
    # scikit-image's cat, coffee and rocket. Symmetric padding would give 0.92 at the end.
    y, x = np.mgrid[:64, :64]
    picture = np.stack([4 * x, 4 * y, 255 - 2 * x - 2 * y], axis=-1).astype(np.uint8)
    found = features_of(picture[np.newaxis])
    assert found.shape == (1, 1280)
    strongest = {113: 5.2390, 930: 5.1486, 897: 4.4449, 1006: 3.7082, 689: 3.1036, 1157: 2.7126}
    assert {i: found[0, i] for i in strongest} == pytest.approx(strongest, rel=2e-3)


def test_features_do_not_depend_on_the_company_of_a_picture(faces):
    together = features_of(faces[:40])  # more than one batch
    assert np.array_equal(together, features_of(faces[:40]))
    np.testing.assert_allclose(together[37:], features_of(faces[37:40]), atol=1e-4)


def test_any_size_of_picture_is_taken():
    pictures = np.full([2, 256, 256, 3], 200, np.uint8)
    np.testing.assert_allclose(features_of(pictures), features_of(pictures[:, :32, :32]), atol=1e-4)
