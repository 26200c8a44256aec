"""Measures that no choice of unit, scale or sampling moves."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax

from spectral_tf import probes as probe
from spectral_tf.errors import UserError
from spectral_tf.probes import converged
from spectral_tf.spectra import confidence_temperature, spectral_centroid, total_variation

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, size=(60, 6, 6, 3), dtype=np.uint8)
LABELS = np.arange(60) % 3
PAIRS = probe.draw_pairs(LABELS, 0, 1, 12, seed=0)
FIRST = RNG.normal(size=(108, 24)).astype(np.float32)
SECOND = RNG.normal(size=(24, 4)).astype(np.float32)
MEAN, DEVIATION = np.float32([0.4, 0.5, 0.6]), np.float32([0.2, 0.25, 0.3])


def unit(pixels):
    return tf.cast(pixels, tf.float32) / 255


def standard(pixels):
    return (unit(pixels) - MEAN) / DEVIATION


def network(x):
    """A curved function of standardised images."""
    return tf.sin(tf.reshape(x, (-1, 108)) @ FIRST / 3) @ SECOND


def network_of_unit(x):
    return network((x - MEAN) / DEVIATION)


def measured(model, prepare, **settings):
    paths = probe.straight_paths(PIXELS, PAIRS, prepare)
    return converged.converged_paths(model, PIXELS, LABELS, paths, prepare, **settings)


def test_measures_are_those_of_dense_paths():
    found = measured(network, standard, temperatures=(1.0, 3.0), batch_size=100)
    paths = probe.straight_paths(PIXELS, PAIRS, standard, num_samples=found.num_samples)
    logits = np.stack(list(probe.path_logits(network, PIXELS, paths, standard))).astype(float)
    for t, temperature in enumerate((1.0, 3.0)):
        p = softmax(logits / temperature, axis=-1)
        distances = paths.pixel_distances
        assert_allclose(found.centroid[t], spectral_centroid(p, distances), rtol=1e-4)
        assert_allclose(found.total_variation[t], total_variation(p), rtol=1e-4)
        assert_allclose(found.centroid_per_path[t], spectral_centroid(p, np.ones(12)), rtol=1e-4)
        assert_allclose(found.variation_per_unit[t], total_variation(p) / distances, rtol=1e-4)
    assert_array_equal(found.temperatures, [1.0, 3.0])
    answers = logits[:, [0, -1]].argmax(axis=-1)
    assert_array_equal(found.endpoints_correct, answers == [0, 1])
    assert_array_equal(found.correct, (answers == [0, 1]).all(axis=1))
    assert found.finite.all()


def test_more_samples_tell_the_same_once_converged():
    found = measured(network, standard)
    more = measured(network, standard, start=2 * found.num_samples - 1)
    assert found.converged
    assert found.relative_change < 0.02
    half = (found.num_samples + 1) // 2
    paths = probe.straight_paths(PIXELS, PAIRS, standard, num_samples=half)
    logits = np.stack(list(probe.path_logits(network, PIXELS, paths, standard))).astype(float)
    p = softmax(logits, axis=-1)
    changes = [
        np.abs(old - new).sum() / new.sum()
        for old, new in (
            (spectral_centroid(p, paths.pixel_distances), found.centroid),
            (total_variation(p), found.total_variation),
        )
    ]
    assert_allclose(found.relative_change, max(changes), rtol=0.01)
    assert more.num_samples == 4 * found.num_samples - 3
    for name in ("centroid", "total_variation"):
        few, many = getattr(found, name), getattr(more, name)
        assert np.abs(few - many).sum() / many.sum() < 0.02
        assert few.sum() != many.sum()


def test_where_pixels_are_standardised_does_not_matter():
    inside, outside = measured(network_of_unit, unit), measured(network, standard)
    assert_allclose(inside.centroid, outside.centroid, rtol=1e-4)
    assert_allclose(inside.total_variation, outside.total_variation, rtol=1e-4)
    assert inside.num_samples == outside.num_samples
    # What is counted in the model's own space knows it.
    of_space = [
        probe.measure_paths(
            *(model, PIXELS, LABELS),
            *(probe.straight_paths(PIXELS, PAIRS, prepare, unit=0.2), prepare),
        ).measures
        for model, prepare in ((network_of_unit, unit), (network, standard))
    ]
    assert of_space[0].centroid.mean() > 2 * of_space[1].centroid.mean()
    assert of_space[0].dct_share.mean() > 1.5 * of_space[1].dct_share.mean()


def test_the_scale_of_the_logits_does_not_matter_at_one_confidence():
    others = np.setdiff1d(np.arange(60), np.concatenate(PAIRS))
    shifted = np.concatenate([PIXELS[others], 255 - PIXELS[others], PIXELS[others][:, ::-1]])
    plain, matched = [], []
    for scale in (0.1, 1.0, 10.0, 100.0):

        def scaled(x, scale=scale):
            return scale * network(x)

        temperature = confidence_temperature(scaled(standard(shifted)).numpy())
        matched.append(measured(scaled, standard, temperatures=[temperature]))
        plain.append(measured(scaled, standard, at_most=129))
    for other in matched:
        assert other.num_samples == matched[0].num_samples
        assert_allclose(other.centroid, matched[0].centroid, rtol=1e-4)
        assert_allclose(other.total_variation, matched[0].total_variation, rtol=1e-4)
        assert_array_equal(other.endpoints_correct, matched[0].endpoints_correct)
    for name in ("centroid", "total_variation"):
        means = [getattr(found, name).mean() for found in plain]
        assert max(means) > 1.3 * min(means)


def test_probabilities_are_as_good_as_logits():
    settings = {"temperatures": (1.0, 3.0)}
    ours = measured(network, standard, **settings)
    theirs = measured(
        lambda x: tf.nn.softmax(network(x)), standard, outputs="probabilities", **settings
    )
    assert_allclose(ours.centroid, theirs.centroid, rtol=1e-3)
    assert_allclose(ours.total_variation, theirs.total_variation, rtol=1e-3)


@pytest.mark.parametrize(("sharpness", "reached"), [(1.0, 65), (40.0, 257)])
def test_samples_are_doubled_until_they_are_enough(sharpness, reached, monkeypatch):
    """One change of class on every path, each in another place."""
    passes = []
    stream = converged.path_logits
    monkeypatch.setattr(
        *(converged, "path_logits"), lambda *a, **k: passes.append(a[2].counts) or stream(*a, **k)
    )
    images = np.zeros((8, 2, 2, 1), np.float32)
    images[4:, 0, 0] = 1.0
    images[:, 1, 1, 0] = np.tile([0.313, 0.37, 0.431, 0.52], 2)
    paths = probe.straight_paths(images, probe.Pairs(np.arange(4), np.arange(4, 8)))

    def change(x):
        z = 4 * sharpness * (x[:, 0, 0, 0] - x[:, 1, 1, 0])
        return tf.stack([z, -z], axis=1)

    found = converged.converged_paths(change, images, np.repeat([1, 0], 4), paths)
    assert found.num_samples == reached
    assert found.converged
    assert found.correct.all()
    assert [set(counts) for counts in passes] == [
        {n} for n in (65, 129, 257) if n <= reached
    ]  # Each once.
    share = 1 / (1 + np.exp(-8 * sharpness * (np.array([[0], [1]]) - images[:4, 1, 1, 0])))
    assert_allclose(found.total_variation[0], share[1] - share[0], rtol=1e-5)


def test_what_does_not_converge_is_said(monkeypatch):
    said = []
    monkeypatch.setattr(converged.logging, "warning", lambda text, *n: said.append(text % n))

    def rough(x):
        return 30 * tf.sin(1e4 * tf.reshape(x, (-1, 108))[:, :4])

    found = measured(rough, standard, at_most=200)
    assert not found.converged
    assert found.num_samples == 129
    assert found.relative_change > 0.02
    change = f"{100 * found.relative_change:.1f} %"
    assert said == [
        f"predictions along paths with 129 samples still move by {change}, not below 2.0 %"
    ]


def test_a_constant_answer_has_converged_at_once():
    found = measured(lambda x: tf.zeros((tf.shape(x)[0], 4)), standard)
    assert found.converged
    assert found.num_samples == 65
    assert found.relative_change == 0
    assert_array_equal(found.centroid, 0)
    assert_array_equal(found.total_variation, 0)


def test_no_paths_give_nothing():
    none = np.empty(0, np.int64)
    paths = probe.straight_paths(PIXELS, probe.Pairs(none, none), standard)
    found = converged.converged_paths(network, PIXELS, LABELS, paths, standard)
    assert found.centroid.shape == (1, 0)
    assert found.converged


def test_paths_that_are_not_finite_are_left_out():
    """One sample of one path; the others are as they were."""

    def spoilt(x):
        away = tf.reduce_sum(tf.abs(x - standard(PIXELS[PAIRS.last[3]])), axis=(1, 2, 3))
        return tf.where(away[:, None] < 1e-3, np.nan, network(x))

    found, whole = measured(spoilt, standard), measured(network, standard)
    assert_array_equal(found.finite, np.arange(12) != 3)
    assert not found.endpoints_correct[3, 1]
    assert_array_equal(np.isnan(found.centroid[0]), ~found.finite)
    assert_array_equal(np.isnan(found.total_variation[0]), ~found.finite)
    assert_allclose(found.relative_change, whole.relative_change, rtol=0.3)
    assert_allclose(found.centroid[:, found.finite], whole.centroid[:, found.finite], rtol=1e-4)


def test_bad_input():
    for settings in ({"start": 3}, {"start": 33, "at_most": 64}, {"tolerance": 0.0}):
        with pytest.raises(UserError, match="a start of 4 or more that may be doubled"):
            measured(network, standard, **settings)
    with pytest.raises(UserError, match="a number above 0, got 1, 0"):
        measured(network, standard, temperatures=(1.0, 0.0))
    with pytest.raises(UserError, match="a number above 0, got none"):
        measured(network, standard, temperatures=())
    with pytest.raises(UserError, match="say --outputs=logits"):
        measured(network, standard, outputs="probabilities")
