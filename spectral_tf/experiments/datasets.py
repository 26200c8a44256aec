"""Which images a page takes, as flags say it; they are found when a strategy is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from absl import logging

from spectral_tf.data import Images, find_images, refuse_file, refuse_overlap
from spectral_tf.errors import UserError
from spectral_tf.runtime.launch import flag
from spectral_tf.runtime.seeds import derive_seed


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set by name, with where it may lie.

    Finding one may prepare it, for which TensorFlow runs: hosts have to be joined before.

    Attributes:
      name: as `data.find_images` takes it.
      data_dir, download, manual_dir, channels_first: likewise.
      train_size: first so many training images in their order; 0: all.
      train_split: split to learn from.
      held_out: split to measure on.
      seed: root of the order of training images of npz files and folders.
      shifted: another data set of the same classes, or ""; its split is `test`.
    """

    name: str
    data_dir: str | None = None
    download: bool = False
    manual_dir: str | None = None
    channels_first: bool | None = None
    train_size: int = 0
    train_split: str = "train"
    held_out: str = "test"
    seed: int = 0
    shifted: str = ""

    @classmethod
    def of_flags(cls) -> Dataset:
        """As the flags say.

        Raises:
          UserError: the path of a file where the name of a data set belongs.
        """
        fields = {field.name: field.default for field in dataclasses.fields(cls)}
        del fields["name"]
        refuse_file(flag("dataset"))
        if flag("shifted", ""):
            refuse_file(flag("shifted"))
        return cls(
            flag("dataset"), **{name: flag(name, default) for name, default in fields.items()}
        )

    def find(self, split: str = "train", order_seed: int | None = None) -> Images:
        """One split of it.

        Raises:
          UserError: as `data.find_images`.
        """
        return find_images(
            self.name,
            split,
            data_dir=self.data_dir,
            download=self.download,
            manual_dir=self.manual_dir,
            channels_first=self.channels_first,
            order_seed=order_seed,
        )

    def training(self) -> Images:
        """The images to learn from.

        Those of npz files and folders, which are mostly sorted by class, come in an order that the
        seed draws; those of TFDS as they are stored.

        Raises:
          UserError: as `data.find_images` and `Images.take`; a TFDS set that is stored sorted by
            class, of which a part would lack classes.
        """
        images = self.find(self.train_split, derive_seed(self.seed, "training"))
        if self.train_size:
            images = images.take(self.train_size)
        if not images.shuffled:
            self._refuse_missing_classes(images)
        return images

    def splits(self, *, trains: bool = True) -> tuple[Images, Images]:
        """The training images, of 2 classes or more, and the held-out images.

        The record of the training images says what `data.refuse_overlap` found.

        Args:
          trains: whether networks learn from the training images; else these may be held out, too.

        Raises:
          UserError: as `training` and `data.refuse_overlap`; fewer classes.
        """
        training = self.training()
        if training.num_classes < 2:
            raise UserError(
                "dataset",
                expected="labels of 2 classes or more",
                got=f"{training.num_classes} in {training.name}",
                hint="number the classes from 0",
            )
        held_out = self.find(self.held_out)
        if trains:
            notes = {**training.notes, **refuse_overlap(training, held_out)}
            training = dataclasses.replace(training, notes=notes)
            _warn_of_missing_classes(training)
        return training, held_out

    def shifted_images(self, held_out: Images) -> Images | None:
        """The images of the shifted data set, its test split; None if there is none.

        Args:
          held_out: those without the shift.

        Raises:
          UserError: as `data.find_images`; other classes (numbers alone are taken for the same),
            images of another shape.
        """
        if not self.shifted:
            return None
        images = dataclasses.replace(self, name=self.shifted, channels_first=None).find("test")
        numbers = tuple(map(str, range(held_out.num_classes)))
        for name, asked, got in (
            ("classes", held_out.label_names, images.label_names),
            ("shape", held_out.shape, images.shape),
        ):
            if asked != got and not (name == "classes" and got == numbers):
                raise UserError(
                    "shifted",
                    expected=f"images of the {name} of {held_out.name}, {_few(asked)}",
                    got=f"{self.shifted} with {_few(got)}",
                    hint="cifar10_1/v6 is for cifar10",
                )
        return images

    def _refuse_missing_classes(self, images: Images) -> None:
        """Raises a UserError if a part of splits that are sorted by class lacks some of them."""
        from spectral_tf.data.selection import stored_labels

        labels = stored_labels(self.find("+".join(dict.fromkeys(p.split for p in images.parts))))
        classes, own = np.unique(labels), np.unique(stored_labels(images))
        sorted_by_class = np.count_nonzero(np.diff(labels)) == classes.size - 1
        if sorted_by_class and own.size < classes.size:
            raise UserError(
                f"train_split={images.split} and train_size={self.train_size}",
                expected=f"images of all {classes.size} classes of {images.name}, which is stored "
                "sorted by class",
                got=f"images of {own.size}",
                hint="take the whole split, or prepare the set shuffled",
            )


def _few(names: Sequence[object]) -> str:
    told = ", ".join(map(str, names[:4]))
    return f"{told}, ... ({len(names)})" if len(names) > 4 else told


def _warn_of_missing_classes(images: Images) -> None:
    """A line if a part of somebody's own images lacks classes that others of them have."""
    if not images.own:
        return
    labels = images.own.labels
    missing = np.setdiff1d(labels, labels[images.own.numbers])
    if missing.size:
        names = ", ".join(images.label_names[label] for label in missing[:5])
        logging.warning(
            "no training image of %d of %d classes: %s", missing.size, images.num_classes, names
        )
