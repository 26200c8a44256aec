import json
import os
import signal
import subprocess
import sys
import types

import conftest
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
    grown = []
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu, on))
    )
    monkeypatch.setattr(peers, "wait_for_all", lambda hosts, seconds: made.append(seconds))
    make_strategy()
    assert grown == [("GPU:0", True), ("GPU:1", True)]
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


def test_memory_that_cannot_grow_is_told_in_a_line(monkeypatch):
    """As TensorFlow says it: a device without such memory, a process that has begun."""
    lines = []
    monkeypatch.setattr(module.logging, "warning", lambda text, *of: lines.append(text % of))
    devices = tf.config.list_physical_devices("CPU")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    make_strategy("default")
    assert len(lines) == 1
    assert "may take all memory of a GPU: growth cannot be set (Cannot set memory" in lines[0]

    def begun(gpu, on):
        raise RuntimeError("Physical devices cannot be modified after being initialized\nmore")

    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", begun)
    make_strategy("default")
    assert lines[1].endswith("(Physical devices cannot be modified after being initialized)")


# A GPU is pretended; TensorFlow refuses to configure devices once it has begun.
_PRETEND = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
listed = tf.config.list_physical_devices
tf.config.list_physical_devices = lambda kind=None: ["a GPU"] if kind == "GPU" else listed(kind)
def grow(device, on):
    assert (device, on) == ("a GPU", True)
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()])
    print("memory grows")
tf.config.experimental.set_memory_growth = grow
"""


@pytest.mark.long
def test_a_page_lets_memory_grow_before_tensorflow_begins_and_records_what_it_is(tmp_path):
    tiny = ("--num_runs=1", "--num_steps=3", "--width=4", "--depth=2", "--num_samples=8")
    tiny += ("--frequencies=1", "--probe_every=3", "--norms_every=3")
    found = {}
    for name, flags in (("plain", ()), ("same", ("--deterministic",))):
        folder = tmp_path / name
        host = conftest.Host(before=_PRETEND)
        (result,) = conftest.launch_on([host], "lf_first", *tiny, *flags, f"--workdir={folder}")
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines()[0] == "memory grows"
        record = json.loads((folder / "environment.json").read_text())
        assert record["float32_products"]["precision"] == "float32"
        assert record["float32_products"]["relative_error"] < 1e-6
        assert record["deterministic"] == (name == "same")
        flagfile = (folder / "run.flags").read_text().splitlines()
        assert ("--deterministic" in flagfile) == (name == "same")
        assert not any("nodeterministic" in line for line in flagfile)
        found[name] = (folder / "losses.csv").read_text()
    assert found["plain"] == found["same"]  # It changes no draw.
    (result,) = conftest.launch_on(
        [conftest.Host()], "lf_first", *tiny, "--deterministic", f"--workdir={tmp_path / 'plain'}"
    )
    conftest.assert_refused(result, "deterministic")


def test_precision_says_whether_products_may_be_rounded():
    for precision, may in (("tf32", True), ("bfloat16", False), ("float32", False)):
        make_strategy("default", precision=precision)
        assert tf.config.experimental.tensor_float_32_execution_enabled() == may


_DETERMINISTIC = """
import numpy, random, tensorflow as tf
from spectral_tf.runtime.strategy import make_strategy
for _ in range(2):
    make_strategy("default", deterministic=True, seed=7)
    print(tf.random.uniform([]).numpy(), numpy.random.rand(), random.random())
tf.random.set_seed(None)
try:
    tf.random.uniform([])
except RuntimeError as error:
    print(error)
"""


def test_deterministic_seeds_what_nobody_seeds_and_refuses_what_has_no_seed():
    """Op determinism cannot be switched off again, hence a process of its own."""
    command = [sys.executable, "-c", _DETERMINISTIC]
    result = subprocess.run(command, capture_output=True, text=True)
    first, again, refused, *_ = result.stdout.splitlines()
    assert first == again
    assert "Random ops require a seed" in refused, result.stderr


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


@pytest.mark.long
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
