"""Ctrl-C ends a program in one line and within seconds, whatever it waits for.

The line is told as a mistake of the user is (`tell`, `end`). Python acts on a signal between two of
its own instructions: not while TensorFlow compiles, nor while a thread is waited for on the way
out. A thread beside it hears of the signal at once (`watch`); if the process is still there when
its patience is over, that ends it.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NoReturn

from spectral_tf import program

LINE = "interrupted; the same command resumes or starts over"

# From a SIGINT to the end; from the first to the end of a training that has a state to save.
SECONDS, SECONDS_TO_SAVE = 8.0, 90.0


def end() -> NoReturn:
    """Says that the program was interrupted, and ends it with the status that shells give, 130."""
    print(f"{program.called()}: {LINE}", file=sys.stderr)
    sys.exit(130)


def tell() -> None:
    """From now on this program ends so wherever nothing else catches Ctrl-C."""
    before = sys.excepthook

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            end()
        before(kind, error, trace)

    sys.excepthook = told


def _nothing() -> bool:
    return False


class _Now:
    """Whether anything would be lost now."""

    saves: Callable[[], bool] = staticmethod(_nothing)


@contextlib.contextmanager
def patient(saves: Callable[[], bool]) -> Iterator[None]:
    """Within it the first SIGINT may take longer, until a state is saved.

    Args:
      saves: whether there is anything to lose; called in another thread.
    """
    _Now.saves = staticmethod(saves)
    try:
        yield
    finally:
        _Now.saves = staticmethod(_nothing)


def watch(leave: Callable[[], None]) -> None:
    """From now on a process that a SIGINT has not ended in time is ended; once in a process.

    Args:
      leave: ends it; called in another thread.
    """
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reads, leave), daemon=True).start()


def _watch(reads: int, leave: Callable[[], None]) -> None:
    until: float | None = None
    while True:
        left = None if until is None else max(0.0, until - time.monotonic())
        if not select.select([reads], [], [], left)[0]:
            leave()
            return
        for number in os.read(reads, 64):
            if number == signal.SIGINT:
                first = until is None
                seconds = SECONDS_TO_SAVE if first and _Now.saves() else SECONDS
                soon = time.monotonic() + seconds
                until = soon if until is None else min(until, soon)
