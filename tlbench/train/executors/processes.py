"""Trains in several processes at once.

On a CPU a training step of a small network keeps little more than one core
busy, and tracing exactly one: processes of one thread each, as many as there
are cores, train the same trials in about half the time on two cores.

Trials are handed out one by one (`tlbench.plan.schedule.Schedule`); what comes back is
in the store, messages only say so. `concurrent.futures` cannot say which
process gets what, and the one that has compiled a trial's network should.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading

from functools import cached_property
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import joblib

from tlbench.errors import TrainingError, UnwritableError
from tlbench.machine import backends
from tlbench.plan.schedule import Schedule
from tlbench.train.runner import LocalTraining
from tlbench.train.worker import Messages, Worker, portable, tell


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from tlbench.declare.evaluations import Work
    from tlbench.store.store import Store
    from tlbench.train.runner import Executor
    from tlbench.train.worker import Listener, Setup


class Processes:
    """Trains in processes of its own; they stay, with the networks that they have compiled, until `close`.

    Args:
        count: Number of processes.
        threads: That each of them computes with.
        store: Store of results, which the processes share with this one: results need not be copied.
        setup: Everything that each of them needs.
        kind: Gives the key under which trials, or evaluations, share a compiled network.
        listener: Is told what happens in all of them.
        otherwise: Trains what cannot be given to another process: a network whose class is in no importable module.
        warn: Is told why.
    """

    def __init__(
        self,
        count: int,
        threads: int,
        store: Store,
        setup: Setup,
        kind: Callable[[Work], Hashable],
        listener: Listener,
        otherwise: Executor,
        warn: Callable[[str], None],
    ) -> None:
        self._count = count
        self._threads = threads
        self._store = store
        self._setup = setup
        self._kind = kind
        self._listener = listener
        self._otherwise = otherwise
        self._warn = warn
        self._workers: dict[int, _Worker] = {}
        self._started = 0
        # What each of them has compiled, which the next plan finds there.
        self._compiled: dict[int, set[Hashable]] = {}
        self._peaks: list[int] = []

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most that a process has held that has trained, this one among them; None where none has."""
        here = self._otherwise.peak_memory_bytes
        return max(self._peaks if here is None else [*self._peaks, here], default=None)

    def run(self, works: Sequence[Work]) -> dict[str, Exception]:
        """Train some trials and compute some evaluations; an error of one is the error of all that start from it."""
        failures: dict[str, Exception] = {}
        try:
            self._train(Schedule(works, self._kind, self._compiled), failures)
        except _CannotShareError as error:
            self.close()
            self._warn(f"Trained in this process alone, since the study cannot be given to others: {error}")
            left = [work for work in works if work not in self._store and work.digest not in failures]
            failures |= self._otherwise.run(left)
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
        self._compiled.clear()
        if "_folder" in vars(self):
            self._folder.cleanup()
            del self._folder

    def _train(self, schedule: Schedule, failures: dict[str, Exception]) -> None:
        while True:
            self._hand_out(schedule)
            busy = {worker.connection: number for number, worker in self._workers.items() if worker.work}
            if not busy:
                return
            for connection in wait(list(busy)):
                number = busy[connection]  # type: ignore[index]
                work = self._workers[number].work
                if work is not None and (failure := self._hear(number, work, schedule)):
                    # What is trained for a store that cannot be written is lost.
                    refused = schedule.abandon() if isinstance(failure, UnwritableError) else ()
                    for concerned in (work, *schedule.failed(work), *refused):
                        failures[concerned.digest] = failure

    def _hand_out(self, schedule: Schedule) -> None:
        for number, worker in self._workers.items():
            if worker.work is None and (work := schedule.take(number)):
                worker.give(work)
        while len(self._workers) < self._count and (work := schedule.take(self._started)):
            worker = _Worker(Path(self._folder.name) / "setup", self._threads)
            self._workers[self._started] = worker
            self._started += 1
            worker.give(work)

    def _hear(self, number: int, work: Work, schedule: Schedule) -> Exception | None:
        # What went wrong, if anything did.
        worker = self._workers[number]
        try:
            message, content = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            del self._workers[number]
            schedule.lost(number)
            return TrainingError(
                f"The process that trained a trial on {work.data.name!r} (digest {work.digest[:12]}) has ended, with "
                f"exit status {worker.process.exitcode}. Where that is -9 there may be too little memory: fewer "
                "processes (--tlbench-workers 1) need less."
            )
        if message == "unusable":
            raise _CannotShareError(content)
        if not tell(self._listener, work, message, content):
            worker.work = None
            failure, peak = content
            if peak is not None:
                self._peaks.append(peak)
            if failure is not None:
                return failure  # type: ignore[no-any-return]
            schedule.finished(work)
        return None

    @cached_property
    def _folder(self) -> tempfile.TemporaryDirectory[str]:
        folder = tempfile.TemporaryDirectory(prefix="tlbench-")
        for dataset in self._setup.datasets.values():
            dataset.digest  # noqa: B018 - goes along, so that nobody computes it again.
        try:
            joblib.dump((self._store, self._setup), Path(folder.name) / "setup")
        except (pickle.PicklingError, AttributeError, TypeError, OSError) as error:
            folder.cleanup()
            raise _CannotShareError(error) from error
        return folder


class _CannotShareError(Exception):
    """The study cannot be given to another process."""


class _Worker:
    """A process that trains one trial, or computes one evaluation, at a time.

    Attributes:
        process: The process.
        connection: Connection to the process.
        work: Trial or evaluation that the process is at; None where it waits.
    """

    def __init__(self, setup: Path, threads: int) -> None:
        # A process that starts from nothing: one that is forked would hang in the locks of a backend's threads.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        variables = backends.thread_variables(threads)
        path = list(sys.path)
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs, setup, variables, path), daemon=True)
        # The process looks for tlbench where this one would now. pytest has put a project's folder first since this one
        # has imported the installed tlbench, and in that folder may be another.
        sys.path.insert(0, str(Path(__file__).parents[3]))
        try:
            self.process.start()
        finally:
            sys.path[:] = path
        theirs.close()
        self.work: Work | None = None

    def give(self, work: Work) -> None:
        """Hand a trial or an evaluation to the process."""
        try:
            self.connection.send(work)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise _CannotShareError(error) from error
        except OSError:  # It has ended; that is heard when it is listened to.
            pass
        self.work = work


def _serve(connection: Connection, setup: Path, variables: Mapping[str, str], path: Sequence[str]) -> None:
    sys.path[:] = path
    # Before anything is unpickled, which may import a backend.
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent ends this process.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # The parent has gone.
        try:
            store, given = joblib.load(setup, mmap_mode="r")
            local = LocalTraining(store, Worker(given, Messages(connection.send)))
            while True:
                work = connection.recv()
                connection.send(("done", (_compute(local, work), local.peak_memory_bytes)))
        except (EOFError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever importing a user's module may raise.
            connection.send(("unusable", repr(error)))


def _compute(local: LocalTraining, work: Work) -> Exception | None:
    try:
        with local.store.lock(work):
            local.compute(work)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:  # noqa: BLE001 - raised where this result is asked for.
        return portable(error)
    return None


def _end_with_parent() -> NoReturn:
    parent: Any = multiprocessing.parent_process()
    parent.join()
    os._exit(1)
