"""Ctrl-C ends a program in one line from its first seconds on, and what Python would wait for."""

import os
import subprocess
import sys
import time

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


# The package imports etils early; for benchmark_paths in `data`, before `experiments`.
@pytest.mark.parametrize("page", ["lf_first", "benchmark_paths"])
def test_a_page_that_imports_ends_in_one_line(page, tmp_path):
    result = interrupted("etils", tmp_path, str(ROOT / "launchers" / f"{page}.py"))
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


# Hashes without end, in C, where no signal is seen; SIGINT comes from within.
CODE = """
import hashlib, os, signal, threading, time
from spectral_tf import interrupts
interrupts.SECONDS, interrupts.SECONDS_TO_SAVE = {seconds}, {to_save}
signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background ignores it.
interrupts.watch(lambda: os._exit(7))
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
with interrupts.patient(lambda: {saves}):
    try:
        {work}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
{after}
"""
IN_C = "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
A_WAITING_THREAD = "threading.Thread(target=time.sleep, args=(1000,)).start()"


def run(*, seconds=1.0, to_save=600.0, saves=False, work="time.sleep(600)", after=""):
    code = CODE.format(seconds=seconds, to_save=to_save, saves=saves, work=work, after=after)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("given", "status", "out"),
    [
        # What Python sees at once needs nobody.
        ({}, 0, "interrupted\n"),
        ({"work": IN_C}, 7, ""),
        # A thread that is waited for on the way out.
        ({"after": A_WAITING_THREAD}, 7, "interrupted\n"),
        # A state is to be saved: that may take longer, here shorter for once.
        ({"work": IN_C, "saves": True, "seconds": 600.0, "to_save": 1.0}, 7, ""),
    ],
)
def test_a_process_ends_in_time(given, status, out):
    result = run(**given)
    assert (result.returncode, result.stdout) == (status, out), result.stderr


@pytest.mark.long
def test_without_us_it_would_not_end():
    """That the work above is one that a SIGINT does not end."""
    code = CODE.format(seconds=600.0, to_save=600.0, saves=False, work=IN_C, after="")
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        time.sleep(6)
        assert process.poll() is None
        process.kill()
