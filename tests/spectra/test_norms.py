import numpy as np
import pytest

from spectral_tf import spectra


def test_known_matrices(assert_close):
    diagonal = np.diag([1.0, -7.0, 2.0])
    shear = [[1.0, 1.0], [0.0, 1.0]]  # Largest singular value: the golden ratio.
    assert_close(spectra.spectral_norms(diagonal), 7.0)
    assert_close(spectra.spectral_norms(shear), (1 + 5**0.5) / 2)
    assert_close(spectra.spectral_norms([[3.0, 4.0]]), 5.0)
    assert_close(spectra.spectral_norms([[3.0], [4.0]]), 5.0)


@pytest.mark.parametrize("shape", [(4, 9, 5), (4, 5, 9), (2, 2, 6, 6)])
def test_equals_the_singular_value_decomposition(shape, assert_close):
    matrices = np.random.default_rng(0).normal(size=shape)
    expected = np.linalg.svd(matrices, compute_uv=False)[..., 0]
    assert_close(spectra.spectral_norms(matrices), expected)


def test_the_published_metric_is_another_one():
    # The notebook iterates W (not W^T W) and multiplies by the width; on a rotation by 90 degrees,
    # whose norm is 1, that gives 2 |b^T W b| = 0.
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    b = np.array([0.6, 0.8])
    for _ in range(10):
        b = rotation @ b / np.linalg.norm(rotation @ b)
    published = 2 * abs(b @ rotation @ b)
    assert published == pytest.approx(0.0, abs=1e-12)
    assert spectra.spectral_norms(rotation) == pytest.approx(1.0)


def test_entries_that_are_not_finite_give_nan_for_that_matrix_alone(assert_close):
    matrices = np.stack(
        [np.eye(3), np.full((3, 3), np.nan), np.full((3, 3), np.inf), np.zeros((3, 3))]
    )
    norms = spectra.spectral_norms(matrices)
    assert_close(norms[[0, 3]], [1.0, 0.0])
    assert np.isnan(norms[1:3]).all()


def test_vectors_are_refused():
    with pytest.raises(ValueError, match="matrices on the last two axes"):
        spectra.spectral_norms(np.ones(3))
