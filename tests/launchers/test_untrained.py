import json

import numpy as np
from boards import assert_board
from conftest import assert_estimates, assert_refused, launch
from PIL import Image

from spectral_tf import models, spectra
from spectral_tf.records import read_table
from spectral_tf.runtime import derive_seed

TINY = ("--depths=1,3", "--activations=relu,sine", "--scales=1,8", "--width=16")
TINY += ("--num_networks=4", "--num_samples=128")


def test_it_measures_what_a_plain_loop_does(tmp_path):
    path = tmp_path / "run"
    result = launch("untrained", *TINY, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    table = read_table(path / "mean_frequencies.csv")
    assert len(table["scale"]) == 2 * 2 * 2
    turns = 2 * np.pi * np.arange(128) / 128
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)
    for row in range(len(table["scale"])):
        activation, depth, scale = (table[n][row] for n in ("activation", "depth", "scale"))
        found = []
        for run in range(4):
            model = models.Mlp(16, int(depth), activation, input_dim=2).build(
                derive_seed(0, "init", run)
            )
            for weight in model.trainable_variables:
                if len(weight.shape) == 2:
                    weight.assign(weight * scale)
            found.append(spectra.mean_frequency(np.asarray(model(circle))[:, 0]))
        np.testing.assert_allclose(table["mean_frequency"][row], np.mean(found), rtol=1e-3)
        if depth == 1:  # An affine function of the circle is one wave.
            np.testing.assert_allclose(found, 1, rtol=1e-5)
    assert_estimates(path)
    Image.open(path / "figures" / "mean_frequency.png").verify()
    summary = json.loads((path / "summary.json").read_text())
    assert summary["experiment"] == "untrained"
    # More depths can be asked for; what is there stays.
    more = launch("untrained", *TINY, "--depths=1,2,3", f"--workdir={path}")
    assert more.returncode == 0, more.stderr
    assert_board(path, "untrained")  # What is told again is there once.
    grown = read_table(path / "mean_frequencies.csv")
    rows = [i for i, depth in enumerate(grown["depth"]) if depth != 2]
    assert [grown["mean_frequency"][i] for i in rows] == table["mean_frequency"]


def test_mistakes_get_one_line(tmp_path):
    for flag, line in {
        "--depths=0": "--depths: expected 1 or more",
        "--scales=0": "--scales: expected finite numbers above 0",
        "--activations=Relu": "--activations: expected some of relu",
        "--num_networks=1": "--num_networks",
    }.items():
        assert_refused(launch("untrained", flag, f"--workdir={tmp_path / 'run'}"), line)
    assert not (tmp_path / "run").exists()
