import numpy as np
import pytest

from spectral_tf import spectra

N = 32
X, Y = np.meshgrid(np.arange(N) / N, np.arange(N) / N, indexing="ij")


def test_a_plane_wave_has_one_ring_whatever_its_direction(assert_close):
    # Radii 5, 5 and 2.83, which is nearest to 3.
    waves = [np.cos(2 * np.pi * (a * X + b * Y)) for a, b in ((3, 4), (5, 0), (2, 2))]
    radii, energies = spectra.radial_spectrum(waves, 2.0, window=False)
    assert_close(radii, np.arange(17) / 2)
    expected = np.zeros((3, 17))
    expected[[0, 1, 2], [5, 5, 3]] = 0.5
    assert_close(energies, expected)


def test_rings_share_out_the_mean_square(assert_close):
    rng = np.random.default_rng(0)
    # Only frequencies within the last ring.
    f = sum(
        rng.normal() * np.cos(2 * np.pi * (a * X + b * Y) + 1) for a in range(5) for b in range(5)
    )
    _, energies = spectra.radial_spectrum(f, window=False)
    assert_close(energies.sum(), np.mean(f**2))


def test_the_window_takes_off_the_mean_and_keeps_the_energy_of_a_wave():
    _, energies = spectra.radial_spectrum(7 + np.cos(2 * np.pi * 8 * X))
    assert abs(energies.sum() - 0.5) < 0.01
    assert energies[:6].sum() < 1e-12
    assert energies[7:10].sum() > 0.49


@pytest.mark.parametrize("samples", [np.ones((4, 5)), np.ones((3, 3)), np.ones(9)])
def test_only_squares(samples):
    with pytest.raises(ValueError, match="samples: expected shape"):
        spectra.radial_spectrum(samples)
