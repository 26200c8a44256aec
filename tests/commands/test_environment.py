"""`spectral-tf environment`, which tells what is broken and never breaks."""

import json
import os
import subprocess
import sys

import numpy
import pytest

import spectral_tf
from spectral_tf.commands import environment
from spectral_tf.errors import UserError

WITHOUT_TENSORFLOW = """
import os, sys
os.environ["EPATH_USE_TF"] = "false"
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])
sys.meta_path.insert(0, Blocked())
from spectral_tf import commands
sys.exit(commands.main(["environment", *sys.argv[1:]]))
"""


def test_it_works_without_tensorflow_and_says_so(tmp_path):
    prepared = tmp_path / "mnist" / "3.0.1"
    prepared.mkdir(parents=True)
    (prepared / "dataset_info.json").write_text("{}")
    environ = {**os.environ, "TF_CONFIG": "secret.address:1", "XLA_FLAGS": "--xla_dump_to=/x"}
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, "--json", f"--data_dir={tmp_path}"],
        capture_output=True,
        text=True,
        env=environ,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert "pip install 'spectral-tf[cpu]'" in found["devices"]["tensorflow"]
    assert found["data"]["prepared"] == ["mnist/3.0.1"]
    assert found["versions"]["numpy"] == numpy.__version__
    assert found["spectral_tf"]["version"] == spectral_tf.__version__
    assert found["variables"]["XLA_FLAGS"] == "--xla_dump_to=/x"
    assert "secret.address" not in result.stdout
    assert not [part for part in found.values() if "error" in part]


@pytest.fixture
def fast(monkeypatch):
    """Without what loads TensorFlow."""
    monkeypatch.setattr(environment, "_devices", lambda: {"devices": ["CPU: a"], "cores": 2})


def test_a_broken_part_is_told_and_the_others_are_there(fast, monkeypatch, capsys):
    def broken():
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(environment, "_data", lambda _: broken())
    assert environment.main([]) == 0
    told = capsys.readouterr().out
    assert "OSError: [Errno 5] Input/output error" in told
    assert f"numpy                       {numpy.__version__}" in told


def test_nobodys_name_is_in_it(fast, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HOME", str(tmp_path / "somebody"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "somebody" / "data"))
    environment.main(["--json"])
    told = capsys.readouterr().out
    assert "somebody" not in told
    assert json.loads(told)["data"]["folder"] == "~/data"


def test_other_arguments_are_refused():
    with pytest.raises(UserError, match="--jsn: expected --json or --data_dir=FOLDER, .* --json?"):
        environment.main(["--jsn"])


def test_products_are_those_of_experiments_and_not_tensorflows_default():
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(True)
    told = environment._devices()
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
    assert told["float32_products"]["asked"] == "float32"
