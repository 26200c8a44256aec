import numpy as np
import pytest
import scipy.integrate

from spectral_tf import spectra


def random_network(width, depth, seed=0):
    rng = np.random.default_rng(seed)
    sizes = [1, *[width] * (depth - 1), 1]
    bounds = [a**-0.5 for a in sizes]
    kernels = [
        rng.uniform(-r, r, (a, b)) for r, a, b in zip(bounds, sizes, sizes[1:], strict=False)
    ]
    biases = [rng.uniform(-r, r, b) for r, b in zip(bounds, sizes[1:], strict=False)]
    return kernels, biases


def evaluate(kernels, biases, x):
    hidden = np.asarray(x)[:, None]
    for kernel, bias in zip(kernels[:-1], biases[:-1], strict=True):
        hidden = np.maximum(hidden @ kernel + bias, 0)
    return (hidden @ kernels[-1] + biases[-1])[:, 0]


# A hat: 2 x up to 1/2, then 2 - 2 x.
HAT = ([np.array([[1.0, 1.0]]), np.array([[2.0], [-4.0]])], [np.array([0, -0.5]), np.zeros(1)])


def test_the_hat_by_hand(assert_close):
    hat = spectra.relu_network_pieces(*HAT)
    assert_close(hat.knots, [0, 0.5, 1])
    assert_close(hat.values, [0, 1, 0])
    assert_close(hat.slopes, [2, -2])
    assert (hat.num_regions, hat.lipschitz, hat.total_jump) == (2, 2, 4)
    k = np.array([0, 1, 2, 3, 0.5])
    # f~(k) = exp(-i pi k) sin(pi k / 2)^2 / (pi k / 2)^2 / 2.
    assert_close(hat.transform(k), np.exp(-1j * np.pi * k) * np.sinc(k / 2) ** 2 / 2)
    assert_close(hat.transform_bound([2.0]), [8 / (4 * np.pi) ** 2])


@pytest.mark.parametrize(("width", "depth"), [(16, 3), (64, 3), (64, 6), (256, 6)])
def test_pieces_are_the_network_itself(width, depth, assert_close):
    network = random_network(width, depth)
    pieces = spectra.relu_network_pieces(*network)
    x = np.random.default_rng(1).uniform(size=1_000)
    assert_close(pieces(x), evaluate(*network, x))
    assert np.all(np.diff(pieces.knots) > 0)
    assert pieces.num_regions > width / 16


@pytest.mark.parametrize("k", [0, 1, 2.5, 17, -40.3])
def test_the_transform_agrees_with_quadrature_to_1e_10(k):
    network = random_network(32, 4, seed=3)
    pieces = spectra.relu_network_pieces(*network)

    def part(function):
        def integrand(x):
            return evaluate(*network, [x])[0] * function(2 * np.pi * k * x)

        ends = zip(pieces.knots, pieces.knots[1:], strict=False)
        return sum(scipy.integrate.quad(integrand, a, b, epsabs=1e-13)[0] for a, b in ends)

    expected = part(np.cos) - 1j * part(np.sin)
    assert abs(pieces.transform(k) - expected) < 1e-10


def test_without_the_chord_the_bound_holds_and_the_ends_are_zero(assert_close):
    for seed in range(5):
        compact = spectra.relu_network_pieces(*random_network(32, 4, seed)).detrended()
        assert_close(compact.values[[0, -1]], [0, 0])
        k = np.geomspace(0.5, 1e4, 300)
        assert np.all(np.abs(compact.transform(k)) <= compact.transform_bound(k))


def test_the_chain_of_bounds_holds_for_random_networks():
    for seed, (width, depth) in enumerate([(16, 3), (64, 3), (64, 6), (256, 6)]):
        kernels, biases = random_network(width, depth, seed)
        pieces = spectra.relu_network_pieces(kernels, biases)
        product = spectra.spectral_norm_bound(kernels)
        assert 0 < pieces.lipschitz <= product <= spectra.max_norm_bound(kernels, biases)
        assert pieces.total_jump <= 2 * pieces.num_regions * pieces.lipschitz


def test_the_bounds_by_hand(assert_close):
    assert_close(spectra.spectral_norm_bound(HAT[0]), np.sqrt(2) * np.sqrt(20))
    # Two layers, largest parameter 4, one hidden layer of 2.
    assert_close(spectra.max_norm_bound(*HAT), 4.0**2 * 2)
    # 6 layers of width 64 at clip 0.1: 0.1^6 x 64^5.
    kernels = [np.full(s, 0.1) for s in [(1, 64), *[(64, 64)] * 4, (64, 1)]]
    assert abs(spectra.max_norm_bound(kernels, [np.zeros(1)]) - 1.07e3) < 5


TENT = (
    [[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]],
    [0, 0, 0, 0, 1],
    [[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]],
)


@pytest.mark.parametrize("k", [(1.3, 2.1), (2.0, 0.0), (1.5, 1.5)])
def test_the_tent_agrees_with_quadrature(k):
    middles = (np.arange(1_000) + 0.5) / 1_000
    x, y = np.meshgrid(middles, middles, indexing="ij")
    tent = 2 * np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    expected = np.mean(tent * np.exp(-2j * np.pi * (k[0] * x + k[1] * y)))
    assert abs(spectra.planar_transform(*TENT, k) - expected) < 1e-6


def test_the_tent_decays_slower_along_the_normal_of_an_edge():
    radii = np.geomspace(30, 3_000, 4_000)
    for direction, exponent in (((1.0, 0.0), -2), ((0.6, 0.8), -3), ((0.28, 0.96), -3)):
        transform = spectra.planar_transform(*TENT, radii[:, None] * np.array(direction))
        bands = np.abs(transform).reshape(20, -1) ** 2
        law = spectra.fit_power_law(radii.reshape(20, -1).mean(1), np.sqrt(bands.mean(1)))
        assert abs(law.exponent.value - exponent) < 0.1, direction


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda k, b: (k[:1], b), "kernels: expected matrices"),
        (lambda k, b: ([k[0], k[1].T], b), "kernels: expected matrices"),
        (lambda k, b: ([np.ones((2, 2)), k[1]], b), "kernels: expected matrices"),
    ],
)
def test_other_networks_are_refused(change, line):
    with pytest.raises(ValueError, match=line):
        spectra.relu_network_pieces(*change(*HAT))


def test_an_empty_interval_and_a_wave_vector_of_zero_are_refused():
    with pytest.raises(ValueError, match="interval: expected a < b"):
        spectra.relu_network_pieces(*HAT, (1.0, 0.0))
    with pytest.raises(ValueError, match="wave_vectors"):
        spectra.planar_transform(*TENT, [0.0, 0.0])
