"""Images in rows, and bars."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spectral_tf.records.figures.style import BLUE, ORANGE, new_figure


def image_rows(rows: Mapping[str, NDArray], *, title: str) -> Figure:
    """Rows of small pictures {label: images [n, h, w, c] in [0, 1]}; what lies outside is cut."""
    columns = max(len(images) for images in rows.values())
    figure, grid = new_figure(
        width=1.4 + 0.62 * columns, height=0.6 + 0.66 * len(rows), nrows=len(rows), squeeze=False
    )
    for axes, (label, images) in zip(grid[:, 0], rows.items(), strict=True):
        strip = np.concatenate([np.pad(i, ((0, 0), (0, 1), (0, 0))) for i in images], axis=1)
        axes.imshow(np.clip(strip.squeeze(), 0, 1), cmap="gray", vmin=0, vmax=1)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_ylabel(label, rotation=0, ha="right", va="center")
    figure.suptitle(title)
    return figure


def bar_chart(
    bars: Mapping[str, tuple[float, float]], line: tuple[float, str], *, xlabel: str, title: str
) -> Figure:
    """Horizontal bars {label: (median, best)}, the best as a mark, against one reference line."""
    figure, axes = new_figure(width=7.6, height=0.8 + 0.42 * len(bars))
    positions = np.arange(len(bars))[::-1]
    medians, bests = np.transpose(list(bars.values()))
    axes.barh(positions, medians, color=BLUE, height=0.6, label="median")
    axes.plot(bests, positions, "|", color="black", markersize=12, label="best")
    axes.axvline(line[0], color=ORANGE, linestyle="--", label=line[1])
    axes.set_yticks(positions, list(bars))
    axes.set(xlabel=xlabel, title=title, xlim=(0, 1.05 * max(line[0], *bests)))
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure
