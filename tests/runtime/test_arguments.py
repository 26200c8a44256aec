"""Mistakes in arguments: what was probably meant is told."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

from spectral_tf.errors import nearest

# All in one process: {arguments: what the error says}. `arguments.parse` ends with the flags of
# other experiments after a foreign flagfile, which is therefore the last.
CODE = """
import json, runpy, sys
sys.argv = ["launchers/lf_first.py"]
runpy.run_path("launchers/lf_first.py", run_name="lf_first")
from absl import flags
from spectral_tf.errors import UserError
from spectral_tf.runtime import arguments
told = []
for words in json.loads(sys.stdin.read()):
    flags.FLAGS.unparse_flags()
    try:
        told.append(str(arguments.parse(["lf_first", *words])))
    except UserError as error:
        told.append(str(error))
print(json.dumps([told, "tensorflow" in sys.modules]))
"""


def parsed(*cases):
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    told, loaded = json.loads(result.stdout)
    assert not loaded
    return told


MISTAKES = {
    ("--num_rns=2",): "--num_rns: expected a flag of lf_first, got an unknown one; did you mean "
    "--num_runs?",
    ("--zzzzz=2",): "--zzzzz: expected a flag of lf_first, got an unknown one; see lf_first.py "
    "--help",
    ("--activation=rleu",): "--activation: expected one of relu, tanh, gelu, silu, elu, softplus, "
    "sigmoid and sine, got rleu; did you mean relu?",
    ("--num_runs=x",): "--num_runs: expected a whole number, 1 or more, got x; see lf_first.py "
    "--help",
    ("--seed=-1",): "--seed: expected a whole number, 0 or more, got -1; see lf_first.py --help",
    ("--learning_rate=nan",): "--learning_rate: expected a finite number of at least 1e-12, got "
    "nan; see lf_first.py --help",
    ("--overwrite=perhaps",): "--overwrite: expected true or false, got perhaps; see lf_first.py "
    "--help",
    ("--workdir", "--seed=3"): "--workdir: expected a value, got --seed=3; see lf_first.py --help",
    ("--workdir",): "--workdir: expected a value, got nothing; see lf_first.py --help",
    ("--flagfile",): "--flagfile: expected a value, got nothing; see lf_first.py --help",
    ("file",): "arguments: expected flags only, got 'file'; see lf_first.py --help",
    (
        "--flagfile=nope",
    ): "--flagfile: expected a file of flags, one a line, got nope (No such file "
    "or directory); name the run.flags of a run",
}
FOREIGN = {
    "results/manifold/run.flags": "manifold",  # As its summary says.
    "results/noise_fitting/cifar10_wrn_32.flags": "noise_fitting",  # As its flags say.
}


def test_mistakes_are_told_with_what_was_meant(tmp_path):
    told = parsed(*MISTAKES, ["--overwrite", "--seed", "3"], ["--seed=-3", "--seed=4"])
    assert told[: len(MISTAKES)] == list(MISTAKES.values())
    assert told[len(MISTAKES)] == "['lf_first']"


@pytest.mark.parametrize("file", FOREIGN)
def test_a_flagfile_of_another_experiment_is_told_whose_it_is(file):
    cases = [["--flagfile=results/lf_first/equal/run.flags"], [f"--flagfile={file}"]]
    told_by_summary = file.endswith("run.flags")
    own, other, *apart = parsed(*cases, *[["--flagfile", file]] * told_by_summary)
    of = FOREIGN[file]
    assert own == "['lf_first']"
    assert other == (
        f"--flagfile: expected flags of lf_first, got those of {of} ({file}); say python "
        f"launchers/{of}.py --flagfile={file}"
    )
    assert apart == [other] * told_by_summary


def test_an_unknown_flag_in_an_own_flagfile_names_the_file(tmp_path):
    file = tmp_path / "mine.flags"
    file.write_text("--width=3\n--num_rusn=2\n")
    assert parsed([f"--flagfile={file}"]) == [
        f"{file}: --num_rusn: expected a flag of lf_first, got an unknown one; did you mean "
        "--num_runs?"
    ]


def test_the_nearest_is_named_and_the_far_is_not():
    assert nearest("resnet5", ["ResNet50", "ResNet101", "VGG16"], "x") == "did you mean ResNet50?"
    assert nearest(["relu", "tanj"], ["relu", "tanh"], "x") == "did you mean tanh?"
    assert nearest("cifar_10", ["cifar10", "cifar100", "mnist"], "x").endswith(
        "cifar10 or cifar100?"
    )
    assert nearest("", ["relu"], "choose") == "choose"
