"""What the pages on label waves leave beside their tables: answers to held-out images, claims."""

import pathlib
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.records.files import whole_file
from spectral_tf.records.tables import write_table
from spectral_tf.spectra import Estimate


class HeldOut(NamedTuple):
    """How trained networks answer held-out images, and the waves on these images.

    Margins (`spectra.margins`) are kept as float16: rounded by at most 1 in 2,048, to either side,
    which moves the smoothing that one image implies by less than 1e-3 and a fit coefficient over
    some hundred images by less than 1e-4, where the draw of these images moves it by 0.05.

    Attributes:
      waves: names, [w]; the control has no entry.
      directions: number of the direction of each wave, [w]. Seeds are those of a direction: row k
        of `margins[i]` and of `null_margins[directions[i]]` are trainings of one seed.
      smoothing: s of each wave, float32 [w, n].
      margins: at the end of training, float16 [w, seeds, n].
      lowest_margins: after the epoch of the lowest noise fitting, float16 [w, seeds, n].
      null_margins: of the networks trained without any wave, float16 [directions, seeds, n].
      labels, clusters, images: class, cluster and number within the held-out split, [n]; images
        that are not measured, or on which an output was not finite, are left out.
      num_classes: C, a scalar array.
    """

    waves: NDArray[np.str_]
    directions: NDArray[np.int64]
    smoothing: NDArray[np.float32]
    margins: NDArray[np.float16]
    lowest_margins: NDArray[np.float16]
    null_margins: NDArray[np.float16]
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
        )


def write_held_out(path: pathlib.Path, held_out: HeldOut) -> None:
    """Writes an npz file, whole or not at all."""
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **held_out._asdict())


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


class Claim(NamedTuple):
    """One reading of a claim, as a row of `claims.csv`.

    Attributes:
      claim: its number in the protocol, with what distinguishes claims of one number.
      statement: what it says.
      reading: how it is measured here.
      primary: "published" or "corrected" for the readings that decide, else "".
      direction: the sign of the estimate that the claim says, 1 or -1.
      estimate: of 0 if nothing is there.
    """

    claim: str
    statement: str
    reading: str
    primary: str
    direction: int
    estimate: Estimate


def write_claims(folder: pathlib.Path, claims: Sequence[Claim]) -> None:
    """Writes `claims.csv`: every reading in its order, with p-values where there are."""

    def number(p_value: float | None) -> object:
        return "null" if p_value is None else p_value

    write_table(
        folder / "claims.csv",
        (*Claim._fields, "p_value", "least_p_value"),
        (
            (*claim, number(claim.estimate.p_value), number(claim.estimate.least_p_value))
            for claim in claims
        ),
    )
