"""Paths whose answers are known by hand, whatever their number, length, batches and replicas."""

import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax

from spectral_tf import probes as probe
from spectral_tf.data import find_images
from spectral_tf.errors import UserError
from spectral_tf.models.small import convnet
from spectral_tf.probes import path_outputs
from spectral_tf.spectra import (
    dct_frequencies,
    dct_magnitudes,
    dft_magnitudes,
    path_measures,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(30, 4, 4, 1)).astype(np.float32)
LABELS = np.arange(30) % 3


def linear(x):
    """Logits that are linear in the image, so that they are straight lines along paths."""
    flat = tf.reshape(x, (tf.shape(x)[0], 16))
    return 3 * flat[:, :4]


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
@pytest.mark.parametrize("settings", [{"unit": 0.7}, {"num_samples": 9}])
def test_logits_of_a_linear_model(batch_size, settings):
    pairs = probe.draw_pairs(LABELS, 0, 1, 8, seed=3)
    paths = probe.straight_paths(IMAGES, pairs, **settings)
    found = list(probe.path_logits(linear, IMAGES, paths, batch_size=batch_size))
    assert [len(f) for f in found] == list(paths.counts)
    for i, logits in enumerate(found):
        ends = [3 * IMAGES[end[i]].reshape(16)[:4] for end in pairs]
        expected = np.linspace(*ends, int(paths.counts[i]))
        assert_allclose(logits, expected, atol=1e-5)
    first = np.stack([f[0] for f in found])
    assert_allclose(first, linear(IMAGES[pairs.first]), rtol=1e-6)


def test_paths_begin_and_end_at_their_images_to_the_last_bit():
    pairs = probe.draw_pairs(LABELS, 0, 1, 8, seed=3)
    paths = probe.straight_paths(IMAGES, pairs, unit=0.3)
    samples = list(probe.path_logits(lambda x: x, IMAGES, paths, batch_size=16))
    assert_array_equal(np.stack([s[0] for s in samples]), IMAGES[pairs.first])
    assert_array_equal(np.stack([s[-1] for s in samples]), IMAGES[pairs.last])


def test_samples_are_the_same_compiled_and_as_tpus_get_them():
    ends = tf.constant(IMAGES[:10])
    owner, along = tf.constant([0, 0, 1, 4]), tf.constant([0.0, 0.25, 0.5, 1.0])
    straight = probe.sampler("straight")
    plain = straight.python_function(ends, owner, along)
    expected = [
        *(IMAGES[0], 0.75 * IMAGES[0] + 0.25 * IMAGES[5]),
        *(0.5 * IMAGES[1] + 0.5 * IMAGES[6], IMAGES[9]),
    ]
    assert_allclose(plain, expected, rtol=1e-6, atol=1e-7)
    assert_allclose(straight(ends, owner, along), plain, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("numbers", [1, 300, 10**9])
def test_groups_hold_every_path_once_and_few_numbers(numbers, monkeypatch):
    monkeypatch.setattr(path_outputs, "_NUMBERS_AT_ONCE", numbers)
    counts = np.random.default_rng(0).integers(4, 9, 1000)
    taken, given = 0, []

    def stream():
        nonlocal taken
        for i, count in enumerate(counts):
            taken += 1
            yield np.full((count, 2), i, np.float32)

    for rows, outputs in path_outputs._of_one_length(stream()):
        assert outputs.shape == (len(rows), counts[rows[0]], 2)
        assert_array_equal(outputs[:, 0, 0], rows)
        waiting = 2 * (counts[:taken].sum() - counts[given].sum())
        assert waiting <= numbers + 2 * 8
        assert len(rows) <= 64
        given += rows
    assert sorted(given) == list(range(1000))


def test_no_paths_give_nothing():
    none = np.empty(0, np.int64)
    paths = probe.straight_paths(IMAGES, probe.Pairs(none, none))
    assert list(probe.path_logits(linear, IMAGES, paths)) == []


def test_sampling():
    images = np.zeros((5, 2, 2, 1))
    images[:, 0, 0, 0] = [0, 10.4, 10.6, 0.3, -1]
    pairs = probe.Pairs(np.array([0, 0, 0]), np.array([1, 2, 3]))
    paths = probe.straight_paths(images, pairs)
    assert_allclose(paths.distances, [10.4, 10.6, 0.3])
    assert_array_equal(paths.counts, [11, 12, 4])
    assert_allclose(paths.spacing, [1.04, 10.6 / 11, 0.1])
    assert_array_equal(probe.straight_paths(images, pairs, unit=0.1).counts, [105, 107, 4])
    assert_array_equal(probe.straight_paths(images, pairs, num_samples=50).counts, 50)
    # Distances are those of the images as the model sees them.
    doubled = probe.straight_paths(images, pairs, lambda x: 2 * tf.cast(x, tf.float64))
    assert_allclose(doubled.distances, [20.8, 21.2, 0.6])


def test_pixel_distances_are_of_stored_pixels_in_one_space():
    pixels = RNG.integers(0, 256, size=(6, 4, 4, 3), dtype=np.uint8)
    pairs = probe.Pairs(np.array([0, 1, 2]), np.array([3, 4, 5]))
    by_hand = [
        np.sqrt(sum((float(a) - float(b)) ** 2 for a, b in zip(x.flat, y.flat, strict=True))) / 255
        for x, y in zip(pixels[:3], pixels[3:], strict=True)
    ]
    for prepare in (lambda x: tf.cast(x, tf.float64), lambda x: tf.cast(x, tf.float32) / 64 - 2):
        paths = probe.straight_paths(pixels, pairs, prepare)
        assert_allclose(paths.pixel_distances, by_hand, rtol=1e-12)
        assert np.all(paths.distances > 2 * paths.pixel_distances)
    floats = probe.straight_paths(pixels / 255, pairs, lambda x: 3 * x)
    assert_allclose(floats.pixel_distances, by_hand, rtol=1e-12)
    # Ends that a model's own space gave are stored as such.
    _, paths = probe.local_paths(IMAGES, RNG.normal(size=(4, 4, 1)), 2.5, 20)
    assert_array_equal(paths.pixel_distances, paths.distances)
    with pytest.raises(UserError, match="uint8, or floats in .*, got int64"):
        probe.straight_paths(pixels.astype(np.int64), pairs)


def test_pairs_are_drawn_without_replacement_and_stay():
    within = probe.draw_pairs(LABELS, 2, 2, 5, seed=0)
    assert set(LABELS[np.concatenate(within)]) == {2}
    assert len(set(np.concatenate(within))) == 10
    between = probe.draw_pairs(LABELS, 0, 2, 10, seed=0)
    assert set(LABELS[between.first]) == {0}
    assert set(LABELS[between.last]) == {2}
    assert len(set(between.first)) == len(set(between.last)) == 10
    for first, last, all_of_them in ((2, 2, within), (0, 2, between)):
        few = probe.draw_pairs(LABELS, first, last, 3, seed=0)
        assert_array_equal(few, np.array(all_of_them)[:, :3])
        other = probe.draw_pairs(LABELS, first, last, 3, seed=1)
        assert not np.array_equal(few, other)


def test_class_pairs_without_clusters_are_those_of_before():
    pairs, ends = probe.class_pairs(LABELS, range(3), 2, seed=5)
    assert_array_equal(pairs.first, [21, 3, 22, 4, 2, 23, 15, 24, 21, 15, 28, 4])
    assert_array_equal(pairs.last, [18, 9, 10, 1, 20, 29, 19, 16, 26, 5, 14, 23])
    couples = np.array([[0, 0], [1, 1], [2, 2], [0, 1], [0, 2], [1, 2]])
    assert_array_equal(ends, np.repeat(couples, 2, axis=0))
    more, ends = probe.class_pairs(LABELS, range(3), 2, seed=5, between_count=4)
    assert_array_equal(ends, np.repeat(couples, [2, 2, 2, 4, 4, 4], axis=0))
    assert_array_equal(np.array(more)[:, :6], np.array(pairs)[:, :6])
    assert_array_equal(np.array(more)[:, [6, 7, 10, 11, 14, 15]], np.array(pairs)[:, 6:])
    within, ends = probe.class_pairs(LABELS, range(3), 2, seed=5, between=False)
    assert_array_equal(np.array(within), np.array(pairs)[:, :6])
    assert_array_equal(ends, np.repeat(couples[:3], 2, axis=0))


def clustered(seed, sizes=(12, 13, 16, 12)):
    """Labels and clusters in random order: so many clusters of each class, of 1 to 6 images."""
    rng = np.random.default_rng(seed)
    labels, clusters = [], []
    for label, size in enumerate(sizes):
        images = rng.integers(1, 7, size)
        labels += [label] * images.sum()
        clusters += np.repeat(1_000 * label + rng.permutation(900)[:size], images).tolist()
    order = rng.permutation(len(labels))
    return np.array(labels)[order], np.array(clusters)[order]


def assert_apart(pairs, ends, labels, clusters):
    """That pairs are of their classes, and of no kind two share a cluster."""
    assert_array_equal(labels[np.stack(pairs, axis=1)], ends)
    within = ends[:, 0] == ends[:, 1]
    for kind in (within, ~within):
        used = clusters[np.concatenate([end[kind] for end in pairs])]
        assert len(set(used)) == len(used) == 2 * kind.sum()


@pytest.mark.parametrize("seed", range(5))
def test_pairs_share_no_cluster(seed):
    labels, clusters = clustered(seed)
    # All that there are: 2 x 6 and 3 x 4 of the 12 clusters of the smallest classes.
    arguments = {"seed": seed, "between_count": 4, "clusters": clusters}
    pairs, ends = probe.class_pairs(labels, range(4), 6, **arguments)
    assert_apart(pairs, ends, labels, clusters)
    couples = [(0, 0), (1, 1), (2, 2), (3, 3), (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert_array_equal(ends, np.repeat(couples, [6] * 4 + [4] * 6, axis=0))
    again, _ = probe.class_pairs(labels, range(4), 6, **arguments)
    assert_array_equal(again, pairs)
    other, _ = probe.class_pairs(labels, range(4), 6, **{**arguments, "seed": seed + 1})
    assert not np.array_equal(other, pairs)
    # The first pairs of many are those of few, for every class pair.
    few, few_ends = probe.class_pairs(labels, range(4), 2, **{**arguments, "between_count": None})
    for couple in couples:
        part, whole = np.all(few_ends == couple, axis=1), np.all(ends == couple, axis=1)
        assert_array_equal(np.array(few)[:, part], np.array(pairs)[:, whole][:, :2])
    within, own_ends = probe.class_pairs(labels, range(4), 6, **arguments, between=False)
    assert_array_equal(within, np.array(pairs)[:, :24])
    assert_array_equal(own_ends, ends[:24])
    one, _ = probe.class_pairs(labels, [2], 8, **arguments)
    assert len(one.first) == 8  # One class has no other.


@pytest.mark.parametrize(("first", "last", "count"), [(2, 2, 8), (0, 2, 12), (3, 0, 12)])
def test_drawn_pairs_share_no_cluster(first, last, count):
    labels, clusters = clustered(3)
    pairs = probe.draw_pairs(labels, first, last, count, seed=0, clusters=clusters)
    assert_apart(pairs, np.tile([first, last], (count, 1)), labels, clusters)
    few = probe.draw_pairs(labels, first, last, 3, seed=0, clusters=clusters)
    assert_array_equal(few, np.array(pairs)[:, :3])


def test_a_cluster_with_images_of_several_classes_serves_one():
    rng = np.random.default_rng(0)
    labels, clusters = np.arange(300) % 3, rng.integers(0, 60, 300)
    pairs, ends = probe.class_pairs(labels, range(3), 6, seed=0, clusters=clusters)
    assert_apart(pairs, ends, labels, clusters)
    with pytest.raises(UserError, match="clusters of class 0 that serve no other class, got 30"):
        probe.class_pairs(labels, range(3), 30, seed=0, clusters=clusters)


def test_clusters_and_their_images_are_drawn_evenly():
    clusters = np.array([0] * 7 + [1, 2, 3])
    drawn = [
        np.concatenate(probe.draw_pairs(np.zeros(10), 0, 0, 1, seed, clusters=clusters))
        for seed in range(2_000)
    ]
    images = np.bincount(np.concatenate(drawn), minlength=10) / 2_000
    # Two of four clusters, however large they are: deviation 0.011.
    assert_allclose([images[:7].sum(), *images[7:]], 0.5, atol=0.05)
    assert_allclose(images[:7], 0.5 / 7, atol=0.03)


def test_pairs_of_photographs_share_no_square(embedded_dir):
    images = find_images("photo_patches", "test", data_dir=str(embedded_dir))
    pixels, labels = images.arrays()
    clusters = images.clusters()
    # Of 32 squares of the smallest photograph.
    arguments = {"seed": 0, "between_count": 3, "clusters": clusters}
    pairs, ends = probe.class_pairs(labels, range(10), 16, **arguments)
    assert len(ends) == 10 * 16 + 45 * 3
    assert_apart(pairs, ends, labels, clusters)
    assert probe.straight_paths(pixels, pairs).distances.min() > 0
    line = "pairs: expected 1 to 16, of the 32 clusters of class 1, got 17, which take 34; "
    with pytest.raises(UserError, match=re.escape(line)):
        probe.class_pairs(labels, range(10), 17, **arguments)
    line = (
        "between_pairs: expected 1 to 3, of the 32 clusters of class 1, got 4, which "
        "take 36; ask for fewer pairs, or take more images; no two pairs share a cluster"
    )
    with pytest.raises(UserError, match=re.escape(line)):
        probe.class_pairs(labels, range(10), 16, **{**arguments, "between_count": 4})


def test_measures_are_those_of_each_path():
    model = convnet(width=4, num_classes=3, input_shape=(4, 4, 1))
    head = model.layers[-1]
    head.kernel.assign(RNG.normal(size=head.kernel.shape))
    pairs = probe.draw_pairs(LABELS, 0, 1, 6, seed=0)
    paths = probe.straight_paths(IMAGES, pairs, unit=0.3)
    axis = np.array([0.0, 0.2, 5.0])
    found = probe.measure_paths(model, IMAGES, LABELS, paths, frequencies=axis, batch_size=32)
    for i in range(6):
        t = np.linspace(0, 1, paths.counts[i])[:, None, None, None]
        x, y = (IMAGES[end[i]] for end in pairs)
        logits = model(((1 - t) * x + t * y).astype(np.float32), training=False)
        p = softmax(np.asarray(logits, np.float64), axis=1)
        expected = path_measures(p, paths.spacing[i])
        assert_allclose([m[i] for m in found.measures], expected, rtol=2e-4)
        assert_allclose(found.dft[i, 0], dft_magnitudes(p)[0], rtol=1e-5)
        assert_array_equal(np.isfinite(found.dft[i]), found.dft_where[i])
        assert_array_equal(np.isfinite(found.dct[i]), found.dct_where[i])
        assert found.dft_where[i, 0]
        assert not found.dft_where[i, 2]
        ends = np.argmax(p[[0, -1]], axis=1)
        assert found.correct[i] == (ends[0] == 0 and ends[1] == 1)
    assert 0 < found.correct.sum() < 6  # Both kinds are among them.
    assert found.finite.all()


def test_spectra_in_cycles_per_path():
    """A fixed number of samples has the same bins on every path, whatever its length."""
    pairs = probe.draw_pairs(LABELS, 0, 1, 6, seed=0)
    paths = probe.straight_paths(IMAGES, pairs, num_samples=21)
    bins = dct_frequencies(21, 1 / 20)
    found = probe.measure_paths(linear, IMAGES, LABELS, paths, frequencies=bins, per_path=True)
    p = softmax(np.stack(list(probe.path_logits(linear, IMAGES, paths))).astype(float), axis=-1)
    assert_allclose(found.dct, dct_magnitudes(p), rtol=1e-6)
    assert found.dct_where.all()


def test_a_temperature_divides_the_logits():
    paths = probe.straight_paths(IMAGES, probe.draw_pairs(LABELS, 0, 1, 6, seed=0), unit=0.3)
    axis = [0.0, 0.2, 0.5]

    def colder(x):
        return linear(x) / 4

    ours = probe.measure_paths(linear, IMAGES, LABELS, paths, frequencies=axis, temperature=4.0)
    theirs = probe.measure_paths(colder, IMAGES, LABELS, paths, frequencies=axis)
    of_probabilities = probe.measure_paths(
        *(lambda x: tf.nn.softmax(linear(x)), IMAGES, LABELS, paths),
        frequencies=axis,
        temperature=4.0,
        outputs="probabilities",
    )
    assert_allclose(ours.measures, theirs.measures, rtol=1e-6)
    assert_allclose(ours.measures, of_probabilities.measures, rtol=1e-4)
    assert_allclose(ours.dft, of_probabilities.dft, rtol=1e-4)
    assert_array_equal(ours.endpoints_correct, theirs.endpoints_correct)
    plain = probe.measure_paths(linear, IMAGES, LABELS, paths)
    assert np.all(plain.measures.total_variation > 1.2 * ours.measures.total_variation)
    for temperature in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(UserError, match="temperature: expected a number above 0"):
            probe.measure_paths(linear, IMAGES, LABELS, paths, temperature=temperature)


# Images of whom the first is marked: near it `spoiling` models answer nothing.
MARKED = np.concatenate([IMAGES, IMAGES + 1])
MARKED[:, 3, 3, 0] = 0
MARKED[0, 3, 3, 0] = 1000


def spoiling(number, beyond=990.0):
    """Logits of which the last is the number from so much of the mark on."""

    def model(x):
        spoilt = x[:, 3, 3, 0, None] > beyond
        return tf.where(spoilt & (np.arange(4) == 3), number, linear(x))

    return model


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
def test_answers_that_are_not_finite_are_counted_and_never_right(number, outputs, monkeypatch):
    """The marked image is of class 0, which argmax makes of NaN."""
    said = []
    monkeypatch.setattr(path_outputs.logging, "warning", lambda text, *n: said.append(text % n))
    pairs = probe.Pairs(np.arange(30), np.arange(30, 60))
    paths = probe.straight_paths(MARKED, pairs, num_samples=20)

    def of(model):
        def given(x):
            logits = model(x)
            whole = tf.reduce_all(tf.math.is_finite(logits), axis=-1, keepdims=True)
            return tf.where(whole, tf.nn.softmax(logits), logits)

        return given if outputs == "probabilities" else model

    labels, settings = np.zeros(60, int), {"outputs": outputs, "frequencies": [0.0, 0.1]}
    ours = probe.measure_paths(of(spoiling(number)), MARKED, labels, paths, **settings)
    whole = probe.measure_paths(of(linear), MARKED, labels, paths, **settings)
    assert said == [
        "outputs along paths: 1 of 600 samples are not finite; 1 of 30 paths are left out"
    ]
    assert_array_equal(ours.finite, np.arange(30) > 0)
    assert not ours.endpoints_correct[0, 0]
    assert_array_equal(ours.endpoints_correct[1:], whole.endpoints_correct[1:])
    assert whole.finite.all()
    for array, other in zip(ours.measures, whole.measures, strict=True):
        assert_array_equal(np.isnan(array), ~ours.finite)
        assert_allclose(array[1:], other[1:], rtol=1e-6)
    assert not ours.dft_where[0].any()
    assert_array_equal(np.isnan(ours.dft), ~ours.dft_where)
    assert_array_equal(np.isnan(ours.dct), ~ours.dct_where)


def test_too_many_answers_that_are_not_finite_are_refused():
    pairs = probe.Pairs(np.arange(30), np.arange(30, 60))
    paths = probe.straight_paths(MARKED, pairs, num_samples=20)
    labels = np.zeros(60, int)
    # 7 of the samples of one path, and of 600.
    with pytest.raises(
        UserError, match=r"finite ones for all but 1% of the samples, got others for 35.0%, 7 of"
    ):
        probe.measure_paths(spoiling(np.nan, 665.0), MARKED, labels, paths)
    probe.measure_paths(spoiling(np.nan, 700.0), MARKED, labels, paths)  # 6 of 600.
    # One sample of every path is not too many, but leaves none.
    one = probe.straight_paths(MARKED, probe.Pairs(*np.array([[0], [31]])), num_samples=200)
    with pytest.raises(UserError, match="a path with finite ones at all samples, got none among 1"):
        probe.measure_paths(spoiling(np.nan, 998.0), MARKED, labels, one)


def test_stored_pixels_are_prepared_on_the_way():
    pixels = RNG.integers(0, 256, size=(30, 4, 4, 1), dtype=np.uint8)

    def prepare(stored):
        return tf.cast(stored, tf.float32) / 255 - 0.5

    pairs = probe.draw_pairs(LABELS, 0, 1, 4, seed=0)
    paths = probe.straight_paths(pixels, pairs, prepare, num_samples=8)
    ours = list(probe.path_logits(linear, pixels, paths, prepare))
    images = prepare(pixels).numpy()
    theirs = list(probe.path_logits(linear, images, paths))
    assert_allclose(ours, theirs, atol=1e-6)


def test_local_paths_along_the_gradient():
    """Of a linear model, whose gradient is W (p - y)."""
    inputs = keras.Input((4, 4, 1))
    dense = keras.layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal(seed=1))
    model = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    found = probe.gradients(model, IMAGES, LABELS)
    w = model.get_weights()[0]
    p = softmax(IMAGES.reshape(30, 16) @ w, axis=1)
    expected = (p - np.eye(3)[LABELS]) @ w.T
    assert_allclose(found.reshape(30, 16), expected, rtol=1e-4, atol=1e-6)
    ends, paths = probe.local_paths(IMAGES, found, length=2.5, num_samples=20)
    assert_allclose(paths.distances, 2.5, rtol=1e-5)
    answers = probe.measure_paths(model, ends, np.tile(LABELS, 2), paths)
    logits = np.stack(list(probe.path_logits(model, ends, paths)))
    losses = -np.log(softmax(logits, axis=-1))[np.arange(30), :, LABELS]
    assert np.all(np.diff(losses, axis=1) > 0)  # It goes uphill all the way.
    assert np.all(answers.measures.total_variation > 0)


def test_probabilities_and_logits_are_told_apart():
    paths = probe.straight_paths(IMAGES, probe.draw_pairs(LABELS, 0, 1, 2, seed=0), num_samples=5)
    with pytest.raises(UserError, match=r"outputs: expected probabilities .* say --outputs=logits"):
        probe.measure_paths(linear, IMAGES, LABELS, paths, outputs="probabilities")

    def probabilities(x):
        return tf.nn.softmax(linear(x))

    with pytest.raises(UserError, match=r"outputs: expected logits .* say --outputs=probabilities"):
        probe.measure_paths(probabilities, IMAGES, LABELS, paths)
    ours = probe.measure_paths(probabilities, IMAGES, LABELS, paths, outputs="probabilities")
    theirs = probe.measure_paths(linear, IMAGES, LABELS, paths)
    assert_allclose(ours.measures, theirs.measures, rtol=1e-3, atol=1e-6)


def test_bad_input():
    with pytest.raises(UserError, match="1 to 5, of the 10 images of class 1"):
        probe.draw_pairs(LABELS, 1, 1, 6, seed=0)
    with pytest.raises(UserError, match="1 to 10"):
        probe.draw_pairs(LABELS, 0, 1, 11, seed=0)
    alone = np.arange(30)
    with pytest.raises(
        UserError, match="1 to 5, of the 10 images of class 1, got 6, which take 12"
    ):
        probe.class_pairs(LABELS, [1], 6, seed=0, clusters=alone)
    with pytest.raises(UserError, match="between_pairs: expected 1 to 5, of the 10 images"):
        probe.class_pairs(LABELS, range(3), 5, seed=0, between_count=6, clusters=alone)
    for count in (0, -1):
        with pytest.raises(UserError, match="pairs: expected 1 to 5"):
            probe.class_pairs(LABELS, range(3), count, seed=0, clusters=alone)
    with pytest.raises(UserError, match="held-out images of every class, got none of class 3"):
        probe.class_pairs(LABELS, range(4), 1, seed=0, clusters=alone)
    for clusters in (alone[:29], alone.astype(float)):
        with pytest.raises(UserError, match=r"whole numbers of shape \[30\], one for each image"):
            probe.draw_pairs(LABELS, 0, 1, 1, seed=0, clusters=clusters)
    pairs = probe.Pairs(np.array([0]), np.array([1]))
    with pytest.raises(
        UserError, match="two that differ: numbers 0 and 1|numbers 0 and 1, distance"
    ):
        probe.straight_paths(np.ones((2, 4, 4, 1)), pairs)
    with pytest.raises(UserError, match="at least 4"):
        probe.straight_paths(IMAGES, pairs, num_samples=3)
    with pytest.raises(UserError, match="norms above 0"):
        probe.local_paths(IMAGES, np.zeros((4, 4, 1)), 1.0, 10)


REPLICAS = """
import numpy as np, tensorflow as tf
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from spectral_tf.models.small import convnet
from spectral_tf.probes import path_outputs
from spectral_tf import probes as probe
rng = np.random.default_rng(0)
images, labels = rng.normal(size=(30, 8, 8, 1)).astype(np.float32), np.arange(30) % 3
paths = probe.straight_paths(images, probe.draw_pairs(labels, 0, 1, 7, seed=0), unit=0.3)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = convnet(width=4, num_classes=3, input_shape=(8, 8, 1))
    head = model.layers[-1]
    head.kernel.assign(rng.normal(size=head.kernel.shape))
both = probe.path_logits(model, images, paths, batch_size=11, strategy=strategy)
one = probe.path_logits(model, images, paths, batch_size=16)
for a, b in zip(both, one, strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)
turned = probe.fourier_paths(images, paths.pairs, curve="phase", num_samples=5)
given = ((turned, 11, strategy), (turned, 16, None))
both, one = (
    probe.path_jacobians(model, images, p, points=3, batch_size=b, strategy=s) for p, b, s in given
)
np.testing.assert_allclose(both.logits, one.logits, rtol=1e-4)
assert np.ptp(one.logits[:, -1]) > 0
print("equal")
"""


@pytest.mark.long
def test_two_replicas_share_the_work():
    result = subprocess.run(
        [sys.executable, "-c", REPLICAS], capture_output=True, text=True, timeout=300
    )
    assert result.stdout.strip().endswith("equal"), result.stderr[-2000:]


def test_pairs_of_images_that_are_there():
    pairs = probe.Pairs(np.array([2, 7, 4]), np.array([9, 5, 7]))
    left, kept = probe.pairs_among(pairs, [2, 4, 7, 9])
    assert_array_equal(left, [[0, 1], [3, 2]])
    assert_array_equal(kept, [True, False, True])
