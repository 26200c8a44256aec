import numpy as np
import pytest

from spectral_tf import spectra

N = 16
Z = np.arange(N) / N
# A kernel on the circle: sum of 2 c_k cos(2 pi k (z - z')), eigenvalue n c_k for frequency k > 0.
WEIGHTS = {0: 1.0, 1: 0.5, 3: 0.1}
KERNEL = sum(
    (1 if k == 0 else 2) * c * np.cos(2 * np.pi * k * (Z[:, None] - Z)) for k, c in WEIGHTS.items()
)


def test_rates_on_the_circle_by_hand(assert_close):
    rates = spectra.frequency_rates(np.stack([KERNEL, 2 * KERNEL]), [0, 1, 2, 3])
    assert_close(rates, np.outer([1, 2], [2.0, 1.0, 0.0, 0.2]))


def test_each_frequency_decays_at_its_rate(assert_close):
    eta, steps = 0.3, np.array([0, 1, 7, 50])
    target = np.cos(2 * np.pi * Z + 0.4) + np.cos(2 * np.pi * 3 * Z) + np.cos(2 * np.pi * 5 * Z)
    functions = spectra.linearised_functions(KERNEL, np.zeros(N), target, eta, steps)
    learned = spectra.normalised_magnitudes(functions, [1, 3, 5], [1, 1, 1])
    for j, rate in enumerate((1.0, 0.2, 0.0)):
        assert_close(learned[:, j], 1 - (1 - eta * rate) ** steps)


def test_it_is_gradient_descent_step_by_step(assert_close):
    rng = np.random.default_rng(0)
    jacobian = rng.normal(size=(N, 5))
    kernel, start, target = jacobian @ jacobian.T, rng.normal(size=N), rng.normal(size=N)
    eta = 0.6 * N / np.linalg.eigvalsh(kernel)[-1]  # Some factors are negative.
    f = start
    for _ in range(3):
        f = f - 2 * eta / N * kernel @ (f - target)
    assert_close(spectra.linearised_functions(kernel, start, target, eta, [3])[0], f)


def test_unstable_rates_and_bad_shapes_are_refused():
    with pytest.raises(ValueError, match="learning_rate: expected above 0 and below 1, where"):
        spectra.linearised_functions(KERNEL, Z, Z, 1.0, [1])
    with pytest.raises(ValueError, match="kernels: expected"):
        spectra.frequency_rates(KERNEL[:4], [1])
    with pytest.raises(ValueError, match="whole numbers from 0 to 8"):
        spectra.frequency_rates(KERNEL, [9])


def test_velocities_on_the_circle_are_rates_times_errors(assert_close):
    errors = np.stack([np.cos(2 * np.pi * Z + 0.4), np.cos(2 * np.pi * 3 * Z)])
    velocities = spectra.frequency_velocities(KERNEL, errors, [1, 3, 5])
    # Coefficients exp(0.4 i) / 2 and 1/2, rates 1 and 0.2.
    assert_close(velocities, [[-np.exp(0.4j) / 2, 0, 0], [0, -0.1, 0]])


def test_velocities_are_those_of_the_first_step_and_within_their_bounds(assert_close):
    rng = np.random.default_rng(0)
    jacobian = rng.normal(size=(3, N, 5))
    kernels, errors = jacobian @ jacobian.swapaxes(1, 2), rng.normal(size=(3, N))
    found = spectra.frequency_velocities(kernels, errors, [1, 2, 7])
    bounds = spectra.velocity_bounds(kernels, errors, [1, 2, 7])
    for kernel, error, velocity, bound in zip(kernels, errors, found, bounds, strict=True):
        eta = 1e-3
        after = spectra.linearised_functions(kernel, error, np.zeros(N), eta, [1])[0]
        change = spectra.coefficients(after - error)[[1, 2, 7]] / eta
        assert_close(velocity, change)
        assert np.all(np.abs(velocity) <= bound)
    # One parameter, and an error along its derivative: the bound is reached.
    line = rng.normal(size=N)
    kernel = np.outer(line, line)
    reached = np.abs(spectra.frequency_velocities(kernel, 3 * line, [1, 2]))
    assert_close(reached, spectra.velocity_bounds(kernel, 3 * line, [1, 2]))
