"""One's own images, from an npz file: whose arrays may have the names that people give them."""

import bisect
import functools
import hashlib
import math
import pathlib
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from absl import logging
from numpy.typing import NDArray

from spectral_tf.data.own_images import OwnImages
from spectral_tf.errors import UserError
from spectral_tf.storage import here

# {split: names of images and labels}: this package's, those of keras.datasets, of MedMNIST, of
# scikit-learn and TFDS.
NAMES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "train": (
        *(("x", "y"), ("x_train", "y_train"), ("train_images", "train_labels")),
        *(("X", "y"), ("X_train", "y_train"), ("train_data", "train_labels")),
        *(("images", "labels"), ("image", "label"), ("images", "target")),
        *(("data", "labels"), ("data", "label"), ("data", "target")),
    ),
    "validation": (
        *(("x_val", "y_val"), ("x_valid", "y_valid"), ("x_validation", "y_validation")),
        *(("val_images", "val_labels"), ("X_val", "y_val"), ("X_valid", "y_valid")),
    ),
    "test": (
        *(("x_test", "y_test"), ("test_images", "test_labels")),
        *(("X_test", "y_test"), ("test_data", "test_labels")),
    ),
}
_CLUSTERS = {
    "train": ("clusters", "clusters_train", "train_clusters"),
    "validation": ("clusters_val", "clusters_validation", "val_clusters"),
    "test": ("clusters_test", "test_clusters"),
}
_SAVE = "np.savez(PATH, x=..., y=..., x_test=..., y_test=...)"
# Channels that images have, if no more is said.
_CHANNELS = 4
# Numbers of 0 to 255 that are not whole reach further than this; what does not may be anything.
_BRIGHT = 128
_MOST_CLASSES = 100_000
# Pixels that are stored as they are read.
_BYTES, _UNIT = "uint8", "floats from 0 to 1"

_Refuse = Callable[[str, str, str], UserError]


class _Names(NamedTuple):
    """Of the arrays of a split; there may be no clusters."""

    images: str
    labels: str
    clusters: str | None


def find_npz(name: str, channels_first: bool | None = None) -> OwnImages:
    """The arrays of `npz:PATH`, read and checked.

    Names are those of `NAMES`. Images are [n, d], [n, h, w] or [n, h, w, c]; uint8, other whole
    numbers of 0 to 255, booleans, or floats from 0 to 1 or of 0 to 255. Labels are whole numbers
    from 0, of any type, [n] or [n, 1], or rows of one 1 and zeros, [n, C]. Images of one number in
    an array of clusters, which may be left out, are not independent draws. A file that has not
    changed is read once in a process.

    Args:
      name: `npz:PATH`.
      channels_first: whether images are [n, c, h, w]; None: refused where their shape looks so.

    Raises:
      UserError: a file that is missing or no npz file, or arrays that are not images, labels and
        clusters.
    """
    path = here(name.removeprefix("npz:"))
    if not path.is_file():
        raise _refusal(path, "a readable npz file", "no such file", _SAVE)
    if not zipfile.is_zipfile(path):
        raise _refusal(path, "a readable npz file", "another kind", _SAVE)
    told = path.stat()
    stamp = (told.st_ino, told.st_size, told.st_mtime_ns)
    return _read(name, path, stamp, channels_first)


def _refusal(path: pathlib.Path, expected: str, got: str, hint: str) -> UserError:
    return UserError(f"npz:{path}", expected=expected, got=got, hint=hint)


@functools.lru_cache(maxsize=1)
def _read(
    name: str, path: pathlib.Path, stamp: tuple[int, ...], channels_first: bool | None
) -> OwnImages:
    """Reads and checks a file; the stamp says which version of it."""
    refuse = functools.partial(_refusal, path)
    names, raw = _raw(path, refuse)
    images = {
        n.images: _in_order(n.images, raw[n.images], channels_first, refuse) for n in names.values()
    }
    shapes = {name: array.shape[1:] for name, array in images.items()}
    if len(set(shapes.values())) > 1:
        raise refuse(
            "images of one shape in all splits",
            ", ".join(f"{name} of {shape}" for name, shape in shapes.items()),
            "bring them to one",
        )
    pixels, how = _pixels(images, refuse)
    if how not in (_BYTES, _UNIT):
        logging.info("%s: pixels are %s", name, how)
    labels = {
        n.labels: _labels(n.labels, raw[n.labels], images[n.images].shape, refuse)
        for n in names.values()
    }
    widths = {width for _, width in labels.values()}
    if len(widths) > 1:
        raise refuse(
            "labels of one form in all splits",
            ", ".join(f"{name} of shape {raw[name].shape}" for name in labels),
            "save all of them as whole numbers [n], or as [n, C]",
        )
    numbers = np.concatenate([own for own, _ in labels.values()])
    num_classes = max(widths.pop(), int(numbers.max()) + 1)
    _warn_of_gaps(name, numbers, num_classes)
    arrays = list(pixels.values())
    shape, dtype = arrays[0].shape[1:], arrays[0].dtype
    ends = np.cumsum([len(array) for array in arrays]).tolist()

    def image(number: int) -> NDArray:
        at = bisect.bisect_right(ends, number)
        return arrays[at][number - ends[at]]  # Counted from the end of its array.

    def opened(numbers: NDArray[np.int64], decode: bool) -> Any:
        import tensorflow as tf

        chosen = np.empty((len(numbers), *shape), dtype)
        for array, end in zip(arrays, ends, strict=True):
            here = (numbers >= end - len(array)) & (numbers < end)
            chosen[here] = array[numbers[here] - end]
        return tf.data.Dataset.from_tensor_slices(chosen)

    return OwnImages(
        name=name,
        sizes={split: len(images[n.images]) for split, n in names.items()},
        shape=shape,
        labels=numbers,
        label_names=tuple(map(str, range(num_classes))),
        clusters={
            split: _clusters(n.clusters, raw[n.clusters], len(images[n.images]), refuse)
            for split, n in names.items()
            if n.clusters
        },
        version=hashlib.sha256(path.read_bytes()).hexdigest(),
        path=path,
        notes={
            "arrays": [word for n in names.values() for word in n if word],
            "pixels": how,
            **({"channels_first": True} if channels_first else {}),
        },
        in_memory=True,
        open=opened,
        decode=lambda image: image,
        size=lambda number: dtype.itemsize * math.prod(shape),
        content=lambda number: image(number).tobytes(),
    )


def _raw(path: pathlib.Path, refuse: _Refuse) -> tuple[dict[str, _Names], dict[str, NDArray]]:
    """The names of the arrays of each split, and these arrays as they are."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = _known(archive.files, refuse)
            return names, {n: archive[n] for own in names.values() for n in own if n}
    except UserError:
        raise
    except Exception as error:  # NumPy raises many kinds for files that are not npz.
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise refuse("a readable npz file", reason, _SAVE) from error


def _known(there: list[str], refuse: _Refuse) -> dict[str, _Names]:
    """The names of the arrays of each split that a file has."""
    found = {}
    for split, pairs in NAMES.items():
        own = [pair for pair in pairs if set(pair) <= set(there)]
        if len(own) > 1:
            raise refuse(
                f"images and labels of {split} once",
                " beside ".join(" and ".join(pair) for pair in own),
                "leave one out",
            )
        clusters = [name for name in _CLUSTERS[split] if name in there]
        if own:
            found[split] = _Names(*own[0], clusters[0] if clusters else None)
    if not found:
        known = ", ".join("/".join(pair) for pairs in NAMES.values() for pair in pairs)
        raise refuse(
            f"arrays of images and labels with known names ({known})",
            ", ".join(there) or "none",
            f"save them by such names: {_SAVE}",
        )
    return found


def _in_order(name: str, images: NDArray, channels_first: bool | None, refuse: _Refuse) -> NDArray:
    """Images [n, d] or [n, h, w, c]."""
    if channels_first and images.ndim != 4:
        raise refuse(
            f"{name} of shape [n, c, h, w], since --channels_first says so",
            f"{images.shape}",
            "leave --channels_first out",
        )
    has_channels = images.ndim == 4
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim not in (2, 4) or not images.size:
        raise refuse(
            f"{name} of shape [n, d], [n, h, w] or [n, h, w, c]", f"{images.shape}", "reshape it"
        )
    if channels_first:
        return images.transpose(0, 2, 3, 1)
    if has_channels and channels_first is None and (looks := _order(images.shape)):
        raise refuse(
            f"{name} of shape [n, h, w, c]",
            f"{images.shape}, {looks}",
            f"save {name}.transpose(0, 2, 3, 1), or say --channels_first if it is [n, c, h, w] and "
            "--nochannels_first if it is not",
        )
    return images


def _order(shape: tuple[int, ...]) -> str:
    """What speaks against a shape [n, h, w, c]; "" if nothing does.

    Images have one to four channels, or are square.
    """
    _, first, middle, last = shape
    could_be_first, could_be_last = first <= _CHANNELS, last <= _CHANNELS
    square = "first" if middle == last and first != middle else ""
    if first == middle and middle != last:
        square = "last"
    if could_be_last and (not could_be_first or square == "last"):
        return ""
    if could_be_first and (not could_be_last or square == "first"):
        return "which looks like [n, c, h, w]"
    if could_be_first:
        return "which may be [n, c, h, w] as well"
    return "which looks like [n, c, h, w]" if square == "first" else ""


def _pixels(images: dict[str, NDArray], refuse: _Refuse) -> tuple[dict[str, NDArray], str]:
    """Images as uint8 or as float32 in [0, 1], and what they were, in words.

    The splits of a file are read alike.
    """
    kinds = {"b": "booleans", "u": "whole numbers", "i": "whole numbers", "f": "floats"}
    found = {kinds.get(array.dtype.kind, str(array.dtype)) for array in images.values()}
    told = ", ".join(f"{name} of {array.dtype}" for name, array in images.items())
    if len(found) > 1 or not found <= set(kinds.values()):
        raise refuse(
            "pixels of one kind in all splits: uint8 or other whole numbers, booleans, or floats",
            told,
            "convert them",
        )
    if found == {"booleans"}:
        return {n: np.uint8(255) * a for n, a in images.items()}, "booleans, read as 0 and 255"
    ends = {name: (float(a.min()), float(a.max())) for name, a in images.items()}
    low = min(first for first, _ in ends.values())
    high = max(last for _, last in ends.values())
    got = ", ".join(f"{name} from {first:g} to {last:g}" for name, (first, last) in ends.items())
    if found == {"floats"} and low >= 0 and high <= 1:
        return {n: a.astype(np.float32) for n, a in images.items()}, _UNIT
    if not (low >= 0 and high <= 255):  # NaN fails both.
        raise refuse("pixels of 0 to 255, or floats from 0 to 1", got, _remedy(low, high))
    if any(0 < last <= 1 for _, last in ends.values()):
        raise refuse(
            "pixels of 0 to 255 in all splits, or floats from 0 to 1 in all",
            f"{got} ({told})",
            "bring them to one range" if high > 1 else "save them as booleans, or times 255",
        )
    if all(a.dtype.kind in "ui" or _whole(a) for a in images.values()):
        if high < _BRIGHT:
            logging.warning(
                "pixels are read as 0 to 255, and reach %g only: if white is less than 255, divide "
                "them by what it is, so that they are floats from 0 to 1",
                high,
            )
        already = all(a.dtype == np.uint8 for a in images.values())
        how = _BYTES if already else f"{told}: whole, read as 0 to 255 (largest {high:g})"
        return {n: a.astype(np.uint8, copy=False) for n, a in images.items()}, how
    if high < _BRIGHT:
        raise refuse(
            f"floats from 0 to 1, or of 0 to 255, which whole numbers are or some above {_BRIGHT}",
            got,
            "clip them to 0 to 1 if white is 1; else divide by what white is",
        )
    how = f"{told}: read as 0 to 255 (largest {high:g}), divided by 255"
    return {n: (a / 255).astype(np.float32) for n, a in images.items()}, how


def _whole(array: NDArray) -> bool:
    return bool(np.array_equal(array, np.rint(array)))


def _remedy(low: float, high: float) -> str:
    """What to do with pixels that are in no range that is read."""
    if not np.isfinite([low, high]).all():
        return "leave these images out"
    if low < 0 and low >= -1 and high <= 1:
        return "save (x + 1) / 2 if they are in [-1, 1]; undo another normalisation"
    if low < 0:
        return "undo their normalisation: x * deviation + mean, clipped to 0 to 1"
    return "scale them, for example x / 65535 for pixels of 16 bits"


def _labels(
    name: str, given: NDArray, images: tuple[int, ...], refuse: _Refuse
) -> tuple[NDArray[np.int64], int]:
    """Labels int64 [n] of images of a shape, and the number of columns of one-hot rows, or 0."""
    count = images[0]
    labels = given[:, 0] if given.shape == (count, 1) else given
    number = labels.dtype.kind in "biuf"
    if number and labels.ndim == 2 and len(labels) == count:
        ones, others = labels == 1, (labels != 0) & (labels != 1)
        wrong = (ones.sum(axis=1) != 1) | others.any(axis=1)
        if wrong.any():
            row = int(wrong.argmax())
            raise refuse(
                f"one class for each image in {name}: [n], [n, 1], or rows of one 1 and zeros",
                f"{labels.shape} with {labels[row][:5].tolist()} ... in row {row}",
                "choose one column as the label: several labels of one image are not supported",
            )
        return ones.argmax(axis=1).astype(np.int64), labels.shape[1]
    if labels.shape != (count,):
        raise refuse(
            f"{name} of shape [{count}], one label for each image",
            f"{list(given.shape)}",
            "bring the axis that counts the images to the front, as np.moveaxis(x, -1, 0) does"
            if labels.shape == images[-1:]
            else "check which examples belong together",
        )
    whole = number and (labels.dtype.kind != "f" or _whole(labels))
    if not whole or labels.min() < 0 or labels.max() >= _MOST_CLASSES:
        raise refuse(
            f"whole labels from 0 to {_MOST_CLASSES - 1:,}",
            f"{labels.dtype}{f' from {labels.min()} to {labels.max()}' if number else ''}",
            "number the classes from 0, as np.unique(y, return_inverse=True)[1] does",
        )
    return labels.astype(np.int64), 0


def _warn_of_gaps(name: str, labels: NDArray[np.int64], num_classes: int) -> None:
    """A line if there are classes without images: labels may have been counted from 1."""
    gaps = np.setdiff1d(np.arange(num_classes), labels)
    if gaps.size:
        some = ", ".join(map(str, gaps[:5])) + (", ..." if gaps.size > 5 else "")
        logging.warning(
            "%s: %d of %d classes have no image: %s", name, gaps.size, num_classes, some
        )


def _clusters(name: str, clusters: NDArray, count: int, refuse: _Refuse) -> NDArray[np.int64]:
    if clusters.shape != (count,):
        raise refuse(
            f"{name} of shape [{count}], one number for each image",
            f"{list(clusters.shape)}",
            "check which examples belong together",
        )
    if clusters.dtype.kind not in "iu" or clusters.max() > np.iinfo(np.int64).max:
        raise refuse(
            f"{name} of whole numbers below 2^63",
            f"{clusters.dtype}",
            "give images that are not independent of each other one number",
        )
    return clusters.astype(np.int64)
