"""The committed studies show what docs/protocols.md asks for.

A change of a committed result is noticed here. Where our numbers differ from the reference's, the
test holds what was measured and the folder's README says so.
"""

import json

import numpy as np
import pytest
import scipy.stats
from conftest import ROOT, launch

from spectral_tf import spectra
from spectral_tf.records import read_table

CASES = ("equal", "increasing")
K = np.arange(5, 51, 5)
# Mean normalised magnitudes of the published notebook (20 runs, equal amplitudes, clipped at 1),
# read off its figure.
REFERENCE = {
    500: [0.62, 0.16, 0.07, 0.05, 0.04, 0.03, 0.02, 0.02, 0.02, 0.02],
    1_000: [1.00, 0.41, 0.19, 0.14, 0.10, 0.06, 0.05, 0.05, 0.03, 0.03],
    2_000: [1.00, 0.61, 0.36, 0.27, 0.20, 0.15, 0.10, 0.09, 0.08, 0.06],
    5_000: [1.00, 0.91, 0.66, 0.47, 0.40, 0.31, 0.25, 0.21, 0.19, 0.15],
    10_000: [1.00, 1.00, 0.90, 0.69, 0.64, 0.51, 0.40, 0.39, 0.33, 0.27],
    20_000: [1.00, 1.00, 1.00, 0.90, 0.89, 0.74, 0.63, 0.60, 0.51, 0.46],
    30_000: [0.99, 1.00, 1.00, 0.97, 0.96, 0.86, 0.77, 0.75, 0.65, 0.61],
    40_000: [1.00, 1.00, 1.00, 1.00, 0.99, 0.93, 0.87, 0.84, 0.76, 0.72],
    59_500: [0.99, 1.00, 1.00, 1.00, 1.00, 0.99, 0.97, 0.94, 0.91, 0.87],
}
# Its learning times, at the two levels; at 0.9 k = 50 does not get there in 60,000 steps.
REFERENCE_TIMES = {
    0.5: [410, 1_320, 3_400, 5_710, 6_810, 9_690, 13_680, 14_420, 18_960, 22_150],
    0.9: [635, 4_760, 10_100, 18_840, 21_200, 33_370, 42_740, 47_890, 56_760],
}
# Heights are read to +-0.005. Time is read to one row of the picture, which has 326 for 60,000
# steps, to either side: what stands at step 500 for k = 5 is the row of the steps 400 +- 92.
HEIGHT, ROW, RUNS = 0.005, 184, 20


# Runs that were given what is not committed.
OTHERS = {"robustness"}
OTHERS |= {f"noise_fitting/{name}/distillation" for name in ("fashion_mnist", "photo_patches")}
RESULTS = ROOT / "results"
FOLDERS = {str(file.parent.relative_to(RESULTS)) for file in RESULTS.rglob("run.flags")}


# Comparisons, and a teacher, which is measured against no null: there is nothing to compute again.
OTHERS |= {
    name
    for name in FOLDERS
    if name.startswith(("noise_fitting/", "fourier_")) and not list((RESULTS / name).glob("*.npz"))
}


@pytest.mark.parametrize("name", sorted(FOLDERS - OTHERS))
def test_a_committed_flagfile_is_taken_and_is_that_of_its_run(name):
    page = json.loads((RESULTS / name / "summary.json").read_text())["experiment"]
    if page == "lf_first_pytorch":
        pytest.importorskip("torch")
    flags = (f"--flagfile={RESULTS / name / 'run.flags'}", f"--workdir={RESULTS / name}")
    there = (RESULTS / name / "report.html").exists()
    found = launch(page, *flags)
    if not there:  # A finished run gets the page that it lacks.
        (RESULTS / name / "report.html").unlink(missing_ok=True)
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


def deviation(low, high, num_runs):
    """The standard deviation of one run, from what the committed tables hold of a mean.

    95 % of a bootstrap of means, whose deviation is that of a run times sqrt(n - 1) / n.
    """
    error = (np.asarray(high) - np.asarray(low)) / 2 / scipy.stats.norm.ppf(0.975)
    return error * num_runs / np.sqrt(num_runs - 1)


def compared(study, row=ROW):
    """Our means at the reference's frames minus its own, clipped as its picture is."""
    steps, mean = study["steps"], np.minimum(study["mean"], 1)
    at = [list(steps).index(step) for step in REFERENCE]

    def moved(step):
        around = np.linspace(step - row, step + row, 41)
        return np.ptp([np.interp(around, steps, curve) for curve in mean.T], axis=1) / 2

    return spectra.difference_to_published_from_stats(
        mean[at],
        deviation(study["low"][at], study["high"][at], RUNS),
        RUNS,
        list(REFERENCE.values()),
        RUNS,
        HEIGHT + np.array([moved(step) for step in REFERENCE]),
    )


def ratios(difference):
    """Differences over their standard errors."""
    error = (difference.high - difference.value) / scipy.stats.t.ppf(0.975, difference.n - 1)
    return difference.value / error


def adjusted(difference):
    """The p-value of each difference, adjusted for their number."""
    each = 2 * scipy.stats.t.sf(np.abs(ratios(difference)), difference.n - 1)
    return spectra.holm(each.ravel()).reshape(each.shape)


def named(chosen, rows=tuple(REFERENCE)):
    return {(rows[i], int(K[j])) for i, j in zip(*np.nonzero(chosen), strict=True)}


equal_only = pytest.mark.parametrize("study", ["equal"], indirect=True)


@equal_only
def test_no_frame_differs_from_the_reference_if_all_are_counted(study):
    difference = compared(study)
    assert difference.value.shape == (9, 10)
    assert difference.p_value == pytest.approx(0.23, abs=0.01)
    late = np.array(list(REFERENCE)) >= 10_000
    assert np.all(adjusted(difference)[late] == 1)


@equal_only
def test_taken_alone_six_of_ninety_do_and_in_all_we_are_ahead(study):
    difference = compared(study)
    outside = (difference.low > 0) | (difference.high < 0)
    early = {(500, 5), (500, 10), (1_000, 10), (1_000, 15), (2_000, 15)}
    assert named(outside) == early | {(40_000, 45)}
    z = ratios(difference)
    assert np.all(z[outside] > 0)
    assert z[0, 0] == pytest.approx(3.5, abs=0.05)
    # 0.821 against 0.76 (2.7 if deviations are taken with n below).
    assert difference.value[7, 8] == pytest.approx(0.06, abs=0.002)
    assert z[7, 8] == pytest.approx(2.5, abs=0.05)


@equal_only
def test_the_first_frame_would_differ_if_the_picture_were_read_to_half_a_row(study):
    difference = compared(study, row=ROW / 2)
    p = adjusted(difference)
    assert named(p < 0.05) == {(500, 5), (500, 10)}
    assert p.min() == pytest.approx(difference.p_value)


@equal_only
def test_learning_times_do_not_differ_from_the_reference_if_all_are_counted(study):
    table = read_table(study["folder"] / "learning_times.csv")
    level, *columns = (np.array(table[name]) for name in ("level", "step", "step_low", "step_high"))
    ours, std, theirs, reading = [], [], [], []
    for at, reference in REFERENCE_TIMES.items():
        time, low, high = (column[level == at][: len(reference)] for column in columns)
        ours += [*time]
        std += [*deviation(low, high, RUNS)]
        theirs += reference
        # The height, as the time that our mean takes for it.
        ends = [
            spectra.learning_times(study["steps"], study["mean"], at + sign * HEIGHT)
            for sign in (-1, 1)
        ]
        reading += [*(ROW + (ends[1] - ends[0])[: len(reference)] / 2)]
    difference = spectra.difference_to_published_from_stats(ours, std, RUNS, theirs, RUNS, reading)
    z = ratios(difference)
    outside = (difference.low > 0) | (difference.high < 0)
    labels = [(at, int(k)) for at, times in REFERENCE_TIMES.items() for k in K[: len(times)]]
    alone = {label: z[i] for i, label in enumerate(labels) if outside[i]}
    assert alone == pytest.approx({(0.5, 10): -2.2, (0.5, 15): -3.3, (0.9, 45): -2.9}, abs=0.06)
    assert difference.p_value == pytest.approx(0.075, abs=0.005)


def test_learning_times_increase_as_a_power_law(study):
    table = read_table(study["folder"] / "learning_times.csv")
    times = np.array(table["step"])[np.array(table["level"]) == 0.5]
    assert np.all(np.diff(times) > 0)
    law = spectra.fit_power_law(K, times)
    exponent = float(law.exponent.value)
    assert exponent == pytest.approx(study["summary"]["learning_time_exponent"])
    assert law.num_points == K.size
    # Measured 2.0 and 1.9. docs/protocols.md has 1.7 +- 0.25 for equal amplitudes: from k = 20 on
    # that holds, but our lowest frequencies are learned earlier than in its figure (see the
    # folder's README), which makes the line through all of them steeper.
    assert exponent == pytest.approx({"equal": 2.0, "increasing": 1.94}[study["case"]], abs=0.01)
    if study["case"] == "equal":
        from_20 = spectra.fit_power_law(K[3:], times[3:]).exponent
        assert float(from_20.value) == pytest.approx(1.7, abs=0.25)


# (folder, runs).
OURS = ("lf_first/equal", 20)
NINE, SIXTY = ("lf_first_pytorch/equal", 9), ("lf_first_pytorch/early", 60)


def differ(first, second, steps):
    """Welch's z of two committed samples [steps, k], and its p-values adjusted for their number."""
    sides = []
    for name, num_runs in (first, second):
        table = read_table(RESULTS / name / "spectra.csv")
        chosen = np.isin(table["step"], steps)
        mean, low, high = (
            np.reshape(np.array(table[f"magnitude{end}"])[chosen], (len(steps), K.size))
            for end in ("", "_low", "_high")
        )
        sides += [mean, deviation(low, high, num_runs), num_runs]
    found = scipy.stats.ttest_ind_from_stats(*sides, equal_var=False)
    of_family = spectra.holm(found.pvalue.ravel()).reshape(found.pvalue.shape)
    return found.statistic, found.pvalue, of_family


def test_sixty_pytorch_runs_agree_with_the_study_in_its_first_steps():
    steps = [500, 1_000, 2_000]
    z, p, of_family = differ(SIXTY, OURS, steps)
    assert p.min() > 0.05  # No value, even alone.
    assert np.abs(z).max() < 1.9
    assert of_family.min() == 1
    z, p, of_family = differ(SIXTY, OURS, [2_500])
    assert set(K[p[0] < 0.05]) == {35, 45, 50}
    assert np.abs(z).max() < 2.5
    assert of_family.min() > 0.15


def test_nine_pytorch_runs_lag_though_not_if_all_are_counted():
    steps = [500, 1_000, 2_000, 5_000, 10_000, 20_000, 25_000]
    z, p, of_family = differ(NINE, OURS, steps)
    assert of_family.min() == pytest.approx(0.14, abs=0.01)
    lag = {pair for pair in named((p < 0.05) & (z < 0), steps) if pair[0] > 500}
    assert lag == {
        *((2_000, k) for k in (25, 30, 35, 40)),
        *((5_000, k) for k in (15, 20, 25, 30, 35)),
        *((10_000, k) for k in (25, 30, 35)),
    }
    at = z[steps.index(5_000)]
    np.testing.assert_allclose(at[2:7], [-2.15, -2.64, -3.43, -2.75, -2.70], atol=0.01)
    # They lag sixty runs of the same program alike: it is the sample, not the program.
    z, p, _ = differ(NINE, SIXTY, [2_000, 2_500])
    assert np.all(z[:, 4:6] < -2.3)
    assert np.all(p[:, 4:6] < 0.05)


def test_exponents_of_both_programs_have_intervals_that_overlap():
    laws = [json.loads((RESULTS / n / "summary.json").read_text()) for n, _ in (OURS, NINE)]
    (low, high), (their_low, their_high) = (
        [law[f"learning_time_exponent_{end}"] for end in ("low", "high")] for law in laws
    )
    assert low < their_high
    assert their_low < high


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


def test_every_run_of_the_soak_ended_in_equal_tables():
    soak = read_table(RESULTS / "faults" / "soak.csv")
    assert len(soak["kill"]) == 200
    assert (soak["signal"].count("SIGKILL"), soak["page"].count("lf_first")) == (105, 93)
    assert (len(set(soak["run"])), soak["step"].count(-1)) == (63, 53)
    last = dict(zip(soak["run"], soak["rerun"], strict=True))
    assert set(last.values()) == {"finished, equal tables"}


def test_every_fault_of_the_matrix_ended_as_it_must():
    matrix = read_table(RESULTS / "faults" / "matrix.csv")
    assert len(matrix["test"]) == 147
    assert set(matrix["outcome"]) == {"passed"}
