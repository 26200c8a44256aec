"""SIGINT and SIGTERM as a training wants them: noted, so that it can save first."""

import signal
from collections.abc import Callable
from types import FrameType, TracebackType


class Interrupted(SystemExit):
    """A signal ended the run after its state was saved."""


class Signals:
    """Notes the first SIGINT or SIGTERM; the second acts as it would have without us."""

    def __init__(self, note: Callable[[int], None]) -> None:
        self._note = note

    def __enter__(self) -> None:
        self._before = {n: signal.signal(n, self._handle) for n in (signal.SIGINT, signal.SIGTERM)}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._note(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()
