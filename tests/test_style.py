"""Lint, format, types and what docstrings say of errors are part of the one test command."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)],
    ids=" ".join,
)
def test_the_tool_has_nothing_to_say(command):
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr


def tells(node):
    """Whether a docstring says what is raised."""
    words = ast.get_docstring(node) or ""
    return "Raises:" in words or words.startswith("Raises ")


def raised(node, private, seen):
    """What a function raises itself, or by private ones of its class and module: lines.

    Not what it passes on, nor what Python itself wants of a name that is not there.
    """
    for part in ast.walk(node):
        if isinstance(part, ast.Raise) and part.exc:
            if not ast.unparse(part.exc).startswith(("NotImplementedError", "AttributeError")):
                yield part.lineno
        elif isinstance(part, (ast.Name, ast.Attribute)):
            called = private.get(ast.unparse(part).removeprefix("self.").removeprefix("cls."))
            if called and called not in seen:
                yield from raised(called, private, seen | {called})


def silent(tree):
    """Public functions and methods of a module that raise, and neither they nor their class say so.

    Yields:
      its name, the lines that raise.
    """

    def functions(body, private):
        found = [node for node in body if isinstance(node, ast.FunctionDef)]
        return [f for f in found if private == (f.name[0] == "_" and f.name[-2:] != "__")]

    own = {f.name: f for f in functions(tree.body, private=True)}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for part in (tree, *(c for c in classes if c.name[0] != "_" and not tells(c))):
        private = own | {f.name: f for f in functions(part.body, private=True)}
        for function in functions(part.body, private=False):
            lines = sorted(set(raised(function, private, {function})))
            if lines and not tells(function):
                yield f"{getattr(part, 'name', '')}.{function.name}".lstrip("."), lines


def test_public_names_say_what_they_raise():
    found = [
        f"{file.relative_to(ROOT)}: {name} (lines {lines})"
        for file in sorted((ROOT / "spectral_tf").rglob("*.py"))
        for name, lines in silent(ast.parse(file.read_text()))
    ]
    assert not found, "\n".join(found)


def test_one_that_does_not_would_be_seen():
    code = """
def _refuse(x):
    raise ValueError(x)
def told(x):
    'Raises a ValueError.'
    _refuse(x)
def by_another(x):
    _refuse(x)
class Thing:
    'It is.'
    def __init__(self):
        self._check()
    def _check(self):
        raise ValueError
    def passes_on(self):
        try:
            self.x
        except AttributeError:
            raise
class Other:
    'It is. Raises: ValueError.'
    def __init__(self):
        raise ValueError
"""
    assert list(silent(ast.parse(code))) == [("by_another", [3]), ("Thing.__init__", [14])]
