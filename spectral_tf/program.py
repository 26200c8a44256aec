"""The experiments' files, and how the user has called one of them.

There is one file for each experiment. In a clone it is `launchers/NAME.py`; a wheel has the same
folder as `spectral_tf/launchers`. `python launchers/NAME.py` and `spectral-tf NAME` run that file.
"""

from __future__ import annotations

import os
import pathlib
import runpy
import sys
from collections.abc import Sequence

COMMAND = "spectral-tf"

_by_command = False


def folder() -> pathlib.Path:
    """Where the experiments' files are: beside the package in a clone, in it if it is installed."""
    package = pathlib.Path(__file__).parent
    inside = package / "launchers"
    return inside if inside.is_dir() else package.parent / "launchers"


def results() -> pathlib.Path | None:
    """The folder of committed results, which is in a clone alone."""
    beside = folder().parent / "results"
    return beside if beside.is_dir() else None


def experiment() -> str:
    """The name of the experiment that this process runs."""
    return os.path.basename(sys.argv[0]).removesuffix(".py")


def is_experiment() -> bool:
    """Whether this process runs one of the experiments' files."""
    file = pathlib.Path(*sys.argv[:1])
    return file.is_file() and file.resolve().parent == folder().resolve()


def called() -> str:
    """How the user has called it, to begin a line with: lf_first.py, or spectral-tf lf_first."""
    return f"{COMMAND} {experiment()}" if _by_command else os.path.basename(sys.argv[0])


def command(name: str) -> str:
    """What a user types to run an experiment, in the form in which this one was called.

    >>> command("robustness")
    'python launchers/robustness.py'
    """
    installed = folder().parent == pathlib.Path(__file__).parent
    return f"{COMMAND} {name}" if _by_command or installed else f"python launchers/{name}.py"


def run(name: str, arguments: Sequence[str]) -> None:
    """Runs an experiment in this process as `python launchers/NAME.py ARGUMENTS` does."""
    global _by_command
    _by_command = True
    file = folder() / f"{name}.py"
    sys.path.insert(0, str(file.parent))
    sys.argv = [str(file), *arguments]
    runpy.run_path(str(file), run_name="__main__")
