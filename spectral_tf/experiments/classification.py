"""One image classifier from its setting: data, network, optimiser, training."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from spectral_tf.data import AUGMENTATIONS, Images, Normalisation, standard
from spectral_tf.errors import UserError
from spectral_tf.models import NETWORK_OPTIONS, files, refuse_options
from spectral_tf.records.found import Found
from spectral_tf.runtime.flags import parse_choices
from spectral_tf.runtime.launch import flag
from spectral_tf.runtime.seeds import derive_seed, generator
from spectral_tf.storage import as_path
from spectral_tf.tasks import power_law_direction

# Inputs on which a file that is trained shows what it gives.
_LOOKED_AT = 64
# So many trainings that never reached their goal are named.
_NAMED = 5

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.training.classifier import Classifier, Targets
    from spectral_tf.training.goal import Goal


@dataclasses.dataclass(frozen=True)
class Setting:
    """How a classifier is trained: the flags of `runtime.define_classifier_flags`, by their names.

    Attributes:
      model: one of `models.CLASSIFIERS`, or the path of a file (`models.files.ENDINGS`).
      width: channels of its first stage; 0: the network's own.
      network_options: of `models.NETWORK_OPTIONS`, that the model offers.
      num_epochs, batch_size: passes over the training images, in batches over all replicas.
      learning_rate, warmup_epochs, momentum, weight_decay, decay_all: as for `CosineSgd`.
      clip_norm: longest gradient; 0: any.
      precision: of the layers, a key of `training.classifier.PRECISIONS`.
      compiled: whether XLA compiles the steps; for one replica.
      augmentations: of `data.AUGMENTATIONS`.
      mixup_alpha: 0 for none.
      mixup_per_example: one mixture for each example instead of each batch.
      stop_at_accuracy, stop_at_loss: where a training ends before its last step, as for `Goal`; 0:
        nowhere.
      looks_per_epoch: how often that is looked at, at most every step.
    """

    model: str = "convnet"
    width: int = 0
    network_options: tuple[str, ...] = ()
    num_epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 0.1
    warmup_epochs: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    decay_all: bool = True
    clip_norm: float = 5.0
    precision: str = "float32"
    compiled: bool = False
    augmentations: tuple[str, ...] = ()
    mixup_alpha: float = 0.0
    mixup_per_example: bool = False
    stop_at_accuracy: float = 0.0
    stop_at_loss: float = 0.0
    looks_per_epoch: int = 1

    @classmethod
    def of_flags(cls) -> "Setting":
        """As the flags say.

        Raises:
          UserError: augmentations that are not known, or one twice; options that the network does
            not offer; no such file; a network from a file whose size flags would change; looks at
            no goal.
        """
        lists = {"augmentations": AUGMENTATIONS, "network_options": tuple(NETWORK_OPTIONS)}
        for name, known in lists.items():
            if flag(name):
                parse_choices(name, flag(name), known)
        own = {field.name: flag(field.name) for field in dataclasses.fields(cls)}
        setting = cls(**{**own, **{name: tuple(flag(name)) for name in lists}})
        model_digest(setting)
        refuse_options(setting.model, setting.network_options, "--network_options")
        if setting.looks_per_epoch != cls.looks_per_epoch and not setting.stops:
            raise UserError(
                "--looks_per_epoch",
                expected="a --stop_at_loss or --stop_at_accuracy to look at",
                got="none",
                hint="leave it out",
            )
        if files.names_a_file(setting.model):
            for name, same in (("width", (0,)), ("precision", ("float32", "tf32"))):
                if own[name] not in same:
                    raise UserError(
                        f"{name}",
                        expected="a --model by its name, not a file",
                        got=setting.model,
                        hint=f"leave --{name} out",
                    )
        return setting

    @property
    def stops(self) -> bool:
        """Whether a training may end before its last step."""
        return bool(self.stop_at_accuracy or self.stop_at_loss)

    def goal(self, epoch: int) -> "Goal | None":
        """That of a training, looked at so often.

        Args:
          epoch: its steps.
        """
        from spectral_tf.training.goal import Goal

        every = max(1, epoch // self.looks_per_epoch)
        return Goal(self.stop_at_accuracy, self.stop_at_loss, every) if self.stops else None

    def hparams(self) -> dict[str, bool | int | float | str]:
        """What TensorBoard's table of runs shows of it."""
        own = dataclasses.asdict(self)
        return {k: "+".join(v) if isinstance(v, tuple) else v for k, v in own.items()}


class Classification:
    """A setting on a data set under a strategy: makes batches, networks and trainers.

    Args:
      setting: of the training.
      training: images to learn from.
      held_out: images to evaluate on.
      strategy: that computes.
      seed: root of the draws that all trainings share (directions of augmentations).
      num_steps: of a training; default: `num_epochs` of whole batches.
      normalisation: default: that of the training images.

    Attributes:
      normalisation: of all images.
      shape: [h, w, c] of the network's input.
      epoch: whole batches in the training images.
      num_steps: of a training.
      optimizer: as `Classifier` takes it.
      batches: `pipeline.training_batches` with all but seeds and the way to hosts given.
      unaugmented: the same without augmentations.
      evaluation: `pipeline.evaluation_batches` of the held-out images.

    Raises:
      UserError: held-out images of another shape, a batch size that cannot be filled, shared out or
        mixed in pairs, an optimiser out of range, steps to compile for several replicas.
    """

    def __init__(
        self,
        setting: Setting,
        training: Images,
        held_out: Images,
        strategy: "tf.distribute.Strategy",
        seed: int,
        num_steps: int | None = None,
        normalisation: Normalisation | None = None,
    ) -> None:
        from spectral_tf.data import pipeline, recipes
        from spectral_tf.training.classifier import CosineSgd, refuse_compiled

        self.setting, self.training = setting, training
        self._strategy, self._on_replicas = strategy, pipeline.on_replicas
        _refuse_misfits(training, held_out)
        _refuse_batch_size(setting, training.num_examples, strategy.num_replicas_in_sync)
        if setting.compiled:
            refuse_compiled(strategy)
        self.normalisation = normalisation or standard(training)
        self.shape = pipeline.fitting_shape(training)
        self.epoch = training.num_examples // setting.batch_size
        self.num_steps = num_steps or setting.num_epochs * self.epoch
        self.optimizer = CosineSgd(
            learning_rate=setting.learning_rate,
            num_steps=self.num_steps,
            warmup_steps=round(setting.warmup_epochs * self.epoch),
            momentum=setting.momentum,
            weight_decay=setting.weight_decay,
            decay_all=setting.decay_all,
            clip_norm=setting.clip_norm or math.inf,
        )
        self.optimizer.check()
        recipe = recipes.recipe(
            setting.augmentations,
            mixup_alpha=setting.mixup_alpha,
            mixup_per_example=setting.mixup_per_example,
            directions=[
                power_law_direction(self.shape, slope, generator(seed, "phases", i))
                for i, slope in enumerate((-1.0, 1.0))
            ],
            mean=self.normalisation.mean,
        )
        size = setting.batch_size
        self.unaugmented = functools.partial(
            pipeline.training_batches, training, self.normalisation, batch_size=size
        )
        self.batches = functools.partial(self.unaugmented, **recipe._asdict())
        self.evaluation = functools.partial(
            pipeline.evaluation_batches, held_out, self.normalisation, batch_size=size
        )

    @functools.cached_property
    def _evaluated(self) -> "tf.distribute.DistributedDataset":
        """The held-out images for the replicas: read once for all trainers."""
        return self._on_replicas(self._strategy, self.evaluation)

    def build(self, seed: int) -> "keras.Model":
        """The network with the weights of this seed.

        Raises:
          UserError: as `models.classifiers.classifier`; a file whose outputs are no logits.
        """
        from spectral_tf.models.classifiers import classifier

        model = classifier(
            self.setting.model,
            width=self.setting.width,
            input_shape=self.shape,
            num_classes=self.training.num_classes,
            seed=seed,
            options=self.setting.network_options,
        )
        if files.names_a_file(self.setting.model):
            _refuse_other_than_logits(model, self.shape)
        return model

    def trainer(
        self, root: int, run: int, targets: "Targets | None" = None, *, finite_only: bool = False
    ) -> "Classifier":
        """A classifier of its own weights and order for every run of a root seed.

        Args:
          root: the `--seed`.
          run: number of the training.
          targets, finite_only: as for `Classifier`.
        """
        from spectral_tf.training.classifier import Classifier

        init, order = (derive_seed(root, name, run) for name in ("init", "batches"))

        def feed(first_step: int) -> "tf.distribute.DistributedDataset":
            part = functools.partial(self.batches, seed=order, first_step=first_step)
            return self._on_replicas(self._strategy, part)

        return Classifier(
            functools.partial(self.build, init),
            feed,
            self._evaluated,
            self.optimizer,
            targets=targets,
            strategy=self._strategy,
            precision=self.setting.precision,
            compiled=self.setting.compiled,
            finite_only=finite_only,
            # Of fewer images as many batches at each look as of all, if there are as many steps.
            goal=self.setting.goal(self.num_steps // self.setting.num_epochs),
        )


def told_of_goal(setting: Setting, trainings: Mapping[str, Found]) -> list[str]:
    """What a report says of trainings to a goal: how many reached it, and which never did.

    Args:
      setting: of all of them.
      trainings: {name: what was found}; those that diverged do not count.

    Returns:
      a line; none of a setting without a goal.
    """
    if not (goal := setting.goal(1)):
        return []
    whole = {name: of.fact("ended_at") for name, of in trainings.items() if not of.fact("diverged")}
    never = [name for name, step in whole.items() if step < 0]
    line = f"{len(whole) - len(never)} of {len(whole)} trainings reached {goal}"
    if never:
        more = f" and {len(never) - _NAMED} more" if len(never) > _NAMED else ""
        never = never[:_NAMED]
        line += f"; these never did and ended at their last epoch: {', '.join(never)}{more}"
    return [line]


def file_digest(flag: str, path: str) -> str:
    """SHA-256 of a model's file (or SavedModel folder) that a flag names, for the record.

    Raises:
      UserError: nothing there, or no whole model.
    """
    file = as_path(path, flag)
    files.refuse_foreign(flag, file)
    return files.digest(file)


def model_digest(setting: Setting) -> dict[str, str]:
    """{"model_sha256": of the file of a setting}; empty if its model has a name.

    Raises:
      UserError: no such file, or nothing that can be trained.
    """
    if files.is_saved_model(setting.model):
        raise UserError(
            "--model",
            expected="a network that can be trained",
            got=f"{setting.model}, a SavedModel, which is a function alone",
            hint="save the network with model.save(PATH.keras)",
        )
    if not files.names_a_file(setting.model):
        return {}
    return {"model_sha256": file_digest("--model", setting.model)}


def _refuse_misfits(training: Images, held_out: Images) -> None:
    if training.shape != held_out.shape or held_out.num_examples < 2:
        raise UserError(
            f"held_out={held_out.split}",
            expected=f"at least 2 images of shape {training.shape}",
            got=f"{held_out.num_examples:,} of {held_out.shape}",
            hint="choose another split",
        )


def _refuse_other_than_logits(model: "keras.Model", shape: tuple[int, int, int]) -> None:
    """Raises a UserError for a network that ends in probabilities, whatever they are made by.

    They show on any inputs: these are noise.
    """
    from spectral_tf.probes.output_kinds import refuse_other_outputs

    noise = np.random.default_rng(0).uniform(-1.5, 1.5, size=(_LOOKED_AT, *shape))
    given = np.asarray(model(noise.astype(np.float32), training=False), np.float64)
    try:
        refuse_other_outputs(given[np.isfinite(given).all(axis=1)], "logits")
    except UserError as error:
        raise UserError(
            "model",
            expected="a model that ends in logits",
            got=str(error).partition(", got ")[2].partition(";")[0],
            hint="leave its softmax or sigmoid out",
        ) from error


def _refuse_batch_size(setting: Setting, num_images: int, num_replicas: int) -> None:
    multiple = num_replicas * (2 if setting.mixup_alpha else 1)
    if setting.batch_size > num_images or setting.batch_size % multiple:
        raise UserError(
            "batch_size",
            expected=f"at most {num_images:,} images, in multiples of {multiple} ({num_replicas} "
            f"replicas{', pairs for mixup' if setting.mixup_alpha else ''})",
            got=f"{setting.batch_size:,}",
            hint="choose another",
        )
