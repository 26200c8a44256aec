"""Pages on the image files that people have."""

import json

import numpy as np
import pytest
from conftest import assert_refused, launch
from PIL import Image

from spectral_tf.records import read_flags

# Ten kinds of patterns with noise, which differ as pictures do.
rng = np.random.default_rng(0)
KINDS = rng.integers(0, 200, size=(3, 8, 8, 1))
Y, Y_TEST = np.sort(np.arange(300) % 3), np.arange(150) % 3
X, X_TEST = (
    (KINDS[y] + rng.integers(0, 56, size=(len(y), 8, 8, 1))).astype(np.uint8) for y in (Y, Y_TEST)
)
FITTING = ("--width=4", "--num_epochs=1", "--batch_size=32", "--cycles=1", "--seeds=1")
NOISE = ("--classes=0,2", "--curves=0:0", "--num_runs=1", "--num_steps=5", "--width=4", "--depth=2")
PATHS = ("--width=4", "--num_epochs=1", "--batch_size=32", "--seeds=1", "--pairs=2")
PATHS = (*PATHS, "--num_samples=8")


def keras_names(path):
    np.savez(path / "own.npz", x_train=X, y_train=Y, x_test=X_TEST, y_test=Y_TEST)
    return f"npz:{path / 'own.npz'}", ()


def medmnist_names(path):
    np.savez(
        path / "own.npz",
        train_images=X[..., 0].astype(float),
        train_labels=Y[:, np.newaxis],
        val_images=X_TEST[..., 0].astype(float),
        val_labels=Y_TEST[:, np.newaxis],
    )
    return f"npz:{path / 'own.npz'}", ("--held_out=val",)


def channels_first(path):
    first = {"x": X.transpose(0, 3, 1, 2), "x_test": X_TEST.transpose(0, 3, 1, 2)}
    np.savez(path / "own.npz", y=np.eye(3)[Y], y_test=np.eye(3)[Y_TEST], **first)
    return f"npz:{path / 'own.npz'}", ("--channels_first",)


def folder(path):
    for i, (pixels, label) in enumerate(zip(X, Y, strict=True)):
        (path / "own" / "abc"[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0]).save(path / "own" / "abc"[label] / f"{i}.png")
    return f"folder:{path / 'own'}", ("--train_split=train[:55%]", "--held_out=train[55%:]")


def data_of(path):
    return json.loads((path / "environment.json").read_text())["data"]


@pytest.mark.sampled
@pytest.mark.parametrize("make", [keras_names, medmnist_names, channels_first, folder])
def test_noise_fitting_takes_them(make, tmp_path):
    name, flags = make(tmp_path)
    run = tmp_path / "run"
    result = launch(
        "noise_fitting",
        f"--dataset={name}",
        *flags,
        *FITTING,
        "--train_size=96",
        f"--workdir={run}",
    )
    assert result.returncode == 0, result.stderr
    data = data_of(run)
    assert (data["dataset"], data["image_shape"]) == (name, [8, 8, 1])
    assert (data["num_examples"], data["num_classes"]) == (96, 3)
    assert data["order_seed"] > 0
    summary = json.loads((run / "summary.json").read_text())
    assert summary["num_held_out_images"] >= 100


@pytest.mark.long
@pytest.mark.parametrize("make", [keras_names, folder])
def test_two_classes_of_sorted_files_are_told_apart(make, tmp_path):
    name, _ = make(tmp_path)
    result = launch("mnist_noise", f"--dataset={name}", *NOISE, f"--workdir={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    assert data_of(tmp_path / "run")["order_seed"] > 0


@pytest.mark.long
@pytest.mark.parametrize("make", [medmnist_names, folder])
def test_interpolation_takes_them(make, tmp_path):
    name, flags = make(tmp_path)
    result = launch(
        *("interpolation", f"--dataset={name}", *flags, *PATHS, f"--workdir={tmp_path / 'run'}")
    )
    assert result.returncode == 0, result.stderr
    split = data_of(tmp_path / "run")["held_out"]
    assert split == flags[-1].removeprefix("--held_out=")


def test_mistakes_get_one_line(tmp_path):
    name, _ = keras_names(tmp_path)
    csv = tmp_path / "mine.csv"
    csv.write_text("x,y\n0,1\n")
    (tmp_path / "empty" / "a").mkdir(parents=True)
    for flags, line in {
        f"--dataset={name} --held_out=train": (
            "--train_split=train and --held_out=train: expected no image in both, got 300 in both"
        ),
        f"--dataset={name} --train_split=train[:60%] --held_out=train[50%:]": "got 30 in both",
        f"--dataset={name} --held_out=val": "expected train, test, or a slice",
        f"--dataset={csv}": "one-dimensional target is lf_first.py --target=csv:",
        f"--dataset=folder:{tmp_path / 'empty'}": "expected images: PATH/CLASS/*.png",
        f"--dataset={tmp_path / 'own.npz'}": "say --dataset=npz:",
        f"--dataset={tmp_path / 'empty'}": "say --dataset=folder:",
        "--dataset=digits --nochannels_first": "--channels_first: expected arrays of an npz file",
        f"--dataset=npz:{tmp_path / 'no.npz'}": "expected a readable npz file, got no such file",
    }.items():
        result = launch("noise_fitting", *flags.split(), *FITTING, f"--workdir={tmp_path / 'run'}")
        assert_refused(result, line)
    assert not (tmp_path / "run").exists()


def test_a_flag_that_came_later_is_in_a_flagfile_only_if_it_says_something(tmp_path):
    for make, given in ((keras_names, None), (channels_first, "true")):
        name, flags = make(tmp_path)
        run = tmp_path / f"run_{given}"
        result = launch("mnist_noise", f"--dataset={name}", *flags, *NOISE, f"--workdir={run}")
        assert result.returncode == 0, result.stderr
        assert read_flags(run).get("channels_first") == given
