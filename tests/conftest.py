"""Helpers that tests share."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# float32 sums in a fixed order, whatever the machine's load.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

_TOLERANCE = {"float64": 1e-11, "float32": 2e-5}


@pytest.fixture
def assert_close() -> Callable[..., None]:
    """Asserts closeness with the tolerance of the coarser dtype: nothing is typed at the call."""

    def check(actual: Any, expected: Any) -> None:
        actual, expected = np.asarray(actual), np.asarray(expected)
        coarse = np.float32 in (actual.dtype, expected.dtype)
        tolerance = _TOLERANCE["float32" if coarse else "float64"]
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)

    return check


@pytest.fixture
def run_launcher() -> Callable[..., subprocess.CompletedProcess]:
    """Runs a launcher as a user does and gives its exit status and output."""

    def run(name: str, *flags: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        command = [sys.executable, *python, str(ROOT / "launchers" / f"{name}.py"), *flags]
        return subprocess.run(command, capture_output=True, text=True, timeout=600)

    return run


@pytest.fixture(scope="session")
def embedded_dir(tmp_path_factory) -> pathlib.Path:
    """A data folder in which the embedded sets are prepared; do not change it."""
    from spectral_tf.data import EMBEDDED, find_images

    folder = tmp_path_factory.mktemp("data")
    for name in EMBEDDED:
        find_images(name, data_dir=str(folder))
    return folder


@pytest.fixture(scope="session")
def mnist_dir() -> pathlib.Path:
    """A data folder with the real MNIST, or a skip."""
    for folder in (os.environ.get("TFDS_DATA_DIR"), ROOT.parent / "shared" / "data" / "tfds"):
        if folder and (pathlib.Path(folder) / "mnist" / "3.0.1" / "features.json").is_file():
            return pathlib.Path(folder)
    pytest.skip("no prepared MNIST in TFDS_DATA_DIR or beside the project")
