"""The figures, drawn once and kept as PNG file and as picture for TensorBoard."""

import logging
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from spectral_tf.records.files import whole_file
from spectral_tf.records.report import Animation
from spectral_tf.spectra import Estimate, PowerLaw

# It tells which writer saves an animation.
logging.getLogger("matplotlib.animation").setLevel(logging.WARNING)

# Perceptually even and safe for colour-blind readers.
_COLOUR_MAP = "viridis"
_MARKERS = "osv^D"
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#777777"


def save_figure(figure: Figure, path: pathlib.Path | None) -> NDArray[np.uint8]:
    """Writes a PNG (unless path is None) and returns its pixels, uint8 [height, width, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    if path is not None:
        with whole_file(path) as temporary:
            Image.fromarray(pixels).save(temporary, format="png", optimize=True)
    return pixels


def _new(width: float = 6.4, height: float = 4.4, **subplots: Any) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.subplots(**subplots)


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
) -> Figure:
    """Values [rows, columns] as colours, one panel {its title: values} beside the other.

    The rows grow upwards and each is drawn from its place to the next one's. Their axis always
    reaches to `last_row` (default: the last of them), so that pictures of a growing run compare;
    what is not there yet stays grey. All panels share axes and colours.
    """
    width = 6.4 if len(panels) == 1 else 1.6 + 2.9 * len(panels)
    figure, grid = _new(width=width, ncols=len(panels), sharey=True, squeeze=False)
    places = np.asarray(rows, float)
    names = [f"{column:g}" for column in np.asarray(columns)]
    edges = places if places.size > 1 else np.repeat(places, 2)
    shown = edges.size - 1
    for axes, (name, values) in zip(grid[0], panels.items(), strict=True):
        axes.set_facecolor("#dddddd")
        mesh = axes.pcolormesh(
            np.arange(len(names) + 1) - 0.5,
            edges,
            values[:shown],
            cmap=_COLOUR_MAP,
            vmin=limits[0],
            vmax=limits[1],
            rasterized=True,
        )
        crowd = len(names) * len(panels) / 24
        every = next((n for n in (1, 2, 5, 10, 20, 25, 50, 100) if n >= crowd), 200)
        ticks = range(0, len(names), every)
        axes.set_xticks(ticks, names[::every])
        axes.set(ylim=(places[0], places[-1] if last_row is None else last_row), xlabel=xlabel)
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
    figure, grid = _new(
        width=max(6.4, width),
        height=1.6 + 0.36 * len(rows),
        ncols=len(panels),
        sharey=True,
        squeeze=False,
    )
    for axes, (name, values) in zip(grid[0], panels.items(), strict=True):
        image = axes.imshow(
            values, cmap=_COLOUR_MAP, vmin=limits[0], vmax=limits[1], origin="lower", aspect="auto"
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
    figure, grid = _new(
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
            image = axes.imshow(values, cmap=_COLOUR_MAP, vmin=0, vmax=most, extent=extent)
            axes.set(xlabel="cycles to the right", title=name)
        line[0].set_ylabel("cycles downwards")
        figure.colorbar(image, ax=line.tolist(), label=label)
    figure.suptitle(title)
    return figure


def learned_function(
    target: tuple[NDArray, NDArray],
    network: tuple[NDArray, NDArray],
    *,
    title: str,
    window: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """One network's function over its target, each as (positions, values), within a window."""
    figure, axes = _new(height=3.2)
    axes.plot(*target, color=_BLUE, linewidth=1.0, label="target")
    axes.plot(*network, color=_ORANGE, linewidth=1.6, label="network")
    axes.set(xlabel="z [unit]", ylabel="value", title=title, xlim=window)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def animation(*drawn: Any, **named: Any) -> Animation:
    """An animation that `save_animation` is to write, by its arguments but for the path."""
    return Animation(lambda path: save_animation(path, *drawn, **named))


def save_animation(
    path: pathlib.Path,
    target: tuple[NDArray, NDArray],
    positions: NDArray,
    functions: NDArray,
    steps: Sequence[int],
    *,
    title: str,
    window: tuple[float, float] = (0.0, 1.0),
    seconds: float = 8.0,
) -> None:
    """Writes an animated GIF: the learned function [s, n] over its target while it trains.

    At most 80 frames, denser where training is young (their steps grow about geometrically, as
    learning times do); the last one stays for a while.
    """
    wanted = np.unique(np.geomspace(1, len(steps), 80).astype(int) - 1)
    low, high = np.min(target[1]), np.max(target[1])
    margin = 0.1 * (high - low)
    figure, axes = _new(width=6.4, height=3.2)
    figure.set_dpi(90)
    axes.plot(*target, color=_BLUE, linewidth=1.0, label="target")
    (line,) = axes.plot(positions, functions[0], color=_ORANGE, linewidth=1.6, label="network")
    axes.set(xlabel="z [unit]", ylabel="value", xlim=window, ylim=(low - margin, high + margin))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    frames = [*wanted, *[wanted[-1]] * (len(wanted) // 4)]

    def draw(i: int) -> list[Any]:
        line.set_ydata(functions[i])
        axes.set_title(f"{title}, step {steps[i]:,}")
        return [line]

    FigureCanvasAgg(figure)
    animation = FuncAnimation(figure, draw, frames=frames)
    with whole_file(path) as temporary:
        writer = PillowWriter(fps=max(1, round(len(frames) / seconds)))
        # The name must end in .gif for the writer.
        picture = temporary.with_suffix(".gif")
        try:
            animation.save(str(picture), writer=writer, dpi=90)
            picture.replace(temporary)
        finally:
            picture.unlink(missing_ok=True)


class Line(NamedTuple):
    """One curve of `lines`: points, label, the ends of its interval, matplotlib's line style.

    A style that is a marker ("o") gives points with error bars, any other a line with a band.
    Without a colour of its own a curve gets one from the colour map.
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
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.2, linewidth=0)


def draw_points(axes: Any, line: Line, colour: Any) -> None:
    """Points on given axes, with their intervals as bars.

    An unknown interval has no bar, an open end reaches to twice the highest point.
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


def _draw(axes: Any, line: Line, colour: Any) -> None:
    (draw_points if line.style in _MARKERS else draw_line)(axes, line, line.colour or colour)


def _end_below_the_curves(axes: Any, series: Iterable[Line]) -> None:
    """On a logarithmic axis a band that reaches to 0 leaves the picture instead of filling it."""
    shown = [
        line.low if line.style in _MARKERS and line.low is not None else line.y for line in series
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
) -> Figure:
    """Curves with their intervals in one picture; `colours` gives equal numbers equal colours."""
    figure, axes = _new()
    numbers = range(len(series)) if colours is None else colours
    shades = _colours(max(numbers, default=0) + 1)
    for number, line in zip(numbers, series, strict=True):
        _draw(axes, line, shades[number])
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xscale=xscale, yscale=yscale)
    _end_below_the_curves(axes, series)
    axes.grid(alpha=0.3)
    if any(line.label for line in series) and len(series) > 1:
        axes.legend(fontsize="small")
    return figure


def curves(
    steps: Sequence[int],
    means: Mapping[str, Estimate],
    *,
    ylabel: str,
    title: str,
    log: bool = True,
) -> Figure:
    """Curves {label: estimate [s]} over training steps, intervals as bands."""
    figure = lines(
        [Line.of(steps, mean, label) for label, mean in means.items()],
        xlabel="training step",
        ylabel=ylabel,
        title=title,
        yscale="log" if log else "linear",
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
) -> Figure:
    """Panels of curves {panel: {label: estimate [s]}} over training steps, log axis upwards.

    The reference (label, estimate) is drawn dashed in each, without its interval; all panels share
    both axes.
    """
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = _new(
        width=1.2 + 4.4 * columns,
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
        for colour, line in zip(_colours(len(group)), series, strict=True):
            draw_line(axes, line, colour)
        if reference:
            series.append(Line(steps, reference[1].value, reference[0], style="--"))
            draw_line(axes, series[-1], _GREY)
        shown += series
        axes.set(title=name, yscale="log", xlim=(0, max(steps)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    _end_below_the_curves(grid[0, 0], shown)  # All share it.
    for axes in grid[:, 0]:
        axes.set_ylabel(ylabel)
    for axes in grid[-1]:
        axes.set_xlabel("training step")
    figure.suptitle(title)
    return figure


class Panel(NamedTuple):
    """One panel of `line_panels`: curves, axes, and levels {name: value} drawn across.

    What is left out, (from, to) on the first axis, is drawn grey and called by the name.
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


def shades(count: int) -> list[str]:
    """So many colours of the scale, from dark to bright, as Line.colour takes them."""
    return [to_hex(colour) for colour in _colours(count)]


def line_panels(panels: Sequence[Panel], *, title: str) -> Figure:
    """Panels side by side, each with axes of its own, and one legend for all."""
    width = 2.2 + 4.0 * len(panels)
    figure, grid = _new(width=width, height=3.9, ncols=len(panels), squeeze=False)
    named: dict[str, Any] = {}
    for axes, panel in zip(grid[0], panels, strict=True):
        for shade, line in zip(_colours(len(panel.series)), panel.series, strict=True):
            _draw(axes, line, shade)
        for start, end in panel.left_out:
            axes.axvspan(start, end, color="#dddddd", linewidth=0, label=panel.left_out_name)
        for (label, value), style in zip(panel.levels.items(), ("--", ":"), strict=False):
            axes.axhline(value, linestyle=style, color=_GREY, linewidth=1.0, label=label)
        axes.set(xlabel=panel.xlabel, ylabel=panel.ylabel, title=panel.name, xscale=panel.xscale)
        axes.set_yscale(panel.yscale)
        if panel.xscale == "log":
            places = sorted({float(x) for line in panel.series for x in np.asarray(line.x)})
            axes.set_xticks(places, [f"{x:.3g}" for x in places], fontsize="small")
            axes.set_xticks([], minor=True)
            axes.set_xlim(places[0] / 1.15, places[-1] * 1.15)
        else:
            axes.locator_params(axis="x", nbins=6)
        axes.grid(alpha=0.3)
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    if len(named) > 1:
        figure.legend(named.values(), named.keys(), fontsize="small", loc="outside right upper")
    figure.suptitle(title)
    return figure


def _colours(count: int) -> NDArray:
    import matplotlib

    return matplotlib.colormaps[_COLOUR_MAP](np.linspace(0, 0.9, max(count, 1))[:count])


def learning_time_plot(
    frequencies: NDArray,
    times: Mapping[float, Estimate],
    *,
    law: PowerLaw,
    title: str,
    ylabel: str = "learning time [steps]",
) -> Figure:
    """Learning time against frequency, both axes logarithmic, with the fitted power law.

    Args:
      frequencies: cycles per unit, [m].
      times: {level: estimate [m]}; "never" is left out, an open interval ends at the top.
      law: of the first level; no line where too few points gave no exponent.
      title, ylabel: of the figure; other times and half-lives look the same.
    """
    figure, axes = _new()
    k = np.asarray(frequencies, float)
    for i, (level, time) in enumerate(times.items()):
        seen = np.isfinite(time.value) & (time.value > 0)
        if seen.any():
            points = Line.of(k[seen], time[seen], f"level {level:g}", _MARKERS[i % len(_MARKERS)])
            draw_points(axes, points, (_BLUE, _ORANGE)[i % 2])
    if np.isfinite(law.exponent.value):
        first = next(iter(times.values())).value
        fitted = k[np.isfinite(first) & (first > 0)]
        y = law.prefactor * fitted ** float(law.exponent.value)
        axes.plot(fitted, y, color=_GREY, linestyle="--", label=law.label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="frequency [cycles per unit]",
        ylabel=ylabel,
        title=title,
    )
    axes.set_xticks(k, [f"{value:g}" for value in k])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
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
    figure, grid = _new(width=4.6 * len(logits), height=4.6, ncols=len(logits), squeeze=False)
    box = np.linspace(-extent, extent, next(iter(logits.values())).shape[0])
    for axes, (name, values) in zip(grid[0], logits.items(), strict=True):
        axes.contourf(box, box, values > 0, levels=[-0.5, 0.5, 1.5], colors=["#cfe3f2", "#f6d7c3"])
        axes.contour(box, box, np.abs(values), levels=15, colors="black", linewidths=0.3, alpha=0.5)
        for label, colour in enumerate((_BLUE, _ORANGE)):
            axes.plot(*points[labels == label].T, ".", color=colour, markersize=2.5)
        axes.set(title=name, aspect="equal", xlabel="x", ylabel="y")
    figure.suptitle(title)
    return figure


def setting_plot(
    panels: Mapping[str, Mapping[str, Sequence[tuple[str, Estimate]]]],
    *,
    ylabel: str,
    title: str,
) -> Figure:
    """One panel for each sweep, in it {label: points}, each (setting, estimate)."""
    figure, grid = _new(
        width=1.2 + 2.2 * len(panels), height=3.6, ncols=len(panels), sharey=True, squeeze=False
    )
    for axes, (name, curves) in zip(grid[0], panels.items(), strict=True):
        for i, (label, points) in enumerate(curves.items()):
            settings = [setting for setting, _ in points]
            value, low, high = (
                [float(getattr(estimate, end)) for _, estimate in points]
                for end in ("value", "low", "high")
            )
            places = np.arange(len(settings)) + 0.16 * (i - (len(curves) - 1) / 2)
            line = Line(places, value, label, low, high, "o-")
            draw_points(axes, line, (_ORANGE, _BLUE)[i % 2])
        axes.set_xticks(range(len(settings)), settings)
        axes.set(xlabel=name.replace("_", " "), xlim=(-0.5, len(settings) - 0.5))
        axes.grid(alpha=0.3)
    grid[0][0].set_ylabel(ylabel)
    grid[0][0].legend(fontsize="small")
    figure.suptitle(title)
    return figure


class AlongPath(NamedTuple):
    """One path of `predictions_along`: the samples, what is answered there, and pictures of some.

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
    figure, grid = _new(
        width=1.0 + 4.0 * columns,
        height=0.6 + 2.7 * rows,
        nrows=2 * rows,
        ncols=columns,
        squeeze=False,
        height_ratios=[4, 1] * rows,
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for i, path in enumerate(paths):
        upper, lower = (grid[2 * (i // columns) + j][i % columns] for j in (0, 1))
        upper.set_axis_on()
        for (label, values), colour in zip(
            path.predictions.items(), _colours(len(path.predictions)), strict=True
        ):
            upper.plot(path.distance, values, color=colour, linewidth=1.4, label=label)
        upper.set(title=path.name, ylim=(-0.03, 1.03), xlabel="distance", ylabel="probability")
        upper.legend(fontsize="x-small")
        upper.grid(alpha=0.3)
        if not len(path.images):
            continue
        strip = np.concatenate([np.pad(x, ((0, 0), (0, 1), (0, 0))) for x in path.images], axis=1)
        lower.imshow(np.clip(strip.squeeze(), 0, 1), cmap="gray", vmin=0, vmax=1)
    figure.suptitle(title)
    return figure


def image_rows(rows: Mapping[str, NDArray], *, title: str) -> Figure:
    """Rows of small pictures {label: images [n, h, w, c] in [0, 1]}; what lies outside is cut."""
    columns = max(len(images) for images in rows.values())
    figure, grid = _new(
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
    figure, axes = _new(width=7.6, height=0.8 + 0.42 * len(bars))
    places = np.arange(len(bars))[::-1]
    medians, bests = np.transpose(list(bars.values()))
    axes.barh(places, medians, color=_BLUE, height=0.6, label="median")
    axes.plot(bests, places, "|", color="black", markersize=12, label="best")
    axes.axvline(line[0], color=_ORANGE, linestyle="--", label=line[1])
    axes.set_yticks(places, list(bars))
    axes.set(xlabel=xlabel, title=title, xlim=(0, 1.05 * max(line[0], *bests)))
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure
