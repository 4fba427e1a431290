"""Trials of no epochs: networks as they start, predicted and stored like any other."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.declare.evaluations import Evaluation, Mirrored
from tlbench.declare.trials import Arm, Recipe
from tlbench.machine.environment import current
from tlbench.report.figures.curves import Curves
from tlbench.scores.extras import NO_EXTRAS
from tlbench.store.store import Store
from tlbench.train import transfer
from tlbench.train.evaluating import Evaluator
from tlbench.train.reference import ReferenceTrainer
from tlbench.train.starts import fresh_weights
from tlbench.train.training import Trainer


UNTRAINED = Recipe(batch_size=8, epochs=0)


@pytest.fixture(scope="module")
def trainer():
    return Trainer(current())


def test_random_weights_stay_as_they_are_drawn(trainer, make_trial, dataset):
    """The test images are predicted with them, and nothing is trained."""
    trial = make_trial(recipe=UNTRAINED, seed=3)

    result, weights = trainer.train(trial, dataset, None)

    fresh = fresh_weights(trial.network, 3, "float32", 3)
    model = trial.network.build(3)
    transfer.write(model, fresh)
    test = dataset.images[dataset.parts(trial.split).test]
    assert [] == transfer.differences(fresh, weights, frozenset(fresh))
    assert np.allclose(model.predict(test, verbose=0), result.probabilities, atol=1e-6)
    assert ((), (), (), 0, 0) == (
        result.training_loss,
        result.epoch_seconds,
        result.validation_accuracy,
        result.epoch_steps,
        result.epoch_images,
    )
    assert (0, 12, 3) == result.validation_probabilities.shape
    assert "finished" == result.status


@pytest.mark.parametrize("frozen", [frozenset(), frozenset({"entry", "middle"})], ids=["nothing", "a prefix"])
def test_transferred_weights_are_those_of_the_source(frozen, trainer, make_trial, dataset, source):
    """But for the head, which is fresh."""
    trial = make_trial(recipe=UNTRAINED, initialisation=make_trial(seed=7), frozen=frozen)

    _, weights = trainer.train(trial, dataset, source)

    assert ["predictions/kernel"] == transfer.differences(source, weights, frozenset(weights) - {"predictions/bias"})


def test_a_trial_of_no_epochs_leaves_no_trace_in_one_that_trains(make_trial, dataset):
    """They share a compiled network."""
    trained = Trainer(current()).train(make_trial(), dataset, None)[0]
    trainer = Trainer(current())
    trainer.train(make_trial(recipe=UNTRAINED), dataset, None)

    assert trained.probabilities.tobytes() == trainer.train(make_trial(), dataset, None)[0].probabilities.tobytes()


def test_the_reference_path_predicts_the_same(trainer, make_trial, dataset):
    """It trains nothing either."""
    trial = make_trial(recipe=UNTRAINED)

    (result, weights), (plain, plain_weights) = (
        each.train(trial, dataset, None) for each in (trainer, ReferenceTrainer(current()))
    )

    assert [] == transfer.differences(weights, plain_weights, frozenset(weights))
    assert np.allclose(plain.probabilities, result.probabilities, atol=1e-6)
    assert result.validation_probabilities.shape == plain.validation_probabilities.shape
    assert ((), 0) == (plain.training_loss, plain.epoch_steps)


@pytest.mark.parametrize("extras", [None, NO_EXTRAS], ids=["all extras", "no extras"])
def test_a_trial_of_no_epochs_is_stored_and_evaluated(extras, trainer, make_trial, dataset, tmp_path):
    """Its result is sound, and its weights are there for evaluations."""
    trial = make_trial(recipe=UNTRAINED)
    trial = trial if extras is None else trial.with_extras(extras)
    store = Store(tmp_path, current(), "run")
    result, weights = trainer.train(trial, dataset, None)
    store.save(trial, result, weights)

    loaded = store.load(trial)
    evaluated = Evaluator(current()).evaluate(
        Evaluation(trial, Mirrored()), {dataset.digest: dataset}, store.load_weights(trial)
    )
    assert trial in store
    assert result.probabilities.tobytes() == loaded.probabilities.tobytes()
    assert result.extras == loaded.extras
    assert (None, None) == (loaded.summary.step_seconds, loaded.summary.tracing_seconds)
    assert "finished" == evaluated.status


def test_curves_leave_out_a_trial_without_epochs(trainer, make_trial, dataset):
    """It has none to draw."""

    def arm(recipe):
        trial = make_trial(recipe=recipe)
        return Arm(
            f"{recipe.epochs}", trial.data, trial.task, trial.network, trial.initialisation, trial.frozen, recipe
        )

    curves = Curves("Curves", arm=arm(Recipe(batch_size=8, epochs=2)), reference=arm(UNTRAINED), title="accuracy")
    results = {
        each.trial(0).digest: trainer.train(each.trial(0), dataset, None)[0] for each in (curves.arm, curves.reference)
    }

    drawn = curves.trace(lambda trial: results[trial.digest], [0])
    assert ["2"] == [curve.arm for curve in drawn.curves]
    assert ({}, None) == (drawn.epochs_to_match, drawn.crossing)
    assert 2 == len(list(drawn.records()))
