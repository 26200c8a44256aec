"""Small versions of the pages on manifolds, architecture and theory."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import conftest
import numpy as np
import pytest
from boards import assert_board
from conftest import ROOT, assert_estimates, estimated

from spectral_tf.records import read_table

SMALL = {
    "manifold": (
        *("--petals=0,6", "--num_runs=2", "--num_steps=300", "--probe_every=50"),
        *("--frequencies=2,12", "--num_samples=64", "--width=24", "--depth=3"),
        "--learning_rate=0.01",
    ),
    "manifold_grid": (
        *("--petals=0,8", "--frequencies=4,20", "--thresholds=0,0.5", "--num_steps=400"),
        *("--num_samples=100", "--width=32", "--depth=3", "--learning_rate=0.01", "--knn"),
        "--last_probes=2",
    ),
    "architecture": (
        *("--depths=2,3", "--widths=8,16", "--weight_clips=0.05,2", "--activations=tanh"),
        *("--fourier_scales=3", "--num_runs=2", "--num_steps=200", "--probe_every=50"),
        *("--num_samples=20", "--learning_rate=0.01"),
    ),
    "theory": (
        *("--num_runs=2", "--num_steps=120", "--probe_every=40", "--frequencies=1,2"),
        *("--num_samples=16", "--width=16", "--depth=3", "--wide_width=64"),
        *("--volume_networks=1000", "--sine_frequencies=1,2,4", "--sine_samples=32"),
        *("--sine_steps=20", "--sine_runs=3"),
    ),
}


def command(name, path, *flags):
    return [
        *(sys.executable, str(ROOT / "launchers" / f"{name}.py")),
        *(*SMALL[name], *flags, f"--workdir={path}"),
    ]


def launch(name, path, *flags):
    return conftest.launch(name, *command(name, path, *flags)[2:])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """{page: folder of its small run}, each made when it is first asked for."""
    folders = {}

    def get(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name) / "run"
            result = launch(name, folders[name])
            assert result.returncode == 0, result.stderr
            lines = result.stdout.splitlines()
            assert not re.search(r"\bnan\b", result.stdout)
            assert f"run folder: {folders[name]}" in lines
            assert lines[-2].startswith("look at it: tensorboard --logdir=")
            summary = json.loads((folders[name] / "summary.json").read_text())
            assert lines[-1] == summary["headline"] != ""
        return folders[name]

    return get


@pytest.mark.parametrize("name", SMALL)
def test_a_page_leaves_tables_figures_events_and_a_summary(name, finished):
    path = finished(name)
    summary = json.loads((path / "summary.json").read_text())
    assert summary["experiment"] == name
    figures = {file.name for file in (path / "figures").iterdir()}
    assert_board(path, name)
    assert len(figures) >= 4
    if name != "manifold_grid":
        assert "learned_function.gif" in figures
        assert {"spectra.csv", "learning_times.csv", "losses.csv"} < set(os.listdir(path))
    assert (path / "environment.json").is_file()
    assert_estimates(path)


@pytest.mark.matrix
@pytest.mark.parametrize("name", SMALL)
def test_a_killed_page_ends_in_the_same_tables(name, finished, tmp_path):
    path = tmp_path / "killed"
    with subprocess.Popen(
        command(name, path, "--save_every_seconds=1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        until = time.monotonic() + 300
        while not (path / "checkpoints" / "state.npz").exists() and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (path / "summary.json").exists(), "the kill came too late to test anything"
    result = launch(name, path, "--save_every_seconds=1")
    assert result.returncode == 0, result.stderr
    for table in finished(name).glob("*.csv"):
        assert (path / table.name).read_text() == table.read_text(), table.name


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long) for name in SMALL],
)
def test_a_page_killed_before_its_summary_reports_the_same(name, finished, tmp_path):
    path = tmp_path / "unreported"
    shutil.copytree(finished(name), path)
    summary = json.loads((path / "summary.json").read_text())
    # Pictures of steps are made while networks train.
    drawn = [file for file in (path / "figures").iterdir() if "_step_" not in file.name]
    for file in (path / "summary.json", *path.glob("*.csv"), *drawn):
        file.unlink()
    result = launch(name, path)
    assert result.returncode == 0, result.stderr
    for made in (*finished(name).glob("*.csv"), *(finished(name) / "figures").iterdir()):
        again = path / made.relative_to(finished(name))
        assert again.read_bytes() == made.read_bytes(), made.name
    timed = {"wall_seconds", "member_steps_per_second", "probe_share"}
    again = json.loads((path / "summary.json").read_text())
    assert {k: v for k, v in again.items() if k not in timed} == {
        k: v for k, v in summary.items() if k not in timed
    }


def test_manifold_tables_have_the_petals_first_and_more_petals_learn_more(finished):
    path = finished("manifold")
    spectra = read_table(path / "spectra.csv")
    assert list(spectra)[:3] == ["manifold_petals", "step", "frequency"]
    assert sorted(set(spectra["manifold_petals"])) == [0, 6]
    losses = read_table(path / "losses.csv")
    last = dict(zip(losses["manifold_petals"], losses["loss"], strict=True))
    assert last[6] < last[0]
    summary = json.loads((path / "summary.json").read_text())
    assert {n: told["value"] for n, told in summary["final_loss"].items()} == {
        "0": last[0],
        "6": last[6],
    }
    geometry = read_table(path / "geometry.csv")
    assert geometry["manifold_petals"] == [0, 6]
    np.testing.assert_allclose(geometry["arc_length"][0], 2 * np.pi)
    bandwidth = read_table(path / "occupied_bandwidth.csv")
    ratio = np.divide(
        bandwidth["bandwidth_99_percent_cycles"], bandwidth["largest_local_frequency_cycles"]
    )
    assert np.all((ratio > 0.8) & (ratio < 1.3))


def test_grid_cells_learn_what_they_can_and_are_told_beside_chance(finished):
    path = finished("manifold_grid")
    table = read_table(path / "accuracy.csv")
    assert list(table) == [
        *("manifold_petals", "frequency", "threshold", *estimated("accuracy"), "chance")
    ]
    # A cell is one network.
    assert set(table["accuracy_method"]) == {"none: 1 run, 2 needed, over runs"}
    assert np.all(np.isnan(table["accuracy_low"]))
    cells = list(zip(table["manifold_petals"], table["frequency"], table["threshold"], strict=True))
    assert len(set(cells)) == len(cells) == 8
    accuracy = dict(zip(cells, table["accuracy"], strict=True))
    chance = dict(zip(cells, table["chance"], strict=True))
    assert accuracy[0, 4, 0] > 0.9 > chance[0, 4, 0]
    assert accuracy[0, 4, 0] > accuracy[0, 20, 0]
    assert 0.6 < chance[0, 4, 0.5] < 0.72
    # The last two probes, averaged.
    runs = read_table(path / "runs.csv")
    rows = zip(runs["manifold_petals"], runs["frequency"], runs["threshold"], strict=True)
    of_cell = [a for cell, a in zip(rows, runs["accuracy"], strict=True) if cell == (0, 4, 0)]
    np.testing.assert_allclose(np.mean(of_cell[-2:]), accuracy[0, 4, 0])


def test_the_grid_reports_every_threshold_apart(finished):
    path = finished("manifold_grid")
    table = read_table(path / "accuracy.csv")
    columns = ("manifold_petals", "frequency", "threshold", "accuracy")
    accuracy = {tuple(row[:3]): row[3] for row in zip(*(table[c] for c in columns), strict=True)}
    found = json.loads((path / "summary.json").read_text())["by_threshold"]
    assert list(found) == ["0", "0.5"]
    for threshold, facts in found.items():
        at = {(n, k): accuracy[n, k, float(threshold)] for n in (0, 8) for k in (4, 20)}
        for n in (0, 8):
            mean = facts["mean_accuracy_by_petals"][str(n)]
            np.testing.assert_allclose(mean, np.mean([at[n, 4], at[n, 20]]))
        gains = [at[8, k] - at[0, k] for k in (4, 20)]
        np.testing.assert_allclose(facts["gain_of_most_petals"]["value"], np.mean(gains))
        assert facts["gain_of_most_petals"]["unit"] == "frequencies"
        # Two cells, of which one may not differ.
        assert facts["gain_of_most_petals"]["least_p_value"] >= 0.5
        losses = [at[n, 20] - at[n, 4] for n in (0, 8)]
        np.testing.assert_allclose(facts["gain_of_highest_frequency"]["value"], np.mean(losses))
        for place in ("curve", "square"):
            agree = facts[f"two_networks_agree_on_{place}"]
            assert 0.4 < agree["value"] <= 1
            assert agree["missing"] == "1 pair, 2 needed"
    neighbours = read_table(path / "nearest_neighbours.csv")
    assert sorted(set(neighbours["neighbours"])) == [5, 10, 15, 20]
    radial = read_table(path / "radial_spectra.csv")
    assert set(radial["threshold"]) == {0, 0.5}
    assert set(radial["classifier"]) == {"network", *(f"{k}-NN" for k in (1, 5, 10, 15, 20))}
    assert {file.stem for file in (path / "figures").iterdir()} == {
        f"{name}_threshold_{threshold}"
        for name in ("accuracy", "decision_regions", "nearest_neighbours", "radial_spectra")
        for threshold in found
    }


def test_the_flags_of_both_thresholds_are_those_of_the_study_and_taken(tmp_path):
    folder = ROOT / "results" / "manifold_grid"
    zero, half = (
        (folder / name).read_text().splitlines() for name in ("zero/run.flags", "half/run.flags")
    )
    assert set(half) ^ set(zero) == {"--thresholds=0", "--thresholds=0.5"}
    flags = (f"--flagfile={folder / 'half/run.flags'}", "--petals=500", f"--workdir={tmp_path}")
    result = conftest.launch("manifold_grid", *flags)
    assert "--petals: expected at most 499" in result.stderr  # All the others were taken.


def test_architecture_tables_have_the_settings_first_and_clips_are_kept(finished):
    path = finished("architecture")
    table = read_table(path / "architecture.csv")
    settings = ["sweep", "depth", "width", "weight_clip", "activation", "fourier_scale"]
    assert list(table)[:6] == settings
    assert list(read_table(path / "spectra.csv"))[:7] == [*settings, "step"]
    last = {
        (sweep, clip): value
        for sweep, clip, step, value in zip(
            *(table[c] for c in ("sweep", "weight_clip", "step", "cutoff_frequency")), strict=True
        )
        if step == 200
    }
    assert last["weight_clip", 0.05] < last["weight_clip", 2]
    with np.load(path / "checkpoints" / "state.npz") as state:
        # 6 x 64 relu networks: two clips, two runs each.
        clipped = [
            np.abs(state[name]).max(axis=tuple(range(1, state[name].ndim)))
            for name in state
            if "/weights/" in name and state[name].shape[1:] == (64, 64)
        ]
    assert any(np.all(c[:2] <= np.float32(0.05)) and np.all(c[2:] > 0.06) for c in clipped)


def test_no_interval_reaches_beyond_the_frequencies_there_are(finished):
    table = read_table(finished("architecture") / "architecture.csv")
    low, high = (np.array(table[f"cutoff_frequency_{end}"]) for end in ("low", "high"))
    assert np.all((low >= 0) & (high <= 9))  # Of 20 points 9 is the highest frequency.
    assert set(table["cutoff_frequency_n"]) == {2}


def test_theory_holds_in_the_small(finished):
    path = finished("theory")
    summary = json.loads((path / "summary.json").read_text())
    assert summary["chain_of_bounds_holds"]
    assert summary["jumps_within_twice_regions_times_lipschitz"]
    assert summary["transform_largest_quadrature_error"] < 1e-12
    decay = {
        case: summary[f"decay_exponent_{case}"]["value"]
        for case in ("tent_generic_direction", "tent_normal_of_an_edge", "networks_one_dimension")
    }
    assert abs(decay["tent_generic_direction"] + 3) < 0.05
    assert abs(decay["tent_normal_of_an_edge"] + 2) < 0.05
    assert abs(decay["networks_one_dimension"] + 2) < 0.2
    assert summary["volume_tail_exponent"]["high"] < -2
    rates = read_table(path / "tangent_rates.csv")
    assert set(rates["group"]) == {"gradient descent", "gradient descent, wide on a circle"}
    assert min(rates["rate"]) > 0


def test_gradients_lose_a_power_by_hidden_layers_alone(finished):
    table = read_table(finished("theory") / "gradient_exponents.csv")
    names = [
        "the network itself",
        *(f"hidden layer {layer}, {kind}" for layer in (1, 2) for kind in ("weights", "biases")),
        "output layer, weights",
    ]
    assert table["parameters"] == 2 * names
    summary = json.loads((finished("theory") / "summary.json").read_text())
    settled = summary["gradient_settled_from_frequency"]
    assert 3 < settled < 3_000
    chosen = table["from_frequency"][0]
    assert 30 <= chosen < 45  # The first band from 30 cycles on.
    assert table["from_frequency"] == [chosen] * len(names) + [settled] * len(names)
    for name, exponent in zip(table["parameters"], table["exponent"], strict=True):
        assert abs(exponent - (-1 if name.startswith("hidden") else -2)) < 0.1, name


def test_a_step_changes_the_residual_as_gradient_and_kinks_say(finished):
    table = read_table(finished("theory") / "residual_rates.csv")
    share, k, speed, first, moving, bound = (
        np.array(table[name])
        for name in ("share_of_rate", "frequency", "speed", "first_order", "moving_kinks", "bound")
    )
    assert table["step"] == [0] * share.size
    assert sorted(set(share)) == [1e-4, 1e-2, 1]
    summary = json.loads((finished("theory") / "summary.json").read_text())
    edges = summary["residual_rate_edges"]
    edge, farther = (edges[f"step 0, share {name}"]["value"] for name in ("0.01", "0.0001"))
    assert farther / edge == pytest.approx(100)
    assert np.all(first <= bound)
    for near, of_share in ((edge, 1e-2), (farther, 1e-4)):
        early = (share == of_share) & (k < near / 10)
        assert early.any()
        np.testing.assert_allclose(speed[early], first[early], rtol=0.2)
    late = (share == 1) & (k > edge)  # A hundred times that of the whole rate.
    assert late.sum() > 3
    assert np.all(speed[late] < 0.1 * first[late])
    assert np.median(speed[late] / moving[late]) == pytest.approx(1, abs=0.5)


def test_the_first_step_of_a_single_sine_is_its_kernels(finished):
    table = read_table(finished("theory") / "single_sine_rates.csv")
    assert table["group"] == 3 * ["ordinary"] + 3 * ["wide"]
    speed, kernel, target, own, bound = (
        np.array(table[name])
        for name in ("speed", "kernel", "target_part", "network_own_part", "bound")
    )
    np.testing.assert_allclose(speed, kernel, rtol=0.05)
    assert np.all((speed < bound) & (target < bound) & (own > 0))
    shares = read_table(finished("theory") / "single_sines.csv")
    assert sorted(set(shares["step"])) == [1, 3, 10, 20]
    first = np.equal(shares["step"], 1)
    share = np.array(shares["share_of_predicted_change"])
    np.testing.assert_allclose(share[first], 1, atol=0.05)


@pytest.mark.matrix
def test_theory_begins_at_the_papers_scale(tmp_path):
    few = ("--num_steps=2", "--probe_every=1", "--num_runs=2", "--volume_networks=1000")
    sines = ("--sine_steps=1", "--sine_runs=2", "--sine_frequencies=5,50")
    flagfile = f"--flagfile={ROOT / 'results' / 'theory' / 'paper.flags'}"
    result = conftest.launch("theory", flagfile, *few, *sines, f"--workdir={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    bounds = read_table(tmp_path / "run" / "bounds.csv")
    assert sorted(set(bounds["step"])) == [0, 2]
    parameters = read_table(tmp_path / "run" / "gradient_exponents.csv")["parameters"]
    assert "hidden layer 5, weights" in parameters
    rates = read_table(tmp_path / "run" / "single_sine_rates.csv")
    assert rates["frequency"] == [5, 50, 5, 50]
    np.testing.assert_allclose(rates["speed"], rates["kernel"], rtol=0.1)


def test_theory_tells_domains_and_times_apart(finished):
    path = finished("theory")
    kernels = read_table(path / "kernels.csv")
    assert list(kernels) == ["domain", "kernel", *estimated("rate_exponent")]
    assert list(zip(kernels["domain"], kernels["kernel"], strict=True)) == [
        ("line", "untrained networks"),
        ("line", "linear"),
        *(("line", f"Gaussian of width {width}") for width in ("0.5", "1", "2")),
        ("circle", "untrained networks"),
        ("circle", "random ReLU features"),
    ]
    times = read_table(path / "tangent_times.csv")
    assert list(times) == [
        *("group", "frequency", *estimated("predicted_step"), *estimated("measured_step")),
        *estimated("measured_over_predicted"),
    ]
    summary = json.loads((path / "summary.json").read_text())
    for group, name in enumerate(("narrow", "wide")):
        for kind in ("predicted", "measured"):
            told = summary[f"learning_time_{kind}_{name}"]["value"]
            column = times[f"{kind}_step"][2 * group : 2 * group + 2]
            assert told == ["never" if np.isinf(t) else t for t in column]
            law = summary[f"learning_time_exponent_{kind}_{name}"]
            assert law["missing"].startswith("not enough: ")  # Two frequencies at most.


def test_known_kernels_have_the_rates_that_are_known():
    code = """
import numpy as np, theory
from spectral_tf import spectra
n, k = 512, np.arange(1, 33)
kernels = theory.known_kernels(np.arange(n) / n)
linear = spectra.frequency_rates(kernels["line"]["linear"], k)
# The coefficients of z on n points are F = 1 / (2 n sin(pi k / n)), and the rate is 2 F^2.
np.testing.assert_allclose(linear, 2 / (2 * n * np.sin(np.pi * k / n)) ** 2, rtol=1e-9)
features = spectra.frequency_rates(kernels["circle"]["random ReLU features"], k)
# A kernel of the angle alone, with a kink in its third derivative: k^-4.
slope = np.polyfit(np.log(k[7:]), np.log(features[7:]), 1)[0]
assert abs(slope + 4) < 0.1, slope
# Random features themselves, weights and biases drawn from a normal distribution.
rng = np.random.default_rng(0)
angle = 2 * np.pi * np.arange(64) / 64
x = np.column_stack([np.cos(angle), np.sin(angle), np.ones(64)])
drawn = np.maximum(x @ rng.normal(size=(3, 400_000)), 0)
kernel = theory.known_kernels(np.arange(64) / 64)["circle"]["random ReLU features"]
np.testing.assert_allclose(2 * drawn @ drawn.T / 400_000, kernel, rtol=0.02, atol=0.01)
print("known")
"""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'launchers'}"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert result.stdout == "known\n", result.stderr


@pytest.mark.parametrize(
    ("name", "flag", "line"),
    [
        ("manifold", "--petals=-1", "petals: expected 0 or more, got -1"),
        ("manifold", "--petals=", "--petals: expected whole numbers"),
        ("manifold", "--frequencies=2,32", "below 32, half of the 64 samples"),
        ("manifold", "--num_runs=0", "--num_runs"),
        ("manifold", "--petals=32", "--petals: expected at most 31"),
        ("manifold_grid", "--petals=50", "--petals: expected at most 49"),
        ("manifold_grid", "--thresholds=2", "--thresholds: expected some that points of the wave"),
        ("manifold_grid", "--num_samples=19", "--num_samples: expected 20 or more"),
        ("architecture", "--sweeps=depth,depth", "--sweeps: expected some of"),
        ("theory", "--volume_networks=999", "--volume_networks"),
        ("manifold_grid", "--petals=-2,4", "petals: expected 0 or more"),
        ("manifold_grid", "--frequencies=50", "below 50, half of the 100 samples"),
        ("manifold_grid", "--thresholds=", "--thresholds: expected finite numbers"),
        ("manifold_grid", "--thresholds=0,0", "each once"),
        ("architecture", "--weight_clips=0,1", "--weight_clips: expected finite numbers above 0"),
        ("architecture", "--weight_clips=-1", "--weight_clips: expected finite numbers above 0"),
        ("architecture", "--depths=", "--depths: expected whole numbers"),
        ("architecture", "--widths=0", "--widths: expected 1 or more"),
        ("architecture", "--activations=Relu", "--activations: expected some of relu"),
        ("architecture", "--sweeps=", "--sweeps: expected some of depth"),
        ("architecture", "--num_samples=21", "an even number"),
        ("theory", "--stable_share=1", "--stable_share"),
        ("theory", "--frequencies=8", "below 8, half of the 16 samples"),
        ("theory", "--sine_frequencies=16", "--sine_frequencies: expected above 0 and below 16"),
        ("theory", "--sine_frequencies=2,2", "--sine_frequencies: expected"),
    ],
)
def test_mistakes_get_one_line_and_nothing_is_written(name, flag, line, tmp_path):
    result = launch(name, tmp_path / "new", flag)
    assert result.returncode == 2
    assert line in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.long
def test_a_short_grid_counts_no_untrained_network(tmp_path):
    few = ("--petals=0", "--frequencies=4", "--thresholds=0", "--num_steps=3", "--last_probes=10")
    result = launch("manifold_grid", tmp_path / "run", *few)
    assert result.returncode == 0, result.stderr
    accuracy, runs = (read_table(tmp_path / "run" / f"{n}.csv") for n in ("accuracy", "runs"))
    assert runs["step"] == [0, 3]
    assert accuracy["accuracy"] == runs["accuracy"][1:]


@pytest.mark.parametrize("more", [(), ("--overwrite",), ("--report_only",)])
def test_the_run_of_another_experiment_is_named_and_never_overwritten(tmp_path, more):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.flags").write_text("--seed=0\n")
    (run / "losses.csv").write_text("step\n")
    (run / "environment.json").write_text(json.dumps({"experiment": "lf_first"}))
    result = launch("manifold", run, *more)
    line = "expected a new folder, or one with a run of manifold, got a run of lf_first"
    conftest.assert_refused(result, line)
    assert {file.name for file in run.iterdir()} == {"run.flags", "losses.csv", "environment.json"}
    (run / "environment.json").write_text("{}")  # Of a version that did not say.
    (run / "summary.json").write_text(json.dumps({"experiment": "theory"}))
    conftest.assert_refused(launch("manifold", run, *more), "got a run of theory")


def test_flags_of_before_the_names_changed_are_taken(tmp_path):
    result = launch("manifold", tmp_path / "run", "--lobes=0,99999")
    conftest.assert_refused(result, "--petals: expected at most 31, got 99,999")
