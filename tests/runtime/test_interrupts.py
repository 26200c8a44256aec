"""Ctrl-C ends what Python alone would wait for."""

import subprocess
import sys
import time

import pytest

# Hashes without end, in C, where no signal is seen; SIGINT comes from within.
CODE = """
import hashlib, os, signal, threading, time
from spectral_tf.runtime import interrupts
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
