import dataclasses
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import types

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spectral_tf.data import find_images, preparing
from spectral_tf.errors import UserError


def test_embedded_digits_are_scikit_learns(embedded_dir):
    from sklearn.datasets import load_digits

    train, test = (find_images("digits", s, data_dir=str(embedded_dir)) for s in ("train", "test"))
    assert (train.num_examples, test.num_examples) == (1437, 360)
    assert train.shape == (8, 8, 1)
    assert train.label_names == tuple("0123456789")
    assert "not MNIST" in train.title
    assert "not MNIST" in train.record()["dataset"]
    images, labels = test.arrays()
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    # TFDS stores in an order of its own: compare as sets.
    theirs = load_digits()
    expected = np.round(theirs.images[1437:] * 255 / 16).astype(np.uint8)
    rows = {(*image.ravel(), label) for image, label in zip(images, labels, strict=True)}
    assert rows == {
        (*image.ravel(), label) for image, label in zip(expected, theirs.target[1437:], strict=True)
    }


def test_bars_of_tfds_are_as_they_were(embedded_dir, tmp_path, monkeypatch):
    from tensorflow_datasets.core.utils import tqdm_utils

    monkeypatch.setattr(tqdm_utils, "_active", True)
    find_images("digits", data_dir=str(embedded_dir))
    assert tqdm_utils._active, "somebody's own data sets show theirs"
    seen = []
    builder = types.SimpleNamespace(
        name="mine", download_and_prepare=lambda **_: seen.append(tqdm_utils._active)
    )
    preparing._build(builder, "mine", tmp_path, tmp_path)
    assert seen == [False], "nobody has asked for progress"
    assert tqdm_utils._active


def test_slices_and_a_second_reading_have_the_same_order(embedded_dir):
    whole, labels = find_images("digits", data_dir=str(embedded_dir)).arrays()
    part, part_labels = find_images("digits", "train[100:150]", data_dir=str(embedded_dir)).arrays()
    np.testing.assert_array_equal(part, whole[100:150])
    np.testing.assert_array_equal(part_labels, labels[100:150])


def test_real_mnist_has_the_protocols_counts(mnist_dir):
    images = find_images("mnist", data_dir=str(mnist_dir))
    pixels, labels = images.arrays()
    assert pixels.shape == (60_000, 28, 28, 1)
    assert (np.sum(labels == 3), np.sum(labels == 8)) == (6_131, 5_851)
    # The order of the published files, with the images at their labels.
    assert labels[:12].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5]
    stored, _ = find_images("mnist", "train[:3]", data_dir=str(mnist_dir)).arrays()
    whole = {image.tobytes(): label for image, label in zip(pixels, labels, strict=True)}
    _, stored_labels = find_images("mnist", "train[:3]", data_dir=str(mnist_dir)).arrays()
    assert [whole[image.tobytes()] for image in stored] == stored_labels.tolist()
    _, test_labels = find_images("mnist", "test", data_dir=str(mnist_dir)).arrays()
    assert test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


@pytest.mark.parametrize(
    ("name", "split", "line"),
    [
        ("cifr10", "train", "did you mean cifar10"),
        ("", "train", "got nothing"),
        ("mnist:9.9.9", "train", "a name, config and version that TFDS knows, got mnist:9.9.9"),
        ("imagenette/nosuch", "train", "a name, config and version that TFDS knows"),
        ("glue", "train", "a data set of images with one label each, got glue with"),
        ("digits", "valid", "expected train, test, or a slice"),
        ("digits", "train[:80%", "expected train, test, or a slice"),
        ("digits", "train[5:5]", "at least one example, got none in train[5:5]"),
        ("files/mine.csv", "train", "target is lf_first.py --target=csv:files/mine.csv"),
        ("digits.npz", "train", "got digits.npz; say --dataset=npz:digits.npz"),
    ],
)
def test_wrong_names_and_splits_get_one_line(name, split, line, embedded_dir):
    with pytest.raises(UserError) as caught:
        find_images(name, split, data_dir=str(embedded_dir))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_data_are_answered_with_the_two_ways_out(tmp_path):
    with pytest.raises(UserError) as caught:
        find_images("cifar10", data_dir=str(tmp_path))
    line = str(caught.value)
    assert f"a prepared copy in {tmp_path}/cifar10/3.0.2, got none" in line
    assert "--download" in line
    assert "`tfds build cifar10 --data_dir=DIR`, copy DIR/cifar10/3.0.2 here" in line
    assert "TFDS_DATA_DIR" in line
    assert not list(tmp_path.iterdir())


def test_another_version_that_is_there_is_named(tmp_path):
    (tmp_path / "cifar10" / "2.0.0").mkdir(parents=True)
    with pytest.raises(UserError, match=r"got none, only cifar10/2.0.0"):
        find_images("cifar10", data_dir=str(tmp_path))


def test_a_download_without_network_tries_one_host_once(tmp_path, monkeypatch):
    tried = []

    def connect(address, timeout):
        tried.append((address, timeout))
        raise OSError("no route to host")

    monkeypatch.setattr(socket, "create_connection", connect)
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    with pytest.raises(UserError) as caught:
        find_images("cifar10", data_dir=str(tmp_path), download=True)
    assert tried == [(("www.cs.toronto.edu", 443), 3.0)]
    assert "an answer from www.cs.toronto.edu, got neither (no route to host)" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_download_whose_name_is_never_resolved_ends(tmp_path, monkeypatch):
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    import threading

    monkeypatch.setattr(preparing, "_CONNECT_SECONDS", 0.01)
    monkeypatch.setattr(
        socket, "create_connection", lambda address, timeout: threading.Event().wait()
    )
    with pytest.raises(UserError, match="got neither"):
        find_images("cifar10", data_dir=str(tmp_path), download=True)


@pytest.mark.parametrize(
    ("split", "file"),
    [("train", "ILSVRC2012_img_train.tar"), ("validation[:10]", "ILSVRC2012_img_val.tar")],
)
def test_imagenet_without_its_archives_names_them_and_their_place(split, file, tmp_path):
    with pytest.raises(UserError) as caught:
        find_images("imagenet2012", split, data_dir=str(tmp_path), manual_dir=str(tmp_path / "tar"))
    line = str(caught.value)
    assert f"archives in {tmp_path}/tar ({file}), got no copy and no {file}" in line
    assert "--manual_dir" in line


def test_a_set_of_an_older_version_is_not_taken_for_the_new_one(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    from spectral_tf.data import embedded

    with monkeypatch.context() as before:
        before.setattr(embedded.PhotoPatches, "VERSION", tfds.core.Version("1.0.0"))
        before.setattr(embedded, "CROPS", {"train": 5, "test": 5})
        assert find_images("photo_patches", data_dir=str(tmp_path)).version == "photo_patches/1.0.0"
    # As the first version was: without squares.
    old = tmp_path / "photo_patches" / "1.0.0"
    features = json.loads((old / "features.json").read_text())
    del features["featuresDict"]["features"]["square"]
    (old / "features.json").write_text(json.dumps(features))
    images = find_images("photo_patches", data_dir=str(tmp_path))
    assert (images.version, images.num_examples) == ("photo_patches/2.0.0", 10_000)
    assert {path.name for path in old.parent.iterdir()} == {"1.0.0", "2.0.0"}
    with pytest.raises(UserError) as caught:
        find_images("photo_patches:1.0.0", data_dir=str(tmp_path))
    assert "tells the square of each image, got photo_patches/1.0.0" in str(caught.value)
    assert "2.0.0" in embedded.PhotoPatches.RELEASE_NOTES


def test_clusters_are_in_the_order_of_the_arrays(embedded_dir):
    def squares(split):
        return find_images("photo_patches", split, data_dir=str(embedded_dir))

    whole = squares("test")
    numbers, labels = whole.clusters(), whole.arrays()[1]
    assert_array_equal(numbers // 1_000, labels)
    assert_array_equal(squares("test[:50%]").clusters(), numbers[:1_000])
    assert_array_equal(squares("test[300:310]").clusters(), numbers[300:310])
    assert_array_equal(whole.take(7).clusters(), numbers[:7])
    assert_array_equal(whole.take(70).take(7).clusters(), numbers[:7])
    assert_array_equal(squares("test[50%:]").take(7).clusters(), numbers[1_000:1_007])
    merged = whole.merged([0] * 5 + [1] * 5)
    assert_array_equal(merged.clusters(), numbers)
    assert_array_equal(merged.take(7).clusters(), numbers[:7])
    assert whole.record()["num_clusters"] == 730
    assert whole.take(300).record()["num_clusters"] == len(set(numbers[:300])) < 300
    assert "num_clusters" not in whole.take(1).record()
    numbers[:] = -1  # The caller's own.
    assert whole.clusters().min() >= 0


def test_where_nothing_is_known_each_image_is_a_cluster(embedded_dir, tmp_path):
    digits = find_images("digits", "test[:50%]", data_dir=str(embedded_dir))
    own = find_images(save(tmp_path / "own.npz", x=X, y=Y))
    for images in (digits, digits.take(9), own):
        assert_array_equal(images.clusters(), np.arange(images.num_examples))
        assert images.clusters().dtype == np.int64
        assert "num_clusters" not in images.record()


def test_clusters_are_read_without_decoding(embedded_dir, monkeypatch):
    import tensorflow_datasets as tfds

    images = find_images("photo_patches", "test", data_dir=str(embedded_dir))
    monkeypatch.setattr(tfds.features.Image, "decode_example", lambda *_: 1 / 0)
    assert images.clusters().shape == (2_000,)
    assert images.record()["num_clusters"] == 730
    with pytest.raises(ZeroDivisionError):
        images.arrays()


def test_tensorflow_is_not_needed_to_find_or_to_refuse(embedded_dir):
    code = (
        "import sys; from spectral_tf.data import find_images\n"
        f"images = find_images('digits', data_dir={str(embedded_dir)!r})\n"
        f"try: find_images('cifar10', data_dir={str(embedded_dir)!r})\n"
        "except ValueError as error: print(images.num_examples, 'tensorflow' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "1437 False\n", result.stderr


def copy_of_digits(embedded_dir, tmp_path):
    shutil.copytree(embedded_dir / "digits", tmp_path / "digits")
    folder = tmp_path / "digits" / "1.0.0"
    return folder, folder / "digits-train.tfrecord-00000-of-00001"


def test_a_missing_or_truncated_file_is_seen_without_reading(embedded_dir, tmp_path):
    folder, file = copy_of_digits(embedded_dir, tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[:-10])
    with pytest.raises(UserError, match=r"expected whole files, got .*truncated"):
        find_images("digits", data_dir=str(tmp_path))
    file.unlink()
    with pytest.raises(UserError, match=r"expected whole files, got .* is missing"):
        find_images("digits", "test", data_dir=str(tmp_path))
    assert folder.is_dir()


def test_a_corrupt_record_is_one_line_when_it_is_read(embedded_dir, tmp_path):
    folder, file = copy_of_digits(embedded_dir, tmp_path)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    images = find_images("digits", data_dir=str(tmp_path))
    with pytest.raises(UserError) as caught:
        images.arrays()
    assert f"expected whole files, got {folder} (" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_half_an_embedded_set_is_prepared_anew(embedded_dir, tmp_path):
    folder, _ = copy_of_digits(embedded_dir, tmp_path)
    (folder / "dataset_info.json").unlink()
    (tmp_path / "digits" / "incomplete.KILLED_1.0.0").mkdir()
    images = find_images("digits", data_dir=str(tmp_path))
    assert images.arrays()[0].shape == (1437, 8, 8, 1)
    assert {path.name for path in (tmp_path / "digits").iterdir()} == {"1.0.0"}


def test_half_a_set_that_is_not_ours_is_named(tmp_path):
    (tmp_path / "cifar10" / "3.0.2").mkdir(parents=True)
    with pytest.raises(UserError, match=r"3.0.2 \(dataset_info.json is missing\); remove"):
        find_images("cifar10", data_dir=str(tmp_path))


@pytest.mark.long
def test_two_processes_prepare_once_and_both_read(tmp_path):
    code = (
        "from absl import logging; logging.set_verbosity(logging.INFO)\n"
        "from spectral_tf.data import find_images\n"
        f"print(find_images('digits', data_dir={str(tmp_path)!r}).arrays()[0].sum())"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    totals = {output.splitlines()[-1] for output, _ in outputs}
    prepared = sum("preparing the data set" in errors for _, errors in outputs)
    assert len(totals) == prepared == 1, outputs
    assert not any("Downloading" in output for output, _ in outputs), "nothing is downloaded"


def test_a_folder_that_is_no_data_set_is_not_to_be_removed(tmp_path):
    (tmp_path / "downloads").mkdir()
    with pytest.raises(UserError, match="dataset: expected a TFDS name") as caught:
        find_images("downloads", data_dir=str(tmp_path))
    assert "remove" not in str(caught.value)


def test_a_description_cut_off_is_told_in_a_line(tmp_path):
    find_images("digits", data_dir=str(tmp_path))
    file = next(tmp_path.glob("digits/*/dataset_info.json"))
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(UserError, match="dataset_info.json is cut off"):
        find_images("digits", data_dir=str(tmp_path))


def test_an_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a folder that can be written, to prepare it in"):
        find_images("digits", data_dir=str(tmp_path / "file"))


def test_what_fails_while_preparing_leaves_nothing(tmp_path, monkeypatch):
    from spectral_tf.data import embedded

    monkeypatch.setattr(embedded, "crops", lambda *_: 1 / 0)
    with pytest.raises(UserError, match="to be prepared in .* got ZeroDivisionError"):
        find_images("photo_patches", data_dir=str(tmp_path))
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name[0] != "."]


X, Y = np.arange(4 * 6, dtype=np.uint8).reshape(4, 2, 3), np.array([0, 1, 1, 2])


def save(path: pathlib.Path, **arrays) -> str:
    np.savez(path, **arrays)
    return f"npz:{path}"


def test_own_arrays_come_back_as_they_are(tmp_path):
    images = find_images(save(tmp_path / "own.npz", x=X, y=Y))
    assert images.shape == (2, 3, 1)
    assert (images.num_examples, images.num_classes) == (4, 3)
    assert len(images.version) == 64
    pixels, labels = images.arrays()
    np.testing.assert_array_equal(pixels[..., 0], X)
    np.testing.assert_array_equal(labels, Y)
    floats = find_images(save(tmp_path / "floats.npz", x=X.reshape(4, 6) / 255, y=Y))
    assert floats.shape == (6,)
    assert floats.arrays()[0].dtype == np.float32


def test_own_clusters_come_back_with_their_images(tmp_path):
    clusters, small = np.array([5, -2, 5, 2**40]), np.array([0, 3, 3, 1], np.uint8)
    name = save(
        tmp_path / "own.npz", x=X, y=Y, clusters=clusters, x_test=X, y_test=Y, clusters_test=small
    )
    train, test = find_images(name), find_images(name, "test")
    assert_array_equal(train.clusters(), clusters)
    assert_array_equal(test.clusters(), small)
    assert train.clusters().dtype == test.clusters().dtype == np.int64
    assert train.record()["num_clusters"] == test.record()["num_clusters"] == 3
    assert_array_equal(train.take(2).clusters(), [5, -2])
    # The order of the arrays, whatever it is.
    published = dataclasses.replace(train, _published_order=lambda: np.array([3, 0, 2, 1]))
    assert_array_equal(published.arrays()[1], [2, 0, 1, 1])
    assert_array_equal(published.clusters(), [2**40, 5, 5, -2])


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"x": X, "y": Y, "clusters": Y[:3]}, "clusters of shape [4], one number for each image"),
        ({"x": X, "y": Y, "clusters": np.eye(4, dtype=int)}, "for each image, got [4, 4]"),
        ({"x": X, "y": Y, "clusters": Y / 2}, "clusters of whole numbers below 2^63, got float64"),
        ({"x": X, "y": Y, "clusters": Y > 0}, "clusters of whole numbers below 2^63, got bool"),
        ({"x": X, "y": Y, "clusters": Y.astype(np.uint64) + 2**63}, "below 2^63, got uint64"),
        ({"x": X, "y": Y, "clusters": np.full(4, None)}, "Object arrays cannot be loaded"),
        (
            {"x": X, "y": Y, "x_test": X, "y_test": Y, "clusters_test": Y[:0]},
            "clusters_test of shape [4], one number for each image, got [0]",
        ),
        ({"x": X}, "with known names (x/y, x_train/y_train, train_images/train_labels, "),
        ({"a": X, "b": Y}, "got a, b; save them by such names: np.savez(PATH, x=..., y=..."),
        ({"x": X, "X": X, "y": Y}, "of train once, got x and y beside X and y; leave one out"),
        ({"x": X, "y": Y[:3]}, "y of shape [4], one label for each image, got [3]"),
        ({"x": np.array([None]), "y": Y[:1]}, "Object arrays cannot be loaded"),
        ({"x": X.astype(str), "y": Y}, "other whole numbers, booleans, or floats, got x of <U3"),
        ({"x": X, "y": -Y}, "whole labels from 0 to 99,999"),
        ({"x": X[0, 0], "y": Y[:3]}, "x of shape [n, d], [n, h, w] or [n, h, w, c], got (3,)"),
        ({"x": X[:0], "y": Y[:0]}, "x of shape [n, d]"),
    ],
)
def test_wrong_arrays_get_one_line(arrays, line, tmp_path):
    with pytest.raises(UserError) as caught:
        find_images(save(tmp_path / "own.npz", **arrays))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"junk", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_npz_gets_one_line(content, tmp_path):
    path = tmp_path / "own.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="a readable npz file"):
        find_images(f"npz:{path}")
