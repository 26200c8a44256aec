"""What an experiment does and which flags it has: for `--help`, documents and reports alike."""

from __future__ import annotations

import contextlib
import copy
import re
import runpy
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

from absl import flags

from spectral_tf import catalogue, program
from spectral_tf.records.flagfile import flag_text
from spectral_tf.runtime.flags import (
    DEVICES,
    IMAGES,
    NETWORK,
    NOT_CONFIGURATION,
    RUN,
    SUBJECT,
    TRAINING,
)

OWN = "Experiment"
# Those that several experiments share come after an experiment's own, in this order.
SHARED = (SUBJECT, NETWORK, TRAINING, IMAGES, RUN, DEVICES)

EXIT_STATUS = {
    0: "The run is finished; or its trainings are left to the other processes that share them.",
    1: "A defect of this package, with a traceback: please report it.",
    2: "A mistake in flags or data, or what the machine refuses (disk, memory), told in one line.",
    75: "Another host is gone; the same command on all hosts goes on from the last saved state.",
    130: "Interrupted (Ctrl-C); the same command goes on, or starts over.",
    137: "Killed: by the system, for want of memory, or since other hosts did not come together.",
    143: "Ended by SIGTERM; the same command goes on from the last saved state.",
}


class FlagEntry(NamedTuple):
    """One flag.

    Attributes:
      name: without dashes.
      kind: integer, number, text, list, choice, or switch (--NAME and --noNAME).
      default: as a flagfile has it; of a switch yes or no; "" where the help tells it.
      help: a noun phrase, with its unit.
      values: that are allowed, in words; "" if the kind says all.
    """

    name: str
    kind: str
    default: str
    help: str
    values: str

    def told(self) -> str:
        """Help, values and default in sentences."""
        facts = [self.values] if self.values else []
        facts += [f"default: {self.default}"] if self.default else []
        after = "; ".join(facts)
        return f"{self.help} {after[:1].upper()}{after[1:]}." if facts else self.help


class FlagGroup(NamedTuple):
    """Flags under one heading."""

    heading: str
    flags: list[FlagEntry]


def flag_groups() -> list[FlagGroup]:
    """The flags of the experiment that defined them in this process, its own first."""
    groups: dict[str, list[FlagEntry]] = {}
    for flag in _flags():
        groups.setdefault(getattr(flag, "group", OWN), []).append(entry(flag))
    order = [heading for heading in groups if heading not in SHARED]
    order += [heading for heading in SHARED if heading in groups]
    return [FlagGroup(heading, groups[heading]) for heading in order]


def flag_groups_of(experiment: str) -> list[FlagGroup]:
    """The flags of any experiment; no other may have defined flags in this process."""
    with _loaded(experiment):
        return flag_groups()


def defaults() -> dict[str, str]:
    """What the experiment's flags are if nothing is said: {name: text, as `read_flags`}."""
    found = {}
    for flag in _flags():
        if flag.name not in NOT_CONFIGURATION:
            plain = copy.deepcopy(flag)
            plain.value = plain.default
            found[flag.name] = flag_text(plain.serialize())
    return found


def defaults_of(experiment: str) -> dict[str, str] | None:
    """Those of any experiment, as `flag_groups_of`; None of what is none."""
    if experiment not in catalogue.EXPERIMENTS:
        return None
    with _loaded(experiment):
        return defaults()


@contextlib.contextmanager
def _loaded(experiment: str) -> Iterator[None]:
    """Within it the flags of an experiment are there: its file is loaded for it."""
    before = set(flags.FLAGS)
    runpy.run_path(str(program.folder() / f"{experiment}.py"), run_name=experiment)
    try:
        yield
    finally:
        flags.FLAGS.remove_flag_values(set(flags.FLAGS) - before)


def _flags() -> list[Any]:
    """Those of absl that the experiment of this process has, its own and shared ones."""
    module = flags.FLAGS.find_module_defining_flag("workdir")
    return list(flags.FLAGS.get_key_flags_for_module(module))


def entry(flag: Any) -> FlagEntry:
    """What is told of a flag of absl."""
    kind, values = _kind(flag)
    if flag.default is None or flag.default in ("", []):
        default = ""
    elif kind == "switch":
        default = "yes" if flag.default else "no"
    else:
        default = _text(flag)
    text = flag.help.partition(">: ")[2] if kind == "choice" else flag.help  # absl lists them, too.
    return FlagEntry(flag.name, kind, default, text, values)


def _text(flag: Any) -> str:
    if isinstance(flag.default, list):
        return ",".join(map(str, flag.default))
    return f"{flag.default:g}" if isinstance(flag.default, float) else str(flag.default)


def _kind(flag: Any) -> tuple[str, str]:
    """Kind and values of a flag."""
    parser = flag.parser
    if flag.boolean:
        return "switch", ""
    if isinstance(parser, flags.EnumParser):
        *others, last = parser.enum_values
        return "choice", f"one of {', '.join(others)} and {last}"
    if isinstance(parser, flags.ListParser):
        return "list", ""
    if isinstance(parser, flags.FloatParser):
        return "number", getattr(flag, "values", "")
    if not isinstance(parser, flags.IntegerParser):
        return "text", ""
    low, high = parser.lower_bound, parser.upper_bound
    if low is not None and high is not None:
        return "integer", f"{low:,} to {high:,}"
    return "integer", "" if low is None else f"{low:,} or more"


# Of absl, for every experiment.
_OF_ALL = FlagGroup(
    "All experiments",
    [
        FlagEntry(
            "flagfile", "text", "", "File of flags, one a line, such as a run's run.flags.", ""
        ),
        FlagEntry("alsologtostderr", "switch", "no", "Progress on the screen, line by line.", ""),
        FlagEntry(
            "verbosity",
            "integer",
            "0",
            "Amount of it: -1 warnings, 0 progress, 1 also TensorFlow's own start-up lines.",
            "",
        ),
        FlagEntry("help", "switch", "", "This page; also -h and --helpshort.", ""),
        FlagEntry("helpfull", "switch", "", "This page, and all flags of the libraries.", ""),
    ],
)

NO_RESULTS = (
    "results/ is in the repository, not in the installed package: bring the file from there, or "
    "give its flags"
)


def page(width: int | None = None) -> str:
    """The manual page of the experiment that this process runs.

    Args:
      width: of a line, in characters; default: the terminal's.
    """
    width = min(width or shutil.get_terminal_size().columns - 1, 100)
    name = program.experiment()
    title, *about = _paragraphs(sys.modules["__main__"].__doc__ or "")
    command = next((i for i, text in enumerate(about) if text.startswith(" ")), len(about))
    of = catalogue.EXPERIMENTS.get(name)
    lines = _filled(f"{name}: {of.question}" if of else name, width, "", "")
    lines += ["", f"  {program.command(name)} [--FLAG=VALUE ...]", ""]
    for text in (title, *about[:command]):
        lines += [*_shown(text, width), ""]
    for group in (*flag_groups(), _OF_ALL):
        lines.append(group.heading)
        for entry in group.flags:
            lines += _entry_lines(entry, width)
        lines.append("")
    lines.append("Exit status")
    for status, meaning in EXIT_STATUS.items():
        lines += textwrap.wrap(
            meaning, width, initial_indent=f"  {status:<6}", subsequent_indent=" " * 8
        )
    lines += ["", "Examples", ""]
    for text in about[command:]:
        lines += [*_shown(text, width), ""]
    if not program.results():
        lines += _filled(f"{NO_RESULTS}.", width, "", "")
    return "\n".join(lines).rstrip()


def _paragraphs(text: str) -> list[str]:
    return [part for part in textwrap.dedent(text).strip().split("\n\n") if part]


def _shown(text: str, width: int) -> list[str]:
    """A paragraph in lines of a width; commands as they are, but for how experiments are called."""
    if text.startswith(" "):
        return [_as_called(line) for line in text.split("\n")]
    items = ("\n" + text).split("\n* ") if text.startswith("* ") else ["", text]
    bullet = "* " if text.startswith("* ") else ""
    lines: list[str] = []
    for item in items[1:]:
        lines += _filled(item, width, bullet, " " * len(bullet))
    return lines


def _as_called(line: str) -> str:
    """A line with the commands in it as the user calls experiments."""
    return re.sub(r"python launchers/(\w+)\.py", lambda found: program.command(found[1]), line)


def _filled(text: str, width: int, first: str, after: str) -> list[str]:
    """A text in lines; words with hyphens stay whole, long lists break after commas."""
    words = re.sub(r"\S{20,}", lambda of: of[0].replace(",", ",\v"), " ".join(text.split()))
    lines = textwrap.wrap(
        words,
        width,
        initial_indent=first,
        subsequent_indent=after,
        replace_whitespace=False,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace("\v", "") for line in lines]


_FORMS = {"integer": "INTEGER", "number": "NUMBER", "list": "LIST", "text": "TEXT"}


def _entry_lines(entry: FlagEntry, width: int) -> list[str]:
    if entry.kind == "switch":
        form = f"--{entry.name}" if entry.name.startswith("help") else f"--[no]{entry.name}"
    else:
        form = f"--{entry.name}={_FORMS.get(entry.kind, 'NAME')}"
    return [f"  {form}", *_filled(entry.told(), width, " " * 6, " " * 6)]


class _PageFlag(flags.BooleanFlag):
    """A flag that prints the manual page and ends the process."""

    def __init__(self, name: str, short: str | None = None, *, full: bool = False) -> None:
        self._full = full
        super().__init__(name, False, "this manual page", short_name=short)

    def parse(self, arg: Any) -> None:
        if not self._parse(arg):
            return
        print(page())
        if self._full:
            print("\nFlags of the libraries\n")
            print(flags.FLAGS.get_help(include_special_flags=False))
        sys.exit(0)


def define_help() -> None:
    """Puts the manual page in the place of absl's help."""
    before = ("help", "h", "?", "helpshort", "helpfull")
    flags.FLAGS.remove_flag_values([name for name in before if name in flags.FLAGS])
    flags.DEFINE_flag(_PageFlag("help", "h"))
    flags.DEFINE_flag(_PageFlag("helpshort"))
    flags.DEFINE_flag(_PageFlag("helpfull", full=True))
