import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy
from boards import assert_board
from conftest import (
    ROOT,
    assert_refused,
    launch,
    launch_on,
    mocked_cifar10,
    mocked_cifar10_1,
    two_workers,
)
from PIL import Image

from spectral_tf.experiments import path_study
from spectral_tf.experiments.path_study import Models
from spectral_tf.records import read_table

PAGE = [sys.executable, str(ROOT / "launchers" / "interventions.py")]
TINY = [
    *("--dataset=digits", "--width=4", "--num_epochs=2", "--train_size=300", "--batch_size=32"),
    *("--pairs=3", "--between_pairs=1", "--num_samples=8", "--measured_epochs=1"),
]
SWEEPS = [
    *("--sweeps=time,width,distillation", "--widths=2,3,5", "--seeds=2"),
    "--ends=held_out,training",
]
TABLES = ("models", "claims", "correlations", "differences", "difficulty")


def columns(path, name):
    return {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, embedded_dir):
    path = tmp_path_factory.mktemp("interventions") / "run"
    command = [*PAGE, *TINY, *SWEEPS, f"--data_dir={embedded_dir}"]
    result = launch("interventions", *command[2:], f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result, command


@pytest.mark.long
def test_a_sweep_compares_its_trainings(finished):
    path, result, _ = finished
    assert "run folder" in result.stdout
    models = columns(path, "models")
    last = models["last"] == 1
    assert sorted(models["sweep"][last]) == sorted(["baseline", *["width"] * 3, "distillation"] * 2)
    assert (models["sweep"][~last] == "baseline").all()  # Checkpoints of the baseline alone.
    assert len(models["sweep"]) == 12
    assert len(set(models["parameters"])) == 4
    rows = columns(path, "correlations")
    assert {"time", "width", "distillation", "all"} == set(rows["sweep"])
    assert set(rows["quality"][rows["sweep"] == "time"]) == {"epoch"}
    told = rows["rho_n"][(rows["sweep"] == "all") & (rows["reading"] == "DFT share, all paths")]
    assert set(told) == {5}  # Settings; seeds are part of them.
    for sweep in ("time", "width", "distillation", "all"):
        Image.open(path / "figures" / f"{sweep}.png").verify()
    for name in ("baseline", "width=3", "distillation=0"):
        assert (path / "checkpoints" / name / "seed_1" / "final.keras").exists()
    assert_board(path, "interventions")


@pytest.mark.long
def test_every_claim_is_there_in_every_reading_and_follows_from_the_paths(finished):
    path, _, _ = finished
    found, claims = Models.read(path), columns(path, "claims")
    assert len(found.readings) == len(path_study.READINGS)
    for claim in ("C0", "C5 within", "C5 between", "C6 within", "C7 width within", "C10 within"):
        own = claims["claim"] == claim
        assert claims["reading"][own].tolist() == [r.name for r in path_study.READINGS]
        kinds = [kind for kind in claims["primary"][own] if kind]
        assert kinds == ["published", "corrected"]
        assert len(set(claims["direction"][own])) == 1
    # By hand, from the values of every path: Spearman over settings of means over seeds.
    last = found[found.columns["last"] == 1]
    classes = last.classes["held_out"]
    within = classes[:, 0] == classes[:, 1]
    shares = last.along["held_out/dft_share"][:, within].mean(axis=1)
    settings = [
        f"{s}{v}" for s, v in zip(last.columns["sweep"], last.columns["value"], strict=True)
    ]
    means = [
        [np.mean(side[[s == name for s in settings]]) for name in sorted(set(settings))]
        for side in (last.columns["accuracy"], shares)
    ]
    row = (claims["claim"] == "C5 within") & (claims["reading"] == "DFT share, all paths")
    expected = scipy.stats.spearmanr(*means).statistic
    assert claims["estimate"][row][0] == pytest.approx(expected)
    # Students against teachers: a mean over paths, then over seeds.
    pick = {
        name: [i for i, s in enumerate(last.columns["sweep"]) if s == name]
        for name in ("baseline", "distillation")
    }
    away = shares[pick["distillation"]] - shares[pick["baseline"]]
    row = (claims["claim"] == "C10 within") & (claims["reading"] == "DFT share, all paths")
    assert claims["estimate"][row][0] == pytest.approx(away.mean(), rel=1e-5)


@pytest.mark.long
def test_no_two_paths_of_a_kind_share_an_image(finished):
    """So a mean over paths is one over independent draws; confidence is matched elsewhere."""
    path, _, _ = finished
    found = Models.read(path)
    for classes in found.classes.values():
        assert len(classes) == 10 * 3 + 45
    assert (found.columns["temperature"] > 0).all()
    assert (found.columns["held_out_num_samples"] >= 65).all()


@pytest.mark.long
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
    for name in TABLES:
        ours, theirs = ((p / f"{name}.csv").read_text() for p in (tmp_path / "run", path))
        assert ours == theirs


@pytest.mark.matrix
def test_a_sweep_can_grow(finished, embedded_dir, tmp_path):
    """Other sweeps, time among them, and another seed; what is there stays as it is."""
    path, _, _ = finished
    command = [*PAGE, *TINY, f"--data_dir={embedded_dir}", f"--workdir={tmp_path}"]
    few = launch("interventions", *command[2:], "--sweeps=width", "--widths=3", *SWEEPS[3:])
    assert few.returncode == 0, few.stderr
    kept = [tmp_path / "checkpoints" / c / "seed_0" / "state.npz" for c in ("baseline", "width=3")]
    kept += [file.with_name("found.npz") for file in kept]
    written = [file.stat().st_mtime_ns for file in kept]
    more = launch("interventions", *command[2:], *SWEEPS)
    assert more.returncode == 0, more.stderr
    assert [file.stat().st_mtime_ns for file in kept] == written
    for name in TABLES:
        assert (tmp_path / f"{name}.csv").read_text() == (path / f"{name}.csv").read_text()


@pytest.mark.matrix
def test_every_sweep_and_the_flags_for_cifar_10(tmp_path):
    mocked_cifar10(tmp_path, images_in_file=240)  # Noise in its format: 1,200 and 240 images.
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
            "--between_pairs=1",
            "--baseline_seeds=0",
            "--train_size=600",
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
    assert steps["examples_equal_steps"] == steps["baseline"] == 36
    assert steps["examples_equal_epochs"] == 18
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["num_trainings"] == 8


@pytest.mark.matrix
def test_the_flags_for_paths_on_cifar_10_and_cifar_10_1(tmp_path):
    """First steps on noise in their formats: 1,200, 240 and 120 images."""
    mocked_cifar10(tmp_path, images_in_file=240)
    mocked_cifar10_1(tmp_path, num_images=120)
    flags = [
        f"--flagfile={ROOT / 'results' / 'interventions' / 'cifar10_paths.flags'}",
        *(f"--data_dir={tmp_path}", "--download", f"--workdir={tmp_path / 'run'}"),
        *("--num_epochs=1", "--batch_size=32", "--seeds=1", "--model=convnet", "--width=2"),
        *("--sweeps=width", "--widths=3", "--pairs=1", "--between_pairs=1", "--num_samples=4"),
        *("--baseline_seeds=0", "--train_size=400"),
    ]
    result = launch("interventions", *flags)
    assert result.returncode == 0, result.stderr
    models = columns(tmp_path / "run", "models")
    line = 1 / (1 + np.exp(-(0.8318 * scipy.special.logit(models["accuracy"]) - 0.4736)))
    robust = models["shifted_accuracy"] - line
    np.testing.assert_allclose(models["effective_robustness"], robust, atol=1e-6)
    assert (models["image_matched_jacobian"] > 0).all()
    found, claims = Models.read(tmp_path / "run"), columns(tmp_path / "run", "claims")
    assert {"amplitude", "phase", "shortest_phase"} < set(found.classes)
    told = claims["reading"][claims["claim"] == "C5 within"].tolist()
    assert told == [r.name for r in (*path_study.READINGS, *path_study.MORE_READINGS)]
    assert found.along["phase/consistent_share"].shape == (len(found), 10 + 45)
    assert found.along["shifted/dft_share"].shape == (len(found), 10 + 45)
    rows = columns(tmp_path / "run", "correlations")
    assert set(rows["quality"]) == {"accuracy", "effective_robustness"}
    assert set(rows["sweep"][rows["quality"] == "effective_robustness"]) == {"all"}
    settings = columns(tmp_path / "run", "settings")
    assert settings["sweep"].tolist() == ["baseline", "width"]
    Image.open(tmp_path / "run" / "figures" / "robustness.png").verify()


MISTAKES = {
    "--sweeps=colour": "--sweeps: expected some of time",
    "--shard=3/2": "--shard: expected i/n",
    "--shard=1/2 --overwrite": "--overwrite: expected one process alone",
    "--widths=4,4": "--widths: expected whole numbers",
    "--sweeps=augmentation --recipes=flop": "--recipes: expected names of autoaugment",
    "--sweeps=examples --shares=0.05": "--shares: expected enough of the 300 images",
    "--sweeps=distillation --alphas=2": "--alphas: expected at most 1",
    "--pairs=40": "--pairs: expected 1 to",
    "--pairs=9 --between_pairs=3": "expected paths that leave 100 of the",
    "--ends=test": "--ends: expected some of held_out, training, shifted",
    "--ends=shifted": "--ends: expected the name of a shifted data set",
    "--also_along=straight": "--also_along: expected some of amplitude, phase, shortest_phase",
    "--jacobian_points=1": "--jacobian_points: expected 2 or more",
    "--sweeps=architecture --architectures=resnet": "--architectures: expected some of convnet",
    "--measured_epochs=2": "--measured_epochs: expected at most 1",
    "--network_options=fixup": "--network_options: expected of convnet some of unnormalised",
    "--network_options=fixup,fixup": "--network_options: expected some of unnormalised, fixup",
    "--sweeps=network_options --option_sets=fixup": "--sweeps=network_options=fixup: expected of",
    "--stop_at_accuracy=1.1": "--stop_at_accuracy: expected a finite number",
    "--looks_per_epoch=2": "--looks_per_epoch: expected a --stop_at_loss or --stop_at_accuracy",
}


@pytest.mark.long
def test_mistakes_get_one_line(embedded_dir, tmp_path):
    own = [*TINY, f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"]
    for flags, line in MISTAKES.items():
        assert_refused(launch("interventions", *own, *flags.split()), line)
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_a_sweep_goes_on_without_what_diverged(embedded_dir, tmp_path):
    """The baseline diverges, with it its student, and so does one other; one setting is left."""
    flags = [*TINY, "--sweeps=time,weight_decay,distillation", "--weight_decay=1e30"]
    flags += ["--decays=1e20,0,0.001", f"--data_dir={embedded_dir}"]
    path = tmp_path / "run"
    result = launch("interventions", *flags, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert sum(line.endswith("diverged at step 1") for line in lines) == 3
    assert "sweep weight_decay, value 1e+20, seed 0 diverged at step 1" in lines
    models = columns(path, "models")
    lost = np.isfinite(models["diverged_at_step"].astype(float))
    assert sorted(models["sweep"][lost]) == ["baseline", "distillation", "weight_decay"]
    assert np.isnan(models["accuracy"][lost].astype(float)).all()
    assert np.isfinite(models["accuracy"][~lost].astype(float)).all()
    claims = columns(path, "claims")
    assert "C6 within" in claims["claim"]  # Asked, and not enough for an answer.
    again = Models.read(path)
    assert len(again) == 2
    assert len(again.lost) == 3
    everything = launch(
        *("interventions", *TINY, "--sweeps=width", "--widths=2", "--learning_rate=1e30"),
        *("--clip_norm=0", f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'none'}"),
    )
    assert_refused(everything, "none: all 2 trainings diverged")


@pytest.fixture(scope="module")
def at_equal_loss(tmp_path_factory, embedded_dir):
    """Trainings that end at a loss, but for those whose weights decay to nothing."""
    path = tmp_path_factory.mktemp("equal_loss") / "run"
    command = [*PAGE, *TINY, "--num_epochs=6", "--stop_at_loss=1.2", "--looks_per_epoch=3"]
    command += ["--sweeps=time,network_options,weight_decay,distillation", "--decays=0.5"]
    command += ["--option_sets=unnormalised,gamma_swish", f"--data_dir={embedded_dir}"]
    result = launch("interventions", *command[2:], f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result, command


@pytest.mark.long
def test_classifiers_are_compared_at_equal_training_loss(at_equal_loss):
    path, result, _ = at_equal_loss
    models = columns(path, "models")
    last = models["last"] == 1
    reached = models["reached"] == 1
    assert models["sweep"][last & ~reached].tolist() == ["weight_decay"]
    assert (models["epoch"][last & reached] < 6).all()
    assert (models["epoch"][last & ~reached] == 6).all()
    # Looks are 3 steps apart, of an epoch of 9.
    assert not np.any(models["step"][last] % 3)
    assert (models["loss_at_last_look"][last & reached] <= 1.2).all()
    assert (models["loss_at_last_look"][last & ~reached] > 1.2).all()
    lines = result.stdout.splitlines()
    never = "these never did and ended at their last epoch: weight_decay=0.5/seed_0"
    assert f"4 of 5 trainings reached a training loss of 1.2; {never}" in lines
    assert "1 classifiers that never reached it take no part in claims or figures" in lines
    floor = "the loss of soft or mixed labels cannot fall below their entropy"
    assert f"{floor}: one training loss asks more of distillation=0" in lines
    assert "weight_decay" not in set(columns(path, "differences")["sweep"])
    summary = json.loads((path / "summary.json").read_text())
    assert summary["num_settings"] == 4
    assert (path / "checkpoints" / "baseline" / "seed_0" / "final.keras").exists()
    assert "was never reached; it ended at its last step, 54" in result.stderr


@pytest.mark.matrix
def test_a_sweep_to_a_loss_that_is_killed_ends_in_the_same_tables(at_equal_loss, tmp_path):
    path, _, command = at_equal_loss
    command = [*command, f"--workdir={tmp_path / 'run'}", "--save_every_seconds=1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not list((tmp_path / "run").rglob("state*.npz")):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=120)
    assert not (tmp_path / "run" / "summary.json").exists()
    again = launch("interventions", *command[2:])
    assert again.returncode == 0, again.stderr
    for name in TABLES:
        ours, theirs = ((p / f"{name}.csv").read_text() for p in (tmp_path / "run", path))
        assert ours == theirs


@pytest.mark.matrix
def test_all_hosts_end_at_the_same_look(at_equal_loss, tmp_path):
    path, _, command = at_equal_loss
    results = launch_on(
        two_workers(), "interventions", *command[2:], f"--workdir={tmp_path / 'run'}"
    )
    assert [result.returncode for result in results] == [0, 0], results
    ours, theirs = columns(tmp_path / "run", "models"), columns(path, "models")
    for name in ("sweep", "step", "reached"):
        assert ours[name].tolist() == theirs[name].tolist()
    np.testing.assert_allclose(ours["loss_at_last_look"], theirs["loss_at_last_look"], rtol=0.02)


@pytest.mark.long
def test_where_no_two_settings_reach_the_loss_all_are_compared_as_they_ended(
    embedded_dir, tmp_path
):
    flags = [*TINY, "--sweeps=width", "--widths=2", "--stop_at_loss=1e-9"]
    flags += [f"--data_dir={embedded_dir}", f"--workdir={tmp_path}"]
    result = launch("interventions", *flags)
    assert result.returncode == 0, result.stderr
    never = "these never did and ended at their last epoch: baseline/seed_0, width=2/seed_0"
    assert f"0 of 2 trainings reached a training loss of 1e-09; {never}" in result.stdout
    assert "take no part" not in result.stdout
    ended = "fewer than two settings reached it: all classifiers are compared as they ended"
    assert ended in result.stdout.splitlines()
    assert "cannot fall below their entropy" not in result.stdout
    assert set(columns(tmp_path, "differences")["sweep"]) == {"width"}


@pytest.mark.long
def test_fewer_training_images_do_not_move_paths_that_were_measured(embedded_dir, tmp_path):
    flags = [*TINY, "--sweeps=width", "--widths=2", "--ends=held_out,training"]
    flags += ["--shares=0.5", f"--data_dir={embedded_dir}", f"--workdir={tmp_path}"]
    assert launch("interventions", *flags).returncode == 0
    more = launch("interventions", *flags, "--sweeps=width,examples")
    assert_refused(more, "expected a training that was measured with these paths")
