import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import ROOT, assert_refused, free_addresses, launch
from PIL import Image

from spectral_tf.records import read_table

PAGE = [sys.executable, str(ROOT / "launchers" / "interpolation.py")]
SAVED = ["--dataset=digits", "--pairs=6", "--drawn=3"]
TINY = [*SAVED, "--width=4", "--num_epochs=2"]


def run(*flags):
    return launch("interpolation", *flags)


def columns(path, name):
    return {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, embedded_dir):
    path = tmp_path_factory.mktemp("interpolation") / "run"
    result = run(*TINY, f"--data_dir={embedded_dir}", f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result


def test_a_run_leaves_tables_and_figures_that_agree(finished):
    path, result = finished
    assert "run folder" in result.stdout
    paths, classes = columns(path, "paths"), columns(path, "classes")
    within = paths["first_class"] == paths["last_class"]
    assert (within.sum(), (~within).sum()) == (60, 270)
    np.testing.assert_array_equal(
        paths["num_samples"], np.maximum(4, np.round(paths["distance"]) + 1)
    )
    assert len(classes["num_paths"]) == 55
    one = (paths["first_class"] == 2) & (paths["last_class"] == 7)
    row = (classes["first_class"] == 2) & (classes["last_class"] == 7)
    for name in ("plain_share", "mirrored_share", "peak_difference", "total_variation"):
        np.testing.assert_allclose(classes[name][row], paths[name][one].mean())
    summary = json.loads((path / "summary.json").read_text())
    found = summary["mean_with_interval"]
    for place, where in (("within", within), ("between", ~within)):
        np.testing.assert_allclose(
            found[place]["plain_share"][0], paths["plain_share"][where].mean()
        )
    right = within & (paths["correct_ends"] == "True")
    assert 0 < right.sum() < within.sum()
    assert found["within, correct ends"]["num_paths"] == right.sum()
    assert set(columns(path, "spectra")["transform"]) == {"plain", "mirrored"}
    for picture in ("spectra", "classes", "paths"):
        Image.open(path / "figures" / f"{picture}.png").verify()
    assert list((path / "tensorboard" / "paths").glob("*tfevents*"))


def test_the_model_of_a_run_gives_its_numbers_and_probabilities_too(
    finished, embedded_dir, tmp_path
):
    path, _ = finished
    flags = [*SAVED, f"--data_dir={embedded_dir}"]
    result = run(*flags, f"--from_run={path}", f"--workdir={tmp_path / 'again'}")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "again" / "paths.csv").read_text() == (path / "paths.csv").read_text()
    model = keras.saving.load_model(path / "checkpoints" / "final.keras")
    keras.Model(model.inputs, keras.layers.Softmax()(model.outputs[0])).save(tmp_path / "p.keras")
    flags += [f"--from_run={tmp_path / 'p.keras'}", f"--workdir={tmp_path / 'p'}"]
    wrong = run(*flags)
    assert wrong.returncode == 2
    assert "say --outputs=probabilities" in wrong.stderr.splitlines()[-1]
    assert not (tmp_path / "p").exists()
    right = run(*flags, "--outputs=probabilities")
    assert right.returncode == 0, right.stderr
    ours, theirs = columns(tmp_path / "p", "paths"), columns(path, "paths")
    np.testing.assert_allclose(ours["plain_share"], theirs["plain_share"], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("along", ["gradient", "random", "fourier"])
def test_paths_from_single_images(along, finished, embedded_dir, tmp_path):
    result = run(
        *(*SAVED, f"--data_dir={embedded_dir}", f"--workdir={tmp_path}", f"--along={along}"),
        *(f"--from_run={finished[0]}", "--length=3", "--num_samples=9"),
        *(["--spatial_frequency=2"] if along == "fourier" else []),
    )
    assert result.returncode == 0, result.stderr
    paths = columns(tmp_path, "paths")
    np.testing.assert_allclose(paths["distance"], 3, rtol=1e-5)
    assert len(paths["distance"]) == 60
    assert (paths["num_samples"] == 9).all()


def test_mistakes_get_one_line(finished, embedded_dir, tmp_path):
    vectors = tmp_path / "vectors.keras"
    keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)]).save(vectors)
    gap = tmp_path / "gap.npz"
    pixels = np.random.default_rng(0).integers(0, 256, size=(300, 8, 8, 1), dtype=np.uint8)
    labels = 2 * (np.arange(300) % 2)
    np.savez(gap, x=pixels, y=labels, x_test=pixels[:100], y_test=labels[:100])
    mistakes = {
        f"--from_run={finished[0]} --dataset=photo_patches": "expected digits, that of the run",
        f"--from_run={finished[0]}": "--width: expected a network that is trained here, got 4",
        "--length=5": "--length: expected an --along that it is for",
        f"--dataset=npz:{gap}": "--dataset: expected held-out images of every class, got none of",
        "--from_run=nothing": "--from_run: expected a .keras file, or a run folder",
        "--pairs=40": "--pairs: expected 1 to",
        "--classes=0,10": "--classes: expected at most 9",
        "--num_samples=3": "--num_samples: expected at least 4",
        "--outputs=probabilities": "--outputs: expected logits",
        "--along=fourier --spatial_frequency=9": "--spatial_frequency: expected 0 or more, at most",
        "--normalisation=unit": "--normalisation: expected a file that belongs to no run",
        "--weights=random": "--weights: expected an --application",
        "--application=ResNet5 --weights=random --width=0 --num_epochs=20 --num_samples=9": (
            "--application: expected ConvNeXtTiny"
        ),
        "--application=ResNet50 --weights=random --num_samples=0 --width=0 --num_epochs=20": (
            "--num_samples: expected 4"
        ),
        f"--from_run={vectors} --width=0 --num_epochs=20": "expected the network's input",
        "--application=ResNet50 --weights=random --num_samples=9 --width=0 --num_epochs=20": (
            "expected classes of ImageNet"
        ),
    }
    own = [*TINY, f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"]
    for flags, line in mistakes.items():
        assert_refused(launch("interpolation", *own, *flags.split()), line)
    assert not (tmp_path / "run").exists()


def test_identical_images_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(40, 6, 6, 1), dtype=np.uint8)
    labels = np.arange(40) % 2
    test = np.tile(images[:2], (20, 1, 1, 1))  # Every class has one image.
    np.savez(tmp_path / "own.npz", x=images, y=labels, x_test=test, y_test=labels)
    result = run(
        *("--pairs=2", "--num_epochs=1", "--batch_size=8", f"--workdir={tmp_path / 'run'}"),
        f"--dataset=npz:{tmp_path / 'own.npz'}",
    )
    assert result.returncode == 2
    assert (
        "images at the ends of a path: expected two that differ" in result.stderr.splitlines()[-1]
    )
    assert not (tmp_path / "run").exists()


def test_two_workers_give_the_paths_of_one_process(finished, embedded_dir, tmp_path):
    path, _ = finished
    addresses = free_addresses(2)
    flags = [*SAVED, f"--data_dir={embedded_dir}", f"--from_run={path}", f"--workdir={tmp_path}"]
    both = [
        subprocess.Popen(
            [*PAGE, *flags],
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
        told = [process.communicate(timeout=300) for process in both]
    finally:
        for process in both:
            process.kill()
    assert [process.returncode for process in both] == [0, 0], told
    ours, theirs = columns(tmp_path, "paths"), columns(path, "paths")
    for name in ("plain_share", "mirrored_share", "total_variation"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-5)
