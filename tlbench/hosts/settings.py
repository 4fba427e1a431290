"""The options of a session, from the command line and ini files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tlbench.errors import ConfigurationError, TlbenchError
from tlbench.run import options as options_of_runs
from tlbench.run.option_list import AXES
from tlbench.run.options import OPTIONS


if TYPE_CHECKING:
    import os

    from collections.abc import Iterable
    from pathlib import Path

    from tlbench.run.options import Option, Options


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, each an ini setting too."""
    group = parser.getgroup("tlbench", "transfer-learning benchmarks")
    for option in OPTIONS:
        said = f"{option.help} (ini: {option.ini})"
        if option.kind == "flag":
            group.addoption(option.name, dest=option.ini, action="store_true", default=None, help=said)
            parser.addini(option.ini, option.help, type="bool", default=False)
        else:
            group.addoption(option.name, dest=option.ini, metavar=option.metavar, default=None, help=said)
            parser.addini(option.ini, option.help, type="string", default=option.default)


class usage_errors:  # noqa: N801
    """Turns tlbench's errors into pytest's usage errors: one line, exit status 4."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TlbenchError):
            raise pytest.UsageError(str(error)) from error


def asked_for(config: pytest.Config) -> bool:
    """Tell whether the command line or an ini file has an option of tlbench."""
    return any(
        config.getoption(option.ini) is not None or config.getini(option.ini) not in {option.default, False}
        for option in OPTIONS
    )


def read_options(config: pytest.Config) -> Options:
    """Read the options of a session.

    Raises:
        ConfigurationError: A value is malformed, or contradicts another.
    """
    _check_repeated(config.invocation_params.args)

    def value(option: Option) -> Any:
        given = config.getoption(option.ini)
        return config.getini(option.ini) if given is None else given

    # A path in an ini file is relative to that file; a typed path, to where it is typed.
    def base(option: Option) -> Path:
        return config.invocation_params.dir if config.getoption(option.ini) is not None else config.rootpath

    return options_of_runs.read(
        {option.ini: value(option) for option in OPTIONS},
        base,
        [profile for profiles in config.hook.pytest_tlbench_profiles() for profile in profiles],
        {name: make for networks in config.hook.pytest_tlbench_networks() for name, make in networks.items()},
        project=config.rootpath,
        # The controller of pytest-xdist as well: it reads results of its workers, and so must be in their environment.
        distributed=hasattr(config, "workerinput") or getattr(config.option, "dist", "no") != "no",
    )


def _check_repeated(typed: Iterable[str | os.PathLike[str]]) -> None:
    """Refuse a second value of an option that a run has one of, whose first one would be left out without a word.

    Args:
        typed: Arguments as they were typed: an ini file's `addopts` may be overruled.
    """
    names = [str(argument).partition("=")[0] for argument in typed]
    for name in AXES:
        if names.count(name) > 1:
            msg = (
                f"A run has one {name.removeprefix('--tlbench-')}; `tlbench matrix` runs the study with each of "
                f"several. Received: {name} {names.count(name)} times"
            )
            raise ConfigurationError(msg)


def facts(options: Options) -> str:
    """The facts that decide a run and are known without reading images or importing a backend, in a line.

    Args:
        options: Options of the run.
    """
    from tlbench import __version__
    from tlbench.machine import backends

    try:
        name = backends.backend()
        backend = f"{name} {backends.version(name)}, keras {backends.version('keras')}"
    except TlbenchError as error:
        backend = str(error)
    counted, most = f"{options.seeds} seed{'s' * (options.seeds > 1)}", options.max_seeds
    more = f", up to {most} where they do not decide" if most > options.seeds else ""
    return (
        f"tlbench: {__version__}, {backend}, {'gpu' if options.gpu else 'cpu'}, "
        f"profile {options.profile.name}, {counted}{more}"
    )
