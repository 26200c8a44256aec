import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from conftest import free_addresses

from spectral_tf.errors import UserError
from spectral_tf.runtime import peers
from spectral_tf.runtime.cluster import Cluster


def of(addresses, own):
    return Cluster([f"worker {i}" for i in range(len(addresses))], addresses, own)


def test_hosts_that_come_one_after_the_other_find_each_other():
    addresses = free_addresses(3)
    there = []

    def come(place):
        time.sleep(0.7 * place)
        peers.wait_for_all(of(addresses, place), 20)
        # As TensorFlow's server does.
        there.append(socket.create_server(("127.0.0.1", int(addresses[place].split(":")[1]))))

    hosts = [threading.Thread(target=come, args=(place,)) for place in range(3)]
    for host in hosts:
        host.start()
    for host in hosts:
        host.join()
    assert len(there) == 3
    for server in there:
        server.close()


def test_those_that_do_not_come_are_named():
    first, second, third = free_addresses(3)
    with socket.create_server(("127.0.0.1", int(second.split(":")[1]))):
        told = (
            f"within 1 s, got no answer from worker 2 at {third} and another run or a stranger at "
            f"worker 1 at {second}; start the same command"
        )
        with pytest.raises(UserError, match=re.escape(told)):
            peers.wait_for_all(of([first, second, third], 0), 1)
        with pytest.raises(UserError, match=f"a free port for this host, worker 1, got {second}"):
            peers.wait_for_all(of([first, second, third], 1), 1)


def test_a_host_that_is_in_a_run_of_before_is_waited_for():
    first, second = free_addresses(2)
    order = []

    def wait(place):
        peers.wait_for_all(of([first, second], place), 20)
        order.append(f"{place} has met the other")

    with socket.create_server(("127.0.0.1", int(second.split(":")[1]))):  # As TensorFlow has it.
        restarted = threading.Thread(target=wait, args=(0,))
        restarted.start()
        time.sleep(1)
        order.append("the run of before ends")
    wait(1)
    restarted.join()
    assert order[0] == "the run of before ends"
    assert sorted(order[1:]) == ["0 has met the other", "1 has met the other"]


def test_a_host_that_came_and_died_is_waited_for_again(monkeypatch):
    monkeypatch.setattr(peers, "_A_MOMENT", 0.5)
    addresses = free_addresses(3)
    met = []

    def wait(place):
        peers.wait_for_all(of(addresses, place), 20)
        met.append(place)

    hosts = [threading.Thread(target=wait, args=(place,)) for place in range(3)]
    hosts[0].start()
    time.sleep(0.5)
    assert peers._waits(addresses[0], "worker 1")  # It says who it is, and is gone.
    time.sleep(1)
    hosts[2].start()
    time.sleep(1)
    assert met == []
    hosts[1].start()
    for host in hosts:
        host.join()
    assert sorted(met) == [0, 1, 2]


# Holds the interpreter, as TensorFlow does where it waits for hosts.
STUCK = """
import ctypes, sys
from spectral_tf.runtime import peers
with peers.within(float(sys.argv[1]), "--tpu: expected one, got none"):
    ctypes.PyDLL(None).sleep(int(sys.argv[2]))
print("came")
"""


@pytest.mark.parametrize("in_time", [True, False])
def test_what_takes_too_long_ends_in_a_line_whatever_it_waits_in(in_time):
    seconds = ("20", "1") if in_time else ("1", "20")
    command = [sys.executable, "-c", STUCK, *seconds]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if in_time:
        assert (result.returncode, result.stdout, result.stderr) == (0, "came\n", "")
    else:
        assert result.returncode == -signal.SIGKILL
        assert result.stderr == "-c: --tpu: expected one, got none\n"


def test_only_errors_of_lost_hosts_are_told_as_such(monkeypatch):
    class UnavailableError(Exception):
        """As TensorFlow names it."""

    def left(line, status):
        raise SystemExit(f"{status} {line}")

    addresses = free_addresses(2)
    monkeypatch.setattr(peers, "leave_at_once", left)
    with pytest.raises(UnavailableError), peers.minded():
        raise UnavailableError  # Alone: it is of something else.
    peers.joined(of(addresses, 0))
    try:
        with pytest.raises(KeyError), peers.minded():
            raise KeyError
        with pytest.raises(OSError, match="bucket"), peers.minded():
            raise OSError("a bucket") from UnavailableError()
        peers.note_saved("lf_first", 1200)
        told = (
            f"75 another host is gone (worker 1 at {addresses[1]}); the state of lf_first is saved "
            "up to step 1,200; start the same command on all hosts again"
        )
        with pytest.raises(SystemExit, match=re.escape(told)), peers.minded():
            raise UserError("a", expected="b", got="c", hint="d") from UnavailableError()
        port = int(addresses[1].split(":")[1])
        with socket.create_server(("127.0.0.1", port)):  # It stands still.
            for error in (
                UnavailableError("The following tasks are unhealthy: /job:worker/task:1"),
                RuntimeError("Collective ops is aborted by: /job:worker/replica:0/task:1"),
            ):
                with pytest.raises(SystemExit, match=re.escape(told)), peers.minded():
                    raise error
            with pytest.raises(SystemExit, match=r"another host is gone; the"), peers.minded():
                raise UnavailableError("/job:worker/task:0 and /job:worker/task:11")
    finally:
        peers.parted()
