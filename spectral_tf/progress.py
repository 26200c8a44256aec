"""Progress with an estimate: a bar on a terminal, log lines elsewhere, nothing in a library.

Launchers show it, unless they are asked to be quiet; whoever calls the package sees none of it
unless they say `show(True)`.
"""

import sys
import time
from collections.abc import Collection, Iterator
from types import TracebackType
from typing import TypeVar

from absl import logging
from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 15.0
# What is over sooner shows no bar.
_SECONDS_UNSEEN = 2.0
# What takes less was there already, and says nothing about what is not.
_SECONDS_AT_ONCE = 0.05
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"

Item = TypeVar("Item")


class _Screen:
    """Whether anything is shown, and how many bars there are."""

    shown = False
    bars = 0


def show(on: bool) -> None:
    """Whether progress is shown from now on, in this process."""
    _Screen.shown = on


def is_shown() -> bool:
    """Whether progress is shown."""
    return _Screen.shown


class Progress:
    """Shows how far something is and how long it still takes.

    The first call is slower than all others, since programs are compiled in it: the estimate is
    that of the time after it.

    Args:
      total: steps in all.
      done: steps made before this process.
      members: networks trained at once, for a rate; None: no rate.
      unit: what is counted, one of it.
      warms_up: whether the first call is slower than others.
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        members: int | None = None,
        unit: str = "step",
        *,
        warms_up: bool = True,
    ) -> None:
        self._total, self._done, self._members, self._unit = total, done, members, unit
        self._last_line = time.monotonic()
        # Where and when the estimate begins.
        self._first = None if warms_up else done
        self._start = self._last_line
        self._bar = None
        if _Screen.shown and sys.stderr.isatty():
            self._bar = tqdm(
                total=total,
                initial=done,
                unit=unit,
                desc=unit,
                bar_format=_BAR,
                delay=0.0 if members else _SECONDS_UNSEEN,
                leave=not _Screen.bars,
                dynamic_ncols=True,
            )
            _Screen.bars += 1

    def update(self, done: int, *, at_once: bool = False) -> None:
        """Tells that so many steps are done.

        Args:
          done: steps in all.
          at_once: whether the new ones were there already, and say nothing about the rest.
        """
        now = time.monotonic()
        if self._first is None:
            self._first, self._start = done, now
        elif at_once:
            self._first += done - self._done
        new, self._done = done - self._done, done
        if self._bar is not None:
            left = self.seconds_left()
            about = "" if left is None else f"about {duration(left)} left"
            self._bar.set_postfix_str(about, refresh=False)
            self._bar.update(new)
        elif _Screen.shown and now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            logging.info("%s", self._line())

    def seconds_left(self) -> float | None:
        """Seconds that the rest takes at the rate since the first call; None before a second."""
        rate = self._rate()
        return None if rate is None else (self._total - self._done) / rate

    def _rate(self) -> float | None:
        """Steps a second."""
        seconds = time.monotonic() - self._start
        if self._first is None or self._done <= self._first or seconds <= 0:
            return None
        return (self._done - self._first) / seconds

    def _line(self) -> str:
        share = 100 * self._done // max(1, self._total)
        parts = [f"{self._unit} {self._done:,} of {self._total:,} ({share} %)"]
        rate, left = self._rate(), self.seconds_left()
        if rate is not None and self._members:
            of = self._unit if self._members == 1 else f"member-{self._unit}"
            parts.append(f"{rate * self._members:,.0f} {of}s per second")
        if left is not None:
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
            _Screen.bars -= 1

    def __enter__(self) -> "Progress":
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the bar, whatever has happened."""
        self.close()


def track(items: Collection[Item], unit: str) -> Iterator[Item]:
    """Items one by one, with progress after each; those that take no time were there already.

    Args:
      items: that take about as long as each other.
      unit: what one of them is.
    """
    with Progress(len(items), unit=unit, warms_up=False) as progress:
        for number, item in enumerate(items):
            start = time.monotonic()
            yield item
            spent = time.monotonic() - start
            progress.update(number + 1, at_once=spent < _SECONDS_AT_ONCE)


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(75), duration(7300)
    ('1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
