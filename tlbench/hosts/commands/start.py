"""The command init: the start of a study in somebody's own project."""

from __future__ import annotations

import shlex

from importlib import resources
from pathlib import Path

import click

from tlbench import __version__
from tlbench.errors import ConfigurationError
from tlbench.hosts.sides import default_backend


# Files of a project, by the name of their template.
FILES = {
    "conftest.py": "benchmarks/conftest.py",
    "pytest.ini": "benchmarks/pytest.ini",
    "test_first.py": "benchmarks/test_first.py",
    "tlbench-nightly.yml": ".github/workflows/tlbench-nightly.yml",
    "tlbench-upgrade.yml": ".github/workflows/tlbench-upgrade.yml",
}

# Stand in a template for the version of tlbench, and for Keras' backend.
VERSION, BACKEND = "TLBENCH_VERSION", "TLBENCH_BACKEND"


def write_start(folder: Path) -> list[Path]:
    """Write a first claim, a profile and workflows.

    Args:
        folder: Folder of the project; made if it is not there.

    Returns:
        The files.

    Raises:
        ConfigurationError: A file is there already, or cannot be written; then nothing is written.
    """
    written = {name: folder / place for name, place in FILES.items()}
    there = [str(path) for path in written.values() if path.exists()]
    if there:
        msg = (
            "tlbench init overwrites no file, and has written none; move these away, or choose another folder: "
            f"tlbench init FOLDER. Received: {', '.join(there)}"
        )
        raise ConfigurationError(msg)
    backend = default_backend()
    templates = resources.files("tlbench.hosts") / "templates"
    try:
        for name, path in written.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (templates / f"{name}.template").read_text(encoding="utf-8")
            text = text.replace(VERSION, __version__).replace(BACKEND, backend)
            path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        msg = f"A file cannot be written; choose another folder: tlbench init FOLDER. Received: {error}"
        raise ConfigurationError(msg) from error
    return list(written.values())


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
def init_command(folder: Path) -> None:
    """Start a study in FOLDER, by default here: a first claim, a profile, and workflows for GitHub.

    No file is overwritten. The first run takes a minute or two on two cores, without a GPU and without images.
    """
    for path in write_start(folder):
        click.echo(f"written: {path}")
    there = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    click.echo(f"\nNext: {there}pytest benchmarks")


COMMANDS = (init_command,)
