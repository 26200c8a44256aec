"""Ctrl-C ends a page in one line from its first seconds on."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

# Of a shell in whose background these tests run it is ignored.
INTERRUPT = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
os.kill(os.getpid(), signal.SIGINT)
"""


def interrupted(module, tmp_path, *command):
    """What a program says to Ctrl-C while it imports a module, which is put in its way."""
    (tmp_path / f"{module}.py").write_text(INTERRUPT)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("page", ["lf_first", "noise_fitting_compare"])
def test_a_page_that_imports_ends_in_one_line(page, tmp_path):
    result = interrupted("scipy", tmp_path, str(ROOT / "launchers" / f"{page}.py"))
    line = f"{page}.py: interrupted; the same command resumes or starts over\n"
    assert (result.returncode, result.stdout, result.stderr) == (130, "", line)


@pytest.mark.parametrize("where", ["check", "main"])
def test_any_page_does_from_where_it_is_launched(where, tmp_path):
    page = tmp_path / "page.py"
    page.write_text(
        "from absl import flags\n"
        "from spectral_tf import runtime\n"
        "flags.DEFINE_integer('number', 1, '')\n"
        "def check(*_):\n"
        f"    {'import late' if where == 'check' else 'return True'}\n"
        "def main():\n"
        "    import late\n"
        "flags.register_validator('number', check)\n"
        "runtime.launch(main)\n"
    )
    result = interrupted("late", tmp_path, str(page), "--number=2")
    line = "page.py: interrupted; the same command resumes or starts over\n"
    assert (result.returncode, result.stderr) == (130, line)


def test_a_program_of_somebody_keeps_its_traceback(tmp_path):
    result = interrupted("late", tmp_path, "-c", "import spectral_tf, spectral_tf.spectra, late")
    assert result.returncode != 130
    assert result.stderr.splitlines()[-1] == "KeyboardInterrupt"
