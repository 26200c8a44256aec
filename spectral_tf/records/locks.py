"""Files that one process holds while it works in a folder."""

import fcntl
import pathlib
from typing import TextIO

from spectral_tf.errors import UserError


def lock(path: pathlib.Path, *, shared: bool = False, wait: bool = False) -> TextIO:
    """A file that this process has locked, until it is closed."""
    file = open(path, "w")  # noqa: SIM115 - whoever locks it holds it.
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise UserError(
            f"workdir={path.parent}",
            expected="a folder that no other process works in",
            got="one in use",
            hint="wait for that process, or name another folder",
        ) from error
    return file
