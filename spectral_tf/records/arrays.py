"""Files of named arrays that tell whether they are what was written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.records.former_names import current
from spectral_tf.storage import atomic_write, local_copy

# What becomes of reading a zip file whose bytes are not those that were written: offsets that lie
# nowhere, methods and encryption that it never had. Not what the machine refuses (too many open
# files, a network that fails, memory): the file may be whole then.
_DAMAGE = (
    *(EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error),
    *(NotImplementedError, RuntimeError, OverflowError),
)
_OF_THE_FILE = (None, errno.EINVAL, errno.EISDIR, errno.ENOTDIR)


class Damaged(Exception):
    """A file that is there, and is not what was written."""


class Arrays:
    """The arrays of an open file, each read and verified when it is asked for.

    Attributes:
      digest: SHA-256 of names, sizes and check sums of all arrays; "" of a file of before.

    Raises:
      Damaged: its list of arrays is not the one that was written.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = {current(m.filename.removesuffix(".npy")): m for m in archive.infolist()}
        self.digest = archive.comment.decode("ascii")
        if self.digest and self.digest != _digest(archive):
            raise Damaged("its list of arrays is not the one that was written")

    @property
    def names(self) -> list[str]:
        """Of all arrays, as they are called now."""
        return list(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __getitem__(self, name: str) -> NDArray[Any]:
        """One array.

        Raises:
          Damaged: it is not there, or not what was written.
        """
        if name not in self._members:
            raise Damaged(f"without {name}")
        with _damage(f"{name}: "):
            # Whole, since its check sum is looked at where it ends.
            content = io.BytesIO(self._archive.read(self._members[name]))
            return np.lib.format.read_array(content, allow_pickle=False)

    def group(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays whose names begin so, without that."""
        own = (name for name in self.names if name.startswith(prefix))
        return {name.removeprefix(prefix): self[name] for name in own}


def write_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, ArrayLike], *, compressed: bool = False
) -> str:
    """Writes an npz file, whole or not at all, with a digest of its own content.

    Zip files hold a CRC-32 of every array's bytes; their comment, which `numpy.load` ignores, is
    here the SHA-256 of names, sizes and CRCs. So one array can be verified without the others.

    Returns:
      the digest.
    """
    with atomic_write(path) as temporary:
        with open(temporary, "wb") as file:
            save = np.savez_compressed if compressed else np.savez
            save(file, **arrays)  # type: ignore[arg-type]  # their stubs take only flags.
        with zipfile.ZipFile(temporary, "a") as archive:
            digest = _digest(archive)
            archive.comment = digest.encode("ascii")
    return digest


@contextlib.contextmanager
def open_arrays(path: str | os.PathLike[str]) -> Iterator[Arrays]:
    """The arrays of an npz file, those of files of before `write_arrays` among them.

    Raises:
      FileNotFoundError: it is not there.
      OSError: the system does not let it be read.
      Damaged: it is not what was written.
    """
    with contextlib.ExitStack() as held:
        with _damage():
            local = held.enter_context(local_copy(path))
            arrays = Arrays(held.enter_context(zipfile.ZipFile(local)))
        yield arrays


@contextlib.contextmanager
def _damage(what: str = "") -> Iterator[None]:
    """Within it a file is read; what its bytes are to blame for is `Damaged`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _OF_THE_FILE:
            raise
        raise Damaged(what + _told(error)) from error
    except _DAMAGE as error:
        raise Damaged(what + _told(error)) from error


def _digest(archive: zipfile.ZipFile) -> str:
    members = (f"{m.filename} {m.file_size} {m.CRC:08x}\n" for m in archive.infolist())
    return hashlib.sha256("".join(members).encode()).hexdigest()


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
