"""Pictures of a report, drawn once for the same values."""

from __future__ import annotations

from dataclasses import replace

import pytest
import reports

from tlbench.report import drawing, pictures


@pytest.fixture
def drawn(monkeypatch):
    """Names of the figures that are drawn from now on."""
    names = []

    def picture(figure, data):
        names.append(figure.name)
        return drawing.picture(figure, data)

    monkeypatch.setattr(pictures, "picture", picture)
    return names


@pytest.fixture
def bars():
    return reports.figures()[2]


def test_a_figure_is_drawn_once(bars, drawn, tmp_path):
    """The second time its files are read."""
    first = pictures.write([bars], tmp_path, "Data: colours.")
    second = pictures.write([bars], tmp_path, "Data: colours.")

    assert ["Bars"] == drawn
    assert first == second
    assert first["Bars"].png == (tmp_path / "bars.png").read_bytes()


def test_other_values_are_drawn_anew(bars, drawn, tmp_path):
    """The files are those of the newer ones."""
    pictures.write([bars], tmp_path, "Data: colours.")
    other = pictures.write([replace(bars, y_label="another")], tmp_path, "Data: colours.")

    assert 2 == len(drawn)
    assert other["Bars"].svg == (tmp_path / "bars.svg").read_text()


@pytest.mark.parametrize("name", ["bars.svg", "bars.png", pictures.RECORD])
@pytest.mark.parametrize("content", [None, b"\xff other"], ids=["missing", "changed"])
def test_what_is_not_as_it_was_written_is_drawn_anew(name, content, bars, drawn, tmp_path):
    """A file that is missing, that somebody has changed, or a record that cannot be read."""
    first = pictures.write([bars], tmp_path, "Data: colours.")
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)

    assert first == pictures.write([bars], tmp_path, "Data: colours.")
    assert 2 == len(drawn)
    assert first["Bars"].svg == (tmp_path / "bars.svg").read_text()


def test_other_code_draws_anew(bars, drawn, tmp_path, monkeypatch):
    """Or another version of matplotlib."""
    pictures.write([bars], tmp_path, "Data: colours.")
    monkeypatch.setattr(pictures, "_drawn_by", lambda: "3.99")
    pictures.write([bars], tmp_path, "Data: colours.")

    assert 2 == len(drawn)
