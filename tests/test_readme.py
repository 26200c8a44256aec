"""What the README says is so."""

import os
import re
import shutil
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


# What .ci/run calls, beside the doubles that only tell what they are asked to do.
PLAIN = ("awk", "dirname", "mktemp", "rm", "sh", "mkdir")
DOUBLES = {
    "python3": 'mkdir -p "$3/bin"; echo "PATH=$OLD:\\$PATH" > "$3/bin/activate"; echo "$3"',
    "bash": 'echo "ran: $4"',
    "python": 'echo "then: $*"',
    "id": 'echo "$USER_NUMBER"',
    "apt-get": 'echo "$*" >> "$OLD/installed"; exit $REFUSED',
}


def run_ci(folder, user="0", refused="0", **doubles):
    for name in PLAIN:
        (folder / name).symlink_to(shutil.which(name))
    for name, does in {**DOUBLES, **doubles}.items():
        (folder / name).write_text(f"#!{folder}/sh\n{does}\n")
        os.chmod(folder / name, 0o755)
    environment = {"OLD": str(folder), "PATH": str(folder), "TMPDIR": str(folder)}
    environment |= {"USER_NUMBER": user, "REFUSED": refused}
    return subprocess.run(
        ["/bin/bash", str(ROOT / ".ci" / "run")], capture_output=True, text=True, env=environment
    )


def test_ci_runs_the_readmes_test_command(tmp_path):
    result = run_ci(tmp_path, user="1000")
    venv, printed, ran, then = result.stdout.splitlines()
    assert printed == command("test")
    assert ran == f"ran: {command('test')}"
    assert then == "then: -m pytest -m long"
    told = (ROOT / "CONTRIBUTING.md").read_text()
    assert "`python -m pytest -m long`" in told
    assert "```bash\n.ci/run\n```" in told
    assert not os.path.exists(os.path.dirname(venv)), "the environment must be removed"
    assert not (tmp_path / "installed").exists(), "who is not root installs nothing"


def test_ci_installs_a_browser_where_there_is_none_and_it_can(tmp_path):
    (there := tmp_path / "there").mkdir()
    assert run_ci(there, chromedriver="").returncode == 0
    assert not (there / "installed").exists()
    (lacks := tmp_path / "lacks").mkdir()
    assert run_ci(lacks).stderr == ""
    assert (lacks / "installed").read_text().splitlines() == [
        "update",
        "install -y --no-install-recommends chromium chromium-driver",
    ]
    (refused := tmp_path / "refused").mkdir()
    result = run_ci(refused, refused="100")
    assert result.returncode == 0, "tests run without one, too"
    assert "no browser could be installed" in result.stderr


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=lambda file: file.stem)
def test_every_launcher_is_listed_and_names_its_results(launcher):
    assert f"`launchers/{launcher.name}`" in README
    folder = re.search(r"\((results/\w+)\)", launcher.read_text().split('"""')[1])
    assert folder, "the docstring names its results folder"
    assert (ROOT / folder[1]).is_dir()


@pytest.mark.long
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


@pytest.mark.long
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
