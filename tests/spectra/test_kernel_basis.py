import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.spectra import bin_means, gaussian_kernel, kernel_basis

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(60, 3))


def test_the_kernel_of_known_points(assert_close):
    points = np.array([[0.0, 0.0], [3.0, 4.0]])
    off = np.exp(-25 / (2 * 2.5**2))
    assert_close(gaussian_kernel(points, width=2.5), [[1, off], [off, 1]])
    assert_close(gaussian_kernel(points, points[1:], width=2.5), [[off], [1]])


def test_two_points_have_sum_and_difference_as_eigenfunctions(assert_close):
    basis = kernel_basis([[0.0], [1.0]], 1.0)
    off = np.exp(-0.5)
    assert_close(basis.eigenvalues, [1 + off, 1 - off])
    assert_close(np.abs(basis.functions), np.full((2, 2), 0.5**0.5))
    assert_close(basis.coefficients([1.0, 1.0]), [2**0.5, 0.0])
    assert_close(np.abs(basis.coefficients([[1.0, -1.0]])), [[0.0, 2**0.5]])


def test_points_on_a_ring_have_waves_as_eigenfunctions(assert_close):
    """A circulant kernel: its eigenvalues are the DFT of its first row."""
    angles = 2 * np.pi * np.arange(12) / 12
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    row = gaussian_kernel(ring, width=0.7)[0]
    assert_close(kernel_basis(ring, 0.7).eigenvalues, np.sort(np.fft.fft(row).real)[::-1])


def test_a_full_basis_is_orthonormal_and_keeps_the_sum_of_squares(assert_close):
    basis = kernel_basis(POINTS, 1.0)
    assert np.all(np.diff(basis.eigenvalues) <= 0)
    assert_close(basis.functions.T @ basis.functions, np.eye(60))
    kernel = gaussian_kernel(POINTS, width=1.0)
    assert_close(kernel @ basis.functions, basis.functions * basis.eigenvalues)
    signs = np.sign(RNG.normal(size=60))
    assert_close(np.sum(basis.coefficients(signs) ** 2), 60.0)
    largest = np.abs(basis.functions).argmax(axis=0)
    assert np.all(basis.functions[largest, np.arange(60)] > 0)


def test_the_truncated_basis_is_the_beginning_of_the_full_one(assert_close):
    full, part = (
        kernel_basis(POINTS, 1.0),
        kernel_basis(POINTS, 1.0, solver="truncated", num_functions=7),
    )
    assert_close(part.eigenvalues, full.eigenvalues[:7])
    assert_close(part.functions, full.functions[:, :7])


def test_nystroem_is_exact_where_the_kernel_has_low_rank():
    # A wide kernel: 25 points of the line already span it to rounding.
    points = np.sort(RNG.uniform(size=(200, 1)), axis=0)
    full = kernel_basis(points, 0.5)
    part = kernel_basis(points, 0.5, solver="nystroem", num_functions=25, seed=1)
    m = part.eigenvalues.size
    assert 5 <= m <= 25
    np.testing.assert_allclose(part.functions.T @ part.functions, np.eye(m), atol=1e-10)
    np.testing.assert_allclose(part.eigenvalues[:5], full.eigenvalues[:5], rtol=1e-6)
    np.testing.assert_allclose(part.functions[:, :5], full.functions[:, :5], atol=1e-4)


def test_nystroem_with_all_points_is_the_full_kernel():
    full = kernel_basis(POINTS, 1.0)
    part = kernel_basis(POINTS, 1.0, solver="nystroem", num_functions=60)
    np.testing.assert_allclose(part.eigenvalues, full.eigenvalues, atol=1e-9)


def test_on_a_line_later_eigenfunctions_are_faster():
    line = np.linspace(0, 1, 50)[:, np.newaxis]
    basis = kernel_basis(line, 0.03)
    changes = np.sum(np.diff(np.sign(basis.functions), axis=0) != 0, axis=0)
    np.testing.assert_array_equal(changes, np.arange(50))


def test_bins_are_means_of_even_stretches(assert_close):
    assert_close(bin_means([[1.0, 3.0, 5.0, 7.0]], 2), [[2.0, 6.0]])
    assert_close(bin_means(np.arange(5.0), 2), [1.0, 3.5])
    for bins in (0, 6):
        with pytest.raises(UserError, match="num_bins: expected 1 to 5"):
            bin_means(np.arange(5.0), bins)


@pytest.mark.parametrize(
    "arguments",
    [
        {"solver": "lanczos"},
        {"num_functions": 5},
        {"solver": "truncated", "num_functions": 61},
        {"solver": "nystroem", "num_functions": 0},
    ],
)
def test_wrong_solvers_and_numbers_are_refused(arguments):
    with pytest.raises(UserError, match="kernel basis"):
        kernel_basis(POINTS, 1.0, **arguments)


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, np.inf])
def test_impossible_widths_are_refused(width):
    with pytest.raises(UserError, match="kernel width"):
        kernel_basis(POINTS, width)


def test_more_points_than_memory_are_refused_before_anything_is_computed(monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: {"SC_PAGE_SIZE": 1}.get(name, 50_000))
    with pytest.raises(UserError, match="eigensolver=nystroem"):
        kernel_basis(POINTS, 1.0)
    assert kernel_basis(POINTS, 1.0, solver="nystroem", num_functions=9).functions.shape == (60, 9)
