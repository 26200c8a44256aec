"""Processes of ours end when their block is left, with all that they have started."""

import contextlib
import math
import operator
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from spectral_tf.runtime import children

SHELL = ("sh", "-c", "sleep 1000 & echo $!; wait")


def gone(pid):
    """Whether a process has ended, within a minute."""
    for _ in range(600):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def test_a_child_ends_with_its_block_and_with_what_it_started():
    def works(leave):
        with children.child(SHELL, stdout=subprocess.PIPE, text=True) as process:
            pids.extend([process.pid, int(process.stdout.readline())])
            leave()

    for leave in (lambda: None, lambda: operator.truediv(1, 0)):
        pids = []
        with contextlib.suppress(ZeroDivisionError):
            works(leave)
        assert len(pids) == 2
        assert all(gone(pid) for pid in pids)
    assert not children._alive


def test_a_program_is_run_to_its_end():
    assert children.run(["echo", "word"], stdout=subprocess.PIPE, text=True) == (0, "word\n", "")
    with pytest.raises(subprocess.CalledProcessError):
        children.run(["false"], check=True)
    assert children.run(["false"])[0] == 1


def test_a_function_gives_its_value_or_its_error_in_another_process():
    assert children.in_a_process(operator.add, 1, 2) == 3
    assert children.in_a_process(os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="math domain"):
        children.in_a_process(math.sqrt, -1)
    with pytest.raises(children.Ended, match="_exit: its process ended with 7"):
        children.in_a_process(os._exit, 7)
    assert not children._alive


@pytest.mark.parametrize(
    ("number", "how"), [(signal.SIGTERM, "start"), (signal.SIGKILL, "in_a_process")]
)
def test_no_child_outlives_us(number, how):
    """SIGTERM ends children first; of one that is killed the function sees that it is alone."""
    works = {
        "start": "print(children.start(['sleep', '1000']).pid, flush=True); time.sleep(1000)",
        "in_a_process": "children.in_a_process(exec, 'import os, time; "
        "print(os.getpid(), flush=True); time.sleep(1000)')",
    }
    code = (
        "import time\n"
        "from spectral_tf.runtime import children\n"
        f"if __name__ == '__main__':\n    {works[how]}"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        pid = int(process.stdout.readline())
        assert psutil.pid_exists(pid)
        process.send_signal(number)
        assert process.wait(60) == -number
    assert gone(pid)
