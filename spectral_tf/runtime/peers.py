"""The other hosts of a run: waited for, named when they do not come, and when they go."""

import contextlib
import math
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import NoReturn

from spectral_tf import program
from spectral_tf.errors import UserError
from spectral_tf.runtime.cluster import Cluster

# "Try again", in sysexits.h: for a queue that starts the same command once more.
GONE = 75
_SECONDS_TO_CONNECT = 2.0
# All others are asked several times a second. Of one that was started anew meanwhile what it said
# before counts for no longer.
_A_MOMENT = 10.0


class _Run:
    """What this process knows of the run that it is in: so that a last line can tell it."""

    def __init__(self) -> None:
        self.cluster: Cluster | None = None
        self.saved: dict[str, int] = {}


_run = _Run()


def note_saved(name: str, step: int) -> None:
    """Remembers the step of the newest saved state of a training."""
    _run.saved = {name: step}


def others(cluster: Cluster) -> dict[str, str]:
    """{name: address} of all hosts but this one."""
    names = list(zip(cluster.names, cluster.addresses, strict=True))
    return dict(names[: cluster.own] + names[cluster.own + 1 :])


def _told(hosts: Mapping[str, str]) -> str:
    return ", ".join(f"{name} at {address}" for name, address in hosts.items())


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError):
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_CONNECT).close()
        return True
    return False


def wait_for_all(cluster: Cluster, seconds: float) -> None:
    """Returns when every host of the cluster has come, too; each opens its port for it.

    TensorFlow waits for hosts, too, but says neither for which nor that it does. And it takes the
    port of a host that is still in a run which this one has fallen out of for one that has come: so
    hosts that wait introduce themselves to each other.

    Raises:
      UserError: some did not come in time, or another process has this host's port.
    """
    name, address = cluster.names[cluster.own], cluster.addresses[cluster.own]
    try:
        port = _open(int(address.rpartition(":")[2]))
    except OSError as error:
        raise UserError(
            "TF_CONFIG",
            expected=f"a free port for this host, {name}",
            got=f"{address} ({os.strerror(error.errno or 0)})",
            hint="end the process that listens there, or choose other ports",
        ) from error
    came: dict[str, float] = {}
    with port, _welcomed(port, came):
        until = time.monotonic() + seconds
        while True:
            silent = {who: at for who, at in others(cluster).items() if not _waits(at, name)}
            # One that has met all goes on, and waits no more; but it was here a moment ago.
            since = time.monotonic() - _A_MOMENT
            missing = {who: at for who, at in silent.items() if came.get(who, -math.inf) < since}
            if not missing:
                return
            if time.monotonic() > until:
                open_ones = {who: at for who, at in missing.items() if _answers(at)}
                silent = {who: at for who, at in missing.items() if who not in open_ones}
                told = [f"no answer from {_told(silent)}"] * bool(silent)
                told += [f"another run or a stranger at {_told(open_ones)}"] * bool(open_ones)
                raise UserError(
                    "startup_timeout_seconds",
                    expected=f"all {len(cluster.names)} hosts of TF_CONFIG within {seconds:g} s",
                    got=" and ".join(told),
                    hint="start the same command on every host, and let their ports through",
                )
            time.sleep(0.3)


_WAITS = b"spectral_tf waits\n"


def _waits(address: str, own: str) -> bool:
    """Whether the host there waits for the others, as this one does, which says who it is."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError):
        where = (host.strip("[]"), int(port))
        with socket.create_connection(where, _SECONDS_TO_CONNECT) as there:
            there.sendall(f"{own}\n".encode())
            return there.makefile("rb").readline(len(_WAITS)) == _WAITS
    return False


@contextlib.contextmanager
def _welcomed(port: socket.socket, came: dict[str, float]) -> Iterator[None]:
    """Tells all who connect to a port that this host waits, and notes when who has come."""
    ended = threading.Event()

    def welcome() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):  # Nobody there, or one who has gone again.
                there, _ = port.accept()
                with there:
                    there.settimeout(_SECONDS_TO_CONNECT)
                    there.sendall(_WAITS)
                    who = there.makefile("rb").readline(80).decode(errors="replace").strip()
                    came[who] = time.monotonic()

    thread = threading.Thread(target=welcome, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _open(port: int) -> socket.socket:
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    opened = socket.create_server(("", port), family=family, dualstack_ipv6=both)
    opened.settimeout(0.1)
    return opened


def leave_at_once(line: str, status: int) -> NoReturn:
    """Prints a line as launchers do, and ends the process, whatever its other threads wait for."""
    sys.stdout.flush()
    print(_line(line), file=sys.stderr, flush=True)
    os._exit(status)


def _line(line: str) -> str:
    return f"{program.called()}: {' '.join(line.split())}"


# TensorFlow's own code may hold the interpreter while it waits, so that no thread of Python's runs
# and no signal is seen: a process beside it looks at the clock.
_CLOCK = """
import os, select, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
seconds, line, waits = sys.argv[1:]
if not select.select([sys.stdin], [], [], float(seconds))[0]:
    print(line, file=sys.stderr, flush=True)
    os.kill(int(waits), signal.SIGKILL)
"""


@contextlib.contextmanager
def within(seconds: float, line: str) -> Iterator[None]:
    """Ends the process (by SIGKILL) with a line if what is done within takes longer."""
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        _CLOCK,
        str(seconds),
        _line(line),
        str(os.getpid()),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as clock:
        try:
            yield
        finally:
            assert clock.stdin
            clock.stdin.close()


def not_one(seconds: float) -> str:
    """The line for hosts that all answer and do not come together."""
    return (
        f"--startup_timeout_seconds: expected the hosts of TF_CONFIG to train together within "
        f"{seconds:g} s, got answers from all, but not of one run; give all the same cluster in "
        "TF_CONFIG, the same command, and as many accelerators each"
    )


def joined(cluster: Cluster) -> None:
    """Says that all hosts are there: who is silent from now on has gone."""
    _run.cluster = cluster


def parted() -> None:
    """Says that the run is over: hosts may end when they like."""
    _run.cluster = None


@contextlib.contextmanager
def minded() -> Iterator[None]:
    """Ends the process with a line if what is done within fails because another host is gone.

    TensorFlow's hosts ask each other for signs of life: of one that ended, vanished or stands still
    the others know within seconds, and what they wait for fails.
    """
    try:
        yield
    except Exception as error:
        if _run.cluster and (told := _lost(error)):
            leave_at_once(_gone(_run.cluster, told), GONE)
        raise


def _lost(error: BaseException | None) -> str:
    """What TensorFlow says of a host that does not answer any more; "" of other errors.

    By the names of an exception and its causes: TensorFlow may not be loaded.
    """
    kinds = ("UnavailableError", "AbortedError", "CancelledError", "DeadlineExceededError")
    while error is not None:
        if isinstance(error, OSError):  # Of a bucket, whose client has errors of the same names.
            return ""
        if type(error).__name__ in kinds or "ollective ops is aborted" in str(error):
            return str(error) or type(error).__name__
        error = error.__cause__ or error.__context__
    return ""


def _gone(cluster: Cluster, told: str) -> str:
    hosts = others(cluster)
    away = {name: at for name, at in hosts.items() if not _answers(at)}
    # One that stands still accepts connections: TensorFlow names it, or that it asked the first.
    named = {
        name: at
        for name, at in hosts.items()
        if re.search("/job:{}/(replica:0/)?task:{}\\b".format(*name.split()), told)
    }
    first = {cluster.names[0]: cluster.addresses[0]} if "/Heartbeat" in told and cluster.own else {}
    away = away or named or first
    saved = "".join(
        f"the state of {name} is saved up to step {step:,}; " for name, step in _run.saved.items()
    )
    who = f" ({_told(away)})" if away else ""
    return f"another host is gone{who}; {saved}start the same command on all hosts again"
