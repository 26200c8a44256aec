import subprocess
import sys

import pytest
from conftest import ROOT

# As on a machine where no build of TensorFlow is installed.
WITHOUT_TENSORFLOW = """
import os, sys
os.environ["EPATH_USE_TF"] = "false"  # It looks whether there is one, and finds this instead.
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])
sys.meta_path.insert(0, Blocked())
"""
# They compare finished runs, or train with another library.
OTHERS = {"claims", "noise_fitting_compare", "lf_first_pytorch"}


def without_tensorflow(code):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW + code], capture_output=True, text=True, cwd=ROOT
    )


def test_the_measuring_core_needs_no_tensorflow():
    result = without_tensorflow(
        "import numpy as np\n"
        "from spectral_tf import spectra, tasks\n"
        "task = tasks.SumOfSines([2, 5], [1, 1], [0, 0], num_samples=32)\n"
        "print(spectra.normalised_magnitudes(task.targets, [2, 5], [1, 1]).round(9).tolist())"
    )
    assert result.stdout.strip() == "[1.0, 1.0]", result.stderr


@pytest.mark.parametrize("name", ["training.Ensemble", "probes.outputs", "data.select"])
def test_what_needs_tensorflow_names_the_three_commands(name):
    room = name.partition(".")[0]
    result = without_tensorflow(
        f"from spectral_tf import {room}\n"
        f"try:\n    {name}\nexcept ImportError as error:\n    print(error)"
    )
    (line,) = result.stdout.splitlines()
    for build in ("cpu", "gpu", "tpu"):
        assert f"pip install 'spectral-tf[{build}]'" in line


@pytest.mark.parametrize(
    "page", sorted({path.stem for path in (ROOT / "launchers").glob("*.py")} - OTHERS)
)
def test_launchers_without_tensorflow_tell_the_same_line_and_no_traceback(page, tmp_path):
    path = str(ROOT / "launchers" / f"{page}.py")
    result = without_tensorflow(
        "import os, runpy\n"
        f"os.environ['TFDS_DATA_DIR'] = {str(tmp_path / 'data')!r}  # Where nothing is prepared.\n"
        f"sys.argv = [{path!r}, '--workdir={tmp_path / 'run'}']\n"
        f"runpy.run_path({path!r}, run_name='__main__')"
    )
    assert result.returncode == 2, result.stderr
    *before, line = result.stderr.splitlines()
    assert all("data set: " in said for said in before), result.stderr
    assert "pip install 'spectral-tf[cpu]'" in line
    assert not (tmp_path / "run").exists()


def test_the_public_names_are_few_and_load_little():
    code = (
        "import sys, spectral_tf\n"
        "names = [n for n in spectral_tf.__all__ if not n.startswith('_')]\n"
        "[getattr(spectral_tf, n) for n in names if n != 'SpectrumCallback']\n"
        "slow = ('tensorflow', 'keras', 'matplotlib', 'torch', 'jax', 'scipy.stats', 'sklearn')\n"
        "print(len(names), [m for m in slow if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "11 []", result.stdout + result.stderr


def test_functions_are_measured_and_saved_without_tensorflow(tmp_path):
    result = without_tensorflow(
        "import numpy as np, spectral_tf as st\n"
        "found = st.measure(lambda x: np.sin(2 * np.pi * 3 * x), st.Grid(64))\n"
        f"found.save({str(tmp_path / 'run')!r})\n"
        f"print(st.load({str(tmp_path / 'run')!r})['power'].round(6).tolist()[3])"
    )
    assert result.stdout.strip() == "0.5", result.stderr
