"""The way into a launcher and out of it: flags parsed, mistakes told in one line."""

import logging as standard_logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from absl import app, flags, logging

from spectral_tf import interrupts, keras_settings, program, progress
from spectral_tf.errors import UserError
from spectral_tf.lazy import NO_TENSORFLOW
from spectral_tf.runtime import arguments, children, cores, failures, peers, startup_lines
from spectral_tf.runtime.cluster import several_hosts
from spectral_tf.runtime.flags import LATER, NOT_CONFIGURATION


def launch(main: Callable[[], int | None]) -> None:
    """Runs a launcher's main function after parsing the flags; never returns.

    A mistake in the flags, a `UserError` or what the machine refuses (`failures`) is printed as one
    line and the exit status is 2. Any other exception is a defect of ours and keeps its traceback.

    Raises:
      SystemExit: when it is over, with the status that `main` gave; 2 after such a line, 130 where
        it was interrupted.
    """
    interrupts.tell()
    name = program.called()

    def parse(given: Sequence[str]) -> Sequence[str]:
        try:
            return arguments.parse(given)
        except UserError as error:
            _refuse(name, str(error))

    def guarded(_: Sequence[str]) -> int | None:
        # Nor does its remark that several ensembles are compiled.
        standard_logging.getLogger("tensorflow").setLevel(standard_logging.ERROR)
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING if flag("quiet") else logging.INFO)
        if told := keras_settings.take_tensorflow():
            logging.info("%s: taken for Keras 3 on TensorFlow in this process", told)
        expand_home()
        try:
            if logging.get_verbosity() <= logging.INFO:  # More of it is asked for by --verbosity=1.
                several = "strategy" in flags.FLAGS and several_hosts(flag("strategy"), flag("tpu"))
                startup_lines.keep_off(several_hosts=several)
            cores.use_onednn()
            progress.show(not flag("quiet"))
            interrupts.watch(_leave)
            with peers.minded():
                return main()
        except UserError as error:
            _refuse(name, with_flags(error))
        except ImportError as error:
            if error.name not in ("tensorflow", "keras", "keras_backend"):
                raise
            _refuse(name, str(error) if error.name == "keras_backend" else NO_TENSORFLOW)
        except Exception as error:
            resumes = "save_every_seconds" in flags.FLAGS
            line = failures.told(error, str(flag("workdir", "")), resumes=resumes)
            if line is None:
                raise
            _refuse(name, line)
        except KeyboardInterrupt:
            interrupts.end()

    app.run(guarded, flags_parser=parse)


def _leave() -> NoReturn:
    """Ends a process that does not come to it by itself."""
    children.end_all()
    peers.leave_at_once(interrupts.LINE, 130)


def expand_home() -> None:
    """Puts the user's folder for ~ into the flags, wherever a path begins with it.

    At the start of a value or of an entry of a list, behind `npz:` or `name=`, and after the colon
    that joins paths: shells do so in few of these places.
    """
    home = os.path.expanduser("~")

    def expanded(text: str) -> str:
        return re.sub(r"(^|[:=])~(?=/|$)", lambda found: found.group(1) + home, text)

    for name in configuration_names():
        value = flags.FLAGS[name].value
        if isinstance(value, str):
            flags.FLAGS[name].value = expanded(value)
        elif isinstance(value, list):
            flags.FLAGS[name].value = [expanded(v) if isinstance(v, str) else v for v in value]


def configuration_names() -> list[str]:
    """The flags of the launcher, those that say where a run is made among them."""
    if "workdir" not in flags.FLAGS:
        return []
    launcher = flags.FLAGS.find_module_defining_flag("workdir")
    return [flag.name for flag in flags.FLAGS.get_key_flags_for_module(launcher)]


def with_flags(error: UserError) -> str:
    """The line of a mistake, with the dashes of the flags that it is about.

    The library names its arguments; launchers have flags of the same names.
    """
    parts = error.subject.split(" and ")
    if not _name_flags(parts):
        parts = [error.subject]  # A path may hold the word, too.
    if not _name_flags(parts):
        return str(error)
    return " and ".join(f"--{part}" for part in parts) + str(error).removeprefix(error.subject)


def _name_flags(parts: Sequence[str]) -> bool:
    return all(part.partition("=")[0] in flags.FLAGS for part in parts)


def _refuse(name: str, line: str) -> NoReturn:
    print(f"{name}: {' '.join(line.split())}", file=sys.stderr)
    sys.exit(2)


def flag(name: str, default: Any = None) -> Any:
    """The value of one of the shared flags; the default if the launcher does not have it."""
    return flags.FLAGS[name].value if name in flags.FLAGS else default


def configuration() -> dict[str, str]:
    """The launcher's flags that decide what is computed: {name: line of a flagfile}.

    One without a value, such as one that older runs do not know, is no line.
    """
    launcher = flags.FLAGS.find_module_defining_flag("workdir")
    return {
        flag.name: flag.serialize()
        for flag in flags.FLAGS.get_key_flags_for_module(launcher)
        # A flag of later versions that is not given leaves the folders of before as they are.
        if flag.name not in NOT_CONFIGURATION
        and flag.value is not None
        and not (flag.name in LATER and flag.value == flag.default)
    }


def settings() -> dict[str, bool | int | float | str]:
    """The same flags with their values, lists joined by commas: what a table of runs shows."""
    values = {name: flags.FLAGS[name].value for name in configuration()}
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else value
        for name, value in values.items()
    }
