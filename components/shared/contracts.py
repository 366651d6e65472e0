"""File names and keys that one step writes and another reads."""

from pathlib import Path

STEPS = ("ingest", "transform", "train", "evaluate", "export")
ROOMS = {  # folders beside this one's whose code a step runs
    **{step: ("shared", step) for step in STEPS},
    **{step: ("shared", "metrics", step) for step in ("train", "evaluate")},
}

# ingest → transform, validate, train, evaluate: the `records` folder.
MANIFEST = "manifest.json"
FILES = "files.jsonl"  # path, bytes, SHA-256 and outcome of every file looked at
REJECTED = "rejected.jsonl"  # path, bytes, reason and, where there is more to say, detail
CONTACT_SHEET = "contact_sheet.png"
TRAIN_SPLIT = "train"
EVAL_SPLIT = "eval"

# Features of one record (a serialised tf.train.Example).
IMAGE = "image"  # raw uint8 pixels, row by row, RGB
SHA256 = "sha256"  # hexadecimal, of the original file's bytes
LABEL = "label"  # number of its class, int64; only where ingest.labels makes classes

# transform → validate, train, evaluate: the `transform_graph` folder.
TRANSFORM_FN = "transform_fn"
STATISTICS = "statistics.json"

# train → evaluate, export: the `training` folder.
SNAPSHOTS = "snapshots"  # epoch-0010.keras, …: the generator after that epoch; see discriminator_of
SHEETS = "sheets"  # epoch-0000.png, …: 4×4 samples from fixed latents
METRICS = "metrics.jsonl"
KIDS = "kid.jsonl"  # of snapshots, where `train.patience` has them scored
TENSORBOARD = "tensorboard"
TRAINING = "training.json"

BASE = "base"  # as train.warm_start: the model that comes with this package

# A folder below checkpoint_root, where a training lives → `dcgan watch`; sheets and metrics, too.
TRAINING_IDENTITY = "training_identity.json"  # data, code and config that determine it
TRAINING_STATE = "training_state.json"  # status, updated, progress, …

# validate → report, publish: the `validation` folder.
DATA = "data.json"  # what the pictures are; published beside the model that learned from them
DRIFT = "drift.json"  # how they differ from those of the published model

# evaluate → report, export, publish: the `evaluation` folder.
SCORES_FILE = "scores.json"
SCORED_BY = ("extractor", "real_images", "generated_images")  # keys beside every score
SAMPLES = "samples.png"
GENERATOR = "generator.keras"  # the best snapshot
DISCRIMINATOR = "discriminator.npz"  # the one it was trained against, float32 by "layer/weight"
NEAREST = "nearest.png"  # the training picture nearest to each of those samples
REAL_FEATURES = "real_features.npz"  # of held-out pictures; published, too

# report → a run's folder; the card also beside the published model.
REPORT = "report.html"
MODEL_CARD = "MODEL_CARD.md"

# export → compare, publish, serving: the `model` folder.
SAVED_MODEL = "saved_model"
GIF = "dcgan.gif"
LATENT_WALK = "latent_walk.gif"
MODEL_INFO = "model.json"  # name, licence, attribution, digest, classes, scores, …
MODEL_NAME = "dcgan"  # the default; fingerprint looks there for the champion, too
GENERATE_PNG = "generate_png"  # the SavedModel's signature that `dcgan sample` asks
GENERATE_CLASS = "generate_class"  # of one that draws by class: pictures of a class
GENERATE_CLASS_PNG = "generate_class_png"
CLASS_NAME = "class_name"  # an input of these two
CLASSES = "classes"  # its signature that names them; in model.json their names, by number
CLASS_COUNTS = "class_counts"  # in model.json: pictures of the training
IMAGES = "images"  # the output of signatures that draw pixels
PNG_BYTES = "png_bytes"  # of those that draw files
MOST_PICTURES = 10_000  # that one call of it draws


def epoch_file(epoch: int, suffix: str) -> str:
    """Name of the file that belongs to an epoch, e.g. ``epoch-0010.png``."""
    return f"epoch-{epoch:04d}{suffix}"


def epoch_of(path: Path) -> int:
    """Epoch that a file named by `epoch_file` belongs to."""
    return int(path.stem.removeprefix("epoch-"))


def discriminator_of(snapshot: Path) -> Path:
    """Path of the discriminator beside a snapshot, e.g. ``epoch-0010.discriminator.npz``."""
    return snapshot.with_suffix(f".{DISCRIMINATOR}")
