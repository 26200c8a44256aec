"""Learning times against frequency, and frequencies against a setting."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import NDArray

from spectral_tf.records.figures.lines import Line, draw_points
from spectral_tf.records.figures.style import BLUE, GREY, MARKERS, ORANGE, new_figure
from spectral_tf.spectra import Estimate, PowerLaw


def learning_time_plot(
    frequencies: NDArray,
    times: Mapping[float, Estimate],
    *,
    law: PowerLaw,
    title: str,
    ylabel: str = "learning time [steps]",
    xlabel: str = "frequency [cycles per unit]",
) -> Figure:
    """Learning time against frequency, both axes logarithmic, with the fitted power law.

    Args:
      frequencies: cycles per unit, [m].
      times: {level: estimate [m]}; "never" is left out, an open interval ends in an arrow.
      law: of the first level; no line where too few points gave no exponent.
      title, ylabel, xlabel: of the figure; other times and half-attenuation norms look the same.
    """
    figure, axes = new_figure()
    k = np.asarray(frequencies, float)
    for i, (level, time) in enumerate(times.items()):
        seen = np.isfinite(time.value) & (time.value > 0)
        if seen.any():
            points = Line.of(k[seen], time[seen], f"level {level:g}", MARKERS[i % len(MARKERS)])
            draw_points(axes, points, (BLUE, ORANGE)[i % 2])
    if np.isfinite(law.exponent.value):
        first = next(iter(times.values())).value
        fitted = k[np.isfinite(first) & (first > 0)]
        y = law.prefactor * fitted ** float(law.exponent.value)
        axes.plot(fitted, y, color=GREY, linestyle="--", label=law.label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel=xlabel,
        ylabel=ylabel,
        title=title,
    )
    axes.set_xticks(k, [f"{value:g}" for value in k], fontsize="small")
    axes.tick_params(axis="x", labelrotation=45 if k.size > 6 else 0)  # They would touch.
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    return figure


def setting_plot(
    panels: Mapping[str, Mapping[str, Sequence[tuple[str, Estimate]]]],
    *,
    ylabel: str,
    title: str,
) -> Figure:
    """One panel for each sweep, in it {label: points}, each (setting, estimate)."""
    figure, grid = new_figure(
        width=2.6 + 2.2 * len(panels), height=3.6, ncols=len(panels), sharey=True, squeeze=False
    )
    for axes, (name, curves) in zip(grid[0], panels.items(), strict=True):
        for i, (label, points) in enumerate(curves.items()):
            settings = [setting for setting, _ in points]
            value, low, high = (
                [float(getattr(estimate, end)) for _, estimate in points]
                for end in ("value", "low", "high")
            )
            positions = np.arange(len(settings)) + 0.16 * (i - (len(curves) - 1) / 2)
            line = Line(positions, value, label, low, high, "o-")
            draw_points(axes, line, (ORANGE, BLUE)[i % 2])
        axes.set_xticks(range(len(settings)), settings)
        axes.set(xlabel=name.replace("_", " "), xlim=(-0.5, len(settings) - 0.5))
        axes.grid(alpha=0.3)
    grid[0][0].set_ylabel(ylabel)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize="small", loc="outside right upper")
    figure.suptitle(title)
    return figure
