"""Ctrl-C ends a program in one line, as a mistake of its user does."""

import os
import sys
from types import TracebackType
from typing import NoReturn


def end_interrupted() -> NoReturn:
    """Says so, and ends with the status that shells give for SIGINT, 130."""
    name = os.path.basename(sys.argv[0])
    line = "interrupted; the same command resumes or starts over"
    print(f"{name}: {line}", file=sys.stderr)
    sys.exit(130)


def tell_interrupts() -> None:
    """From now on this program ends so wherever nothing else catches Ctrl-C."""
    before = sys.excepthook

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            end_interrupted()
        before(kind, error, trace)

    sys.excepthook = told
