import keras
import numpy as np
import pytest

from components.export.latent_walk import walk_frames


@pytest.fixture(scope="module")
def generator(inputs):
    return keras.models.load_model(inputs / "evaluation/generator.keras", compile=False)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_there_are_as_many_frames_as_asked_for_all_different(generator, count):
    frames = [np.asarray(frame) for frame in walk_frames(generator, count, seed=0)]
    assert {frame.shape for frame in frames} == {(32, 32, 3)}  # 3 × (8 + 2) + 2 pixels
    assert len({frame.tobytes() for frame in frames}) == count


def test_the_loop_has_no_seam(generator):
    frames = np.stack(walk_frames(generator, 200, seed=0)).astype(float)
    steps = np.abs(frames - np.roll(frames, 1, axis=0)).mean(axis=(1, 2, 3))
    assert steps[0] <= 1.5 * steps[1:].max()  # from the last frame to the first
    apart = np.abs(frames - np.roll(frames, 100, axis=0)).mean()
    assert steps.max() < apart / 4  # small steps, and yet they lead somewhere


def test_each_step_is_as_long_as_the_next():
    """Between two stops, seen in a picture that shows its latent, whose length hardly changes."""
    latents = keras.Input([12_288])
    seen = keras.layers.Rescaling(1 / 8)(keras.layers.Reshape([64, 64, 3])(latents))
    frames = [
        np.asarray(frame, float) for frame in walk_frames(keras.Model(latents, seen), 12, seed=0)
    ]
    steps = [
        np.linalg.norm(frame - following)
        for frame, following in zip(frames, [*frames[1:], frames[0]], strict=True)
    ]
    assert max(steps) < 1.03 * min(steps)


def test_the_walk_is_a_function_of_the_seed(generator):
    def walk(seed):
        return [np.asarray(frame).tobytes() for frame in walk_frames(generator, 5, seed)]

    assert walk(0) == walk(0)
    assert not set(walk(0)) & set(walk(1))
