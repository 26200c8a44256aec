"""What the committed tables of interventions say, and that they follow from the kept paths."""

import json

import numpy as np
import pytest
from conftest import ROOT, size_of_results

from spectral_tf.experiments import path_study
from spectral_tf.experiments.path_study import READINGS, Models
from spectral_tf.records import read_table
from spectral_tf.spectra import (
    common_paths,
    correlation_on_paths,
    correlation_over_settings,
    correlation_over_time,
)

RESULTS = ROOT / "results" / "interventions"
SETS = ("fashion_mnist", "photo_patches")
both = pytest.mark.parametrize("name", SETS)
# Claims over settings with the sweeps that they are over.
SWEEPS = {
    "C7": ("architecture", "width"),
    "C8 epochs": ("examples_equal_epochs",),
    "C8 steps": ("examples_equal_steps",),
    "C9": ("augmentation",),
}


def columns(name, table):
    read = read_table(RESULTS / name / f"{table}.csv")
    return {column: np.array(values) for column, values in read.items()}


def settings(models):
    names = zip(models.columns["sweep"], models.columns["value"], strict=True)
    return np.array([f"{sweep}={value}" for sweep, value in names])


def last(models):
    return models[models.columns["last"] == 1]


def told(name, claim, reading):
    """Value and p-value of a reading of a claim."""
    rows = columns(name, "claims")
    (i,) = np.flatnonzero((rows["claim"] == claim) & (rows["reading"] == reading))
    return rows["estimate"][i], rows["estimate_p"][i]


@pytest.mark.long
@both
def test_claims_follow_from_the_kept_paths(name):
    """All readings of all claims over settings, over time, of places and of students, once more."""
    found = Models.read(RESULTS / name)
    ended = last(found)
    sweep = ended.columns["sweep"].astype(str)
    chosen = {claim: np.isin(sweep, ("baseline", *own)) for claim, own in SWEEPS.items()}
    chosen["C5"] = np.ones(len(ended), bool)
    for claim, own in chosen.items():
        group = ended[own]
        for pair_type in path_study.PAIR_TYPES:
            for reading in READINGS:
                again = correlation_on_paths(
                    group.columns["accuracy"],
                    group.values(reading),
                    group.correct(reading.ends),
                    settings(group),
                    paths=reading.paths,
                    where=group.where(pair_type, reading.ends) & group.measured(reading),
                    num_resamples=1,
                )
                value, p = told(name, f"{claim} {pair_type}", reading.name)
                np.testing.assert_allclose(value, again.value, rtol=1e-6)
                if again.p_value is not None:
                    assert p == pytest.approx(again.p_value, abs=0.02)
    time = found[(found.columns["sweep"] == "baseline") & (found.columns["epoch"] >= 1)]
    for pair_type in path_study.PAIR_TYPES:
        for reading in READINGS:
            again = correlation_over_time(
                time.columns["epoch"],
                time.values(reading),
                time.correct(reading.ends),
                time.columns["seed"],
                paths=reading.paths,
                where=time.where(pair_type, reading.ends) & time.measured(reading),
                num_resamples=1,
            )
            value, p = told(name, f"C6 {pair_type}", reading.name)
            np.testing.assert_allclose(value, again.value, rtol=1e-6)
            if again.p_value is not None:
                assert p == pytest.approx(again.p_value)


@both
def test_places_and_students_follow_from_the_kept_paths(name):
    """C0 and C10 by plain means; their intervals are those of functions that are tested."""
    ended = last(Models.read(RESULTS / name))
    kinds, seeds = settings(ended), ended.columns["seed"].astype(int)
    student, teacher = (
        [int(np.flatnonzero((kinds == kind) & (seeds == seed))[0]) for seed in range(12)]
        for kind in ("distillation=0.0", "baseline=")
    )
    for reading in READINGS:
        values, right = ended.values(reading), ended.correct(reading.ends)
        within, between = (
            ended.where(t, reading.ends) & ended.measured(reading) for t in path_study.PAIR_TYPES
        )
        counted = np.ones_like(within) if reading.paths == "all" else right.all(axis=0)
        if min((within & counted).sum(), (between & counted).sum()) >= 20:
            away = [row[between & counted].mean() - row[within & counted].mean() for row in values]
            of_settings = [np.mean(np.array(away)[kinds == kind]) for kind in dict.fromkeys(kinds)]
            np.testing.assert_allclose(told(name, "C0", reading.name)[0], np.mean(of_settings))
        couples = np.ravel(list(zip(student, teacher, strict=True)))
        varies = ended[couples].measured(reading)
        for pair_type in path_study.PAIR_TYPES:
            where = ended.where(pair_type, reading.ends) & varies
            means = []
            for s, t in zip(student, teacher, strict=True):
                known = where if reading.paths == "all" else where & right[s] & right[t]
                means.append((values[s] - values[t])[known].mean())
            value, _ = told(name, f"C10 {pair_type}", reading.name)
            np.testing.assert_allclose(value, np.mean(means), rtol=1e-5, atol=1e-7)


@both
def test_differences_and_difficulty_follow_from_the_kept_paths(name):
    ended = last(Models.read(RESULTS / name))
    kinds, seeds = settings(ended), ended.columns["seed"].astype(int)
    right, table = ended.correct("held_out"), columns(name, "differences")
    base = {seed: np.flatnonzero((kinds == "baseline=") & (seeds == seed))[0] for seed in range(12)}
    for i in np.flatnonzero((table["paths"] == "common") & (table["measure"] == "dct_share")):
        own = np.flatnonzero(kinds == f"{table['sweep'][i]}={table['value'][i]}")
        if not own.size:  # 0.5 is read as a number, and may have been written as 0.50.
            continue
        both_sides = [*own, *(base[seeds[j]] for j in own)]
        counted = ended.where(str(table["pair_type"][i]), "held_out") & right[both_sides].all(0)
        assert table["num_paths"][i] == counted.sum()
        values = np.asarray(ended.along["held_out/dct_share"], float)[both_sides][:, counted]
        away = values[: own.size] - values[own.size :]
        if counted.sum() >= 20:
            np.testing.assert_allclose(float(table["difference"][i]), away.mean(), atol=1e-7)
    hard, rows = 1 - right.mean(axis=0), columns(name, "difficulty")
    easy = (rows["difficulty_to"] == 0) & (rows["measure"] == "dft_share")
    for i in np.flatnonzero(easy):
        counted = ended.where(str(rows["pair_type"][i]), "held_out") & (hard == 0)
        assert rows["num_paths"][i] == counted.sum()


@both
def test_every_claim_has_what_it_takes_to_be_decided(name):
    found = Models.read(RESULTS / name)
    ended = last(found)
    sweep = ended.columns["sweep"].astype(str)
    for own in SWEEPS.values():
        assert len(set(settings(ended)[np.isin(sweep, ("baseline", *own))])) >= 8
    for setting in set(settings(ended)):
        assert np.sum(settings(ended) == setting) >= 3
    for kind in ("baseline", "distillation"):  # Claims over trainings: 2 / 2^12 is reached.
        assert np.sum(sweep == kind) == 12
    assert (found.columns["held_out_relative_change"] < 0.02).all()
    assert set(found.classes) == {"held_out", "training"}


def test_own_correct_paths_would_turn_the_claim_around_on_photographs():
    """The form that this page had: every classifier over the paths that it answers itself."""
    ended = last(Models.read(RESULTS / "photo_patches"))
    within, right = ended.where("within", "held_out"), ended.correct("held_out")
    share = np.asarray(ended.along["held_out/dct_share"], float)
    own = [row[within & known].mean() for row, known in zip(share, right, strict=True)]
    common = within & common_paths(right)
    of = {"quality": ended.columns["accuracy"], "settings": settings(ended)}
    turned = correlation_over_settings(values=own, **of)
    same = correlation_over_settings(values=share, where=common, **of)
    assert turned.low > 0
    assert same.high < 0


def test_the_code_of_a_run_is_known_and_tables_are_of_a_size_for_a_repository():
    for name in SETS:
        environment = json.loads((RESULTS / name / "environment.json").read_text())
        assert "+" not in environment["git_commit"]
    assert size_of_results(RESULTS) < 11e6
