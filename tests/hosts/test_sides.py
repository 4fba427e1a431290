"""The two sides of an upgrade: packages of lock files, backends, Python, variables and flags."""

from __future__ import annotations

import pytest

from tlbench.errors import ConfigurationError
from tlbench.hosts.requirements import Requirements, Settings
from tlbench.hosts.sides import SideOptions, of_locks, of_requirements
from tlbench.machine import backends, flags, installed


PLAIN = (SideOptions(), SideOptions())


@pytest.fixture
def lock(tmp_path):
    """A function that writes a file of requirements."""

    def write(name, *lines):
        path = tmp_path / f"{name}.txt"
        path.write_text("\n".join(lines))
        return path

    return write


def test_lock_files_give_all_that_matters(lock):
    """As requirements of each side, under a name that says the difference."""
    old = lock("old", "keras==1", "numpy==2", "requests==3")

    sides = of_locks(old, lock("new", "keras==2", "numpy==2"), ("tlx==1",), None, PLAIN)

    assert sides.changed
    assert ("keras==1", "keras==2") == sides.names
    assert Requirements(("keras==1", "numpy==2"), "tensorflow", ("tlx==1",), title="keras==1") == sides.old


def test_the_backend_of_the_lock_files_is_used(lock):
    """The first that both have, unless the user says another; each file's own where they share none."""
    torch, both, none = lock("torch", "keras==1", "torch==2"), lock("both", "jax==1", "torch==2"), lock("none", "keras")

    def chosen(old, new, backend=None, options=PLAIN):
        sides = of_locks(old, new, (), backend, options)
        return sides.old.backend, sides.new.backend

    assert ("torch", "torch") == chosen(torch, both)
    assert ("jax", "jax") == chosen(both, both)
    assert ("torch", "tensorflow") == chosen(torch, none)
    assert ("jax", "jax") == chosen(torch, both, "jax")
    assert ("jax", "torch") == chosen(torch, both, "jax", (SideOptions(), SideOptions("torch")))


def test_a_backend_that_the_study_does_not_run_on_is_left_out(lock):
    """It would take gigabytes and prove nothing; a note says so, and how to compare it."""
    old, new = (
        lock("old", "keras==1", "tensorflow==1", "torch==1"),
        lock("new", "keras==1", "tensorflow==1", "torch==2"),
    )

    sides = of_locks(old, new, (), None, PLAIN)
    on_torch = of_locks(old, new, (), "torch", PLAIN)

    assert not sides.changed
    assert ("keras==1", "tensorflow==1") == sides.new.packages
    assert (
        "Not compared, since the study runs on tensorflow (--backend chooses another): torch==1 -> torch==2",
    ) == sides.notes
    assert on_torch.changed
    assert () == on_torch.notes
    assert ("keras==1", "torch==2") == on_torch.new.packages
    assert of_locks(old, new, (), None, (SideOptions(), SideOptions("torch"))).changed


def test_files_that_agree_in_what_matters_are_no_change(lock):
    """Nor are files without any such package; another setting is one."""
    old, new = lock("old", "keras==1", "requests==1"), lock("new", "keras==1", "requests==2")

    assert not of_locks(old, new, (), None, PLAIN).changed
    assert not of_locks(lock("a", "requests==1"), lock("b", "requests==2"), (), None, PLAIN).changed
    for option in (SideOptions("jax"), SideOptions(python="3.12"), SideOptions(variables=("A=1",))):
        assert of_locks(old, new, (), None, (SideOptions(), option)).changed


def test_a_package_that_pypi_lacks_is_no_silent_agreement(tmp_path):
    """A change of conda's cuDNN alone says that it was not compared."""
    pytest.importorskip("yaml")
    for name in ("9.3", "9.4"):
        (tmp_path / f"{name}.yml").write_text(f"dependencies: [keras=3.15.1, cudnn={name}]")

    sides = of_locks(tmp_path / "9.3.yml", tmp_path / "9.4.yml", (), None, PLAIN)

    assert not sides.changed
    assert ("Not compared, since PyPI does not have these packages of conda: cudnn=9.3 -> cudnn=9.4",) == (
        sides.not_compared
    )


def test_a_side_without_packages_that_matter_is_refused(lock):
    """With the way to name them."""
    with pytest.raises(ConfigurationError, match=r'old\.txt has no package.*tlbench upgrade "OLD" "NEW"'):
        of_locks(lock("old", "requests"), lock("new", "keras==1"), (), None, PLAIN)


def test_sides_are_told_apart_by_their_settings():
    """In their names, which saved runs have too."""
    options = (SideOptions("jax", None, (), ("tf32=on",)), SideOptions("torch", "3.12", ("A=1", "B=a=b")))

    sides = of_requirements("keras==1", "keras==1", (), None, options)

    assert (
        "keras==1 JAX_DEFAULT_MATMUL_PRECISION=tensorfloat32 on jax",
        "keras==1 python 3.12 A=1 B=a=b on torch",
    ) == sides.names


def test_another_tensorflow_beside_torch_is_no_change(lock):
    """A study on PyTorch needs none, and a note says that it was not compared."""
    old, new = lock("old", "torch==1", "tensorflow==1"), lock("new", "torch==1", "tensorflow==2")

    sides = of_locks(old, new, (), "torch", PLAIN)

    assert not sides.changed
    assert ("torch==1",) == sides.new.packages
    assert 1 == len(sides.notes)


def test_each_side_has_its_own_backend_alone(lock):
    """From one lock file with both; its name tells of no package that is gone."""
    file = lock("both", "keras==1", "tensorflow==1", "jax==1")

    sides = of_locks(file, file, (), None, (SideOptions("tensorflow"), SideOptions("jax")))

    assert ("keras==1", "tensorflow==1") == sides.old.all
    assert ("jax==1", "keras==1") == sides.new.all
    assert ("keras==1 tensorflow==1 jax==1 on tensorflow", "keras==1 tensorflow==1 jax==1 on jax") == sides.names


def test_the_backend_of_requirements_is_one_that_both_sides_name(monkeypatch):
    """Or else the one here, which may be none: then it is TensorFlow."""

    def chosen(old, new):
        sides = of_requirements(old, new, (), None, PLAIN)
        return sides.old.backend, sides.new.backend

    assert ("jax", "jax") == chosen("jax==1", "numpy==2 jax==2")
    assert ("tensorflow", "tensorflow") == chosen("keras==1", "jaxtyping==1 keras==2")

    monkeypatch.setattr(backends, "backend", lambda: "torch")

    assert ("torch", "torch") == chosen("keras==1", "keras==2 jax==1")

    monkeypatch.setattr(installed, "chosen", lambda: None)

    assert ("tensorflow", "tensorflow") == chosen("keras==1", "keras==2")


@pytest.mark.parametrize(
    ("packages", "backend", "here", "expected"),
    [
        (("keras==1",), "tensorflow", "2.21.0", ("keras==1", "tensorflow>=2.16")),
        (("keras==1",), "jax", "0.10.2", ("keras==1", "jax==0.10.2")),
        (("keras==1",), "torch", None, ("keras==1", "torch>=2.2")),
        (("tensorflow-cpu==2",), "tensorflow", "2.21.0", ("tensorflow-cpu==2",)),
        (("jaxlib==1",), "jax", None, ("jaxlib==1", "jax>=0.4.30")),
        (("torch==2", "jax==1"), "torch", "1", ("torch==2", "jax==1")),
    ],
)
def test_an_environment_has_its_backend_and_no_other(packages, backend, here, expected, monkeypatch):
    """As it is named, under any of its names; or else as it is here, and for TensorFlow as Keras has it."""
    monkeypatch.setattr(installed, "version", lambda _name: here)

    assert (*expected, "tlx==1") == Requirements(packages, backend, ("tlx==1",)).all


@pytest.mark.parametrize("flag", flags.FLAGS)
def test_a_flag_sets_variables_that_keep_results_apart(flag):
    """On each backend that has them."""
    for backend in flags.FLAGS[flag]:
        assert set(flags.variables(flag, backend)) <= set(backends.DECISIVE_VARIABLES)


def test_a_flag_adds_to_what_xla_is_told_already(monkeypatch):
    """By the user's own XLA_FLAGS."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")

    assert {"XLA_FLAGS": "--xla_dump_to=x --xla_gpu_deterministic_ops=true"} == flags.variables(
        "deterministic=on", "jax"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (SideOptions(variables=("A",)), "written as NAME=VALUE, .* Received: 'A'"),
        (SideOptions(variables=("1A=2",)), "written as NAME=VALUE"),
        (SideOptions(variables=("KERAS_BACKEND=jax",)), "KERAS_BACKEND is set by --backend"),
        (SideOptions(variables=("TLBENCH_ENVIRONMENT=x",)), "leave the variable out"),
        (SideOptions(python="3"), "for instance 3.12. Received: '3'"),
        (SideOptions("torch", named=("deterministic=on",)), "torch has no environment variable for deterministic=on"),
        (SideOptions(named=("fast",)), "A flag is one of tf32=off, .*Received: 'fast'"),
    ],
)
def test_bad_settings_are_refused(options, message):
    """With the value and a remedy."""
    with pytest.raises(ConfigurationError, match=message):
        of_requirements("keras==1", "keras==2", (), None, (options, SideOptions()))


def test_the_settings_of_a_side_come_in_one_order():
    """Equal settings are equal, however they were typed."""
    assert Settings.parse("tensorflow", None, ["B=1", "A=2"], []) == Settings.parse(
        "tensorflow", None, ["A=2", "B=1"], []
    )
