"""The run folder: refused when foreign, resumed when unfinished, left alone when finished."""

import contextlib
import dataclasses
import datetime
import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, cast

from absl import logging
from etils import epath

from spectral_tf import storage
from spectral_tf.errors import UserError
from spectral_tf.records.flagfile import FLAGFILE, flag_name, grows, read_lines
from spectral_tf.records.identity import DATA, Identity
from spectral_tf.records.json_values import json_value
from spectral_tf.records.locks import Held, lock
from spectral_tf.records.small_files import read_json, reading
from spectral_tf.storage import (
    as_path,
    atomic_write,
    digest,
    files_under,
    is_local,
    is_temporary,
    reason,
    remove,
    try_to_write,
)

_SUMMARY, _ENVIRONMENT = "summary.json", "environment.json"
_FILES = "files_sha256"
# What is told of a record of a start that is not whole.
_ANEW = "it is written anew, with this start as the first"
# Of `environment.json`: how TensorBoard calls the run, as its first start has named it.
_BOARD_NAME = "tensorboard_run"
# All that a run has measured.
FOUND = "found.npz"
# The page that tells all of it; made again at any time, so that a run is finished without it, too.
REPORT = "report.html"


@dataclasses.dataclass(frozen=True)
class Part:
    """One of several trainings of a run: its state and its events, under a name of their own."""

    state_file: epath.Path
    tensorboard: epath.Path
    writes: bool
    identity: Identity

    @contextlib.contextmanager
    def alone(self, *, wait: bool = False) -> Iterator[None]:
        """Within it no other process works in this part.

        Args:
          wait: until no other does.

        Raises:
          UserError: one does.
        """
        if not self.writes:
            yield
            return
        folder = self.state_file.parent
        storage.refuse_lost(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with lock(folder / ".lock", wait=wait):
            yield


class RunFolder:
    """One run's folder.

    `run.flags` (repeats the run), `environment.json`, CSV tables, `summary.json` (written last: a
    folder with it is finished), `figures/`, `tensorboard/`, `checkpoints/`.

    Args:
      path: the folder; need not exist.
      configuration: {flag name: line of a flagfile} of everything that decides the numbers.
      overwrite: remove the run that the folder holds.
      writes: whether this process writes (the chief does); others only read.
      growing: names of flags whose lists may get longer, or numbers larger, than those the run
        began with: what is computed for one value does not depend on the others.
      experiment: whose run it is; TensorBoard's name of the run begins with it.
      then: is called with the path when the run is finished, on the host that writes.

    Raises:
      UserError: the folder holds another configuration (the flags that differ are named) or
        something that is not a run, or it cannot be written. Nothing is written before `start`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        configuration: Mapping[str, str],
        *,
        overwrite: bool = False,
        writes: bool = True,
        growing: Collection[str] = (),
        experiment: str = "",
        then: Callable[[epath.Path], object] | None = None,
    ) -> None:
        if not str(path):
            raise UserError(
                "workdir", expected="a folder", got="nothing", hint="name one, or leave it out"
            )
        self.path = as_path(path, "workdir")
        self.writes = writes
        self._configuration = configuration
        self._overwrite = overwrite
        self._growing = growing
        self._then = then
        self._board_name = board_name(experiment, self.path.name) if experiment else ""
        self._lock: Held | None = None
        self._environment: Mapping[str, Any] = {}
        if not writes:
            return
        try:
            self._refuse_foreign()
            if not overwrite:
                self._refuse_other_flags()
            finished = self.finished
        except OSError as error:
            raise UserError(
                "workdir",
                expected="a folder that can be read",
                got=f"{self.path} ({reason(error)})",
                hint="name another folder or mend its permissions",
            ) from error
        if not finished:  # Nothing is written into one that is; it may lie on a read-only disk.
            self.refuse_unwritable()

    def start(self, environment: Mapping[str, Any], *, alone: bool = True) -> None:
        """Takes the folder: makes and locks it, writes `run.flags` and `environment.json`.

        A resumed run keeps the time of its first start.

        Args:
          environment: what `environment.json` is to hold.
          alone: whether no other process may work in the folder until this one ends; without,
            several can that say so, each in parts of its own. Who overwrites must be alone.

        Raises:
          UserError: another process works in it, or it cannot be written.
        """
        self._environment = environment
        if not self.writes:
            return
        try:
            with self._starting():
                # Held until the process ends.
                self._lock = lock(self.path / ".lock", shared=not (alone or self._overwrite))
                storage.let_go(self.path)
                self._write_start(environment)
                storage.hold(self.path, self._lock, FLAGFILE)
            if not alone:
                self._lock.share()
        except OSError as error:
            raise self._unwritable(error) from error
        if not is_local(self.path):
            logging.info(
                "%s: files appear there whole, and a lease that is renewed every few seconds keeps "
                "other processes out; it does not keep out one that was suspended for minutes and "
                "woke up, and deleting the folder deletes the lease",
                self.path,
            )

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Within it no other process works in the folder.

        Raises:
          UserError: one does.
        """
        try:
            held = lock(self.path / ".lock")
        except OSError as error:
            raise self._unwritable(error) from error
        with held:
            yield

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        """Makes the folder; within it no other process starts there."""
        for _ in range(100):
            self.path.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # Another one tried to write, and left.
                starting = lock(self.path / ".lock.start", wait=True)
                break
            time.sleep(0.01)
        with starting:
            yield

    def _write_start(self, environment: Mapping[str, Any]) -> None:
        if self._overwrite:
            self._remove_run()
            self._overwrite = False
        before = self._environment_before()
        self._refuse_other_data(before.get("data", {}), environment.get("data", {}))
        if not self.same_flags:
            for name in (_SUMMARY, FOUND, REPORT):  # They are of the flags of before.
                (self.path / name).unlink(missing_ok=True)
            with atomic_write(self.path / FLAGFILE) as temporary:
                temporary.write_text("".join(f"{line}\n" for line in self._lines))
        first = {"start_utc": before["start_utc"]} if "start_utc" in before else {}
        if before:  # Runs of before have no name there: their events lie in the folder itself.
            self._board_name = str(before.get(_BOARD_NAME, ""))
        named = {_BOARD_NAME: self._board_name} if self._board_name else {}
        self._environment = {**environment, **first, **named}
        self._write_json(_ENVIRONMENT, self._environment)

    def _environment_before(self) -> dict[str, Any]:
        """What an earlier start has recorded; nothing if that cannot be read."""
        file = self.path / _ENVIRONMENT
        if not file.exists():
            return {}
        try:
            with reading(file, f"workdir={self.path}", "a record of a start", _ANEW):
                before = read_json(file, f"workdir={self.path}", _ANEW)
                dict(before.get("data", {}))
                return before
        except UserError as error:
            logging.warning("%s", error)
            return {}

    def _refuse_other_data(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """A name of a data set, which is all that flags hold, may come to mean other images."""
        wrong = [name for name in DATA & before.keys() & now.keys() if before[name] != now[name]]
        if wrong and self._computed:
            raise UserError(
                f"workdir={self.path}",
                expected=f"the data that its run began with ({_told(before, wrong)})",
                got=_told(now, wrong),
                hint="bring those data back, or name another --workdir",
            )

    @property
    def _computed(self) -> bool:
        """Whether the folder holds more than the record of a start."""
        return (
            (self.path / _SUMMARY).exists()
            or any(self.path.glob("*.csv"))
            or any(
                "." in f.name and f.name[0] != "." for f in files_under(self.path / "checkpoints")
            )
        )

    def refuse_unwritable(self) -> None:
        """Tries to write and leaves no trace of it.

        Raises:
          UserError: it cannot be written.
        """
        try:
            try_to_write(self.path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            "workdir",
            expected="a folder that can be written",
            got=f"{self.path} ({reason(error)})",
            hint="name another folder or mend its permissions",
        )

    def _refuse_foreign(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise UserError(
                "workdir", expected="a folder", got=f"the file {self.path}", hint="name another"
            )
        strangers = self.path.is_dir() and [
            entry.name
            for entry in self.path.iterdir()
            if not entry.name.startswith(".lock") and not is_temporary(entry.name)
        ]
        for name in (_SUMMARY, _ENVIRONMENT, FLAGFILE):
            if (self.path / name).is_dir():
                raise UserError(
                    f"workdir={self.path}",
                    expected=f"{name} to be a file, or not there",
                    got="a folder of that name",
                    hint="move it elsewhere, or name another --workdir",
                )
        if strangers and not (self.path / FLAGFILE).is_file():
            raise UserError(
                "workdir",
                expected="a new or empty folder, or one with a run of this launcher",
                got=f"{self.path} with {strangers[0]} and no {FLAGFILE}",
                hint="name another folder",
            )

    def _refuse_other_flags(self) -> None:
        if not (self.path / FLAGFILE).exists():
            return
        lines = read_lines(self.path)
        present, wanted = set(lines) - set(self._lines), set(self._lines) - set(lines)
        grown = {name for name in self._growing if grows(name, present, wanted)}
        present, wanted = (
            {line for line in side if flag_name(line) not in grown} for side in (present, wanted)
        )
        # A start that was refused later than here keeps nobody from starting otherwise.
        if (present or wanted) and self._computed:
            raise UserError(
                f"workdir={self.path}",
                expected=f"its own flags ({' '.join(sorted(present)) or 'fewer'})",
                got=" ".join(sorted(wanted)) or "fewer flags",
                hint=f"--flagfile={self.path / FLAGFILE} gives its own; or name another --workdir",
            )

    @property
    def _lines(self) -> list[str]:
        return [line for _, line in sorted(self._configuration.items())]

    @property
    def same_flags(self) -> bool:
        """Whether the folder holds a run of these very flags."""
        if not (self.path / FLAGFILE).exists():
            return False
        return sorted(read_lines(self.path)) == sorted(self._lines)

    def _remove_run(self) -> None:
        for name in ("figures", "tensorboard", "checkpoints"):
            remove(self.path / name)
        # Its flags last: until then the folder is still known as a run.
        made = [file for kind in ("csv", "npz") for file in self.path.glob(f"*.{kind}")]
        for file in (self.path / _SUMMARY, self.path / REPORT, *made, self.path / _ENVIRONMENT):
            file.unlink(missing_ok=True)
        (self.path / FLAGFILE).unlink(missing_ok=True)

    @property
    def figures(self) -> epath.Path:
        """The folder of PNG files."""
        return self.path / "figures"

    @property
    def events(self) -> epath.Path:
        """The folder of all event files."""
        return self.path / "tensorboard"

    @property
    def tensorboard(self) -> epath.Path:
        """The folder of the run's own event files; after `start`.

        Its name is what TensorBoard shows, and that of the run's first start: a run that is
        resumed goes on in the same one, also if the run folder is called otherwise by now.
        """
        return self.events / self._board_name

    @property
    def started(self) -> float | None:
        """When the run was first started, in seconds since 1970; after `start`."""
        with contextlib.suppress(ValueError):
            told = datetime.datetime.fromisoformat(str(self._environment.get("start_utc")))
            return told.timestamp()
        return None

    @property
    def state_file(self) -> epath.Path:
        """The file that an unfinished run resumes from."""
        return self.path / "checkpoints" / "state.npz"

    def part(self, name: str) -> Part:
        """Where one of several trainings keeps its state and its events."""
        return Part(
            self.path / "checkpoints" / name / "state.npz",
            self.tensorboard / name,
            self.writes,
            self._identity(name),
        )

    @property
    def identity(self) -> Identity:
        """What decides the numbers of a training that is the run's only one; after `start`."""
        return self._identity()

    def _identity(self, part: str = "") -> Identity:
        return Identity.of(self._environment, self._configuration, self._growing, part)

    @property
    def finished(self) -> bool:
        """Whether the run was carried to its end; one that is to be overwritten is not."""
        if self._growing and not self.same_flags:
            return False
        try:
            self.summary()
        except UserError as error:  # Without a whole summary it is made again.
            if _refused_by_system(error.__cause__):
                raise cast(OSError, error.__cause__) from error
            return False
        return not self._overwrite

    def finish(
        self,
        summary: Mapping[str, Any],
        wall_seconds: float,
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Adds the seconds to `environment.json` and writes `summary.json`; call it last.

        The seconds are those of training and measuring, over all resumptions. The summary marks the
        run as finished. `inf` becomes "never" and NaN null in it, since JSON has neither.

        Args:
          summary: headline numbers.
          wall_seconds: of the whole run.
          files: {name: SHA-256} of what its report has written, for `altered`.
        """
        self.withdraw_page()
        environment = self._environment_before()
        self._write_json(_ENVIRONMENT, {**environment, "wall_seconds": round(wall_seconds, 1)})
        record = {_FILES: dict(files)} if files else {}
        self._write_json(_SUMMARY, {**summary, **record})
        if self._then and self.writes:
            self._then(self.path)

    def withdraw_page(self) -> None:
        """Takes away the page of an earlier report, before anything of a new one is written.

        So no kill leaves a page beside numbers that it does not tell; one that is missing is made
        when the run's command is started again.
        """
        if self.writes:
            (self.path / REPORT).unlink(missing_ok=True)

    def reopen(self) -> None:
        """From now on the run is unfinished again, and goes on from its saved states."""
        if self.writes:
            (self.path / _SUMMARY).unlink(missing_ok=True)

    def altered(self) -> list[str]:
        """Files of the report of a finished run that are gone, or are not what it has written.

        Summaries of before know of no files.
        """

        def same(name: str, wanted: str) -> bool:
            with contextlib.suppress(OSError):
                return digest(self.path / name) == wanted
            return False

        written = self.summary().get(_FILES, {})
        if not isinstance(written, dict):
            return [_SUMMARY]
        return [name for name, wanted in written.items() if not same(name, wanted)]

    def summary(self) -> dict[str, Any]:
        """Reads `summary.json`.

        Raises:
          UserError: it is not there, or not whole.
        """
        again = "start the command of that run again, which makes it anew of what was measured"
        return read_json(self.path / _SUMMARY, f"run folder {self.path}", again)

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        if not self.writes:
            return
        with atomic_write(self.path / name) as temporary:
            text = json.dumps(json_value(content), indent=2, allow_nan=False)
            temporary.write_text(text + "\n")


def _refused_by_system(error: BaseException | None) -> bool:
    """Whether a file may be there and whole, but cannot be read now."""
    of_the_file = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
    return isinstance(error, OSError) and not isinstance(error, of_the_file)


def board_name(experiment: str, case: str) -> str:
    """How TensorBoard calls a run.

    Args:
      experiment: that it is of.
      case: the last part of its folder's path.

    >>> board_name("lf_first", "equal"), board_name("lf_first", "lf_first_equal")
    ('lf_first_equal', 'lf_first_equal')
    """
    return case if experiment in case else "_".join(filter(None, (experiment, case)))


def experiment_of(folder: epath.Path) -> str:
    """The experiment whose run a folder holds; "" if it does not say."""
    for name in (_ENVIRONMENT, _SUMMARY):
        with contextlib.suppress(UserError):
            if experiment := read_json(folder / name, "").get("experiment"):
                return str(experiment)
    return ""


def _told(data: Mapping[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {data[name]}" for name in sorted(names))
