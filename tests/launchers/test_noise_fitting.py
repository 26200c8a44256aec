import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from boards import assert_board
from conftest import (
    ROOT,
    assert_recomputed,
    assert_refused,
    free_addresses,
    launch,
    launch_on,
    mocked_cifar10,
    two_devices,
)
from PIL import Image

from spectral_tf import spectra
from spectral_tf.records import read_table
from spectral_tf.records.waves import read_held_out
from spectral_tf.storage import is_temporary

TINY = ["--dataset=digits", "--width=4", "--num_epochs=2", "--train_size=600", "--cycles=1,4"]
TINY += ["--seeds=1"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, embedded_dir):
    path = tmp_path_factory.mktemp("noise_fitting") / "run"
    flags = [*TINY, "--seeds=2", "--checkpoint_epochs=0,2", f"--data_dir={embedded_dir}"]
    command = [sys.executable, str(ROOT / "launchers" / "noise_fitting.py"), *flags]
    result = launch("noise_fitting", *flags, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result, command


def columns(path, name):
    return {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}


def test_a_run_says_what_it_is_and_leaves_everything(finished):
    path, result, _ = finished
    assert "embedded: 1,797 handwritten digits" in result.stderr.splitlines()[0]
    assert "not MNIST" in json.loads((path / "summary.json").read_text())["dataset"]
    assert "run folder" in result.stdout
    epochs = columns(path, "epochs")
    assert len(epochs["epoch"]) == 3 * 2 * 3  # Waves and control, seeds, epochs 0 to 2.
    assert set(epochs["wave"]) == {"radial_cycles_1", "radial_cycles_4", "uniform"}
    waves = columns(path, "waves")
    assert waves["cycles"].tolist() == [1, 4, 0]  # As given, to the last bit.
    assert {"augmented_std", "held_out_mean", "held_out_std"} <= waves.keys()
    assert (np.abs(waves["coordinate_mean"] / waves["held_out_mean"] - 1) < 0.2).all()
    assert (waves["correlation_ratio"][:2] > 0).all()
    np.testing.assert_allclose(waves["frequency"], waves["cycles"] / (4 * waves["coordinate_std"]))
    for picture in ("epochs", "frequencies"):
        Image.open(path / "figures" / f"{picture}_noise_fitting.png").verify()
        Image.open(path / "figures" / f"{picture}.png").verify()
    Image.open(path / "figures" / "four_panels.png").verify()
    environment = json.loads((path / "environment.json").read_text())
    assert environment["data"]["normalisation"]["mean"]
    for run in ("seed_0", "seed_1"):
        kept = (path / "checkpoints" / "radial_cycles_1" / run).glob("*.keras")
        assert sorted(file.name for file in kept) == ["epoch_000.keras", "epoch_002.keras"]
    assert_board(path, "noise_fitting")


def test_every_network_is_held_against_the_null_of_its_seed(finished):
    t = columns(finished[0], "epochs")
    np.testing.assert_allclose(t["noise_fitting"], t["clean_loss"] - t["noisy_loss"], atol=1e-9)
    control = t["wave"] == "uniform"
    np.testing.assert_allclose(
        t["noise_fitting"][~control],
        (t["mean_part"] + t["covariance_part"])[~control],
        atol=1e-6,
    )
    for name in ("noise_fitting", "regression_slope"):
        np.testing.assert_allclose(
            t[f"{name}_above_null"][~control], (t[name] - t[f"null_{name}"])[~control]
        )
    # The null is that of the same wave, and not the control's own noise fitting.
    assert (np.abs(t["null_regression_slope"][~control & (t["epoch"] == 2)]) > 1e-6).all()
    one, four = (t["wave"] == f"radial_cycles_{c}" for c in (1, 4))
    last = t["epoch"] == 2
    assert not np.isclose(
        t["null_noise_fitting"][one & last], t["null_noise_fitting"][four & last]
    ).any()
    start = t["epoch"] == 0
    np.testing.assert_allclose(t["clean_loss"][start], np.log(10), atol=1e-6)
    np.testing.assert_allclose(t["noise_fitting"][start], 0, atol=1e-6)
    # Nothing is said of a control on its own smoothing, which is constant.
    for name in ("regression_slope", "covariance_part", "null_noise_fitting"):
        assert np.isnan(t[name][control]).all()
    assert (t["accuracy"][last] > 0.3).all()


def test_the_measures_are_those_of_one_evaluation_pass(finished, embedded_dir):
    """Clean and noisy loss, NF, beta and its null, from the kept models."""
    import keras

    from spectral_tf import data
    from spectral_tf.probes.label_noise import label_noise

    path = finished[0]
    norm = json.loads((path / "environment.json").read_text())["data"]["normalisation"]
    pixels, labels = data.find_images("digits", "test", data_dir=str(embedded_dir)).arrays()
    inputs = (data.to_unit(pixels) - np.float32(norm["mean"])) / np.float32(norm["deviation"])
    s = read_held_out(path / "held_out.npz").smoothing[1]
    t = columns(path, "epochs")
    row = (t["wave"] == "radial_cycles_4") & (t["seed"] == 1) & (t["epoch"] == 2)
    for wave, null in (("radial_cycles_4", ""), ("uniform", "null_")):
        file = path / "checkpoints" / wave / "seed_1" / "epoch_002.keras"
        fit = label_noise(keras.saving.load_model(file), inputs, labels, s)
        for name in ("noise_fitting", "regression_slope"):
            np.testing.assert_allclose(t[null + name][row], getattr(fit, name), atol=1e-4)
        if not null:
            for name in ("clean_loss", "noisy_loss", "mean_part", "covariance_part"):
                np.testing.assert_allclose(t[name][row], getattr(fit, name), atol=1e-4)


def test_what_is_kept_of_each_image_gives_the_tables(finished):
    path, result, _ = finished
    kept, waves, epochs = (
        read_held_out(path / "held_out.npz"),
        *(columns(path, name) for name in ("waves", "epochs")),
    )
    assert kept.waves.tolist() == ["radial_cycles_1", "radial_cycles_4"]
    assert kept.log_ratios.shape == kept.lowest_log_ratios.shape == (2, 2, 360)
    assert kept.null_log_ratios.shape == (1, 2, 360)
    assert kept.images.tolist() == list(range(360))
    for i, wave in enumerate(kept.waves):
        s = kept.smoothing[i]
        last = (epochs["wave"] == wave) & (epochs["epoch"] == 2)
        pair = []
        for log_ratios, column in ((kept.log_ratios[i], ""), (kept.null_log_ratios[0], "null_")):
            fit = spectra.wave_fit(log_ratios, s, 10)
            for name in ("regression_slope", "noise_fitting"):
                expected = epochs[f"{column}{name}"][last]
                np.testing.assert_allclose(getattr(fit, name), expected, atol=1e-4)
            pair.append(spectra.influence(log_ratios, s, 10).regression_slope)
        found = spectra.against_null(*pair, kept.clusters)
        for estimate, name in zip(found, ("", "_null", "_above_null"), strict=True):
            for end, number in (("", "value"), ("_low", "low"), ("_high", "high")):
                column = waves[f"final_regression_slope{name}{end}"][i]
                np.testing.assert_allclose(getattr(estimate, number), column, atol=1e-3)
        lowest = -np.mean(s * kept.lowest_log_ratios[i].astype(float))
        np.testing.assert_allclose(lowest, waves["minimum_noise_fitting"][i], atol=1e-4)
        np.testing.assert_allclose(
            [
                epochs["noise_fitting"][(epochs["wave"] == wave) & (epochs["seed"] == r)].min()
                for r in (0, 1)
            ],
            -np.mean(s * kept.lowest_log_ratios[i].astype(float), axis=1),
            atol=1e-4,
        )
    above = waves["final_regression_slope_above_null"]
    beta, null = (waves[f"final_regression_slope{side}"] for side in ("", "_null"))
    np.testing.assert_allclose(above[:2], (beta - null)[:2])
    method = read_table(path / "waves.csv")["final_regression_slope_above_null_method"]
    assert method[0].endswith("over seeds x 360 images")
    assert method[2] == "none: not enough: 0 waves, 1 needed, over waves"
    # The p-values, of both waves together, decide which are learned.
    p = spectra.holm(waves["final_regression_slope_above_null_p"][:2])
    decided = [bool(x <= 0.05 and y > 0) for x, y in zip(p, above, strict=False)]
    assert waves["learned"].tolist()[:2] == ["yes" if yes else "no" for yes in decided]
    curves = columns(path, "curves")
    np.testing.assert_allclose(
        curves["regression_slope_above_null"][curves["epoch"] == 2], above[:2], atol=1e-12
    )
    for line in result.stdout.splitlines()[1:3]:
        assert "its null" in line
        assert "n = 2 seeds x 360 images" in line


def test_what_is_kept_of_each_image_gives_every_reading(finished):
    assert_recomputed(finished[0])
    kept = read_held_out(finished[0] / "held_out.npz")
    assert kept.lowest_null_log_ratios.shape == (2, 2, 360)
    epochs = columns(finished[0], "epochs")
    for i, wave in enumerate(kept.waves):
        lowest = -np.mean(kept.smoothing[i] * kept.lowest_null_log_ratios[i].astype(float), axis=1)
        for r in (0, 1):
            of_run = (epochs["wave"] == wave) & (epochs["seed"] == r)
            expected = epochs["null_noise_fitting"][of_run].min()
            np.testing.assert_allclose(lowest[r], expected, atol=1e-4)


def test_two_waves_claim_what_two_waves_can(finished):
    claims = columns(finished[0], "claims")
    assert claims["claim"].tolist() == ["C1"] * 12 + ["C2"] * 4
    primary = dict(
        zip(zip(claims["claim"], claims["primary"], strict=True), range(16), strict=True)
    )
    assert {("C1", "published"), ("C1", "corrected"), ("C2", "corrected")} <= primary.keys()
    few = "none: not enough: 2 waves, 4 needed, over waves"
    assert claims["estimate_method"][primary["C1", "corrected"]] == few
    assert np.isfinite(claims["estimate_low"][6:12]).all()
    assert np.isfinite(claims["estimate_p"][6:12]).all()
    summary = json.loads((finished[0] / "summary.json").read_text())
    assert summary["claims"]["C1, corrected"]["value"] is None
    assert summary["num_images_left_out"] == 0
    assert summary["num_trainings"] == 6


def test_the_same_seed_starts_alike_on_every_wave_and_other_seeds_do_not(finished):
    checkpoints = finished[0] / "checkpoints"
    import keras

    def kernel(wave, seed):
        model = keras.saving.load_model(checkpoints / wave / seed / "epoch_000.keras")
        return model.trainable_variables[0].numpy()

    np.testing.assert_array_equal(kernel("radial_cycles_1", "seed_0"), kernel("uniform", "seed_0"))
    assert not np.array_equal(kernel("uniform", "seed_0"), kernel("uniform", "seed_1"))


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGTERM, marks=pytest.mark.matrix),
        pytest.param(signal.SIGKILL, marks=pytest.mark.long),
    ],
)
def test_a_killed_run_ends_in_the_tables_of_the_whole_one(number, finished, tmp_path):
    path, _, command = finished
    command = [*command, f"--workdir={tmp_path / 'run'}"]
    process = subprocess.Popen(
        [*command, "--save_every_seconds=1"], stderr=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    states = tmp_path / "run" / "checkpoints"
    deadline = time.monotonic() + 300
    # In the middle of the second training.
    while time.monotonic() < deadline and not (states / "radial_cycles_4").exists():
        if not list(states.glob("radial_cycles_1/*/state.npz")):
            time.sleep(0.05)
            continue
        time.sleep(1.0)
        break
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode not in (0, 1, 2)
    assert not (tmp_path / "run" / "summary.json").exists()
    again = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert again.returncode == 0, again.stderr
    for name in ("epochs.csv", "waves.csv", "curves.csv", "claims.csv", "held_out.npz"):
        assert (tmp_path / "run" / name).read_bytes() == (path / name).read_bytes()
    left = [file.name for file in (tmp_path / "run").rglob("*") if is_temporary(file.name)]
    assert left == []


@pytest.mark.long
def test_of_a_sweep_only_what_is_damaged_is_trained_again(finished, tmp_path):
    path, _, command = finished
    run = tmp_path / "run"
    shutil.copytree(path, run)
    for file in [run / "summary.json", *run.glob("*.csv"), *run.glob("*.npz")]:
        file.unlink()
    bad, worse, *others = sorted(run.glob("checkpoints/*/seed_*"))
    for file in [bad / "found.npz", *worse.glob("*.npz")]:
        whole = bytearray(file.read_bytes())
        whole[len(whole) // 2] ^= 1
        file.write_bytes(whole)
    before = {f: f.stat().st_mtime_ns for part in others for f in part.glob("*.npz")}
    result = launch("noise_fitting", *command[2:], f"--workdir={run}")
    assert result.returncode == 0, result.stderr
    assert f"{bad / 'found.npz'} is damaged" in result.stderr
    assert result.stderr.count("; starting over") == 1
    assert before == {f: f.stat().st_mtime_ns for f in before}
    for name in ("epochs.csv", "waves.csv", "curves.csv", "claims.csv", "held_out.npz"):
        assert (run / name).read_bytes() == (path / name).read_bytes(), name


# With another network than in the matrix of hosts.
@pytest.mark.matrix
def test_two_workers_give_the_tables_of_one_process(embedded_dir, tmp_path):
    flags = [*TINY, "--cycles=1", "--model=small_resnet", f"--data_dir={embedded_dir}"]
    command = [sys.executable, str(ROOT / "launchers" / "noise_fitting.py"), *flags]
    addresses = free_addresses(2)
    one = [subprocess.Popen([*command, f"--workdir={tmp_path / 'one'}"], stderr=subprocess.PIPE)]
    two = [
        subprocess.Popen(
            [*command, f"--workdir={tmp_path / 'two'}"],
            env={
                **os.environ,
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}}
                ),
            },
            stderr=subprocess.PIPE,
        )
        for i in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=400) for process in (*one, *two)]
    finally:
        for process in (*one, *two):
            process.kill()
    assert [process.returncode for process in (*one, *two)] == [0, 0, 0], outputs
    single, double = (columns(tmp_path / name, "epochs") for name in ("one", "two"))
    first = single["epoch"] <= 1
    for name in ("clean_loss", "noisy_loss", "train_loss"):
        np.testing.assert_allclose(double[name][first], single[name][first], rtol=0.02)
    environment = json.loads((tmp_path / "two" / "environment.json").read_text())
    assert environment["num_replicas"] == 2


TPU_DOUBLE = """
import runpy, sys
import tensorflow as tf

class Double(tf.distribute.OneDeviceStrategy):
    def __init__(self, resolver):
        super().__init__("CPU:0")

class Resolver:
    def __init__(self, tpu):
        assert tpu == "local"

tf.distribute.TPUStrategy = Double
tf.distribute.cluster_resolver.TPUClusterResolver = Resolver
tf.tpu.experimental.initialize_tpu_system = lambda resolver: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.long
def test_the_tpu_branch_runs_with_a_double(finished, embedded_dir, tmp_path):
    (tmp_path / "double.py").write_text(TPU_DOUBLE)
    command = [sys.executable, str(tmp_path / "double.py"), *finished[2][1:]]
    flags = ["--tpu=local", f"--workdir={tmp_path / 'run'}", "--seeds=1", "--cycles=1"]
    result = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    here, there = (columns(path, "epochs") for path in (tmp_path / "run", finished[0]))
    same = (there["wave"] == "radial_cycles_1") & (there["seed"] == 0)
    mine = here["wave"] == "radial_cycles_1"
    np.testing.assert_allclose(here["clean_loss"][mine], there["clean_loss"][same], rtol=1e-3)


@pytest.mark.matrix
def test_directions_are_units_with_seeds_of_their_own(embedded_dir, tmp_path):
    flags = [*TINY, f"--data_dir={embedded_dir}", "--num_epochs=1", "--amplitude=0.3"]
    flags += ["--wave=fourier", "--spatial_frequencies=1,3", "--degrees=0", "--directions=2"]
    flags += ["--cycles=1", "--frequencies=0.5", f"--workdir={tmp_path}"]
    result = launch("noise_fitting", *flags)
    assert result.returncode == 0, result.stderr
    Image.open(tmp_path / "figures" / "image_frequency.png").verify()
    waves, epochs, places = (columns(tmp_path, n) for n in ("waves", "epochs", "directions"))
    np.testing.assert_allclose(waves["image_frequency"][:8], [1] * 4 + [3] * 4)
    assert waves["kind"].tolist() == ["cycles", "frequency"] * 4 + ["control"]
    assert waves["direction"].tolist() == [0, 0, 1, 1] * 2 + [0]
    # The seed of a direction is its own, and there is a null for each.
    last = epochs["epoch"] == 1
    of_wave = {w: epochs["seed"][last & (epochs["wave"] == w)].tolist() for w in waves["wave"]}
    assert of_wave["fourier_1_cycles_1_direction_0"] == [0]
    assert of_wave["fourier_3_frequency_0.5_direction_1"] == [1]
    assert of_wave["uniform"] == [0, 1]
    # One seed has no interval; two directions have one.
    assert np.isnan(waves["final_regression_slope_low"]).all()
    assert np.isfinite(places["final_regression_slope_above_null_low"]).all()
    assert places["num_directions"].tolist() == [2] * 4
    np.testing.assert_allclose(
        places["final_regression_slope_above_null"][0],
        waves["final_regression_slope_above_null"][[0, 2]].mean(),
    )
    method = columns(tmp_path, "directions")["final_regression_slope_method"][0]
    assert method.endswith("over directions x 360 images")
    claims = columns(tmp_path, "claims")
    assert set(claims["claim"]) == {"C11"}
    corrected = claims["primary"] == "corrected"
    above = places["final_regression_slope_above_null"]
    assert claims["estimate"][corrected][0] == pytest.approx(above[0] - above[2])
    published = claims["primary"] == "published"
    lowest = places["minimum_noise_fitting"]
    assert claims["estimate"][published][0] == pytest.approx(lowest[1] - lowest[3])
    assert np.isfinite(claims["estimate_p"]).all()
    assert_recomputed(tmp_path)
    kept = read_held_out(tmp_path / "held_out.npz")
    assert kept.null_log_ratios.shape == (2, 1, 360)
    i, s = 2, kept.smoothing[2]  # Of direction 1.
    null = spectra.wave_fit(kept.null_log_ratios[kept.directions[i]], s, 10).regression_slope
    np.testing.assert_allclose(null, waves["final_regression_slope_null"][i], atol=1e-4)


@pytest.mark.long
def test_power_law_waves_lie_by_their_exponent(embedded_dir, tmp_path):
    flags = [*TINY, f"--data_dir={embedded_dir}", "--num_epochs=1", "--amplitude=0.3"]
    flags += ["--cycles=2", "--exponents=-1,1", "--wave=power_law", f"--workdir={tmp_path}"]
    result = launch("noise_fitting", *flags)
    assert result.returncode == 0, result.stderr
    Image.open(tmp_path / "figures" / "image_frequency.png").verify()
    waves, claims = columns(tmp_path, "waves"), columns(tmp_path, "claims")
    beta = waves["final_regression_slope"]
    reading = (
        claims["reading"]
        .tolist()
        .index("final β, lowest image frequency − highest, at equal cycles (2)")
    )
    # Exponent 1 has the lower image frequencies; one direction has no interval.
    assert claims["estimate"][reading] == pytest.approx(beta[1] - beta[0])
    assert "1 direction, 2 needed" in claims["estimate_method"][reading]
    assert_recomputed(tmp_path)


@pytest.mark.matrix
def test_a_student_learns_from_a_kept_model_and_runs_compare(finished, tmp_path):
    path, _, command = finished
    teacher = path / "checkpoints" / "uniform" / "seed_0" / "epoch_002.keras"
    flags = [f"--workdir={tmp_path / 'student'}", f"--teacher={teacher}", "--mixup_alpha=0.2"]
    flags += ["--augmentations=randaugment,flip,image_frequency"]
    result = launch("noise_fitting", *command[2:], *flags)
    assert result.returncode == 0, result.stderr
    compare = [f"--baseline={path}", f"--cases={tmp_path / 'student'}"]
    refused = launch("noise_fitting_compare", *compare, f"--workdir={tmp_path / 'compared'}")
    assert_refused(refused, "case student: expected one thing that differs from the baseline, got")
    assert not (tmp_path / "compared").exists()
    compare.append("--allow_differences=augmentations,mixup_alpha")
    result = launch("noise_fitting_compare", *compare, f"--workdir={tmp_path / 'compared'}")
    assert result.returncode == 0, result.stderr
    # Mixup and augmentation change what is seen, not the wave.
    here, there = (columns(p, "waves") for p in (tmp_path / "student", path))
    np.testing.assert_array_equal(here["frequency"], there["frequency"])
    np.testing.assert_array_equal(there["augmented_mean"], there["coordinate_mean"])
    assert (here["augmented_mean"] != here["coordinate_mean"]).all()
    t = columns(tmp_path / "compared", "comparison")
    assert t["case"].tolist() == ["run"] * 2 + ["student"] * 2
    assert (t["difference"][:2] == 0).all()
    assert t["differs"][0] == "baseline"
    assert t["differs"][2].startswith("teacher ")
    assert t["differs"][2].endswith(
        "augmentations randaugment,flip,image_frequency for none, mixup_alpha 0.2 for 0.0"
    )
    ours, base = (
        columns(p, "waves")["final_regression_slope"][:2] for p in (tmp_path / "student", path)
    )
    np.testing.assert_allclose(t["difference"][2:], ours - base, atol=1e-4)
    above = [
        columns(p, "waves")["final_regression_slope_above_null"][:2]
        for p in (tmp_path / "student", path)
    ]
    np.testing.assert_allclose(t["difference_above_null"][2:], above[0] - above[1], atol=1e-4)
    assert t["sign_test"].tolist()[:2] == [1, 1]
    assert set(t["sign_test"]) <= {0.5, 1.0}  # Two seeds of one sign, both ways: 1/2.
    assert set(columns(tmp_path / "compared", "claims")["claim"]) == {"C4 distillation"}


@pytest.mark.matrix
def test_the_flags_for_cifar_10_take_their_first_steps(tmp_path):
    mocked_cifar10(tmp_path, images_in_file=100)  # Noise in its format.
    flags = [
        f"--flagfile={ROOT / 'results' / 'noise_fitting' / 'cifar10_wrn_32.flags'}",
        *(f"--data_dir={tmp_path}", "--download", f"--workdir={tmp_path / 'run'}"),
        *("--num_epochs=1", "--batch_size=32", "--cycles=1", "--frequencies="),
        "--train_size=100",
    ]
    result = launch("noise_fitting", *flags)
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["model"], summary["parameters"] > 1_553_626) == ("wrn_32", True)
    losses = columns(tmp_path / "run", "epochs")
    assert np.isfinite(losses["train_loss"][losses["epoch"] == 1]).all()


MISTAKES = {
    "--amplitude=0.6": "--amplitude: expected 0 to",
    "--amplitude=nan": "--amplitude",
    "--wave=spiral": "--wave",
    "--cycles=": "--cycles: expected numbers above 0",
    "--cycles=0,1": "above 0",
    "--wave=fourier --spatial_frequencies=1,2": (
        "--spatial_frequencies: expected ones that differ by whole cycles along the sides, got 1 "
        "and 2, both nearest to (1, 1)"
    ),
    "--wave=fourier --spatial_frequencies=9": "spatial_frequency: expected 0 or more, at most 4",
    "--cycles=1,1.0000001": "radial_cycles_1 twice",
    "--distillation_alpha=0.5": "--distillation_alpha: expected a --teacher, got none",
    "--model=TEACHER --width=4": "--width: expected a --model by its name",
    "--held_out=test[:99]": "--held_out=test[:99]: expected at least 100 images to measure on",
    "--noise_class=3": "--noise_class=3: expected at least 100 images to measure on, got 37",
    "--amplitude=0": "wave radial_cycles_1: expected smoothing that varies",
    "--directions=2": "--directions: expected 1, since radial waves have no direction",
    "--directions=0": "--directions",
    "--wave=fourier --spatial_frequencies=1.41 --degrees=22.5 --directions=4": "to (1, 1)",
    "--train_size=5000": "--train_size: expected 1 to 1,437 images of digits",
    "--batch_size=601": "--batch_size: expected at most 600 images",
    "--held_out=nowhere": "split of digits: expected train, test",
    "--model=alexnet": "--model: expected convnet",
    "--model=missing.keras": "--model: expected a .keras file, a whole",
    "--model=shake_shake_32 --width=3": "width: expected even",
    "--teacher=missing.keras": "--teacher: expected a .keras file",
    "--teacher=TEACHER --dataset=photo_patches": "expected the network's input (8, 8, 1)",
    "--distillation_alpha=2": "--distillation_alpha",
    "--noise_class=10": "--noise_class: expected -1 (all) or a class below 10",
    "--augmentations=flop": "--augmentations: expected some of autoaugment",
    "--warmup_epochs=2": "optimizer: expected",
    "--checkpoint_epochs=3": "--checkpoint_epochs: expected at most 2",
    "--mixup_alpha=0.1 --batch_size=65": "multiples of 2 (1 replicas, pairs for mixup), got 65",
    "--seeds=0": "--seeds",
}


@pytest.mark.long
def test_a_mistake_gets_one_line_and_nothing_is_written(finished, embedded_dir, tmp_path):
    teacher = str(finished[0] / "checkpoints" / "uniform" / "seed_0" / "epoch_002.keras")
    own = [*TINY, f"--workdir={tmp_path / 'run'}", f"--data_dir={embedded_dir}"]
    for flags, line in MISTAKES.items():
        given = flags.replace("TEACHER", teacher).split()
        assert_refused(launch("noise_fitting", *own, *given), line)
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_a_noise_class_is_measured_on_its_own_images(embedded_dir, tmp_path):
    flags = [*TINY, f"--data_dir={embedded_dir}", "--noise_class=3", "--num_epochs=1"]
    # The test split has 37 of it.
    flags += ["--train_size=0", "--train_split=train[:300]", "--held_out=train[300:]"]
    result = launch("noise_fitting", *flags, f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    waves, epochs = columns(tmp_path, "waves"), columns(tmp_path, "epochs")
    np.testing.assert_allclose(waves["smoothing_mean"], 0.4, atol=0.15)
    assert waves["smoothing_std"][-1] == pytest.approx(0, abs=1e-12)
    assert np.isnan(epochs["regression_slope"][epochs["wave"] == "uniform"]).all()
    # One class tells nothing of the wave.
    np.testing.assert_allclose(waves["correlation_ratio"][:-1], 0, atol=1e-12)


def plain_model(path, activation=None, regulariser=None, trainable=True):
    import keras

    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation, kernel_regularizer=regulariser),
        ]
    )
    model.trainable = trainable
    model.save(path)
    return path


def own_images(path, **changes):
    rng = np.random.default_rng(0)
    arrays = {
        **{"x": rng.uniform(size=(90, 6, 6)), "y": np.arange(90) % 3},
        **{"x_test": rng.uniform(size=(120, 6, 6)), "y_test": np.arange(120) % 3},
        **changes,
    }
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.mark.long
def test_own_images_and_an_own_model_run(tmp_path):
    flags = [
        *(f"--dataset=npz:{own_images(tmp_path / 'own.npz')}", "--batch_size=30", "--seeds=1"),
        *(f"--model={plain_model(tmp_path / 'own.keras')}", "--num_epochs=1", "--wave=random"),
        *("--cycles=1", f"--workdir={tmp_path / 'run'}"),
    ]
    result = launch("noise_fitting", *flags)
    assert result.returncode == 0, result.stderr
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert len(environment["data"]["model_sha256"]) == 64


OWN_MISTAKES = {
    "other size": ({"x_test": np.zeros((120, 7, 7))}, {}, "images of one shape in all splits"),
    "object labels": ({"y_test": np.array([None] * 120)}, {}, "expected a readable npz file"),
    "huge labels": ({"y_test": np.arange(120) + 5_000_000}, {}, "whole labels from 0 to 99,999"),
    "no test": ({"x_test": None}, {}, "expected train, or a slice such as train[:10%], got test"),
    "softmax": ({}, {"activation": "softmax"}, "--model: expected a model that ends in logits"),
    "regulariser": ({}, {"regulariser": "l2"}, "--model: expected a model with weights to train"),
    "frozen": ({}, {"trainable": False}, "--model: expected a model with weights to train"),
}


def test_mistakes_in_own_files_get_one_line(tmp_path):
    for name, (arrays, model, line) in OWN_MISTAKES.items():
        folder = tmp_path / name.replace(" ", "_")
        folder.mkdir()
        flags = [
            f"--dataset=npz:{own_images(folder / 'own.npz', **arrays)}",
            *("--batch_size=30", "--num_epochs=1", f"--workdir={tmp_path / 'run'}"),
        ]
        if model:
            flags.append(f"--model={plain_model(folder / 'own.keras', **model)}")
        assert_refused(launch("noise_fitting", *flags), line)
    assert not (tmp_path / "run").exists()


def fails_on_dark_corners(path, activation=None):
    """A model whose outputs are not finite where the first pixel lies far below the mean."""
    import keras

    inputs = keras.Input((6, 6, 1))
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, logits + 0 * keras.ops.sqrt(inputs[:, 0, 0] + 4)).save(path)
    return path


@pytest.mark.long
@pytest.mark.parametrize("lost", [1, 3])
def test_images_without_finite_outputs_are_counted_named_and_left_out(lost, tmp_path):
    rng = np.random.default_rng(1)
    arrays = {
        name: rng.uniform(0.4, 0.6, size=(n, 6, 6)) for name, n in (("x", 90), ("x_test", 240))
    }
    dark = [5, 7, 200][:lost]
    arrays["x_test"][dark, 0, 0] = 0.0
    arrays["y_test"] = np.arange(240) % 3
    flags = [
        *(f"--dataset=npz:{own_images(tmp_path / 'own.npz', **arrays)}", "--batch_size=30"),
        *(f"--model={fails_on_dark_corners(tmp_path / 'own.keras')}", "--num_epochs=1"),
        *("--cycles=1,2", "--seeds=2", f"--workdir={tmp_path / 'run'}"),
    ]
    result = launch("noise_fitting", *flags)
    if lost == 3:  # More than 1 in 100.
        assert_refused(
            result,
            "1 cycle, seed 0: expected finite outputs on 99% of 240 held-out images or more, "
            "got 3 images with others, the first is number 5",
        )
        return
    assert result.returncode == 0, result.stderr
    assert "1 cycle, seed 0: outputs on 1 held-out images are not finite" in result.stderr
    assert "1 more are left out" in result.stdout
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["num_held_out_images"], summary["num_images_left_out"]) == (239, 1)
    kept = read_held_out(tmp_path / "run" / "held_out.npz")
    assert 5 not in kept.images
    assert kept.log_ratios.shape[-1] == 239
    method = columns(tmp_path / "run", "waves")["final_accuracy_method"][0]
    assert method.endswith("over seeds x 239 images")


def test_another_architecture_in_the_same_folder_is_refused(finished):
    path, _, command = finished
    before = (path / "summary.json").read_bytes()
    result = launch("noise_fitting", *command[2:], f"--workdir={path}", "--width=5")
    assert result.returncode == 2
    assert "--width=4" in result.stderr
    assert (path / "summary.json").read_bytes() == before


@pytest.mark.matrix
def test_steps_are_compiled_where_one_replica_makes_them(tmp_path, embedded_dir, finished):
    path = finished[0]
    assert "compiled" not in (path / "run.flags").read_text()
    flags = (*TINY, "--seeds=2", f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}")
    two = launch_on(two_devices(), "noise_fitting", *flags, "--compiled", "--strategy=mirrored")[0]
    assert_refused(
        two, "--compiled: expected one replica, or a TPU, which compiles in any case, got 2"
    )
    assert not (tmp_path / "run").exists()
    one = launch("noise_fitting", *flags, "--compiled")
    assert one.returncode == 0, one.stderr
    assert "--compiled" in (tmp_path / "run" / "run.flags").read_text().splitlines()
    for name in ("loss", "accuracy"):
        ours, theirs = (
            columns(of, "epochs")[f"clean_{name}" if name == "loss" else name]
            for of in (tmp_path / "run", path)
        )
        np.testing.assert_allclose(ours, theirs, atol=0.02)
