"""The classifier that a page measures: somebody's saved one, or one that it trains first."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spectral_tf.data import standard, unit
from spectral_tf.errors import UserError
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    file_digests,
    find_splits,
    refuse_sizes_of_files,
)
from spectral_tf.experiments.saved import saved_model
from spectral_tf.records import RunFolder

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.training.classifier import Classifier
    from spectral_tf.training.session import Session


class Subject:
    """A classifier and its images, from the flags of `runtime.define_subject_flags`.

    Flags are checked first; `load` needs data and TensorFlow, `train` time.

    Args:
      values: as `runtime.settings()` gives them.
      save_every_seconds: between saves of a training.

    Attributes:
      digests: of the file, for the record.
      training, held_out: the images, once loaded, as is what follows.
      shape: [h, w, c] of the inputs.
      normalisation: of the images: that of the run that a file belongs to.

    Raises:
      UserError: a file that is not there, or data that its run was not made with.
    """

    def __init__(self, values: Mapping[str, Any], save_every_seconds: float) -> None:
        self._values, self._save_every = values, save_every_seconds
        self._setting = Setting.of(values)
        self._saved = saved_model("--from_run", values["from_run"]) if values["from_run"] else None
        if self._saved and self._saved.dataset not in (None, values["dataset"]):
            raise UserError(
                "--dataset",
                expected=f"{self._saved.dataset}, that of the run",
                got=values["dataset"],
                hint=f"say --dataset={self._saved.dataset}",
            )
        name = str(self._saved.file) if self._saved else values["model"]
        self.digests = file_digests({"model": name})
        refuse_sizes_of_files(values)
        if not self._saved and values["outputs"] != "logits":
            raise UserError(
                "--outputs",
                expected="logits, which the networks trained here give",
                got=values["outputs"],
                hint="leave it out, or name a model with --from_run",
            )

    def load(self, strategy: "tf.distribute.Strategy", places: Mapping[str, Any]) -> None:
        """Finds the images and makes sure that the network fits them; a saved one is there then.

        Args:
          strategy: that computes.
          places: of data, as `runtime.data_places()` gives them.

        Raises:
          UserError: no such images, or a network that does not fit them.
        """
        from spectral_tf.data import pipeline
        from spectral_tf.models.classifiers import load, refuse_other_shapes

        self.training, self.held_out = find_splits(self._values, places)
        self._task = self._model = None
        if not self._saved:
            self._task = Classification(
                self._setting, self.training, self.held_out, strategy, self._values["seed"]
            )
            self.shape, self.normalisation = self._task.shape, self._task.normalisation
            with strategy.scope():
                self._task.build(0)
            return
        with strategy.scope():
            self._model = model = load("--from_run", str(self._saved.file))
        sides = zip(model.input_shape[1:], self.held_out.shape, strict=False)
        self.shape = pipeline.fitting_shape(
            self.held_out, tuple(own or side or 0 for own, side in sides)
        )
        refuse_other_shapes("--from_run", model, self.shape, self.held_out.num_classes)
        default = standard if self._values["normalisation"] == "standard" else unit
        self.normalisation = self._saved.normalisation or default(self.training)

    def record(self) -> dict[str, Any]:
        """What the record of a run says about images and file."""
        split = {"split": self.held_out.split} if self._saved else {}
        return {**self.training.record(self.normalisation), **self.digests, **split}

    def train(self, folder: RunFolder) -> "tuple[keras.Model, Session[Classifier] | None]":
        """The network, trained in the run folder if it is not a saved one; with its session."""
        from spectral_tf.training.session import Session

        if not self._task:
            assert self._model is not None, "load first"
            return self._model, None
        epochs = range(self._values["num_epochs"] + 1)
        trainer = self._task.trainer(self._values["seed"], 0)
        session = Session(
            trainer,
            folder,
            [self._task.epoch * epoch for epoch in epochs],
            self._save_every,
            "training",
        )
        for step in session:
            session.board.scalars({"loss": float(session.losses[0])}, step)
        if folder.writes:
            trainer.save_model(folder.state_file.with_name("final.keras"))
        return trainer.model, session
