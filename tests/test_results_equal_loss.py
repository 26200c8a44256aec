"""Interventions at equal training loss: what the committed tables say follows from what is kept."""

import json

import numpy as np
import pytest
import scipy.stats
from conftest import ROOT
from test_results_interventions import last, settings

from spectral_tf.experiments import intervention_study, path_study
from spectral_tf.experiments.path_study import READINGS, Models
from spectral_tf.records import read_flags, read_table
from spectral_tf.spectra import correlation_on_paths

RESULTS = ROOT / "results" / "interventions" / "equal_loss"
SETS = ("fashion_mnist", "fashion_mnist_settings")
each = pytest.mark.parametrize("name", SETS)
SWEEPS = {
    "C7 options": ("network_options",),
    "C7 width": ("width",),
    "C8 steps": ("examples_equal_steps",),
}


@each
def test_every_classifier_ended_at_the_loss_or_is_named(name):
    flags = read_flags(RESULTS / name)
    goal = float(flags["stop_at_loss"])
    models = {k: np.array(v) for k, v in read_table(RESULTS / name / "models.csv").items()}
    reached = models["reached"] == 1
    assert (models["loss_at_last_look"][reached] <= goal).all()
    assert (models["loss_at_last_look"][reached] > goal / 2).all()  # None jumped far below it.
    assert (models["loss_at_last_look"][~reached] > goal).all()
    assert (models["epoch"][reached] < float(flags["num_epochs"])).all()
    assert (models["epoch"][~reached] == float(flags["num_epochs"])).all()
    (told,) = json.loads((RESULTS / name / "summary.json").read_text())["goal"]
    assert told.startswith(f"{reached.sum()} of {len(reached)} trainings reached a training loss")
    assert ("never did" in told) == (not reached.all())
    # Looks are a third or a fifth of an epoch of all images apart.
    looks = int(flags["train_size"]) // int(flags["batch_size"]) // int(flags["looks_per_epoch"])
    assert not np.any(models["step"][reached] % looks)


@each
def test_claims_follow_from_the_kept_paths(name):
    found = intervention_study.comparable(Models.read(RESULTS / name))
    ended = last(found)
    sweep = ended.columns["sweep"].astype(str)
    chosen = {
        claim: np.isin(sweep, ("baseline", *own))
        for claim, own in SWEEPS.items()
        if np.isin(sweep, own).any()
    }
    chosen["C5"] = np.ones(len(ended), bool)
    rows = {k: np.array(v) for k, v in read_table(RESULTS / name / "claims.csv").items()}
    for claim, own in chosen.items():
        group = ended[own]
        for pair_type in path_study.PAIR_TYPES:
            for reading in (reading for reading in READINGS if reading.ends == "held_out"):
                again = correlation_on_paths(
                    group.columns["accuracy"],
                    group.values(reading),
                    group.correct(reading.ends),
                    settings(group),
                    paths=reading.paths,
                    where=group.where(pair_type, reading.ends) & group.measured(reading),
                    num_resamples=1,
                )
                (i,) = np.flatnonzero(
                    (rows["claim"] == f"{claim} {pair_type}") & (rows["reading"] == reading.name)
                )
                np.testing.assert_allclose(rows["estimate"][i], again.value, rtol=1e-6)


def test_at_one_loss_better_networks_have_less_of_high_frequencies_within_classes():
    rows = read_table(RESULTS / "fashion_mnist_settings" / "claims.csv")
    told = {
        (claim, primary): (low, value, high)
        for claim, primary, low, value, high in zip(
            *(rows[k] for k in ("claim", "primary", "estimate_low", "estimate", "estimate_high")),
            strict=True,
        )
        if primary
    }
    low, value, high = told["C5 within", "published"]
    assert low < value < high < 0
    for undecided in (("C5 within", "corrected"), ("C5 between", "published")):
        low, _, high = told[undecided]
        assert low < 0 < high
    assert (
        "examples_equal_epochs"
        not in read_table(RESULTS / "fashion_mnist_settings" / "models.csv")["sweep"]
    )


def test_the_page_has_the_numbers_of_the_settings():
    page = (RESULTS / "README.md").read_text()
    quoted = (RESULTS / "claims_settings" / "claims.md").read_text()
    assert quoted.split("\n\n")[0] in page
    decisive = [line for line in quoted.splitlines() if "decides *" in line]
    assert len(decisive) == 14
    for line in decisive:
        assert line in page
    rows = {k: np.array(v) for k, v in read_table(RESULTS / SETS[1] / "models.csv").items()}
    names = np.char.add(np.char.add(rows["sweep"].astype(str), " "), rows["value"].astype(str))
    for name in dict.fromkeys(names.tolist()):
        own = names == name
        steps = ", ".join(map(str, rows["step"][own].astype(int)))
        means = [rows[k][own].mean() for k in ("epoch", "loss_at_last_look", "accuracy")]
        assert "| {} | {:.2f} | {:.3f} | {:.3f} |".format(steps, *means) in page


def test_fewer_images_carry_much_of_it():
    """The numbers of the page without them, over width alone, and of wrong ends."""
    ended = last(intervention_study.comparable(Models.read(RESULTS / SETS[1])))
    sweep = ended.columns["sweep"].astype(str)
    (reading,) = [r for r in READINGS if (r.name, r.ends) == ("DFT share, all paths", "held_out")]
    for own, rho, count in (
        (sweep != "examples_equal_steps", -0.733, 9),
        (np.isin(sweep, ("baseline", "width")), -0.771, 6),
    ):
        group = ended[own]
        found = correlation_on_paths(
            group.columns["accuracy"],
            group.values(reading),
            group.correct(reading.ends),
            settings(group),
            paths=reading.paths,
            where=group.where("within", reading.ends) & group.measured(reading),
            num_resamples=1,
        )
        assert found.value == pytest.approx(rho, abs=0.001)
        assert found.n == count
    within, names = ended.where("within", reading.ends), settings(ended)
    share = ended.values(reading)[:, within].mean(axis=1)
    wrong = 1 - ended.correct(reading.ends)[:, within].mean(axis=1)
    means = [
        [values[names == name].mean() for name in dict.fromkeys(names.tolist())]
        for values in (wrong, share)
    ]
    assert scipy.stats.spearmanr(*means).statistic == pytest.approx(0.764, abs=0.005)
