"""The type that every interval, test and correction of this package returns."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE_LEVEL = 0.95
# The quantile at an upper end.
UPPER = (1 + CONFIDENCE_LEVEL) / 2


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number, or an array of numbers, with its interval and with what that rests on.

    Attributes:
      value, low, high: float64 arrays of one shape, () for a single number; NaN for what cannot be
        had, then `missing` says why. `inf` ("never") is a legal value and a legal end.
      n: units of replication that counted, an integer or an array of the value's shape.
      unit: what they are: "runs", "settings", "runs x images", ...
      method: of interval and p-value; it is written into every table beside the numbers.
      missing: why there is no value or no interval, "" if there is.
      p_value: two-sided, of "nothing there" (0), where the method gives one; it belongs to the
        whole, so that a part of an array has none.
      least_p_value: the smallest p-value that so few units can reach.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: Any
    unit: str
    method: str
    missing: str = ""
    p_value: float | None = None
    least_p_value: float | None = None

    def __getitem__(self, index: Any) -> "Estimate":
        """Part of an array of estimates."""
        n = np.asarray(self.n)
        value, low, high = (np.asarray(a[index]) for a in (self.value, self.low, self.high))
        return dataclasses.replace(
            self,
            value=value,
            low=low,
            high=high,
            n=n[index] if n.ndim else self.n,
            missing=self.missing if np.isnan([value, low, high]).any() else "",
            p_value=None,
            least_p_value=None,
        )

    def __len__(self) -> int:
        """Of an array of estimates."""
        return len(self.value)

    def map(self, function: Callable[[NDArray], NDArray]) -> "Estimate":
        """Value and ends through a function that never falls, such as a change of unit.

        A p-value is kept: give a function under which "nothing there" stays 0.
        """
        return dataclasses.replace(
            self,
            value=np.asarray(function(self.value)),
            low=np.asarray(function(self.low)),
            high=np.asarray(function(self.high)),
        )

    @property
    def excludes_zero(self) -> bool:
        """Whether there is an interval and 0 lies outside of it; of one number."""
        return bool(self.low > 0 or self.high < 0)

    def text(self, form: str = ".2f", *, never: str = "never", unit: str = "") -> str:
        """One number as lines and Markdown tables show it; with a unit, if there is a number.

        >>> from spectral_tf.spectra import mean_over_runs
        >>> mean_over_runs([1.0, 2.0, 3.0]).text(".1f")
        '2.0 (-0.5 to 4.5; n = 3 runs)'
        >>> mean_over_runs([1.0]).text(".1f")
        '1.0 (no interval: 1 run, 2 needed)'
        """

        def number(value: Any) -> str:
            return never if np.isposinf(value) else format(float(value), form)

        reason = self.missing or "not known why"
        if np.isnan(self.value):
            return reason
        if np.isnan(self.low) or np.isnan(self.high):
            rest = f"no interval: {reason}"
        else:
            certain = np.isposinf(self.low) and np.isposinf(self.high)
            ends = "" if certain else f"{number(self.low)} to {number(self.high)}; "
            rest = f"{ends}n = {self.n} {self.unit}"
        if self.p_value is not None:
            rest += f"; p = {self.p_value:.2g}"
            if self.least_p_value is not None and self.least_p_value > 1 - CONFIDENCE_LEVEL:
                rest += f", at least {self.least_p_value:.2g}"
        return f"{number(self.value)} ({rest}) {unit}".rstrip()

    def record(self) -> dict[str, Any]:
        """For JSON: `null` for what cannot be had, beside the reason; "never" for inf."""

        def plain(values: NDArray) -> Any:
            if np.ndim(values):
                return [plain(v) for v in values]
            if np.isnan(values):
                return None
            if np.isinf(values):
                return "never" if values > 0 else "-inf"
            return float(values)

        n = np.asarray(self.n).tolist()
        found = {"value": plain(self.value), "low": plain(self.low), "high": plain(self.high)}
        found |= {"n": n, "unit": self.unit, "method": self.method}
        if self.missing:
            found["missing"] = self.missing
        if self.p_value is not None:
            found |= {"p_value": self.p_value, "least_p_value": self.least_p_value}
        return found


def negative(estimate: Estimate) -> Estimate:
    """-estimate, with its ends exchanged."""
    return dataclasses.replace(
        estimate, value=-estimate.value, low=-estimate.high, high=-estimate.low
    )


def not_enough(got: int, needed: int, unit: str, value: float = math.nan) -> Estimate:
    """What stands for an estimate, or for its interval, that so few units cannot give.

    >>> not_enough(3, 4, "settings").text()
    'not enough: 3 settings, 4 needed'
    """
    reason = f"{counted_units(got, unit)}, {needed} needed"
    nan = np.asarray(math.nan)
    return Estimate(
        value=np.asarray(value, np.float64),
        low=nan,
        high=nan,
        n=got,
        unit=unit,
        method="none",
        missing=reason if not math.isnan(value) else f"not enough: {reason}",
    )


def counted_units(count: int, unit: str) -> str:
    """A number and its unit: "1 run", "2 runs", "1 cluster of images"."""
    first, *rest = unit.split(" ")
    first = first.removesuffix("es" if first.endswith("sses") else "s") if count == 1 else first
    return " ".join([f"{count:,}", first, *rest])
