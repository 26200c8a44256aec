import json

import numpy as np
import pytest
from boards import assert_board
from conftest import assert_refused, launch
from PIL import Image

from spectral_tf import spectra
from spectral_tf.models.small import convnet
from spectral_tf.records import read_table

TINY = ["--dataset=digits", "--width=4", "--num_epochs=2", "--num_images=60", "--norm=2"]


def run(*flags):
    return launch("fourier_sensitivity", *flags)


def columns(path, name):
    return {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}


@pytest.mark.long
def test_a_run_leaves_the_plane_and_its_rings(embedded_dir, tmp_path):
    flags = [*TINY, f"--data_dir={embedded_dir}"]
    result = run(*flags, f"--workdir={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(
        "3 networks of different seeds, on 60 held-out images of digits"
    )
    path = tmp_path / "run"
    assert_board(path, "fourier_sensitivity")
    plane, networks, rings = (columns(path, n) for n in ("sensitivity", "networks", "rings"))
    assert len(plane["error"]) == 64
    assert set(plane["cycles_down"]) == set(range(-4, 4))
    np.testing.assert_allclose(
        plane["frequency"], np.hypot(plane["cycles_down"], plane["cycles_right"])
    )
    number = np.round(plane["frequency"]).astype(int)
    np.testing.assert_array_equal(rings["num_vectors"], np.bincount(number))
    with np.load(path / "images.npz") as kept:
        arrays = dict(kept)
    assert arrays["clean_wrong"].shape == (3, 60)
    for name in ("error", "change"):
        maps = networks[name].reshape(3, 64)
        over_networks = spectra.mean_over_runs(maps, unit="networks")
        np.testing.assert_allclose(plane[name], maps.mean(axis=0))
        np.testing.assert_allclose(plane[f"{name}_high"], over_networks.high)
        # Rings rest on networks and images.
        of_images = arrays[f"ring_{name}"]
        assert of_images.shape == (3, 60, len(rings[name]))
        crossed = spectra.crossed_mean(of_images, units=("networks", "images"))
        for ours, theirs in (("", "value"), ("_low", "low"), ("_high", "high")):
            np.testing.assert_allclose(
                rings[name + ours], getattr(crossed, theirs), rtol=1e-4, atol=1e-6
            )
        first = np.round(plane["frequency"]) == 1
        np.testing.assert_allclose(rings[name][1], plane[name][first].mean())
    summary = json.loads((path / "summary.json").read_text())
    assert summary["rests_on"] == "3 networks of different seeds"
    assert summary["num_images"] == 60
    np.testing.assert_allclose(summary["clean_error"]["value"], arrays["clean_wrong"].mean())
    np.testing.assert_allclose(summary["mean_error"]["value"], plane["error"].mean())
    maps = networks["error"].reshape(3, 64)
    others = [maps[m, np.delete(maps, m, axis=0).sum(axis=0).argmax()] for m in range(3)]
    worst = summary["worst"]["error_of_networks_that_did_not_choose"]
    np.testing.assert_allclose(worst["value"], np.mean(others))
    for picture in ("plane", "rings"):
        Image.open(path / "figures" / f"{picture}.png").verify()


def test_a_saved_model_is_one_network(embedded_dir, tmp_path):
    model = convnet(input_shape=(8, 8, 1), num_classes=10, width=4)
    head = model.layers[-1].kernel  # It starts at zero.
    head.assign(np.random.default_rng(0).normal(size=head.shape))
    model.save(tmp_path / "own.keras")
    result = run(
        *("--dataset=digits", "--num_images=40", f"--data_dir={embedded_dir}", "--signs=plus"),
        *(f"--from_run={tmp_path / 'own.keras'}", f"--workdir={tmp_path / 'run'}"),
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("one saved network, which says nothing of another training")
    plane, rings = (columns(tmp_path / "run", name) for name in ("sensitivity", "rings"))
    assert np.isnan(plane["error_low"].astype(float)).all()
    assert set(plane["error_method"]) == {"none: 1 network, 2 needed, over networks"}
    assert (rings["error_n"] == 40).all()
    assert all("images of one network" in text for text in rings["error_method"])


def test_mistakes_get_one_line(embedded_dir, tmp_path):
    mistakes = {
        "--num_images=361": "--num_images: expected at most 360",
        "--norm=0": "--norm",
        "--seeds=0": "--seeds",
    }
    own = [*TINY, f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"]
    for flag, line in mistakes.items():
        assert_refused(launch("fourier_sensitivity", *own, flag), line)
    assert not (tmp_path / "run").exists()
