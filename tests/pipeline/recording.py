"""The folder of a training, by the real recorder, an epoch at a time."""

import tensorflow as tf

from components.train.checkpoint_root import identity_of
from components.train.config import TrainConfig
from components.train.networks import build_generator
from components.train.recorder import Recorder
from components.train.trainer import Sheet
from components.train.training_folder import TrainingFolder
from pipeline.local import CHECKPOINTS

STEPS = 3  # an epoch
_SIDE = 32


class Recording:
    """A training that learns nothing, and leaves what any leaves."""

    def __init__(self, runs_dir, seed=0):
        config = TrainConfig(seed=seed, batch_size=8, base_width=16, latent_size=8)
        identity = identity_of("data", "code", config)
        self._training = TrainingFolder(runs_dir / CHECKPOINTS, identity)
        self.folder, self.mark = self._training.path, self._training.mark
        self.mark("running", progress=None)
        latents = tf.random.stateless_normal([16, 8], [seed, 0])
        self._recorder = Recorder(self._training, config, _SIDE, Sheet(latents, None, 4), 1.0)
        tf.keras.utils.set_random_seed(seed)
        self._weights = build_generator(config, _SIDE).get_weights()
        self._epochs = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._recorder.close()
        self._training.__exit__()

    def start(self):
        self._recorder.record_start(self._weights, {})
        return self

    def epochs(self, count):
        """Record so many more."""
        for _ in range(count):
            self._epochs += 1
            self._weights = [0.9 * weight for weight in self._weights]
            row = {
                "epoch": self._epochs, "step": STEPS * self._epochs, "discriminator_loss": 1.5,
                "generator_loss": 0.5 + 1 / self._epochs, "real_logit": 0.5,
                "fake_logit": -0.25 * self._epochs, "seconds": 1.0, "images_per_second": 24.0,
            }  # fmt: skip
            self._recorder.record_epoch(row, self._weights, None)
        return self
