"""Any function of arrays, measured anywhere: the one call of the package."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.measuring.functions import Function, function_of, refused_inputs, shapes
from spectral_tf.measuring.measurement import Measurement
from spectral_tf.measuring.pixels import Pixels
from spectral_tf.measuring.places import (
    Place,
    StraightPaths,
    asked_in_words,
    batches,
    digest,
    numbers,
)
from spectral_tf.measuring.predictions import doubts, log_probabilities, predictions, refuse_outputs

_PATH_BATCH = 256
# Outputs that vary by less than this share of their size are as good as constant.
_STILL = 1e-3


def measure(
    model: Any,
    where: Place,
    *,
    outputs: str = "values",
    targets: ArrayLike | Callable[[NDArray], ArrayLike] | None = None,
    output: int | str | None = None,
    layer: str = "",
    to_inputs: str | Callable[[NDArray], Any] | None = None,
    temperature: float = 1.0,
    batch_size: int = 0,
) -> Measurement:
    """The spectrum of the function that a model computes.

    The model is asked at inference, batch by batch, and left as it was: no weight, no state of
    normalisation and no mode of it changes, and no random number is drawn.

    Args:
      model: a Keras model or layer, a PyTorch module, a scikit-learn estimator, an ONNX Runtime
        session, or any callable of NumPy arrays [b, ...] (a JAX function is one) -> [b, ...].
      where: a `Grid`, a `Curve`, `StraightPaths`, `Scatter` or `LabelWave`.
      outputs: what the model gives: `values` (measured as they are, every number of a sample an
        output), `logits` (their softmax is measured; of a single one the sigmoid), `probabilities`
        or `sigmoids` that are independent of each other. A wrong word is found by looking at the
        numbers.
      targets: what is to be learned, at the samples of `where` in their order, [n] or [n, c]; or a
        function of these samples.
      output: which of several outputs, by position or name.
      layer: of a Keras model: measure what this layer gives instead.
      to_inputs: samples [b, ...] -> what the model takes: an array, or a tuple or dict of several
        for a model of several inputs. Of images with pixels in [0, 1] a word says what the model
        wants: `bytes` (0 to 255, also of one that rescales them itself), `signed` (-1 to 1),
        `imagenet`, `MEAN:DEVIATION` once or for each channel, then perhaps `bgr` and
        `channels_first`, joined by commas. Default: the samples themselves.
      temperature: by which logits are divided, above 0 (those of probabilities are their
        logarithms), so that models are compared at one confidence: for each model
        `spectra.confidence_temperature` finds its own, from its logits of images (100 or more, the
        same for all models, none of them at the ends of the paths); 1 leaves predictions as they
        are.
      batch_size: samples at once; 0: 1,024, or what the model takes.

    Returns:
      what was measured, by the class of `where`.

    Raises:
      UserError: a model that does not take these inputs, outputs that are not finite or not what
        they are said to be, targets of another shape, as `function_of`.

    >>> import numpy as np
    >>> from spectral_tf import Grid, measure
    >>> found = measure(lambda x: 3 * np.sin(2 * np.pi * 5 * x), Grid(64))
    >>> round(float(found["power"][5]), 4), round(float(found["centroid"]), 4)
    (4.5, 5.0)
    """
    asked_in_words(where)
    refuse_outputs(outputs)
    function = function_of(model, output=output, layer=layer, outputs=outputs)
    number = isinstance(temperature, (int, float)) and 0 < temperature < math.inf
    if not number or (temperature != 1 and outputs == "values"):
        raise UserError(
            "temperature",
            expected="a number above 0, of a classifier",
            got=f"{temperature!r} for {outputs}",
            hint="1 leaves predictions as they are",
        )
    refuse_batch_size(batch_size)
    values, notes = asked(function, where, outputs, inputs_of(to_inputs), temperature, batch_size)
    found = found_at(where, outputs, values, targets, notes)
    said: dict[str, Any] = {"temperature": temperature} if temperature != 1 else {}
    said |= told(to_inputs, output, layer, targets)
    return dataclasses.replace(found, record={**found.record, **said})


def told(to_inputs: Any, output: int | str | None, layer: str, targets: Any) -> dict[str, Any]:
    """What the record of a measurement says of the model and the target."""
    said: dict[str, Any] = {}
    if to_inputs is not None:
        named = getattr(to_inputs, "__name__", type(to_inputs).__name__)
        said["to_inputs"] = to_inputs if isinstance(to_inputs, str) else named
    if output is not None:
        said["output"] = output
    if layer:
        said["layer"] = layer
    if targets is not None:
        said["targets"] = "a function" if callable(targets) else digest(targets)
    return said


def refuse_batch_size(batch_size: Any) -> None:
    """Raises a UserError for what is no number of samples."""
    if not isinstance(batch_size, (int, np.integer)) or batch_size < 0:
        raise UserError(
            "batch_size",
            expected="a whole number of samples, 0 or more",
            got=repr(batch_size),
            hint="0 takes 1,024",
        )


def asked(
    function: Function,
    where: Place,
    outputs: str,
    to_inputs: Callable[[NDArray], Any] | None,
    temperature: float = 1.0,
    batch_size: int = 0,
) -> tuple[NDArray[np.float64], list[str]]:
    """What is measured of a function at all samples of a place, [n, c], and what to look at in it.

    Raises:
      UserError: as `measure`.
    """
    if isinstance(to_inputs, Pixels):
        refuse_other_pixels(where)
    if function.in_graph and isinstance(where, StraightPaths) and _in_graph(to_inputs):
        parts = _along_paths(function, where, to_inputs, batch_size)
    else:
        parts = function.outputs(batches(where, to_inputs), where.count, batch_size)
    found = np.concatenate(list(parts))
    take = log_probabilities if where.of_logarithms else predictions
    return take(found, outputs, temperature), doubts(found, outputs)


def _in_graph(to_inputs: Callable[[NDArray], Any] | None) -> bool:
    return to_inputs is None or isinstance(to_inputs, Pixels)


def _along_paths(
    function: Function,
    where: StraightPaths,
    to_inputs: Callable[[Any], Any] | None,
    batch_size: int,
) -> Iterator[NDArray]:
    """The outputs of each path, whose samples are made on the device."""
    from spectral_tf import probes

    ends = np.concatenate([np.asarray(where.first), np.asarray(where.last)])
    rows = np.arange(len(ends) // 2)
    pairs = probes.Pairs(rows, rows + len(rows))
    counts = np.full(len(rows), where.num_samples)
    distances = where.distances
    paths = probes.Paths(pairs, distances, counts, distances)
    # Pixels become inputs sample by sample: what is not affine (MODULE:FUNCTION) stays right.
    model = function.in_graph
    assert model
    infer = model if to_inputs is None else lambda samples: model(to_inputs(samples))
    if to_inputs not in function.programs:
        function.programs[to_inputs] = probes.path_program(infer)
    traced, size = function.programs[to_inputs], batch_size or _PATH_BATCH
    try:
        yield from probes.path_logits(infer, ends, paths, batch_size=size, traced=traced)
    except (ValueError, TypeError) as error:
        raise refused_inputs(where.samples(slice(0, 1)), error) from error


def inputs_of(
    to_inputs: str | Callable[[NDArray], Any] | None,
) -> Callable[[NDArray], Any] | None:
    """What makes inputs of samples: a function, or `Pixels` of words.

    Raises:
      UserError: neither of them; other words than `Pixels.parse` knows.
    """
    if to_inputs is not None and not isinstance(to_inputs, str) and not callable(to_inputs):
        raise UserError(
            "to_inputs",
            expected="a function of samples, or words such as bytes",
            got=type(to_inputs).__name__,
            hint="leave it out where the model takes the samples themselves",
        )
    return Pixels.parse(to_inputs) if isinstance(to_inputs, str) else to_inputs


def refuse_other_pixels(where: Place) -> None:
    """Raises a UserError for samples that are no pixels in [0, 1], of which words speak."""
    ends = (where.samples(slice(0, 256)), where.samples(slice(max(0, where.count - 256), None)))
    if isinstance(where, StraightPaths):
        ends = (np.asarray(where.first), np.asarray(where.last))
    low, high = min(e.min() for e in ends), max(e.max() for e in ends)
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise UserError(
            "to_inputs",
            expected="examples with pixels in [0, 1], or bytes (uint8)",
            got=f"numbers from {low:g} to {high:g}",
            hint="divide them by 255, or give a function",
        )


def found_at(
    where: Place,
    outputs: str,
    values: NDArray[np.float64],
    targets: ArrayLike | Callable[[NDArray], ArrayLike] | None,
    notes: Sequence[str] = (),
) -> Measurement:
    """What values [n, c] at a place say.

    Raises:
      UserError: targets of another shape or that are not finite; as `Place.found`.
    """
    wanted = None if targets is None else _targets(where, values, targets)
    quantities, coordinates, own = where.found(values, wanted)
    if np.ptp(values, axis=0).max() <= _STILL * np.abs(values).max():
        varies = "hardly vary" if np.ptp(values, axis=0).any() else "are constant"
        own = [f"the outputs {varies}: are the inputs in the range that the model wants?", *own]
    whole = (*notes, *own)
    return Measurement(where.name, outputs, quantities, coordinates, where.record(), whole)


def _targets(
    where: Place, values: NDArray, targets: ArrayLike | Callable[[NDArray], ArrayLike]
) -> NDArray[np.float64]:
    given = targets(where.samples(slice(None))) if callable(targets) else targets
    found = numbers("targets", given).astype(np.float64)
    found = found.reshape(len(found), -1) if found.ndim else found
    if found.shape != values.shape or not np.isfinite(found).all():
        raise UserError(
            "targets",
            expected=f"finite numbers of the outputs' shape, {list(values.shape)}",
            got=shapes(np.asarray(given)),
            hint="give one for each sample of where, in its order",
        )
    return found
