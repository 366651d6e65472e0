"""What there is to see of a training: read off the files that it leaves.

None is written or locked, so that nobody who looks holds up a training. Any may be missing,
half-written, or gone a moment later.
"""

import contextlib
import json
import math
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.shared.contracts import (
    KIDS,
    METRICS,
    SCORES_FILE,
    SHEETS,
    TRAINING_IDENTITY,
    TRAINING_STATE,
)
from components.shared.pictures import thin
from components.train.progress import clock
from pipeline.local import CHECKPOINTS, STEPS_FOLDER
from pipeline.results import RUN

_SECONDS_OF_SILENCE = 120.0  # a training that is under way tells of itself every ten
_MOST_POINTS = 1000  # of a curve
_PNG_END = b"IEND\xaeB`\x82"
_TRAINING = re.compile(r"[0-9a-f]{16}")
_SHEET = re.compile(r"epoch-(\d{4,9})\.png")
_CHARTS = {  # chart → key of a row of metrics.jsonl → name of its line
    "loss": {"generator_loss": "generator", "discriminator_loss": "discriminator"},
    "logit": {"real_logit": "real", "fake_logit": "generated"},
}


def look(runs_dir: Path) -> dict[str, Any]:
    """What there is to see of the training under way, or of the newest one, as a JSON object.

    Args:
        runs_dir: Parent of all runs.

    Returns:
        `name` of its folder, None where there is none; a `status` for a person; `facts`, label
        → value; `sheets`, [epoch, version]; `charts`, chart → line → [epoch, value], for KID
        with half its interval.
    """
    found = [path.parent for path in (runs_dir / CHECKPOINTS).glob(f"*/{TRAINING_IDENTITY}")]
    trainings = [path for path in found if _TRAINING.fullmatch(path.name)]
    if not trainings:
        waiting = f"Waiting for a training to begin in {runs_dir / CHECKPOINTS}."
        return {"name": None, "status": waiting, "facts": {}, "sheets": [], "charts": {}}
    folder = max(trainings, key=_rank)
    state = _parse(_read(folder / TRAINING_STATE))
    curves = _read(folder / METRICS)
    lines = thin(curves.splitlines(), _MOST_POINTS)
    rows = [row for line in lines if "epoch" in (row := _parse(line))]
    charts = {
        chart: {name: _points(rows, key) for key, name in drawn.items()}
        for chart, drawn in _CHARTS.items()
    }
    return {
        "name": folder.name,
        "status": _status(state),
        "facts": _facts(_parse(_read(folder / TRAINING_IDENTITY)), state, rows),
        "sheets": _sheets(folder / SHEETS),
        "charts": charts | {"kid": {"KID": _kids(runs_dir, folder, curves)}},
    }


def read_sheet(runs_dir: Path, training: str, name: str) -> bytes | None:
    """The PNG of a sheet that `look` listed; None where no training has one of that name."""
    if not (_TRAINING.fullmatch(training) and _SHEET.fullmatch(name)):
        return None
    with contextlib.suppress(OSError):
        return (runs_dir / CHECKPOINTS / training / SHEETS / name).read_bytes()
    return None


def _rank(folder: Path) -> tuple[bool, float]:
    """Trainings under way come last, and among them the one that was begun or resumed last."""
    under_way = _is_under_way(_parse(_read(folder / TRAINING_STATE)))
    return under_way, _changed(folder / TRAINING_IDENTITY)


def _is_under_way(state: dict[str, Any]) -> bool:
    return state.get("status") == "running" and _silence(state) < _SECONDS_OF_SILENCE


def _silence(state: dict[str, Any]) -> float:
    """Seconds since a training last told of itself."""
    return max(0.0, time.time() - (_number(state.get("updated")) or 0.0))


def _status(state: dict[str, Any]) -> str:
    if _is_under_way(state) or not state:  # which is marked a moment after it begins
        return "Under way."
    # Not how long ago, which a screen reader would say anew at each look.
    when = time.strftime("on %Y-%m-%d at %H:%M", time.localtime(_number(state.get("updated"))))
    status = str(state.get("status"))
    if status == "running":
        return f"It last told of itself {when}: it was stopped, or it is stuck."
    reason = f": {state['reason']}" if status == "stopped" and "reason" in state else ""
    return f"{status.capitalize()} {when}{reason}."


def _facts(
    identity: dict[str, Any], state: dict[str, Any], rows: list[dict[str, Any]]
) -> dict[str, str]:
    """Label → value, of those that are known."""
    progress = state.get("progress") or {}
    last = max([progress, *rows[-1:]], key=lambda one: _number(one.get("step")) or 0.0)
    step, batch_size = last.get("step"), (identity.get("config") or {}).get("batch_size")
    facts = {
        "epoch": last.get("epoch"),
        "step": step,
        "pictures seen": step * batch_size if step and batch_size else None,
        "pictures a second": last.get("images_per_second"),
    }
    shown = {name: f"{value:,.0f}" for name, value in facts.items() if value is not None}
    if progress and _is_under_way(state):
        left = {"done": f"{progress['share']:.0%}", "time left": clock(progress["seconds_left"])}
        return shown | left
    return shown


def _points(rows: list[dict[str, Any]], key: str) -> list[list[float]]:
    pairs = ((_number(row["epoch"]), _number(row.get(key))) for row in rows)
    return [[x, y] for x, y in pairs if x is not None and y is not None]


def _sheets(folder: Path) -> list[tuple[int, str]]:
    """Epoch of each sheet, and a word that changes where the sheet does."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(
                (int(named[1]), f"{entry.stat().st_mtime:.6f}", entry.name)
                for entry in entries
                if (named := _SHEET.fullmatch(entry.name))
            )
    except FileNotFoundError:  # none yet
        return []
    if found and not (folder / found[-1][-1]).read_bytes().endswith(_PNG_END):  # yet to come
        found.pop()
    return [(epoch, version) for epoch, version, _ in found]


def _kids(runs_dir: Path, folder: Path, curves: str) -> list[list[float]]:
    """Epoch, KID and half its interval of each snapshot that train or evaluate scored."""
    by_train = _scored(_parse(line) for line in _read(folder / KIDS).splitlines())
    for evaluation, training in sorted(
        _evaluations(runs_dir), key=lambda pair: _changed(pair[0] / SCORES_FILE), reverse=True
    ):
        begins_with = _read(training / METRICS)
        if begins_with and curves.startswith(begins_with):  # it may have gone on since then
            by_evaluate = _scored(_parse(_read(evaluation / SCORES_FILE)).get("snapshots") or [])
            # Each by its own samples and pictures: those that reach further.
            return max(by_train, by_evaluate, key=lambda kids: kids[-1][0] if kids else -1)
    return by_train


def _scored(rows: Iterable[dict[str, Any]]) -> list[list[float]]:
    return [
        [row["epoch"], row["kid"], row["kid_interval"] or 0.0]
        for row in rows
        if _number(row.get("kid")) is not None
    ]


def _evaluations(runs_dir: Path) -> Iterable[tuple[Path, Path]]:
    """Folders of the evaluate and the train step, of finished runs and of one under way."""
    for run in runs_dir.glob(f"*/{RUN}"):
        artifacts = _parse(_read(run)).get("artifacts") or {}
        if {"evaluation", "training"} <= artifacts.keys():
            yield Path(artifacts["evaluation"]), Path(artifacts["training"])
    for step in runs_dir.glob(f"{STEPS_FOLDER}/*/*/evaluate"):
        yield step / "evaluation", step.with_name("train") / "training"


def _changed(path: Path) -> float:
    """When a file was changed last, in seconds of the epoch; 0 where it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _read(path: Path) -> str:
    """Text of a file; empty where there is none that can be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _parse(text: str) -> dict[str, Any]:
    """A JSON object; empty where it is none, or half of one."""
    with contextlib.suppress(ValueError):
        value = json.loads(text)
        return value if isinstance(value, dict) else {}
    return {}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return value if is_number else None
