import numpy as np
import pytest

from spectral_tf import tasks

Z = np.random.default_rng(0).uniform(size=200)


def test_no_petals_are_the_unit_circle(assert_close):
    circle = tasks.Flower(0)
    assert_close(np.linalg.norm(circle(Z), axis=-1), np.ones(200))
    assert_close(circle([0.0, 0.25]), [[1, 0], [0, 1]])
    assert_close([circle.arc_length, circle.max_speed], [2 * np.pi, 2 * np.pi])


def test_radii_are_between_a_half_and_three_halves_with_one_peak_for_each_petal():
    radius = np.linalg.norm(tasks.Flower(5)(np.arange(1_000) / 1_000), axis=-1)
    assert abs(radius.min() - 0.5) < 1e-3
    assert abs(radius.max() - 1.5) < 1e-3
    peaks = (radius > np.roll(radius, 1)) & (radius > np.roll(radius, -1))
    assert peaks.sum() == 5


def test_the_velocity_is_the_derivative():
    curve, step = tasks.Flower(7), 1e-6
    differences = (curve(Z + step) - curve(Z - step)) / (2 * step)
    np.testing.assert_allclose(curve.velocity(Z), differences, atol=1e-6)


# Arc lengths and largest speeds, computed once by another program.
@pytest.mark.parametrize(
    ("petals", "length", "speed"),
    [(0, 6.28, 6.28), (4, 10.64, 14.1), (10, 21.5, 32.0), (16, 33.1, 50.7), (20, 40.9, 63.2)],
)
def test_geometry(petals, length, speed):
    curve = tasks.Flower(petals)
    assert abs(curve.arc_length - length) < 0.05
    assert abs(curve.max_speed - speed) < 0.06


def test_negative_petals_are_refused():
    with pytest.raises(ValueError, match="petals: expected 0 or more, got -1"):
        tasks.Flower(-1)
