"""Trains in several processes at once.

On a CPU a training step of a small network keeps little more than one core
busy, and tracing exactly one: processes of one thread each, as many as there
are cores, train the same trials in about half the time on two cores.

Trials are handed out one by one (`tlbench.plan.Schedule`); what comes back is
in the store, messages only say so. `concurrent.futures` cannot say which
process gets what, and the one that has compiled a trial's network should.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
import traceback

from dataclasses import dataclass
from functools import cached_property
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import joblib

from tlbench import backends
from tlbench.errors import TrainingError
from tlbench.runner import Runner


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from tlbench.datasets.dataset import Dataset
    from tlbench.environment import Environment
    from tlbench.plan import Schedule
    from tlbench.results import Result
    from tlbench.runner import Executor, Listener, Trainer
    from tlbench.store import Store
    from tlbench.trials import Trial


@dataclass(frozen=True)
class Setup:
    """What a process needs to train; all of it can be pickled.

    Attributes:
        store: Where results are kept.
        environment: What it trains on.
        datasets: By digest.
        imagenet: Finds the file with ImageNet's weights.
        make_trainer: Makes what trains a trial.
        threads: That each process computes with.
    """

    store: Store
    environment: Environment
    datasets: Mapping[str, Dataset]
    imagenet: Callable[[], Path]
    make_trainer: Callable[[], Trainer]
    threads: int


class Processes:
    """Trains in processes of its own; they stay, with the networks that they have compiled, until `close`.

    Args:
        count: Number of processes.
        setup: What each of them needs.
        make_schedule: Decides which of them trains what.
        listener: Is told what happens in all of them.
        otherwise: Trains what cannot be given to another process: a network whose class is in no importable module.
        warn: Is told why.
    """

    def __init__(
        self,
        count: int,
        setup: Setup,
        make_schedule: Callable[[Sequence[Trial]], Schedule],
        listener: Listener,
        otherwise: Executor,
        warn: Callable[[str], None],
    ) -> None:
        self._count = count
        self._setup = setup
        self._make_schedule = make_schedule
        self._listener = listener
        self._otherwise = otherwise
        self._warn = warn
        self._workers: dict[int, _Worker] = {}
        self._started = 0
        self.peak_memory_bytes: int | None = None

    def run(self, trials: Sequence[Trial], runner: Runner) -> dict[str, Exception]:
        """Train some trials; what goes wrong with one concerns all that start from it."""
        failures: dict[str, Exception] = {}
        try:
            self._train(self._make_schedule(trials), failures)
        except _CannotShareError as error:
            self.close()
            self._warn(f"Trained in this process alone, since the study cannot be given to others: {error}")
            left = [trial for trial in trials if trial not in runner.store and trial.digest not in failures]
            failures |= self._otherwise.run(left, runner)
        except BaseException:
            self.close()
            raise
        return failures

    def close(self) -> None:
        """End the processes, whatever they are at; what they have not finished is not in the store."""
        for worker in self._workers.values():
            worker.process.terminate()
        for worker in self._workers.values():
            worker.process.join()
            worker.connection.close()
        self._workers.clear()
        if "_folder" in vars(self):
            self._folder.cleanup()
            del self._folder

    def _train(self, schedule: Schedule, failures: dict[str, Exception]) -> None:
        while True:
            self._hand_out(schedule)
            busy = {worker.connection: number for number, worker in self._workers.items() if worker.trial}
            if not busy:
                return
            for connection in wait(list(busy)):
                number = busy[connection]  # type: ignore[index]
                trial = self._workers[number].trial
                if trial is not None and (failure := self._hear(number, trial, schedule)):
                    for concerned in (trial, *schedule.failed(trial)):
                        failures[concerned.digest] = failure

    def _hand_out(self, schedule: Schedule) -> None:
        for number, worker in self._workers.items():
            if worker.trial is None and (trial := schedule.take(number)):
                worker.give(trial)
        while len(self._workers) < self._count and (trial := schedule.take(self._started)):
            worker = _Worker(Path(self._folder.name) / "setup", self._setup.threads)
            self._workers[self._started] = worker
            self._started += 1
            worker.give(trial)

    def _hear(self, number: int, trial: Trial, schedule: Schedule) -> Exception | None:
        # What went wrong, if anything did.
        worker = self._workers[number]
        try:
            message, content = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            del self._workers[number]
            schedule.lost(number)
            return TrainingError(
                f"The process that trained a trial on {trial.data.name!r} (digest {trial.digest[:12]}) has ended, with "
                f"exit status {worker.process.exitcode}. Where that is -9 there may be too little memory: fewer "
                "processes (--tlbench-workers 1) need less."
            )
        if message == "unusable":
            raise _CannotShareError(content)
        if message == "started":
            self._listener.trial_started(trial)
        elif message == "epoch":
            self._listener.epoch_ended(trial, content)
        elif message == "ended":
            self._listener.trial_ended(trial, content)
        else:
            worker.trial = None
            failure, peak = content
            if peak is not None:
                self.peak_memory_bytes = max(peak, self.peak_memory_bytes or 0)
            if failure is not None:
                return failure  # type: ignore[no-any-return]
            schedule.finished(trial)
        return None

    @cached_property
    def _folder(self) -> tempfile.TemporaryDirectory[str]:
        folder = tempfile.TemporaryDirectory(prefix="tlbench-")
        for dataset in self._setup.datasets.values():
            dataset.digest  # noqa: B018 - goes along, so that nobody computes it again.
        try:
            joblib.dump(self._setup, Path(folder.name) / "setup")
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            folder.cleanup()
            raise _CannotShareError(error) from error
        return folder


class _CannotShareError(Exception):
    """The study cannot be given to another process."""


class _Worker:
    """A process that trains one trial at a time.

    Attributes:
        process: Itself.
        connection: To it.
        trial: What it is at.
    """

    def __init__(self, setup: Path, threads: int) -> None:
        # A process that starts from nothing: one that is forked would hang in the locks of a backend's threads.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        variables = backends.thread_variables(threads)
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs, setup, variables), daemon=True)
        self.process.start()
        theirs.close()
        self.trial: Trial | None = None

    def give(self, trial: Trial) -> None:
        """Hand it a trial."""
        try:
            self.connection.send(trial)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise _CannotShareError(error) from error
        except OSError:  # It has ended; that is heard when it is listened to.
            pass
        self.trial = trial


class _Messenger:
    """Passes on what a runner tells its listener."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def trial_started(self, _trial: Trial) -> None:
        self._connection.send(("started", None))

    def epoch_ended(self, _trial: Trial, epoch: int) -> None:
        self._connection.send(("epoch", epoch))

    def trial_ended(self, _trial: Trial, result: Result) -> None:
        self._connection.send(("ended", result))


class _Here:
    """Trains nothing by itself: the runner of such a process is told what to train."""

    peak_memory_bytes = None

    def run(self, _trials: Sequence[Trial], _runner: Runner) -> dict[str, Exception]:
        return {}

    def close(self) -> None:
        pass


def _serve(connection: Connection, setup: Path, variables: Mapping[str, str]) -> None:
    # Before anything is unpickled, which may import a backend.
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent ends this process.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # The parent has gone.
        try:
            given: Setup = joblib.load(setup, mmap_mode="r")
            runner = Runner(
                given.store,
                given.environment,
                given.datasets,
                _Messenger(connection),
                given.imagenet,
                _Here(),
                given.make_trainer,
            )
            while True:
                trial = connection.recv()
                connection.send(("done", (_train(runner, trial), runner.peak_memory_bytes)))
        except (EOFError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever importing a user's module may raise.
            connection.send(("unusable", repr(error)))


def _train(runner: Runner, trial: Trial) -> Exception | None:
    try:
        with runner.store.lock(trial):
            runner.train(trial)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:  # noqa: BLE001 - raised where this trial is asked for.
        return _portable(error)
    return None


def _portable(error: Exception) -> Exception:
    # Traces do not travel, and not every exception does.
    error.add_note(f"In the process that trained it:\n{traceback.format_exc()}")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own.
    except Exception:  # noqa: BLE001 - whatever a constructor may raise.
        return TrainingError(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
    return error


def _end_with_parent() -> NoReturn:
    parent: Any = multiprocessing.parent_process()
    parent.join()
    os._exit(1)
