"""What a user's environment says: Keras' backend and types, the home folder, folders elsewhere."""

import json
import os
import subprocess
import sys
import types

import conftest
import numpy as np
import pytest
from conftest import ROOT

from spectral_tf import keras_settings, spectra
from spectral_tf.errors import UserError

TINY = (
    *("--num_runs=1", "--num_steps=3", "--width=4", "--depth=2", "--num_samples=8"),
    *("--frequencies=1", "--probe_every=3", "--norms_every=3"),
)


def start(page, *flags, **variables):
    """A real process: what it is about comes before anything is loaded."""
    keep = {k: v for k, v in os.environ.items() if k not in ("KERAS_BACKEND", "KERAS_HOME")}
    return subprocess.run(
        [sys.executable, str(ROOT / "launchers" / f"{page}.py"), *flags],
        capture_output=True,
        text=True,
        env={**keep, **variables},
        timeout=600,
    )


@pytest.mark.long
def test_another_backend_is_taken_for_tensorflow_and_said(tmp_path):
    home = tmp_path / "keras"
    home.mkdir()
    settings = {"floatx": "float64", "backend": "torch", "image_data_format": "channels_first"}
    (home / "keras.json").write_text(json.dumps({**settings, "epsilon": 1e-5}))
    given = {"KERAS_HOME": str(home), "TF_USE_LEGACY_KERAS": "1"}
    result = start("lf_first", *TINY, f"--workdir={tmp_path / 'run'}", **given)
    assert result.returncode == 0, result.stderr
    both = f"{home}/keras.json with backend torch and TF_USE_LEGACY_KERAS=1"
    assert f"{both}: taken for Keras 3 on TensorFlow" in result.stderr
    wrong = "floatx float64, image_data_format channels_first, epsilon 1e-05"
    assert f"keras.json with {wrong}: taken for float32, channels last" in result.stderr
    plain = start("lf_first", *TINY, f"--workdir={tmp_path / 'plain'}", KERAS_BACKEND="jax")
    assert plain.returncode == 0, plain.stderr
    assert "KERAS_BACKEND=jax: taken for Keras 3 on TensorFlow in this process" in plain.stderr
    tables = [(tmp_path / name / "losses.csv").read_text() for name in ("run", "plain")]
    assert tables[0] == tables[1]


@pytest.mark.long
def test_the_library_says_which_backend_it_wants():
    ask = "from spectral_tf import training\ntraining.Ensemble"
    keep = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    result = subprocess.run(
        [sys.executable, "-c", ask],
        capture_output=True,
        text=True,
        env={**keep, "KERAS_BACKEND": "jax"},
        timeout=600,
    )
    last = result.stderr.strip().splitlines()[-1]
    assert "expected Keras with KERAS_BACKEND=tensorflow, got jax" in last
    # What needs no Keras needs no backend either.
    pure = "import numpy as np; from spectral_tf import spectra; spectra.magnitudes(np.zeros(4))"
    env = {**keep, "KERAS_BACKEND": "jax"}
    assert subprocess.run([sys.executable, "-c", pure], env=env, timeout=600).returncode == 0


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_keras_that_is_there_is_looked_at(monkeypatch, backend):
    config = types.SimpleNamespace(backend=lambda: backend)
    monkeypatch.setitem(sys.modules, "keras", types.SimpleNamespace(config=config))
    if backend == "tensorflow":
        keras_settings.refuse_other_backend()
        return
    with pytest.raises(ImportError, match="got jax; set that variable before Keras is imported"):
        keras_settings.refuse_other_backend()


def test_a_damaged_file_of_settings_is_none(monkeypatch, tmp_path):
    (tmp_path / "keras.json").write_text("{")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert keras_settings.take_tensorflow() == ""
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    assert keras_settings.take_tensorflow() == f"{tmp_path}/keras.json with backend jax"
    assert os.environ.pop("KERAS_BACKEND") == "tensorflow"


@pytest.mark.long
def test_the_home_folder_is_meant_wherever_a_path_begins_with_it(tmp_path):
    home = {"HOME": str(tmp_path)}
    result = start("lf_first", *TINY, "--workdir=~/run", **home)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "summary.json").is_file()
    assert not (ROOT / "~").exists()
    again = ("--num_norms=2", "--num_directions=2", "--workdir=~/left")
    taken = start("robustness", "--from_run=~/run", *again, **home)
    assert taken.returncode == 0, taken.stderr
    assert f"--from_run={tmp_path}/run" in (tmp_path / "left" / "run.flags").read_text()
    joined = start("claims", "--folders=a=~/x:~/y,b=~/z", "--workdir=~/claims", **home)
    assert f"{tmp_path}/x" in joined.stderr
    assert "~" not in joined.stderr


def test_an_address_that_nothing_here_can_write_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = conftest.launch("lf_first", *TINY, "--workdir=gopher://bucket/run")
    line = "--workdir: expected a folder, or one of gs://, s3:// or another scheme that fsspec "
    conftest.assert_refused(result, line)
    assert list(tmp_path.iterdir()) == []


def test_outputs_with_an_axis_of_one_are_no_signal():
    x = np.sin(2 * np.pi * np.arange(8) / 8)[:, None]
    with pytest.raises(UserError, match=r"shape \(8, 1\); .* take \[..., 0\]"):
        spectra.magnitudes(x)
    np.testing.assert_allclose(spectra.magnitudes(x[..., 0])[1], 0.5)
