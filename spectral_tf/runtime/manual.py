"""What an experiment does and which flags it has: for `--help` and for the documents alike."""

from __future__ import annotations

import pathlib
import runpy
import shutil
import sys
import textwrap
from typing import Any, NamedTuple

from absl import flags

from spectral_tf import catalogue, program
from spectral_tf.runtime.flags import DEVICES, IMAGES, NETWORK, RUN, SUBJECT, TRAINING

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
    module = flags.FLAGS.find_module_defining_flag("workdir")
    groups: dict[str, list[FlagEntry]] = {}
    for flag in flags.FLAGS.get_key_flags_for_module(module):
        groups.setdefault(getattr(flag, "group", OWN), []).append(_entry(flag))
    order = [heading for heading in groups if heading not in SHARED]
    order += [heading for heading in SHARED if heading in groups]
    return [FlagGroup(heading, groups[heading]) for heading in order]


def flag_groups_of(experiment: str) -> list[FlagGroup]:
    """The flags of any experiment.

    Its file is loaded for it, and its flags are gone again afterwards. No experiment may have
    defined flags in this process before.
    """
    before = set(flags.FLAGS)
    runpy.run_path(str(program.folder() / f"{experiment}.py"), run_name=experiment)
    try:
        return flag_groups()
    finally:
        flags.FLAGS.remove_flag_values(set(flags.FLAGS) - before)


def _entry(flag: Any) -> FlagEntry:
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
