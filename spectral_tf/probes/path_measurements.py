"""What a classifier does along paths, streamed: spectra, shares, whether ends are correct."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.probes.output_kinds import probabilities_of
from spectral_tf.probes.path_outputs import groups_of, refuse_temperatures
from spectral_tf.probes.paths import Paths, path_logits
from spectral_tf.probes.stream import Prepare
from spectral_tf.spectra.path import (
    PathMeasures,
    consistent_share,
    dct_magnitudes,
    dft_magnitudes,
    path_measures,
    released_power,
)
from spectral_tf.spectra.path_axes import axis_support, interpolate_spectrum


class PathMeasurements(NamedTuple):
    """What a classifier does along n paths, one row each.

    Attributes:
      measures: of shares and differences, each [n]; NaN where `finite` is false, and only there.
      consistent_share: how far the class of the first sample stays the predicted one, likewise.
      dft, dct, released: magnitudes at the frequencies that were asked for, [n, f]; the last are
        powers, `spectra.released_power`.
      dft_where, dct_where, released_where: where there are such magnitudes, bool [n, f]: the path
        is finite and can tell the frequency (`spectra.axis_support`). NaN elsewhere, and only
        there.
      endpoints_correct: whether the first and the last end are classified correctly, bool [n, 2];
        an output that is not finite is not correct.
      finite: whether all outputs along the path are finite, bool [n].
    """

    measures: PathMeasures
    consistent_share: NDArray[np.float64]
    dft: NDArray[np.float64]
    dct: NDArray[np.float64]
    released: NDArray[np.float64]
    dft_where: NDArray[np.bool_]
    dct_where: NDArray[np.bool_]
    released_where: NDArray[np.bool_]
    endpoints_correct: NDArray[np.bool_]
    finite: NDArray[np.bool_]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether both ends are classified correctly, bool [n]."""
        return self.endpoints_correct[:, 0] & self.endpoints_correct[:, 1]


def measure_paths(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: ArrayLike,
    labels: ArrayLike,
    paths: Paths,
    prepare: Prepare = lambda pixels: pixels,
    *,
    frequencies: Sequence[float] | NDArray = (),
    per_path: bool = False,
    temperature: float = 1.0,
    outputs: str = "logits",
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
) -> PathMeasurements:
    """Spectra of the model's predictions along paths, streamed.

    Distances are those of the images as the model sees them, so `measures.centroid` is in cycles
    per unit of these; times `distances` / `pixel_distances` of the paths, per unit of pixels.

    Args:
      model, images, paths, prepare, batch_size, strategy: as for `path_logits`.
      labels: of the images, whole numbers, shape [n].
      frequencies: at which to give magnitudes, in cycles per unit of distance.
      per_path: frequencies are in cycles per path.
      temperature: by which logits are divided, above 0; of probabilities their logarithms are.
      outputs: what the model gives, one of `probes.OUTPUTS`.

    Raises:
      UserError: a temperature that is not above 0; outputs that are not what they are said to be,
        or not finite for more than 1 % of the samples; as `path_logits`.
    """
    refuse_temperatures([temperature])
    axis, num_paths = np.asarray(frequencies, np.float64), len(paths.counts)
    measures = PathMeasures(*(np.full(num_paths, np.nan) for _ in PathMeasures._fields))
    consistent = np.full(num_paths, np.nan)
    dft, dct, released = np.full((3, num_paths, axis.size), np.nan)
    correct, finite = np.empty((num_paths, 2), bool), np.empty(num_paths, bool)
    step = 1 / (paths.counts - 1) if per_path else paths.spacing

    logits = path_logits(model, images, paths, prepare, batch_size=batch_size, strategy=strategy)
    for group in groups_of(logits, paths.counts, paths.endpoint_labels(labels), outputs):
        correct[group.rows], finite[group.rows] = group.endpoints_correct, group.finite
        rows = group.rows[group.finite]
        p = probabilities_of(group.outputs, outputs, temperature)
        for array, value in zip(measures, path_measures(p, paths.spacing[rows]), strict=True):
            array[rows] = value
        consistent[rows] = consistent_share(p)
        if axis.size:
            each = zip(rows, dft_magnitudes(p), dct_magnitudes(p), released_power(p), strict=True)
            for i, of_dft, of_dct, of_released in each:
                width = 1 / (p.shape[1] * step[i])
                dft[i] = interpolate_spectrum(of_dft, width, axis)
                dct[i] = interpolate_spectrum(of_dct, width / 2, axis)
                released[i] = interpolate_spectrum(of_released, width, axis)
    by_dft, by_dct = (
        axis_support(axis, paths.counts, step, transform=transform) & finite[:, None]
        for transform in ("dft", "dct")
    )
    return PathMeasurements(
        measures=measures,
        consistent_share=consistent,
        dft=dft,
        dct=dct,
        released=released,
        dft_where=by_dft,
        dct_where=by_dct,
        released_where=by_dft,
        endpoints_correct=correct,
        finite=finite,
    )
