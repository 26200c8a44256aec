"""The arguments of an experiment: parsed, and each mistake told with what was probably meant."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

from absl import flags

from spectral_tf import catalogue, program, storage
from spectral_tf.errors import UserError, nearest
from spectral_tf.records import flagfile, former_names
from spectral_tf.records.folder import experiment_of
from spectral_tf.runtime import manual

# What a value of a kind of flag is, in words.
_KINDS = {
    "integer": "a whole number",
    "number": "a finite number",
    "switch": "true or false",
    "list": "words separated by commas",
}


def parse(arguments: Sequence[str]) -> list[str]:
    """Parses the flags of the experiment that this process runs.

    Args:
      arguments: as in `sys.argv`.

    Returns:
      the arguments that are no flags, the first of all arguments among them.

    Raises:
      UserError: a flag that there is not, a value that it does not take, or a flagfile that is
        missing or of another experiment.
    """
    for before, now in former_names.FLAGS.items():
        if now in flags.FLAGS and before not in flags.FLAGS:
            flags.DEFINE_alias(before, now)  # Of older flagfiles; in no run.flags.
    manual.define_help()
    given, files = _fetched(arguments)
    try:
        rest = list(flags.FLAGS(given))
    except flags.UnrecognizedFlagError as error:
        mistake = _unknown(error.flagname, files)
        _refuse_flags_of_another(files)
        raise mistake from error
    except flags.IllegalFlagValueError as error:
        raise _illegal(str(error)) from error
    except flags.Error as error:
        raise UserError("flags", expected="--FLAG=VALUE", got=str(error), hint=_see()) from error
    if len(rest) > 1:
        raise UserError("arguments", expected="flags only", got=repr(rest[1]), hint=_see())
    return rest


def _see() -> str:
    return f"see {program.called()} --help"


def _fetched(arguments: Sequence[str]) -> tuple[list[str], dict[str, set[str]]]:
    """The arguments with flagfiles that lie on this machine, and {flagfile: flags in it}."""
    given = list(arguments[:1])
    files: dict[str, set[str]] = {}
    for before, argument in itertools.pairwise([*arguments, "--"]):
        name, equals, value = argument.partition("=")
        if argument.startswith("--") and _wants_value(before):
            got = "nothing" if argument == "--" else argument
            raise UserError(before, expected="a value", got=got, hint=_see())
        if equals and name.lstrip("-") == "flagfile":
            here, files[value] = _read(value)
            argument = f"{name}={here}"
        elif before in ("--flagfile", "-flagfile"):
            argument, files[argument] = _read(argument)
        given.append(argument)
    return given[:-1], files


def _wants_value(argument: str) -> bool:
    """Whether the next argument is the value of this one."""
    name = argument.removeprefix("--")
    if name == "flagfile":
        return True
    return name != argument and name in flags.FLAGS and not flags.FLAGS[name].boolean


def _read(file: str) -> tuple[str, set[str]]:
    """Where a flagfile is on this machine, and the names of the flags in it.

    Raises:
      UserError: it cannot be read, or a run of another experiment has written it.
    """
    path = storage.as_path(file, "--flagfile")
    try:
        here = str(path) if storage.is_local(file) else str(storage.here(file))
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        told = (error.strerror or str(error)) if isinstance(error, OSError) else "no text"
        away = file.startswith("results/") and not program.results()
        raise UserError(
            "--flagfile",
            expected="a file of flags, one a line",
            got=f"{file} ({told})",
            hint=manual.NO_RESULTS if away else "name the run.flags of a run",
        ) from error
    of = experiment_of(path.parent) if path.name == flagfile.FLAGFILE else ""
    if of in catalogue.EXPERIMENTS and of != program.experiment():
        raise _of_another(file, [of])
    current = [former_names.current_line(line.strip()) for line in lines]
    return here, {flagfile.flag_name(line) for line in current if line.startswith("--")}


def _of_another(file: str, experiments: Sequence[str]) -> UserError:
    return UserError(
        "--flagfile",
        expected=f"flags of {program.experiment()}",
        got=f"those of {' or '.join(experiments)} ({file})",
        hint=f"say {program.command(experiments[0])} --flagfile={file}",
    )


def _refuse_flags_of_another(files: Mapping[str, set[str]]) -> None:
    """Raises a UserError for a flagfile whose flags are all those of other experiments.

    It is the last that this process does with its flags: those of all experiments are looked at.
    """
    own = set(flags.FLAGS)
    if all(names <= own for names in files.values()):
        return
    flags.FLAGS.remove_flag_values(
        [f.name for f in flags.FLAGS.get_key_flags_for_module(_module())]
        + [name for name in former_names.FLAGS if name in flags.FLAGS]
    )
    every = {
        name: {e.name for group in manual.flag_groups_of(name) for e in group.flags}
        for name in catalogue.EXPERIMENTS
    }
    for file, names in files.items():
        if not names <= own and (fitting := [n for n in every if names <= every[n] | own]):
            raise _of_another(file, fitting)


def _module() -> str:
    return flags.FLAGS.find_module_defining_flag("workdir")


def _unknown(name: str, files: Mapping[str, set[str]]) -> UserError:
    """The error of a flag that this experiment does not have."""
    file = next((file for file, names in files.items() if name.removeprefix("no") in names), "")
    otherwise = f"leave that line out; {_see()}" if file else _see()
    return UserError(
        f"{file}: --{name}" if file else f"--{name}",
        expected=f"a flag of {program.experiment()}",
        got="an unknown one",
        hint=nearest(f"--{name}", [f"--{known}" for known in flags.FLAGS], otherwise),
    )


def _illegal(line: str) -> UserError:
    """The error of a value that a flag does not take, made of absl's line."""
    found = re.search(r"flag --(\w+)=(.*?): (.*)", line, re.S)
    if not found or found[1] not in flags.FLAGS:
        return UserError("flags", expected="--FLAG=VALUE", got=line, hint=_see())
    name, value, reason = found.groups()
    entry = manual.entry(flags.FLAGS[name])
    joined = " of " if entry.kind == "number" else ", "
    expected = joined.join(filter(None, (_KINDS.get(entry.kind, ""), entry.values)))
    if reason.startswith("expected ") and "finite" not in reason:
        expected = reason.removeprefix("expected ")
    known = getattr(flags.FLAGS[name].parser, "enum_values", ())
    return UserError(
        f"--{name}", expected=expected or "a value", got=value, hint=nearest(value, known, _see())
    )
