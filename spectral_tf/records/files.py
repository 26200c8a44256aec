"""Files that are written whole or not at all."""

import hashlib
import os

from spectral_tf.storage import as_path, atomic_write, is_temporary

__all__ = ["atomic_write", "digest", "is_temporary"]


def digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of what a file holds.

    Raises:
      OSError: it cannot be read.
    """
    return hashlib.sha256(as_path(path).read_bytes()).hexdigest()
