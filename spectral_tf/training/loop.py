"""A training run from probe to probe: saved, resumed, interrupted, shown."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar, cast

import numpy as np
from absl import logging
from etils import epath

from spectral_tf import interrupts
from spectral_tf.errors import UserError
from spectral_tf.progress import Progress
from spectral_tf.records.identity import Identity
from spectral_tf.records.state_files import StateFiles
from spectral_tf.records.tensorboard import EventWriter
from spectral_tf.runtime import peers
from spectral_tf.training.goal import Goal
from spectral_tf.training.history import History
from spectral_tf.training.signals import Interrupted, Signals

# Signals and the clock are looked at between calls of the compiled loop that take about this long.
_SECONDS_A_CALL = 1.0


class Trainable(Protocol):
    """What a loop can train: an `Ensemble`, `Ensembles` or a `Classifier`.

    Attributes:
      num_members: networks in it.
      step: updates made so far.
      diverged_at_step: for each member the step at which its loss was not finite, or -1.
      goal: at which it ends before its last step; None: at none.
    """

    @property
    def num_members(self) -> int: ...  # noqa: D102
    @property
    def goal(self) -> Goal | None: ...  # noqa: D102
    @property
    def step(self) -> int: ...  # noqa: D102
    @property
    def diverged_at_step(self) -> np.ndarray: ...  # noqa: D102

    def train(self, num_steps: int) -> None:
        """Makes so many updates."""

    def evaluate(self) -> tuple[np.ndarray, np.ndarray]:
        """Outputs of all members, and their losses [e]."""

    def all_reduce_max(self, *requests: int) -> list[int]:
        """The largest of each request over all hosts."""

    def state(self) -> dict[str, np.ndarray]:
        """Everything that training has changed."""

    def load(self, saved: Mapping[str, np.ndarray]) -> None:
        """Continues from what `state` gave."""


class TrainableToGoal(Trainable, Protocol):
    """A `Trainable` that has a goal."""

    def look(self) -> bool:
        """Whether the goal is reached; the same on all hosts."""


class Storage(Protocol):
    """Where a loop keeps its state and its events: a `RunFolder` or one `Part` of it."""

    @property
    def state_file(self) -> epath.Path: ...  # noqa: D102
    @property
    def tensorboard(self) -> epath.Path: ...  # noqa: D102
    @property
    def identity(self) -> Identity: ...  # noqa: D102
    @property
    def writes(self) -> bool: ...  # noqa: D102


Trained = TypeVar("Trained", bound=Trainable)


class TrainingLoop(Generic[Trained]):
    """Trains networks from probe to probe and can be stopped at any moment.

    Iterating gives each step of `steps` when the ensemble is there, with `outputs` and `losses` as
    `Ensemble.evaluate` gives them, for the caller to measure and record. Then, or between probes
    that lie far apart, the state is saved if it is due: ensemble, history and the number of
    TensorBoard segments, whole or not at all, beside the state before it (`StateFiles`). A new loop
    in the same folder continues from the newer one that is whole, or starts over if none is, and
    gives the same numbers as one that was never stopped. After the last step `outputs` and
    `losses` are those of the trained networks, also if nothing was left to train.

    Of an ensemble with a goal the step at which it is reached is the last one: it is given in place
    of those planned later, and `ended_at` holds it.

    SIGINT and SIGTERM save first and then end the process with a line that says so (a second one
    ends it at once). Runs that diverge are named in the log; the others go on.

    Args:
      ensemble: what is trained, freshly built.
      folder: of the run, or a part of it.
      steps: increasing; the last one ends the run.
      save_every_seconds: between saves.
      progress_name: how log lines call the run.
      may_diverge: whether a run in which every network has diverged ends there, with what was
        measured before, instead of an error.
      networks_wanted: False if of a training that has come to its last step only the history is
        wanted: its networks are not read then, and there are no `outputs` and `losses`.

    Raises:
      UserError: the saved state cannot be read or belongs to another training or ensemble; while
        iterating: every run has diverged, and must not.
    """

    def __init__(
        self,
        ensemble: Trained,
        folder: Storage,
        steps: Sequence[int],
        save_every_seconds: float = 60.0,
        progress_name: str = "training",
        *,
        may_diverge: bool = False,
        networks_wanted: bool = True,
    ) -> None:
        self.ensemble = ensemble
        self.history = History()
        self.outputs = self.losses = np.empty(0)
        self.seconds = 0.0
        self.probe_seconds = 0.0
        self._folder = folder
        self.steps = steps
        self._name = progress_name
        self._save_every = save_every_seconds
        self._may_diverge = may_diverge
        self._signal: int | None = None
        self._probed = -1
        self.diverged_at_step = np.full(ensemble.num_members, -1)
        self.ended_at = -1  # The step at which the goal was reached.
        self._restored = False
        self._networks = True
        self._changed = True
        self._saved_step = 0
        self._files = StateFiles(
            folder.state_file, folder.identity, progress_name, writes=folder.writes
        )
        ensemble.all_reduce_max(0)  # The chief has emptied the folder if it is to be overwritten.
        step, segments = self._restore(None if networks_wanted else steps[-1])
        negative, latest = ensemble.all_reduce_max(-step, step)
        if -negative != latest:
            raise UserError(
                "workdir",
                expected="one folder that all hosts share",
                got=f"states of steps {-negative:,} and {latest:,} on different hosts",
                hint="put it on a shared disk",
            )
        self.board = EventWriter(folder.tensorboard, segments, writes=folder.writes)

    @property
    def diverged(self) -> dict[int, int]:
        """{run: step} of the runs that have stopped at a loss that was not finite."""
        return {
            int(run): int(self.diverged_at_step[run])
            for run in np.flatnonzero(self.diverged_at_step >= 0)
        }

    @property
    def resumed(self) -> bool:
        """Whether this process continues from a saved state."""
        return self._restored

    def _restore(self, without_networks_from: int | None) -> tuple[int, int]:
        """Step and segments of the saved state, which this goes on from."""
        saved = self._files.restore(without_ensemble_from=without_networks_from)
        if saved is None:
            return self.ensemble.step, 0
        self.seconds, self.probe_seconds = saved.seconds, saved.probe_seconds
        self._probed = saved.probed
        self.diverged_at_step, self.ended_at = saved.diverged_at_step, saved.ended_at
        if saved.ensemble:
            self.ensemble.load(saved.ensemble)
        else:
            self._networks = False
        for piece in saved.history:
            self.history.extend(piece)
            if piece is not saved.history[-1]:
                self.history.seal()
        self._restored, self._changed, self._saved_step = True, False, saved.step
        logging.info("%s: resuming at step %s", self._name, f"{saved.step:,}")
        return saved.step, saved.segments

    def save(self) -> None:
        """Saves everything now. All hosts must call it together; the chief writes."""
        start = time.monotonic()
        state = {f"ensemble/{name}": array for name, array in self.ensemble.state().items()}
        self._last_save = time.monotonic()
        self._changed = False
        self._saved_step = self.ensemble.step
        if not self._folder.writes:
            return
        # First the events, then the state that counts them: a kill in between leaves a segment
        # too many, which the next loop removes.
        segments = self.board.commit()
        arrays = {
            **state,
            "seconds": np.array([self.seconds, self.probe_seconds]),
            "probed": np.asarray(self._probed),
            "segments": np.asarray(segments),
            "diverged_at_step": self.diverged_at_step,
            **({"ended_at": np.asarray(self.ended_at)} if self.ensemble.goal else {}),
        }
        if self._files.save(arrays, self.history.tail(), self.history.num_measurements):
            self.history.seal()
        if logging.vlog_is_on(1):
            seconds, size = time.monotonic() - start, self._files.num_bytes_saved()
            step = f"{self._saved_step:,}"
            logging.vlog(
                1, "%s: step %s saved in %.4f s, %s bytes", self._name, step, seconds, f"{size:,}"
            )
        peers.note_saved(self._name, self._saved_step)

    def __iter__(self) -> Iterator[int]:
        total = self.steps[-1]
        self._last_save = time.monotonic()
        self._piece = 10
        shown = Progress(total, self.ensemble.step, self.ensemble.num_members)
        with shown as progress, Signals(self._note), interrupts.patient(self._has_unsaved):
            for planned in self.steps:
                if planned <= self._probed:
                    continue
                if planned < self.ensemble.step:
                    raise UserError(
                        "workdir",
                        expected=f"a saved state of step {planned:,} or earlier, where it is "
                        "measured",
                        got=f"one of step {self.ensemble.step:,}",
                        hint="name another folder",
                    )
                while self.ensemble.step < planned and not self._over:
                    self._train_piece(planned)
                    progress.update(self.ensemble.step)
                    self._look()
                    self._save_if_due()
                step = planned if self.ended_at < 0 else self.ended_at
                start = time.monotonic()
                self.outputs, self.losses = self.ensemble.evaluate()
                self._changed = True
                self._mind_divergence(step)
                if np.all(self.diverged_at_step >= 0):  # Nothing is left to measure.
                    self._probed = self.steps[-1]
                    break
                yield step
                self._probed = step if self.ended_at < 0 else self.steps[-1]
                spent = time.monotonic() - start
                self.seconds += spent
                self.probe_seconds += spent
                self._save_if_due()
        if not self.losses.size and self._networks:  # The report may still ask.
            self.outputs, self.losses = self.ensemble.evaluate()
        # The trained networks, for a report that is killed and for whoever takes them from here.
        if self._changed:
            if (goal := self.ensemble.goal) and self.ended_at < 0 and not self.diverged:
                logging.warning(
                    "%s: %s was never reached; it ended at its last step, %s",
                    *(self._name, goal, f"{self.ensemble.step:,}"),
                )
            self.save()

    def _has_unsaved(self) -> bool:
        """Whether an end now would lose steps."""
        return self.ensemble.step > self._saved_step

    @property
    def _over(self) -> bool:
        """Whether nothing is left to train, so that the next probe is the last."""
        hopeless = self._may_diverge and bool(np.all(self.ensemble.diverged_at_step >= 0))
        return hopeless or self.ended_at >= 0

    def _look(self) -> None:
        """Sees whether the goal is reached, at the steps where it is looked at: the last, too."""
        goal, step = self.ensemble.goal, self.ensemble.step
        due = goal and (step == self.steps[-1] or not step % goal.every)
        if due and cast(TrainableToGoal, self.ensemble).look():
            self.ended_at = step
            logging.info("%s: %s is reached at step %s", self._name, goal, f"{step:,}")

    def _train_piece(self, until: int) -> None:
        start = time.monotonic()
        if goal := self.ensemble.goal:
            until = min(until, goal.next_look(self.ensemble.step))
        piece = min(self._piece, until - self.ensemble.step)
        self.ensemble.train(piece)
        spent = time.monotonic() - start
        self.seconds += spent
        # A piece that a probe cut short says nothing about longer ones.
        longer = spent < _SECONDS_A_CALL / 2 and piece == self._piece
        shorter = spent > 2 * _SECONDS_A_CALL
        self._piece = max(
            1, self._piece * 2 if longer else self._piece // 2 if shorter else self._piece
        )

    def _mind_divergence(self, step: int) -> None:
        before, diverged_at_step = self.diverged_at_step, self.ensemble.diverged_at_step
        # A loss that is not finite now stops the member in the next update, if there is one.
        now = np.isnan(self.losses) & (diverged_at_step < 0)
        self.diverged_at_step = np.where(now, step, diverged_at_step)
        stops = self.diverged
        if np.array_equal(before, self.diverged_at_step) or not stops:
            return
        if len(stops) == self.diverged_at_step.size and not self._may_diverge:
            raise UserError(
                "training",
                expected="a finite loss",
                got=f"none: every run diverged, the last at step {max(stops.values()):,}",
                hint="lower the learning rate, in another folder",
            )
        logging.warning("%s: diverged and stopped, {run: step}: %s", self._name, stops)

    def _note(self, number: int) -> None:
        self._signal = number

    def _save_if_due(self) -> None:
        due = time.monotonic() - self._last_save >= self._save_every
        number, save, shortest = self.ensemble.all_reduce_max(
            self._signal or 0, int(due), -self._piece
        )
        self._piece = -shortest
        # The host that writes is here, too: what it had to save is on disk.
        if self._saved_step:
            peers.note_saved(self._name, self._saved_step)
        if number or save:
            self.save()
        if number:
            at = f"{self.ensemble.step:,} of {self.steps[-1]:,}"
            print(
                f"{self._name}: stopped by {signal.Signals(number).name} at step {at}; "
                "the state is saved, the same command resumes"
            )
            raise Interrupted(128 + number)
