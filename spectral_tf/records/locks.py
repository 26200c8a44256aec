"""What one process holds while it works in a folder."""

import atexit
import contextlib
import fcntl
import json
import os
import pathlib
import platform
import random
import re
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, Protocol

from absl import logging
from etils import epath

from spectral_tf.errors import UserError
from spectral_tf.storage import Hold, is_local

# Seconds between two signs of life of the owner of a lease, and after how many of silence it is
# watched: no sign within two more intervals, and it counts as gone.
_EVERY, _SILENT = 10.0, 60.0


class Held(Hold, Protocol):
    """What keeps other processes out until it is closed, or this process ends."""

    def share(self) -> None:
        """From now on others may hold it that want to share it."""

    def close(self) -> None:
        """Gives it back."""

    def __enter__(self) -> "Held": ...
    def __exit__(self, *error: object) -> None: ...


def lock(path: epath.Path, *, shared: bool = False, wait: bool = False) -> Held:
    """A name that this process holds: a locked file on a disk, a lease on an object store.

    Args:
      path: the name; its folder is there, if the file system has folders.
      shared: whether others may hold it that share it, too.
      wait: until it is free.

    Raises:
      UserError: another process holds it.
      OSError: it cannot be written.
    """
    return (FileLock if is_local(path) else Lease)(path, shared=shared, wait=wait)


class FileLock:
    """A file that this process has locked; the system gives it back when the process ends.

    Raises:
      UserError: another process holds it.
    """

    def __init__(self, path: epath.Path, *, shared: bool, wait: bool) -> None:
        self._path = path
        self._file = open(path, "w")  # noqa: SIM115 - whoever locks it holds it.
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(self._file, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise _in_use(path, "one in use") from error

    def share(self) -> None:
        """From now on others may hold it that want to share it."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def mind(self) -> None:
        """Raises a UserError if the file is another one now, as in a folder that was replaced."""
        if self._file.closed:
            return
        with contextlib.suppress(FileNotFoundError):  # Only the file was removed: it still is ours.
            if not os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._file.name)):
                raise UserError(
                    f"workdir={self._path.parent}",
                    expected="the folder that the run began in",
                    got="another one",
                    hint="bring it back, then the same command resumes",
                )

    def close(self) -> None:
        """Gives it back."""
        self._file.close()

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Lease:
    """An object beside those of others who want the same name, renewed as long as it is held.

    Object stores have no locks, but list what was written before. So everyone first writes an
    object of its own and then looks for others: of two that start together both see the other, and
    both give way. What cannot be excluded: a process that slept (a suspended machine) longer than
    its silence was borne goes on writing until it looks again (`mind`).

    Who is gone: a process of this machine that does not run any more; one that has been silent for
    a minute, by its clock and mine, and does not renew its lease while it is watched. Clocks that
    disagree make the watching needed, not wrong.

    Raises:
      UserError: another process holds it.
    """

    def __init__(self, path: epath.Path, *, shared: bool, wait: bool) -> None:
        self._path, self._shared = path, shared
        self._object = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        self._writing, self._over = threading.Lock(), threading.Event()
        self._lost = False
        self._renewed = time.monotonic(), time.time()
        self._take(wait)
        threading.Thread(target=self._renew, daemon=True).start()
        atexit.register(self.close)

    def _take(self, wait: bool) -> None:
        while True:
            self._write()
            try:
                rival = next(self._rivals(), None)
            except BaseException:
                self._object.unlink(missing_ok=True)
                raise
            if rival is None:
                return
            self._object.unlink(missing_ok=True)
            if not wait:
                age = time.time() - rival["beat"]
                raise _in_use(
                    self._path,
                    f"one in use by process {rival['process']} of {rival['machine']}, "
                    f"{max(0.0, age):.0f} s ago",
                )
            time.sleep(random.uniform(0.2, 1.0))

    def _rivals(self) -> Iterator[dict[str, Any]]:
        """Of the other owners those that live and do not share with me."""
        pattern = re.compile(re.escape(self._path.name) + r"\.[0-9a-f]{32}")
        folder = self._path.parent
        names = [entry.name for entry in folder.iterdir()] if folder.exists() else []
        for name in names:
            other = folder / name
            if not pattern.fullmatch(name) or name == self._object.name:
                continue
            found = _read(other)
            if found is None or (found["shared"] and self._shared):
                continue
            if _lives(other, found):
                yield found
            else:
                logging.info("%s: left by a process that is gone, removed", other)
                other.unlink(missing_ok=True)

    def _write(self) -> None:
        owner = {
            "machine": platform.node(),
            "boot": _boot(),
            "process": os.getpid(),
            "shared": self._shared,
            "beat": time.time(),
        }
        self._object.write_bytes(json.dumps(owner).encode())
        self._renewed = time.monotonic(), time.time()

    def _renew(self) -> None:
        while not self._over.wait(_EVERY):
            with self._writing:
                if self._over.is_set():
                    return
                with contextlib.suppress(OSError):  # Of a network that comes back.
                    if not self._write_again():
                        return

    def _write_again(self) -> bool:
        """Renews the lease, unless it is lost; whether it is still held."""
        silent = self._silent()
        if self._object.exists():
            self._write()
            # Suspended just there, this process may have brought back what was taken from it.
            if silent <= _SILENT or next(self._rivals(), None) is None:
                return True
            self._object.unlink(missing_ok=True)
        self._lost = True
        return False

    def _silent(self) -> float:
        """Seconds since the last sign of life, by the clock that shows more."""
        return max(time.monotonic() - self._renewed[0], time.time() - self._renewed[1])

    def share(self) -> None:
        """From now on others may hold it that want to share it."""
        with self._writing:
            self._shared = True
            self._write_again()

    def mind(self) -> None:
        """Raises a UserError if another process has taken it."""
        if self._over.is_set():
            return
        if self._lost or (self._silent() > _SILENT / 2 and not self._object.exists()):
            raise UserError(
                f"workdir={self._path.parent}",
                expected="a folder that this process still holds",
                got="one that another process has taken, after this one was silent for a minute",
                hint="leave it to that one, or stop it and start this command again",
            )

    def close(self) -> None:
        """Gives it back."""
        with self._writing:
            self._over.set()
            with contextlib.suppress(OSError):
                self._object.unlink(missing_ok=True)
        atexit.unregister(self.close)

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _read(path: epath.Path) -> dict[str, Any] | None:
    """What the owner of a lease says; None if it is gone, or says nothing."""
    try:
        found = json.loads(path.read_bytes())
        return {key: found[key] for key in ("machine", "boot", "process", "shared", "beat")}
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _lives(path: epath.Path, found: dict[str, Any]) -> bool:
    """Whether the owner of a lease is there; watches it where that is in doubt."""
    if _boot() and (found["machine"], found["boot"]) == (platform.node(), _boot()):
        try:
            os.kill(found["process"], 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    if abs(time.time() - found["beat"]) <= _SILENT:
        return True
    logging.info("%s: its owner seems to be gone; watched for %.0f s", path, 2 * _EVERY)
    time.sleep(2 * _EVERY)
    now = _read(path)
    return now is not None and now["beat"] != found["beat"]


def _boot() -> str:
    """What numbers of processes belong to: this start of the machine, or a container of it.

    "" if unknown.
    """
    try:
        started = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{started} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _in_use(path: epath.Path, got: str) -> UserError:
    return UserError(
        f"workdir={path.parent}",
        expected="a folder that no other process works in",
        got=got,
        hint="wait for that process, or name another folder",
    )
