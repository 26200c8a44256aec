"""Trainings that diverged take no part; what is kept of the others gives the same again."""

import numpy as np
import pytest
from experiments.test_fitted_waves import CYCLES, EPOCHS, C, N, level, log_ratios, placed

from spectral_tf import records, spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments.fitted_waves import kept_waves
from spectral_tf.experiments.wave_trainings import NULL, WaveTrainings
from spectral_tf.records.waves import held_out_arrays

SEEDS = 3
RNG = np.random.default_rng(1)
WAVES = [placed(CYCLES[0]), placed(CYCLES[4]), placed(1, kind="control")._replace(name=NULL)]


def found_of(wave, diverged_at=None):
    """What a training leaves: it follows its wave more in every epoch."""
    rising = np.linspace(0, 1, EPOCHS)[:, None]
    implied = 0.4 + rising * (level(wave.value) - 0.4 if wave.name != NULL else 0)
    g = log_ratios(implied, RNG, seeds=1)[0]
    steps = list(range(EPOCHS if diverged_at is None else diverged_at))
    series = {"log_ratios": records.Series(steps, g[: len(steps)])}
    for name in ("clean_loss", "accuracy", "train_loss"):
        series[name] = records.Series(steps, np.ones(len(steps)))
    facts = {"seconds": 1.0, "diverged": {}}
    if diverged_at is None:
        series["correct"] = records.Series(steps[-1:], np.ones((1, N)))
    else:
        facts["diverged"] = {"0": diverged_at}
    return records.Found({k: s for k, s in series.items() if s.steps}, facts)


def trainings(lost=()):
    """All of them, those of (wave, run, epoch) diverged."""
    at = {(WAVES[i].name, run): epoch for i, run, epoch in lost}
    units = {
        (wave.name, run): found_of(wave, at.get((wave.name, run)))
        for run in range(SEEDS)
        for wave in WAVES
    }
    images = {"labels": np.arange(N) % C, "clusters": np.arange(N), "measured": np.ones(N, bool)}
    return WaveTrainings.of_units(WAVES, units, EPOCHS - 1, SEEDS, **images, num_classes=C)


def test_facts_give_the_same_again(tmp_path):
    of = trainings([(0, 1, 4)])
    records.Found(facts=of.facts()).save(tmp_path / "found.npz")
    again = WaveTrainings.of_facts(records.Found.read(tmp_path / "found.npz").facts)
    np.testing.assert_array_equal(again.log_ratios, of.log_ratios)
    assert [wave.name for wave in again.waves] == [wave.name for wave in of.waves]
    assert again.diverged == of.diverged == {f"{WAVES[0].name}/seed_1": 4}
    np.testing.assert_array_equal(again.waves[1].levels, of.waves[1].levels)


def test_a_training_that_diverged_and_one_without_its_control_take_no_part():
    of = trainings([(0, 1, 4), (2, 2, 0)])
    first, second, control = of.waves
    assert of.runs_of(first) == [0]
    assert of.runs_of(second) == [0, 1]
    assert of.runs_of(control) == [0, 1]
    _, alone = of.fitted()
    assert len(alone[second.name].rows("final_regression_slope", False)) == 2
    assert of.final_accuracy(second).value == 1
    # Its epochs are there as far as it came, and NaN from then on.
    table = of.epochs()
    column = {name: i for i, name in enumerate(table.columns)}
    rows = [r for r in table.rows if (r[column["wave"]], r[column["seed"]]) == (first.name, 1)]
    told = [np.isfinite(r[column["regression_slope"]]) for r in rows]
    assert told == [True] * 4 + [False] * (EPOCHS - 4)


def test_a_training_that_reached_its_goal_stays_as_it_was_there():
    found = found_of(WAVES[0], diverged_at=4)
    found.facts |= {"diverged": {}, "ended_at": 17}
    units = {(WAVES[0].name, 0): found, (NULL, 0): found_of(WAVES[2])}
    images = {"labels": np.arange(N) % C, "clusters": np.arange(N), "measured": np.ones(N, bool)}
    of = WaveTrainings.of_units([WAVES[0], WAVES[2]], units, EPOCHS - 1, 1, **images, num_classes=C)
    own = found["log_ratios"].values
    np.testing.assert_array_equal(of.log_ratios[0, :4], own)
    np.testing.assert_array_equal(of.log_ratios[0, 4:], np.repeat(own[3:], EPOCHS - 4, axis=0))
    assert np.isfinite(of.log_ratios).all()
    assert of.runs_of(WAVES[0]) == [0]
    np.testing.assert_array_equal(of.curves["accuracy"][0], np.ones(EPOCHS))


def test_what_is_kept_gives_the_estimates_of_the_trainings_that_are_there():
    of = trainings([(1, 0, 2)])
    _, alone = of.fitted()
    arrays = held_out_arrays(of.held_out())
    assert np.isnan(arrays["log_ratios"][1, 0]).all()
    kept, _ = kept_waves(
        of.held_out(),
        {
            "wave": [w.name for w in WAVES[:2]],
            "kind": ["cycles"] * 2,
            **{
                k: [getattr(w, k) for w in WAVES[:2]]
                for k in ("cycles", "frequency", "direction_parameter")
            },
        },
    )
    for name, wave in kept.items():
        ours, theirs = (
            w.estimates["final_regression_slope"].difference for w in (wave, alone[name])
        )
        np.testing.assert_allclose(ours.value, theirs.value, atol=1e-6)
        assert ours.n == theirs.n


def test_a_wave_without_any_training_left_is_not_fitted():
    of = trainings([(0, run, 1) for run in range(SEEDS)])
    lines, alone = of.fitted()
    assert list(alone) == [WAVES[1].name]
    assert len(lines) == 1
    table = of.table(alone)
    learned = table.rows[0][list(table.columns).index("learned")]
    assert learned == "null"
    assert isinstance(table.rows[0][-1], spectra.Estimate)
    assert table.rows[0][-1].missing


def test_all_diverged_is_an_error():
    with pytest.raises(UserError, match="none: all 9 trainings diverged"):
        trainings([(i, run, 1) for i in range(3) for run in range(SEEDS)])
