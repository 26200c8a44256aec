import numpy as np
import pytest

from spectral_tf import spectra, tasks


def test_its_spectrum_is_flat(assert_close):
    task = tasks.Delta(200)
    assert task.targets.sum() == task.targets[100] == 1
    k = np.arange(200)
    assert_close(spectra.coefficients(task.targets), np.exp(-1j * np.pi * k) / 200)
    assert_close(spectra.magnitudes(task.targets), np.full(101, 0.005))
    x, y = next(iter(task.dataset().batch(200)))
    assert_close(x[:, 0].numpy(), task.positions.astype(np.float32))
    assert_close(y[:, 0].numpy(), task.targets.astype(np.float32))


@pytest.mark.parametrize("samples", [2, 201])
def test_the_peak_must_be_on_the_grid(samples):
    with pytest.raises(ValueError, match="an even number of at least 4"):
        tasks.Delta(samples)
