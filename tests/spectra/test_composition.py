import numpy as np
import pytest

from spectral_tf import spectra, tasks

TURNS = np.pi * np.arange(64) / 64
DIRECTIONS = np.stack([np.cos(TURNS), np.sin(TURNS)], axis=-1)
Z = np.arange(8192) / 8192


def test_a_straight_line_carries_one_frequency():
    line = np.stack([Z, 0 * Z], axis=-1)
    assert spectra.occupied_bandwidth(line, [2 * np.pi * 7, 5.0]) == 7


def test_energy_decides_by_hand():
    # exp(i a sin) has the powers J_l(a)^2: at a = 1, |l| <= 0, 1, 2 hold 0.586, 0.973, 0.99966.
    circle = tasks.Flower(0)(Z)
    for energy, band in ((0.5, 0), (0.97, 1), (0.999, 2)):
        assert spectra.occupied_bandwidth(circle, [1.0, 0.0], energy) == band


# Mean 99 % bandwidth over directions, and the bound |k| max|gamma'| / (2 pi), in cycles:
# computed once by another program.
@pytest.mark.parametrize(
    ("petals", "wavenumber", "band", "bound"),
    [
        (0, 10, 12, 10),
        (4, 10, 25, 22.5),
        (10, 10, 57, 51),
        (16, 10, 91, 81),
        (20, 10, 115, 100.5),
        (0, 50, 52, 50),
        (4, 50, 111, 112.5),
        (10, 50, 255, 255),
        (16, 50, 402, 403),
        (20, 50, 501, 502.5),
    ],
)
def test_the_flower_curves_have_the_bandwidths_of_theory(petals, wavenumber, band, bound):
    curve = tasks.Flower(petals)
    measured = spectra.occupied_bandwidth(curve(Z), wavenumber * DIRECTIONS).mean()
    assert abs(measured - band) < 1
    assert abs(wavenumber * curve.max_speed / (2 * np.pi) - bound) < 0.5


@pytest.mark.parametrize(
    ("path", "vectors", "energy", "line"),
    [
        (np.ones((8, 2)), [1.0], 0.9, "points"),
        (np.ones((8, 2)), [1.0, 0.0], 1.0, r"share in \(0, 1\)"),
        (np.stack([np.arange(8) / 8] * 2, -1), [2 * np.pi * 3, 0.0], 0.9, "more finely"),
    ],
)
def test_what_cannot_be_measured_is_refused(path, vectors, energy, line):
    with pytest.raises(ValueError, match=line):
        spectra.occupied_bandwidth(path, vectors, energy)
