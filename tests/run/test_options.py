"""The list of options, and the options of a run made from values."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from tlbench.errors import ConfigurationError, StoreError
from tlbench.networks.applications import Application
from tlbench.run import status
from tlbench.run.commands import Command
from tlbench.run.options import OPTIONS, Option, Options, read


def given(**values):
    """Values of all options: defaults but for these."""
    defaults = {option.ini: False if option.kind == "flag" else option.default for option in OPTIONS}
    return defaults | {f"tlbench_{name}": value for name, value in values.items()}


def made(tmp_path, **values):
    return read(given(**values), lambda _option: tmp_path, (), {}, project=tmp_path)


def test_every_option_is_an_attribute():
    """But for autosave, which makes a name to save under."""
    names = {field.name for field in fields(Options)}

    assert {option.field for option in OPTIONS} - {"autosave"} == names


def test_an_options_ini_name_is_that_of_the_command_line():
    """With underscores; --gpu gets tlbench's prefix."""
    assert "tlbench_max_seeds" == Option("--tlbench-max-seeds", "").ini
    assert "tlbench_gpu" == Option("--gpu", "").ini


def test_defaults_are_the_miniatures(tmp_path):
    """Its seeds, a store where the run is, a report in the store."""
    options = made(tmp_path)

    assert ("miniature", 4, 4) == (options.profile.name, options.seeds, options.max_seeds)
    assert (tmp_path / ".tlbench", tmp_path / ".tlbench/report") == (options.store, options.report)
    assert ("skip", "seed", None) == (options.inconclusive, options.split, options.save)


def test_paths_are_relative_to_the_folder_that_they_are_given_in(tmp_path):
    """A source that is no keyword is a path too."""
    (tmp_path / "images").mkdir()

    options = made(tmp_path, data="images", source="images", status="run.json")

    assert tmp_path / "images" == options.data
    assert str(tmp_path / "images") == options.source
    assert tmp_path / "run.json" == options.status
    assert "thumbnail" == options.profile.name


def test_a_network_takes_the_place_of_the_profiles(tmp_path):
    """All else of the profile stays."""
    options = made(tmp_path, network="mobilenet:alpha=0.25,image_size=64")

    assert Application("MobileNet", 64, (("alpha", 0.25),)) == options.profile.network
    assert ("miniature", 4) == (options.profile.name, options.seeds)


def test_shipped_weights_are_for_the_network_that_they_fit(tmp_path):
    """With another network, a profile that transfers them trains a source on drawn images."""
    (tmp_path / "images").mkdir()

    assert "photographs" == made(tmp_path, data="images").resolved_source
    assert "formula" == made(tmp_path, data="images", network="xception:image_size=32,width=0.25").resolved_source
    assert "imagenet" == made(tmp_path, data="images", source="imagenet").resolved_source


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"network": "mobilnet"}, "no such family of networks; `tlbench networks` lists them. Received: 'mobilnet'"),
        ({"seeds": "two"}, "--tlbench-seeds must be a whole number. Received: 'two'"),
        ({"split": "none"}, "--tlbench-split must be seed or fixed. Received: 'none'"),
        (
            {"profile": "huge"},
            "must be one of miniature, thumbnail, pocket, poster. Received: 'huge'",
        ),
        ({"save": "1"}, "Received: '1'"),
        ({"data": "nowhere", "profile": "thumbnail"}, "not there"),
    ],
)
def test_values_that_cannot_be_read_are_refused(values, message, tmp_path):
    """By the option's name, with the value received."""
    with pytest.raises(ConfigurationError, match=message):
        made(tmp_path, **values)


def test_an_autosaved_run_is_named_for_its_day(tmp_path):
    """A name given beside it counts."""
    assert made(tmp_path, autosave=True).save.endswith("_autosaved")
    assert "mine" == made(tmp_path, autosave=True, save="mine").save


def test_a_command_leaves_out_options_for_after_training():
    """With their values; workers as well, which do not know the plan."""
    command = Command(("study", "--tlbench-save", "a", "--tlbench-seeds=2", "-n4", "--tlbench-compare=b", "-k", "x y"))

    assert "pytest study --tlbench-seeds=2 -k 'x y' --tlbench-repeat" == command.with_options("--tlbench-repeat")


def test_a_status_of_another_version_is_refused(tmp_path):
    """Nor is a damaged one read; a missing one is none."""
    path = tmp_path / "status.json"

    assert None is status.read(path)
    for text in ('{"schema_version": 2}', '{"schema_version": 1, "odd": 1}', "{"):
        path.write_text(text)
        with pytest.raises(StoreError, match="run the study again"):
            status.read(path)


def test_a_status_that_cannot_be_written_is_told(tmp_path):
    """With the option that chooses another file."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="--tlbench-status"):
        status.StatusFile(tmp_path / "file" / "status.json").update(planned=1)


def test_without_a_file_there_is_no_status(tmp_path):
    """Nothing is written."""
    status.StatusFile(None).update(planned=1)

    assert [] == list(Path(tmp_path).iterdir())
