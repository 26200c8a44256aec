import numpy as np
import pytest

from spectral_tf import spectra, tasks


def make(frequencies=(1, 3), amplitudes=(2.0, 0.5), phases=(0.0, 1.0), num_samples=9):
    return tasks.SumOfSines(frequencies, amplitudes, phases, num_samples)


@pytest.mark.parametrize("n", [9, 10])
def test_the_exact_spectrum_is_the_one_measured(n, assert_close):
    task = make(num_samples=n)
    assert_close(spectra.coefficients(task.targets), task.coefficients())
    # Power of a sum of sines: half the squared amplitudes, by hand.
    assert_close(np.sum(np.abs(task.coefficients()) ** 2), (4 + 0.25) / 2)


def test_values_by_hand(assert_close):
    assert_close(make()(0.25), 2 * 1 + 0.5 * np.sin(1.5 * np.pi + 1))
    assert_close(make()([[0.0], [1.0]]), [[0.5 * np.sin(1)]] * 2)


def test_the_grid_leaves_the_right_end_out(assert_close):
    assert_close(make(num_samples=8).positions, [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875])


def test_phases_are_drawn_uniformly_and_by_seed():
    def draw(seed):
        rng = np.random.default_rng(seed)
        return np.array(
            tasks.SumOfSines.with_random_phases(range(1, 500), [1] * 499, 1000, rng).phases
        )

    assert np.array_equal(draw(0), draw(0))
    assert not np.any(draw(0) == draw(1))
    phases = draw(0)
    assert phases.min() >= 0
    assert phases.max() < 2 * np.pi
    # Mean pi and variance (2 pi)^2 / 12 of the uniform law; five standard errors.
    assert abs(phases.mean() - np.pi) < 5 * np.pi / (3 * 499) ** 0.5
    assert phases.var() == pytest.approx((2 * np.pi) ** 2 / 12, rel=0.2)


def test_the_dataset_serves_fit_and_the_ensemble(assert_close):
    task = make()
    pairs = list(task.dataset().as_numpy_iterator())
    assert int(task.dataset().cardinality()) == 9
    x, y = (np.stack(column) for column in zip(*pairs, strict=True))
    assert x.dtype == y.dtype == np.float32
    assert x.shape == y.shape == (9, 1)
    assert_close(x[:, 0], task.positions)
    assert_close(y[:, 0], task.targets)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"frequencies": (1, 5)}, "below 4.5, half of the 9 samples, got"),
        ({"frequencies": (0, 1)}, "above 0"),
        ({"frequencies": (1, 2.5)}, "whole numbers"),
        ({"frequencies": (2, 2)}, "each frequency once"),
        ({"frequencies": ()}, "frequencies: expected"),
        ({"amplitudes": (1.0,)}, "2 positive numbers"),
        ({"amplitudes": (1.0, -1.0)}, "2 positive numbers"),
        ({"amplitudes": (1.0, np.inf)}, "2 positive numbers"),
        ({"amplitudes": (1.0, np.nan)}, "2 positive numbers"),
        ({"amplitudes": (1.0, 1e30)}, "in all below 1e18"),
        ({"phases": (1.0,)}, "2 finite angles in radians"),
        ({"num_samples": 2}, "num_samples: expected at least 3"),
    ],
)
def test_impossible_targets_are_refused(change, line):
    with pytest.raises(ValueError, match=line):
        make(**change)


def test_half_the_sampling_rate_is_refused():
    with pytest.raises(ValueError, match="below 4,|below 4"):
        make(frequencies=(1, 4), num_samples=8)
    make(frequencies=(1, 3), num_samples=8)


def test_amplitude_words():
    assert tasks.amplitudes_from_spec(["equal"], 2) == [1.0, 1.0]
    assert tasks.amplitudes_from_spec(["increasing"], 10) == pytest.approx(
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    )
    assert tasks.amplitudes_from_spec(["1", "0.5"], 2) == [1.0, 0.5]
    for spec in (["1"], ["loud", "1"], [], ["equal", "equal"]):
        with pytest.raises(ValueError, match="equal, increasing or 2 numbers"):
            tasks.amplitudes_from_spec(spec, 2)


def test_the_samples_may_stand_on_a_curve():
    task = make()
    curve = tasks.Flower(3)(task.positions)
    x, y = next(iter(task.dataset(curve).batch(100)))
    np.testing.assert_array_equal(x, curve.astype(np.float32))
    np.testing.assert_array_equal(y[:, 0], task.targets.astype(np.float32))


def test_phases_must_be_finite():
    with pytest.raises(ValueError, match="finite angles in radians"):
        tasks.SumOfSines([1], [1.0], [float("nan")], 10)
