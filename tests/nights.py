"""Saved runs of successive nights, with scores that a test gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from tlbench.machine.environment import Environment, Surroundings
from tlbench.store.baselines import Commit, SavedArm, SavedClaim, SavedRun
from tlbench.store.results import Summary


FIRST = datetime(2026, 1, 1, 1, 17, tzinfo=UTC)


def summary(accuracy, seconds=1.0):
    """A trial of this accuracy, whose loss is what is missing to one."""
    return Summary(
        diverged=False,
        scores={"accuracy": accuracy, "macro_f1": accuracy, "loss": 1 - accuracy},
        f1={},
        validation_accuracy=(),
        training_accuracy=(),
        epoch_seconds=(3 * seconds, seconds, 1.1 * seconds),
        epoch_steps=10,
        epoch_images=320,
        seconds=6 * seconds,
    )


def arm(label, accuracies, run, *, identity=None, seconds=1.0):
    """An arm whose trials a run has trained."""
    trials = {seed: summary(float(accuracy), seconds) for seed, accuracy in enumerate(accuracies)}
    digests = {seed: f"{identity or label}{seed}" for seed in trials}
    return SavedArm(identity or label, (label,), {}, digests, trials, dict.fromkeys(trials, run))


def claim(name, differences, run, outcome="supported"):
    """A claim whose differences a run has measured."""
    by_seed = {seed: float(value) for seed, value in enumerate(differences)}
    measurements = {seed: (f"{name}{seed}@{run}",) for seed in by_seed}
    return SavedClaim(name, f"{name}.", 0.0, outcome, by_seed, None, None, None, measurements=measurements)


def night(
    number, accuracies, *, claims=None, keras="3.15.1", name="nightly", trained_by=None, seconds=1.0, commit=None
):
    """The saved run of a night.

    Args:
        number: Days after the first night.
        accuracies: Accuracies by seed, for each label of an arm.
        claims: Differences by seed, for each name of a claim.
        keras: Version of Keras.
        name: Name of the run.
        trained_by: Run that trained the trials; this one unless given.
        seconds: Time of an epoch.
        commit: Commit of the project; one of the night's own unless given.
    """
    run = trained_by or f"run {number}"
    here = Environment("tensorflow", "2.21.0", keras, "cpu", "x86_64", "3.11.7")
    around = Surroundings(here, {"keras": keras}, "Linux-x86_64", "A CPU", 2, (), None, {})
    created = (FIRST + timedelta(days=number)).isoformat(timespec="seconds")
    arms = tuple(arm(label, values, run, seconds=seconds) for label, values in accuracies.items())
    found = tuple(claim(named, values, run) for named, values in (claims or {}).items())
    commit = commit or Commit(f"{number:040x}", changed=False)
    return SavedRun(name, created, "0.1.0", commit, {}, around, 2**30, None, arms, found, f"run {number}")


def series(nights=40, arms=3, seeds=4, *, drop=0.0, from_night=30, noise=0.01, keras_from=None, seed=0):
    """Nights of some arms; the first arm loses some accuracy from a night on.

    Args:
        nights: Number of nights.
        arms: Number of arms.
        seeds: Number of seeds.
        drop: Loss of the first arm.
        from_night: First night of the loss.
        noise: Standard deviation between seeds, and between nights.
        keras_from: First night of another Keras; none unless given.
        seed: Seed of the noise.
    """
    generator = np.random.default_rng(seed)
    own = generator.normal(0.8, noise, (arms, seeds))
    values = own + generator.normal(0, noise, (nights, arms, seeds))
    values[from_night:, 0] -= drop
    return [
        night(
            number,
            {f"arm {position}": row for position, row in enumerate(of_night)},
            claims={"first beats second": of_night[0] - of_night[1]},
            keras="3.16.0" if keras_from is not None and number >= keras_from else "3.15.1",
        )
        for number, of_night in enumerate(values)
    ]
