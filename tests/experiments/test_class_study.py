"""Classes with paths of their own: means, what is held fixed, claims that follow from the file."""

import numpy as np
import scipy.stats
from numpy.testing import assert_allclose

from spectral_tf.experiments import class_study
from spectral_tf.experiments.class_study import DIVERSITY, HELD, READINGS, Classes
from spectral_tf.experiments.path_study import MEASURES, Models
from spectral_tf.records.report import Report
from spectral_tf.spectra import dct_magnitudes, dct_share, spectral_centroid
from spectral_tf.spectra.verdicts import Finding, verdicts

CENTROID, CORRECT = READINGS[5], READINGS[-1]


def classes_of(centroid, distances, diversity, *, networks=1, right=2, paths=8):
    """Classes whose paths have this centroid [c] (or [m, c]) and length [c]."""
    rng = np.random.default_rng(0)
    count = len(diversity)
    mean = np.broadcast_to(np.asarray(centroid, float), (networks, count))
    # Noise that vanishes in the mean over the paths of a class.
    noise = rng.normal(0, 0.1, (networks, count, paths))
    values = (mean[..., None] + noise - noise.mean(axis=2, keepdims=True)).reshape(networks, -1)
    ends = np.broadcast_to(np.asarray(right), (networks, count, paths)).reshape(networks, -1)
    along = {f"held_out/{name}": values for name in MEASURES}
    along |= {"held_out/correct_endpoints": ends, "held_out/correct": ends == 2}
    along["held_out/finite"] = np.ones(values.shape, bool)
    number = np.repeat(np.arange(count) + 3, paths)  # Classes need not begin at 0.
    models = Models(
        {"seed": np.arange(networks), "accuracy": ends.mean(axis=1) / 2},
        along,
        {"held_out": np.stack([number, number], axis=1)},
        {"held_out": np.repeat(np.asarray(distances, float), paths)},
    )
    told = {name: np.asarray(diversity, float) for name in DIVERSITY}
    return Classes(np.arange(count) + 3, told, models)


def test_one_wavelength_is_one_frequency_however_long_the_paths():
    """The share with a fixed number of samples orders the classes by length alone."""
    lengths = np.array([13.0, 20.0, 35.0, 50.0, 65.0, 80.0])
    samples = [0.5 + 0.1 * np.cos(2 * np.pi * np.linspace(0, x, 101) / 12) for x in lengths]
    p = np.stack([samples, 1 - np.array(samples)], axis=-1)
    share = dct_share(dct_magnitudes(p))
    assert scipy.stats.spearmanr(share, lengths).statistic > 0.9
    assert share[-1] > 10 * share[0]
    whole = np.round(lengths / 6) * 6  # Whole half-waves: nothing leaks.
    waves = [0.5 + 0.1 * np.cos(2 * np.pi * np.linspace(0, x, 1_025) / 12) for x in whole]
    centroid = spectral_centroid(np.stack([waves, 1 - np.array(waves)], axis=-1), whole)
    assert_allclose(centroid, 1 / 12, rtol=1e-6)


def test_a_frequency_that_is_length_alone_is_nothing_with_length_held_fixed():
    rng = np.random.default_rng(1)
    length = rng.permutation(20) + 10.0
    diverse = length + rng.normal(0, 3, 20)
    found = classes_of(length + rng.normal(0, 2, 20), length, diverse)
    plain = found.correlation("feature_angle", CENTROID, num_resamples=200)
    held = found.correlation("feature_angle", CENTROID, "distance", num_resamples=200)
    assert (plain.value > 0.8, plain.low > 0.5) == (True, True)
    assert (held.low < 0 < held.high, held.p_value > 0.05) == (True, True)
    assert held.text().startswith(f"{held.value:.2f} (")
    assert "n = 20 classes" in held.text()


def test_accuracy_is_held_fixed_by_its_ranks():
    right = np.repeat([[0], [1], [2], [2], [1], [0], [2], [0]], 8, axis=1)
    right[:, 0] = 2 - np.arange(8) % 2  # No two classes alike.
    centroid, diverse = np.arange(8.0) ** 2, [3, 1, 2, 5, 4, 6, 8, 7]
    found = classes_of(centroid, np.ones(8), diverse, right=right)
    assert_allclose(found.accuracy, right[None].mean(axis=2) / 2)
    ranks = [scipy.stats.rankdata(side) for side in (diverse, centroid, right.mean(axis=1))]
    r = np.corrcoef(ranks)
    by_hand = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    held = found.correlation("pixel_distance", CENTROID, "accuracy", num_resamples=10)
    assert_allclose(held.value, by_hand)


def test_networks_are_averaged_before_and_told_apart():
    """Two networks that order the classes the opposite way, one of them by more."""
    rising = np.arange(6.0)
    found = classes_of([9 + 3 * rising, 9 - rising], np.ones(6), rising, networks=2)
    of = {"diversity": "feature_angle", "reading": CENTROID, "num_resamples": 10}
    assert_allclose(found.correlation(**of).value, 1)
    assert_allclose([found.correlation(**of, network=i).value for i in range(2)], [1, -1])
    assert_allclose(found.means(CENTROID)[0], [9 + 3 * rising, 9 - rising], atol=1e-12)
    assert "networks" in found.mean(CENTROID, 2).unit
    assert_allclose(found.mean(CENTROID, 2).value, 11, atol=1e-12)


def test_one_network_is_looked_at_on_the_paths_of_all():
    """The first is right everywhere; the second only on the paths of each class that are slow."""
    slow = np.arange(6) / 10 + 1.0
    right = np.full((2, 6, 12), 2)
    right[1, :, 6:] = 0
    found = classes_of([slow, slow], np.ones(6), np.arange(6), networks=2, right=right, paths=12)
    values = found.networks.along["held_out/matched_centroid"].reshape(2, 6, 12)
    values[:, :, 6:] = 9 - slow[:, None]  # Hard paths turn the order around.
    of = {"diversity": "feature_angle", "reading": CORRECT, "num_resamples": 10}
    assert [found.correlation(**of, network=i).value for i in range(2)] == [1, 1]


def test_a_path_on_which_nothing_varies_has_no_centroid():
    """It is left out for all networks, for centroids and for these alone."""
    found = classes_of(np.arange(6.0) + 1, np.ones(6), np.arange(6), networks=2)
    for name in MEASURES:
        found.networks.along[f"held_out/{name}"][1, 8] = 0.0
    assert found.means(CENTROID)[1].tolist() == [8, 7, 8, 8, 8, 8]
    assert found.means(READINGS[0])[1].tolist() == [8] * 6


def test_classes_with_few_correct_paths_do_not_count_among_those():
    right = np.full((8, 8), 2)
    right[0, 4:], right[1] = 1, 0  # Four correct paths, and none.
    found = classes_of(np.arange(8.0) + 1, np.ones(8), np.arange(8), right=right)
    assert found.means(CORRECT)[1].tolist() == [4, 0, *[8] * 6]
    assert found.correlation("feature_angle", CORRECT, num_resamples=10).n == 6
    assert found.correlation("feature_angle", CENTROID, num_resamples=10).n == 8
    assert found.mean(CORRECT, 1).text() == "not enough: 0 paths, 1 needed"
    three = classes_of(np.arange(3.0) + 1, np.ones(3), np.arange(3))
    told = three.correlation("feature_angle", CENTROID).text()
    assert told == "not enough: 3 classes, 4 needed"
    wrong = classes_of(np.arange(8.0) + 1, np.ones(8), np.arange(8), right=0)
    told = wrong.correlation("feature_angle", CORRECT, "distance").text()
    assert told == "not enough: 0 classes, 5 needed"


def test_a_path_that_is_not_finite_counts_nowhere():
    found = classes_of(np.arange(6.0) + 1, np.ones(6), np.arange(6), networks=2)
    found.networks.along["held_out/finite"][1, 8] = False
    found.networks.along["held_out/matched_centroid"][1, 8] = np.nan
    means, counts = found.means(CENTROID)
    assert counts.tolist() == [8, 7, 8, 8, 8, 8]
    assert np.isfinite(means).all()


def test_the_claims_follow_from_what_is_kept(tmp_path):
    rng = np.random.default_rng(2)
    found = classes_of(rng.normal(size=(3, 7)), rng.random(7) + 1, rng.random(7), networks=3)
    tables, arrays = found.tables([str(i) for i in range(20)])
    Report({}, tables=tables, arrays=arrays).write(tmp_path)
    kept = [class_study.claims(class_study.correlations(Classes.read(tmp_path), 20))] * 2
    assert kept[0] == kept[1]
    findings = kept[0]
    assert len(findings) == len(DIVERSITY) * len(READINGS) * len(HELD)
    assert len({(f.claim, f.reading) for f in findings}) == len(findings)
    decides = {(f.claim, f.primary): f.reading for f in findings if f.primary}
    assert decides == {
        ("C12 feature angle", "published"): "DFT share, all paths",
        ("C12 feature angle", "corrected"): "centroid at matched confidence, all paths, "
        "distance held fixed",
        ("C12 feature variance", "published"): "DFT share, all paths",
        ("C12 feature variance", "corrected"): "centroid at matched confidence, all paths, "
        "distance held fixed",
        ("C12 pixel distance", "published"): "DFT share, all paths",
    }
    assert isinstance(findings[0], Finding)
    assert len(verdicts({"a": findings}, "corrected")) == 2
    table = (tmp_path / "classes.csv").read_text().splitlines()
    assert table[0].startswith("class,name,accuracy,distance,feature_angle")
    assert [line.split(",")[0] for line in table[1:]] == [str(c) for c in range(3, 10)]
