"""What the committed tables of interventions say, and that they follow from the kept paths."""

import json

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf.experiments import path_study
from spectral_tf.experiments.path_study import PRIMARY, READINGS, Models
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


@both
def test_claims_follow_from_the_kept_paths(name):
    """All readings of all claims over settings, and the primary ones over time, once more."""
    found = Models.read(RESULTS / name)
    ended = last(found)
    sweep = ended.columns["sweep"].astype(str)
    chosen = {claim: np.isin(sweep, ("baseline", *own)) for claim, own in SWEEPS.items()}
    chosen["C5"] = np.ones(len(ended), bool)
    for claim, own in chosen.items():
        group = ended[own]
        for pair_type in path_study.PAIR_TYPES:
            for reading in READINGS if claim != "C5" else READINGS[:2]:
                again = correlation_on_paths(
                    group.columns["accuracy"],
                    group.values(reading),
                    group.correct(reading.ends),
                    settings(group),
                    paths=reading.paths,
                    where=group.where(pair_type, reading.ends),
                    num_resamples=1,
                )
                value, p = told(name, f"{claim} {pair_type}", reading.name)
                np.testing.assert_allclose(value, again.value, rtol=1e-6)
                if again.p_value is not None:
                    assert p == pytest.approx(again.p_value, abs=0.02)
    time = found[(found.columns["sweep"] == "baseline") & (found.columns["epoch"] >= 1)]
    for pair_type in path_study.PAIR_TYPES:
        for reading in (r for r in READINGS if r.name in PRIMARY):
            again = correlation_over_time(
                time.columns["epoch"],
                time.values(reading),
                time.correct(reading.ends),
                time.columns["seed"],
                paths=reading.paths,
                where=time.where(pair_type, reading.ends),
            )
            value, p = told(name, f"C6 {pair_type}", reading.name)
            np.testing.assert_allclose([value, p], [again.value, again.p_value], rtol=1e-6)


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
    share = np.asarray(ended.along["held_out/mirrored_share"], float)
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
    assert sum(file.stat().st_size for file in RESULTS.rglob("*")) < 10e6
