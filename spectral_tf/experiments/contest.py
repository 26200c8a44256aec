"""Programs that do the same work, each in processes of its own, measured in turn.

A contender is a script that speaks the language of `launchers/peers/peer.py`. It is started with a
number of threads that its libraries are told before they are imported, says when it is ready, and
then sleeps until it is asked for steps. So libraries that do not bear each other in one process
take part in the same rounds, and threads and processes are settings like any other.
"""

import contextlib
import importlib.util
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

import numpy as np
from absl import logging
from etils import epath

from spectral_tf import records
from spectral_tf.errors import UserError
from spectral_tf.progress import track
from spectral_tf.runtime import children

# After a contender has worked: some libraries' threads look for more work for a while.
_PAUSE_SECONDS = 0.2
_SPINNING = "while True: pass"


class Setting(NamedTuple):
    """How a contender is run.

    Attributes:
      processes: beside each other, each with its own part of the work.
      threads: of each.
      members: of each; what has none has 1.
    """

    processes: int
    threads: int
    members: int = 1


class Contender(NamedTuple):
    """A program in several settings.

    Attributes:
      script: to be run by Python.
      options: of the script, in every setting.
      needs: packages; a contender without them does not take part.
      members: numbers that are tried; none for what does not train several at once.
      together: whether it is also tried in a process for each core, of one thread.
    """

    script: pathlib.Path
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    members: tuple[int, ...] = ()
    together: bool = True

    def settings(self, cores: int) -> list[Setting]:
        """One process with all cores, or one for each core, with every number of members."""
        shapes = [(1, cores)] + ([(cores, 1)] if self.together and cores > 1 else [])
        return [Setting(*shape, m) for shape in shapes for m in self.members or (1,)]


class Failed(Exception):
    """A contender's process ended; the message is the last line of what it said."""


class Running:
    """The processes of one contender in one setting, asleep until they are asked.

    Args:
      contender: whose.
      setting: which.

    Attributes:
      versions: of its libraries, in words.
      told: all that the first process said when it was ready.

    Raises:
      Failed: a process ended before it was ready.
    """

    def __init__(self, contender: Contender, setting: Setting) -> None:
        command = [sys.executable, str(contender.script), *contender.options]
        command += ["--serve", f"--threads={setting.threads}"]
        if contender.members:
            command.append(f"--members={setting.members}")
        self._errors: list[IO[bytes]] = []
        self._processes: list[subprocess.Popen[str]] = []
        for number in range(setting.processes):
            self._errors.append(tempfile.TemporaryFile())  # noqa: SIM115  # `close` closes it.
            self._processes.append(
                children.start(
                    [*command, f"--seed={number}"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._errors[-1],
                    text=True,
                )
            )
        try:
            told = [json.loads(self._answer(i, "ready")) for i in range(setting.processes)]
        except BaseException:
            self.close()
            raise
        self.told: dict[str, Any] = told[0]
        self.versions: str = told[0]["versions"]
        self._each: int = told[0]["each"]
        # Steps a second of each process, in quiet and in busy times.
        self._known = {busy: [0.0] * setting.processes for busy in (False, True)}

    def rate(self, seconds: float, busy: bool = False) -> float:
        """Units a second (member-steps, images) of all processes, asked for work at once.

        Each is asked for as many steps as took so long the last time, of which there is one if
        there was none; what the processes make a second while they work is added up.

        Args:
          seconds: how long, about.
          busy: whether these are other times than the usual, in which a step takes longer.

        Raises:
          Failed: a process ended.
        """
        known = self._known[busy]
        if not all(known):
            known[:] = self._measured([1] * len(known))
        known[:] = self._measured([max(1, round(rate * seconds)) for rate in known])
        time.sleep(_PAUSE_SECONDS)
        return self._each * sum(known)

    def rate_of(self, steps: int) -> float:
        """Units a second of all processes, each asked for so many steps at once.

        Raises:
          Failed: a process ended.
        """
        rates = self._measured([steps] * len(self._processes))
        time.sleep(_PAUSE_SECONDS)
        return self._each * sum(rates)

    def _measured(self, steps: Sequence[int]) -> list[float]:
        for process, number in zip(self._processes, steps, strict=True):
            assert process.stdin
            with contextlib.suppress(BrokenPipeError):  # Said when it does not answer.
                process.stdin.write(f"{number}\n")
                process.stdin.flush()
        return [number / float(self._answer(i, "done")) for i, number in enumerate(steps)]

    def _answer(self, number: int, word: str) -> str:
        stream = self._processes[number].stdout
        assert stream
        found, _, rest = stream.readline().partition(" ")
        if found != word:
            self._errors[number].seek(0)
            said = self._errors[number].read().decode(errors="replace").strip().splitlines()
            raise Failed(said[-1] if said else "it ended without a word")
        return rest

    def close(self) -> None:
        """Ends the processes."""
        for process, errors in zip(self._processes, self._errors, strict=True):
            children.end(process)
            errors.close()


class Found(NamedTuple):
    """What was measured.

    Attributes:
      tried: (contender, setting, units a second, why it failed or "") of every setting.
      chosen: {contender: (the best setting, versions of its libraries)}.
      rates: {contender: units a second in every round}.
      busy: the same while other processes keep cores busy; empty if that was not asked for.
    """

    tried: list[tuple[str, Setting, float, str]]
    chosen: dict[str, tuple[Setting, str]]
    rates: dict[str, np.ndarray]
    busy: dict[str, np.ndarray]


def contest(
    contenders: Mapping[str, Contender],
    *,
    cores: int,
    num_rounds: int,
    seconds: float,
    busy_cores: int = 0,
) -> Found:
    """Finds the best setting of each contender, and measures all of them in every round.

    A setting is tried three times for half of the time, and the median counts. Each round begins
    with another contender. One whose packages are missing, that fails in all settings, or in a
    round, is left out with a warning.

    Args:
      contenders: by name.
      cores: to be used.
      num_rounds: in each of which all work in turn.
      seconds: of one measurement.
      busy_cores: if not 0, every round is made once more beside so many processes that do nothing
        but keep a core busy.
    """
    tried: list[tuple[str, Setting, float, str]] = []
    best: dict[str, tuple[float, Setting, Running]] = {}
    with contextlib.ExitStack() as stack:
        for name, contender in _installed(contenders).items():
            for setting in contender.settings(cores):
                try:
                    running = Running(contender, setting)
                    stack.callback(running.close)
                    rate = statistics.median(running.rate(seconds / 2) for _ in range(3))
                except Failed as error:
                    tried.append((name, setting, float("nan"), str(error)))
                    logging.warning("%s, %s: %s", name, setting, error)
                    continue
                tried.append((name, setting, rate, ""))
                logging.info("%s, %s: %.4g a second", name, setting, rate)
                if name not in best:
                    best[name] = (rate, setting, running)
                    continue
                worse = running
                if rate > best[name][0]:
                    worse = best[name][-1]
                    best[name] = (rate, setting, running)
                worse.close()
        rates: dict[str, list[float]] = {name: [] for name in best}
        busy: dict[str, list[float]] = {name: [] for name in best}
        for number in track(range(num_rounds), "round"):
            names = list(best)
            names = names[number % len(names) :] + names[: number % len(names)]
            for name in names:
                _add(rates, name, best, seconds)
            with spinning(busy_cores):
                for name in names if busy_cores else ():
                    _add(busy, name, best, seconds, busy=True)
            for name in names:
                if name not in best:  # It has ended.
                    del rates[name], busy[name]
            logging.info("round %d of %d", number + 1, num_rounds)
        chosen = {name: (setting, running.versions) for name, (_, setting, running) in best.items()}
    return Found(
        tried,
        chosen,
        {name: np.asarray(values) for name, values in rates.items()},
        {name: np.asarray(values) for name, values in busy.items() if busy_cores},
    )


def _add(
    rates: Mapping[str, list[float]],
    name: str,
    best: dict[str, tuple[float, Setting, Running]],
    seconds: float,
    *,
    busy: bool = False,
) -> None:
    """Measures a contender once more; one that fails is not among the best any more."""
    if name in best:
        try:
            rates[name].append(best[name][-1].rate(seconds, busy=busy))
        except Failed as error:
            logging.warning("%s is left out: %s", name, error)
            del best[name]


def _installed(contenders: Mapping[str, Contender]) -> dict[str, Contender]:
    """Those whose packages are there."""
    there = {}
    for name, contender in contenders.items():
        missing = [need for need in contender.needs if importlib.util.find_spec(need) is None]
        if missing:
            logging.warning("%s is left out: no %s is installed", name, " and ".join(missing))
        else:
            there[name] = contender
    return there


@contextlib.contextmanager
def spinning(processes: int) -> Iterator[None]:
    """So many processes beside us that each keep a core busy."""
    with contextlib.ExitStack() as stack:
        for _ in range(processes):
            stack.enter_context(children.child([sys.executable, "-c", _SPINNING]))
        yield


class Row(NamedTuple):
    """A contender in its best setting; what it makes is a second's, medians are over rounds.

    Attributes:
      contender, members, processes, threads: its name and setting.
      median, best: of the rounds.
      ours_over_it: the median of the ratios within a round.
      versions: of its libraries.
    """

    contender: str
    members: int
    processes: int
    threads: int
    median: float
    best: float
    ours_over_it: float
    versions: str


def compared(found: Found, ours: Mapping[str, str]) -> list[Row]:
    """Those measured, ours first, then by speed.

    Args:
      found: what was measured.
      ours: {contender: which of ours it is held against}.
    """
    rows = []
    for name, (setting, versions) in found.chosen.items():
        rates, own = found.rates[name], found.rates[ours[name]]
        median, best, ratio = np.median(rates), np.max(rates), np.median(own / rates)
        shape = (setting.members, setting.processes, setting.threads)
        rows.append(Row(name, *shape, float(median), float(best), float(ratio), versions))
    own_names = list(dict.fromkeys(ours.values()))

    def place(row: Row) -> tuple[int, bool, float]:
        own_name = ours[row.contender]
        return own_names.index(own_name), row.contender != own_name, -row.median

    return sorted(rows, key=place)


def refuse_without(found: Found, names: Iterable[str]) -> None:
    """Raises a UserError if one of these contenders failed: there is nothing to compare with."""
    for name in names:
        if name not in found.chosen:
            why = [reason for other, _, _, reason in found.tried if other == name]
            raise UserError(
                name,
                expected="a program that runs",
                got=f"{why[0] if why else 'nothing'}",
                hint="run its script of launchers/peers by hand",
            )


def write_tables(
    folder: epath.PathLike,
    name: str,
    found: Found,
    rows: Sequence[Row],
    shares: Mapping[str, float] | None = None,
) -> None:
    """Writes `NAME.csv`, `NAME_settings.csv` with all that was tried, and `NAME_rounds.csv`.

    Args:
      folder: of the run.
      name: of the tables.
      found: what was measured.
      rows: of the first table.
      shares: of the float32 product's rate, for a column of that table.
    """
    folder = epath.Path(folder)
    columns: tuple[str, ...] = Row._fields
    table: list[tuple] = [tuple(row) for row in rows]
    if shares is not None:
        columns = (*columns, "share_of_matrix_product")
        table = [(*row, shares[row.contender]) for row in rows]
    records.write_table(folder / f"{name}.csv", columns, table)
    columns = ("contender", "members", "processes", "threads", "a_second", "chosen", "failed")
    tried = [
        (
            *(name, setting.members, setting.processes, setting.threads, rate),
            *(int(name in found.chosen and found.chosen[name][0] == setting), why),
        )
        for name, setting, rate, why in found.tried
    ]
    records.write_table(folder / f"{name}_settings.csv", columns, tried)
    measured = [
        (number, busy, contender, float(rate))
        for busy, rates in enumerate((found.rates, found.busy))
        for contender, of_rounds in rates.items()
        for number, rate in enumerate(of_rounds)
    ]
    columns = ("round", "busy", "contender", "a_second")
    records.write_table(folder / f"{name}_rounds.csv", columns, measured)


def table_lines(
    unit: str, rows: Sequence[Row], shares: Mapping[str, float] | None = None
) -> list[str]:
    """The rows as a screen shows them."""
    of_product = f"{'of product':>12}" if shares is not None else ""
    width = max(len(name) for name in (unit, *(row.contender for row in rows))) + 2
    head = (
        f"{unit:<{width}}{'members':>8}{'proc.':>6}{'threads':>8}"
        f"{'median':>12}{'best':>12}{'ours/it':>9}{of_product}"
    )
    lines = [head]
    for row in rows:
        share = f"{shares[row.contender]:>12.0%}" if shares is not None else ""
        lines.append(
            f"{row.contender:<{width}}{row.members:>8}{row.processes:>6}{row.threads:>8}"
            f"{_rate(row.median):>12}{_rate(row.best):>12}{row.ours_over_it:>9.2f}{share}"
        )
    return lines


def _rate(value: float) -> str:
    """A rate of any size in at most nine characters.

    >>> _rate(1234567.8), _rate(98.76)
    ('1,234,568', '98.8')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
