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
