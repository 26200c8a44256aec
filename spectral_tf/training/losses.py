"""The losses of the papers, by name, and those of Keras and of anybody's own."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from spectral_tf.errors import UserError

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def mean_squared_error(outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Mean (f - y)^2 over samples and output units; scalar, in squared target units."""
    return tf.reduce_mean(tf.square(outputs - targets))


def sigmoid_cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean of -y log s(f) - (1 - y) log(1 - s(f)), s the sigmoid; scalar, in nats."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


LOSSES: Mapping[str, Loss] = {
    "mean_squared_error": mean_squared_error,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
}
# Losses of Keras whose targets are the numbers of classes; and those with shapes of their own.
_OF_CLASSES = ("sparsecategoricalcrossentropy", "categoricalgeneralizedcrossentropy")
_OF_OWN_SHAPES = ("ctc",)


class TrainedLoss:
    """The mean loss of outputs and targets, whatever way it was named.

    Called with outputs [n, ...] and targets [n, ...] of one member it gives a scalar, float64 if
    the outputs are, else float32. Targets of floats are taken in that type; where outputs have an
    axis of length 1 that targets lack (or the reverse), they are compared as if both had it, as
    Keras does.

    Args:
      loss: a key of `LOSSES`; any name that Keras' `compile` takes, with Keras' defaults (so
        "sparse_categorical_crossentropy" is of probabilities); a `keras.losses.Loss`, with its
        reduction (None is a mean); or a function (y_true, y_pred) -> a loss for each sample, or
        any further axes, whose mean is taken, or a scalar.

    Raises:
      UserError: nothing of these.
    """

    def __init__(self, loss: str | keras.losses.Loss | Callable) -> None:
        self._ours = LOSSES.get(loss) if isinstance(loss, str) else None
        self._given = self._ours or _of_keras(loss)
        given = self._given
        # An object has a type that its maker chose.
        self._dtype = loss.dtype if isinstance(loss, keras.losses.Loss) else None
        self.name = getattr(given, "__name__", type(given).__name__)
        known = (type(given) if isinstance(given, keras.losses.Loss) else given).__module__
        word = self.name.replace("_", "").lower()
        self._of_classes = word in _OF_CLASSES
        self._own = not self._ours and (not known.startswith("keras.") or word in _OF_OWN_SHAPES)
        config = given.get_config() if isinstance(given, keras.losses.Loss) else {}
        logits = config.get("from_logits", False if "crossentropy" in word else None)
        self.wants_probabilities = not self._own and not self._ours and logits is False

    def __call__(self, outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """The loss of one member, scalar."""
        if self._ours:
            outputs = tf.cast(outputs, _precise(outputs.dtype))
            return self._ours(outputs, tf.cast(_aligned(targets, outputs), outputs.dtype))
        given, dtype = self._given, self._dtype or _precise(outputs.dtype).name
        if isinstance(given, keras.losses.Loss):
            return _Mean(given.call, given.reduction, dtype)(targets, outputs)
        return _Mean(given, None, dtype)(targets, outputs)

    def refuse_misfit(self, outputs: tf.TensorShape, targets: np.ndarray) -> None:
        """Refuses targets that are not such for the outputs.

        Args:
          outputs: the shape of one member's outputs, [n, ...].
          targets: of all members, [e, n, ...].

        Raises:
          UserError: shapes that do not belong together, where the loss is a known one; numbers of
            classes that there are not.
        """
        shape, wanted = targets.shape[1:], tuple(outputs)
        if self._own or (not self._of_classes and _same(shape, wanted)):
            return
        if self._of_classes and _same(shape, wanted[:-1]):
            lowest, highest = targets.min(), targets.max()
            if lowest < 0 or highest >= wanted[-1] or np.any(targets != np.round(targets)):
                raise UserError(
                    "datasets",
                    expected=f"whole targets of 0 to {wanted[-1] - 1}, one for each output",
                    got=f"{lowest} to {highest}",
                    hint="count classes from 0",
                )
            return
        expected = "numbers of classes, of shape" if self._of_classes else "the outputs' shape,"
        wanted = wanted[:-1] if self._of_classes else wanted
        raise UserError(
            "datasets",
            expected=f"targets of {expected} {wanted[1:]} for each sample (loss {self.name})",
            got=f"{shape[1:]}",
            hint="reshape them, change the model's outputs or choose another loss",
        )


def _of_keras(loss: str | keras.losses.Loss | Callable) -> Any:
    try:
        found = keras.losses.get(loss)
    except (ValueError, TypeError):
        found = None
    if found is None:
        raise UserError(
            "loss",
            expected=f"{', '.join(LOSSES)}, a name or an object of keras.losses, or a function "
            "(y_true, y_pred)",
            got=loss,
            hint="choose one",
        )
    return found


def _precise(dtype: tf.DType) -> tf.DType:
    return tf.float64 if dtype == tf.float64 else tf.float32


def _same(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether shapes are equal, but for one last axis of length 1."""
    return second in (first, (*first, 1)) or first == (*second, 1)


def _aligned(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    differs = targets.shape.rank != outputs.shape.rank
    return tf.reshape(targets, outputs.shape) if differs else targets


class _Mean(keras.losses.Loss):
    """A function of targets and outputs as a loss of Keras, which knows masks of outputs."""

    def __init__(self, function: Callable, reduction: str | None, dtype: str) -> None:
        # None would be of no use: what is trained is one number.
        mean = "sum_over_batch_size"
        reduction = mean if reduction in (None, "none") else reduction
        super().__init__(name="loss", reduction=reduction, dtype=dtype)
        self._sums = reduction == "sum"
        self._function = function

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The losses, with one axis at least."""
        ranks = y_true.shape.rank, y_pred.shape.rank
        if ranks[1] == ranks[0] + 1 and y_pred.shape[-1] == 1:
            y_true = tf.expand_dims(y_true, -1)
        elif ranks[0] == ranks[1] + 1 and y_true.shape[-1] == 1:
            y_true = tf.squeeze(y_true, -1)
        losses = tf.convert_to_tensor(self._function(y_true, y_pred))
        return losses if losses.shape.rank else tf.expand_dims(losses, 0)

    def __call__(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None) -> Any:
        """The loss of one member: no share of it, though there may be several replicas."""
        total = super().__call__(y_true, y_pred, sample_weight)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # Keras divides means, not sums, by the number of replicas that average their gradients.
        return total * replicas if replicas > 1 and not self._sums else total
