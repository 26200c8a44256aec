import json

import numpy as np
from conftest import assert_refused, launch
from PIL import Image

from spectral_tf.records import read_table

TINY = ["--dataset=digits", "--width=4", "--num_epochs=2", "--num_images=60", "--norm=2"]


def run(*flags):
    return launch("fourier_sensitivity", *flags)


def test_a_run_leaves_the_plane_and_its_rings(embedded_dir, tmp_path):
    flags = [*TINY, f"--data_dir={embedded_dir}"]
    result = run(*flags, f"--workdir={tmp_path / 'run'}")
    assert result.returncode == 0, result.stderr
    path = tmp_path / "run"
    plane, rings = (
        {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}
        for name in ("sensitivity", "rings")
    )
    assert len(plane["error"]) == 64
    assert set(plane["cycles_down"]) == set(range(-4, 4))
    np.testing.assert_allclose(
        plane["frequency"], np.hypot(plane["cycles_down"], plane["cycles_right"])
    )
    zero = plane["frequency"] == 0
    np.testing.assert_allclose(rings["change"][0], plane["change"][zero][0])
    first = np.round(plane["frequency"]) == 1
    np.testing.assert_allclose(rings["error"][1], plane["error"][first].mean())
    summary = json.loads((path / "summary.json").read_text())
    assert summary["num_images"] == 60
    assert summary["mean_error"] >= summary["clean_error"] - 0.05
    for picture in ("plane", "rings"):
        Image.open(path / "figures" / f"{picture}.png").verify()
    saved = ["--dataset=digits", "--num_images=60", f"--data_dir={embedded_dir}"]
    one = run(*saved, f"--from_run={path}", f"--workdir={tmp_path / 'plus'}", "--signs=plus")
    assert one.returncode == 0, one.stderr


def test_mistakes_get_one_line(embedded_dir, tmp_path):
    mistakes = {"--num_images=361": "--num_images: expected at most 360", "--norm=0": "--norm"}
    own = [*TINY, f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"]
    for flag, line in mistakes.items():
        assert_refused(launch("fourier_sensitivity", *own, flag), line)
    assert not (tmp_path / "run").exists()
