"""What the committed tables of interpolation and fourier_sensitivity show, computed again."""

import json

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf import spectra
from spectral_tf.experiments.networks import difference_over_networks
from spectral_tf.experiments.path_study import informative
from spectral_tf.records import estimates, read_table

RESULTS = ROOT / "results"
sets = pytest.mark.parametrize("name", ["fashion_mnist", "photo_patches"])
all_sets = pytest.mark.parametrize(
    "name",
    ["fashion_mnist", "photo_patches", "fashion_mnist_phase", "fashion_mnist_amplitude"],
)
cases = pytest.mark.parametrize("name", ["photo_patches", "photo_patches_augmented"])


def table(*names):
    return {k: np.array(v) for k, v in read_table(RESULTS.joinpath(*names)).items()}


def paths_of(name):
    """{column: [networks, paths]}."""
    paths = table("interpolation", name, "paths.csv")
    count = len(set(paths["network"]))
    assert count >= 3
    return {column: values.reshape(-1, count).T for column, values in paths.items()}


def within_and_between(paths):
    within = (paths["first_class"] == paths["last_class"])[0]
    return {"within": within, "between": ~within}


def same(ours, theirs):
    for end in ("value", "low", "high"):
        np.testing.assert_allclose(getattr(ours, end), getattr(theirs, end), rtol=1e-6, atol=1e-9)


def reading(name, text):
    claims = table("interpolation", name, "claims.csv")
    (row,) = np.flatnonzero(claims["reading"] == text)
    return estimates(claims, "estimate")[row]


@all_sets
def test_every_mean_is_that_of_its_paths(name):
    paths, measures = paths_of(name), table("interpolation", name, "measures.csv")
    common = (paths["correct"] == 1).all(axis=0)
    means, seen = estimates(measures, "mean"), 0
    for place, chosen in within_and_between(paths).items():
        for i in np.flatnonzero((measures["pair_type"] == place) & (measures["network"] == "mean")):
            counted = chosen & common if measures["paths"][i] == "common" else chosen
            measure = str(measures["measure"][i])
            counted = counted & informative(measure, paths[measure.removesuffix("_per_path")])
            values = paths[measure.removesuffix("_per_path")][:, counted]
            if measure.endswith("_per_path"):
                values = values * paths["pixel_distance"][:, counted]
            assert measures["num_paths"][i] == counted.sum()
            same(means[i], spectra.crossed_mean(values))
            seen += 1
    # Along phases and amplitudes there is the consistent share, too.
    assert seen == 48 + 4 * ("consistent_share" in paths)


@all_sets
def test_the_claim_is_that_of_the_paths(name):
    paths = paths_of(name)
    places, common = within_and_between(paths), (paths["correct"] == 1).all(axis=0)
    for text, measure, chosen in (
        ("DFT share, all paths", "dft_share", np.ones_like(common)),
        ("centroid at matched confidence, known paths", "matched_centroid", common),
    ):
        counted = chosen & informative(measure, paths[measure])
        within, between = (paths[measure][:, places[p] & counted] for p in ("within", "between"))
        same(reading(name, text), difference_over_networks(within, between, items="paths"))


@sets
def test_spectra_reach_the_highest_frequency_and_say_what_they_rest_on(name):
    paths, points = paths_of(name), table("interpolation", name, "spectra.csv")
    spacing = (paths["distance"] / (paths["num_samples"] - 1))[0]
    np.testing.assert_allclose(points["frequency"].max(), 1 / (2 * spacing.min()))
    for place, chosen in within_and_between(paths).items():
        row = (points["pair_type"] == place) & (points["paths"] == "all")
        few = points["num_paths"][row] < np.ceil(chosen.sum() / 2)
        np.testing.assert_array_equal(np.isnan(points["magnitude"][row].astype(float)), few)
        kept = points["frequency"][row][~few]
        assert kept.max() > 0.47


@sets
def test_between_classes_answers_vary_more_and_not_faster(name):
    """The claim by amount holds, by frequency it turns, on paths that all networks know."""
    amount = reading(name, "total variation at matched confidence, known paths")
    frequency = reading(name, "centroid at matched confidence, known paths")
    assert amount.low > 0
    assert frequency.high < 0


@cases
def test_rings_rest_on_networks_and_squares(name):
    rings = table("fourier_sensitivity", name, "rings.csv")
    with np.load(RESULTS / "fourier_sensitivity" / name / "images.npz") as kept:
        arrays = dict(kept)
    networks = len(arrays["ring_error"])
    assert networks >= 3
    for measure in ("error", "change"):
        ours = spectra.crossed_mean(arrays[f"ring_{measure}"], clusters=arrays["clusters"])
        for theirs, end in (("", "value"), ("_low", "low"), ("_high", "high")):
            np.testing.assert_allclose(
                rings[measure + theirs], getattr(ours, end), rtol=1e-4, atol=1e-6
            )
        each = table("fourier_sensitivity", name, "networks.csv")[measure].reshape(networks, -1)
        plane = table("fourier_sensitivity", name, "sensitivity.csv")
        over_networks = spectra.mean_over_runs(each)
        np.testing.assert_allclose(plane[measure], over_networks.value)
        np.testing.assert_allclose(plane[f"{measure}_high"], over_networks.high)


@pytest.mark.parametrize(
    ("measure", "told"), [("error", (-0.030, -0.071, 0.010)), ("change", (-0.023, -0.075, 0.030))]
)
def test_six_networks_do_not_tell_what_augmentation_changes(measure, told):
    """The same seeds and images with and without it, over the plane; as results/README.md says."""
    over_plane = []
    for name in ("photo_patches", "photo_patches_augmented"):
        sizes = table("fourier_sensitivity", name, "rings.csv")["num_vectors"]
        with np.load(RESULTS / "fourier_sensitivity" / name / "images.npz") as kept:
            over_plane.append(kept[f"ring_{measure}"] @ sizes / sizes.sum())
            clusters = kept["clusters"]
    found = spectra.crossed_mean(over_plane[1] - over_plane[0], clusters=clusters)
    np.testing.assert_allclose([found.value, found.low, found.high], told, atol=6e-4)


def test_maps_of_two_trainings_differ():
    summary = json.loads(
        (RESULTS / "fourier_sensitivity" / "photo_patches" / "summary.json").read_text()
    )
    alike = list(summary["correlation_of_maps"]["error"].values())
    assert len(alike) == 15
    assert min(alike) < 0 < 0.75 < max(alike)


def test_the_environment_is_that_of_committed_code():
    for file in RESULTS.glob("interpolation/*/environment.json"):
        record = json.loads(file.read_text())
        assert not record.get("git_commit", "").endswith(("modified", "+"))


def test_predictions_hold_longer_along_amplitudes_than_along_phases_of_the_same_pairs():
    """What the page says of both: the first class is kept over more of a path, on shorter paths."""
    phase, amplitude = (paths_of(f"fashion_mnist_{name}") for name in ("phase", "amplitude"))
    for column in ("first_class", "last_class"):
        np.testing.assert_array_equal(phase[column], amplitude[column])
    page = (RESULTS / "interpolation" / "README.md").read_text()
    more = amplitude["consistent_share"] - phase["consistent_share"]
    for place, told in (("within", "0.20 (0.07 to 0.34)"), ("between", "0.33 (0.28 to 0.38)")):
        chosen = within_and_between(phase)[place]
        found = spectra.crossed_mean(more[:, chosen])
        assert f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})" == told
        assert told in page
    lengths = [paths["pixel_distance"][0].mean() for paths in (phase, amplitude)]
    assert lengths[0] > 4 * lengths[1]
