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
WORDS = {
    "floor": "real pictures",
    "blurred": "real pictures blurred by 1 px",
    "collapsed": "62 real pictures repeated",
}
SCORES = {
    "extractor": {"name": "net", "sha256": "ab", "resize": "bicubic", "dtype": "float32"},
    "real_images": 1000,
    "generated_images": 1000,
    "rungs": [{"snapshots": 2, "samples": 250}],
    "snapshots": [
        {"epoch": 150, "samples": 250, "kid": 0.4, "kid_interval": 0.04},
        {"epoch": 160, "samples": 250, "kid": 0.32, "kid_interval": 0.05},
    ],
    "controls": {
        name: {"images": 1000, **ROW, "kid": kid, "words": WORDS[name], "sentence": sentence}
        for name, kid, sentence in (
            ("floor", -0.0002, "they are worse than real pictures"),
            ("blurred", 0.21, "they are worse than blurred ones."),
            ("collapsed", 0.62, "they are better than a few"),
        )
    },
    "best": {"epoch": 160, **ROW},
    "standing": "KID 0.312 ± 0.022: better than few, worse than blurred ones",
    "kid_limit": 0.5,
    "nearest": {"sentence": "none is a copy"},
    "smoothness": {"sentence": "small steps give small changes"},
    "by_class": None,
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
AWKWARD = '<b>&"|`x` [y](z)\\'  # a name that HTML or Markdown might take for their own
BY_CLASS = {
    "obedience": 0.5,
    "real_obedience": 0.9,
    "samples": 80,
    "all": 3,
    "classes": [
        {"name": AWKWARD, "share": 0.625, "real_images": 1200, "kid": 0.0251, "kid_interval": 0.004,
         "obedience": 0.75, "real_obedience": 0.95},
        {"name": "birds", "share": 0.25, "real_images": 20, "kid": None, "kid_interval": None,
         "obedience": 0.5, "real_obedience": 0.85},
        {"name": "fish", "share": 0.125, "real_images": 0, "kid": None, "kid_interval": None,
         "obedience": 0.25, "real_obedience": None},
    ],
    "sentence": "50% of the samples of a class look most like pictures of it",
}  # fmt: skip
