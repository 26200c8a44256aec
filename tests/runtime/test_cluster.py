import json

import pytest

from spectral_tf.errors import UserError
from spectral_tf.runtime.cluster import cluster, is_chief, several_hosts, workers


def configure(monkeypatch, kind, index, **jobs):
    config = {"cluster": jobs, "task": {"type": kind, "index": index}}
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


TWO = '"cluster": {"worker": ["a:1", "b:1"]}'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "JSON with a cluster and a task, got '{'"),
        ("[]", "JSON with a cluster and a task, such as"),
        ('{"cluster": 3}', "JSON with a cluster and a task, such as"),
        ('{"cluster": {"worker": "a:1"}}', "JSON with a cluster and a task, such as"),
        ('{"cluster": {"worker": [1, 2]}}', "JSON with a cluster and a task, such as"),
        ('{"task": {"type": "worker", "index": 0}}', "JSON with a cluster and a task, such as"),
        (f"{{{TWO}}}", r"a task of this cluster \(worker 0, worker 1\), got the task null"),
        (f'{{{TWO}, "task": {{"type": "worker", "index": 2}}}}', "a task of this cluster"),
        (f'{{{TWO}, "task": {{"type": "worker", "index": "0"}}}}', "a task of this cluster"),
        (f'{{{TWO}, "task": {{"type": "worker", "index": true}}}}', "a task of this cluster"),
        (f'{{{TWO}, "task": {{"type": "ps", "index": 0}}}}', "a task of this cluster"),
        (f'{{{TWO}, "task": ["worker", 0]}}', "a task of this cluster"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}}', "an address of its own .* got a:1 2 times"),
        (
            '{"cluster": {"worker": ["a", "b:1"]}}',
            "addresses HOST:PORT with ports of 1 to 65535, got 'a'",
        ),
        ('{"cluster": {"worker": ["a:x", "b:1"]}}', "addresses HOST:PORT with ports of 1 to 65535"),
        ('{"cluster": {"worker": ["a:0", "b:1"]}}', "addresses HOST:PORT with ports of 1 to 65535"),
        ('{"cluster": {"worker": ["a:65536"]}}', "addresses HOST:PORT with ports of 1 to 65535"),
        ('{"cluster": {"chief": ["a:1", "b:1"]}}', "one chief, got 2"),
    ],
)
def test_a_broken_variable_is_told(text, told, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=f"^TF_CONFIG: expected {told}"):
        is_chief()
    assert is_chief("default")  # Which asks for no hosts.


@pytest.mark.parametrize("text", ["", "{}", '{"environment": "cloud"}'])
def test_a_variable_without_a_cluster_is_none(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    assert cluster() is None
    assert is_chief()


def test_a_tpu_is_driven_by_one_process_whatever_the_cluster(monkeypatch):
    configure(monkeypatch, "worker", 1, worker=["a:1", "b:1"])
    assert not is_chief()
    assert several_hosts()
    assert is_chief("auto", "local")
    assert not several_hosts("auto", "local")
    monkeypatch.setenv("TPU_NAME", "mine")
    assert is_chief()
    assert not is_chief("multi_worker")
