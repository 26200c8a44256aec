"""Numbers as a reader takes them: few digits, with their interval."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_DIGITS = 4
# In a sentence or a cell; longer lists are left to the file.
_LONGEST_LIST = 12
# Entries of a summary that are no numbers to be read.
_NO_NUMBERS = ("experiment", "headline", "files_sha256", "record", "notes")
_INTERVAL = "_with_interval"


def number_text(value: float | str | bool | None) -> str:
    """A number in at most four digits; whole ones whole; a text as it is.

    >>> [number_text(x) for x in (60000.0, 2.00372, 0.0000123, float("inf"), None, 12345.678)]
    ['60,000', '2.004', '1.23e-05', 'never', '', '12,346']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if math.isinf(value):
        return "never" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "−")
    text = f"{value:,.0f}" if 1e3 <= abs(value) < 1e15 else f"{value:.{_DIGITS}g}"
    return f"−{text[1:]}" if text.startswith("-") else text


def interval_text(value: Any, low: Any, high: Any) -> str:
    """A number with the ends of its interval behind it, if it has one.

    >>> interval_text(2.0037, 1.9217, 2.0814), interval_text(1.863, None, None)
    ('2.004 (1.922 to 2.081)', '1.863')
    """
    ends = [number_text(end) for end in (low, high)]
    told = f" ({ends[0]} to {ends[1]})" if all(ends) else ""
    return f"{number_text(value)}{told}" if number_text(value) else ""


class KeyNumber(NamedTuple):
    """A headline number.

    Attributes:
      name: in words.
      text: it, with its interval.
      over: what varies, and how the interval was made; or why there is none.
    """

    name: str
    text: str
    over: str = ""


def key_numbers(summary: Mapping[str, Any]) -> list[KeyNumber]:
    """All numbers of a summary, in its order; those of older runs with their intervals, too.

    >>> key_numbers({"exponent": 2.0, "exponent_low": 1.9, "exponent_high": 2.1, "by": {"a": 1}})
    [KeyNumber(name='exponent', text='2 (1.9 to 2.1)', over=''), KeyNumber(name='by: a', text='1', \
over='')]
    """
    return [number for number in _numbers(summary) if number.text]


def _numbers(
    entries: Mapping[str, Any], before: str = "", *, intervals: bool = False
) -> Iterator[KeyNumber]:
    for name, entry in entries.items():
        if name in _NO_NUMBERS and not before:
            continue
        if name.endswith(("_low", "_high")) and name.rpartition("_")[0] in entries:
            continue
        told = before + words(name.removesuffix(_INTERVAL))
        if isinstance(entry, Mapping) and "value" in entry:
            yield _estimate(told, entry)
        elif isinstance(entry, Mapping):
            yield from _numbers(entry, f"{told}: ", intervals=intervals or _INTERVAL in name)
        elif isinstance(entry, Sequence) and not isinstance(entry, str):
            yield KeyNumber(told, _list_text(entry, interval=intervals or _INTERVAL in name))
        elif f"{name}_low" in entries:
            ends = (entries.get(f"{name}{end}") for end in ("_low", "_high"))
            yield KeyNumber(told, interval_text(entry, *ends))
        else:
            yield KeyNumber(told, number_text(entry))


def _estimate(name: str, entry: Mapping[str, Any]) -> KeyNumber:
    value, low, high = (entry.get(end) for end in ("value", "low", "high"))
    if isinstance(value, list):  # One for each frequency, say.
        ends = (end if isinstance(end, list) else [end] * len(value) for end in (low, high))
        text = _list_text([interval_text(*of) for of in zip(value, *ends, strict=True)])
    else:
        text = interval_text(value, low, high)
    if "low" not in entry and "unit" in entry:  # A number with its unit.
        return KeyNumber(name, f"{text} {entry['unit']}")
    n = entry.get("n")
    over = [f"n = {number_text(n)} {entry.get('unit', '')}"] if isinstance(n, int) else []
    over += [str(entry[key]) for key in ("method", "missing") if entry.get(key)]
    if entry.get("p_value") is not None:
        over.append(f"p = {number_text(entry['p_value'])}")
    if "learned" in entry:
        over.append("learned" if entry["learned"] else "not learned")
    return KeyNumber(name, text, "; ".join(over))


def _list_text(entries: Sequence[Any], *, interval: bool = False) -> str:
    if any(isinstance(entry, Mapping | list) for entry in entries):
        return ""
    if interval and len(entries) == 3:
        return interval_text(*entries)
    texts = [number_text(entry) for entry in entries]
    return ", ".join(texts) if len(texts) <= _LONGEST_LIST else f"{len(texts)} numbers"


def words(name: str) -> str:
    """A name of a column, a file or an entry, in words.

    >>> words("learning_time_exponent"), words("num_runs"), words("heat_map_step_006000")
    ('learning time exponent', 'number of runs', 'heat map, step 6,000')
    """
    told, step, number = name.partition("_step_")
    if step and number.isdecimal():
        return f"{words(told)}, step {int(number):,}"
    return re.sub(r"^num_|(?<=_)num_", "number_of_", name).replace("_", " ").strip()
