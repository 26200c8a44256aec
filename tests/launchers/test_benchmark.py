import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
from boards import assert_tags
from conftest import ROOT

from spectral_tf.records import read_table


@pytest.mark.long
def test_a_short_benchmark_measures_every_contender_in_every_round(run_launcher, tmp_path):
    flags = ("--num_rounds=2", "--seconds=0.02", "--members=2", "--width=8", "--num_samples=16")
    flags += ("--input_dim=3", "--cores=1", "--busy_cores=1")
    result = run_launcher("benchmark", *flags, f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    table = read_table(tmp_path / "benchmark.csv")
    names = table["contender"]
    assert names[0] == "ours"
    fits = {"Keras fit", "Keras fit, compiled, 50 per execution"}
    assert fits | {"matrix product, NumPy"} <= set(names)
    check_rounds(tmp_path, "benchmark")
    assert_tags(tmp_path, "benchmark")
    for column in ("ours_over_it", "share_of_matrix_product"):
        assert 1.0 in table[column]
    peers = [i for i, name in enumerate(names) if i and "product" not in name]
    assert np.diff(np.array(table["median"])[peers]).max(initial=-1) <= 0, "the strongest first"
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["strongest_peer"] == names[1]
    assert summary["share_of_quiet"].keys() == set(names)
    busy = read_table(tmp_path / "busy.csv")
    assert sorted(busy["contender"]) == sorted(names)
    assert (tmp_path / "figures" / "benchmark.png").exists()
    assert f"as the strongest peer, {names[1]}" in result.stdout.splitlines()[-1]


def check_rounds(folder, name):
    """That a table's medians are those of its rounds, in the setting that was chosen."""
    table, settings, rounds = (
        read_table(folder / f"{name}{part}.csv") for part in ("", "_settings", "_rounds")
    )
    assert sum(settings["chosen"]) == len(table["contender"])
    for i, contender in enumerate(table["contender"]):
        rates = [
            rate
            for rate, other, busy in zip(
                rounds["a_second"], rounds["contender"], rounds["busy"], strict=True
            )
            if other == contender and not busy
        ]
        assert len(rates) == 2
        assert table["best"][i] == max(rates)
        assert table["median"][i] == pytest.approx(sum(rates) / 2)


def test_the_arithmetic_of_a_step_is_counted_by_hand():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import benchmark; "
        "print(benchmark.flop_per_member_step(width=2, depth=3, num_samples=5, input_dim=3))"
    )
    command = [sys.executable, "-c", code, str(ROOT / "launchers")]
    result = subprocess.run(command, capture_output=True, text=True)
    # 3 -> 2 -> 2 -> 1: kernels of 6, 4 and 2 numbers, each a product and a sum in the outputs, in
    # the gradient of the kernel and, but for the first, in that of the inputs; on 5 points.
    assert float(result.stdout) == 5 * (2 * 12 + 3 * 8 + 3 * 4), result.stderr


@pytest.mark.matrix
def test_probing_and_perturbing_are_measured(run_launcher, tmp_path):
    flags = ("--num_rounds=2", "--members=2", "--width=8", "--num_samples=16", "--probe_every=5")
    result = run_launcher("benchmark_probing", *flags, f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert_tags(tmp_path, "benchmark_probing")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["probing_percent_median"] > 0
    perturbed = read_table(tmp_path / "perturbations.csv")
    assert len(perturbed["contender"]) == 3
    assert perturbed["times_plain_loop"][2] == 1.0
    for median, whole in zip(perturbed["median"], perturbed["seconds_for_10000"], strict=True):
        assert whole == pytest.approx(10_000 / median)


@pytest.mark.matrix
def test_a_start_is_timed_cold_and_warm(run_launcher, tmp_path):
    flags = ("--num_rounds=1", "--num_steps=200", "--width=8")
    result = run_launcher("benchmark_start", *flags, f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert_tags(tmp_path, "benchmark_start")
    table = read_table(tmp_path / "start.csv")
    assert table["kind"] == ["cold", "warm"]
    order = ("imported", "first_step", "first_heat_map", "done")
    times = np.array([table[f"seconds_{name}"] for name in order])
    assert (np.diff(times, axis=0) > 0).all()
    compiled = np.array(table["seconds_compilation"])
    assert np.isfinite(compiled).all()
    assert (compiled < times[1] - times[0]).all()


@pytest.mark.matrix
def test_pipelines_are_measured_with_autoaugment_and_without(run_launcher, tmp_path, embedded_dir):
    flags = ("--num_rounds=2", "--seconds=0.02", "--train_size=300", "--batch_size=16")
    flags += ("--cores=1", f"--data_dir={embedded_dir}", f"--workdir={tmp_path}")
    result = run_launcher("benchmark_augmentation", *flags)
    assert result.returncode == 0, result.stderr
    check_rounds(tmp_path, "augmentation")
    assert_tags(tmp_path, "benchmark_augmentation")
    table = read_table(tmp_path / "augmentation.csv")
    ours = [i for i, name in enumerate(table["contender"]) if name.endswith("ours, batched")]
    assert len(ours) == 2
    assert [table["ours_over_it"][i] for i in ours] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("members", "line"),
    [("some", "members: expected whole numbers"), ("0,4", "--members: expected 1 or more, got 0")],
)
def test_sizes_that_are_none_are_refused(members, line, run_launcher, tmp_path):
    result = run_launcher("benchmark", f"--members={members}", f"--workdir={tmp_path / 'b'}")
    assert result.returncode == 2
    assert line in result.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.matrix
def test_peers_waves_and_probes_are_measured_in_every_round(run_launcher, embedded_dir, tmp_path):
    flags = ["--num_rounds=2", "--train_size=300", "--batch_size=100", "--width=2"]
    flags += ["--seconds=0.02", "--cores=1"]
    result = run_launcher(
        "benchmark_images", *flags, f"--data_dir={embedded_dir}", f"--workdir={tmp_path}"
    )
    assert result.returncode == 0, result.stderr
    check_rounds(tmp_path, "peers")
    assert_tags(tmp_path, "benchmark_images")
    assert read_table(tmp_path / "peers.csv")["contender"][0] == "ours"
    training = read_table(tmp_path / "training.csv")
    assert training["contender"] == [
        *("plain", "with a wave", "plain, evaluated", "with a wave, probed")
    ]
    assert training["ratio_median"][0] == 1.0
    rounds = read_table(tmp_path / "training_rounds.csv")
    for i, name in enumerate(training["contender"]):
        rates = [
            rate
            for rate, other in zip(rounds["images_per_second"], rounds["contender"], strict=True)
            if other == name
        ]
        assert training["images_per_second_median"][i] == pytest.approx(sum(rates) / 2)


def test_grey_images_are_refused_where_autoaugment_is_for_colour(
    run_launcher, embedded_dir, tmp_path
):
    result = run_launcher(
        "benchmark_augmentation",
        *("--dataset=digits", "--train_size=100", "--batch_size=50"),
        *(f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'b'}"),
    )
    assert result.returncode == 2
    assert "--dataset: expected colour images" in result.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.matrix
def test_the_probe_of_paths_is_measured_in_every_way(run_launcher, embedded_dir, tmp_path):
    flags = ["--dataset=digits", "--width=2", "--num_rounds=2", "--pairs=1", "--round_pairs=1"]
    flags += ["--num_samples=8", "--many_pairs=3,9", "--num_processes=1", "--batch_size=100"]
    result = run_launcher(
        "benchmark_paths", *flags, f"--data_dir={embedded_dir}", f"--workdir={tmp_path}"
    )
    assert result.returncode == 0, result.stderr
    assert_tags(tmp_path, "benchmark_paths")
    rates, processes, memory = (
        read_table(tmp_path / f"{n}.csv") for n in ("rates", "processes", "memory")
    )
    names = ["probe", "bare model"]
    if importlib.util.find_spec("torch"):  # Its logits were compared with ours.
        names += ["PyTorch, compiled", "PyTorch, compiled and frozen"]
    assert rates["contender"] == names
    assert rates["ratio_median"][1] == rates["probe_over_it_median"][0] == 1.0
    summary = json.loads((tmp_path / "summary.json").read_text())
    shares = summary["share_of_the_bare_forward_passes"]
    assert [shares[name] for name in names[1:]] == rates["probe_over_it_median"][1:]
    assert processes["num_images"] == [55 * 8]
    for one, each, times in zip(
        *(
            processes[name]
            for name in ("seconds_in_one_process", "seconds_in_one_process_each", "times_faster")
        ),
        strict=True,
    ):
        assert times == pytest.approx(each / one)
    assert memory["pairs"] == [3, 9]
    assert min(memory["peak_megabytes"]) > 100
