"""The file that a training goes on from."""

import pathlib
import zipfile

import numpy as np

from spectral_tf.errors import UserError
from spectral_tf.records.former_names import current


def read_state(file: pathlib.Path) -> dict[str, np.ndarray]:
    """The arrays of a saved state.

    Raises:
      UserError: it cannot be read, or is not whole.
    """
    try:
        with np.load(file) as archive:
            saved = {current(name): array for name, array in archive.items()}
        if missing := {"seconds", "probed", "segments", "diverged_at_step"} - saved.keys():
            raise ValueError(f"without {', '.join(sorted(missing))}")
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            "saved state",
            expected="a readable file",
            got=f"{file} ({error})",
            hint="add --overwrite to start over",
        ) from error
    return saved


def group(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin so, without that."""
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
