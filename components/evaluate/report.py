"""The report: how good the snapshots are, and what they were made from, in one page."""

from pathlib import Path

from components.evaluate.charts import kid_chart, loss_chart
from components.evaluate.controls import CONTROLS
from components.evaluate.data_section import data_section
from components.evaluate.page import WIDEST, Picture, embed, write_page
from components.shared.contracts import (
    MANIFEST,
    METRICS,
    NEAREST,
    SAMPLES,
    SCORES_FILE,
    SHEETS,
    TRAINING,
    epoch_of,
)
from components.shared.files import read_json, read_json_lines
from components.shared.pictures import thin

_SHEETS_SHOWN = 40
_SHEET_WIDTH = 400  # pixels


def write_report(
    path: Path,
    *,
    records: Path,
    validation: Path,
    training: Path,
    evaluation: Path,
    comparison: Path,
) -> None:
    """Write the report, without TensorFlow.

    Args:
        path: File to write.
        records: Folder written by ingest.
        validation: Folder written by validate.
        training: Folder written by train.
        evaluation: Folder written by evaluate.
        comparison: File written by compare, which has the verdict.
    """
    scores, trained = read_json(evaluation / SCORES_FILE), read_json(training / TRAINING)
    metrics, nearest = training / METRICS, evaluation / NEAREST
    losses = read_json_lines(metrics) if metrics.exists() else []
    write_page(
        path,
        "report.html.j2",
        scores=scores,
        controls=[(name.capitalize(), scores["controls"][name]) for name in CONTROLS],
        comparison=read_json(comparison),
        origin=trained.get("descends_from"),
        samples=embed((evaluation / SAMPLES).read_bytes(), WIDEST),
        nearest=embed(nearest.read_bytes(), WIDEST, 0) if nearest.exists() else None,
        loss_chart=loss_chart(losses) if losses else None,
        kid_chart=kid_chart(scores),
        sheets=_sheets(training / SHEETS),
        configurations={
            "ingest": read_json(records / MANIFEST)["config"],
            "train": trained["config"],
            "evaluate": scores["config"],
        },
        **data_section(records, validation),
    )


def _sheets(folder: Path) -> list[tuple[int, Picture]]:
    """Epochs and their sheets, thinned evenly; the first and the last stay."""
    paths = sorted(folder.glob("epoch-*.png"), key=epoch_of)
    return [
        (epoch_of(path), embed(path.read_bytes(), _SHEET_WIDTH, 0))
        for path in thin(paths, _SHEETS_SHOWN)
    ]
