"""One's own images, from an npz file."""

import hashlib
import pathlib
import zipfile
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from spectral_tf.data.images import Images
from spectral_tf.errors import UserError


class _Names(NamedTuple):
    """Of the arrays of a split; the last one need not be there."""

    images: str
    labels: str
    clusters: str


_ARRAYS = {
    "train": _Names("x", "y", "clusters"),
    "test": _Names("x_test", "y_test", "clusters_test"),
}


class _Arrays(NamedTuple):
    """Of one split, checked; clusters are None where the file has none."""

    images: np.ndarray
    labels: np.ndarray
    clusters: np.ndarray | None


def find_npz(name: str, split: str) -> Images:
    """The arrays of `npz:PATH`, read and checked; see `find_images`.

    `x` and `y` are the split `train`, `x_test` and `y_test` the split `test`. Images of one number
    in `clusters` and `clusters_test`, which may be left out, are not independent draws.

    Raises:
      UserError: a file that is missing or no npz file, or arrays that are not images, labels and
        clusters.
    """
    path = pathlib.Path(name.removeprefix("npz:")).expanduser()
    if split not in _ARRAYS:
        raise UserError(
            f"split of {name}",
            expected=" or ".join(_ARRAYS),
            got=split,
            hint="an npz file has no other",
        )
    logging.info("data set: %s", name)
    images, labels, clusters = _read_npz(path, _ARRAYS[split])
    with np.load(path, allow_pickle=False) as archive:
        there = set(archive.files)
    splits = [names for names in _ARRAYS.values() if {names.images, names.labels} <= there]
    # All splits have the same classes.
    most = max(int(_read_npz(path, names).labels.max()) for names in splits)

    def open_arrays(decode: bool) -> Any:
        import tensorflow as tf

        return tf.data.Dataset.from_tensor_slices((images, labels))

    return Images(
        name=name,
        split=split,
        num_examples=len(images),
        shape=images.shape[1:],
        label_names=tuple(str(label) for label in range(most + 1)),
        version=hashlib.sha256(path.read_bytes()).hexdigest(),
        description="",
        _open=open_arrays,
        _decode=lambda image: image,
        _published_order=lambda: slice(None),
        _folder=path,
        _clusters=None if clusters is None else lambda: clusters,
    )


def _read_npz(path: pathlib.Path, names: _Names) -> _Arrays:
    x, y = names.images, names.labels

    def refuse(expected: str, got: str, hint: str) -> UserError:
        return UserError(f"npz:{path}", expected=expected, got=got, hint=hint)

    try:
        if not path.is_file():
            raise refuse("a readable npz file", "no such file", "np.savez(PATH, x=, y=)")
        if not zipfile.is_zipfile(path):
            raise refuse("a readable npz file", "another kind", "np.savez(PATH, x=, y=)")
        with np.load(path, allow_pickle=False) as archive:
            if not {x, y} <= set(archive.files):
                raise refuse(
                    f"arrays {x} and {y}",
                    ", ".join(archive.files) or "none",
                    "save them by these names",
                )
            images, labels = archive[x], archive[y]
            clusters = archive[names.clusters] if names.clusters in archive.files else None
    except UserError:
        raise
    except Exception as error:  # NumPy raises many kinds for files that are not npz.
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise refuse("a readable npz file", reason, "np.savez(PATH, x=..., y=...)") from error
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim not in (2, 4) or not images.size:
        raise refuse(
            f"{x} of shape [n, d], [n, h, w] or [n, h, w, c]", f"{images.shape}", "reshape it"
        )
    if labels.shape != images.shape[:1]:
        raise refuse(
            f"{y} of shape [{len(images)}], one label for each image",
            f"{list(labels.shape)}",
            "check which examples belong together",
        )
    whole = labels.dtype.kind in "iu"
    if not whole or labels.min() < 0 or labels.max() > 99_999:
        raise refuse(
            "whole labels from 0 to 99,999",
            f"{labels.dtype}{f' from {labels.min()} to {labels.max()}' if whole else ''}",
            "number the classes from 0",
        )
    if images.dtype != np.uint8:
        if images.dtype.kind != "f":
            raise refuse(f"{x} of uint8 or floats", f"{images.dtype}", "convert it")
        low, high = float(images.min()), float(images.max())
        if not (low >= 0 and high <= 1):  # NaN fails both.
            raise refuse("floats from 0 to 1", f"{low:g} to {high:g}", "scale it, or save uint8")
        images = images.astype(np.float32)
    if clusters is not None:
        if clusters.shape != images.shape[:1]:
            raise refuse(
                f"{names.clusters} of shape [{len(images)}], one number for each image",
                f"{list(clusters.shape)}",
                "check which examples belong together",
            )
        if clusters.dtype.kind not in "iu" or clusters.max() > np.iinfo(np.int64).max:
            raise refuse(
                f"{names.clusters} of whole numbers below 2^63",
                f"{clusters.dtype}",
                "give images that are not independent of each other one number",
            )
        clusters = clusters.astype(np.int64)
    return _Arrays(images, labels.astype(np.int64), clusters)
