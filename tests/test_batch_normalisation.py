"""Batch normalisation by the fused kernel and folded: Keras' and NumPy's numbers."""

import logging
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf import batch_normalisation
from spectral_tf.batch_normalisation import BatchNormalization, at_inference, with_keras_layers
from spectral_tf.models.small import convnet
from spectral_tf.probes import paths

RNG = np.random.default_rng(0)
# As fractions of the largest number: sums of some hundred terms in float32.
ROUNDING = 1e-5


def images(*shape, mean=3.0):
    return RNG.normal(mean, 2.0, size=shape).astype(np.float32)


def equal(one, other, tolerance=ROUNDING):
    one, other = (np.asarray(tf.cast(x, tf.float64)) for x in (one, other))
    assert one.shape == other.shape
    assert np.isfinite(other).all()
    np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(1, np.abs(other).max()))


def pair(shape, **settings):
    """Keras' layer and ours, with the same weights, that are not where they start."""
    layers = [kind(**settings) for kind in (keras.layers.BatchNormalization, BatchNormalization)]
    for layer in layers:
        layer.build(shape)
    values = [RNG.uniform(0.5, 2, size=w.shape) for w in layers[0].weights]
    for layer in layers:
        layer.set_weights(values)
    assert [w.path.split("/")[-1] for w in layers[0].weights] == [
        w.path.split("/")[-1] for w in layers[1].weights
    ]
    return layers


def step(layer, x, upstream, training=True):
    """Outputs, and the gradients of their product with `upstream` in inputs, gamma and beta."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        total = tf.reduce_sum(tf.cast(y, tf.float32) * upstream)
    return y, tape.gradient(total, [x, *(w.value for w in layer.trainable_variables)])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((6, 5, 4, 3), {"momentum": 0.9, "epsilon": 1e-5, "synchronized": True}),
        ((6, 5, 4, 3), {"scale": False, "axis": 3}),
        ((6, 5, 4, 3), {"center": False}),
        ((6, 5, 4, 3), {"axis": 1}),
        ((6, 5, 4, 3), {"dtype": "mixed_float16"}),
        ((6, 5, 4, 3), {"renorm": True}),
        ((1, 1, 1, 3), {}),
        ((1, 2, 1, 3), {}),
        ((7, 3), {}),
        ((7, 2, 3), {}),
    ],
)
def test_every_number_is_that_of_keras(shape, settings, training):
    layers = pair(shape, **settings)
    for _ in range(3):
        x, upstream = images(*shape), images(*shape, mean=0.0)
        both = [step(layer, tf.constant(x), upstream, training) for layer in layers]
        tolerance = 2e-3 if "dtype" in settings else ROUNDING
        equal(both[1][0], both[0][0], tolerance)
        for own, other in zip(both[1][1], both[0][1], strict=True):
            # One pixel has no gradient but what is rounded.
            equal(own, other, 1e-3 if shape == (1, 1, 1, 3) else max(tolerance, 5e-5))
        for own, other in zip(layers[1].weights, layers[0].weights, strict=True):
            equal(own.value, other.value)


def test_a_step_in_numpy():
    layer = BatchNormalization(momentum=0.75, epsilon=0.5)
    x = images(4, 3, 2, 5).astype(np.float64)
    y = layer(tf.constant(x, tf.float32), training=True)
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    equal(y, (x - mean) / np.sqrt(variance + 0.5))
    equal(layer.moving_mean.value, 0.25 * mean)
    equal(layer.moving_variance.value, 0.75 + 0.25 * variance)  # Divided by 24, not by 23.


def test_the_fused_kernel_is_what_trains():
    layer = BatchNormalization()
    trained = tf.function(lambda x: layer(x, training=True)).get_concrete_function
    names = [op.type for op in trained(tf.TensorSpec((2, 4, 4, 3))).graph.get_operations()]
    assert names.count("FusedBatchNormV3") == 1
    assert "Mean" not in names


def test_bfloat16_is_keras_to_its_rounding():
    layers = pair((8, 4, 4, 3), dtype="mixed_bfloat16")
    x = images(8, 4, 4, 3)
    one, other = (layer(x, training=True) for layer in layers)
    assert one.dtype == other.dtype == tf.bfloat16
    equal(one, other, 2**-8)
    equal(layers[1].moving_variance.value, layers[0].moving_variance.value)


def test_a_mask_and_a_frozen_layer_are_keras_own():
    layers = pair((6, 5, 4, 3))
    x, mask = images(6, 5, 4, 3), RNG.random((6, 5, 4)) < 0.5
    equal(*(layer(x, training=True, mask=mask) for layer in layers[::-1]))
    for layer in layers:
        layer.trainable = False
    before = layers[1].get_weights()
    equal(*(layer(x, training=True) for layer in layers[::-1]))
    for own, other in zip(layers[1].get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, other)


def test_without_a_word_it_answers_as_at_inference():
    layer = pair((6, 5, 4, 3))[1]
    x = images(6, 5, 4, 3)
    np.testing.assert_array_equal(layer(x), layer(x, training=False))


def test_xla_gives_the_same():
    layers = pair((6, 5, 4, 3))
    x = tf.constant(images(6, 5, 4, 3))
    compiled = tf.function(lambda: layers[1](x, training=True), jit_compile=True)
    equal(compiled(), layers[0](x, training=True))
    for own, other in zip(layers[1].weights, layers[0].weights, strict=True):
        equal(own.value, other.value)


def test_second_derivatives_are_those_of_keras():
    layers = pair((3, 2, 2, 2))
    x, upstream = tf.constant(images(3, 2, 2, 2)), images(3, 2, 2, 2, mean=0.0)
    found = []
    for layer in layers:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                total = tf.reduce_sum(layer(x, training=True) ** 2 * upstream)
            squares = tf.reduce_sum(inner.gradient(total, x) ** 2)
        found.append(outer.gradient(squares, x))
    equal(found[1], found[0], 1e-3)


def network(kind=keras.layers.BatchNormalization, strides=2):
    """Convolutions with a bias, without one, depthwise; normalisations that follow and do not."""
    L = keras.layers
    inputs = keras.Input((9, 9, 3))
    x = L.ReLU()(kind()(L.Conv2D(4, 3, strides, "same", kernel_initializer=drawn(1))(inputs)))
    x = kind()(L.DepthwiseConv2D(3, depth_multiplier=2, depthwise_initializer=drawn(2))(x))
    branch = L.Conv2D(8, 1, use_bias=False, dilation_rate=2, kernel_initializer=drawn(3))(x)
    x = kind(scale=False)(L.Add()([x, branch]))
    outer = kind(center=False)(L.Conv2D(5, 3, padding="same", kernel_initializer=drawn(4))(x))
    inner = keras.Sequential([keras.Input(outer.shape[1:]), L.Conv2D(3, 1), kind()])
    model = keras.Model(inputs, L.Dense(2)(L.Flatten()(inner(outer))))
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.3, 1.5, size=w.shape) for w in model.weights])
    return model


def drawn(seed):
    return keras.initializers.GlorotUniform(seed=seed)


@pytest.mark.parametrize("kind", [keras.layers.BatchNormalization, BatchNormalization])
def test_folded_outputs_and_their_gradients_are_those_as_written(kind):
    model = network(kind)
    x = tf.constant(images(4, 9, 9, 3))
    answer = tf.function(at_inference(model), autograph=False)
    equal(answer(x), model(x, training=False))
    there = answer.get_concrete_function(x).graph.as_graph_def().node
    # Beside each of four convolutions before a normalisation the one with scaled kernels.
    assert sum(node.op in ("Conv2D", "DepthwiseConv2dNative") for node in there) == 5 + 4

    def gradient(ask):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(ask(x) ** 2)
        return tape.gradient(total, [x, *(w.value for w in model.trainable_variables)])

    for own, other in zip(gradient(answer), gradient(model), strict=True):
        equal(own, other, 1e-4)
    model.weights[-3].assign_add(tf.ones_like(model.weights[-3]))  # Read anew at each call.
    equal(answer(x), model(x, training=False))


def test_to_be_measured_changes_nothing_of_a_model():
    model = network()
    before, config = model.get_weights(), model.to_json()
    list(paths.gradients(model, images(2, 9, 9, 3), [0, 1]))
    for own, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, other)
    assert model.to_json() == config
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


def test_outputs_that_would_move_stay_as_they_were_written(monkeypatch, caplog):
    model = network()
    folded = batch_normalisation.folded

    def wrong(layer, inputs):
        given = folded(layer, inputs)
        return None if given is None else given * 1.001

    monkeypatch.setattr(batch_normalisation, "folded", wrong)
    with caplog.at_level(logging.INFO, logger="absl"):
        answer = tf.function(at_inference(model), autograph=False)
    assert "not folded into its convolutions" in caplog.text
    x = tf.constant(images(2, 9, 9, 3))
    equal(answer(x), model(x, training=False))


def test_a_model_of_open_sides_is_asked_as_it_is():
    inputs = keras.Input((None, None, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 3)(inputs))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    answer = tf.function(at_inference(model), autograph=False)
    graph = answer.get_concrete_function(tf.TensorSpec((1, 9, 9, 3))).graph
    assert [op.type for op in graph.get_operations()].count("Conv2D") == 1


@pytest.mark.long
def test_who_saves_our_layer_reads_it_here_and_keras_reads_the_copy_without(tmp_path):
    model = convnet(width=2, input_shape=(4, 4, 3), num_classes=2)
    model.set_weights([RNG.uniform(0.3, 1, size=w.shape) for w in model.weights])
    x = images(3, 4, 4, 3)
    model.save(tmp_path / "ours.keras")
    again = keras.saving.load_model(tmp_path / "ours.keras")
    assert any(type(layer) is BatchNormalization for layer in again.layers)
    np.testing.assert_array_equal(again(x), model(x))
    copy = with_keras_layers(model)
    copy.save(tmp_path / "plain.keras")
    copy.save_weights(tmp_path / "plain.weights.h5")
    model.load_weights(tmp_path / "plain.weights.h5")  # Of the same names.
    assert with_keras_layers(copy) is copy
    np.save(tmp_path / "x.npy", x)
    code = (
        "import keras, numpy as np; x = np.load('x.npy')\n"
        "np.save('y.npy', keras.saving.load_model('plain.keras')(x))\n"
        "try: keras.saving.load_model('ours.keras')\n"
        "except TypeError as error: assert 'BatchNormalization' in str(error)\n"
        "else: raise SystemExit('read without our layer')\n"
        "import spectral_tf.models.files as files\n"
        "np.testing.assert_array_equal(files.read('model', 'ours.keras')(x), np.load('y.npy'))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=300)
    equal(np.load(tmp_path / "y.npy"), model(x))


REPLICAS = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from spectral_tf.batch_normalisation import BatchNormalization, at_inference
from test_batch_normalisation import images, network, equal
from spectral_tf.probes import stream
two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x = images(6, 3, 3, 2)
parts = {True: [x, x], False: [x[:3], x[3:]]}  # Halves are alike in statistics only together.
for synchronized in (True, False):
    one = BatchNormalization(momentum=0.5, synchronized=synchronized)
    with two.scope():
        both = BatchNormalization(momentum=0.5, synchronized=synchronized)
        both.build(x.shape)
    given = two.experimental_distribute_values_from_function(
        lambda context: tf.constant(x[3 * context.replica_id_in_sync_group:][:3])
    )
    outputs = two.run(tf.function(lambda x: both(x, training=True)), (given,))
    outputs = np.concatenate([y.numpy() for y in two.experimental_local_results(outputs)])
    if synchronized:
        equal(outputs, one(x, training=True))
        equal(both.moving_variance.value.numpy(), one.moving_variance.value)
    else:
        equal(outputs, np.concatenate([one(half, training=True) for half in (x[:3], x[3:])]))
with two.scope():
    model = network()
inputs = images(5, 9, 9, 3)
equal(stream.outputs(model, inputs, batch_size=4, strategy=two), model(inputs))
print("as one device gives it")
"""


@pytest.mark.long
def test_two_replicas_synchronise_and_fold():
    result = subprocess.run(
        [sys.executable, "-c", REPLICAS],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=__file__.rpartition("/")[0],
    )
    assert result.stdout.endswith("as one device gives it\n"), result.stdout + result.stderr
