"""What the pages on label waves leave beside their tables: answers to held-out images."""

import pathlib
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.records.files import whole_file

# What is written as float16, and the largest number that it holds.
_MARGINS = ("margins", "lowest_margins", "null_margins", "lowest_null_margins")
_LARGEST = float(np.finfo(np.float16).max)


class HeldOut(NamedTuple):
    """How trained networks answer held-out images, and the waves on these images.

    Margins (`spectra.margins`) are written as float16: rounded by at most 1 in 2,048, to either
    side, which moves the smoothing that one image implies by less than 1e-3 and a fit coefficient
    over some hundred images by less than 1e-4, where the draw of these images moves it by 0.05.
    They are all that minimum of NF, final NF and beta need, of networks and above their null.

    Attributes:
      waves: names, [w]; the control has no entry.
      directions: number of the direction of each wave, [w]. Seeds are those of a direction: row k
        of `margins[i]` and of `null_margins[directions[i]]` are trainings of one seed.
      smoothing: s of each wave, float32 [w, n].
      margins: at the end of training, [w, seeds, n]; NaN of a training that diverged, or whose
        control did, as in the others.
      lowest_margins: after the epoch of the lowest noise fitting, [w, seeds, n].
      null_margins: of the networks trained without any wave, at the end, [directions, seeds, n].
      lowest_null_margins: of these after the epoch of their own lowest noise fitting against each
        wave, [w, seeds, n].
      labels, clusters, images: class, cluster and number within the held-out split, [n]; images
        that are not measured, or on which an output was not finite, are left out.
      num_classes: C, a scalar array.
    """

    waves: NDArray[np.str_]
    directions: NDArray[np.int64]
    smoothing: NDArray[np.float32]
    margins: NDArray[np.floating]
    lowest_margins: NDArray[np.floating]
    null_margins: NDArray[np.floating]
    lowest_null_margins: NDArray[np.floating]
    labels: NDArray[np.int64]
    clusters: NDArray[np.int64]
    images: NDArray[np.int64]
    num_classes: NDArray[np.int64]

    def of(self, images: NDArray[np.int64]) -> "HeldOut":
        """The same of some of its images, by their numbers, in that order."""
        order = np.argsort(self.images)
        places = order[np.searchsorted(self.images, images, sorter=order)]
        return self._replace(
            smoothing=self.smoothing[:, places],
            margins=self.margins[..., places],
            lowest_margins=self.lowest_margins[..., places],
            null_margins=self.null_margins[..., places],
            lowest_null_margins=self.lowest_null_margins[..., places],
            labels=self.labels[places],
            clusters=self.clusters[places],
            images=self.images[places],
        )

    def only(self, places: Sequence[int]) -> "HeldOut":
        """The same of some of its waves, by their places."""
        chosen = list(places)
        return self._replace(
            waves=self.waves[chosen],
            directions=self.directions[chosen],
            smoothing=self.smoothing[chosen],
            margins=self.margins[chosen],
            lowest_margins=self.lowest_margins[chosen],
            lowest_null_margins=self.lowest_null_margins[chosen],
        )


def held_out_arrays(held_out: HeldOut) -> dict[str, NDArray]:
    """What an npz file holds of it.

    Raises:
      UserError: a margin that float16 cannot hold, which would be read as infinite.
    """
    arrays = held_out._asdict()
    for name in _MARGINS:
        arrays[name] = _halved(name, arrays[name])
    return arrays


def write_held_out(path: pathlib.Path, held_out: HeldOut) -> None:
    """Writes an npz file, whole or not at all.

    Raises:
      UserError: as `held_out_arrays`.
    """
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **held_out_arrays(held_out))  # type: ignore[arg-type]  # Its stub.


def _halved(name: str, margins: NDArray[np.floating]) -> NDArray[np.float16]:
    diverged = np.isnan(margins).all(axis=-1)
    largest = float(np.abs(margins[~diverged]).max(initial=0.0))
    if not largest <= _LARGEST:
        raise UserError(
            f"{name} of held-out images",
            expected=f"at most {_LARGEST:,.0f} in size, as float16 holds them",
            got=f"{largest:,.0f}",
            hint="train with a lower learning rate, or divide the logits of an own model",
        )
    return margins.astype(np.float16)


def read_held_out(path: pathlib.Path) -> HeldOut:
    """Reads what `write_held_out` wrote.

    Raises:
      UserError: there is no such file, or it is not whole.
    """
    try:
        with np.load(path) as archive:
            return HeldOut(**{name: archive[name] for name in HeldOut._fields})
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path}",
            expected="the answers to held-out images that a run leaves",
            got=f"{type(error).__name__}: {error}",
            hint="make the run anew with --overwrite",
        ) from error
