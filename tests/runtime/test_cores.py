"""Cores that a process computes on."""

import os
import subprocess
import sys

import pytest

from spectral_tf.errors import UserError
from spectral_tf.runtime import cores

BOUND = """
import os, sys
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from spectral_tf.runtime.cores import available_cores, cores, use_cores
print(available_cores(), cores())
"""
FEWER = """
import spectral_tf.runtime.cores as module
module.available_cores = lambda: 3
module.use_cores(COUNT)
import tensorflow as tf
print(module.cores(), tf.config.threading.get_inter_op_parallelism_threads())
tf.constant(0) + 1
module.use_cores(1)
print(module.cores())
"""


# A container with a quota: the file that says so is what joblib reads.
QUOTA = """
import builtins, io, os
exists, opened = os.path.exists, builtins.open
name = "/sys/fs/cgroup/cpu.max"
os.path.exists = lambda path: path == name or exists(path)
def reads(path, *args, **named):
    return io.StringIO("LIMIT") if path == name else opened(path, *args, **named)
builtins.open = reads
os.sched_getaffinity = lambda _: set(range(8))
os.cpu_count = lambda: 8
from spectral_tf.runtime.cores import available_cores
print(available_cores())
"""


def printed(code):
    own = {k: v for k, v in os.environ.items() if k != "LOKY_MAX_CPU_COUNT"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds processes to cores")
def test_a_process_bound_to_one_core_has_one():
    assert printed(BOUND).stdout.split() == ["1", "1"]


@pytest.mark.parametrize(
    ("limit", "count"),
    [("150000 100000", "2"), ("50000 100000", "1"), ("400000 100000", "4"), ("max 100000", "8")],
)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has quotas of containers")
def test_a_quota_of_a_container_counts_its_fractions_up(limit, count):
    assert printed(QUOTA.replace("LIMIT", limit)).stdout.split() == [count]


@pytest.mark.long
@pytest.mark.parametrize(("count", "used"), [(0, "3"), (2, "2")])
def test_tensorflow_computes_on_those_alone_and_threads_stay_what_they_are(count, used):
    done = printed(FEWER.replace("COUNT", str(count)))
    assert done.stdout.split() == [used, used, used]
    assert f"TensorFlow computes on {used} cores, not 1: it has begun" in done.stderr


def test_no_more_than_there_are(monkeypatch):
    monkeypatch.setattr(cores, "available_cores", lambda: 3)
    for count in (4, -1):
        with pytest.raises(UserError, match=rf"--cores: expected 0 \(all\) to 3.*got {count}"):
            cores.use_cores(count)
    assert (cores.chosen_cores(), cores.chosen_cores(2)) == (3, 2)


@pytest.mark.parametrize(
    ("machine", "before", "after"),
    [
        ("x86_64", None, "1"),
        ("AMD64", None, "1"),
        ("x86_64", "0", "0"),  # What the user has said stays.
        ("aarch64", None, None),
    ],
)
def test_onednn(machine, before, after, monkeypatch):
    monkeypatch.setattr(cores.platform, "machine", lambda: machine)
    monkeypatch.setattr(cores.os, "environ", {"TF_ENABLE_ONEDNN_OPTS": before} if before else {})
    cores.use_onednn()
    assert cores.os.environ.get("TF_ENABLE_ONEDNN_OPTS") == after
