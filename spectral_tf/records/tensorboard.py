"""TensorBoard events that survive a kill without repeated or lost steps."""

import contextlib
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import api as hparams

from spectral_tf import storage
from spectral_tf.streams import this_host


class EventWriter:
    """One TensorBoard run, written in segments.

    An event file cannot be taken back, so the events since the last saved state go to a file of
    their own, the open segment. `commit` ends it; the number it gives belongs into the saved
    state. A resumed run passes that number, and files of later segments, whose steps will be
    trained again, are removed.

    Args:
      folder: the run's folder of event files.
      num_segments: the segments that the saved state knows of; 0 for a new run.
      writes: False makes every call do nothing (processes other than the chief).
    """

    def __init__(self, folder: pathlib.Path, num_segments: int = 0, *, writes: bool = True) -> None:
        self._folder = folder
        self._num_segments = num_segments
        self._writes = writes
        self._writer: tf.summary.SummaryWriter | None = None
        if writes:
            for file, number in _segments(folder).items():
                if number >= num_segments:
                    file.unlink()

    @classmethod
    def behind_others(cls, folder: pathlib.Path) -> "EventWriter":
        """One that leaves the events of a folder as they are, and writes behind them."""
        return cls(folder, max(_segments(folder).values(), default=-1) + 1)

    def commit(self) -> int:
        """Puts the open segment on disk; returns the number of segments now complete."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._num_segments += 1
        return self._num_segments

    def _open(self) -> tf.summary.SummaryWriter:
        if not self._writes:
            return tf.summary.create_noop_writer()
        if self._writer is None:
            storage.refuse_lost(self._folder)  # It makes the folder by itself.
            self._writer = tf.summary.create_file_writer(
                str(self._folder), filename_suffix=f".segment{self._num_segments:06d}"
            )
        return self._writer

    @contextlib.contextmanager
    def _at(self, step: int) -> Iterator[None]:
        """Where events go to, of a step: written on this host, whatever the default device is."""
        with this_host(), self._open().as_default(step):
            yield

    def scalars(self, values: Mapping[str, float | np.floating], step: int) -> None:
        """One point of each curve."""
        with self._at(step):
            for tag, value in values.items():
                tf.summary.scalar(tag, value)

    def image(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """An RGB picture, uint8 [height, width, 3]."""
        with self._at(step):
            tf.summary.image(tag, pixels[None])

    def write_hparams(
        self,
        settings: Mapping[str, bool | int | float | str],
        charts: Mapping[str, Sequence[str]],
    ) -> None:
        """What the run is: settings as text and for the HParams dashboard, and the chart layout.

        Args:
          settings: {name: value}.
          charts: {title: regular expressions of the tags that share this chart}.
        """
        rows = "".join(f"| {name} | {value} |\n" for name, value in sorted(settings.items()))
        with self._at(0):
            tf.summary.text("flags", f"| flag | value |\n| --- | --- |\n{rows}")
            hparams.hparams(dict(settings))
            tf.summary.experimental.write_raw_pb(_layout(charts), step=0)


def _segments(folder: pathlib.Path) -> dict[pathlib.Path, int]:
    """{event file: its number}; copies that somebody has made under other names are left alone."""
    if not folder.is_dir():
        return {}
    found = {file: re.search(r"tfevents.*\.segment(\d+)$", file.name) for file in folder.iterdir()}
    return {file: int(match[1]) for file, match in found.items() if match and file.is_file()}


def _layout(charts: Mapping[str, Sequence[str]]) -> bytes:
    layout = layout_pb2.Layout(
        category=[
            layout_pb2.Category(
                title="all curves in one chart",
                chart=[
                    layout_pb2.Chart(
                        title=title, multiline=layout_pb2.MultilineChartContent(tag=list(tags))
                    )
                    for title, tags in charts.items()
                ],
            )
        ]
    )
    return custom_scalar.pb(layout).SerializeToString()
