"""The command `spectral-tf`: experiments by their names, and what can be done with their results.

A command is a module of this package with a function `main(arguments) -> exit status`; the first
line of its docstring is what the list says of it.
"""

from __future__ import annotations

import importlib
import pkgutil
import shutil
import sys
import textwrap
from collections.abc import Sequence

import spectral_tf
from spectral_tf import catalogue, program
from spectral_tf.errors import UserError, nearest

_HELP = ("-h", "--help", "help")
_GAP = "  "


def names() -> list[str]:
    """The commands that are no experiments."""
    return sorted(of.name for of in pkgutil.iter_modules(__path__) if not of.name.startswith("_"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the arguments name, or lists what there is.

    Returns:
      exit status: 0, 2 for a mistake of the user and for what cannot be read or written, 130 if
        interrupted.

    Raises:
      SystemExit: with the status of an experiment, as its own file does.
    """
    first, *others = (sys.argv[1:] if arguments is None else arguments) or _HELP
    try:
        if first in _HELP:
            print(listing(shutil.get_terminal_size().columns))
        elif first == "--version":
            print(f"{program.COMMAND} {spectral_tf.__version__}")
        elif first in catalogue.EXPERIMENTS:
            program.run(first, others)
        elif first in names():
            return int(importlib.import_module(f"{__name__}.{first}").main(others))
        else:
            raise unknown(first)
    except UserError as error:
        print(f"{program.COMMAND}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        from spectral_tf.runtime import failures

        if (line := failures.told(error, "", resumes=False)) is None:
            raise
        print(f"{program.COMMAND}: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program.COMMAND}: interrupted", file=sys.stderr)
        return 130
    return 0


def unknown(word: str) -> UserError:
    """The error of a name that is neither that of an experiment nor of a command."""
    return UserError(
        word,
        expected="an experiment or a command",
        got="neither",
        hint=nearest(
            word.replace("-", "_"),
            [*catalogue.EXPERIMENTS, *names()],
            f"{program.COMMAND} without arguments lists both",
        ),
    )


def listing(width: int) -> str:
    """All experiments in groups, then the commands, in lines of at most so many characters."""
    of_commands = {name: _first_line(name) for name in names()}
    first = max(map(len, [*catalogue.EXPERIMENTS, *of_commands]))
    lines = [f"usage: {program.COMMAND} EXPERIMENT [--FLAG=VALUE ...]"]
    lines += [f"       {program.COMMAND} COMMAND [ARGUMENTS]", ""]
    lines += _wrapped(
        "An experiment writes its tables, figures and report into a folder, --workdir. Minutes are "
        "of its defaults on two cores; in brackets what it reproduces.",
        "",
        width,
    )
    for heading, experiments in catalogue.GROUPS.items():
        lines += ["", f"{heading:<{first + len(_GAP)}}minutes"]
        for of in experiments:
            told = f"{of.question} [{of.published}]" if of.published else of.question
            lines += _wrapped(told, f"{_GAP}{of.name:<{first}}{of.minutes:>7g}{_GAP}", width)
    lines += ["", "Commands"]
    for name, told in of_commands.items():
        lines += _wrapped(told, f"{_GAP}{name:<{first}}{'':7}{_GAP}", width)
    lines += ["", f"{program.COMMAND} NAME --help tells more of each."]
    return "\n".join(lines)


def _wrapped(text: str, before: str, width: int) -> list[str]:
    """A text beside what stands before its first line; at least 30 characters wide."""
    width = max(width - 1, len(before) + 30)
    after = " " * len(before)
    return textwrap.wrap(
        text, width, initial_indent=before, subsequent_indent=after, break_on_hyphens=False
    )


def _first_line(name: str) -> str:
    documented = importlib.import_module(f"{__name__}.{name}").__doc__ or ""
    return documented.strip().partition("\n")[0]
