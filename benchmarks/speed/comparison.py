"""Contenders timed side by side: each in processes of its own, by turns, in several rounds."""

from __future__ import annotations

import datetime as dt
import functools
import importlib.util
import json
import os
import shlex
import statistics
import subprocess
import sys

from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.speed.contenders import CONTENDERS, Contender, Measurement, Setting
from tlbench.errors import ConfigurationError, EnvironmentFailure, TlbenchError
from tlbench.networks.xception import Xception


if TYPE_CHECKING:
    from collections.abc import Callable, Collection

TIMM = "timm==1.0.31"

ROOT = Path(__file__).resolve().parents[2]


class LeftOutError(TlbenchError):
    """A contender cannot be timed here; the message says why."""


@dataclass(frozen=True)
class Comparison:
    """Measurements of all contenders.

    Attributes:
        setting: Network, batch and steps that were timed.
        rounds: Measurements by contender, one for each round.
        left_out: Reasons why contenders have no measurement, by name.
        load: Mean number of processes that ran in the minute before; None where the system does not say.
    """

    setting: Setting
    rounds: dict[str, tuple[Measurement, ...]]
    left_out: dict[str, str]
    load: float | None = None

    def median(self, name: str, figure: Callable[[Measurement], float | None]) -> float | None:
        """Over the rounds of a contender; None where it has no such figure.

        Args:
            name: The contender.
            figure: What is asked of each of its measurements.
        """
        values = [value for measurement in self.rounds[name] if (value := figure(measurement)) is not None]
        return statistics.median(values) if values else None

    def ratio(self, name: str, to: str, figure: Callable[[Measurement], float | None]) -> float | None:
        """Median over the rounds of one contender's figure over another's in the same round.

        Args:
            name: The first contender.
            to: The second.
            figure: What is asked of each of their measurements.

        Returns:
            None where one of them was not timed, has no such figure, or trains another network.
        """
        if not {name, to} <= self.rounds.keys() or self.parameters(name) != self.parameters(to):
            return None
        pairs = [(figure(a), figure(b)) for a, b in zip(self.rounds[name], self.rounds[to], strict=True)]
        ratios = [a / b for a, b in pairs if a is not None and b is not None]
        return statistics.median(ratios) if ratios else None

    def images_per_second(self, name: str) -> float:
        """That a contender trains on."""
        return self.setting.batch_size / statistics.median(each.step_seconds for each in self.rounds[name])

    def parameters(self, name: str) -> int:
        """Number of trainable ones of a contender."""
        return self.rounds[name][0].parameters

    def multiply_adds(self, name: str) -> int | None:
        """Of a forward pass of one image, for a rival taken from ours where both are one network."""
        for other, (first, *_) in self.rounds.items():
            if first.multiply_adds and self.parameters(other) == self.parameters(name):
                return first.multiply_adds
        return None

    def facts(self, title: str, command: str) -> str:
        """Lines above a table: date, machine, versions, network and command.

        Args:
            title: Subject of the comparison.
            command: Command of the comparison.
        """
        setting, measured = self.setting, [rounds[0] for rounds in self.rounds.values()]
        # Two of torch, where timm's environment has another build of it.
        versions = sorted({f"{name} {version}" for each in measured for name, version in each.versions.items()})
        machines = sorted({text for each in measured for text in (each.machine, each.device)})
        counts = len(next(iter(self.rounds.values())))
        how = (
            f"`{setting.network}`, {setting.classes} classes, batch {setting.batch_size}, {setting.precision}, on the "
            f"{setting.device}. A step is forward, backward and Adam's update, with the loss read back. Medians of "
            f"{counts} round{'s' if counts > 1 else ''} of {setting.steps} steps after {setting.warm_up}, in a new "
            "process each, by turns; ratios are medians of those within a round."
            + (f" Load average at the start: {self.load:.1f}." if self.load is not None else "")
        )
        lines = [
            f"**{title}** {dt.datetime.now(dt.UTC):%Y-%m-%d}, {'; '.join(machines)}; " + ", ".join(versions),
            how,
            self._networks(),
            f"`{command}`",
            *(f"Left out: {name}. {reason}" for name, reason in self.left_out.items()),
        ]
        return "\n\n".join(line for line in lines if line)

    def _networks(self) -> str:
        sides: dict[bool, list[str]] = defaultdict(list)
        for name in self.rounds:
            text = f"{self.parameters(name):,}"
            if text not in sides[CONTENDERS[name].ours]:
                sides[CONTENDERS[name].ours].append(text)
        text = "; ".join(
            f"{'ours' if ours else 'timm'}: {' and '.join(counts)}"
            for ours, counts in sorted(sides.items(), reverse=True)
        )
        agree = len({count for counts in sides.values() for count in counts}) == 1
        verdict = "" if agree else " They are NOT the same network, and no ratio between them is given."
        return f"Trainable parameters: {text}.{verdict}"

    def write(self, path: Path, command: str) -> None:
        """Keep every measurement as JSON.

        Args:
            path: The file.
            command: That made them.
        """
        content = {
            "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
            "command": command,
            "setting": asdict(self.setting),
            "left_out": self.left_out,
            "load": self.load,
            "rounds": {name: [asdict(each) for each in rounds] for name, rounds in self.rounds.items()},
        }
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def compare(setting: Setting, names: Collection[str], rounds: int) -> Comparison:
    """Time contenders by turns, with progress on stderr.

    Args:
        setting: Network, batch and steps to time.
        names: Names of the contenders.
        rounds: Number of processes of each.
    """
    measured: dict[str, list[Measurement]] = {name: [] for name in names}
    left_out: dict[str, str] = {}
    # PyTorch's threads wait for each other: beside another process a step takes several times as long.
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    for number in range(1, rounds + 1):
        for name in names:
            if name in left_out:
                continue
            try:
                measurement = _in_a_process(name, setting)
            except LeftOutError as error:
                left_out[name] = str(error)
                click.echo(f"{name} is left out: {error}", err=True)
                continue
            measured[name].append(measurement)
            click.echo(f"round {number}, {name}: {1000 * measurement.step_seconds:.1f} ms", err=True)
    return Comparison(
        setting, {name: tuple(found) for name, found in measured.items() if name not in left_out}, left_out, load
    )


def _in_a_process(name: str, setting: Setting) -> Measurement:
    python, variables = _interpreter(CONTENDERS[name])
    process = subprocess.run(
        [python, "-m", "benchmarks.speed.contenders", name, setting.write()],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        # Whence `-m` imports both `benchmarks` and `tlbench`.
        cwd=ROOT,
        env=variables,
    )
    if process.returncode:
        raise LeftOutError("; ".join(process.stderr.strip().splitlines()[-1:]) or f"exit status {process.returncode}")
    return Measurement(**json.loads(process.stdout.splitlines()[-1]))


def _interpreter(contender: Contender) -> tuple[Path, dict[str, str]]:
    """Python that can import a contender, and its environment variables."""
    if contender.ours or importlib.util.find_spec("timm"):
        if not importlib.util.find_spec(contender.backend):
            msg = f"{contender.backend} is not installed: pip install {contender.backend}."
            raise LeftOutError(msg)
        return Path(sys.executable), os.environ | {"KERAS_BACKEND": contender.backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
    return _timm_environment()


@functools.cache
def _timm_environment() -> tuple[Path, dict[str, str]]:
    from tlbench.hosts.isolation import prepare
    from tlbench.hosts.requirements import Requirements
    from tlbench.machine.folders import default_folder

    click.echo(f"{TIMM} is looked for in an environment of its own", err=True)
    try:
        environment = prepare(Requirements((TIMM,), "torch"), default_folder() / "environments")
    except (EnvironmentFailure, ConfigurationError) as error:
        raise LeftOutError(str(error).replace("\n", " ")) from error
    return environment.python, environment.variables()


def options(defaults: Setting, choices: Collection[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options that both commands have; a command gets `setting`, `contenders`, `rounds`, `path` and its own.

    Args:
        defaults: What is timed unless the user says otherwise.
        choices: The contenders that there are.
    """
    positive = click.IntRange(min=1)
    network = defaults.network

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @click.option("--image-size", type=positive, default=network.image_size, help="In pixels.")
        @click.option("--width", type=float, default=network.width, help="Of our network, in Xception's.")
        @click.option("--middle-modules", type=positive, default=network.middle_modules, help="Of our network.")
        @click.option("--stem-stride", type=positive, default=network.stem_stride, help="Of our network.")
        @click.option("--classes", type=positive, default=defaults.classes, help="Number of outputs.")
        @click.option("--batch-size", type=positive, default=defaults.batch_size, help="Images of a step.")
        @click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default=defaults.precision)
        @click.option("--steps", type=positive, default=defaults.steps, help="Timed in each round.")
        @click.option("--rounds", type=positive, default=3, help="Processes of each contender.")
        @click.option("--contender", "contenders", type=click.Choice(list(choices)), multiple=True, help="Repeatable.")
        @click.option("--json", "path", type=click.Path(path_type=Path, dir_okay=False), help="Where all figures go.")
        @functools.wraps(command)
        def wrapped(
            image_size: int,
            width: float,
            middle_modules: int,
            stem_stride: int,
            classes: int,
            batch_size: int,
            precision: Any,
            steps: int,
            **others: Any,
        ) -> None:
            try:
                xception = Xception(image_size, width, middle_modules, stem_stride)
            except ConfigurationError as error:
                raise click.UsageError(str(error)) from error
            setting = Setting(
                xception, classes, batch_size, precision, defaults.device, steps, on_device=defaults.on_device
            )
            command(setting=setting, **others)

        return wrapped

    return decorate


def run(
    module: str,
    setting: Setting,
    names: Collection[str],
    rounds: int,
    path: Path | None,
    report: Callable[[Comparison, str], str],
) -> None:
    """Compare, print the report, and keep the figures.

    Args:
        module: Name of the module that the user runs.
        setting: Network, batch and steps to time.
        names: Names of the contenders.
        rounds: Number of processes of each.
        path: File for all figures; None for none.
        report: Function of a comparison and its command that makes the report.

    Raises:
        ClickException: No contender can be timed here.
    """
    command = shlex.join(["python", "-m", module, *sys.argv[1:]])
    comparison = compare(setting, names, rounds)
    if not comparison.rounds:
        reasons = " ".join(f"{name}: {reason}" for name, reason in comparison.left_out.items())
        msg = f"No contender can be timed here. Received: {reasons}"
        raise click.ClickException(msg)
    if path:
        comparison.write(path, command)
    click.echo(report(comparison, command))
