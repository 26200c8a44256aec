"""The wheel and the sdist: complete, and usable away from the clone."""

import ast
import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata

import pytest
from conftest import ROOT
from setuptools import find_packages

pytestmark = pytest.mark.long

# Where the package is, and a short use of it without TensorFlow.
EXAMPLE = """
import numpy as np, spectral_tf as st
found = st.measure(lambda x: np.sin(2 * np.pi * 3 * x), st.Grid(64))
print(st.__file__, found["power"].round(6).tolist()[3])
"""
# What works without: a build of TensorFlow to choose, and libraries of models and peers.
OPTIONAL = {"finufft", "jax", "optax", "tensorflow", "torch", "torchvision"}
# Extras with which parts of the package work; the others are builds of TensorFlow, and tests.
EXTRAS = ("cpu", "finufft", "torch", "jax", "torchvision", "s3")


def run(*command, **settings):
    result = subprocess.run(command, capture_output=True, text=True, timeout=900, **settings)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with both; the wheel is built of what the sdist holds."""
    pytest.importorskip("build", reason="pip install build")
    folder = tmp_path_factory.mktemp("dist")
    # With what is installed: no network is needed.
    run(sys.executable, "-m", "build", "--no-isolation", f"--outdir={folder}", ROOT)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The python of a new environment with the wheel, which sees this one's other packages."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    here = [path for path in sys.path if path.endswith("-packages")]
    (site / "others.pth").write_text("\n".join(here) + "\n")
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", f"--python={python}", "install", "--no-deps"]
    run(*pip, "--ignore-installed", "--no-index", wheel)
    return python


@pytest.fixture
def away(installed, tmp_path):
    """Runs in the new environment, in an empty folder."""
    environ = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def of(*command):
        name, *arguments = command
        return subprocess.run(
            [installed.with_name(name), *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environ,
            timeout=900,
        )

    return of


def test_the_wheel_holds_every_module_launcher_and_file_of_the_package(built):
    (wheel,) = built.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    tracked = run("git", "ls-files", "spectral_tf", "launchers", cwd=ROOT).splitlines()
    wanted = {re.sub(r"^launchers/", "spectral_tf/launchers/", name) for name in tracked}
    assert wanted - held == set()
    packages = find_packages(ROOT, include=["spectral_tf*"])
    assert {f"{p.replace('.', '/')}/__init__.py" for p in packages} <= held
    assert any(name.endswith("licenses/LICENSE") for name in held)
    assert not any(name.startswith(("tests/", "launchers/", "results/")) for name in held)


def test_the_sdist_holds_what_the_tests_read(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    tracked = run("git", "ls-files", cwd=ROOT).splitlines()
    wanted = {n for n in tracked if not n.startswith(("results/", ".git"))}
    assert wanted - held == set()


def test_the_api_runs_away_from_the_clone(away):
    result = away("python", "-c", EXAMPLE)
    assert result.returncode == 0, result.stderr
    file, power = result.stdout.split()
    assert str(ROOT) not in file
    assert power == "0.5"


def imported(wheel):
    """Names of the packages that the modules of a wheel import, without Python's and its own."""
    with zipfile.ZipFile(wheel) as opened:
        files = [name for name in opened.namelist() if name.endswith(".py")]
        trees = [ast.parse(opened.read(name)) for name in files]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level}
    own = {"spectral_tf", *(name.rpartition("/")[2].removesuffix(".py") for name in files)}
    return {name.partition(".")[0] for name in found} - own - set(sys.stdlib_module_names)


def declared(wheel, extra):
    """The distributions that a wheel wants, with one of its extras or ("") without."""
    with zipfile.ZipFile(wheel) as opened:
        (file,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        lines = email.message_from_bytes(opened.read(file)).get_all("Requires-Dist")
    of = [line.partition(";") for line in lines]
    wanted = [
        name
        for name, _, when in of
        if re.findall(r'extra == "(\w+)"', when) == [extra] * bool(extra)
    ]
    return {re.match(r"[\w.-]+", name)[0].lower().replace("_", "-") for name in wanted}


def test_every_package_that_is_imported_is_declared(built):
    """Always, or with an extra where the package works without."""
    (wheel,) = built.glob("*.whl")
    base, optional = declared(wheel, ""), set().union(*(declared(wheel, e) for e in EXTRAS))
    held = metadata.packages_distributions()
    names = imported(wheel)
    assert {"keras", "numpy", "tensorflow"} <= names
    for name in sorted(names):
        of = {d.lower().replace("_", "-") for d in held.get(name, [name])}
        if name == "tensorflow":
            of.add("tensorflow-cpu")
        assert of & (optional if name in OPTIONAL else base), f"{name}, of {of}"


def test_the_model_of_the_readme_is_measured_away_from_the_clone(away, tmp_path):
    """Its own example, as it stands there: a Keras model, `fit` with the callback, a folder."""
    section = (ROOT / "README.md").read_text().split("## Your own model")[1]
    example = re.search(r"```python\n(.*?)```", section, re.S)[1]
    assert "import keras" in example
    result = away("python", "-c", example)
    assert result.returncode == 0, result.stderr
    assert re.search(r"learned to half at step, by cycles per unit: 2: \d+", result.stdout)
    assert "strongest, by cycles per unit: 2: " in result.stdout
    assert (tmp_path / "runs" / "mine" / "report.html").is_file()


def test_a_short_experiment_runs_away_from_the_clone(away, tmp_path):
    listed = away("spectral-tf")
    assert "lf_first" in listed.stdout
    flags = ("--num_runs=1", "--num_steps=20", "--width=8", "--depth=2", "--workdir=mine")
    result = away("spectral-tf", "lf_first", *flags)
    assert result.returncode == 0, result.stderr
    assert "run folder: " in result.stdout
    assert (tmp_path / "mine" / "summary.json").is_file()
    assert [line for line in result.stderr.splitlines() if "progress.py" not in line] == []
    away_from_results = away(
        "spectral-tf", "lf_first", "--flagfile=results/lf_first/equal/run.flags"
    )
    assert away_from_results.returncode == 2
    assert "results/ is in the repository, not in the installed package" in away_from_results.stderr
    refused = away("spectral-tf", "robustness", "--from_run=none")
    assert "make it: spectral-tf lf_first --workdir=none" in refused.stderr
