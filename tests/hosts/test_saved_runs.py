"""Saved runs and reports of earlier versions of tlbench, read by the command."""

from __future__ import annotations

import shutil

from pathlib import Path

import pytest

from click.testing import CliRunner

from tlbench.hosts.cli import main


REPOSITORY = Path(__file__).parents[2]

OF_SCHEMA_1 = REPOSITORY / "tests" / "store" / "baseline_of_schema_1.json"


@pytest.fixture
def store(tmp_path):
    """A store with a run that an earlier tlbench saved, twice."""
    place = tmp_path / "store" / "baselines" / "linux-x86-64_a-cpu_2cores"
    place.mkdir(parents=True)
    for name in ("0001_before.json", "0002_again.json"):
        shutil.copy(OF_SCHEMA_1, place / name)
    return tmp_path / "store"


def invoke(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


def test_show_tells_differences_in_their_unit_and_the_scores_there_are(store):
    """Points for shares; no column for a score that the saving tlbench did not know."""
    result = invoke("show", "before", "--store", store)

    assert 0 == result.exit_code, result.output
    assert "+33.3 points" in result.output
    (headings,) = [line.split() for line in result.output.splitlines() if line.startswith("arm ")]
    assert ["arm", "seeds", "accuracy", "macro-F1", "loss", "accuracy", "with", "batch", "statistics"] == headings
    (strong,) = [line.split() for line in result.output.splitlines() if line.startswith("strong ")]
    assert ["strong", "3", "0.933", "0.933", "0.252"] == strong[:5]


def test_compare_reads_them(store):
    """Here a run with itself, which measures nothing."""
    result = invoke("compare", "before", "again", "--store", store)

    assert "NOT MEASURED" in result.output
    assert "93.3 -> 93.3" in result.output


def test_report_reads_the_results_of_the_real_images(tmp_path):
    """Whichever schema the repository's own results have."""
    results = REPOSITORY / "docs" / "real-images" / "results.json"

    result = invoke("report", results, "--to", tmp_path)

    assert 0 == result.exit_code, result.output
    assert (tmp_path / "report.html").is_file()
    for table in (REPOSITORY / "docs" / "real-images").glob("table-*.md"):
        assert table.read_text(encoding="utf-8") == (tmp_path / table.name).read_text(encoding="utf-8")
