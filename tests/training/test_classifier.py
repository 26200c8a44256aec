import functools
import math
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import two_workers

from spectral_tf.data import find_images, pipeline, standard
from spectral_tf.errors import UserError
from spectral_tf.models.shake import ShakeDrop, ShakeShake
from spectral_tf.models.small import convnet
from spectral_tf.models.wide_resnet import wide_resnet
from spectral_tf.training.classifier import Classifier, CosineSgd

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(40, 8, 8, 3)).astype(np.float32)
LABELS = RNG.integers(5, size=40).astype(np.int32)
SMALL = functools.partial(convnet, width=4, num_classes=5, input_shape=(8, 8, 3))


def batches(first_step, images=IMAGES, labels=LABELS, size=8):
    """Batch i holds every fifth image from i on: it depends on i alone."""
    rows = (np.arange(5)[:, None] + 5 * np.arange(size)) % len(images)
    numbers = tf.data.Dataset.range(first_step, 2**31)
    return numbers.map(
        lambda i: (
            tf.gather(images, tf.gather(rows, i % 5)),
            tf.gather(labels, tf.gather(rows, i % 5)),
        )
    )


def evaluation(images=IMAGES, labels=LABELS, size=16):
    """Filled up to whole batches with copies of weight 0."""
    places = np.arange(-(-len(images) // size) * size)
    weights = (places < len(images)).astype(np.float32)
    rows = places % len(images)
    return tf.data.Dataset.from_tensor_slices((images[rows], labels[rows], weights)).batch(size)


def make(build=SMALL, steps=10, **settings):
    optimizer = CosineSgd(num_steps=steps, **settings.pop("optimizer", {}))
    return Classifier(build, batches, evaluation(), optimizer, **settings)


def linear():
    inputs = keras.Input((8, 8, 3))
    layer = keras.layers.Dense(5, kernel_initializer=keras.initializers.RandomNormal(seed=1))
    return keras.Model(inputs, layer(keras.layers.Flatten()(inputs)))


def random_layers():
    inputs = keras.Input((8, 8, 3))
    branches = [keras.layers.Conv2D(4, 3, kernel_initializer=normal(i))(inputs) for i in (1, 2)]
    x = keras.layers.Flatten()(ShakeDrop(0.5, 4)(ShakeShake(3)(branches)))
    return keras.Model(inputs, keras.layers.Dense(5, kernel_initializer=normal(3))(x))


def normal(seed):
    return keras.initializers.RandomNormal(stddev=0.1, seed=seed)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"clip_norm": math.inf, "momentum": 0.0},
        {"weight_decay": 0.5, "decay_all": False, "clip_norm": 0.3},
        {"weight_decay": 0.5, "warmup_steps": 2},
    ],
)
def test_steps_are_those_of_the_formula(settings, assert_close):
    """A linear model, whose gradient is x^T (p - y), by hand in float64."""
    trained = make(linear, steps=6, optimizer={"learning_rate": 0.2, **settings})
    optimizer = trained.optimizer
    w, b = (v.numpy().astype(np.float64) for v in trained.model.trainable_variables)
    velocities = [np.zeros_like(w), np.zeros_like(b)]
    losses = []
    for step, (x, y) in enumerate(batches(0).take(6).as_numpy_iterator()):
        flat, one_hot = x.reshape(8, -1).astype(np.float64), np.eye(5)[y]
        logits = flat @ w + b
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(8), y]).mean())
        gradients = [flat.T @ (p - one_hot) / 8, (p - one_hot).mean(axis=0)]
        gradients[0] += optimizer.weight_decay * w
        if optimizer.decay_all:
            gradients[1] += optimizer.weight_decay * b
        norm = math.sqrt(sum((g**2).sum() for g in gradients))
        scale = min(1.0, optimizer.clip_norm / norm)
        warmup = optimizer.warmup_steps
        rate = 0.1 * (1 + math.cos(math.pi * (step + 1 - warmup) / (6 - warmup)))
        if step + 1 < warmup:
            rate = 0.2 * (step + 1) / warmup
        for i, g in enumerate(gradients):
            velocities[i] = optimizer.momentum * velocities[i] + scale * g
            move = rate * (scale * g + optimizer.momentum * velocities[i])
            w, b = (w - move, b) if i == 0 else (w, b - move)
    trained.train(2)
    trained.train(4)
    for ours, theirs in zip(trained.model.trainable_variables, (w, b), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(trained.train_loss(), np.mean(losses), rtol=1e-5)
    assert math.isnan(trained.train_loss())


def test_the_rate_is_the_published_one_and_ends_at_0(assert_close):
    optimizer = CosineSgd(learning_rate=0.1, num_steps=200 * 195)
    steps = np.array([0, 1_000, 150 * 195 - 1, 200 * 195 - 1])
    published = 0.05 * (1 + np.cos(np.pi * (steps + 1) / (200 * 195)))
    rates = np.array([float(optimizer.rate(tf.constant(s))) for s in steps], np.float32)
    assert_close(rates, published)
    assert published[2] == pytest.approx(0.0146, abs=1e-4)  # Epoch 150 of 200.
    assert float(optimizer.rate(tf.constant(200 * 195 - 1))) == pytest.approx(0, abs=1e-9)


def test_the_first_loss_is_ln_c():
    trained = make(optimizer={"learning_rate": 1e-9})
    trained.train(5)
    assert trained.train_loss() == pytest.approx(math.log(5), abs=1e-5)


def test_evaluation_takes_every_example_once_and_in_order(assert_close):
    trained = make()
    trained.train(7)
    logs, loss = trained.evaluate()
    logits = trained.model(IMAGES, training=False)
    expected = tf.nn.log_softmax(logits).numpy()
    assert logs.shape == (40, 5)
    assert_close(logs, expected)
    assert_close(loss, [-expected[np.arange(40), LABELS].mean()])


@pytest.mark.long
@pytest.mark.parametrize(
    "build",
    [SMALL, lambda: random_layers()],
    ids=["convnet", "random layers"],
)
def test_a_run_in_pieces_and_a_resumed_one_are_the_whole_one(build):
    def smooth(images, labels):
        return 0.9 * labels + 0.02

    whole, other = (make(build, targets=smooth) for _ in range(2))
    whole.train(10)
    other.train(3)
    resumed = make(build, targets=smooth)
    resumed.load(other.state())
    resumed.train(7)
    first, second = whole.state(), resumed.state()
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    assert whole.train_loss() == resumed.train_loss()
    np.testing.assert_array_equal(whole.evaluate()[0], resumed.evaluate()[0])


def test_the_state_of_another_architecture_is_refused():
    other = make(functools.partial(SMALL, width=5)).state()
    with pytest.raises(UserError, match="saved state: expected the variables of convnet_4, got"):
        make().load(other)


def test_targets_get_weights_of_the_classes_and_no_gradient():
    seen, models = [], []

    def targets(images, labels):
        seen.append((images.shape, labels.shape, labels.dtype))
        if models:  # A teacher that shares the student's weights.
            return tf.nn.softmax(models[0](images))
        return labels

    trained = make(linear, targets=targets)
    models.append(trained.model)
    before = [v.numpy() for v in trained.model.trainable_variables]
    trained.train(1)
    assert seen[0] == ((8, 8, 8, 3), (8, 5), tf.float32)
    # Softmax - target = 0: only weight decay moves the weights, and it does not move the labels.
    rate = float(trained.optimizer.rate(tf.constant(0)))
    for variable, start in zip(trained.model.trainable_variables, before, strict=True):
        decayed = start * (1 - rate * 1.9 * trained.optimizer.weight_decay)
        np.testing.assert_allclose(variable.numpy(), decayed, rtol=1e-5, atol=1e-7)


@pytest.mark.long
@pytest.mark.parametrize("name", ["convnet", "wide_resnet", "random layers"])
def test_a_step_compiles_with_xla(name):
    build = {
        "convnet": SMALL,
        "wide_resnet": functools.partial(
            wide_resnet, depth=10, width=4, num_classes=5, input_shape=(8, 8, 3)
        ),
        "random layers": random_layers,
    }[name]
    plain, compiled = (make(build, compiled=compiled) for compiled in (False, True))
    for trained in (plain, compiled):
        trained.train(4)
    if name == "random layers":  # XLA draws other numbers.
        assert np.isfinite(compiled.train_loss())
    else:
        assert compiled.train_loss() == pytest.approx(plain.train_loss(), rel=1e-4)


def test_bfloat16_computes_in_it_and_keeps_float32_weights():
    mixed = make(precision="bfloat16")
    assert {v.dtype for v in mixed.model.trainable_variables} == {"float32"}
    assert mixed.model.layers[1].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"
    plain = make()
    for trained in (mixed, plain):
        trained.train(5)
    assert mixed.train_loss() == pytest.approx(plain.train_loss(), rel=0.05)
    assert mixed.evaluate()[0].dtype == np.float32


def test_bfloat16_gives_logits_of_float32_and_resumes_bit_for_bit():
    whole, other, resumed = (make(precision="bfloat16") for _ in range(3))
    assert whole.model.layers[-1].compute_dtype == "float32"
    whole.train(10)
    other.train(3)
    resumed.load(other.state())
    resumed.train(7)
    for name, value in whole.state().items():
        np.testing.assert_array_equal(value, resumed.state()[name], err_msg=name)
    logs = whole.evaluate()[0]
    np.testing.assert_array_equal(logs, resumed.evaluate()[0])
    # No number that bfloat16 holds: neither the head nor the softmax rounds to it.
    assert (logs != tf.cast(tf.cast(logs, tf.bfloat16), tf.float32).numpy()).mean() > 0.9
    assert np.abs(np.exp(logs.astype(np.float64)).sum(axis=1) - 1).max() < 1e-6


@pytest.mark.long
def test_tf32_is_float32_where_no_device_rounds():
    plain, rounding = make(), make(precision="tf32")
    for trained in (plain, rounding):
        trained.train(5)
    for name, value in plain.state().items():
        np.testing.assert_array_equal(value, rounding.state()[name], err_msg=name)


def test_a_loss_that_is_not_finite_is_noted_at_its_step():
    trained = make(optimizer={"learning_rate": 1e30, "clip_norm": math.inf})
    assert trained.diverged_at_step.tolist() == [-1]
    trained.train(10)
    assert 0 < trained.diverged_at_step[0] < 10


def test_images_without_finite_outputs_are_left_out_of_the_loss_for_who_counts_them(assert_close):
    images = IMAGES.copy()
    images[3] = np.nan
    losses = []
    for pixels, finite_only in ((IMAGES, False), (images, False), (images, True)):
        optimizer = CosineSgd(num_steps=1)
        trained = Classifier(
            linear, batches, evaluation(pixels), optimizer, finite_only=finite_only
        )
        logs, loss = trained.evaluate()
        losses.append(loss[0])
    own = -logs[np.arange(40), LABELS].astype(np.float64)
    assert np.isnan(losses[1])
    assert_close(losses[2], np.delete(own, 3).mean())
    images[:] = np.nan
    lost = Classifier(linear, batches, evaluation(images), CosineSgd(num_steps=1), finite_only=True)
    assert np.isnan(lost.evaluate()[1][0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0},
        {"warmup_steps": 10},
        {"momentum": 1.0},
        {"weight_decay": -1.0},
        {"clip_norm": 0.0},
    ],
)
def test_an_optimiser_out_of_range_is_refused(wrong):
    with pytest.raises(UserError, match="optimizer: expected"):
        make(optimizer=wrong)


def test_a_model_that_is_no_classifier_is_refused():
    inputs = keras.Input((8, 8, 3))
    with pytest.raises(UserError, match=r"a model of logits \[b, C\]"):
        make(lambda: keras.Model(inputs, keras.layers.ReLU()(inputs)))


@pytest.mark.long
def test_a_kept_model_loads_in_plain_keras(tmp_path, assert_close):
    trained = make()
    trained.train(3)
    trained.save_model(tmp_path / "kept" / "model.keras")
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["model.keras"]
    np.save(tmp_path / "images.npy", IMAGES)
    code = (
        "import keras, numpy as np; model = keras.models.load_model('kept/model.keras'); "
        "np.save('logits.npy', model(np.load('images.npy'), training=False))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=300)
    expected = tf.nn.log_softmax(np.load(tmp_path / "logits.npy"))
    assert_close(trained.evaluate()[0], expected.numpy())


TWO_LOGICAL_CPUS = """
import functools, sys
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from spectral_tf.data import find_images, pipeline, standard
from spectral_tf.data.augment import flip, mixup
from spectral_tf.models.wide_resnet import wide_resnet
from spectral_tf.training.classifier import Classifier, CosineSgd
images = find_images("digits", data_dir=sys.argv[1])
train = functools.partial(
    pipeline.training_batches, images, standard(images), batch_size=64, seed=3,
    augmentations=[flip], mixings=[mixup(0.2)],
)
test = functools.partial(
    pipeline.evaluation_batches, images.take(100), standard(images), batch_size=64
)
losses = []
for strategy in (
    tf.distribute.get_strategy(),
    tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    tf.distribute.OneDeviceStrategy("CPU:1"),
):
    trained = Classifier(
        functools.partial(wide_resnet, depth=10, width=4, input_shape=(8, 8, 1)),
        lambda first: pipeline.on_replicas(strategy, functools.partial(train, first_step=first)),
        pipeline.on_replicas(strategy, test), CosineSgd(num_steps=12), strategy=strategy,
    )
    trained.train(4)
    state = trained.state()
    trained.train(4)
    trained.load(state)
    trained.train(8)
    losses.append(np.append(trained._losses, trained.evaluate()[1]))
    assert trained.evaluate()[0].shape == (100, 10)
for others in losses[1:]:
    np.testing.assert_allclose(others, losses[0], rtol=2e-3)
    assert abs(others[0] - losses[0][0]) < 1e-6
print("equal on one and on two")
"""


@pytest.mark.long
def test_two_logical_devices_give_the_losses_of_one(embedded_dir):
    result = subprocess.run(
        [sys.executable, "-c", TWO_LOGICAL_CPUS, str(embedded_dir)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.stdout.endswith("equal on one and on two\n"), result.stdout + result.stderr


TWO = """
import functools, sys
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
sys.path[:0] = sys.argv[1:]
import test_classifier as tests
from spectral_tf.errors import UserError
from spectral_tf.models.shake import ShakeDrop, ShakeShake
from spectral_tf.training.classifier import Classifier, CosineSgd
from spectral_tf.training.draws import draws_of_each_replica
two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def distributed(batches):
    return two.experimental_distribute_dataset(batches)
"""

TWO_DRAW = """
# Dropout of ones, one image for each replica: an entry of the kernel's gradient tells how many of
# the two kept it, and each keeps half of all by itself.
def dropped():
    inputs = keras.Input((4000,))
    x = keras.layers.Dropout(0.5, seed=1)(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="zeros")(x))

ones = lambda _: distributed(tf.data.Dataset.from_tensors(
    (np.ones((2, 4000), np.float32), np.zeros(2, np.int32))).repeat())
plain = CosineSgd(num_steps=10, momentum=0.0, weight_decay=0.0, clip_norm=float("inf"))
trained = Classifier(dropped, ones, ones(0), plain, strategy=two)
trained.train(1)
kernel = trained.model.trainable_variables[0].numpy()[:, 0]
kept = np.round(2 * kernel / kernel.max()).astype(int)
np.testing.assert_allclose(kernel, kept * kernel.max() / 2, rtol=1e-5, atol=1e-9)
shares = np.bincount(kept, minlength=3) / len(kept)
assert np.abs(shares - [0.25, 0.5, 0.25]).max() < 0.04, shares

# Every layer that draws: other numbers on the second replica, those of before on the first.
class Own(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.draws = keras.random.SeedGenerator(5)

    def call(self, x, training=False):
        return x * keras.random.normal(keras.ops.shape(x), seed=self.draws)

x = tf.ones((20_000, 1, 1, 1))
with two.scope():
    layers = [keras.layers.Dropout(0.3, seed=3), ShakeDrop(0.7, seed=3), ShakeShake(3), Own()]
values = [[x], [x], [(x, -x)], [x]]

def drawn():
    def calls():
        return [layer(*of, training=True) for layer, of in zip(layers, values)]
    for layer in layers:
        generator = layer._seed_generators[0]
        generator.state.assign([generator._initial_seed, 0])
    found = tf.function(lambda: two.run(calls))()
    return [[v.numpy().ravel() for v in two.experimental_local_results(of)] for of in found]

before = drawn()
with draws_of_each_replica(two):
    each = drawn()
after = drawn()
moments = ((1, 3 / 7), (0.7, 0.31), (0, 1 / 3), (0, 1))  # Mean and variance, by the formulas.
for old, (first, second), again, (mean, variance) in zip(before, each, after, moments):
    np.testing.assert_array_equal(old[0], old[1])
    np.testing.assert_array_equal(first, old[0])
    np.testing.assert_array_equal(again, old)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    for one in (first, second):
        assert abs(one.mean() - mean) < 0.03, (one.mean(), mean)
        assert abs(one.var() - variance) < 0.03, (one.var(), variance)

try:
    Classifier(tests.linear, tests.batches, tests.evaluation(), plain, strategy=two, compiled=True)
except UserError as error:
    print(error)
"""

TWO_RESUME = """
def make(build, precision="float32"):
    return Classifier(
        build, lambda step: distributed(tests.batches(step)), distributed(tests.evaluation()),
        CosineSgd(num_steps=10), strategy=two, precision=precision,
    )


# Resumption is exact under two replicas, of random layers and of bfloat16.
for build, precision in ((tests.random_layers, "float32"), (tests.SMALL, "bfloat16")):
    whole, resumed = make(build, precision), make(build, precision)
    whole.train(3)
    resumed.load(whole.state()); resumed.train(7)
    whole.train(7)
    for name, value in whole.state().items():
        np.testing.assert_array_equal(value, resumed.state()[name], err_msg=name)
    logs = whole.evaluate()[0]
    np.testing.assert_array_equal(logs, resumed.evaluate()[0])
    assert logs.dtype == np.float32 and np.isfinite(logs).all()

alone = tests.make(precision="bfloat16")
alone.train(10)
np.testing.assert_allclose(alone.train_loss(), whole.train_loss(), rtol=0.05)
"""


def on_two(code):
    result = subprocess.run(
        [sys.executable, "-c", TWO + code, *map(str, pathlib.Path(__file__).parents[:2])],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.long
def test_two_replicas_draw_differently_and_are_not_compiled():
    line = "compiled: expected one replica, or a TPU, which compiles in any case, got 2 replicas; "
    assert on_two(TWO_DRAW).startswith(line)


@pytest.mark.matrix
def test_two_replicas_resume_bit_for_bit():
    on_two(TWO_RESUME)


TWO_WORKERS = """
import collections, functools, sys
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
from spectral_tf.data import find_images, pipeline, standard
from spectral_tf.models.small import convnet
from spectral_tf.training.classifier import Classifier, CosineSgd
images = find_images("digits", data_dir=sys.argv[1])
batches = functools.partial(
    pipeline.training_batches, images, standard(images), batch_size=64, seed=3
)

def collectives(graph):
    '''How many there are in this graph, and in the loops within it.'''
    loops = [graph._get_function(o.get_attr("body").name).graph
             for o in graph.get_operations() if o.type in ("While", "StatelessWhile")]
    return [sum("Collective" in o.type for o in g.get_operations()) for g in (graph, *loops)]

trained = Classifier(
    functools.partial(convnet, width=4, num_classes=10, input_shape=(8, 8, 1)),
    lambda first: pipeline.on_replicas(strategy, functools.partial(batches, first_step=first)),
    None, CosineSgd(num_steps=9), strategy=strategy,
)
trained.train(6)
trained.train(3)
(concrete,) = trained._train._list_all_concrete_functions()
outside, inside = collectives(concrete.graph)
assert outside == 1, outside  # Of the losses, once a call.
# Those of a step itself, of gradients and normalisations: none asks whether data are left.
step = tf.function(lambda *batch: strategy.run(trained._step, (batch, tf.constant(0))))
(own,) = collectives(step.get_concrete_function(*next(trained._iterator)).graph)
assert inside == own > 0, (inside, own)
print("losses", *trained._losses)
"""


@pytest.mark.long
def test_hosts_wait_for_each_other_for_gradients_alone(embedded_dir):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TWO_WORKERS, str(embedded_dir)],
            env={**os.environ, **host.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for host in two_workers()
    ]
    told = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told[0][1][-2000:]
    losses = [np.array(out.split()[1:], float) for out, _ in told]
    np.testing.assert_array_equal(*losses)

    def feed(first_step):
        return pipeline.training_batches(
            images, standard(images), batch_size=64, seed=3, first_step=first_step
        )

    images = find_images("digits", data_dir=str(embedded_dir))
    alone = Classifier(
        functools.partial(convnet, width=4, num_classes=10, input_shape=(8, 8, 1)),
        feed,
        None,
        CosineSgd(num_steps=9),
    )
    alone.train(9)
    np.testing.assert_allclose(losses[0], alone._losses, rtol=2e-3)
