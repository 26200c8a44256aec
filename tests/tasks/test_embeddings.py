import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.tasks import flat, flat_of_covariance, flat_of_scale, scale


def test_the_scale_of_known_points(assert_close):
    square = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    size = scale(square)
    assert_close(size.rms_norm, 2.0)  # (0 + 4 + 4 + 8) / 4.
    assert_close(size.rms_distance, 2.0)  # Independent pairs: twice the total variance 2.
    assert_close(size.nearest_distance, 2.0)
    assert_close(size.dimensions, 2.0)
    line = np.stack([np.arange(5.0), np.zeros(5)], axis=1)
    assert_close(scale(line).dimensions, 1.0)
    assert_close(scale(line).nearest_distance, 1.0)
    with pytest.raises(UserError):
        scale(square[:1])


def test_the_flat_cloud_is_the_papers():
    points = flat(20_000, 4, 10, np.random.default_rng(0))
    assert points.shape == (20_000, 10)
    assert not points[:, 4:].any()
    assert points.min() >= 0
    assert points.max() <= 1
    np.testing.assert_allclose(points[:, :4].mean(axis=0), 0.5, atol=0.01)
    np.testing.assert_allclose(points[:, :4].var(axis=0), 1 / 12, atol=0.002)
    np.testing.assert_allclose(np.corrcoef(points[:, :4].T), np.eye(4), atol=0.03)


@pytest.fixture
def manifold():
    """A bent sheet in 10 dimensions, away from the origin."""
    rng = np.random.default_rng(3)
    u = rng.uniform(size=(4_000, 2))
    curved = np.stack([np.sin(3 * u[:, 0]), np.cos(5 * u[:, 1]), u[:, 0] * u[:, 1]], axis=1)
    return 1.0 + curved @ rng.normal(size=(3, 10))


@pytest.mark.parametrize("make", [flat_of_scale, flat_of_covariance])
def test_norm_and_distance_are_matched(make, manifold):
    points = make(manifold, 3, np.random.default_rng(0))
    assert points.shape == manifold.shape
    ours, theirs = scale(points[:2_000]), scale(manifold[:2_000])
    np.testing.assert_allclose(ours.rms_norm, theirs.rms_norm, rtol=0.03)
    np.testing.assert_allclose(ours.rms_distance, theirs.rms_distance, rtol=0.03)
    # Flat: within a plane of 3 dimensions.
    assert np.linalg.matrix_rank(points - points.mean(axis=0), tol=1e-3) == 3


def test_the_covariance_is_matched(manifold):
    points = flat_of_covariance(manifold, 3, np.random.default_rng(0))
    expected = np.cov(manifold.T)
    np.testing.assert_allclose(np.cov(points.T), expected, atol=0.06 * np.abs(expected).max())
    np.testing.assert_allclose(points.mean(axis=0), manifold.mean(axis=0), atol=0.05)


@pytest.mark.parametrize("dimensions", [0, 11])
def test_impossible_dimensions_are_refused(dimensions, manifold):
    for make in (flat_of_scale, flat_of_covariance):
        with pytest.raises(UserError, match="latent_dim: expected 1 to 10"):
            make(manifold, dimensions, np.random.default_rng(0))
