"""The command `spectral-tf`."""

import subprocess
import sys
import types

import pytest

from spectral_tf import catalogue, commands, program
from spectral_tf.errors import UserError


def spectral_tf(*arguments):
    command = [sys.executable, "-m", "spectral_tf", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("width", [70, 100, 200])
def test_the_list_names_everything_once_within_the_width(width):
    lines = commands.listing(width).splitlines()
    named = [line.split()[0] for line in lines if line[:2] == "  " and line[2] != " "]
    assert named == [*catalogue.EXPERIMENTS, *commands.names()]
    assert max(map(len, lines)) < width
    for of in catalogue.EXPERIMENTS.values():
        told = " ".join(" ".join(lines).split())
        assert of.question in told
        assert of.published in told


def test_questions_stand_below_each_other():
    lines = commands.listing(120).splitlines()
    starts = {
        line.index(of.question[:9])
        for of in catalogue.EXPERIMENTS.values()
        for line in lines
        if line.startswith(f"  {of.name} ")
    }
    assert len(starts) == 1


def test_an_unknown_name_suggests_the_nearest():
    result = spectral_tf("lf_frist")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        "spectral-tf: lf_frist: expected an experiment or a command, got neither; did you mean "
        "lf_first?\n"
    )
    assert "own_models" in str(commands.unknown("own-model"))
    assert "lists both" in str(commands.unknown("zzz"))


def test_an_experiment_is_the_same_by_file_and_by_name(run_launcher):
    by_name = spectral_tf("lf_first", "--batch_size=300")
    by_file = run_launcher("lf_first", "--batch_size=300")
    assert by_name.returncode == by_file.returncode == 2
    assert by_name.stderr.startswith("spectral-tf lf_first: --batch_size: expected 0 to 200")
    assert by_file.stderr.startswith("lf_first.py: --batch_size: expected 0 to 200")
    assert by_name.stderr.partition(": ")[2] == by_file.stderr.partition(": ")[2]


def test_what_to_type_is_told_in_the_form_that_was_used(monkeypatch):
    assert program.command("lf_first") == "python launchers/lf_first.py"
    monkeypatch.setattr(program, "_by_command", True)
    assert program.command("lf_first") == "spectral-tf lf_first"


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (UserError("folder", expected="a run", got="none", hint="make one"), 2, "folder: expected"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "/ro/report.html"), 2, "/ro: "),
    ],
)
def test_a_command_ends_in_one_line(monkeypatch, capsys, raised, status, told):
    def main(arguments):
        assert arguments == ["a", "b"]
        raise raised

    monkeypatch.setitem(sys.modules, "spectral_tf.commands.made", types.SimpleNamespace(main=main))
    monkeypatch.setattr(commands, "names", lambda: ["made"])
    assert commands.main(["made", "a", "b"]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("spectral-tf: ")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("flag", ["-h", "--help", "--helpshort", "--helpfull"])
def test_help_of_an_experiment_is_its_manual_page(flag, run_launcher):
    result = run_launcher("untrained", flag, python=("-X", "importtime"))
    assert result.returncode == 0
    assert "\n  python launchers/untrained.py [--FLAG=VALUE ...]\n" in result.stdout
    assert "\n  --num_networks=INTEGER\n" in result.stdout
    assert ("--log_dir" in result.stdout) == (flag == "--helpfull")
    assert "| tensorflow" not in result.stderr.replace("  ", " ")
