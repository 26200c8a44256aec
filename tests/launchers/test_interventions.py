import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, assert_refused, launch, mocked_cifar10
from PIL import Image

from spectral_tf.records import read_table

PAGE = [sys.executable, str(ROOT / "launchers" / "interventions.py")]
TINY = [
    *("--dataset=digits", "--width=4", "--num_epochs=2", "--train_size=300", "--batch_size=32"),
    *("--pairs=2", "--num_samples=8", "--measured_epochs=1"),
]
SWEEPS = ["--sweeps=time,width,distillation", "--widths=3", "--seeds=2"]


def columns(path, name):
    return {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, embedded_dir):
    path = tmp_path_factory.mktemp("interventions") / "run"
    command = [*PAGE, *TINY, *SWEEPS, f"--data_dir={embedded_dir}"]
    result = launch("interventions", *command[2:], f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result, command


def test_a_sweep_compares_its_trainings(finished):
    path, result, _ = finished
    assert "run folder" in result.stdout
    models = columns(path, "models")
    last = models["epoch"] == 2
    assert sorted(models["sweep"][last]) == sorted(["baseline", "width", "distillation"] * 2)
    assert (models["sweep"][~last] == "baseline").all()  # Checkpoints of the baseline alone.
    assert len(models["sweep"]) == 8
    assert len(set(models["parameters"])) == 2
    assert (models["within_plain_low"] <= models["within_plain"]).all()
    correlations = columns(path, "correlations")
    assert {"time", "all"} <= set(correlations["sweep"])
    assert set(correlations["quality"][correlations["sweep"] == "time"]) == {"accuracy", "epoch"}
    assert set(correlations["num_models"][correlations["sweep"] == "all"]) == {6}
    changes = columns(path, "differences")
    chosen = (changes["sweep"] == "width") & (changes["measure"] == "between_mirrored")
    by_hand = [
        models["between_mirrored"][last & (models["sweep"] == s)] for s in ("width", "baseline")
    ]
    np.testing.assert_allclose(changes["difference"][chosen], np.mean(by_hand[0] - by_hand[1]))
    for sweep in ("time", "width", "distillation", "all"):
        Image.open(path / "figures" / f"{sweep}.png").verify()
    for name in ("baseline", "width=3", "distillation=0"):
        assert (path / "checkpoints" / name / "seed_1" / "final.keras").exists()
        assert list((path / "tensorboard" / name / "seed_1").glob("*tfevents*"))


def test_shards_at_once_and_a_kill_end_in_the_same_tables(finished, tmp_path):
    """Two shards side by side, one of them killed and started again: the last one compares."""
    path, _, command = finished
    command = [*command, f"--workdir={tmp_path / 'run'}"]
    first, second = (
        subprocess.Popen(
            [*command, f"--shard={i}/2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for i in (1, 2)
    )
    states = tmp_path / "run" / "checkpoints"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not list(states.rglob("final.keras")):
        time.sleep(0.05)
    second.send_signal(signal.SIGKILL)
    second.communicate(timeout=120)
    again = launch("interventions", *command[2:], "--shard=2/2")
    told = first.communicate(timeout=600)
    assert (again.returncode, first.returncode) == (0, 0), (again.stderr, told)
    assert (tmp_path / "run" / "summary.json").exists()
    for name in ("models", "correlations", "differences"):
        ours, theirs = ((p / f"{name}.csv").read_text() for p in (tmp_path / "run", path))
        assert ours == theirs


def test_a_sweep_can_grow(finished, embedded_dir, tmp_path):
    """Other sweeps, time among them, and another seed; what is there stays as it is."""
    path, _, _ = finished
    command = [*PAGE, *TINY, f"--data_dir={embedded_dir}", f"--workdir={tmp_path}"]
    few = launch("interventions", *command[2:], "--sweeps=width", "--widths=3")
    assert few.returncode == 0, few.stderr
    kept = [tmp_path / "checkpoints" / c / "seed_0" / "state.npz" for c in ("baseline", "width=3")]
    written = [file.stat().st_mtime_ns for file in kept]
    more = launch("interventions", *command[2:], *SWEEPS)
    assert more.returncode == 0, more.stderr
    assert [file.stat().st_mtime_ns for file in kept] == written
    for name in ("models", "correlations", "differences"):
        assert (tmp_path / f"{name}.csv").read_text() == (path / f"{name}.csv").read_text()


def test_every_sweep_and_the_flags_for_cifar_10(tmp_path):
    mocked_cifar10(tmp_path, images_in_file=40)  # Noise in its format: 200 and 40 images.
    flags = [
        f"--flagfile={ROOT / 'results' / 'interventions' / 'cifar10_wrn_32.flags'}",
        *(f"--data_dir={tmp_path}", "--download", f"--workdir={tmp_path / 'run'}"),
        *("--num_epochs=2", "--batch_size=32", "--seeds=1", "--model=convnet", "--widths=3"),
        *(
            "--width=2",
            "--measured_epochs=1",
            "--architectures=small_resnet",
            "--shares=0.5",
            "--decays=0",
            "--pairs=1",
        ),
        *("--recipes=randaugment+cutout+mixup:0.1", "--num_samples=4", "--alphas=0.5"),
    ]
    result = launch("interventions", *flags)
    assert result.returncode == 0, result.stderr
    models = columns(tmp_path / "run", "models")
    assert set(models["sweep"]) == {
        *("baseline", "architecture", "width", "examples_equal_epochs", "examples_equal_steps"),
        *("augmentation", "distillation", "weight_decay"),
    }
    steps = {s: models["step"][models["sweep"] == s].max() for s in set(models["sweep"])}
    assert steps["examples_equal_steps"] == steps["baseline"] == 12
    assert steps["examples_equal_epochs"] == 6
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["num_trainings"] == 8


MISTAKES = {
    "--sweeps=colour": "--sweeps: expected some of time",
    "--shard=3/2": "--shard: expected i/n",
    "--shard=1/2 --overwrite": "--overwrite: expected one process alone",
    "--widths=4,4": "--widths: expected whole numbers",
    "--sweeps=augmentation --recipes=flop": "--recipes: expected names of autoaugment",
    "--sweeps=examples --shares=0.05": "--shares: expected enough of the 300 images",
    "--sweeps=distillation --alphas=2": "--alphas: expected at most 1",
    "--pairs=40": "--pairs: expected 1 to",
    "--measured_epochs=2": "--measured_epochs: expected at most 1",
}


def test_mistakes_get_one_line(embedded_dir, tmp_path):
    own = [*TINY, f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"]
    for flags, line in MISTAKES.items():
        assert_refused(launch("interventions", *own, *flags.split()), line)
    assert not (tmp_path / "run").exists()
