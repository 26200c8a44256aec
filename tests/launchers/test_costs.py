import json

import pytest
from boards import assert_tags
from conftest import ROOT, assert_refused, launch

from spectral_tf.records import read_table

SINES = ("--num_runs=3", "--num_steps=40", "--width=8", "--depth=3", "--num_samples=16")
SINES += ("--probe_every=10",)
WAVES = ("--dataset=cifar10", "--model=convnet", "--width=4", "--num_epochs=2", "--seeds=2")
WAVES += ("--batch_size=256", "--cycles=1,2,4")
STUDY = ("--dataset=cifar10", "--model=convnet", "--num_epochs=3", "--batch_size=100")
STUDY += ("--sweeps=time,width,examples,distillation", "--measured_epochs=1,2", "--widths=4")
STUDY += ("--shares=0.5", "--alphas=0", "--seeds=2", "--baseline_seeds=3", "--pairs=2")
STUDY += ("--between_pairs=1", "--num_samples=8", "--ends=held_out,training")


def flagfile(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("costs")
    files = {"lf_first": SINES, "noise_fitting": WAVES, "interventions": STUDY}
    studies = [f"{name}={flagfile(folder / name, lines)}" for name, lines in files.items()]
    path = folder / "run"
    result = launch(
        "costs", f"--studies={','.join(studies)}", "--devices=mine:2:0.25", f"--workdir={path}"
    )
    assert result.returncode == 0, result.stderr
    assert_tags(path, "costs")
    table = read_table(path / "operations.csv")
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    return path, result, {(r["study"], r["width"]): r for r in rows}


def test_every_sample_of_every_training_is_counted(counted):
    """By hand: runs x steps x samples, and the probes at steps 0, 10, ... 40."""
    _, _, rows = counted
    sines = rows["lf_first", 8]
    assert (sines["trainings"], sines["samples_trained"]) == (3, 3 * 40 * 16)
    assert sines["samples_answered"] == 3 * 5 * 16
    waves = rows["noise_fitting", 4]  # Three waves and the control, evaluated at epochs 0, 1, 2.
    assert waves["trainings"] == 4 * 2
    assert waves["samples_trained"] == 8 * 2 * 195 * 256
    assert waves["samples_answered"] == 8 * 3 * 10_000


def test_a_sweep_is_its_variants_and_their_measurements(counted):
    _, _, rows = counted
    measured = 10_000 + 2 * (10 * 2 + 45) * 8  # Held-out images, and paths of two kinds.
    narrow, usual = rows["interventions", 4], rows["interventions", 0]
    assert (narrow["trainings"], narrow["samples_trained"]) == (2, 2 * 3 * 50_000)
    assert narrow["samples_answered"] == 2 * measured
    # Baseline and students three times, half of the images twice for equal epochs and equal steps.
    assert usual["trainings"] == 3 + 3 + 2 + 2
    assert usual["samples_trained"] == 3 * 50_000 * (3 + 3 + 1 + 2)
    of_the_teacher = 3 * 3 * 50_000
    assert usual["samples_answered"] == (3 * 3 + 3 + 2 + 2) * measured + of_the_teacher


def test_hours_are_operations_over_what_is_reached(counted):
    path, result, rows = counted
    hours = read_table(path / "hours.csv")
    for study, found in zip(hours["study"], hours["hours"], strict=True):
        own = [row for (name, _), row in rows.items() if name == study]
        total = sum(row["pflop_trained"] + row["pflop_answered"] for row in own)
        assert found == pytest.approx(total * 1e15 / (2e12 * 0.25) / 3600)
        for row in own:
            gradients = row["samples_trained"] * row["gflop_per_gradient"] / 1e6
            assert row["pflop_trained"] == pytest.approx(gradients)
    assert "not measured" in result.stdout
    assert set(json.loads((path / "summary.json").read_text())["pflop"]) == set(hours["study"])


@pytest.mark.parametrize(
    ("flag", "line"),
    [
        ("--studies=lf_first=nowhere.flags", "--studies: expected EXPERIMENT=FLAGFILE"),
        (
            "--studies=theory=README.md",
            "--studies: expected EXPERIMENT=FLAGFILE, the experiment one of",
        ),
        ("--studies=", "--studies: expected EXPERIMENT=FLAGFILE"),
        ("--devices=mine", "--devices: expected NAME:TFLOPS:SHARE"),
        ("--devices=mine:1:2", "the share above 0 and at most 1, got mine:1:2"),
        ("--studies=noise_fitting={file}", "expected --seeds, got none"),
    ],
)
def test_what_cannot_be_read_is_refused(flag, line, tmp_path):
    file = flagfile(tmp_path / "few.flags", [x for x in WAVES if "seeds" not in x])
    run = tmp_path / "run"
    result = launch("costs", flag.format(file=file), f"--workdir={run}")
    assert_refused(result, line)
    assert not run.exists()


def test_the_committed_costs_are_of_the_flagfiles_that_are_there():
    table = read_table(ROOT / "results" / "costs" / "operations.csv")
    of = {s: [r for r in zip(*table.values(), strict=True) if r[0] == s] for s in table["study"]}
    trainings = list(table).index("trainings")
    # Eight of the baseline and its students; three of 4 networks, 4 widths, 7 shares by epochs and
    # by steps, 7 recipes, 3 decays.
    count = 8 + 8 + 3 * (4 + 4 + 7 + 7 + 7 + 3)
    assert sum(row[trainings] for row in of["interventions"]) == count
    hours = read_table(ROOT / "results" / "costs" / "hours.csv")
    told = {
        (s, d): h for s, d, h in zip(hours["study"], hours["device"], hours["hours"], strict=True)
    }
    # On two cores the first was timed: 23 minutes beside other work, about 20 alone.
    assert 60 * told["lf_first", "2_cores_float32"] == pytest.approx(20, rel=0.1)
    text = (ROOT / "docs" / "speed.md").read_text()
    for study, device in (("noise_fitting", "A100_tf32"), ("interventions", "A100_float32")):
        assert f"{told[study, device]:.3g} h" in text.split("## What a study costs")[1]
