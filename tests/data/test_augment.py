import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.data.augment import Part, chain, cutout, flip, pad_and_crop

SEED = tf.constant([3, 5])
N = 4_000
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
