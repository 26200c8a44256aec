"""What is measured while networks train, and when: declared once, recorded and shown from that."""

import itertools
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# An axis over networks, whose mean is shown, or {form of a tag: coordinates along the axis}.
Axis = str | Mapping[str, Sequence[Any]]


class Measure(NamedTuple):
    """One measure of networks in training.

    Attributes:
      of: the session, at a step -> values; on all hosts, so that it may gather from them.
      at: the steps at which it is taken; None: at all that the session stops at.
      axes: of the values, for TensorBoard: the mean over networks (an axis that is a word) at every
        coordinate of the others is a curve, named `measure/coordinate/...` (`{"k={:03d}": [5, 10]}`
        makes `k=005` and `k=010`). None: not shown.
    """

    of: Callable[[Any], NDArray | float]
    at: Collection[int] | None = None
    axes: Sequence[Axis] | None = None

    def curves(self, name: str, values: NDArray[np.float64]) -> dict[str, float]:
        """{tag: number} of what TensorBoard shows; networks that have stopped do not count.

        >>> measure = Measure(lambda session: 0, axes=["run", {"k={:02d}": [1, 2]}])
        >>> measure.curves("magnitude", np.array([[0.5, 1.0], [1.5, 3.0]]))
        {'magnitude/k=01': 1.0, 'magnitude/k=02': 2.0}
        """
        if self.axes is None:
            return {}
        over = tuple(i for i, axis in enumerate(self.axes) if isinstance(axis, str))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # Of means of nothing.
            means = np.nanmean(values, axis=over) if over else values
        labels = [
            [form.format(value) for value in values_]
            for axis in self.axes
            if not isinstance(axis, str)
            for form, values_ in axis.items()
        ]
        found = zip(itertools.product(*labels), np.ravel(means), strict=True)
        return {"/".join([name, *label]): float(mean) for label, mean in found if np.isfinite(mean)}


def every(num_steps: int, interval: int, *also: int) -> list[int]:
    """0, each multiple of an interval, what is named besides and within reach, and the last step.

    >>> every(10, 4, 1, 99)
    [0, 1, 4, 8, 10]
    """
    steps = {*range(0, num_steps + 1, interval), *also, num_steps}
    return sorted(step for step in steps if 0 <= step <= num_steps)
