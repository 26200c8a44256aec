"""One's own images, from a folder with one sub-folder for each class."""

import collections
import functools
import hashlib
import os
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import logging
from numpy.typing import NDArray

from spectral_tf.data.images import TOLERATED
from spectral_tf.data.own_images import OwnImages, split_name
from spectral_tf.errors import UserError
from spectral_tf.progress import track
from spectral_tf.storage import as_path, is_local

# Endings of the files that TensorFlow decodes, and how Pillow calls what is in them.
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
_FORMATS = ("PNG", "JPEG", "MPO", "BMP", "GIF")
# Endings of other images, which would be missing if they were only left out.
_OTHERS = (".tif", ".tiff", ".webp", ".heic", ".avif", ".jp2", ".ppm", ".pgm", ".tga", ".ico")
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "F")
# Folders between PATH and its images: one for each class, perhaps one for each split, none more.
_DEEPEST = 3
_FORM = "PATH/CLASS/*.png, or PATH/SPLIT/CLASS/*.png with splits such as train and test"


class _File(NamedTuple):
    """Of a folder: its path within it, split by slashes, and its size in bytes."""

    parts: tuple[str, ...]
    size: int


class _Header(NamedTuple):
    """What is known of an image that has not been decoded."""

    height: int
    width: int
    grey: bool


def find_folder(name: str) -> OwnImages:
    """The images of `folder:PATH`, with one sub-folder for each class.

    Classes lie in PATH, which then is the split `train`, or in sub-folders of it, which are the
    splits. Files are PNG, JPEG, BMP or GIF (the first picture); 8 bits are read of 16, transparency
    is dropped, and an orientation that a camera has noted is not applied. Images are grey if all
    are, else coloured. Classes are numbered in the order of their names. Hidden files, and those
    that are no images by their ending, do not count. Here every header is read, in about 0.1 ms;
    images are decoded when they are needed.

    `Images.version` is the SHA-256 of names and sizes of all files.

    `tfds.folder_dataset.ImageFolder` reads such folders, too, but knows no slices, no bytes that
    are not decoded yet, and no classes without splits.

    Args:
      name: `folder:PATH`.

    Raises:
      UserError: no such folder, no images in it, images at several depths, splits whose classes
        differ, a class without images, or more than 1 % of the images that cannot be read.
    """
    given = as_path(name.removeprefix("folder:"), "dataset")
    if not is_local(given):
        raise UserError(
            name,
            expected="a folder of this machine",
            got="a bucket",
            hint="mount it, or save its images with np.savez and say --dataset=npz:PATH",
        )
    path = pathlib.Path(given)
    if not path.is_dir():
        what = "a file" if path.exists() else "no such folder"
        raise _refusal(path, f"a folder with {_FORM}", what, "name the folder that holds them")
    return _read(name, path, tuple(_walk(path)))


def _refusal(path: pathlib.Path, expected: str, got: str, hint: str) -> UserError:
    return UserError(f"folder:{path}", expected=expected, got=got, hint=hint)


def _walk(top: pathlib.Path) -> list[_File]:
    """All files that are not hidden, sorted; of empty folders one without a name."""

    def refuse(error: OSError) -> None:
        raise _refusal(
            top, "folders that can be read", f"{error.filename} ({error.strerror})", "mend that"
        ) from error

    found = []
    for folder, folders, files in os.walk(top, onerror=refuse, followlinks=True):
        within = pathlib.Path(folder).relative_to(top).parts
        folders[:] = [name for name in folders if name[0] != "." and len(within) < _DEEPEST]
        visible = [name for name in files if name[0] != "."]
        for name in visible:
            file = os.path.join(folder, name)
            # A link that leads nowhere is found out when it is opened.
            size = os.stat(file).st_size if os.path.exists(file) else 0
            found.append(_File((*within, name), size))
        if not visible and not folders:
            found.append(_File((*within, ""), 0))
    return sorted(found)


@functools.lru_cache(maxsize=1)
def _read(name: str, path: pathlib.Path, listed: tuple[_File, ...]) -> OwnImages:
    """Reads the headers of the files that are listed."""
    files = [file for file in listed if file.parts[-1].lower().endswith(_SUFFIXES + _OTHERS)]
    depth = _depth(path, files)
    # In the order of splits, then of classes, then of names.
    by_split: dict[str, list[_File]] = collections.defaultdict(list)
    for file in files:
        by_split["train" if depth == 2 else split_name(file.parts[0])].append(file)
    if depth == 3 and len(by_split) < len({file.parts[0] for file in files}):
        raise _refusal(
            path,
            "every split once",
            ", ".join(sorted({file.parts[0] for file in files})),
            "val and valid are validation, training is train, testing is test: leave one",
        )
    folders = {file.parts[: depth - 1] for file in listed if len(file.parts) >= depth}
    label_names = _classes(path, folders, files, depth)
    headers = _headers(path, [file for own in by_split.values() for file in own])
    ignored = sum(file.parts[-1] != "" for file in listed) - len(files)
    if ignored:
        logging.warning("%s: %d files that are no images are left out", name, ignored)
    readable = {split: [f for f in own if f in headers] for split, own in by_split.items()}
    chosen = [file for own in readable.values() for file in own]
    labels = np.array([label_names.index(file.parts[-2]) for file in chosen], np.int64)
    grey = all(header.grey for header in headers.values())
    sides = [{h.height for h in headers.values()}, {h.width for h in headers.values()}]
    shape = (*(side.pop() if len(side) == 1 else None for side in sides), 1 if grey else 3)
    places = np.array([os.fsencode(path.joinpath(*file.parts)) for file in chosen])

    def decode(encoded: Any) -> Any:
        import tensorflow as tf

        # Not all formats are decoded to one channel. Those of grey images are all the same.
        pixels = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return tf.ensure_shape(pixels[..., : shape[-1]], shape)

    def opened(numbers: NDArray[np.int64], decoded: bool) -> Any:
        import tensorflow as tf

        encoded = tf.data.Dataset.from_tensor_slices(places[numbers]).map(
            tf.io.read_file, tf.data.AUTOTUNE
        )
        return encoded.map(decode, tf.data.AUTOTUNE) if decoded else encoded

    told = "\n".join(f"{'/'.join(file.parts)}\t{file.size}" for file in listed)
    return OwnImages(
        name=name,
        sizes={split: len(own) for split, own in readable.items()},
        shape=shape,
        labels=labels,
        label_names=tuple(label_names),
        clusters={},
        version=hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest(),
        path=path,
        notes={
            "class_names": label_names,
            **({"files_left_out": ignored} if ignored else {}),
            **({"unreadable": len(files) - len(chosen)} if len(files) > len(chosen) else {}),
        },
        in_memory=False,
        open=opened,
        decode=decode,
        size=lambda number: chosen[number].size,
        content=lambda number: path.joinpath(*chosen[number].parts).read_bytes(),
    )


def _depth(path: pathlib.Path, files: Sequence[_File]) -> int:
    """Parts of every image's path: 2 with classes alone, 3 with splits."""
    depths: dict[int, _File] = {}
    for file in files:
        depths.setdefault(len(file.parts), file)
    if not depths:
        raise _refusal(path, f"images: {_FORM}", "none", "name the folder that holds them")
    if len(depths) > 1 or not {2, 3} & depths.keys():
        some = " and ".join("/".join(depths[depth].parts) for depth in sorted(depths))
        raise _refusal(
            path,
            _FORM,
            some,
            "move the others away, or name the folder of one split, such as folder:PATH/train",
        )
    return depths.popitem()[0]


def _classes(
    path: pathlib.Path, folders: set[tuple[str, ...]], files: Sequence[_File], depth: int
) -> list[str]:
    """The names of the classes, sorted, the same in all splits."""
    if empty := folders - {file.parts[:-1] for file in files}:
        raise _refusal(
            path,
            f"{', '.join(_SUFFIXES)} in the folder of every class",
            f"none in {'/'.join(min(empty))}",
            "remove it, or convert what it holds",
        )
    classes: dict[str, set[str]] = collections.defaultdict(set)
    for folder in folders:
        classes[folder[0] if depth == 3 else ""].add(folder[-1])
    first = classes[min(classes)]
    for split, own in sorted(classes.items()):
        if own != first:
            raise _refusal(
                path,
                "the same classes in all splits",
                f"{', '.join(sorted(own ^ first)[:5])} in only one of {min(classes)} and {split}",
                "give every split a folder for each class, with images",
            )
    return sorted(first)


def _headers(path: pathlib.Path, files: Sequence[_File]) -> dict[_File, _Header]:
    """Of the images that can be read, which are nearly all."""
    from PIL import Image

    found, failed = {}, []
    for file in track(files, "image file"):
        try:
            with Image.open(path.joinpath(*file.parts)) as image:
                width, height = image.size
                # TensorFlow takes the numbers of colours for colours.
                palette = image.format == "BMP" and image.mode in ("1", "P")
                if image.format in _FORMATS and not palette:
                    found[file] = _Header(height, width, image.mode in _GREY)
                    continue
                failed.append((file, f"{image.format} of mode {image.mode}"))
        except Exception as error:  # Foreign code reads foreign files: anything may come.
            failed.append((file, type(error).__name__))
    if len(failed) > TOLERATED * len(files):
        file, why = failed[0]
        raise _refusal(
            path,
            f"at most {TOLERATED:.0%} of the images that cannot be read",
            f"{len(failed):,} of {len(files):,}, the first is {'/'.join(file.parts)} ({why})",
            "convert them to PNG, or remove them",
        )
    if failed:
        logging.warning("folder:%s: %d images that cannot be read are left out", path, len(failed))
    return found
