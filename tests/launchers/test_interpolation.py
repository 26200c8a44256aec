import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from boards import assert_board
from conftest import (
    ROOT,
    assert_refused,
    free_addresses,
    launch,
    mocked_cifar10,
    mocked_cifar10_1,
)
from PIL import Image

from spectral_tf import spectra
from spectral_tf.records import estimates, read_table

PAGE = [sys.executable, str(ROOT / "launchers" / "interpolation.py")]
SAVED = ["--dataset=digits", "--pairs=4", "--between_pairs=1", "--drawn=3"]
TINY = [*SAVED, "--width=4", "--num_epochs=2"]
MEASURED = ("dft_share", "dct_share", "total_variation", "matched_centroid")


def run(*flags):
    return launch("interpolation", *flags)


def columns(path, name):
    return {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}


def by_network(path):
    """{column: [networks, paths]} of the table of paths."""
    paths = columns(path, "paths")
    count = len(set(paths["network"]))
    return {name: values.reshape(-1, count).T for name, values in paths.items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, embedded_dir):
    """Two networks, then a third: the first ones stay what they are."""
    path = tmp_path_factory.mktemp("interpolation") / "run"
    flags = [*TINY, f"--data_dir={embedded_dir}", f"--workdir={path}"]
    few = run(*flags, "--seeds=2")
    assert few.returncode == 0, few.stderr
    before = columns(path, "networks")
    result = run(*flags, "--seeds=3")
    assert result.returncode == 0, result.stderr
    now = columns(path, "networks")
    assert now["network"].tolist() == [0, 1, 2]
    for name in ("accuracy", "temperature"):
        np.testing.assert_array_equal(now[name][:2], before[name])
    return path, result


def test_tables_follow_from_the_paths(finished):
    path, result = finished
    assert result.stdout.startswith("3 networks of different seeds, on held-out images of digits")
    assert "run folder" in result.stdout
    paths = by_network(path)
    within = (paths["first_class"] == paths["last_class"])[0]
    assert (within.sum(), (~within).sum()) == (40, 45)
    np.testing.assert_array_equal(
        paths["num_samples"][0], np.maximum(4, np.round(paths["distance"][0]) + 1)
    )
    common = (paths["correct"] == 1).all(axis=0)
    assert 0 < (within & common).sum() < 40
    table = columns(path, "measures")
    means = estimates(table, "mean")
    for place, of_place in (("within", within), ("between", ~within)):
        for kind, chosen in (("all", of_place), ("common", of_place & common)):
            for name in MEASURED:
                row = (table["pair_type"] == place) & (table["paths"] == kind)
                row &= table["measure"] == name
                # A centroid of what does not vary is none.
                counted = chosen & ((paths[name] > 0).all(axis=0) | ("centroid" not in name))
                assert set(table["num_paths"][row]) == {counted.sum()}
                found, *each = [means[i] for i in np.flatnonzero(row)]
                values = paths[name][:, counted]
                by_hand = spectra.crossed_mean(values, units=("networks", "paths"))
                for end in ("value", "low", "high"):
                    np.testing.assert_allclose(getattr(found, end), getattr(by_hand, end))
                assert [e.n for e in each] == [counted.sum()] * 3
                np.testing.assert_allclose([e.value for e in each], values.mean(axis=1))
    one = (paths["first_class"] == 2) & (paths["last_class"] == 7)
    classes = columns(path, "classes")
    row = (classes["first_class"] == 2) & (classes["last_class"] == 7)
    row &= classes["measure"] == "dft_share"
    np.testing.assert_allclose(classes["mean"][row], paths["dft_share"][one].mean())
    assert len(set(zip(classes["first_class"], classes["last_class"], strict=True))) == 55
    for picture in ("spectra", "classes", "classes_centroid", "paths"):
        Image.open(path / "figures" / f"{picture}.png").verify()
    assert_board(path, "interpolation")


def test_the_claim_is_read_in_every_way_named_before(finished):
    path, _ = finished
    paths, claims = by_network(path), columns(path, "claims")
    assert set(claims["claim"]) == {"C0"}
    assert sorted(claims["primary"][claims["primary"] != ""]) == ["corrected", "published"]
    assert len(claims["reading"]) == len(set(claims["reading"])) >= 10
    within = (paths["first_class"] == paths["last_class"])[0]
    share = paths["dft_share"]
    (row,) = np.flatnonzero(claims["reading"] == "DFT share, all paths")
    difference = share[:, ~within].mean() - share[:, within].mean()
    np.testing.assert_allclose(claims["estimate"][row], difference)
    assert claims["estimate_n"][row] == 3
    (row,) = np.flatnonzero(
        claims["reading"] == "centroid at matched confidence, known paths, cycles per path"
    )
    assert "common paths, 20 needed" in claims["estimate_method"][row]  # 40 and 45 are few.


def test_spectra_reach_the_nyquist_frequency_and_say_what_is_behind_a_point(finished):
    path, _ = finished
    paths, table = by_network(path), columns(path, "spectra")
    assert set(table["unit"]) == {"cycles per unit of distance"}
    spacing = (paths["distance"] / (paths["num_samples"] - 1))[0]
    np.testing.assert_allclose(table["frequency"].max(), 1 / (2 * spacing.min()))
    within = (paths["first_class"] == paths["last_class"])[0]
    counts = paths["num_samples"][0]
    for transform, width in (
        ("dft", 1 / (counts * spacing)),
        ("dct", 0.5 / counts / spacing),
    ):
        row = (table["pair_type"] == "within") & (table["paths"] == "all")
        row &= table["transform"] == transform
        bins = table["frequency"][row][:, None] / width
        last = counts // 2 if transform == "dft" else counts - 1
        told = (bins == 0) | ((bins > 1 - 1e-9) & (bins < last + 1e-9))
        np.testing.assert_array_equal(table["num_paths"][row], (told & within).sum(axis=1))
        few = table["num_paths"][row] < 20
        assert 0 < few.sum() < few.size
        np.testing.assert_array_equal(np.isnan(table["magnitude"][row].astype(float)), few)
        methods = table["magnitude_method"][row]
        assert all("20 needed" in text for text in methods[few])
        assert not any("needed" in text for text in methods[~few])


def test_with_so_many_samples_for_each_path_the_path_is_the_unit(finished, embedded_dir, tmp_path):
    result = run(
        *(*SAVED, f"--data_dir={embedded_dir}", f"--workdir={tmp_path}", "--num_samples=12"),
        *("--classes=3,5", f"--from_run={finished[0]}/checkpoints/seed_0"),
    )
    assert result.returncode == 0, result.stderr
    table = columns(tmp_path, "spectra")
    assert set(table["unit"]) == {"cycles per path"}
    assert table["frequency"].max() == pytest.approx(11 / 2)
    assert (table["num_paths"][table["frequency"] == 5.5] > 0).any()


@pytest.mark.long
def test_a_saved_model_is_one_network_and_gives_its_numbers(finished, embedded_dir, tmp_path):
    path, _ = finished
    flags = [*SAVED, f"--data_dir={embedded_dir}"]
    kept = path / "checkpoints" / "seed_1"
    result = run(*flags, f"--from_run={kept}", f"--workdir={tmp_path / 'again'}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("one saved network, which says nothing of another training")
    summary = json.loads((tmp_path / "again" / "summary.json").read_text())
    assert summary["rests_on"].startswith("one saved network")
    assert summary["means"]["within"]["all"]["dft_share"]["unit"] == "paths of one network"
    ours, theirs = by_network(tmp_path / "again"), by_network(path)
    for name in MEASURED:
        np.testing.assert_array_equal(ours[name][0], theirs[name][1])
    model = keras.saving.load_model(kept / "final.keras")
    keras.Model(model.inputs, keras.layers.Softmax()(model.outputs[0])).save(tmp_path / "p.keras")
    flags += [f"--from_run={tmp_path / 'p.keras'}", f"--workdir={tmp_path / 'p'}"]
    wrong = run(*flags)
    assert wrong.returncode == 2
    assert "say --outputs=probabilities" in wrong.stderr.splitlines()[-1]
    assert not (tmp_path / "p").exists()
    right = run(*flags, "--outputs=probabilities")
    assert right.returncode == 0, right.stderr
    ours = by_network(tmp_path / "p")
    for name in MEASURED:
        np.testing.assert_allclose(ours[name][0], theirs[name][1], rtol=2e-3, atol=1e-5)


@pytest.mark.sampled
@pytest.mark.parametrize("along", ["gradient", "random", "fourier"])
def test_paths_from_single_images(along, embedded_dir, tmp_path):
    result = run(
        *(*TINY, f"--data_dir={embedded_dir}", f"--workdir={tmp_path}", f"--along={along}"),
        *("--length=3", "--num_samples=9", "--seeds=2", "--between_pairs=3"),
        *(["--spatial_frequency=2"] if along == "fourier" else []),
    )
    assert result.returncode == 0, result.stderr
    paths = by_network(tmp_path)
    np.testing.assert_allclose(paths["distance"], 3, rtol=1e-5)
    assert paths["distance"].shape == (2, 40)
    assert (paths["num_samples"] == 9).all()
    table = columns(tmp_path, "spectra")
    assert set(table["pair_type"]) == {f"along {along}"}
    assert table["frequency"].max() == pytest.approx(8 / 3 / 2, rel=1e-5)
    assert not (tmp_path / "claims.csv").exists()


@pytest.mark.long
def test_paths_by_phases_with_jacobians_and_the_released_spectrum(finished, embedded_dir, tmp_path):
    result = run(
        *(*SAVED, f"--data_dir={embedded_dir}", f"--workdir={tmp_path}", "--along=phase"),
        *(f"--from_run={finished[0]}/checkpoints/seed_1", "--jacobian_points=3"),
        *("--transforms=dct,released", "--num_samples=12"),
    )
    assert result.returncode == 0, result.stderr
    paths, straight = by_network(tmp_path), by_network(finished[0])
    # Of the same images, whose phases are turned: other ways of other lengths.
    for name in ("first_class", "last_class"):
        np.testing.assert_array_equal(paths[name][0], straight[name][1])
    assert (paths["pixel_distance"][0] != straight["pixel_distance"][1]).all()
    # What counts is the first image, which both begin at.
    assert (paths["correct"][0] >= straight["correct"][1]).all()
    assert 0 < paths["consistent_share"].min() < paths["consistent_share"].max() == 1
    for name in ("jacobian", "matched_jacobian", "logit_jacobian"):
        assert (paths[name] > 0).all()
    claims = columns(tmp_path, "claims")
    assert set(claims["claim"]) == {"C0 phase"}
    assert "Jacobian at matched confidence, all paths" in claims["reading"]
    table = columns(tmp_path, "spectra")
    assert set(table["transform"]) == {"dct", "released"}
    chosen = (table["transform"] == "released") & (table["pair_type"] == "between")
    power = table["magnitude"][chosen & (table["paths"] == "all")].astype(float)
    assert power[0] > 5 * power[2] > 0
    measures = columns(tmp_path, "measures")
    (unit,) = set(measures["unit"][measures["measure"] == "matched_jacobian"])
    assert unit == "per unit of distance in pixels of [0, 1]"
    networks = columns(tmp_path, "networks")
    assert 0 < networks["image_matched_jacobian"][0] < networks["image_logit_jacobian"][0]
    assert_board(tmp_path, "interpolation")


@pytest.mark.long
def test_paths_between_training_images(finished, embedded_dir, tmp_path):
    flags = [*SAVED, f"--data_dir={embedded_dir}", f"--from_run={finished[0]}/checkpoints/seed_1"]
    result = run(*flags, f"--workdir={tmp_path}", "--end_on=training", "--pairs=20")
    assert result.returncode == 0, result.stderr
    assert "on training images of digits" in result.stdout.splitlines()[0]
    paths, networks = by_network(tmp_path), columns(tmp_path, "networks")
    assert paths["distance"].shape == (1, 10 * 20 + 45)
    assert set(columns(tmp_path, "claims")["claim"]) == {"C0 training"}
    # Accuracy and confidence are those of held-out images, all of them now.
    held_out = columns(finished[0], "networks")
    assert networks["temperature"][0] == pytest.approx(held_out["temperature"][1], rel=0.2)


@pytest.mark.matrix
@pytest.mark.parametrize("more", ["--end_on=shifted", "--along=amplitude --transforms=released"])
def test_the_flags_for_cifar_10_and_cifar_10_1(more, tmp_path):
    """First steps on noise in their formats: 1,200, 240 and 40 images."""
    mocked_cifar10(tmp_path, images_in_file=240)
    mocked_cifar10_1(tmp_path)
    flags = [
        f"--flagfile={ROOT / 'results' / 'interpolation' / 'cifar10_phase.flags'}",
        *(f"--data_dir={tmp_path}", "--download", f"--workdir={tmp_path / 'run'}"),
        *("--model=convnet", "--width=2", "--num_epochs=1", "--batch_size=64", "--pairs=2"),
        *("--between_pairs=0", "--classes=0,1,2", "--num_samples=8", "--seeds=2", *more.split()),
    ]
    if "shifted" in more:
        flags.append("--pairs=1")  # Of each class there are four images.
    result = launch("interpolation", *flags)
    assert result.returncode == 0, result.stderr
    networks = columns(tmp_path / "run", "networks")
    a, shifted = networks["held_out_accuracy"], networks["shifted_accuracy"]
    line = 1 / (1 + np.exp(-(0.8318 * np.log(a / (1 - a)) - 0.4736)))
    np.testing.assert_allclose(networks["effective_robustness"], shifted - line, atol=1e-9)
    assert "effective robustness, above the line of cifar10_1/v6: " in result.stdout
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["effective_robustness"]["n"] == 2
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["data"]["shifted"].startswith("cifar10_1/v6/")


@pytest.mark.long
def test_mistakes_get_one_line(finished, embedded_dir, tmp_path):
    kept = finished[0] / "checkpoints" / "seed_0"
    vectors = tmp_path / "vectors.keras"
    keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)]).save(vectors)
    gap = tmp_path / "gap.npz"
    pixels = np.random.default_rng(0).integers(0, 256, size=(300, 8, 8, 1), dtype=np.uint8)
    labels = 2 * (np.arange(300) % 2)
    np.savez(gap, x=pixels[100:], y=labels[100:], x_test=pixels[:100], y_test=labels[:100])
    mistakes = {
        f"--from_run={kept} --dataset=photo_patches": "expected digits, that of the run",
        f"--from_run={kept}": "--width: expected a network that is trained here, got 4",
        f"--from_run={finished[0]}": "--from_run: expected one training, got 3 in",
        f"--from_run={kept} --width=0 --num_epochs=20 --seeds=2": (
            "--seeds: expected networks that are trained here, got 2 with a saved one"
        ),
        "--along=random --between_pairs=2": "--between_pairs: expected an --along that it is for",
        "--between_pairs=5": "--between_pairs: expected 1 to",
        "--pairs=16": "--pairs and --between_pairs: expected paths that leave 100",
        "--length=5": "--length: expected an --along that it is for",
        f"--dataset=npz:{gap}": "--dataset: expected held-out images of every class, got none of",
        "--from_run=nothing": "--from_run: expected a .keras file, or a run folder",
        "--pairs=40": "--pairs: expected 1 to",
        "--jacobian_points=1": "--jacobian_points: expected 2 or more",
        "--transforms=fft": "--transforms: expected some of dft, dct, released",
        "--end_on=shifted": "--end_on=shifted: expected the name of a shifted data set",
        "--shifted=photo_patches": "--shifted: expected images of the classes of digits, 0, 1, 2,",
        "--along=phase --length=5": "--length: expected an --along that it is for",
        "--classes=0,10": "--classes: expected at most 9",
        "--num_samples=3": "--num_samples: expected at least 4",
        "--outputs=probabilities": "--outputs: expected logits",
        "--along=fourier --between_pairs=3 --spatial_frequency=9": (
            "--spatial_frequency: expected 0 or more, at most"
        ),
        "--normalisation=unit": "--normalisation: expected a file that belongs to no run",
        "--weights=random": "--weights: expected an --application",
        "--application=ResNet5 --weights=random --width=0 --num_epochs=20 --num_samples=9": (
            "--application: expected ConvNeXtTiny"
        ),
        "--application=ResNet50 --weights=random --num_samples=0 --width=0 --num_epochs=20": (
            "--num_samples: expected 4"
        ),
        "--application=ResNet50 --weights=random --width=0 --num_epochs=20 --jacobian_points=3": (
            "--jacobian_points: expected a network whose inputs are normalised pixels"
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
    images = rng.integers(0, 256, size=(42, 6, 6, 1), dtype=np.uint8)
    labels = np.arange(42) % 2
    test = np.tile(images[:2], (80, 1, 1, 1))  # Every class has one image, which is not learned.
    np.savez(
        tmp_path / "own.npz", x=images[2:], y=labels[2:], x_test=test, y_test=np.arange(160) % 2
    )
    result = run(
        *("--pairs=2", "--num_epochs=1", "--batch_size=8", f"--workdir={tmp_path / 'run'}"),
        f"--dataset=npz:{tmp_path / 'own.npz'}",
    )
    assert result.returncode == 2
    assert (
        "images at the ends of a path: expected two that differ" in result.stderr.splitlines()[-1]
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.matrix
def test_two_workers_give_the_paths_of_one_process(finished, embedded_dir, tmp_path):
    path, _ = finished
    addresses = free_addresses(2)
    flags = [
        *SAVED,
        f"--data_dir={embedded_dir}",
        f"--from_run={path}/checkpoints/seed_1",
        f"--workdir={tmp_path}",
    ]
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
        told = [process.communicate() for process in both]
    finally:
        for process in both:
            process.kill()
    assert [process.returncode for process in both] == [0, 0], told
    ours, theirs = by_network(tmp_path), by_network(path)
    for name in MEASURED:
        np.testing.assert_allclose(ours[name][0], theirs[name][1], rtol=1e-3, atol=1e-5)
