import json
import os
import signal
import subprocess
import sys
import types

import pytest
import tensorflow as tf

from spectral_tf.runtime import peers
from spectral_tf.runtime import strategy as module
from spectral_tf.runtime.strategy import make_strategy


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("TPU_NAME", raising=False)


def test_one_device_is_the_default():
    assert make_strategy("default") is tf.distribute.get_strategy()
    assert make_strategy("auto").num_replicas_in_sync == 1
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def test_mirrored_takes_every_logical_device():
    strategy = make_strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert strategy.num_replicas_in_sync == len(tf.config.list_logical_devices("CPU"))


def test_auto_takes_all_gpus_the_workers_or_the_tpu(monkeypatch):
    made = []
    for name in ("MirroredStrategy", "MultiWorkerMirroredStrategy"):
        monkeypatch.setattr(tf.distribute, name, lambda *_, name=name: made.append(name))
    monkeypatch.setattr(module, "_tpu_strategy", lambda tpu: made.append(f"TPU {tpu}"))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0", "GPU:1"])
    monkeypatch.setattr(peers, "wait_for_all", lambda hosts, seconds: made.append(seconds))
    make_strategy()
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    make_strategy(startup_seconds=7)
    monkeypatch.setenv("TPU_NAME", "pod")
    make_strategy()
    assert made == ["MirroredStrategy", 7, "MultiWorkerMirroredStrategy", "TPU pod"]


SILENT = """
import sys, time
from spectral_tf.runtime import strategy
strategy._tpu_strategy = lambda tpu: time.sleep(60)  # As one that does not answer.
strategy.make_strategy("tpu", "pod", 1.0)
"""


def test_a_tpu_that_does_not_answer_is_told_in_time():
    command = [sys.executable, "-c", SILENT]
    result = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert result.returncode == -signal.SIGKILL
    line = result.stderr.splitlines()[-1]
    assert "--startup_timeout_seconds: expected a TPU named pod within 1 s, got no answer" in line


def test_the_tpu_branch_connects_initialises_and_wraps(monkeypatch):
    calls = []
    resolvers = types.SimpleNamespace(TPUClusterResolver=lambda tpu: f"resolver of {tpu}")
    monkeypatch.setattr(tf.distribute, "cluster_resolver", resolvers)
    monkeypatch.setattr(
        tf.config, "experimental_connect_to_cluster", lambda r: calls.append(("connect", r))
    )
    monkeypatch.setattr(
        tf.tpu.experimental, "initialize_tpu_system", lambda r: calls.append(("init", r))
    )
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda r: ("strategy", r))
    assert make_strategy("tpu", "pod") == ("strategy", "resolver of pod")
    assert calls == [("connect", "resolver of pod"), ("init", "resolver of pod")]
    calls.clear()
    assert make_strategy("tpu") == ("strategy", "resolver of local")
    assert calls == [("init", "resolver of local")]


def test_without_a_tpu_the_line_says_what_to_do():
    if os.path.exists("/dev/accel0"):
        pytest.skip("this machine has a TPU")
    with pytest.raises(ValueError, match=r"strategy=tpu: expected a TPU.*spectral-tf\[tpu\]"):
        make_strategy("tpu")


def test_wrong_names_and_missing_clusters_are_told():
    with pytest.raises(ValueError, match="auto, default, mirrored, multi_worker or tpu, got fast"):
        make_strategy("fast")
    with pytest.raises(ValueError, match="expected the variable TF_CONFIG"):
        make_strategy("multi_worker")
