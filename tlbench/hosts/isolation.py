"""Isolated environments: what a study is run in under other versions."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tlbench.errors import ConfigurationError, EnvironmentFailure, StoreError
from tlbench.report.answer import JOB_SUMMARY


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tlbench.hosts.requirements import Requirements

# Files of an installation that whoever installs a wheel writes, not its author.
OF_INSTALLER = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"})

# Written last: an environment without it was interrupted, and is made anew.
COMPLETE = "complete.json"


# What a process that is ended may still need to end its own, and to say how far it was.
LAST_WORDS_SECONDS = 60


@dataclass(frozen=True)
class IsolatedEnvironment:
    """An environment that is ready.

    Attributes:
        requirements: What was asked for.
        folder: Where it is.
        packages: Version of every distribution in it.
    """

    requirements: Requirements
    folder: Path
    packages: dict[str, str]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def variables(self) -> dict[str, str]:
        """Environment variables of a process in it."""
        # The job summary of a CI service gets the comparison, not the report of each side.
        unwanted = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", JOB_SUMMARY}
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        # Packages and variables that no result is kept apart by otherwise, such as SciPy, are what this environment
        # differs in.
        own = {"KERAS_BACKEND": self.requirements.backend, "TLBENCH_ENVIRONMENT": self.folder.name}
        return kept | {"TF_CPP_MIN_LOG_LEVEL": "2"} | dict(self.requirements.variables) | own


def prepare(requirements: Requirements, folder: Path, like: IsolatedEnvironment | None = None) -> IsolatedEnvironment:
    """Make an environment, or find it as it was made before.

    Args:
        requirements: What it has.
        folder: Where environments are kept.
        like: Another one, whose versions it takes over wherever the requirements of neither allow or need another.

    Raises:
        EnvironmentFailure: It cannot be installed, or Keras cannot be imported in it; the error has the log.
        ConfigurationError: uv is missing, or tlbench is not installed whole.
        StoreError: The folder cannot be written.
    """
    fixed = _constraints(requirements, like) if like else ()
    tlbench = _tlbench(folder)
    ours = [tlbench, _declared(tlbench)]
    decisive = [sorted(requirements.all), requirements.backend, sys.version_info[:2], ours, fixed]
    # Only where there are any: what was trained before a side could have settings stays where it is.
    key = json.dumps(decisive + ([requirements.own] if any(requirements.own) else []))
    place = folder.resolve() / hashlib.sha256(key.encode()).hexdigest()[:16]
    marker = place / COMPLETE
    if not marker.is_file():
        if place.exists():
            shutil.rmtree(place)
        _create(place, requirements, tlbench, fixed)
        environment = IsolatedEnvironment(requirements, place, {})
        # -P: a folder keras where the user stands is not the one to import.
        run(environment, ["-P", "-c", "import keras; keras.ops.zeros(1)"], "import")
        packages = json.loads(run(environment, ["-P", "-c", _LIST], "list").splitlines()[-1])
        marker.write_text(json.dumps({"requirements": requirements.all, "packages": packages}), encoding="utf-8")
    return IsolatedEnvironment(requirements, place, json.loads(marker.read_text(encoding="utf-8"))["packages"])


def run(
    environment: IsolatedEnvironment,
    arguments: Sequence[object],
    step: str,
    *,
    accept: Collection[int] = (0,),
    printed: Callable[[], None] = lambda: None,
) -> str:
    """Run Python in an environment; what it prints goes to `<step>.log` in the environment's folder.

    Args:
        environment: Whose interpreter runs.
        arguments: Arguments of Python.
        step: What it is for.
        accept: Exit codes that are no failure.
        printed: Called after each line of output, errors included.

    Returns:
        The output.

    Raises:
        EnvironmentFailure: It exits with another code.
    """
    return _run([environment.python, *arguments], environment, step, accept, printed)


# On a line of its own, the last.
_LIST = (
    "import json; from importlib.metadata import distributions; "
    "print(json.dumps({d.metadata['Name']: d.version for d in distributions()}))"
)


def _create(place: Path, requirements: Requirements, tlbench: Sequence[str], fixed: Sequence[str]) -> None:
    uv = _uv()
    environment = IsolatedEnvironment(requirements, place, {})
    python = requirements.python or sys.executable
    _run([uv, "venv", "--quiet", "--allow-existing", "--python", python, place], environment, "install")
    install = [uv, "pip", "install", "--python", environment.python, *requirements.all, *tlbench]
    for index in requirements.indexes:
        # Such an index has other packages as well, but not each version of them.
        install += ["--index", index, "--index-strategy", "unsafe-best-match"]
    if fixed:
        constraints = place / "constraints.txt"
        constraints.write_text("\n".join(fixed) + "\n", encoding="utf-8")
        # Otherwise these versions need others beside them, and the comparison lists what differs.
        with contextlib.suppress(EnvironmentFailure):
            _run([*install, "--constraint", constraints], environment, "install")
            return
    _run(install, environment, "install")


def _run(
    command: Sequence[object],
    environment: IsolatedEnvironment,
    step: str,
    accept: Collection[int] = (0,),
    printed: Callable[[], None] = lambda: None,
) -> str:
    words = list(map(str, command))
    environment.folder.mkdir(parents=True, exist_ok=True)
    log = environment.folder / f"{step}.log"
    output = []
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment.variables(),
        ) as process,
    ):
        file.write(f"$ {shlex.join(words)}\n")
        try:
            for line in process.stdout or ():
                file.write(line)
                output.append(line)
                printed()
        except BaseException:
            # Ctrl-C, for one: what it has finished is kept, and nothing goes on behind the user's back.
            try:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    file.write(process.communicate(timeout=LAST_WORDS_SECONDS)[0] or "")
            finally:
                process.kill()
            raise
    if process.returncode not in accept:
        raise EnvironmentFailure(str(environment.requirements), step, log, "".join(output))
    return "".join(output)


def _constraints(requirements: Requirements, like: IsolatedEnvironment) -> tuple[str, ...]:
    free = requirements.names | like.requirements.names | {"tlbench"}
    return tuple(
        f"{name}=={version}" for name, version in sorted(like.packages.items()) if canonicalize_name(name) not in free
    )


def _tlbench(folder: Path) -> tuple[str, ...]:
    return installable(Path(__file__).parents[1], metadata.distributions(name="tlbench"), folder)


def installable(package: Path, distributions: Iterable[metadata.Distribution], folder: Path) -> tuple[str, ...]:
    """Arguments of `uv pip install` that install the code that runs here once more.

    Code that an installer has unpacked is packed into a wheel again, from its installed files: the wheel or the folder
    that it came from may be gone, as tox's is, or hold other code by now, and no index needs to have it. Other code, of
    an editable installation or on `PYTHONPATH`, is installed from its folder, editable.

    Args:
        package: The folder of the code, `tlbench`.
        distributions: What is installed under its name; which of them the code is of, their records say.
        folder: Where environments are kept; wheels lie there by their content, so that other code under the same
            version makes another environment.

    Raises:
        ConfigurationError: The code is of no installation and no project, or the installation lacks a file, or has
            one that was changed.
        StoreError: The folder cannot be written.
    """
    for distribution in distributions:
        recorded = _recorded(distribution)
        installed = Path(str(distribution.locate_file(f"{package.name}/__init__.py")))
        listed = f"{package.name}/__init__.py" in recorded and installed.is_file()
        if listed and installed.samefile(package / "__init__.py"):
            return (str(_packed(distribution, recorded, folder)),)
    project = package.resolve().parent
    if (project / "pyproject.toml").is_file():
        return "--editable", str(project)
    msg = (
        f"{package.name} cannot be installed once more, since no installation lists it among its files, and no "
        f"pyproject.toml is beside it; install it with pip or uv. Received: {package}"
    )
    raise ConfigurationError(msg)


def _declared(arguments: Sequence[str]) -> list[Any]:
    """The parts of `pyproject.toml` that an editable installation does not follow, as it follows the code."""
    if arguments[0] != "--editable":
        return []
    project = tomllib.loads(Path(arguments[1], "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    return [project.get(part) for part in ("dependencies", "scripts", "entry-points")]


def _recorded(distribution: metadata.Distribution) -> dict[str, str]:
    # Not Distribution.files: from Python 3.12 on, files that are missing are missing there too.
    lines = (distribution.read_text("RECORD") or "").splitlines()
    return {path: digest for path, digest, _ in csv.reader(lines)}


def _packed(distribution: metadata.Distribution, recorded: Mapping[str, str], folder: Path) -> Path:
    name, version = distribution.metadata["Name"], distribution.version
    files = {
        file: Path(str(distribution.locate_file(file))) for file in recorded if _is_of_a_wheel(PurePosixPath(file))
    }
    spoilt = [f"{path} {how}" for file, path in files.items() if (how := _spoilt(path, recorded[file]))]
    if spoilt:
        msg = (
            f"{name} {version} cannot be installed once more, since its files are not those that were installed; "
            f"install {name} again (pip install --force-reinstall {name}), or from its folder with --editable to work "
            f"on it. Received: {', '.join(spoilt[:3])}"
        )
        raise ConfigurationError(msg)
    sha256 = hashlib.sha256()
    for file, path in sorted(files.items()):
        sha256.update(f"{file}\0{path.stat().st_size}\0".encode())
        sha256.update(path.read_bytes())
    place = folder.resolve() / "wheels" / sha256.hexdigest()[:16]
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not list(place.glob("*.whl")):
            with tempfile.TemporaryDirectory(dir=place, prefix=".unfinished-") as unfinished:
                wheel = _pack(files, Path(unfinished))
                wheel.replace(place / wheel.name)
        (wheel,) = place.glob("*.whl")
    except (OSError, subprocess.CalledProcessError) as error:
        msg = f"A wheel of {name} cannot be written to {place}; choose another folder with --store. Received: {error}"
        raise StoreError(msg) from error
    return wheel


def _is_of_a_wheel(file: PurePosixPath) -> bool:
    # Scripts lie outside, and are made anew from the entry points.
    outside = ".." in file.parts or file.is_absolute()
    return not outside and file.suffix != ".pyc" and file.name not in OF_INSTALLER


def _spoilt(path: Path, expected: str) -> str | None:
    if not path.is_file():
        return "is missing"
    algorithm, _, encoded = expected.partition("=")
    if not encoded:
        return None
    digest = hashlib.new(algorithm, path.read_bytes()).digest()
    return None if base64.urlsafe_b64encode(digest).decode().rstrip("=") == encoded else "has been changed"


def _pack(files: Mapping[str, Path], folder: Path) -> Path:
    content = folder / "content"
    for name, path in files.items():
        (content / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, content / name)
    # By the library that defines the format: it writes the record, and takes the file's name from the tags.
    command = [sys.executable, "-P", "-m", "wheel", "pack", str(content), "--dest-dir", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _uv() -> str:
    import uv

    try:
        return str(uv.find_uv_bin())
    except FileNotFoundError as error:
        found = shutil.which("uv")
        if found:
            return found
        msg = "tlbench upgrade and bisect need uv: pip install uv."
        raise ConfigurationError(msg) from error


def released_versions(package: str, first: str, last: str) -> tuple[str, ...]:
    """Versions of a package that its index has, from one to another, in order; pre-releases left out.

    Args:
        package: Name of the package.
        first: The oldest of interest.
        last: The newest.

    Raises:
        ConfigurationError: The index cannot be asked, or has neither end, or they are out of order.
    """
    try:
        ends = Version(first), Version(last)
    except InvalidVersion as error:
        msg = f"Not a version such as 3.15.1: {error}. Received: {first!r} and {last!r}"
        raise ConfigurationError(msg) from error
    if ends[0] >= ends[1]:
        msg = f"The first version must be older than the last. Received: {first!r} and {last!r}"
        raise ConfigurationError(msg)
    # pip asks whatever index the user has set up.
    command = [_uv(), "tool", "run", "pip", "index", "versions", package]
    process = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    _, found, listed = process.stdout.partition("Available versions:")
    if process.returncode or not found:
        msg = f"The versions of {package!r} cannot be listed; check its name, or name them with --versions. Received: "
        raise ConfigurationError(msg + process.stderr.strip()[-500:])
    versions = sorted(Version(text.strip()) for text in listed.partition("\n")[0].split(",") if text.strip())
    within = [version for version in versions if ends[0] <= version <= ends[1] and not version.is_prerelease]
    missing = [str(end) for end in ends if end not in within]
    if missing:
        msg = f"The index has no version {' nor '.join(missing)} of {package!r}. Received: {first!r} and {last!r}"
        raise ConfigurationError(msg)
    return tuple(map(str, within))
