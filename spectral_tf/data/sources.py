"""One way to labelled images: TFDS data sets, those embedded here, and one's own arrays."""

import contextlib
import dataclasses
import difflib
import fcntl
import hashlib
import math
import os
import pathlib
import shutil
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from absl import logging

from spectral_tf.errors import UserError

# Sets that are prepared in seconds from what the package's dependencies bring.
EMBEDDED: Mapping[str, str] = {
    "digits": "embedded: 1,797 handwritten digits of 8 x 8 pixels from scikit-learn, not MNIST",
    "photo_patches": "embedded: 32 x 32 crops of ten photographs, labelled by photograph",
}
_ARCHIVES = {
    "imagenet2012": {
        "train": "ILSVRC2012_img_train.tar",
        "validation": "ILSVRC2012_img_val.tar",
    }
}
_NUMBERED = ("mnist", "fashion_mnist")  # Their keys are the places in the published files.
_CONNECT_SECONDS = 3.0
_RESIDENT_BYTES = 2 * 2**30


@dataclasses.dataclass(frozen=True)
class Images:
    """One split of labelled images, found and ready to be read.

    Attributes:
      name: as it was asked for, such as `mnist` or `npz:digits.npz`.
      split: such as `train` or `train[:10%]`.
      num_examples: at least 1.
      shape: of an image: [h, w, c] with None for what varies, or [d] for vectors.
      label_names: one for each class.
      version: `mnist/3.0.1`, or the SHA-256 of an npz file.
      description: what the set is, in a line, if the name alone could mislead; else "".
    """

    name: str
    split: str
    num_examples: int
    shape: tuple[int | None, ...]
    label_names: tuple[str, ...]
    version: str
    description: str
    _open: Callable[[bool], Any] = dataclasses.field(repr=False)
    _decode: Callable[[Any], Any] = dataclasses.field(repr=False)
    _published_order: Callable[[], Any] = dataclasses.field(repr=False)
    _folder: pathlib.Path = dataclasses.field(repr=False)

    @property
    def num_classes(self) -> int:
        """The number of classes of the set, whether or not the split holds them all."""
        return len(self.label_names)

    @property
    def title(self) -> str:
        """Name and, for embedded sets, what they are: for first log lines, figures and records."""
        return f"{self.name} ({self.description})" if self.description else self.name

    def record(self, normalisation: Any = None) -> dict[str, Any]:
        """What a run's record should say about its data, and its `Normalisation` if it has one."""
        return {
            "dataset": self.title,
            "version": self.version,
            "split": self.split,
            "num_examples": self.num_examples,
            "image_shape": list(self.shape),
            "num_classes": self.num_classes,
            **({"normalisation": normalisation._asdict()} if normalisation else {}),
        }

    @property
    def resident(self) -> bool:
        """Whether all images have one size and fit into memory together (2 GB)."""
        if None in self.shape:
            return False
        return self.num_examples * math.prod(map(int, self.shape)) <= _RESIDENT_BYTES  # type: ignore[arg-type]

    def dataset(self, *, decode: bool = True) -> Any:
        """A `tf.data.Dataset` of (image, label) in stored order, the same in every call.

        Images are uint8 of 0 ... 255, or float32 in [0, 1] from an npz file of floats; not decoded
        they are the bytes that `decode` takes. Labels are int64 scalars. Read it in `reading()`.
        """
        return self._open(decode)

    def decode(self, encoded: Any) -> Any:
        """One image as TFDS decodes it; arrays are not encoded and pass."""
        return self._decode(encoded)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """All images [n, *shape], uint8 or float32 as in `dataset`, and labels [n], int64.

        Whole splits of MNIST and Fashion-MNIST come in the order of the published files, which
        TFDS shuffles when it stores them; all others in stored order.

        Raises:
          UserError: images of different sizes, or files that cannot be read.
        """
        if None in self.shape:
            raise UserError(
                f"data set {self.name}",
                expected="images of one size",
                got=f"shape {self.shape}",
                hint="give a size to the pipelines, which resize",
            )
        with self.reading():
            batches = list(self.dataset().batch(1_000).as_numpy_iterator())
        images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        order = self._published_order()
        return images[order], labels[order]

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Within it, files that turn out to be corrupt are a `UserError` of one line."""
        import tensorflow as tf

        try:
            yield
        except (
            tf.errors.DataLossError,
            tf.errors.NotFoundError,
            tf.errors.InvalidArgumentError,
        ) as error:
            raise _unreadable(self.name, self._folder, error.message.splitlines()[0]) from error


def find_images(
    name: str,
    split: str = "train",
    *,
    data_dir: str | None = None,
    download: bool = False,
    manual_dir: str | None = None,
) -> Images:
    """Finds a split of a data set of images, and prepares the set if that was asked for.

    Nothing is downloaded unless `download` is true; then only if a host answers. Embedded sets are
    prepared on first use. One process prepares, others wait for it. TensorFlow is imported only
    where something is prepared or read.

    Args:
      name: a TFDS name (`mnist`, `imagenette/160px-v2`, ...), a key of `EMBEDDED`, or `npz:PATH`.
      split: of TFDS's notation, slices too; an npz file has the one split `train`.
      data_dir: default: TFDS's own, that is the variable TFDS_DATA_DIR or ~/tensorflow_datasets.
      download: whether a set that is missing may be fetched.
      manual_dir: where archives lie that cannot be fetched (ImageNet's); giving it asks for the
        set to be prepared from them.

    Raises:
      UserError: unknown name or split, an empty split, a set without images and labels, a set that
        is not there (with what to do), half there, or cannot be prepared; an npz file that is
        missing or malformed.
    """
    if name.startswith("npz:"):
        return _find_npz(name, split)
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    where = os.path.expanduser(data_dir or tfds.core.constants.DATA_DIR)
    plain = name.split("/")[0].split(":")[0]
    _refuse_unknown(name, plain, where)
    description = EMBEDDED.get(plain, "")
    logging.info("data set: %s", f"{name} ({description})" if description else name)
    builder = _builder(name, where)
    features = builder.info.features
    if not {"image", "label"} <= set(features or ()) or not hasattr(features["label"], "names"):
        raise UserError(
            "--dataset",
            expected="a data set of images with one label each",
            got=f"{name} with {', '.join(features or ()) or 'no features'}",
            hint="for example mnist, cifar10, digits",
        )
    if not _is_prepared(builder):
        _prepare(builder, name, split, download, manual_dir)
        builder = _builder(name, where)
    part = _split(builder, name, split)
    _refuse_incomplete(builder, name)

    def open_files(decode: bool) -> Any:
        with _quiet():
            examples = builder.as_dataset(
                split,
                read_config=tfds.ReadConfig(try_autocache=False),
                decoders=None if decode else {"image": tfds.decode.SkipDecoding()},
            )
        return examples.map(lambda example: (example["image"], example["label"]))

    return Images(
        name=name,
        split=split,
        num_examples=part.num_examples,
        shape=tuple(features["image"].shape),
        label_names=tuple(features["label"].names),
        version=builder.info.full_name,
        description=description,
        _open=open_files,
        _decode=features["image"].decode_example,
        _published_order=lambda: _published_order(builder, split),
        _folder=pathlib.Path(builder.data_path),
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within it TFDS does not log where it looks and what it reads."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _is_prepared(builder: Any) -> bool:
    with _quiet():
        return builder.is_prepared()


def _refuse_unknown(name: str, plain: str, where: str) -> None:
    import tensorflow_datasets as tfds

    import spectral_tf.data.embedded  # noqa: F401 - registers its builders.

    known = tfds.list_builders(with_community_datasets=False)
    # Asked for other names, TFDS would look for them on the network.
    if plain not in known and not (plain and os.path.isdir(os.path.join(where, plain))):
        near = difflib.get_close_matches(plain, known, n=3)
        raise UserError(
            "--dataset",
            expected=f"a TFDS name, {', '.join(EMBEDDED)} or npz:PATH",
            got=name or "nothing",
            hint=f"did you mean {' or '.join(near)}?" if near else "for example mnist",
        )


def _builder(name: str, where: str) -> Any:
    import tensorflow_datasets as tfds

    try:
        with _quiet():
            return tfds.builder(name, data_dir=where)
    except tfds.core.DatasetNotFoundError as error:
        raise _unreadable(name, where, "what lies there by this name is no TFDS folder") from error
    except (AssertionError, ValueError, RuntimeError, TypeError) as error:
        raise UserError(
            "--dataset",
            expected="a name, config and version that TFDS knows",
            got=f"{name} ({str(error).splitlines()[-1]})",
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


def _split(builder: Any, name: str, split: str) -> Any:
    known = ", ".join(builder.info.splits)
    try:
        part = builder.info.splits[split]
    except (ValueError, KeyError, AssertionError) as error:
        raise UserError(
            f"split of {name}",
            expected=f"{known}, or a slice such as train[:10%]",
            got=split or "nothing",
            hint="choose one",
        ) from error
    if not part.num_examples:
        raise UserError(
            f"split of {name}",
            expected="at least one example",
            got=f"none in {split}",
            hint="ask for a larger slice",
        )
    return part


def _refuse_incomplete(builder: Any, name: str) -> None:
    """Missing and truncated files, without reading them: a record takes 16 bytes beside its own."""
    for split in builder.info.splits.values():
        files = [pathlib.Path(file) for file in split.filepaths]
        missing = [file for file in files if not file.is_file()]
        if missing:
            raise _unreadable(name, builder.data_path, f"{missing[0].name} is missing")
        size = sum(file.stat().st_size for file in files)
        if files[0].name.split(".")[-1].startswith("tfrecord") and (
            size < int(split.num_bytes) + 16 * split.num_examples
        ):
            raise _unreadable(name, builder.data_path, f"{files[0].name} or its like is truncated")


def _unreadable(name: str, folder: os.PathLike[str] | str, reason: str) -> UserError:
    return UserError(
        f"data set {name}",
        expected="whole files",
        got=f"{folder} ({reason})",
        hint="remove that folder and prepare it anew, or copy it again",
    )


def _prepare(builder: Any, name: str, split: str, download: bool, manual_dir: str | None) -> None:
    folder = pathlib.Path(builder.data_path)
    root = pathlib.Path(str(folder).removesuffix(builder.info.full_name))
    embedded = builder.name in EMBEDDED
    if folder.exists() and not embedded:
        raise _unreadable(name, folder, "dataset_info.json is missing")
    manual = pathlib.Path(manual_dir or root / "downloads" / "manual").expanduser()
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        _refuse_missing_archives(builder, name, split, manual, asked=bool(manual_dir) or download)
    elif not embedded and not download:
        others = sorted(f"{f.parent.name}/{f.name}" for f in folder.parent.glob("[0-9]*.*.*"))
        found = f", only {', '.join(others)}" if others else ""
        raise UserError(
            f"data set {name}",
            expected=f"a prepared copy in {folder}",
            got=f"none{found}",
            hint=f"add --download where there is a network, or {_elsewhere(builder, name)}",
        )
    if download and not embedded and not builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        _refuse_without_network(builder, name, folder, root / "downloads")
    with _alone(root, name):
        if _is_prepared(builder):  # By whoever held the lock before.
            return
        if embedded:
            for rest in (folder, *folder.parent.glob("incomplete.*")):
                shutil.rmtree(rest, ignore_errors=True)
        _build(builder, name, folder, manual)


def _elsewhere(builder: Any, name: str) -> str:
    return (
        f"prepare it elsewhere with `tfds build {name} --data_dir=DIR`, copy "
        f"DIR/{builder.info.full_name} here and name the place with --data_dir or TFDS_DATA_DIR"
    )


def _build(builder: Any, name: str, folder: pathlib.Path, manual: pathlib.Path) -> None:
    import tensorflow_datasets as tfds

    logging.info("preparing the data set %s in %s", name, folder)
    options = tfds.download.DownloadConfig(manual_dir=manual if manual.is_dir() else None)
    try:
        with _quiet():
            builder.download_and_prepare(download_config=options)
    except Exception as error:  # Foreign code reads foreign files: anything may come.
        words = " ".join(str(error).split())
        raise UserError(
            f"data set {name}",
            expected=f"to be prepared in {folder}",
            got=f"{type(error).__name__}: {words[:300]}",
            hint="mend that and start again; nothing half-prepared was left",
        ) from error


def _refuse_missing_archives(
    builder: Any, name: str, split: str, manual: pathlib.Path, asked: bool
) -> None:
    archives = _ARCHIVES.get(builder.name)
    if archives:
        wanted = [file for part, file in archives.items() if part in split] or [*archives.values()]
        missing = [file for file in wanted if not (manual / file).is_file()]
        text = " and ".join(wanted)
    else:
        text = " ".join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
        missing = [] if manual.is_dir() and any(manual.iterdir()) else ["the archives"]
    if missing or not asked:
        raise UserError(
            f"data set {name}",
            expected=f"a copy prepared in {builder.data_path}, or archives in {manual} ({text})",
            got=f"no copy and no {' and no '.join(missing)}" if missing else "the archives only",
            hint="name the folder of a prepared copy with --data_dir, or that of the archives with "
            "--manual_dir to prepare one",
        )


def _refuse_without_network(
    builder: Any, name: str, folder: pathlib.Path, downloads: pathlib.Path
) -> None:
    """TFDS itself would try for minutes; without an answer from its first host this says so.

    Files that lie in TFDS's folder of downloads already need no network.
    """
    from tensorflow_datasets.core.download import resource

    if any(os.environ.get(proxy) for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        return
    places = (downloads, downloads / builder.name)
    missing = [
        url
        for url, details in builder.url_infos.items()
        if not any((p / resource.get_dl_fname(url, details.checksum)).is_file() for p in places)
    ]
    url = urllib.parse.urlsplit(min(missing, default=""))
    if not url.hostname:
        return
    address = (url.hostname, url.port or (80 if url.scheme == "http" else 443))
    outcome = ["no answer"]

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
            outcome[0] = ""
        except OSError as error:
            outcome[0] = str(error)

    # A thread, since looking up a name knows no time limit.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    if outcome[0]:
        raise UserError(
            f"data set {name}",
            expected=f"a prepared copy in {folder}, or an answer from {address[0]}",
            got=f"neither ({outcome[0]})",
            hint=_elsewhere(builder, name),
        )


@contextlib.contextmanager
def _alone(root: pathlib.Path, name: str) -> Iterator[None]:
    """Holds the lock of a data folder."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = open(root / ".spectral_tf.lock", "w")  # noqa: SIM115 - closed below.
    except OSError as error:
        raise UserError(
            f"data set {name}",
            expected="a folder that can be written, to prepare it in",
            got=f"{root} ({error.strerror})",
            hint="name another with --data_dir or TFDS_DATA_DIR",
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _find_npz(name: str, split: str) -> Images:
    path = pathlib.Path(name.removeprefix("npz:")).expanduser()
    if split != "train":
        raise UserError(
            f"split of {name}", expected="train", got=split, hint="an npz file has no other"
        )
    logging.info("data set: %s", name)
    images, labels = _read_npz(path)

    def open_arrays(decode: bool) -> Any:
        import tensorflow as tf

        return tf.data.Dataset.from_tensor_slices((images, labels))

    return Images(
        name=name,
        split=split,
        num_examples=len(images),
        shape=images.shape[1:],
        label_names=tuple(str(label) for label in range(int(labels.max()) + 1)),
        version=hashlib.sha256(path.read_bytes()).hexdigest(),
        description="",
        _open=open_arrays,
        _decode=lambda image: image,
        _published_order=lambda: slice(None),
        _folder=path,
    )


def _read_npz(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    def refuse(expected: str, got: str, hint: str) -> UserError:
        return UserError(f"npz:{path}", expected=expected, got=got, hint=hint)

    try:
        with np.load(path, allow_pickle=False) as archive:
            if not {"x", "y"} <= set(archive.files):
                raise refuse(
                    "arrays x and y", ", ".join(archive.files) or "none", "save them by these names"
                )
            images, labels = archive["x"], archive["y"]
    except UserError:
        raise
    except Exception as error:  # NumPy raises many kinds for files that are not npz.
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise refuse("a readable npz file", reason, "np.savez(PATH, x=..., y=...)") from error
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim not in (2, 4) or not images.size:
        raise refuse(
            "x of shape [n, d], [n, h, w] or [n, h, w, c]", f"{images.shape}", "reshape it"
        )
    if labels.shape != images.shape[:1]:
        raise refuse(
            f"y of shape [{len(images)}], one label for each image",
            f"{list(labels.shape)}",
            "check which examples belong together",
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 99_999:
        raise refuse(
            "whole labels from 0 to 99,999",
            f"{labels.dtype} from {labels.min()} to {labels.max()}",
            "number the classes from 0",
        )
    if images.dtype != np.uint8:
        if images.dtype.kind != "f":
            raise refuse("x of uint8 or floats", f"{images.dtype}", "convert it")
        low, high = float(images.min()), float(images.max())
        if not (low >= 0 and high <= 1):  # NaN fails both.
            raise refuse("floats from 0 to 1", f"{low:g} to {high:g}", "scale it, or save uint8")
        images = images.astype(np.float32)
    return images, labels.astype(np.int64)
