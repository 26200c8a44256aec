import json

import numpy as np
import pytest

from spectral_tf import records
from spectral_tf.records.flagfile import read_flags
from spectral_tf.records.identity import Identity
from spectral_tf.records.state_files import StateFiles


@pytest.fixture
def run(tmp_path):
    """A finished run of two networks, the second of which has diverged."""
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "run.flags").write_text("--num_steps=5\n--width=3\n--shared\n--nofresh\n")
    (folder / "summary.json").write_text(json.dumps({"experiment": "lf_first"}))
    save(folder)
    return folder


def save(folder, **changes):
    arrays = {
        "ensemble/step": np.asarray(5),
        "ensemble/diverged_at_step": np.array([-1, 2]),
        "ensemble/weights/000": np.array([[1.0], [2.0]], np.float32),
        "ensemble/weights/001": np.array([[3.0], [4.0]], np.float32),
        "history/values/loss": np.zeros(3),
    }
    np.savez(folder / "checkpoints" / "state.npz", **{**arrays, **changes})


def test_networks_of_a_run_of_before_the_names_changed_come_back(run):
    file = run / "checkpoints" / "state.npz"
    with np.load(file) as archive:
        arrays = {name.replace("diverged_at_step", "stopped_at"): archive[name] for name in archive}
    assert "ensemble/stopped_at" in arrays
    np.savez(file, **arrays)
    assert records.trained_networks(run, "lf_first").num_networks == 1


@pytest.mark.parametrize("name", ["", "checkpoints/state.npz"])
def test_networks_and_flags_come_back_without_those_that_diverged(run, name):
    networks = records.trained_networks(run / name, "lf_first")
    assert networks.num_networks == 1
    assert [w.tolist() for w in networks.weights] == [[[1.0]], [[3.0]]]
    assert networks.states == []
    assert networks.flags == {"num_steps": "5", "width": "3", "shared": "true", "fresh": "false"}


def damage(run):
    (run / "checkpoints" / "state.npz").write_bytes(b"PK\x03\x04 no more")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda run: (run / "summary.json").unlink(), "run, unfinished; finish it"),
        (lambda run: (run / "run.flags").unlink(), "without run.flags; name the --workdir"),
        (lambda run: (run / "summary.json").write_text('{"experiment": "x"}'), "a run of x"),
        (lambda run: (run / "checkpoints" / "state.npz").unlink(), "without state.npz; repeat it"),
        (damage, "state.npz is damaged .*; repeat it"),
        (lambda run: save(run, **{"ensemble/step": np.asarray(4)}), "of step 4 of 5"),
    ],
)
def test_other_runs_are_refused_in_one_line(run, change, line):
    change(run)
    with pytest.raises(ValueError, match=line) as error:
        records.trained_networks(run, "lf_first")
    assert str(error.value).startswith("--from_run: expected a finished run of lf_first, got ")


def test_a_missing_run_is_told_how_to_make_it(tmp_path):
    with pytest.raises(ValueError, match="no folder .*; make it: python launchers/lf_first.py"):
        records.trained_networks(tmp_path / "none", "lf_first")


def test_a_folder_without_flags_holds_no_run(tmp_path):
    assert read_flags(tmp_path) is None


IDENTITY = Identity("lf_first", ("--num_steps=5", "--width=3"))


def save_two(run, identity=IDENTITY, steps=(3, 5)):
    """States as they are written now, the one of the last step with other weights."""
    (run / "checkpoints" / "state.npz").unlink()
    files = StateFiles(run / "checkpoints" / "state.npz", identity)
    for step in steps:
        arrays = {
            "ensemble/step": np.asarray(step),
            "ensemble/diverged_at_step": np.array([-1, 2]),
            "ensemble/weights/000": np.full((2, 1), step, np.float32),
            "ensemble/slots/m/000": np.zeros((2, 1)),
        }
        files.save({**arrays, "seconds": np.zeros(2)}, {}, 0)


@pytest.mark.parametrize("name", ["", "checkpoints/state.npz", "checkpoints/state.second.npz"])
def test_the_newer_of_two_states_is_taken(run, name):
    save_two(run)
    networks = records.trained_networks(run / name, "lf_first")
    assert [w.tolist() for w in networks.weights] == [[[5.0]]]


def test_networks_that_are_not_what_was_saved_are_refused_and_left_where_they_are(run):
    save_two(run)
    file = run / "checkpoints" / "state.second.npz"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="run of step 3 of 5; repeat it"):
        records.trained_networks(run, "lf_first")
    assert sorted(f.name for f in file.parent.iterdir()) == ["state.npz", "state.second.npz"]
    save_two(run, steps=(5, 5))  # Saved twice at its end.
    file.write_bytes(b"")
    assert records.trained_networks(run, "lf_first").num_networks == 1


def test_the_state_of_another_run_is_refused(run):
    save_two(run, IDENTITY._replace(flags=("--num_steps=5", "--width=4")))
    with pytest.raises(ValueError, match="state.second.npz of another run; repeat it"):
        records.trained_networks(run, "lf_first")


def test_a_file_that_is_no_state_of_a_run_is_refused(run):
    with pytest.raises(ValueError, match=r"run without other.npz; repeat it"):
        records.trained_networks(run / "checkpoints" / "other.npz", "lf_first")
