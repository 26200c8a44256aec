"""Curves and points with their intervals, alone or in panels."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from spectral_tf.records.figures.style import (
    GREY,
    MARKERS,
    STYLES,
    hues,
    legend_beside,
    new_figure,
    shades,
    turn_of,
)
from spectral_tf.spectra import Estimate


class Line(NamedTuple):
    """One curve of `lines`: points, label, the ends of its interval, matplotlib's line style.

    A style that is a marker ("o") gives points with error bars, any other a line with a band.
    Without a colour of its own a curve gets one by its place: as a category, or on a scale where
    the curves have an order.
    """

    x: ArrayLike
    y: ArrayLike
    label: str = ""
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    style: str = "-"
    colour: str = ""

    @classmethod
    def of(
        cls, x: ArrayLike, estimate: Estimate, label: str = "", style: str = "-", colour: str = ""
    ) -> "Line":
        """The curve of an array of estimates."""
        return cls(x, estimate.value, label, estimate.low, estimate.high, style, colour)


def draw_line(axes: Any, line: Line, colour: Any) -> None:
    """A curve on given axes, with its interval as a band."""
    axes.plot(
        *(line.x, line.y, line.style), color=colour, linewidth=1.4, markersize=4, label=line.label
    )
    if line.low is not None and line.high is not None:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)


def draw_points(axes: Any, line: Line, colour: Any) -> None:
    """Points on given axes, with their intervals as bars.

    An unknown interval has no bar, an open end is an arrow at twice the highest point.
    """
    x, y = (np.asarray(values, float) for values in (line.x, line.y))
    bars = None
    if line.low is not None and line.high is not None:
        top = 2 * np.max(y[np.isfinite(y)], initial=0.0)
        with np.errstate(invalid="ignore"):
            ends = np.array([y - line.low, np.minimum(line.high, top) - y])
        bars = np.maximum(np.nan_to_num(ends, nan=0.0, posinf=0.0, neginf=0.0), 0.0)
        if not bars.any():
            bars = None
    style = {"fmt": line.style, "color": colour, "capsize": 3, "markersize": 4}
    axes.errorbar(x, y, yerr=bars, label=line.label, **style)
    if (
        bars is not None
        and (beyond := (np.asarray(line.high, float) == np.inf) & np.isfinite(y)).any()
    ):
        axes.plot(x[beyond], np.full(beyond.sum(), top), "^", color=colour, markersize=6)


def draw_either(axes: Any, line: Line, colour: Any) -> None:
    """Points where the style is a marker, else a curve."""
    (draw_points if line.style in MARKERS else draw_line)(axes, line, line.colour or colour)


def draw_all(
    axes: Any, series: Sequence[Line], *, ordered: bool, numbers: Sequence[int] | None = None
) -> None:
    """Curves, each in a colour by its number, and in a style of its own where colours come again.

    Args:
      axes: to draw on.
      series: the curves.
      ordered: whether their numbers are an order.
      numbers: of each; default: its place among those without a colour of their own.
    """
    places = numbers
    if places is None:
        without = itertools.accumulate((not line.colour for line in series), initial=0)
        places = list(without)[: len(series)]
    colours = (shades if ordered else hues)(max(places, default=0) + 1)
    for place, line in zip(places, series, strict=True):
        turn = 0 if ordered or line.colour else turn_of(place)
        if turn and line.style == "-":
            line = line._replace(style=STYLES[turn % len(STYLES)])
        elif turn and line.style == "o":
            line = line._replace(style=MARKERS[turn % len(MARKERS)])
        draw_either(axes, line, colours[place])


def end_below_the_curves(axes: Any, series: Iterable[Line]) -> None:
    """On a logarithmic axis a band that reaches to 0 leaves the picture instead of filling it."""
    shown = [
        line.low if line.style in MARKERS and line.low is not None else line.y for line in series
    ]
    values = np.concatenate([np.ravel(np.asarray(values, float)) for values in shown])
    positive = values[np.isfinite(values) & (values > 0)]
    if axes.get_yscale() == "log" and positive.size:
        axes.set_ylim(bottom=0.5 * positive.min())


def lines(
    series: Sequence[Line],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    xscale: str = "linear",
    yscale: str = "linear",
    colours: Sequence[int] | None = None,
    ordered: bool = False,
) -> Figure:
    """Curves with their intervals in one picture.

    Args:
      series: the curves.
      xlabel, ylabel, title, xscale, yscale: of the axes.
      colours: equal numbers get equal colours; default: each its own.
      ordered: whether the curves have an order, as frequencies or steps have.
    """
    figure, axes = new_figure()
    draw_all(axes, series, ordered=ordered, numbers=colours)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xscale=xscale, yscale=yscale)
    end_below_the_curves(axes, series)
    axes.grid(alpha=0.3)
    legend_beside(figure, axes)
    return figure


def curves(
    steps: Sequence[int],
    means: Mapping[str, Estimate],
    *,
    ylabel: str,
    title: str,
    log: bool = True,
    ordered: bool = False,
) -> Figure:
    """Curves {label: estimate [s]} over training steps, intervals as bands; as `lines`."""
    figure = lines(
        [Line.of(steps, mean, label) for label, mean in means.items()],
        xlabel="training step",
        ylabel=ylabel,
        title=title,
        yscale="log" if log else "linear",
        ordered=ordered,
    )
    axes = figure.axes[0]
    axes.set_xlim(0, max(steps))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure


def curve_panels(
    steps: Sequence[int],
    panels: Mapping[str, Mapping[str, Estimate]],
    *,
    ylabel: str,
    title: str,
    reference: tuple[str, Estimate] | None = None,
    ordered: bool = False,
) -> Figure:
    """Panels of curves {panel: {label: estimate [s]}} over training steps, log axis upwards.

    The reference (label, estimate) is drawn dashed in each, without its interval; all panels share
    both axes. Each has its names to its right.
    """
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = new_figure(
        width=1.2 + 5.6 * columns,
        height=1.2 + 2.9 * rows,
        nrows=rows,
        ncols=columns,
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    shown = []
    for axes, (name, group) in zip(grid.flat, panels.items(), strict=False):
        series = [Line.of(steps, mean, label) for label, mean in group.items()]
        draw_all(axes, series, ordered=ordered)
        if reference:
            series.append(Line(steps, reference[1].value, reference[0], style="--"))
            draw_line(axes, series[-1], GREY)
        shown += series
        axes.set(title=name, yscale="log", xlim=(0, max(steps)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))
    end_below_the_curves(grid[0, 0], shown)  # All share it.
    for axes in grid[:, 0]:
        axes.set_ylabel(ylabel)
    for axes in grid[-1]:
        axes.set_xlabel("training step")
    figure.suptitle(title)
    return figure


class Panel(NamedTuple):
    """One panel of `line_panels`: curves, axes, and levels {name: value} drawn across.

    What is left out, (from, to) on the first axis, is drawn grey and called by the name. Colours
    are those of categories, or on a scale where the curves have an order.
    """

    series: Sequence[Line]
    xlabel: str
    ylabel: str
    levels: Mapping[str, float] = {}
    xscale: str = "linear"
    name: str = ""
    yscale: str = "linear"
    left_out: Sequence[tuple[float, float]] = ()
    left_out_name: str = "left out"
    ordered: bool = False


def line_panels(panels: Sequence[Panel], *, title: str, columns: int = 0) -> Figure:
    """Panels side by side, each with axes of its own, and one legend for all.

    Args:
      panels: in order.
      title: of all.
      columns: panels in a row; 0: all.
    """
    columns = min(columns, len(panels)) or len(panels)
    rows = -(-len(panels) // columns)
    size = {"width": 2.2 + 4.0 * columns, "height": 3.9 if rows == 1 else 0.6 + 3.2 * rows}
    figure, grid = new_figure(**size, nrows=rows, ncols=columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    named: dict[str, Any] = {}
    for axes, panel in zip(grid.flat, panels, strict=False):
        draw_all(axes, panel.series, ordered=panel.ordered)
        for start, end in panel.left_out:
            axes.axvspan(start, end, color="#dddddd", linewidth=0, label=panel.left_out_name)
        for (label, value), style in zip(panel.levels.items(), ("--", ":"), strict=False):
            axes.axhline(value, linestyle=style, color=GREY, linewidth=1.0, label=label)
        axes.set(xlabel=panel.xlabel, ylabel=panel.ylabel, title=panel.name, xscale=panel.xscale)
        axes.set_yscale(panel.yscale)
        if panel.xscale == "log":
            positions = sorted({float(x) for line in panel.series for x in np.asarray(line.x)})
            names = [f"{x:,.0f}" if x >= 1_000 else f"{x:.3g}" for x in positions]
            axes.set_xticks(positions, names, fontsize="small")
            axes.set_xticks([], minor=True)
            axes.set_xlim(positions[0] / 1.15, positions[-1] * 1.15)
        else:
            axes.locator_params(axis="x", nbins=6)
        axes.grid(alpha=0.3)
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if len(named) > 1:
        figure.legend(named.values(), named.keys(), fontsize="small", loc="outside right upper")
    figure.suptitle(title)
    return figure
