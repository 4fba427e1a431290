"""Evaluations of trained networks: computed from stored weights, stored, and never computed twice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from pebble import RED_GREEN

from tlbench.declare.evaluations import Evaluation, Mirrored, TestImages
from tlbench.declare.trials import Recipe
from tlbench.errors import DataError, WeightsError
from tlbench.machine.environment import current
from tlbench.store import doctor
from tlbench.store.store import Store
from tlbench.train import evaluating, transfer
from tlbench.train.evaluating import Evaluator
from tlbench.train.executors.inline import Inline
from tlbench.train.runner import LocalTraining, Runner
from tlbench.train.transfer import write
from tlbench.train.worker import Setup, Worker


class Log:
    """Remembers the trials that were trained, and the evaluations that were computed."""

    def __init__(self):
        self.trained, self.evaluated, self.warnings = [], [], []

    def trial_started(self, trial):
        """Part of the listener's protocol, as the others."""
        self.trained.append(trial)

    def epoch_ended(self, _trial, _epoch, _accuracy):
        """Of no interest here."""

    def trial_ended(self, _trial, _result):
        """Of no interest here."""

    def evaluation_ended(self, evaluation, _result):
        """Its result is in the store."""
        self.evaluated.append(evaluation)


@dataclass(frozen=True)
class Cropped(TestImages):
    """Images that a network cannot take."""

    def altered(self, images, _numbers):
        """Smaller."""
        return images[:, 1:]


@dataclass(frozen=True)
class Failing(TestImages):
    """Images of which one cannot be altered, in a batch after the first."""

    def altered(self, images, numbers):
        """As they are, but for one of the last."""
        if numbers.max() > 50:
            msg = "a bad image"
            raise DataError(msg)
        return images


def make_trainer(environment):
    from tlbench.train.training import Trainer

    return Trainer(environment)


@pytest.fixture
def make_runner(tmp_path, dataset):
    """A function that makes a runner over the same store, as another run would, with its store and its log."""

    def make(run="first", **options):
        log, here = Log(), current()
        store = Store(tmp_path / "store", here, run, **options)
        setup = Setup(here, {dataset.digest: dataset}, None, lambda: make_trainer(here))
        executor = Inline(LocalTraining(store, Worker(setup, log)), lambda work: work.digest)
        return Runner(store, executor, log.warnings.append), store, log

    return make


@pytest.fixture
def trial(make_trial):
    return make_trial(frozen=frozenset({"entry"}), recipe=Recipe(batch_size=8, epochs=1))


@pytest.fixture
def evaluation(trial):
    return Evaluation(trial, Mirrored())


@pytest.fixture
def file_of(tmp_path):
    """A function that finds a file of a stored evaluation."""
    return lambda evaluation, name: next(tmp_path.glob(f"store/evaluations/*/{evaluation.digest[:32]}/{name}"))


@pytest.mark.parametrize("task", [None, RED_GREEN], ids=["every class", "two classes"])
def test_predictions_for_mirrored_images_are_those_of_keras_for_flipped_images(task, make_runner, make_trial, dataset):
    """Of a network of Keras with the stored weights."""
    trial = make_trial(seed=3, **({"task": task} if task else {}))
    runner, store, _ = make_runner()
    result = runner.result(Evaluation(trial, Mirrored()))

    model = trial.network.build(len(result.label_names))
    transfer.write(model, store.load_weights(trial))
    labels = trial.task.mapping(dataset.class_names)[dataset.labels]
    test = [index for index in dataset.parts(trial.split).test if labels[index] >= 0]
    expected = model.predict(dataset.images[test][:, :, ::-1], verbose=0)

    assert labels[test].tolist() == result.labels.tolist()
    assert np.abs(expected - result.probabilities).max() <= 1e-6
    assert not np.allclose(runner.result(trial).probabilities, result.probabilities, atol=1e-3)


def test_the_trials_own_test_images_get_the_trials_own_predictions(make_runner, trial):
    """To the rounding of another batch size, frozen prefixes included."""
    runner, _, _ = make_runner()

    result = runner.result(Evaluation(trial, TestImages()))

    assert np.allclose(runner.result(trial).probabilities, result.probabilities, atol=1e-5)
    assert runner.result(trial).scores["accuracy"] == result.scores["accuracy"]
    assert "batch_statistics_accuracy" not in result.scores


def test_an_evaluation_trains_nothing_that_is_stored(make_runner, trial, evaluation):
    """Nor does it touch the trial's result; another run computes nothing at all."""
    runner, store, _ = make_runner()
    runner.result(trial)
    weights = store.load_weights(trial)

    later, store, log = make_runner("second")
    first = later.result(evaluation)
    third, _, silent = make_runner("third")
    again = third.result(evaluation)

    assert ([], [evaluation]) == (log.trained, log.evaluated)
    assert ([], []) == (silent.trained, silent.evaluated)
    assert first.probabilities.tobytes() == again.probabilities.tobytes()
    assert [] == transfer.differences(weights, store.load_weights(trial), frozenset(weights))
    assert "first" == store.load(trial).run
    assert "second" == again.run


def test_the_trial_of_an_evaluation_is_trained_first(make_runner, trial, evaluation):
    """Whoever asks for the evaluation alone."""
    runner, store, log = make_runner()
    runner.train_all([evaluation])

    assert ([trial], [evaluation]) == (log.trained, log.evaluated)
    assert evaluation.source in store
    assert evaluation in store


@pytest.mark.parametrize("name", ["predictions.npz", "result.json"])
def test_a_damaged_evaluation_is_set_aside_and_computed_again(name, make_runner, trial, evaluation, file_of, tmp_path):
    """Its trial is left as it is."""
    runner, _, _ = make_runner()
    before = runner.result(evaluation)
    path = file_of(evaluation, name)
    path.write_bytes(path.read_bytes()[:-20])

    assert [name] == [finding.problem.split()[0] for finding in doctor.examine(tmp_path / "store").findings]
    later, _, log = make_runner("second")
    after = later.result(evaluation)

    assert ([], [evaluation]) == (log.trained, log.evaluated)
    assert before.probabilities.tobytes() == after.probabilities.tobytes()
    assert 1 == len(list((tmp_path / "store" / "damaged").glob("*/*")))
    assert evaluation.digest[:12] in log.warnings[0]
    assert trial.digest[:12] not in log.warnings[0]


def test_doctor_repairs_a_damaged_evaluation(make_runner, evaluation, file_of, tmp_path):
    """It is set aside, and the next run computes it."""
    runner, _, _ = make_runner()
    runner.result(evaluation)
    file_of(evaluation, "predictions.npz").write_bytes(b"")

    assert 2 == doctor.examine(tmp_path / "store", repair=True).results
    _, store, _ = make_runner("second")

    assert evaluation not in store
    assert () == doctor.examine(tmp_path / "store").findings


def test_an_evaluation_of_other_weights_is_missing(make_runner, trial, evaluation):
    """A trial that was trained again may have ended in others: its evaluation would be of the network before."""
    runner, store, _ = make_runner()
    runner.train_all([evaluation])
    weights = store.load_weights(trial)
    path = min(weights)
    store.save(trial, store.load(trial), weights | {path: weights[path] + 1})

    later, store, log = make_runner("second")
    assert evaluation not in store
    later.train_all([evaluation])

    assert ([], [evaluation]) == (log.trained, log.evaluated)
    assert evaluation in store


def test_a_fresh_run_computes_evaluations_again(make_runner, trial, evaluation):
    """With the trials that they are of."""
    runner, _, _ = make_runner()
    runner.train_all([evaluation])

    fresh, _, log = make_runner("second", fresh=True)
    fresh.train_all([evaluation])
    fresh.train_all([evaluation])

    assert ([trial], [evaluation]) == (log.trained, log.evaluated)


def test_an_evaluation_whose_trial_fails_fails_with_it(make_runner, make_trial, evaluation):
    """With the trial's error."""
    runner, _, log = make_runner()
    elsewhere = make_trial(data=replace(evaluation.data, digest="0" * 64))

    with pytest.raises(Exception, match="No dataset has the digest"):
        runner.train_all([Evaluation(elsewhere, Mirrored())])
    assert [] == log.evaluated


def test_images_of_another_shape_are_refused(make_runner, trial):
    """The error names the images, and who made them."""
    runner, _, _ = make_runner()

    with pytest.raises(DataError, match=r"'test images' must stay uint8 of shape .* from Cropped\.altered"):
        runner.result(Evaluation(trial, Cropped()))


def test_weights_of_another_network_are_refused(evaluation, dataset, source):
    """Nothing is predicted with them."""
    weights = {path: value for path, value in source.items() if "middle" not in path}

    with pytest.raises(WeightsError, match="do not fit the network"):
        Evaluator(current()).evaluate(evaluation, {dataset.digest: dataset}, weights)


def test_a_network_that_predicts_no_numbers_has_diverged(evaluation, dataset, source):
    """It has no scores."""
    weights = {path: np.full_like(value, np.nan) for path, value in source.items()}

    result = Evaluator(current()).evaluate(evaluation, {dataset.digest: dataset}, weights)

    assert ("diverged", {}) == (result.status, result.scores)


def test_networks_are_kept_for_the_evaluations_that_follow(evaluation, dataset, source):
    """The last few of them: what ran before leaves no trace in a prediction."""
    evaluator = Evaluator(current(), capacity=1)
    datasets = {dataset.digest: dataset}
    first = evaluator.evaluate(evaluation, datasets, source)
    narrow = replace(evaluation, trial=replace(evaluation.trial, network=replace(evaluation.trial.network, filters=4)))
    other = transfer.read(narrow.trial.network.build(3))
    evaluator.evaluate(narrow, datasets, other)

    again = evaluator.evaluate(evaluation, datasets, source)

    assert first.probabilities.tobytes() == again.probabilities.tobytes()


def test_weights_that_a_network_holds_are_not_set_again(evaluation, dataset, source, monkeypatch):
    """Equal ones are not, whatever arrays hold them; others are, and those before again after them."""
    written = []
    monkeypatch.setattr(evaluating.transfer, "write", lambda *given: written.append(given) or write(*given))
    evaluator, datasets = Evaluator(current()), {dataset.digest: dataset}
    others = {path: value * 0.5 for path, value in source.items()}

    results = [
        evaluator.evaluate(evaluation, datasets, weights)
        for weights in (source, {path: value.copy() for path, value in source.items()}, others, source)
    ]

    assert 3 == len(written)
    assert results[0].probabilities.tobytes() == results[1].probabilities.tobytes()
    assert results[0].probabilities.tobytes() == results[3].probabilities.tobytes()
    assert results[0].probabilities.tobytes() != results[2].probabilities.tobytes()


def test_weights_that_do_not_fit_leave_a_network_usable(evaluation, dataset, source):
    """The ones before are set again."""
    evaluator, datasets = Evaluator(current()), {dataset.digest: dataset}
    first = evaluator.evaluate(evaluation, datasets, source)
    with pytest.raises(WeightsError, match="do not fit the network"):
        evaluator.evaluate(evaluation, datasets, dict(list(source.items())[1:]))

    assert first.probabilities.tobytes() == evaluator.evaluate(evaluation, datasets, source).probabilities.tobytes()


def test_the_next_batch_is_altered_while_one_is_predicted(make_trial, dataset, source, monkeypatch):
    """In order, each once; an error of it is raised where its batch is asked for."""
    monkeypatch.setattr(evaluating, "prediction_batch", lambda *_sizes: 5)
    evaluation = Evaluation(make_trial(), Failing())

    with pytest.raises(DataError, match="a bad image"):
        Evaluator(current()).evaluate(evaluation, {dataset.digest: dataset}, source)
    whole = Evaluator(current()).evaluate(Evaluation(make_trial(), Mirrored()), {dataset.digest: dataset}, source)
    monkeypatch.undo()
    at_once = Evaluator(current()).evaluate(Evaluation(make_trial(), Mirrored()), {dataset.digest: dataset}, source)

    assert np.allclose(at_once.probabilities, whole.probabilities, atol=1e-6)
