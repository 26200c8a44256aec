import numpy as np
import pytest
from numpy.testing import assert_allclose

from spectral_tf.errors import UserError
from spectral_tf.spectra import (
    class_distances,
    mean_angle,
    mean_distance,
    merged_diversity,
    total_variance,
)


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


def test_unrelated_features_without_a_sign_are_less_than_a_right_angle_apart():
    """E|x|^2 / E x^2 of half-normal entries is 2 / pi, of rectified ones 1 / pi."""
    z = np.random.default_rng(0).standard_normal((40, 20_000))
    assert_allclose(mean_angle(z), 1, atol=0.01)
    assert_allclose(mean_angle(np.abs(z)), 1 - 2 / np.pi, atol=0.01)
    assert_allclose(mean_angle(np.maximum(z, 0)), 1 - 1 / np.pi, atol=0.01)


def test_distances_of_classes_against_a_plain_loop():
    rng = np.random.default_rng(1)
    members, labels = rng.random((12, 2, 3)), np.array([0, 1, 2] * 4)
    rows = members.reshape(12, -1)
    metrics = {
        "euclidean": lambda x, y: np.linalg.norm(x - y),
        "cosine": lambda x, y: 1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y),
    }
    for metric, distance in metrics.items():
        found = class_distances(members, labels, metric=metric)
        for a in range(3):
            for b in range(3):
                by_hand = [
                    distance(rows[i], rows[j])
                    for i in np.flatnonzero(labels == a)
                    for j in np.flatnonzero(labels == b)
                    if i != j
                ]
                assert_allclose(found[a, b], np.mean(by_hand))
    assert_allclose(class_distances(members, labels)[1, 1], mean_distance(members[labels == 1]))


def test_distances_of_classes_refuse_what_they_cannot_tell():
    with pytest.raises(UserError, match="at least 2"):
        class_distances([[1.0], [2.0], [3.0]], [0, 0, 1])
    with pytest.raises(UserError, match="none that is zero"):
        class_distances([[1.0], [0.0], [3.0], [1.0]], [0, 0, 1, 1], metric="cosine")
    with pytest.raises(UserError, match="euclidean or cosine"):
        class_distances([[1.0], [2.0]], [0, 0], metric="cityblock")
    with pytest.raises(UserError, match=r"shape \[3, 3\]"):
        merged_diversity(np.eye(2), [0, 0, 1])
