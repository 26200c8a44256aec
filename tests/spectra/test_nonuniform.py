import importlib.util

import numpy as np
import pytest

from spectral_tf import spectra
from spectral_tf.spectra import nonuniform

needs_finufft = pytest.mark.skipif(
    importlib.util.find_spec("finufft") is None, reason="the extra `finufft` is not installed"
)
METHODS = ["direct", pytest.param("finufft", marks=needs_finufft)]


@pytest.mark.parametrize("n", [8, 9])
@pytest.mark.parametrize("method", METHODS)
def test_on_the_grid_it_is_the_dft(n, method, assert_close):
    f = np.random.default_rng(n).normal(size=(3, n))
    result = spectra.coefficients_at(f, np.arange(n) / n, np.arange(n), method)
    assert_close(result, spectra.coefficients(f))


@pytest.mark.parametrize("method", METHODS)
def test_off_the_grid_a_constant_gives_the_geometric_sum(method, assert_close):
    n, k = 16, np.array([0.3, -2.75, 40.1])
    expected = (1 - np.exp(-2j * np.pi * k)) / (1 - np.exp(-2j * np.pi * k / n)) / n
    assert_close(spectra.coefficients_at(np.ones(n), np.arange(n) / n, k, method), expected)


def test_one_point_gives_its_phase_whatever_the_frequency(assert_close):
    result = spectra.coefficients_at([2.0], [0.3], [0.0, 1.5])
    assert_close(result, [2.0, 2.0 * np.exp(-2j * np.pi * 0.45)])


def test_blocks_do_not_change_the_sum(monkeypatch, assert_close):
    rng = np.random.default_rng(0)
    f, x, k = rng.normal(size=7) + 1j, rng.uniform(size=7), rng.normal(size=5)
    whole = spectra.coefficients_at(f, x, k, "direct")
    monkeypatch.setattr(nonuniform, "_BLOCK_BYTES", 16 * 7 * 2)
    assert_close(spectra.coefficients_at(f, x, k, "direct"), whole)


def test_finufft_is_asked_for_but_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'spectral-tf\[finufft\]'"):
        spectra.coefficients_at([1.0], [0.0], [1.0], "finufft")
    assert spectra.coefficients_at([1.0], [0.0], [1.0]) == 1.0


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="one position for every sample"):
        spectra.coefficients_at([1.0, 2.0], [0.0], [1.0])
    with pytest.raises(ValueError, match="auto, direct or finufft"):
        spectra.coefficients_at([1.0], [0.0], [1.0], "fft")  # type: ignore[arg-type]
