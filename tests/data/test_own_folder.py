"""Folders of pictures, with one sub-folder for each class."""

import os
import pathlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from spectral_tf.data import find_images, labels_of, pipeline, select, unit
from spectral_tf.errors import UserError


def picture(number, shape=(6, 5, 3)):
    """Pixels that differ from picture to picture."""
    return np.random.default_rng(number).integers(0, 256, size=shape, dtype=np.uint8)


def write(path, numbers, suffix="png", **more):
    path.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(picture(number, **more)).save(path / f"{number:03}.{suffix}")


def with_splits(path, **more):
    for i, split in enumerate(("train", "val", "test")):
        for j, name in enumerate(("cat", "dog")):
            first = 100 * i + 10 * j
            write(path / split / name, range(first, first + 5 - i), **more)
    return path


def line_of(path, split="train"):
    with pytest.raises(UserError) as caught:
        find_images(f"folder:{path}", split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_classes_alone_are_the_split_train(tmp_path):
    write(tmp_path / "b", range(3))
    write(tmp_path / "a", range(10, 15))
    (tmp_path / ".git").mkdir()
    write(tmp_path / ".git", [99])
    (tmp_path / "a" / ".hidden.png").write_text("no picture")
    images = find_images(f"folder:{tmp_path}")
    assert (images.num_examples, images.shape, images.num_classes) == (8, (6, 5, 3), 2)
    assert images.label_names == ("a", "b")
    assert images.record()["class_names"] == ["a", "b"]
    pixels, labels = images.arrays()
    assert_array_equal(labels, [0] * 5 + [1] * 3)
    for found, number in zip(pixels, [*range(10, 15), *range(3)], strict=True):
        assert_array_equal(found, picture(number))
    part = find_images(f"folder:{tmp_path}", "train[:50%]")
    rest = find_images(f"folder:{tmp_path}", "train[50%:]")
    together = np.concatenate([part.arrays()[0], rest.arrays()[0]])
    assert len(part.arrays()[0]) == 4
    assert {p.tobytes() for p in together} == {p.tobytes() for p in pixels}
    drawn = find_images(f"folder:{tmp_path}", order_seed=4)
    assert_array_equal(drawn.arrays()[0], pixels[drawn.own.numbers])
    assert_array_equal(drawn.arrays()[1], labels[drawn.own.numbers])
    assert_array_equal(labels_of(drawn.take(3)), labels[drawn.own.numbers[:3]])


def test_splits_are_folders_with_the_same_classes(tmp_path):
    name = f"folder:{with_splits(tmp_path, shape=(6, 5))}"
    for split, first, count in (
        *(("train", 0, 5), ("val", 100, 4), ("validation", 100, 4), ("test", 200, 3)),
    ):
        images = find_images(name, split)
        assert (images.num_examples, images.shape) == (2 * count, (6, 5, 1))
        assert_array_equal(images.arrays()[0][0, ..., 0], picture(first, (6, 5)))
        assert_array_equal(images.arrays()[1], [0] * count + [1] * count)
    assert find_images(name, "all").num_examples == 24
    assert "expected test, train, validation, or a slice" in line_of(tmp_path, "extra")


def test_every_kind_of_file_is_decoded(tmp_path):
    for i, suffix in enumerate(("png", "bmp", "gif", "jpg", "JPEG")):
        (tmp_path / "a").mkdir(exist_ok=True)
        # Of few colours and flat, so that no format loses anything visible.
        flat = np.full((6, 5, 3), 50 * i, np.uint8)
        Image.fromarray(flat).save(tmp_path / "a" / f"{i}.{suffix}")
    write(tmp_path / "b", [7], shape=(6, 5))
    Image.fromarray(picture(8, (6, 5, 4))).save(tmp_path / "b" / "008.png")
    pixels, _ = find_images(f"folder:{tmp_path}").arrays()
    assert pixels.shape == (7, 6, 5, 3)
    for i, found in enumerate(pixels[:5]):
        assert np.abs(found.astype(int) - 50 * i).max() <= 1
    assert_array_equal(pixels[5], np.repeat(picture(7, (6, 5))[..., np.newaxis], 3, axis=-1))
    assert_array_equal(pixels[6], picture(8, (6, 5, 4))[..., :3])


def test_grey_images_stay_grey_whatever_the_format(tmp_path):
    for suffix in ("png", "bmp"):
        write(tmp_path / "a", [1], suffix, shape=(6, 5))
    deep = (257 * np.arange(30).reshape(6, 5)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a" / "deep.png")
    pixels, _ = find_images(f"folder:{tmp_path}").arrays()
    assert pixels.shape == (3, 6, 5, 1)
    assert_array_equal(pixels[0, ..., 0], picture(1, (6, 5)))
    assert_array_equal(pixels[1], pixels[0])
    assert_array_equal(pixels[2, ..., 0], np.arange(30).reshape(6, 5))


def test_the_first_picture_of_a_film_is_taken(tmp_path):
    (tmp_path / "a").mkdir()
    frames = [Image.fromarray(np.full((6, 5), 60 * i, np.uint8)) for i in range(3)]
    frames[0].save(tmp_path / "a" / "film.gif", save_all=True, append_images=frames[1:])
    pixels, _ = find_images(f"folder:{tmp_path}").arrays()
    assert pixels.shape == (1, 6, 5, 3)
    assert pixels.max() == 0


def test_images_of_many_sizes_are_brought_to_the_networks(tmp_path):
    write(tmp_path / "a", range(4), shape=(6, 8, 3))
    write(tmp_path / "b", range(4, 8), shape=(12, 8, 3))
    images = find_images(f"folder:{tmp_path}", order_seed=1)
    assert images.shape == (None, 8, 3)
    assert not images.resident
    with pytest.raises(UserError, match="expected images of one size"):
        images.arrays()
    assert sorted(labels_of(images)) == [0] * 4 + [1] * 4
    chosen = select(images, range(8), (6, 8, 3))
    for place, number in enumerate(images.own.numbers):
        if number < 4:
            assert_array_equal(chosen.pixels[place], picture(number, (6, 8, 3)))
    batches = pipeline.training_batches(
        images, unit(images), batch_size=4, seed=0, input_shape=(6, 8, 3)
    )
    seen = [labels for _, labels in batches.take(2)]
    assert sorted(np.concatenate(seen)) == [0] * 4 + [1] * 4


def test_the_version_is_of_names_and_sizes(tmp_path):
    def version():
        return find_images(f"folder:{tmp_path}").version

    write(tmp_path / "a", range(3))
    first = version()
    assert first == version()
    os.rename(tmp_path / "a" / "002.png", tmp_path / "a" / "009.png")
    second = version()
    (tmp_path / "a" / "009.png").write_bytes((tmp_path / "a" / "009.png").read_bytes() + b" ")
    assert len({first, second, version()}) == 3


def test_few_files_that_cannot_be_read_are_left_out_and_many_are_refused(tmp_path, caplog):
    write(tmp_path / "a", range(99))
    (tmp_path / "a" / "notes.txt").write_text("no picture, and not meant to be one")
    (tmp_path / "a" / "050_broken.png").write_text("no picture")
    images = find_images(f"folder:{tmp_path}")
    record = images.record()
    assert (images.num_examples, record["unreadable"], record["files_left_out"]) == (99, 1, 1)
    assert "1 images that cannot be read are left out" in caplog.text
    assert "1 files that are no images are left out" in caplog.text
    Image.fromarray(picture(1)).save(tmp_path / "a" / "other.tif")
    line = line_of(tmp_path)
    assert "at most 1% of the images that cannot be read, got 2 of 101, the first is a/050" in line
    (tmp_path / "a" / "050_broken.png").unlink()
    (tmp_path / "a" / "other.tif").unlink()
    (tmp_path / "a" / "link.png").symlink_to("nowhere")
    assert find_images(f"folder:{tmp_path}").record()["unreadable"] == 1
    # TensorFlow would take the numbers of its colours for colours.
    Image.fromarray(picture(1)).convert("P").save(tmp_path / "a" / "palette.bmp")
    assert "got 2 of 101, the first is a/link.png (FileNotFoundError)" in line_of(tmp_path)


def test_what_turns_out_to_be_broken_is_one_line(tmp_path):
    write(tmp_path / "a", range(3))
    file = tmp_path / "a" / "001.png"
    file.write_bytes(file.read_bytes()[:60])
    images = find_images(f"folder:{tmp_path}")
    with pytest.raises(UserError) as caught:
        images.arrays()
    assert f"images of folder:{tmp_path}: expected files that can be decoded" in str(caught.value)
    assert "\n" not in str(caught.value)


def a_file(path):
    (path / "x").write_text("")
    return path / "x"


def no_images(path):
    for name in "ab":
        (path / "train" / name).mkdir(parents=True)
    return path


def flat(path):
    write(path, [1])
    return path


def deep(path):
    write(path / "train" / "a" / "b", [1])
    return path


def two_depths(path):
    write(with_splits(path) / "test", [900])
    return path


def other_classes(path):
    write(with_splits(path) / "test" / "cow", [900])
    return path


def an_empty_class(path):
    (with_splits(path) / "train" / "cow").mkdir()
    return path


def a_split_twice(path):
    for name in ("cat", "dog"):
        write(with_splits(path) / "valid" / name, [900])
    return path


MISTAKES = {
    a_file: "expected a folder with PATH/CLASS/*.png, or PATH/SPLIT/CLASS/*.png with splits such "
    "as train and test, got a file",
    (lambda path: path / "no"): "got no such folder",
    (lambda path: path): "expected images: PATH/CLASS/*.png",
    no_images: "expected images: PATH/CLASS/*.png",
    flat: "got 001.png; move the others away",
    deep: "got train/a/b/001.png; move the others away",
    two_depths: "got test/900.png and test/cat/200.png; move the others away, or name the folder",
    other_classes: "the same classes in all splits, got cow in only one of test and train",
    an_empty_class: "in the folder of every class, got none in train/cow; remove it",
    a_split_twice: "every split once, got test, train, val, valid; val and valid are validation",
}


@pytest.mark.parametrize("make", MISTAKES, ids=lambda make: make.__name__)
def test_folders_of_another_form_get_one_line(make, tmp_path):
    assert MISTAKES[make] in line_of(make(pathlib.Path(tmp_path)))
