"""A report as logs of TensorBoard: the curves and scores of each trial in a folder of its own."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tensorboard.summary import Writer

from tlbench.report.names import file_name
from tlbench.report.sinks.points import points


if TYPE_CHECKING:
    from tlbench.report.content import Report
    from tlbench.report.records import TrialRecord


def send(report: Report, folder: str) -> str:
    """Write the logs of all trials; those of an earlier time are replaced.

    Args:
        report: What it says.
        folder: For `tensorboard --logdir`; made if it isn't there.

    Returns:
        What was written, in a line.
    """
    moment = datetime.fromisoformat(report.created).timestamp()
    for arm in report.arms:
        for trial in arm.trials:
            key = report.environments[trial.environment].key
            place = Path(folder) / key / file_name(arm.labels[0]) / f"seed-{trial.seed}-{trial.digest[:8]}"
            # Only what TensorBoard has written: the folder is the user's.
            for old in place.glob("events.out.tfevents.*"):
                old.unlink()
            _write(trial, place, moment)
    return f"Written for TensorBoard to {folder}: {len(report.trials)} trials"


def _write(trial: TrialRecord, place: Path, moment: float) -> None:
    writer = Writer(str(place))
    for point in points(trial):
        writer.add_scalar(f"{point.of}/{point.name}", point.value, point.epoch, wall_time=moment)
    writer.close()
