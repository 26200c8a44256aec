"""The flags of a run as its folder keeps them."""

import contextlib
import json

from etils import epath

from spectral_tf.records.former_names import current_line

FLAGFILE = "run.flags"


def read_lines(folder: epath.Path) -> list[str]:
    """The lines of a run folder's flagfile, flags by their names of now."""
    text = (folder / FLAGFILE).read_bytes().decode("utf-8", "replace")
    return [current_line(line) for line in text.splitlines()]


def read_flags(folder: epath.Path) -> dict[str, str] | None:
    """{flag name: its text} of a run folder, or None if it holds no run.

    A boolean flag is "true" or "false".
    """
    file = folder / FLAGFILE
    if not file.is_file():
        return None
    return {flag_name(line): flag_text(line) for line in read_lines(folder)}


def flag_text(line: str) -> str:
    """The text of a flag, of a line of a flagfile; "true" or "false" of a boolean one.

    >>> flag_text("--width=256"), flag_text("--nodecay_all"), flag_text("")
    ('256', 'false', '')
    """
    name, given, value = line.removeprefix("--").partition("=")
    return value if given or not line else str(name == flag_name(line)).lower()


def experiment_of(flagfile: epath.Path) -> str | None:
    """The experiment whose run a flagfile repeats, as what lies beside it says; None if nothing."""
    for name in ("summary.json", "environment.json") if flagfile.name == FLAGFILE else ():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            told = json.loads((flagfile.parent / name).read_text()).get("experiment")
            if isinstance(told, str):
                return told
    return None


def flag_name(line: str) -> str:
    """Of a line of a flagfile: --name=value, --name or --noname."""
    name, given, _ = line.removeprefix("--").partition("=")
    return name if given else name.removeprefix("no")


def grows(name: str, before: set[str], now: set[str]) -> bool:
    """Whether a flag that differs holds all its values of before, or a larger number."""
    (old, *_), (new, *_) = (
        [line.partition("=")[2] for line in side if flag_name(line) == name] or [""]
        for side in (before, now)
    )
    if old.isdecimal() and new.isdecimal():
        return int(old) < int(new)
    return set(old.split(",")) < set(new.split(","))
