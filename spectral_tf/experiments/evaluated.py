"""The classifiers that a page measures: somebody's saved one, a published one, or some it trains.

Each kind is a class that holds what flags say of it, checked; `load` needs images and TensorFlow,
and gives the same for all of them, an `Evaluated`.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spectral_tf import data, models, runtime
from spectral_tf.data import Images, Inputs
from spectral_tf.data.inputs import LAYOUTS
from spectral_tf.errors import UserError
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    file_digest,
    model_digest,
    told_of_goal,
)
from spectral_tf.experiments.datasets import Dataset
from spectral_tf.experiments.first_look import first_look, warn
from spectral_tf.experiments.networks import SEEDS
from spectral_tf.experiments.saved import Saved, saved_model
from spectral_tf.models import files
from spectral_tf.progress import track
from spectral_tf.storage import as_path

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.experiments.page import Page
    from spectral_tf.probes.stream import Prepare

# Pixels, as they were prepared -> inputs.
Enter = Callable[[Any], Any]


class Evaluated(NamedTuple):
    """Classifiers that are there, or a way to train them, with the images to measure them on.

    Attributes:
      held_out: the images.
      shape: [h, w, c] of the inputs.
      prepare: stored pixels -> the space in which paths are drawn and distances measured: as the
        run that a file belongs to normalises or the standard of the data set does, an application's
        own preprocessing, else pixels of [0, 1].
      show: from there to pixels in [0, 1], to look at; None where preprocessing is not undone.
      outputs: for every class of the data the number of its output, [C].
      record: what the record of a run says of images and files.
      model: that somebody saved or published; None if the page trains.
      task: that the page trains; None if there is a model.
      enter: what `prepare` gives -> the model's inputs; None if these are what it gives.
      normalisation: that `prepare` does; None of an application's own.
      training: the images that networks learned from, or could have; None of ImageNet's.
      shifted: images of the same classes of another set, if one is named.
    """

    held_out: Images
    shape: tuple[int, int, int]
    prepare: Prepare
    show: Callable[[NDArray], NDArray] | None
    outputs: NDArray[np.int64]
    record: dict[str, Any]
    model: keras.Model | None = None
    task: Classification | None = None
    enter: Enter | None = None
    normalisation: data.Normalisation | None = None
    training: Images | None = None
    shifted: Images | None = None

    @property
    def deviation(self) -> tuple[float, ...] | None:
        """By which `prepare` divides each channel of pixels of [0, 1]; None where it is unknown."""
        return self.normalisation.deviation if self.normalisation else None

    def function(self, model: keras.Model) -> keras.Model | Callable[[Any], Any]:
        """A model as a function of what `prepare` gives, at inference."""
        if self.enter is None:
            return model
        enter = self.enter
        return lambda prepared: model(enter(prepared), training=False)


class Subject(Protocol):
    """What there is to measure, before anything is loaded.

    Attributes:
      dataset: to measure on.
      trains: whether the page trains its networks; else there is one.
      num_networks: how many there are.
      digests: of files, for the record.
    """

    trains: bool

    @property
    def dataset(self) -> Dataset: ...  # noqa: D102
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
    """A file of a whole model, perhaps of a run, or a SavedModel folder.

    Attributes:
      dataset: to measure on.
      saved: the file and what its run says of it.
      flag: how errors call it.
      inputs: what a file that belongs to no run wants of pixels.
      inputs_flag: how errors call that.
      kind: of its outputs, one of `probes.OUTPUTS`; "": they are no classes.
      kind_flag: how errors call that.
    """

    dataset: Dataset
    saved: Saved
    flag: str = "--from_run"
    inputs: Inputs = dataclasses.field(default_factory=Inputs)
    inputs_flag: str = "normalisation"
    kind: str = "logits"
    kind_flag: str = "outputs"
    trains = False
    num_networks = 1

    @property
    def digests(self) -> dict[str, str]:
        """Of the file."""
        return {"model_sha256": file_digest(self.flag, str(self.saved.file))}

    @property
    def is_function(self) -> bool:
        """Whether it is a SavedModel, which has outputs, but no layers and no gradients to give."""
        return files.is_saved_model(self.saved.file)

    def load(self, strategy: tf.distribute.Strategy) -> Evaluated:
        """As `Subject`, after a first look at what the network says of held-out images.

        Raises:
          UserError: as `Dataset.splits` and `look`; a model of other images or classes, of another
            layout, of open sides or of whole numbers; a function of pixels that fails.
        """
        from spectral_tf.data import pipeline

        training, held_out = self.dataset.splits(trains=False)
        with strategy.scope():
            model = files.load(self.flag, self.saved.file)
        shape = self._shape(model, held_out)
        space, enter = self._spaces(training, shape)
        self._refuse_misfits(model, shape, enter, held_out.num_classes)
        own = {"range": "that of its run"} if self.saved.normalisation else {}
        found = Evaluated(
            held_out,
            shape,
            pipeline.prepare(space),
            space.undo,
            np.arange(held_out.num_classes),
            {
                **training.record(space),
                **self.digests,
                "held_out": held_out.split,
                "inputs": {**self.inputs.record(), **own},
                "outputs": self.kind,
            },
            model,
            enter=enter,
            normalisation=space,
            training=training,
            shifted=self.dataset.shifted_images(held_out),
        )
        if self.kind:
            found.record["first_look"] = self.look(found, model, strategy)
        return found

    def look(
        self, of: Evaluated, model: keras.Model, strategy: tf.distribute.Strategy
    ) -> dict[str, Any]:
        """A first look at what it gives for held-out images, with warnings; for the record.

        Args:
          of: what was loaded.
          model: of that, or what a layer of it gives.
          strategy: that computes.

        Raises:
          UserError: as `first_look`.
        """
        asked = (of.held_out, of.shape, of.prepare, self.kind, strategy, self.kind_flag)
        found = first_look(self.flag, of.function(model), *asked)
        wants = "" if self.saved.normalisation else self.inputs_flag
        return warn(found, self.flag, wants, self.kind_flag if self.kind else "")

    def _shape(self, model: keras.Model, held_out: Images) -> tuple[int, int, int]:
        """Of the pixels that it is asked about, [h, w, c]: its own, or those of the images."""
        from spectral_tf.data import pipeline

        own = files.input_shape(model)
        dtype = getattr(next(iter(getattr(model, "inputs", None) or []), None), "dtype", "float32")
        if "float" not in str(dtype):
            raise UserError(
                self.flag,
                expected="a model of floating-point inputs, which samples between images are",
                got=f"{dtype}",
                hint="save it with an Input of float32",
            )
        if self.inputs.function or own is None:
            return pipeline.fitting_shape(held_out)
        for layout in LAYOUTS:
            other = dataclasses.replace(self.inputs, layout=layout)
            asked, meant = (each.shape_of(own)[-1] for each in (self.inputs, other))
            if len(own) == 3 and meant == held_out.shape[-1] not in (None, asked) and asked:
                raise UserError(
                    self.inputs_flag,
                    expected=f"{layout}, of a network with inputs {own}",
                    got=self.inputs.layout,
                    hint=f"say --{self.inputs_flag}={self.inputs.range},{layout}",
                )
        sides = itertools.zip_longest(self.inputs.shape_of(own), held_out.shape)
        wanted = [side or given or 0 for side, given in sides]
        if 0 in wanted:
            raise UserError(
                self.flag,
                expected=f"a model of one size, for images of {held_out.name} of many",
                got=f"inputs {own}",
                hint="save it with an Input of fixed sides",
            )
        return pipeline.fitting_shape(held_out, wanted)

    def _spaces(
        self, training: Images, shape: tuple[int, int, int]
    ) -> tuple[data.Normalisation, Enter | None]:
        """The space in which paths are drawn and distances measured, and from there to inputs.

        That is the space of the normalised pixels for the standard of a data set and for a run, as
        published, and pixels of [0, 1] for all else, whatever the network's own.
        """
        given = self.saved.normalisation
        if given or self.inputs.range == "standard":
            space = given or data.standard(training)
            return space, self.inputs.arrange if self.inputs.arranged else None
        if self.inputs.function:
            function = files.function_of(self.inputs.function, self.inputs_flag)
            enter = self.inputs.of_pixels(None, function)
        else:
            own = self.inputs.normalisation(training, self.inputs_flag)
            enter = self.inputs.of_pixels(own)
        plain = self.inputs.range == "unit" and not self.inputs.arranged
        return data.unit(training), None if plain else enter

    def _refuse_misfits(
        self,
        model: keras.Model,
        shape: tuple[int, int, int],
        enter: Enter | None,
        num_classes: int,
    ) -> None:
        import tensorflow as tf

        from spectral_tf.models.classifiers import refuse_other_shapes

        entered: Sequence[int | None] = shape
        if enter:
            try:
                spec = tf.TensorSpec((None, *shape), tf.float32)
                traced = tf.function(enter, autograph=False).get_concrete_function(spec)
                entered = traced.structured_outputs.shape[1:].as_list()
            except UserError:
                raise
            except Exception as error:  # Whatever somebody's function raises.
                raise UserError(
                    self.inputs_flag,
                    expected="a function of tensors [b, h, w, c], of TensorFlow or keras.ops",
                    got=f"{type(error).__name__}: {' '.join(str(error).split())[:160]}",
                    hint="NumPy's functions take no tensors",
                ) from error
        single = num_classes == 2 and self.kind in ("logits", "sigmoids")
        refuse_other_shapes(self.flag, model, tuple(entered), num_classes, or_one=single)


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
        if not as_path(self.weights).is_file():
            return {}
        return {"weights_sha256": files.digest(self.weights)}

    def load(self, strategy: tf.distribute.Strategy) -> Evaluated:
        """As `Subject`.

        Raises:
          UserError: as `Dataset.find` and `models.applications.application`; other classes than
            ImageNet's.
        """
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
            shifted=self.dataset.shifted_images(held_out),
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
            task.normalisation.undo,
            np.arange(held_out.num_classes),
            {**training.record(task.normalisation), **self.digests, "held_out": held_out.split},
            task=task,
            normalisation=task.normalisation,
            training=training,
            shifted=self.dataset.shifted_images(held_out),
        )


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
    if kind != "logits" and not saved:
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
        return saved_with("--from_run", saved, dataset, runtime.flag("normalisation"), kind=kind)
    if name:
        weights = runtime.flag("weights")
        models.refuse_application(name, weights)
        return Pretrained(dataset, name, weights, runtime.flag("side"))
    return Trained(dataset, setting, seeds, runtime.flag("seed"))


def of_run(flag: str, path: str, dataset: Dataset) -> Saved:
    """A saved model, if its run was made with this data set.

    Raises:
      UserError: no such model, a file of another kind; another data set.
    """
    saved = saved_model(flag, path)
    files.refuse_foreign(flag, saved.file)
    if saved.dataset not in (None, dataset.name):
        raise UserError(
            "dataset",
            expected=f"{saved.dataset}, that of the run",
            got=dataset.name,
            hint=f"say --dataset={saved.dataset}",
        )
    return saved


def saved_with(
    flag: str,
    saved: Saved,
    dataset: Dataset,
    normalisation: str | None,
    name: str = "normalisation",
    *,
    kind: str,
    kind_name: str = "outputs",
) -> SavedModel:
    """A saved model with what flags say that it wants and gives.

    Args:
      flag: of the file.
      saved: the file.
      dataset: to measure on.
      normalisation: value of the flag `name`; None: it was not said.
      name: of that flag.
      kind: of the outputs.
      kind_name: of the flag that says it.

    Raises:
      UserError: inputs that cannot be, or that the file's run knows.
    """
    inputs = Inputs.parse("standard" if normalisation is None else normalisation, name)
    if saved.normalisation and inputs != Inputs():
        raise UserError(
            name,
            expected="a file that belongs to no run",
            got=f"{normalisation} with {saved.file}",
            hint="leave it out: the run knows",
        )
    if inputs.function:
        files.refuse_missing_modules([inputs.function.rpartition(":")[0]], name)
    return SavedModel(dataset, saved, flag, inputs, name, kind, kind_name)


def answers_for(
    of: Evaluated, seen: data.Normalisation, kind: str
) -> Callable[[tf.Tensor], tf.Tensor]:
    """A network that is only called: images as another one sees them -> its logits [b, C].

    Args:
      of: the network.
      seen: normalisation of those images.
      kind: of its outputs.

    Raises:
      UserError: independent sigmoids of several classes.
    """
    import tensorflow as tf

    from spectral_tf.probes.output_kinds import class_logits
    from spectral_tf.probes.stream import at_inference

    assert of.normalisation
    function, alike = at_inference(of.function(of.model)), of.normalisation[:2] == seen[:2]

    def logits(images: tf.Tensor) -> tf.Tensor:
        inputs = images if alike else of.prepare(seen.undo(images))
        return class_logits(tf.cast(function(inputs), tf.float32), kind)

    logits(tf.zeros((1, *of.shape)))  # Refuses what is no distribution.
    return logits


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


class Networks(NamedTuple):
    """Networks that can be measured.

    Attributes:
      models: at least one, each a function of what the page prepares.
      runs: the number of each training; 0 for one that was there.
      diverged: {run: step} of trainings that are left out.
      seconds: of the trainings.
      goal: what there is to say of the goal of the trainings, if they have one.
    """

    models: list[keras.Model | Callable[[Any], Any]]
    runs: list[int]
    diverged: dict[str, int]
    seconds: float
    goal: Sequence[str] = ()

    def facts(self) -> dict[str, Any]:
        """What a report says of them."""
        goal = {"goal": list(self.goal)} if self.goal else {}
        return {"runs": self.runs, "diverged": self.diverged, **goal}


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
        return Networks([of.function(of.model)], [0], {}, 0.0)
    from spectral_tf import training
    from spectral_tf.experiments.page import every_training_diverged

    task = of.task
    assert task
    epochs = [task.epoch * epoch for epoch in range(task.setting.num_epochs + 1)]
    loss = training.Measure(lambda loop: loop.losses, epochs, ("run",))
    found, trainings = Networks([], [], {}, 0.0), {}
    for run in track(list(runs), "training"):
        told, classifier = page.train(
            parts.format(run),
            functools.partial(task.trainer, page.seed, run),
            {"loss": loss},
            charts={"loss": ["loss"]},
            keep={epochs[-1]: "final.keras"},
        )
        trainings[parts.format(run)] = told
        found = found._replace(seconds=found.seconds + told.fact("seconds"))
        if diverged := told.fact("diverged"):
            found.diverged[str(run)] = diverged["0"]
            continue
        found.models.append(classifier.model)
        found.runs.append(run)
    if not found.models:
        raise every_training_diverged(trainings.values())
    return found._replace(goal=told_of_goal(task.setting, trainings))


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
