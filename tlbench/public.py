"""The public names of tlbench, each from the module that defines it; users import them from `tlbench` itself."""

from __future__ import annotations

from tlbench.datasets.dataset import Dataset, Parts, Split
from tlbench.datasets.folder import read_images
from tlbench.declare.claims import (
    ANY,
    Claim,
    Combination,
    Combined,
    Margin,
    Quantity,
    Reading,
    Term,
    combined,
    f1,
    f1_lead,
    score,
    validation_accuracy,
)
from tlbench.declare.degraded import Degraded
from tlbench.declare.evaluations import Evaluation, Images, Mirrored, TestImages
from tlbench.declare.probes import LinearProbe
from tlbench.declare.profiles import MINIATURE, POSTER, THUMBNAIL, Profile
from tlbench.declare.readouts import Readout, ReadoutResult, Seen, TrainingFeatures, Views
from tlbench.declare.study import Study
from tlbench.declare.tasks import EVERY_CLASS, Examples, Task
from tlbench.declare.transferability import H_SCORE, LEEP, LOGME, NCE
from tlbench.declare.trials import Arm, DataReference, ImageNet, Network, Random, Recipe, SavedWeights, Trial
from tlbench.errors import (
    ConfigurationError,
    DamagedError,
    DataError,
    EnvironmentFailure,
    SinkError,
    StoreError,
    TlbenchError,
    TrainingError,
    UnwritableError,
    WeightsError,
)
from tlbench.judge.decisions import Decision
from tlbench.judge.verdicts import Evidence, Verdict
from tlbench.machine.environment import Environment
from tlbench.networks.published import Published, WeightsFile
from tlbench.networks.xception import Xception
from tlbench.report.figures import (
    Bar,
    Bars,
    Calibration,
    Confusion,
    Curves,
    Drawn,
    Figure,
    LearningCurves,
    Lines,
    Matrix,
    Pair,
    Point,
    Scatter,
    ScatterPoint,
)
from tlbench.report.frames import Frames, read
from tlbench.report.tables import Cell, Column, FilledRow, FilledTable, Row, Table, Value
from tlbench.run.options import Options
from tlbench.run.run import Run
from tlbench.scores.listed import (
    ACCURACY,
    BALANCED_ACCURACY,
    BATCH_STATISTICS_ACCURACY,
    BRIER_SCORE,
    CALIBRATION_ERROR,
    LOSS,
    MACRO_F1,
    METRICS,
    TOP_5_ACCURACY,
    Metric,
    Predictions,
    Scored,
)
from tlbench.scores.statistics import Interval
from tlbench.store.results import EvaluationResult, Result, ResultOf, Summary


__all__ = [
    "ACCURACY",
    "ANY",
    "BALANCED_ACCURACY",
    "BATCH_STATISTICS_ACCURACY",
    "BRIER_SCORE",
    "CALIBRATION_ERROR",
    "EVERY_CLASS",
    "H_SCORE",
    "LEEP",
    "LOGME",
    "LOSS",
    "MACRO_F1",
    "METRICS",
    "MINIATURE",
    "NCE",
    "POSTER",
    "THUMBNAIL",
    "TOP_5_ACCURACY",
    "Arm",
    "Bar",
    "Bars",
    "Calibration",
    "Cell",
    "Claim",
    "Column",
    "Combination",
    "Combined",
    "ConfigurationError",
    "Confusion",
    "Curves",
    "DamagedError",
    "DataError",
    "DataReference",
    "Dataset",
    "Decision",
    "Degraded",
    "Drawn",
    "Environment",
    "EnvironmentFailure",
    "Evaluation",
    "EvaluationResult",
    "Evidence",
    "Examples",
    "Figure",
    "FilledRow",
    "FilledTable",
    "Frames",
    "ImageNet",
    "Images",
    "Interval",
    "LearningCurves",
    "LinearProbe",
    "Lines",
    "Margin",
    "Matrix",
    "Metric",
    "Mirrored",
    "Network",
    "Options",
    "Pair",
    "Parts",
    "Point",
    "Predictions",
    "Profile",
    "Published",
    "Quantity",
    "Random",
    "Reading",
    "Readout",
    "ReadoutResult",
    "Recipe",
    "Result",
    "ResultOf",
    "Row",
    "Run",
    "SavedWeights",
    "Scatter",
    "ScatterPoint",
    "Scored",
    "Seen",
    "SinkError",
    "Split",
    "StoreError",
    "Study",
    "Summary",
    "Table",
    "Task",
    "Term",
    "TestImages",
    "TlbenchError",
    "TrainingError",
    "TrainingFeatures",
    "Trial",
    "UnwritableError",
    "Value",
    "Verdict",
    "Views",
    "WeightsError",
    "WeightsFile",
    "Xception",
    "combined",
    "f1",
    "f1_lead",
    "read",
    "read_images",
    "score",
    "validation_accuracy",
]
