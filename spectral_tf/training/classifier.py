"""One image classifier, data parallel: one loop for a CPU, a GPU, several, several hosts, a TPU."""

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from etils import epath
from tensorflow.python.framework import ops

from spectral_tf.batch_normalisation import with_keras_layers
from spectral_tf.errors import UserError
from spectral_tf.storage import atomic_write
from spectral_tf.training.draws import draws_of_each_replica
from spectral_tf.training.goal import Goal
from spectral_tf.training.replicas import Replicas

# Images [b, h, w, c] as the network sees them, labels [b, C] -> the labels to learn, [b, C].
Targets = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# Keras' policy of each; what tf32 lets a device do is its own setting (`runtime.strategy`).
PRECISIONS = {"float32": "float32", "tf32": "float32", "bfloat16": "mixed_bfloat16"}


class CosineSgd(NamedTuple):
    """Stochastic gradient descent with Nesterov momentum on a cosine schedule.

    At step i, g the gradient of the mean loss plus `weight_decay` times the weights, scaled down to
    the norm `clip_norm` if it is longer: v <- momentum v + g, w <- w - r(i) (g + momentum v).

    Attributes:
      learning_rate: the highest, above 0.
      num_steps: of the whole run, at least 1.
      warmup_steps: over which the rate rises linearly, 0 or more, below num_steps.
      momentum: in [0, 1).
      weight_decay: 0 or more: that of (1/2) |w|^2 in the loss.
      decay_all: also decay vectors (biases, scales and offsets of normalisations), as the published
        code does; else only matrices and kernels. Weights that their layer marks as `undecayed`
        never are.
      clip_norm: above 0; `inf` clips nothing.

    Source: Fridovich-Keil et al. (2022), by their code, with its defaults.
    """

    learning_rate: float = 0.1
    num_steps: int = 1
    warmup_steps: int = 0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    decay_all: bool = True
    clip_norm: float = 5.0

    def check(self) -> None:
        """Raises a UserError for a number out of range."""
        good = (
            0 < self.learning_rate < math.inf
            and 0 <= self.warmup_steps < self.num_steps
            and 0 <= self.momentum < 1
            and 0 <= self.weight_decay < math.inf
            and self.clip_norm > 0
        )
        if not good:
            raise UserError(
                "optimizer",
                expected="rates and norms above 0, fewer steps of warm-up than steps, a momentum "
                "below 1",
                got=f"{self}",
                hint="0.1, 0.9, 5e-4 and 5.0 are the paper's",
            )

    def rate(self, step: tf.Tensor) -> tf.Tensor:
        """r(i): (i + 1) / w of the highest in w steps of warm-up, then half a cosine down to 0.

        learning_rate / 2 (1 + cos(pi (i + 1 - w) / (num_steps - w))).

        Args:
          step: i from 0, a whole number.
        """
        i = tf.cast(step + 1, tf.float32)
        after = (i - self.warmup_steps) / (self.num_steps - self.warmup_steps)
        cosine = (1 + tf.cos(math.pi * after)) / 2
        rising = i / max(1, self.warmup_steps)
        return self.learning_rate * tf.where(i < self.warmup_steps, rising, cosine)


def refuse_compiled(strategy: tf.distribute.Strategy) -> None:
    """Raises a UserError for steps that XLA is to compile where it cannot."""
    if strategy.num_replicas_in_sync > 1 and not isinstance(strategy, tf.distribute.TPUStrategy):
        raise UserError(
            "compiled",
            expected="one replica, or a TPU, which compiles in any case",
            got=f"{strategy.num_replicas_in_sync} replicas",
            hint="leave it out, or take one device by --strategy=default",
        )


@contextlib.contextmanager
def leaving_no_gradients() -> Iterator[None]:
    """Within it a program is traced that nobody differentiates when it is done.

    TensorFlow registers every `tf.custom_gradient` in a graph under a new name and for ever, and
    with it the graph: sums over replicas (of gradients, and of the moments of a normalisation) have
    one, some activations, too, so that in a sweep each training would leave its program. It has no
    call that takes one out of its register; without `_registry` all of them stay, as they would.
    """
    register = getattr(ops.gradient_registry, "_registry", {})
    before = set(register)
    try:
        yield
    finally:
        for name in register.keys() - before:
            if name.startswith("CustomGradient-"):
                del register[name]


class Classifier:
    """A Keras model in training, with what `TrainingLoop` needs to save, resume and stop it.

    All replicas of the strategy train the same weights on their parts of every batch; gradients are
    summed over them, and random layers draw on each anew. A step is one program of static shapes;
    many of them run in one call.

    Args:
      build: gives the uncompiled model, images -> logits [b, C]; called within the strategy.
      batches: first step -> batches without end of (images, labels) for the replicas (see
        `data.pipeline.on_replicas`), labels whole numbers [b] or weights of the classes [b, C].
      evaluation: batches of (images, labels, weights) for the replicas, every example once.
      optimizer: what to do in a step.
      targets: changes labels [b, C] of a batch, given its images; no gradient flows through it.
      strategy: default: the current one.
      precision: a key of `PRECISIONS`; with bfloat16 the layers compute in it, weights, loss and
        updates stay float32.
      compiled: whether steps are compiled by XLA (TPUs always do, several replicas elsewhere
        cannot); it draws other random numbers in random layers.
      finite_only: whether the loss of an evaluation is that of the images whose outputs are finite,
        for a caller that counts the others; else one such image makes it NaN.
      goal: at which a `TrainingLoop` ends before its last step; None: at none.

    Attributes:
      accuracy: of the last evaluation.
      seen: accuracy and training loss of the last look at the goal; NaN before, and of what the
        goal does not ask for.

    Raises:
      UserError: an optimiser or a goal out of range; a model that is no classifier or has losses of
        its own; steps to compile for several replicas.
    """

    num_members = 1

    def __init__(
        self,
        build: Callable[[], keras.Model],
        batches: Callable[[int], Any],
        evaluation: Any,
        optimizer: CosineSgd,
        *,
        targets: Targets | None = None,
        strategy: tf.distribute.Strategy | None = None,
        precision: str = "float32",
        compiled: bool = False,
        finite_only: bool = False,
        goal: Goal | None = None,
    ) -> None:
        optimizer.check()
        if goal:
            goal.check()
        self.goal, self.accuracy, self.seen = goal, math.nan, (math.nan, math.nan)
        self.step = 0
        self.optimizer = optimizer
        self.diverged_at_step = np.full(1, -1)
        self._strategy = strategy or tf.distribute.get_strategy()
        if compiled:
            refuse_compiled(self._strategy)
        self._batches, self._evaluation, self._targets = batches, evaluation, targets
        self._replicas = Replicas(self._strategy, 1)
        self._finite_only = finite_only
        before = keras.config.dtype_policy()
        try:
            keras.config.set_dtype_policy(PRECISIONS[precision])
            with self._strategy.scope():
                self.model = build()
        finally:
            keras.config.set_dtype_policy(before)
        shape = self.model.output_shape
        if not isinstance(shape, tuple) or len(shape) != 2 or self.model.losses:
            raise UserError(
                "build",
                expected="a model of logits [b, C] without losses of its own",
                got=f"outputs {shape} and {len(self.model.losses)} losses",
                hint="weight decay is the optimiser's",
            )
        self.num_classes = int(shape[1])
        with self._strategy.scope():
            self._momenta = [
                tf.Variable(tf.zeros(w.shape), trainable=False)
                for w in self.model.trainable_variables
            ]
        self._iterator: Any = None
        self._losses = self._unseen = np.empty(0, np.float32)
        step: Callable = self._step
        if compiled and not self._replicas.on_tpu:
            step = tf.function(self._step, jit_compile=True)

        def train(iterator: Any, first: tf.Tensor, n: tf.Tensor) -> tf.Tensor:
            losses = tf.TensorArray(tf.float32, n)
            for i in tf.range(n):
                each = self._strategy.run(step, (next(iterator), first + i))
                here = self._strategy.experimental_local_results(each)
                losses = losses.write(i, tf.add_n(here))
            return self._replicas.sum_over_hosts(losses.stack())

        def predict(images: Any, labels: Any, weights: Any) -> tuple[tf.Tensor, ...]:
            logs = self._strategy.run(self._log_probabilities, (images,))
            return tuple(self._strategy.gather(x, axis=0) for x in (logs, labels, weights))

        self._train, self._predict = tf.function(train), tf.function(predict)

    # One replica.

    def _step(self, batch: tuple[tf.Tensor, tf.Tensor], step: tf.Tensor) -> tf.Tensor:
        """One update; this replica's part of the batch's mean loss before it."""
        images, labels = batch
        if labels.dtype.is_integer:
            labels = tf.one_hot(labels, self.num_classes)
        if self._targets:
            labels = tf.stop_gradient(self._targets(images, labels))
        weights = self.model.trainable_variables
        with tf.GradientTape() as tape:
            logits = tf.cast(self.model(images, training=True), tf.float32)
            losses = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses) / self._strategy.num_replicas_in_sync
        gradients = tape.gradient(loss, weights)
        context = tf.distribute.get_replica_context()
        if self._strategy.num_replicas_in_sync > 1:
            gradients = context.all_reduce("SUM", gradients)
        decays = [
            (self.optimizer.decay_all or len(w.shape) > 1) and not getattr(w, "undecayed", False)
            for w in weights
        ]
        gradients = [
            g + self.optimizer.weight_decay * tf.convert_to_tensor(w) if decay else g
            for g, w, decay in zip(gradients, weights, decays, strict=True)
        ]
        if self.optimizer.clip_norm < math.inf:
            gradients, _ = tf.clip_by_global_norm(gradients, self.optimizer.clip_norm)
        context.merge_call(self._update, args=(gradients, self.optimizer.rate(step)))
        return loss

    def _update(self, strategy: Any, gradients: list[Any], rate: Any) -> None:
        """Moves the weights, on every replica by the same."""
        momentum = self.optimizer.momentum

        def move(weight: tf.Variable, velocity: tf.Variable, g: tf.Tensor, r: tf.Tensor) -> None:
            moved = velocity.assign(momentum * velocity + g)
            weight.assign_sub(r * (g + momentum * moved))

        weights = [w.value for w in self.model.trainable_variables]
        for w, velocity, g in zip(weights, self._momenta, gradients, strict=True):
            strategy.extended.update(w, move, args=(velocity, g, rate), group=False)

    def _log_probabilities(self, images: tf.Tensor) -> tf.Tensor:
        return tf.nn.log_softmax(tf.cast(self.model(images, training=False), tf.float32))

    # The host.

    def train(self, num_steps: int) -> None:
        """Makes `num_steps` updates; returns when they are done."""
        if self._iterator is None:
            self._iterator = iter(self._batches(self.step))
        first, n = tf.constant(self.step), tf.constant(num_steps)
        with draws_of_each_replica(self._strategy), leaving_no_gradients():
            losses = self._train(self._iterator, first, n).numpy()
        lost = np.flatnonzero(~np.isfinite(losses))
        if lost.size and self.diverged_at_step[0] < 0:
            self.diverged_at_step = np.array([self.step + lost[0]])
        self._losses = np.concatenate([self._losses, losses])
        if self.goal:
            self._unseen = np.concatenate([self._unseen, losses])
        self.step += num_steps

    def train_loss(self) -> float:
        """The mean training loss, without weight decay, of the steps since this was last asked.

        NaN if there were none.
        """
        losses, self._losses = self._losses, np.empty(0, np.float32)
        return float(losses.mean(dtype=np.float64)) if losses.size else math.nan

    def evaluate(self) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities [n, C] of all evaluation images in order, and their mean loss [1]."""
        with draws_of_each_replica(self._strategy):  # Of layers that draw when they answer, too.
            parts = [[x.numpy() for x in self._predict(*batch)] for batch in self._evaluation]
        logs, labels, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
        logs, labels = logs[weights > 0], labels[weights > 0]
        self.accuracy = float(np.mean(logs.argmax(axis=1) == labels))
        losses = -logs[np.arange(len(logs)), labels].astype(np.float64)
        if self._finite_only and (finite := np.isfinite(logs).all(axis=1)).any():
            losses = losses[finite]
        return logs, np.array([losses.mean()])

    def look(self) -> bool:
        """Whether the goal is reached now; the next look sees the steps from here on.

        All hosts must call it together, and find the same.
        """
        assert self.goal
        unseen, self._unseen = self._unseen, np.empty(0, np.float32)
        if self.goal.accuracy:
            self.evaluate()
        loss = float(unseen.mean(dtype=np.float64)) if unseen.size else math.nan
        self.seen = self.accuracy if self.goal.accuracy else math.nan, loss
        return bool(self.all_reduce_max(int(self.goal.reached(*self.seen)))[0])

    def save_model(self, path: epath.Path) -> None:
        """Writes the model as a `.keras` file, whole or not at all; the chief should.

        Layers of `spectral_tf.batch_normalisation` are written as the ones of Keras.
        """
        with atomic_write(path) as temporary:
            hidden = temporary.with_name(f".{path.name}")  # Keras asks for the ending.
            try:
                with_keras_layers(self.model).save(hidden)
                os.replace(hidden, temporary)
            finally:
                hidden.unlink(missing_ok=True)

    def all_reduce_max(self, *requests: int) -> list[int]:
        """The largest of each request over all hosts; alone, the requests themselves."""
        return self._replicas.all_reduce_max(*requests)

    def _variables(self) -> dict[str, Any]:
        groups = {
            "weights": [w.value for w in self.model.trainable_variables],
            "non_trainable": [w.value for w in self.model.non_trainable_variables],
            "momenta": self._momenta,
        }
        return {f"{key}/{i:03d}": v for key, group in groups.items() for i, v in enumerate(group)}

    def state(self) -> dict[str, np.ndarray]:
        """Everything that training has changed, as named arrays: what `load` takes."""
        values = {name: variable.numpy() for name, variable in self._variables().items()}
        looks = {"unseen": self._unseen, "seen": np.array(self.seen)} if self.goal else {}
        return {
            "step": np.asarray(self.step),
            "diverged_at_step": self.diverged_at_step,
            "losses": self._losses,
            **looks,
            **values,
        }

    def load(self, saved: Mapping[str, np.ndarray]) -> None:
        """Continues from what `state` gave, under any number of replicas.

        Raises:
          UserError: the arrays are those of another architecture.
        """
        # As states called them before.
        saved = {name.replace("others/", "non_trainable/"): x for name, x in saved.items()}
        variables = self._variables()
        own = {"step", "diverged_at_step", "losses"} | ({"unseen", "seen"} if self.goal else set())
        wrong = sorted(
            name
            for name in variables.keys() | (saved.keys() - own)
            if name not in variables
            or name not in saved
            or tuple(variables[name].shape) != saved[name].shape
        )
        if wrong or not own <= saved.keys():
            raise UserError(
                "saved state",
                expected=f"the variables of {self.model.name}",
                got=f"others for {', '.join(wrong[:3]) or 'the step'}",
                hint="start over in an empty folder",
            )
        for name, variable in variables.items():
            variable.assign(saved[name])
        self.step = int(saved["step"])
        self.diverged_at_step, self._losses = saved["diverged_at_step"], saved["losses"]
        if self.goal:
            self._unseen, self.seen = saved["unseen"], tuple(saved["seen"].tolist())
        self._iterator = None
