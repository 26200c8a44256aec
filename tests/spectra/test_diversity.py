import numpy as np
import pytest
from numpy.testing import assert_allclose

from spectral_tf.errors import UserError
from spectral_tf.spectra import mean_angle, mean_distance, total_variance


def test_three_points_by_hand():
    corners = [[3.0, 0.0], [0.0, 4.0], [3.0, 4.0]]
    assert_allclose(mean_distance(corners), (5 + 4 + 3) / 3)
    assert_allclose(total_variance(corners), 3 + 16 / 3)
    assert_allclose(mean_angle(corners), (1 + (1 - 0.6) + (1 - 0.8)) / 3)


def test_copies_have_none():
    same = np.full((5, 2, 2, 3), 0.7)
    assert_allclose([mean_distance(same), total_variance(same), mean_angle(same)], 0, atol=1e-12)


def test_two_clusters_by_pairs():
    """k clusters far apart, merged: the share of pairs that cross is what raises the distance."""
    members = np.repeat([[0.0, 1.0], [10.0, 1.0]], 5, axis=0)
    assert_allclose(mean_distance(members), 10 * 25 / 45)


def test_bad_input():
    with pytest.raises(UserError, match="at least 2"):
        mean_distance([[1.0, 2.0]])
    with pytest.raises(UserError, match="none that is zero"):
        mean_angle([[1.0, 2.0], [0.0, 0.0]])
