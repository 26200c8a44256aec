"""What one's own images have in common, in whatever they lie: splits, slices and order."""

import dataclasses
import pathlib
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_tf.data.images import Images, Own
from spectral_tf.data.splits import Part, parts
from spectral_tf.errors import UserError

# Names of splits that people have for these.
_SAME = {"val": "validation", "valid": "validation", "training": "train", "testing": "test"}


def split_name(name: str) -> str:
    """How a split is called here: `val` and `valid` are `validation`, and so on.

    >>> split_name("val"), split_name("extra")
    ('validation', 'extra')
    """
    return _SAME.get(name, name)


@dataclasses.dataclass(frozen=True)
class OwnImages:
    """All images of a file or folder, one split behind the other.

    Attributes:
      name: as it was asked for.
      sizes: {split: number of images}, in order.
      shape, label_names, version, notes: as those of `Images`.
      labels: int64 [n].
      clusters: {split: int64}, where it is known which images are not independent draws.
      path: of the file or folder.
      in_memory: whether pixels are held.
      open: numbers of images, whether to decode -> `tf.data.Dataset` of these in this order.
      decode: one image as `open` gives it -> its pixels.
      size, content: as those of `Own`.
    """

    name: str
    sizes: Mapping[str, int]
    shape: tuple[int | None, ...]
    labels: NDArray[np.int64]
    label_names: tuple[str, ...]
    clusters: Mapping[str, NDArray[np.int64]]
    version: str
    path: pathlib.Path
    notes: Mapping[str, Any]
    in_memory: bool
    open: Callable[[NDArray[np.int64], bool], Any]
    decode: Callable[[Any], Any]
    size: Callable[[int], int]
    content: Callable[[int], bytes]

    def find(self, split: str, order_seed: int | None = None) -> Images:
        """The images of a split or of slices of it.

        People's images are mostly sorted by class, so slices are those of a fixed random order
        (see `sliced`), as TFDS's are. Whole splits and slices come in the order of the file, or
        in one that `order_seed` draws.

        Args:
          split: in TFDS's notation; `val` is `validation`.
          order_seed: draws the order; None: that of the file.

        Raises:
          UserError: as `splits.parts`.
        """
        known = {
            name: types.SimpleNamespace(num_examples=size, shard_lengths=[size])
            for name, size in self.sizes.items()
        }
        first = next(iter(known))
        hint = f"to hold some out, take slices, such as {first}[:80%] to learn and {first}[80%:]"
        found = parts(self.name, _renamed(split), known, hint)
        starts = dict(zip(self.sizes, np.cumsum([0, *self.sizes.values()]).tolist(), strict=False))
        numbers = np.concatenate(
            [
                starts[p.split] + sliced(p, self.sizes[p.split], self.clusters.get(p.split))
                for p in found
            ]
        )
        if not numbers.size:
            raise UserError(
                f"split of {self.name}",
                expected="the beginning of a cluster at least",
                got=f"none in {split}",
                hint="ask for a larger slice",
            )
        notes = dict(self.notes)
        if "[" in split:
            notes["slices"] = "of one random order that no seed changes"
        if order_seed is not None:
            numbers = np.random.default_rng(order_seed).permutation(numbers)
            notes["order_seed"] = order_seed

        def read_clusters() -> NDArray[np.int64]:
            clusters = np.arange(len(self.labels))
            if self.clusters.keys() != self.sizes.keys():
                # Where nothing is known, each image is a cluster that nothing else is in.
                clusters += 1 + max(int(own.max()) for own in self.clusters.values())
            for name, own in self.clusters.items():
                clusters[starts[name] : starts[name] + len(own)] = own
            return clusters[numbers]

        def open_images(decode: bool, own: NDArray[np.int64] = numbers) -> Any:
            import tensorflow as tf

            labels = tf.data.Dataset.from_tensor_slices(self.labels[own])
            return tf.data.Dataset.zip(self.open(own, decode), labels)

        return Images(
            name=self.name,
            split=split,
            num_examples=len(numbers),
            shape=self.shape,
            label_names=self.label_names,
            version=self.version,
            description="",
            _open=open_images,
            _decode=self.decode,
            _published_order=lambda: slice(None),
            _folder=self.path,
            _clusters=read_clusters if any(p.split in self.clusters for p in found) else None,
            notes=notes,
            own=Own(numbers, self.labels, self.size, self.content, self.in_memory),
            parts=found,
            num_files=1 if self.in_memory else len(numbers),
            _stretch=lambda start, stop: open_images(False, numbers[start:stop]),
        )


def _renamed(split: str) -> str:
    """With this package's names of splits."""
    parted = (word.strip().partition("[") for word in split.split("+"))
    return "+".join(split_name(name) + bracket + rest for name, bracket, rest in parted)


def sliced(part: Part, size: int, clusters: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """The places of a slice's images in their split, rising.

    A slice is one of a random order, the same for all splits of one size, runs and machines: what
    is `train[:80%]` does not depend on a seed, and `train[80%:]` are the others. Clusters are
    ordered as wholes and belong to the slice in which they begin: none is in two slices that share
    no place, and a slice may be larger or smaller than asked for by the rest of one cluster.

    Args:
      part: of the split.
      size: of the split.
      clusters: of its images, [size]; None: each is one of its own.

    >>> first, rest = (sliced(Part("train", *ends), 5) for ends in ((0, 3), (3, 5)))
    >>> first.size, sorted([*first.tolist(), *rest.tolist()])
    (3, [0, 1, 2, 3, 4])
    """
    if (part.start, part.stop) == (0, size):
        return np.arange(size)
    groups = np.arange(size) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    # The raw stream of a bit generator is the same in all versions of NumPy.
    keys = np.random.PCG64(0).random_raw(int(groups.max()) + 1)
    order = np.argsort(keys[groups], kind="stable")
    begins = np.unique(groups[order], return_index=True)[1][groups]
    return np.flatnonzero((part.start <= begins) & (begins < part.stop))
