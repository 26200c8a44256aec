"""What is measured while networks train, and when: declared once, recorded and shown from that."""

import itertools
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectral_tf.errors import UserError

# An axis over networks, the one index along it that is shown, or the label of every index.
Axis = str | int | Sequence[str]


class Measure(NamedTuple):
    """One measure of networks in training, or several that are taken together.

    Attributes:
      of: the loop, at a step -> values, or {name: values} of several; on all hosts, so that it
        may gather from them.
      at: the steps at which it is taken.
      axes: of the values, for TensorBoard. An axis that is a word (`"run"`) is averaged over; one
        of labels (`["k=005", "k=010"]`) makes a curve for each label, named `measure/label/...`,
        the mean over the indices that share it; of a number its index alone is shown. Or a function
        of what is measured -> {tag: number}. None: nothing.
    """

    of: Callable[[Any], NDArray | float | Mapping[str, NDArray | float]]
    at: Collection[int]
    axes: Sequence[Axis] | Callable[[Any], Mapping[str, float]] | None = None

    def take(self, name: str, loop: Any) -> tuple[dict[str, NDArray], dict[str, float]]:
        """{name: values} to be kept, and {tag: number} for TensorBoard."""
        given = self.of(loop)
        several = given if isinstance(given, Mapping) else {name: given}
        arrays = {key: np.asarray(values, np.float64) for key, values in several.items()}
        if callable(self.axes):
            shown = {tag: x for tag, x in self.axes(given).items() if np.isfinite(x)}
        else:
            shown = self.curves(name, arrays[name]) if self.axes else {}
        return arrays, shown

    def curves(self, name: str, values: NDArray[np.float64]) -> dict[str, float]:
        """{tag: number} of what axes of words show; networks that have stopped do not count.

        >>> measure = Measure(lambda loop: 0, [], axes=["run", ["k=1", "k=2"]])
        >>> measure.curves("magnitude", np.array([[0.5, 1.0], [1.5, 3.0]]))
        {'magnitude/k=1': 1.0, 'magnitude/k=2': 2.0}
        """
        assert isinstance(self.axes, Sequence)
        labelled = [
            _places(axis, size) for axis, size in zip(self.axes, np.shape(values), strict=True)
        ]
        found = {}
        for labels in itertools.product(*labelled):
            chosen = (indices[label] for indices, label in zip(labelled, labels, strict=True))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # Of the mean of nothing.
                mean = float(np.nanmean(values[np.ix_(*chosen)]))
            if np.isfinite(mean):
                found["/".join([name, *filter(None, labels)])] = mean
        return found


def _places(axis: Axis, size: int) -> dict[str, NDArray[np.int64]]:
    """{label: where it stands along the axis}, "" for none."""
    if isinstance(axis, str):
        return {"": np.arange(size)}
    if isinstance(axis, int):
        return {"": np.array([axis])}
    return {label: np.flatnonzero(np.equal(axis, label)) for label in dict.fromkeys(axis)}


def every(num_steps: int, interval: int, *also: int) -> list[int]:
    """0, each multiple of an interval, what is named besides and within reach, and the last step.

    Raises:
      UserError: an interval below 1.

    >>> every(10, 4, 1, 99)
    [0, 1, 4, 8, 10]
    """
    if interval < 1:
        raise UserError(
            "probe_every", expected="1 or more", got=interval, hint="100 is the papers'"
        )
    steps = {*range(0, num_steps + 1, interval), *also, num_steps}
    return sorted(step for step in steps if 0 <= step <= num_steps)
