import json

import keras
import numpy as np
import pytest
from boards import assert_board
from conftest import ROOT, assert_estimates, assert_refused, launch, mocked_cifar10
from PIL import Image

from spectral_tf import spectra
from spectral_tf.records import estimates, read_table

FEW = ["--dataset=digits", "--images=4", "--num_samples=17", "--drawn=2"]
TINY = [*FEW, "--width=4", "--num_epochs=4", "--seeds=2", "--attack_norm=2"]
TINY += ["--band_rate=0.0005"]
COURSES = ("straight", "band", "turned")


def columns(path, name):
    return {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}


def by_network(path):
    """{column: [networks, pairs, courses]} of the table of paths."""
    paths = columns(path, "paths")
    shape = (-1, len(set(paths["network"])), len(COURSES))
    return {name: values.reshape(shape).swapaxes(0, 1) for name, values in paths.items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, embedded_dir):
    path = tmp_path_factory.mktemp("elastic_bands") / "run"
    result = launch("elastic_bands", *TINY, f"--data_dir={embedded_dir}", f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result


@pytest.mark.long
def test_tables_follow_from_the_paths(finished):
    path, result = finished
    assert result.stdout.startswith("2 networks of different seeds, on training images of digits")
    assert "attack of norm 2 on 40 images of other classes: success" in result.stdout
    paths = by_network(path)
    assert paths["joined"].shape == (2, 80, 3)
    np.testing.assert_array_equal(paths["course"][0, 0], COURSES)
    kinds = paths["kind"][0, :, 0]
    assert [np.sum(kinds == kind) for kind in ("images", "mixed", "adversarial")] == [20, 40, 20]
    common = paths["correct"][..., 0].all(axis=0)
    assert 20 <= common.sum() < 80
    # What is joined has no sample of another class, and ends of one that is joined are correct.
    assert np.all((paths["lowest_probability"] > 0.1) | (paths["joined"] == 0))
    assert np.all(paths["correct"][paths["joined"] == 1] == 1)
    np.testing.assert_allclose(
        paths["highest_loss"], -np.log(paths["lowest_probability"]), rtol=1e-5, atol=1e-6
    )
    assert paths["relative_length"][..., 1].min() > 0
    assert paths["relative_length"].max() < 1
    np.testing.assert_array_equal(paths["relative_length"][..., 0], 0)
    # Kept in the range of the band, turned paths are no longer than it is.
    assert np.all(paths["relative_length"][..., 2] <= paths["relative_length"][..., 1] + 1e-6)
    assert np.all(paths["departure"][..., 2] <= paths["departure"][..., 1] + 1e-6)
    # Bands are surer of the class where they are least sure than straight lines are.
    lowest = paths["lowest_probability"][:, common]
    assert lowest[..., 1].mean() > lowest[..., 0].mean()
    table = columns(path, "measures")
    means = estimates(table, "mean")
    row = (table["kind"] == "all kinds") & (table["paths"] == "common")
    row &= (table["measure"] == "total_variation") & (table["course"] == "band")
    ((i,),) = np.nonzero(row)
    values = paths["total_variation"][:, common, 1]
    clusters = paths["cluster"][0, common, 0]
    by_hand = spectra.crossed_mean(values, clusters=clusters, units=("networks", "paths"))
    for end in ("value", "low", "high", "unit"):
        got, expected = getattr(means[i], end), getattr(by_hand, end)
        assert got == expected or np.isclose(got, expected)
    assert set(table["unit"][table["measure"] == "centroid"]) == {"cycles per path"}
    assert_estimates(path)
    assert_board(path, "elastic_bands")
    for picture in ("profiles", "spectra", "paths"):
        Image.open(path / "figures" / f"{picture}.png").verify()


@pytest.mark.long
def test_the_summary_counts_the_attack_and_the_pairs(finished):
    path, _ = finished
    summary = json.loads((path / "summary.json").read_text())
    networks, paths = columns(path, "networks"), by_network(path)
    attack = summary["attack"]
    assert attack["num_images"] == 40
    failed = np.round(40 * (1 - networks["attack_success"])).astype(int)
    assert attack["num_failed"] == failed.tolist()
    assert attack["success"]["value"] == pytest.approx(networks["attack_success"].mean())
    assert attack["success_of_noise"]["value"] < attack["success"]["value"] / 2
    # At most, since pixels stay in [0, 1].
    assert 1 < attack["distance"]["value"] <= 2 + 1e-5
    common = paths["correct"][..., 0].all(axis=0)
    assert sum(summary["common_paths"].values()) == common.sum()
    band = summary["joined"]["common"]["all kinds"]["band"]
    assert band["value"] == pytest.approx(paths["joined"][:, common, 1].mean())
    mixed = common & (paths["kind"][0, :, 0] == "mixed")
    every = summary["joined_by_every_network"]["mixed"]
    assert every["n"] == np.unique(paths["cluster"][0, mixed, 0]).size
    assert every["value"] == pytest.approx(paths["joined"][:, mixed, 1].all(axis=0).mean())
    assert every["unit"] == "clusters of paths of these networks"
    changes = summary["change_by_half_the_samples"]
    assert set(changes) == {"joined", "total_variation", "centroid", "maximum_slope"}
    assert all(set(of_measure) == set(COURSES) for of_measure in changes.values())
    assert 0 <= changes["joined"]["band"] < 0.2
    assert 0 < changes["total_variation"]["straight"] < 0.2
    claims = columns(path, "claims")
    assert set(claims["claim"]) == {"B1", "B2"}
    row = claims["reading"] == "joined, common paths, bands less straight paths"
    difference = (paths["joined"][..., 1] - paths["joined"][..., 0])[:, common].mean()
    np.testing.assert_allclose(claims["estimate"][row], difference)


@pytest.mark.long
def test_spectra_are_those_of_all_common_paths_in_cycles_per_path(finished):
    path, _ = finished
    table = columns(path, "spectra")
    dct = (table["transform"] == "dct") & (table["course"] == "straight")
    frequency = table["frequency"][dct]
    np.testing.assert_allclose(frequency, np.arange(17) * 16 / 34)
    dft = (table["transform"] == "dft") & (table["course"] == "band")
    np.testing.assert_allclose(table["frequency"][dft], np.arange(9) * 16 / 17)
    # The constant: of ten classes with sum 1.
    np.testing.assert_allclose(table["magnitude"][dft][0], 0.1, atol=1e-4)


@pytest.mark.long
def test_a_saved_network_is_one_and_has_its_own_numbers(finished, embedded_dir, tmp_path):
    path, _ = finished
    flags = [*FEW, "--attack_norm=2", "--band_rate=0.0005", f"--from_run={path}/checkpoints/seed_0"]
    result = launch(
        "elastic_bands", *flags, f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("one saved network, which says nothing of another training")
    found, before = by_network(tmp_path / "run"), by_network(path)
    for name in ("joined", "relative_length", "total_variation", "lowest_probability"):
        np.testing.assert_allclose(found[name][0], before[name][0], rtol=0.02, atol=2e-3)


@pytest.mark.long
def test_every_two_images_held_out_springs_and_the_loss(finished, embedded_dir, tmp_path):
    flags = [
        *FEW,
        "--attack_norm=2",
        "--band_rate=0.0005",
        f"--from_run={finished[0]}/checkpoints/seed_0",
    ]
    flags += ["--all_pairs", "--ends=held_out", "--images=2", "--energy=loss", "--spring=1"]
    flags += ["--classes=0,1,4", "--noin_range", "--inserted=0", "--relaxations=1"]
    result = launch(
        "elastic_bands", *flags, f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"
    )
    assert result.returncode == 0, result.stderr
    assert "on held-out images of digits" in result.stdout
    paths = by_network(tmp_path / "run")
    assert paths["joined"].shape == (1, 3 * 6, 3)
    assert set(paths["class"].ravel()) == {0, 1, 4}
    np.testing.assert_array_equal(np.unique(paths["cluster"]), [0, 1, 2])


@pytest.mark.matrix
def test_the_flags_of_the_papers_scale(tmp_path):
    mocked_cifar10(tmp_path, images_in_file=60)  # Noise in its format: 300 and 60 images.
    flags = [
        f"--flagfile={ROOT / 'results' / 'elastic_bands' / 'cifar10_resnet_20.flags'}",
        *(f"--data_dir={tmp_path}", "--download", f"--workdir={tmp_path / 'run'}"),
        *("--width=4", "--num_epochs=8", "--batch_size=32", "--seeds=1", "--images=2"),
        *("--classes=0,1,2", "--num_samples=9", "--attack_norm=20", "--drawn=1"),
    ]
    result = launch("elastic_bands", *flags)
    assert result.returncode == 0, result.stderr
    paths = by_network(tmp_path / "run")
    assert paths["joined"].shape == (1, 3 * 6, 3)  # All pairs of 4.
    final = keras.saving.load_model(tmp_path / "run" / "checkpoints" / "seed_0" / "final.keras")
    assert final.name == "resnet_20_4"


MISTAKES = {
    "--images=3": "--images: expected 2, 4, 6, ..., got 3",
    "--images=200": "--images: expected an even number up to",
    "--classes=1": "--classes: expected at least 2",
    "--inserted=9": "--inserted: expected 0 to 8",
    "--pivots=2": "--pivots",
    "--spring=-1": "--spring",
    "--energy=heat": "--energy",
    "--from_run=OWN/exported": "--from_run: expected a network with its layers",
    "--num_samples=6": "--num_samples",
    "--application=MobileNetV2 --weights=random": "--ends=training: expected a network whose",
    "--from_run=OWN/two.keras --outputs=probabilities": "--energy=logit: expected --outputs=logits",
    "--pivots=63 --inserted=1": "--pivots: expected at most 65 in the end",
}


@pytest.mark.long
def test_mistakes_get_one_line(embedded_dir, tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    model.export(tmp_path / "exported", verbose=False)
    model.save(tmp_path / "two.keras")
    own = [*FEW, f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"]
    for given, line in MISTAKES.items():
        flags = given.replace("OWN", str(tmp_path)).split()
        assert_refused(launch("elastic_bands", *own, *flags), line)
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_an_attack_that_fails_is_refused_with_the_count(embedded_dir, finished, tmp_path):
    flags = [*FEW, f"--from_run={finished[0]}/checkpoints/seed_0", "--attack_norm=0.001"]
    where = [f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"]
    line = "--attack_norm and --attack_steps: expected an attack that fails for at most 50%"
    result = launch("elastic_bands", *flags, *where)
    assert_refused(result, line)
    assert " of 40 that are not taken for their target; raise them" in result.stderr
