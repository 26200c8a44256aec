"""The parts of sentences: numbers with their intervals, counts, lists, verbs that follow them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_tf.records.tables import estimates
from spectral_tf.spectra import Estimate

# As an experiment's function of this package takes them.
Summary = Mapping[str, Any]
Tables = Mapping[str, Mapping[str, NDArray]]


def estimate_of(entry: Any, n: int | None = None, unit: str = "runs") -> Estimate | None:
    """A number of a summary with its interval; None if there is none to read.

    Args:
      entry: an estimate, its record, [value, low, high] of older runs, or a bare number.
      n, unit: replicates, where the entry does not say them.

    >>> estimate_of({"value": "never", "low": 2.0, "high": "never", "n": 3, "unit": "runs"}).high
    array(inf)
    """
    if isinstance(entry, Estimate):
        return entry if np.ndim(entry.value) == 0 else None
    if isinstance(entry, Mapping):
        if "value" not in entry:
            return None
        n, unit = entry.get("n", n), entry.get("unit", unit)
        numbers = [entry.get(name) for name in ("value", "low", "high")]
    elif isinstance(entry, str) or not isinstance(entry, Sequence):
        numbers = [entry, None, None]
    else:
        numbers = list(entry)
    if len(numbers) != 3 or any(isinstance(number, list | dict) for number in numbers):
        return None
    value, low, high = (np.asarray(_number(number)) for number in numbers)
    missing = entry.get("missing", "") if isinstance(entry, Mapping) else ""
    if not missing and np.isnan([value, low, high]).any():
        missing = "one run" if n == 1 else "none was kept"
    count = 0 if n is None else n
    return Estimate(value=value, low=low, high=high, n=count, unit=unit, method="", missing=missing)


def _number(entry: Any) -> float:
    if entry is None or isinstance(entry, str):
        return {"never": math.inf, "-inf": -math.inf}.get(entry or "", math.nan)
    return float(entry)


def named(entries: Mapping[str, Any], name: str, runs: int | None = None) -> Estimate | None:
    """The estimate of a name, which older summaries spread over several entries.

    Args:
      entries: of a summary.
      name: x of x, or of x, x_low and x_high, or of x_with_interval.
      runs: their number, where the entry does not say it.
    """
    if f"{name}_with_interval" in entries:
        return estimate_of(entries[f"{name}_with_interval"], runs)
    if f"{name}_low" in entries:
        ends = [entries.get(name + end) for end in ("", "_low", "_high")]
        return estimate_of(ends, runs)
    return estimate_of(entries[name], runs) if name in entries else None


def by_name(entries: Any, runs: int | None = None) -> dict[str, Estimate]:
    """The estimates of a mapping, without those that have no value."""
    if not isinstance(entries, Mapping):
        return {}
    found = {str(name): estimate_of(entry, runs) for name, entry in entries.items()}
    return {name: e for name, e in found.items() if e is not None and not np.isnan(e.value)}


def column(table: Mapping[str, Any] | None, name: str) -> NDArray[np.float64] | None:
    """Numbers of a table; None if there are none of that name."""
    if table is None or name not in table:
        return None
    values = np.asarray(table[name])
    return values.astype(np.float64) if values.dtype.kind in "fiub" else None


def rows(table: Mapping[str, Any] | None, *names: str) -> list[tuple[Any, ...]]:
    """Entries of several columns, row by row; none if a column is not there."""
    if table is None or any(name not in table for name in names):
        return []
    return list(zip(*(np.asarray(table[name]).tolist() for name in names), strict=True))


def row_estimates(table: Mapping[str, Any] | None, name: str, runs: Any = None) -> list[Estimate]:
    """The estimates of a column x; those of older tables have x_low and x_high alone.

    Args:
      table: its columns.
      name: of the column.
      runs: their number, where the table does not say it.
    """
    if table is not None and f"{name}_method" in table:
        return estimates(table, name)
    ends = [column(table, name + end) for end in ("", "_low", "_high")]
    if ends[0] is None:
        return []
    low, high = (np.full(len(ends[0]), np.nan) if end is None else end for end in ends[1:])
    found = [estimate_of([*of_row], runs) for of_row in zip(ends[0], low, high, strict=True)]
    return [estimate for estimate in found if estimate is not None]


def number(value: Any, form: str = ".3g") -> str:
    """A number in words where it is none.

    >>> number(float("inf")), number(float("nan")), number(1234.5, ",.0f")
    ('never', 'no value', '1,234')
    """
    value = float(value)
    if math.isinf(value):
        return "never" if value > 0 else "minus infinity"
    return "no value" if math.isnan(value) else format(value, form).replace("-", "−")


def percent(share: float, form: str = ".3g") -> str:
    """A share of one.

    >>> percent(0.883), percent(0.9)
    ('88.3 %', '90 %')
    """
    return f"{number(100 * share, form)} %"


def told(estimate: Estimate, form: str = ".3g") -> str:
    """A number, its interval, and what varies: how sure it is.

    >>> from spectral_tf.spectra import mean_over_runs
    >>> told(mean_over_runs([1.0, 2.0, 3.0]), ".1f")
    '2.0 (95 % interval −0.5 to 4.5, n = 3 runs)'
    >>> told(mean_over_runs([1.0]), ".1f")
    '1.0 (one run, which has no interval)'
    """
    if np.isnan(estimate.value):
        return f"no value ({estimate.missing})" if estimate.missing else "no value"
    return f"{number(estimate.value, form)} ({how_sure(estimate, form)})"


def how_sure(estimate: Estimate, form: str = ".3g") -> str:
    """Its interval and what varies, or why there is none."""
    if not np.isnan([estimate.low, estimate.high]).any():
        ends = f"{number(estimate.low, form)} to {number(estimate.high, form)}"
        of = f", n = {_count(estimate.n)} {estimate.unit}" if np.any(estimate.n) else ""
        return f"95 % interval {ends}{of}"
    if np.all(np.asarray(estimate.n) == 1):
        return f"one {_singular(estimate.unit)}, which has no interval"
    return f"no interval: {estimate.missing}" if estimate.missing else "no interval"


def _count(n: Any) -> str:
    return f"{int(np.min(n)):,}"


def _singular(unit: str) -> str:
    """One of them; of those that are drawn at once the first is one.

    >>> _singular("runs"), _singular("runs x 2,397 images")
    ('run', 'run x 2,397 images')
    """
    first, _, others = unit.partition(" x ")
    one = {"classes": "class"}.get(first, first.removesuffix("s"))
    return f"{one} x {others}" if others else one


def brief(estimate: Estimate, form: str = ".3g") -> str:
    """As `told`, after another number of the same sentence that says what varies.

    >>> from spectral_tf.spectra import mean_over_runs
    >>> brief(mean_over_runs([1.0, 2.0, 3.0]), ".1f"), brief(mean_over_runs([1.0]), ".1f")
    ('2.0 (−0.5 to 4.5)', '1.0')
    """
    ends = f"{number(estimate.low, form)} to {number(estimate.high, form)}"
    known = not np.isnan([estimate.value, estimate.low, estimate.high]).any()
    return f"{number(estimate.value, form)}" + f" ({ends})" * known


def sign(estimate: Estimate, at: float = 0.0) -> int | None:
    """Which side of a number an interval lies on: 1, -1, 0 if it holds it, None without one."""
    if np.isnan([estimate.low, estimate.high]).any():
        return None
    return int(estimate.low > at) - int(estimate.high < at)


def apart(first: Estimate, second: Estimate) -> int | None:
    """1 if the first's interval lies above the second's, -1 below, 0 if they meet; None without."""
    if sign(first) is None or sign(second) is None:
        return None
    return int(first.low > second.high) - int(first.high < second.low)


def listed(words: Iterable[str], most: int = 6) -> str:
    """Words with commas and an *and*.

    >>> listed(["a", "b", "c"]), listed("abcdefgh", 3)
    ('a, b and c', 'a, b, c and 5 more')
    """
    every = list(words)
    if len(every) > most:
        every = [*every[:most], f"{len(every) - most} more"]
    return " and ".join(filter(None, [", ".join(every[:-1]), *every[-1:]]))


def counted(count: int, one: str, many: str = "") -> str:
    """A number and its noun.

    >>> counted(1, "run"), counted(2, "run"), counted(0, "frequency", "frequencies")
    ('1 run', '2 runs', '0 frequencies')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def sentence(*clauses: str) -> str:
    """Clauses that are there as one sentence; "" of none.

    >>> sentence("all is well", "", "so far")
    'All is well; so far.'
    """
    whole = "; ".join(clause.removesuffix(".") for clause in clauses if clause)
    return f"{whole[:1].upper()}{whole[1:]}." if whole else ""
