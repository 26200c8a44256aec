import time

import boards
import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2
from test_package import without_tensorflow

from spectral_tf import spectra
from spectral_tf.records.tensorboard import EventWriter


def read(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def test_scalars_images_and_description_are_read_back(tmp_path):
    board = EventWriter(tmp_path)
    board.begin("page", {"width": 4, "rate": 0.5, "word": "x"}, {"all": ["magnitude/k=.*"]})
    for step in (0, 5):
        board.scalars({"magnitude/k=005": step / 10, "loss": 1.0}, step)
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    board.image("heat_map", picture, 5)
    assert board.commit() == 1
    log = read(tmp_path)
    assert {"magnitude/k=005", "loss", "heat_map", "flags"} <= set(log.Tags()["tensors"])
    curve = log.Tensors("magnitude/k=005")
    assert [event.step for event in curve] == [0, 5]
    assert tf.make_ndarray(curve[1].tensor_proto) == np.float32(0.5)
    png = tf.make_ndarray(log.Tensors("heat_map")[0].tensor_proto)[2]
    np.testing.assert_array_equal(tf.io.decode_png(png), picture)
    assert b"| width | 4 |" in tf.make_ndarray(log.Tensors("flags")[0].tensor_proto).item()
    metadata = log.summary_metadata
    assert metadata["magnitude/k=005"].plugin_data.plugin_name == "scalars"
    assert metadata["heat_map"].plugin_data.plugin_name == "images"
    assert "hparams" in {m.plugin_data.plugin_name for m in metadata.values()}
    layout = layout_pb2.Layout.FromString(
        tf.make_ndarray(log.Tensors("custom_scalars__config__")[0].tensor_proto).item()
    )
    assert list(layout.category[0].chart[0].multiline.tag) == ["magnitude/k=.*"]


def test_segments_after_the_saved_one_are_removed_and_foreign_files_are_not(tmp_path):
    board = EventWriter(tmp_path)
    for step in range(3):
        board.scalars({"loss": step}, step)
        assert board.commit() == step + 1
    assert board.commit() == 3  # Nothing was written since.
    (tmp_path / "events.out.tfevents.1.other").write_text("")
    again = EventWriter(tmp_path, num_segments=2)
    assert len(list(tmp_path.glob("*segment*"))) == 2
    assert (tmp_path / "events.out.tfevents.1.other").exists()
    again.scalars({"loss": 9.0}, 2)
    again.commit()
    (tmp_path / "events.out.tfevents.1.other").unlink()
    assert [event.step for event in read(tmp_path).Tensors("loss")] == [0, 1, 2]


def test_hosts_that_do_not_write_leave_no_trace(tmp_path):
    board = EventWriter(tmp_path / "t", writes=False)
    board.begin("page", {"a": 1})
    board.scalars({"loss": 1.0}, 0)
    board.image("i", np.zeros((2, 2, 3), np.uint8), 0)
    board.commit()
    assert not (tmp_path / "t").exists()


def test_what_a_run_found_and_that_it_is_over(tmp_path):
    board = EventWriter(tmp_path)
    board.begin("page", {"width": 4}, started=1000.0, name="a/b")
    exponent = spectra.mean_over_runs([1.9, 2.0, 2.1])
    summary = {
        "runs": 3,
        "whole": True,
        "loss": 0.25,
        "exponent": exponent,
        "of": {"first": {"value": 0.5, "unit": "steps"}, "never": float("inf")},
        "list": [0.5],
        "huge": 1e300,
    }
    before = time.time()
    board.end(7, summary, ["a | b", "found"])
    board.commit()
    log = read(tmp_path)
    plugins = boards.by_plugin(log)
    assert plugins["scalars"] == ["headline/exponent", "headline/loss", "headline/of/first"]
    assert [event.step for event in log.Tensors("headline/exponent")] == [7]
    assert boards.value(log, "headline/exponent") == np.float32(2.0)
    table = boards.value(log, "headline").item().decode().splitlines()
    assert f"| exponent | 2 | {exponent.low:.4g} | {exponent.high:.4g} | 3 | runs |" in table
    assert "| of/first | 0.5 |  |  |  | steps |" in table
    assert boards.value(log, "result").item() == b"```\na | b\nfound\n```"
    settings, start, end, status = boards.session(log)
    assert settings == {"experiment": "page", "width": 4}
    assert start == 1000.0
    assert before <= end <= time.time()
    assert status == api_pb2.STATUS_SUCCESS
    assert boards.charts(log) == {}


def test_runs_that_differ_have_other_names_in_the_table_of_runs(tmp_path):
    names = []
    for i, width in enumerate((4, 4, 5)):
        board = EventWriter(tmp_path / str(i))
        board.begin("page", {"width": width}, name="a/b")
        board.end(success=False)
        board.commit()
        log = read(tmp_path / str(i))
        names.append(boards.group(log))
        assert boards.session(log)[3] == api_pb2.STATUS_FAILURE
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("a/b ") for name in names)


def test_writing_events_does_without_tensorflow(tmp_path):
    result = without_tensorflow(
        "import numpy as np\n"
        "from spectral_tf.records.tensorboard import EventWriter\n"
        f"board = EventWriter({str(tmp_path)!r})\n"
        "board.begin('page', {'a': 1}, {'all': ['loss']})\n"
        "board.scalars({'loss': 0.5}, 1)\n"
        "board.image('i', np.zeros((2, 2, 3), np.uint8), 1)\n"
        "board.end(1, {'x': 0.5})\n"
        "board.commit()"
    )
    assert result.returncode == 0, result.stderr
    assert {"loss", "i", "headline/x"} <= read(tmp_path).summary_metadata.keys()
