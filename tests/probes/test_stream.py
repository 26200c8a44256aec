"""Probes that cut their work over replicas give what one device gives."""

import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest

from spectral_tf import probes
from spectral_tf.models.mlp import mlp
from spectral_tf.probes.stream import over_rows, replicas_share, stream

REPLICAS = """
import numpy as np, tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from spectral_tf import probes
from spectral_tf.models.mlp import mlp
from spectral_tf.probes import perturbations, tangent
both = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
models = [mlp(width=6, depth=3, seed=seed) for seed in range(3)]  # Three, over two replicas.
weights = [np.stack(own) for own in zip(*(model.get_weights() for model in models))]
batches = []
for module in (tangent, perturbations):
    def counting(function, part, num_batches, strategy, *unit, stream=module.stream):
        batches.append(num_batches)
        return stream(function, part, num_batches, strategy, *unit)
    module.stream = counting
one, two = (
    probes.tangent_kernels(models[0], weights, [], x, strategy=s) for s in (None, both)
)
assert one.shape == (3, 9, 9)
np.testing.assert_array_equal(one, two)
for shared, size in ((True, 2), (False, 2), (False, 8)):  # 5 directions: 3 blocks, or 1 of each.
    one, two = (
        probes.perturbed_outputs(
            models[0], models[0].get_weights(), [], x, [0.0, 0.5, 2.0], 5,
            seed=7, shared=shared, block_size=size, strategy=s,
        )
        for s in (None, both)
    )
    assert one.shape == (3, 5, 9, 1)
    np.testing.assert_array_equal(one, two)
assert batches == [3, 2, 3, 2, 9, 5, 3, 2], batches  # Two at a time.
print("equal")
"""


@pytest.mark.long
def test_two_replicas_share_kernels_and_perturbed_networks():
    result = subprocess.run(
        [sys.executable, "-c", REPLICAS], capture_output=True, text=True, timeout=600
    )
    assert result.stdout.strip().endswith("equal"), result.stderr[-2000:]


@pytest.mark.parametrize(
    ("batch_size", "replicas", "share"), [(256, 2, 128), (256, 3, 85), (2, 3, 1), (1, 1, 1)]
)
def test_any_number_of_replicas_shares_a_batch(batch_size, replicas, share):
    strategy = types.SimpleNamespace(num_replicas_in_sync=replicas)
    assert replicas_share(batch_size, strategy) == share


def test_every_part_is_asked_for_once_and_in_order():
    asked = []

    def part(number):
        asked.append(number)
        return [np.full((2, 1), number, np.float32)]

    found = [given for (given,) in stream(lambda x: 2 * x, part, 4)]
    assert asked == [0, 1, 2, 3]
    np.testing.assert_array_equal(np.concatenate(found)[:, 0], [0, 0, 2, 2, 4, 4, 6, 6])
    assert list(stream(lambda x: x, part, 0)) == []
    (rows,) = over_rows(lambda x: x + 1, [np.arange(5.0)], 2)
    np.testing.assert_array_equal(rows, np.arange(1.0, 6.0))


def test_a_part_that_cannot_be_made_ends_the_stream_with_its_own_error():
    def part(number):
        if number == 1:
            raise OSError("the file is gone")
        return [np.zeros((1, 1), np.float32)]

    with pytest.raises(OSError, match="the file is gone"):
        list(stream(lambda x: x, part, 3))


def test_a_part_is_made_ahead_in_another_thread_that_ends_with_the_stream():
    made, before = [], threading.active_count()

    def part(number):
        made.append(threading.current_thread())
        return [np.zeros((1, 1), np.float32)]

    left = stream(lambda x: x, part, 9)
    next(left)  # Two batches are asked for then, and the part of a third is on its way.
    for _ in range(1_000):
        if len(made) >= 3:
            break
        time.sleep(0.01)
    assert len(made) == 3
    assert threading.current_thread() not in made
    left.close()
    assert threading.active_count() == before


def test_each_member_has_a_kernel_of_its_own():
    models = [mlp(width=4, depth=2, seed=seed) for seed in range(2)]
    weights = [np.stack(own) for own in zip(*(m.get_weights() for m in models), strict=True)]
    x = np.linspace(0, 1, 5, dtype=np.float32)[:, None]
    kernels = probes.tangent_kernels(models[0], weights, [], x)
    assert kernels.shape == (2, 5, 5)
    assert not np.allclose(kernels[0], kernels[1])
