import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, assert_refused, free_addresses, launch, mocked_cifar10
from PIL import Image

from spectral_tf.records import read_table
from spectral_tf.records.files import is_temporary

TINY = ["--dataset=digits", "--width=4", "--num_epochs=2", "--train_size=600", "--cycles=1,4"]


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
    assert {"augmented_deviation", "held_out_mean", "held_out_deviation"} <= waves.keys()
    assert (np.abs(waves["coordinate_mean"] / waves["held_out_mean"] - 1) < 0.2).all()
    assert (waves["class_share"][:2] > 0).all()
    np.testing.assert_allclose(
        waves["frequency"], waves["cycles"] / (4 * waves["coordinate_deviation"])
    )
    for picture in ("epochs", "frequencies"):
        Image.open(path / "figures" / f"{picture}.png").verify()
    environment = json.loads((path / "environment.json").read_text())
    assert environment["data"]["normalisation"]["mean"]
    for run in ("seed_0", "seed_1"):
        assert list((path / "tensorboard" / "radial_cycles_1" / run).glob("*tfevents*"))
        kept = (path / "checkpoints" / "radial_cycles_1" / run).glob("*.keras")
        assert sorted(file.name for file in kept) == ["epoch_000.keras", "epoch_002.keras"]


def test_the_measures_are_those_of_one_evaluation_pass(finished):
    t = columns(finished[0], "epochs")
    np.testing.assert_allclose(t["noise_fitting"], t["clean_loss"] - t["noisy_loss"], atol=1e-9)
    np.testing.assert_allclose(t["noise_fitting"], t["mean_part"] + t["covariance_part"], atol=1e-6)
    control = t["wave"] == "uniform"
    for wave in ("radial_cycles_1", "radial_cycles_4"):
        np.testing.assert_allclose(
            t["noise_fitting_above_control"][t["wave"] == wave],
            t["noise_fitting"][t["wave"] == wave] - t["noise_fitting"][control],
        )
    start = t["epoch"] == 0
    np.testing.assert_allclose(t["clean_loss"][start], np.log(10), atol=1e-6)
    np.testing.assert_allclose(t["noise_fitting"][start], 0, atol=1e-6)
    control = t["wave"] == "uniform"
    np.testing.assert_allclose(t["covariance_part"][control], 0, atol=1e-9)
    assert np.isnan(t["fit_coefficient"][control]).all()
    last = t["epoch"] == 2
    assert (t["accuracy"][last] > 0.3).all()


def test_the_same_seed_starts_alike_on_every_wave_and_other_seeds_do_not(finished):
    checkpoints = finished[0] / "checkpoints"
    import keras

    def kernel(wave, seed):
        model = keras.saving.load_model(checkpoints / wave / seed / "epoch_000.keras")
        return model.trainable_variables[0].numpy()

    np.testing.assert_array_equal(kernel("radial_cycles_1", "seed_0"), kernel("uniform", "seed_0"))
    assert not np.array_equal(kernel("uniform", "seed_0"), kernel("uniform", "seed_1"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
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
    for name in ("epochs.csv", "waves.csv"):
        assert (tmp_path / "run" / name).read_text() == (path / name).read_text()
    left = [file.name for file in (tmp_path / "run").rglob("*") if is_temporary(file.name)]
    assert left == []


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


def test_every_kind_of_wave_and_the_picture_of_image_frequency(embedded_dir, tmp_path):
    flags = [*TINY, f"--data_dir={embedded_dir}", "--num_epochs=1", "--amplitude=0.3"]
    kinds = {
        "fourier": ["--spatial_frequencies=1.41,4.2", "--cycles=1", "--frequencies=0.5"],
        "power_law": ["--cycles=2", "--exponents=-1,1"],
    }
    for kind, more in kinds.items():
        path = tmp_path / kind
        result = launch("noise_fitting", *flags, *more, f"--wave={kind}", f"--workdir={path}")
        assert result.returncode == 0, result.stderr
        Image.open(path / "figures" / "image_frequency.png").verify()
    waves = columns(tmp_path / "fourier", "waves")
    np.testing.assert_allclose(waves["image_frequency"][:4], np.hypot(*[[1, 1, 3, 3]] * 2))
    assert waves["kind"].tolist() == ["cycles", "frequency"] * 2 + ["control"]


def test_a_student_learns_from_a_kept_model_and_runs_compare(finished, tmp_path):
    path, _, command = finished
    teacher = path / "checkpoints" / "uniform" / "seed_0" / "epoch_002.keras"
    flags = [f"--workdir={tmp_path / 'student'}", f"--teacher={teacher}", "--mixup_alpha=0.2"]
    flags += ["--augmentations=randaugment,flip,image_frequency"]
    result = launch("noise_fitting", *command[2:], *flags)
    assert result.returncode == 0, result.stderr
    compare = [f"--baseline={path}", f"--cases={tmp_path / 'student'}"]
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
    ours, base = (
        columns(p, "waves")["final_fit_coefficient"][:2] for p in (tmp_path / "student", path)
    )
    np.testing.assert_allclose(t["difference"][2:], ours - base, atol=1e-12)


def test_the_flags_for_cifar_10_take_their_first_steps(tmp_path):
    mocked_cifar10(tmp_path, images_in_file=20)  # Noise in its format: 100 and 20 images.
    flags = [
        f"--flagfile={ROOT / 'results' / 'noise_fitting' / 'cifar10_wrn_32.flags'}",
        *(f"--data_dir={tmp_path}", "--download", f"--workdir={tmp_path / 'run'}"),
        *("--num_epochs=1", "--batch_size=32", "--cycles=1", "--frequencies="),
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
    "--wave=fourier --spatial_frequencies=9": "--spatial_frequency: expected 0 or more, at most 4",
    "--cycles=1,1.0000001": "radial_cycles_1 twice",
    "--distillation_alpha=0.5": "--distillation_alpha: expected a --teacher, got none",
    "--model=TEACHER --width=4": "--width: expected a --model by its name",
    "--held_out=test[:1]": "--held_out=test[:1]: expected at least 2 images",
    "--train_size=5000": "--train_size: expected 1 to 1,437 images of digits",
    "--batch_size=601": "--batch_size: expected at most 600 images",
    "--held_out=nowhere": "split of digits: expected train, test",
    "--model=alexnet": "--model: expected convnet",
    "--model=missing.keras": "--model: expected a .keras file, got missing.keras, no file",
    "--model=shake_shake_32 --width=3": "width: expected even",
    "--teacher=missing.keras": "--teacher: expected a .keras file",
    "--teacher=TEACHER --dataset=photo_patches": "expected a model of images (32, 32, 3)",
    "--distillation_alpha=2": "--distillation_alpha",
    "--noise_class=10": "--noise_class: expected -1 (all) or a class below 10",
    "--augmentations=flop": "--augmentations: expected some of autoaugment",
    "--warmup_epochs=2": "optimizer: expected",
    "--checkpoint_epochs=3": "--checkpoint_epochs: expected at most 2",
    "--mixup_alpha=0.1 --batch_size=65": "multiples of 2 (1 replicas, pairs for mixup), got 65",
    "--seeds=0": "--seeds",
}


def test_a_mistake_gets_one_line_and_nothing_is_written(finished, embedded_dir, tmp_path):
    teacher = str(finished[0] / "checkpoints" / "uniform" / "seed_0" / "epoch_002.keras")
    own = [*TINY, f"--workdir={tmp_path / 'run'}", f"--data_dir={embedded_dir}"]
    for flags, line in MISTAKES.items():
        given = flags.replace("TEACHER", teacher).split()
        assert_refused(launch("noise_fitting", *own, *given), line)
    assert not (tmp_path / "run").exists()


def test_a_noise_class_is_measured_on_its_own_images(embedded_dir, tmp_path):
    flags = [*TINY, f"--data_dir={embedded_dir}", "--noise_class=3", "--num_epochs=1"]
    result = launch("noise_fitting", *flags, f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    waves, epochs = columns(tmp_path, "waves"), columns(tmp_path, "epochs")
    np.testing.assert_allclose(waves["smoothing_mean"], 0.4, atol=0.15)
    assert waves["smoothing_deviation"][-1] == pytest.approx(0, abs=1e-12)
    assert np.isnan(epochs["fit_coefficient"][epochs["wave"] == "uniform"]).all()
    # One class tells nothing of the wave.
    np.testing.assert_allclose(waves["class_share"][:-1], 0, atol=1e-12)


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
        **{"x_test": rng.uniform(size=(30, 6, 6)), "y_test": np.arange(30) % 3},
        **changes,
    }
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


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
    "other size": ({"x_test": np.zeros((30, 7, 7))}, {}, "--held_out=test: expected at least 2"),
    "object labels": ({"y_test": np.array([None] * 30)}, {}, "expected a readable npz file"),
    "huge labels": ({"y_test": np.arange(30) + 5_000_000}, {}, "whole labels from 0 to 99,999"),
    "no test": ({"x_test": None}, {}, "expected arrays x_test and y_test"),
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


def test_runs_that_differ_in_more_are_not_compared(finished, tmp_path):
    path, _, _ = finished
    (tmp_path / "other").mkdir()
    for name in ("run.flags", "summary.json", "environment.json", "epochs.csv"):
        text = (path / name).read_text()
        (tmp_path / "other" / name).write_text(text.replace("--noise_class=-1", "--noise_class=2"))
    (tmp_path / "run").symlink_to(path)
    for case, line in (
        (tmp_path / "other", "expected noise_class -1, got noise_class 2"),
        (path, "--cases: expected folders of different names, got run twice"),
        (tmp_path / "nowhere", "expected finished runs of noise_fitting.py"),
    ):
        compare = [f"--baseline={path}", f"--cases={case}", f"--workdir={tmp_path / 'c'}"]
        result = launch("noise_fitting_compare", *compare)
        assert result.returncode == 2
        assert line in result.stderr, result.stderr
        assert not (tmp_path / "c").exists()


def test_another_architecture_in_the_same_folder_is_refused(finished):
    path, _, command = finished
    before = (path / "summary.json").read_bytes()
    result = launch("noise_fitting", *command[2:], f"--workdir={path}", "--width=5")
    assert result.returncode == 2
    assert "--width=4" in result.stderr
    assert (path / "summary.json").read_bytes() == before
