import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.data import augment, recipes
from spectral_tf.data.augment import Part, chain, cutout, flip, pad_and_crop
from spectral_tf.errors import UserError

SEED = tf.constant([3, 5])
N = 4_000
RNG = np.random.default_rng(0)
# Every pixel has a value of its own, above 0.
IMAGE = 1 + np.arange(6 * 8 * 2, dtype=np.float32).reshape(6, 8, 2)


def apply(augmentation, images=None, seed=SEED):
    images = np.repeat(IMAGE[np.newaxis], N, axis=0) if images is None else images
    return augmentation(tf.constant(images), seed, Part(len(images), tf.constant(0))).numpy()


def test_half_of_the_images_are_mirrored_whole():
    out = apply(flip)
    mirrored = np.all(out == IMAGE[:, ::-1], axis=(1, 2, 3))
    untouched = np.all(out == IMAGE, axis=(1, 2, 3))
    assert np.all(mirrored ^ untouched)
    assert abs(mirrored.mean() - 0.5) < 0.03


def test_all_offsets_of_a_crop_occur_equally_often():
    out = apply(pad_and_crop(4))
    padded = np.pad(IMAGE, ((4, 4), (4, 4), (0, 0)))
    counts = {}
    windows = {padded[y : y + 6, x : x + 8].tobytes(): (y, x) for y in range(9) for x in range(9)}
    for image in out:
        place = windows[image.tobytes()]
        counts[place] = counts.get(place, 0) + 1
    assert len(counts) == 81  # Nine by nine: the published code never took the last.
    np.testing.assert_allclose(list(counts.values()), N / 81, atol=5 * (N / 81) ** 0.5)


@pytest.mark.parametrize("size", [3, 4])
def test_cutout_zeroes_one_square_cut_at_the_border(size):
    out = apply(cutout(size))
    centres = set()
    for image in out:
        gone = np.all(image == 0, axis=-1)
        assert np.array_equal(image[~gone], IMAGE[~gone])
        rows, columns = np.flatnonzero(gone.any(axis=1)), np.flatnonzero(gone.any(axis=0))
        assert gone.sum() == rows.size * columns.size  # A rectangle,
        assert np.all(np.diff(rows) == 1)
        assert np.all(np.diff(columns) == 1)
        inside = rows[0] > 0 and rows[-1] < 5
        assert rows.size == size if inside else rows.size <= size
        centres.add((rows[0], rows.size, columns[0], columns.size))
    assert len(centres) == 6 * 8  # Every pixel is a centre of some square.


def test_the_same_seed_repeats_another_does_not():
    whole = chain([flip, pad_and_crop(2), cutout(3)])
    once, again = apply(whole), apply(whole)
    other = apply(whole, seed=tf.constant([3, 6]))
    np.testing.assert_array_equal(once, again)
    assert np.mean(np.all(once == other, axis=(1, 2, 3))) < 0.05


def test_a_part_of_a_batch_draws_what_the_whole_draws():
    whole = chain([flip, pad_and_crop(2), cutout(3)])
    images = np.repeat(IMAGE[np.newaxis], 12, axis=0)
    expected = apply(whole, images)
    part = whole(tf.constant(images[4:8]), SEED, Part(12, tf.constant(4)))
    np.testing.assert_array_equal(part, expected[4:8])


def test_a_chain_discards_nothing_and_its_links_draw_apart():
    out = apply(chain([flip, cutout(3)]))
    gone = np.all(out == 0, axis=-1)
    assert gone.any(axis=(1, 2)).all()
    right = np.where(gone[..., np.newaxis], 0, IMAGE)
    mirrored = np.where(gone[..., np.newaxis], 0, IMAGE[:, ::-1])
    is_right = np.all(out == right, axis=(1, 2, 3))
    assert np.all(is_right ^ np.all(out == mirrored, axis=(1, 2, 3)))
    assert abs(is_right.mean() - 0.5) < 0.03
    twice = apply(chain([flip, flip]))
    assert abs(np.mean(np.all(twice == IMAGE, axis=(1, 2, 3))) - 0.5) < 0.03


ONE_HOT = tf.one_hot(tf.range(12) % 3, 3)


@pytest.mark.parametrize("per_example", [False, True])
def test_mixup_mixes_images_and_labels_alike(per_example, assert_close):
    images = tf.constant(RNG.normal(size=(12, 4, 4, 2)), tf.float32)
    mix = augment.mixup(0.5, per_example=per_example)
    mixed, labels = mix(images, ONE_HOT, SEED, Part(12, 0))
    partner = np.arange(12) ^ 1
    x, y = images.numpy().reshape(12, -1), mixed.numpy().reshape(12, -1)
    away = x[partner] - x
    share = np.sum((y - x) * away, axis=1) / np.sum(away**2, axis=1)
    assert_close(y, x + share[:, None] * away)
    hot = ONE_HOT.numpy()
    assert_close(labels, hot + share[:, None].astype(np.float32) * (hot[partner] - hot))
    assert ((share >= -1e-6) & (share <= 1 + 1e-6)).all()
    assert (np.ptp(share) > 1e-3) == per_example
    parts = [
        mix(images[i : i + 4], ONE_HOT[i : i + 4], SEED, Part(12, i))[0].numpy() for i in (0, 4, 8)
    ]
    assert_close(np.concatenate(parts), mixed)


def test_mixup_draws_a_beta():
    images = tf.reshape(tf.tile([0.0, 1.0], [10_000]), [-1, 1, 1, 1])
    labels = tf.one_hot(tf.tile([0, 1], [10_000]), 2)
    for alpha in (0.1, 2.0):
        mixed, _ = augment.mixup(alpha, per_example=True)(images, labels, SEED, Part(20_000, 0))
        share = mixed.numpy().ravel()[1::2]
        assert share.mean() == pytest.approx(0.5, abs=0.02)
        assert share.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


def test_mixup_in_pairs_needs_an_even_batch_and_a_positive_alpha():
    with pytest.raises(UserError, match="batch_size: expected an even number"):
        augment.mixup(0.5)(tf.zeros((3, 2, 2, 1)), tf.zeros((3, 2)), SEED, Part(3, 0))
    with pytest.raises(UserError, match="mixup_alpha: expected above 0"):
        augment.mixup(0.0)


def test_image_frequency_adds_one_direction_and_smooths_that_label_alone(assert_close):
    directions = [np.full((4, 4, 2), value) for value in (1.0, -2.0)]
    images, labels = tf.zeros((400, 4, 4, 2)), tf.one_hot(tf.range(400) % 3, 3)
    add = augment.image_frequency(directions, norm=3.0, smoothing=0.5, share=0.5)
    changed, smoothed = add(images, labels, SEED, Part(400, 0))
    level = changed.numpy()[:, 0, 0, 0]
    assert set(np.unique(level)) == {-6.0, 0.0, 3.0}
    assert 0.35 < np.mean(level == 0) < 0.65
    assert 0.15 < np.mean(level == 3) < 0.35
    expected = np.where(level[:, None] == 0, labels, 0.5 * labels.numpy() + 0.5 / 3)
    assert_close(smoothed, expected.astype(np.float32))
    # What was given stays as it was: nothing piles up over epochs.
    assert not np.any(images)
    np.testing.assert_array_equal(labels.numpy().sum(axis=1), 1)


def test_a_recipe_chains_what_was_asked_for_and_discards_nothing():
    names = ("randaugment", "flip", "pad_and_crop", "cutout", "image_frequency")
    directions = [np.ones((8, 8, 3)) / 192**0.5]
    recipe = recipes.recipe(names, mixup_alpha=0.1, directions=directions)
    assert [len(stage) for stage in recipe] == [1, 3, 2]
    assert recipes.recipe([]) == ([], [], [])
    plain = recipes.recipe(["flip", "pad_and_crop"])
    images = tf.constant(RNG.uniform(size=(64, 8, 8, 3)), tf.float32)
    part = Part(64, 0)

    def through(recipe):
        changed = augment.chain(recipe.policies)(images, SEED, part)
        return augment.chain(recipe.augmentations)(changed, SEED, part).numpy()

    # The policy's output reaches the crop: the published code crops the original image.
    with_policy = recipes.recipe(["autoaugment", "flip", "pad_and_crop"])
    differs = np.any(through(with_policy) != through(plain), axis=(1, 2, 3))
    assert differs.mean() > 0.4
