"""The files of a run, on any file system: a disk, a bucket, memory.

Paths are those of `etils.epath`. gs:// goes through TensorFlow, as does ram://, files within one
process; other schemes (s3://, az://, ...) go through the fsspec package that knows them.

Two things hold everywhere:

* a file is written whole or not at all (`atomic_write`): on a disk by renaming, on an object store
  since an object is put there in one request;
* what goes wrong is an `OSError`, whatever the file system calls it.

Object stores have no folders, renaming, appending or locks, and nothing here asks for them.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import hashlib
import logging
import os
import pathlib
import re
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

from etils import epath
from etils.epath import backend as backends
from etils.epath import gpath

from spectral_tf.errors import UserError

_SUFFIX = ".part"

# Those that TensorFlow opens; all others are fsspec's.
_TENSORFLOW = ("gs", "ram")


class RemotePath(gpath.PosixGPath):
    """A path of a file system that is not the machine's own: scheme://bucket/name.

    `epath.Path` sends every scheme to TensorFlow where that is installed, and knows few of them.
    """

    @property
    def _uri_scheme(self) -> str:
        # epath keeps the schemes that it knows as folders of the root, PurePath others as "ram:".
        if not self.parts:
            return ""
        known = self.parts[0] == "/"
        return "".join(self.parts[1:2]) if known else self.parts[0].removesuffix(":")

    @property
    def _path_str(self) -> str:
        return f"{self._uri_scheme}://" + "/".join(self.parts[2 if self.parts[0] == "/" else 1 :])

    @property
    def _backend(self) -> backends.Backend:
        return _backend(self._uri_scheme)

    def resolve(self, strict: bool = False) -> RemotePath:
        """Itself: there are no links."""
        return self

    def mkdir(self, mode: int | None = None, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: object stores have no folders, and TensorFlow would put an object for each."""
        if self._uri_scheme == "ram":  # It lists only folders that were made.
            super().mkdir(mode, parents, exist_ok)

    def is_file(self) -> bool:
        """Whether it is there, and no folder."""
        return self.exists() and not self.is_dir()

    def read_bytes(self) -> bytes:
        """All that the file holds.

        Raises:
          OSError: it cannot be read, whatever the client library raises.
        """
        with _as_os_errors(), self.open("rb") as file:
            return cast(bytes, file.read())

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """The same as text, UTF-8 where nothing else is said."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def write_bytes(self, data: bytes) -> int:
        """Puts a whole file there.

        Raises:
          OSError: it cannot be written, whatever the client library raises.
        """
        if self._uri_scheme == "ram":  # It writes behind what is there.
            self.parent.mkdir(parents=True, exist_ok=True)
            self.unlink(missing_ok=True)
        with _as_os_errors(), self.open("wb") as file:
            file.write(data)
        return len(data)


def as_path(path: str | os.PathLike[str], subject: str = "path") -> epath.Path:
    """The path of a file or folder, on the file system that its scheme names; ~ is one's own.

    Args:
      path: text, or a path.
      subject: how an error calls it.

    Raises:
      UserError: a scheme that nothing here can open.
    """
    if isinstance(path, RemotePath):
        return path
    text = os.fspath(path)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if slip := re.match(r"(gs|gcs|s3|az|abfs|hf|ram|memory):/(?!/)", text):
        raise UserError(
            subject,
            expected=f"{slip.group(1)}:// with two slashes, or a folder",
            got=text,
            hint=f"say {slip.group(1)}://{text[slip.end() :]}, or ./{text} for a folder",
        )
    if "://" not in text:
        return epath.Path(text).expanduser()
    if not text.partition("://")[2].partition("/")[0]:
        raise UserError(
            subject,
            expected="an address with a bucket",
            got=text,
            hint=f"say {text.partition('://')[0]}://BUCKET/FOLDER",
        )
    _refuse_unknown(text, subject)
    return RemotePath(text)


def is_local(path: str | os.PathLike[str]) -> bool:
    """Whether it lies on a file system of this machine, with folders, renaming and locks."""
    return not isinstance(path, RemotePath) and "://" not in os.fspath(path)


def is_temporary(name: str) -> bool:
    """Whether a file of this name may be what a kill left of `atomic_write`."""
    return name.startswith(".") and name.endswith(_SUFFIX)


class Hold(Protocol):
    """What keeps others out of a folder, and knows whether it still does."""

    def mind(self) -> None:
        """Raises a UserError if it does not any more."""


# {folder that this process works in: what holds it, and the name of a file that it must have}.
_HELD: dict[str, tuple[weakref.ref[Hold], str]] = {}


def hold(folder: epath.Path, held: Hold, needed: str) -> None:
    """From now on nothing is written below a folder that is gone, so that no half of one arises.

    Args:
      folder: that this process works in.
      held: what holds it; for as long as that lives.
      needed: name of a file without which the folder is not what it was.
    """
    _HELD[_key(folder)] = (weakref.ref(held), needed)


def let_go(folder: epath.Path) -> None:
    """A folder that was held is no longer: somebody starts in it anew."""
    _HELD.pop(_key(folder), None)


def refuse_lost(path: epath.Path) -> None:
    """Raises a UserError if a path is in a held folder that is gone, or that another has taken."""
    for folder in (path, *folders_around(path)) if _HELD else ():
        reference, needed = _HELD.get(_key(folder), (None, ""))
        held = reference and reference()
        if not held:
            continue
        held.mind()
        if is_local(folder) and not (folder / needed).exists():
            raise UserError(
                f"workdir={folder}",
                expected="the folder that the run began in",
                got="another one" if folder.exists() else "none: it was removed or renamed",
                hint="bring it back, then the same command resumes",
            )


def _key(folder: epath.Path) -> str:
    return os.path.abspath(folder) if is_local(folder) else str(folder)


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Gives the name of a file to write, of this machine; left without error it becomes `path`.

    A reader sees the old file or the new one, never a part, also after a kill or a power cut.

    Raises:
      OSError: it cannot be written.
      UserError: it is in a held folder that is gone.
    """
    target = as_path(path)
    refuse_lost(target)
    if not is_local(target):
        with tempfile.TemporaryDirectory() as scratch:
            written = pathlib.Path(scratch) / f".{target.name}{_SUFFIX}"
            yield written
            target.write_bytes(written.read_bytes())
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(target.with_name(f".{target.name}{_SUFFIX}"))
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def local_copy(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """A file or folder where any library can read it: itself, or a copy for as long as needed.

    Raises:
      OSError: it cannot be read; FileNotFoundError: it is not there.
    """
    source = as_path(path)
    if is_local(source):
        yield pathlib.Path(source)
        return
    with tempfile.TemporaryDirectory() as scratch:
        copied = pathlib.Path(scratch) / source.name
        _fetch(source, copied)
        yield copied


def here(path: str | os.PathLike[str]) -> pathlib.Path:
    """A file or folder where any library can read it; a copy is kept until this process ends.

    Of what is not there, the path of nothing.

    Raises:
      OSError: it cannot be read.
    """
    source = as_path(path)
    if is_local(source):
        return pathlib.Path(source)
    if str(source) not in _COPIES:
        scratch = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        copied = pathlib.Path(scratch) / source.name
        if not source.exists():
            return copied
        _fetch(source, copied)
        _COPIES[str(source)] = copied
    return _COPIES[str(source)]


# {path on another file system: its copy on this machine}.
_COPIES: dict[str, pathlib.Path] = {}


def folders_around(path: epath.Path) -> Iterator[epath.Path]:
    """The folders that a file or folder lies in, from the inmost to the root or the bucket."""
    folder = path.resolve().parent
    while is_local(folder) or str(folder).partition("://")[2]:
        yield folder
        if folder.parent == folder:
            return
        folder = folder.parent


def _fetch(source: epath.Path, target: pathlib.Path) -> None:
    if not source.is_dir():
        target.write_bytes(source.read_bytes())
        return
    target.mkdir()
    for entry in source.iterdir():
        _fetch(entry, target / entry.name)


def digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of what a file holds.

    Raises:
      OSError: it cannot be read.
    """
    with local_copy(path) as file, open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def files_under(folder: str | os.PathLike[str]) -> Iterator[epath.Path]:
    """All files in a folder and in the folders that it holds; none if it is not there.

    Raises:
      OSError: it cannot be read.
    """
    top = as_path(folder)
    for entry in top.iterdir() if top.is_dir() else ():
        if entry.is_dir():
            yield from files_under(entry)
        else:
            yield entry


def try_to_write(folder: str | os.PathLike[str]) -> None:
    """Writes something into a folder, which need not be there, and leaves no trace of it.

    Raises:
      OSError: it cannot be written.
    """
    path = as_path(folder)
    if not is_local(path):
        probe = path / f".lock.try.{uuid.uuid4().hex}"
        probe.write_bytes(b"may this be written?")
        probe.unlink()
        return
    missing = [parent for parent in (path, *path.parents) if not parent.exists()]
    for last in (False,) * 9 + (True,):
        try:
            path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
            return
        except FileNotFoundError:
            # Another process may have tried the same and taken its folder away.
            if last:
                raise
        finally:
            for parent in missing:
                with contextlib.suppress(OSError):
                    os.rmdir(parent)


def remove(path: str | os.PathLike[str]) -> None:
    """Removes a file or a folder with all that it holds; none is fine.

    Raises:
      OSError: it cannot be removed.
    """
    target = as_path(path)
    if target.is_dir():
        target.rmtree(missing_ok=True)
    else:
        target.unlink(missing_ok=True)


def _refuse_unknown(text: str, subject: str) -> None:
    scheme = text.partition("://")[0]
    if scheme in _TENSORFLOW:
        return
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    try:
        if scheme and fsspec.get_filesystem_class(scheme) is not LocalFileSystem:
            return
        raise ValueError("of this machine")
    except ImportError as error:
        expected, hint = f"a package that opens {scheme}://", str(error).splitlines()[0]
    except ValueError:
        expected, hint = (
            "a folder, or one of gs://, s3:// or another scheme that fsspec knows",
            ("mend the scheme, or mount that storage as a folder"),
        )
    raise UserError(subject, expected=expected, got=text, hint=hint)


class _Fsspec(type(backends.fsspec_backend)):  # type: ignore[misc]  # Its class has a private name.
    """fsspec's file systems, each by the scheme of its paths."""

    def fs(self, path: str | os.PathLike[str]) -> Any:
        import fsspec

        # Their clients tell where they found a password.
        for client in ("botocore", "aiobotocore", "azure"):
            logging.getLogger(client).setLevel(logging.WARNING)
        # What another host has just written is to be seen.
        return fsspec.filesystem(os.fspath(path).partition("://")[0], use_listings_cache=False)


class _Translated:
    """A backend whose errors are OSErrors."""

    def __init__(self, backend: backends.Backend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._backend, name)
        return _translated(method) if callable(method) else method


@functools.cache
def _backend(scheme: str) -> backends.Backend:
    backend = backends.tf_backend if scheme in _TENSORFLOW else _Fsspec()
    return cast(backends.Backend, _Translated(backend))


def _translated(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **named: Any) -> Any:
        with _as_os_errors():
            return method(*args, **named)

    return call


def reason(error: OSError) -> str:
    """What an error of a file system says, in a few words."""
    return error.strerror or " ".join(str(error).split()) or type(error).__name__


# TensorFlow's errors by their names.
_ERRNO = {
    "NotFoundError": errno.ENOENT,
    "PermissionDeniedError": errno.EACCES,
    "UnauthenticatedError": errno.EACCES,
    "ResourceExhaustedError": errno.ENOSPC,
    "AlreadyExistsError": errno.EEXIST,
}


@contextlib.contextmanager
def _as_os_errors() -> Iterator[None]:
    """What a client library raises of its own, as an OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        if type(error).__module__ == "builtins":  # A mistake of ours.
            raise
        told = " ".join(str(error).split())[:200]
        raise OSError(
            _ERRNO.get(type(error).__name__, errno.EIO), f"{type(error).__name__}: {told}"
        ) from error
