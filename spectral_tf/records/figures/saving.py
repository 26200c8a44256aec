"""Figures and animations as files, and as pictures for TensorBoard."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from etils import epath
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from spectral_tf.records.figures.style import BLUE, ORANGE, new_figure
from spectral_tf.records.report import DESCRIPTION, Animation
from spectral_tf.storage import atomic_write

# It tells which writer saves an animation.
logging.getLogger("matplotlib.animation").setLevel(logging.WARNING)


# So many panels, and so many names of a legend, are told.
_TOLD = 6


def save_figure(figure: Figure, path: epath.Path | None) -> NDArray[np.uint8]:
    """Writes a PNG (unless path is None) and returns its pixels, uint8 [height, width, 3].

    The file says in words what it shows, too, for whoever cannot see it: see `description`.
    """
    canvas = FigureCanvasAgg(figure)
    _fill_empty_logarithms(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    if path is not None:
        with atomic_write(path) as temporary:
            told = PngInfo()
            told.add_itxt(DESCRIPTION, description(figure))
            Image.fromarray(pixels).save(temporary, format="png", optimize=True, pnginfo=told)
    return pixels


def _fill_empty_logarithms(figure: Figure) -> None:
    """A logarithmic axis without a positive number cannot be drawn: it gets ends, and says so.

    Where nothing was learned, no learning time is finite.
    """
    for axes in figure.axes:
        together = {
            "x": axes.get_shared_x_axes().get_siblings(axes),
            "y": axes.get_shared_y_axes().get_siblings(axes),
        }
        empty = [
            name
            for name, group in together.items()
            if getattr(axes, f"get_{name}scale")() == "log"
            and not any(np.isfinite(getattr(of.dataLim, f"minpos{name}")) for of in group)
        ]
        for name in empty:
            axes.set(**{f"{name}lim": (1, 10)})
        if empty:
            axes.text(0.5, 0.5, "no positive number", transform=axes.transAxes, ha="center")


def description(figure: Figure) -> str:
    """What a figure shows, by its titles, axes and legends.

    >>> from spectral_tf.records.figures.style import new_figure
    >>> figure, axes = new_figure()
    >>> _ = axes.set(title="Loss", xlabel="step", ylabel="mean squared error")
    >>> _ = axes.plot([0, 1], [1, 0], label="network")
    >>> _ = axes.legend()
    >>> description(figure)
    'Loss: mean squared error over step. Shown: network.'
    """
    panels: dict[str, None] = {}
    legends = [*figure.legends]
    for axes in figure.axes:
        x, y = axes.get_xlabel(), axes.get_ylabel()
        title = axes.get_title() or axes.get_title("left")
        coloured = axes.get_label() == "<colorbar>"
        shown = f"in colours {y or x}" if coloured else " over ".join(filter(None, (y, x)))
        panels[": ".join(filter(None, (title, shown)))] = None
        legends += filter(None, [axes.get_legend()])
    names = dict.fromkeys(text.get_text() for legend in legends for text in legend.get_texts())
    told = [f"{figure.get_suptitle()}:"] if figure.get_suptitle() else []
    told += [f"{_few(panels, '; ')}."] if any(panels) else []
    told += [f"Shown: {_few(names, ', ')}."] if names else []
    return " ".join(" ".join(told).replace("$", "").split())


def _few(every: Iterable[str], between: str) -> str:
    """Some of several texts, and how many more there are."""
    texts = list(filter(None, every))
    more = [f"and {len(texts) - _TOLD} more"] if len(texts) > _TOLD else []
    return between.join(texts[:_TOLD] + more)


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
