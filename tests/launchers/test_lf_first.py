import html
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from boards import assert_board, boards
from conftest import ROOT, estimated, free_addresses, launch

from spectral_tf.records import read_table

TINY = (
    "--num_runs=3",
    "--num_steps=300",
    "--width=32",
    "--depth=4",
    "--num_samples=24",
    "--frequencies=1,4",
    "--learning_rate=0.01",
    "--probe_every=50",
    "--norms_every=150",
)
STEPS = [*range(0, 301, 50), *(30 * i for i in range(11)), 100]
STEPS = sorted(set(STEPS))
TABLES = ("spectra", "learning_times", "runs", "losses", "norms", "functions")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "lf_first"
    result = launch("lf_first", *TINY, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result.stdout


def test_the_screen_ends_with_findings_and_where_to_look(finished):
    path, out = finished
    assert (
        "learning times [steps], mean of 3 runs, 95 % intervals (crossings of the band: Student, "
        "stretched for skewness)"
    ) in out
    assert (
        "no power law of the learning times at level 0.5: 2 of 2 frequencies learned, 3 needed"
        in out
    )
    assert not re.search(r"\bnan\b", out)
    assert out.splitlines()[-3] == f"run folder: {path}"
    assert f"tensorboard --logdir={path}" in out.splitlines()[-2]
    found = json.loads((path / "summary.json").read_text())["headline"]
    assert out.splitlines()[-1] == found
    assert re.search(r"(was|were) (half|mostly|learned)", found), found


def test_the_tables_hold_what_they_say(finished):
    path, _ = finished
    spectra = read_table(path / "spectra.csv")
    assert list(spectra) == ["step", "frequency", *estimated("magnitude")]
    assert set(spectra["magnitude_n"]) == {3}
    assert set(spectra["magnitude_method"]) == {"Student, stretched for skewness, over runs"}
    assert spectra["step"] == [step for step in STEPS for _ in range(2)]
    assert spectra["frequency"] == [1, 4] * len(STEPS)
    assert np.all(np.array(spectra["magnitude_low"]) <= spectra["magnitude"])
    magnitudes = np.reshape(spectra["magnitude"], (-1, 2))
    assert magnitudes[0].max() < 0.5  # Untrained.
    assert magnitudes[-1, 0] > 0.9  # The low frequency is learned,
    assert magnitudes[-1, 0] > magnitudes[-1, 1]  # before the high one.
    times = read_table(path / "learning_times.csv")
    assert list(times) == ["level", "frequency", *estimated("step")]
    assert times["step"][0] < times["step"][1]
    runs = read_table(path / "runs.csv")
    assert runs["run"] == [run for run in range(3) for _ in STEPS]
    losses = np.reshape(runs["loss"], (3, -1))
    assert np.all(losses[:, -1] < losses[:, 0])
    np.testing.assert_allclose(read_table(path / "losses.csv")["loss"], losses.mean(0))
    norms = read_table(path / "norms.csv")
    assert list(norms) == ["step", "layer", *estimated("spectral_norm")]
    assert sorted(set(norms["step"])) == [0, 150, 300]
    assert sorted(set(norms["layer"])) == [f"layer_{i}" for i in range(1, 5)]


def test_loss_and_spectrum_agree_by_parseval(finished):
    path, _ = finished
    table = read_table(path / "functions.csv")
    last = np.array(table["step"]) == 300
    target, output = (np.array(table[name], float)[last] for name in ("target", "output"))
    errors = np.abs(np.fft.fft(output - target, norm="forward")) ** 2
    runs = read_table(path / "runs.csv")
    assert errors.sum() == pytest.approx(runs["loss"][len(STEPS) - 1], rel=1e-4)


def test_summary_flags_and_environment(finished):
    path, _ = finished
    summary = json.loads((path / "summary.json").read_text())
    assert (summary["num_runs"], summary["num_steps"]) == (3, 300)
    exponent, loss = summary["learning_time_exponent"], summary["final_loss"]
    assert exponent["value"] is None
    assert exponent["missing"] == "not enough: 2 points, 3 needed"
    assert 0 <= loss["low"] < loss["value"] < loss["high"]
    assert (loss["n"], loss["unit"]) == (3, "runs")
    assert loss["value"] == read_table(path / "losses.csv")["loss"][-1]
    assert summary["member_steps_per_second"] > 0
    assert set(TINY) < set((path / "run.flags").read_text().splitlines())
    assert "--workdir" not in (path / "run.flags").read_text()
    environment = json.loads((path / "environment.json").read_text())
    assert environment["wall_seconds"] > 0
    assert environment["seed"] == 0


def log_of(path):
    ((_, log),) = boards(path)
    return log


def test_tensorboard_holds_every_curve_and_picture_once(finished):
    path, _ = finished
    log = log_of(path)
    for tag in ("magnitude/k=001", "magnitude/k=004", "loss"):
        assert [event.step for event in log.Tensors(tag)] == STEPS
    for layer in range(1, 5):
        events = log.Tensors(f"spectral_norm/layer_{layer}")
        assert [event.step for event in events] == [0, 150, 300]
    drawn = sorted([100, *(30 * i for i in range(1, 11))])
    assert [event.step for event in log.Tensors("heat_map")] == drawn
    assert [event.step for event in log.Tensors("learned_function")] == [100, 300]
    assert_board(path, "lf_first")
    pictures = {file.name for file in (path / "figures").iterdir()}
    assert {f"heat_map_step_{30 * i:06d}.png" for i in range(1, 10)} < pictures
    assert {"heat_map.png", "losses.png", "norms.png", "learning_times.png"} < pictures
    assert {"learned_function_step_000100.png", "learned_function.png"} < pictures


def test_a_finished_run_says_so_and_does_nothing(finished, run_launcher):
    path, _ = finished
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*") if file.name != ".lock"}
    result = run_launcher("lf_first", *TINY, f"--workdir={path}")
    assert result.returncode == 0
    assert "finished; --overwrite makes it anew" in result.stdout
    assert before == {f: f.stat().st_mtime_ns for f in path.rglob("*") if f.name != ".lock"}


def test_a_finished_run_has_a_page_and_gets_it_again(finished, run_launcher, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(finished[0], path)
    page = (path / "report.html").read_text()
    summary = json.loads((path / "summary.json").read_text())
    assert f'<p class="headline">{html.escape(summary["headline"])}</p>' in page
    assert "report.html" not in summary["files_sha256"], "a run is finished without it, too"
    assert 'class="differs"><th scope="row">--num_runs' in page
    assert 'id="function"' in page, "the learned function can be dragged through"
    with np.load(path / "functions.npz") as kept:
        assert kept["step"][[0, -1]].tolist() == [0, 300]
        functions = read_table(path / "functions.csv")
        last = functions["output"][-len(kept["position"]) :]
        np.testing.assert_allclose(kept["function"][-1, 0], last, rtol=1e-3, atol=1e-3)
    (path / "report.html").unlink()
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*") if file.is_file()}
    result = run_launcher("lf_first", *TINY, f"--workdir={path}")
    assert "finished; --overwrite makes it anew" in result.stdout
    again = (path / "report.html").read_text()
    # Between its title and its command, which name the folder.
    first, last = '<section id="tables"', '<section id="repeat"'
    assert (
        again[again.index(first) : again.index(last)] == page[page.index(first) : page.index(last)]
    )
    assert (
        before.items()
        <= {file: file.stat().st_mtime_ns for file in path.rglob("*") if file.is_file()}.items()
    )


@pytest.mark.long
def test_a_report_is_made_again_without_training(finished, run_launcher, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(finished[0], path)
    shutil.rmtree(path / "checkpoints")
    for file in [*path.glob("*.csv"), path / "summary.json", *path.glob("figures/*")]:
        file.unlink()
    result = run_launcher(
        "lf_first", *TINY, f"--workdir={path}", "--report_only", python=("-X", "importtime")
    )
    assert result.returncode == 0, result.stderr
    assert "| tensorflow" not in result.stderr.replace("  ", " ")
    assert_same_tables(finished[0], path)
    assert (path / "figures" / "learned_function.gif").is_file()
    assert json.loads((path / "summary.json").read_text()) == json.loads(
        (finished[0] / "summary.json").read_text()
    )
    for flag in ("--overwrite", "--seed=1"):
        wrong = run_launcher("lf_first", *TINY, f"--workdir={path}", "--report_only", flag)
        assert wrong.returncode == 2
        assert (path / "found.npz").is_file()
    (path / "found.npz").unlink()
    refused = run_launcher("lf_first", *TINY, f"--workdir={path}", "--report_only")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "--report_only: expected a run that has been measured to its end" in line


@pytest.mark.long
def test_a_table_that_is_missing_or_altered_is_noticed_and_made_again(
    finished, run_launcher, tmp_path
):
    path = tmp_path / "run"
    shutil.copytree(finished[0], path)
    (path / "losses.csv").unlink()
    (path / "spectra.csv").write_bytes((path / "spectra.csv").read_bytes()[:-40])
    again = run_launcher("lf_first", *TINY, f"--workdir={path}")
    assert again.returncode == 0, again.stderr
    line = f"{path}: missing or altered, made again of what was measured: spectra.csv, losses.csv"
    assert again.stdout.splitlines()[0] == line
    assert_same_tables(finished[0], path)
    (path / "losses.csv").unlink()
    (path / "found.npz").write_bytes((path / "found.npz").read_bytes()[:-40])
    before = {file: file.read_bytes() for file in path.glob("*.*")}
    lost = run_launcher("lf_first", *TINY, f"--workdir={path}")
    assert lost.returncode == 2
    assert "losses.csv missing or altered, and found.npz not whole" in lost.stderr
    assert "repeat the run in another folder" in lost.stderr
    assert "overwrite" not in lost.stderr
    assert {file: file.read_bytes() for file in path.glob("*.*")} == before


@pytest.mark.long
def test_the_flagfile_repeats_the_run(finished, tmp_path):
    path, _ = finished
    result = launch("lf_first", f"--flagfile={path / 'run.flags'}", f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert_same_tables(path, tmp_path)


def assert_same_tables(path, other):
    for name in TABLES:
        assert (path / f"{name}.csv").read_bytes() == (other / f"{name}.csv").read_bytes(), name


def start(path, *flags):
    command = [sys.executable, str(ROOT / "launchers" / "lf_first.py"), f"--workdir={path}"]
    return subprocess.Popen(
        [*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_new_state(process, path):
    """Until the run has saved a state it did not have before."""

    def written():
        states = pathlib.Path(path).glob("checkpoints/state*.npz")
        return max((state.stat().st_mtime_ns for state in states), default=0)

    before = written()
    while written() == before:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.long
def test_kills_and_a_signal_leave_the_same_tables_and_events(run_launcher, tmp_path):
    # Wide enough to last some seconds on a fast machine, so that there is a middle to kill it in.
    long = (*TINY, "--num_steps=3000", "--width=160", "--depth=5", "--save_every_seconds=1")
    whole = launch("lf_first", *long, f"--workdir={tmp_path / 'whole'}")
    assert whole.returncode == 0, whole.stderr
    path = tmp_path / "killed"
    for number in (signal.SIGKILL, signal.SIGTERM):  # More kills of one run: tests/soak.py.
        with start(path, *long) as process:
            wait_for_new_state(process, path)
            time.sleep(0.3)  # Into the steps after the saved one.
            process.send_signal(number)
            out, _ = process.communicate(timeout=120)
        assert not (path / "summary.json").exists(), "it ended before the kill: make it longer"
        if number == signal.SIGTERM:
            assert process.returncode == 128 + signal.SIGTERM
            assert "stopped by SIGTERM at step" in out
            assert out.rstrip().endswith("the state is saved, the same command resumes")
    resumed = run_launcher("lf_first", *long, f"--workdir={path}", "--alsologtostderr")
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming at step" in resumed.stderr
    assert_same_tables(tmp_path / "whole", path)
    logs = log_of(tmp_path / "whole"), log_of(path)
    assert logs[0].Tags()["tensors"] == logs[1].Tags()["tensors"]
    for tag in logs[0].Tags()["tensors"]:
        steps = [[event.step for event in log.Tensors(tag)] for log in logs]
        assert steps[0] == steps[1], tag


@pytest.mark.long
def test_overwriting_a_finished_run_makes_it_anew(finished, run_launcher, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(finished[0], path)
    flags = (*TINY, "--num_steps=50", f"--workdir={path}")
    assert "name another --workdir" in run_launcher("lf_first", *flags).stderr
    result = launch("lf_first", *flags, "--overwrite")
    assert result.returncode == 0, result.stderr
    assert json.loads((path / "summary.json").read_text())["num_steps"] == 50
    assert read_table(path / "runs.csv")["step"][-1] == 50


@pytest.mark.matrix
def test_a_chief_and_a_worker_give_the_tables_of_one(finished, tmp_path):
    path, _ = finished
    addresses = free_addresses(2)
    hosts = []
    cluster = {"chief": addresses[:1], "worker": addresses[1:]}
    tasks = [("chief", 0), ("worker", 0)]
    for kind, index in tasks:
        config = {"cluster": cluster, "task": {"type": kind, "index": index}}
        command = [sys.executable, str(ROOT / "launchers" / "lf_first.py"), *TINY]
        hosts.append(
            subprocess.Popen(
                [*command, f"--workdir={tmp_path}"],
                env={**os.environ, "TF_CONFIG": json.dumps(config)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        outputs = [host.communicate(timeout=300) for host in hosts]
    finally:
        for host in hosts:
            host.kill()
    assert [host.returncode for host in hosts] == [0, 0], outputs
    for name in ("spectra", "runs"):
        one, two = (read_table(p / f"{name}.csv") for p in (path, tmp_path))
        for column in one:
            if column.endswith("_method"):
                assert two[column] == one[column]
            else:
                np.testing.assert_allclose(two[column], one[column], rtol=1e-3, atol=1e-4)
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert environment["num_replicas"] == 2


BAD = {
    "--frequencies=5,12": "below 12, half of the 24 samples",
    "--frequencies=5,5": "each once",
    "--frequencies=0,1": "above 0",
    "--frequencies=5.5": "whole numbers separated by commas",
    "--frequencies=": "whole numbers separated by commas",
    "--amplitudes=1,2,3": "equal, increasing or 2 numbers",
    "--amplitudes=1,-2": "2 positive numbers",
    "--num_runs=0": "num_runs",
    "--num_steps=-5": "num_steps",
    "--probe_every=0": "probe_every",
    "--width=0": "width",
    "--width=wide": "width",
    "--batch_size=25": "0 to 24 (--num_samples), got 25",
    "--learning_rate=0": "a finite number of at least 1e-12",
    "--learning_rate=nan": "a finite number of at least 1e-12",
    "--save_every_seconds=nan": "a finite number of at least 1",
    "--amplitudes=nan,1": "2 positive numbers",
    "--strategy=multi_worker": "the variable TF_CONFIG",
    "--workdir=": "--workdir: expected a folder, got nothing",
    "--workdir=/proc/run": "a folder that can be written, got /proc/run",
    "--flagfile=missing.flags": "missing.flags",
    "--activation=swish": "one of relu, tanh",
    "--strategy=cluster": "one of auto, default, mirrored",
    "--seed=-1": "seed",
    "--no_such_flag": "no_such_flag",
    "stray": "expected flags only, got 'stray'",
}


@pytest.mark.parametrize("flag", BAD)
def test_a_wrong_flag_gets_one_line_without_tensorflow_and_writes_nothing(
    flag, run_launcher, tmp_path
):
    path = tmp_path / "run"
    importtime = ("-X", "importtime")
    result = run_launcher("lf_first", *TINY, f"--workdir={path}", flag, python=importtime)
    lines = [line for line in result.stderr.splitlines() if not line.startswith("import time:")]
    assert result.returncode == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("lf_first.py: ")
    assert BAD[flag] in lines[0]
    assert result.stdout == ""
    assert "| tensorflow" not in result.stderr.replace("  ", " ")
    assert not path.exists()


def test_a_flagfile_that_is_no_text_gets_one_line(run_launcher, tmp_path):
    (tmp_path / "run.flags").write_bytes(b"\xff\xfe--seed=0")
    result = run_launcher("lf_first", f"--flagfile={tmp_path / 'run.flags'}")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1


def test_a_workdir_with_other_flags_is_refused_by_name(finished, run_launcher):
    path, _ = finished
    result = run_launcher("lf_first", *TINY, f"--workdir={path}", "--width=17", "--seed=1")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "its own flags (--seed=0 --width=32), got --seed=1 --width=17" in line


def test_runs_that_all_diverge_end_with_a_line(tmp_path):
    result = launch("lf_first", *TINY, f"--workdir={tmp_path}", "--learning_rate=1e30")
    assert result.returncode == 2
    assert "every run diverged" in result.stderr.splitlines()[-1]
    assert not (tmp_path / "summary.json").exists()


OTHER = {
    "num_runs": "2",
    "num_steps": "200",
    "batch_size": "8",
    "probe_every": "100",
    "norms_every": "75",
    "frequencies": "1,5",
    "amplitudes": "increasing",
    "num_samples": "25",
    "width": "17",
    "depth": "5",
    "activation": "tanh",
    "learning_rate": "0.02",
    "seed": "1",
}
EVERY_FLAG = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import lf_first
from absl import flags
other = eval(sys.argv[3])
FLAGS = flags.FLAGS
FLAGS(["lf_first", *eval(sys.argv[4])])
from spectral_tf import runtime
from spectral_tf.experiments.page import in_folder
assert set(runtime.configuration()) == set(other), set(runtime.configuration()) ^ set(other)
def tables(name):
    FLAGS.workdir = f"{sys.argv[2]}/{name}"
    planned = lf_first.plan()
    found = lf_first.run(planned, in_folder("lf_first", runtime.run_folder("lf_first")))
    return {name: (steps, values.tolist()) for name, (steps, values) in found.series.items()}
base = tables("base")
for name, text in other.items():
    flag = FLAGS[name]
    before, flag.value = flag.value, flag.parser.parse(text)
    assert tables(name) != base, f"--{name} changes nothing"
    flag.value = before
print("every flag matters")
"""


@pytest.mark.long
def test_every_flag_of_the_configuration_changes_the_record(tmp_path):
    # A small network: what takes the time is to compile one for each flag.
    flags = [flag for flag in TINY if not flag.startswith(("--num_steps", "--probe"))]
    flags += ["--depth=2", "--width=8", "--num_steps=60", "--probe_every=30", "--norms_every=30"]
    other = {**OTHER, "num_steps": "50", "probe_every": "20", "norms_every": "20"}
    code = [sys.executable, "-c", EVERY_FLAG, str(ROOT / "launchers"), str(tmp_path)]
    result = subprocess.run(
        [*code, repr(other), repr(flags)], capture_output=True, text=True, timeout=900
    )
    assert "every flag matters" in result.stdout, result.stderr[-3000:]
