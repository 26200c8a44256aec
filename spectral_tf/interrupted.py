"""Ctrl-C ends a program in one line, as a mistake of its user does."""

import sys
from types import TracebackType
from typing import NoReturn

from spectral_tf import program

LINE = "interrupted; the same command resumes or starts over"


def end() -> NoReturn:
    """Says so, and ends with the status that shells give for SIGINT, 130."""
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
