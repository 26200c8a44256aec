"""What trainings leave in memory when they are done."""

import dataclasses
import gc
import json
import subprocess
import sys
import weakref

import pytest
import tensorflow as tf
from tensorflow.python.framework import ops
from tensorflow.python.framework.func_graph import FuncGraph

from spectral_tf import data
from spectral_tf.experiments.classification import Classification, Setting
from spectral_tf.training.classifier import leaving_no_gradients


def tiny(strategy=None):
    setting = Setting(model="convnet", width=2, num_epochs=1, batch_size=8)
    images = data.find_images("photo_patches").take(16)
    held_out = data.find_images("photo_patches", "test").take(16)
    strategy = strategy or tf.distribute.get_strategy()
    return Classification(setting, images, held_out, strategy, 0)


def train(task, run):
    trained = task.trainer(0, run)
    trained.train(2)
    trained.evaluate()
    return weakref.ref(trained)


def graphs():
    """Names of the graphs of many operations that something holds."""
    gc.collect()
    every = [graph for graph in gc.get_objects() if isinstance(graph, FuncGraph)]
    return sorted(graph.name for graph in every if len(graph.get_operations()) > 30)


def test_looks_at_a_goal_see_as_many_batches_of_fewer_images():
    setting = Setting(model="convnet", width=2, num_epochs=3, batch_size=8, stop_at_loss=0.1)
    setting = dataclasses.replace(setting, looks_per_epoch=2)
    held_out = data.find_images("photo_patches", "test").take(16)
    every = []
    for count, num_steps in ((64, None), (16, 24), (16, None)):
        images = data.find_images("photo_patches").take(count)
        given = (setting, images, held_out, tf.distribute.get_strategy(), 0)
        every.append(Classification(*given, num_steps=num_steps).trainer(0, 0).goal.every)
    assert every == [4, 4, 1]


@pytest.mark.long
def test_a_training_leaves_no_program():
    task = tiny()
    train(task, 0)
    before = graphs()
    trained = train(task, 1)
    assert graphs() == before
    assert trained() is None


def test_gradients_of_a_program_do_not_stay():
    """Those of `tf.custom_gradient` in it, which are right while it is there."""

    @tf.custom_gradient
    def tenfold(x):
        return x + 0, lambda upstream: 10 * upstream

    @tf.function
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tenfold(x)
        return tape.gradient(y, x)

    registered = set(ops.gradient_registry.list())
    with leaving_no_gradients():
        assert slope(tf.constant(1.0)).numpy() == 10
        assert set(ops.gradient_registry.list()) > registered, "where TensorFlow has them"
    assert set(ops.gradient_registry.list()) == registered
    assert slope(tf.constant(2.0)).numpy() == 10


TWO = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from test_growth import graphs, tiny, train
task = tiny(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
train(task, 0)
before = graphs()
trained = train(task, 1)
assert graphs() == before, graphs()
assert trained() is None
print("nothing is left")
"""


@pytest.mark.long
def test_a_training_on_two_replicas_leaves_no_program(request):
    """Gradients and the moments of normalisations are summed over them, each with a gradient."""
    result = subprocess.run(
        [sys.executable, "-c", TWO], cwd=request.path.parent, capture_output=True, text=True
    )
    assert result.stdout == "nothing is left\n", result.stderr


@pytest.mark.long
def test_images_are_decoded_once(monkeypatch):
    """Training and held-out ones, by all trainers, also where classes are merged."""
    reads, whole = [], data.Images.dataset
    monkeypatch.setattr(
        data.Images, "dataset", lambda s, **how: reads.append(s.split) or whole(s, **how)
    )
    task = tiny()
    reads.clear()  # Of the normalisation.
    for run in range(2):
        train(task, run)
    assert sorted(reads) in (["test"], ["test", "train"])
    reads.clear()
    pixels, labels = task.training.arrays()
    merged, super_classes = task.training.merged([0, 1] * 5).arrays()
    assert merged is pixels
    assert super_classes.tolist() == (labels % 2).tolist()
    few, own = task.training.merged([0, 1] * 5).take(5).arrays()
    assert (few == pixels[:5]).all()
    assert (own == labels[:5] % 2).all()
    assert reads == ["train"]  # By `take` alone, whose images are others.


SWEEP = """
import ctypes, gc, json
import tensorflow as tf
from test_growth import tiny, train

class Allocated(ctypes.Structure):
    _fields_ = [(f"f{i}", ctypes.c_size_t) for i in range(10)]

libc = ctypes.CDLL("libc.so.6")
libc.mallinfo2.restype = Allocated
task, used = tiny(), []
for run in range(10):
    train(task, run)
    gc.collect()
    used.append(libc.mallinfo2().f7 / 2**20)  # uordblks: what is given out, of all arenas.
print(json.dumps(used))
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="asks the allocator of glibc")
def test_memory_grows_by_less_than_two_megabytes_a_training(request):
    """It grew by 4 where each training left its program, by 10 where cycles stayed, too."""
    result = subprocess.run(
        [sys.executable, "-c", SWEEP],
        cwd=request.path.parent,
        capture_output=True,
        text=True,
    )
    used = json.loads(result.stdout.splitlines()[-1])
    assert (used[-1] - used[3]) / 6 < 2, used
