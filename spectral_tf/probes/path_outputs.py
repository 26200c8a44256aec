"""Outputs of a model along paths: grouped by their length, looked at, refused if unusable."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from absl import logging
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.output_kinds import Look, predictions_of

# Paths of one length that are measured together, and outputs of all lengths that wait for it.
_PATHS_AT_ONCE = 64
_NUMBERS_AT_ONCE = 2**24
# Samples whose outputs are not finite, at most, of all.
_NOT_FINITE = 0.01


class Group(NamedTuple):
    """Some paths of one length.

    Attributes:
      rows: which ones, int64 [n].
      finite: whether all their outputs are, bool [n].
      endpoints_correct: whether both ends are classified correctly, bool [n, 2].
      outputs: of those that are finite, [m, N, C].
    """

    rows: NDArray[np.int64]
    finite: NDArray[np.bool_]
    endpoints_correct: NDArray[np.bool_]
    outputs: NDArray[np.float32]


def groups_of(
    stream: Iterator[NDArray], counts: NDArray[np.int64], labels: NDArray, outputs: str
) -> Iterator[Group]:
    """All paths, a few of one length at a time, with their outputs looked at.

    An output that is NaN or infinite is not correct. How many there are is logged.

    Args:
      stream: the outputs of each path, [N, C], one after the other.
      counts: samples N of each path, [p].
      labels: of the images at both ends, [p, 2].
      outputs: what they are, one of `output_kinds.OUTPUTS`.

    Raises:
      UserError: outputs that are not what they are said to be, more than 1 % of the samples not
        finite, or no path that is.
    """
    total, num_paths = int(counts.sum()), len(counts)
    seen = spoilt = whole = 0
    look = Look(outputs)
    for of_paths, found in _of_one_length(stream):
        rows = np.array(of_paths)
        there = np.isfinite(found).all(axis=-1)
        finite = there.all(axis=1)
        seen, whole = seen + there.size, whole + int(finite.sum())
        spoilt += int(np.sum(~there))
        if spoilt > _NOT_FINITE * total:
            raise UserError(
                "outputs along paths",
                expected=f"finite ones for all but {_NOT_FINITE:.0%} of the samples",
                got=f"others for {spoilt / seen:.1%}, {spoilt:,} of the first {seen:,}",
                hint="look for what diverged in the model",
            )
        if there.any():
            look.at(found if there.all() else found[there])
        predicted = predictions_of(found[:, [0, -1]], outputs)
        correct = there[:, [0, -1]] & (predicted == labels[rows])
        yield Group(rows, finite, correct, found if finite.all() else found[finite])
    look.refuse()
    if look.doubt:
        logging.warning("outputs along paths: %s", look.doubt)
    if spoilt:
        logging.warning(
            "outputs along paths: %s of %s samples are not finite; %s of %s paths are left out",
            *(f"{number:,}" for number in (spoilt, total, num_paths - whole, num_paths)),
        )
    if spoilt and not whole:
        raise UserError(
            "outputs along paths",
            expected="a path with finite ones at all samples",
            got=f"none among {num_paths:,}",
            hint="look for what diverged in the model",
        )


def _of_one_length(stream: Iterator[NDArray]) -> Iterator[tuple[list[int], NDArray]]:
    """Outputs [N, C] path by path -> numbers of paths of one length and their outputs [n, N, C].

    To measure many together takes a tenth of the time of each. The first path comes alone, so that
    what is wrong with a model shows at once.
    """
    waiting: dict[int, tuple[list[int], list[NDArray]]] = {}  # By their number of samples.
    held = 0
    for i, outputs in enumerate(stream):
        rows, outputs_of = waiting.setdefault(len(outputs), ([], []))
        rows.append(i)
        outputs_of.append(outputs.copy())  # Not a view, which would hold its whole batch.
        held += outputs.size
        full = len(outputs) if i == 0 or len(rows) == _PATHS_AT_ONCE else 0
        if held > _NUMBERS_AT_ONCE:
            full = max(waiting, key=lambda count: count * len(waiting[count][0]))
        if full:
            rows, outputs_of = waiting.pop(full)
            held -= sum(each.size for each in outputs_of)
            yield rows, np.stack(outputs_of)
    for rows, outputs_of in waiting.values():
        yield rows, np.stack(outputs_of)


def refuse_temperatures(temperatures: Sequence[float]) -> None:
    """Raises a UserError if there is none, or one that is not above 0."""
    if not len(temperatures) or not all(0 < t < math.inf for t in temperatures):
        raise UserError(
            "temperature",
            expected="a number above 0",
            got=", ".join(f"{t:g}" for t in temperatures) or "none",
            hint="1 leaves the predictions as they are",
        )
