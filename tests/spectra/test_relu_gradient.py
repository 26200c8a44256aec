import numpy as np
import pytest
from spectra.test_relu import HAT, random_network

from spectral_tf import spectra

K = np.array([0.7, 1.0, 2.0, 3.0, 17.3])
W = 2 * np.pi * K


def test_the_derivatives_of_the_hat_by_hand(assert_close):
    """f = 2 relu(x) - 4 relu(x - 1/2): what each parameter of the second unit does."""
    gradient = spectra.relu_network_gradient(*HAT)
    half, end = np.exp(-1j * W / 2), np.exp(-1j * W)
    assert_close(gradient.knots, [0, 0.5, 1])
    # By the bias -1/2: -4 from 1/2 on, a step.
    step = gradient.by_bias(0, [1])
    assert_close(step.jumps, [[0, -4, 4]])
    assert_close(step.transform(K), [-4 * (half - end) / (1j * W)])
    # By the weight 1: -4 x from there on, a step of -2 and a ramp.
    moved = gradient.by_kernel(0, [0], [1])
    assert_close(moved.jumps, [[0, -2, 4]])
    assert_close(moved.slope_jumps, [[0, -4, 4]])
    expected = (-2 * half + 4 * end) / (1j * W) - (-4 * half + 4 * end) / W**2
    assert_close(moved.transform(K), [expected])
    # By the output's weight -4: relu(x - 1/2), a ramp; by its bias: 1.
    ramp, one = gradient.by_kernel(1, [1], [0]), gradient.by_bias(1, [0])
    expected = -(half - end) / W**2 - 0.5 * end / (1j * W)
    assert_close(ramp.transform(K), [expected])
    assert_close(one.transform(K), [(1 - end) / (1j * W)])
    assert_close(one.transform([0.0]), [[1.0]])
    # Less their chords: a step of -4 and the line 4 x, nothing at the ends; nothing of a constant.
    assert_close(step.detrended().jumps, [[0, -4, 0]])
    assert_close(step.detrended().slope_jumps, [[4, 0, -4]])
    assert_close(one.detrended().transform(K), [np.zeros(K.size)])
    # Of the step, then: 4 / w, and two kinks of 4 at the ends.
    assert_close(step.detrended().expected_magnitude(K), [np.sqrt(16 / W**2 + 32 / W**4)])
    assert_close(step.detrended().transform_bound(K), [4 / W + 8 / W**2])


def test_the_function_is_the_network_and_its_transform_that_of_its_pieces(assert_close):
    network = random_network(32, 4, seed=3)
    gradient, pieces = (
        spectra.relu_network_gradient(*network),
        spectra.relu_network_pieces(*network),
    )
    assert_close(gradient.function.transform(K), pieces.transform(K))
    middles = (gradient.knots[1:] + gradient.knots[:-1]) / 2
    assert_close(gradient.function.middles, pieces(middles))
    assert_close(gradient.function.detrended().transform(K), pieces.detrended().transform(K))


@pytest.mark.parametrize("depth", [2, 4])
def test_they_are_what_differences_of_the_transform_tend_to(depth):
    kernels, biases = random_network(24, depth, seed=1)
    rng = np.random.default_rng(0)
    changes = [[rng.normal(size=a.shape) for a in arrays] for arrays in (kernels, biases)]
    gradient = spectra.relu_network_gradient(kernels, biases)
    along = gradient.along(*changes).detrended().transform(K)

    def moved(size):
        parts = [
            [a + size * c for a, c in zip(arrays, change, strict=True)]
            for arrays, change in zip((kernels, biases), changes, strict=True)
        ]
        return spectra.relu_network_pieces(*parts).detrended().transform(K)

    difference = (moved(1e-6) - moved(-1e-6)) / 2e-6
    assert np.abs(difference - along).max() < 1e-6 * np.abs(along).max()
    # The same from every parameter apart.
    whole = np.zeros(K.size, complex)
    for layer, (kernel, bias) in enumerate(zip(*changes, strict=True)):
        i, j = np.indices(kernel.shape).reshape(2, -1)
        by_kernel = gradient.by_kernel(layer, i, j).detrended().transform(K)
        by_bias = gradient.by_bias(layer, range(bias.size)).detrended().transform(K)
        whole += kernel.ravel() @ by_kernel + bias @ by_bias
    np.testing.assert_allclose(whole, along, rtol=1e-9)


def test_the_gradient_of_the_loss_is_what_its_differences_tend_to():
    kernels, biases = random_network(12, 4, seed=1)
    rng = np.random.default_rng(0)
    x, y = np.arange(16) / 16, rng.normal(size=16)

    def loss(size, change):
        parts = [
            [a + size * c for a, c in zip(arrays, changes, strict=True)]
            for arrays, changes in zip((kernels, biases), change, strict=True)
        ]
        return np.mean((spectra.relu_network_pieces(*parts)(x) - y) ** 2)

    found = spectra.relu_loss_gradient(kernels, biases, x, y)
    change = [[rng.normal(size=a.shape) for a in arrays] for arrays in found]
    along = sum(
        (a * c).sum()
        for arrays, changes in zip(found, change, strict=True)
        for a, c in zip(arrays, changes, strict=True)
    )
    assert abs((loss(1e-6, change) - loss(-1e-6, change)) / 2e-6 / along - 1) < 1e-5
    # One unit by hand: f = 2 relu(3 x - 1) + 1 at x = 0 and 1, y = 0: f = 1 and 5.
    by_kernel, by_bias = spectra.relu_loss_gradient(
        [np.array([[3.0]]), np.array([[2.0]])], [np.array([-1.0]), np.array([1.0])], [0, 1], [0, 0]
    )
    assert [a.item() for a in (*by_kernel, *by_bias)] == [10, 10, 10, 6]


def band_of(k, width=400, seed=0):
    """Frequencies about k, of which none is special."""
    return k * (1 + 0.2 * np.random.default_rng(seed).uniform(size=width))


def test_hidden_layers_lose_a_power_and_the_output_layer_none():
    gradient = spectra.relu_network_gradient(*random_network(24, 3))
    of_layers = [gradient.by_kernel(layer, 3 * [0], [0, 5, 11]) for layer in (0, 1)]
    of_layers += [gradient.by_kernel(2, [0, 5, 11], 3 * [0]), gradient.function]
    far = np.array([1e5, 1e6])
    for functions, power in zip(of_layers, (-1, -1, -2, -2), strict=True):
        near, farther = (
            np.sqrt(np.mean(np.abs(functions.detrended().transform(band_of(k))) ** 2)) for k in far
        )
        slope = np.log(farther / near) / np.log(10)
        assert abs(slope - power) < 0.05, (slope, power)


def test_the_expected_magnitude_is_the_mean_over_frequencies_and_the_bound_is_one():
    gradient = spectra.relu_network_gradient(*random_network(24, 3))
    functions = gradient.by_bias(0, range(24)).detrended()
    k = band_of(3e4, 4_000)
    found = functions.transform(k)
    squares = (np.abs(found) ** 2).mean(axis=1)
    expected = (functions.expected_magnitude(k) ** 2).mean(axis=1)
    there = expected > 0
    assert 10 < np.count_nonzero(there) < 24  # The others have no kink in the interval.
    np.testing.assert_allclose(squares[there], expected[there], rtol=0.1)
    assert np.all(np.abs(found) <= functions.transform_bound(k) * (1 + 1e-9))


@pytest.mark.parametrize("size", [1e-5, 1e-3])
def test_a_change_of_the_kinks_is_first_order_up_to_its_edge_alone(size):
    kernels, biases = random_network(24, 2, seed=2)
    rng = np.random.default_rng(0)
    gradient = spectra.relu_network_gradient(kernels, biases)
    change = [size * rng.normal(size=bias.shape) for bias in biases]
    after = [b + c for b, c in zip(biases, change, strict=True)]
    moved = spectra.relu_network_gradient(kernels, after).function.detrended()
    along = gradient.along([np.zeros_like(kernel) for kernel in kernels], change)
    edge = spectra.edge_of_first_order(gradient.function, along)
    assert 0.003 < edge * size < 0.3  # Kinks move by about the change of the biases.
    for factor in (0.03, 1.0, 30.0):
        k = band_of(factor * edge, 4_000)
        difference = moved.transform(k) - gradient.function.detrended().transform(k)
        rms, expected, first = (
            np.sqrt(np.mean(np.abs(magnitudes) ** 2))
            for magnitudes in (
                difference,
                spectra.expected_change(gradient.function, along, k),
                along.detrended().expected_magnitude(k),
            )
        )
        if factor * edge > 100:  # Below it single kinks cohere.
            assert abs(rms / expected - 1) < 0.15, factor
            assert (rms > 0.95 * first) == (factor < 1), (factor, rms / first)
        assert expected <= first * (1 + 1e-9)


def test_the_change_of_one_kink_by_hand(assert_close):
    """S relu(x - c) with c moved by d: S / w^2 |exp(-i w d) - 1|."""
    gradient = spectra.relu_network_gradient(*HAT)
    moved = 0.03  # The bias -1/2 falls by it, and the kink moves on.
    along = gradient.along([np.zeros((1, 2)), np.zeros((2, 1))], [[0, -moved], np.zeros(1)])
    k = np.array([1.0, 10.0, 500.0])
    w = 2 * np.pi * k
    expected = 4 / w**2 * np.abs(np.exp(-1j * w * moved) - 1)
    assert_close(spectra.expected_change(gradient.function, along, k), expected)
    assert_close(
        spectra.edge_of_first_order(gradient.function, along), np.sqrt(2) / 0.03 / 2 / np.pi
    )
    still = gradient.along([np.zeros((1, 2)), np.zeros((2, 1))], [np.zeros(2), np.zeros(1)])
    assert spectra.edge_of_first_order(gradient.function, still) == np.inf


def test_other_networks_are_refused():
    with pytest.raises(ValueError, match="kernels: expected matrices"):
        spectra.relu_network_gradient([np.ones((2, 2)), HAT[0][1]], HAT[1])
    with pytest.raises(ValueError, match="interval: expected a < b"):
        spectra.relu_network_gradient(*HAT, (1.0, 0.0))
