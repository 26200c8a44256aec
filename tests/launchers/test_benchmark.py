import importlib.util
import json

import pytest

from spectral_tf.records import read_table


@pytest.mark.long
def test_a_short_benchmark_measures_every_contender_in_every_round(
    run_launcher, tmp_path, embedded_dir
):
    flags = ("--num_rounds=2", "--seconds=0.02", "--members=1,2", "--width=8", "--num_samples=16")
    flags += ("--input_dim=3", "--probe_every=5", f"--data_dir={embedded_dir}")
    result = run_launcher("benchmark", *flags, f"--workdir={tmp_path}")
    assert result.returncode == 0, result.stderr
    table = read_table(tmp_path / "benchmark.csv")
    names = table["contender"]
    assert {"ours, 1 at once", "ours, 2 at once", "Keras fit", "matrix product"} <= set(names)
    rounds = read_table(tmp_path / "rounds.csv")
    assert rounds["contender"] == names * 2
    for i, name in enumerate(names):
        rates = [
            rate
            for rate, other in zip(
                rounds["member_steps_per_second"], rounds["contender"], strict=True
            )
            if other == name
        ]
        assert table["best"][i] == max(rates)
        assert table["median"][i] == pytest.approx(sum(rates) / 2)
    assert table["share_of_matrix_product"][names.index("matrix product")] == 1.0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["probing_percent_median"] > 0
    assert (tmp_path / "figures" / "benchmark.png").exists()
    perturbed = read_table(tmp_path / "perturbations.csv")
    assert len(perturbed["contender"]) == 3
    assert perturbed["times_plain_loop"][2] == 1.0
    for median, whole in zip(perturbed["median"], perturbed["seconds_for_10000"], strict=True):
        assert whole == pytest.approx(10_000 / median)
    piped = read_table(tmp_path / "pipelines.csv")
    assert len(piped["contender"]) == 3
    assert piped["times_numpy"][2] == 1.0
    assert "matrix product" in result.stdout


@pytest.mark.parametrize(
    ("members", "line"),
    [("some", "members: expected whole numbers"), ("0,4", "--members: expected 1 or more, got 0")],
)
def test_sizes_that_are_none_are_refused(members, line, run_launcher, tmp_path):
    result = run_launcher("benchmark", f"--members={members}", f"--workdir={tmp_path / 'b'}")
    assert result.returncode == 2
    assert line in result.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.long
def test_waves_probes_and_policies_are_measured_in_every_round(
    run_launcher, embedded_dir, tmp_path
):
    flags = ["--num_rounds=2", "--train_size=300", "--batch_size=100", "--width=2"]
    result = run_launcher(
        "benchmark_images", *flags, f"--data_dir={embedded_dir}", f"--workdir={tmp_path}"
    )
    assert result.returncode == 0, result.stderr
    training, pipelines = (read_table(tmp_path / f"{n}.csv") for n in ("training", "pipelines"))
    assert training["contender"][:4] == [
        *("plain", "with a wave", "plain, evaluated", "with a wave, probed")
    ]
    assert training["ratio_median"][0] == 1.0
    assert pipelines["ratio_median"][1] == 1.0
    rounds = read_table(tmp_path / "training_rounds.csv")
    for i, name in enumerate(training["contender"]):
        rates = [
            rate
            for rate, other in zip(rounds["images_per_second"], rounds["contender"], strict=True)
            if other == name
        ]
        assert training["images_per_second_median"][i] == pytest.approx(sum(rates) / 2)


def test_grey_images_are_refused_where_pil_is_for_colour(run_launcher, embedded_dir, tmp_path):
    result = run_launcher(
        "benchmark_images",
        *("--dataset=digits", "--train_size=100", "--batch_size=50"),
        *(f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'b'}"),
    )
    assert result.returncode == 2
    assert "--dataset: expected colour images" in result.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.long
def test_the_probe_of_paths_is_measured_in_every_way(run_launcher, embedded_dir, tmp_path):
    flags = ["--dataset=digits", "--width=2", "--num_rounds=2", "--pairs=1", "--round_pairs=1"]
    flags += ["--num_samples=8", "--many_pairs=3,9", "--num_processes=1", "--batch_size=100"]
    result = run_launcher(
        "benchmark_paths", *flags, f"--data_dir={embedded_dir}", f"--workdir={tmp_path}"
    )
    assert result.returncode == 0, result.stderr
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
