"""A split of labelled images that is there to be read."""

import contextlib
import dataclasses
import functools
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectral_tf.data.splits import Part
from spectral_tf.errors import UserError
from spectral_tf.streams import this_host, without_autotune

# Sets that are prepared in seconds from what the package's dependencies bring.
EMBEDDED: Mapping[str, str] = {
    "digits": "embedded: 1,797 handwritten digits of 8 x 8 pixels from scikit-learn, not MNIST",
    "photo_patches": "embedded: 32 x 32 crops of ten photographs, labelled by photograph",
}
# How the pipeline calls an image that it would have to enlarge.
TOO_SMALL = "image smaller than the input of the network"
# Unreadable images beyond this share are no accident.
TOLERATED = 0.01
_RESIDENT_BYTES = 2 * 2**30
# Arrays of at most so many bytes are kept for whoever asks again, as every trainer of a sweep does.
_KEPT_BYTES = 2**28


class Own(NamedTuple):
    """Which of somebody's own images these are, and how to compare them with others.

    Attributes:
      numbers: of each image among all of the file or folder, in the order of `Images.dataset`.
      labels: of all images of the file or folder.
      size: number of an image -> bytes that it takes.
      content: number of an image -> these bytes.
      in_memory: whether pixels are held already.
    """

    numbers: NDArray[np.int64]
    labels: NDArray[np.int64]
    size: Callable[[int], int]
    content: Callable[[int], bytes]
    in_memory: bool


class Merged(NamedTuple):
    """Images whose classes are those of others, merged; `groups`: of every class there, its own."""

    of: "Images"
    groups: NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Images:
    """One split of labelled images, found and ready to be read.

    Attributes:
      name: as it was asked for, such as `mnist`, `npz:digits.npz` or `folder:photos`.
      split: such as `train` or `train[:10%]`.
      num_examples: at least 1.
      shape: of an image: [h, w, c] with None for what varies, or [d] for vectors.
      label_names: one for each class.
      version: `mnist/3.0.1`, or the SHA-256 of an npz file, or that of the names and sizes of the
        files of a folder.
      description: what the set is, in a line, if the name alone could mislead; else "".
      notes: what the record says of one's own images besides: how they were read and ordered.
      own: of one's own images, which can be drawn in any order; None for those of TFDS.
      parts: of which splits these images are, before `take`.
      shuffled: whether the stored order is a random one.
      num_files: that hold the images; where each is one of its own, their number.
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
    _folder: os.PathLike[str] = dataclasses.field(repr=False)
    # In stored order; None where each image is a cluster of its own.
    _clusters: Callable[[], np.ndarray] | None = dataclasses.field(default=None, repr=False)
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    own: Own | None = dataclasses.field(default=None, repr=False)
    parts: Sequence[Part] = dataclasses.field(default=(), repr=False)
    shuffled: bool = dataclasses.field(default=True, repr=False)
    num_files: int = dataclasses.field(default=1, repr=False)
    # First and end of some examples -> the data set of them alone, encoded.
    _stretch: Callable[[int, int], Any] | None = dataclasses.field(default=None, repr=False)
    # Whose pixels these are.
    _merged: "Merged | None" = dataclasses.field(default=None, repr=False)

    @property
    def num_classes(self) -> int:
        """The number of classes of the set, whether or not the split holds them all."""
        return len(self.label_names)

    @property
    def has_clusters(self) -> bool:
        """Whether it is known which images are not independent draws."""
        return self._clusters is not None

    @property
    def title(self) -> str:
        """Name and, for embedded sets, what they are: for first log lines, figures and records."""
        return f"{self.name} ({self.description})" if self.description else self.name

    def record(self, normalisation: Any = None) -> dict[str, Any]:
        """What a run's record should say about its data, and its `Normalisation` if it has one.

        The number of clusters is there if there are fewer than images; see `clusters`.
        """
        num_clusters = len(np.unique(self.clusters())) if self._clusters else self.num_examples
        return {
            "dataset": self.title,
            "version": self.version,
            "split": self.split,
            "num_examples": self.num_examples,
            **({"num_clusters": num_clusters} if num_clusters < self.num_examples else {}),
            "image_shape": list(self.shape),
            "num_classes": self.num_classes,
            **self.notes,
            **({"normalisation": normalisation._asdict()} if normalisation else {}),
        }

    @property
    def resident(self) -> bool:
        """Whether all images have one size and fit into memory together (2 GB).

        Those of an npz file are in memory already.
        """
        if self.own and self.own.in_memory:
            return True
        if None in self.shape:
            return False
        return self.num_examples * math.prod(map(int, self.shape)) <= _RESIDENT_BYTES  # type: ignore[arg-type]

    def dataset(self, *, decode: bool = True) -> Any:
        """A `tf.data.Dataset` of (image, label) in stored order, the same in every call.

        Images are uint8 of 0 ... 255, or float32 in [0, 1] from an npz file of floats; not decoded
        they are what `decode` takes: bytes, or the pixels of an npz file. Labels are int64
        scalars. Read it in `reading()`.
        """
        return self._open(decode)

    def stretch(self, start: int, stop: int) -> Any:
        """Examples start ... stop - 1 as `dataset(decode=False)`, in the order of their files.

        Files before and behind are not opened. Sets of several files are stored in that order;
        `dataset` reads some of them side by side.
        """
        if self._stretch and self.num_files > 1:
            return self._stretch(start, stop)
        return self._open(False).skip(start).take(stop - start)

    def take(self, count: int) -> "Images":
        """The first so many, in stored order (of one's own: in the order they were found in).

        Raises:
          UserError: fewer than 1 or more than there are.
        """
        if not 1 <= count <= self.num_examples:
            raise UserError(
                "train_size",
                expected=f"1 to {self.num_examples:,} images of {self.name}, split {self.split}",
                got=f"{count:,}",
                hint="0 takes all",
            )
        clusters = self._clusters
        return dataclasses.replace(
            self,
            num_examples=count,
            own=self.own and self.own._replace(numbers=self.own.numbers[:count]),
            # The first ones as they are read side by side are no stretch of the files.
            num_files=1,
            _stretch=None,
            _merged=None,
            _open=lambda decode: self._open(decode).take(count),
            _published_order=lambda: slice(None),
            _clusters=clusters and (lambda: clusters()[:count]),
        )

    def merged(self, groups: Sequence[int]) -> "Images":
        """The same images with their classes merged into groups.

        Args:
          groups: for every class the number of its group; groups are numbered from 0.

        Raises:
          UserError: other than one number for each class, or groups that are left out.
        """
        count = max(groups, default=-1) + 1
        if len(groups) != self.num_classes or set(groups) != set(range(count)):
            raise UserError(
                "groups",
                expected=f"one of 0, 1, ... for each of {self.num_classes} classes",
                got=f"{list(groups)}",
                hint="leave no group empty",
            )
        names = merged_names(self.label_names, groups)

        def merge(dataset: Any) -> Any:
            import tensorflow as tf

            table = tf.constant(list(groups), tf.int64)
            return dataset.map(lambda image, label: (image, table[label]))

        return dataclasses.replace(
            self,
            label_names=tuple(names),
            _open=lambda decode: merge(self._open(decode)),
            _stretch=lambda start, stop: merge(self.stretch(start, stop)),
            _merged=Merged(self, np.array(groups, np.int64)),
        )

    def decode(self, encoded: Any) -> Any:
        """One image as TFDS decodes it; arrays are not encoded and pass."""
        return self._decode(encoded)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """All images [n, *shape], uint8 or float32 as in `dataset`, and labels [n], int64.

        Whole splits of MNIST and Fashion-MNIST come in the order of the published files, which
        TFDS shuffles when it stores them; all others in stored order. They are not to be written
        to: those of small sets are kept, and decoded once.

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
        if self._merged:
            images, labels = self._merged.of.arrays()
            return images, self._merged.groups[labels]
        if self.num_examples * math.prod(map(int, self.shape)) <= _KEPT_BYTES:  # type: ignore[arg-type]
            return self._arrays
        return self._decoded()

    @functools.cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        arrays = self._decoded()
        for array in arrays:
            array.flags.writeable = False
        return arrays

    def _decoded(self) -> tuple[np.ndarray, np.ndarray]:
        with self.reading():
            batches = list(without_autotune(self.dataset().batch(1_000)).as_numpy_iterator())
        images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        order = self._published_order()
        return images[order], labels[order]

    def clusters(self) -> np.ndarray:
        """The cluster of each image, int64 [n], in the order of `arrays`.

        Images of one number are not independent draws (crops of one square of a photograph of
        `photo_patches`, what an npz file says), whatever their classes. Where nothing is known of
        clusters, each image is one of its own, 0 ... n - 1. No image is decoded.

        Raises:
          UserError: files that cannot be read.
        """
        if self._clusters is None:
            return np.arange(self.num_examples)
        with self.reading():
            return self._clusters()[self._published_order()].astype(np.int64)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Within it files are read on this host.

        Raises:
          UserError: images smaller than what is asked of them; files that cannot be decoded.
        """
        import tensorflow as tf

        try:
            with this_host():
                yield
        except (
            tf.errors.DataLossError,
            tf.errors.NotFoundError,
            tf.errors.InvalidArgumentError,
        ) as error:
            if TOO_SMALL in error.message:
                raise UserError(
                    f"images of {self.name}",
                    expected="at least the network's input",
                    got="smaller ones",
                    hint="choose a smaller input or another data set",
                ) from error
            reason = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", error.message.splitlines()[0]).strip()
            if self.own:
                raise UserError(
                    f"images of {self.name}",
                    expected="files that can be decoded",
                    got=reason,
                    hint="convert or remove the broken ones",
                ) from error
            raise unreadable(self.name, self._folder, reason) from error


def unreadable(name: str, folder: os.PathLike[str] | str, reason: str) -> UserError:
    """What to say of files that are not whole."""
    return UserError(
        f"data set {name}",
        expected="whole files",
        got=f"{folder} ({reason})",
        hint="remove that folder and prepare it anew, or copy it again",
    )


def merged_names(names: Sequence[str], groups: Sequence[int]) -> list[str]:
    """The names of classes that are merged into groups, by the number of each class's group.

    >>> merged_names(["cat", "boat", "dog"], [0, 1, 0])
    ['cat+dog', 'boat']
    """
    return [
        "+".join(name for name, own in zip(names, groups, strict=True) if own == group)
        for group in range(max(groups) + 1)
    ]
