"""Evaluations by readouts: features and probes of stored networks, held against plain code."""

from __future__ import annotations

import warnings

from dataclasses import dataclass, replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from pebble import RED_GREEN, Pebble
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tlbench.declare import probes
from tlbench.declare.evaluations import Evaluation, Mirrored, TestImages
from tlbench.declare.probes import LinearProbe
from tlbench.declare.readouts import ReadoutResult, TrainingFeatures, Views
from tlbench.declare.tasks import Task
from tlbench.declare.trials import Recipe
from tlbench.errors import DataError, TrainingError
from tlbench.machine.environment import current
from tlbench.store import files
from tlbench.store.store import Store
from tlbench.train import transfer, views
from tlbench.train.evaluating import Evaluator
from tlbench.train.training import Trainer
from tlbench.train.views import Kept


@dataclass(frozen=True)
class Nearest:
    """A user's own readout: the class whose mean training features are nearest."""

    cut: str = "pool"
    task = None
    reads_images = True
    name = "nearest class mean"

    def read(self, seen):
        """Probabilities are one for the nearest."""
        labels = range(len(seen.label_names))
        means = [seen.training.features[seen.training.labels == label].mean(axis=0) for label in labels]
        distances = np.linalg.norm(seen.images.features[:, None] - np.array(means), axis=2)
        return ReadoutResult(seen.images.labels, np.eye(len(means), dtype=np.float32)[distances.argmin(axis=1)])


@dataclass(frozen=True)
class Stony(Pebble):
    """A network whose parts have finer cuts."""

    @property
    def cuts(self):
        """One within the middle."""
        return {"stone1": "entry_relu", "stone2": "middle_bn", "stone3": "middle_add", "stone4": "pool"}


@pytest.fixture(scope="module")
def trained(make_trial, dataset):
    """A trial, its result and its weights."""
    trial = make_trial(recipe=Recipe(learning_rate=1e-2, batch_size=8, epochs=6))
    return (trial, *Trainer(current()).train(trial, dataset, None))


@pytest.fixture
def evaluate(trained, dataset):
    """A function that evaluates the trained network."""
    evaluator = Evaluator(current())

    def evaluate_(readout, images=None, trial=None):
        evaluation = Evaluation(trial or trained[0], images or TestImages(), readout)
        return evaluator.evaluate(evaluation, {dataset.digest: dataset}, trained[2])

    return evaluate_


@pytest.fixture
def plain_features(trained, dataset):
    """A function that gives averaged outputs of a layer by plain Keras."""
    trial, _, weights = trained
    model = trial.network.build(3)
    transfer.write(model, weights)

    def features(layer, indices, change=lambda images: images):
        outputs = keras.Model(model.input, model.get_layer(layer).output).predict(
            change(dataset.images[indices]), verbose=0
        )
        return outputs.reshape(len(outputs), -1, outputs.shape[-1]).mean(axis=1)

    return features


@pytest.mark.parametrize(
    ("cut", "layer"), [("entry", "entry_relu"), ("middle", "middle_add"), ("exit", "pool")], ids=str
)
def test_features_are_averaged_outputs_of_the_cut_for_the_training_images(
    cut, layer, evaluate, trained, plain_features, dataset
):
    """With their labels, and the probabilities of the network's own head."""
    result = evaluate(TrainingFeatures(cut))

    training = dataset.parts(trained[0].split).training
    model = trained[0].network.build(3)
    transfer.write(model, trained[2])
    assert np.allclose(plain_features(layer, training), result.arrays["features"], atol=1e-5)
    assert dataset.labels[training].tolist() == result.arrays["labels"].tolist()
    assert np.allclose(model.predict(dataset.images[training], verbose=0), result.arrays["head"], atol=1e-5)


def test_features_for_another_task_are_those_of_its_images(evaluate, trained, dataset):
    """With its labels; the head stays that of the network's own task."""
    result = evaluate(TrainingFeatures("exit", task=RED_GREEN))

    training = dataset.parts(trained[0].split).training
    kept = training[dataset.labels[training] < 2]
    assert dataset.labels[kept].tolist() == result.arrays["labels"].tolist()
    assert (len(kept), 3) == result.arrays["head"].shape
    assert ("red", "green") == result.label_names


def test_features_have_no_listed_metric(evaluate):
    """Nothing is predicted."""
    result = evaluate(TrainingFeatures("exit"))

    assert ("finished", {}, {}) == (result.status, result.scores, result.f1)
    assert (len(result.labels), 0) == result.probabilities.shape


@pytest.mark.parametrize("images", [TestImages(), Mirrored()], ids=["test images", "mirrored"])
@pytest.mark.parametrize("penalty", [1.0, 0.01])
def test_a_probe_is_the_regression_of_plain_scikit_learn(images, penalty, evaluate, trained, plain_features, dataset):
    """Fitted on the training images as they are, whatever it predicts; features are standardised by them."""
    result = evaluate(LinearProbe("middle", penalties=(penalty,)), images)

    split = dataset.parts(trained[0].split)
    scaler = StandardScaler()
    inputs = scaler.fit_transform(plain_features("middle_add", split.training))
    classifier = LogisticRegression(C=1 / (penalty * len(inputs)), max_iter=1000, tol=1e-6)
    classifier.fit(inputs, dataset.labels[split.training])
    shown = plain_features("middle_add", split.test, (lambda x: x[:, :, ::-1]) if images == Mirrored() else lambda x: x)
    expected = classifier.predict_proba(scaler.transform(shown))

    assert np.allclose(expected, result.probabilities, atol=2e-3)
    assert dataset.labels[split.test].tolist() == result.labels.tolist()
    assert {"accuracy", "macro_f1", "loss"} <= result.scores.keys()


def test_the_penalty_is_chosen_on_the_validation_images(evaluate, trained, dataset):
    """The strongest of those that are most often right; test images have no say."""
    penalties = (1e-3, 100.0, 1.0)
    result = evaluate(LinearProbe("entry", penalties=penalties))

    split = dataset.parts(trained[0].split)
    each = {penalty: evaluate(LinearProbe("entry", penalties=(penalty,))) for penalty in penalties}
    accuracies = {penalty: one.arrays["validation_accuracy"][0] for penalty, one in each.items()}
    best = max(penalty for penalty in penalties if accuracies[penalty] == max(accuracies.values()))
    assert sorted(accuracies.items(), reverse=True) == list(
        zip([100.0, 1.0, 1e-3], result.arrays["validation_accuracy"], strict=True)
    )
    assert [best] == result.arrays["penalty"].tolist()
    assert each[best].probabilities.tobytes() == result.probabilities.tobytes()
    assert len(split.validation) > 0


def test_a_probe_learns_a_task_that_the_network_was_not_trained_on(evaluate):
    """From its features alone."""
    result = evaluate(LinearProbe("exit", task=Task("red/other", red=["red"], other=...)))

    assert ("red", "other") == result.label_names
    assert result.scores["accuracy"] > 0.7


def test_a_fit_that_does_not_converge_is_an_error(evaluate, monkeypatch):
    """With the penalty and the remedy."""
    monkeypatch.setattr(probes, "MOST_ITERATIONS", 1)

    with pytest.raises(TrainingError, match=r"linear probe at exit has not converged within 1 iterations under pen.*"):
        evaluate(LinearProbe("exit"))


def test_a_fit_warns_of_nothing(evaluate):
    """Nor of deprecations."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("error", ConvergenceWarning)
        result = evaluate(LinearProbe("exit"))

    assert (1,) == result.arrays["iterations"].shape


@pytest.mark.parametrize(
    ("labels", "validated", "received"),
    [([1, 1, 1], 2, "1 labels, 2 validation images"), ([0, 1, 1], 0, "2 labels, 0 validation images")],
    ids=["one label", "no validation"],
)
def test_images_that_cannot_be_probed_are_refused(labels, validated, received):
    """There is nothing to tell apart, or nothing to choose a penalty by."""
    seen = [SimpleNamespace(labels=np.array(each, int)) for each in (labels, [0] * validated, [0])]

    with pytest.raises(DataError, match=f"needs training images of two labels.* Received: {received}"):
        LinearProbe("exit").read(Views(*seen, label_names=("cat", "dog")))


def test_a_label_without_training_images_has_no_probability():
    """The others share it."""
    generator = np.random.default_rng(0)
    seen = SimpleNamespace(labels=np.repeat([0, 2], 10), features=generator.normal(size=(20, 3)).astype(np.float32))

    outcome = LinearProbe("exit").read(Views(seen, seen, seen, label_names=("cat", "dog", "car")))

    assert (20, 3) == outcome.probabilities.shape
    assert not outcome.probabilities[:, 1].any()
    assert np.allclose(1, outcome.probabilities.sum(axis=1))


def test_a_users_own_readout_predicts(evaluate):
    """It is a frozen dataclass with a few members."""
    own = replace(Nearest(), cut="exit")
    result = evaluate(own)

    assert result.scores["accuracy"] > 0.7


def test_a_network_without_finite_outputs_has_diverged(trained, dataset):
    """Its readouts have no score."""
    weights = {path: np.full_like(value, np.nan) for path, value in trained[2].items()}

    for readout in (TrainingFeatures("exit"), LinearProbe("exit")):
        evaluation = Evaluation(trained[0], TestImages(), readout)
        result = Evaluator(current()).evaluate(evaluation, {dataset.digest: dataset}, weights)

        assert ("diverged", {}) == (result.status, result.scores)


def test_readouts_of_one_network_share_its_passes(evaluate, monkeypatch):
    """Each image passes once, for all cuts and tasks that need it."""
    passed = []
    predict = views.predict
    monkeypatch.setattr(views, "predict", lambda *args: passed.append(len(args[1])) or predict(*args))

    for cut in ("entry", "middle", "exit"):
        evaluate(LinearProbe(cut))
    evaluate(TrainingFeatures("exit"))

    assert [30, 12, 18] == passed


def test_cuts_that_do_not_fit_together_are_read_one_at_a_time(trained, dataset):
    """With the same outcome."""
    together = Evaluator(current())
    alone = Evaluator(current())
    alone._kept = Kept(capacity_bytes=4 * 30 * 8)
    evaluation = Evaluation(trained[0], TestImages(), LinearProbe("entry"))

    first, second = (each.evaluate(evaluation, {dataset.digest: dataset}, trained[2]) for each in (together, alone))

    assert np.allclose(first.probabilities, second.probabilities, atol=1e-4)
    assert np.allclose(first.arrays["validation_accuracy"], second.arrays["validation_accuracy"])


def test_other_weights_have_other_features(trained, dataset):
    """What is kept is of one network."""
    evaluator, evaluation = Evaluator(current()), Evaluation(trained[0], TestImages(), TrainingFeatures("exit"))
    fresh = transfer.read(trained[0].network.build(3))

    first, second = (evaluator.evaluate(evaluation, {dataset.digest: dataset}, each) for each in (trained[2], fresh))

    assert not np.allclose(first.arrays["features"], second.arrays["features"])


def test_kept_outputs_stay_within_their_capacity():
    """Those that were unused for longest go first."""
    kept = Kept(capacity_bytes=16)
    computed = []

    def make(key):
        computed.append(key)
        return np.zeros(2, np.float32)

    for key in ("a", "b", "a", "c", "a", "b"):
        kept.get(key, lambda key=key: make(key))

    assert ["a", "b", "c", "b"] == computed


def test_cuts_and_parts_are_places_to_read(make_trial, dataset):
    """A part ends where a cut does."""
    trial = make_trial(network=Stony())
    weights = transfer.read(trial.network.build(3))
    evaluator = Evaluator(current())

    middle, stone = (
        evaluator.evaluate(Evaluation(trial, TestImages(), TrainingFeatures(cut)), {dataset.digest: dataset}, weights)
        for cut in ("middle", "stone3")
    )
    assert middle.arrays["features"].tobytes() == stone.arrays["features"].tobytes()


@pytest.mark.parametrize("readout", [TrainingFeatures("middle"), LinearProbe("exit")], ids=str)
def test_a_readouts_result_is_stored_and_loaded(readout, evaluate, trained, tmp_path):
    """With its arrays, bit for bit."""
    trial, result, weights = trained
    store = Store(tmp_path, current(), "run")
    store.save(trial, result, weights)
    evaluation = Evaluation(trial, TestImages(), readout)
    evaluated = replace(evaluate(readout), weights=files.packed_digest(store.packed_weights(trial)))
    store.save(evaluation, evaluated)

    assert evaluation in store
    loaded = store.load(evaluation)
    assert {name: array.tobytes() for name, array in evaluated.arrays.items()} == {
        name: array.tobytes() for name, array in loaded.arrays.items()
    }
    assert evaluated.probabilities.shape == loaded.probabilities.shape
    assert evaluated.scores == loaded.scores
