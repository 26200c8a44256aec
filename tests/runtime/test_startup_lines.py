"""TensorFlow's start-up lines: on a package of its name that says what TensorFlow says."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

LINES = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795787319.314962   22112 port.cc:153] oneDNN custom operations are on.",
    "2024-01-01 10:00:00.123456: I tensorflow/core/util/port.cc:113] oneDNN is on.",
    "To enable the following instructions: AVX2, rebuild TensorFlow.",
]
ERRORS = ["E0000 00:00:1 22112 cuda.cc:1] no driver", "W0000 00:00:1 22112 a.cc:1] a warning", "x"]

FILE = ROOT / "spectral_tf" / "runtime" / "startup_lines.py"
ALONE = (
    f"import runpy, sys; runpy.run_path({str(FILE)!r})['keep_off'](several_hosts=False)\n"
    "import tensorflow; print('after', file=sys.stderr)"
)
LAUNCHED = (
    "import sys; from spectral_tf import runtime\n"
    "runtime.define_run_flags('made')\n"
    "def main():\n    import tensorflow\n    print('after', file=sys.stderr)\n"
    "runtime.launch(main)"
)


@pytest.fixture
def told(tmp_path):
    """What stderr holds after a launcher's main has imported the package."""
    (tmp_path / "tensorflow").mkdir()
    every = [line for pair in zip(LINES, [*ERRORS, "y"], strict=True) for line in pair]
    text = "\n".join(every) + "\n"

    def run(end="", main=ALONE, flags=(), **environ):
        code = f"import os\nos.write(2, {text!r}.encode())\n{end}\n"
        (tmp_path / "tensorflow" / "__init__.py").write_text(code)
        base = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
        path = os.pathsep.join([str(tmp_path), str(ROOT), base.get("PYTHONPATH", "")])
        result = subprocess.run(
            [sys.executable, "-c", main, *flags],
            capture_output=True,
            text=True,
            env={**base, "PYTHONPATH": path, **environ},
        )
        return result.stderr.splitlines()

    return run


def test_lines_of_information_are_hidden_and_all_others_come_in_their_order(told):
    assert told() == [*ERRORS, "y", "after"]
    assert told(main=LAUNCHED) == [*ERRORS, "y", "after"]


def test_they_are_shown_to_who_asks(told):
    assert set(told(main=LAUNCHED, flags=["--verbosity=1"])) > {*LINES, *ERRORS}
    assert set(told(TF_CPP_MIN_LOG_LEVEL="0")) > {*LINES, *ERRORS}
    assert told(TF_CPP_MIN_LOG_LEVEL="1") == [*ERRORS, "y", "after"]


def test_the_last_words_of_a_crash_are_heard(told):
    lines = told(end="os.write(2, b'F0000 00:00:1 a.cc] no AVX\\n'); os.kill(os.getpid(), 9)")
    assert lines == [*ERRORS, "y", "F0000 00:00:1 a.cc] no AVX"]


def test_an_error_while_it_loads_keeps_its_words(told):
    assert told(end="raise RuntimeError('broken')")[-1] == "RuntimeError: broken"
