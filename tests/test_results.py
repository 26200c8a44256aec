"""The committed studies show what the protocol asks for.

A change of a committed result is noticed here. Where our numbers differ from the reference's, the
test holds what was measured and the folder's README says so.
"""

import json

import numpy as np
import pytest
from conftest import ROOT, launch

from spectral_tf import spectra
from spectral_tf.records import read_table

CASES = ("equal", "increasing")
K = np.arange(5, 51, 5)
# Mean normalised magnitudes of the published notebook (20 runs, equal amplitudes, clipped at 1),
# read off its figure to about +-0.005 and +-100 steps.
REFERENCE = {
    10_000: [1.00, 1.00, 0.90, 0.69, 0.64, 0.51, 0.40, 0.39, 0.33, 0.27],
    20_000: [1.00, 1.00, 1.00, 0.90, 0.89, 0.74, 0.63, 0.60, 0.51, 0.46],
    30_000: [0.99, 1.00, 1.00, 0.97, 0.96, 0.86, 0.77, 0.75, 0.65, 0.61],
    40_000: [1.00, 1.00, 1.00, 1.00, 0.99, 0.93, 0.87, 0.84, 0.76, 0.72],
    59_500: [0.99, 1.00, 1.00, 1.00, 1.00, 0.99, 0.97, 0.94, 0.91, 0.87],
}


# Runs of pages that have more flags now, or that were given what is not committed.
OTHERS = {"benchmark/n200", "benchmark/n1000", "robustness"} | {
    f"noise_fitting/{name}/distillation" for name in ("fashion_mnist", "photo_patches")
}
RESULTS = ROOT / "results"
FOLDERS = {str(file.parent.relative_to(RESULTS)) for file in RESULTS.rglob("run.flags")}


@pytest.mark.parametrize("name", sorted(FOLDERS - OTHERS))
def test_a_committed_flagfile_is_taken_and_is_that_of_its_run(name):
    page = json.loads((RESULTS / name / "summary.json").read_text())["experiment"]
    if page == "lf_first_pytorch":
        pytest.importorskip("torch")
    flags = (f"--flagfile={RESULTS / name / 'run.flags'}", f"--workdir={RESULTS / name}")
    found = launch(page, *flags)
    assert found.returncode == 0, found.stderr
    assert f"{RESULTS / name} holds this run, finished" in found.stdout


@pytest.fixture(params=CASES)
def study(request):
    folder = ROOT / "results" / "lf_first" / request.param
    table = read_table(folder / "spectra.csv")
    shape = (-1, K.size)
    return {
        "case": request.param,
        "folder": folder,
        "summary": json.loads((folder / "summary.json").read_text()),
        "steps": np.reshape(table["step"], shape)[:, 0].astype(int),
        "mean": np.reshape(table["magnitude"], shape),
        "low": np.reshape(table["magnitude_low"], shape),
        "high": np.reshape(table["magnitude_high"], shape),
    }


def at(study, step, column="mean"):
    return study[column][list(study["steps"]).index(step)]


def test_the_full_protocol_was_run(study):
    flags = (study["folder"] / "run.flags").read_text().splitlines()
    assert {f"--amplitudes={study['case']}", "--num_runs=20", "--num_steps=60000"} < set(flags)
    assert study["summary"]["num_runs"] == 20
    assert study["summary"]["diverged_at_step"] == {}
    assert study["steps"][0] == 0
    assert study["steps"][-1] == 60_000


def test_magnitudes_fall_with_frequency_at_every_frame(study):
    frames = (study["steps"] >= 500) & (study["steps"] <= 40_000)
    # Clipped at 1 as in the figure: after convergence low frequencies overshoot a little.
    clipped = np.minimum(study["mean"][frames], 1.0)
    rises = np.diff(clipped, axis=1)
    assert rises[:, 1:].max() < RISE[study["case"]]
    assert rises[:, 0].max() < DIP[study["case"]]


# Worst rise between neighbours for k >= 10; the reference's is 0.006 on its sample of 20 runs.
RISE = {"equal": 0.02, "increasing": 0.02}
# After convergence k = 5 dips below k = 10 on single frames; the reference: by 0.025 and 0.09.
DIP = {"equal": 0.03, "increasing": 0.11}


def test_levels_at_three_steps(study):
    early, middle, late = (at(study, step) for step in (1_000, 10_000, 60_000))
    assert early[0] > 0.9
    assert early[-1] < 0.1
    assert middle[:2].min() > 0.95
    assert 0.2 < middle[-1] < 0.35
    assert late[:6].min() > 0.95
    assert 0.8 < late[-1] < 0.95


@pytest.mark.parametrize("step", REFERENCE)
@pytest.mark.parametrize("study", ["equal"], indirect=True)
def test_the_reference_lies_within_sampling_error(step, study):
    # Its 20 runs scatter as ours do: the difference of two means has sqrt(2) of our half-width,
    # taken at 99.9 % because there are 50 comparisons, plus what the reading of a figure costs.
    half_width = (at(study, step, "high") - at(study, step, "low")) / 2
    margin = 2**0.5 * half_width * 3.29 / 1.96 + 0.01
    assert np.all(np.abs(np.minimum(at(study, step), 1) - REFERENCE[step]) < margin)


def test_learning_times_increase_as_a_power_law(study):
    table = read_table(study["folder"] / "learning_times.csv")
    times = np.array(table["step"])[np.array(table["level"]) == 0.5]
    assert np.all(np.diff(times) > 0)
    law = spectra.fit_power_law(K, times)
    assert law.exponent == pytest.approx(study["summary"]["learning_time_exponent"])
    assert law.num_points == K.size
    # Measured 2.0 and 1.9. The protocol proposes 1.7 +- 0.25 for equal amplitudes: from k = 20 on
    # that holds, but our lowest frequencies are learned earlier than in its figure (see the
    # folder's README), which makes the line through all of them steeper.
    assert law.exponent == pytest.approx(
        {"equal": 2.0, "increasing": 1.94}[study["case"]], abs=0.01
    )
    if study["case"] == "equal":
        assert spectra.fit_power_law(K[3:], times[3:]).exponent == pytest.approx(1.7, abs=0.25)


def test_the_pytorch_loop_agrees_with_the_study():
    ours, theirs = ROOT / "results" / "lf_first" / "equal", ROOT / "results" / "lf_first_pytorch"
    tables = [read_table(path / "spectra.csv") for path in (ours, theirs / "early")]
    for step in (500, 1_000, 2_000):
        (low, high), (their_low, their_high) = (
            [np.array(table[f"magnitude_{end}"])[np.array(table["step"]) == step] for end in ENDS]
            for table in tables
        )
        # 30 pairs of 95 % intervals, up to the second digit.
        assert np.all(low < their_high + 0.01)
        assert np.all(their_low < high + 0.01)
    laws = [json.loads((path / "summary.json").read_text()) for path in (ours, theirs / "equal")]
    (low, high), (their_low, their_high) = (
        [law[f"learning_time_exponent_{end}"] for end in ENDS] for law in laws
    )
    assert low < their_high
    assert their_low < high


ENDS = ("low", "high")


def test_spectral_norms_of_hidden_layers_grow_fastest_at_first(study):
    table = read_table(study["folder"] / "norms.csv")
    for layer in range(2, 6):
        chosen = np.array(table["layer"]) == f"layer_{layer}"
        steps, norms = (np.array(table[c], float)[chosen] for c in ("step", "spectral_norm"))
        growth = [
            norms[steps == end][0] - norms[steps == end - 10_000][0]
            for end in range(10_000, 60_001, 10_000)
        ]
        assert norms[0] == pytest.approx(1.14, abs=0.02)
        assert growth[0] == max(growth)
        assert norms[-1] > 3 * norms[0]


def test_losses_start_at_the_power_of_the_target(study):
    losses = read_table(study["folder"] / "losses.csv")["loss"]
    power = {"equal": 5.0, "increasing": 1.925}[study["case"]]
    assert losses[0] == pytest.approx(power, rel=0.03)
    assert losses[-1] < 0.1 * losses[0]
