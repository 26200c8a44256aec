"""The page on samples of one's own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from boards import boards
from conftest import ROOT, Host, estimated, free_addresses, launch, launch_on
from scipy.io import wavfile

from spectral_tf.records import read_table

TINY = (
    "--num_runs=2",
    "--num_steps=200",
    "--width=32",
    "--depth=3",
    "--learning_rate=0.01",
    "--probe_every=50",
    "--norms_every=200",
)
CLOSED = np.linspace(0, 2, 61)
CLUSTERED = np.sort(np.random.default_rng(0).random(80) ** 2) * 2
SECONDS = np.arange(2000) / 8000


def signal_of(x, *parts):
    return sum(a * np.sin(2 * np.pi * k * x + 1) for k, a in parts)


def assert_same_tables(path, other):
    tables = sorted(file.name for file in path.glob("*.csv"))
    assert {"spectra.csv", "leakage.csv", "target_spectrum.csv", "functions.csv"} < set(tables)
    for name in tables:
        assert (path / name).read_bytes() == (other / name).read_bytes(), name


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A csv with its right end, an npz that is not uniform, a wav of two channels."""
    folder = tmp_path_factory.mktemp("files")
    values = 300 + 50 * signal_of(CLOSED, (0.5, 1), (3, 0.5))
    rows = (f"{x:.6f},{y:.6f}\n" for x, y in zip(CLOSED, values, strict=True))
    text = "time,voltage\n" + "".join(rows)
    (folder / "mine.csv").write_text(text)
    np.savez(folder / "mine.npz", x=CLUSTERED, y=signal_of(CLUSTERED, (1.3, 1), (4.1, 0.5)))
    tone = 0.4 * signal_of(SECONDS, (100, 1), (333.3, 0.5))
    wavfile.write(
        folder / "mine.wav", 8000, (2**15 * np.stack([tone, -0.5 * tone], 1)).astype("i2")
    )
    return folder


@pytest.fixture(scope="module")
def finished(files, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "mine"
    result = launch("lf_first", *TINY, f"--target=csv:{files}/mine.csv", f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result.stdout


@pytest.mark.long
def test_the_screen_says_what_the_samples_are_and_what_leaks(finished, files):
    path, out = finished
    lines = out.splitlines()
    assert lines[0] == f"target: csv:{files}/mine.csv"
    assert lines[1] == (
        "61 uniform positions on [0, 2] with the right end, which is the first position again"
    )
    assert lines[2].startswith("the network sees 0 to 2 as 0 to 1, and learns the values less")
    assert "2 frequencies from 0.5 to 3 cycles per unit of time (resolved below 15)" in lines[3]
    assert "by the trapezoidal rule" in lines[3]
    assert lines[4].startswith(
        "what leaks: of a wave at another of them at most 0 % is measured (3"
    )
    assert lines[5] == "0 % of the target's variance is at none of them"
    assert lines[7].split()[:5] == ["cycles", "per", "unit", "of", "time"]
    assert lines[-3] == f"run folder: {path}"


@pytest.mark.long
def test_the_tables_are_in_the_files_units(finished):
    path, _ = finished
    spectra = read_table(path / "spectra.csv")
    assert list(spectra) == ["step", "frequency", *estimated("magnitude")]
    assert spectra["frequency"][:2] == [0.5, 3]
    magnitudes = np.reshape(spectra["magnitude"], (-1, 2))
    assert magnitudes[0].max() < 0.5  # Untrained.
    assert magnitudes[-1, 0] > 0.9  # The low frequency is learned,
    assert magnitudes[-1, 0] > magnitudes[-1, 1]  # before the high one.
    functions = read_table(path / "functions.csv")
    last = np.array(functions["step"]) == 200
    position, target, output = (
        np.array(functions[name], float)[last] for name in ("position", "target", "output")
    )
    np.testing.assert_allclose(position, CLOSED, atol=1e-6)
    np.testing.assert_allclose(target, 300 + 50 * signal_of(CLOSED, (0.5, 1), (3, 0.5)), atol=1e-5)
    assert 200 < output.min() < output.max() < 400
    # The loss is the error as a share of the target's variance.
    share = ((output - target) ** 2).mean() / target.var()
    runs = read_table(path / "runs.csv")
    of_first = [loss for run, loss in zip(runs["run"], runs["loss"], strict=True) if run == 0]
    assert share == pytest.approx(of_first[-1], rel=1e-3)
    # The normalised magnitude is that of the table's own outputs.
    weights = np.r_[0.5, np.ones(59), 0.5] / 60
    size = 2 * abs((weights * output * np.exp(-2j * np.pi * 0.5 * CLOSED)).sum())
    ((_, board),) = boards(path)
    assert {"magnitude/k=0.5", "magnitude/k=3"} <= set(board.summary_metadata)
    assert 0.7 < size / 50 < 1.3


@pytest.mark.long
def test_spectrum_leakage_and_summary(finished):
    path, _ = finished
    spectrum = read_table(path / "target_spectrum.csv")
    k, sizes = (np.array(spectrum[name]) for name in ("frequency", "amplitude"))
    np.testing.assert_allclose(k, np.arange(1, 30) / 2)
    np.testing.assert_allclose(sizes[[0, 5]], [50, 25], atol=1e-4)
    assert np.delete(sizes, [0, 5]).max() < 1e-4
    leakage = read_table(path / "leakage.csv")
    assert leakage["measured_at"] == [0.5, 0.5, 3, 3]
    assert leakage["wave_at"] == [0.5, 3, 0.5, 3]
    np.testing.assert_allclose(leakage["leak"], [1, 0, 0, 1], atol=1e-9)
    assert min(leakage["leak_of_plain_average"]) > 0.03
    summary = json.loads((path / "summary.json").read_text())["target"]
    assert summary["sampling"] == "closed"
    assert summary["estimator"] == "quadrature"
    assert (summary["period"], summary["num_samples"]) == (2, 61)
    assert summary["frequencies"] == [0.5, 3]
    np.testing.assert_allclose(summary["amplitudes"], [50, 25], atol=1e-4)
    assert summary["largest_leak"] < 1e-9 < summary["largest_leak_of_plain_average"]
    assert summary["variance_at_other_frequencies"] < 1e-9
    for name in ("heat_map", "learned_function", "learning_times", "target_spectrum"):
        assert (path / "figures" / f"{name}.png").is_file()
    assert (path / "figures" / "learned_function.gif").is_file()
    data = json.loads((path / "environment.json").read_text())["data"]
    assert data["num_examples"] == 61


@pytest.mark.long
def test_a_changed_file_is_refused_and_the_flagfile_knows_the_old_one(finished, files, tmp_path):
    path, _ = finished
    flags = (path / "run.flags").read_text()
    assert "--target_sha256=" in flags
    changed = tmp_path / "mine.csv"
    lines = (files / "mine.csv").read_text().splitlines()
    changed.write_text("\n".join([*lines[:-1], "2.000000,301.0"]))
    own = (*TINY, f"--workdir={path}", "--target")
    (files / "kept.csv").write_bytes((files / "mine.csv").read_bytes())
    try:
        shutil.copy(changed, files / "mine.csv")
        refused = launch("lf_first", *own, f"csv:{files}/mine.csv")
        assert refused.returncode == 2
        (line,) = refused.stderr.splitlines()
        assert "its own flags (--target_sha256=" in line
        again = launch("lf_first", *own, f"csv:{files}/mine.csv", "--report_only")
        assert again.returncode == 2
        assert "its own flags (--target_sha256=" in again.stderr
        flagfile = launch("lf_first", f"--flagfile={path}/run.flags", f"--workdir={tmp_path}/new")
        assert flagfile.returncode == 2
        assert "--target: expected the samples that the flags were kept with" in flagfile.stderr
        assert not (tmp_path / "new").exists()
    finally:
        shutil.move(files / "kept.csv", files / "mine.csv")
    done = launch("lf_first", *own, f"csv:{files}/mine.csv")
    assert "finished; --overwrite makes it anew" in done.stdout


@pytest.mark.long
def test_the_flagfile_repeats_it_and_the_report_is_made_again(finished, tmp_path):
    path, _ = finished
    result = launch("lf_first", f"--flagfile={path}/run.flags", f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert_same_tables(path, tmp_path)
    for file in [*tmp_path.glob("*.csv"), tmp_path / "summary.json"]:
        file.unlink()
    again = launch(
        "lf_first", f"--flagfile={path}/run.flags", f"--workdir={tmp_path}", "--report_only"
    )
    assert again.returncode == 0, again.stderr
    for file in path.glob("*.csv"):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


@pytest.mark.long
def test_positions_that_are_not_uniform_and_frequencies_asked_for(files, tmp_path):
    result = launch(
        "lf_first",
        *TINY,
        f"--target=npz:{files}/mine.npz",
        "--frequencies=4.1,1.3,2.2",
        f"--workdir={tmp_path}",
    )
    assert result.returncode == 2
    assert "2.2 cycles per unit of x, of amplitude 0" in result.stderr
    result = launch(
        "lf_first",
        *TINY,
        f"--target=npz:{files}/mine.npz",
        "--frequencies=4.1,1.3",
        f"--workdir={tmp_path}",
    )
    assert result.returncode == 0, result.stderr
    assert "80 positions from" in result.stdout
    assert "that are not uniform" in result.stdout
    assert "by least squares, all together" in result.stdout
    table = read_table(tmp_path / "learning_times.csv")
    assert table["frequency"][:2] == [1.3, 4.1]
    summary = json.loads((tmp_path / "summary.json").read_text())["target"]
    np.testing.assert_allclose(summary["amplitudes"], [1, 0.5], rtol=1e-9)
    assert summary["largest_leak"] < 1e-9 < 0.1 < summary["largest_leak_of_plain_average"]


@pytest.mark.long
def test_a_window_and_a_channel_of_a_sound(files, tmp_path):
    result = launch(
        "lf_first",
        *TINY,
        f"--target=wav:{files}/mine.wav",
        "--target_window=0.1:0.15",
        "--target_channel=2",
        "--num_frequencies=1",
        f"--workdir={tmp_path}",
    )
    assert result.returncode == 0, result.stderr
    assert "8,000 samples a second, int16, channel 2 of 2" in result.stdout
    assert "frequency [Hz]" not in result.stdout
    assert [line.strip() for line in result.stdout.splitlines() if line.strip().startswith("Hz")]
    summary = json.loads((tmp_path / "summary.json").read_text())["target"]
    assert summary["num_samples"] == 400
    # Alone it takes some of the other wave, which is told.
    assert summary["frequencies"] == pytest.approx([100], abs=1)
    assert summary["amplitudes"] == pytest.approx([0.2], rel=0.05)
    assert 0.1 < summary["variance_at_other_frequencies"] < 0.3


@pytest.mark.matrix
def test_a_killed_run_ends_in_the_same_tables(files, tmp_path):
    long = (*TINY, "--num_steps=2000", "--width=128", "--depth=5", "--probe_every=500")
    long = (*long, "--save_every_seconds=1")
    flags = (*long, f"--target=csv:{files}/mine.csv")
    whole = launch("lf_first", *flags, f"--workdir={tmp_path / 'whole'}")
    assert whole.returncode == 0, whole.stderr
    path = tmp_path / "killed"
    page = str(ROOT / "launchers" / "lf_first.py")
    with subprocess.Popen([sys.executable, page, *flags, f"--workdir={path}"]) as process:
        while not (path / "checkpoints" / "state.npz").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (path / "summary.json").exists(), "it ended before the kill: make it longer"
    resumed = launch("lf_first", *flags, f"--workdir={path}")
    assert resumed.returncode == 0, resumed.stderr
    assert_same_tables(tmp_path / "whole", path)


@pytest.mark.matrix
def test_two_hosts_give_the_tables_of_one(finished, files, tmp_path):
    addresses = free_addresses(2)
    hosts = [
        Host(
            {
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
                )
            }
        )
        for index in range(2)
    ]
    flags = (*TINY, f"--target=csv:{files}/mine.csv", f"--workdir={tmp_path}")
    results = launch_on(hosts, "lf_first", *flags)
    assert [result.returncode for result in results] == [0, 0], results
    one, two = (read_table(p / "spectra.csv") for p in (finished[0], tmp_path))
    np.testing.assert_allclose(two["magnitude"], one["magnitude"], rtol=1e-3, atol=1e-4)


BAD = {
    "--target=mine.csv": "--target: expected csv:PATH, npz:PATH or wav:PATH",
    "--target=csv:nowhere.csv": "--target=csv:nowhere.csv: expected a file, got none there",
    "--target=csv:{}/one.csv": "two columns of numbers",
    "--target_window=9:10": "--target_window: expected some of the positions, 0 to 2",
    "--target_window=0.1": "--target_window: expected start:stop",
    "--target_channel=1": "--target_channel: expected a wav file",
    "--num_samples=100": "--num_samples: expected no flags of the sines beside --target",
    "--amplitudes=increasing": "--amplitudes: expected no flags of the sines",
    "--frequencies=15": "--frequencies: expected numbers above 0 and below 15",
    "--frequencies=a": "finite numbers separated by commas",
    "--batch_size=62": "0 to 61 (the samples of --target), got 62",
    "--target_sha256=0": "--target: expected the samples that the flags were kept with (0)",
}


@pytest.mark.long
@pytest.mark.parametrize("flag", BAD)
def test_a_wrong_flag_gets_one_line_without_tensorflow_and_writes_nothing(
    flag, files, run_launcher, tmp_path
):
    (files / "one.csv").write_text("1\n2\n")
    path = tmp_path / "run"
    result = run_launcher(
        "lf_first",
        *TINY,
        f"--target=csv:{files}/mine.csv",
        f"--workdir={path}",
        flag.format(files),
        python=("-X", "importtime"),
    )
    lines = [line for line in result.stderr.splitlines() if not line.startswith("import time:")]
    assert result.returncode == 2
    assert len(lines) == 1, lines
    assert BAD[flag] in lines[0]
    assert "| tensorflow" not in result.stderr.replace("  ", " ")
    assert not path.exists()


@pytest.mark.long
@pytest.mark.parametrize(
    "flag",
    ["--target_window=0:1", "--target_channel=1", "--num_frequencies=3", "--target_sha256=0"],
)
def test_flags_of_a_target_need_one(flag, run_launcher, tmp_path):
    result = run_launcher("lf_first", *TINY, f"--workdir={tmp_path / 'run'}", flag)
    assert result.returncode == 2
    assert "expected --target beside it" in result.stderr


@pytest.mark.long
def test_both_ways_to_ask_for_frequencies_are_refused(files, run_launcher, tmp_path):
    result = run_launcher(
        "lf_first",
        f"--target=csv:{files}/mine.csv",
        "--frequencies=1",
        "--num_frequencies=2",
        f"--workdir={tmp_path / 'run'}",
    )
    assert result.returncode == 2
    assert "--num_frequencies: expected no --frequencies" in result.stderr


@pytest.mark.long
def test_robustness_of_its_networks_is_refused(finished, run_launcher, tmp_path):
    result = run_launcher(
        "robustness", f"--from_run={finished[0]}", f"--workdir={tmp_path / 'run'}"
    )
    assert result.returncode == 2
    assert "--from_run: expected a run on sums of sines" in result.stderr


@pytest.mark.long
def test_a_run_without_a_target_keeps_the_flagfile_of_before():
    code = (
        "import sys; sys.path.insert(0, 'launchers'); import lf_first; "
        "lf_first.FLAGS(['lf_first']); lf_first.plan(); "
        "from spectral_tf import runtime; print(*sorted(runtime.configuration().values()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=os.environ
    )
    names = [word.partition("=")[0] for word in result.stdout.split()]
    before = (ROOT / "results" / "lf_first" / "equal" / "run.flags").read_text().splitlines()
    assert names == [line.partition("=")[0] for line in before], result.stderr
