import numpy as np
import pytest

from spectral_tf import spectra, tasks

RNG = np.random.default_rng(0)


def samples(x, y):
    return tasks.Samples("csv:mine.csv", np.asarray(x), np.asarray(y), "t", "cycles per unit of t")


def waves(x, parts):
    return sum(a * np.cos(2 * np.pi * k * x + i) for i, (k, a) in enumerate(parts.items()))


GRID = np.arange(100) / 100
CASES = {  # Positions, waves, what measures them.
    "grid": (GRID, {3: 1, 7: 0.5, 20: 0.1}, "average"),
    "with its right end": (np.linspace(0, 1, 101), {3: 1, 7: 0.5}, "quadrature"),
    "of two units with its right end": (np.linspace(-1, 1, 101), {1.5: 1, 7: 0.5}, "quadrature"),
    "between whole cycles": (GRID, {3.3: 1, 7.6: 0.5}, "least_squares"),
    "of no known period": (0.3 + np.arange(90) * 0.0123, {2.5: 1, 11: 0.5}, "least_squares"),
    "not uniform": (np.sort(RNG.random(120) ** 2) * 3, {2.1: 1, 5.3: 0.5}, "least_squares"),
}


@pytest.mark.parametrize("name", CASES)
def test_its_waves_are_found_measured_and_nothing_leaks(name, assert_close):
    x, parts, estimator = CASES[name]
    target = tasks.OwnTarget.strongest(samples(x, 4 + 3 * waves(x, parts)), 10)
    np.testing.assert_allclose(target.frequencies, sorted(parts), rtol=1e-7)
    assert target.estimator == estimator
    std = target.scale[1]
    np.testing.assert_allclose(
        std * target.amplitudes, [3 * parts[k] for k in sorted(parts)], rtol=1e-6
    )
    np.testing.assert_allclose(target.leakage.mixing, np.eye(len(parts)), atol=1e-7)
    assert target.leakage.outside < 1e-12
    np.testing.assert_allclose(target.magnitudes(target.targets), 1, rtol=1e-9)
    # Half of the first wave is learned, and something at a frequency of none.
    learned = (0.5 * 3 * waves(x, dict(list(parts.items())[:1]))) / std
    found = target.magnitudes(np.stack([learned, 0 * learned, 2 * target.targets + 1]))
    expected = [[0.5, *[0] * (len(parts) - 1)], [0] * len(parts), [2] * len(parts)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_network_sees_scaled_inputs_and_values(assert_close):
    x = np.linspace(10, 12, 41)
    target = tasks.OwnTarget(samples(x, 5 + 2 * np.sin(np.pi * x)), [0.5])
    assert target.sampling.kind == "closed"
    assert target.targets.mean() == pytest.approx(0)
    assert target.targets.std() == pytest.approx(1)
    assert_close(target.in_units(target.targets), target.samples.values)
    inputs, values = next(iter(target.dataset().batch(100).as_numpy_iterator()))
    assert inputs.dtype == values.dtype == np.float32
    assert_close(inputs[:, 0], (x - 10).astype(np.float32) / 2)
    assert_close(values[:, 0], target.targets.astype(np.float32))


def test_whole_cycles_are_kept_under_noise_and_left_where_they_do_not_fit():
    noisy = np.sin(2 * np.pi * 5 * GRID) + 0.3 * RNG.normal(size=100)
    target = tasks.OwnTarget.strongest(samples(GRID, noisy), 10)
    assert target.estimator == "average"
    assert 5.0 in target.frequencies
    assert len(target.frequencies) == 10
    assert 0.01 < target.leakage.outside < 0.2
    between = tasks.OwnTarget.strongest(samples(GRID, np.sin(2 * np.pi * 5.4 * GRID)), 10)
    np.testing.assert_allclose(between.frequencies, [5.4])


def test_a_square_wave_has_the_odd_whole_frequencies():
    square = np.sign(np.sin(2 * np.pi * (GRID + 0.003)))
    target = tasks.OwnTarget.strongest(samples(GRID, square), 6)
    assert target.frequencies == [1, 3, 5, 7, 9, 11]
    # Of a grid of n points A_k = 4 / (n sin(pi k / n)).
    expected = 4 / (100 * np.sin(np.pi * np.array(target.frequencies) / 100))
    np.testing.assert_allclose(target.scale[1] * target.amplitudes, expected, rtol=1e-6)
    # One sample more above than below: waves of any frequency catch more, but not ten times.
    lopsided = np.where(np.arange(64) <= 32, 1.0, -1.0)
    whole = tasks.OwnTarget.strongest(samples(np.arange(64) / 64, lopsided), 10)
    assert whole.estimator == "average"
    unknown = tasks.OwnTarget.strongest(samples(np.arange(64) * 0.0123, lopsided), 10)
    assert unknown.estimator == "least_squares"


def test_asked_frequencies_are_taken_and_what_they_miss_is_told():
    y = np.cos(2 * np.pi * 3 * GRID) + np.cos(2 * np.pi * 9.5 * GRID)
    target = tasks.OwnTarget(samples(GRID, y), [3, 10])
    assert target.estimator == "average"
    fit = spectra.fit_coefficients(y, GRID, [3, 10])
    assert target.leakage.outside == pytest.approx(float(fit.unexplained))
    assert 0.1 < target.leakage.outside < 0.5
    assert target.leakage.largest < 1e-12
    other = tasks.OwnTarget(samples(GRID, y), [3, 9.5])
    assert other.leakage.largest < 1e-12 < 0.05 < other.leakage.largest_of_average
    assert other.leakage.outside < 1e-12


@pytest.mark.parametrize(
    ("frequencies", "told"),
    [
        ([0.0], "above 0 and below 50 cycles per unit of t"),
        ([50.0], "below 50"),
        ([-1.0], "above 0"),
        ([], "got none"),
        ([3.0, 3.0001], "tell apart"),
        ([3.0, 20.0], "20 cycles per unit of t, of amplitude 0"),
    ],
)
def test_frequencies_that_cannot_be_measured_are_refused(frequencies, told):
    with pytest.raises(ValueError, match=told):
        tasks.OwnTarget(samples(GRID, np.cos(2 * np.pi * 3 * GRID)), frequencies)


@pytest.mark.parametrize("n", [20, 21])
def test_the_spectrum_is_that_of_the_dft(n, assert_close):
    y = RNG.normal(size=n)
    k, sizes = tasks.target_spectrum(samples(np.arange(n) / n * 2, y))
    assert_close(k, np.arange(1, (n + 1) // 2) / 2)
    assert_close(sizes, 2 * np.abs(np.fft.rfft(y))[1 : (n + 1) // 2] / n)
    closed = np.append(y, y[0] + 2)
    _, of_closed = tasks.target_spectrum(samples(np.linspace(0, 1, n + 1), closed))
    w = spectra.quadrature_weights(np.linspace(0, 1, n + 1))
    k = np.arange(1, (n + 1) // 2)
    assert_close(
        of_closed,
        2 * np.abs(spectra.coefficients_at(closed, np.linspace(0, 1, n + 1), k, weights=w)),
    )


def test_the_hash_is_of_the_numbers():
    one, same, other = (
        tasks.OwnTarget(samples(GRID, np.cos(2 * np.pi * 3 * GRID) + more), [3.0]).sha256
        for more in (0, 0, 1e-6)
    )
    assert one == same != other
