import hashlib
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.records import Report, RunFolder

FLAGS = {"seed": "--seed=0", "width": "--width=4"}


def started(path, configuration=FLAGS, environment=None, **settings):
    folder = RunFolder(path, configuration, **settings)
    folder.start(environment or {})
    return folder


def test_a_new_folder_holds_its_flagfile_and_is_not_finished(tmp_path):
    folder = RunFolder(tmp_path / "a" / "b", FLAGS)
    assert not (tmp_path / "a").exists()
    folder.start({})
    assert (tmp_path / "a" / "b" / "run.flags").read_text() == "--seed=0\n--width=4\n"
    assert not folder.finished


def test_finishing_writes_time_and_summary_without_infinities(tmp_path):
    folder = started(tmp_path, environment={"start_utc": "then", "versions": {}})
    folder.finish({"x": 1.5, "never": float("inf"), "none": [float("nan")]}, wall_seconds=12.34)
    assert folder.finished
    assert folder.summary() == {"x": 1.5, "never": "never", "none": [None]}
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert environment == {"start_utc": "then", "versions": {}, "wall_seconds": 12.3}


def test_no_page_of_before_stands_beside_new_numbers(tmp_path):
    def killed(_):
        raise KeyboardInterrupt

    folder = started(tmp_path, then=killed)
    (tmp_path / "report.html").write_text("of other numbers")
    with pytest.raises(KeyboardInterrupt):
        folder.finish({"x": 1.5}, 1.0)
    assert folder.finished
    assert not (tmp_path / "report.html").exists()


def test_a_resumed_run_keeps_its_first_start(tmp_path):
    for environment in ({"start_utc": "first", "tf": "1"}, {"start_utc": "second", "tf": "2"}):
        started(tmp_path, environment=environment)
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert environment == {"start_utc": "first", "tf": "2"}


def test_a_start_that_came_to_nothing_keeps_nobody_from_other_flags(tmp_path):
    del started(tmp_path).path  # The run ends, and with it its lock.
    started(tmp_path, {**FLAGS, "width": "--width=5"})
    assert (tmp_path / "run.flags").read_text() == "--seed=0\n--width=5\n"


def test_a_run_goes_on_with_the_data_that_it_began_with_alone(tmp_path):
    data = {"dataset": "npz:a.npz", "version": "sha-1", "num_examples": 5}
    folder = started(tmp_path, environment={"data": data})
    del folder
    started(tmp_path, environment={"data": {**data, "version": "sha-2"}})  # Nothing computed yet.
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "state.npz").write_text("")
    with pytest.raises(
        UserError, match=r"the data that its run began with \(version sha-2\), got version sha-3"
    ):
        started(tmp_path, environment={"data": {**data, "version": "sha-3"}})
    assert "sha-2" in (tmp_path / "environment.json").read_text()


@pytest.mark.parametrize("name", ["networks_sha256", "features_sha256", "teacher_sha256"])
def test_a_run_that_rests_on_another_is_refused_when_that_was_made_anew(tmp_path, name):
    folder = started(tmp_path, environment={"data": {name: "a" * 64}})
    del folder  # It holds the lock.
    (tmp_path / "losses.csv").write_text("step\n")
    started(tmp_path, environment={"data": {name: "a" * 64}})
    with pytest.raises(UserError, match=f"{name} aaa.* got {name} bbb"):
        started(tmp_path, environment={"data": {name: "b" * 64}})


def test_other_flags_are_refused_by_name_and_nothing_changes(tmp_path):
    started(tmp_path)
    (tmp_path / "losses.csv").write_text("")
    before = (tmp_path / "run.flags").read_text()
    with pytest.raises(
        ValueError, match=r"its own flags \(--width=4\), got --width=5; --flagfile="
    ):
        RunFolder(tmp_path, {**FLAGS, "width": "--width=5"})
    assert (tmp_path / "run.flags").read_text() == before


def test_a_damaged_flagfile_is_refused(tmp_path):
    (tmp_path / "run.flags").write_bytes(b"\xff\xfe--seed=0")
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(ValueError, match="its own flags"):
        RunFolder(tmp_path, FLAGS)


def test_a_foreign_folder_is_refused_even_with_overwrite(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="thesis.tex and no run.flags"):
            RunFolder(tmp_path, FLAGS, overwrite=overwrite)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="expected a folder, got the file"):
        RunFolder(tmp_path / "file", FLAGS)
    with pytest.raises(ValueError, match="workdir: expected a folder"):
        RunFolder(tmp_path / "file" / "below", FLAGS)


def test_no_name_is_refused():
    with pytest.raises(ValueError, match="workdir: expected a folder, got nothing"):
        RunFolder("", FLAGS)


def test_an_unwritable_place_is_refused():
    with pytest.raises(ValueError, match="workdir: expected a folder that can be written"):
        RunFolder("/proc/spectral_tf", FLAGS)


def test_overwrite_removes_the_run_and_nothing_else(tmp_path):
    folder = started(tmp_path)
    folder.finish({}, 1.0)
    own = ("figures/a.png", "tensorboard/e", "checkpoints/state.npz", "t.csv", "paths.npz")
    for name in (*own, "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    del folder
    assert RunFolder(tmp_path, FLAGS).finished
    assert not RunFolder(tmp_path, FLAGS, overwrite=True).finished
    started(tmp_path, {"seed": "--seed=9"}, overwrite=True)
    assert sorted(os.listdir(tmp_path)) == [
        ".lock",
        ".lock.start",
        "README.md",
        "environment.json",
        "run.flags",
    ]
    assert (tmp_path / "run.flags").read_text() == "--seed=9\n"


def test_a_folder_in_use_by_another_process_is_refused(tmp_path):
    code = (
        "import sys, time; from spectral_tf.records import RunFolder; "
        f"f = RunFolder({str(tmp_path)!r}, {FLAGS!r}); f.start({{}}); "
        "print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        with pytest.raises(ValueError, match="no other process works in, got one in use"):
            started(tmp_path)
        other.kill()
    started(tmp_path)


def test_hosts_that_do_not_write_leave_no_trace(tmp_path):
    folder = RunFolder(tmp_path / "run", FLAGS, writes=False)
    folder.start({"a": 1})
    assert not (tmp_path / "run").exists()


def test_what_a_kill_left_half_written_is_no_stranger(tmp_path):
    (tmp_path / ".run.flags.part").write_text("--se")
    started(tmp_path)
    assert (tmp_path / "run.flags").read_text() == "".join(f"{v}\n" for v in FLAGS.values())


def test_a_sweep_may_grow_and_is_then_unfinished(tmp_path):
    """What is computed under the other flags stays; the flags that grow are the last ones."""
    folder = started(tmp_path, growing=["width"])
    folder.finish({}, 1.0)
    assert RunFolder(tmp_path, FLAGS, growing=["width"]).finished
    grown = {**FLAGS, "width": "--width=4,8"}
    assert not RunFolder(tmp_path, grown, growing=["width"]).finished
    del folder
    started(tmp_path, grown, growing=["width"])
    assert (tmp_path / "run.flags").read_text() == "--seed=0\n--width=4,8\n"
    assert not (tmp_path / "summary.json").exists()
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(UserError, match=r"its own flags \(--seed=0\), got --seed=1;"):
        RunFolder(tmp_path, {**grown, "seed": "--seed=1"}, growing=["width"])
    for fewer in ("--width=4", "--width=8,16"):  # What is there would be left out.
        with pytest.raises(UserError, match=r"its own flags \(--width=4,8\)"):
            RunFolder(tmp_path, {**FLAGS, "width": fewer}, growing=["width"])
    RunFolder(tmp_path, {**FLAGS, "width": "--width=4,8,16"}, growing=["width"])


def test_processes_share_a_folder_and_not_its_parts(tmp_path):
    first, second = (RunFolder(tmp_path, FLAGS) for _ in range(2))
    first.start({}, alone=False)
    second.start({}, alone=False)
    with (
        first.part("a").alone(),
        second.part("b").alone(),
        pytest.raises(UserError, match="no other"),
    ):
        second.part("a").alone().__enter__()
    with second.part("a").alone():
        pass
    for settings in ({}, {"overwrite": True}):
        third = RunFolder(tmp_path, FLAGS, **settings)
        with pytest.raises(UserError, match="no other process works in"):
            third.start({}, alone=not settings)
    del first, second
    started(tmp_path, overwrite=True)


SHARED_START = """
import sys, time
from spectral_tf.records import Report, RunFolder
while time.time() < float(sys.argv[2]):
    pass
for i in range(50):
    RunFolder(f"{sys.argv[1]}/{i}", {"seed": "--seed=0"}).start({"tf": "1"}, alone=False)
"""


def test_processes_that_start_at_once_do_not_trip_over_each_other(tmp_path):
    command = [sys.executable, "-c", SHARED_START, str(tmp_path), str(time.time() + 3)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    told = [process.communicate(timeout=120)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert len(list(tmp_path.glob("*/run.flags"))) == 50


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_was_found_with_other_flags_is_gone_before_a_report_could_take_it(tmp_path, overwrite):
    few, more = ({"seeds": f"--seeds={count}"} for count in (2, 3))
    folder = started(tmp_path, few)
    (tmp_path / "found.npz").write_text("")
    folder.finish({}, 1.0)
    del folder
    started(tmp_path, few, growing=("seeds",))
    assert (tmp_path / "found.npz").exists()  # The same run goes on.
    started(tmp_path, more, growing=("seeds",), overwrite=overwrite)
    assert not (tmp_path / "found.npz").exists()
    assert not (tmp_path / "summary.json").exists()


def test_a_finished_run_knows_which_of_its_files_are_not_what_it_wrote(tmp_path):
    folder = started(tmp_path)
    report = Report(
        {"x": 1.0},
        tables={name: (["step"], [(1,), (2,)]) for name in ("kept", "gone", "cut")},
        arrays={"paths": {"x": np.ones(3)}},
        texts={"words": "one\n"},
    )
    files = report.write(tmp_path)
    assert sorted(files) == ["cut.csv", "gone.csv", "kept.csv", "paths.npz", "words.md"]
    words = hashlib.sha256(b"one\n").hexdigest()
    assert files["words.md"] == words
    folder.finish(report.summary, 1.0, files)
    assert folder.summary()["files_sha256"]["words.md"] == words
    assert folder.altered() == []
    (tmp_path / "gone.csv").unlink()
    (tmp_path / "cut.csv").write_text("step\n1\n")
    (tmp_path / "words.md").write_text("two\n")
    assert sorted(folder.altered()) == ["cut.csv", "gone.csv", "words.md"]
    folder.finish(report.summary, 1.0)  # As versions of before: of those nothing is known.
    assert folder.altered() == []


def test_a_run_is_named_after_its_experiment_and_its_folder_and_keeps_the_name(tmp_path):
    named = {"experiment": "lf_first"}
    then = {"start_utc": "2026-01-02T03:04:05+00:00"}
    first = started(tmp_path / "equal", environment=then, **named)
    assert first.tensorboard == tmp_path / "equal" / "tensorboard" / "lf_first_equal"
    assert first.part("a/b").tensorboard == first.tensorboard / "a" / "b"
    assert first.started == 1767323045.0
    del first  # The run ends, and with it its lock.
    (tmp_path / "equal").rename(tmp_path / "moved")
    later = {"start_utc": "2026-01-03T00:00:00+00:00"}
    again = started(tmp_path / "moved", environment=later, **named)
    assert again.tensorboard == tmp_path / "moved" / "tensorboard" / "lf_first_equal"
    assert again.started == 1767323045.0
    del again
    anew = started(tmp_path / "moved", **named, overwrite=True)
    assert anew.tensorboard.name == "lf_first_moved"
    assert anew.started is None


def test_a_run_from_before_names_goes_on_where_its_events_are(tmp_path):
    del started(tmp_path, environment={"start_utc": "2026-01-02T03:04:05+00:00"}).path
    again = started(tmp_path, experiment="lf_first")
    assert again.tensorboard == tmp_path / "tensorboard"
    assert again.part("a").tensorboard == tmp_path / "tensorboard" / "a"
