import itertools

import keras
import numpy as np
import pytest

from spectral_tf import models
from spectral_tf.models.mlp import mlp


@pytest.mark.parametrize(("input_dim", "count"), [(1, 263_937), (2, 264_193), (784, 464_385)])
def test_parameter_counts_of_the_papers_networks(input_dim, count):
    assert mlp(input_dim=input_dim).count_params() == count


def test_weights_and_biases_are_uniform_in_one_over_root_fan_in():
    model = mlp(width=200, depth=3, input_dim=50, output_dim=30)
    for layer, fan_in in zip(model.layers[1:], [50, 200, 200], strict=True):
        for values in layer.get_weights():
            bound = fan_in**-0.5
            spread = values.std() / (bound / 3**0.5)  # Uniform: bound / sqrt(3).
            assert np.abs(values).max() <= bound
            assert np.abs(values).max() > 0.9 * bound
            assert spread == pytest.approx(1, abs=5 / values.size**0.5)
            assert abs(values.mean()) < 5 * bound / (3 * values.size) ** 0.5
            # Kurtosis of the uniform law 1.8; a truncated normal would give more.
            kurtosis = np.mean(values**4) / np.mean(values**2) ** 2
            assert kurtosis == pytest.approx(1.8, abs=20 / values.size**0.5)


def test_initial_spectral_norms_of_the_protocol():
    norms = [np.linalg.norm(v, 2) for v in mlp().get_weights()[::2]]
    assert norms[0] == pytest.approx(16 / 3**0.5, rel=0.1)
    assert norms[1:5] == pytest.approx([1.14] * 4, abs=0.03)
    assert norms[5] == pytest.approx(1 / 3**0.5, rel=0.15)


def test_every_layer_and_every_seed_draws_its_own():
    a, again, b = mlp(seed=1), mlp(seed=1), mlp(seed=2)
    for x, y, z in zip(a.get_weights(), again.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)
        assert np.all(x != z)
    kernel, bias = a.get_weights()[:2]
    assert np.all(kernel[0] != bias)  # Equal shapes and bounds for one input: equal only by seed.
    kernels = a.get_weights()[2:10:2]
    for first, second in itertools.pairwise(kernels):
        assert np.all(first != second)


@pytest.mark.parametrize("activation", models.ACTIVATIONS)
def test_the_network_is_what_it_says(activation, assert_close):
    model = mlp(width=5, depth=3, input_dim=2, activation=activation)
    x = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    w1, b1, w2, b2, w3, b3 = model.get_weights()
    function = {"sine": keras.ops.sin, "relu": lambda v: np.maximum(v, 0)}.get(
        activation, keras.activations.get(activation) if activation != "sine" else None
    )
    hidden = np.asarray(function(x @ w1 + b1))
    hidden = np.asarray(function(hidden @ w2 + b2))
    assert_close(model(x).numpy(), hidden @ w3 + b3)


def test_one_layer_is_affine(assert_close):
    model = mlp(depth=1, width=7, input_dim=3, output_dim=2)
    kernel, bias = model.get_weights()
    assert_close(model(np.eye(3, dtype=np.float32)).numpy(), kernel + bias)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"width": 0}, "width: expected at least 1, got 0"),
        ({"depth": -1}, "depth: expected at least 1"),
        ({"seed": -1}, "seed: expected 0 or more"),
        ({"activation": "Relu"}, "activation: expected relu, tanh"),
    ],
)
def test_bad_settings_are_refused(wrong, line):
    with pytest.raises(ValueError, match=line):
        mlp(**wrong)
