"""One way to labelled images: TFDS data sets, those embedded here, and one's own arrays."""

import functools
import os
import pathlib
from typing import Any

import numpy as np
from absl import logging
from google.protobuf import json_format  # type: ignore[import-untyped]

from spectral_tf.data.images import EMBEDDED, Images, unreadable
from spectral_tf.data.own_arrays import find_npz
from spectral_tf.data.own_folder import find_folder
from spectral_tf.data.preparing import is_prepared, prepare, quiet
from spectral_tf.data.splits import parts, within
from spectral_tf.errors import UserError, nearest
from spectral_tf.streams import without_autotune

_NUMBERED = ("mnist", "fashion_mnist")  # Their keys are the positions in the published files.
# The feature that images have in common which are not independent draws.
_CLUSTERED = {"photo_patches": "square"}
# What to do with files that are given as data sets.
_TARGET = "a one-dimensional target is lf_first.py --target=csv:{}"
_FILES = {
    ".csv": _TARGET + "; images with labels are an npz file or a folder",
    ".npz": "say --dataset=npz:{}",
    ".npy": "save images and labels together: np.savez(PATH, x=..., y=...)",
    ".wav": "a one-dimensional target is lf_first.py --target=wav:{}",
    ".zip": "unpack it, and say --dataset=folder:PATH",
    ".h5": "save its arrays as an npz file: np.savez(PATH, x=..., y=...)",
    ".mat": "save its arrays as an npz file: np.savez(PATH, x=..., y=...)",
}
_FILES |= dict.fromkeys((".tsv", ".txt", ".dat"), "save it as .csv: " + _TARGET)


def find_images(
    name: str,
    split: str = "train",
    *,
    data_dir: str | None = None,
    download: bool = False,
    manual_dir: str | None = None,
    channels_first: bool | None = None,
    order_seed: int | None = None,
) -> Images:
    """Finds a split of a data set of images, and prepares the set if that was asked for.

    Nothing is downloaded unless `download` is true; then only if a host answers. Embedded sets are
    prepared on first use. One process prepares, others wait for it. TensorFlow is imported only
    where something is prepared or read.

    `Images.clusters` of `photo_patches` are its squares, those of an npz file what it says.

    Args:
      name: a TFDS name (`mnist`, `imagenette/160px-v2`, ...), a key of `EMBEDDED`, `npz:PATH`
        (see `own_arrays.find_npz`), or `folder:PATH` (`own_folder.find_folder`).
      split: of TFDS's notation, slices too. Slices of npz files and folders are of a random order
        that is always the same, since people's images are mostly sorted by class.
      data_dir: default: TFDS's own, that is the variable TFDS_DATA_DIR or ~/tensorflow_datasets.
      download: whether a set that is missing may be fetched.
      manual_dir: where archives lie that cannot be fetched (ImageNet's); giving it asks for the
        set to be prepared from them.
      channels_first: whether an npz file holds images as [n, c, h, w]; None: where their shape
        looks so they are refused.
      order_seed: draws the order of images of npz files and folders; None: the order that they
        are stored in, as always for TFDS's sets.

    Raises:
      UserError: unknown name or split, an empty split, a set without images and labels, a set that
        is not there (with what to do), half there, or cannot be prepared; an npz file or a folder
        that is missing or malformed.
    """
    refuse_file(name)
    if name.startswith("npz:"):
        logging.info("data set: %s", name)
        return find_npz(name, channels_first).find(split, order_seed)
    if channels_first is not None:
        raise UserError(
            "channels_first",
            expected="arrays of an npz file",
            got=name,
            hint="leave --channels_first out",
        )
    if name.startswith("folder:"):
        logging.info("data set: %s", name)
        return find_folder(name).find(split, order_seed)
    import tensorflow_datasets as tfds

    where = os.path.expanduser(data_dir or tfds.core.constants.DATA_DIR)
    plain = name.split("/")[0].split(":")[0]
    _refuse_unknown(name, plain, where)
    description = EMBEDDED.get(plain, "")
    logging.info("data set: %s", f"{name} ({description})" if description else name)
    builder = _builder(name, where)
    features = builder.info.features
    if not {"image", "label"} <= set(features or ()) or not hasattr(features["label"], "names"):
        raise UserError(
            "dataset",
            expected="a data set of images with one label each",
            got=f"{name} with {', '.join(features or ()) or 'no features'}",
            hint="for example mnist, cifar10, digits",
        )
    cluster = _CLUSTERED.get(builder.name)
    if cluster and cluster not in features:
        raise UserError(
            "dataset",
            expected=f"a version of {plain} that tells the {cluster} of each image",
            got=builder.info.full_name,
            hint=f"ask for {plain} without a version",
        )
    if not is_prepared(builder):
        prepare(builder, name, split, download, manual_dir)
        builder = _builder(name, where)
    found = parts(name, split, builder.info.splits)
    _refuse_incomplete(builder, name)

    def open_files(decode: bool, some: Any = split, **settings: Any) -> Any:
        with quiet():
            examples = builder.as_dataset(
                some,
                read_config=tfds.ReadConfig(try_autocache=False, **settings),
                decoders=None if decode else {"image": tfds.decode.SkipDecoding()},
            )
        return examples.map(lambda example: (example["image"], example["label"]))

    def open_stretch(start: int, stop: int) -> Any:
        read = tfds.core.ReadInstruction
        wanted = [
            read(p.split, from_=p.start, to=p.stop, unit="abs") for p in within(found, start, stop)
        ]
        some = functools.reduce(lambda one, other: one + other, wanted)
        return open_files(False, some, interleave_cycle_length=1)

    @functools.cache
    def read_clusters() -> np.ndarray:
        alone = tfds.decode.PartialDecoding({cluster: True})
        with quiet():
            examples = builder.as_dataset(
                split, read_config=tfds.ReadConfig(try_autocache=False), decoders=alone
            )
        numbers = examples.map(lambda example: example[cluster]).batch(10_000)
        return np.concatenate(list(without_autotune(numbers).as_numpy_iterator()))

    return Images(
        name=name,
        split=split,
        num_examples=builder.info.splits[split].num_examples,
        shape=tuple(features["image"].shape),
        label_names=tuple(features["label"].names),
        version=builder.info.full_name,
        description=description,
        _open=open_files,
        _decode=features["image"].decode_example,
        _published_order=lambda: _published_order(builder, split),
        _folder=builder.data_path,
        _clusters=read_clusters if cluster else None,
        parts=found,
        shuffled=not builder.info.disable_shuffling,
        num_files=len(builder.info.splits[split].file_instructions),
        _stretch=open_stretch,
    )


def refuse_file(name: str) -> None:
    """Raises a UserError for the path of a file or folder where the name of a data set belongs.

    Nothing is imported for it.
    """
    path = pathlib.Path(name).expanduser()
    folder = os.sep in name and path.is_dir()
    if ":" in name or not (folder or path.is_file() or path.suffix.lower() in _FILES):
        return
    hint = f"say --dataset=folder:{name}" if folder else _FILES.get(path.suffix.lower(), "")
    raise UserError(
        "dataset",
        expected="a TFDS name, digits or photo_patches, npz:PATH or folder:PATH",
        got=name or "nothing",
        hint=hint.format(name)
        or "save images and labels as an npz file, or images in one sub-folder for each class",
    )


def _refuse_unknown(name: str, plain: str, where: str) -> None:
    import tensorflow_datasets as tfds

    import spectral_tf.data.embedded  # noqa: F401 - registers its builders.

    known = tfds.list_builders(with_community_datasets=False)
    # Asked for other names, TFDS would look for them on the network.
    if plain not in known and not (plain and os.path.isdir(os.path.join(where, plain))):
        raise UserError(
            "dataset",
            expected=f"a TFDS name, {', '.join(EMBEDDED)}, npz:PATH or folder:PATH",
            got=name or "nothing",
            hint=nearest(plain, known, "for example mnist"),
        )


def _builder(name: str, where: str) -> Any:
    import tensorflow_datasets as tfds

    try:
        with quiet():
            return tfds.builder(name, data_dir=where)
    except tfds.core.DatasetNotFoundError as error:
        folder = os.path.join(where, name)
        raise UserError(
            "dataset",
            expected="a TFDS name, or a folder that TFDS prepared",
            got=f"{name}, of which {folder} is neither",
            hint="for example mnist",
        ) from error
    except json_format.ParseError as error:
        raise unreadable(name, os.path.join(where, name), "dataset_info.json is cut off") from error
    except (AssertionError, ValueError, RuntimeError, TypeError) as error:
        raise UserError(
            "dataset",
            expected="a name, config and version that TFDS knows",
            got=name,
            hint="try the name alone",
        ) from error


def _published_order(builder: Any, split: str) -> Any:
    """Indices that bring stored examples into the published order, where that is known."""
    from tensorflow_datasets.core import hashing

    if builder.name not in _NUMBERED or split not in builder.info.splits:
        return slice(None)
    # TFDS sorts examples by a hash of their key, here their number, salted with the split's name.
    hashed = hashing.Hasher(split).hash_key
    keys = np.array([hashed(i) for i in range(builder.info.splits[split].num_examples)], object)
    return np.argsort(np.argsort(keys))


def _refuse_incomplete(builder: Any, name: str) -> None:
    """Missing and truncated files, without reading them: a record takes 16 bytes beside its own."""
    from etils import epath  # Knows gs:// too, as TFDS does.

    for split in builder.info.splits.values():
        files = [epath.Path(file) for file in split.filepaths]
        missing = [file for file in files if not file.is_file()]
        if missing:
            raise unreadable(name, builder.data_path, f"{missing[0].name} is missing")
        size = sum(file.stat().length for file in files)
        if files[0].name.split(".")[-1].startswith("tfrecord") and (
            size < int(split.num_bytes) + 16 * split.num_examples
        ):
            raise unreadable(name, builder.data_path, f"{files[0].name} or its like is truncated")
