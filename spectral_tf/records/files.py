"""Files that are written whole or not at all."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

_SUFFIX = ".part"


def is_temporary(name: str) -> bool:
    """Whether a file of this name may be what a kill left of `atomic_write`."""
    return name.startswith(".") and name.endswith(_SUFFIX)


@contextlib.contextmanager
def atomic_write(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a temporary name beside `path`; on leaving without error it becomes `path`.

    A reader sees the old file or the new one, never a part, also after a kill or a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}{_SUFFIX}")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
