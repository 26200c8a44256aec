import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.tasks import (
    ACROSS,
    PlaneWaves,
    PrincipalAxes,
    RadialWave,
    noise_directions,
    noise_wave,
)

POINTS = np.array([[3.0, 4.0], [0.0, 0.0], [0.5, -0.25]])


def turned(degrees):
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def normal(mean, deviations, turn, count=200_000):
    rng = np.random.default_rng(0)
    return mean + (rng.normal(size=(count, 2)) * deviations) @ turned(turn)


def test_one_wave_by_hand(assert_close):
    along_y = PlaneWaves(np.array([0.5]), np.array([[0.0, 1.0]]))
    assert_close(along_y(POINTS), np.sin(np.pi * POINTS[:, 1]))
    assert_close(along_y.cycles(POINTS), 2 * POINTS[:, 1].std())


def test_two_waves_have_the_power_of_one(assert_close):
    two = PlaneWaves(np.array([0.5, 0.25]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    own = np.sin(np.pi * POINTS[:, 1]) + np.sin(0.5 * np.pi * POINTS[:, 0])
    assert_close(two(POINTS), own / np.sqrt(2))
    fast = PlaneWaves(np.array([9.0, 7.0]), turned(20))
    assert abs(np.mean(fast(normal(0.0, (1.0, 1.0), 0)) ** 2) - 0.5) < 0.01


def test_the_units_of_frequency(assert_close):
    direction = np.array([[0.0, 1.0]])
    cycles = noise_wave(0.5, "cycles", POINTS, direction)
    assert_close(cycles(POINTS), np.sin(np.pi * POINTS[:, 1]))
    radians = noise_wave(np.pi, "radians", POINTS, direction)
    assert_close(radians(POINTS), cycles(POINTS))
    assert_close(noise_wave(3.0, ACROSS, POINTS, turned(30)).cycles(POINTS), 3.0)
    radial = noise_wave(3.0, ACROSS, POINTS)
    assert isinstance(radial, RadialWave)
    assert_close(radial.cycles(POINTS), 3.0)
    assert noise_wave(0.1, "radians", POINTS) == RadialWave(0.1, "radians")


def test_principal_axes_of_known_points(assert_close):
    x = np.array([1.0, 2.0]) + np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]]) @ turned(120)
    axes = PrincipalAxes.of(x)
    assert_close(axes.mean, [1.0, 2.0])
    assert_close(axes.variances, [2.0, 0.5])
    # The first axis points up, so that its largest entry is positive; so does the second one.
    assert_close(axes.directions, [turned(120)[0], -turned(120)[1]])
    assert PrincipalAxes.of(x @ np.diag([1.0, 0.0])).rank == 1


def test_a_linear_function_is_carried_by_the_axes_that_it_is_of(assert_close):
    x = normal(5.0, (2.0, 1.0), 25, count=500)
    axes = PrincipalAxes.of(x)
    values = 3 + (x - axes.mean) @ (axes.directions[0] / np.sqrt(axes.variances[0]))
    assert_close(axes.carried(x, values), [1.0, 1.0])
    values = values + 2 * (x - axes.mean) @ (axes.directions[1] / np.sqrt(axes.variances[1]))
    assert_close(axes.carried(x, values), [0.2, 1.0])  # Variances 1 and 4.
    assert np.isnan(axes.carried(x, np.ones(len(x)))).all()


@pytest.mark.parametrize("a", [0.1, 1.0, 2.0])
def test_one_centred_wave_along_an_axis_is_carried_as_the_formula_says(a, assert_close):
    axes = PrincipalAxes(np.zeros(2), np.array([4.0, 1.0]), np.eye(2))
    wave = PlaneWaves(np.array([a / (2 * np.pi * 2)]), np.eye(2)[:1])
    share = 2 * a**2 * np.exp(-(a**2)) / (1 - np.exp(-2 * a**2))
    assert_close(wave.carried_if_gaussian(axes), [share, share])
    assert_close(wave.power_if_gaussian(axes), [0.0, (1 - np.exp(-2 * a**2)) / 2])


@pytest.mark.parametrize("frequencies", [(0.02, 0.03), (0.1, 0.06), (0.3, 0.1)])
def test_closed_forms_are_what_normal_inputs_have(frequencies):
    """Two waves that are not orthogonal, on inputs that are not centred, against 200,000 draws."""
    x = normal(np.array([1.5, -0.7]), (2.0, 1.0), 25)
    axes = PrincipalAxes.of(x)
    waves = PlaneWaves(np.array(frequencies), np.array([[0.6, 0.8], [1.0, 0.0]]))
    psi = waves(x)
    np.testing.assert_allclose(waves.power_if_gaussian(axes), (psi.mean(), psi.var()), atol=4e-3)
    np.testing.assert_allclose(waves.carried_if_gaussian(axes), axes.carried(x, psi), atol=8e-3)


def test_directions_of_each_kind(assert_close):
    axes = PrincipalAxes(np.zeros(50), np.arange(50.0, 0, -1), np.eye(50))
    rng = np.random.default_rng(1)
    assert noise_directions("radial", 3, axes, rng) is None
    assert_close(noise_directions("principal", 3, axes, rng), np.eye(50)[:3])
    drawn = noise_directions("random", 400, axes, rng)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, atol=1e-6)
    # Equally likely everywhere: entries of both signs, each of mean square 1 / 50.
    assert 0.4 < np.mean(drawn > 0) < 0.6
    np.testing.assert_allclose((drawn**2).mean(axis=0), 1 / 50, rtol=0.4)


def test_impossible_waves_are_refused():
    for frequency in (-1.0, np.nan, np.inf):
        with pytest.raises(UserError, match="frequency: expected 0 or more"):
            PlaneWaves(np.array([frequency]), np.eye(2)[:1])
    for directions in (np.eye(2), 2 * np.eye(2)[:1]):
        with pytest.raises(UserError, match="directions: expected 1 of norm 1"):
            PlaneWaves(np.array([1.0]), directions)
    flat = PrincipalAxes.of(POINTS @ np.diag([1.0, 0.0]))
    with pytest.raises(UserError, match="num_waves: expected at most 1"):
        noise_directions("principal", 2, flat, np.random.default_rng(0))
    with pytest.raises(UserError, match="images that vary along the wave"):
        noise_wave(1.0, ACROSS, POINTS @ np.diag([1.0, 0.0]), np.array([[0.0, 1.0]]))
