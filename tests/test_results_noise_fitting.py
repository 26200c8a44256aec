"""The committed tables of noise_fitting are whole, and so are the flagfiles of its studies.

Of tables that were made before networks were held against a null nothing is asserted of what they
say of waves; it is withdrawn in their README. Every folder that keeps answers to held-out images is
recomputed from them: each wave, and each reading of each claim.
"""

import csv
import json

import numpy as np
import pytest
from conftest import ROOT, assert_alike, assert_recomputed, assert_refused, launch, size_of_results

from spectral_tf.records import estimates, read_flags, read_table

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
        assert summary["num_training_images"] == 5_000
        assert environment["data"]["version"] == "fashion_mnist/3.0.1"
    else:
        assert "embedded" in summary["dataset"]


@both
@pytest.mark.parametrize("case", CASES)
def test_every_wave_and_seed_has_every_epoch_and_learns_its_classes(name, case):
    t, waves = columns(name, case, "epochs"), columns(name, case, "waves")
    names = dict.fromkeys(t["wave"].tolist())
    assert list(names) == waves["wave"].tolist()
    flags = read_flags(RESULTS / name / case)
    seeds, directions = int(flags["seeds"]), int(flags["directions"])
    # The control has trainings for each direction.
    assert len(t["epoch"]) == seeds * (len(names) - 1 + directions) * 21
    np.testing.assert_allclose(t["noise_fitting"], t["clean_loss"] - t["noisy_loss"], atol=1e-9)
    start, end = t["epoch"] == 0, t["epoch"] == 20
    np.testing.assert_allclose(t["clean_loss"][start], np.log(10), atol=1e-6)
    assert (t["accuracy"][end] > 0.7).all()
    assert (t["accuracy"][end] > t["accuracy"][start] + 0.5).all()


def committed(folders, what):
    """The folders as cases of a test, or one that is skipped and says why."""
    if folders:
        return [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in folders]
    skip = pytest.mark.skip(reason=f"no {what} is committed: the tables are of before nulls")
    return [pytest.param(None, marks=skip)]


KEPT = sorted(file.parent for file in RESULTS.glob("*/*/held_out.npz"))
COMPARED = sorted(
    file.parent
    for file in RESULTS.glob("*/*/comparison.csv")
    if (file.parent / "claims.csv").exists()
)


@pytest.mark.parametrize("path", committed(KEPT, "run that keeps its answers"))
def test_every_wave_and_reading_is_recomputed_from_the_answers(path):
    assert_recomputed(path)


@pytest.mark.parametrize("path", committed(COMPARED, "comparison with claims"))
def test_every_comparison_is_made_anew_from_the_answers(path, tmp_path):
    """C3 and C4: by the page, from the folders beside it; their values from the tables, too."""
    flags = read_flags(path)
    runs = [run.rpartition("/")[2] for run in (flags["baseline"], *flags["cases"].split(","))]
    baseline, *cases = (path.parent / run for run in runs)
    result = launch(
        "noise_fitting_compare",
        *(f"--flagfile={path / 'run.flags'}", f"--workdir={tmp_path / 'run'}"),
        *(f"--baseline={baseline}", f"--cases={','.join(map(str, cases))}"),
    )
    assert result.returncode == 0, result.stderr
    made, told = (read_table(p / "claims.csv") for p in (tmp_path / "run", path))
    for name in ("claim", "statement", "reading", "primary", "direction"):
        assert made[name] == told[name]
    pairs = [estimates(table, "estimate") for table in (made, told)]
    for found, expected, reading in zip(*pairs, told["reading"], strict=True):
        assert_alike(found, expected, f"{path}: {reading}", atol=1e-9)
    effects = [read_table(p / "comparison.csv") for p in (tmp_path / "run", path)]
    assert effects[0]["wave"] == effects[1]["wave"]
    for name in ("above_null", "difference_above_null", "difference_of_minimum_noise_fitting"):
        for found, expected in zip(*(estimates(t, name) for t in effects), strict=True):
            assert_alike(found, expected, f"{path}: {name}", atol=1e-9)
    columns = {"published": "minimum_noise_fitting"}
    columns["corrected"] = "final_regression_slope_above_null"
    tables = {run: read_table(path.parent / run / "waves.csv") for run in runs}
    checked = zip(told["primary"], told["reading"], pairs[1], strict=True)
    for primary, reading, estimate in checked:
        if primary and not np.isnan(estimate.value):
            waves = estimate.unit.rpartition(", ")[2].split(" and ")
            more, less = (
                np.mean([of[columns[primary]][of["wave"].index(wave)] for wave in waves])
                for of in (tables[run] for run in reading.partition(":")[0].split(" − "))
            )
            # Images that one of the runs left out are in its own table alone.
            assert estimate.value == pytest.approx(more - less, abs=5e-3), reading


@pytest.mark.parametrize("path", committed(KEPT, "run that keeps its answers"))
def test_every_run_on_waves_shows_its_four_panels(path):
    assert (path / "figures" / "four_panels.png").is_file()


@pytest.mark.parametrize(("name", "rise"), [("fashion_mnist", 0.033), ("photo_patches", 0.006)])
def test_noise_fitting_does_not_dip(name, rise):
    """What the page says of the means over seeds: how far they end above their minima."""
    t = columns(name, "waves", "epochs")
    rises = []
    for wave in set(t["wave"].tolist()) - {"uniform"}:
        own = t["wave"] == wave
        mean = t["noise_fitting"][own].reshape(-1, 21).mean(axis=0)
        assert t["epoch"][own][:21].tolist() == list(range(21))
        rises.append(mean[-1] - mean.min())
    assert round(max(rises), 3) == rise
    assert f"at most {rise}" in (RESULTS / "README.md").read_text()


def test_all_tables_are_of_a_size_for_a_repository():
    assert size_of_results(RESULTS) < 35e6
    for file in RESULTS.rglob("*.csv"):
        with open(file, newline="") as stream:
            assert len(next(csv.reader(stream))) >= 4


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


@pytest.mark.long
@pytest.mark.parametrize(("name", "case"), ORDERS)
def test_the_flags_of_the_studies_are_taken(name, case, embedded_dir, tmp_path):
    """Up to their images: waves, directions and folder are checked before these are looked for."""
    files = [f"--flagfile={STUDIES / f'{part}.flags'}" for part in (name, case)]
    where = [f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}", "--held_out=nowhere"]
    # Both sets have the same flags but for their names and waves.
    result = launch("noise_fitting", *files, "--dataset=photo_patches", *where)
    assert_refused(result, "split of photo_patches: expected train, test")
