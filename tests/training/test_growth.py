"""What trainings leave in memory when they are done."""

import gc
import json
import subprocess
import sys
import weakref

import pytest
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

from spectral_tf import data
from spectral_tf.experiments.classification import Classification, Setting


def tiny():
    setting = Setting(model="convnet", width=2, num_epochs=1, batch_size=8)
    images = data.find_images("photo_patches").take(16)
    held_out = data.find_images("photo_patches", "test").take(16)
    return Classification(setting, images, held_out, tf.distribute.get_strategy(), 0)


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


def test_a_training_leaves_no_program():
    task = tiny()
    train(task, 0)
    before = graphs()
    trained = train(task, 1)
    assert graphs() == before
    assert trained() is None


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
