import gc
import os
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf

from spectral_tf import records, tasks
from spectral_tf.errors import UserError
from spectral_tf.models.mlp import mlp
from spectral_tf.records import state_files
from spectral_tf.training.ensemble import Ensemble
from spectral_tf.training.loop import (
    History,
    Interrupted,
    TrainingLoop,
)
from spectral_tf.training.measures import every
from spectral_tf.training.optimizers import Adam


def make(
    path,
    steps=(0, 4, 8, 12),
    save_every_seconds=1e9,
    members=2,
    rate=1e-3,
    flag="--a=1",
    networks_wanted=True,
):
    rng = np.random.default_rng(0)
    data = tasks.SumOfSines.with_random_phases([1], [1.0], 8, rng).dataset()
    ensemble = Ensemble(
        lambda seed: mlp(width=4, depth=2, seed=seed),
        range(members),
        [data] * members,
        optimizer=Adam(rate),
    )
    folder = records.RunFolder(path, {"a": flag})
    gc.collect()  # Of the loops of before, which hold their folders.
    folder.start({})
    return TrainingLoop(
        ensemble,
        folder,
        list(steps),
        save_every_seconds,
        "test",
        networks_wanted=networks_wanted,
    )


def run(loop, until=None, interrupt_at=None):
    for step in loop:
        loop.history.add("loss", step, loop.losses)
        loop.board.scalars({"loss": float(step)}, step)
        if step == interrupt_at:
            os.kill(os.getpid(), signal.SIGTERM)
        if step == until:
            return
    assert loop.ensemble.step == 12


def logged_steps(folder):
    steps = []
    for file in sorted(folder.glob("*tfevents*"), key=lambda file: file.suffix):
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            steps += [event.step for value in event.summary.value if value.tag == "loss"]
    return steps


@pytest.mark.long
def test_a_state_of_before_the_names_changed_is_gone_on_from(tmp_path):
    gone = make(tmp_path)
    run(gone)
    file = tmp_path / "checkpoints" / "state.npz"
    del gone
    with np.load(file) as archive:
        arrays = {
            name.replace("diverged_at_step", "stopped_at").replace("/loss", "/fit_coefficient"): a
            for name, a in archive.items()
            if name not in ("identity", "counter", "num_pieces", "pieces_sha256")
            if name != "num_measurements"
        }
    assert "stopped_at" in arrays
    np.savez(file, **arrays)
    again = make(tmp_path)
    assert again.resumed
    assert list(again) == []
    assert again.history["regression_slope"][0] == [0, 4, 8, 12]


def test_steps_between_probes():
    assert every(10, 4) == [0, 4, 8, 10]
    assert every(10, 5, 1, 7, 10, 11) == [0, 1, 5, 7, 10]


def test_history_survives_its_arrays():
    history = History()
    history.add("loss", 0, [1.0, 2.0])
    history.add("norms", 0, 5.0)
    history.add("loss", 3, [0.5, np.nan])
    again = History()
    again.extend(history.tail())
    assert again.num_measurements == 3
    again.seal()
    assert again.tail() == {}
    again.add("loss", 4, [0.0, 0.0])
    assert {name: array.tolist() for name, array in again.tail().items()} == {
        "steps/loss": [4],
        "values/loss": [[0.0, 0.0]],
    }
    steps, values = again["loss"]
    assert steps == [0, 3, 4]
    np.testing.assert_array_equal(values, [[1, 2], [0.5, np.nan], [0, 0]])
    assert again["norms"][1].tolist() == [5.0]


@pytest.mark.long
@pytest.mark.parametrize("lost_at", [0, 4, 8, 12])
def test_a_session_lost_after_a_save_ends_in_the_same_bits_and_events(lost_at, tmp_path):
    whole = make(tmp_path / "whole")
    run(whole)
    # Saved at every probe; then lost in the middle of the next one, its events on disk.
    run(make(tmp_path / "lost", save_every_seconds=0.0), until=lost_at)
    resumed = make(tmp_path / "lost")
    assert resumed.resumed == (lost_at > 0)
    run(resumed)
    for name in ("loss",):
        assert whole.history[name][0] == resumed.history[name][0]
        np.testing.assert_array_equal(whole.history[name][1], resumed.history[name][1])
    for ours, theirs in zip(whole.ensemble.weights, resumed.ensemble.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert logged_steps(tmp_path / "whole" / "tensorboard") == [0, 4, 8, 12]
    assert logged_steps(tmp_path / "lost" / "tensorboard") == [0, 4, 8, 12]


def test_a_signal_saves_and_ends_with_a_line(tmp_path, capsys):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as stop:
        run(make(tmp_path), interrupt_at=4)
    assert stop.value.code == 128 + signal.SIGTERM
    del stop  # It holds the loop, and that the folder.
    gc.collect()
    assert "stopped by SIGTERM at step 4 of 12" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) is before
    resumed = make(tmp_path)
    assert resumed.ensemble.step == 4
    run(resumed)
    assert logged_steps(tmp_path / "tensorboard") == [0, 4, 8, 12]


def test_nothing_is_saved_before_it_is_due_but_the_trained_networks_are(tmp_path):
    loop = make(tmp_path)
    for _ in loop:
        assert not (tmp_path / "checkpoints").exists()
    saved = np.load(tmp_path / "checkpoints" / "state.npz")
    assert saved["ensemble/step"] == 12
    np.testing.assert_array_equal(saved["ensemble/weights/000"], loop.ensemble.weights[0])


def test_pieces_grow_only_when_they_were_whole(tmp_path):
    loop = make(tmp_path, steps=range(0, 200, 2))
    for _ in loop:
        pass
    assert loop._piece <= 10  # Every call was cut short by a probe after 2 steps.


def test_a_run_that_stopped_is_remembered_by_a_session_that_only_reports(tmp_path):
    first = make(tmp_path, members=2)
    weights = first.ensemble.state()
    weights["weights/000"][0] = np.nan
    first.ensemble.load(weights)
    run(first)
    assert first.diverged == {0: 0}
    del first  # And its lock on the folder.
    gc.collect()
    again = make(tmp_path, members=2)
    assert again.resumed
    assert list(again) == []
    assert again.diverged == {0: 0}


def test_a_series_keeps_its_shape():
    history = History()
    history.add("loss", 0, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"history of loss: expected shape \(2,\), as before"):
        history.add("loss", 1, [1.0])


def test_probes_are_at_least_one_step_apart():
    with pytest.raises(ValueError, match="probe_every: expected 1 or more, got 0"):
        every(10, 0)


def test_after_a_damaged_state_the_one_before_ends_in_the_same_bits_and_events(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(state_files, "LARGEST_TAIL", 40)  # Pieces after every second step.
    run(make(tmp_path / "whole"))
    whole = make(tmp_path / "whole")
    folder = tmp_path / "damaged" / "checkpoints"
    run(make(tmp_path / "damaged", save_every_seconds=0.0), until=12)
    newest = max(folder.glob("state*.npz"), key=lambda file: file.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:-500])
    resumed = make(tmp_path / "damaged")
    aside = f"set aside as {newest.stem}.damaged.npz; going on from step"
    assert aside in caplog.text
    assert 0 < resumed.ensemble.step < 12
    run(resumed)
    assert whole.history["loss"][0] == resumed.history["loss"][0]
    np.testing.assert_array_equal(whole.history["loss"][1], resumed.history["loss"][1])
    for ours, theirs in zip(whole.ensemble.weights, resumed.ensemble.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert logged_steps(tmp_path / "whole" / "tensorboard") == [0, 4, 8, 12]
    assert logged_steps(tmp_path / "damaged" / "tensorboard") == [0, 4, 8, 12]


def test_without_a_whole_state_the_training_starts_over(tmp_path, caplog):
    run(make(tmp_path, save_every_seconds=0.0))
    before = make(tmp_path).history["loss"][1]
    for file in (tmp_path / "checkpoints").glob("state*.npz"):
        file.write_bytes(bytes(file.stat().st_size))
    again = make(tmp_path)
    assert "; starting over" in caplog.text
    assert not again.resumed
    run(again)
    np.testing.assert_array_equal(again.history["loss"][1], before)
    assert logged_steps(tmp_path / "tensorboard") == [0, 4, 8, 12]


def test_the_state_of_another_run_is_refused_though_its_sizes_are_the_same(tmp_path):
    run(make(tmp_path / "one"))
    make(tmp_path / "two", flag="--a=2").save()
    shutil.copy(*(tmp_path / name / "checkpoints" / "state.npz" for name in ("one", "two")))
    with pytest.raises(UserError, match=r"one of this training \(--a=2\).* another \(--a=1\)"):
        make(tmp_path / "two", flag="--a=2")


def test_what_is_finished_is_saved_and_its_networks_are_read_no_second_time(tmp_path):
    run(make(tmp_path))

    def written():
        return {file: file.stat().st_mtime_ns for file in tmp_path.glob("checkpoints/*")}

    before = written()
    loop = make(tmp_path, networks_wanted=False)
    assert list(loop) == []
    assert loop.ensemble.step == loop.losses.size == 0
    assert loop.history["loss"][0] == [0, 4, 8, 12]
    assert written() == before
    del loop
    assert make(tmp_path, steps=(0, 4, 8, 12, 16), networks_wanted=False).ensemble.step == 12


def test_the_state_of_other_members_is_refused(tmp_path):
    run(make(tmp_path, save_every_seconds=0.0))
    with pytest.raises(ValueError, match="the arrays of this ensemble"):
        make(tmp_path, members=3)


def test_when_every_run_diverges_it_ends_with_the_step(tmp_path):
    with pytest.raises(ValueError, match="every run diverged, the last at step .*learning rate"):
        run(make(tmp_path, rate=1e30))


def test_a_state_beyond_a_step_that_was_never_probed_is_refused(tmp_path):
    """Else the networks of a later step would be measured as those of an earlier one."""
    loop = make(tmp_path)
    loop.ensemble.train(5)
    loop.save()
    del loop
    gc.collect()
    with pytest.raises(UserError, match=r"a saved state of step 0 or earlier.* got one of step 5"):
        run(make(tmp_path))
