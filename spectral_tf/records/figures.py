"""The figures, drawn once and kept as PNG file and as picture for TensorBoard."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from spectral_tf.records.files import whole_file
from spectral_tf.spectra import Band

# Perceptually even and safe for colour-blind readers.
_COLOUR_MAP = "viridis"
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


def heat_map(
    steps: Sequence[int],
    frequencies: Sequence[float],
    magnitudes: NDArray[np.floating],
    *,
    last_step: int,
    title: str,
) -> Figure:
    """Normalised magnitude [s, m] by training step (upwards) and frequency; colours 0 to 1.

    The axis of steps always reaches to `last_step`, so that pictures of a growing run compare;
    what is not trained yet stays grey. A row is drawn from its step to the next probe's.
    """
    figure, axes = _new()
    axes.set_facecolor("#dddddd")
    edges = np.append(np.asarray(steps, float), steps[-1])
    if len(steps) > 1:
        edges = edges[:-1]
        magnitudes = magnitudes[:-1]
    mesh = axes.pcolormesh(
        np.arange(len(frequencies) + 1) - 0.5,
        edges,
        magnitudes,
        cmap=_COLOUR_MAP,
        vmin=0.0,
        vmax=1.0,
        rasterized=True,
    )
    axes.set_xticks(range(len(frequencies)), [f"{k:g}" for k in frequencies])
    axes.set(
        ylim=(0, last_step),
        xlabel="frequency [cycles per unit]",
        ylabel="training step",
        title=title,
    )
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    figure.colorbar(mesh, ax=axes, label="normalised magnitude 2|F[k]|/A", extend="max")
    return figure


def learned_function(
    target: tuple[NDArray, NDArray], network: tuple[NDArray, NDArray], *, title: str
) -> Figure:
    """One network's function over its target, each as (positions, values)."""
    figure, axes = _new(height=3.2)
    axes.plot(*target, color=_BLUE, linewidth=1.0, label="target")
    axes.plot(*network, color=_ORANGE, linewidth=1.6, label="network")
    axes.set(xlabel="z [unit]", ylabel="value", title=title, xlim=(0, 1))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def curves(
    steps: Sequence[int],
    bands: Mapping[str, Band],
    *,
    ylabel: str,
    title: str,
    log: bool = True,
) -> Figure:
    """Curves {label: (value, low, high)} over training steps, intervals as bands."""
    figure, axes = _new()
    colours = _colours(len(bands))
    for colour, (label, (value, low, high)) in zip(colours, bands.items(), strict=True):
        axes.plot(steps, value, color=colour, linewidth=1.4, label=label)
        axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
    if log:
        axes.set_yscale("log")
    axes.set(xlabel="training step", ylabel=ylabel, title=title, xlim=(0, max(steps)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(alpha=0.3)
    if len(bands) > 1:
        axes.legend(fontsize="small")
    return figure


def _colours(count: int) -> NDArray:
    import matplotlib

    return matplotlib.colormaps[_COLOUR_MAP](np.linspace(0, 0.9, max(count, 1)))


def learning_time_plot(
    frequencies: NDArray,
    times: Mapping[float, Band],
    *,
    law: tuple[float, float, str],
    title: str,
) -> Figure:
    """Learning time against frequency, both axes logarithmic, with the fitted power law.

    Args:
      frequencies: cycles per unit.
      times: {level: (step, low, high)}; "never" is left out, an open interval ends at the top.
      law: prefactor, exponent and label of the line.
      title: of the figure.
    """
    figure, axes = _new()
    k = np.asarray(frequencies, float)
    markers = "osv^D"
    for i, (level, (step, low, high)) in enumerate(times.items()):
        seen = np.isfinite(step) & (step > 0)
        if not seen.any():
            continue
        top = 2 * np.max(step[seen])
        below = np.nan_to_num(step[seen] - low[seen], nan=0.0)
        above = np.nan_to_num(np.minimum(high[seen], top) - step[seen], nan=0.0)
        axes.errorbar(
            k[seen],
            step[seen],
            yerr=np.maximum([below, above], 0.0),
            fmt=markers[i % len(markers)],
            color=(_BLUE, _ORANGE)[i % 2],
            capsize=3,
            markersize=5,
            label=f"level {level:g}",
        )
    prefactor, exponent, label = law
    if np.isfinite(exponent):
        axes.plot(k, prefactor * k**exponent, color=_GREY, linestyle="--", label=label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="frequency [cycles per unit]",
        ylabel="learning time [steps]",
        title=title,
    )
    axes.set_xticks(k, [f"{value:g}" for value in k])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
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
