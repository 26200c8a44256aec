"""An experiment is three functions; this composes them with folder, devices and hosts.

* `plan()` checks every flag and gives what was asked for as values; no TensorFlow.
* `run(plan, page)` builds, trains and measures, on all hosts alike, and gives a `Found`.
* `report(plan, found)` makes of it what is shown, a `Report`: tables, figures, numbers, lines. It
  runs on the host that writes, and gets neither loop nor device, so that no host can wait for
  another one in it, and a report can be made again of what was found (`--report_only`).
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from absl import logging
from etils import epath
from numpy.typing import ArrayLike, NDArray

from spectral_tf import runtime
from spectral_tf.errors import UserError
from spectral_tf.headlines import TOO_LITTLE, headline
from spectral_tf.models import files
from spectral_tf.records import Part, RunFolder, Tables
from spectral_tf.records.arrays import Damaged, open_arrays, write_arrays
from spectral_tf.records.folder import FOUND
from spectral_tf.records.found import Found, Series
from spectral_tf.records.identity import IDENTITY
from spectral_tf.records.report import Report
from spectral_tf.runtime import limits, peers
from spectral_tf.runtime.launch import settings

if TYPE_CHECKING:
    import tensorflow as tf

    from spectral_tf.records.figures import Figure
    from spectral_tf.records.tensorboard import EventWriter
    from spectral_tf.training.loop import Trainable, TrainingLoop
    from spectral_tf.training.measures import Measure

# What was measured once, in its part of the folder.
MEASURED = "measured.npz"

Plan = TypeVar("Plan")
Trained = TypeVar("Trained", bound="Trainable")


class Picture(NamedTuple):
    """A figure of what is found so far, drawn while networks train.

    Attributes:
      draw: what is found, the step -> the figure.
      at: steps.
    """

    draw: Callable[[Found, int], Figure]
    at: Collection[int]


class Page:
    """What an experiment runs in.

    Attributes:
      strategy: that computes.
      seed: root of all draws.
      writes: whether this host writes; the others compute alike.
      seconds: that `once` has taken, over all starts.
    """

    def __init__(
        self, name: str, folder: RunFolder, strategy: tf.distribute.Strategy, seed: int
    ) -> None:
        self.strategy, self.seed, self.writes = strategy, seed, folder.writes
        self._name, self._folder = name, folder
        self.seconds = 0.0
        self._board: EventWriter | None = None
        self._last_step = 0

    def begin(self, data: Mapping[str, Any] | None = None, *, alone: bool = True) -> None:
        """Takes the folder; no host goes on before it is there and empty of what is overwritten.

        Args:
          data: the record of the images, if there are any.
          alone: whether no other process may work in it; else several share its trainings.
        """
        from spectral_tf.records.environment import environment
        from spectral_tf.training.replicas import refuse_different_folders, together

        if names := runtime.flag("import"):
            data = {**(data or {}), "imports_sha256": files.modules_digest(names)}
        record = {
            "experiment": self._name,
            **environment(
                self.strategy, self.seed, data, deterministic=runtime.flag("deterministic")
            ),
        }
        together(self.strategy, lambda: self._folder.start(record, alone=alone))
        refuse_different_folders(self.strategy, self._folder.path / "environment.json")

    def seeds(self, name: str, count: int) -> list[int]:
        """Seeds of so many runs, of a draw by its name."""
        return [runtime.derive_seed(self.seed, name, run) for run in range(count)]

    def follow(
        self,
        members: Trainable,
        measures: Mapping[str, Measure],
        *,
        charts: Mapping[str, Sequence[str]] | None = None,
        pictures: Mapping[str, Picture] | None = None,
        hparams: Mapping[str, Any] | None = None,
    ) -> Found:
        """Trains to the last step of all measures; each is taken when it is due.

        Args:
          members: what is trained, freshly built.
          measures: {name: measure}.
          charts: {title: tags that share a chart of TensorBoard}.
          pictures: {tag: figure that grows with the run}.
          hparams: what TensorBoard's table shows beside the flags, under names of its own.

        Returns:
          the measures' series; facts: `seconds`, `probe_seconds`, `diverged`, {run: step}, and of
          what is trained to a goal `ended_at`, the step at which it was reached, or -1.

        Raises:
          UserError: as `TrainingLoop`; every run has diverged.
        """
        loop = self._loop_of(members, measures, self._folder, self._name, pictures or {})
        self._begin(loop, self._folder, charts, hparams)
        try:
            self._go(loop, measures, pictures or {})
        except Unmeasurable as error:
            raise error.mistake from error
        self._board, self._last_step = loop.board, loop.steps[-1]
        return found_by(loop)

    def unit(
        self,
        name: str,
        make: Callable[[], Trained],
        measures: Mapping[str, Measure],
        *,
        charts: Mapping[str, Sequence[str]] | None = None,
        hparams: Mapping[str, Any] | None = None,
        keep: Mapping[int, str] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Found:
        """One training of several, in a part of the folder; a finished one is read.

        Args:
          name: of the part.
          make: builds what is trained, if it has to be.
          measures, charts, hparams: as for `follow`.
          keep: {step: name of a `.keras` file for the model of that step}; where a goal was reached
            before it, that of the last step is kept there.
          facts: what it was measured with beside the flags; the same for all units of a run.

        Returns:
          as `follow`. A training that diverged is finished: its series end before, its fact
          `diverged` tells the step. So is one that could not be measured any more at a later step
          than its first, as one whose outputs have become constant; its fact `reason` says why.

        Raises:
          UserError: as `TrainingLoop`; another process works on it; it was finished with other
            facts.
        """
        from spectral_tf.training.replicas import any_host, together, wait_for_all

        # The chief sees whether it is there, for all: a file may come while hosts look for it.
        there = together(self.strategy, lambda: self.writes and self.done(name) is not None)
        if not any_host(self.strategy, there):
            with contextlib.ExitStack() as held:
                alone = self._folder.part(name).alone()
                together(self.strategy, lambda: held.enter_context(alone))
                found = self.train(
                    name, make, measures, charts, hparams, keep, networks_wanted=False
                )[0]
                # Networks and their programs refer to each other: else they would stay until
                # Python looks by itself, a dozen trainings later.
                gc.collect()
                found.facts |= facts or {}
                if self.writes:
                    found.save(self.in_part(name) / FOUND, self._folder.part(name).identity)
            wait_for_all(self.strategy)
        found = self._found(name)
        for fact, value in (facts or {}).items():
            if found.facts.get(fact, value) != value:
                raise UserError(
                    name,
                    expected=f"a training that was measured with these {fact}",
                    got="one of before, with others",
                    hint="leave the flags as they were, or name another --workdir",
                )
        return found

    def train(
        self,
        name: str,
        make: Callable[[], Trained],
        measures: Mapping[str, Measure],
        charts: Mapping[str, Sequence[str]] | None = None,
        hparams: Mapping[str, Any] | None = None,
        keep: Mapping[int, str] | None = None,
        *,
        networks_wanted: bool = True,
    ) -> tuple[Found, Trained]:
        """As `unit`, with what was trained, for whoever measures it further.

        Args:
          name, make, measures, charts, hparams, keep: as for `unit`.
          networks_wanted: as for `TrainingLoop`.

        Raises:
          UserError: as `TrainingLoop`; it cannot be measured at its first step.
        """
        part, members = self._folder.part(name), make()
        loop = self._loop_of(
            *(members, measures, part, name, {}), may_diverge=True, networks_wanted=networks_wanted
        )
        kept = {step: part.state_file.with_name(file) for step, file in (keep or {}).items()}
        given_up: dict[str, Any] = {}
        self._begin(loop, part, charts, hparams)
        try:
            self._go(loop, measures, {}, kept, is_part=True)
        except Unmeasurable as error:
            if error.step == 0:  # Then it is the data, or what was asked.
                raise error.mistake from error
            logging.warning("%s: given up at step %d: %s", name, error.step, error.mistake)
            given_up = {"diverged": {"0": error.step}, "reason": str(error.mistake)}
        if given_up or len(loop.diverged) == members.num_members:
            loop.board.end(loop.ensemble.step, success=False)
            loop.board.commit()
        found = found_by(loop)
        found.facts |= given_up
        return found, members

    def give_up(self, name: str, diverged: Mapping[str, int]) -> None:
        """Finishes a training that cannot be made, since the one that it rests on diverged.

        Args:
          name: of the part.
          diverged: the fact of that other one.
        """
        from spectral_tf.training.replicas import wait_for_all

        if self.writes:
            nothing = {"seconds": 0.0, "probe_seconds": 0.0, "diverged": dict(diverged)}
            Found(facts=nothing).save(self.in_part(name) / FOUND, self._folder.part(name).identity)
        wait_for_all(self.strategy)

    def done(self, name: str) -> Found | None:
        """What was found of a training that is finished; None before, and of a damaged file.

        Raises:
          UserError: the file is of another training.
        """
        with self._if_whole(name, FOUND):
            return self._found(name)
        return None

    def _found(self, name: str) -> Found:
        return Found.load(self.in_part(name) / FOUND, self._folder.part(name).identity)

    @contextlib.contextmanager
    def _if_whole(self, name: str, file: str) -> Iterator[None]:
        """Leaves what reads a file of a part, if that is not there or not whole."""
        try:
            yield
        except FileNotFoundError:
            pass
        except Damaged as error:
            path = self.in_part(name) / file
            logging.warning("%s: %s is damaged (%s); it is made again", name, path, error)

    def in_part(self, name: str) -> epath.Path:
        """The folder of what a training keeps beside its state."""
        return self._folder.part(name).state_file.parent

    def _loop_of(
        self,
        members: Trained,
        measures: Mapping[str, Measure],
        folder: RunFolder | Part,
        name: str,
        pictures: Mapping[str, Picture],
        *,
        may_diverge: bool = False,
        networks_wanted: bool = True,
    ) -> TrainingLoop[Trained]:
        from spectral_tf.training.loop import TrainingLoop

        stops = {step for measure in measures.values() for step in measure.at}
        steps = sorted(stops.union(*(picture.at for picture in pictures.values())))
        return TrainingLoop(
            members,
            folder,
            steps,
            save_every(),
            name,
            may_diverge=may_diverge,
            networks_wanted=networks_wanted,
        )

    def _begin(
        self,
        loop: TrainingLoop,
        folder: RunFolder | Part,
        charts: Mapping[str, Sequence[str]] | None,
        hparams: Mapping[str, Any] | None,
    ) -> None:
        """Says in TensorBoard what is trained; a loop that is resumed has said it."""
        if not loop.resumed:
            started = self._folder.started if folder is self._folder else None
            name = board_name_of(self._folder, folder)
            loop.board.begin(self._name, {**settings(), **(hparams or {})}, charts, started, name)

    def _go(
        self,
        loop: TrainingLoop,
        measures: Mapping[str, Measure],
        pictures: Mapping[str, Picture],
        keep: Mapping[int, epath.Path] | None = None,
        *,
        is_part: bool = False,
    ) -> None:
        """Measures, records, shows and keeps, step by step; the end of a part is its last step."""
        for step in loop:
            # Where a goal was reached, all that was planned for the last step is due.
            due = {step} if loop.ended_at < 0 else {step, loop.steps[-1]}
            shown: dict[str, float] = {}
            for name, measure in measures.items():
                if not due.isdisjoint(measure.at):
                    try:
                        arrays, curves = measure.take(name, loop)
                    except UserError as error:
                        raise Unmeasurable(step, error) from error
                    for key, values in arrays.items():
                        loop.history.add(key, step, values)
                    shown |= curves
            loop.board.scalars(shown, step)
            if self.writes:
                self._draw(loop, pictures, step)
                for planned, file in (keep or {}).items():
                    if planned in due:
                        loop.ensemble.save_model(file)
            if is_part and loop.steps[-1] in due:
                loop.board.end(step)

    def once(self, name: str, measure: Callable[[], Mapping[str, ArrayLike]]) -> dict[str, NDArray]:
        """What is measured once and kept, so that a killed run goes on after it.

        Args:
          name: of the file.
          measure: gives the arrays; on all hosts, so that it may use all devices.
        """
        from spectral_tf.training.replicas import any_host, together, wait_for_all

        def kept_here() -> bool:
            with self._if_whole(name, MEASURED):
                return self.writes and bool(self._measured(name))
            return False

        if not any_host(self.strategy, together(self.strategy, kept_here)):
            start = time.monotonic()
            arrays = {**measure(), "seconds": time.monotonic() - start}
            if self.writes:
                identity = self._folder.part(name).identity
                write_arrays(self.in_part(name) / MEASURED, {**arrays, **identity.arrays()})
            logging.info("%s: %s is measured", self._name, name)
        wait_for_all(self.strategy)
        kept = self._measured(name)
        self.seconds += float(kept.pop("seconds"))
        return kept

    def _measured(self, name: str) -> dict[str, NDArray]:
        """What `once` has kept."""
        file = self.in_part(name) / MEASURED
        with open_arrays(file) as saved:
            self._folder.part(name).identity.holds(saved, file)
            return {key: saved[key] for key in saved.names if key != IDENTITY}

    def _draw(self, loop: TrainingLoop, pictures: Mapping[str, Picture], step: int) -> None:
        due = {tag: p for tag, p in pictures.items() if step in p.at}
        if not due:
            return
        from spectral_tf.records.figures import save_figure

        found = found_by(loop)
        for tag, picture in due.items():
            path = self._folder.figures / f"{tag}_step_{step:06d}.png"
            loop.board.image(tag, save_figure(picture.draw(found, step), path), step)

    def finish(self, found: Found, make: Callable[[Found], Report]) -> None:
        """Keeps what was found, and writes the report, on the host that writes."""
        from spectral_tf.training.replicas import together

        def write() -> None:
            with self._folder.part("report").alone(wait=True):
                if not self._folder.finished:  # By another process that shares the trainings.
                    found.save(self._folder.path / FOUND, self._folder.identity)
                    self._publish(found, make(found))

        together(self.strategy, write if self.writes else lambda: None)

    def leave(self) -> None:
        """The last call: no host ends while another still needs it."""
        from spectral_tf.training.replicas import leave

        leave(self.strategy)

    def _publish(self, found: Found, report: Report) -> None:
        """Writes a report and shows it in TensorBoard."""
        board = self._board or new_board(self._name, self._folder)
        publish(self._name, self._folder, found, report, board, self._last_step)


def new_board(name: str, folder: RunFolder) -> EventWriter:
    """TensorBoard's record of a run that trains nothing of its own, instead of one of before.

    Args:
      name: of the experiment.
      folder: of the run.
    """
    from spectral_tf.records.tensorboard import EventWriter

    board = EventWriter(folder.tensorboard, writes=folder.writes)
    board.begin(name, settings(), started=folder.started, name=board_name_of(folder, folder))
    return board


def board_name_of(folder: RunFolder, part: RunFolder | Part) -> str:
    """How TensorBoard calls a run, or a part of it, below the folder of its events."""
    return "/".join(part.tensorboard.relative_to(folder.events).parts)


class Unmeasurable(Exception):
    """What was trained cannot be measured any more, at a step."""

    def __init__(self, step: int, mistake: UserError) -> None:
        self.step, self.mistake = step, mistake
        super().__init__(str(mistake))


def every_training_diverged(founds: Iterable[Found]) -> UserError:
    """The error of a page whose every training diverged, or could not be measured."""
    every = list(founds)
    reasons = [found.facts["reason"] for found in every if "reason" in found.facts]
    return UserError(
        "training",
        expected="a finite loss",
        got=f"none: all {len(every)} trainings diverged"
        + (f" or could not be measured ({reasons[0]})" if reasons else ""),
        hint="lower the learning rate, in another folder",
    )


def found_by(loop: TrainingLoop) -> Found:
    """What a loop has measured so far."""
    series = {name: Series(*loop.history[name]) for name in loop.history.names}
    facts = {
        "seconds": loop.seconds,
        "probe_seconds": loop.probe_seconds,
        "diverged": {str(run): step for run, step in loop.diverged.items()},
        **({"ended_at": loop.ended_at} if loop.ensemble.goal else {}),
    }
    return Found(series, facts)


def publish(
    name: str,
    folder: RunFolder,
    found: Found,
    report: Report,
    board: EventWriter | None = None,
    step: int = 0,
) -> None:
    """Writes a report into its folder and says what was found and where to look.

    Args:
      name: of the experiment.
      folder: of the run.
      found: what was measured.
      report: made of it.
      board: where TensorBoard's events of it go; None: nowhere.
      step: of the figures and numbers there.
    """
    folder.withdraw_page()
    show = None if board is None else lambda tag, pixels: board.image(tag, pixels, step)
    files = report.write(folder.path, show)
    sentence = headline(name, report.summary, Tables(folder.path)) or TOO_LITTLE
    if board:  # Before the run counts as finished, after which nothing is written.
        board.end(step, report.summary, [*report.lines, sentence])
        board.commit()
    summary = {"experiment": name, "headline": sentence, **report.summary}
    folder.finish(summary, found.fact("seconds"), files)
    for line in report.lines:
        print(line)
    runtime.say_where(folder, num_images=report.images_shown)
    print(sentence)


def conclude(
    name: str,
    folder: RunFolder,
    summary: Mapping[str, Any],
    seconds: float,
    *,
    lines: Sequence[str] = (),
    figures: Mapping[str, Figure] | None = None,
) -> None:
    """Finishes a run whose launcher has written its tables by itself.

    Args:
      name: of the experiment.
      folder: with all tables of the run.
      summary: headline numbers.
      seconds: of the whole run.
      lines: that the screen shows first.
      figures: {name of a picture: it}.
    """
    report = Report(summary, lines, figures=figures or {})
    publish(name, folder, Found(facts={"seconds": seconds}), report, new_board(name, folder))


def save_every() -> float:
    """Seconds between saved states, as the flag says."""
    return float(runtime.flag("save_every_seconds"))


def launch(
    name: str,
    plan: Callable[[], Plan],
    run: Callable[[Plan, Page], Found | None],
    report: Callable[[Plan, Found], Report],
    *,
    growing: Iterable[str] = (),
) -> None:
    """Runs an experiment as its flags say; never returns.

    Args:
      name: of the experiment.
      plan, run, report: as above.
      growing: flags that may get longer later, as for `RunFolder`.
    """

    def main() -> None:
        files.refuse_missing_modules(runtime.flag("import") or ())
        limits.refuse_beyond_reach()
        planned = plan()
        again = runtime.flag("report_only")
        folder = runtime.run_folder(name, tuple(growing), again=again)
        if again or folder.finished:
            if folder.writes:
                found = Found.read(folder.path / FOUND, folder.identity)
                with folder.held():
                    publish(name, folder, found, report(planned, found))
            return
        page = in_folder(name, folder)
        if measured := run(planned, page):  # Else trainings are left to other processes.
            page.finish(measured, lambda found: report(planned, found))
        page.leave()
        peers.parted()

    runtime.launch(main)


def launch_comparison(
    name: str,
    plan: Callable[[], Plan],
    report: Callable[[Plan], Report],
    record: Callable[[Plan], Mapping[str, str]],
) -> None:
    """Runs a page that compares finished runs, and needs neither devices nor hosts; never returns.

    Args:
      name: of the experiment.
      plan: checks the flags and reads the runs.
      report: of them.
      record: what `environment.json` says was compared.
    """

    def main() -> None:
        folder = runtime.run_folder(name, remakes=True)
        planned = plan()
        made = report(planned)
        folder.start({"compared": dict(record(planned))})
        publish(name, folder, Found(facts={"seconds": 0.0}), made, new_board(name, folder))

    runtime.launch(main)


def in_folder(name: str, folder: RunFolder) -> Page:
    """The page of a run folder, under the strategy of the flags."""
    limits.refuse_narrow_address_space()
    # TensorFlow takes seconds to import: only now that the flags are known to be good. The strategy
    # is first to use it: hosts cannot be joined later.
    from spectral_tf import keras_settings
    from spectral_tf.runtime.strategy import strategy_of_flags
    from spectral_tf.training.replicas import refuse_different_hosts

    if told := keras_settings.take_defaults():
        logging.info("%s: taken for float32, channels last in this process", told)
    strategy = strategy_of_flags()
    refuse_different_hosts(strategy, _what_runs(name), runtime.flag("startup_timeout_seconds"))
    if names := runtime.flag("import"):  # Somebody's module may use TensorFlow, too.
        files.import_modules(names)
    return Page(name, folder, strategy, runtime.flag("seed"))


# The packages that decide numbers, or what hosts say to each other.
_DECIDE = ("spectral_tf", "python", "tensorflow", "keras", "numpy", "scipy", "tensorflow-datasets")


def _what_runs(name: str) -> dict[str, str]:
    """What has to be the same on all hosts of a run."""
    from spectral_tf.records.environment import versions

    flags = {**settings(), "overwrite": runtime.flag("overwrite")}
    every = versions()
    decide = {k: every[k] for k in _DECIDE if k in every}
    return {"page": name, **{f"--{k}": str(v) for k, v in flags.items()}, **decide}
