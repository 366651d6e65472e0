"""A made-up evaluation, and the verdict on it."""

from components.evaluate.config import EvaluateConfig

ROW = {
    "kid": 0.3124,
    "kid_interval": 0.0215,
    "frechet_distance": 180.5,
    "frechet_infinity": 171.4,
    "precision": 0.5,
    "recall": 0.25,
    "density": 0.4,
    "coverage": 0.41,
}
SCORES = {
    "extractor": {"name": "net", "sha256": "ab", "resize": "bicubic", "dtype": "float32"},
    "real_images": 1000,
    "generated_images": 1000,
    "snapshots": [{"epoch": 150, **ROW, "kid": 0.4}, {"epoch": 160, **ROW}],
    "controls": {
        "floor": {"images": 1000, **ROW, "kid": -0.0002, "sentence": "real pictures"},
        "blurred": {"images": 1000, **ROW, "kid": 0.21, "sentence": "real ones, blurred."},
        "collapsed": {"images": 1000, **ROW, "kid": 0.62, "sentence": "few, again and again"},
    },
    "best": {"epoch": 160, **ROW},
    "nearest": {"sentence": "none is a copy"},
    "smoothness": {"sentence": "small steps give small changes"},
    "passed": True,
    "passed_reason": "KID 0.3124 is at most 0.5",
    "config": EvaluateConfig().model_dump(mode="json"),
}
COMPARISON = {
    "blessed": True,
    "reason": "KID 0.3124 is below 0.3501, that of version 3",
    "kid": 0.3124,
    "champion": "cd",
    "champion_version": 3,
    "champion_kid": 0.3501,
    "difference": -0.0377,
    "difference_interval": 0.0123,
}
