"""The poster: its printed figures, its tasks and its arms.

Angela Reyes Cervantes '22, *Transfer Learning for Image Classification: Exploring
effective strategies*. Figures stand here as they were printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench import ACCURACY, LOSS, MACRO_F1, Column, Margin, Row, Table, Task, score


if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlbench import Arm, Metric, Reading, Study

EIGHT_CLASSES = Task("8-classes")
PERSON_OTHER = Task("person/other", person=["person"], other=...)
CAT_DOG = Task("cat/dog", cat=["cat"], dog=["dog"])

LEARNING_RATES = (1e-2, 1e-3, 1e-4)

FROZEN = {
    "all": ("entry", "middle", "exit"),
    "none": (),
    "entry": ("entry",),
    "entry+middle": ("entry", "middle"),
}

NEGLIGIBLE = Margin(
    0.02,
    "two points: the poster calls 95.7 % and 94.8 % alike, and on some 1,000 test images a difference of that size is "
    "within twice the standard error of one accuracy near 90 %",
)

# 137.8 % is printed so, and cannot be.
TABLE_1 = {
    ("random", 1e-2): ("137.8% (impossible, as printed)", "207.54%"),
    ("transferred", 1e-2): ("99.71%", "1.3%"),
    ("random", 1e-3): ("88.91%", "275.59%"),
    ("transferred", 1e-3): ("99.95%", "0.61%"),
    ("random", 1e-4): ("87.6%", "37.87%"),
    ("transferred", 1e-4): ("99.71%", "0.61%"),
}
TABLE_2 = {
    "all": ("78.6%", "334.1%"),
    "none": ("95.7%", "26.3%"),
    "entry": ("94.8%", "24.79%"),
    "entry+middle": ("90.8%", "42.76%"),
}
TABLE_3 = {
    EIGHT_CLASSES: ("82.1%", "69.8%"),
    PERSON_OTHER: ("98%", "7.8%"),
    CAT_DOG: ("64.9%", "63.4%"),
}
TABLE_4 = {
    (PERSON_OTHER, EIGHT_CLASSES): ("41.8%", "148.9%"),
    (CAT_DOG, EIGHT_CLASSES): ("35.4%", "176.9%"),
    (EIGHT_CLASSES, PERSON_OTHER): ("97%", "7%"),
    (EIGHT_CLASSES, CAT_DOG): ("77.9%", "49.4%"),
}
TABLE_5 = {
    "airplane": "0.11",
    "car": "0.29",
    "cat": "0.01",
    "dog": "0.09",
    "flower": "0.21",
    "fruit": "0.51",
    "motorbike": "0.47",
    "person": "0.98",
}


def initialised(study: Study, weights: str, learning_rate: float) -> Arm:
    """An arm of Table 1: `weights` is `"random"` or `"transferred"`."""
    label = f"{weights} weights, rate {learning_rate:g}"
    recipe = study.recipe.at(learning_rate=learning_rate)
    if weights == "random":
        return study.random(label, task=EIGHT_CLASSES, recipe=recipe)
    return study.transferred(label, task=EIGHT_CLASSES, recipe=recipe)


def frozen(study: Study, flows: str) -> Arm:
    """An arm of Table 2: `flows` is a key of `FROZEN`."""
    return study.transferred(f"frozen {flows}", task=EIGHT_CLASSES, frozen=FROZEN[flows])


def direct(study: Study, task: Task) -> Arm:
    """An arm of Table 3: a task learned from random weights."""
    return study.random(task.name, task=task)


def moved(study: Study, source: Task, target: Task, flows: str) -> Arm:
    """An arm of Table 4: a network trained on one task goes on to another."""
    label = f"{source.name} -> {target.name}, frozen {flows}"
    return study.transferred(label, source=direct(study, source), task=target, frozen=FROZEN[flows])


# Columns that show a metric otherwise than by its name and unit.
COLUMNS: dict[Metric | Reading, Column] = {
    ACCURACY: Column.of(ACCURACY),
    MACRO_F1: Column.of(MACRO_F1, every_seed=False),
    LOSS: Column.of(LOSS, every_seed=False),
}


def table_of_scores(
    heading: tuple[str, str, str],
    arms: Iterable[tuple[Arm, tuple[str, str]]],
    metrics: tuple[Metric | Reading, ...],
    notes: tuple[str, ...] = (),
) -> Table:
    """A table with an arm in each row, beside the accuracy and loss that the poster printed for it.

    Args:
        heading: Name, title, and what the rows are.
        arms: With the printed accuracy and loss.
        metrics: Metrics of the columns.
        notes: Sentences below the table.
    """
    rows = tuple(
        Row(
            arm.label,
            {metric.name: score(arm, metric) for metric in metrics},
            {ACCURACY.name: accuracy, LOSS.name: loss},
        )
        for arm, (accuracy, loss) in arms
    )
    return Table(
        *heading,
        tuple(COLUMNS.get(metric) or Column.of(metric, every_seed=False) for metric in metrics),
        rows,
        published_by="poster",
        notes=notes,
    )
