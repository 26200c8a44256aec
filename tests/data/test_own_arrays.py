"""Files as people save them, each read as what it is or refused in a line."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spectral_tf.data import find_images
from spectral_tf.data.own_arrays import NAMES
from spectral_tf.errors import UserError

N = 12
# uint8 from 0 to 255, no image twice; and classes 0, 1, 2, 0, 1, ...
X = np.linspace(0, 255, N * 5 * 4 * 3).round().astype(np.uint8).reshape(N, 5, 4, 3)
Y = np.arange(N) % 3


def save(path, **arrays):
    np.savez(path / "own.npz", **arrays)
    return f"npz:{path / 'own.npz'}"


def line_of(name, split="train", **more):
    with pytest.raises(UserError) as caught:
        find_images(name, split, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("split", "names"), [(split, pair) for split, pairs in NAMES.items() for pair in pairs]
)
def test_every_known_pair_of_names_is_read(split, names, tmp_path):
    images = find_images(save(tmp_path, **dict(zip(names, (X, Y), strict=True))), split)
    assert_array_equal(images.arrays()[0], X)
    assert_array_equal(images.arrays()[1], Y)
    assert images.record()["arrays"] == list(names)


def test_the_names_of_keras_and_of_medmnist_have_their_splits(tmp_path):
    keras = save(tmp_path, x_train=X, y_train=Y, x_test=X[:5], y_test=Y[:5])
    assert [find_images(keras, s).num_examples for s in ("train", "test", "all")] == [12, 5, 17]
    assert "expected train, test, or a slice such as train[:10%]" in line_of(keras, "validation")
    arrays = {}
    for split, count in (("train", 12), ("val", 4), ("test", 3)):
        arrays |= {f"{split}_images": X[:count], f"{split}_labels": Y[:count, np.newaxis]}
    medmnist = save(tmp_path, **arrays)
    for split, count in (("train", 12), ("val", 4), ("validation", 4), ("test", 3)):
        images = find_images(medmnist, split)
        assert_array_equal(images.arrays()[0], X[:count])
        assert_array_equal(images.arrays()[1], Y[:count])
        assert images.num_classes == 3
    assert find_images(medmnist, "val[:2] + test").num_examples == 5


LABELS = {
    "one column": Y[:, np.newaxis],
    "floats": Y.astype(float),
    "one column of float32": Y[:, np.newaxis].astype(np.float32),
    "uint64": Y.astype(np.uint64),
    "one-hot": np.eye(3)[Y],
    "one-hot whole": np.eye(3, dtype=int)[Y],
    "one-hot booleans": np.eye(3)[Y] > 0,
}


@pytest.mark.parametrize("form", LABELS)
def test_labels_of_every_form_are_whole_numbers(form, tmp_path):
    images = find_images(save(tmp_path, x=X, y=LABELS[form]))
    labels = images.arrays()[1]
    assert labels.dtype == np.int64
    assert_array_equal(labels, Y)
    assert images.num_classes == 3


def test_booleans_are_two_classes_and_columns_count_the_classes(tmp_path):
    assert_array_equal(find_images(save(tmp_path, x=X, y=Y > 0)).arrays()[1], Y > 0)
    # The last class has no image here, but has a column.
    assert find_images(save(tmp_path, x=X, y=np.eye(5)[Y])).num_classes == 5


MULTI = np.eye(3)[Y]
MULTI[7, 0] = MULTI[7, 1] = 1
WRONG_LABELS = [
    (MULTI, "several labels of one image are not supported"),
    (MULTI, "(12, 3) with [1.0, 1.0, 0.0] ... in row 7"),
    (np.eye(3)[Y] * 0, "one class for each image in y"),
    (np.eye(3)[Y] * 0.9, "one class for each image in y"),
    (np.stack([Y, Y], axis=1), "one class for each image in y"),
    (Y + 0.5, "whole labels from 0 to 99,999, got float64 from 0.5 to 2.5"),
    (np.where(Y, Y, np.nan), "whole labels from 0 to 99,999, got float64 from nan"),
    (Y - 1, "got int64 from -1 to 1; number the classes from 0"),
    (np.array(["a", "b", "c"])[Y], "got <U1; number the classes from 0"),
    (Y[:, np.newaxis, np.newaxis], "y of shape [12], one label for each image, got [12, 1, 1]"),
]


@pytest.mark.parametrize(("labels", "line"), WRONG_LABELS)
def test_labels_that_are_no_classes_are_refused(labels, line, tmp_path):
    assert line in line_of(save(tmp_path, x=X, y=labels))


def test_labels_of_two_forms_are_refused(tmp_path):
    name = save(tmp_path, x=X, y=Y, x_test=X, y_test=np.eye(3)[Y])
    assert "labels of one form in all splits, got y of shape (12,), y_test of" in line_of(name)


def test_classes_without_images_are_said(tmp_path, caplog):
    find_images(save(tmp_path, x=X, y=Y + 1))
    assert "1 of 4 classes have no image: 0" in caplog.text


PIXELS = {
    "int64": (X.astype(int), X),
    "uint16": (X.astype(np.uint16), X),
    "whole floats": (X.astype(float), X),
    "booleans": (X > 100, np.where(X > 100, 255, 0)),
    # 0.99 x 255 reaches above half of 255: these are not floats from 0 to 1.
    "floats of 0 to 255": (X * 0.99, X * 0.99 / 255),
    "floats from 0 to 1": (X / 255, X / 255),
    "half precision": ((X / 255).astype(np.float16), (X / 255).astype(np.float16)),
}


@pytest.mark.parametrize("kind", PIXELS)
def test_pixels_of_every_kind_are_read_as_what_they_are(kind, tmp_path, assert_close):
    given, expected = PIXELS[kind]
    images = find_images(save(tmp_path, x=given, y=Y))
    pixels = images.arrays()[0]
    assert pixels.dtype == (np.uint8 if np.array_equal(expected, np.rint(expected)) else np.float32)
    assert_close(pixels.astype(np.float32), expected.astype(np.float32))


WRONG_PIXELS = [
    (X / 255 * 1.0001, "from 0 to 1.0001; clip them to 0 to 1 if white is 1; else divide"),
    (X / 255 * 1.7, "which whole numbers are or some above 128, got x from 0 to 1.7"),
    (X / 255 * 100, "which whole numbers are or some above 128, got x from 0 to 100"),
    (X / 127.5 - 1, "got x from -1 to 1; save (x + 1) / 2 if they are in [-1, 1]"),
    ((X - 128) / 64.0 - 2, "undo their normalisation: x * deviation + mean"),
    (X.astype(int) * 257, "got x from 0 to 65535; scale them, for example x / 65535"),
    (np.where(X > 9, X / 255, np.nan), "got x from nan to nan; leave these images out"),
    (np.where(X > 9, X / 255, np.inf), "to inf; leave these images out"),
    ((X > 100).astype(int), "got x from 0 to 1 (x of int64); save them as booleans, or times 255"),
    ((X > 100).astype(np.uint8), "(x of uint8); save them as booleans, or times 255"),
    (X.astype(complex), "booleans, or floats, got x of complex128; convert them"),
]


@pytest.mark.parametrize(("pixels", "line"), WRONG_PIXELS)
def test_pixels_of_no_known_range_are_refused_with_what_to_do(pixels, line, tmp_path):
    assert line in line_of(save(tmp_path, x=pixels, y=Y))


def test_all_splits_have_one_range_kind_and_shape(tmp_path):
    test = {"y": Y, "y_test": Y}
    name = save(tmp_path, x=X / 255, x_test=X.astype(float), **test)
    assert "got x from 0 to 1, x_test from 0 to 255" in line_of(name)
    assert "one kind in all splits" in line_of(save(tmp_path, x=X / 255, x_test=X, **test))
    assert "images of one shape in all splits, got x of (5, 4, 3), x_test of (4, 4, 3)" in line_of(
        save(tmp_path, x=X, x_test=X[:, 1:], **test)
    )
    # A dark split is read as the other one.
    name = save(tmp_path, x=X * 0.99, x_test=X * 0.1, **test)
    assert find_images(name, "test").arrays()[0].max() == np.float32(0.1)


def test_how_pixels_were_read_is_said_and_recorded(tmp_path, caplog):
    caplog.set_level("INFO")
    images = find_images(save(tmp_path, x=X * 0.99, y=Y))
    told = "x of float64: read as 0 to 255 (largest 252.45), divided by 255"
    assert images.record()["pixels"] == told
    assert told in caplog.text
    images = find_images(save(tmp_path, x=X.astype(float) // 16, y=Y))
    assert images.arrays()[0].max() == 15
    assert "pixels are read as 0 to 255, and reach 15 only" in caplog.text


def shape_of(path, *shape, **more):
    return find_images(save(path, x=np.resize(X, (N, *shape)), y=Y), **more).shape


def test_channels_first_is_refused_unless_it_is_said(tmp_path):
    first = X.transpose(0, 3, 1, 2)
    name = save(tmp_path, x=first, y=Y)
    line = line_of(name)
    assert "x of shape [n, h, w, c], got (12, 3, 5, 4), which" in line
    assert "save x.transpose(0, 2, 3, 1), or say --channels_first" in line
    images = find_images(name, channels_first=True)
    assert_array_equal(images.arrays()[0], X)
    assert images.record()["channels_first"] is True
    assert find_images(name, channels_first=False).shape == (3, 5, 4)
    assert "channels_first" not in find_images(save(tmp_path, x=X, y=Y)).record()


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 9, 7), (12, 32, 32), (1, 4, 4)])
def test_shapes_that_look_like_channels_first(shape, tmp_path):
    with pytest.raises(UserError, match="which looks like"):
        shape_of(tmp_path, *shape)
    assert shape_of(tmp_path, *shape, channels_first=True) == (*shape[1:], shape[0])


@pytest.mark.parametrize("shape", [(3, 3, 3), (1, 28, 1), (3, 9, 2), (1, 1, 1)])
def test_shapes_that_may_be_both(shape, tmp_path):
    with pytest.raises(UserError, match="as well"):
        shape_of(tmp_path, *shape)
    assert shape_of(tmp_path, *shape, channels_first=False) == shape


@pytest.mark.parametrize("shape", [(28, 28, 1), (4, 4, 1), (9, 7, 4), (16, 16, 12), (9, 7, 5)])
def test_shapes_that_are_channels_last(shape, tmp_path):
    assert shape_of(tmp_path, *shape) == shape


def test_channels_first_is_for_arrays_that_have_channels(tmp_path):
    assert "got (12, 5, 4); leave --channels_first out" in line_of(
        save(tmp_path, x=X[..., 0], y=Y), channels_first=True
    )
    with pytest.raises(UserError, match="expected arrays of an npz file, got digits"):
        find_images("digits", channels_first=True)


def test_an_axis_that_counts_images_last_is_named(tmp_path):
    name = save(tmp_path, x=np.resize(X, (9, 7, 3, N)), y=Y)
    assert "np.moveaxis(x, -1, 0)" in line_of(name)


def test_slices_part_the_images_and_no_seed_changes_them(tmp_path):
    labels = np.repeat([0, 1, 2], 100)  # Sorted by class.
    name = save(tmp_path, x=np.arange(300).reshape(300, 1) / 300, y=labels)

    def numbers(split, seed=None):
        pixels, own = find_images(name, split, order_seed=seed).arrays()
        found = np.rint(300 * pixels[:, 0]).astype(int)
        assert_array_equal(own, labels[found])
        return found

    first, rest = numbers("train[:80%]"), numbers("train[80%:]")
    assert first.size == 240
    assert_array_equal(np.sort([*first, *rest]), np.arange(300))
    assert_array_equal(first, np.sort(first))
    # Of each class 80 are expected, with a standard deviation of 3.3.
    assert np.abs(np.bincount(labels[first]) - 80).max() < 12
    assert_array_equal(numbers("train[:240]"), first)
    assert_array_equal(np.sort(numbers("train[:80%]", seed=5)), first)
    assert set(numbers("train[:10]")) < set(first)
    # The whole split comes as it is, or as the seed says.
    assert_array_equal(numbers("train"), np.arange(300))
    assert_array_equal(np.sort(numbers("train", seed=5)), np.arange(300))
    assert (numbers("train", seed=5) != numbers("train", seed=6)).any()
    assert_array_equal(numbers("train", seed=5), numbers("train", seed=5))
    assert find_images(name, "train[:9]", order_seed=5).record()["order_seed"] == 5


def test_slices_keep_clusters_whole(tmp_path):
    clusters = np.arange(300) // 7 - 5
    name = save(
        tmp_path, x=np.arange(300).reshape(300, 1) / 300, y=np.arange(300) % 2, clusters=clusters
    )
    found = [find_images(name, split) for split in ("train[:50%]", "train[50%:]")]
    own = [images.clusters() for images in found]
    assert sum(map(len, own)) == 300
    assert not set(own[0]) & set(own[1])
    assert abs(len(own[0]) - 150) < 7
    for images, numbers in zip(found, own, strict=True):
        assert_array_equal(clusters[np.rint(300 * images.arrays()[0][:, 0]).astype(int)], numbers)
    # Seven places in a row are those of a cluster, or of two: all but one or two begin none.
    slices = [f"train[{start}:{start + 1}]" for start in range(7)]
    sizes = [find_images(name, s).num_examples for s in slices if begins(name, s)]
    assert sizes in ([7], [6], [7, 7], [6, 7], [7, 6])


def begins(name, split):
    """Whether a cluster begins in a slice."""
    try:
        find_images(name, split)
    except UserError as error:
        assert "expected the beginning of a cluster at least" in str(error)  # noqa: PT017
        return False
    return True


def test_the_order_is_that_of_clusters_and_of_what_is_taken(tmp_path):
    name = save(tmp_path, x=X, y=Y, clusters=np.arange(N) + 70)
    images = find_images(name, order_seed=1)
    order = images.clusters() - 70
    assert_array_equal(images.arrays()[0], X[order])
    assert_array_equal(images.take(5).arrays()[1], Y[order[:5]])
    assert_array_equal(images.take(5).clusters(), order[:5] + 70)
    assert_array_equal(images.take(5).own.numbers, order[:5])


def test_a_split_without_clusters_shares_none(tmp_path):
    name = save(tmp_path, x=X, y=Y, clusters=np.zeros(N, int), x_test=X, y_test=Y)
    both = find_images(name, "train+test").clusters()
    assert set(both[:N]) == {0}
    assert len(set(both[N:]) - {0}) == N
    assert_array_equal(find_images(name, "test").clusters(), np.arange(N))


def test_a_file_that_has_changed_is_read_again(tmp_path):
    assert find_images(save(tmp_path, x=X, y=Y)).num_examples == N
    assert find_images(save(tmp_path, x=X[:5], y=Y[:5])).num_examples == 5
