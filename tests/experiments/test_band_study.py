import functools
import types

import keras
import numpy as np
import pytest
import scipy

from spectral_tf import probes, spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments import band_study
from spectral_tf.experiments.band_study import (
    COURSES,
    KINDS,
    MeasuredBands,
    along,
    courses_of,
    drawn_indices,
    pairs_of,
    samples_of,
)
from spectral_tf.spectra.verdicts import verdicts

LABELS = np.repeat(np.arange(4), 20)


@pytest.mark.parametrize("count", [2, 4, 10])
@pytest.mark.parametrize("classes", [[0, 1, 2, 3], [3, 1], [2, 0, 1]])
def test_each_image_serves_once_and_every_class_gets_as_many_attacks(classes, count):
    drawn = drawn_indices(LABELS, np.arange(80), classes, count, seed=1)
    assert drawn.shape == (2, len(classes), count)
    assert len(np.unique(drawn)) == drawn.size
    own, sources = LABELS[drawn]
    np.testing.assert_array_equal(own, np.repeat(classes, count).reshape(-1, count))
    assert not np.any(sources == np.array(classes)[:, None])
    assert set(sources.ravel()) == set(classes)
    # As evenly of the others as can be.
    for label, row in zip(classes, sources, strict=True):
        counts = [np.sum(row == other) for other in classes if other != label]
        assert max(counts) - min(counts) <= 1


def test_no_two_images_of_a_cluster_are_drawn_and_too_few_are_refused():
    clusters = np.arange(80) // 2
    drawn = drawn_indices(LABELS, clusters, [0, 1, 2, 3], 4, seed=0)
    assert len(np.unique(clusters[drawn])) == drawn.size
    line = r"images: expected an even number up to 4, of the 10 clusters of images of class 0"
    with pytest.raises(UserError, match=line):
        drawn_indices(LABELS, clusters, [0, 1], 6, seed=0)
    with pytest.raises(UserError, match="up to 10, of the 20 images of class 0.*got 12, which"):
        drawn_indices(LABELS, np.arange(80), [0, 1], 12, seed=0)


def test_pairs_apart_share_no_image_but_within_their_cluster():
    pairs = pairs_of(3, 4)
    counts = np.bincount(pairs.kinds)
    np.testing.assert_array_equal(counts, [3 * 2, 3 * 4, 3 * 2])
    ends = np.stack([pairs.first, pairs.last])
    for kind in range(3):
        own = ends[:, pairs.kinds == kind]
        assert len(np.unique(own)) == own.size
    adversarial, place = np.divmod(ends, 12)
    np.testing.assert_array_equal(adversarial.sum(axis=0), pairs.kinds)
    np.testing.assert_array_equal(place // 4, np.stack([pairs.classes] * 2))
    for cluster in np.unique(pairs.clusters):
        inside = pairs.clusters == cluster
        assert inside.sum() == 4
        assert not set(ends[:, inside].ravel()) & set(ends[:, ~inside].ravel())


def test_all_pairs_are_all_pairs_of_each_class():
    pairs = pairs_of(2, 4, every=True)
    per_class = 8 * 7 // 2
    assert pairs.first.size == 2 * per_class
    np.testing.assert_array_equal(np.bincount(pairs.kinds), [2 * 6, 2 * 16, 2 * 6])
    assert len({*zip(pairs.first, pairs.last, strict=True)}) == 2 * per_class
    np.testing.assert_array_equal(pairs.clusters, pairs.classes)
    with pytest.raises(UserError, match="images: expected 2, 4, 6"):
        pairs_of(2, 5)


def measured_of(share, samples=33):
    """A path with the probability of class 1 of two; the length is 2."""
    t = np.linspace(0, 1, samples)
    p = share(t)
    logits = np.log(np.stack([1 - p, p], axis=-1))[None, None].astype(np.float32)
    return {k: v[0, 0] for k, v in along(logits, np.array([1]), np.array([[2.0]])).items()}


def test_what_is_measured_along_a_wave_is_known():
    """p = 0.7 + 0.15 cos(3 pi t): half-waves of a straight path in closed form."""
    found = measured_of(lambda t: 0.7 + 0.15 * np.cos(3 * np.pi * t), samples=65)
    assert found["joined"]
    assert found["joined_by_half"]
    assert found["lowest_probability"] == pytest.approx(0.55, abs=1e-6)
    assert found["highest_loss"] == pytest.approx(-np.log(0.55), abs=1e-5)
    assert found["centroid"] == pytest.approx(1.5, abs=1e-4)  # In cycles per path.
    assert found["total_variation"] == pytest.approx(3 * 0.3, rel=1e-3)
    assert found["maximum_slope"] == pytest.approx(np.sqrt(2) * 0.15 * 3 * np.pi / 2, rel=0.01)
    np.testing.assert_allclose(found["profile"][[0, -1]], [0.85, 0.55], atol=1e-6)
    # DCT: the mean of both classes' magnitudes at bin 3, and the constant.
    np.testing.assert_allclose(found["dct"][0], 0.5, atol=1e-6)
    np.testing.assert_allclose(found["dct"][3], 0.15 / 2, rtol=0.01)
    assert np.delete(found["dct"], [0, 3]).max() < 0.01
    # Half of the samples see the same but for the crests between them.
    assert found["total_variation_by_half"] == pytest.approx(found["total_variation"], rel=0.01)
    assert found["centroid_by_half"] == pytest.approx(1.5, abs=1e-3)
    assert found["maximum_slope_by_half"] == pytest.approx(found["maximum_slope"], rel=0.02)


def test_a_wave_that_every_other_sample_misses_is_told():
    found = measured_of(lambda t: 0.7 + 0.1 * (-1.0) ** np.arange(t.size), samples=17)
    assert found["total_variation"] == pytest.approx(16 * 0.2, rel=1e-5)
    assert found["total_variation_by_half"] == pytest.approx(0, abs=1e-6)
    assert found["centroid_by_half"] == found["maximum_slope_by_half"] == pytest.approx(0, abs=1e-5)
    with pytest.raises(UserError, match="probabilities: expected at least 4 samples"):
        measured_of(lambda t: 0.7 + 0 * t, samples=6)


def test_one_sample_that_leaves_the_class_is_a_change_and_half_may_miss_it():
    def dip(t):
        p = np.full(t.size, 0.9)
        p[5] = 0.4
        return p

    found = measured_of(dip)
    assert not found["joined"]
    assert found["joined_by_half"]
    assert found["lowest_probability"] == pytest.approx(0.4)
    low = measured_of(lambda t: np.full(t.size, 0.4))
    assert not low["joined_by_half"]
    assert low["total_variation"] == pytest.approx(0, abs=1e-6)


def test_courses_have_the_same_ends_and_the_turned_one_the_length_of_the_band():
    rng = np.random.default_rng(0)
    bands = rng.normal(size=(2, 5, 4, 3, 1)).astype(np.float32).cumsum(axis=1)
    anywhere = probes.BandSettings()
    samples = samples_of(courses_of(bands, [3, 4], anywhere), 129, (4, 3, 1))
    assert samples.shape == (2, 3, 129, 4, 3, 1)
    for course in range(3):
        np.testing.assert_allclose(samples[:, course, [0, -1]], bands[:, [0, -1]], atol=1e-5)
    lengths = spectra.polyline_length(samples.reshape(2, 3, 129, -1))
    np.testing.assert_allclose(lengths[:, 2], lengths[:, 1], rtol=1e-3)
    np.testing.assert_allclose(
        lengths[:, 0],
        np.linalg.norm((bands[:, -1] - bands[:, 0]).reshape(2, -1), axis=1),
        rtol=1e-5,
    )
    again = samples_of(courses_of(bands[1:], [4], anywhere), 129, (4, 3, 1))
    np.testing.assert_array_equal(again[0], samples[1])


def test_turned_paths_stay_in_the_range_of_their_bands():
    """Between images that are black but for one pixel a bend anywhere has pixels below black."""
    bands = np.zeros((1, 3, 6, 6, 1), np.float32)
    bands[0, 1, 1, 1], bands[0, :, 0, 0] = 0.5, [[0], [0.5], [1]]
    free = courses_of(bands, [0], probes.BandSettings())[2]
    kept = courses_of(bands, [0], probes.BandSettings(low=0.0, high=1.0))[2]
    assert free.min() < -0.01
    np.testing.assert_array_equal(kept, free.clip(0, 1))
    assert spectra.polyline_length(kept)[0] < spectra.polyline_length(free)[0]
    samples = samples_of([kept], 33, (6, 6, 1))
    assert samples.min() >= 0
    assert samples.max() <= 1
    steps = np.linalg.norm(np.diff(samples.reshape(33, -1), axis=0), axis=1)
    np.testing.assert_allclose(steps, steps.mean(), rtol=1e-3)  # Evenly by its own length.


def test_what_bands_cannot_be_made_of_is_refused():
    images = types.SimpleNamespace(shape=(2, 2, 1), model=None)
    band_study.refuse_misfits(images, "logit", probes.BandSettings(pivots=5, inserted=0))
    line = "pivots: expected at most 5 in the end: .* of 4 numbers, got 6; lower --pivots"
    with pytest.raises(UserError, match=line):
        band_study.refuse_misfits(images, "loss", probes.BandSettings(pivots=6, inserted=0))
    settings = probes.BandSettings(pivots=3, inserted=0)
    for outputs in (1, 2):
        images.model = keras.Sequential(
            [keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(outputs)]
        )
        band_study.refuse_misfits(images, "loss", settings)
        if outputs == 2:
            band_study.refuse_misfits(images, "logit", settings)
            continue
        with pytest.raises(UserError, match="energy=logit: expected a logit of every class, got"):
            band_study.refuse_misfits(images, "logit", settings)


def made(joined, correct=None, networks=3, *, pairs=None):
    """Bands of 4 classes, 48 pairs unless told, joined as told on each course."""
    pairs = pairs or pairs_of(4, 6)
    shape = (networks, pairs.first.size)
    rng = np.random.default_rng(0)
    values = {
        name: rng.uniform(0.1, 0.2, size=(*shape, len(COURSES))) for name in band_study.MEASURES
    }
    values["joined"] = np.broadcast_to(joined, (*shape, 3)).copy()
    values["total_variation"][..., 1] -= 0.05
    for name in ("joined", *band_study.BY_HALF):
        values[f"{name}_by_half"] = values[name].copy()
    values["distance"] = rng.uniform(0.02, 0.04, size=shape)
    return MeasuredBands(
        kinds=pairs.kinds,
        classes=pairs.classes,
        clusters=pairs.clusters,
        correct=np.ones(shape, bool) if correct is None else correct,
        values=values,
    )


def test_all_joined_has_an_exact_interval_and_some_one_over_networks_and_paths():
    all_of_them = made([False, True, False])
    found = all_of_them.mean("joined", "band", all_of_them.where())
    clusters = np.unique(all_of_them.clusters).size
    assert (found.value, found.high, found.n) == (1, 1, clusters)
    assert found.low == pytest.approx(0.025 ** (1 / clusters))
    assert found.unit == "clusters of paths of these networks"
    some = np.random.default_rng(1).uniform(size=(3, 48, 3)) < 0.5
    found = made(some).mean("joined", "band", np.ones(48, bool))
    assert found.value == pytest.approx(some[..., 1].mean())
    assert found.unit == f"networks x {clusters} clusters of paths"
    kind = all_of_them.joined_by_all("mixed")
    assert (kind.value, kind.n) == (1, 12)
    of_one = made([False, True, False], networks=1).mean("joined", "band", np.ones(48, bool))
    assert of_one.unit == "clusters of paths of one network"


def test_pairs_that_share_images_count_as_their_clusters_where_all_networks_join_them():
    """Of every two images of a class some pairs share one: 4 classes are no more than 4 draws."""
    pairs = pairs_of(4, 4, every=True)
    count = pairs.first.size
    whole = made([True, True, True], pairs=pairs).joined_by_all("images")
    assert (whole.value, whole.n) == (1, 4)
    assert whole.low == pytest.approx(0.025 ** (1 / 4))
    joined = np.ones((3, count, 3), bool)
    joined[2, pairs.classes == 0] = False  # By one network, of one class.
    found = made(joined, pairs=pairs).joined_by_all("images")
    assert (found.value, found.n) == (0.75, 4)
    # Four shares, 0, 1, 1 and 1, have a standard error of 1/4: their interval is all there is.
    assert (found.low, found.high) == (0, 1)
    assert found.unit == "clusters of paths of these networks"
    none = made(joined, np.zeros((3, count), bool), pairs=pairs).joined_by_all("images")
    assert none.missing == "not enough: 0 clusters of paths of these networks, 1 needed"


def test_claims_are_differences_on_the_same_pairs():
    rng = np.random.default_rng(2)
    joined = np.stack([rng.uniform(size=(3, 48)) < p for p in (0.4, 0.97, 0.4)], axis=-1)
    correct = np.ones((3, 48), bool)
    correct[1, :5] = False
    of = made(joined, correct)
    claims = {f.reading: f for f in of.claims()}
    found = claims["joined, common paths, bands less straight paths"]
    assert found.primary == "published"
    expected = (joined[:, 5:, 1].astype(float) - joined[:, 5:, 0]).mean()
    assert found.estimate.value == pytest.approx(expected)
    assert found.estimate.p_value < 0.05
    everywhere = claims["joined, all paths, bands less straight paths"].estimate.value
    assert everywhere == pytest.approx((joined[..., 1].astype(float) - joined[..., 0]).mean())
    less = claims["total variation, common paths, bands less paths bent at random"]
    assert (less.primary, less.direction) == ("corrected", -1)
    assert less.estimate.high < 0
    few = claims["joined, images common paths, bands less straight paths"].estimate
    assert few.missing == "not enough: 10 common paths, 20 needed"
    assert len(claims) == len(of.claims())
    primary = [(f.claim, f.primary) for f in of.claims() if f.primary]
    assert len(primary) == len(set(primary)) == 4


def test_where_nothing_differs_the_interval_has_a_width():
    of = made([True, True, True])
    found = of.difference(band_study.READINGS[0])
    bound = 1 - 0.025 ** (1 / 12)
    assert (found.value, found.p_value, found.n) == (0, 1, 12)
    assert found.unit == "clusters of paths of these networks"
    assert (-found.low, found.high) == (pytest.approx(bound), pytest.approx(bound))
    # That bound is a share of pairs: of nats it says nothing.
    of.values["mean_loss"][..., 1] = of.values["mean_loss"][..., 0]
    found = of.difference(band_study.Reading("B1", "mean_loss", "straight"))
    assert (found.low, found.value, found.high, found.p_value) == (0, 0, 0, 1)


def test_the_loss_of_bands_is_held_against_that_of_their_own_straight_lines():
    """A lower loss on every pair speaks for the claim, however much pairs differ."""
    of = made([False, True, False])
    for name in ("mean_loss", "highest_loss"):
        of.values[name] = np.random.default_rng(3).uniform(1, 9, size=(3, 48, 1)) * np.ones(3)
        of.values[name][..., 1] -= np.random.default_rng(4).uniform(0.1, 0.2, size=(3, 48))
    claims = {f.reading: f for f in of.claims()}
    for name in ("mean loss", "highest loss"):
        found = claims[f"{name}, common paths, bands less straight paths"]
        assert (found.claim, found.primary, found.direction) == ("B1", "", -1)
        assert -0.2 < found.estimate.low < found.estimate.high < -0.1
    of.values["lowest_probability"][...] = 0.1
    verdict = verdicts({"a": of.claims()}, "published")[0]
    assert (verdict.word, verdict.why) == ("holds", "")


def test_what_half_of_the_samples_tell_otherwise_is_told_of_common_pairs_by_course():
    correct = np.ones((3, 48), bool)
    correct[0, :8] = False
    of = made([True, True, False], correct)
    of.values["joined"][:, 8:18, 1] = False  # By samples that the half does not have.
    of.values["joined"][:, :8] = False  # Of ends that are wrong.
    of.values["total_variation_by_half"][..., 2] *= 0.75
    of.values["centroid_by_half"][:, :8] = 99.0
    found = of.changed_by_half()
    assert found["joined"] == {"straight": 0, "band": 0.25, "turned": 0}
    assert found["total_variation"] == {"straight": 0, "band": 0, "turned": pytest.approx(0.25)}
    assert set(found["centroid"].values()) == set(found["maximum_slope"].values()) == {0}
    assert made([True] * 3, np.zeros((3, 48), bool)).changed_by_half() == {}


def test_facts_give_back_what_was_measured():
    of = made([True, True, False])
    again = MeasuredBands.of_facts({**of.facts(), "dataset": "x"})
    assert set(again.values) == set(of.values)
    np.testing.assert_array_equal(
        again.of_course("centroid", "turned"), of.values["centroid"][..., 2]
    )
    assert again.where("all", "mixed").sum() == 24
    assert [again.where("all", kind).sum() for kind in KINDS] == [12, 24, 12]


def test_blocks_hold_what_memory_does():
    assert band_study.block_size(65, 784) == 64
    assert band_study.block_size(65, 224 * 224 * 3) == 1


def test_log_probabilities_of_sure_networks_are_finite():
    logits = np.array([[[[200.0, 0.0]] * 7]], np.float32)
    found = along(logits, np.array([1]), np.array([[1.0]]))
    assert found["highest_loss"][0, 0] == pytest.approx(200)
    assert scipy.special.softmax(logits, axis=-1).max() == 1
    assert functools.reduce(np.logical_and, [np.isfinite(v).all() for v in found.values()])
