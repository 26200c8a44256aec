"""What a classifier's outputs are: told, looked at, and brought to probabilities and logits.

* `logits` [..., C]: probabilities are their softmax;
* `probabilities` [..., C]: of C classes, which sum to 1;
* `sigmoids` [..., C]: independent probabilities, one of every class. Each output is a classifier of
  its own, of *yes* and *no*: a temperature divides its logit log(p / (1 - p)), its confidence is
  max(p, 1 - p), and what is measured is measured of the vector of all C.

One output is a classifier of two classes: as a logit z it counts as the logits (0, z), as a sigmoid
p as the probabilities (1 - p, p).
"""

from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.confidence import confidence_temperature, logits_of

if TYPE_CHECKING:
    import tensorflow as tf

OUTPUTS = ("logits", "probabilities", "sigmoids")

# Outputs that move by no more than this over all examples do not tell what they are.
_STILL = 1e-3
# Sigmoids of a trained classifier come so close to 0 and to 1; logits hardly stay between.
_NEAR_ENDS = 0.05
# Of the sum of float32 probabilities; a softmax in half precision is within the first.
_SUM, _EXACT_SUM = 1e-3, 1e-5


def probabilities_of(
    found: NDArray, outputs: str, temperature: float = 1.0
) -> NDArray[np.floating]:
    """The probabilities at a temperature, [..., C]; of one output [..., 2].

    softmax(logits / temperature), logits of probabilities being their logarithms; of independent
    sigmoids 1 / (1 + exp(-logit / temperature)).

    Args:
      found: what a classifier gives, [..., C].
      outputs: what they are, one of `OUTPUTS`.
      temperature: above 0.
    """
    if found.shape[-1] == 1:
        yes = scipy.special.expit(_single_logits(found, outputs) / temperature)
        if outputs == "sigmoids" and temperature == 1:
            yes = found
        return np.concatenate([1 - yes, yes], axis=-1)
    if outputs == "logits":
        return scipy.special.softmax(found.astype(np.float64) / temperature, axis=-1)
    if temperature == 1:
        return found
    if outputs == "sigmoids":
        return scipy.special.expit(_single_logits(found, outputs) / temperature)
    return scipy.special.softmax(logits_of(found) / temperature, axis=-1)


def predictions_of(found: NDArray, outputs: str) -> NDArray[np.int64]:
    """The class that outputs [..., C] predict, [...]: the largest; of one output 1 for *yes*."""
    if found.shape[-1] == 1:
        return (found[..., 0] > (0 if outputs == "logits" else 0.5)).astype(np.int64)
    return found.argmax(axis=-1)


def temperature_of(found: NDArray, outputs: str) -> float:
    """The temperature at which a classifier has the confidence of all.

    `spectra.confidence_temperature` of the logits; of independent sigmoids of the logits (0, z) of
    every output of every image, so that the mean of max(p, 1 - p) over them is that confidence.

    Args:
      found: of images that lie on no path, [n, C].
      outputs: what they are, one of `OUTPUTS`.

    Raises:
      UserError: as `spectra.confidence_temperature`.
    """
    if found.shape[-1] == 1 or outputs == "sigmoids":
        yes = _single_logits(found, outputs).reshape(-1)
        return confidence_temperature(np.stack([np.zeros_like(yes), yes], axis=1))
    return confidence_temperature(found if outputs == "logits" else logits_of(found))


def _single_logits(found: NDArray, outputs: str) -> NDArray[np.float64]:
    """The logit of every output for itself.

    A sigmoid that was rounded to 0 or 1 counts as the nearest float32 there is: more is not known.
    """
    if outputs == "logits":
        return found.astype(np.float64)
    p = found.astype(np.float64)
    return np.log(np.maximum(p, 2.0**-126)) - np.log(np.maximum(1 - p, 2.0**-25))


def two_classes(single: "tf.Tensor", outputs: str) -> "tf.Tensor":
    """One output [..., 1] as two classes [..., 2]; more outputs stay. In TensorFlow.

    Args:
      single: outputs.
      outputs: what they are: a logit gets the logit 0 beside it, a sigmoid p has 1 - p.
    """
    import tensorflow as tf

    if single.shape[-1] != 1:
        return single
    other = tf.zeros_like(single) if outputs == "logits" else 1 - single
    return tf.concat([other, single], axis=-1)


def class_probabilities(given: "tf.Tensor", outputs: str) -> "tf.Tensor":
    """`probabilities_of` in TensorFlow, in the precision of the outputs."""
    import tensorflow as tf

    whole = two_classes(given, outputs)
    return tf.nn.softmax(whole) if outputs == "logits" else whole


def class_logits(given: "tf.Tensor", outputs: str) -> "tf.Tensor":
    """Logits whose softmax the probabilities of the classes are, [b, C], in TensorFlow.

    Raises:
      UserError: independent sigmoids of several classes, which are no distribution over them.
    """
    import tensorflow as tf

    whole = two_classes(given, outputs)
    if outputs == "logits":
        return whole
    if outputs == "sigmoids" and given.shape[-1] != 1:
        raise UserError(
            "outputs",
            expected="a distribution over the classes: logits, probabilities, or one output",
            got=f"{given.shape[-1]} independent sigmoids",
            hint="measure such a model along paths instead",
        )
    return tf.math.log(tf.maximum(whole, 2.0**-126))


class Look:
    """What outputs look like, however many are looked at, one part after the other.

    Args:
      outputs: what they are said to be, one of `OUTPUTS`.
      name: how errors call what says it.
      dashes: before that name where it is a flag, "" where it is an argument.

    Raises:
      UserError: another word.
    """

    def __init__(self, outputs: str, name: str = "outputs", dashes: str = "--") -> None:
        if outputs not in OUTPUTS:
            raise UserError(name, expected=" or ".join(OUTPUTS), got=outputs, hint="choose one")
        self._said, self._name, self._dashes = outputs, name, dashes
        self._exact = self._bounded = True
        self._moves = False
        self._low, self._high = np.inf, -np.inf
        self._first: NDArray | None = None
        self._got = ""

    def at(self, found: NDArray) -> None:
        """Looks at some outputs [..., C], finite ones.

        Raises:
          UserError: said to be logits they are not below 0 and sum to 1 in every row; said to be
            probabilities they do not; said to be sigmoids they leave [0, 1].
        """
        if not found.size:
            return
        if self._first is None:
            self._first = found.reshape(-1, found.shape[-1])[0]
            self._got = f"numbers that sum to {self._first.sum():g}, the least {found.min():g}"
        positive = bool(np.all(found >= 0))
        sums = found.sum(axis=-1) if positive and found.shape[-1] > 1 else np.zeros(1)
        distribution = bool(np.allclose(sums, 1, atol=_SUM))
        self._low, self._high = min(self._low, found.min()), max(self._high, found.max())
        self._bounded = bool(self._low >= 0 and self._high <= 1)
        self._exact = self._exact and bool(np.allclose(sums, 1, rtol=0, atol=_EXACT_SUM))
        if self._bounded and not self._moves:
            self._moves = bool(np.abs(found - self._first).max() > _STILL)
        if self._said == "logits" and distribution:
            raise self._refused("probabilities")
        if self._said == "probabilities" and not distribution:
            raise self._refused("sigmoids" if self._bounded else "logits")
        if self._said == "sigmoids" and not self._bounded:
            raise self._refused("logits")

    def refuse(self) -> None:
        """Raises a UserError for what only many outputs together tell.

        Said to be logits all of them lie in [0, 1] and reach both ends; said to be sigmoids of
        several classes they always sum to 1. Outputs that hardly move are left alone.
        """
        if not self._moves:
            return
        ends = self._low < _NEAR_ENDS and self._high > 1 - _NEAR_ENDS
        if self._said == "logits" and self._bounded and ends:
            raise self._refused("sigmoids")
        if self._said == "sigmoids" and self._exact:
            raise self._refused("probabilities")

    @property
    def doubt(self) -> str:
        """What a reader should look at, in a line: logits that all lie in [0, 1], or ""."""
        if not (self._moves and self._bounded and self._said == "logits"):
            return ""
        return (
            f"all logits lie in [0, 1], from {self._low:.3g} to {self._high:.3g}: if they are "
            "sigmoids or probabilities, say so with outputs"
        )

    def _refused(self, kind: str) -> UserError:
        return UserError(
            self._name,
            expected=f"{self._said} of the model",
            got=self._got,
            hint=f"say {self._dashes}{self._name}={kind}",
        )


def refuse_other_outputs(found: NDArray, outputs: str, name: str = "outputs") -> None:
    """Raises a UserError if outputs [..., C] are not what they are said to be; see `Look`."""
    look = Look(outputs, name)
    look.at(found)
    look.refuse()
