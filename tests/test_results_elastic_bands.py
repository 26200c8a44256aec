"""What the committed tables of elastic_bands show, computed again from their paths."""

import json

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf import spectra
from spectral_tf.experiments.band_study import COURSES, KINDS, MEASURES, UNITS, share
from spectral_tf.experiments.path_study import informative
from spectral_tf.records import estimates, read_table

FOLDER = ROOT / "results" / "elastic_bands" / "mnist"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no run of elastic_bands is committed")


def table(name):
    return {k: np.array(v) for k, v in read_table(FOLDER / f"{name}.csv").items()}


@pytest.fixture(scope="module")
def paths():
    """{column: [networks, pairs, courses]}."""
    found = table("paths")
    shape = (-1, len(set(found["network"])), len(COURSES))
    return {name: values.reshape(shape).swapaxes(0, 1) for name, values in found.items()}


@pytest.fixture(scope="module")
def common(paths):
    return (paths["correct"][..., 0] == 1).all(axis=0)


def same(ours, theirs):
    for end in ("value", "low", "high"):
        np.testing.assert_allclose(getattr(ours, end), getattr(theirs, end), rtol=1e-6, atol=1e-9)


def test_every_mean_is_that_of_its_paths(paths, common):
    measures, seen = table("measures"), 0
    means = estimates(measures, "mean")
    kinds, clusters = paths["kind"][0, :, 0], paths["cluster"][0, :, 0]
    for i, name in enumerate(measures["measure"]):
        chosen = common if measures["paths"][i] == "common" else np.ones_like(common)
        if measures["kind"][i] in KINDS:
            chosen = chosen & (kinds == measures["kind"][i])
        assert measures["num_paths"][i] == chosen.sum()
        course = COURSES.index(measures["course"][i])
        chosen = chosen & informative(name, paths[name][..., course])
        values = paths[name][:, chosen, course]
        if name == "joined":
            expected = share(values > 0, items="paths", clusters=clusters[chosen])
        else:
            units = ("networks", "paths")
            expected = spectra.crossed_mean(values, clusters=clusters[chosen], units=units)
        same(means[i], expected)
        assert measures["unit"][i] in (UNITS.get(name, ""), "nan")
        seen += 1
    assert seen == 4 * 2 * len(COURSES) * len(MEASURES)


def test_claims_are_differences_on_the_same_pairs(paths, common):
    claims = table("claims")
    found = estimates(claims, "estimate")
    clusters = paths["cluster"][0, common, 0]
    for claim, text, measure, other in (
        ("B1", "joined, common paths, bands less straight paths", "joined", 0),
        ("B1", "joined, common paths, bands less paths bent at random", "joined", 2),
        ("B2", "DFT share, common paths, bands less straight paths", "dft_share", 0),
        ("B2", "total variation, common paths, bands less paths bent at random",
         "total_variation", 2),
    ):  # fmt: skip
        (row,) = np.flatnonzero(claims["reading"] == text)
        values = paths[measure][:, common]
        assert claims["claim"][row] == claim
        assert claims["primary"][row] in ("published", "corrected")
        difference = values[..., 1] - values[..., other]
        same(found[row], spectra.crossed_mean(difference, clusters=clusters))


def test_the_attack_is_counted():
    summary = json.loads((FOLDER / "summary.json").read_text())
    networks, attack = table("networks"), summary["attack"]
    failed = np.round(attack["num_images"] * (1 - networks["attack_success"])).astype(int)
    assert attack["num_failed"] == failed.tolist()
    assert attack["success"]["value"] == pytest.approx(networks["attack_success"].mean())
