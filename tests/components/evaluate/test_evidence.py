"""Controls, nearest training pictures and the way between latents."""

import numpy as np
import pytest

from components.evaluate.controls import controls_of, sentence_on
from components.evaluate.nearest import nearest_training_pictures
from components.evaluate.smoothness import smoothness
from tests.components.evaluate.degradations import blur, noise
from tests.components.evaluate.extracting import extract_features
from tests.components.metrics.held import held


def test_controls_are_real_blurred_and_a_few_again_and_again(faces):
    controls = controls_of(faces[:32])
    assert list(controls) == ["floor", "blurred", "collapsed"]
    np.testing.assert_array_equal(controls["floor"].pictures, faces[:32])
    np.testing.assert_array_equal(controls["blurred"].pictures, blur(faces[:32], 1))
    np.testing.assert_array_equal(controls["collapsed"].pictures[::2], faces[[0] * 16])
    np.testing.assert_array_equal(controls["collapsed"].pictures[1::2], faces[[1] * 16])
    assert [control.words for control in controls.values()] == [
        "real pictures", "real pictures blurred by 1 px", "2 real pictures repeated"
    ]  # fmt: skip


def test_the_sentence_on_a_control_says_whether_kid_tells_them_apart(faces):
    real, others, more = faces[:48], faces[48:88], faces[88:]
    sets = (real, others, more, blur(others, 1), noise(others, 60))
    features, same, control, blurred, noisy = map(extract_features, sets)

    def said(control, samples):
        found = sentence_on(
            "the control",
            held(features, control),
            None if samples is None else held(features, samples),
        )
        return found["samples_are"], found["sentence"]

    assert said(control, same) == ("alike", "KID cannot tell the samples from the control")
    assert said(blurred, same) == ("better", "by KID the samples are better than the control")
    assert said(blurred, noisy) == ("worse", "by KID the samples are worse than the control")
    assert said(control, None) == (
        None, "not held against the control: the samples are not finite"
    )  # fmt: skip


class TestNearest:
    @pytest.fixture
    def records(self, faces, make_records):
        return make_records(train=faces[:64], eval=faces[64:96])

    def look(self, records, samples, held_out):
        given = [(pictures, extract_features(pictures)) for pictures in (samples, held_out)]
        return nearest_training_pictures(records, extract_features, *given)

    def test_a_copy_is_found_though_it_is_noisy(self, records, faces):
        copies = noise(faces[[50, 3]], 2)
        samples = np.concatenate([copies, noise(faces[96:104], 60)])
        nearest = self.look(records, samples, faces[64:96])
        np.testing.assert_array_equal(nearest.pictures[:2], faces[[50, 3]])
        assert nearest.pictures.shape == samples.shape
        assert nearest.found["closer"] == 2
        assert nearest.found["sentence"] == (
            "2 of 10 samples are nearer to training than any of 32 held-out ones"
        )

    def test_noise_is_no_copy(self, records, faces):
        random = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)
        found = self.look(records, random, faces[64:96]).found
        assert found["closer"] == 0
        assert found["median_distance"] > found["held_out_median_distance"]
        assert found["sentence"] == (
            "0 of 8 samples are nearer to training than any of 32 held-out ones"
        )

    def test_all_training_pictures_are_looked_at(self, records, faces, monkeypatch):
        monkeypatch.setattr("components.evaluate.nearest._CHUNK", 10)
        nearest = self.look(records, faces[:64], faces[64:96])
        np.testing.assert_array_equal(nearest.pictures, faces[:64])

    @pytest.mark.parametrize("side", [16, 24, 48, 256])
    def test_pictures_of_any_size(self, make_records, side):
        pictures = np.random.default_rng(0).integers(0, 256, (40, side, side, 3), np.uint8)
        records = make_records(train=pictures[:6], eval=pictures[6:])
        nearest = self.look(records, pictures[[5, 9]], pictures[6:])
        assert nearest.pictures.shape == (2, side, side, 3)
        np.testing.assert_array_equal(nearest.pictures[0], pictures[5])
        assert nearest.found["sentence"] == (
            "1 of 2 samples is nearer to training than any of 34 held-out ones"
        )

    def test_of_similar_thumbnails_the_features_choose(self, make_records):
        """Thumbnails do not see stripes finer than a cell of theirs."""
        flat = np.full((64, 64, 3), 100, np.uint8)
        striped = flat.copy()
        striped[:, ::2] -= 40
        striped[:, 1::2] += 40
        others = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8)
        records = make_records(train=np.stack([flat, *others, striped]))
        shifted = np.roll(striped, 2, axis=0)[np.newaxis]
        nearest = self.look(records, shifted, others)
        np.testing.assert_array_equal(nearest.pictures[0], striped)


class TestSmoothness:
    """On pictures of one colour."""

    def walk(self, to_pictures):
        return smoothness(to_pictures, 4)

    @staticmethod
    def paint(levels):
        return np.broadcast_to(levels[:, None, None, None], (len(levels), 16, 16, 3))

    def test_an_even_way_has_even_steps(self):
        found = self.walk(lambda latents: self.paint(latents[:, 0] * 1000))
        assert found["steps"] == 16
        assert 1 / 16 <= found["largest_step"] < 0.2
        assert "is smooth: its largest step is 0." in found["sentence"]

    def test_a_jump_is_the_whole_way(self):
        found = self.walk(lambda latents: self.paint(np.sign(latents[:, 0])))
        assert found["largest_step"] == 1
        assert "is jumpy" in found["sentence"]

    def test_pictures_that_have_nothing_to_do_with_each_other_jump(self):
        random = np.random.default_rng(0)
        found = self.walk(lambda latents: random.normal(size=(len(latents), 16, 16, 3)))
        assert found["largest_step"] > 0.9

    def test_where_nothing_moves_there_is_no_step(self):
        found = self.walk(lambda latents: self.paint(np.zeros(len(latents))))
        assert found["largest_step"] is None
        assert found["sentence"] == "different latents give the same picture"

    def test_what_is_not_finite_is_said_so(self):
        assert self.walk(lambda _: None)["sentence"].endswith(" are not finite numbers")
