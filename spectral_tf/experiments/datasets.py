"""Which images a page takes, as flags say it; they are found when a strategy is there."""

from __future__ import annotations

import dataclasses

from spectral_tf.data import Images, find_images
from spectral_tf.errors import UserError
from spectral_tf.runtime.launch import flag


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set by name, with where it may lie.

    Finding one may prepare it, for which TensorFlow runs: hosts have to be joined before.

    Attributes:
      name: as `data.find_images` takes it.
      data_dir, download, manual_dir: likewise.
      train_size: first so many training images as stored; 0: all.
      held_out: split to measure on.
    """

    name: str
    data_dir: str | None = None
    download: bool = False
    manual_dir: str | None = None
    train_size: int = 0
    held_out: str = "test"

    @classmethod
    def of_flags(cls) -> Dataset:
        """As the flags say."""
        fields = {field.name: field.default for field in dataclasses.fields(cls)}
        del fields["name"]
        return cls(
            flag("dataset"), **{name: flag(name, default) for name, default in fields.items()}
        )

    def find(self, split: str = "train") -> Images:
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
        )

    def splits(self) -> tuple[Images, Images]:
        """The training images, of 2 classes or more, and the held-out images.

        Raises:
          UserError: as `data.find_images` and `Images.take`; fewer classes.
        """
        training = self.find()
        if self.train_size:
            training = training.take(self.train_size)
        if training.num_classes < 2:
            raise UserError(
                "dataset",
                expected="labels of 2 classes or more",
                got=f"{training.num_classes} in {training.name}",
                hint="number the classes from 0",
            )
        return training, self.find(self.held_out)
