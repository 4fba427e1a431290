"""The public names of tlbench, each from the module that defines it; users import them from `tlbench` itself."""

from __future__ import annotations

from tlbench.datasets.dataset import Dataset, Parts, Split
from tlbench.datasets.folder import read_images
from tlbench.declare.claims import (
    ACCURACY,
    ANY,
    BATCH_STATISTICS_ACCURACY,
    LOSS,
    MACRO_F1,
    Claim,
    Margin,
    Metric,
    Quantity,
    Scored,
    f1,
    f1_lead,
    score,
    validation_accuracy,
)
from tlbench.declare.profiles import MINIATURE, POSTER, THUMBNAIL, Profile
from tlbench.declare.study import Study
from tlbench.declare.tasks import EVERY_CLASS, Task
from tlbench.declare.trials import Arm, DataReference, ImageNet, Network, Random, Recipe, Trial
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
from tlbench.networks.xception import Xception
from tlbench.report.figures import (
    Bar,
    Bars,
    Calibration,
    Confusion,
    Curves,
    Drawn,
    Figure,
    Lines,
    Matrix,
    Pair,
    Point,
)
from tlbench.report.frames import Frames, read
from tlbench.report.tables import Cell, Column, FilledRow, FilledTable, Row, Table, Value
from tlbench.scores.statistics import Interval
from tlbench.store.results import Result, Scores


__all__ = [
    "ACCURACY",
    "ANY",
    "BATCH_STATISTICS_ACCURACY",
    "EVERY_CLASS",
    "LOSS",
    "MACRO_F1",
    "MINIATURE",
    "POSTER",
    "THUMBNAIL",
    "Arm",
    "Bar",
    "Bars",
    "Calibration",
    "Cell",
    "Claim",
    "Column",
    "ConfigurationError",
    "Confusion",
    "Curves",
    "DamagedError",
    "DataError",
    "DataReference",
    "Dataset",
    "Decision",
    "Drawn",
    "Environment",
    "EnvironmentFailure",
    "Evidence",
    "Figure",
    "FilledRow",
    "FilledTable",
    "Frames",
    "ImageNet",
    "Interval",
    "Lines",
    "Margin",
    "Matrix",
    "Metric",
    "Network",
    "Pair",
    "Parts",
    "Point",
    "Profile",
    "Quantity",
    "Random",
    "Recipe",
    "Result",
    "Row",
    "Scored",
    "Scores",
    "SinkError",
    "Split",
    "StoreError",
    "Study",
    "Table",
    "Task",
    "TlbenchError",
    "TrainingError",
    "Trial",
    "UnwritableError",
    "Value",
    "Verdict",
    "WeightsError",
    "Xception",
    "f1",
    "f1_lead",
    "read",
    "read_images",
    "score",
    "validation_accuracy",
]
