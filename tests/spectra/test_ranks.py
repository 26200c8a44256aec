import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.spectra import model_correlation, rank_correlation, sign_test


def test_order_alone_counts():
    settings = [1, 2, 4, 8]
    falling = -np.exp(settings) + np.random.default_rng(0).normal(size=(5, 4)) * 0.01
    assert rank_correlation(settings, falling) == (-1, -1, -1)
    assert rank_correlation(settings, -falling)[0] == 1


def test_one_pair_out_of_order_by_hand():
    # Ranks 1 2 3 4 against 1 3 2 4: rho = 1 - 6 (0 + 1 + 1 + 0) / (4 (16 - 1)).
    rho, low, high = rank_correlation([1, 2, 3, 4], [[0.1, 0.3, 0.2, 0.4]])
    assert rho == pytest.approx(0.8)
    assert np.isnan([low, high]).all()  # One run has no scatter.


def test_the_interval_comes_from_the_runs():
    runs = np.array([[1.0, 2, 3, 4], [1, 2, 3, 4], [4, 3, 2, 1]])
    rho, low, high = rank_correlation([1, 2, 3, 4], runs)
    assert (rho, low, high) == (1, -1, 1)


def test_nan_is_left_out_and_constant_means_have_no_order():
    assert rank_correlation([1, 2, 3, 4], [[1, np.nan, 2, 3], [1, np.nan, 2, 3]])[0] == 1
    assert np.isnan(rank_correlation([1, 2, 3], np.ones((2, 3)))[0])


@pytest.mark.parametrize(
    ("settings", "values"), [([1, 2], np.ones((2, 2))), ([1, 2, 3], np.ones(3))]
)
def test_too_little_is_refused(settings, values):
    with pytest.raises(UserError, match="at least 3 different ones"):
        rank_correlation(settings, values)


def test_signs_are_those_of_a_coin():
    assert sign_test([1, 2, 3]) == pytest.approx(1 / 8)
    assert sign_test([[1, 2], [3, -1]]) == pytest.approx((4 + 1) / 16)
    assert sign_test([-1, -2]) == 1
    assert sign_test([0, np.nan]) == 1


def test_model_correlation_of_perfect_order():
    values = np.arange(6)[:, None] + np.random.default_rng(0).normal(size=(6, 50), scale=1e-3)
    assert model_correlation(np.arange(6) ** 2, values) == pytest.approx((1, 1, 1))
    assert model_correlation(-np.arange(6), values)[0] == pytest.approx(-1)


def test_model_correlation_takes_paths_as_common_to_all_models():
    """Paths differ by far more than models do, alike for all: the order stays the same."""
    difficulty = np.random.default_rng(0).normal(size=50, scale=100)
    values = np.arange(12)[:, None] + difficulty
    rho, low, high = model_correlation(np.arange(12), values)
    assert (rho, low, high) == pytest.approx((1, 1, 1))


def test_model_correlation_by_hand_and_where_there_is_nothing():
    values = np.array([[1.0, np.nan], [3.0, 3.0], [np.nan, 2.0], [np.nan, np.nan]])
    rho, low, high = model_correlation([0.1, 0.2, 0.3, 0.4], values)
    assert rho == pytest.approx(0.5)  # Of the orders 1 2 3 and 1 3 2.
    assert low <= rho <= high
    assert np.isnan(model_correlation([1, 1, 1], np.ones((3, 4)))[0])
    with pytest.raises(UserError, match="at least 3 models"):
        model_correlation([1, 2], np.ones((2, 4)))


def test_model_correlation_of_noise_is_uncertain():
    rng = np.random.default_rng(0)
    rho, low, high = model_correlation(np.arange(20), rng.normal(size=(20, 30)))
    assert low < -0.2 < 0.2 < high
    assert low < rho < high


def test_partial_correlation():
    """x and y share nothing but z: their correlation vanishes when z is held fixed."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=400)
    x, y = z + 0.5 * rng.normal(size=(2, 400))
    assert model_correlation(x, y[:, None])[0] > 0.6
    rho, low, high = model_correlation(x, y[:, None], control=z)
    assert low < 0 < high
    assert abs(rho) < 0.15
    assert np.isnan(model_correlation(z, z[:, None], control=z)[0])


def test_partial_correlation_by_hand():
    x, y, z = np.array([[1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 4, 3]])
    xy, xz, yz = 0.8, 0.6, 0.0
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert model_correlation(x, y[:, None], control=z)[0] == pytest.approx(expected)
