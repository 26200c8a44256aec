"""Pictures of two coordinates: heat maps, grids, planes, decision regions."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from spectral_tf.records.figures.style import BLUE, COLOUR_MAP, ORANGE, new_figure


def heat_maps(
    rows: ArrayLike,
    columns: ArrayLike,
    panels: Mapping[str, NDArray[np.floating]],
    *,
    title: str,
    last_row: float | None = None,
    xlabel: str = "frequency [cycles per unit]",
    ylabel: str = "training step",
    label: str = "normalised magnitude 2|F[k]|/A",
    limits: tuple[float, float] = (0.0, 1.0),
    colour_map: str = COLOUR_MAP,
) -> Figure:
    """Values [rows, columns] as colours, one panel {its title: values} beside the other.

    The rows grow upwards and each is drawn from its own value to the next one's. Their axis always
    reaches to `last_row` (default: the last of them), so that pictures of a growing run compare;
    what is not there yet stays grey. All panels share axes and colours.
    """
    width = 6.4 if len(panels) == 1 else 1.6 + 2.9 * len(panels)
    figure, grid = new_figure(width=width, ncols=len(panels), sharey=True, squeeze=False)
    positions = np.asarray(rows, float)
    names = [f"{column:g}" for column in np.asarray(columns)]
    edges = positions if positions.size > 1 else np.repeat(positions, 2)
    shown = edges.size - 1
    for axes, (name, values) in zip(grid[0], panels.items(), strict=True):
        axes.set_facecolor("#dddddd")
        mesh = axes.pcolormesh(
            np.arange(len(names) + 1) - 0.5,
            edges,
            values[:shown],
            cmap=colour_map,
            vmin=limits[0],
            vmax=limits[1],
            rasterized=True,
        )
        crowd = len(names) * len(panels) / 24
        every = next((n for n in (1, 2, 5, 10, 20, 25, 50, 100) if n >= crowd), 200)
        ticks = range(0, len(names), every)
        axes.set_xticks(ticks, names[::every])
        axes.set(
            ylim=(positions[0], positions[-1] if last_row is None else last_row), xlabel=xlabel
        )
        axes.set_title(name if len(panels) > 1 else title, fontsize="medium" if name else None)
    grid[0][0].set_ylabel(ylabel)
    grid[0][0].yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    if len(panels) > 1:
        figure.suptitle(title)
    low = any(np.nanmin(values, initial=limits[0]) < limits[0] for values in panels.values())
    high = any(np.nanmax(values, initial=limits[1]) > limits[1] for values in panels.values())
    extend = {(0, 0): "neither", (0, 1): "max", (1, 0): "min", (1, 1): "both"}[low, high]
    figure.colorbar(mesh, ax=grid[0].tolist(), label=label, extend=extend)
    return figure


def grid_map(
    rows: Sequence[float | str],
    columns: Sequence[float | str],
    panels: Mapping[str, NDArray[np.floating]],
    *,
    xlabel: str,
    ylabel: str,
    label: str,
    title: str,
    limits: tuple[float, float],
) -> Figure:
    """One coloured square with its number for each cell [rows, columns]; rows grow upwards."""
    width = 1.4 + (1.2 + 0.55 * len(columns)) * len(panels)
    figure, grid = new_figure(
        width=max(6.4, width),
        height=1.6 + 0.36 * len(rows),
        ncols=len(panels),
        sharey=True,
        squeeze=False,
    )
    for axes, (name, values) in zip(grid[0], panels.items(), strict=True):
        image = axes.imshow(
            values, cmap=COLOUR_MAP, vmin=limits[0], vmax=limits[1], origin="lower", aspect="auto"
        )
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                dark = value < limits[0] + 0.6 * (limits[1] - limits[0])
                colour = "white" if dark else "black"
                text = "–" if np.isnan(value) else f"{value:.2f}"
                axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=7)
        names = [[k if isinstance(k, str) else f"{k:g}" for k in side] for side in (columns, rows)]
        turned = 90 * any(isinstance(k, str) for k in columns)
        axes.set_xticks(range(len(columns)), names[0], rotation=turned)
        axes.set_yticks(range(len(rows)), names[1])
        axes.set(xlabel=xlabel, title=name)
    grid[0][0].set_ylabel(ylabel)
    figure.suptitle(title)
    figure.colorbar(image, ax=grid[0].tolist(), label=label)
    return figure


def plane_maps(rows: Mapping[str, Mapping[str, NDArray[np.floating]]], *, title: str) -> Figure:
    """Values over the plane of image frequencies [h, w], the zero in the middle.

    A row {its label: {panel: values}} shares one scale of colours; its first panel is large, the
    others are beside it, half as wide.
    """
    others = max(map(len, rows.values())) - 1
    figure, grid = new_figure(
        width=5.6 + 2.1 * others,
        height=0.4 + 4.2 * len(rows),
        nrows=len(rows),
        ncols=1 + others,
        squeeze=False,
        width_ratios=[2] + [1] * others,
    )
    for line, (label, panels) in zip(grid, rows.items(), strict=True):
        most = max(float(np.max(values)) for values in panels.values())
        for axes, (name, values) in zip(line, panels.items(), strict=True):
            height, width = values.shape
            left, top = -(width // 2) - 0.5, -(height // 2) - 0.5
            extent = (left, left + width, top + height, top)
            image = axes.imshow(values, cmap=COLOUR_MAP, vmin=0, vmax=most, extent=extent)
            axes.set(xlabel="cycles to the right", title=name)
        line[0].set_ylabel("cycles downwards")
        figure.colorbar(image, ax=line.tolist(), label=label)
    figure.suptitle(title)
    return figure


def decision_regions(
    logits: Mapping[str, NDArray],
    extent: float,
    points: NDArray,
    labels: NDArray,
    *,
    title: str,
) -> Figure:
    """Where each network answers class 1 (filled), contours of |logit|, and the labelled points.

    Args:
      logits: {panel: values [m, m] over the square of +-extent, first axis upwards}.
      extent: half the side of the square.
      points: shape [n, 2].
      labels: 0 or 1, shape [n].
      title: of the figure.
    """
    figure, grid = new_figure(width=4.6 * len(logits), height=4.6, ncols=len(logits), squeeze=False)
    box = np.linspace(-extent, extent, next(iter(logits.values())).shape[0])
    for axes, (name, values) in zip(grid[0], logits.items(), strict=True):
        axes.contourf(box, box, values > 0, levels=[-0.5, 0.5, 1.5], colors=["#cfe3f2", "#f6d7c3"])
        axes.contour(box, box, np.abs(values), levels=15, colors="black", linewidths=0.3, alpha=0.5)
        for label, colour in enumerate((BLUE, ORANGE)):
            axes.plot(*points[labels == label].T, ".", color=colour, markersize=2.5)
        axes.set(title=name, aspect="equal", xlabel="x", ylabel="y")
    figure.suptitle(title)
    return figure
