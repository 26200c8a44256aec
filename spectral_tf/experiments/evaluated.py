"""The classifiers that a page measures: somebody's saved one, a published one, or some it trains.

Each kind is a class that holds what flags say of it, checked; `load` needs images and TensorFlow,
and gives the same for all of them, an `Evaluated`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spectral_tf import data, models, runtime
from spectral_tf.data import Images
from spectral_tf.errors import UserError
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    file_digest,
    model_digest,
)
from spectral_tf.experiments.datasets import Dataset
from spectral_tf.experiments.networks import SEEDS
from spectral_tf.experiments.saved import Saved, saved_model

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.experiments.page import Page
    from spectral_tf.probes.stream import Prepare


class Evaluated(NamedTuple):
    """Classifiers that are there, or a way to train them, with the images to measure them on.

    Attributes:
      held_out: the images.
      shape: [h, w, c] of the inputs.
      prepare: stored pixels -> inputs, in whose space distances are measured: the normalisation of
        the run that a file belongs to, an application's own preprocessing, or that of the flags.
      show: inputs -> pixels in [0, 1], to look at; None where preprocessing is not undone.
      outputs: for every class of the data the number of its output, [C].
      record: what the record of a run says of images and files.
      model: that somebody saved or published; None if the page trains.
      task: that the page trains; None if there is a model.
    """

    held_out: Images
    shape: tuple[int, int, int]
    prepare: Prepare
    show: Callable[[NDArray], NDArray] | None
    outputs: NDArray[np.int64]
    record: dict[str, Any]
    model: keras.Model | None = None
    task: Classification | None = None


class Subject(Protocol):
    """What there is to measure, before anything is loaded.

    Attributes:
      trains: whether the page trains its networks; else there is one.
      num_networks: how many there are.
      digests: of files, for the record.
    """

    trains: bool

    @property
    def num_networks(self) -> int: ...  # noqa: D102
    @property
    def digests(self) -> Mapping[str, str]: ...  # noqa: D102

    def load(self, strategy: tf.distribute.Strategy) -> Evaluated:
        """Finds the images and makes sure that the networks fit them.

        Raises:
          UserError: no such images, or a network that does not fit them.
        """


@dataclasses.dataclass(frozen=True)
class SavedModel:
    """A `.keras` file, perhaps of a run.

    Attributes:
      dataset: to measure on.
      saved: the file and what its run says of it.
      flag: how errors call it.
      normalisation: of a file that belongs to no run, `standard` or `unit`.
      kind: of its outputs, `logits` or `probabilities`; "": not looked at.
    """

    dataset: Dataset
    saved: Saved
    flag: str = "--from_run"
    normalisation: str = "standard"
    kind: str = "logits"
    trains = False
    num_networks = 1

    @property
    def digests(self) -> dict[str, str]:
        """Of the file."""
        return {"model_sha256": file_digest(self.flag, str(self.saved.file))}

    def load(self, strategy: tf.distribute.Strategy) -> Evaluated:
        """As `Subject`."""
        from spectral_tf.data import pipeline
        from spectral_tf.models.classifiers import load, refuse_other_shapes

        training, held_out = self.dataset.splits(trains=False)
        with strategy.scope():
            model = load(self.flag, str(self.saved.file))
        sides = itertools.zip_longest(model.input_shape[1:], held_out.shape)
        wanted = [own or side or 0 for own, side in sides]
        if 0 in wanted:
            raise UserError(
                self.flag,
                expected=f"a model of one size, for images of {held_out.name} of many",
                got=f"inputs {model.input_shape[1:]}",
                hint="save it with an Input of fixed sides",
            )
        shape = pipeline.fitting_shape(held_out, wanted)
        refuse_other_shapes(self.flag, model, shape, held_out.num_classes)
        default = data.standard if self.normalisation == "standard" else data.unit
        normalisation = self.saved.normalisation or default(training)
        found = Evaluated(
            held_out,
            shape,
            pipeline.prepare(normalisation),
            shower(normalisation),
            np.arange(held_out.num_classes),
            {
                **training.record(normalisation),
                **self.digests,
                "held_out": held_out.split,
            },
            model,
        )
        _refuse_other_outputs(found, self.kind)
        return found


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A network of keras.applications, for the classes of ImageNet.

    Attributes:
      dataset: to measure on.
      name, weights, side: as for `models.applications.application`.
      flag: how errors call the weights.
    """

    dataset: Dataset
    name: str
    weights: str
    side: int = 0
    flag: str = "weights"
    trains = False
    num_networks = 1

    @property
    def digests(self) -> dict[str, str]:
        """Of a file of weights."""
        if not pathlib.Path(self.weights).is_file():
            return {}
        return {"weights_sha256": file_digest(self.flag, self.weights)}

    def load(self, strategy: tf.distribute.Strategy) -> Evaluated:
        """As `Subject`."""
        import tensorflow as tf

        from spectral_tf.models.applications import application

        held_out = self.dataset.find(self.dataset.held_out)
        outputs = _imagenet_classes(held_out)
        with strategy.scope():
            model, preprocess = application(self.name, self.weights, side=self.side)
        return Evaluated(
            held_out,
            model.input_shape[1:],
            lambda pixels: preprocess(255 * tf.image.convert_image_dtype(pixels, "float")),
            None,
            outputs,
            {
                **held_out.record(),
                **{"application": self.name, "weights": self.weights},
                **self.digests,
                "held_out": held_out.split,
            },
            model,
        )


@dataclasses.dataclass(frozen=True)
class Trained:
    """Networks of one setting and different seeds, trained by the page.

    Attributes:
      dataset: to train and to measure on.
      setting: of all of them.
      num_networks: how many are measured.
      seed: root of what they share.
    """

    dataset: Dataset
    setting: Setting
    num_networks: int
    seed: int
    trains = True

    @property
    def digests(self) -> dict[str, str]:
        """Of a model that is built from a file."""
        return model_digest(self.setting)

    def load(self, strategy: tf.distribute.Strategy) -> Evaluated:
        """As `Subject`."""
        from spectral_tf.data import pipeline

        training, held_out = self.dataset.splits()
        task = Classification(self.setting, training, held_out, strategy, self.seed)
        with strategy.scope():
            task.build(0)
        return Evaluated(
            held_out,
            task.shape,
            pipeline.prepare(task.normalisation),
            shower(task.normalisation),
            np.arange(held_out.num_classes),
            {**training.record(task.normalisation), **self.digests, "held_out": held_out.split},
            task=task,
        )


def shower(normalisation: data.Normalisation) -> Callable[[NDArray], NDArray]:
    """Inputs -> pixels in [0, 1]."""
    mean, deviation = (np.asarray(part, np.float32) for part in normalisation[:2])
    return lambda inputs: inputs * deviation + mean


def asked(seeds: int) -> Subject:
    """What the flags of `runtime.define_subject_flags` ask for.

    Args:
      seeds: trainings that are asked for.

    Raises:
      UserError: a file that is not there, data that its run was not made with, flags that exclude
        each other or change nothing, other than `SEEDS` trainings beside a network that is there.
    """
    dataset, setting = Dataset.of_flags(), Setting.of_flags()
    run, name = runtime.flag("from_run"), runtime.flag("application")
    saved = of_run("--from_run", run, dataset) if run else None
    if name and saved:
        raise UserError(
            "application",
            expected="no --from_run beside it",
            got=run,
            hint="leave one out",
        )
    kind = runtime.flag("outputs")
    if kind == "probabilities" and not saved:
        raise UserError(
            "outputs",
            expected="logits, which these networks give",
            got=kind,
            hint="leave it out, or name a model with --from_run",
        )
    _refuse_idle_flags(setting, saved, bool(name))
    if (saved or name) and seeds != SEEDS:
        raise UserError(
            "seeds",
            expected="networks that are trained here",
            got=f"{seeds} with a saved one, which is one",
            hint="leave it out",
        )
    if saved:
        return SavedModel(dataset, saved, normalisation=runtime.flag("normalisation"), kind=kind)
    if name:
        weights = runtime.flag("weights")
        models.refuse_application(name, weights)
        return Pretrained(dataset, name, weights, runtime.flag("side"))
    return Trained(dataset, setting, seeds, runtime.flag("seed"))


def of_run(flag: str, path: str, dataset: Dataset) -> Saved:
    """A saved model, if its run was made with this data set.

    Raises:
      UserError: no such model; another data set.
    """
    saved = saved_model(flag, path)
    if saved.dataset not in (None, dataset.name):
        raise UserError(
            "dataset",
            expected=f"{saved.dataset}, that of the run",
            got=dataset.name,
            hint=f"say --dataset={saved.dataset}",
        )
    return saved


def _refuse_idle_flags(setting: Setting, saved: Saved | None, application: bool) -> None:
    """Raises a UserError for flags that would change nothing."""
    trains = not (saved or application)
    normalised = trains or application or bool(saved and saved.normalisation)
    values = {name: runtime.flag(name) for name in ("weights", "side", "normalisation")}
    idle = {
        "weights": bool(values["weights"]) and not application,
        "side": bool(values["side"]) and not application,
        "normalisation": values["normalisation"] != "standard" and normalised,
    }
    if not trains:
        default = dataclasses.asdict(Setting())
        own = dataclasses.asdict(setting)
        # Batches are those of the measurement, too.
        idle |= {name: own[name] != default[name] for name in own if name != "batch_size"}
        values |= own
    for name, useless in idle.items():
        if useless:
            raise UserError(
                f"{name}",
                expected={
                    "normalisation": "a file that belongs to no run",
                    "weights": "an --application",
                    "side": "an --application",
                }.get(name, "a network that is trained here"),
                got=f"{values[name]} without",
                hint="leave it out",
            )


def _refuse_other_outputs(found: Evaluated, kind: str) -> None:
    """Raises a UserError if a saved model does not give what is said of it."""
    if not kind:
        return
    from spectral_tf.data.selection import select
    from spectral_tf.probes.path_outputs import refuse_other_outputs

    few = min(8, found.held_out.num_examples)
    pixels = select(found.held_out.take(few), range(few), found.shape).pixels
    assert found.model
    given = np.asarray(found.model(found.prepare(pixels), training=False), np.float64)
    refuse_other_outputs(given, kind)


class Networks(NamedTuple):
    """Networks that can be measured.

    Attributes:
      models: at least one.
      runs: the number of each training; 0 for one that was there.
      diverged: {run: step} of trainings that are left out.
      seconds: of the trainings.
    """

    models: list[keras.Model]
    runs: list[int]
    diverged: dict[str, int]
    seconds: float

    def facts(self) -> dict[str, Any]:
        """What a report says of them."""
        return {"runs": self.runs, "diverged": self.diverged}


def networks(page: Page, of: Evaluated, runs: Sequence[int], parts: str = "seed_{}") -> Networks:
    """The networks of a page: the one that was there, or those of some trainings.

    Args:
      page: that trains them, each in a part of its folder.
      of: what there is.
      runs: the number of each training, which decides its draws.
      parts: names of the parts.

    Raises:
      UserError: every training diverged.
    """
    if of.model:
        return Networks([of.model], [0], {}, 0.0)
    from spectral_tf import training
    from spectral_tf.experiments.page import every_training_diverged

    task = of.task
    assert task
    epochs = [task.epoch * epoch for epoch in range(task.setting.num_epochs + 1)]
    loss = training.Measure(lambda loop: loop.losses, epochs, ("run",))
    found, trainings = Networks([], [], {}, 0.0), []
    for run in runs:
        told, classifier = page.train(
            parts.format(run),
            functools.partial(task.trainer, page.seed, run),
            {"loss": loss},
            keep={epochs[-1]: "final.keras"},
        )
        trainings.append(told)
        found = found._replace(seconds=found.seconds + told.fact("seconds"))
        if diverged := told.fact("diverged"):
            found.diverged[str(run)] = diverged["0"]
            continue
        found.models.append(classifier.model)
        found.runs.append(run)
    if not found.models:
        raise every_training_diverged(trainings)
    return found


def _imagenet_classes(images: Images) -> NDArray[np.int64]:
    """For every class of a set its number among the 1,000 of ImageNet, by its WordNet name."""
    import tensorflow_datasets as tfds

    names = tfds.builder("imagenet2012").info.features["label"].names
    if strangers := [name for name in images.label_names if name not in names]:
        raise UserError(
            "dataset",
            expected="classes of ImageNet, as imagenet2012 and imagenette have",
            got=f"{images.name} with {strangers[0]}",
            hint="name a model of these classes with --from_run",
        )
    index = {name: i for i, name in enumerate(names)}
    return np.array([index[name] for name in images.label_names])
