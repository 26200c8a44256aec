"""Means over networks and items: closed forms, and coverage by simulation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments.networks import (
    difference_over_networks,
    mean_over_networks,
    rests_on,
    stacked,
)

RNG = np.random.default_rng(0)
# What items have in common is most of it.
VALUES = 2 * RNG.normal(size=(1, 8, 2)) + 0.3 * RNG.normal(size=(3, 8, 2))
CLUSTERS = np.array([0, 0, 1, 2, 3, 3, 4, 5])


def same(ours, theirs):
    for name in ("value", "low", "high"):
        assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12)


def test_what_is_said_of_one_network_says_so():
    assert rests_on(5, True) == "5 networks of different seeds"
    assert rests_on(1, True).startswith("one network, ")
    assert rests_on(1, False).startswith("one saved network, ")


@pytest.mark.parametrize("clusters", [None, CLUSTERS])
def test_several_networks_are_crossed_with_their_items(clusters):
    ours = mean_over_networks(VALUES, items="images", clusters=clusters)
    same(ours, spectra.crossed_mean(VALUES, clusters=clusters, units=("networks", "images")))
    assert ours.n == 3
    assert "networks" in ours.unit


@pytest.mark.parametrize("clusters", [None, CLUSTERS])
def test_one_network_has_an_interval_over_its_items_alone(clusters):
    ours = mean_over_networks(VALUES[:1], items="images", clusters=clusters)
    assert ours.value.shape == (2,)
    for i in range(2):
        same(ours[i], spectra.mean_over_clusters(VALUES[0, :, i], clusters))
    assert ours.n == (8 if clusters is None else 6)
    assert ours.unit.endswith("images of one network")
    one = mean_over_networks(VALUES[:1, :, 0], items="images", clusters=clusters)
    same(one, ours[0])


def test_a_difference_between_two_kinds_of_paths():
    """Of one network Welch's, but for n - 1; networks that differ by a constant change nothing."""
    less, more = RNG.normal(size=(1, 40)), 3 + 2 * RNG.normal(size=(1, 90))
    found = difference_over_networks(less, more, items="paths")
    assert_allclose(found.value, more.mean() - less.mean())
    variance = less.var(ddof=1) / 40 + more.var(ddof=1) / 90
    assert_allclose((found.high - found.low) / 2, 1.97 * np.sqrt(variance), rtol=0.02)
    shifts = np.array([[0.0], [5.0], [-7.0]])
    found = difference_over_networks(less + shifts, more + shifts, items="paths")
    assert_allclose(found.value, more.mean() - less.mean())
    assert_allclose((found.high - found.low) / 2, 1.97 * np.sqrt(variance), rtol=0.03)


@pytest.mark.parametrize("num_networks", [2, 3])
@pytest.mark.parametrize("between_networks", [0.02, 0.5])
def test_coverage_of_a_difference(num_networks, between_networks):
    """Nominal 95 %: networks that differ in it, paths that all share, and both together."""
    rng, hits, rounds = np.random.default_rng(1), 0, 600
    for _ in range(rounds):
        own = between_networks * rng.normal(size=(num_networks, 1))
        less, more = (
            rng.normal(size=(1, n)) + 0.5 * rng.normal(size=(num_networks, n)) for n in (30, 45)
        )
        found = difference_over_networks(1 + less, 2 + own + more, items="paths")
        hits += bool(found.low <= 1 <= found.high)
    assert hits / rounds >= 0.93


def test_single_estimates_become_an_array():
    each = [spectra.mean_over_runs(RNG.normal(size=n)) for n in (3, 5)]
    both = stacked(each)
    same(both[1], each[1])
    assert both.n.tolist() == [3, 5]
    few = stacked([each[0], spectra.not_enough(1, 2, "runs")])
    assert np.isnan(few.value[1])
    assert few.missing


def test_values_that_are_not_finite_are_refused():
    values = VALUES.copy()
    values[0, 0] = np.nan
    for given in (values, values[:1]):
        with pytest.raises(UserError, match="values: expected finite"):
            mean_over_networks(given, items="images")
