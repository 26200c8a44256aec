"""Figures and animations as files, and as pictures for TensorBoard."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from spectral_tf.records.figures.style import BLUE, ORANGE, new_figure
from spectral_tf.records.report import Animation
from spectral_tf.storage import atomic_write

# It tells which writer saves an animation.
logging.getLogger("matplotlib.animation").setLevel(logging.WARNING)


def save_figure(figure: Figure, path: epath.Path | None) -> NDArray[np.uint8]:
    """Writes a PNG (unless path is None) and returns its pixels, uint8 [height, width, 3]."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    if path is not None:
        with atomic_write(path) as temporary:
            Image.fromarray(pixels).save(temporary, format="png", optimize=True)
    return pixels


def animation(*drawn: Any, **named: Any) -> Animation:
    """An animation that `save_animation` is to write, by its arguments but for the path."""
    return Animation(lambda path: save_animation(path, *drawn, **named))


def save_animation(
    path: epath.Path,
    target: tuple[NDArray, NDArray],
    positions: NDArray,
    functions: NDArray,
    steps: Sequence[int],
    *,
    title: str,
    window: tuple[float, float] = (0.0, 1.0),
    xlabel: str = "z [unit]",
    seconds: float = 8.0,
) -> None:
    """Writes an animated GIF: the learned function [s, n] over its target while it trains.

    At most 80 frames, denser where training is young (their steps grow about geometrically, as
    learning times do); the last one stays for a while.
    """
    wanted = np.unique(np.geomspace(1, len(steps), 80).astype(int) - 1)
    low, high = np.min(target[1]), np.max(target[1])
    margin = 0.1 * (high - low)
    figure, axes = new_figure(width=6.4, height=3.2)
    figure.set_dpi(90)
    axes.plot(*target, color=BLUE, linewidth=1.0, label="target")
    (line,) = axes.plot(positions, functions[0], color=ORANGE, linewidth=1.6, label="network")
    axes.set(xlabel=xlabel, ylabel="value", xlim=window, ylim=(low - margin, high + margin))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    frames = [*wanted, *[wanted[-1]] * (len(wanted) // 4)]

    def draw(i: int) -> list[Any]:
        line.set_ydata(functions[i])
        axes.set_title(f"{title}, step {steps[i]:,}")
        return [line]

    FigureCanvasAgg(figure)
    animation = FuncAnimation(figure, draw, frames=frames)
    with atomic_write(path) as temporary:
        writer = PillowWriter(fps=max(1, round(len(frames) / seconds)))
        # The name must end in .gif for the writer.
        picture = temporary.with_suffix(".gif")
        try:
            animation.save(str(picture), writer=writer, dpi=90)
            picture.replace(temporary)
        finally:
            picture.unlink(missing_ok=True)
