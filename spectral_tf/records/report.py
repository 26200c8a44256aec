"""What an experiment shows, as values: tables, figures, headline numbers, closing lines.

A report is made from what was measured alone. It holds no loop, model or device, so that it can
be made anywhere and at any time, of a run that was killed, too; `write` puts it into a run folder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from etils import epath
from numpy.typing import NDArray

from spectral_tf.progress import track
from spectral_tf.records.tables import Table, write_table
from spectral_tf.storage import atomic_write, digest

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# The entry of a PNG file that says in words what it shows; the name is one of the format's own.
DESCRIPTION = "Description"


class Animation(NamedTuple):
    """A moving picture: what writes it to a file."""

    save: Callable[[epath.Path], None]


@dataclasses.dataclass(frozen=True)
class Report:
    """What an experiment shows.

    Attributes:
      summary: headline numbers, for `summary.json`; estimates among them.
      lines: what the screen ends with.
      tables: {name of a CSV file: its table}.
      figures: {name of a picture: it}; also shown in TensorBoard.
      animations: {name of a moving picture: it}.
      arrays: {name of an npz file: {name: array}}.
      texts: {name of a Markdown file: its text}.
      images_shown: of each tag that TensorBoard is to show; 0: its own 10.
    """

    summary: Mapping[str, Any]
    lines: Sequence[str] = ()
    tables: Mapping[str, Table] = dataclasses.field(default_factory=dict)
    figures: Mapping[str, Figure] = dataclasses.field(default_factory=dict)
    animations: Mapping[str, Animation] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, Mapping[str, NDArray]] = dataclasses.field(default_factory=dict)
    texts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    images_shown: int = 0

    @classmethod
    def joined(cls, parts: Sequence[Report], **named: Any) -> Report:
        """One report of several, each with a share of numbers, tables and figures.

        Args:
          parts: in order; no two hold the same name.
          named: attributes of the whole: lines, animations, ...
        """
        whole: dict[str, dict[str, Any]] = {"summary": {}, "tables": {}, "figures": {}}
        for part in parts:
            for kind, content in whole.items():
                own = getattr(part, kind)
                assert not content.keys() & own.keys(), f"{content.keys() & own.keys()} twice"
                content |= own
        named = {**whole, **named}
        return cls(**named)

    def write(
        self, folder: epath.Path, show: Callable[[str, NDArray[np.uint8]], None] | None = None
    ) -> dict[str, str]:
        """Writes tables, arrays and pictures, each whole or not at all.

        Args:
          folder: of the run.
          show: takes the pixels of every figure by its name, for TensorBoard.

        Returns:
          {file name: SHA-256} of tables, arrays and texts.
        """
        from spectral_tf.records.figures import save_figure

        for name, table in self.tables.items():
            write_table(folder / f"{name}.csv", *table)
        for name, arrays in self.arrays.items():
            with atomic_write(folder / f"{name}.npz") as temporary, open(temporary, "wb") as file:
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its stub.
        for name, text in self.texts.items():
            with atomic_write(folder / f"{name}.md") as temporary:
                temporary.write_text(text)
        for name, figure in track(self.figures.items(), "figure"):
            pixels = save_figure(figure, folder / "figures" / f"{name}.png")
            if show:
                show(name, pixels)
        for name, animation in track(self.animations.items(), "animation"):
            animation.save(folder / "figures" / f"{name}.gif")
        kinds = {"csv": self.tables, "npz": self.arrays, "md": self.texts}
        written = [f"{name}.{kind}" for kind, names in kinds.items() for name in names]
        return {name: digest(folder / name) for name in written}
