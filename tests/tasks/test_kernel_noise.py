import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.spectra import KernelBasis, kernel_basis
from spectral_tf.tasks import kernel_noise


def test_its_coefficients_are_the_powers_of_the_index(assert_close):
    points = np.random.default_rng(0).normal(size=(9, 3))
    basis = kernel_basis(points, 1.0)
    noise = kernel_noise(basis, 2.0, np.random.default_rng(1))
    coefficients = basis.coefficients(noise)
    assert_close(np.abs(coefficients), (np.arange(9) / 8) ** 2)
    assert {-1.0, 1.0} == set(np.sign(coefficients[1:]))
    assert_close(np.mean(noise**2), np.sum((np.arange(9) / 8) ** 4) / 9)


def test_the_mean_square_tends_to_a_fifth_for_exponent_2():
    basis = KernelBasis(np.ones(2_000), np.eye(2_000))
    noise = kernel_noise(basis, 2.0, np.random.default_rng(0))
    assert abs(np.mean(noise**2) - 0.2) < 5e-4


@pytest.mark.parametrize(("exponent", "count"), [(-1.0, 4), (np.nan, 4), (2.0, 1)])
def test_impossible_noise_is_refused(exponent, count):
    with pytest.raises(UserError, match="kernel noise"):
        kernel_noise(KernelBasis(np.ones(count), np.eye(count)), exponent, np.random.default_rng(0))
