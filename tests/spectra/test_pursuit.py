import numpy as np
import pytest

from spectral_tf import spectra
from spectral_tf.spectra import pursuit

RNG = np.random.default_rng(0)


def waves(x, frequencies, amplitudes):
    phases = np.arange(len(frequencies))
    return np.cos(2 * np.pi * np.outer(x, frequencies) + phases) @ np.asarray(amplitudes)


POSITIONS = {
    "grid": np.arange(300) / 300 * 2.3 + 5,
    "with its right end": np.linspace(-1, 1, 301),
    "clustered": np.sort(RNG.random(300) ** 2) * 2,
}


@pytest.mark.parametrize("name", POSITIONS)
def test_the_frequencies_of_waves_are_found_whatever_the_period(name):
    x = POSITIONS[name]
    k = [1.7, 4.0, 5.21, 13.37, 30.5]
    y = 7 + waves(x, k, [1, 0.1, 2, 0.5, 0.05])
    found = spectra.strongest_frequencies(y, x, 10, highest=60)
    np.testing.assert_allclose(found, k, rtol=1e-7)
    np.testing.assert_allclose(
        spectra.strongest_frequencies(y, x, 2, highest=60), [1.7, 5.21], rtol=0.02
    )


def test_weak_ones_end_the_search():
    x = POSITIONS["grid"]
    y = waves(x, [3.3, 20.2], [1, 0.02])
    assert len(spectra.strongest_frequencies(y, x, 5, highest=60, weakest=0.03)) == 1
    assert len(spectra.strongest_frequencies(y, x, 5, highest=60, weakest=0.01)) == 2


def test_found_ones_are_apart_and_below_the_highest():
    x = POSITIONS["grid"]
    found = spectra.strongest_frequencies(RNG.normal(size=300), x, 12, highest=20, weakest=0)
    assert len(found) == 12
    assert np.diff(found).min() > 0.99 / 2.3
    assert found.max() < 20
    # A slope is no wave; what is taken for it is at least half a cycle.
    assert spectra.strongest_frequencies(x, x, 3, highest=20).min() >= 0.5 / 2.3


def test_a_tone_that_fades_takes_no_two_places_nearer_than_its_length_resolves():
    x = POSITIONS["grid"]
    fading = np.exp(-2 * (x - x[0])) * np.cos(2 * np.pi * 9.3 * x)
    found = spectra.strongest_frequencies(fading, x, 6, highest=60)
    assert len(found) > 2
    assert np.diff(found).min() > 0.99 / 2.3


def test_noise_moves_them_little():
    x = POSITIONS["grid"]
    y = waves(x, [3.3, 8.9], [1, 1]) + 0.3 * RNG.normal(size=300)
    found = spectra.strongest_frequencies(y, x, 2, highest=60)
    # Of one wave the bound of Cramer and Rao is sqrt(6 / n) sigma / (pi A length) = 0.006.
    np.testing.assert_allclose(found, [3.3, 8.9], atol=0.02)


def test_the_fast_transform_on_a_grid_is_the_sum(monkeypatch):
    x = POSITIONS["grid"]
    y = RNG.normal(size=300)
    fast = spectra.strongest_frequencies(y, x, 6, highest=30)
    irregular = spectra.sampling(POSITIONS["clustered"])
    monkeypatch.setattr(pursuit, "sampling", lambda x: irregular)
    np.testing.assert_allclose(spectra.strongest_frequencies(y, x, 6, highest=30), fast, rtol=1e-6)


def test_nothing_to_find_is_refused():
    x = np.arange(20.0)
    with pytest.raises(ValueError, match="samples that vary"):
        spectra.strongest_frequencies(np.ones(20), x, 3, highest=0.5)
    with pytest.raises(ValueError, match="some cycles below 0.01"):
        spectra.strongest_frequencies(x, x, 3, highest=0.01)
    with pytest.raises(ValueError, match="increase"):
        spectra.strongest_frequencies(x, x[::-1], 3, highest=0.5)
