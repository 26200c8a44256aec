"""Figures as part of a page."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable
from typing import NamedTuple

from etils import epath

from spectral_tf.records.report import DESCRIPTION
from spectral_tf.storage import local_copy
from spectral_tf.web.numbers import words

# Of 256 colours a figure of lines, maps and letters needs no more; a photograph may.
_COLOURS = 256
# Where more levels than these are missed in 1 % of the pixels it keeps its colours.
_VISIBLE = 16


class Figure(NamedTuple):
    """A figure in a page.

    Attributes:
      name: of its file without the end.
      title: in words.
      description: what it shows, as its file says; of files of before "".
      source: it, as a data URI.
      width, height: pixels.
    """

    name: str
    title: str
    description: str
    source: str
    width: int
    height: int

    @property
    def wide(self) -> bool:
        """Whether it is moved sideways on a small screen rather than made too small to read."""
        return self.width > 1000


def figure(path: epath.Path) -> Figure | None:
    """A PNG file as a figure, pixel by pixel the same but for colours that nobody tells apart.

    As WebP without loss it takes a third to a half of the file. None of what is no picture.
    """
    from PIL import Image, ImageChops

    try:
        with local_copy(path) as file, Image.open(file) as opened:
            pixels = opened.convert("RGB")
            told = str(opened.info.get(DESCRIPTION, ""))
    except (OSError, ValueError, SyntaxError):  # Pillow's of a damaged file.
        return None
    reduced = pixels.quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert(
        "RGB"
    )
    written = io.BytesIO()
    counts = ImageChops.difference(pixels, reduced).histogram()
    missed = (counts[256 * i + _VISIBLE + 1 : 256 * (i + 1)] for i in range(3))
    seen = max(map(sum, missed)) > 0.01 * pixels.width * pixels.height
    chosen = pixels if seen else reduced
    chosen.save(written, format="WEBP", lossless=True, quality=60, method=4)
    text = base64.b64encode(written.getvalue()).decode("ascii")
    return Figure(path.stem, words(path.stem), told, f"data:image/webp;base64,{text}", *pixels.size)


def in_order(names: list[str], first: str) -> list[str]:
    """Names of figures, the main one first, those of a run in progress last.

    >>> in_order(["b_step_10", "a", "main"], "main")
    ['main', 'a', 'b_step_10']
    """
    main = main_of(names, first)
    return sorted(names, key=lambda name: (name != main, is_snapshot(name), name))


def main_of(names: Iterable[str], first: str) -> str:
    """The main figure, or of several of its kind the first; "" where there is none.

    >>> main_of(["heat_map_step_000100", "heat_map"], "heat_map")
    'heat_map'
    >>> main_of(["decision_regions", "accuracy_threshold_0.5"], "accuracy")
    'accuracy_threshold_0.5'
    """
    of_kind = [n for n in names if f"{n}_".startswith(f"{first}_") and not is_snapshot(n)]
    return min(of_kind, default="") if first else ""


def is_snapshot(name: str) -> bool:
    """Whether a figure was drawn while networks trained.

    >>> is_snapshot("heat_map_step_006000"), is_snapshot("heat_map")
    (True, False)
    """
    return re.search(r"_step_\d+$", name) is not None
