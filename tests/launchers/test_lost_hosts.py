"""Hosts that do not come, are not alike, or go: one line on the others, and a run that goes on."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from conftest import ROOT, assert_refused, free_addresses, launch_on, two_workers

from spectral_tf.runtime.peers import GONE

SMALL = (
    *("--width=16", "--depth=3", "--num_runs=2", "--frequencies=1,4", "--num_steps=40"),
    "--startup_timeout_seconds=60",
)
# Long enough to be killed in the middle.
LONGER = (
    *("--width=64", "--depth=3", "--num_runs=3", "--frequencies=1,4", "--num_steps=3000"),
    *("--save_every_seconds=1", "--probe_every=500", "--startup_timeout_seconds=60"),
)


def lines_of(text):
    """What a launcher has told, without its log and what TensorFlow says when it is loaded."""
    return [line for line in text.splitlines() if not re.match(r"[IW]\d{4}|WARNING: All", line)]


def test_a_host_that_never_comes_is_named_in_time(tmp_path):
    chief, _ = two_workers()
    missing = json.loads(chief.environ["TF_CONFIG"])["cluster"]["worker"][1]
    soon = "--startup_timeout_seconds=4"
    (result,) = launch_on([chief], "lf_first", *SMALL, soon, f"--workdir={tmp_path / 'run'}")
    assert_refused(
        result,
        "--startup_timeout_seconds: expected all 2 hosts of TF_CONFIG within 4 s, got no answer "
        f"from worker 1 at {missing}; start the same command on every host",
    )
    assert len(lines_of(result.stderr)) == 1, result.stderr
    assert not (tmp_path / "run").exists()


def test_a_port_that_is_taken_is_told_at_once(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        cluster = {"worker": [address, *free_addresses(1)]}
        task = {"type": "worker", "index": 0}
        host = two_workers()[0]._replace(
            environ={"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}
        )
        (result,) = launch_on([host], "lf_first", *SMALL, f"--workdir={tmp_path / 'run'}")
    assert_refused(
        result,
        f"worker 0, got {address} (Address already in use); end the process that listens there",
    )


def test_hosts_that_are_not_alike_say_in_what(tmp_path):
    chief, worker = two_workers()
    other = worker._replace(before="import sys\nsys.argv.append('--num_steps=50')")
    results = launch_on([chief, other], "lf_first", *SMALL, f"--workdir={tmp_path / 'run'}")
    for result in results:
        assert_refused(result, "as the first one does: --num_steps 40, got worker 1 at 127.0.0.1:")
        assert_refused(result, "with --num_steps 50; give all hosts the same command")
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_hosts_with_folders_of_their_own_are_told(tmp_path):
    chief, worker = two_workers()
    own = f"--workdir={tmp_path / 'other'}"
    soon = "from spectral_tf.training import replicas\n"
    soon += "replicas.refuse_different_folders.__defaults__ = (3.0,)\n"  # Else 90 s.
    other = worker._replace(before=f"import sys\nsys.argv.append({own!r})\n{soon}")
    chief = chief._replace(before=soon)
    results = launch_on([chief, other], "lf_first", *SMALL, f"--workdir={tmp_path / 'run'}")
    assert [result.returncode for result in results] == [2, 2], results
    assert "another host has refused" in results[0].stderr
    assert_refused(results[1], f"one folder that all hosts share, got {tmp_path / 'other'}")


@pytest.mark.long
def test_another_page_on_the_other_host_is_told(tmp_path):
    hosts = two_workers()
    page = str(ROOT / "launchers" / "manifold.py")
    flags = ("--petals=0", "--num_runs=1", "--num_steps=40", "--startup_timeout_seconds=60")
    other = subprocess.Popen(
        [sys.executable, page, *flags, f"--workdir={tmp_path / 'other'}"],
        env={**os.environ, **hosts[1].environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    flags = (*SMALL, f"--workdir={tmp_path / 'run'}")
    (result,) = launch_on(hosts[:1], "lf_first", *flags)
    assert_refused(result, "hosts that run the same, as the first one does: page lf_first, ")
    assert_refused(result, " with page manifold, ")
    assert " with page manifold, " in other.communicate(timeout=90)[1]
    assert other.returncode == 2


def start(path, hosts):
    page = str(ROOT / "launchers" / "lf_first.py")
    return [
        subprocess.Popen(
            [sys.executable, page, *LONGER, f"--workdir={path}"],
            env={**os.environ, **host.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for host in hosts
    ]


def in_the_middle(path, processes):
    """Waits for the third saved state: the first may be that of step 0."""
    state, until, seen = path / "checkpoints" / "state.npz", time.monotonic() + 120, set()
    while len(seen) < 3:
        assert time.monotonic() < until
        assert all(process.poll() is None for process in processes)
        if state.exists():
            seen.add(state.stat().st_mtime_ns)
        time.sleep(0.02)
    assert not (path / "summary.json").exists(), "it has ended: make it longer"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run on two workers that nothing happened to."""
    path = tmp_path_factory.mktemp("whole") / "run"
    results = launch_on(two_workers(), "lf_first", *LONGER, f"--workdir={path}")
    assert [result.returncode for result in results] == [0, 0], results
    return path


def cases():
    """A killed worker is with the long ones; the other host and the other way with the matrix."""
    ways = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP}
    for place, who in enumerate(("the chief", "the worker")):
        for name, how in ways.items():
            often = (who, name) == ("the worker", "killed")
            marks = pytest.mark.long if often else pytest.mark.matrix
            yield pytest.param(place, how, id=f"{who}-{name}", marks=marks)


@pytest.mark.parametrize(("place", "how"), list(cases()))
def test_a_host_that_goes_is_named_and_the_run_goes_on(place, how, whole, tmp_path):
    path, hosts = tmp_path / "run", two_workers()
    processes = start(path, hosts)
    try:
        in_the_middle(path, processes)
        processes[place].send_signal(how)
        told = lines_of(processes[1 - place].communicate(timeout=90)[1])
        processes[place].kill()
        processes[place].communicate()
        assert processes[1 - place].returncode == GONE, told
        assert len(told) == 1, told
        assert re.search(
            rf"another host is gone \(worker {place} at [\d.:]+\); "
            r"the state of lf_first is saved up to step [1-9][\d,]*; start the same command",
            told[0],
        )
        # The one that was lost comes first and waits; the other one comes within its time.
        processes = start(path, [hosts[place]])
        time.sleep(4)
        assert processes[0].poll() is None
        processes += start(path, [hosts[1 - place]])
        ends = [process.communicate(timeout=300)[1] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], ends
    finally:
        for process in processes:
            process.kill()
    for table in whole.glob("*.csv"):
        assert (path / table.name).read_text() == table.read_text(), table.name


# Run first in the process of a launcher: it saves after every call of the device, and from a step
# on this happens.
WHEN = """
import os, signal, time
from spectral_tf.experiments import page as pages
from spectral_tf.training import loop
pages.save_every = lambda: 0.0
train = loop.TrainingLoop._train_piece
def happening(self, until):
    train(self, until)
    if self.ensemble.step >= 300:
        {happens}
loop.TrainingLoop._train_piece = happening
"""
DIES = "open({gone!r}, 'w').close(); os.kill(os.getpid(), signal.SIGKILL)"
IS_BUSY = "time.sleep(6)"
LEAVES = """
leave = os._exit
os._exit = lambda code: (open({left!r}, 'w').close(), leave(code))
"""
WAITS_FOR = "import os, time\nwhile not os.path.exists({!r}): time.sleep(0.1)\n"


@pytest.mark.matrix
@pytest.mark.parametrize(
    "place", [pytest.param(0, id="the chief"), pytest.param(1, id="the worker")]
)
def test_a_host_restarted_while_the_others_are_in_the_run_waits_for_them(place, whole, tmp_path):
    """It is back at once; the other one notices nothing for seconds, and is started again then."""
    gone, left = str(tmp_path / "gone"), str(tmp_path / "left")
    workers = two_workers()
    lost, other = workers[place], workers[1 - place]
    hosts = [
        lost._replace(before=WHEN.format(happens=DIES.format(gone=gone))),
        other._replace(before=WHEN.format(happens=IS_BUSY) + LEAVES.format(left=left)),
        lost._replace(before=WAITS_FOR.format(gone)),
        other._replace(before=WAITS_FOR.format(left)),
    ]
    died, told, *again = launch_on(hosts, "lf_first", *LONGER, f"--workdir={tmp_path / 'run'}")
    assert died.returncode == -signal.SIGKILL
    assert told.returncode == GONE, told.stderr
    assert f"another host is gone (worker {place} at " in told.stderr
    assert [result.returncode for result in again] == [0, 0], again
    assert all("resuming at step" in result.stderr for result in again)
    for table in whole.glob("*.csv"):
        assert (tmp_path / "run" / table.name).read_text() == table.read_text(), table.name
