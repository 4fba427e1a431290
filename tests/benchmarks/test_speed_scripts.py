"""The scripts that compare speed: operations counted, tables made, a contender really timed."""

from __future__ import annotations

import json

from dataclasses import replace
from types import SimpleNamespace

import keras
import pytest

from click import ClickException
from click.testing import CliRunner

from benchmarks.speed import comparison, contenders, flops, gpu, scaling, steps, study
from benchmarks.speed.comparison import Comparison
from benchmarks.speed.contenders import CONTENDERS, Measurement, Setting
from tlbench.errors import ConfigurationError, TrainingError
from tlbench.machine import backends
from tlbench.networks.xception import Xception


TINY = Setting(Xception(16, 1 / 32, 1, 1), classes=3, batch_size=4, steps=2)

COMMAND = "python -m benchmarks.speed.steps"


def measurement(milliseconds, **changes):
    """Of ours at full size, unless said otherwise."""
    values = {
        "step_seconds": milliseconds / 1e3,
        "sent_seconds": milliseconds / 1e3 * 1.5,
        "on_device_seconds": None,
        "input_seconds": None,
        "parameters": 22_855_952,
        "multiply_adds": 8_400_000_000,
        "peak_bytes": 2_000_000_000,
        "machine": "a processor, 2 cores",
        "device": "a processor, 2 cores",
        "versions": {"keras": "3.15.1"},
    }
    return Measurement(**(values | changes))


def rival(milliseconds, **changes):
    return measurement(milliseconds, **{"multiply_adds": None, "versions": {"timm": "1.0.31"}, **changes})


@pytest.fixture
def on_a_gpu():
    """Two rounds of ours on JAX and of timm's."""
    h200 = {"device": "NVIDIA H200"}
    ours = [measurement(ms, on_device_seconds=ms / 1e3 * 0.8, input_seconds=0.004, **h200) for ms in (100, 140)]
    timm = [rival(ms, on_device_seconds=0.1, **h200) for ms in (200, 210)]
    setting = replace(gpu.DEFAULTS, batch_size=100)
    return Comparison(setting, {"jax": tuple(ours), "timm": tuple(timm)}, {"torch": "it was out of memory"})


def cells(report, label):
    """Of the row of a table."""
    (row,) = (line for line in report.splitlines() if line.startswith(f"| {label} "))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_multiply_adds_are_counted_by_hand():
    """Every position of an output takes one multiplication for each number of a kernel."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.SeparableConv2D(6, 3)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(5)(x))

    assert 4 * 4 * 3 * 3 * 3 * 4 + 2 * 2 * (3 * 3 * 4 + 4 * 6) + 6 * 5 == flops.multiply_adds(model)


def test_xception_is_as_large_as_published():
    """8.4 billion multiply-adds at 299 px and 22.9 million parameters (timm's table: 8.40 and 22.86)."""
    model = Xception().build(1000)

    assert 8.4 == round(flops.multiply_adds(model) / 1e9, 1)
    assert 22_855_952 == sum(weight.numpy().size for weight in model.trainable_weights)


def test_a_kernel_that_is_not_counted_is_refused():
    """The layer is named."""
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.DepthwiseConv2D(3, name="deep")(inputs))

    with pytest.raises(ConfigurationError, match="Received: DepthwiseConv2D 'deep'"):
        flops.multiply_adds(model)


def test_utilisation_is_a_share_of_the_peak():
    """Ten billion multiply-adds are sixty billion operations of training."""
    assert 0.6 == pytest.approx(flops.utilisation(1000, 10_000_000_000, 100))


def test_steps_are_told_as_medians_and_ratios_within_rounds():
    """A round in which the machine was slow for all changes no ratio."""
    rounds = {
        "tensorflow": tuple(map(measurement, (100, 400, 100))),
        "torch": tuple(map(measurement, (150, 600, 150))),
        "timm": tuple(map(rival, (50, 200, 200))),
    }
    left_out = {"jax": "jax is not installed: pip install jax."}
    report = steps.report(Comparison(Setting(), rounds, left_out, 1.25), COMMAND)

    assert ["150.0", "150.0 600.0 150.0", "213", "1.50", "3.00"] == cells(report, "ours on PyTorch")[1:]
    assert ["1.00", "2.00"] == cells(report, "ours on TensorFlow")[-2:]
    assert "Left out: jax. jax is not installed: pip install jax." in report
    assert "keras 3.15.1, timm 1.0.31" in report
    assert "ours: 22,855,952; timm: 22,855,952." in report
    assert "Load average at the start: 1.2." in report
    assert f"`{COMMAND}`" in report


def test_another_network_is_not_compared():
    """It is said, and no ratio is given."""
    rounds = {"tensorflow": (measurement(100, parameters=7),), "timm": (rival(50),)}
    report = steps.report(Comparison(Setting(), rounds, {}), COMMAND)

    assert "ours: 7; timm: 22,855,952. They are NOT the same network" in report
    assert ["1.00", "-"] == cells(report, "ours on TensorFlow")[-2:]
    assert ["-", "1.00"] == cells(report, "timm's in plain PyTorch")[-2:]


def test_throughput_is_told_with_its_share_of_the_peak(on_a_gpu):
    """The rival's arithmetic is ours, since both are one network."""
    report = gpu.report(on_a_gpu, COMMAND)
    ours, timm = cells(report, "ours on JAX"), cells(report, "timm's in plain PyTorch")

    assert ["833.3", "1000.0 714.3", "4.2 %", "120.0", "180.0", "96.0", "4.0", "2.0", "1.75"] == ours[1:10]
    assert "2.5 %" == timm[3]
    assert "-" == timm[7], "how a rival is fed is its own"
    assert (
        "ours on JAX: a step takes 1.25 times one over a single batch on the device, 1.88 times where batches are sent."
    ) in report
    assert "Left out: torch. it was out of memory" in report
    assert "989 TFLOP/s" in report


def test_the_share_of_an_unknown_peak_is_left_out(on_a_gpu):
    """Unless the user gives it."""
    rounds = {"jax": tuple(replace(each, device="another") for each in on_a_gpu.rounds["jax"])}
    unknown = replace(on_a_gpu, rounds=rounds)

    assert "-" == cells(gpu.report(unknown, COMMAND), "ours on JAX")[3]
    assert "42.0 %" == cells(gpu.report(unknown, COMMAND, 100), "ours on JAX")[3]


def test_a_contender_is_really_timed():
    """In this process, on its backend."""
    timed = contenders.measure(backends.backend(), TINY)

    assert timed.step_seconds > 0
    assert timed.input_seconds > 0
    assert timed.multiply_adds > timed.parameters > 0
    assert backends.version("keras") == timed.versions["keras"]


def test_images_on_the_device_are_really_timed():
    """On a CPU they are merely copied."""
    timed = contenders.measure(backends.backend(), replace(TINY, on_device=True))

    assert min(timed.step_seconds, timed.sent_seconds, timed.on_device_seconds) > 0
    assert timed.step_seconds != timed.sent_seconds


def test_a_loss_that_is_no_number_is_no_training():
    """Its time is not reported."""
    with pytest.raises(TrainingError, match="Received: loss=nan"):
        contenders._loop(lambda _index: float("nan"), TINY)


def test_a_setting_reaches_its_process_whole():
    """As JSON."""
    assert TINY == Setting.read(TINY.write())


def test_whoever_cannot_be_timed_is_left_out_and_named(monkeypatch, tmp_path):
    """The others are timed in every round, and everything is kept."""

    def timed(name, _setting):
        if name == "torch":
            msg = "torch is not installed: pip install torch."
            raise comparison.LeftOutError(msg)
        return measurement(100, versions={CONTENDERS[name].backend: "1.0"})

    monkeypatch.setattr(comparison, "_in_a_process", timed)
    path = tmp_path / "figures.json"
    arguments = ["--contender", "tensorflow", "--contender", "torch", "--rounds", "2", "--json", str(path)]
    result = CliRunner().invoke(steps.main, arguments)
    kept = json.loads(path.read_text())

    assert 0 == result.exit_code, result.output
    assert "Left out: torch. torch is not installed: pip install torch." in result.output
    assert "tensorflow 1.0" in result.output
    assert {"tensorflow": 2} == {name: len(rounds) for name, rounds in kept["rounds"].items()}
    assert 32 == kept["setting"]["network"]["image_size"]


def test_nobody_to_time_is_an_error(monkeypatch):
    """With everyone's reason."""
    monkeypatch.setattr(comparison.importlib.util, "find_spec", lambda _name: None)
    result = CliRunner().invoke(steps.main, ["--contender", "jax"])

    assert 1 == result.exit_code
    assert "Received: jax: jax is not installed: pip install jax." in result.output


def test_timm_takes_part_where_the_network_is_its_own():
    """It has one size only."""
    assert "timm" in steps.default_contenders(Setting(Xception(96)))
    assert "timm" not in steps.default_contenders(Setting(Xception(96, width=0.5)))


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (steps.main, ["--width", "0"], "Xception's width must be a positive number. Received: width=0.0"),
        (steps.main, ["--image-size", "4"], "Received: image_size=4"),
        (steps.main, ["--contender", "mxnet"], "'mxnet' is not one of"),
        (steps.main, ["--steps", "0"], "0 is not in the range"),
        (gpu.main, ["--peak-tflops", "0"], "0.0 is not in the range"),
        (gpu.main, ["--contender", "tensorflow"], "'tensorflow' is not one of"),
    ],
)
def test_wrong_input_is_a_usage_error(command, arguments, message):
    """The value received is named."""
    result = CliRunner().invoke(command, arguments)

    assert 2 == result.exit_code
    assert message in result.output.replace("\n", " ")


def run_of(seconds, accuracies, outcomes):
    """A run of the study as its script reads it: trials of one kind, and verdicts."""
    trials = {
        digest: {
            "trial": {"frozen": ["entry"]},
            "label_names": ["cat", "dog"],
            "seconds": seconds / 10,
            "scores": {"accuracy": accuracy},
            "predictions": str(accuracy),
            "weights": "the same",
        }
        for digest, accuracy in accuracies.items()
    }
    return study.Run(seconds, outcomes, trials)


def test_both_paths_of_a_study_are_compared_by_time_and_by_what_they_say():
    """Ratios of the whole and of each kind of trial, differences of scores, and verdicts that are not the same."""
    default = run_of(20, {"a": 0.5, "b": 0.75, "c": 0.9}, {"one": "supported", "two": "inconclusive"})
    again = run_of(4, {}, {})
    reference = run_of(100, {"a": 0.5, "b": 0.65}, {"one": "supported", "two": "refuted"})

    text = study.compare(default, again, reference)

    assert "| default path, nothing stored    |      20.0 |            5.00 |" in text
    assert "| default path, everything stored |       4.0 |            25.0 |" in text
    assert ["entry", "2", "2.0", "10.0", "5.0", "1"] == cells(text, "2")[1:]
    assert "3 and 2 trials, 2 of them in both; 2 end in the same weights and 1 make the same predictions" in text
    assert "bit for bit, 1 end in the same accuracy, and the" in text
    assert "mean difference is 5.00% (largest 10.00%)" in text
    assert "Verdicts: 2, differing 1; two: inconclusive by default, refuted by the reference path." in text


def test_a_run_has_as_many_threads_as_it_is_given(tmp_path, monkeypatch):
    """Its process has the backend's variables, and this one's."""
    given = []

    def run(_command, *, env, **_options):
        given.append(env)
        return SimpleNamespace(returncode=2)

    monkeypatch.setattr(study.subprocess, "run", run)
    monkeypatch.setenv("TLBENCH_CACHE", "mine")
    for threads in (1, None):
        with pytest.raises(ClickException, match="exit status 2"):
            study.run(tmp_path, "store", (), threads=threads)

    with_one, as_it_is = given
    assert as_it_is | backends.thread_variables(1) == with_one
    assert "mine" == as_it_is["TLBENCH_CACHE"]


def test_a_study_is_timed_in_an_empty_folder_only(tmp_path):
    """What is stored would not be trained."""
    (tmp_path / "something").touch()

    result = CliRunner().invoke(study.main, [str(tmp_path)])

    assert 2 == result.exit_code
    assert "must be empty" in result.output


def test_growth_is_told_by_a_line_and_an_exponent():
    """Twice the seeds at twice the time but for a start of 10 seconds."""
    text = scaling.describe((1, 2, 4), [20.0, 30.0, 50.0], "seeds")

    assert "10 s and 10.0 s for each (seeds); on logarithmic axes the slope is 0.66." in text


def test_more_images_are_profiles_of_the_miniature():
    """Trained on as many times the images."""
    profiles = scaling.pytest_tlbench_profiles()

    assert [480, 960, 1920] == [profile.split.training_images for profile in profiles]
    assert {"miniature-1x", "miniature-2x", "miniature-4x"} == {profile.name for profile in profiles}
