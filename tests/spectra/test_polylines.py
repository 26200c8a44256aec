import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.spectra import (
    along_polyline,
    departure,
    path_measures,
    polyline_length,
    turned_at_random,
)

RNG = np.random.default_rng(0)


def test_an_arc_has_the_length_of_its_chords_and_comes_near_that_of_the_circle():
    turn = np.linspace(0, np.pi, 101)
    arc = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    chords = 100 * 2 * np.sin(np.pi / 200)
    np.testing.assert_allclose(polyline_length(arc), chords)
    np.testing.assert_allclose(departure(arc), 0.5)  # The radius over the diameter.
    both = np.stack([arc, 3 * arc])
    np.testing.assert_allclose(polyline_length(both), [chords, 3 * chords])
    np.testing.assert_allclose(departure(both), 0.5)


def test_samples_are_evenly_spaced_by_length_whatever_the_pivots_are():
    # Two sides of a triangle, with pivots crowded on the first.
    path = np.array([[0, 0], [0.1, 0], [0.2, 0], [3, 0], [3, 4]], float)
    found = along_polyline(path, 8)
    expected = [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1], [3, 2], [3, 3], [3, 4]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # A pivot that comes twice is no way.
    twice = np.insert(path, 3, path[3], axis=0)
    np.testing.assert_allclose(along_polyline(twice, 8), expected, atol=1e-6)
    many = np.stack([path, path + 1])
    np.testing.assert_allclose(along_polyline(many, 8)[1], np.array(expected) + 1, atol=1e-6)
    np.testing.assert_array_equal(along_polyline(path, 2), path[[0, -1]].astype(np.float32))


def test_turned_bends_keep_every_distance_and_lose_their_direction():
    path = RNG.normal(size=(9, 300)).cumsum(axis=0)
    turned = turned_at_random(path, np.random.default_rng(1))

    def distances(points):
        return np.linalg.norm(points[:, None] - points[None], axis=-1)

    np.testing.assert_allclose(distances(turned), distances(path), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(turned[[0, -1]], path[[0, -1]], rtol=1e-6)
    assert polyline_length(turned) == pytest.approx(float(polyline_length(path)), rel=1e-6)
    chord = (path[-1] - path[0]) / np.linalg.norm(path[-1] - path[0])
    np.testing.assert_allclose((turned - path) @ chord, 0, atol=1e-3)

    # Of 300 directions the old one has no more than its share, on average over draws.
    bent = np.zeros((3, 300))
    bent[1:, 0], bent[1, 7] = (0.5, 1.0), 1.0
    found = np.array([turned_at_random(bent, np.random.default_rng(i))[1] for i in range(200)])
    np.testing.assert_allclose(found[:, 0], 0.5, rtol=1e-6)
    np.testing.assert_allclose(np.mean(found[:, 7] ** 2), 1 / 299, rtol=0.5)
    assert abs(found[:, 1:].mean(axis=0)).max() < 4 / np.sqrt(200 * 299)


def test_a_straight_path_stays_where_it_is():
    line = np.linspace([0.0, 1.0, 2.0, 0.0], [1.0, 1.0, 0.0, 4.0], 3)
    np.testing.assert_allclose(turned_at_random(line, RNG), line, atol=1e-6)
    assert departure(line) < 1e-12
    np.testing.assert_array_equal(turned_at_random(line[[0, -1]], RNG), line[[0, -1]])


def test_the_spectrum_along_a_bent_path_is_that_of_its_length():
    """A wave of three half-waves along the arc has them whatever shape the path has."""
    turn = np.linspace(0, np.pi, 65)
    arc = along_polyline(np.stack([2 * np.cos(turn), 2 * np.sin(turn)], axis=1), 129)
    share = 0.5 + 0.4 * np.cos(3 * np.arctan2(arc[:, 1], arc[:, 0]))
    length = float(polyline_length(arc))
    found = path_measures(np.stack([share, 1 - share], axis=1), length / 128)
    assert float(found.centroid) * length == pytest.approx(1.5, abs=1e-3)
    assert float(found.total_variation) == pytest.approx(3 * 0.8, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: polyline_length(np.zeros((1, 3))), "points: expected 2 or more"),
        (lambda: along_polyline(np.zeros((2, 3)), 1), "count: expected 2 samples"),
        (lambda: turned_at_random(np.zeros((3, 9)), RNG), "points: expected ends that differ"),
        (lambda: turned_at_random(np.eye(5, 3), RNG), "fewer pivots"),
    ],
)
def test_impossible_paths_are_refused(call, line):
    with pytest.raises(UserError) as caught:
        call()
    assert line in str(caught.value)
