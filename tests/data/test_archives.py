"""Sets that TFDS prepares from archives: tiny ones in the official formats, made here."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import mocked_cifar10, tiny_imagenet

from spectral_tf.data import find_images, pipeline, standard
from spectral_tf.errors import UserError


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imagenet")
    tiny_imagenet(folder / "tar")
    places = {"data_dir": str(folder / "data"), "manual_dir": str(folder / "tar")}
    return find_images("imagenet2012", **places), places


def test_imagenet_is_prepared_from_its_archives(imagenet):
    images, places = imagenet
    assert images.num_examples == 12
    assert images.shape == (None, None, 3)
    assert images.num_classes == 1_000
    assert not images.resident
    assert standard(images).mean == (0.485, 0.456, 0.406)
    found = find_images("imagenet2012", "validation", data_dir=places["data_dir"])
    assert found.num_examples == 4


def test_images_of_many_sizes_are_streamed_at_one(imagenet):
    images, _ = imagenet
    arguments = {"batch_size": 4, "seed": 3, "input_shape": (32, 32, 3)}

    def batches(number, **more):
        dataset = pipeline.training_batches(images, standard(images), **arguments, **more)
        return list(dataset.take(number).as_numpy_iterator())

    whole = batches(6)
    for (x, y), (u, v) in zip(whole[4:], batches(2, first_step=4), strict=True):
        np.testing.assert_array_equal(x, u)
        np.testing.assert_array_equal(y, v)
    for epoch in (whole[:3], whole[3:]):
        images_seen = {image.tobytes() for x, _ in epoch for image in x}
        assert len(images_seen) == 12
        labels = np.concatenate([y for _, y in epoch])
        assert sorted(np.unique(labels, return_counts=True)[1]) == [6, 6]
    arguments["input_shape"] = (320, 320, 3)
    with pytest.raises(UserError, match="input, got smaller"), images.reading():
        batches(1)
    parts = pipeline.evaluation_batches(
        images, standard(images), batch_size=5, input_shape=(32, 32, 3)
    )
    assert sum(float(tf.reduce_sum(weights)) for _, _, weights in parts) == 12


def test_a_broken_archive_is_one_line_and_leaves_nothing(tmp_path):
    tar = tiny_imagenet(tmp_path / "tar") / "ILSVRC2012_img_train.tar"
    tar.write_bytes(tar.read_bytes()[:3_000])
    with pytest.raises(UserError, match="data set imagenet2012: expected to be prepared in"):
        find_images("imagenet2012", data_dir=str(tmp_path / "data"), manual_dir=str(tar.parent))
    left = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert {path.name for path in left} <= {".spectral_tf.lock"}


def test_archives_alone_are_not_unpacked_unasked(tmp_path):
    manual = tmp_path / "data" / "downloads" / "manual"
    manual.parent.mkdir(parents=True)
    tiny_imagenet(manual)
    with pytest.raises(UserError, match="got the archives only"):
        find_images("imagenet2012", data_dir=str(tmp_path / "data"))


def test_a_downloaded_archive_is_prepared_without_network(tmp_path):
    mocked_cifar10(tmp_path)
    images = find_images("cifar10", data_dir=str(tmp_path), download=True)
    assert (images.num_examples, images.shape) == (50, (32, 32, 3))
    assert (images.label_names[0], images.label_names[-1]) == ("airplane", "truck")
    assert standard(images).mean[0] == 0.49139968
    assert np.bincount(images.arrays()[1]).tolist() == [5] * 10
