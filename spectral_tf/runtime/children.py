"""Processes that we start: each heads a group of its own and is ended with all that it started.

Ctrl-C on a terminal goes to the processes of its foreground: not to these, which would print a
traceback each. They are ended where their block is left, by whatever way, and before this process
ends by a signal.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

# {number of each that is started and not ended: what ends it alone}.
_alive: dict[int, Callable[[], None]] = {}


class Ended(RuntimeError):
    """A process ended before it gave what it was asked for."""


def start(command: Sequence[str], **options: Any) -> subprocess.Popen:
    """Starts a program; `end` has to be called.

    Args:
      command: and its arguments.
      options: of `subprocess.Popen`.
    """
    _mind_termination()
    process: subprocess.Popen = subprocess.Popen(command, start_new_session=True, **options)
    _alive[process.pid] = process.kill
    return process


def end(process: subprocess.Popen) -> None:
    """Ends a program with all that it has started, if it still runs, and closes its pipes."""
    _kill(process.pid)
    for stream in (process.stdin, process.stdout, process.stderr):
        # What it was not able to read any more cannot be written.
        with contextlib.suppress(BrokenPipeError):
            if stream:
                stream.close()
    process.wait()


@contextlib.contextmanager
def child(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen]:
    """A program that runs while the block does; as `start` and `end`."""
    process = start(command, **options)
    try:
        yield process
    finally:
        end(process)


def run(command: Sequence[str], *, check: bool = False, **options: Any) -> tuple[int, str, str]:
    """Runs a program to its end, as `subprocess.run`.

    Args:
      command: and its arguments.
      check: whether a status other than 0 is an error.
      options: of `subprocess.Popen`.

    Returns:
      status, and what it has printed to pipes.

    Raises:
      CalledProcessError: it failed, and that was to be checked.
    """
    with child(command, **options) as process:
        out, err = process.communicate()
    if check and process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, out, err)
    return process.returncode, out or "", err or ""


def in_a_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in a fresh process.

    Args:
      work: of a module that can be imported.
      arguments: that can be pickled, as what it gives.

    Raises:
      Ended: the process was ended, as it is where memory is short.
      Exception: what the function raises.
    """
    _mind_termination()
    context = multiprocessing.get_context("spawn")
    receives, sends = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sends, work, arguments))
    process.start()
    assert process.pid
    _alive[process.pid] = process.kill
    try:
        sends.close()
        try:
            good, given = receives.recv()
        except EOFError:
            process.join()
            raise Ended(f"{work.__name__}: its process ended with {process.exitcode}") from None
    finally:
        receives.close()
        _kill(process.pid)
        process.join()
    if not good:
        raise given
    return given


def end_all() -> None:
    """Ends all processes that are started and not ended."""
    for pid in list(_alive):
        _kill(pid)


def _answer(
    sends: multiprocessing.connection.Connection, work: Callable[..., Any], arguments: Sequence[Any]
) -> None:
    """In the fresh process: works, and tells what came of it."""
    os.setsid()
    parent = multiprocessing.parent_process()
    assert parent

    def mind() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os.killpg(os.getpid(), signal.SIGKILL)

    threading.Thread(target=mind, daemon=True).start()
    try:
        answer = (True, work(*arguments))
    except Exception as error:
        answer = (False, error)
    sends.send(answer)


def _kill(pid: int) -> None:
    """Ends a process of ours with its group, which it may not have yet or head no more."""
    if kill := _alive.pop(pid, None):
        kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _mind_termination() -> None:
    """From now on SIGTERM and SIGHUP end the children first, and then this process as before."""

    def handle(number: int, frame: FrameType | None) -> None:
        end_all()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if threading.current_thread() is not threading.main_thread():
        return  # Which alone may ask for signals.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, handle)
