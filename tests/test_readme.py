"""What the README says is so."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, Host, launch_on

README = (ROOT / "README.md").read_text()
LAUNCHERS = sorted((ROOT / "launchers").glob("*.py"))


def command(name):
    return re.search(rf"^<!-- {name} command -->\n```bash\n(.*?)\n```$", README, re.M | re.S)[1]


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
    assert "`python -m pytest -m long`" in README
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


def test_every_local_link_leads_somewhere():
    for page in (ROOT / "README.md", ROOT / "results" / "README.md"):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


SHARED = {"workdir", "seed", "overwrite", "save_every_seconds", "strategy", "tpu"}
SHARED |= {"cores", "deterministic", "startup_timeout_seconds"}
SHARED |= {"data_dir", "download", "manual_dir"}


@pytest.mark.parametrize("page", ["lf_first", "noise_fitting"])
def test_every_flag_of_the_main_pages_is_explained(page):
    code = (
        f"import sys; sys.argv[0] = '{page}'; sys.path.insert(0, 'launchers'); import {page}; "
        f"print(*(f.name for f in {page}.FLAGS.get_key_flags_for_module('{page}')))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    names = result.stdout.split()
    assert {"workdir", "seed", "width"} <= set(names), result.stderr
    section = README.split(f"### {page}")[1].split("\n## ")[0].split("\n### ")[0]
    for name in names if page == "lf_first" else set(names) - SHARED:
        assert f"`--{name}`" in section, name


def page_commands(text):
    """{page: lists of flags} of all commands in blocks of shell, as a shell takes them."""
    asked = {}
    for block in re.findall(r"```bash\n(.*?)```", text, re.S):
        joined = block.replace("\\\n", " ")
        for line in re.findall(r"(?<!tests/)launchers/(\w+\.py[^\n\"'&;]*)", joined):
            page, *words = shlex.split(line, comments=True)
            plain = [re.sub(r"\$\w+", "1", word) for word in words if word.startswith("--")]
            of_page = asked.setdefault(page.removesuffix(".py"), [])
            of_page.append([word for word in plain if not word.startswith("--flagfile")])
    return asked


@pytest.mark.parametrize(
    "section",
    [pytest.param("# spectral_tf", marks=pytest.mark.long), "### Recipes"],
)
def test_the_flags_of_every_command_are_known(section):
    """That a page takes them, of these values; files and data are not looked for."""
    asked = page_commands(README[README.index(section) :])
    assert {"lf_first", "noise_fitting", "interventions"} <= asked.keys()
    assert any("--tpu=local" in words for words in asked["noise_fitting"])
    code = (
        "import importlib, json, sys; from absl import flags\n"
        "page, asked = json.loads(sys.argv[1])\n"
        "sys.path.insert(0, 'launchers'); importlib.import_module(page)\n"
        "for words in asked: assert flags.FLAGS([page, *words]) == [page], words"
    )
    for page, words in asked.items():
        command = [sys.executable, "-c", code, json.dumps([page, words])]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr


def test_the_python_examples_run(embedded_dir, tmp_path):
    # Of those of one's own model the first is tried in a fresh process, below.
    _, _, probe, along, images, study = re.findall(r"```python\n(.*?)```", README, re.S)

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
    follow, hold = re.findall(r"```python\n(.*?)```", README, re.S)[:2]
    result = subprocess.run(
        [sys.executable, "-c", follow], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert "learned to half at step, by cycles per unit: 2: " in result.stdout, result.stderr
    assert (tmp_path / "runs" / "mine" / "figures" / "measurement.png").is_file()
    result = subprocess.run(
        [sys.executable, "-c", hold], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert "intervals over runs x paths" in result.stdout, result.stderr
