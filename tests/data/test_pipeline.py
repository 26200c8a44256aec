import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, another_machine

from spectral_tf.data import find_images, pipeline, standard, unit
from spectral_tf.data import images as images_module
from spectral_tf.data.augment import cutout, flip, pad_and_crop
from spectral_tf.errors import UserError


@pytest.fixture(scope="module")
def patches(embedded_dir):
    return find_images("photo_patches", "train[:230]", data_dir=str(embedded_dir))


@pytest.fixture(params=["resident", "streamed"])
def images(request, patches, monkeypatch):
    """The same images kept in memory, and read from their files again and again."""
    if request.param == "streamed":
        monkeypatch.setattr(images_module, "_RESIDENT_BYTES", 0)
    assert patches.resident == (request.param == "resident")
    return patches


def batches(images, number, **arguments):
    arguments = {"batch_size": 32, "seed": 1, **arguments}
    dataset = pipeline.training_batches(images, unit(images), **arguments)
    return list(dataset.take(number).as_numpy_iterator())


def grey_levels(batch):
    return np.round(batch * 255).astype(np.uint8)


AUGMENTED = {"augmentations": [flip, pad_and_crop(4), cutout(16)]}


def test_an_epoch_is_a_permutation_less_the_last_incomplete_batch(images):
    rows = {image.tobytes(): i for i, image in enumerate(images.arrays()[0])}
    epochs = np.array(
        [
            [rows[image.tobytes()] for image in grey_levels(batch)]
            for batch, _ in batches(images, 14)
        ]
    ).reshape(2, -1)
    for order in epochs:
        assert len(set(order)) == 7 * 32
        assert abs(np.corrcoef(order, np.arange(7 * 32))[0, 1]) < 0.3
    assert np.mean(epochs[0] == epochs[1]) < 0.05
    whole = [batch for batch, _ in batches(images, 10, batch_size=23)]
    assert {image.tobytes() for image in grey_levels(np.concatenate(whole))} == set(rows)


def test_labels_stay_with_their_images(images):
    pixels, labels = images.arrays()
    of = {image.tobytes(): label for image, label in zip(pixels, labels, strict=True)}
    for batch, given in batches(images, 3):
        assert [of[image.tobytes()] for image in grey_levels(batch)] == given.tolist()
        assert batch.dtype == np.float32
        assert given.dtype == np.int32


def test_a_batch_depends_on_seed_and_step_alone(images):
    whole = batches(images, 12, **AUGMENTED)
    for first in (3, 7, 9):
        later = batches(images, 3, first_step=first, **AUGMENTED)
        for (x, y), (u, v) in zip(whole[first:], later, strict=False):
            np.testing.assert_array_equal(x, u)
            np.testing.assert_array_equal(y, v)
    assert not np.array_equal(batches(images, 1, seed=2)[0][0], batches(images, 1, seed=3)[0][0])
    tf.random.set_seed(17)  # TensorFlow's own seed has no part in it.
    np.testing.assert_array_equal(batches(images, 1, **AUGMENTED)[0][0], whole[0][0])


def test_the_parts_of_all_replicas_are_the_batch_of_one(images):
    whole = batches(images, 3, **AUGMENTED)
    split = {"num_replicas": 4, **AUGMENTED}
    hosts = [batches(images, 6, replicas=pair, **split) for pair in ((0, 1), (2, 3))]
    for step in range(3):
        parts = [part for host in hosts for part in host[2 * step : 2 * step + 2]]
        for i in range(2):
            np.testing.assert_array_equal(np.concatenate([p[i] for p in parts]), whole[step][i])


TWO_LOGICAL_CPUS = """
import functools, sys
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from spectral_tf.data import find_images, pipeline, unit
from spectral_tf.data.augment import cutout, flip
images = find_images("photo_patches", "test", data_dir=sys.argv[1])
for make in (
    functools.partial(pipeline.training_batches, seed=4, augmentations=[flip, cutout(9)]),
    pipeline.evaluation_batches,
):
    make = functools.partial(make, images, unit(images), batch_size=300)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    spread = iter(pipeline.on_replicas(strategy, make))
    for one in make().take(7):
        parts = [strategy.experimental_local_results(part) for part in next(spread)]
        for whole, halves in zip(one, parts, strict=True):
            assert [len(half) for half in halves] == [150, 150]
            np.testing.assert_array_equal(np.concatenate(halves), whole)
print("equal on one and on two")
"""


@pytest.mark.long
def test_a_strategy_gets_the_batches_of_one_device(embedded_dir):
    result = subprocess.run(
        [sys.executable, "-c", TWO_LOGICAL_CPUS, str(embedded_dir)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "equal on one and on two" in result.stdout, result.stderr[-2000:]


def test_shapes_are_static(images):
    element = pipeline.training_batches(
        images, unit(images), batch_size=32, seed=0, num_replicas=2
    ).element_spec
    assert element[0] == tf.TensorSpec((16, 32, 32, 3), tf.float32)
    assert element[1].shape == (16,)
    element = pipeline.evaluation_batches(images, unit(images), batch_size=32).element_spec
    assert [part.shape for part in element] == [(32, 32, 32, 3), (32,), (32,)]


@pytest.mark.parametrize("batch_size", [64, 230, 500])
def test_evaluation_sees_every_example_once_in_order(images, batch_size):
    normalisation = standard(images)
    pixels, labels = images.arrays()
    parts = pipeline.evaluation_batches(images, normalisation, batch_size=batch_size)
    x, y, weights = map(np.concatenate, zip(*parts.as_numpy_iterator(), strict=True))
    assert len(x) % batch_size == 0
    np.testing.assert_array_equal(weights, np.arange(len(x)) < 230)
    np.testing.assert_array_equal(y[:230], labels)
    expected = (pixels / 255 - normalisation.mean) / normalisation.deviation
    np.testing.assert_allclose(x[:230], expected, atol=1e-5)


def test_evaluation_on_replicas_covers_all(images):
    whole = pipeline.evaluation_batches(images, unit(images), batch_size=64)
    whole = [np.concatenate(part) for part in zip(*whole.as_numpy_iterator(), strict=True)]
    shares = [
        list(
            pipeline.evaluation_batches(
                images, unit(images), batch_size=64, num_replicas=2, replicas=(replica,)
            ).as_numpy_iterator()
        )
        for replica in (0, 1)
    ]
    merged = [part for step in zip(*shares, strict=True) for part in step]
    for i in range(3):
        np.testing.assert_array_equal(np.concatenate([part[i] for part in merged]), whole[i])


def test_larger_images_are_cut_to_the_centre_and_averaged(patches):
    pixels = patches.arrays()[0][:2] / np.float32(255)
    batch = next(
        iter(
            pipeline.evaluation_batches(
                patches, unit(patches), batch_size=2, input_shape=(16, 8, 3)
            )
        )
    )[0]
    # The centre is 32 x 16; each output pixel lies between the extremes of its neighbourhood.
    centre = pixels[:, :, 8:24]
    assert batch.shape == (2, 16, 8, 3)
    blocks = centre.reshape(2, 16, 2, 8, 2, 3).mean(axis=(2, 4))
    assert np.corrcoef(batch.numpy().ravel(), blocks.ravel())[0, 1] > 0.99
    assert abs(batch.numpy().mean() - centre.mean()) < 5e-3


@pytest.mark.parametrize("wanted", [(32, 32, 1), (33, 32, 3), (64, 64, 3)])
def test_images_that_do_not_fit_the_network_are_refused(wanted, patches):
    for make in (
        lambda **a: pipeline.training_batches(patches, unit(patches), seed=0, **a),
        lambda **a: pipeline.evaluation_batches(patches, unit(patches), **a),
    ):
        with pytest.raises(UserError, match="the network's input"):
            make(batch_size=4, input_shape=wanted)


@pytest.mark.parametrize(("batch_size", "replicas"), [(0, 1), (231, 1), (32, 3)])
def test_batches_that_do_not_divide_are_refused(batch_size, replicas, patches):
    with pytest.raises(UserError, match="batch_size: expected 1 to 230 images in multiples of"):
        pipeline.training_batches(
            patches, unit(patches), batch_size=batch_size, seed=0, num_replicas=replicas
        )


def test_vectors_and_unequal_images_need_a_shape(patches):
    for shape in ((64,), (None, None, 3)):
        strange = dataclasses.replace(patches, shape=shape)
        with pytest.raises(UserError, match=r"one shape \[h, w, c\]"):
            pipeline.evaluation_batches(strange, unit(patches), batch_size=4)
    with pytest.raises(UserError, match="images of one size"):
        dataclasses.replace(patches, shape=(None, None, 3)).arrays()


def is_infinite(dataset):
    return int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY


def test_training_batches_say_that_they_have_no_end(images):
    for settings in ({}, {"num_replicas": 2, "replicas": (0, 1), "first_step": 9}):
        dataset = pipeline.training_batches(images, unit(images), batch_size=32, seed=1, **settings)
        assert is_infinite(dataset)


@pytest.fixture
def sharded(tmp_path, monkeypatch):
    """240 images that are their own numbers, in 12 files of 20, read from there."""
    monkeypatch.setattr(images_module, "_RESIDENT_BYTES", 0)
    monkeypatch.setattr(pipeline, "_SHUFFLE_BUFFER", 24)
    return numbered(tmp_path)


def numbered(folder, *, in_order=True):
    """240 images that are their own numbers, in 12 files.

    TFDS reads the files of a set that was prepared in another order than its own side by side.
    """
    import tensorflow_datasets as tfds

    pixels = np.arange(240, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(4, 1).repeat(4, 2)
    tfds.dataset_builders.store_as_tfds_dataset(
        name="numbers",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(4, 4, 1), encoding_format="png"),
                "label": tfds.features.ClassLabel(num_classes=2),
            }
        ),
        split_datasets={
            "train": tf.data.Dataset.from_tensor_slices(
                {"image": pixels, "label": np.arange(240) % 2}
            )
        },
        data_dir=folder,
        disable_shuffling=in_order,
        download_config=tfds.download.DownloadConfig(num_shards=12),
    )
    found = find_images("numbers", data_dir=str(folder))
    assert found.num_files == 12
    return found


def numbers_of(images, number, **arguments):
    """The images of so many batches by their numbers, [steps, b]."""
    found = batches(images, number, **{"batch_size": 24, **arguments})
    return np.array([np.round(pixels[:, 0, 0, 0] * 255) for pixels, _ in found]).astype(int)


@pytest.mark.parametrize("in_order", [True, False])
def test_the_first_images_of_a_set_are_those_that_are_trained(in_order, tmp_path, monkeypatch):
    monkeypatch.setattr(images_module, "_RESIDENT_BYTES", 0)
    first = numbered(tmp_path, in_order=in_order).take(48)
    stored = {int(image[0, 0, 0]) for image, _ in first.dataset().as_numpy_iterator()}
    assert len(stored) == 48
    assert (stored == set(range(48))) == in_order
    assert set(numbers_of(first, 2).ravel()) == stored


def test_lanes_are_powers_of_two_that_leave_four_files_to_each(sharded):
    for num_files, batch_size, lanes in ((12, 24, 2), (16, 24, 4), (3, 24, 1), (900, 24, 8)):
        images = dataclasses.replace(sharded, num_files=num_files)
        assert pipeline.num_lanes(images, batch_size) == lanes
    assert pipeline.num_lanes(dataclasses.replace(sharded, num_files=1024), 256) == 16
    assert pipeline.num_lanes(dataclasses.replace(sharded, num_files=1024), 25) == 1


def test_every_batch_holds_a_part_of_every_lane(sharded):
    epochs = numbers_of(sharded, 20).reshape(2, 10, 24)
    for epoch in epochs:
        assert sorted(epoch.ravel()) == list(range(240))
        assert epoch[:, :12].max() == 119
        assert epoch[:, 12:].min() == 120
        for step, own in enumerate(epoch[:, :12]):  # Blocks of 12 are those of the lane here.
            assert sorted(own) == list(range(12 * step, 12 * step + 12))
    assert np.mean(epochs[0] == epochs[1]) < 0.2
    later = numbers_of(sharded, 12, first_step=7)
    np.testing.assert_array_equal(later, epochs.reshape(20, 24)[7:19])


@pytest.mark.parametrize("num_hosts", [2, 3])
def test_a_host_reads_its_own_files_alone(num_hosts, sharded):
    whole = numbers_of(sharded, 12)
    share = 24 // num_hosts
    files = sorted(Path(sharded._folder).glob("*.tfrecord-*"))
    assert len(files) == 12
    for host in range(num_hosts):
        own = whole[:, share * host : share * (host + 1)]
        needed = set(range(12)) if num_hosts == 3 and host == 1 else set(own.ravel() // 20)
        for number, file in enumerate(files):
            if number not in needed:
                file.rename(f"{file}.away")
        found = numbers_of(sharded, 12, num_replicas=num_hosts, replicas=(host,))
        np.testing.assert_array_equal(found, own)
        for file in Path(sharded._folder).glob("*.away"):
            file.rename(str(file).removesuffix(".away"))


def test_a_resumed_run_does_not_read_what_it_has_seen(sharded):
    whole = numbers_of(sharded, 10)
    for number in (0, 1, 6, 7):  # Steps 0 to 3 of both lanes are images 0 to 47 and 120 to 167.
        (file,) = Path(sharded._folder).glob(f"*.tfrecord-{number:05d}-of-*")
        file.unlink()
    np.testing.assert_array_equal(numbers_of(sharded, 5, first_step=4), whole[4:9])


READ = """
import sys
from spectral_tf.data import find_images, standard
images = find_images("photo_patches", data_dir="here")
pixels, labels = images.arrays()
print(len(pixels), len(labels), len(images.clusters()), *standard(images).mean)
"""


@pytest.mark.long
def test_images_are_read_on_this_host_whatever_the_default_device(embedded_dir, tmp_path):
    here, there = tmp_path / "mine", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "here").symlink_to(embedded_dir)  # Which the other machine does not have.
    with another_machine(there) as (machine,):
        result = subprocess.run(
            [sys.executable, "-c", machine.before + READ],
            cwd=here,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
            capture_output=True,
            text=True,
            timeout=300,
        )
    whole = find_images("photo_patches", data_dir=str(embedded_dir))
    told = [len(whole.arrays()[0])] * 3 + list(standard(whole).mean)
    assert result.stdout.split() == [str(x) for x in told], result.stderr[-2000:]
