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


# The crossings of a band


def band(value, low, high, missing="", n=3):
    value, low, high = (np.asarray(a, np.float64) for a in (value, low, high))
    return spectra.Estimate(value, low, high, n, "runs", "m", missing)


def test_the_interval_of_a_time_goes_from_crossing_to_crossing(assert_close):
    found = spectra.crossing([0, 10, 20], band([0, 0.5, 1], [0, 0.2, 0.8], [0, 1, 1]), 0.5)
    assert_close([found.value, found.low, found.high], [10, 5, 15])
    assert found.method == "crossings of the band: m"
    assert found.text(".0f") == "10 (5 to 15; n = 3 runs)"


def test_never_is_an_end_of_a_time():
    found = spectra.crossing([0, 10], band([0, 0.4], [0, 0.2], [0, 1]), 0.5)
    assert found.text(".0f") == "never (5 to never; n = 3 runs)"
    found = spectra.crossing([0, 10], band([0, 0.4], [0, 0.2], [0, 0.45]), 0.5)
    assert found.text(".0f") == "never (n = 3 runs)"


def test_curves_that_fall_are_turned(assert_close):
    falling = band([1, 0.5, 0], [0.8, 0, 0], [1, 0.8, 0.2])
    found = spectra.crossing([0, 10, 20], spectra.negative(falling), -0.5)
    assert_close([found.value, found.low, found.high], [10, 3.75, 15])


def test_bands_of_many_curves_keep_their_axes(assert_close):
    value = np.linspace(0, 1, 5)[:, None, None] * np.array([[1.0, 2.0, 0.1]])
    n = np.array([4, 4, 4, 2, 3])[:, None, None] * np.ones((1, 1, 3), int)
    found = spectra.crossing(range(5), band(value, value, value, n=n), 0.5)
    assert found.value.shape == (1, 3)
    assert_close(found.value, [[2, 1, np.inf]])
    assert found.n.tolist() == [[2, 2, 2]]


def test_where_the_band_has_no_ends_the_curve_may_be_anywhere(assert_close):
    """Two runs, of which one stops: the one left crosses, and that says little of the mean."""
    runs = np.array([[0.0, 0.1, 0.2, np.nan, np.nan], [0.0, 0.1, 0.2, 0.4, 0.6]])
    mean = spectra.mean_over_runs(runs, where=~np.isnan(runs))
    found = spectra.crossing(range(5), mean, 0.5)
    assert_close([found.value, found.low, found.high], [3.5, 2, np.inf])
    assert found.low <= found.value <= found.high
    assert found.missing == ""


def test_no_band_has_no_times():
    alone = spectra.mean_over_runs(np.array([[[0.0, 0.0], [1.0, 0.2]]]))
    found = spectra.crossing([0, 1], alone, 0.5)
    assert found[0].text(".1f") == "0.5 (no interval: 1 run, 2 needed)"
    assert found[1].text(".1f") == "never (no interval: 1 run, 2 needed)"


# Power laws


def test_an_exact_power_law_is_found_with_its_prefactor(assert_close):
    x = np.array([1.0, 2.0, 5.0, 9.0])
    law = spectra.fit_power_law(x, 3 * x**1.7)
    assert_close([law.exponent.value, law.prefactor], [1.7, 3])
    assert_close([law.exponent.low, law.exponent.high], [1.7, 1.7])
    assert law.num_points == law.exponent.n == 4
    assert law.label == "3 k^1.70"


def test_never_and_at_once_are_left_out_and_counted(assert_close):
    law = spectra.fit_power_law([1, 2, 4, 8, 16, 32], [1, 4, 16, np.inf, np.nan, 0])
    assert_close(law.exponent.value, 2.0)
    assert law.num_points == law.exponent.n == 3
    assert law.exponent.unit == "points"


def test_two_points_are_no_power_law():
    law = spectra.fit_power_law([1, 2, 4], [1, 4, np.inf])
    assert law.exponent.text() == law.label == "not enough: 2 points, 3 needed"
    assert np.isnan(law.exponent.value)
    assert np.isnan(law.prefactor)
    assert law.num_points == 2
    same = spectra.fit_power_law([2, 2, 2], [1, 4, 5])
    assert same.label == "not enough: 1 different x, 2 needed"


def test_students_interval_by_hand():
    # log y = (0, 1, 1) at log x = (0, 1, 2): slope 1/2, residuals (-1/6, 1/3, -1/6), their variance
    # (1/6) / (3 - 2), slope error sqrt(1/6 / 2), Student's t for 1 degree 12.7062 (table).
    law = spectra.fit_power_law(np.exp([0, 1, 2]), np.exp([0, 1, 1])).exponent
    assert law.value == pytest.approx(0.5)
    assert law.high - law.value == pytest.approx(12.7062 * (1 / 12) ** 0.5, rel=1e-4)
    assert law.high - law.value == pytest.approx(law.value - law.low)


def test_power_law_refuses_bad_shapes():
    for x in ([0, 1], [1, np.nan], [1, np.inf], [1, 2, 3]):
        with pytest.raises(ValueError, match="positive numbers, one for each y"):
            spectra.fit_power_law(x, [1, 2])


def test_the_exponent_of_runs_is_a_jackknife(assert_close):
    x = np.array([1.0, 2.0, 4.0])
    runs = np.stack([x**e for e in (1.0, 1.5, 2.0, 2.2)])

    def geometric(some):
        return np.exp(np.log(some).mean(axis=0))

    law = spectra.power_law_over_runs(x, geometric, runs)
    # The exponent of a geometric mean is the mean of the exponents.
    plain = spectra.mean_over_runs([1.0, 1.5, 2.0, 2.2])
    for name in ("value", "low", "high"):
        assert_close(getattr(law.exponent, name), getattr(plain, name))
    assert (law.exponent.n, law.exponent.unit, law.num_points) == (4, "runs", 3)
    assert law.exponent.method.startswith("jackknife over runs")


def test_an_exponent_does_not_jump_with_its_points():
    """Without its last run the mean never reaches the level at the third frequency."""

    def times(some):
        mean = some.mean(axis=0)
        return np.where(mean < 3, np.inf, mean)

    runs = np.array([[3.0, 4.0, 2.0], [3.0, 4.0, 2.0], [3.0, 4.0, 8.0]])
    law = spectra.power_law_over_runs([1, 2, 4], times, runs)
    assert law.exponent.text(".1f") == "0.2 (no interval: with one left out there is none)"
    few = spectra.power_law_over_runs([1, 2, 4], times, runs[:2])
    assert few.exponent.text() == "not enough: 2 points, 3 needed"
    two = spectra.power_law_over_runs([1, 2, 4], times, runs[1:])
    assert two.exponent.text(".1f") == "0.4 (no interval: 2 runs, 3 needed)"


# Curves over runs


def test_learning_curves_average_magnitudes_before_anything_else(assert_close):
    steps, frequencies = [0, 10, 20], [1, 2, 4]
    slow = np.array([[0.0, 0.0, 0.0], [0.2, 0.0, 0.0], [0.4, 0.1, 0.0]])
    fast = np.array([[0.0, 0.0, 0.0], [0.8, 0.4, 0.2], [1.0, 0.9, 0.4]])
    curves = spectra.learning_curves(steps, frequencies, [slow, fast], levels=(0.2, 0.5))
    plain = spectra.mean_over_runs([slow, fast])
    for name in ("value", "low", "high"):
        assert_close(getattr(curves.mean, name), getattr(plain, name))
    # The mean curves are 0, 0.5, 0.7, then 0, 0.2, 0.5, then 0, 0.1, 0.2.
    assert_close(curves.times[0.5].value, [10, 20, np.inf])
    assert_close(curves.times[0.2].value, [4, 10, 20])
    assert_close(curves.times[0.5].low, spectra.learning_times(steps, plain.high, 0.5))
    assert np.all(np.isinf(curves.times[0.5].high))
    fitted = spectra.fit_power_law(frequencies, [4, 10, 20])
    assert_close(curves.law.exponent.value, fitted.exponent.value)
    assert curves.law.exponent.missing == "2 runs, 3 needed"
    assert curves.num_runs == 2


def test_runs_that_stopped_count_until_then(assert_close):
    runs = np.full((3, 3, 1), 0.2) * np.arange(3)[:, None]
    runs[1] *= 2
    runs[2, 2] = np.nan
    with pytest.raises(ValueError, match="say with `where` what counts"):
        spectra.learning_curves([0, 1, 2], [1], runs)
    curves = spectra.learning_curves([0, 1, 2], [1], runs, where=~np.isnan(runs))
    assert curves.mean.n[:, 0].tolist() == [3, 3, 2]
    assert_close(curves.mean.value[:, 0], [0, 0.8 / 3, 0.6])
    assert curves.times[0.5].n.tolist() == [2]


def test_one_run_has_no_interval():
    curves = spectra.learning_curves([0, 1], [1, 2, 4], np.ones((1, 2, 3)))
    for found in (curves.mean, curves.times[0.5]):
        assert np.isnan(found.low).all()
        assert np.isnan(found.high).all()
        assert found.missing == "1 run, 2 needed"
    assert np.all(curves.times[0.5].value == 0)
    assert curves.law.label == "not enough: 0 points, 3 needed"


def test_learning_curves_refuse_what_is_not_finite():
    with pytest.raises(ValueError, match="values: expected finite ones, got 1 that are not"):
        spectra.learning_curves([0, 1], [1], [[[0.0], [np.inf]]])


def test_cutoff_frequency_stops_at_the_first_gap(assert_close):
    k = [1, 2, 5]
    rows = [[0.9, 0.6, 0.7], [0.9, 0.4, 0.7], [0.1, 0.9, 0.9], [0.9, 0.9, np.nan]]
    assert_close(spectra.cutoff_frequency(k, rows), [5.0, 1.0, 0.0, 2.0])
    assert_close(spectra.cutoff_frequency(k, rows[0], level=0.8), 1.0)


@pytest.mark.parametrize("frequencies", [[2, 1], [0, 1], [1, 2, 3]])
def test_cutoff_frequency_needs_increasing_frequencies(frequencies):
    with pytest.raises(ValueError, match="frequencies: expected increasing numbers above 0"):
        spectra.cutoff_frequency(frequencies, np.ones((4, 2)))
