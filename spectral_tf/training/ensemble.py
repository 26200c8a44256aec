"""Many small networks trained together, each with its own seed and its own target."""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from spectral_tf.errors import UserError
from spectral_tf.probes.functions import call
from spectral_tf.runtime.cores import cores
from spectral_tf.training.losses import TrainedLoss
from spectral_tf.training.members import Members
from spectral_tf.training.optimizers import Optimizer, optimizer_of
from spectral_tf.training.programs import Program, one_by_one, vectorised
from spectral_tf.training.replicas import Replicas
from spectral_tf.training.resident import Arrays, Data, of_each_member, resident

# The tensors of one block of members, each with the members on its first axis.
State = dict[str, Any]


# On a CPU every core runs blocks of its own, and what one touches in a step (weights, both
# moments, activations; float32) should stay in the cache: of 6 x 256 networks on one core with
# AVX-512, two at once on 200 points run a tenth faster than eight, and one at once on 1,000
# points a fifth faster than four; with AVX2 they are level. An accelerator wants large products
# and few programs: there one block holds all members of a replica.
_CPU_BLOCK_BYTES = 12 * 2**20


class Lowered(NamedTuple):
    """The training of an ensemble as a program that XLA runs without TensorFlow.

    Attributes:
      stablehlo: (state, data, first step, number of steps) -> the state after them, serialised.
      arguments: all but the last two, which are int32 scalars; the first are the state.
      num_state: how many of them are the state.
      weights: for each trainable variable its place among them.
    """

    stablehlo: bytes
    arguments: list[np.ndarray]
    num_state: int
    weights: list[int]


class Ensemble:
    """Copies of one Keras model, trained at once; members never influence each other.

    A pure call of the model under `tf.vectorized_map`, its gradient and the optimiser's update form
    one step; steps run in one compiled `while_loop` that returns to Python only when asked. The
    state is explicit tensors: it can be read, saved, restored and spread over any number of
    replicas. What cannot be vectorised (recurrent layers, convolutions, layers that branch) runs
    member by member inside the same program, and what XLA cannot compile runs without it; one line
    of the log says so.

    What is trained is the loss of outputs and targets plus the model's own losses (regularisers,
    `add_loss`), as `fit` does; constraints of variables, dropout, normalisations and mixed
    precision act as there. A member whose loss is not finite stops before that update:
    `diverged_at_step` holds the step, and its state stays as it was.

    Args:
      build: seed -> uncompiled Keras model (functional, sequential, subclassed; with one output).
        Every call must give the same architecture, with weights and seeds of random layers drawn
        from the seed (`keras.utils.set_random_seed(seed)` does both). A model that is not built yet
        is built by calling it on the first sample.
      seeds: one for each member.
      datasets: one for each member, or one that all share: `tf.data.Dataset`s of (input, target)
        pairs, unbatched and finite, or pairs (x, y) of arrays [n, ...]. x may be a list, a tuple or
        a dictionary of arrays, as the model takes them. Made resident once (a single copy of inputs
        that all members share).
      loss: a key of `LOSSES`, a name or an object of `keras.losses`, or a function (y_true, y_pred)
        -> a loss for each sample, or a scalar; see `TrainedLoss`.
      optimizer: one of `spectral_tf.training` (`Adam`, the default, `AdamW`, `SGD`, `Lion`,
        `Muon`), whose rates, decays and momenta may be sequences, one number for each member; or
        such an optimiser of Keras, or its name.
      batch_size: samples per step, drawn without replacement within an epoch, anew for each member
        and epoch (a last incomplete batch is dropped); 0 takes all samples in every step.
      batch_seeds: one for each member, for those draws; required if batch_size is not 0.
      weight_clips: one for each member, above 0 (`inf`: none): after every update all of its
        trainable parameters, biases too, are clipped to +- that (projection on a max-norm ball).
      strategy: a `tf.distribute.Strategy`; every replica trains its own share of the members, and
        nothing is reduced between them. Default: the current strategy.
      block_size: members in one program; default: on GPUs and TPUs all of a replica, on CPUs as
        measured (see `_CPU_BLOCK_BYTES`). There every core runs blocks of its own
        (`runtime.cores`), so that members are trained beside each other.

    Attributes:
      architecture: the first model as it was built, for what needs an architecture beside
        `weights`; it is not trained. `member` gives trained models.
      inputs: as the model takes them, [e, n, ...], or [1, n, ...] if all members share them.
      step: updates made so far.

    Raises:
      UserError: no members, lists of different lengths, data sets of different shapes, an unknown
        loss or optimiser, targets that do not belong to the outputs, a batch size that is negative
        or above the number of samples, a clip of 0 or below; models of several outputs, of float16,
        with steps of their own, or that hold variables or constants of their own beside Keras'.
    """

    goal = None  # All members go on to the last step, or diverge.

    def __init__(
        self,
        build: Callable[[int], keras.Model],
        seeds: Sequence[int],
        datasets: Data | Sequence[Data],
        *,
        loss: str | keras.losses.Loss | Callable = "mean_squared_error",
        optimizer: Optimizer | keras.optimizers.Optimizer | str | None = None,
        batch_size: int = 0,
        batch_seeds: Sequence[int] = (),
        weight_clips: Sequence[float] = (),
        strategy: tf.distribute.Strategy | None = None,
        block_size: int | None = None,
    ) -> None:
        inputs, targets = resident(of_each_member(datasets, len(seeds)))
        num_samples = targets.shape[1]
        if not 0 <= batch_size <= num_samples or (batch_size and len(batch_seeds) != len(seeds)):
            raise UserError(
                "batch_size",
                expected=f"0 (all) to {num_samples} samples, and a batch seed for each member",
                got=f"{batch_size} with {len(batch_seeds)} batch seeds",
                hint="lower the batch size or give the seeds",
            )
        self._clips = len(weight_clips) > 0
        if self._clips and (len(weight_clips) != len(seeds) or not min(weight_clips) > 0):
            raise UserError(
                "weight_clips",
                expected="a number above 0 for each member",
                got=list(weight_clips),
                hint="inf clips nothing",
            )
        self.step = 0
        self.num_members = len(seeds)
        self._loss = TrainedLoss(loss)
        self._optimizer = optimizer_of(optimizer)
        own_values = self._optimizer.by_member(len(seeds))
        self._batch_size = batch_size
        self._steps_per_epoch = num_samples // batch_size if batch_size else 1

        self._members = Members(build, seeds, inputs, targets, self._loss)
        self.architecture = self._members.architecture
        self.inputs = inputs
        self._constraints = [v.constraint for v in self.architecture.trainable_variables]
        state = self._initial_state()
        data: State = {"targets": targets, "batch_seed": np.zeros(len(seeds), np.int32)}
        if batch_size:
            data["batch_seed"] = np.asarray(batch_seeds, np.int32)
        if self._clips:
            data["weight_clip"] = np.asarray(weight_clips, np.float32)
        if own_values:
            data["hyperparameters"] = own_values
        shared = tf.nest.flatten(inputs)[0].shape[0] == 1
        if not shared:
            data["inputs"] = inputs

        self._replicas = Replicas(strategy or tf.distribute.get_strategy(), self.num_members)
        self._cores = cores() if self._replicas.on_cpu else 1
        if block_size is not None or not self._replicas.on_cpu:
            self._blocks = self._replicas.blocks(block_size)
        else:
            block_size = _fitting_the_cache(state, batch_size or num_samples)
            self._blocks = self._replicas.blocks(block_size, self._cores)
        self.block_size = max(block.stop - block.start for block in self._blocks)
        self._data = self._replicas.scatter(data, self._blocks)
        first = tf.nest.map_structure(lambda x: x[0], inputs)
        self._shared_inputs = self._replicas.broadcast(first) if shared else None
        self._state: list[State] = self._replicas.scatter(state, self._blocks)
        self._told = False
        self._train = Program(self._replicas, self._train_block, self._tell)
        self._evaluate = Program(self._replicas, self._evaluate_block, self._tell)
        self._apply = Program(self._replicas, self._apply_block, self._tell)

    def _initial_state(self) -> State:
        weights, non_trainable = self._members.take_initial()
        paths = [v.path for v in self.architecture.trainable_variables]
        return {
            "weights": weights,
            "slots": [self._optimizer.init(w, p) for w, p in zip(weights, paths, strict=True)],
            "non_trainable": non_trainable,
            "diverged_at_step": np.full(self.num_members, -1, np.int32),
        }

    def _tell(self, line: str) -> None:
        if not self._told:
            logging.warning("Ensemble of %s: %s", self.architecture.name, line)
        self._told = True

    # One block of members on one replica.

    def _train_block(
        self,
        together: bool,
        state: State,
        data: State,
        inputs: Arrays | None,
        first_step: tf.Tensor,
        n: tf.Tensor,
    ) -> State:
        def steps(
            state: State, i: tf.Tensor, until: tf.Tensor, one: Callable[[State, tf.Tensor], State]
        ) -> State:
            return tf.while_loop(
                lambda i, _: i < until,
                lambda i, state: (i + 1, one(state, first_step + i)),
                (i, state),
            )[1]

        def train(
            state: State,
            data: State,
            one: Callable[[State, State, tf.Tensor], State],
            draw: Callable[[tf.Tensor], tf.Tensor],
        ) -> State:
            if not self._batch_size:
                return steps(state, tf.constant(0), n, lambda state, i: one(state, data, i))

            def epoch(i: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
                # Drawn once for all of its steps that are made here: sorting takes longer than
                # they do where samples are many.
                number, done = (first_step + i) // per_epoch, (first_step + i) % per_epoch
                ordered = {**data, "order": draw(number)}
                until = tf.minimum(n, i + per_epoch - done)
                return until, steps(state, i, until, lambda state, i: one(state, ordered, i))

            return tf.while_loop(lambda i, _: i < n, epoch, (tf.constant(0), state))[1]

        per_epoch, num_samples = self._steps_per_epoch, data["targets"].shape[1]

        def of_member(state: State, data: State) -> State:
            return train(
                state,
                data,
                lambda state, data, i: self._member_step(state, data, inputs, i),
                lambda epoch: _order(data["batch_seed"], epoch, num_samples),
            )

        if not together:
            return one_by_one(lambda member: of_member(*member), (state, data))
        return train(
            state,
            data,
            lambda state, data, i: vectorised(
                lambda member: self._member_step(member[0], member[1], inputs, i), (state, data)
            ),
            lambda epoch: vectorised(
                lambda seed: _order(seed, epoch, num_samples), data["batch_seed"]
            ),
        )

    def _member_step(
        self, state: State, data: State, inputs: Arrays | None, step: tf.Tensor
    ) -> State:
        x = data["inputs"] if inputs is None else inputs
        y = data["targets"]
        if self._batch_size:
            start = step % self._steps_per_epoch * self._batch_size
            chosen = tf.gather(data["order"], start + tf.range(self._batch_size))
            x = tf.nest.map_structure(lambda a: tf.gather(a, chosen), x)
            y = tf.gather(y, chosen)
        with tf.GradientTape() as tape:
            tape.watch(state["weights"])
            called, loss = self._members.objective(state, x, y, training=True)
        # What is trained is what the layers have seen: some assign their weights in the call.
        gradients = tape.gradient(loss, called.weights, unconnected_gradients="zero")
        fails = (state["diverged_at_step"] < 0) & ~tf.math.is_finite(loss)
        diverged_at_step = tf.where(fails, step, state["diverged_at_step"])
        active = diverged_at_step < 0
        seen = [
            old if new is old else tf.where(active, new, old)
            for new, old in zip(called.weights, state["weights"], strict=True)
        ]
        optimizer = self._optimizer.of(data.get("hyperparameters", {}))
        weights, slots = optimizer.update(gradients, state["slots"], seen, step, active)
        weights = [
            tf.where(active, allow(w), w) if allow else w
            for allow, w in zip(self._constraints, weights, strict=True)
        ]
        if self._clips:
            clip = tf.where(active, data["weight_clip"], np.inf)
            weights = [
                tf.clip_by_value(w, -tf.cast(clip, w.dtype), tf.cast(clip, w.dtype))
                for w in weights
            ]
        return {
            "weights": weights,
            "slots": slots,
            "non_trainable": [
                tf.where(active, new, old)
                for new, old in zip(called.states, state["non_trainable"], strict=True)
            ],
            "diverged_at_step": diverged_at_step,
        }

    def _evaluate_block(
        self, together: bool, state: State, data: State, inputs: Arrays | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        def of_member(member: tuple[State, State]) -> tuple[tf.Tensor, tf.Tensor]:
            x = member[1]["inputs"] if inputs is None else inputs
            called, loss = self._members.objective(member[0], x, member[1]["targets"])
            return _readable(called.outputs), loss

        return (vectorised if together else one_by_one)(of_member, (state, data))

    def _apply_block(self, together: bool, state: State, inputs: Arrays) -> tf.Tensor:
        def of_member(state: State) -> tf.Tensor:
            model, weights = self.architecture, state["weights"]
            return _readable(call(model, weights, state["non_trainable"], inputs).outputs)

        return (vectorised if together else one_by_one)(of_member, state)

    # All members, from the host.

    def train(self, num_steps: int) -> None:
        """Makes `num_steps` updates of every member that still runs; returns when they are done.

        Raises:
          UserError: no whole number of steps, 0 or more.
        """
        if int(num_steps) != num_steps or num_steps < 0:
            raise UserError(
                "num_steps", expected="0 or more steps", got=num_steps, hint="train(100) makes 100"
            )
        first, n = tf.constant(self.step), tf.constant(int(num_steps))
        if not self._train.settled:  # Before cores share it: in no step at all.
            self._train(self._state[0], self._data[0], self._shared_inputs, first, tf.constant(0))

        def train(block: tuple[State, State]) -> State:
            trained = self._train(*block, self._shared_inputs, first, n)
            self._replicas.wait(trained)
            return trained

        self._state = self._on_cores(train, zip(self._state, self._data, strict=True))
        self.step += int(num_steps)

    def _on_cores(self, function: Callable, blocks: Iterable) -> list:
        """A function of every block, on each core one at a time.

        Products that are shared by cores wait for the slowest of them: with a block on each there
        is nothing to wait for before the end, and who has half a core takes fewer blocks.
        """
        if self._cores == 1 or len(self._blocks) == 1:
            return [function(block) for block in blocks]
        with ThreadPoolExecutor(self._cores, "block") as threads:
            return list(threads.map(function, blocks))

    def evaluate(self) -> tuple[np.ndarray, np.ndarray]:
        """Outputs [e, n, o] on all samples and losses [e], before the next update.

        The losses are what is trained, as at inference: the loss of outputs and targets plus the
        model's own (regularisers, `add_loss`), as in Keras' `evaluate`. float32, of models of
        float64 that. Members that stopped, or whose loss is not finite, give NaN.
        """
        parts = [
            self._evaluate(state, data, self._shared_inputs)
            for state, data in zip(self._state, self._data, strict=True)
        ]
        outputs, losses = self._replicas.gather(parts)
        lost = (self.diverged_at_step >= 0) | ~np.isfinite(losses)
        outputs[lost], losses[lost] = np.nan, np.nan
        return outputs, losses

    def outputs(self, inputs: Arrays) -> np.ndarray:
        """Outputs [e, m, o] of all members on other inputs [m, ...], as at inference.

        Args:
          inputs: structured as those of training, whose types they are cast to.

        Members that stopped give NaN.

        Raises:
          UserError: inputs that the model does not take.
        """
        try:
            cast = tf.nest.map_structure(
                lambda given, like: np.asarray(given, like.dtype), inputs, self.inputs
            )
        except (TypeError, ValueError) as error:
            raise UserError(
                "inputs",
                expected="what the members are trained on, in number and structure",
                got=type(inputs).__name__,
                hint="give one array for each input of the model",
            ) from error
        self._members.check_inputs(cast)
        copies = self._replicas.broadcast(cast)
        outputs = self._replicas.gather([self._apply(s, copies) for s in self._state])
        outputs[self.diverged_at_step >= 0] = np.nan
        return outputs

    def member(self, index: int) -> keras.Model:
        """A trained member as a Keras model of its own, to call and to save.

        It is built anew from the member's seed, and given its weights and its other variables
        (means of normalisations, states of random draws) as they are now; what is done to it has no
        effect here. It is not compiled. On several hosts all must call this together.

        Args:
          index: 0 to e - 1.

        Raises:
          UserError: no such member, or one that diverged: what it has is no trained network (its
            weights before the update that failed are in `weights`).
        """
        if not 0 <= index < self.num_members:
            raise UserError(
                "member",
                expected=f"0 to {self.num_members - 1}",
                got=index,
                hint="count the members from 0",
            )
        if (step := self.diverged_at_step[index]) >= 0:
            raise UserError(
                "member",
                expected="one whose loss stayed finite",
                got=f"member {index}, which diverged at step {step:,}",
                hint="lower its learning rate",
            )
        model = self._members.build(index)
        for key, variables in (
            ("weights", model.trainable_variables),
            ("non_trainable", model.non_trainable_variables),
        ):
            values = self._replicas.gather([s[key] for s in self._state])
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value[index])
        return model

    def lowered(self) -> Lowered:
        """What `train` compiles, with the state as it is, for a machine without TensorFlow.

        Raises:
          UserError: members in several blocks or on several replicas (`block_size` joins them).
        """
        if len(self._blocks) > 1 or self.block_size < self.num_members:
            raise UserError(
                "ensemble",
                expected="one block on one replica",
                got=f"{self.num_members} members, {self.block_size} in a block",
                hint=f"make it with block_size={self.num_members} on one device",
            )
        arguments = (self._state[0], self._data[0], self._shared_inputs)
        first, n = tf.constant(self.step), tf.constant(1)
        block = functools.partial(self._train_block, True)
        program = tf.function(block, jit_compile=True, autograph=False)
        stablehlo = program.experimental_get_compiler_ir(*arguments, first, n)(
            stage="stablehlo_serialized"
        )
        num_state = len(tf.nest.flatten(self._state[0]))
        # Nests are flattened in the order of their keys, of which this is the last.
        weights = list(range(num_state))[-len(self._state[0]["weights"]) :]
        # Shared inputs are None where members have their own.
        flat = [np.asarray(a) for a in tf.nest.flatten(arguments) if a is not None]
        return Lowered(stablehlo, flat, num_state, weights)

    @property
    def diverged_at_step(self) -> np.ndarray:
        """For each member the step at which its loss was not finite, or -1; int32, shape [e]."""
        return self._replicas.gather([s["diverged_at_step"] for s in self._state])

    @property
    def weights(self) -> list[np.ndarray]:
        """For each trainable variable of `architecture` one array [e, *shape] of its type."""
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
        nested = self._replicas.gather(self._state)
        current = _flatten(nested)
        saved = _of_older_names(saved, keeps=any(name.startswith("slots/") for name in current))
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
        arrays = {name: _of_type(saved[name], array.dtype) for name, array in current.items()}
        self._state = self._replicas.scatter(_nest_like(nested, arrays), self._blocks)
        self.step = int(saved["step"])


def _fitting_the_cache(state: State, num_samples: int) -> int:
    """Members whose weights, slots and activations fit `_CPU_BLOCK_BYTES`, at least one."""
    shapes = [w.shape[1:] for w in state["weights"]]
    units = sum(shape[-1] for shape in shapes if len(shape) > 1)
    copies = 1 + len(_in_order(state["slots"])) // max(1, len(shapes))
    values = copies * sum(map(math.prod, shapes)) + units * num_samples
    return max(1, _CPU_BLOCK_BYTES // (4 * values))


def _order(seed: tf.Tensor, epoch: tf.Tensor, num_samples: int) -> tf.Tensor:
    """The order of samples in an epoch: a permutation that seed and epoch alone decide."""
    keys = tf.random.stateless_uniform([num_samples], tf.stack([seed, epoch]), alg="philox")
    return tf.argsort(keys)


def _readable(outputs: tf.Tensor) -> tf.Tensor:
    """Of float32 at least: NumPy knows no bfloat16."""
    return outputs if outputs.dtype == tf.float64 else tf.cast(outputs, tf.float32)


def _of_type(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A saved array; a file keeps bfloat16 as pairs of bytes without a name."""
    return array.view(dtype) if array.dtype.kind == "V" else np.asarray(array, dtype)


def _in_order(slots: Sequence[tuple]) -> list:
    """The slots of all variables in one list: first the first ones, then the second ones."""
    rows = itertools.zip_longest(*slots, fillvalue=None)
    return [slot for row in rows for slot in row if slot is not None]


def _flatten(state: State) -> dict[str, np.ndarray]:
    flat: dict[str, np.ndarray] = {}
    for key, value in (state | {"slots": _in_order(state["slots"])}).items():
        if isinstance(value, list):
            flat |= {f"{key}/{i:03d}": array for i, array in enumerate(value)}
        else:
            flat[key] = value
    return flat


def _nest_like(state: State, flat: Mapping[str, np.ndarray]) -> State:
    """The reverse of `_flatten`."""
    numbers = [tuple(range(len(own))) for own in state["slots"]]
    places = [(v, k) for k in range(2) for v, own in enumerate(numbers) if k in own]
    name_of = {place: f"slots/{i:03d}" for i, place in enumerate(places)}
    nested = {
        key: [flat[f"{key}/{i:03d}"] for i in range(len(value))]
        if isinstance(value, list)
        else flat[key]
        for key, value in state.items()
        if key != "slots"
    }
    slots = [tuple(flat[name_of[v, k]] for k in own) for v, own in enumerate(numbers)]
    return {**nested, "slots": slots}


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
