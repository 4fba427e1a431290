"""Versions from lock files and files of requirements, in the formats that tools write."""

from __future__ import annotations

import re

import pytest

from tlbench.errors import ConfigurationError
from tlbench.hosts.locks.reading import read, titles
from tlbench.machine.packages import matters


# As uv 0.13 writes it, without hashes: two versions of NumPy by Python's, packages of an extra, a group, a plugin's
# extra, another platform, another index, and a repository.
UV = """
version = 1
revision = 5
requires-python = ">=3.11"

[[package]]
name = "leaves"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "keras" },
    { name = "numpy", version = "2.2.6", source = PYPI, marker = "python_full_version < '3.12'" },
    { name = "numpy", version = "2.5.5", source = PYPI, marker = "python_full_version >= '3.12'" },
    { name = "requests" },
    { name = "tensorflow", extra = ["and-cuda"] },
    { name = "tensorflow-macos", marker = "sys_platform == 'nowhere'" },
]

[package.optional-dependencies]
photographs = [{ name = "pillow" }]

[package.dev-dependencies]
dev = [{ name = "torch" }, { name = "jax" }]

[[package]]
name = "keras"
version = "3.15.1"
source = PYPI
dependencies = [{ name = "ml-dtypes" }]

[[package]]
name = "ml-dtypes"
version = "0.6.0"
source = PYPI

[[package]]
name = "numpy"
version = "2.2.6"
source = PYPI
resolution-markers = ["python_full_version < '3.12'"]

[[package]]
name = "numpy"
version = "2.5.5"
source = PYPI
resolution-markers = ["python_full_version >= '3.12'"]

[[package]]
name = "nvidia-cudnn-cu12"
version = "9.3.0.75"
source = PYPI

[[package]]
name = "pillow"
version = "12.0.0"
source = PYPI

[[package]]
name = "requests"
version = "2.32.0"
source = PYPI

[[package]]
name = "tensorflow"
version = "2.21.0"
source = PYPI
dependencies = [{ name = "keras" }, { name = "numpy", marker = "python_full_version < '3'" }]

[package.optional-dependencies]
and-cuda = [{ name = "nvidia-cudnn-cu12" }]
never = [{ name = "tf-nightly" }]

[[package]]
name = "tensorflow-macos"
version = "2.16.2"
source = PYPI

[[package]]
name = "tf-nightly"
version = "2.22.0"
source = PYPI

[[package]]
name = "torch"
version = "2.9.1+cpu"
source = { registry = "https://download.pytorch.org/whl/cpu" }

[[package]]
name = "jax"
version = "0.10.2"
source = { git = "https://github.com/jax-ml/jax?rev=main#0123456789abcdef" }
""".replace("PYPI", '{ registry = "https://pypi.org/simple" }')

POETRY = """
[[package]]
name = "keras"
version = "3.15.1"
optional = false
python-versions = ">=3.11"
groups = ["main"]

[[package]]
name = "numpy"
version = "2.2.6"
optional = false
python-versions = ">=3.10,<3.12"
groups = ["main"]
markers = "python_version < \\"3.12\\""

[[package]]
name = "numpy"
version = "2.5.5"
optional = false
python-versions = ">=3.12"
groups = ["main"]
markers = {main = "python_version >= \\"3.12\\"", dev = "sys_platform == \\"nowhere\\""}

[[package]]
name = "pillow"
version = "12.0.0"
optional = true
python-versions = ">=2.7, !=3.0.* || >=3.10"
groups = ["dev"]
markers = "extra == \\"photographs\\""

[[package]]
name = "torch"
version = "2.9.1+cpu"
optional = false
python-versions = "*"
groups = ["main"]

[package.source]
type = "legacy"
url = "https://download.pytorch.org/whl/cpu"
reference = "pytorch"

[[package]]
name = "jax"
version = "0.10.2"
optional = false
python-versions = "*"

[package.source]
type = "git"
url = "https://github.com/jax-ml/jax"
reference = "main"
resolved_reference = "0123456789abcdef"

[extras]
photographs = ["pillow"]

[metadata]
lock-version = "2.1"
python-versions = ">=3.11"
content-hash = "0"
"""

PYLOCK = """
lock-version = "1.0"
created-by = "uv"
default-groups = ["dev"]

[[packages]]
name = "keras"
version = "3.15.1"
index = "https://pypi.org/simple"
wheels = [{ url = "https://files/keras-3.15.1-py3-none-any.whl", hashes = { sha256 = "0" } }]

[[packages]]
name = "numpy"
version = "2.2.6"
marker = "python_version < '3.12'"
index = "https://pypi.org/simple"
wheels = [{ url = "https://files/numpy-2.2.6-py3-none-any.whl", hashes = { sha256 = "0" } }]

[[packages]]
name = "numpy"
version = "2.5.5"
marker = "python_version >= '3.12'"
index = "https://pypi.org/simple"
wheels = [{ url = "https://files/numpy-2.5.5-py3-none-any.whl", hashes = { sha256 = "0" } }]

[[packages]]
name = "pillow"
version = "12.0.0"
marker = "'dev' in dependency_groups"
index = "https://pypi.org/simple"
wheels = [{ url = "https://files/pillow-12.0.0-py3-none-any.whl", hashes = { sha256 = "0" } }]

[[packages]]
name = "torch"
version = "2.9.1+cpu"
index = "https://download.pytorch.org/whl/cpu"
wheels = [{ url = "https://files/torch-2.9.1%2Bcpu-py3-none-any.whl", hashes = { sha256 = "0" } }]

[[packages]]
name = "jax"
vcs = { type = "git", url = "https://github.com/jax-ml/jax", commit-id = "0123456789abcdef" }
"""

REQUIREMENTS = """
# Written by hand and by pip-compile.
--extra-index-url https://download.pytorch.org/whl/cpu
-r more/base.txt
-c constraints.txt
-e .
keras==3.15.1 \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via leaves
numpy==2.2.6 ; python_version < "3.12"  # the last for 3.11
numpy==2.5.5 ; python_version >= "3.12"
jax @ git+https://github.com/jax-ml/jax@0123456789abcdef
torch==2.9.1+cpu
requests
"""

CONDA = """
name: leaves
channels: [conda-forge]
dependencies:
  - python=3.12
  - conda-forge::keras==3.15.1
  - numpy=2.5.5=py312_0
  - ml_dtypes =0.6
  - jaxlib >=0.10,<0.11
  - cudnn=9.3
  - pip
  - pip:
      - jax @ git+https://github.com/jax-ml/jax@0123456789abcdef
      - -r more/base.txt
"""

JAX = "jax @ git+https://github.com/jax-ml/jax@0123456789abcdef"


@pytest.fixture
def write(tmp_path):
    """A function that writes a file, with what files of requirements include."""

    def write(name, text):
        (tmp_path / "more").mkdir(exist_ok=True)
        (tmp_path / "more" / "base.txt").write_text("Pillow\n-r ../requirements.txt\n")
        (tmp_path / "requirements.txt").touch()
        (tmp_path / "constraints.txt").write_text("pillow==12.0.0\nml_dtypes==0.6.0\n")
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", UV),
        ("poetry.lock", POETRY),
        ("pylock.dev.toml", PYLOCK),
        ("requirements.txt", REQUIREMENTS),
    ],
)
def test_a_file_of_each_format_gives_the_packages_that_matter(name, text, write):
    """For the Python that is asked for, with indexes and repositories; no other package."""
    path = write(name, text)
    older, newer = read(path, "3.11"), read(path, "3.12")
    shared = {"jax": JAX, "keras": "keras==3.15.1", "pillow": "pillow==12.0.0", "torch": "torch==2.9.1+cpu"}
    alone = {name: older.packages[name] for name in older.packages.keys() - shared.keys() - {"numpy"}}

    assert shared | alone | {"numpy": "numpy==2.2.6"} == older.packages
    assert shared | alone | {"numpy": "numpy==2.5.5"} == newer.packages
    assert ("https://download.pytorch.org/whl/cpu",) == older.indexes
    of_tensorflow = {"tensorflow": "tensorflow==2.21.0", "nvidia-cudnn-cu12": "nvidia-cudnn-cu12==9.3.0.75"}
    assert (of_tensorflow | {"ml-dtypes": "ml-dtypes==0.6.0"} if name == "uv.lock" else {}) == alone


def test_conda_names_packages_as_pypi_does_and_python(write):
    """A build makes a version exact; packages that PyPI lacks are told."""
    pytest.importorskip("yaml")

    locked = read(write("environment.yml", CONDA))

    assert "3.12" == locked.python
    assert {
        "jax": JAX,
        "jaxlib": "jaxlib<0.11,>=0.10",
        "keras": "keras==3.15.1",
        "ml-dtypes": "ml-dtypes==0.6.*",
        "numpy": "numpy==2.5.5",
        "pillow": "pillow",
    } == locked.packages
    assert ("cudnn=9.3",) == locked.left_out


def test_the_content_says_the_format_of_a_lock(write):
    """Whatever the file is called, as a copy of an older side."""
    assert read(write("uv.lock", UV)).packages == read(write("a.lock", UV)).packages


def test_requirements_of_several_lines_are_joined(write):
    """Every line has to fit; the address of a wheel or a repository is of its package, a folder of none."""
    wheel = "https://files/torch-2.9.1-cp311-cp311-linux_x86_64.whl"
    jax = "git+https://github.com/jax-ml/jax@01"
    text = f"keras>=3.14\nkeras<3.16\n./project\n{wheel}\ntensorflow[and-cuda]==2.21\n-e {jax}#egg=jax\n"

    packages = read(write("requirements-dev.txt", text)).packages

    assert {
        "jax": f"jax @ {jax}",
        "keras": "keras<3.16,>=3.14",
        "tensorflow": "tensorflow[and-cuda]==2.21",
        "torch": f"torch @ {wheel}",
    } == packages


def test_a_change_is_named_after_the_packages_that_differ(write):
    """Keras first, and no more than three; where nothing differs, after the first ones."""
    new = read(write("uv.lock", UV), "3.12")
    old = read(write("old.lock", UV.replace("3.15.1", "3.14.0").replace("12.0.0", "11.0.0")), "3.11")

    assert (
        "keras==3.14.0 numpy==2.2.6 pillow==11.0.0",
        "keras==3.15.1 numpy==2.5.5 pillow==12.0.0",
    ) == titles(old, new)
    assert ("keras==3.15.1 tensorflow==2.21.0 " + JAX,) * 2 == titles(new, new)


def test_packages_that_come_and_go_and_many_changes_are_told_in_few_words(write):
    """The number of further ones is given."""
    old = read(write("requirements-old.txt", "keras==1\njax==1\ntorch==1\nnumpy==1\npillow==1"))
    new = read(write("requirements-new.txt", "keras==2\njax==2\nnumpy==2\npillow==2"))

    assert ("keras==1 jax==1 torch==1 and 2 more", "keras==2 jax==2 no torch and 2 more") == titles(old, new)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("uv.lock", "version = [", "cannot be read as TOML"),
        ("uv.lock", "[[package]]\nname = 'x'", "is no lock file that tlbench reads; .* Received: keys package"),
        (
            "uv.lock",
            "version = 1\n[[package]]\nversion = '1'",
            "is not as the tool that locks writes it; lock it again",
        ),
        ("pylock.toml", 'lock-version = "1.0"\npackages = 3', "as PEP 751 specifies"),
        ("requirements.txt", "keras=3", "no requirement such as keras==3.15.1; correct it. Received: 'keras=3'"),
        ("requirements.txt", "-r gone.txt", r"cannot be read; name one that is there.*gone\.txt"),
        ("environment.yml", "dependencies: 3", "lists no dependencies"),
        ("environment.yml", "dependencies: [keras=3|4]", "a version that cannot be read; write it as keras=3.15.1"),
        ("environment.yml", "a: [", "cannot be read as YAML"),
        ("poetry.lock", POETRY.replace('version = "3.15.1"', "x = 1"), "is not as the tool that locks writes it"),
        ("poetry.lock", POETRY.replace("python_version <", "python <"), "an environment marker that cannot be read"),
        ("poetry.lock", re.sub("markers = .*", "", POETRY).replace(",<3.12", ""), "several versions of numpy"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_a_remedy(name, text, message, write):
    """One line says the file, the value and what to do."""
    if name == "environment.yml":
        pytest.importorskip("yaml")

    with pytest.raises(ConfigurationError, match=message) as raised:
        read(write(name, text), "3.12")

    assert name in str(raised.value) or "gone.txt" in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    """The formats that are read are listed."""
    with pytest.raises(ConfigurationError, match=r"uv\.lock, poetry\.lock.*Received: .*nowhere\.lock"):
        read(tmp_path / "nowhere.lock")


@pytest.mark.parametrize("name", ["Keras", "nvidia-cudnn-cu12", "jax_cuda12_plugin", "NumPy", "ml_dtypes"])
def test_a_package_that_can_move_a_score_matters(name):
    """In any spelling."""
    assert matters(name)


@pytest.mark.parametrize("name", ["requests", "tensorflow-datasets", "keras-tuner", "pytest", "numpydoc"])
def test_other_packages_do_not_matter(name):
    """Similar names are no reason."""
    assert not matters(name)
