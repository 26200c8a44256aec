import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.models.resnet import resnet
from spectral_tf.models.shake import ShakeDrop, ShakeShake, pyramid_net, shake_shake
from spectral_tf.models.wide_resnet import wide_resnet

SMALL = {
    "wide_resnet": lambda **k: wide_resnet(depth=10, width=4, input_shape=(8, 8, 3), **k),
    "resnet": lambda **k: resnet(depth=8, width=4, input_shape=(8, 8, 3), **k),
    "shake_shake": lambda **k: shake_shake(width=4, input_shape=(8, 8, 3), **k),
    "pyramid_net": lambda **k: pyramid_net(blocks=2, alpha=6, input_shape=(8, 8, 3), **k),
}
IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (lambda: wide_resnet(), 1_553_626),
        (lambda: wide_resnet(width=160), 38_547_674),
        (lambda: wide_resnet(shortcut="1x1"), 1_467_610),
        (lambda: wide_resnet(width=160, shortcut="1x1"), 36_479_194),
        (lambda: wide_resnet(width=8), 98_226),
        (lambda: wide_resnet(width=16), 389_978),
        (lambda: resnet(), 269_722),
        (lambda: resnet(depth=56), 853_018),
        (lambda: shake_shake(width=32), 2_923_162),
        (lambda: shake_shake(width=96), 26_192_922),
        (lambda: shake_shake(width=112), 35_640_442),
        (lambda: pyramid_net(), 26_210_842),
    ],
)
def test_the_published_sizes_have_the_published_parameters(build, parameters):
    assert sum(math.prod(v.shape) for v in build().trainable_variables) == parameters


@pytest.mark.parametrize("name", SMALL)
def test_the_first_loss_is_that_of_a_guess(name):
    model = SMALL[name](num_classes=7)
    for training in (False, True):
        assert not np.any(model(IMAGES, training=training))  # Softmax: 1/7 each, loss ln 7.


@pytest.mark.parametrize("name", SMALL)
def test_the_seed_decides_the_weights_and_every_layer_draws_its_own(name):
    one, again, other = (SMALL[name](seed=seed) for seed in (1, 1, 2))
    kernels = [
        [v.numpy() for v in m.trainable_variables if len(v.shape) == 4] for m in (one, again, other)
    ]
    for a, b, c in zip(*kernels, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)
    flat = np.concatenate([k.ravel()[:20] for k in kernels[0]])
    assert np.unique(flat).size == flat.size


def test_convolutions_are_normal_with_variance_2_over_fan_in():
    kernels = [v.numpy() for v in wide_resnet(width=64).trainable_variables if v.ndim == 4]
    kernel = max(kernels, key=np.size)
    fan_in = math.prod(kernel.shape[:3])
    assert kernel.size > 100_000
    np.testing.assert_allclose(kernel.std(), (2 / fan_in) ** 0.5, rtol=0.02)
    # Not truncated: a normal has 0.27 % beyond 3 deviations.
    assert np.mean(np.abs(kernel) > 3 * kernel.std()) > 0.002


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_file_loads_in_plain_keras(name, tmp_path):
    model = SMALL[name]()
    for variable in model.trainable_variables:
        variable.assign_add(tf.random.stateless_normal(variable.shape, [1, 2]) * 0.1)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(IMAGES), again(IMAGES))
    assert np.any(model(IMAGES))


# XLA takes ten seconds and more for each of these.
DEEP = ("shake_shake", "pyramid_net")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.long] * (n in DEEP)) for n in SMALL]
)
def test_it_compiles_with_xla_and_static_shapes(name):
    model = SMALL[name]()

    @tf.function(jit_compile=True)
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x, training=True)[:, 0])
        return tape.gradient(loss, model.trainable_variables[-1])

    assert step(tf.constant(IMAGES)).shape == (10,)


X = tf.random.stateless_normal((4_000, 1, 1, 3), [1, 2])
Y = tf.random.stateless_normal((4_000, 1, 1, 3), [3, 4])


def shares(values, x, y):
    """a of a x + (1 - a) y, by image; one for all channels."""
    a = (values - y) / (x - y)
    np.testing.assert_allclose(a, np.broadcast_to(a[..., :1], a.shape), atol=2e-3)
    return a[:, 0, 0, 0]


def test_shake_shake_mixes_each_image_and_differently_backward():
    layer = ShakeShake(seed=3)
    with tf.GradientTape() as tape:
        tape.watch(X)
        values = layer((X, Y), training=True)
    gradient = tape.gradient(values, X).numpy()[:, 0, 0, 0]
    share = shares(values.numpy(), X.numpy(), Y.numpy())
    for drawn in (share, gradient):
        assert np.all((drawn > -1e-3) & (drawn < 1 + 1e-3))
        np.testing.assert_allclose(drawn.mean(), 0.5, atol=0.02)
        np.testing.assert_allclose(drawn.var(), 1 / 12, atol=0.005)
    assert abs(np.corrcoef(share, gradient)[0, 1]) < 0.06
    np.testing.assert_allclose(layer((X, Y)), (X + Y) / 2)
    assert not np.allclose(layer((X, Y), training=True), values)  # New draws.


def test_shake_drop_keeps_or_shakes_each_image():
    layer = ShakeDrop(0.7, seed=3)
    with tf.GradientTape() as tape:
        tape.watch(X)
        values = layer(X, training=True)
    forward = (values / X).numpy()[:, 0, 0, 0]
    backward = tape.gradient(values, X).numpy()[:, 0, 0, 0]
    kept = np.isclose(forward, 1, atol=1e-5)
    np.testing.assert_allclose(kept.mean(), 0.7, atol=0.03)
    np.testing.assert_allclose(backward[kept], 1, atol=1e-5)
    for drawn, low in ((forward[~kept], -1), (backward[~kept], 0)):
        assert low - 1e-4 < drawn.min() < low + 0.05
        assert 0.95 < drawn.max() < 1 + 1e-4
        np.testing.assert_allclose(drawn.mean(), (low + 1) / 2, atol=0.06)
    # Inference has the mean of training.
    np.testing.assert_allclose(layer(X), 0.7 * X, rtol=1e-6)
    np.testing.assert_allclose(forward.mean(), 0.7, atol=0.03)


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (lambda: wide_resnet(depth=12), "depth: expected 10, 16, 22, 28"),
        (lambda: wide_resnet(shortcut="5x5"), "shortcut: expected 3x3 or 1x1"),
        (lambda: wide_resnet(width=0), "width: expected at least 1"),
        (lambda: wide_resnet(num_classes=1), "num_classes: expected at least 2"),
        (lambda: wide_resnet(input_shape=(32, 32)), "input_shape"),
        (lambda: wide_resnet(seed=-1), "seed: expected 0 or more"),
        (lambda: resnet(depth=10), "depth: expected 8, 14, 20, 26"),
        (lambda: shake_shake(width=5), "width: expected even"),
        (lambda: shake_shake(input_shape=(30, 32, 3)), "whose sides 4 divides"),
        (lambda: pyramid_net(blocks=0), "blocks: expected at least 1"),
        (lambda: pyramid_net(input_shape=(28, 30, 1)), "sides that 4 divides"),
    ],
)
def test_impossible_networks_are_refused(build, line):
    with pytest.raises(UserError) as caught:
        build()
    assert line in str(caught.value)
