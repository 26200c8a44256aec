import json

import pytest

from spectral_tf.runtime.cluster import is_chief, workers


def configure(monkeypatch, kind, index, **cluster):
    config = {"cluster": cluster, "task": {"type": kind, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))


def test_alone_one_is_chief(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert workers() == []
    assert is_chief()
    with pytest.raises(ValueError, match="multi_worker: expected the variable TF_CONFIG"):
        is_chief("multi_worker")


@pytest.mark.parametrize(
    ("kind", "index", "chief"), [("chief", 0, True), ("worker", 0, False), ("worker", 1, False)]
)
def test_a_cluster_with_a_chief(kind, index, chief, monkeypatch):
    configure(monkeypatch, kind, index, chief=["a:1"], worker=["b:1", "c:1"])
    assert workers() == ["a:1", "b:1", "c:1"]
    assert is_chief() == chief
    assert is_chief("default")


@pytest.mark.parametrize(("index", "chief"), [(0, True), (1, False)])
def test_without_one_the_first_worker_is(index, chief, monkeypatch):
    configure(monkeypatch, "worker", index, worker=["a:1", "b:1"])
    assert is_chief("multi_worker") == chief


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": 3}'])
def test_a_broken_variable_is_told(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="TF_CONFIG: expected JSON with a cluster and a task"):
        workers()


def test_a_tpu_is_driven_by_one_process_whatever_the_cluster(monkeypatch):
    configure(monkeypatch, "worker", 1, worker=["a:1", "b:1"])
    assert not is_chief()
    assert is_chief("auto", "local")
    monkeypatch.setenv("TPU_NAME", "mine")
    assert is_chief()
    assert not is_chief("multi_worker")
