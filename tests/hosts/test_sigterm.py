"""SIGTERM, from a scheduler or the system, while a study runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

from pathlib import Path

import projects
import pytest
import stub

from tlbench.run import training
from tlbench.store import doctor


INTERRUPTED = "SIGTERM; finished trials are kept"


@pytest.fixture
def stubbed(project):
    """A project whose trials take as long as `STUB_SECONDS` says."""
    project.makepyfile(stub=Path(stub.__file__).read_text())
    project.makeconftest(
        f"{projects.PROFILE}\nimport stub\nfrom tlbench.run import training\n"
        "training._make_trainer = stub.make_trainer\n"
    )
    return project


def stored(project, store=".tlbench"):
    return {path: path.stat().st_mtime_ns for path in project.path.glob(f"{store}/results/*/*/result.json")}


def told(project, store=".tlbench"):
    report = json.loads((project.path / store / "report" / "results.json").read_text())
    return [report["tables"], report["claims"]]


def until(condition, process):
    while not condition():
        assert process.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.01)


def interrupted(project, condition, *arguments):
    """Exit status and output of a run that gets SIGTERM once a condition holds."""
    log = project.path / "log.txt"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments], cwd=project.path, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        until(lambda: condition(log.read_text()), process)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return process.returncode, log.read_text()


@pytest.mark.slow
def test_sigterm_ends_a_run_as_ctrl_c_does(stubbed, monkeypatch):
    """At three moments, each run going on where the last was ended; the end is that of an undisturbed run."""
    monkeypatch.setenv("STUB_SECONDS", "0.3")
    assert 0 == stubbed.runpytest_subprocess("--tlbench-store", "undisturbed").ret
    for count in (0, 4, 9):
        before = stored(stubbed)

        status, output = interrupted(stubbed, lambda _, count=count: len(stored(stubbed)) >= count and started(stubbed))

        assert 2 == status
        assert INTERRUPTED in output
        assert "The report is" in output
        assert "Traceback" not in output
        assert count <= len(stored(stubbed)) < 10
        assert before == {path: stored(stubbed)[path] for path in before}
        assert () == doctor.examine(stubbed.path / ".tlbench").findings

    assert 0 == stubbed.runpytest_subprocess().ret
    assert told(stubbed, "undisturbed") == told(stubbed)


def started(project):
    # The lock of the first trial is made when it begins.
    return any(project.path.glob(".tlbench/locks/*"))


@pytest.mark.slow
def test_sigterm_ends_the_processes_that_train(project):
    """Really trained, in two; none of them goes on, and what is half written is removed by `tlbench doctor`."""
    status, output = interrupted(project, lambda _: len(stored(project)) >= 2, "--tlbench-workers", "2")
    kept = stored(project)
    time.sleep(3)

    assert 2 == status
    assert INTERRUPTED in output
    assert "Traceback" not in output
    assert 2 <= len(kept) < 10
    assert kept == stored(project)
    doctor.examine(project.path / ".tlbench", repair=True)
    assert () == doctor.examine(project.path / ".tlbench").findings


def test_a_second_signal_changes_nothing(stubbed):
    """What is left to say is said; tests that have not begun do not."""
    stubbed.makepyfile(
        test_study=f"{projects.STUDY}\n\n"
        "def test_stop():\n"
        "    import os, signal\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    finally:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n\n"
        "def test_never():\n    pass\n"
    )

    result = stubbed.runpytest_subprocess("-k", "rates or stop or never", "--tlbench-seeds", "1")

    assert pytest.ExitCode.INTERRUPTED == result.ret
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["The report is *", f"*{INTERRUPTED}*"])


def test_the_handler_is_there_while_a_study_runs(project, monkeypatch):
    """Afterwards the process has the one that it had."""
    monkeypatch.setattr(training, "_make_trainer", stub.make_trainer)
    project.makepyfile(
        test_study=f"{projects.STUDY}\n\n"
        "def test_handler():\n"
        "    import signal\n"
        "    assert signal.getsignal(signal.SIGTERM).__module__ == 'tlbench.hosts.plugin'\n"
    )
    before = signal.getsignal(signal.SIGTERM)

    project.runpytest("-k", "rates or handler", "--tlbench-seeds", "1").assert_outcomes(passed=2)

    assert before == signal.getsignal(signal.SIGTERM)


def test_no_study_no_handler(pytester):
    """Other tests keep theirs."""
    pytester.makepyfile(
        "import signal\n\ndef test_one():\n    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL\n"
    )

    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_sigterm_ends_an_upgrade_with_its_processes(tmp_path):
    """It says that what is finished is kept, and exits with 2; what it has started gets the time to do so too."""
    (tmp_path / "main.py").write_text(
        """
import sys
from tlbench.hosts import cli, isolation
from tlbench.hosts.commands import upgrades
from tlbench.hosts.requirements import Requirements

def upgrade(*_arguments):
    environment = isolation.IsolatedEnvironment(Requirements(("keras",), "tensorflow"), FOLDER, {})
    code = "import signal, sys, time\\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(print('last words')))\\n"
    code += "print('begun', flush=True)\\ntime.sleep(60)"
    isolation._run([sys.executable, "-c", code], environment, "run", printed=lambda: print("begun", flush=True))

upgrades.upgrade = upgrade
cli.main(["upgrade", "keras==1.0", "keras==2.0"])
""".replace("FOLDER", f"__import__('pathlib').Path({str(tmp_path)!r})")
    )
    command = [sys.executable, "main.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ}
    ) as process:
        assert "begun\n" == process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=30)[0]

    assert 2 == process.returncode
    assert "Interrupted; finished trials are kept" in output
    assert "Traceback" not in output
    assert "last words" in (tmp_path / "run.log").read_text()
