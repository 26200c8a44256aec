"""Functions that networks have learned, and what they predict along paths."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from spectral_tf.records.figures.style import BLUE, ORANGE, hues, new_figure


def learned_function(
    target: tuple[NDArray, NDArray],
    network: tuple[NDArray, NDArray],
    *,
    title: str,
    window: tuple[float, float] = (0.0, 1.0),
    xlabel: str = "z [unit]",
) -> Figure:
    """One network's function over its target, each as (positions, values), within a window."""
    figure, axes = new_figure(height=3.2)
    axes.plot(*target, color=BLUE, linewidth=1.0, label="target")
    axes.plot(*network, color=ORANGE, linewidth=1.6, label="network")
    axes.set(xlabel=xlabel, ylabel="value", title=title, xlim=window)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


class AlongPath(NamedTuple):
    """One path of `predictions_along`: the samples, what is predicted there, and pictures of some.

    Attributes:
      name: of the path.
      distance: of every sample from the first, [n].
      predictions: {class name: its probability, [n]}.
      images: [m, h, w, c] in [0, 1], evenly along the path; m may be 0.
    """

    name: str
    distance: ArrayLike
    predictions: Mapping[str, ArrayLike]
    images: NDArray


def predictions_along(paths: Sequence[AlongPath], *, title: str) -> Figure:
    """The probabilities of the classes along each path, with the images on it beneath."""
    columns = min(3, len(paths))
    rows = -(-len(paths) // columns)
    figure, grid = new_figure(
        width=1.0 + 4.0 * columns,
        height=0.6 + 2.7 * rows,
        nrows=2 * rows,
        ncols=columns,
        squeeze=False,
        height_ratios=[4, 1] * rows,
    )
    for axes in grid.flat:
        axes.set_axis_off()
    classes = list(dict.fromkeys(name for path in paths for name in path.predictions))
    colours = dict(zip(classes, hues(len(classes)), strict=True))
    for i, path in enumerate(paths):
        upper, lower = (grid[2 * (i // columns) + j][i % columns] for j in (0, 1))
        upper.set_axis_on()
        for label, values in path.predictions.items():
            upper.plot(path.distance, values, color=colours[label], linewidth=1.4, label=label)
        upper.set(title=path.name, ylim=(-0.03, 1.03), xlabel="distance", ylabel="probability")
        upper.legend(fontsize="x-small")
        upper.grid(alpha=0.3)
        if not len(path.images):
            continue
        strip = np.concatenate([np.pad(x, ((0, 0), (0, 1), (0, 0))) for x in path.images], axis=1)
        lower.imshow(np.clip(strip.squeeze(), 0, 1), cmap="gray", vmin=0, vmax=1)
    figure.suptitle(title)
    return figure
