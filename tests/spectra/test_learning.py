import numpy as np
import pytest

from spectral_tf import spectra


def test_the_first_crossing_is_interpolated_and_later_ones_do_not_count(assert_close):
    steps = [0, 100, 200, 300, 400]
    curves = np.array([[0, 0.2, 0.6, 0.3, 0.9], [0.7, 0, 0, 0, 1], [0, 0, 0, 0, 0.5]]).T
    assert_close(spectra.learning_times(steps, curves, 0.5), [175, 0, 400])


def test_never_is_a_value():
    times = spectra.learning_times([0, 1], [[0.1, np.nan, np.nan], [0.2, np.nan, 0.2]], 0.5)
    assert times[0] == np.inf  # Never.
    assert np.isnan(times[1])  # Not known: no data at all.
    assert times[2] == np.inf


def test_a_gap_before_the_crossing_leaves_the_step_itself(assert_close):
    assert_close(spectra.learning_times([0, 10, 20], [0.0, np.nan, 0.9], 0.5), 20)


def test_leading_axes_and_single_curves(assert_close):
    curves = np.linspace(0, 1, 5)
    assert spectra.learning_times(range(5), curves, 0.5) == 2
    stacked = np.stack([curves[:, None], curves[:, None] ** 2])
    assert spectra.learning_times(range(5), stacked, 0.5).shape == (2, 1)
    assert_close(spectra.learning_times(range(5), stacked, 0.5)[0], [2])


def test_steps_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="increasing steps"):
        spectra.learning_times([0, 0], [0.1, 0.2])
    with pytest.raises(ValueError, match="increasing steps"):
        spectra.learning_times([0, 1, 2], [0.1, 0.2])


def test_an_exact_power_law_is_found_with_its_prefactor(assert_close):
    x = np.array([1.0, 2.0, 5.0, 9.0])
    law = spectra.fit_power_law(x, 3 * x**1.7)
    assert_close([law.exponent.value, law.prefactor], [1.7, 3])
    assert law.exponent.low <= law.exponent.value <= law.exponent.high
    assert (law.num_points, law.exponent.n, law.exponent.unit) == (4, 4, "points")
    assert law.label == "3 k^1.70"


def test_never_and_at_once_are_left_out_and_counted(assert_close):
    law = spectra.fit_power_law([1, 2, 4, 8, 16], [0, 4, 16, 64, np.inf])
    assert_close(law.exponent.value, 2.0)
    assert law.num_points == 3


def test_two_points_are_no_power_law():
    law = spectra.fit_power_law([1, 2, 4], [1, 4, np.inf])
    assert np.isnan(law.exponent.value)
    assert law.exponent.text() == "not enough: 2 points, 3 needed"
    assert law.num_points == 2


def test_students_interval_by_hand(assert_close):
    # log y = (0, 1, 1) at log x = (0, 1, 2): slope 1/2, residuals (-1/6, 1/3, -1/6), their variance
    # (1/6) / (3 - 2), slope error sqrt(1/6 / 2), Student's t for 1 degree 12.7062 (table).
    exponent = spectra.fit_power_law(np.exp([0, 1, 2]), np.exp([0, 1, 1])).exponent
    assert exponent.value == pytest.approx(0.5)
    assert exponent.high - exponent.value == pytest.approx(12.7062 * (1 / 12) ** 0.5, rel=1e-4)


def test_power_law_refuses_bad_shapes():
    with pytest.raises(ValueError, match="positive numbers, one for each y"):
        spectra.fit_power_law([0, 1], [1, 2])
    with pytest.raises(ValueError, match="positive numbers, one for each y"):
        spectra.fit_power_law([1, 2], [1, 2, 3])


def geometric_mean(runs):
    return np.exp(np.log(runs).mean(axis=0))


def test_the_exponent_of_a_mean_over_runs_has_students_interval_of_their_exponents(assert_close):
    # Of a geometric mean the exponent is the mean of the exponents: the jackknife is Student's,
    # with no stretch as they lie symmetrically. t of 2 degrees is 4.30265 (table).
    x = np.array([1.0, 2.0, 4.0])
    runs = np.stack([x**e for e in (1.0, 1.5, 2.0)])
    exponent = spectra.power_law_over_runs(x, geometric_mean, runs).exponent
    assert_close(exponent.value, 1.5)
    assert exponent.high - exponent.value == pytest.approx(4.30265 * 0.5 / 3**0.5, rel=1e-5)
    assert exponent.value - exponent.low == pytest.approx(4.30265 * 0.5 / 3**0.5, rel=1e-5)
    assert (exponent.n, exponent.unit) == (3, "runs")


def test_an_exponent_whose_points_depend_on_one_run_has_no_interval(assert_close):
    x = np.array([1.0, 2.0, 4.0, 8.0])
    runs = np.stack([x, x, np.append(x[:3], np.inf)])

    def read(some):
        # The last is reached by the mean as long as two runs or more reach it.
        count = np.isfinite(some).sum(axis=0)
        return np.where(count >= 2, x, np.inf)

    law = spectra.power_law_over_runs(x, read, runs)
    assert_close(law.exponent.value, 1.0)
    assert law.exponent.text() == "1.00 (no interval: leaving one out leaves no number)"
    two = spectra.power_law_over_runs(x, geometric_mean, np.stack([x, x])).exponent
    assert two.text() == "1.00 (no interval: 2 runs, 3 needed)"


def test_a_crossing_lies_between_those_of_its_band(assert_close):
    # Values m +- d have the standard deviation d sqrt(2), their mean the error d, and t of 1 degree
    # is 12.7062 (table): the band is m +- 12.7062 d.
    d = 0.1
    mean = np.array([0.0, 4.0, 8.0])
    band = spectra.mean_over_runs(np.stack([mean - d, mean + d]))
    time = spectra.crossing([0, 10, 20], band, 4.0)
    shift = 12.7062 * d / 4 * 10
    ends = [time.low, time.value, time.high]
    np.testing.assert_allclose(ends, [10 - shift, 10, 10 + shift], rtol=1e-6)
    assert (time.n, time.missing) == (2, "")
    fallen = spectra.mean_over_runs(8 - np.stack([mean - d, mean + d]))
    down = spectra.crossing([0, 10, 20], spectra.negative(fallen), -4.0)
    assert_close([down.low, down.value, down.high], ends)


def test_never_is_a_legal_end_and_one_run_has_none():
    runs = np.array([[0.0, 0.4], [0.0, 0.8]])
    time = spectra.crossing([0, 10], spectra.mean_over_runs(runs), 0.5)
    assert np.isfinite(time.value)
    assert np.isinf(time.high)
    assert time.text(".0f").endswith("to never; n = 2 runs)")
    one = spectra.crossing([0, 10], spectra.mean_over_runs(runs[1:]), 0.5)
    assert np.isnan(one.low)
    assert one.text(".0f") == "6 (no interval: 1 run, 2 needed)"


def test_learning_curves_average_magnitudes_before_anything_else(assert_close):
    steps, frequencies = [0, 10, 20], [1, 2, 4]
    slow = np.array([[0.0, 0.0, 0.0], [0.2, 0.0, 0.0], [0.4, 0.1, 0.1]])
    fast = np.array([[0.0, 0.0, 0.0], [0.8, 0.4, 0.4], [1.0, 0.9, 0.9]])
    curves = spectra.learning_curves(steps, frequencies, [slow, fast])
    assert_close(curves.mean.value, (slow + fast) / 2)
    # The mean curve of k = 1 is 0, 0.5, 0.7 and those of the others are 0, 0.2, 0.5.
    assert_close(curves.times[0.5].value, [10, 20, 20])
    assert_close(curves.law.exponent.value, 0.5)
    assert np.all(np.isinf(curves.times[0.5].high))
    assert np.all(curves.times[0.5].low < curves.times[0.5].value)
    assert np.all(curves.mean.low >= 0)
    assert curves.num_runs == 2


def test_a_run_that_stopped_counts_until_then(assert_close):
    going = np.array([[0.0], [0.2], [0.6]])
    stopped = np.array([[0.0], [0.4], [np.nan]])
    curves = spectra.learning_curves([0, 10, 20], [1], [going, going, stopped])
    assert_close(curves.mean.value[:, 0], [0, 0.8 / 3, 0.6])
    assert curves.mean.n[:, 0].tolist() == [3, 3, 2]


def test_one_run_has_no_interval():
    curves = spectra.learning_curves([0, 1], [1, 2], np.ones((1, 2, 2)))
    for estimate in (curves.mean, curves.times[0.5]):
        assert np.all(np.isnan(estimate.low))
        assert estimate.missing == "1 run, 2 needed"
    assert np.all(curves.times[0.5].value == 0)


def test_learned_up_to_stops_at_the_first_gap(assert_close):
    k = [1, 2, 5]
    rows = [[0.9, 0.6, 0.7], [0.9, 0.4, 0.7], [0.1, 0.9, 0.9], [0.9, 0.9, np.nan]]
    assert_close(spectra.learned_up_to(k, rows), [5.0, 1.0, 0.0, 2.0])
    assert_close(spectra.learned_up_to(k, rows[0], level=0.8), 1.0)


@pytest.mark.parametrize("frequencies", [[2, 1], [0, 1], [1, 2, 3]])
def test_learned_up_to_needs_increasing_frequencies(frequencies):
    with pytest.raises(ValueError, match="frequencies: expected increasing numbers above 0"):
        spectra.learned_up_to(frequencies, np.ones((4, 2)))
