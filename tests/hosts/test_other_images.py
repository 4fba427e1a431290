"""Claims about trained networks on other images, in a project of somebody else's."""

from __future__ import annotations

import json

import pytest

from projects import PROFILE

import tlbench


STUDY = '''
import pytest
from tlbench import Column, Mirrored, Row, Table, TestImages, score

def fast(study):
    return study.random("fast")

def stays(study):
    return score(fast(study), on=Mirrored()).is_at_least(score(fast(study)), within=MARGIN)

def abroad(study):
    elsewhere = score(fast(study), on=TestImages(dataset=study.dataset("others")))
    return elsewhere.is_positive()

def images(study):
    rows = [
        Row("fast", {"own": score(fast(study)), "mirrored": score(fast(study), on=Mirrored())}),
        Row("others", {"own": score(study.random("others", data=study.dataset("others")))}),
    ]
    return Table("Table A", "images", "arm", (Column("own"), Column("mirrored")), tuple(rows))

@pytest.mark.tlbench_claim(declare=stays)
def test_mirrored(verdict):
    """A network of colours knows them in a mirror."""
    assert verdict.supported, verdict

@pytest.mark.tlbench_claim(declare=abroad)
def test_abroad(verdict):
    """And on images of another dataset."""
    assert verdict.differences

@pytest.mark.tlbench_table(declare=images)
def test_images(table):
    assert table.filled
'''


@pytest.fixture
def study(project):
    """The project with the study, and a further dataset in its profile."""
    margin = "from tlbench import Margin\nMARGIN = Margin(0.5, 'a test')\n"
    project.makepyfile(test_study=margin + STUDY)
    profile = PROFILE.replace(
        "split, recipe)]",
        'split, recipe, datasets={"others": lambda size: colours(size, seed=2)})]',
    )
    project.makeconftest(profile)
    return project


def test_a_claim_on_mirrored_images_is_judged_and_reported(study):
    """From plan to report; a second run computes nothing."""
    plan = study.runpytest("--tlbench-plan", "--tlbench-seeds", "2")
    first = study.runpytest("--tlbench-seeds", "2", "--tlbench-report", "report", "-v")
    second = study.runpytest("--tlbench-seeds", "2", "--tlbench-report", "report")

    plan.stdout.fnmatch_lines(["tlbench plan: 4 trials, 0 stored, 4 to train; 4 evaluations, 4 to compute"])
    plan.stdout.fnmatch_lines(["4 evaluations of trained networks; 0 stored, 4 to compute, without training."])
    first.assert_outcomes(passed=3)
    first.stdout.fnmatch_lines(
        [
            "*dataset 'others': colours, 90 images in 3 classes*",
            "*evaluation */* [[]fast, seed 0 on mirrored test images]*",
        ]
    )
    first.stdout.fnmatch_lines(["*test_mirrored: A network of colours knows them in a mirror.*"])
    second.assert_outcomes(passed=3)
    second.stdout.no_fnmatch_line("*evaluation */* [[]fast*")
    second.stdout.no_fnmatch_line("*trial 1/*")
    content = json.loads((study.path / "report" / "results.json").read_text())
    names = [each["images"] for arm in content["arms"] for trial in arm["trials"] for each in trial["evaluations"]]
    assert ["mirrored test images", "test images of colours"] * 2 == names
    claim = next(claim for claim in content["claims"] if claim["name"] == "test_mirrored")
    assert "accuracy of [fast] on mirrored test images" == claim["left"]


def test_evaluations_are_in_the_page_and_the_frames(study):
    """With the scores of results.json."""
    study.runpytest("--tlbench-seeds", "2", "--tlbench-report", "report")

    page = (study.path / "report" / "report.html").read_text()
    frame = tlbench.read(study.path / ".tlbench").evaluations

    assert "fast, evaluated without training" in page
    assert "its head" in page
    assert frame["readout"].isna().all()
    assert ["mirrored test images", "test images of colours"] * 2 == frame["images"].tolist()
    assert frame["accuracy"].between(0, 1).all()
    assert {"fast"} == set(frame["arm"])


def test_a_damaged_evaluation_is_planned_again(study):
    """The plan says so, and trains nothing for it."""
    study.runpytest("--tlbench-seeds", "2")
    damaged = next((study.path / ".tlbench" / "evaluations").glob("*/*/predictions.npz"))
    damaged.write_bytes(b"")

    plan = study.runpytest("--tlbench-plan", "--tlbench-seeds", "2")
    again = study.runpytest("--tlbench-seeds", "2")

    plan.stdout.fnmatch_lines(["tlbench plan: 4 trials, 4 stored, 0 to train; 4 evaluations, 1 to compute"])
    plan.stdout.fnmatch_lines(["4 evaluations of trained networks; 3 stored, 1 to compute*"])
    plan.stdout.fnmatch_lines(["Damaged, and to be computed again: *"])
    again.stdout.fnmatch_lines(["Note: 1 stored result was damaged, and computed again;*"])


def test_images_with_other_classes_skip_the_claim(study):
    """As images do that lack a class."""
    conftest = (study.path / "conftest.py").read_text()
    study.makeconftest(conftest.replace("colours(size, seed=2)", 'colours(size, ("cat", "fish", "fox"), 2)'))

    result = study.runpytest("--tlbench-seeds", "2", "-rs")

    result.stdout.fnmatch_lines(["*cannot be evaluated on a dataset with other classes*"])


def test_an_unknown_dataset_is_refused(study):
    """The error lists those that there are."""
    path = study.path / "test_study.py"
    path.write_text(path.read_text().replace('study.dataset("others")', 'study.dataset("sketches")'))

    result = study.runpytest()

    assert 4 == result.ret
    result.stderr.fnmatch_lines(["*which has: others. Received: 'sketches'*"])
