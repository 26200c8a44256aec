import json

import numpy as np
import pytest
from boards import assert_tags
from conftest import assert_refused, launch

from spectral_tf.records import read_table


def rows_of(path, name):
    table = read_table(path / f"{name}.csv")
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def test_sizes_are_measured_until_one_would_not_fit(tmp_path):
    path = tmp_path / "run"
    flags = ("--curves=kernel_full", "--kernel_images=50,100,200,6400", "--seconds=0")
    flags += ("--most_seconds=1e6", "--memory_gb=0.5", f"--workdir={path}")
    result = launch("benchmark_scaling", *flags)
    assert result.returncode == 0, result.stderr
    curve = rows_of(path, "curves")
    assert [row["size"] for row in curve] == [50, 100, 200]
    for row in curve:
        assert 0 < row["seconds_best"] <= row["seconds_median"]
        assert row["bytes"] >= 0
    # The kernel and its eigenvectors at least.
    assert curve[-1]["bytes"] > 2 * 8 * 200**2
    # 1,024 times the memory of 200 images by the arithmetic.
    (left,) = rows_of(path, "left_out")
    assert (left["curve"], left["size"]) == ("kernel_full", 6400)
    assert left["why"].endswith("GB expected of 0.5")
    seconds, memory = rows_of(path, "fits")
    assert (seconds["exponent_by_arithmetic"], memory["exponent_by_arithmetic"]) == (3, 2)
    assert seconds["exponent_n"] == 3
    x, y = np.array([[row["size"], row["seconds_best"]] for row in curve]).T
    assert seconds["exponent"] == pytest.approx(np.polyfit(np.log(x), np.log(y), 1)[0])
    assert (path / "figures" / "scaling.png").stat().st_size > 10_000


def test_wrong_sizes_are_refused_before_anything_is_made(tmp_path):
    for flag in ("--curves=sizes", "--replicas=1,3", "--members=0,1"):
        result = launch("benchmark_scaling", flag, f"--workdir={tmp_path / 'run'}")
        assert_refused(result, flag.partition("=")[0].removeprefix("--"))
        assert not (tmp_path / "run").exists()


@pytest.mark.matrix
def test_every_curve_runs_at_small_sizes(tmp_path):
    path = tmp_path / "run"
    small = {
        "members": "1,3",
        "points": "20,40",
        "layer_widths": "8,16",
        "kernel_images": "30,60",
        "num_paths": "2,4",
        "image_sizes": "8,16",
        "tangent_points": "10,20",
        "batch_sizes": "8,16",
        "replicas": "1,2",
    }
    flags = [f"--{name}={sizes}" for name, sizes in small.items()]
    flags += ["--seconds=0.05", "--width=8", "--functions=10", "--channels=4"]
    flags += ["--most_seconds=1000", f"--workdir={path}"]
    result = launch("benchmark_scaling", *flags)
    assert result.returncode == 0, result.stderr
    assert_tags(path, "benchmark_scaling")
    curve = rows_of(path, "curves")
    assert len(curve) == 2 * 11
    assert all(0 < row["seconds_best"] <= row["seconds_median"] for row in curve)
    assert rows_of(path, "left_out") == []
    found = json.loads((path / "summary.json").read_text())["fits"]
    assert len(found) == 11
    # Two points are on a line whatever they are.
    assert all(fits["seconds_exponent"]["value"] is None for fits in found.values())
