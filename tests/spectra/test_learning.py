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
    assert_close([law.exponent, law.prefactor], [1.7, 3])
    assert law.low <= law.exponent <= law.high
    assert law.num_points == 4


def test_never_and_at_once_are_left_out_and_counted(assert_close):
    law = spectra.fit_power_law([1, 2, 4, 8], [1, 4, 16, np.inf])
    assert_close(law.exponent, 2.0)
    assert law.num_points == 3
    assert np.isnan(spectra.fit_power_law([1, 2], [1, np.inf]).exponent)


def test_students_interval_by_hand(assert_close):
    # log y = (0, 1, 1) at log x = (0, 1, 2): slope 1/2, residuals (-1/6, 1/3, -1/6), their variance
    # (1/6) / (3 - 2), slope error sqrt(1/6 / 2), Student's t for 1 degree 12.7062 (table).
    law = spectra.fit_power_law(np.exp([0, 1, 2]), np.exp([0, 1, 1]))
    assert law.exponent == pytest.approx(0.5)
    assert law.high - law.exponent == pytest.approx(12.7062 * (1 / 12) ** 0.5, rel=1e-4)


def test_resamples_give_the_interval_of_their_exponents(assert_close):
    x = np.array([1.0, 2.0, 4.0])
    resamples = np.stack([x**e for e in np.linspace(1, 2, 41)])
    law = spectra.fit_power_law(x, x**1.5, resamples)
    assert_close([law.low, law.exponent, law.high], [1.025, 1.5, 1.975])


def test_power_law_refuses_bad_shapes():
    with pytest.raises(ValueError, match="positive numbers, one for each y"):
        spectra.fit_power_law([0, 1], [1, 2])
    with pytest.raises(ValueError, match=r"shape \[b, 2\]"):
        spectra.fit_power_law([1, 2], [1, 2], [1, 2])


def test_learning_curves_average_magnitudes_before_anything_else(assert_close):
    steps, frequencies = [0, 10, 20], [1, 2]
    slow = np.array([[0.0, 0.0], [0.2, 0.0], [0.4, 0.1]])
    fast = np.array([[0.0, 0.0], [0.8, 0.4], [1.0, 0.9]])
    curves = spectra.learning_curves(steps, frequencies, [slow, fast])
    assert_close(curves.mean, (slow + fast) / 2)
    # The mean curve of k = 1 is 0, 0.5, 0.7 and that of k = 2 is 0, 0.2, 0.5.
    assert_close(curves.times[0.5][0], [10, 20])
    assert_close(curves.law.exponent, 1.0)
    # Resamples hold slow runs only (never), fast ones only (6.25, 12) or both.
    assert_close(curves.times[0.5][1], [6.25, 12])
    assert np.all(np.isinf(curves.times[0.5][2]))
    assert_close(curves.low, slow)
    assert_close(curves.high, fast)


def test_one_run_has_no_interval():
    curves = spectra.learning_curves([0, 1], [1, 2], np.ones((1, 2, 2)))
    for values in (curves.low, curves.high, curves.times[0.5][1], curves.law.low):
        assert np.all(np.isnan(values))
    assert np.all(curves.times[0.5][0] == 0)


def test_learned_up_to_stops_at_the_first_gap(assert_close):
    k = [1, 2, 5]
    rows = [[0.9, 0.6, 0.7], [0.9, 0.4, 0.7], [0.1, 0.9, 0.9], [0.9, 0.9, np.nan]]
    assert_close(spectra.learned_up_to(k, rows), [5.0, 1.0, 0.0, 2.0])
    assert_close(spectra.learned_up_to(k, rows[0], level=0.8), 1.0)


@pytest.mark.parametrize("frequencies", [[2, 1], [0, 1], [1, 2, 3]])
def test_learned_up_to_needs_increasing_frequencies(frequencies):
    with pytest.raises(ValueError, match="frequencies: expected increasing numbers above 0"):
        spectra.learned_up_to(frequencies, np.ones((4, 2)))
