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


def test_an_unknown_choice_of_paths():
    with pytest.raises(UserError, match="paths: expected one of all, common, shared, known"):
        spectra.which_paths(np.ones((2, 3), bool), "own")
