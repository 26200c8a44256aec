"""Small files that are cut, emptied, zeroed or of another kind: one line, or mended and told."""

import json
import shutil

import numpy as np
import pytest
from conftest import DAMAGE

from spectral_tf import records
from spectral_tf.errors import UserError
from spectral_tf.experiments.class_study import Classes
from spectral_tf.experiments.path_study import Models
from spectral_tf.experiments.saved import saved_model
from spectral_tf.records import Found, RunFolder, Series
from spectral_tf.records.arrays import Damaged
from spectral_tf.records.folder import experiment_of
from spectral_tf.records.tensorboard import EventWriter


@pytest.fixture(params=DAMAGE)
def damaged(request):
    """Damages a file in one way."""
    return DAMAGE[request.param]


def test_json_of_every_damage_gets_a_line_with_its_name(tmp_path, damaged):
    file = tmp_path / "environment.json"
    file.write_text(json.dumps({"data": {"version": 1}}))
    assert records.read_json(file, "--from_run")["data"] == {"version": 1}
    damaged(file)
    with pytest.raises(UserError, match=f"^--from_run: .*JSON object, got {file}.*whole copy"):
        records.read_json(file, "--from_run")


def test_a_missing_file_is_told_as_missing(tmp_path):
    with pytest.raises(UserError, match="one JSON object, got .*none.json, which is not there"):
        records.read_json(tmp_path / "none.json", "--from_run")


def test_found_of_every_damage_gets_a_line(tmp_path, damaged):
    file = tmp_path / "found.npz"
    found = Found({"loss": Series([0, 1], np.ones((2, 3)))}, {"seconds": 1.0, "at": np.ones(2)})
    found.save(file)
    damaged(file)
    with pytest.raises(UserError, match=f"got {file}.*without --report_only"):
        Found.read(file)
    with pytest.raises(Damaged):  # Of a training, which is then made again.
        Found.load(file)


def test_found_of_another_shape_gets_a_line(tmp_path):
    np.savez(tmp_path / "found.npz", json=np.array("[1]"))
    with pytest.raises(UserError, match="Damaged: .* no mapping"):
        Found.read(tmp_path / "found.npz")


def run_in(path):
    folder = RunFolder(path, {"seed": "--seed=0"})
    folder.start({"experiment": "lf_first", "start_utc": "2026"})
    return folder


def test_a_damaged_record_of_ones_own_run_is_mended_with_a_warning(tmp_path, damaged, caplog):
    run_in(tmp_path)
    damaged(tmp_path / "environment.json")
    if (tmp_path / "environment.json").is_dir():
        with pytest.raises(UserError, match=r"environment\.json to be a file.*move it elsewhere"):
            run_in(tmp_path)
        return
    caplog.clear()
    folder = run_in(tmp_path)
    (line,) = caplog.messages
    assert f"{tmp_path}/environment.json" in line
    assert "written anew" in line
    damaged(tmp_path / "environment.json")
    folder.finish({"experiment": "lf_first"}, 1.0)
    assert json.loads((tmp_path / "environment.json").read_text())["wall_seconds"] == 1.0
    assert folder.finished


def test_a_run_whose_summary_is_damaged_is_unfinished(tmp_path, damaged):
    folder = run_in(tmp_path)
    folder.finish({"experiment": "lf_first"}, 1.0)
    DAMAGE["cut"](tmp_path / "environment.json")
    assert experiment_of(tmp_path) == "lf_first"
    damaged(tmp_path / "summary.json")
    assert not folder.finished
    assert experiment_of(tmp_path) == ""
    with pytest.raises(UserError, match=f"got {tmp_path}/summary.json.*start the command of that"):
        folder.summary()
    with pytest.raises(UserError, match="summary.json"):
        records.trained_networks(tmp_path, "lf_first")
    if (tmp_path / "summary.json").is_file():
        folder.finish({"experiment": "lf_first"}, 1.0)
        assert folder.finished


def test_flags_of_a_source_run_that_are_cut_get_a_line(tmp_path):
    run_in(tmp_path).finish({"experiment": "lf_first"}, 1.0)
    np.savez(tmp_path / "a.npz", a=1)
    with pytest.raises(UserError, match=f"--from_run: .*--num_steps .*got {tmp_path}/run.flags"):
        records.trained_networks(tmp_path, "lf_first")


def test_tables_and_arrays_of_a_source_run(tmp_path, damaged):
    columns, rows = ("class", "model"), [(0, "a"), (1, "b")]
    for name in ("models", "classes"):
        records.write_table(tmp_path / f"{name}.csv", columns, rows)
    np.savez(tmp_path / "paths.npz", **{"along/all/dft_share": np.ones(20)})
    Models.read(tmp_path)
    whole = tmp_path / "whole.npz"
    shutil.copy(tmp_path / "paths.npz", whole)
    damaged(tmp_path / "paths.npz")
    with pytest.raises(UserError, match=r"paths\.npz"):
        Models.read(tmp_path)
    if (tmp_path / "paths.npz").is_file():
        shutil.copy(whole, tmp_path / "paths.npz")
        damaged(tmp_path / "classes.csv")
        with pytest.raises(UserError, match=r"classes\.csv"):
            Classes.read(tmp_path)


def test_a_model_of_a_run_whose_record_is_damaged(tmp_path, damaged):
    run_in(tmp_path)
    model = tmp_path / "checkpoints" / "epoch_1.keras"
    model.parent.mkdir()
    model.write_bytes(b"a model")
    assert saved_model("--from_run", str(model)).normalisation is None
    (tmp_path / "environment.json").write_text(json.dumps({"data": {"normalisation": {"mean": 1}}}))
    with pytest.raises(UserError, match=r"environment\.json, damaged or of another kind"):
        saved_model("--from_run", str(model))
    damaged(tmp_path / "environment.json")
    if (tmp_path / "environment.json").is_file():
        with pytest.raises(UserError, match=r"environment\.json"):
            saved_model("--from_run", str(model))


def test_copies_and_other_names_beside_event_files_are_left_alone(tmp_path):
    events = tmp_path / "events.out.tfevents.1.host.0.0.segment000003"
    copies = [f"{events.name} (copy)", f"{events.name}.bak", "x.segment00002y", "a.segment000009"]
    for name in (events.name, *copies):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "tfevents.segment000007").mkdir()
    EventWriter(tmp_path, 2)
    assert not events.exists()
    assert {*copies, "tfevents.segment000007"} == {file.name for file in tmp_path.iterdir()}
