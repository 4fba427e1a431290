from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st

from tlbench.datasets.dataset import Dataset
from tlbench.declare.tasks import EVERY_CLASS, Task, examples
from tlbench.errors import ConfigurationError, DataError


CLASSES = ("airplane", "car", "cat", "dog", "person")


@pytest.fixture
def animals():
    """Ten images of five classes, each filled with its own index."""
    images = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None, None], (10, 2, 2, 3))
    return Dataset("animals", images, np.arange(10) % 5, CLASSES)


def test_a_task_without_groups_keeps_every_class():
    """Labels are the dataset's own."""
    assert CLASSES == EVERY_CLASS.labels_of(CLASSES)
    assert [0, 1, 2, 3, 4] == EVERY_CLASS.mapping(CLASSES).tolist()


def test_a_group_of_two_classes_is_one_label():
    """Classes of a group share its label; classes of no group have none."""
    task = Task("animal/vehicle", animal=["cat", "dog"], vehicle=["car", "airplane"])

    assert ("animal", "vehicle") == task.labels_of(CLASSES)
    assert [1, 1, 0, 0, -1] == task.mapping(CLASSES).tolist()


def test_dots_take_the_rest():
    """A group of `...` has every class that no other group names, wherever it stands."""
    last = Task("person/other", person=["person"], other=...)
    first = Task("other/person", other=..., person=["person"])

    assert [1, 1, 1, 1, 0] == last.mapping(CLASSES).tolist()
    assert [0, 0, 0, 0, 1] == first.mapping(CLASSES).tolist()


def test_examples_are_those_that_the_task_labels(animals):
    """Of a part's images, those of other classes are left out, and the rest keep their order."""
    part = np.array([0, 2, 3, 7, 9])

    chosen = examples(animals, part, Task("cat/dog", cat=["cat"], dog=["dog"]))

    assert [2, 3, 7] == chosen.indices.tolist()
    assert [0, 1, 0] == chosen.labels.tolist()
    assert 3 == len(chosen)
    assert [2, 3, 7] == chosen.take()[:, 0, 0, 0].tolist()


def test_examples_do_not_copy_images(animals):
    """Images may be memory-mapped, and stay where they are until they are taken."""
    assert animals.images is examples(animals, np.arange(10), EVERY_CLASS).images


def test_the_name_does_not_tell_tasks_apart():
    """Tasks are equal where their groups are: the name is for tables."""
    task = Task("cat/dog", cat=["cat"], dog=["dog"])

    assert task == Task("felines or canines", cat=("cat",), dog=("dog",))
    assert hash(task) == hash(Task("felines or canines", cat=("cat",), dog=("dog",)))
    assert task != Task("cat/dog", dog=["dog"], cat=["cat"])
    assert "Task('cat/dog')" == repr(task)


@given(st.permutations(CLASSES))
def test_labels_follow_classes_by_name(class_names):
    """A class has the same label wherever the dataset counts it."""
    task = Task("animal/person", animal=["cat", "dog"], person=["person"])

    labels = dict(zip(class_names, task.mapping(class_names).tolist(), strict=True))

    assert {"airplane": -1, "car": -1, "cat": 0, "dog": 0, "person": 1} == labels


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"cat": ["cat"]}, "at least two groups"),
        ({"one": ..., "two": ...}, "at most one of them"),
        ({"one": ["cat"], "two": ["cat", "dog"]}, "one group of task 'odd' only"),
        ({"one": ["cat", "cat"], "two": ["dog"]}, "one group of task 'odd' only"),
        ({"cat": "cat", "dog": ["dog"]}, "Group 'cat' of task 'odd' needs a list of classes.*Received: 'cat'"),
        ({"cat": [], "dog": ["dog"]}, r"Group 'cat' of task 'odd' needs a list of classes.*Received: \[\]"),
    ],
)
def test_groups_that_are_no_labelling_are_refused(groups, message):
    """A labelling has two groups or more, each of its own classes, and says which of them is wrong."""
    with pytest.raises(ConfigurationError, match=message):
        Task("odd", **groups)


def test_a_missing_class_is_named_with_those_there_are():
    """A dataset has to have every class that a task names."""
    with pytest.raises(DataError, match=r"Task 'cat/cow' needs the class 'cow'.*Its classes: airplane, car, cat"):
        Task("cat/cow", cat=["cat"], cow=["cow"]).mapping(CLASSES)


def test_a_rest_of_no_classes_is_refused():
    """A label that no image can have is no label."""
    task = Task("cat/dog/other", cat=["cat"], dog=["dog"], other=...)

    with pytest.raises(DataError, match=r"Group 'other' of task 'cat/dog/other'.*leave none.*classes: cat, dog"):
        task.mapping(["cat", "dog"])
