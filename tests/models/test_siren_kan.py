import keras
import numpy as np
import pytest
import scipy.interpolate

from spectral_tf.errors import UserError
from spectral_tf.models.periodic import siren
from spectral_tf.models.splines import KolmogorovArnold, kan


def test_a_siren_is_sines_of_affine_maps():
    model = siren(width=8, depth=3, omega_0=5.0, seed=1)
    x = np.linspace(0, 1, 11)[:, None]
    z = 2 * x - 1
    for layer in ("layer_1", "layer_2"):
        kernel, bias = (w.numpy() for w in model.get_layer(layer).weights)
        z = np.sin(5.0 * (z @ kernel + bias))
    kernel, bias = (w.numpy() for w in model.get_layer("layer_3").weights)
    np.testing.assert_allclose(model(x).numpy(), z @ kernel + bias, atol=1e-5)


def test_its_initialisation_keeps_the_scale_from_layer_to_layer():
    model = siren(width=512, depth=8, omega_0=30.0)
    for i, layer in enumerate(model.layers[2::3]):
        bound = np.abs(layer.kernel.numpy()).max()
        limit = 1.0 if i == 0 else np.sqrt(6 / 512) / 30
        assert 0.95 * limit < bound <= limit
    inner = keras.Model(model.inputs, [layer.output for layer in model.layers[5::3]])
    x = np.random.default_rng(0).uniform(size=(400, 1)).astype(np.float32)
    scales = [30 * z.numpy().std() for z in inner(x)[:-1]]
    # The paper: after the first layer what goes into a sine is normal of deviation near 1.
    assert np.ptp(scales) < 0.2
    assert 0.8 < np.mean(scales) < 1.3


@pytest.mark.parametrize("order", [1, 2, 3])
def test_splines_are_those_of_scipy_and_sum_to_one(order):
    layer = KolmogorovArnold(1, num_intervals=4, order=order)
    x = np.linspace(-1, 0.999, 57, dtype=np.float32)
    found = np.asarray(layer.basis(x[:, None]))[:, 0]
    knots = -1 + 0.5 * (np.arange(4 + 2 * order + 1) - order)
    for g in range(4 + order):
        unit = np.eye(4 + order)[g]
        expected = scipy.interpolate.BSpline(knots, unit, order)(x)
        np.testing.assert_allclose(found[:, g], expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_a_layer_is_silu_and_splines_added_up_and_can_be_saved(tmp_path):
    model = kan(width=4, depth=2, seed=3)
    x = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
    z = 2 * x - 1
    for layer in model.layers[2:]:
        splines = layer.splines.numpy().reshape(z.shape[1], 8, -1)
        own = np.einsum("nig,igj->nj", np.asarray(layer.basis(z.astype(np.float32))), splines)
        z = z / (1 + np.exp(-z)) @ layer.base.numpy() + own
    np.testing.assert_allclose(model(x).numpy(), z, atol=1e-5)
    model.save(tmp_path / "kan.keras")
    again = keras.models.load_model(tmp_path / "kan.keras")
    np.testing.assert_array_equal(again(x).numpy(), model(x).numpy())
    assert not np.allclose(kan(width=4, depth=2, seed=4)(x), model(x))


@pytest.mark.parametrize(
    "make",
    [
        lambda: siren(width=0),
        lambda: siren(omega_0=0),
        lambda: kan(num_intervals=0),
        lambda: KolmogorovArnold(2, low=1, high=1),
    ],
)
def test_sizes_that_cannot_be(make):
    with pytest.raises(UserError, match="at least 1"):
        make()
