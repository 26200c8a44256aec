import itertools

import numpy as np
import pytest

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.spectra.same_paths import known_paths

EVERYWHERE = np.ones(40, bool)


def survivors(num_models=8, num_paths=40):
    """Better models are correct on harder paths, and slower on every path than worse ones.

    A path of difficulty d is answered by a model of ability a > d; its frequency there is
    3 d - a / 2: on any one path it falls with ability, on a model's own correct ones it rises.
    """
    ability = np.linspace(0.4, 1.0, num_models)
    hardness = np.linspace(0.0, 0.95, num_paths)
    correct = ability[:, None] > hardness
    values = 3 * hardness - ability[:, None] / 2
    return ability, values, correct


def test_own_correct_paths_give_the_wrong_sign_and_the_same_paths_the_right_one():
    ability, values, correct = survivors(num_paths=120)
    own = [row[known].mean() for row, known in zip(values, correct, strict=True)]
    assert spectra.correlation_over_settings(ability, own, np.arange(8)).value == 1
    for paths in ("all", "common", "shared", "known"):
        found = spectra.correlation_on_paths(
            ability, values, correct, np.arange(8), paths=paths, where=np.ones(120, bool)
        )
        assert found.value == -1, paths
        assert found.high < 0, paths
        assert found.p_value == pytest.approx(2 / 40_320), paths
        assert found.n == 8, paths


def test_known_paths_are_common_where_there_are_enough():
    correct = np.ones((3, 150), bool)
    where = np.arange(150) < 120
    assert known_paths(correct, where) == "common"
    correct[0, :21] = False
    assert known_paths(correct, where) == "shared"  # 99 are left.


def test_too_few_paths_get_a_word():
    ability, values, correct = survivors()
    correct[:] = False
    for paths, told in (("common", "0 common paths, 20 needed"), ("shared", "0 shared paths, 20")):
        found = spectra.correlation_on_paths(
            ability, values, correct, np.arange(8), paths=paths, where=EVERYWHERE
        )
        assert np.isnan(found.value)
        assert told in found.text()


def test_paths_of_other_kinds_do_not_count():
    """Those outside `where` could turn the sign."""
    ability, values, correct = survivors()
    values = np.concatenate([values, 100 * ability[:, None] * np.ones(40)], axis=1)
    correct = np.concatenate([correct, np.ones_like(correct)], axis=1)
    where = np.arange(80) < 40
    for paths, sign in (("all", -1), ("shared", -1)):
        of = {"paths": paths, "where": where}
        assert (
            spectra.correlation_on_paths(ability, values, correct, np.arange(8), **of).value == sign
        )
    of = {"paths": "all", "where": ~where}
    assert spectra.correlation_on_paths(ability, values, correct, np.arange(8), **of).value == 1


def test_concordance_by_hand():
    """Kendall's tau where all models share all paths, seeds averaged."""
    rng = np.random.default_rng(0)
    settings = np.repeat(np.arange(5), 2)
    quality = rng.normal(size=10)
    values = rng.normal(size=(10, 25))
    correct = np.ones((10, 25), bool)
    found = spectra.paired_concordance(quality, values, correct, settings, num_resamples=20)
    q, v = (side.reshape(5, 2, -1).mean(axis=(1, 2)) for side in (quality, values))
    signs = [np.sign((q[a] - q[b]) * (v[a] - v[b])) for a, b in itertools.combinations(range(5), 2)]
    assert found.value == pytest.approx(np.mean(signs))
    # Exactly: the share of the 120 orders that are as far from 0.
    taus = []
    for order in itertools.permutations(range(5)):
        o = np.array(order)
        taus.append(
            np.mean(
                [
                    np.sign((q[o[a]] - q[o[b]]) * (v[a] - v[b]))
                    for a, b in itertools.combinations(range(5), 2)
                ]
            )
        )
    assert found.p_value == pytest.approx(np.mean(np.abs(taus) >= abs(found.value) - 1e-9))
    assert found.missing == "5 settings, 6 needed"  # No interval.


def test_concordance_looks_at_shared_paths_alone():
    rng = np.random.default_rng(1)
    correct = rng.random((6, 200)) < 0.7
    values = -np.arange(6.0)[:, None] + np.where(correct, 0, np.nan)
    found = spectra.paired_concordance(np.arange(6), values, correct, np.arange(6))
    assert found.value == -1
    with pytest.raises(UserError, match="values: expected finite ones where models are correct"):
        spectra.paired_concordance(np.arange(6), values * np.nan, correct, np.arange(6))


def test_one_pair_of_settings_that_share_paths_says_nothing_of_five():
    correct = np.zeros((5, 100), bool)
    correct[:2, :25] = True  # The other three share no path with anybody.
    for i in range(2, 5):
        correct[i, 25 * (i - 1) : 25 * i] = True
    values = -np.arange(5.0)[:, None] * np.ones(100)
    found = spectra.paired_concordance(np.arange(5), values, correct, np.arange(5))
    assert found.text() == "not enough: 2 settings that can be compared, 4 needed"


def test_pairs_of_settings_that_cannot_be_compared_are_counted():
    correct = np.ones((6, 60), bool)
    correct[4, 30:] = correct[5, :30] = False  # Both share paths with all but each other.
    values = np.arange(6.0)[:, None] * np.ones(60)
    asked = {"settings": np.arange(6), "num_resamples": 50}
    found = spectra.paired_concordance(np.arange(6), values, correct, **asked)
    assert found.value == 1
    assert found.method.endswith("exact permutations of settings; 14 of 15 pairs of settings")
    found = spectra.paired_concordance(np.arange(6), values, correct | True, **asked)
    assert found.method.endswith("exact permutations of settings")


def test_time_is_averaged_over_runs():
    runs = np.repeat(np.arange(6), 5)
    epochs = np.tile([1, 2, 3, 5, 10], 6)
    values = np.where(runs == 5, -1, 1) * epochs
    values = values[:, None] * np.ones(40)
    correct = np.ones((30, 40), bool)
    for paths in ("all", "shared"):
        of = {"paths": paths, "where": EVERYWHERE}
        found = spectra.correlation_over_time(epochs, values, correct, runs, **of)
        assert found.value == pytest.approx(4 / 6)
        assert (found.n, found.unit) == (6, "runs x 40 paths")
        assert -1 <= found.low <= found.high <= 1
        assert found.p_value == pytest.approx(14 / 64)  # At most one of six signs turned.


def test_time_varies_with_runs_and_with_paths():
    """Half of the paths fall with time and half rise: which are drawn decides."""
    runs, epochs = np.repeat(np.arange(8), 5), np.tile([1, 2, 3, 5, 10], 8)
    paths = np.where(np.arange(40) < 21, 1.0, -0.97)
    values, right = epochs[:, None] * paths, np.ones((40, 40), bool)
    of = {"paths": "all", "where": EVERYWHERE}
    found = spectra.correlation_over_time(epochs, values, right, runs, **of)
    assert (found.value, found.p_value) == (1, 2 / 2**8)
    assert (found.low, found.high) == (-1, 1)
    five = (epochs[:25], values[:25], right[:25], runs[:25])
    few = spectra.correlation_over_time(*five, paths="shared", where=EVERYWHERE)
    assert few.text("g") == "1 (no interval: 5 runs, 6 needed; p = 0.062, at least 0.062)"


def test_pairs_of_models_are_compared_on_paths_of_their_own():
    rng = np.random.default_rng(0)
    where = rng.random((7, 60)) < 0.7
    away = np.where(where, rng.normal(1.0, 0.5, where.shape), np.nan)
    found = spectra.difference_of_pairs(away, where, unit="teachers")
    assert found.value == pytest.approx(np.nanmean(away, axis=1).mean())
    assert (found.n, found.unit) == (7, "teachers x 60 paths")
    assert found.p_value == pytest.approx(2 / 2**7)
    assert 0 < found.low < found.value < found.high
    wider = spectra.difference_of_pairs(away * paths_of_two_kinds(), where, unit="teachers")
    assert wider.low < 0 < wider.high  # By which paths are drawn.
    few = where & (np.arange(60) < 20)
    told = spectra.difference_of_pairs(away, few, unit="teachers").text()
    assert "shared paths, 20 needed" in told
    spoilt = away.copy()
    spoilt[0, np.flatnonzero(where[0])[0]] = np.nan
    with pytest.raises(UserError, match="finite ones where they count, got 1"):
        spectra.difference_of_pairs(spoilt, where, unit="teachers")
    with pytest.raises(UserError, match="bool of the shape of the differences"):
        spectra.difference_of_pairs(away, where[:3], unit="teachers")


def paths_of_two_kinds():
    return np.where(np.arange(60) < 33, 1.0, -1.0)


def test_a_perfect_order_of_few_settings_is_no_certain_one():
    quality, values = np.arange(6), np.arange(6.0)[:, None] * np.ones(40)
    found = spectra.paired_concordance(quality, values, np.ones((6, 40), bool), np.arange(6))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.3828, abs=1e-4)
    assert found.p_value == found.least_p_value == pytest.approx(2 / 720)


@pytest.mark.parametrize("count", [4, 5])
def test_a_perfect_order_of_very_few_settings_has_no_interval(count):
    quality, values = np.arange(count), np.arange(count)[:, None] * np.ones(40)
    found = spectra.paired_concordance(quality, values, values >= 0, np.arange(count))
    assert found.value == 1
    assert f"no interval: {count} settings, 6 needed" in found.text()


def test_the_least_p_value_knows_of_ties():
    """Three worse settings and two better ones, alike among themselves: 10 orders."""
    quality, values = np.array([0, 0, 0, 1, 1]), np.arange(5.0)[:, None] * np.ones(40)
    found = spectra.paired_concordance(quality, values, np.ones((5, 40), bool), np.arange(5))
    assert found.p_value == found.least_p_value == pytest.approx(0.2)


def test_an_unknown_choice_of_paths():
    with pytest.raises(UserError, match="paths: expected one of all, common, shared, known"):
        spectra.which_paths(np.ones((2, 3), bool), "own")
