"""What TensorBoard reads of a run folder."""

import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar.metadata import CONFIG_SUMMARY_TAG
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.util import tensor_util

from spectral_tf.records import read_flags
from spectral_tf.records.folder import board_name
from spectral_tf.records.tensorboard import numbers_of
from spectral_tf.web.figures import is_snapshot

# What TensorBoard shows of every page, of a small run of it; # stands for a number.
TAGS = pathlib.Path(__file__).parent / "launchers" / "tensorboard_tags.txt"


def boards(path: pathlib.Path) -> Iterator[tuple[str, EventAccumulator]]:
    """The name below the folder of events and the content of each run that TensorBoard finds."""
    events = path / "tensorboard"
    for folder in sorted({file.parent for file in events.rglob("*tfevents*")}):
        board = EventAccumulator(str(folder), size_guidance={"tensors": 0})
        board.Reload()
        yield str(folder.relative_to(events)), board


def by_plugin(board: EventAccumulator) -> dict[str, list[str]]:
    """{plugin: its tags}."""
    found: dict[str, list[str]] = {}
    for tag, told in sorted(board.summary_metadata.items()):
        found.setdefault(told.plugin_data.plugin_name, []).append(tag)
    return found


def value(board: EventAccumulator, tag: str) -> np.ndarray:
    """The last of a tag."""
    return tensor_util.make_ndarray(board.Tensors(tag)[-1].tensor_proto)


def charts(board: EventAccumulator) -> dict[str, list[str]]:
    """{title of a custom chart: regular expressions of its tags}."""
    if CONFIG_SUMMARY_TAG not in board.summary_metadata:
        return {}
    layout = layout_pb2.Layout.FromString(value(board, CONFIG_SUMMARY_TAG).item())
    return {c.title: list(c.multiline.tag) for of in layout.category for c in of.chart}


def session(board: EventAccumulator) -> tuple[dict[str, object], float, float, int]:
    """Hyper-parameters, start, end and status of the session of a run."""
    started = _started(board)
    ended = metadata.parse_session_end_info_plugin_data(
        board.summary_metadata[metadata.SESSION_END_INFO_TAG].plugin_data.content
    )
    settings = {name: getattr(v, v.WhichOneof("kind")) for name, v in started.hparams.items()}
    return settings, started.start_time_secs, ended.end_time_secs, ended.status


def group(board: EventAccumulator) -> str:
    """The name of a run in the HParams dashboard."""
    return str(_started(board).group_name)


def _started(board: EventAccumulator) -> Any:
    return metadata.parse_session_start_info_plugin_data(
        board.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
    )


def assert_board(path: pathlib.Path, experiment: str) -> None:
    """That TensorBoard has of a finished run what every run has, each thing once."""
    own = board_name(experiment, path.name)
    flags = read_flags(path)
    assert flags
    found = dict(boards(path))
    assert own in found, found.keys()
    for name, board in found.items():
        assert name.split("/")[0] == own
        tags = by_plugin(board)
        assert "flags" in tags["text"], name
        settings, start, end, status = session(board)
        assert settings["experiment"] == experiment
        text = value(board, "flags").item().decode()
        for flag in flags:
            assert flag in settings
            assert f"| {flag} |" in text
        assert start <= end, name
        assert status == api_pb2.STATUS_SUCCESS, name
        for tag in board.summary_metadata:
            steps = [event.step for event in board.Tensors(tag)]
            assert steps == sorted(set(steps)), (name, tag)
        for title, patterns in charts(board).items():
            for pattern in patterns:
                assert any(re.match(pattern, tag) for tag in tags["scalars"]), (name, title)
    root = found[own]
    numbers = numbers_of(json.loads((path / "summary.json").read_text()))
    for name, told in numbers.items():
        np.testing.assert_allclose(value(root, f"headline/{name}"), told["value"], rtol=1e-6)
    pictures = {file.stem for file in path.glob("figures/*.png") if not is_snapshot(file.stem)}
    assert pictures <= set(by_plugin(root).get("images", [])), pictures


def assert_tags(path: pathlib.Path, experiment: str) -> None:
    """The same, and that these are the tags that are listed for the experiment."""
    assert_board(path, experiment)
    assert described(path, experiment) == listed()[experiment]


def listed() -> dict[str, str]:
    """{experiment: what is listed of it}: runs, and in them tags by plugin."""
    sections = re.split(r"^(\w+)\n", TAGS.read_text(), flags=re.M)[1:]
    return {name: of.rstrip() for name, of in zip(sections[::2], sections[1::2], strict=True)}


def described(path: pathlib.Path, experiment: str) -> str:
    """The tags of every run below a folder, by plugin; # stands for numbers.

    The runs are called as if the folder were `run`. Of headline numbers within others only the
    first name is told.
    """
    own = board_name(experiment, path.name)
    found: dict[str, dict[str, list[str]]] = {}
    for run, board in boards(path):
        tags = by_plugin(board)
        scalars = tags.get("scalars", [])
        told = {
            "text": tags.get("text", []),
            "headline": [t.split("/")[1] for t in scalars if t.startswith("headline/")],
            "scalars": [t for t in scalars if not t.startswith("headline/")],
            "images": tags.get("images", []),
            "charts": list(charts(board)),
        }
        run = f"{board_name(experiment, 'run')}{run.removeprefix(own)}"
        of_run = found.setdefault(_short(run), {})
        for plugin, names in told.items():
            of_run[plugin] = of_run.get(plugin, []) + [_short(name) for name in names]
    lines = []
    for run, plugins in found.items():
        lines.append(f"  {run}")
        for plugin, names in plugins.items():
            lines += [f"    {plugin}: {' | '.join(dict.fromkeys(names))}"] if names else []
    return "\n".join(lines)


def _short(name: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "#", name)
