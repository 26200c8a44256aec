"""Progress with an estimate: a bar on a terminal, log lines elsewhere."""

import sys
import time

from absl import logging
from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 15.0


class Progress:
    """Shows how far a run is and how long it still takes.

    Args:
      total: steps in all.
      done: steps made before this process.
      members: networks trained at once, for the rate.
      unit: what is counted.
    """

    def __init__(self, total: int, done: int, members: int, unit: str = "step") -> None:
        self._total, self._done, self._first, self._members = total, done, done, members
        self._unit = unit
        self._start = self._last_line = time.monotonic()
        self._bar = (
            tqdm(total=total, initial=done, unit=unit, dynamic_ncols=True)
            if sys.stderr.isatty()
            else None
        )

    def update(self, step: int) -> None:
        """Tells that the run has reached `step`."""
        if self._bar is not None:
            self._bar.update(step - self._done)
        self._done = step
        now = time.monotonic()
        if self._bar is None and now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            rate = (step - self._first) / (now - self._start)
            logging.info(
                "%s %s of %s (%d %%), %s %ss per second, about %s left",
                self._unit,
                f"{step:,}",
                f"{self._total:,}",
                100 * step // self._total,
                f"{rate * self._members:,.0f}",
                self._unit if self._members == 1 else f"member-{self._unit}",
                duration((self._total - step) / rate),
            )

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()


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
