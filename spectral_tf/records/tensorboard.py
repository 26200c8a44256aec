"""TensorBoard events that survive a kill without repeated or lost steps."""

import io
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import BinaryIO

import numpy as np
from etils import epath
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as custom_scalar
from tensorboard.plugins.hparams import api as hparams
from tensorboard.plugins.image import metadata as image
from tensorboard.plugins.scalar import summary_v2 as scalar
from tensorboard.plugins.text import summary_v2 as text
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

from spectral_tf import storage
from spectral_tf.storage import as_path, atomic_write, is_local


class EventWriter:
    """One TensorBoard run, written in segments.

    An event file cannot be taken back, so the events since the last saved state go to a file of
    their own, the open segment. `commit` ends it; the number it gives belongs into the saved
    state. A resumed run passes that number, and files of later segments, whose steps will be
    trained again, are removed.

    Files are written by this process with TensorBoard's own writer, not by operations of
    TensorFlow, which run on the default device: connected to a cluster, that is another machine. On
    a disk, events are to be seen at once; an object store gets a segment whole when it ends.

    Args:
      folder: the run's folder of event files.
      num_segments: the segments that the saved state knows of; 0 for a new run.
      writes: False makes every call do nothing (processes other than the chief).

    Raises:
      OSError: a file cannot be written or removed.
    """

    def __init__(
        self, folder: str | os.PathLike[str], num_segments: int = 0, *, writes: bool = True
    ) -> None:
        self._folder = as_path(folder)
        self._num_segments = num_segments
        self._writes = writes
        self._path: epath.Path | None = None
        self._file: BinaryIO = io.BytesIO()
        if writes:
            for file, number in _segments(self._folder).items():
                if number >= num_segments:
                    file.unlink()

    @classmethod
    def behind_others(cls, folder: str | os.PathLike[str]) -> "EventWriter":
        """One that leaves the events of a folder as they are, and writes behind them."""
        return cls(folder, max(_segments(as_path(folder)).values(), default=-1) + 1)

    def commit(self) -> int:
        """Puts the open segment on disk; returns the number of segments now complete."""
        if self._path is not None:
            if is_local(self._path):
                self._file.flush()
                os.fsync(self._file.fileno())
            else:
                assert isinstance(self._file, io.BytesIO)
                with atomic_write(self._path) as temporary:
                    temporary.write_bytes(self._file.getvalue())
            self._file.close()
            self._path = None
            self._num_segments += 1
        return self._num_segments

    def _open(self) -> None:
        """Begins a segment whose name comes after those of all others in the folder.

        TensorBoard reads files in the order of their names, which begin with a second, and never
        goes back; the clock may.
        """
        storage.refuse_lost(self._folder)  # Its folder is made here.
        there = [f.name for f in self._folder.iterdir()] if self._folder.exists() else []
        seconds = [name.split(".")[3] for name in there if name.startswith(_PREFIX)]
        latest = max((int(second) for second in seconds if second.isdecimal()), default=-1)
        second = max(int(time.time()), latest + 1)
        name = f"{_PREFIX}{second:010d}.spectral_tf.{os.getpid()}"
        self._path = self._folder / f"{name}.segment{self._num_segments:06d}"
        if is_local(self._path):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = open(self._path, "wb")  # noqa: SIM115 - until the segment ends.
        else:
            self._file = io.BytesIO()
        self._record(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def _record(self, event: Event) -> None:
        RecordWriter(self._file).write(event.SerializeToString())

    def _write(self, step: int, *summaries: Summary) -> None:
        """Events of a step; they are in the file, or with the system, when it returns."""
        if not self._writes or not summaries:
            return
        if self._path is None:
            self._open()
        for summary in summaries:
            self._record(Event(wall_time=time.time(), step=step, summary=summary))
        self._file.flush()

    def scalars(self, values: Mapping[str, float | np.floating], step: int) -> None:
        """One point of each curve."""
        self._write(step, *(scalar.scalar_pb(tag, float(v)) for tag, v in values.items()))

    def image(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """An RGB picture, uint8 [height, width, 3]."""
        height, width, _ = pixels.shape
        png = io.BytesIO()
        Image.fromarray(pixels).save(png, format="png")
        shown = [str(width).encode(), str(height).encode(), png.getvalue()]
        kind = image.create_summary_metadata(None, None)
        value = Summary.Value(tag=tag, tensor=tensor_util.make_tensor_proto(shown), metadata=kind)
        self._write(step, Summary(value=[value]))

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
        self._write(
            0,
            text.text_pb("flags", f"| flag | value |\n| --- | --- |\n{rows}"),
            hparams.hparams_pb(dict(settings)),
            _layout(charts),
        )


_PREFIX = "events.out.tfevents."


def _segments(folder: epath.Path) -> dict[epath.Path, int]:
    """{event file: its number}; copies that somebody has made under other names are left alone."""
    if not folder.is_dir():
        return {}
    found = {file: re.search(r"tfevents.*\.segment(\d+)$", file.name) for file in folder.iterdir()}
    return {file: int(match[1]) for file, match in found.items() if match and file.is_file()}


def _layout(charts: Mapping[str, Sequence[str]]) -> Summary:
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
    tensor = tensor_util.make_tensor_proto(layout.SerializeToString())
    kind = custom_scalar.create_summary_metadata()
    return Summary(
        value=[Summary.Value(tag=custom_scalar.CONFIG_SUMMARY_TAG, tensor=tensor, metadata=kind)]
    )
