"""The classifiers that a page measures: somebody's saved one, or some that it trains first."""

import dataclasses
import hashlib
import itertools
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spectral_tf.data import Images, find_images, standard, unit
from spectral_tf.errors import UserError
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    file_digests,
    find_splits,
    refuse_sizes_of_files,
)
from spectral_tf.experiments.networks import SEEDS
from spectral_tf.experiments.saved import saved_model
from spectral_tf.models import refuse_application
from spectral_tf.records import Part, RunFolder

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.training.classifier import Classifier
    from spectral_tf.training.session import Session


class Subject:
    """A classifier and its images, from the flags of `runtime.define_subject_flags`.

    Flags are checked first; `load` needs data and TensorFlow, `train` time.

    Args:
      values: as `runtime.settings()` gives them; `outputs` may be empty, and is not checked then.
      save_every_seconds: between saves of a training.
      flag: how errors call the saved model.

    Attributes:
      digests: of the files, for the record.
      held_out: the images to measure on, once loaded, as is what follows.
      shape: [h, w, c] of the inputs.
      prepare: stored pixels -> inputs, in whose space distances are measured: the normalisation of
        the run that a file belongs to, an application's own preprocessing, or that of the flags.
      show: inputs -> pixels in [0, 1], to look at; None where preprocessing is not undone.
      outputs: for every class of the data the number of its output, [C].

    Raises:
      UserError: a file that is not there, data that its run was not made with, flags that exclude
        each other.
    """

    held_out: Images
    shape: tuple[int, int, int]
    prepare: "Callable[[tf.Tensor], tf.Tensor]"
    show: Callable[[NDArray], NDArray] | None
    outputs: NDArray[np.int64]

    def __init__(
        self, values: Mapping[str, Any], save_every_seconds: float, flag: str = "--from_run"
    ) -> None:
        self._values, self._save_every, self._flag = values, save_every_seconds, flag
        self._setting = Setting.of(values)
        self._saved = saved_model(flag, values["from_run"]) if values["from_run"] else None
        self._task: Classification | None = None
        self._model: keras.Model | None = None
        self._record: dict[str, Any] = {}
        if self._saved and self._saved.dataset not in (None, values["dataset"]):
            raise UserError(
                "--dataset",
                expected=f"{self._saved.dataset}, that of the run",
                got=values["dataset"],
                hint=f"say --dataset={self._saved.dataset}",
            )
        if values["application"] and self._saved:
            raise UserError(
                "--application",
                expected="no --from_run beside it",
                got=values["from_run"],
                hint="leave one out",
            )
        own = self.trains
        if values["outputs"] == "probabilities" and (own or values["application"]):
            raise UserError(
                "--outputs",
                expected="logits, which these networks give",
                got=values["outputs"],
                hint="leave it out, or name a model with --from_run",
            )
        self._refuse_idle_flags(own)
        self.digests = file_digests({"model": str(self._saved.file) if self._saved else ""})
        if own:
            self.digests = file_digests({"model": values["model"]})
            refuse_sizes_of_files(values)
        if values["application"]:
            refuse_application(values["application"], values["weights"])
            weights = pathlib.Path(values["weights"])
            if weights.is_file():
                digest = hashlib.sha256(weights.read_bytes()).hexdigest()
                self.digests["weights_sha256"] = digest

    def _refuse_idle_flags(self, own: bool) -> None:
        """Raises a UserError for flags that would change nothing."""
        values, application = self._values, bool(self._values["application"])
        normalised = own or application or (self._saved and self._saved.normalisation)
        idle = {
            "weights": values["weights"] and not application,
            "side": values["side"] and not application,
            "normalisation": values["normalisation"] != "standard" and normalised,
        }
        if not own:
            plain = dataclasses.asdict(Setting())
            # Batches are those of the measurement, too.
            idle |= {
                name: value != plain[name]
                for name, value in dataclasses.asdict(self._setting).items()
                if name != "batch_size"
            }
        for name, useless in idle.items():
            if useless:
                raise UserError(
                    f"--{name}",
                    expected={
                        "normalisation": "a file that belongs to no run",
                        "weights": "an --application",
                        "side": "an --application",
                    }.get(name, "a network that is trained here"),
                    got=f"{values[name]} without",
                    hint="leave it out",
                )

    @property
    def trains(self) -> bool:
        """Whether the page trains its networks; else there is one, that somebody saved."""
        return not (self._saved or self._values["application"])

    def num_networks(self, seeds: int) -> int:
        """How many networks there are: so many trainings, or the saved one.

        Args:
          seeds: trainings that are asked for.

        Raises:
          UserError: other than `SEEDS` of them beside a saved network.
        """
        if not self.trains and seeds != SEEDS:
            raise UserError(
                "--seeds",
                expected="networks that are trained here",
                got=f"{seeds} with a saved one, which is one",
                hint="leave it out",
            )
        return seeds if self.trains else 1

    def load(self, strategy: "tf.distribute.Strategy", places: Mapping[str, Any]) -> None:
        """Finds the images and makes sure that the network fits them; a saved one is there then.

        Args:
          strategy: that computes.
          places: of data, as `runtime.data_places()` gives them.

        Raises:
          UserError: no such images, or a network that does not fit them.
        """
        if self._values["application"]:
            self._load_application(strategy, places)
            return
        from spectral_tf.data import pipeline
        from spectral_tf.models.classifiers import load, refuse_other_shapes

        training, self.held_out = find_splits(self._values, places)
        self.outputs = np.arange(self.held_out.num_classes)
        if self._saved:
            with strategy.scope():
                self._model = model = load(self._flag, str(self._saved.file))
            sides = itertools.zip_longest(model.input_shape[1:], self.held_out.shape)
            wanted = [own or side or 0 for own, side in sides]
            if 0 in wanted:
                raise UserError(
                    self._flag,
                    expected=f"a model of one size, for images of {self.held_out.name} of many",
                    got=f"inputs {model.input_shape[1:]}",
                    hint="save it with an Input of fixed sides",
                )
            self.shape = pipeline.fitting_shape(self.held_out, wanted)
            refuse_other_shapes(self._flag, model, self.shape, self.held_out.num_classes)
            default = standard if self._values["normalisation"] == "standard" else unit
            normalisation = self._saved.normalisation or default(training)
        else:
            self._task = Classification(
                self._setting, training, self.held_out, strategy, self._values["seed"]
            )
            self.shape, normalisation = self._task.shape, self._task.normalisation
            with strategy.scope():
                self._task.build(0)
        mean, deviation = (np.asarray(part, np.float32) for part in normalisation[:2])
        self.prepare = pipeline.prepare(normalisation)
        self.show = lambda inputs: inputs * deviation + mean
        self._record = training.record(normalisation)
        self._refuse_other_outputs()

    def _load_application(
        self, strategy: "tf.distribute.Strategy", places: Mapping[str, Any]
    ) -> None:
        import tensorflow as tf

        from spectral_tf.models.applications import application

        values = self._values
        self.held_out = find_images(values["dataset"], values["held_out"], **places)
        self.outputs = _imagenet_classes(self.held_out)
        with strategy.scope():
            self._model, preprocess = application(
                values["application"], values["weights"], side=values["side"]
            )
        self.shape = self._model.input_shape[1:]
        self.prepare = lambda pixels: preprocess(
            255 * tf.image.convert_image_dtype(pixels, "float")
        )
        self.show = None
        names = {name: values[name] for name in ("application", "weights")}
        self._record = {**self.held_out.record(), **names}

    def _refuse_other_outputs(self) -> None:
        """Raises a UserError if a saved model does not give what `--outputs` says."""
        if self._model is None or not self._values["outputs"]:
            return
        from spectral_tf.data.selection import select
        from spectral_tf.probes.paths import refuse_other_outputs

        few = min(8, self.held_out.num_examples)
        pixels = select(self.held_out.take(few), range(few), self.shape).pixels
        given = np.asarray(self._model(self.prepare(pixels), training=False), np.float64)
        refuse_other_outputs(given, self._values["outputs"])

    def record(self) -> dict[str, Any]:
        """What the record of a run says about images and files."""
        return {**self._record, **self.digests, "held_out": self.held_out.split}

    @property
    def ready(self) -> bool:
        """Whether nothing has to be trained, once loaded."""
        return self._model is not None

    def train(
        self, place: RunFolder | Part, run: int = 0
    ) -> "tuple[keras.Model, Session[Classifier] | None]":
        """The network, trained in a place of its own if it is not a saved one; with its session.

        Args:
          place: where state and events are kept.
          run: number of the training, which decides its draws.
        """
        from spectral_tf.training.session import Session

        if self._model:
            return self._model, None
        assert self._task, "load first"
        epochs = range(self._values["num_epochs"] + 1)
        trainer = self._task.trainer(self._values["seed"], run)
        steps = [self._task.epoch * epoch for epoch in epochs]
        name = f"training, seed {run}" if run else "training"
        session = Session(trainer, place, steps, self._save_every, name)
        for step in session:
            session.board.scalars({"loss": float(session.losses[0])}, step)
        if place.writes:
            trainer.save_model(place.state_file.with_name("final.keras"))
        return trainer.model, session


def _imagenet_classes(images: Images) -> NDArray[np.int64]:
    """For every class of a set its number among the 1,000 of ImageNet, by its WordNet name."""
    import tensorflow_datasets as tfds

    names = tfds.builder("imagenet2012").info.features["label"].names
    if strangers := [name for name in images.label_names if name not in names]:
        raise UserError(
            "--dataset",
            expected="classes of ImageNet, as imagenet2012 and imagenette have",
            got=f"{images.name} with {strangers[0]}",
            hint="name a model of these classes with --from_run",
        )
    place = {name: i for i, name in enumerate(names)}
    return np.array([place[name] for name in images.label_names])
