"""The committed tables of noise_fitting are whole, and so are the flagfiles of its studies.

The tables were made before networks were held against a null: of what they say of waves nothing is
asserted here. What is claimed of them is withdrawn in their README.
"""

import csv
import json

import numpy as np
import pytest
from conftest import ROOT, assert_refused, launch

from spectral_tf.records import read_table

RESULTS = ROOT / "results" / "noise_fitting"
STUDIES = RESULTS / "studies"
SETS = ("fashion_mnist", "photo_patches")
CASES = ("waves", "width_8", "width_32", "weight_decay", "mixup", "distillation", "image_frequency")
both = pytest.mark.parametrize("name", SETS)


def columns(name, case, table):
    path = RESULTS / name / case / f"{table}.csv"
    return {column: np.array(values) for column, values in read_table(path).items()}


@both
def test_the_records_say_which_data_and_how_many_runs(name):
    summary = json.loads((RESULTS / name / "waves" / "summary.json").read_text())
    environment = json.loads((RESULTS / name / "waves" / "environment.json").read_text())
    assert summary["num_seeds"] == 3
    assert environment["data"]["normalisation"]["mean"]
    if name == "fashion_mnist":
        assert summary["num_training_images"] == 10_000
        assert environment["data"]["version"] == "fashion_mnist/3.0.1"
    else:
        assert "embedded" in summary["dataset"]


@both
@pytest.mark.parametrize("case", CASES)
def test_every_wave_and_seed_has_every_epoch_and_learns_its_classes(name, case):
    t, waves = columns(name, case, "epochs"), columns(name, case, "waves")
    names = dict.fromkeys(t["wave"].tolist())
    assert list(names) == waves["wave"].tolist()
    assert len(t["epoch"]) == len(names) * 3 * 21
    np.testing.assert_allclose(t["noise_fitting"], t["clean_loss"] - t["noisy_loss"], atol=1e-9)
    start, end = t["epoch"] == 0, t["epoch"] == 20
    np.testing.assert_allclose(t["clean_loss"][start], np.log(10), atol=1e-6)
    assert (t["accuracy"][end] > 0.7).all()
    assert (t["accuracy"][end] > t["accuracy"][start] + 0.5).all()


def test_all_tables_are_of_a_size_for_a_repository():
    assert sum(file.stat().st_size for file in RESULTS.rglob("*")) < 24e6
    for file in RESULTS.rglob("*.csv"):
        with open(file, newline="") as stream:
            assert len(next(csv.reader(stream))) > 4


# Flagfiles in the order in which they are given: of a set, then of a case. Cases that both sets
# share are asked of one.
ORDERS = [
    ("photo_patches", case)
    for case in (
        *("photo_patches_waves", "width_8", "width_32", "weight_decay", "mixup", "augmentation"),
        *("teacher", "distillation", "image_frequency", "random", "power_law"),
    )
]
ORDERS += [("fashion_mnist", "fashion_mnist_waves")]


def test_every_flagfile_of_the_studies_has_its_place():
    assert {file.stem for file in STUDIES.glob("*.flags")} == {n for pair in ORDERS for n in pair}


@pytest.mark.parametrize(("name", "case"), ORDERS)
def test_the_flags_of_the_studies_are_taken(name, case, embedded_dir, tmp_path):
    """Up to their images: waves, directions and folder are checked before these are looked for."""
    files = [f"--flagfile={STUDIES / f'{part}.flags'}" for part in (name, case)]
    where = [f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}", "--held_out=nowhere"]
    # Both sets have the same flags but for their names and waves.
    result = launch("noise_fitting", *files, "--dataset=photo_patches", *where)
    assert_refused(result, "split of photo_patches: expected train, test")
