"""What the pages on label waves leave beside their tables: predictions for held-out images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from etils import epath
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.records.former_names import current
from spectral_tf.records.small_files import reading
from spectral_tf.storage import atomic_write, local_copy

# What is written as float16, and the largest number that it holds.
_RATIOS = ("log_ratios", "lowest_log_ratios", "null_log_ratios", "lowest_null_log_ratios")
_LARGEST = float(np.finfo(np.float16).max)


class HeldOut(NamedTuple):
    """What trained networks predict for held-out images, and the waves on these images.

    Log-ratios (`spectra.centred_log_ratio`) are written as float16: rounded by at most 1 in 2,048,
    to either side, which moves the smoothing that one image implies by less than 1e-3 and a
    regression slope over some hundred images by less than 1e-4, where the draw of these images
    moves it by 0.05. They are all that minimum of NF, final NF and beta need, of networks and above
    their null.

    Attributes:
      waves: names, [w]; the control has no entry.
      directions: number of the direction of each wave, [w]. Seeds are those of a direction: row k
        of `log_ratios[i]` and of `null_log_ratios[directions[i]]` are trainings of one seed.
      smoothing: s of each wave, float32 [w, n].
      log_ratios: at the end of training, [w, seeds, n]; NaN of a training that diverged, or whose
        control did, as in the others.
      lowest_log_ratios: after the epoch of the lowest noise fitting, [w, seeds, n].
      null_log_ratios: of the networks trained without any wave, at the end, [directions, seeds, n].
      lowest_null_log_ratios: of these after the epoch of their own lowest noise fitting against
        each wave, [w, seeds, n].
      labels, clusters, images: class, cluster and number within the held-out split, [n]; images
        that are not measured, or on which an output was not finite, are left out.
      num_classes: C, a scalar array.
    """

    waves: NDArray[np.str_]
    directions: NDArray[np.int64]
    smoothing: NDArray[np.float32]
    log_ratios: NDArray[np.floating]
    lowest_log_ratios: NDArray[np.floating]
    null_log_ratios: NDArray[np.floating]
    lowest_null_log_ratios: NDArray[np.floating]
    labels: NDArray[np.int64]
    clusters: NDArray[np.int64]
    images: NDArray[np.int64]
    num_classes: NDArray[np.int64]

    def of(self, images: NDArray[np.int64]) -> "HeldOut":
        """The same of some of its images, by their numbers, in that order."""
        order = np.argsort(self.images)
        indices = order[np.searchsorted(self.images, images, sorter=order)]
        return self._replace(
            smoothing=self.smoothing[:, indices],
            log_ratios=self.log_ratios[..., indices],
            lowest_log_ratios=self.lowest_log_ratios[..., indices],
            null_log_ratios=self.null_log_ratios[..., indices],
            lowest_null_log_ratios=self.lowest_null_log_ratios[..., indices],
            labels=self.labels[indices],
            clusters=self.clusters[indices],
            images=self.images[indices],
        )

    def only(self, indices: Sequence[int]) -> "HeldOut":
        """The same of some of its waves, by their indices."""
        chosen = list(indices)
        return self._replace(
            waves=self.waves[chosen],
            directions=self.directions[chosen],
            smoothing=self.smoothing[chosen],
            log_ratios=self.log_ratios[chosen],
            lowest_log_ratios=self.lowest_log_ratios[chosen],
            lowest_null_log_ratios=self.lowest_null_log_ratios[chosen],
        )


def held_out_arrays(held_out: HeldOut) -> dict[str, NDArray]:
    """What an npz file holds of it.

    Raises:
      UserError: a log-ratio that float16 cannot hold, which would be read as infinite.
    """
    arrays = held_out._asdict()
    for name in _RATIOS:
        arrays[name] = _halved(name, arrays[name])
    return arrays


def write_held_out(path: epath.Path, held_out: HeldOut) -> None:
    """Writes an npz file, whole or not at all.

    Raises:
      UserError: as `held_out_arrays`.
    """
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **held_out_arrays(held_out))  # type: ignore[arg-type]  # Its stub.


def _halved(name: str, log_ratios: NDArray[np.floating]) -> NDArray[np.float16]:
    diverged = np.isnan(log_ratios).all(axis=-1)
    largest = float(np.abs(log_ratios[~diverged]).max(initial=0.0))
    if not largest <= _LARGEST:
        raise UserError(
            f"{name} of held-out images",
            expected=f"at most {_LARGEST:,.0f} in size, as float16 holds them",
            got=f"{largest:,.0f}",
            hint="train with a lower learning rate, or divide the logits of an own model",
        )
    return log_ratios.astype(np.float16)


def read_held_out(path: epath.Path) -> HeldOut:
    """Reads what `write_held_out` wrote.

    Raises:
      UserError: there is no such file, or it is not whole.
    """
    expected = "the predictions for held-out images that a run leaves"
    hint = "bring a whole copy of it back, or repeat that run in another --workdir"
    told = reading(path, "held-out images", expected, hint)
    with told, local_copy(path) as file, np.load(file) as archive:
        arrays = {current(name): array for name, array in archive.items()}
        return HeldOut(**{name: arrays[name] for name in HeldOut._fields})
