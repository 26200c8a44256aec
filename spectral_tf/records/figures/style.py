"""What all figures share: size, colours, markers."""

from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

# Of pictures of numbers: perceptually even and safe for colour-blind readers; the second has white
# for 0, where most of what is shown is 0.
COLOUR_MAP, AROUND_ZERO = "viridis", "RdBu_r"
# Of curves in an order, without the end that is too bright on white.
_ORDERED, _BRIGHTEST = "plasma", 0.77
MARKERS, STYLES = "osv^D", ("-", "--", "-.", ":")
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"
# Of what has no order, after Okabe and Ito (2008), "Color universal design": blue, vermilion,
# green, purple, orange, sky blue, black, and a brown for their yellow.
CATEGORIES = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")


def new_figure(width: float = 6.4, height: float = 4.4, **subplots: Any) -> tuple[Figure, Any]:
    """A figure of so many inches, with its axes as matplotlib's `subplots` gives them."""
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.subplots(**subplots)


def shades(count: int) -> list[str]:
    """So many colours of a scale, from dark to bright, for what has an order."""
    import matplotlib

    places = np.linspace(0, _BRIGHTEST, max(count, 1))[:count]
    return [to_hex(colour) for colour in matplotlib.colormaps[_ORDERED](places)]


def hues(count: int) -> list[str]:
    """So many colours for what has no order; from the ninth on they come again.

    >>> len(set(hues(8))), hues(9)[8] == hues(1)[0]
    (8, True)
    """
    return [CATEGORIES[i % len(CATEGORIES)] for i in range(count)]


def turn_of(number: int) -> int:
    """How often the colours have been used up before a category: it takes other lines, markers."""
    return number // len(CATEGORIES)


def legend_beside(figure: Figure, axes: Any) -> None:
    """Names of curves: in the picture if they are few, else to its right, where no data are."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > _IN_THE_PICTURE:
        room = 0.7 + 0.075 * max(map(len, labels))  # In inches, for letters of this size.
        figure.set_size_inches(figure.get_figwidth() + room, figure.get_figheight())
        figure.legend(handles, labels, fontsize="small", loc="outside right upper")
    elif len(labels) > 1:
        axes.legend(fontsize="small")


_IN_THE_PICTURE = 3
