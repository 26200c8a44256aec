"""What all figures share: size, colours, markers."""

from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Perceptually even and safe for colour-blind readers.
COLOUR_MAP = "viridis"
MARKERS = "osv^D"
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"


def new_figure(width: float = 6.4, height: float = 4.4, **subplots: Any) -> tuple[Figure, Any]:
    """A figure of so many inches, with its axes as matplotlib's `subplots` gives them."""
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.subplots(**subplots)


def shades(count: int) -> list[str]:
    """So many colours of the scale, from dark to bright, as Line.colour takes them."""
    return [to_hex(colour) for colour in even_colours(count)]


def even_colours(count: int) -> NDArray:
    """So many colours of the map, [count, 4], without its brightest."""
    import matplotlib

    return matplotlib.colormaps[COLOUR_MAP](np.linspace(0, 0.9, max(count, 1))[:count])
