"""Exit statuses and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlbench.errors import ConfigurationError
from tlbench.judge.comparison import FailOn
from tlbench.machine.installed import BACKENDS
from tlbench.run.options import option


if TYPE_CHECKING:
    from collections.abc import Callable

SAFE, REGRESSED, COULD_NOT_RUN, NOT_MEASURED = 0, 1, 2, 3

STATUS = {"passed": SAFE, "failed": REGRESSED, "not measured": NOT_MEASURED}


def like(name: str, own: str | tuple[str, str] | None = None, **settings: Any) -> Callable[..., Any]:
    """Make an option of a command from an option of a run, with the same help, placeholder and default.

    Args:
        name: Name of the run's option, for instance `--tlbench-seeds`.
        own: Name of the command's option, and of the parameter where that is another; `--seeds` unless given.
        settings: Settings of click that differ.
    """
    found = option(name)
    same: dict[str, Any] = {"help": found.help}
    if found.kind == "flag":
        same["is_flag"] = True
    else:
        same["metavar"] = found.metavar
    if found.default:
        same |= {"default": found.default, "show_default": True}
    names = (own,) if isinstance(own, str) else own or (f"--{found.field.replace('_', '-')}",)
    return click.option(*names, **(same | settings))


def findings_between_two(text: str) -> FailOn:
    """The findings that fail a comparison of two runs.

    Raises:
        ConfigurationError: The text names anything else, such as drift, which takes a series of runs.
    """
    fail_on = FailOn.parse(text)
    if fail_on.drift:
        msg = (
            "--fail drift needs a series of runs, and two are compared here; use `tlbench history`, or pytest with "
            f"--tlbench-compare. Received: {text!r}"
        )
        raise ConfigurationError(msg)
    return fail_on


store_option = like(
    "--tlbench-store",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".tlbench"),
    help="Folder of results, saved runs and environments.",
)
# Named apart from the module of saved runs.
baselines_option = like("--tlbench-baselines", ("--baselines", "baselines_place"))
fail_option = like("--tlbench-compare-fail", "--fail")
backend_option = click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    help="Keras' backend (default: PACKAGE where it is one, else the one here).",
)
