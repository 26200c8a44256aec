"""Products of bfloat16 factors: by hand, against NumPy, and in a network."""

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf import models
from spectral_tf.errors import UserError
from spectral_tf.models.mlp import mlp
from spectral_tf.models.products import Dense, product
from spectral_tf.training import Adam, Ensemble


def rounded(x):
    return np.asarray(x, np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)


def pair(seed=0, m=3, n=50, o=4):
    rng = np.random.default_rng(seed)
    shapes = (m, n), (n, o)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def test_factors_have_8_bits_and_sums_24():
    x, one = tf.constant([[1 + 2**-9]]), tf.ones([1, 1])
    assert product(x, one, "bfloat16").numpy() == 1.0  # The ninth bit is rounded away.
    assert product(x, one, "bfloat16_3x").numpy() == np.float32(1 + 2**-9)
    # 256 + 1 has nine bits: a sum in bfloat16 would be 256.
    assert product(tf.constant([[256.0, 1.0]]), tf.ones([2, 1]), "bfloat16").numpy() == 257.0


@pytest.mark.parametrize("seed", range(3))
def test_one_product_is_that_of_rounded_factors_three_are_nearly_that_of_float32(seed):
    x, y = pair(seed)
    exact, size = x.astype(np.float64) @ y, np.abs(x.astype(np.float64)) @ np.abs(y)
    one = product(tf.constant(x), tf.constant(y), "bfloat16")
    np.testing.assert_allclose(one, rounded(x) @ rounded(y), rtol=0, atol=1e-5)
    assert np.abs(one - exact).max() > 1e-3  # Else float32 would have been computed.
    three = product(tf.constant(x), tf.constant(y), "bfloat16_3x")
    error = np.abs(three - exact) / size
    assert 2.0**-24 < error.max() < 2.0**-15


@pytest.mark.parametrize("precision", models.PRECISIONS[1:])
def test_gradients_are_such_products_and_have_gradients(precision, assert_close):
    x, y = map(tf.constant, pair())
    upstream = tf.constant(pair(1, 3, 1, 4)[0] @ pair(1, 3, 1, 4)[1])
    with tf.GradientTape() as tape:
        tape.watch((x, y))
        value = tf.reduce_sum(upstream * product(x, y, precision))
    by_x, by_y = tape.gradient(value, (x, y))
    assert_close(by_x, product(upstream, tf.transpose(y), precision))
    assert_close(by_y, product(tf.transpose(x), upstream, precision))
    # d2/dx2 of (x y)^2 is 2 y^2, whatever the order of the rounding: of powers of two exactly.
    x, y = tf.constant([[0.5]]), tf.constant([[4.0]])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            square = product(x, y, precision) ** 2
        slope = inner.gradient(square, x)
    assert outer.gradient(slope, x).numpy() == 32.0


@pytest.mark.parametrize("transposed", [(False, True), (True, False), (True, True)])
def test_transposed_factors_are_the_same_with_the_gradients_of_float32(transposed, assert_close):
    # Of few bits each, so that nothing is rounded.
    x, y = (tf.constant(np.round(4 * factor) / 4) for factor in pair())
    given = [tf.transpose(f) if t else f for f, t in zip((x, y), transposed, strict=True)]
    upstream = tf.constant(np.round(4 * pair(1, 3, 1, 4)[0]) * np.ones((1, 4), np.float32))

    def gradients(multiply):
        with tf.GradientTape() as tape:
            tape.watch(given)
            value = multiply(*given)
        return value, *tape.gradient(value, given, upstream)

    ours = gradients(lambda x, y: product(x, y, "bfloat16", transposed))
    theirs = gradients(lambda x, y: tf.matmul(x, y, transposed[0], transposed[1]))
    for own, other in zip(ours, theirs, strict=True):
        assert_close(own, other)


@pytest.mark.parametrize("precision", models.PRECISIONS[1:])
def test_compiled_and_eager_products_are_the_same(precision, assert_close):
    x, y = (tf.constant(factor) for factor in pair())
    compiled = tf.function(lambda x, y: product(x, y, precision))
    assert "BatchMatMulV3" in str(compiled.get_concrete_function(x, y).graph.as_graph_def())
    assert_close(compiled(x, y), product(x, y, precision))


def test_hidden_layers_are_reduced_and_the_first_of_coordinates_and_the_last_are_not():
    kinds = [type(layer) for layer in mlp(depth=4, width=64, precision="bfloat16").layers[1:]]
    assert kinds == [keras.layers.Dense, Dense, Dense, keras.layers.Dense]
    kinds = [type(layer) for layer in mlp(depth=2, input_dim=64, precision="bfloat16").layers[1:]]
    assert kinds == [Dense, keras.layers.Dense]
    assert not any(isinstance(layer, Dense) for layer in mlp(width=64).layers)


@pytest.mark.parametrize(("precision", "off"), [("bfloat16", 3e-2), ("bfloat16_3x", 2e-4)])
def test_the_same_weights_give_nearly_the_same_network_and_the_file_the_same(
    precision, off, tmp_path
):
    exact, reduced = (mlp(width=64, seed=3, precision=p) for p in ("float32", precision))
    x = np.linspace(0, 1, 20, dtype=np.float32)[:, None]
    outputs = exact.predict(x, verbose=0), reduced.predict(x, verbose=0)
    difference = np.abs(outputs[0] - outputs[1]).max() / np.abs(outputs[0]).max()
    assert 0 < difference < off
    reduced.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), outputs[1])


@pytest.mark.parametrize("precision", models.PRECISIONS[1:])
def test_an_ensemble_of_them_learns(precision):
    x = np.linspace(0, 1, 32, dtype=np.float32)[:, None]
    network = models.Mlp(64, 3, precision=precision)
    ensemble = Ensemble(
        network.build, [0, 1], (x, np.sin(6 * x)), optimizer=Adam(0.01), block_size=2
    )
    before = ensemble.evaluate()[1]
    ensemble.train(200)
    assert (ensemble.evaluate()[1] < 0.2 * before).all()


def test_other_precisions_are_refused():
    with pytest.raises(UserError, match="precision: expected float32, bfloat16, bfloat16_3x"):
        mlp(precision="half")
    with pytest.raises(UserError, match="precision: expected bfloat16 or bfloat16_3x"):
        Dense(3, precision="float32")
