"""Small files of a run folder that are read back, whatever has become of them.

A copy that was cut short, a disk that filled up, a file that somebody edited: the reader of such a
file raises one of many errors. They are told here as one line, which names the file.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from spectral_tf.errors import UserError
from spectral_tf.storage import as_path

# What readers of text, JSON, CSV, npz and zip files raise on bytes that are not what was written.
_DAMAGE = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, csv.Error),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, OverflowError),
)
WHOLE_AGAIN = "bring a whole copy of it back"


@contextlib.contextmanager
def reading(
    path: str | os.PathLike[str], subject: str, expected: str, hint: str = WHOLE_AGAIN
) -> Iterator[None]:
    """Within it a file is read; one that is not what was written is told in one line.

    Only what reads it belongs there: whatever that raises is taken for damage.

    Args:
      path: of the file.
      subject: how the error begins, such as a flag.
      expected: what the file should be.
      hint: what to do; it names nothing that would remove other work.

    Raises:
      UserError: it is missing, damaged or something else.
    """
    try:
        yield
    except UserError:
        raise
    except _DAMAGE as error:
        if isinstance(error, FileNotFoundError):
            got = f"{path}, which is not there"
        elif isinstance(error, OSError):
            got = f"{path} ({error.strerror or error})"
        else:
            told = " ".join(f"{type(error).__name__}: {error}".split())[:120]
            got = f"{path}, damaged or of another kind ({told})"
        raise UserError(subject, expected=expected, got=got, hint=hint) from error


def read_json(
    path: str | os.PathLike[str], subject: str, hint: str = WHOLE_AGAIN
) -> dict[str, Any]:
    """The object of a JSON file.

    Args:
      path, subject, hint: as for `reading`.

    Raises:
      UserError: as `reading`; it holds a list or a number instead.
    """
    with reading(path, subject, "a file that holds one JSON object", hint):
        found = json.loads(as_path(path).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise TypeError(f"a {type(found).__name__} instead of an object")
    return found
