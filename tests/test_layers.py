"""Imports go one way: launchers -> experiments -> training -> {probes, records} -> spectra."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

# A room may import itself and these; `errors`, `streams` and the package itself everybody.
ALLOWED = {
    "spectra": set(),
    "tasks": {"spectra"},
    "data": set(),
    "models": set(),
    "probes": {"spectra"},
    "records": {"spectra"},
    "headlines": {"spectra", "records"},
    "web": {"records", "headlines"},
    "runtime": {"records", "web"},
    "measuring": {"spectra", "probes", "records", "data", "web"},
    "training": {"probes", "records", "spectra", "runtime"},
    "experiments": {
        *("spectra", "tasks", "data", "models", "probes", "records", "headlines", "runtime"),
        "training",
    },
    # Of the command `spectral-tf`.
    "commands": {"spectra", "data", "models", "records", "web", "measuring", "runtime"},
}
FILES = sorted((ROOT / "spectral_tf").glob("*/**/*.py"))


def room_of(file):
    return file.relative_to(ROOT / "spectral_tf").parts[0]


def modules_of(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the room"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-2:]))
def test_no_import_points_upward(file):
    room = room_of(file)
    for module in modules_of(ast.parse(file.read_text())):
        parts = module.split(".")
        if parts[0] == "spectral_tf" and len(parts) > 1 and parts[1] in ALLOWED:
            assert parts[1] == room or parts[1] in ALLOWED[room], f"{file.name} imports {module}"
        if parts[0] == "matplotlib" and parts[1:] != ["cbook"]:  # It holds a photograph.
            assert room == "records", "only records draws"
        if parts[:1] == ["absl"]:
            assert parts[1:2] in ([], ["logging"]) or room == "runtime", "flags stay in launchers"


def test_every_room_is_under_the_rule():
    assert {room_of(file) for file in FILES} == set(ALLOWED)


def test_the_measuring_core_and_the_checks_load_no_tensorflow():
    code = (
        "import sys, spectral_tf.spectra, spectral_tf.tasks, spectral_tf.data, spectral_tf.models, "
        "spectral_tf.measuring.measure, spectral_tf.measuring.comparison, "
        "spectral_tf.records, spectral_tf.runtime, spectral_tf.experiments.classification; "
        "print([m for m in ('tensorflow', 'keras', 'matplotlib') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr
