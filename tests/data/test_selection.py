import numpy as np
import pytest
from conftest import tiny_imagenet
from numpy.testing import assert_array_equal

from spectral_tf.data import find_images
from spectral_tf.data.selection import labels_of, refuse_unreadable, select
from spectral_tf.errors import UserError


def test_of_a_resident_set(embedded_dir):
    images = find_images("digits", "test", data_dir=str(embedded_dir))
    pixels, labels = images.arrays()
    assert_array_equal(labels_of(images), labels)
    selection = select(images, [7, 3, 3])
    assert_array_equal(selection.indices, [3, 7])
    assert_array_equal(selection.pixels, pixels[[3, 7]])
    assert select(images, [3], (4, 4, 1)).pixels.shape == (1, 4, 4, 1)


@pytest.fixture(scope="module")
def corrupt(tmp_path_factory):
    """120 images of different sizes, one of which cannot be decoded."""
    folder = tmp_path_factory.mktemp("imagenet")
    tiny_imagenet(folder / "tar", images_in_synset=60, corrupt=1)
    return find_images(
        "imagenet2012", data_dir=str(folder / "data"), manual_dir=str(folder / "tar")
    )


def test_of_a_streamed_set_without_what_cannot_be_read(corrupt):
    labels = labels_of(corrupt)
    assert sorted(np.unique(labels, return_counts=True)[1]) == [60, 60]
    everything = select(corrupt, np.arange(120), (32, 32, 3))
    assert everything.unreadable.size == 1
    assert labels[everything.unreadable[0]] == labels.min()
    assert everything.pixels.shape == (119, 32, 32, 3)
    assert everything.pixels.dtype == np.uint8
    some = select(corrupt, everything.indices[[40, 5]], (32, 32, 3))
    assert_array_equal(some.indices, everything.indices[[5, 40]])
    assert_array_equal(some.pixels, everything.pixels[[5, 40]])


def test_more_than_one_percent_unreadable_is_no_accident(corrupt):
    bad = select(corrupt, np.arange(120), (32, 32, 3)).unreadable
    refuse_unreadable(corrupt, bad.size, 120)
    with pytest.raises(UserError, match=r"at most 1% that cannot be read .* got 2 of 120"):
        refuse_unreadable(corrupt, 2, 120)


def test_merged_classes(embedded_dir):
    images = find_images("digits", "test", data_dir=str(embedded_dir))
    groups = [0, 1, 0, 1, 2, 2, 0, 0, 0, 0]
    merged = images.merged(groups)
    assert merged.num_classes == 3
    assert merged.label_names == ("0+2+6+7+8+9", "1+3", "4+5")
    assert_array_equal(merged.arrays()[1], np.array(groups)[images.arrays()[1]])
    assert_array_equal(merged.take(5).arrays()[1], merged.arrays()[1][:5])
    with pytest.raises(UserError, match="leave no group empty"):
        images.merged([0] * 9 + [2])
