"""How much of a wave on the labels a classifier follows, as one more place to ask it at."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.measuring.measurement import Coordinate, Quantity, number
from spectral_tf.measuring.places import Found, as_unit, digest, numbers

_GROUPS = 10


@dataclasses.dataclass(frozen=True, eq=False)
class LabelWave:
    """Held-out examples whose training labels were smoothed by a wave.

    Of a classifier (`outputs="logits"` or `"probabilities"`) it tells `noise_fitting` and
    `regression_slope` (0: the wave is ignored, 1: followed) as `spectra.noise_fit` defines them,
    `accuracy`, `clean_loss` and `noisy_loss`, and the mean smoothing that the predictions imply by
    tenths of the wave's own. What a network that never saw the wave would give, the null, takes
    networks trained without it: `launchers/noise_fitting.py` trains them.

    Args:
      inputs: held-out examples as the model takes them, [n, ...], n at least 100.
      labels: the clean ones, whole numbers, [n].
      smoothing: of these examples, in [0, 1], [n], as `tasks.SmoothingWave.smoothing` gives it.

    Raises:
      UserError: lengths that differ, fewer than 100 examples.

    >>> import numpy as np
    >>> from spectral_tf import measure
    >>> s = 0.4 + 0.2 * np.sin(np.arange(200.0))
    >>> labels = np.arange(200) % 2
    >>> told = 0.5 * s[:, None] + (1 - s[:, None]) * np.eye(2)[labels]  # Who follows the wave.
    >>> where = LabelWave(np.arange(200)[:, None], labels, s)
    >>> found = measure(lambda x: told[x[:, 0]], where, outputs="probabilities")
    >>> round(float(found["regression_slope"]), 9)
    1.0
    """

    inputs: ArrayLike
    labels: ArrayLike
    smoothing: ArrayLike
    name = "label wave"
    of_logarithms = True

    def __post_init__(self) -> None:
        given = (self.inputs, self.labels, self.smoothing)
        x, y, s = (numbers("LabelWave", part) for part in given)
        if x.ndim < 1 or len(x) < 100 or y.shape != x.shape[:1] or s.shape != y.shape:
            raise UserError(
                "LabelWave",
                expected="100 examples or more, a label and a smoothing for each",
                got=f"shapes {x.shape}, {y.shape} and {s.shape}",
                hint="give the same examples three times",
            )
        object.__setattr__(self, "inputs", as_unit(x))

    @property
    def count(self) -> int:
        """Examples in all."""
        return len(np.asarray(self.inputs))

    def samples(self, rows: slice) -> NDArray:
        """Examples [b, ...]."""
        return np.asarray(self.inputs)[rows]

    def record(self) -> dict[str, Any]:
        """What a measurement says of it."""
        return {"examples": self.count, "sha256": digest(self.inputs, self.labels, self.smoothing)}

    def found(self, values: NDArray[np.float64], targets: NDArray[np.float64] | None) -> Found:
        """What log-probabilities [n, C] say; see the class."""
        if targets is not None:
            raise UserError(
                "targets", expected="none beside labels", got="some", hint="leave them out"
            )
        labels, smoothing = np.asarray(self.labels), np.asarray(self.smoothing, np.float64)
        fit = spectra.noise_fit(values, labels, smoothing)
        ratio = spectra.centred_log_ratio(values, labels)
        implied = spectra.implied_smoothing(ratio, values.shape[1])
        order = np.array_split(np.argsort(smoothing, kind="stable"), _GROUPS)
        quantities = {
            "noise_fitting": number(fit.noise_fitting, "nats"),
            "regression_slope": number(fit.regression_slope),
            "accuracy": number(np.mean(values.argmax(axis=1) == labels)),
            "clean_loss": number(fit.clean_loss, "nats"),
            "noisy_loss": number(fit.noisy_loss, "nats"),
            "correlation_ratio": number(spectra.correlation_ratio(smoothing, labels)),
            "implied_smoothing": Quantity(
                np.array([implied[group].mean() for group in order]), ("smoothing",)
            ),
        }
        own = np.array([smoothing[group].mean() for group in order])
        return Found(quantities, {"smoothing": Coordinate(own)}, [])
