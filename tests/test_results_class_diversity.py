"""What the committed runs of class_diversity show: claims that follow from the kept paths."""

import json

import numpy as np
import pytest
import scipy.stats
from conftest import ROOT, size_of_results

from spectral_tf.experiments import class_study, merge_study
from spectral_tf.experiments.path_study import Models
from spectral_tf.records import read_table

RESULTS = ROOT / "results" / "class_diversity"
SETS = ("photo_patches", "fashion_mnist")
both = pytest.mark.parametrize("name", SETS)


def table(*names):
    return {k: np.array(v) for k, v in read_table(RESULTS.joinpath(*names)).items()}


def follows(name, findings):
    """Values and p-values are those of the kept paths (intervals take a thousand resamples)."""
    told = table(name, "claims.csv")
    assert told["claim"].tolist() == [f.claim for f in findings]
    assert told["reading"].tolist() == [f.reading for f in findings]
    assert told["primary"].tolist() == [f.primary for f in findings]
    for i, finding in enumerate(findings):
        estimate = finding.estimate
        np.testing.assert_allclose(told["estimate"][i], estimate.value, rtol=1e-9)
        if estimate.p_value is not None:
            # Random permutations have an error of their own.
            assert told["estimate_p"][i] == pytest.approx(estimate.p_value, abs=0.02)


@both
def test_the_claims_of_classes_follow_from_the_paths(name):
    found = class_study.Classes.read(RESULTS / name)
    assert len(found.networks) == 3
    follows(name, class_study.claims(class_study.correlations(found, num_resamples=1)))


@both
def test_the_claims_of_merged_classes_follow_from_the_paths(name):
    found = Models.read(RESULTS / f"merged_{name}")
    fixed = found[found.columns["merge"] == 2]
    assert len(set(merge_study.setting_of(fixed).tolist())) >= 8
    follows(f"merged_{name}", merge_study.claims(found, num_resamples=1))


def test_super_classes_of_known_meaning_are_slower_and_nearer_than_random_ones():
    """And no grouping counts twice, of which the known one was the most similar, too."""
    found = Models.read(RESULTS / "hierarchy_fashion_mnist")
    follows("hierarchy_fashion_mnist", merge_study.claims(found, num_resamples=1))
    of_grouping = dict(zip(merge_study.setting_of(found), found.columns["groups"], strict=True))
    assert len(set(of_grouping.values())) == len(of_grouping) == 11
    groupings = table("hierarchy_fashion_mnist", "groupings.csv")
    distance, accuracy = groupings["image_distance"][1:], groupings["accuracy"][1:]
    assert groupings["grouping"][1] == merge_study.KNOWN
    assert (distance[0], accuracy[0]) == (distance.min(), accuracy.max())
    own = table("hierarchy_fashion_mnist", "claims.csv")
    own = {k: values[own["claim"] == merge_study.OF_HIERARCHY] for k, values in own.items()}
    assert (own["direction"] == -1).all()
    assert (len(own["reading"]), (own["estimate_high"] < 0).sum()) == (20, 17)
    assert (own["estimate_high"][own["primary"] != ""] < 0).all()


@pytest.mark.parametrize(
    "name", [*SETS, *(f"merged_{name}" for name in SETS), "hierarchy_fashion_mnist"]
)
def test_the_code_of_a_run_is_known_and_its_samples_converged(name):
    folder = RESULTS / name
    assert "+" not in json.loads((folder / "environment.json").read_text())["git_commit"]
    networks = table(folder.name, "models.csv")
    assert (networks["relative_change"] < 0.02).all()
    assert (networks["num_samples"] >= 65).all()


@pytest.mark.parametrize("folder", ["claims", "claims_merged"])
def test_the_page_quotes_the_tables_of_claims(folder):
    quoted = (RESULTS / folder / "claims.md").read_text()
    assert quoted.strip() in (RESULTS / "README.md").read_text()


def test_the_page_has_the_numbers_of_the_hierarchy():
    """Verdicts, every reading and what beside meaning tells the known grouping from the others."""
    page = (RESULTS / "README.md").read_text()
    section = page[page.index("## Super-classes of known meaning") :]
    verdicts = (RESULTS / "claims_hierarchy" / "claims.md").read_text().split("\n\n")[0]
    assert verdicts in section

    def words(value):
        return f"{value:.4f}".replace("-", "\N{MINUS SIGN}")

    own = table("hierarchy_fashion_mnist", "claims.csv")
    for i in np.flatnonzero(own["claim"] == merge_study.OF_HIERARCHY):
        value, low, high = (words(own[f"estimate{end}"][i]) for end in ("", "_low", "_high"))
        assert f"{value} ({low} to {high}; p = {own['estimate_p'][i]:.2g})" in section
    groupings = table("hierarchy_fashion_mnist", "groupings.csv")
    random = np.char.startswith(groupings["grouping"], "random")
    for name, text in (
        ("image_distance", "{:.1f} against {:.1f} to {:.1f}"),
        ("length", "{:.1f} against {:.1f} to {:.1f}"),
        ("accuracy", "{:.2f} of the held-out images against {:.2f} to {:.2f}"),
    ):
        own = groupings[name]
        assert text.format(own[1], own[random].min(), own[random].max()) in section
    accuracy = groupings["accuracy"]
    for name, rho, lead in (
        ("same_dft_share", 0.90, "0.051 (0.022 to 0.079)"),
        ("same_matched_centroid", 0.71, "0.084 (0.075 to 0.093)"),
    ):
        x, y = accuracy[random], groupings[name][random]
        assert scipy.stats.spearmanr(x, y).statistic == pytest.approx(-rho, abs=0.006)
        line = scipy.stats.linregress(x, y)
        away = accuracy[1] - x.mean()
        std = np.std(y - line.intercept - line.slope * x) * np.sqrt(len(x) / (len(x) - 2))
        half = scipy.stats.t.ppf(0.975, len(x) - 2) * std
        half *= np.sqrt(1 + 1 / len(x) + away**2 / np.sum((x - x.mean()) ** 2))
        at = line.intercept + line.slope * accuracy[1]
        assert f"{at:.3f} ({at - half:.3f} to {at + half:.3f})" == lead
        assert lead in section
        assert abs(groupings[name][1] - at) < half


@pytest.mark.parametrize(
    ("name", "plain", "held"), [("photo_patches", -0.87, -0.18), ("fashion_mnist", -0.88, 0.03)]
)
def test_one_cycle_on_every_path_is_nothing_with_the_length_held_fixed(name, plain, held):
    """As the page says: longer paths have lower centroids, whatever a network does."""
    found = class_study.Classes.read(RESULTS / name)
    values = found.networks.along["held_out/matched_centroid"]
    values[:] = 1 / found.networks.distances["held_out"]
    reading = class_study.READINGS[5]  # The centroid at one confidence, on all paths.
    for of, rho in (("", plain), ("distance", held)):
        told = found.correlation("feature_angle", reading, of, num_resamples=1).value
        assert told == pytest.approx(rho, abs=0.006)


def test_all_files_are_of_a_size_for_a_repository():
    assert size_of_results(RESULTS) < 8e6
