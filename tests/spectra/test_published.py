import numpy as np
import pytest

from spectral_tf import spectra


def test_by_hand(assert_close):
    # s = 0.2, n = 16, n' = 4: error of both 0.2 sqrt(1 / 16 + 1 / 4); reading 0.3: 0.3 / sqrt(3).
    error = (0.04 * (1 / 16 + 1 / 4) + 0.03) ** 0.5
    found = spectra.difference_to_published_from_stats(1.5, 0.2, 16, 1.0, 4, 0.3)
    assert_close(found.value, 0.5)
    # t of 15 degrees is 2.13145 (table).
    assert found.high - found.value == pytest.approx(2.13145 * error, rel=1e-5)
    assert found.value - found.low == pytest.approx(2.13145 * error, rel=1e-5)
    assert (found.n, found.unit) == (16, "runs against 4")


def test_runs_give_what_their_mean_and_deviation_give(assert_close):
    rng = np.random.default_rng(0)
    runs, published = rng.normal(size=(7, 2, 3)), rng.normal(size=(2, 3))
    reading = np.full((2, 3), 0.01)
    one = spectra.difference_to_published(runs, published, 20, reading)
    two = spectra.difference_to_published_from_stats(
        runs.mean(axis=0), runs.std(axis=0, ddof=1), 7, published, 20, reading
    )
    for end in ("value", "low", "high", "p_value"):
        assert_close(getattr(one, end), getattr(two, end))


def test_p_values_are_adjusted_for_the_number_compared_and_go_with_their_parts(assert_close):
    away = np.array([0.6, 0.5, 0.0])
    zero, std = np.zeros(3), np.full(3, 0.5)
    alone = [
        float(spectra.difference_to_published_from_stats(a, 0.5, 10, 0.0, 20, 0.0).p_value)
        for a in away
    ]
    together = spectra.difference_to_published_from_stats(away, std, 10, zero, 20, zero)
    assert_close(together.p_value, spectra.holm(alone))
    assert alone[0] < 0.05 / 3 < together.p_value[0] < 0.05 < together.p_value[1]
    assert together[1].p_value == together.p_value[1]
    assert together.record()["p_value"] == together.p_value.tolist()


@pytest.mark.parametrize(("reading", "least"), [(0.05, 0.02), (0.3, 0.0)])
def test_of_twenty_true_nulls_one_is_rejected_in_a_twentieth_of_the_cases(reading, least):
    # Samples of one distribution, of 10 and 20 runs. A reading as wide as their scatter is uniform
    # and has no tails: fewer are rejected.
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(600):
        runs = rng.normal(size=(10, 20))
        published = rng.normal(size=(20, 20)).mean(axis=0) + rng.uniform(-reading, reading, 20)
        found = spectra.difference_to_published(runs, published, 20, np.full(20, reading))
        rejected += found.p_value.min() < 0.05
    assert least <= rejected / 600 < 0.08


def test_a_single_run_has_a_difference_and_no_interval():
    found = spectra.difference_to_published([[3.0]], [1.0], 20, [0.0])
    assert found.value.tolist() == [2.0]
    assert found[0].text() == "2.00 (no interval: 1 run, 2 needed)"
    assert found.p_value is None


def test_shapes_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match=r"means of shape \(2,\) over 1 run or more"):
        spectra.difference_to_published(np.ones((3, 2)), [1.0], 20, [0.0, 0.0])
    with pytest.raises(ValueError, match=r"means of shape \(2,\)"):
        spectra.difference_to_published(np.ones((3, 2)), [1.0, 2.0], 0, [0.0, 0.0])
    with pytest.raises(ValueError, match=r"means of shape \(2,\)"):
        spectra.difference_to_published(np.ones((3, 2)), [1.0, 2.0], 20, 0.0)


def test_a_part_that_has_an_interval_tells_no_reason_of_others():
    where = np.array([[True, True], [True, False]])
    mean = spectra.mean_over_runs([[1.0, 2.0], [3.0, 4.0]], where=where)
    assert mean.missing == "fewer than the 2 runs needed"
    assert mean[0].missing == ""
    assert mean[0].text(".0f").endswith("n = 2 runs)")
    assert mean[1].text(".0f") == "2 (no interval: fewer than the 2 runs needed)"
