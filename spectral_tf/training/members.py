"""The models of an ensemble: built, looked at, and called as one pure function."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from spectral_tf.errors import UserError
from spectral_tf.probes.functions import Called, call
from spectral_tf.training.losses import TrainedLoss
from spectral_tf.training.programs import first_line
from spectral_tf.training.resident import Arrays

# Samples on which models are compared and outputs looked at before anything is trained.
_SAMPLES = 64
# They draw from a state of TensorFlow's own, which no saved state holds.
_HIDDEN_DRAWS = (
    *("RandomUniform", "RandomStandardNormal", "TruncatedNormal", "RandomUniformInt"),
    *("Multinomial", "RandomGamma", "RandomShuffle", "RandomPoissonV2"),
)


class Members:
    """Copies of one architecture, of which only variables differ.

    Args:
      build: seed -> model.
      seeds: one for each member.
      inputs: [e, n, ...], or [1, n, ...].
      targets: [e, n, ...].
      loss: what is to be trained.

    Attributes:
      architecture: the first model.

    Raises:
      UserError: as `Ensemble`.
    """

    def __init__(
        self,
        build: Callable[[int], keras.Model],
        seeds: Sequence[int],
        inputs: Arrays,
        targets: np.ndarray,
        loss: TrainedLoss,
    ) -> None:
        self._build, self._seeds, self._loss = build, seeds, loss
        self._taken: set[str] = set()
        self._few = tf.nest.map_structure(lambda x: x[0, :_SAMPLES], inputs)
        models = [self.build(i) for i in range(len(seeds))]
        self.architecture = models[0]
        _refuse_others(models)
        self._initial = (
            _stacked([m.trainable_variables for m in models]),
            _stacked([m.non_trainable_variables for m in models]),
        )
        self._look_at(inputs, targets)
        _refuse_own_constants(models, self._few)
        _warn_of_one_start(models, seeds)
        _warn_of_one_stream(models, seeds)
        if loss.wants_probabilities:
            self._refuse_logits()

    def build(self, index: int) -> keras.Model:
        """The model of a member as its seed gives it, built."""
        model = self._build(self._seeds[index])
        if not isinstance(model, keras.Model):
            raise _refused("a function of a seed that gives a Keras model", type(model).__name__)
        if not model.built:
            one = tf.nest.map_structure(lambda x: x[:1], self._few)
            try:
                model(one, training=False)
            except Exception as error:
                raise _misfit(error, one) from error
        return model

    def take_initial(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """For each trainable and each other variable one array [e, *shape]; nothing is kept."""
        initial, self._initial = self._initial, ([], [])
        return initial

    def objective(
        self, state: Mapping[str, Any], x: Arrays, y: tf.Tensor, *, training: bool = False
    ) -> tuple[Called, tf.Tensor]:
        """One member's call, and its loss with the model's own losses: scalar."""
        called = call(
            self.architecture, state["weights"], state["non_trainable"], x, training=training
        )
        loss = self._loss(called.outputs, y)
        for own in called.losses:
            loss += tf.cast(tf.reduce_sum(own), loss.dtype)
        return called, loss

    def check_inputs(self, inputs: Arrays) -> None:
        """Raises a UserError if the model does not take these."""
        shapes = str(tf.nest.map_structure(lambda a: a.shape, inputs))
        if shapes in self._taken:
            return
        variables = _values(self.architecture)
        _traced(
            lambda x, of: call(self.architecture, of[0], of[1], x).outputs,
            (inputs, variables),
            lambda error: _misfit(error, inputs),
        )
        self._taken.add(shapes)

    def _look_at(self, inputs: Arrays, targets: np.ndarray) -> None:
        """Traces one member's call and loss, which says what would fail in the depth of a program.

        Raises:
          UserError: in one line.
        """
        x = tf.nest.map_structure(lambda a: a[0], inputs)
        arguments = _values(self.architecture)
        forward = _traced(
            lambda x, of: call(self.architecture, of[0], of[1], x, training=True).outputs,
            (x, arguments),
            lambda error: _misfit(error, x),
        )
        outputs = forward.structured_outputs
        if not tf.is_tensor(outputs) or not outputs.dtype.is_floating:
            got = outputs.dtype.name if tf.is_tensor(outputs) else type(outputs).__name__
            raise _refused("a model of one output, of floats", got)
        _refuse_operations(forward.graph)
        self._loss.refuse_misfit(outputs.shape, targets)

        def gradient(x: Arrays, y: tf.Tensor, of: Any) -> Any:
            state = {"weights": of[0], "non_trainable": of[1]}
            with tf.GradientTape() as tape:
                tape.watch(of[0])
                called, loss = self.objective(state, x, y, training=True)
            return loss, tape.gradient(loss, called.weights)

        loss, gradients = _traced(
            gradient,
            (x, targets[0], arguments),
            lambda error: UserError(
                "loss",
                expected="a function of targets and outputs that can be differentiated",
                got=f"{self._loss.name}: {first_line(error)}",
                hint="it is called as loss(y_true, y_pred), as in Keras",
            ),
        ).structured_outputs
        if loss.shape.rank != 0 or all(g is None for g in gradients):
            raise UserError(
                "loss",
                expected="one number for each sample, or one alone, that depends on the weights",
                got=f"shape {loss.shape}" if loss.shape.rank else "no gradient of any weight",
                hint="integers, comparisons and stop_gradient have none",
            )

    def _refuse_logits(self) -> None:
        weights, states = _values(self.architecture)
        outputs = call(self.architecture, weights, states, self._few).outputs
        outputs = np.asarray(outputs, np.float64)
        if outputs.min() < -1e-3 or outputs.max() > 1 + 1e-3:
            raise UserError(
                "loss",
                expected=f"probabilities as outputs ({self._loss.name} without from_logits)",
                got=f"{outputs.min():.3g} to {outputs.max():.3g}",
                hint="give the loss from_logits=True, or the model a softmax or a sigmoid",
            )


def _values(model: keras.Model) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    weights = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
    return weights, [tf.convert_to_tensor(v.value) for v in model.non_trainable_variables]


def _stacked(variables: Sequence[Sequence[keras.Variable]]) -> list[np.ndarray]:
    rows = zip(*variables, strict=True)
    return [np.stack([keras.ops.convert_to_numpy(v) for v in row]) for row in rows]


def _traced(function: Callable, arguments: tuple, failed: Callable[[Exception], UserError]) -> Any:
    """A function traced for one member, or the line that says why it cannot be."""
    specs = tf.nest.map_structure(lambda a: tf.TensorSpec(a.shape, a.dtype), arguments)
    try:
        return tf.function(function, autograph=False).get_concrete_function(*specs)
    except UserError:
        raise
    except Exception as error:
        raise failed(error) from error


def _refused(expected: str, got: object, hint: str = "change the model") -> UserError:
    return UserError("build", expected=expected, got=got, hint=hint)


def _misfit(error: Exception, x: Arrays) -> UserError:
    shapes = tf.nest.map_structure(lambda a: a.shape[1:], x)
    return UserError(
        "build",
        expected=f"a model that takes samples of the shape {shapes}",
        got=f"{type(error).__name__}: {first_line(error)}",
        hint="data sets are unbatched; several inputs come as a list or a dictionary of arrays",
    )


def _refuse_others(models: Sequence[keras.Model]) -> None:
    """Refuses models of different architectures, and what would be left out silently."""
    first = models[0]
    shapes = [
        [
            [(tuple(v.shape), v.dtype) for v in of]
            for of in (m.trainable_variables, m.non_trainable_variables)
        ]
        for m in models
    ]
    for i, each in enumerate(shapes):
        if each != shapes[0]:
            raise _refused(
                "the same architecture for every seed",
                f"other variables for member {i} than for member 0",
                "train architectures in ensembles of their own (Ensembles)",
            )
    if not first.trainable_variables:
        raise _refused("a model with trainable variables", "none", "unfreeze a layer")
    if first.compiled:
        raise _refused(
            "an uncompiled model", "a compiled one", "give loss and optimizer to the ensemble"
        )
    for method in ("train_step", "compute_loss"):
        if getattr(type(first), method) is not getattr(keras.Model, method):
            raise _refused(
                "a model that is trained by a loss of its outputs",
                f"{type(first).__name__} with a {method} of its own",
                "say it by add_loss or as loss",
            )
    if any(getattr(v, "overwrite_with_gradient", False) for v in first.trainable_variables):
        raise _refused("a model that is not quantised", "one of float8")


def _refuse_operations(graph: Any) -> None:
    """Refuses what a call must not hold: it would be trained wrongly, and nothing would say so."""
    if graph.variables:
        raise _refused(
            "a model whose variables Keras knows",
            f"one that reads {graph.variables[0].name}",
            "make them with add_weight, and give random layers a keras.random.SeedGenerator",
        )
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    if hidden := sorted({n.op for n in nodes} & set(_HIDDEN_DRAWS)):
        raise _refused(
            "random draws of keras.random, with a SeedGenerator of the layer",
            f"{', '.join(hidden)} of TensorFlow's own state",
            "no saved state could resume them",
        )
    half = tf.float16.as_datatype_enum
    if any(attribute.type == half for node in nodes for attribute in node.attr.values()):
        raise _refused(
            "float32, float64 or bfloat16",
            "float16",
            "it needs a scaled loss; mixed_bfloat16 does not",
        )


def _refuse_own_constants(models: Sequence[keras.Model], few: Arrays) -> None:
    """Refuses members that differ in constants, too: all would have those of the first."""
    weights, states = _values(models[-1])

    def outputs(model: keras.Model) -> np.ndarray:
        return np.asarray(call(model, weights, states, few).outputs, np.float64)

    ours = outputs(models[0])
    size = np.abs(ours[np.isfinite(ours)]).max(initial=0.0)
    half = any(layer.compute_dtype == "bfloat16" for layer in models[0]._flatten_layers())
    rounding = 1e-2 if half else 1e-4
    for model in models[1:]:
        if not np.allclose(ours, outputs(model), rtol=0, atol=rounding * size, equal_nan=True):
            raise _refused(
                "models that differ in their variables alone",
                "others with the same variables: constants or settings differ, too",
                "keep what differs in add_weight(trainable=False)",
            )


def _warn_of_one_start(models: Sequence[keras.Model], seeds: Sequence[int]) -> None:
    variables = [[np.asarray(v) for v in m.trainable_variables] for m in models]
    same = all(
        np.array_equal(first, other)
        for row in variables[1:]
        for first, other in zip(variables[0], row, strict=True)
    )
    if same and len(set(seeds)) > 1:
        logging.warning(
            "Ensemble of %s: all members begin with the same weights, whatever their seeds: "
            "intervals over them say nothing; let build draw from its seed",
            models[0].name,
        )


def _warn_of_one_stream(models: Sequence[keras.Model], seeds: Sequence[int]) -> None:
    if len(set(seeds)) == 1:
        return
    for i, variable in enumerate(models[0].non_trainable_variables):
        if "seed_generator" not in variable.path:
            continue
        states = {tuple(np.asarray(m.non_trainable_variables[i])) for m in models}
        if len(states) == 1:
            logging.warning(
                "Ensemble of %s: all members draw the same random numbers (%s); draw the seeds of "
                "random layers from build's seed",
                models[0].name,
                variable.path,
            )
            return
