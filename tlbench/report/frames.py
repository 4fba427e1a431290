"""A run as pandas data frames: trials, evaluations, epochs, claims, differences by seed, and predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlbench.errors import StoreError
from tlbench.report import content
from tlbench.report.files import RESULTS, results_of
from tlbench.scores.listed import METRICS
from tlbench.store import files, folders


if TYPE_CHECKING:
    import os

    from collections.abc import Iterator, Mapping

    import pandas as pd

    from tlbench.report.content import Report
    from tlbench.report.records import ArmRecord, TrialRecord

# Numbers of each epoch, by the names of the record's fields.
HISTORIES = ("validation_accuracy", "training_accuracy", "training_loss")
# Scores on the test images, by the metrics' keys.
SCORES = tuple(metric.key for metric in METRICS)
# Facts that the trials of an arm have in common.
FACTS = ("data", "task", "network", "starts from", "frozen", "recipe")

# Types of the columns of each frame, in order. A "string" or "Int64" of pandas can be missing, a "float64" can be NaN.
_TRIAL = {"digest": "string", "arm": "string", "seed": "int64"}
TRIALS = {
    **_TRIAL,
    "status": "string",
    **dict.fromkeys(SCORES, "float64"),
    "seconds": "float64",
    "step_seconds": "float64",
    "source": "string",
    **{fact.replace(" ", "_"): "string" for fact in FACTS},
    "environment": "string",
}
EVALUATIONS = {
    **_TRIAL,
    "evaluation": "string",
    "images": "string",
    "readout": "string",
    "status": "string",
    **dict.fromkeys(SCORES, "float64"),
    "seconds": "float64",
}
EPOCHS = {**_TRIAL, "epoch": "int64", **dict.fromkeys(HISTORIES, "float64")}
CLAIMS = {
    **dict.fromkeys(("name", "statement", "outcome", "reason", "unit"), "string"),
    **dict.fromkeys(("threshold", "effect", "low", "high", "confidence", "p", "adjusted_p", "level"), "float64"),
    "seeds_needed": "Int64",
}
DIFFERENCES = {"claim": "string", "seed": "int64", "left": "float64", "right": "float64", "difference": "float64"}
PREDICTIONS = {
    **_TRIAL,
    "image": "int64",
    "label": "string",
    "predicted": "string",
    "probability": "float64",
    "confidence": "float64",
}


@dataclass(frozen=True, eq=False)
class Frames:
    """A run as data frames, each made when it is first read.

    Shares such as accuracies are numbers from 0 to 1, losses are in nats, times in seconds. A missing number is NaN,
    a missing text or count `pandas.NA`.

    Attributes:
        path: Path that was read.
        report: Report of the run, with all that the frames are made of but the predictions.
        store: Folder of the store; None where a `results.json` or a folder without results of trials was read.
    """

    path: Path
    report: Report = field(repr=False)
    store: Path | None = None

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row for each trial, in the order of the plan.

        `digest`, `arm` (its first label) and `seed` name the trial. `status` is `"finished"` or `"diverged"`. The
        scores on the test images have a column for each of `tlbench.METRICS`, named by its key; NaN where the trial
        diverged or has no such score. `seconds` is the wall time of the trial, `step_seconds` that of a step in the
        fastest epoch after the first, NaN where there is one epoch. `source` is the digest of the trial that it started
        from. The texts `data`, `task`, `network`, `starts_from`, `frozen`, `recipe` and `environment` describe it.
        """
        return _frame(TRIALS, (self._trial(arm, trial) for arm, trial in self._each()))

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """A row for each evaluation of a trained network on other images than its own test images, or by a readout.

        `digest`, `arm` and `seed` are those of `trials`; `evaluation` is the digest of the evaluation, `images` the
        name of its images, and `readout` that of its readout, missing for the network's head. Scores
        are columns as in `trials`; `seconds` is the wall time of the evaluation.
        """
        return _frame(
            EVALUATIONS,
            (
                {
                    **_named(arm, trial),
                    "evaluation": each.digest,
                    **{name: getattr(each, name) for name in ("images", "readout", "status", "seconds")},
                    **{key: each.scores.get(key) for key in SCORES},
                }
                for arm, trial in self._each()
                for each in trial.evaluations
            ),
        )

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """A row for each trial and epoch.

        `digest`, `arm` and `seed` are those of `trials`; `epoch` counts from 1. `validation_accuracy` is that after the
        epoch, `training_accuracy` and `training_loss` are what Keras reports of it; NaN where they are not finite, and
        where the validation images were not predicted.
        """
        return _frame(
            EPOCHS,
            (
                {**_named(arm, trial), "epoch": epoch, **dict(zip(HISTORIES, values, strict=True))}
                for arm, trial in self._each()
                for epoch, values in enumerate(zip_longest(*(getattr(trial, name) for name in HISTORIES)), start=1)
            ),
        )

    @cached_property
    def claims(self) -> pd.DataFrame:
        """A row for each claim, in the order of the tests.

        `name` and `statement` say what is claimed, `outcome` is `"supported"`, `"refuted"` or `"inconclusive"`, and
        `reason` says why. `effect` is the mean difference, which should exceed `threshold`; `low` and `high` are the
        ends of the interval that decides, at `confidence`. All of these are in `unit`: `"percent"` is a share from 0
        to 1. `p` is the p-value of the claim by itself, `adjusted_p` the one that decides against `level`. Numbers are
        NaN where a run diverged. `seeds_needed` is how many seeds may decide the claim, missing where it is decided.
        """
        return _frame(CLAIMS, ({name: getattr(claim, name) for name in CLAIMS} for claim in self.report.claims))

    @cached_property
    def differences(self) -> pd.DataFrame:
        """A row for each claim and seed.

        `claim` is the name of the claim, `left` its side that should be greater, `right` the other, and `difference`
        left less right, in the claim's unit; NaN where a run diverged.
        """
        return _frame(
            DIFFERENCES,
            (
                {"claim": claim.name, "seed": s.seed, "left": s.left, "right": s.right, "difference": s.difference}
                for claim in self.report.claims
                for s in claim.seeds
            ),
        )

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row for each trial and test image; read from the store.

        `digest`, `arm` and `seed` are those of `trials`; `image` counts the test images of the trial's split from 0.
        `label` is the image's label and `predicted` the most probable one. `probability` is what the network gave to
        the label, `confidence` what it gave to the predicted one. Of a trial that diverged, `predicted` and both
        numbers are missing.

        Raises:
            StoreError: The frames are not those of a store, or it lacks a result.
            DamagedError: A result is not what was stored.
        """
        import pandas as pd

        if self.store is None:
            msg = f"Only a store has predictions; read the store of the run, such as .tlbench. Received: {self.path}"
            raise StoreError(msg)
        frames = [_frame(PREDICTIONS, self._predicted(self.store, arm, trial)) for arm, trial in self._each()]
        return pd.concat(frames, ignore_index=True) if frames else _frame(PREDICTIONS, iter(()))

    def _each(self) -> Iterator[tuple[ArmRecord, TrialRecord]]:
        return ((arm, trial) for arm in self.report.arms for trial in arm.trials)

    def _trial(self, arm: ArmRecord, trial: TrialRecord) -> dict[str, Any]:
        facts = {fact.replace(" ", "_"): arm.facts.get(fact) for fact in FACTS}
        environment = str(self.report.environments[trial.environment])
        scores = {key: trial.scores.get(key) for key in SCORES}
        values = {name: getattr(trial, name) for name in ("status", "seconds", "step_seconds", "source")}
        return {**_named(arm, trial), **scores, **values, **facts, "environment": environment}

    def _predicted(self, folder: Path, arm: ArmRecord, trial: TrialRecord) -> Iterator[dict[str, Any]]:
        key = self.report.environments[trial.environment].key
        stored, arrays = files.read(folder / "results" / key / trial.digest[:32], trial.digest)
        names, labels, probabilities = stored["label_names"], arrays["labels"], arrays["probabilities"]
        for image, (label, row) in enumerate(zip(labels, probabilities, strict=True)):
            highest = int(np.argmax(row)) if np.isfinite(row).all() else None
            yield {
                **_named(arm, trial),
                "image": image,
                "label": names[label],
                "predicted": None if highest is None else names[highest],
                "probability": None if highest is None else row[label],
                "confidence": None if highest is None else row[highest],
            }


def read(path: str | os.PathLike[str]) -> Frames:
    """Read a run as pandas data frames; nothing is trained.

    Args:
        path: A `results.json`, the folder of a report, or a store, such as `.tlbench`, which stands for its last run.

    Returns:
        Frames of trials, evaluations, epochs, claims and differences; of predictions too where a store is read.

    Raises:
        StoreError: There is no such run, it is damaged, or another version of tlbench wrote it.
    """
    place = Path(path)
    if not place.is_dir():
        return Frames(place, content.load(place))
    is_store = (place / folders.MARKER).is_file()
    if is_store:
        folders.check_schema(place)
    results = results_of(place) if is_store else place / RESULTS
    return Frames(place, content.load(results), place if is_store else None)


def _named(arm: ArmRecord, trial: TrialRecord) -> dict[str, Any]:
    return {"digest": trial.digest, "arm": arm.labels[0], "seed": trial.seed}


def _frame(types: Mapping[str, str], rows: Iterator[dict[str, Any]]) -> pd.DataFrame:
    # Imported here: every pytest of a project imports this package, and few read a frame.
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(types)).astype(dict(types))
