"""What a training goes on from: whose it is, whether it is whole, how large it gets."""

import errno
import json
import os
import shutil
import zipfile
from typing import NamedTuple

import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.records import state_files
from spectral_tf.records.arrays import Damaged, open_arrays, write_arrays
from spectral_tf.records.identity import Identity
from spectral_tf.records.state_files import StateFiles
from spectral_tf.storage import as_path

OWN = Identity("lf_first", ("--seed=1", "--wave=radial"), "one/seed_0", {"dataset": "digits"})


def content(step, count=None, values=2.0):
    """Arrays of a state of this step, and a history of every step up to it."""
    arrays = {
        "ensemble/step": np.asarray(step),
        "ensemble/weights/000": np.full((2, 3), step, np.float32),
        "seconds": np.array([1.0, 0.5]),
        "probed": np.asarray(step),
        "segments": np.asarray(step),
        "diverged_at_step": np.array([-1, -1]),
    }
    steps = np.arange(step + 1 if count is None else count)
    tail = {"steps/loss": steps, "values/loss": np.full((len(steps), 2), values)}
    return arrays, tail, len(steps)


@pytest.fixture
def folder(tmp_path):
    """A folder with states of the steps 3 and 4."""
    files = StateFiles(tmp_path / "state.npz", OWN, "test")
    for step in (3, 4):
        files.save(*content(step))
    assert {f.name for f in tmp_path.iterdir()} == {"state.npz", "state.second.npz"}
    return tmp_path


def restored(folder, identity=OWN, **wanted):
    return StateFiles(folder / "state.npz", identity, "test").restore(**wanted)


def equal(state, step):
    arrays, tail, _ = content(step)
    (history,) = state.history
    return (
        (state.step, state.segments, state.probed) == (step, step, step)
        and np.array_equal(state.ensemble["weights/000"], arrays["ensemble/weights/000"])
        and all(np.array_equal(history[name], tail[name]) for name in tail)
    )


def test_the_newer_of_two_is_taken_whatever_its_name(folder):
    assert equal(restored(folder), 4)
    files = StateFiles(folder / "state.npz", OWN, "test")
    assert files.restore().step == 4
    files.save(*content(5))  # In the place of the older one.
    assert equal(restored(folder), 5)
    (folder / "state.npz").unlink()
    assert equal(restored(folder), 4)


def test_the_bytes_of_a_save_are_those_of_the_files_that_it_wrote(tmp_path, monkeypatch):
    files = StateFiles(tmp_path / "state.npz", OWN, "test")
    files.save(*content(3))
    assert files.num_bytes_saved() == (tmp_path / "state.npz").stat().st_size
    monkeypatch.setattr(state_files, "LARGEST_TAIL", 0)
    assert files.save(*content(4))
    written = [tmp_path / name for name in ("state.second.npz", "history.000000.npz")]
    assert files.num_bytes_saved() == sum(file.stat().st_size for file in written)


def test_there_is_none_at_first(tmp_path):
    assert restored(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def flipped(whole, at):
    return whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :]


def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(folder):
    newest = folder / "state.second.npz"
    whole = newest.read_bytes()
    noticed = 0
    for at in range(0, len(whole), 11):
        newest.write_bytes(flipped(whole, at))
        state = restored(folder)
        assert equal(state, 4) or equal(state, 3), at
        noticed += state.step == 3
    assert noticed > len(whole) / 22  # Zip files hold dates, and say many things twice.
    with zipfile.ZipFile(folder / "state.npz") as archive:
        member = archive.getinfo("ensemble/weights/000.npy")
        data = member.header_offset + 30 + len(member.filename) + member.file_size
    for at in range(data - 20, data):  # Bytes of an array.
        newest.write_bytes(flipped(whole, at))
        assert equal(restored(folder), 3), at


def test_a_truncated_or_zeroed_state_is_set_aside_and_the_one_before_is_used(folder, caplog):
    newest = folder / "state.second.npz"
    whole = newest.read_bytes()
    cut = [whole[:length] for length in range(0, len(whole), len(whole) // 40)]
    zeroed = [bytes(len(whole)), whole[:100] + bytes(len(whole) - 200) + whole[-100:]]
    for damaged in (*cut, whole[:-1], *zeroed, b"no state"):
        newest.write_bytes(damaged)
        caplog.clear()
        assert equal(restored(folder), 3)
        (line,) = caplog.messages
        assert f"test: {newest} is damaged (" in line
        assert line.endswith("set aside as state.second.damaged.npz; going on from step 3")
        assert {f.name for f in folder.iterdir()} == {"state.npz", "state.second.damaged.npz"}
        assert (folder / "state.second.damaged.npz").read_bytes() == damaged
    # The next is written beside the one that was used.
    files = StateFiles(folder / "state.npz", OWN, "test")
    files.restore()
    files.save(*content(5))
    assert newest.exists()
    assert equal(restored(folder), 5)


def test_where_none_is_whole_the_training_starts_over_with_a_warning(folder, caplog):
    for name in state_files.NAMES:
        (folder / name).write_bytes((folder / name).read_bytes()[:500])
    assert restored(folder) is None
    (line,) = caplog.messages
    assert line.count("is damaged") == 2
    assert line.endswith("starting over")
    aside = {"state.damaged.npz", "state.second.damaged.npz"}
    assert {f.name for f in folder.iterdir()} <= aside


def test_who_only_reads_leaves_a_damaged_file_where_it_is(folder):
    (folder / "state.second.npz").write_bytes(b"")
    reader = StateFiles(folder / "state.npz", OWN, "test", writes=False)
    assert equal(reader.restore(), 3)
    assert {f.name for f in folder.iterdir()} == set(state_files.NAMES)


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (
            OWN._replace(flags=("--seed=2", "--wave=radial")),
            r"one of this training \(--seed=2\), got .*second.npz of another \(--seed=1\); move",
        ),
        (OWN._replace(flags=("--from_run=b", *OWN.flags)), r"\(--from_run=b\).*\(without that\)"),
        (OWN._replace(part="one/seed_1"), r"\(part one/seed_1\).*\(part one/seed_0\)"),
        (OWN._replace(data={"dataset": "letters"}), r"\(dataset letters\).*\(dataset digits\)"),
        (OWN._replace(experiment="theory"), r"\(experiment theory\).*\(experiment lf_first\)"),
    ],
)
def test_the_state_of_another_training_is_refused_and_left(folder, other, line):
    with pytest.raises(UserError, match=line) as error:
        restored(folder, other)
    assert "overwrite" not in str(error.value)
    assert {f.name for f in folder.iterdir()} == set(state_files.NAMES)


def test_what_is_known_of_one_side_alone_is_no_difference(folder):
    """Data of which an earlier version kept no record; a name of before."""
    assert equal(restored(folder, OWN._replace(data={"networks_sha256": "1"}, experiment="")), 4)


def test_flags_that_may_grow_are_no_part_of_whose_it_is():
    run = {"seeds": "--seeds=0,1", "width": "--width=8"}
    longer = {**run, "seeds": "--seeds=0,1,2"}
    of = [Identity.of({}, flags, ("seeds",)) for flags in (run, longer)]
    assert of[0] == of[1]
    assert of[0].flags == ("--width=8",)
    assert Identity.of({}, run, ()) != Identity.of({}, longer, ())


def rewrite(file, drop=(), **changes):
    """As somebody's hand, or the code of before, would write it."""
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive if not name.startswith(tuple(drop))}
    np.savez(file, **{**arrays, **changes})


NEW = ("identity", "counter", "num_pieces", "pieces_sha256", "num_measurements")


def former(folder, step, drop=(), **changes):
    """Leaves one state in the folder, as versions of before wrote it."""
    files = StateFiles(folder / "state.npz")
    shutil.rmtree(folder)
    files.save(*content(step))
    rewrite(folder / "state.npz", drop=(*NEW, *drop), **changes)


def test_a_state_of_before_is_read_and_said_not_to_tell_whose_it_is(folder, caplog):
    former(folder, 2)
    caplog.set_level("INFO", logger="absl")
    assert equal(restored(folder), 2)
    assert "does not say whose it is; taken for this one's" in caplog.text
    files = StateFiles(folder / "state.npz", OWN, "test")
    files.restore()
    files.save(*content(3))
    assert equal(restored(folder), 3)


@pytest.mark.parametrize(
    ("drop", "changes", "line"),
    [
        (["history/"], {}, "without its history"),
        (["history/values/"], {}, "its history of loss is not whole"),
        ([], {"history/steps/loss": np.array([0, 1, 5])}, "loss is not that of step 2"),
        ([], {"history/steps/loss": np.array([0, 2, 1])}, "loss is not that of step 2"),
        ([], {"ensemble/step": np.asarray(1)}, "loss is not that of step 1"),
        (["ensemble/step"], {}, "without its step"),
        (["probed"], {}, "without probed"),
        (["segments"], {}, "without segments"),
    ],
)
def test_a_state_whose_history_does_not_fit_is_not_accepted(drop, changes, line, folder, caplog):
    former(folder, 2, drop, **changes)
    assert restored(folder) is None
    assert line in caplog.text


def test_one_that_says_whose_it_is_without_its_digest_was_changed(folder, caplog):
    rewrite(folder / "state.second.npz", drop=["history/"])
    assert equal(restored(folder), 3)
    assert "changed after it was written" in caplog.text


def test_a_state_of_which_every_network_diverged_at_once_needs_no_history(folder):
    former(folder, 2, ["history/"], diverged_at_step=np.array([0, 0]))
    assert restored(folder).step == 2


def flip_middle(whole):
    return flipped(whole, len(whole) // 3)


def save_steps(folder, begin, end, files=None):
    """Saves at each step, with a history of 160 bytes a step; the bytes of each save."""
    files, sizes, since = files or StateFiles(folder / "state.npz", OWN, "test"), [], begin
    for step in range(begin, end):
        steps = np.arange(since, step + 1)
        tail = {"steps/loss": steps, "values/loss": np.outer(steps, np.ones(19))}
        before = {f.name: f.stat().st_mtime_ns for f in folder.iterdir()}
        if files.save(content(step)[0], tail, step + 1):
            since = step + 1
        written = [f for f in folder.iterdir() if before.get(f.name) != f.stat().st_mtime_ns]
        sizes.append(sum(f.stat().st_size for f in written))
    return sizes


@pytest.fixture
def long(tmp_path, monkeypatch):
    """Ten states, of which each third has made a piece; the bytes of each save."""
    monkeypatch.setattr(state_files, "LARGEST_TAIL", 400)
    return tmp_path, save_steps(tmp_path, 0, 10)


def all_steps(state):
    return np.concatenate([piece.get("steps/loss", np.arange(0)) for piece in state.history])


def test_a_history_in_pieces_comes_back_whole_and_saves_do_not_grow(long):
    folder, sizes = long
    pieces = [f"history.{i:06d}.npz" for i in range(3)]
    assert sorted(f.name for f in folder.iterdir()) == [*pieces, *sorted(state_files.NAMES)]
    state = restored(folder)
    assert all_steps(state).tolist() == list(range(10))
    assert np.concatenate([p["values/loss"] for p in state.history if p])[:, 0].tolist() == list(
        range(10)
    )
    rounds = np.reshape(sizes[:9], (3, 3))  # The third of each is one with a piece.
    assert np.ptp(rounds, axis=0).max() <= 2
    assert max(sizes) < 1.5 * min(sizes)


def test_after_a_damaged_state_its_piece_is_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr(state_files, "LARGEST_TAIL", 400)
    save_steps(tmp_path, 0, 9)  # The last one has made a piece of the steps from 6 on.
    (tmp_path / "state.npz").write_bytes(b"")
    files = StateFiles(tmp_path / "state.npz", OWN, "test")
    state = files.restore()
    assert all_steps(state).tolist() == list(range(8))
    assert state.history[-1]["steps/loss"].tolist() == [6, 7]
    assert not (tmp_path / "history.000002.npz").exists()
    save_steps(tmp_path, 6, 12, files)
    assert all_steps(restored(tmp_path)).tolist() == list(range(12))


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("damage", [lambda whole: None, lambda whole: whole[:-30], flip_middle])
def test_without_a_whole_piece_there_is_no_history(damage, number, long, caplog):
    folder, _ = long
    piece = folder / f"history.{number:06d}.npz"
    left = damage(piece.read_bytes())
    piece.write_bytes(left) if left else piece.unlink()
    assert restored(folder) is None
    assert piece.name in caplog.text
    assert not list(folder.glob("history*"))  # All of it will be measured again.


def test_a_piece_of_another_time_is_noticed(long, caplog):
    folder, _ = long
    shutil.copy(folder / "history.000001.npz", folder / "history.000000.npz")
    assert restored(folder) is None
    assert "are not those that it was saved with" in caplog.text


def test_a_kill_between_a_piece_and_its_state_leaves_one_that_no_state_knows(long):
    folder, _ = long
    shutil.copy(folder / "history.000000.npz", folder / "history.000003.npz")
    assert all_steps(restored(folder)).tolist() == list(range(10))
    assert not (folder / "history.000003.npz").exists()


def test_networks_are_read_only_where_they_are_wanted(folder, monkeypatch):
    read = []
    get = zipfile.ZipFile.read
    monkeypatch.setattr(
        zipfile.ZipFile, "read", lambda z, m, *a: (read.append(m.filename), get(z, m, *a))[1]
    )
    state = restored(folder, without_ensemble_from=4)
    assert state.ensemble == {}
    assert state.step == 4
    assert state.history[0]["steps/loss"].tolist() == [0, 1, 2, 3, 4]
    assert not any("weights" in name for name in read)
    assert equal(restored(folder, without_ensemble_from=5), 4)


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {"a/b": np.arange(6.0).reshape(2, 3), "text": np.array("x"), "n": 3}
    for compressed in (False, True):
        write_arrays(tmp_path / "a.npz", arrays, compressed=compressed)
        with np.load(tmp_path / "a.npz") as plain, open_arrays(tmp_path / "a.npz") as ours:
            assert set(plain) == set(ours.names) == set(arrays)
            for name in arrays:
                np.testing.assert_array_equal(ours[name], plain[name])
            assert ours.group("a/").keys() == {"b"}
            with pytest.raises(Damaged, match="without none"):
                ours["none"]


def test_arrays_that_were_renamed_or_left_out_are_noticed(tmp_path):
    file = tmp_path / "a.npz"
    write_arrays(file, {"mine": np.ones(3), "other": np.zeros(3)})
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"mine", b"mint"))
    with pytest.raises(Damaged, match="not the one that was written"), open_arrays(file):
        pass
    with zipfile.ZipFile(file, "w") as archive:
        archive.comment = json.dumps([]).encode()
    with pytest.raises(Damaged), open_arrays(file):
        pass


def test_files_of_an_object_store_are_served_alike(monkeypatch):
    """No renaming, no folders: whole objects under names of their own."""
    monkeypatch.setattr(state_files, "LARGEST_TAIL", 400)
    folder = as_path("memory://states/run/checkpoints")
    files = StateFiles(folder / "state.npz", OWN, "test")
    assert files.restore() is None
    for step in range(5):
        tail = {"steps/loss": np.array([step]), "values/loss": np.full((1, 60), step)}
        files.save(content(step)[0], tail, step + 1)
    assert all_steps(restored(folder)).tolist() == [0, 1, 2, 3, 4]
    (folder / "state.npz").write_bytes(b"no state")
    state = restored(folder)
    assert all_steps(state).tolist() == [0, 1, 2, 3]
    names = {file.name for file in folder.iterdir()}
    pieces = {f"history.{i:06d}.npz" for i in range(4)}
    assert names == {"state.second.npz", "state.damaged.npz", *pieces}


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ETIMEDOUT])
def test_a_state_that_cannot_be_read_now_is_left_alone(folder, number, monkeypatch):
    """It may be whole: too many files are open, a disk or a network fails."""
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def refused(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr("zipfile.ZipFile.__init__", refused)
        with pytest.raises(OSError, match=os.strerror(number)):
            restored(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert equal(restored(folder), 4)


def test_both_that_are_not_whole_are_kept(folder):
    for name in state_files.NAMES:
        (folder / name).write_bytes(name.encode())
    assert restored(folder) is None
    assert (folder / "state.damaged.npz").read_bytes() == b"state.npz"
    assert (folder / "state.second.damaged.npz").read_bytes() == b"state.second.npz"


@pytest.mark.parametrize("told", ["[1]", '{"experiment": "", "flags": [], "more": 1}', "{"])
def test_a_state_of_another_version_is_refused_and_left_alone(folder, told):
    arrays, tail, count = content(5)
    files = StateFiles(folder / "state.npz", Told(told), "test")
    files._counter = 2
    files.save(arrays, tail, count)
    with pytest.raises(UserError, match="one of another version"):
        restored(folder)
    assert {file.name for file in folder.iterdir()} == set(state_files.NAMES)


class Told(NamedTuple):
    """An identity as another version writes it."""

    text: str

    def arrays(self):
        return {"identity": self.text}
