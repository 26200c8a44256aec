"""Elastic bands on energies whose paths of least energy are known."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.probes import BandSettings, elastic_bands
from spectral_tf.probes.bands import band_force, spread, with_more

# On the unit circle, above the axis: 0.1 and pi - 0.1.
ENDS = np.array([[[np.cos(0.1), np.sin(0.1)]], [[-np.cos(0.1), np.sin(0.1)]]], np.float32)
# Enough steps to be where the path of least energy is.
LONG = BandSettings(pivots=17, inserted=0, relaxations=1, steps=400, rate=0.01, momentum=0.8)


def double_well(points, _):
    """sin^2 t + 10 (r - 1)^2 in polar coordinates: wells at t = 0 and pi, tops at +- pi / 2.

    On the unit circle the gradient is along it, so the circle is the path of least energy, and the
    saddle on it, 1, the least that a path has to climb. The straight line climbs to about 9.
    """
    radius = tf.norm(points, axis=-1)
    return (points[..., 1] / radius) ** 2 + 10 * (radius - 1) ** 2


def gaps(band):
    return np.linalg.norm(np.diff(band, axis=-2), axis=-1)


def relaxed(energy, settings, ends=ENDS):
    return elastic_bands(energy, *ends, np.zeros(len(ends[0])), settings)


@pytest.mark.parametrize("spring", [0.0, 20.0])
def test_a_band_in_a_double_well_comes_to_lie_on_the_known_arc(spring):
    (band,) = relaxed(double_well, dataclasses.replace(LONG, spring=spring))
    np.testing.assert_allclose(np.linalg.norm(band, axis=1), 1, atol=0.03)
    assert gaps(band).sum() == pytest.approx(np.pi - 0.2, rel=0.02)
    energies = double_well(tf.constant(band), None).numpy()
    assert energies.max() == pytest.approx(1, abs=0.03)
    assert energies.argmax() == 8
    straight = np.linspace(*ENDS[:, 0], 17)
    assert double_well(tf.constant(straight), None).numpy().max() == pytest.approx(9, abs=0.2)


@pytest.mark.parametrize("spring", [0.0, 20.0])
def test_pivots_stay_evenly_spaced_and_ends_where_they_are(spring):
    (band,) = relaxed(double_well, dataclasses.replace(LONG, spring=spring))
    np.testing.assert_array_equal(band[[0, -1]], ENDS[:, 0])
    assert np.ptp(gaps(band)) < 0.02 * gaps(band).mean()
    # What keeps them apart is that: plain descent lets them slide into the wells.
    (band,) = relaxed(double_well, dataclasses.replace(LONG, spring=1e-6))
    assert np.ptp(gaps(band)) > 0.3 * gaps(band).mean()


def test_a_flat_energy_leaves_the_straight_line_and_a_linear_one_bends_it_across():
    (band,) = relaxed(lambda points, _: 0 * points[..., 0], LONG)
    np.testing.assert_allclose(band, np.linspace(*ENDS[:, 0], 17), atol=1e-6)
    # Without momentum one step of force f across moves every inner pivot by rate f; of a force
    # along the band nothing is left.
    once = BandSettings(pivots=5, inserted=0, relaxations=1, steps=1, rate=0.1, momentum=0)
    once = dataclasses.replace(once, spring=1e-9)  # Or they would be spaced anew.
    (band,) = relaxed(lambda p, _: 5 * p[..., 0] - 2 * p[..., 1], once)
    line = np.linspace(*ENDS[:, 0], 5)
    np.testing.assert_allclose(band[1:-1], line[1:-1] + np.array([0, 0.2]), atol=1e-6)


def test_momentum_adds_up():
    """Three steps of force 2: rate (1 + 1.5 + 1.75) 2 with momentum 1/2."""
    few = BandSettings(pivots=3, inserted=0, relaxations=1, steps=3, rate=0.01, momentum=0.5)
    (band,) = relaxed(lambda p, _: -2 * p[..., 1], few)
    assert band[1, 1] - np.sin(0.1) == pytest.approx(0.01 * 2 * 4.25, rel=1e-4)


def test_the_tangent_goes_to_the_higher_neighbour_and_is_weighed_at_an_extremum():
    corner = tf.constant([[[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]]])
    pull = tf.constant([[[0.0, 0.0], [3.0, 5.0], [0.0, 0.0]]])

    def across(*energies):
        return band_force(corner, tf.constant([energies]), pull, 0.0).numpy()[0, 0]

    np.testing.assert_allclose(across(0.0, 1.0, 2.0), [-3, 0])  # Tangent (0, 1).
    np.testing.assert_allclose(across(2.0, 1.0, 0.0), [0, -5])  # Tangent (1, 0).
    # A top, the far side higher by 3 against 1: 3 (1, 0) + 1 (0, 2) or the other way round.
    for energies, tangent in (((0.0, 3.0, 2.0), (1, 6)), ((2.0, 3.0, 0.0), (3, 2))):
        unit = np.array(tangent) / np.linalg.norm(tangent)
        given = np.array([3.0, 5.0])
        np.testing.assert_allclose(across(*energies), -(given - given @ unit * unit), rtol=1e-5)
    # Springs pull towards the longer piece, along the tangent.
    spring = band_force(corner, tf.constant([[0.0, 1.0, 2.0]]), 0 * pull, 0.5).numpy()[0, 0]
    np.testing.assert_allclose(spring, [0, 0.5 * (2 - 1)])


def test_spreading_puts_pivots_at_their_shares_of_the_length():
    bent = tf.constant([[[0.0, 0.0], [3.0, 0.0], [3.0, 0.5], [3.0, 1.0]]])
    found = spread(bent, tf.constant([[0.0, 0.25, 0.5, 1.0]])).numpy()[0]
    np.testing.assert_allclose(found, [[0, 0], [1, 0], [2, 0], [3, 1]], atol=1e-6)


def test_pivots_are_inserted_where_the_energy_is_underestimated():
    """A narrow hill at 0.3 on the way from 1 to -1: the new pivots are there."""

    def hill(points):
        return tf.exp(-(((points[..., 0] - 0.3) / 0.1) ** 2))

    shares = tf.constant([[0.0, 0.25, 0.5, 0.75, 1.0]])
    points = tf.constant([[[1.0, 0.0], [0.5, 0.0], [0.0, 0.0], [-0.5, 0.0], [-1.0, 0.0]]])
    for _ in range(3):
        points, shares = with_more(hill, points, shares, 1)
    # The middle of (0, 0.5), the middle of that and 0.5, and the middle of these two.
    expected = [1, 0.5, 0.375, 0.3125, 0.25, 0, -0.5, -1]
    np.testing.assert_allclose(points[0, :, 0], expected, atol=1e-6)
    np.testing.assert_allclose(shares[0], (1 - np.array(expected)) / 2, atol=1e-6)
    # Two at once are those of the two worst segments.
    points, _ = with_more(hill, tf.constant([[[1.0], [0.5], [0.2], [-1.0]]]), shares[:, :4], 2)
    assert points.shape == (1, 6, 1)


def test_bands_do_not_know_of_each_other_and_each_has_its_own_label():
    def towards(points, labels):
        return tf.where(labels == 1, 1.0, -1.0) * points[..., 1]

    first = np.array([[1, 0], [1, 0], [2, 0]], np.float32)
    last = np.array([[-1, 0], [-1, 0], [0, 0]], np.float32)
    few = BandSettings(pivots=5, relaxations=1, steps=3, rate=0.01)
    found = elastic_bands(towards, first, last, [0, 1, 0], few, batch_size=1)
    np.testing.assert_allclose(found[0] * [1, -1], found[1], atol=1e-6)
    np.testing.assert_allclose(found[0] + [1, 0], found[2], atol=1e-6)
    assert found[0, 2, 1] > 0.01
    together = elastic_bands(towards, first, last, [0, 1, 0], few, batch_size=64)
    np.testing.assert_allclose(found, together, atol=1e-6)


def test_pixels_stay_within_their_range_and_images_keep_their_shape():
    dark, light = np.full((2, 3, 4, 1), 0.01, np.float32), np.full((2, 3, 4, 1), 0.99, np.float32)
    boxed = BandSettings(pivots=5, relaxations=2, steps=5, rate=0.5, low=0.0, high=1.0)
    found = elastic_bands(
        lambda images, _: tf.reduce_sum(images[:, 0], axis=(1, 2)), dark, light, [0, 0], boxed
    )
    assert found.shape == (2, boxed.count, 3, 4, 1)
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[0, 3, 0].mean() < 0.5 < found[0, 3, 1:].mean()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"pivots": 2}, "pivots: expected 3 or more, got 2"),
        ({"inserted": 9}, "inserted: expected 0 to 8"),
        ({"relaxations": 0}, "relaxations: expected 1 or more"),
        ({"steps": 0}, "steps: expected 1 or more"),
        ({"rate": 0.0}, "rate: expected a number above 0"),
        ({"momentum": 1.0}, "momentum: expected 0 or more"),
        ({"spring": -1.0}, "spring: expected 0 (none)"),
    ],
)
def test_impossible_settings_are_refused(change, line):
    with pytest.raises(UserError) as caught:
        BandSettings(**change)
    assert line in str(caught.value)


def test_equal_ends_and_bands_that_run_away_are_refused():
    with pytest.raises(UserError, match="two points that differ"):
        relaxed(double_well, LONG, (ENDS[0], ENDS[0]))
    with pytest.raises(UserError, match="1 of 1 that are not; lower their learning rate"):
        relaxed(double_well, dataclasses.replace(LONG, rate=1e30, steps=9))
