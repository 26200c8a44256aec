"""What the README says is so."""

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, Host, launch_on

README = (ROOT / "README.md").read_text()
LAUNCHERS = sorted((ROOT / "launchers").glob("*.py"))


def command(name):
    return re.search(rf"^<!-- {name} command -->\n```bash\n(.*?)\n```$", README, re.M | re.S)[1]


def blocks(document):
    return re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.S)


def test_it_fits_180_lines_and_an_own_model_15():
    assert len(README.splitlines()) <= 180
    (own,) = blocks("README.md")
    assert len(own.splitlines()) <= 15


def test_both_commands_are_one_line_each():
    assert command("main") == (
        "pip install -e '.[cpu]' && python launchers/lf_first.py --alsologtostderr"
    )
    assert command("test") == "pip install -e '.[cpu,test]' && python -m pytest"


def test_ci_runs_the_readmes_test_command(tmp_path):
    # The real script with a python3 and a bash that only tell what they are asked to do.
    (tmp_path / "python3").write_text(
        '#!/bin/sh\nmkdir -p "$3/bin"; echo "PATH=$OLD:\\$PATH" > "$3/bin/activate"; echo "$3"\n'
    )
    (tmp_path / "bash").write_text('#!/bin/sh\necho "ran: $4"\n')
    (tmp_path / "python").write_text('#!/bin/sh\necho "then: $*"\n')
    for name in ("python3", "bash", "python"):
        os.chmod(tmp_path / name, 0o755)
    environment = {**os.environ, "OLD": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    result = subprocess.run(
        ["/bin/bash", str(ROOT / ".ci" / "run")], capture_output=True, text=True, env=environment
    )
    venv, printed, ran, then = result.stdout.splitlines()
    assert printed == command("test")
    assert ran == f"ran: {command('test')}"
    assert then == "then: -m pytest -m long"
    told = (ROOT / "CONTRIBUTING.md").read_text()
    assert "`python -m pytest -m long`" in told
    assert "```bash\n.ci/run\n```" in told
    assert not os.path.exists(os.path.dirname(venv)), "the environment must be removed"


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=lambda file: file.stem)
def test_every_launcher_is_listed_and_names_its_results(launcher):
    assert f"`launchers/{launcher.name}`" in README
    folder = re.search(r"\((results/\w+)\)", launcher.read_text().split('"""')[1])
    assert folder, "the docstring names its results folder"
    assert (ROOT / folder[1]).is_dir()


def test_the_python_examples_run(embedded_dir, tmp_path):
    # Of those of one's own model the first two are tried in a fresh process, below.
    _, probe, along = blocks("docs/own_models.md")
    (images,) = blocks("docs/images.md")
    (study,) = blocks("docs/own_study.md")

    def told(code):
        (tmp_path / "example.py").write_text(code)
        host = Host({"TFDS_DATA_DIR": str(embedded_dir)})
        (result,) = launch_on([host], str(tmp_path / "example"))
        assert result.returncode == 0, result.stderr
        return result.stdout

    shape = told(f"{images}\nprint(next(iter(batches))[0].shape)").splitlines()[-1]
    assert shape == "(256, 32, 32, 3)"
    assert told(probe).startswith("NoiseFit(noise_fitting=")
    # A fresh network gives every class the same.
    assert abs(float(told(along).split()[0])) < 1e-9
    assert told(study).splitlines()[-1].startswith("1000 [")


def test_the_examples_of_ones_own_model_run(tmp_path):
    (follow,) = blocks("README.md")
    hold = blocks("docs/own_models.md")[0]
    result = subprocess.run(
        [sys.executable, "-c", follow], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert "learned to half at step, by cycles per unit: 2: " in result.stdout, result.stderr
    assert (tmp_path / "runs" / "mine" / "figures" / "measurement.png").is_file()
    result = subprocess.run(
        [sys.executable, "-c", hold], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert "intervals over runs x paths" in result.stdout, result.stderr
