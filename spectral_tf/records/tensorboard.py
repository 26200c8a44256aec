"""TensorBoard events that survive a kill without repeated or lost steps."""

import hashlib
import io
import json
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from etils import epath
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as custom_scalar
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams  # `api` imports TensorFlow.
from tensorboard.plugins.image import metadata as image
from tensorboard.plugins.scalar import summary_v2 as scalar
from tensorboard.plugins.text import summary_v2 as text
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

from spectral_tf import storage
from spectral_tf.records.json_values import json_value
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
        """One point of each curve; none of what is not finite in the 32 bits that are kept."""
        plain = {tag: float(value) for tag, value in values.items()}
        kept = {tag: value for tag, value in plain.items() if abs(value) < _LARGEST}
        self._write(step, *(scalar.scalar_pb(tag, value) for tag, value in kept.items()))

    def image(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """An RGB picture, uint8 [height, width, 3]."""
        height, width, _ = pixels.shape
        png = io.BytesIO()
        Image.fromarray(pixels).save(png, format="png")
        shown = [str(width).encode(), str(height).encode(), png.getvalue()]
        kind = image.create_summary_metadata(None, None)
        value = Summary.Value(tag=tag, tensor=tensor_util.make_tensor_proto(shown), metadata=kind)
        self._write(step, Summary(value=[value]))

    def begin(
        self,
        experiment: str,
        settings: Mapping[str, bool | int | float | str],
        charts: Mapping[str, Sequence[str]] | None = None,
        started: float | None = None,
        name: str = "",
    ) -> None:
        """What the run is: settings as text and for the HParams dashboard, and the chart layout.

        No list of metrics goes with them: TensorBoard takes the first that it finds for all runs
        below its folder, also those of other experiments. Without one each scalar is a metric.

        Args:
          experiment: whose run it is.
          settings: {name: value}.
          charts: {title: regular expressions of the tags that share this chart}.
          started: in seconds since 1970; None: now.
          name: of the run in the HParams dashboard, which takes runs of one name for repetitions:
            a few letters that are of its settings alone go with it.
        """
        rows = sorted(settings.items())
        said = json.dumps(rows, default=str).encode()
        trial = f"{name or experiment} {hashlib.sha256(said).hexdigest()[:6]}"
        self._write(
            0,
            text.text_pb("flags", _markdown(("flag", "value"), rows)),
            hparams.hparams_pb({"experiment": experiment, **settings}, trial, started),
            *([_layout(experiment, charts)] if charts else []),
        )

    def end(
        self,
        step: int = 0,
        summary: Mapping[str, Any] | None = None,
        lines: Iterable[str] = (),
        *,
        success: bool = True,
    ) -> None:
        """What the run has found, and that it is over.

        Args:
          step: at which its numbers stand.
          summary: headline numbers: one scalar each, and a table with their intervals.
          lines: that the screen shows.
          success: False if it came to no result.
        """
        numbers = numbers_of(summary or {})
        self.scalars({f"headline/{name}": told["value"] for name, told in numbers.items()}, step)
        if numbers:
            columns = ("value", "low", "high", "n", "unit")
            rows = [
                (name, *(_rounded(told.get(column)) for column in columns))
                for name, told in numbers.items()
            ]
            self._write(step, text.text_pb("headline", _markdown(("number", *columns), rows)))
        if said := "\n".join(lines):
            self._write(step, text.text_pb("result", f"```\n{said}\n```"))
        self._write(step, _session_end(success))


def numbers_of(summary: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{name: value, and interval where there is one} of what a summary says in real numbers.

    Counts are none, nor what is of several networks by themselves. Numbers within others have
    names with slashes.

    >>> numbers_of({"runs": 3, "loss": 0.5, "of": {"a": {"value": 2.0, "low": 1.0, "high": 3.0}}})
    {'loss': {'value': 0.5}, 'of/a': {'value': 2.0, 'low': 1.0, 'high': 3.0}}
    """
    found: dict[str, dict[str, Any]] = {}
    for name, entry in json_value(summary).items():
        if isinstance(entry, float):
            found[str(name)] = {"value": entry}
        elif isinstance(entry, dict) and isinstance(entry.get("value"), float):
            found[str(name)] = entry
        elif isinstance(entry, dict) and "value" not in entry:
            found |= {f"{name}/{inner}": told for inner, told in numbers_of(entry).items()}
    return found


# Of a scalar; NaN is not less.
_LARGEST = float(np.finfo(np.float32).max)
_PREFIX = "events.out.tfevents."


def _segments(folder: epath.Path) -> dict[epath.Path, int]:
    """{event file: its number}; copies that somebody has made under other names are left alone."""
    if not folder.is_dir():
        return {}
    found = {file: re.search(r"tfevents.*\.segment(\d+)$", file.name) for file in folder.iterdir()}
    return {file: int(match[1]) for file, match in found.items() if match and file.is_file()}


def remove_events(folder: str | os.PathLike[str]) -> None:
    """Removes what any `EventWriter` has written below a folder; what others have stays.

    Args:
      folder: that holds runs of TensorBoard, whatever they are called.

    Raises:
      OSError: a file cannot be removed.
    """
    for below in {file.parent for file in storage.files_under(folder)}:
        for file in _segments(below):
            file.unlink()


def _markdown(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table."""

    def line(cells: Sequence[Any]) -> str:
        words = ("" if cell is None else str(cell).replace("|", r"\|") for cell in cells)
        return "| " + " | ".join(words) + " |\n"

    return line(head) + line(["---"] * len(head)) + "".join(map(line, rows))


def _rounded(entry: Any) -> Any:
    return f"{entry:.4g}" if isinstance(entry, float) else entry


def _session_end(success: bool) -> Summary:
    """For the HParams dashboard; TensorBoard's own function imports TensorFlow."""
    info = plugin_data_pb2.SessionEndInfo(
        status=api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_FAILURE,
        end_time_secs=time.time(),
    )
    content = plugin_data_pb2.HParamsPluginData(session_end_info=info)
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        tensor=metadata.NULL_TENSOR,
        metadata=metadata.create_summary_metadata(content),
    )
    return Summary(value=[value])


def _layout(experiment: str, charts: Mapping[str, Sequence[str]]) -> Summary:
    """The charts of an experiment; runs of several stand side by side."""
    shared = [
        layout_pb2.Chart(title=title, multiline=layout_pb2.MultilineChartContent(tag=list(tags)))
        for title, tags in charts.items()
    ]
    layout = layout_pb2.Layout(category=[layout_pb2.Category(title=experiment, chart=shared)])
    tensor = tensor_util.make_tensor_proto(layout.SerializeToString())
    kind = custom_scalar.create_summary_metadata()
    return Summary(
        value=[Summary.Value(tag=custom_scalar.CONFIG_SUMMARY_TAG, tensor=tensor, metadata=kind)]
    )
