"""The tables of learning curves, and the one that a run ends with on the screen."""

import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spectral_tf.records.tables import averaged, write_table
from spectral_tf.spectra import Band, LearningCurves, mean_interval

# What distinguishes the groups of runs in one table, e.g. (4,) for four lobes; () if nothing does.
Setting = tuple[object, ...]


def write_learning_curves(
    folder: pathlib.Path, curves: Mapping[Setting, LearningCurves], columns: Sequence[str] = ()
) -> None:
    """Writes `spectra.csv` and `learning_times.csv`.

    `spectra.csv`: step, frequency [cycles per unit], mean normalised magnitude over runs and its
    95 % interval. `learning_times.csv`: level, frequency, step at which the mean reaches the level
    (`inf`: never) and its 95 % interval. `columns` name the settings and come first.
    """
    write_table(
        folder / "spectra.csv",
        (*columns, "step", "frequency", "magnitude", "magnitude_low", "magnitude_high"),
        (
            (*setting, step, f"{k:g}", group.mean[i, j], group.low[i, j], group.high[i, j])
            for setting, group in curves.items()
            for i, step in enumerate(group.steps)
            for j, k in enumerate(group.frequencies)
        ),
    )
    write_table(
        folder / "learning_times.csv",
        (*columns, "level", "frequency", "step", "step_low", "step_high"),
        (
            (*setting, level, f"{k:g}", *(column[j] for column in band))
            for setting, group in curves.items()
            for level, band in group.times.items()
            for j, k in enumerate(group.frequencies)
        ),
    )


def write_losses(
    folder: pathlib.Path,
    steps: Sequence[int],
    losses: Mapping[Setting, NDArray],
    columns: Sequence[str] = (),
) -> dict[Setting, Band]:
    """Writes `runs.csv` and `losses.csv` from losses [s, runs]; returns mean, low and high [s].

    `runs.csv`: run, step, loss, one row for each run and probe (`nan` after a run has diverged).
    `losses.csv`: step, mean loss over runs and its 95 % interval. `columns` name the settings and
    come first.
    """
    write_table(
        folder / "runs.csv",
        (*columns, "run", "step", "loss"),
        (
            (*setting, run, step, values[i, run])
            for setting, values in losses.items()
            for run in range(values.shape[1])
            for i, step in enumerate(steps)
        ),
    )
    bands = {setting: mean_interval(values.T) for setting, values in losses.items()}
    write_table(
        folder / "losses.csv",
        (*columns, "step", "loss", "loss_low", "loss_high"),
        (
            (*setting, *row)
            for setting, band in bands.items()
            for row in zip(steps, *band, strict=True)
        ),
    )
    return bands


def write_norms(
    folder: pathlib.Path, steps: Sequence[int], layers: Sequence[str], norms: NDArray
) -> dict[str, Band]:
    """Writes `norms.csv` from spectral norms [s, runs, layers]; returns {layer: mean, low, high}.

    `norms.csv`: step, layer, mean spectral norm over runs and its 95 % interval.
    """
    mean, low, high = mean_interval(np.moveaxis(norms, 1, 0))
    write_table(
        folder / "norms.csv",
        ("step", "layer", "spectral_norm", "spectral_norm_low", "spectral_norm_high"),
        (
            (step, layer, mean[i, j], low[i, j], high[i, j])
            for i, step in enumerate(steps)
            for j, layer in enumerate(layers)
        ),
    )
    return {layer: (mean[:, j], low[:, j], high[:, j]) for j, layer in enumerate(layers)}


def learning_table(curves: LearningCurves) -> str:
    """The learning times as lines of text, with the exponent of their power law."""
    last = int(curves.steps[-1])
    lines = [f"learning times [steps], {averaged(curves.num_runs)}, 95 % intervals"]
    header = "".join(f"{f'level {level:g}':>34}" for level in curves.times)
    lines.append(f"{'cycles per unit':>15}{header}")
    for j, k in enumerate(curves.frequencies):
        cells = (_cell(at[j], low[j], high[j], last) for at, low, high in curves.times.values())
        lines.append(f"{k:>15g}" + "".join(f"{cell:>34}" for cell in cells))
    law, level = curves.law, next(iter(curves.times))
    interval = "" if math.isnan(law.low) else f" ({law.low:.2f} to {law.high:.2f})"
    lines.append(
        f"learning time at level {level:g} grows as frequency^{law.exponent:.2f}{interval}, "
        f"from {law.num_points} of {curves.frequencies.size} frequencies"
        if law.num_points > 1
        else f"no power law: {law.num_points} of {curves.frequencies.size} frequencies reached "
        f"level {level:g}"
    )
    return "\n".join(lines)


def _cell(step: float, low: float, high: float, last: int) -> str:
    def text(value: float) -> str:
        return f"{value:,.0f}" if math.isfinite(value) else f"> {last:,}"

    return text(step) if math.isnan(low) else f"{text(step)} ({text(low)} to {text(high)})"
