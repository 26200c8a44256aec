"""The files that a training goes on from: its newest state, the one before, and its history.

    state.npz, state.second.npz    written in turn; the larger counter is the newer one
    history.000000.npz, ...        what was measured long ago, each written once
    state.damaged.npz, ...         the last ones that were not what had been written

Every file is written whole, under a name that no state in use refers to, so that nothing has to be
renamed or appended to: a disk and an object store are served alike, and a kill between two files
leaves one that no state knows. What was measured lately is in the state itself; when it has grown
beyond `LARGEST_TAIL` bytes it becomes a file of its own, and the state keeps only the number of
these files and a digest of them all. So the size of a save does not grow along a run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from absl import logging
from etils import epath
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.records.arrays import Arrays, Damaged, open_arrays, write_arrays
from spectral_tf.records.identity import IDENTITY, Identity
from spectral_tf.storage import as_path, atomic_write, is_local

# Of a state, written in turn.
NAMES = ("state.npz", "state.second.npz")

# Bytes of measurements that a state holds itself.
LARGEST_TAIL = 2**18

_NO_PIECES = "0" * 64  # As long as a digest.

Read = TypeVar("Read")

_STEP = re.compile(r"ensemble/(\d+/)?step")


class SavedState(NamedTuple):
    """A state as it was read.

    Attributes:
      ensemble: what `Trainable.load` takes; empty if it was not asked for.
      history: what was measured, in pieces one after the other.
      step: updates made so far.
      segments: of TensorBoard's events.
      seconds, probe_seconds: spent so far.
      probed: the last step that was measured, or -1.
      diverged_at_step: for each member, or -1.
      ended_at: the step at which the goal of the training was reached, or -1.
    """

    ensemble: Mapping[str, NDArray[Any]]
    history: list[dict[str, NDArray[Any]]]
    step: int
    segments: int
    seconds: float
    probe_seconds: float
    probed: int
    diverged_at_step: NDArray[Any]
    ended_at: int = -1


class StateFiles:
    """The state of one training, in its folder.

    Args:
      file: the first of its files.
      identity: of the training.
      name: how log lines call it.
      writes: whether this process writes; others only read.

    Raises:
      UserError: a scheme of the file that nothing here can open.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        identity: Identity | None = None,
        name: str = "",
        *,
        writes: bool = True,
    ) -> None:
        self._files = tuple(as_path(file).with_name(name) for name in NAMES)
        self._identity, self._name, self._writes = identity or Identity(), name, writes
        self._counter = 0
        self._next = self._files[0]
        self._num_pieces, self._digest = 0, _NO_PIECES
        self._saved: list[epath.Path] = []

    def num_bytes_saved(self) -> int:
        """Bytes of what the last save has written, which it asks the file system for."""
        return sum(file.stat().length for file in self._saved)

    def save(
        self,
        arrays: Mapping[str, ArrayLike],
        tail: Mapping[str, NDArray[Any]],
        num_measurements: int,
    ) -> bool:
        """Writes a state beside the one before.

        Args:
          arrays: all that is to be saved, but for the history.
          tail: the history since the last call that returned True.
          num_measurements: of the whole history.

        Returns:
          whether the tail is now in a file of its own.
        """
        sealed = sum(array.nbytes for array in tail.values()) > LARGEST_TAIL
        self._saved = [self._next, *([self._piece(self._num_pieces)] if sealed else [])]
        if sealed:
            written = write_arrays(
                self._piece(self._num_pieces), {**tail, **self._identity.arrays()}
            )
            self._num_pieces += 1
            self._digest = _joined(self._digest, written)
            tail = {}
        self._counter += 1
        write_arrays(
            self._next,
            {
                **arrays,
                **{f"history/{name}": array for name, array in tail.items()},
                **self._identity.arrays(),
                "counter": self._counter,
                "num_pieces": self._num_pieces,
                "pieces_sha256": np.array(self._digest),
                "num_measurements": num_measurements,
            },
        )
        self._next = self._other(self._next)
        return sealed

    def restore(self, *, without_ensemble_from: int | None = None) -> SavedState | None:
        """The newest state that is whole; None if there is none.

        One that is not is set aside, and a line of the log says so.

        Args:
          without_ensemble_from: a training that was measured up to this step is read without its
            networks.

        Raises:
          UserError: it is of another training, or cannot be read.
        """
        bad: list[str] = []
        found = self.newest(lambda saved, file: self._read(saved, file, without_ensemble_from), bad)
        if bad:
            then = f"going on from step {found.step:,}" if found else "starting over"
            logging.warning("%s: %s; %s", self._name, ", ".join(bad), then)
        if self._writes:
            self._remove_pieces()
        return found

    def newest(self, read: Callable[[Arrays, epath.Path], Read], bad: list[str]) -> Read | None:
        """What is read of the newest state that is whole; None if there is none.

        Args:
          read: takes an open file and its name; may raise `Damaged`.
          bad: is appended what there is to say of those that are not whole.

        Raises:
          UserError: one cannot be read, or is of another training.
        """
        for file in self._newest_first(bad):
            try:
                with _opened(file) as saved:
                    found = read(saved, file)
            except Damaged as error:
                bad.append(self._set_aside(file, error))
                continue
            except FileNotFoundError:  # The host that writes has set it aside.
                continue
            self._next = self._other(file)
            return found
        return None

    def _newest_first(self, bad: list[str]) -> Iterator[epath.Path]:
        """The files that can be opened; the names of others are appended to `bad`."""
        counted = []
        for file in self._files:
            try:
                with contextlib.suppress(FileNotFoundError), _opened(file) as saved:
                    counted.append((int(saved["counter"]) if "counter" in saved else 0, file))
            except Damaged as error:
                bad.append(self._set_aside(file, error))
        yield from (file for _, file in sorted(counted, key=lambda pair: -pair[0]))

    def _read(
        self, saved: Arrays, file: epath.Path, without_ensemble_from: int | None
    ) -> SavedState:
        if not self._identity.holds(saved, file):
            logging.info("%s: %s does not say whose it is; taken for this one's", self._name, file)
        probed = int(saved["probed"])
        diverged_at_step = saved["diverged_at_step"]
        step = min((int(saved[n]) for n in saved.names if _STEP.fullmatch(n)), default=-1)
        history = self._history(saved)
        _refuse_unfit(history, step, saved, probed >= 0 and not np.all(diverged_at_step >= 0))
        needed = without_ensemble_from is None or probed < without_ensemble_from
        ensemble = saved.group("ensemble/") if needed else {}
        segments, (seconds, probe_seconds) = int(saved["segments"]), saved["seconds"].tolist()
        if "counter" in saved:
            self._counter, self._num_pieces = int(saved["counter"]), int(saved["num_pieces"])
            self._digest = str(saved["pieces_sha256"])
        return SavedState(
            ensemble,
            history,
            step,
            segments,
            seconds,
            probe_seconds,
            probed,
            diverged_at_step,
            int(saved["ended_at"]) if "ended_at" in saved else -1,
        )

    def _history(self, saved: Arrays) -> list[dict[str, NDArray[Any]]]:
        """The pieces of a state's history, its own last."""
        pieces, digest = [], _NO_PIECES
        for number in range(int(saved["num_pieces"]) if "num_pieces" in saved else 0):
            file = self._piece(number)
            try:
                with _opened(file) as piece:
                    pieces.append({n: piece[n] for n in piece.names if n != IDENTITY})
                    digest = _joined(digest, piece.digest)
            except FileNotFoundError as error:
                raise Damaged(f"{file.name} is missing") from error
            except Damaged as error:
                raise Damaged(f"{file.name}: {error}") from error
        if "num_pieces" in saved and digest != str(saved["pieces_sha256"]):
            raise Damaged("the files of its history are not those that it was saved with")
        return [*pieces, saved.group("history/")]

    def _set_aside(self, file: epath.Path, error: Damaged) -> str:
        """Keeps a file that is not whole under another name; what to say of it."""
        told = f"{file} is damaged ({error})"
        if not self._writes:
            return told
        aside = file.with_name(f"{file.stem}.damaged.npz")
        with contextlib.suppress(FileNotFoundError):  # Another process was here.
            if is_local(file):
                os.replace(file, aside)
            else:
                content = file.read_bytes()
                with atomic_write(aside) as temporary:
                    temporary.write_bytes(content)
                file.unlink()
        return f"{told}, set aside as {aside.name}"

    def _remove_pieces(self) -> None:
        """Removes those of a time that is trained again."""
        folder = self._files[0].parent
        if not folder.is_dir():
            return
        for file in list(folder.iterdir()):
            number = re.fullmatch(r"history\.(\d+)\.npz", file.name)
            if number and int(number.group(1)) >= self._num_pieces:
                file.unlink(missing_ok=True)

    def _piece(self, number: int) -> epath.Path:
        return self._files[0].with_name(f"history.{number:06d}.npz")

    def _other(self, file: epath.Path) -> epath.Path:
        return self._files[1] if file == self._files[0] else self._files[0]


@contextlib.contextmanager
def _opened(file: epath.Path) -> Iterator[Arrays]:
    """An open file; one that may not be read is no reason to do without it."""
    try:
        with open_arrays(file) as saved:
            yield saved
    except PermissionError as error:
        raise UserError(
            "saved state",
            expected="a file that may be read",
            got=f"{file} ({error.strerror})",
            hint="mend its permissions",
        ) from error


def _joined(before: str, digest: str) -> str:
    """One digest of several files, in order."""
    return hashlib.sha256(f"{before}{digest}".encode()).hexdigest()


def _refuse_unfit(
    history: Sequence[Mapping[str, NDArray[Any]]], step: int, saved: Arrays, measured: bool
) -> None:
    """Refuses a history that is not that of a state of this step.

    Args:
      history: in pieces.
      step: updates made; -1 if the state does not say.
      saved: the state.
      measured: whether there must be a history.

    Raises:
      Damaged: it is not.
    """
    count, last = 0, dict[str, int]()
    if step < 0:
        raise Damaged("without its step")
    for piece in history:
        for name in (name.removeprefix("steps/") for name in piece if name.startswith("steps/")):
            steps = piece[f"steps/{name}"].tolist()
            if len(piece.get(f"values/{name}", ())) != len(steps):
                raise Damaged(f"its history of {name} is not whole")
            if sorted(steps) != steps or steps[:1] < [last.get(name, -1)] or steps[-1:] > [step]:
                raise Damaged(f"its history of {name} is not that of step {step:,}")
            last[name] = (steps or [last.get(name, -1)])[-1]
            count += len(steps)
    expected = int(saved["num_measurements"]) if "num_measurements" in saved else None
    if count != expected if expected is not None else measured and not count:
        raise Damaged("without its history")
