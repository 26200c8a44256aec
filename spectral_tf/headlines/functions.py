"""What was found by the experiments on functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_tf.headlines.words import (
    Summary,
    Tables,
    column,
    counted,
    how_sure,
    named,
    number,
    sentence,
    sign,
)
from spectral_tf.spectra import Estimate


def learning_order(summary: Summary, tables: Tables) -> str:
    """Which frequencies were learned first, and the law of the learning times."""
    exponent = named(summary, "learning_time_exponent", summary.get("num_runs"))
    unit = summary.get("target", {}).get("frequency_unit", "cycles per unit")
    level = summary.get("learning_time_level", 0.5)
    k, times = times_at(tables.get("learning_times"), level)
    return sentence(order(k, times, unit, amount(level)), law(exponent, summary))


def times_at(table: Any, level: float) -> tuple[NDArray, NDArray]:
    """(frequencies, steps at which they reached a level; infinity: never) of a table."""
    columns = [column(table, name) for name in ("level", "frequency", "step")]
    if any(values is None for values in columns):
        return np.empty(0), np.empty(0)
    at, k, steps = (np.asarray(values) for values in columns)
    return k[at == level], steps[at == level]


def amount(level: float) -> str:
    """How sentences call a level."""
    return "half" if level == 0.5 else f"to {level:.0%}"


def order(k: NDArray, times: NDArray, unit: str, half: str) -> str:
    """Which of some frequencies were learned first, by their learning times.

    Args:
      k: frequencies.
      times: steps; infinity: never; NaN: not measured.
      unit: of the frequencies.
      half: as `amount`.
    """
    known = ~np.isnan(times)
    k, times = k[known][np.argsort(k[known])], times[known][np.argsort(k[known])]
    learned, count = np.isfinite(times), k.size
    if not count:
        return ""
    if learned.sum() < 2:
        which = f"only that of {k[learned][0]:g} {unit}" if learned.any() else "none"
        return f"{which} of {counted(count, 'frequency', 'frequencies')} was {half} learned"
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count) if learned[i] or learned[j]]
    against = [(i, j) for i, j in pairs if times[i] > times[j]]
    with_it = sum(times[i] < times[j] for i, j in pairs)
    never = f"; {count - learned.sum()} of {count} were never {half} learned"
    never *= not learned.all()
    every = f"{learned.sum()} of them from {k[learned][0]:g} to {k[learned][-1]:g} {unit}"
    if with_it == len(pairs):
        return f"lower frequencies were learned first, in order ({every}){never}"
    if len(against) == len(pairs):
        return f"higher frequencies were learned first, in reverse order ({every}){never}"
    if with_it == len(against):
        return f"neither lower nor higher frequencies were learned first ({every}){never}"
    first, other = ("lower", against) if with_it > len(against) else ("higher", [])
    share = f"{max(with_it, len(against))} of {len(pairs)} pairs"
    swapped = ""
    if other:
        i, j = min(other, key=lambda pair: k[pair[1]] - k[pair[0]])
        swapped = f", but {k[j]:g} came before {k[i]:g} {unit}"
    return f"{first} frequencies were mostly learned first ({share}){swapped}{never}"


def law(exponent: Estimate | None, summary: Summary) -> str:
    """How the learning time goes with frequency, and how sure that is."""
    if exponent is None:
        return ""
    if np.isnan(exponent.value):
        return "no power law of the learning times" + f" ({exponent.missing})" * bool(
            exponent.missing
        )
    power, points = f"frequency^{number(exponent.value, '.2f')}", ""
    if count := summary.get("learning_time_num_frequencies"):
        points = f", from {counted(count, 'frequency', 'frequencies')}"
    sure = f"({how_sure(exponent, '.2f')}{points})"
    match sign(exponent):
        case 1:
            return f"the learning time grows as {power} {sure}"
        case -1:
            return f"the learning time falls as {power} {sure}"
        case 0:
            return f"the learning time goes as {power}, which may be no growth at all {sure}"
    verb = "grew" if exponent.value > 0 else "fell"
    return f"the learning time {verb} as {power} {sure}"
