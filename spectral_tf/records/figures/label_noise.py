"""What trainings on label waves did after every epoch, drawn of their table alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.records.figures.lines import Line, Panel, line_panels
from spectral_tf.records.figures.style import GREY, shades
from spectral_tf.spectra import Estimate, mean_over_runs

# The column of every panel, in the order of the published figure, and its axis.
FOUR_PANELS = {
    "train_loss": "training loss, noisy labels [nats]",
    "noisy_loss": "validation loss, noisy labels [nats]",
    "clean_loss": "validation loss, clean labels [nats]",
    "noise_fitting": "noise fitting NF [nats]",
}
_CONTROL = "uniform"


def four_panels(epochs: Mapping[str, Sequence[Any] | NDArray], *, title: str) -> Figure:
    """Training loss, noisy and clean validation loss and noise fitting by epoch, every frequency.

    Figure 1 of Fridovich-Keil et al. (2022): a curve for each frequency, dark to bright as
    frequencies rise (of waves along several kinds of direction: kind by kind), and a grey one for
    networks whose labels were smoothed uniformly. A dot marks the minimum of a curve of noise
    fitting, by which the paper tells how readily a frequency is fitted. Losses are means over
    images in nats, without weight decay; the training loss is that of the batches of an epoch.

    What varies in the bands: seeds; of waves along several directions these, each the mean over its
    seeds. Held fixed: the images. Trainings that diverged are left out.

    Args:
      epochs: the columns of the epochs.csv of `noise_fitting`.
      title: what was trained; what is shown stands above it.

    Raises:
      UserError: a column is missing; there is no wave, or every training of one diverged.
    """
    table = {name: np.asarray(column) for name, column in epochs.items()}
    needed = ("wave", "image_frequency", "direction", "cycles", "frequency", "seed", "epoch")
    if missing := [name for name in (*needed, *FOUR_PANELS) if name not in table]:
        raise UserError(
            "epochs.csv",
            expected="the table that noise_fitting writes",
            got=f"one without {', '.join(missing)}",
            hint="name the folder of a run of noise_fitting",
        )
    groups = _frequencies(table)
    if not set(groups) - {_CONTROL}:
        raise UserError(
            "epochs.csv",
            expected="trainings on waves",
            got="uniformly smoothed labels alone",
            hint="name a run with --cycles or --frequencies",
        )
    directions = len(np.unique(table["direction"]))
    panels = []
    for name, axis in FOUR_PANELS.items():
        curves = [
            _curve(table, rows, name, label, colour, directions)
            for (label, rows), colour in zip(
                groups.values(), [*shades(len(groups) - (_CONTROL in groups)), GREY], strict=False
            )
        ]
        series = list(curves)
        if name == "noise_fitting":
            series += [Line([], [], "minimum", style="o", colour=GREY), *map(_lowest, curves)]
        panels.append(Panel(series, "epoch", axis))
    over = "directions" if directions > 1 else "seeds"
    told = f"losses and noise fitting by epoch, means and 95 % intervals over {over}\n{title}"
    figure = line_panels(panels, title="", columns=2)
    figure.suptitle(told, x=0.01, horizontalalignment="left")  # Beside the names of the curves.
    return figure


def _frequencies(table: Mapping[str, NDArray]) -> dict[str, tuple[str, NDArray[np.bool_]]]:
    """{wave: how the legend calls it, which rows are of it along all directions}, by frequency."""
    names = np.array([str(wave).partition("_direction_")[0] for wave in table["wave"]])
    found = {}
    for name in dict.fromkeys(names.tolist()):
        rows = names == name
        along, cycles, f = (
            float(np.mean(table[column][rows].astype(float)))
            for column in ("image_frequency", "cycles", "frequency")
        )
        told = "" if math.isnan(along) else f"F = {along:.3g}, "
        label = f"{told}{cycles:.3g} cycles (f = {f:.2g})"
        if last := name == _CONTROL:
            label = "uniform smoothing, no wave"
        found[name] = ((last, 0.0 if math.isnan(along) else along, cycles), label, rows)
    order = sorted(found, key=lambda name: found[name][0])
    return {name: found[name][1:] for name in order}


def _curve(
    table: Mapping[str, NDArray],
    rows: NDArray[np.bool_],
    name: str,
    label: str,
    colour: str,
    directions: int,
) -> Line:
    """The mean of a column over the trainings of a frequency, after every epoch."""
    epochs, seeds = (np.unique(table[column][rows]) for column in ("epoch", "seed"))
    values = np.full((len(seeds), len(epochs)), np.nan)
    at = tuple(
        np.searchsorted(axis, table[column][rows])
        for axis, column in ((seeds, "seed"), (epochs, "epoch"))
    )
    values[at] = table[name][rows].astype(float)
    whole = np.isfinite(values[:, -1])
    units = values[whole]
    if directions > 1:  # Numbers of trainings rise direction by direction, as many for each.
        of = np.arange(len(seeds)) * directions // len(seeds)
        units = np.array([values[whole & (of == d)].mean(axis=0) for d in np.unique(of[whole])])
    if not len(units):
        raise UserError(
            label,
            expected="a training that did not diverge",
            got=f"none of {len(seeds)}",
            hint="lower the learning rate of that run",
        )
    mean: Estimate = mean_over_runs(units, where=np.isfinite(units))
    return Line.of(epochs, mean, label, colour=colour)


def _lowest(curve: Line) -> Line:
    """The minimum of a curve as a dot."""
    x, y = (np.asarray(values, float) for values in (curve.x, curve.y))
    at = [int(np.nanargmin(y))]
    return Line(x[at], y[at], style="o", colour=curve.colour)
