"""Many small networks trained together, each with its own seed and its own target."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.probes.functions import stacked_outputs
from spectral_tf.training.adam import Adam
from spectral_tf.training.gradient_descent import GradientDescent
from spectral_tf.training.losses import LOSSES
from spectral_tf.training.replicas import Replicas
from spectral_tf.training.resident import resident

# The tensors of one block of members, each with the members on its first axis.
State = dict[str, Any]


# On a CPU what one block touches in a step (weights, both moments, activations; float32) should
# stay in the cache: of 6 x 256 networks, four at once on 200 points run about a tenth faster than
# twenty, and two at once on 1,000 points a quarter faster than four. Elsewhere one block holds all.
_CPU_BLOCK_BYTES = 17 * 2**20


class Ensemble:
    """Copies of one Keras model, trained at once; members never influence each other.

    `model.stateless_call` under `tf.vectorized_map`, its gradient and Adam form one step; steps run
    in one compiled `while_loop` that returns to Python only when asked. The state is explicit
    tensors: it can be read, saved, restored and spread over any number of replicas.

    A member whose loss is not finite stops before that update: `diverged_at_step` holds the step,
    and its state stays as it was.

    Args:
      build: seed -> uncompiled Keras model; every call must give the same architecture.
      seeds: one for each member.
      datasets: one `tf.data.Dataset` of (input, target) pairs for each member, unbatched and
        finite; made resident once (a single copy of inputs that all members share).
      loss: a key of `LOSSES`.
      optimizer: an `Adam` (default) or a `GradientDescent`.
      batch_size: samples per step, drawn without replacement within an epoch, anew for each member
        and epoch (a last incomplete batch is dropped); 0 takes all samples in every step.
      batch_seeds: one for each member, for those draws; required if batch_size is not 0.
      weight_clips: one for each member, above 0 (`inf`: none): after every update all of its
        trainable parameters, biases too, are clipped to +- that (projection on a max-norm ball).
      strategy: a `tf.distribute.Strategy`; every replica trains its own share of the members, and
        nothing is reduced between them. Default: the current strategy.
      block_size: members in one program; default as measured (see `_CPU_BLOCK_BYTES`).

    Raises:
      UserError: no members, lists of different lengths, data sets of different shapes, an unknown
        loss, a batch size that is negative or above the number of samples, a clip of 0 or below, a
        model whose outputs have another shape than the targets or that has losses of its own.
    """

    def __init__(
        self,
        build: Callable[[int], keras.Model],
        seeds: Sequence[int],
        datasets: Sequence[tf.data.Dataset],
        *,
        loss: str = "mean_squared_error",
        optimizer: Adam | GradientDescent | None = None,
        batch_size: int = 0,
        batch_seeds: Sequence[int] = (),
        weight_clips: Sequence[float] = (),
        strategy: tf.distribute.Strategy | None = None,
        block_size: int | None = None,
    ) -> None:
        if not seeds or len(datasets) != len(seeds):
            raise UserError(
                "datasets",
                expected="at least one member and one data set for each",
                got=f"{len(seeds)} seeds and {len(datasets)} data sets",
                hint="repeat the data set for members that share it",
            )
        if loss not in LOSSES:
            raise UserError("loss", expected=" or ".join(LOSSES), got=loss, hint="choose one")
        inputs, targets = resident(datasets)
        num_samples = targets.shape[1]
        if not 0 <= batch_size <= num_samples or (batch_size and len(batch_seeds) != len(seeds)):
            raise UserError(
                "batch_size",
                expected=f"0 (all) to {num_samples} samples, and a batch seed for each member",
                got=f"{batch_size} with {len(batch_seeds)} batch seeds",
                hint="lower the batch size or give the seeds",
            )
        if weight_clips and (len(weight_clips) != len(seeds) or not min(weight_clips) > 0):
            raise UserError(
                "weight_clips",
                expected="a number above 0 for each member",
                got=list(weight_clips),
                hint="inf clips nothing",
            )
        self.step = 0
        self.num_members = len(seeds)
        self._loss = LOSSES[loss]
        self._optimizer: Adam | GradientDescent = optimizer or Adam()
        self._clips = bool(weight_clips)
        self._batch_size = batch_size
        self._steps_per_epoch = num_samples // batch_size if batch_size else 1

        models = [build(seed) for seed in seeds]
        self.model = models[0]
        self.inputs = inputs
        self._refuse_misfits(targets)
        state = _initial_state(models, self._optimizer)
        data = {"targets": targets, "batch_seed": np.zeros(len(seeds), np.int32)}
        if batch_size:
            data["batch_seed"] = np.asarray(batch_seeds, np.int32)
        if weight_clips:
            data["weight_clip"] = np.asarray(weight_clips, np.float32)
        shared = inputs.shape[0] == 1
        if not shared:
            data["inputs"] = inputs

        self._replicas = Replicas(strategy or tf.distribute.get_strategy(), self.num_members)
        if block_size is None and self._replicas.on_cpu:
            shapes = [w.shape[1:] for w in state["weights"]]
            units = sum(shape[-1] for shape in shapes if len(shape) > 1)
            copies = 1 + len(state["slots"]) // max(1, len(shapes))
            values = copies * sum(map(math.prod, shapes)) + units * (batch_size or num_samples)
            block_size = max(1, _CPU_BLOCK_BYTES // (4 * values))
        self._blocks = self._replicas.blocks(block_size)
        self.block_size = max(block.stop - block.start for block in self._blocks)
        self._data = self._replicas.scatter(data, self._blocks)
        self._shared_inputs = self._replicas.broadcast(inputs[0]) if shared else None
        self._state: list[State] = self._replicas.scatter(state, self._blocks)
        self._train = self._replicas.program(self._train_block)
        self._evaluate = self._replicas.program(self._evaluate_block)
        self._apply = self._replicas.program(functools.partial(stacked_outputs, self.model))

    def _refuse_misfits(self, targets: np.ndarray) -> None:
        outputs = tuple(self.model.compute_output_shape(self.inputs.shape[1:]))
        if outputs != targets.shape[1:]:
            raise UserError(
                "datasets",
                expected=f"targets of the outputs' shape, {outputs[1:]} for each sample",
                got=f"{targets.shape[2:]}",
                hint="give scalar targets an axis of length 1, or change the model's outputs",
            )
        if self.model.losses:
            raise UserError(
                "build",
                expected="a model without losses of its own (regularisers, add_loss)",
                got=f"{len(self.model.losses)}",
                hint="only the loss of outputs and targets is trained; take them out",
            )

    # One block of members on one replica.

    def _train_block(
        self,
        state: State,
        data: State,
        inputs: tf.Tensor | None,
        first_step: tf.Tensor,
        n: tf.Tensor,
    ) -> State:
        def one_step(i: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return i + 1, tf.vectorized_map(
                lambda member: self._member_step(member[0], member[1], inputs, first_step + i),
                (state, data),
            )

        return tf.while_loop(lambda i, _: i < n, one_step, (tf.constant(0), state))[1]

    def _member_step(
        self, state: State, data: State, inputs: tf.Tensor | None, step: tf.Tensor
    ) -> State:
        x = data["inputs"] if inputs is None else inputs
        y = data["targets"]
        if self._batch_size:
            chosen = self._batch(data["batch_seed"], step, y.shape[0])
            x, y = tf.gather(x, chosen), tf.gather(y, chosen)
        with tf.GradientTape() as tape:
            tape.watch(state["weights"])
            outputs, non_trainable = self.model.stateless_call(
                state["weights"], state["non_trainable"], x, training=True
            )
            loss = self._loss(outputs, y)
        gradients = tape.gradient(loss, state["weights"], unconnected_gradients="zero")
        fails = (state["diverged_at_step"] < 0) & ~tf.math.is_finite(loss)
        diverged_at_step = tf.where(fails, step, state["diverged_at_step"])
        active = diverged_at_step < 0
        weights, slots = self._optimizer.update(
            gradients, state["slots"], state["weights"], step, active
        )
        if self._clips:
            clip = tf.where(active, data["weight_clip"], np.inf)
            weights = [tf.clip_by_value(w, -clip, clip) for w in weights]
        return {
            "weights": weights,
            "slots": slots,
            "non_trainable": [
                tf.where(active, new, old)
                for new, old in zip(non_trainable, state["non_trainable"], strict=True)
            ],
            "diverged_at_step": diverged_at_step,
        }

    def _batch(self, seed: tf.Tensor, step: tf.Tensor, num_samples: int) -> tf.Tensor:
        """The samples of one step: a slice of a permutation that seed and epoch alone decide."""
        epoch, position = step // self._steps_per_epoch, step % self._steps_per_epoch
        keys = tf.random.stateless_uniform([num_samples], tf.stack([seed, epoch]), alg="philox")
        start = position * self._batch_size
        return tf.gather(tf.argsort(keys), start + tf.range(self._batch_size))

    def _evaluate_block(
        self, state: State, data: State, inputs: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if inputs is not None:
            outputs = stacked_outputs(self.model, state["weights"], state["non_trainable"], inputs)
        else:
            outputs = tf.vectorized_map(
                lambda member: self.model.stateless_call(
                    member[0]["weights"],
                    member[0]["non_trainable"],
                    member[1]["inputs"],
                    training=False,
                )[0],
                (state, data),
            )
        losses = tf.vectorized_map(
            lambda pair: self._loss(pair[0], pair[1]), (outputs, data["targets"])
        )
        return outputs, losses

    # All members, from the host.

    def train(self, num_steps: int) -> None:
        """Makes `num_steps` updates of every member that still runs; returns when they are done."""
        first, n = tf.constant(self.step), tf.constant(num_steps)
        self._state = [
            self._train(state, data, self._shared_inputs, first, n)
            for state, data in zip(self._state, self._data, strict=True)
        ]
        self._replicas.wait(self._state)
        self.step += num_steps

    def evaluate(self) -> tuple[np.ndarray, np.ndarray]:
        """Outputs [e, n, o] on all samples and losses [e], float32, before the next update.

        Members that stopped, or whose loss is not finite, give NaN.
        """
        parts = [
            self._evaluate(state, data, self._shared_inputs)
            for state, data in zip(self._state, self._data, strict=True)
        ]
        outputs, losses = self._replicas.gather(parts)
        lost = (self.diverged_at_step >= 0) | ~np.isfinite(losses)
        outputs[lost], losses[lost] = np.nan, np.nan
        return outputs, losses

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs [e, m, o] of all members on other inputs [m, ...], float32, as at inference.

        Members that stopped give NaN.
        """
        copies = self._replicas.broadcast(np.asarray(inputs, np.float32))
        parts = [self._apply(s["weights"], s["non_trainable"], copies) for s in self._state]
        outputs = self._replicas.gather(parts)
        outputs[self.diverged_at_step >= 0] = np.nan
        return outputs

    @property
    def diverged_at_step(self) -> np.ndarray:
        """For each member the step at which its loss was not finite, or -1; int32, shape [e]."""
        return self._replicas.gather([s["diverged_at_step"] for s in self._state])

    @property
    def weights(self) -> list[np.ndarray]:
        """For each trainable variable of `model` one float32 array [e, *shape]."""
        return self._replicas.gather([s["weights"] for s in self._state])

    def all_reduce_max(self, *requests: int) -> list[int]:
        """The largest of each request over all hosts; alone, the requests themselves."""
        return self._replicas.all_reduce_max(*requests)

    def state(self) -> dict[str, np.ndarray]:
        """Everything that training has changed, as named arrays: what `load` takes."""
        nested = self._replicas.gather(self._state)
        return {"step": np.asarray(self.step), **_flatten(nested)}

    def load(self, saved: Mapping[str, np.ndarray]) -> None:
        """Continues from what `state` gave, under any number of replicas and any block size.

        Raises:
          UserError: the arrays are those of another ensemble.
        """
        saved = _of_older_names(saved, keeps=bool(self._state[0]["slots"]))
        current = _flatten(self._replicas.gather(self._state))
        wrong = sorted(
            name
            for name in current.keys() | (saved.keys() - {"step"})
            if np.shape(current.get(name, ())) != np.shape(saved.get(name, ()))
        )
        if wrong or "step" not in saved:
            raise UserError(
                "saved state",
                expected="the arrays of this ensemble",
                got=f"others for {', '.join(wrong[:3]) or 'step'}",
                hint="start over in an empty folder",
            )
        nested = self._replicas.gather(self._state)
        for key, value in nested.items():
            if isinstance(value, list):
                nested[key] = [saved[f"{key}/{i:03d}"] for i in range(len(value))]
            else:
                nested[key] = saved[key]
        self._state = self._replicas.scatter(nested, self._blocks)
        self.step = int(saved["step"])


def _initial_state(models: Sequence[keras.Model], optimizer: Adam | GradientDescent) -> State:
    def stack(variables: Sequence[Sequence[keras.Variable]]) -> list[np.ndarray]:
        return [
            np.stack([keras.ops.convert_to_numpy(v) for v in row])
            for row in zip(*variables, strict=True)
        ]

    weights = stack([m.trainable_variables for m in models])
    return {
        "weights": weights,
        "slots": optimizer.init(weights),
        "non_trainable": stack([m.non_trainable_variables for m in models]),
        "diverged_at_step": np.full(len(models), -1, np.int32),
    }


def _of_older_names(saved: Mapping[str, np.ndarray], *, keeps: bool) -> dict[str, np.ndarray]:
    """A state of before slots had one name; gradient descent, which keeps none, had them, too."""
    numbers = sorted(name.removeprefix("first/") for name in saved if name.startswith("first/"))
    names = {
        f"{old}/{number}": f"slots/{i + j * len(numbers):03d}"
        for j, old in enumerate(("first", "second"))
        for i, number in enumerate(numbers)
    }
    return {
        names.get(name, name.replace("others/", "non_trainable/")): array
        for name, array in saved.items()
        if keeps or name not in names
    }


def _flatten(state: State) -> dict[str, np.ndarray]:
    flat: dict[str, np.ndarray] = {}
    for key, value in state.items():
        if isinstance(value, list):
            flat |= {f"{key}/{i:03d}": array for i, array in enumerate(value)}
        else:
            flat[key] = value
    return flat
