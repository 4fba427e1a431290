"""The reference path: a fresh network and a plain fit for each trial."""

from __future__ import annotations

import numpy as np
import pytest

from pebble import RED_GREEN

from tlbench.declare.trials import Recipe
from tlbench.machine.environment import current
from tlbench.networks.xception import Xception
from tlbench.train import transfer
from tlbench.train.prefixes import PrefixCache


# Of a probability: twice what the exponential and the division of a softmax may each round otherwise by.
LAST_BITS = 8


@pytest.fixture(scope="module")
def trainer():
    from tlbench.train.training import Trainer

    return Trainer(current(), PrefixCache())


@pytest.fixture(scope="module")
def reference():
    from tlbench.train.reference import ReferenceTrainer

    return ReferenceTrainer(current())


@pytest.mark.parametrize(
    ("changes", "frozen", "transferred"),
    [
        ({}, (), False),
        ({"seed": 3, "recipe": Recipe(1e-2, "cosine", batch_size=8, epochs=3)}, (), False),
        ({"task": RED_GREEN, "recipe": Recipe(optimizer="sgd", batch_size=8, epochs=2)}, (), True),
        ({}, ("middle",), True),
    ],
    ids=["random", "cosine", "transferred", "frozen middle"],
)
def test_both_paths_end_in_the_same_bits(trainer, reference, make_trial, dataset, source, changes, frozen, transferred):
    """Weights alike, in a compiled network that has trained others before; predictions alike but for their last bits.

    The two paths predict in batches of other sizes. Eigen, with which TensorFlow computes on a CPU without AVX-512
    VNNI, takes the exponentials of a softmax eight at a time and those that are left one at a time, by another formula.
    """
    start = {"initialisation": make_trial(seed=7)} if transferred else {}
    trial = make_trial(frozen=frozenset(frozen), **start, **changes)
    weights = source if transferred else None
    trainer.train(make_trial(seed=11), dataset, None)

    fast, fast_weights = trainer.train(trial, dataset, weights)
    plain, plain_weights = reference.train(trial, dataset, weights)

    assert [] == transfer.differences(plain_weights, fast_weights, frozenset(plain_weights))
    np.testing.assert_array_max_ulp(plain.probabilities, fast.probabilities, LAST_BITS)
    np.testing.assert_array_max_ulp(plain.validation_probabilities, fast.validation_probabilities, LAST_BITS)
    assert np.allclose(plain.training_loss, fast.training_loss, rtol=1e-6)
    assert np.allclose(plain.batch_statistics_probabilities, fast.batch_statistics_probabilities, atol=1e-5)
    assert (plain.epoch_steps, plain.epoch_images) == (fast.epoch_steps, fast.epoch_images)


def test_in_batches_of_one_shape_predictions_are_the_same_bits(trainer, reference, make_trial, dataset):
    """A plain network with the same weights predicts as either path does, given batches of that path's shape."""
    from tlbench.train.batches import prediction_batch

    trial = make_trial()
    fast, weights = trainer.train(trial, dataset, None)
    plain, _ = reference.train(trial, dataset, None)
    parts = dataset.parts(trial.data.split)
    tested, validated = dataset.images[parts.test], dataset.images[parts.validation]
    network = trial.network.build(3)
    transfer.write(network, weights)

    size = prediction_batch(*[len(validated)] * trial.recipe.epochs, len(tested))
    padded = np.resize(np.arange(len(tested)), -(-len(tested) // size) * size)
    batches = [network.predict_on_batch(tested[batch]) for batch in padded.reshape(-1, size)]

    assert len(tested) > size  # Otherwise both paths have batches of the same shape.
    assert np.concatenate(batches)[: len(tested)].tobytes() == fast.probabilities.tobytes()
    assert network.predict_on_batch(tested).tobytes() == plain.probabilities.tobytes()


def test_an_xception_ends_in_the_same_bits(trainer, reference, make_trial, dataset):
    """What a network of four convolutions does not show: another shape of a batch rounds otherwise."""
    network = Xception(image_size=8, width=1 / 8, middle_modules=1, stem_stride=1)
    trial = make_trial(network=network, recipe=Recipe(batch_size=8, epochs=1))

    _, fast = trainer.train(trial, dataset, None)
    _, plain = reference.train(trial, dataset, None)

    assert [] == transfer.differences(plain, fast, frozenset(plain))


@pytest.mark.parametrize("frozen", [("entry",), ("entry", "middle", "exit")], ids="+".join)
def test_a_prefix_computed_once_ends_as_one_computed_in_every_step(
    trainer, reference, make_trial, dataset, source, frozen
):
    """But for rounding: within 1e-4 of each probability."""
    trial = make_trial(initialisation=make_trial(seed=7), frozen=frozenset(frozen))

    fast, fast_weights = trainer.train(trial, dataset, source)
    plain, plain_weights = reference.train(trial, dataset, source)

    assert np.allclose(plain.probabilities, fast.probabilities, atol=1e-4)
    assert all(np.allclose(plain_weights[path], fast_weights[path], atol=1e-3) for path in plain_weights)


def test_a_loss_that_is_no_number_ends_the_trial_as_diverged(reference, make_trial, dataset):
    """After the epoch in which that happens."""
    recipe = Recipe(learning_rate=1e30, optimizer="sgd", batch_size=8, epochs=5)

    result, _ = reference.train(make_trial(recipe=recipe), dataset, None)

    assert result.diverged
    assert len(result.training_loss) < 5


def test_epochs_are_told_as_they_end(reference, make_trial, dataset):
    """For a line of progress."""
    told = []

    result, _ = reference.train(make_trial(), dataset, None, lambda *epoch: told.append(epoch))

    assert list(enumerate(result.training_accuracy, start=1)) == told
