"""What is measured of a model's outputs, and whether they are what they are said to be."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes import output_kinds
from spectral_tf.probes.output_kinds import Look, probabilities_of

OUTPUTS = ("values", *output_kinds.OUTPUTS)


class NotFinite(UserError):
    """Outputs that are NaN or infinite."""


def refuse_outputs(outputs: str) -> None:
    """Raises a UserError for a word that is none of `OUTPUTS`."""
    if outputs not in OUTPUTS:
        raise UserError("outputs", expected=" or ".join(OUTPUTS), got=outputs, hint="choose one")


def log_probabilities(
    found: NDArray, outputs: str, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Logarithms of what `predictions` gives, exact where logits underflow as probabilities.

    Raises:
      UserError: as `predictions`; values, which are no probabilities.
    """
    if outputs == "values":
        raise UserError(
            "outputs",
            expected="logits, probabilities or one sigmoid of a classifier",
            got="values",
            hint="say what the model gives with outputs=",
        )
    told = predictions(found, outputs, temperature)
    if outputs == "logits":
        logits = np.asarray(found, np.float64).reshape(len(found), -1) / temperature
        both = logits if logits.shape[1] > 1 else np.concatenate([0 * logits, logits], axis=1)
        return scipy.special.log_softmax(both, axis=1)
    if not np.allclose(told.sum(axis=1), 1, atol=1e-3):
        raise UserError(
            "outputs",
            expected="probabilities of classes of which one is right",
            got="independent sigmoids",
            hint="measure them one by one",
        )
    return np.log(np.maximum(told, np.finfo(np.float32).tiny))


def predictions(found: NDArray, outputs: str, temperature: float = 1.0) -> NDArray[np.float64]:
    """What is measured, [n, c], of the outputs of all samples, [n, ...].

    `values`: themselves, every number of one sample an output. `logits`: softmax; of a single one
    (1 - p, p), p its sigmoid. `probabilities`: themselves. `sigmoids`, independent of each other:
    themselves; of a single one (1 - p, p). At a temperature other than 1, logits are divided by it.

    Raises:
      UserError: outputs that are not finite, or not what they are said to be (`output_kinds.Look`).
    """
    values = np.asarray(found, np.float64).reshape(len(found), -1)
    if not np.isfinite(values).all():
        raise NotFinite(
            "outputs of the model",
            expected="finite numbers",
            got=f"others for {np.mean(~np.isfinite(values).all(axis=1)):.1%} of the samples",
            hint="look for what diverged, or where the inputs are out of range",
        )
    if outputs == "values":
        return values
    look = Look(outputs, dashes="")
    look.at(values)
    look.refuse()
    return np.asarray(probabilities_of(values, outputs, temperature), np.float64)


def doubts(found: NDArray, outputs: str) -> list[str]:
    """What to look at in outputs that may be something else; they have passed `predictions`."""
    if outputs == "values":
        return []
    look = Look(outputs)
    look.at(np.asarray(found, np.float64).reshape(len(found), -1))
    return [look.doubt] if look.doubt else []
