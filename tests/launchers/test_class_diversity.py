import json

import keras
import numpy as np
import pytest
from conftest import ROOT, assert_refused, launch, tiny_imagenet
from PIL import Image

from spectral_tf.records import read_table

SYNSETS = ("n01440764", "n01751748", "n09193705")
TINY = ["--dataset=digits", "--width=4", "--num_epochs=2", "--train_size=600", "--pairs=4"]


def columns(path, name):
    return {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, embedded_dir):
    path = tmp_path_factory.mktemp("class_diversity") / "run"
    flags = [*TINY, "--num_samples=8", "--classes_at_once=4", f"--data_dir={embedded_dir}"]
    result = launch("class_diversity", *flags, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result, flags


def test_classes_of_a_trained_network(finished):
    path, result, _ = finished
    assert "run folder" in result.stdout
    classes = columns(path, "classes")
    assert classes["class"].tolist() == list(range(10))
    assert (classes["pixel_distance"] > 0).all()
    assert (classes["feature_angle"] > 0).all()
    correlations = columns(path, "correlations")
    assert len(correlations["rho"]) == 3 * 4
    for reading in ("plain", "plain_correct"):  # Classes without a path that counts do not.
        counted = np.isfinite(classes[reading]).sum()
        assert (correlations["num_classes"][correlations["share"] == reading] == counted).all()
    Image.open(path / "figures" / "classes.png").verify()


def test_a_run_goes_on_with_the_classes_that_it_has(finished, tmp_path):
    """As if it had been killed after two of three blocks of classes."""
    path, _, flags = finished
    tables = {name: (path / f"{name}.csv").read_text() for name in ("classes", "correlations")}
    (path / "summary.json").unlink()
    kept = [path / "checkpoints" / f"classes_{i:05d}" / "state.npz" for i in (0, 4, 8)]
    kept[2].unlink()
    written = [file.stat().st_mtime_ns for file in kept[:2]]
    again = launch("class_diversity", *flags, f"--workdir={path}")
    assert again.returncode == 0, again.stderr
    assert [file.stat().st_mtime_ns for file in kept[:2]] == written
    for name, text in tables.items():
        assert (path / f"{name}.csv").read_text() == text


def test_features_of_another_file_are_not_mixed_into_a_run(finished, embedded_dir, tmp_path):
    """A plain model of somebody, with a layer called flatten and a softmax behind."""
    _, _, flags = finished
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(6, "relu")]
    file = tmp_path / "features.keras"

    def save(seed):
        keras.utils.set_random_seed(seed)
        keras.Sequential([*layers, keras.layers.Dense(10), keras.layers.Softmax()]).save(file)

    save(0)
    given = [*flags, f"--features={file}", f"--workdir={tmp_path / 'run'}"]
    first = launch("class_diversity", *given)
    assert first.returncode == 0, first.stderr
    (tmp_path / "run" / "summary.json").unlink()
    save(1)
    again = launch("class_diversity", *given)
    assert again.returncode == 2
    assert "features_sha256" in again.stderr.splitlines()[-1]


def test_imagenet_in_the_official_format(tmp_path):
    """Random weights, three classes of 40 images, one of which is corrupt; blocks of 2 classes."""
    tiny_imagenet(tmp_path / "tar", SYNSETS, images_in_synset=40, corrupt=1)
    flags = [
        f"--flagfile={ROOT / 'results' / 'class_diversity' / 'imagenet.flags'}",
        *(f"--data_dir={tmp_path / 'data'}", f"--manual_dir={tmp_path / 'tar'}"),
        *("--held_out=train", "--classes=0,65,970", "--classes_at_once=2", "--side=32"),
        *("--application=MobileNetV2", "--features=MobileNetV2", "--num_samples=5"),
        *("--weights=random", "--features_weights=random", f"--workdir={tmp_path / 'run'}"),
    ]
    result = launch("class_diversity", *flags)
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["num_classes"], summary["unreadable_images"]) == (3, 1)
    classes = columns(tmp_path / "run", "classes")
    assert classes["name"].tolist() == list(SYNSETS)
    flags[-1] = f"--workdir={tmp_path / 'w'}"
    wrong = launch("class_diversity", *flags, "--weights=none.h5")
    assert wrong.returncode == 2
    assert "--weights: expected imagenet (Keras fetches them)" in wrong.stderr.splitlines()[-1]
    (tmp_path / "other.weights.h5").write_bytes(b"none")
    other = launch("class_diversity", *flags, f"--weights={tmp_path / 'other.weights.h5'}")
    assert other.returncode == 2
    assert "expected weights of this network" in other.stderr.splitlines()[-1]


def test_merged_classes(embedded_dir, tmp_path):
    flags = [*TINY, "--num_samples=8", "--seeds=2", f"--data_dir={embedded_dir}"]
    result = launch("class_diversity_merged", *flags, f"--workdir={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    models, merges = (columns(tmp_path / "run", name) for name in ("models", "merges"))
    assert models["merge"].tolist() == [1, 2, 5, 1, 2, 5]
    first = models["merge"] == 1
    np.testing.assert_array_equal(models["all_plain"][first], models["same_plain"][first])
    assert np.isnan(models["other_plain"][first]).all()
    assert np.isfinite(models["other_plain"][~first]).all()
    chosen = (merges["merge"] == 5) & (merges["share"] == "all_mirrored")
    by_hand = [models["all_mirrored"][models["merge"] == k].mean() for k in (5, 1)]
    np.testing.assert_allclose(merges["difference"][chosen], by_hand[0] - by_hand[1])
    Image.open(tmp_path / "run" / "figures" / "merges.png").verify()
    again = launch("class_diversity_merged", *flags, f"--workdir={tmp_path / 'run'}")
    assert "finished" in again.stdout


def test_mistakes_get_one_line(finished, embedded_dir, tmp_path):
    nested = tmp_path / "nested.keras"
    inner = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    outer = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1.0), keras.Sequential(inner)]
    keras.Sequential(outer).save(nested)
    own, plain = f"{finished[0]}/checkpoints/features", "--width=0 --num_epochs=20"
    mistakes = {
        "class_diversity_merged": {
            "--merges=1,3": "--merges: expected 1 and other divisors of 10",
            "--merges=2,5": "--merges: expected 1 and",
        },
        "class_diversity": {
            "--classes=1,2": "--classes: expected at least 3",
            f"--from_run={own} {plain}": "--features: expected a network other than the one",
            f"--from_run={own} --features={own} {plain}": "--features: expected a network other",
            "--features=nothing": "--features: expected a .keras file, or a run folder",
            "--num_samples=0": "--num_samples: expected 4 or more",
            "--pairs=30": "--pairs: expected 1 to",
            "--features_weights=random": "--features_weights: expected an application",
            f"--features={nested}": "--features: expected a network that ends in a fully",
        },
    }
    given = [*TINY, f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"]
    for page, lines in mistakes.items():
        for flags, line in lines.items():
            assert_refused(launch(page, *given, *flags.split()), line)
    assert not (tmp_path / "run").exists()
