import json

import pytest

from spectral_tf.errors import UserError
from spectral_tf.experiments.saved import saved_model

NORMALISATION = {"mean": [0.5], "deviation": [0.25], "source": "measured"}


def run_folder(path, trainings=("baseline/seed_0",), files=("epoch_002.keras", "epoch_010.keras")):
    for training in trainings:
        folder = path / "checkpoints" / training
        folder.mkdir(parents=True)
        for name in files:
            (folder / name).write_bytes(b"")
    (path / "run.flags").write_text("--dataset=digits\n")
    data = {"dataset": "digits (embedded)", "normalisation": NORMALISATION}
    (path / "environment.json").write_text(json.dumps({"data": data}))
    return path


def test_the_last_model_of_a_run_with_what_the_run_tells(tmp_path):
    path = run_folder(tmp_path / "run")
    found = saved_model("--from_run", str(path))
    assert found.file.name == "epoch_010.keras"
    assert found.dataset == "digits"
    assert found.normalisation is not None
    assert found.normalisation.mean == (0.5,)
    assert saved_model("--from_run", str(found.file)) == found
    (found.file.parent / "final.keras").write_bytes(b"")
    assert saved_model("--from_run", str(path)).file.name == "final.keras"


def test_a_file_that_belongs_to_no_run(tmp_path):
    (tmp_path / "mine.keras").write_bytes(b"")
    found = saved_model("--from_run", str(tmp_path / "mine.keras"))
    assert found[1:] == (None, None)


def test_one_of_several_trainings_must_be_named(tmp_path):
    path = run_folder(tmp_path, trainings=("width=8/seed_0", "width=8/seed_1"))
    with pytest.raises(UserError, match=r"expected one training, got 2 in .*width=8/seed_0"):
        saved_model("--from_run", str(path))
    assert saved_model("--from_run", str(path / "checkpoints" / "width=8" / "seed_1")).dataset


def test_nothing_there(tmp_path):
    with pytest.raises(UserError, match="expected a .keras file, or a run folder that keeps one"):
        saved_model("--from_run", str(tmp_path / "none"))
    path = run_folder(tmp_path / "run", files=())
    with pytest.raises(UserError, match="a run without such file; keep models with"):
        saved_model("--from_run", str(path))


def test_what_a_kill_left_half_written_is_no_model(tmp_path):
    (tmp_path / ".epoch_002.keras").write_bytes(b"half")
    with pytest.raises(UserError, match="no such file"):
        saved_model("--from_run", str(tmp_path))
    (tmp_path / "epoch_001.keras").write_bytes(b"a model")
    assert saved_model("--from_run", str(tmp_path)).file == tmp_path / "epoch_001.keras"
