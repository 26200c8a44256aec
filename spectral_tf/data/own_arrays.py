"""One's own images, from an npz file."""

import hashlib
import pathlib
import zipfile
from typing import Any

import numpy as np
from absl import logging

from spectral_tf.data.images import Images
from spectral_tf.errors import UserError

_ARRAYS = {"train": ("x", "y"), "test": ("x_test", "y_test")}


def find_npz(name: str, split: str) -> Images:
    """The arrays of `npz:PATH`, read and checked; see `find_images`.

    `x` and `y` are the split `train`, `x_test` and `y_test` the split `test`.

    Raises:
      UserError: a file that is missing or no npz file, or arrays that are not images and labels.
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
    images, labels = _read_npz(path, *_ARRAYS[split])
    with np.load(path, allow_pickle=False) as archive:
        splits = [pair for pair in _ARRAYS.values() if set(pair) <= set(archive.files)]
    # All splits have the same classes.
    most = max(int(_read_npz(path, *pair)[1].max()) for pair in splits)

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
    )


def _read_npz(path: pathlib.Path, x: str, y: str) -> tuple[np.ndarray, np.ndarray]:
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
    return images, labels.astype(np.int64)
