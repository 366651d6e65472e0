"""The base that comes with the package: it fits the demo, and is small enough to come along."""

from pathlib import Path

import numpy as np
import yaml

from components.train.config import TrainConfig
from components.train.trainer import Trainer
from components.train.warm_start import start_from

ROOT = Path(__file__).parents[3]
BASE = ROOT / "components/train/base"


def test_demo_takes_all_of_the_base():
    demo = yaml.safe_load((ROOT / "pipeline/profiles/demo.yaml").read_text())["train"]
    trainer = Trainer(TrainConfig(**demo), 64)
    origin = start_from(demo["warm_start"], trainer)
    assert origin["source"] == "base"
    assert origin["generator"] == {"taken": 13, "fresh": []}
    assert origin["discriminator"] == {"taken": 5, "fresh": []}
    assert "Lisa Wischofsky" in " ".join(origin["attribution"])


def test_another_width_takes_what_fits():
    config = TrainConfig(base_width=64, palette=8, kernel_size=4, upsampling="nearest")
    origin = start_from("base", Trainer(config, 64))
    assert origin["generator"]["taken"] == 4  # the colours and the background
    assert "dense_4" in origin["generator"]["fresh"]


def test_base_draws_pictures_of_its_own_colours():
    demo = yaml.safe_load((ROOT / "pipeline/profiles/demo.yaml").read_text())["train"]
    trainer = Trainer(TrainConfig(**demo), 64)
    start_from("base", trainer)
    latents = np.random.default_rng(0).standard_normal([16, 100], np.float32)
    pictures = trainer.generator(latents, training=False).numpy()
    assert pictures.mean(axis=(1, 2)).std(axis=0).min() > 0.1  # on a scale from -1 to 1
    assert np.abs(np.diff(pictures, axis=2)).mean() > 0.02  # nor all of one colour


def test_base_is_small():
    assert sum(path.stat().st_size for path in BASE.iterdir()) < 6e6
