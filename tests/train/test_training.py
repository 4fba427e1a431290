"""Training one trial, on a network so small that it takes seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from pebble import RED_GREEN, Pebble

from tlbench.declare.trials import Recipe
from tlbench.machine.environment import current
from tlbench.train import transfer
from tlbench.train.prefixes import PrefixCache


@pytest.fixture(scope="module")
def trainer():
    """Shared, so that each kind of network is traced once."""
    from tlbench.train.training import Trainer

    return Trainer(current(), PrefixCache())


class CountingCache(PrefixCache):
    """A cache that remembers every set of features that it has made."""

    def __init__(self):
        super().__init__()
        self.made = []

    def features(self, *arguments):
        """As any cache does."""
        found = super().features(*arguments)
        if not any(found is known for known in self.made):
            self.made.append(found)
        return found


def train_afresh(trial, dataset, source=None, prefix_cache=None):
    from tlbench.train.training import Trainer

    return Trainer(current(), prefix_cache).train(trial, dataset, source)


def of_flows(network, flows):
    from tlbench.networks.flows import flows as cut

    layers = cut(network.build(3), network.flow_ends)
    return transfer.paths(layer for name in flows for layer in layers[name])


def test_a_result_holds_predictions_for_every_test_image(trainer, make_trial, dataset):
    """Probabilities that add up to one, labels, and validation predictions after each epoch."""
    result, _ = trainer.train(make_trial(), dataset, None)

    assert "finished" == result.status
    assert (18, 3) == result.probabilities.shape
    assert np.allclose(1, result.probabilities.sum(axis=1), atol=1e-5)
    assert (2, 12, 3) == result.validation_probabilities.shape
    assert ("red", "green", "blue") == result.label_names
    assert 2 == len(result.training_loss) == len(result.epoch_seconds)
    assert np.isfinite(result.training_loss).all()


def test_training_learns(trainer, make_trial, dataset):
    """Colours are learned in some epochs; chance is a third."""
    recipe = Recipe(learning_rate=1e-2, batch_size=8, epochs=12)

    result, _ = trainer.train(make_trial(recipe=recipe), dataset, None)

    assert result.accuracy > 0.7


def test_the_same_seed_gives_the_same_predictions(trainer, make_trial, dataset):
    """Bit for bit, in a compiled network that has trained others meanwhile and in a fresh one."""
    trial = make_trial(seed=3)
    first, weights = trainer.train(trial, dataset, None)
    trainer.train(make_trial(seed=4), dataset, None)

    again, _ = trainer.train(trial, dataset, None)
    afresh, weights_afresh = train_afresh(trial, dataset)

    assert first.probabilities.tobytes() == again.probabilities.tobytes()
    assert first.probabilities.tobytes() == afresh.probabilities.tobytes()
    assert [] == transfer.differences(weights, weights_afresh, frozenset(weights))


def test_another_seed_gives_other_predictions(trainer, make_trial, dataset):
    """A seed decides fresh weights and the order of the images."""
    first, second = (trainer.train(make_trial(seed=seed), dataset, None)[0] for seed in (0, 1))

    assert first.probabilities.tobytes() != second.probabilities.tobytes()


def test_the_learning_rate_is_that_of_the_recipe(trainer, make_trial, dataset):
    """A network that is shared between rates trains each at its own."""
    slow, fast = (
        trainer.train(make_trial(recipe=Recipe(rate, batch_size=8, epochs=2)), dataset, None)[1]
        for rate in (1e-6, 1e-2)
    )
    from tlbench.train.starts import fresh_weights

    start = fresh_weights(make_trial().network, 3, "float32", 0)

    def moved(weights):
        return max(np.abs(weights[path] - start[path]).max() for path in weights if path.endswith("kernel"))

    assert moved(slow) < 1e-4
    assert moved(fast) > 1e-3


@pytest.mark.parametrize(
    "frozen",
    [("entry",), ("entry", "middle"), ("entry", "middle", "exit"), ("middle",)],
    ids="+".join,
)
def test_frozen_flows_keep_the_bits_of_their_source(trainer, make_trial, dataset, source, frozen):
    """Kernels and BatchNorm's moving statistics alike; every other flow is trained."""
    trial = make_trial(initialisation=make_trial(seed=7), frozen=frozenset(frozen))

    _, weights = trainer.train(trial, dataset, source)

    kept = of_flows(trial.network, frozen)
    assert [] == transfer.differences(source, weights, kept)
    for flow in {"entry", "middle", "exit"} - set(frozen):
        assert transfer.differences(source, weights, of_flows(trial.network, [flow]))


def test_a_transferred_network_starts_from_its_source_with_a_fresh_head(trainer, make_trial, dataset, source):
    """At a rate too small to matter, the body ends where the source ended, but for BatchNorm's statistics."""
    recipe = Recipe(learning_rate=1e-12, batch_size=8, epochs=1)
    trial = make_trial(initialisation=make_trial(seed=7), recipe=recipe)

    _, weights = trainer.train(trial, dataset, source)

    from tlbench.train.starts import fresh_weights

    head = fresh_weights(trial.network, 3, "float32", trial.seed)["predictions/kernel"]
    assert np.allclose(head, weights["predictions/kernel"], atol=1e-9)
    kernels = [path for path in source if path.endswith("kernel") and not path.startswith("predictions")]
    assert all(np.allclose(source[path], weights[path], atol=1e-9) for path in kernels)


def test_a_frozen_prefix_computed_once_trains_the_same_network(make_trial, dataset, source):
    """Without a cache the network is trained whole: the same but for rounding, within 1e-4 of each probability."""
    trial = make_trial(initialisation=make_trial(seed=7), frozen=frozenset({"entry", "middle"}))
    cached, _ = train_afresh(trial, dataset, source, PrefixCache())

    whole, _ = train_afresh(trial, dataset, source)

    assert np.allclose(cached.probabilities, whole.probabilities, atol=1e-4)
    assert np.allclose(cached.training_loss, whole.training_loss, atol=1e-4)


def test_a_frozen_prefix_on_disk_trains_the_same_network(make_trial, dataset, source, tmp_path):
    """Bit for bit what one in memory does."""
    trial = make_trial(initialisation=make_trial(seed=7), frozen=frozenset({"entry"}))
    in_memory, _ = train_afresh(trial, dataset, source, PrefixCache())

    on_disk, _ = train_afresh(trial, dataset, source, PrefixCache(memory_bytes=0, folder=tmp_path))

    assert in_memory.probabilities.tobytes() == on_disk.probabilities.tobytes()


@pytest.mark.parametrize("per_seed", [False, True], ids=["one split", "a split for each seed"])
def test_a_frozen_prefix_does_not_remember_other_trials(make_trial, dataset, source, per_seed):
    """Another source's, other labels' and another seed's leave the predictions of a trial as they were, bit for bit."""
    from tlbench.train.training import Trainer

    data = make_trial().data
    data = replace(data, split=replace(data.split, per_seed=per_seed))
    shared = {"frozen": frozenset({"entry", "middle"}), "data": data}
    trial = make_trial(initialisation=make_trial(seed=7), **shared)
    trainer = Trainer(current(), PrefixCache())
    other = {path: value + 1 for path, value in source.items()}
    trainer.train(make_trial(initialisation=make_trial(seed=8), **shared), dataset, other)
    trainer.train(make_trial(initialisation=make_trial(seed=7), task=RED_GREEN, **shared), dataset, source)
    trainer.train(make_trial(initialisation=make_trial(seed=7), seed=5, **shared), dataset, source)

    result, _ = trainer.train(trial, dataset, source)

    afresh, _ = train_afresh(trial, dataset, source, PrefixCache())
    assert afresh.probabilities.tobytes() == result.probabilities.tobytes()


def test_a_seed_trains_and_is_tested_on_its_own_split(trainer, make_trial, dataset):
    """As a trial does whose fixed split has that seed."""
    data = make_trial().data
    own = replace(data, split=replace(data.split, per_seed=True))
    fixed = replace(data, split=replace(data.split, seed=3))

    result, weights = trainer.train(make_trial(data=own, seed=3), dataset, None)

    expected, expected_weights = trainer.train(make_trial(data=fixed, seed=3), dataset, None)
    assert [] == transfer.differences(expected_weights, weights, frozenset(weights))
    assert expected.probabilities.tobytes() == result.probabilities.tobytes()
    assert trainer.train(make_trial(seed=3), dataset, None)[0].probabilities.tobytes() != result.probabilities.tobytes()


def test_features_of_a_frozen_prefix_serve_the_splits_of_all_seeds(make_trial, dataset, source):
    """No image goes through the prefix twice."""
    from tlbench.train.training import Trainer

    cache = CountingCache()
    trainer = Trainer(current(), cache)
    data = make_trial().data
    data = replace(data, split=replace(data.split, per_seed=True))
    arm = {"initialisation": make_trial(seed=7), "frozen": frozenset({"entry"}), "data": data}

    results = [trainer.train(make_trial(seed=seed, **arm), dataset, source)[0] for seed in range(3)]

    assert 3 == len({result.probabilities.tobytes() for result in results})
    assert 1 == len(cache.made)
    assert [len(dataset.images)] == [len(features.array) for features in cache.made]
    assert [1] == [features.blocks for features in cache.made]


def test_a_step_is_traced_once(make_trial, dataset, monkeypatch):
    """Half of the wait for a first step was a second trace, for variables that the first one had made."""
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow traces")
    traced = []
    monkeypatch.setattr(keras.Model, "train_step", _counting(keras.Model.train_step, traced))

    train_afresh(make_trial(), dataset)

    assert 1 == len(traced)


def _counting(function, calls):
    def counted(*arguments, **options):
        calls.append(function)
        return function(*arguments, **options)

    return counted


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((320,), 160), ((320, 320, 1440, 1440), 160), ((18,), 18), ((12, 18), 18), ((12, 12, 12, 18), 12), ((1000,), 250)],
    ids=str,
)
def test_the_batch_that_predicts_leaves_little_to_fill(sizes, expected):
    """One size for all parts, of at most 256 images."""
    from tlbench.train.batches import prediction_batch

    assert expected == prediction_batch(*sizes)


def test_a_loss_that_is_no_number_ends_the_trial_as_diverged(trainer, make_trial, dataset):
    """It stops after the epoch in which that happens."""
    recipe = Recipe(learning_rate=1e30, optimizer="sgd", batch_size=8, epochs=5)

    result, _ = trainer.train(make_trial(recipe=recipe), dataset, None)

    assert result.diverged
    assert len(result.training_loss) < 5


def test_a_task_relabels_and_leaves_out_classes(trainer, make_trial, dataset):
    """red/green has two labels and no blue images."""
    result, _ = trainer.train(make_trial(task=RED_GREEN), dataset, None)

    assert ("red", "green") == result.label_names
    assert (12, 2) == result.probabilities.shape


def test_epochs_are_told_as_they_end(trainer, make_trial, dataset):
    """For a line of progress."""
    told = []

    result, _ = trainer.train(make_trial(), dataset, None, lambda *epoch: told.append(epoch))

    assert list(enumerate(result.training_accuracy, start=1)) == told


def test_training_leaves_batchnorm_statistics_as_they_were_after_training(trainer, make_trial, dataset):
    """Scoring with the statistics of test batches does not leave them in the weights."""
    trial = make_trial()
    _, first = trainer.train(trial, dataset, None)

    compiled = next(iter(trainer._compiled.values()))
    _, second = trainer.train(trial, dataset, None)

    assert compiled.model is not None
    assert [] == transfer.differences(first, second, frozenset(first))


def test_lagging_statistics_show_in_the_score_with_batch_statistics(make_trial, dataset):
    """The higher the momentum, the further predictions are from those with the statistics of the batch."""
    recipe = Recipe(learning_rate=1e-2, batch_size=8, epochs=8)
    gaps = []
    for momentum in (0.5, 0.9999):
        network = replace(make_trial().network, batchnorm_momentum=momentum)
        result, _ = train_afresh(make_trial(network=network, recipe=recipe), dataset)
        gaps.append(np.abs(result.probabilities - result.batch_statistics_probabilities).mean())

    assert gaps[1] > 2 * gaps[0]


def test_no_more_networks_are_kept_than_asked_for(make_trial, dataset):
    """The one unused for longest goes first."""
    from tlbench.train.training import Trainer

    trainer = Trainer(current(), capacity=1)
    quick = Recipe(batch_size=8, epochs=1)

    trainer.train(make_trial(recipe=quick, frozen=frozenset({"entry", "middle", "exit"})), dataset, None)
    trainer.train(
        make_trial(recipe=quick.at(optimizer="sgd"), frozen=frozenset({"entry", "middle", "exit"})), dataset, None
    )

    assert 1 == len(trainer._compiled)


def test_fresh_weights_are_those_of_keras_seed(make_trial):
    """Seeding Python's generator, which is cheap, gives what Keras' own way to seed gives, and is undone."""
    import random

    import keras

    from tlbench.train.starts import fresh_weights

    network = make_trial().network
    before = random.getstate()
    received = fresh_weights(network, 3, "float32", 11)

    assert before == random.getstate()
    keras.utils.set_random_seed(11)
    expected = transfer.read(network.build(3))
    assert not transfer.differences(expected, received, frozenset(expected))


def test_a_part_is_transferred_and_the_rest_drawn_anew(trainer, make_trial, dataset, source):
    """Before a step is taken: a rate of nearly zero leaves weights where they started."""
    from tlbench.train.starts import fresh_weights

    still = Recipe(learning_rate=1e-12, batch_size=8, epochs=1)
    trial = make_trial(initialisation=make_trial(seed=7), transferred=frozenset({"entry"}), recipe=still)

    _, weights = trainer.train(trial, dataset, source)

    entry = {path for path in of_flows(trial.network, ["entry"]) if path.endswith("kernel")}
    others = {path for path in of_flows(trial.network, ["middle", "exit"]) if path.endswith("kernel")}
    fresh = fresh_weights(trial.network, 3, "float32", 0)
    assert all(np.allclose(source[path], weights[path], atol=1e-6) for path in entry)
    assert all(np.allclose(fresh[path], weights[path], atol=1e-6) for path in others)
    assert not any(np.allclose(source[path], weights[path], atol=1e-6) for path in others)


@dataclass(frozen=True)
class Cuttable(Pebble):
    """A network with a cut within its entry."""

    @property
    def cuts(self):
        """The entry in two."""
        return {"first": "entry_conv", "second": "entry_relu", "third": "middle_add", "fourth": "pool"}


def test_frozen_cuts_share_the_features_of_a_frozen_part(make_trial, dataset, source):
    """However the frozen beginning is spelled; a part of it has features of its own."""
    from tlbench.train.training import Trainer

    cache = CountingCache()
    trainer = Trainer(current(), cache)
    network = Cuttable()
    spelled = [{"entry"}, {"first", "second"}, {"first"}]

    results = [
        trainer.train(
            make_trial(network=network, initialisation=make_trial(seed=7), frozen=frozenset(names)), dataset, source
        )[0]
        for names in spelled
    ]

    assert 2 == len(cache.made)
    assert results[0].probabilities.tobytes() == results[1].probabilities.tobytes()
    assert results[0].probabilities.tobytes() != results[2].probabilities.tobytes()


def test_a_cut_that_is_no_beginning_can_be_frozen(make_trial, dataset, source):
    """Its weights stay; there are no features to keep."""
    cache = CountingCache()
    trial = make_trial(network=Cuttable(), initialisation=make_trial(seed=7), frozen=frozenset({"third"}))

    _, weights = train_afresh(trial, dataset, source, cache)

    assert [] == cache.made
    assert [] == transfer.differences(source, weights, of_flows(trial.network, ["middle"]))
