"""The measurement as a Keras callback, for anybody's own `model.fit`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
from absl import logging
from etils import epath
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.measuring.measurement import (
    Measurement,
    curves,
    load,
    new_events,
    scalars,
    writable_folder,
)
from spectral_tf.measuring.places import JUMPS, Place
from spectral_tf.measuring.probe import SpectrumProbe, growing_steps
from spectral_tf.storage import as_path


class SpectrumCallback(keras.callbacks.Callback):
    """Follows the spectrum of a model while `fit` trains it.

    It reads the model alone: weights after `fit` are the same, bit for bit, with and without it.
    Steps are those of the optimizer (`optimizer.iterations`), so a second `fit`, or a resumed one,
    goes on where the first ended; with `steps_per_execution` above 1 a measurement is taken at the
    first step that `fit` comes back from. It takes up the step at which others have resumed the
    training, such as `BackupAndRestore`, in any order of callbacks. The last step is always
    measured, before a callback of early stopping brings earlier weights back. A model that is not
    built yet is measured from its first step on.

    Args:
      where, outputs, targets, output, layer, to_inputs, batch_size: as for `measure`.
      every: steps between two measurements; 0: steps 0, 1, 2, 3, ... each about a fifth above the
        last, some 13 for every factor of ten, which is how fast spectra change.
      folder: where `history.save` writes at the end: tables, the figure, TensorBoard events (these
        while it trains). A training that starts at step 0 refuses a folder with a measurement; one
        that goes on adds to it, if it is of the same samples and targets. None: nothing is written,
        `history` is all.
      log_dir: where events go instead, into `log_dir/spectrum`, such as that of
        `keras.callbacks.TensorBoard`; those of earlier trainings stay.
      overwrite: replace the measurement that the folder holds; a training that goes on still adds
        to its own.

    Raises:
      UserError: as `measure`; a negative interval; when training begins: a folder with something
        else.

    Attributes:
      history: what was measured, a `Measurement` with the axis `step`.

    >>> import keras, numpy as np
    >>> from spectral_tf import Grid, SpectrumCallback
    >>> x = np.arange(64)[:, None] / 64
    >>> y = np.sin(2 * np.pi * x)
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(8, "tanh"),
    ...                           keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> spectrum = SpectrumCallback(Grid(64), targets=y)
    >>> _ = model.fit(x, y, batch_size=64, epochs=5, verbose=0, callbacks=[spectrum])
    >>> spectrum.history.coordinates["step"].values.tolist()
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(
        self,
        where: Place,
        *,
        every: int = 0,
        folder: str | os.PathLike[str] | None = None,
        log_dir: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        outputs: str = "values",
        targets: ArrayLike | Callable[[NDArray], ArrayLike] | None = None,
        output: int | str | None = None,
        layer: str = "",
        to_inputs: str | Callable[[NDArray], Any] | None = None,
        batch_size: int = 0,
    ) -> None:
        super().__init__()
        if not isinstance(every, int) or every < 0:
            raise UserError(
                "every",
                expected="a whole number of steps, 0 or more",
                got=repr(every),
                hint="0 grows with the training",
            )
        self.probe = SpectrumProbe(
            where,
            outputs=outputs,
            targets=targets,
            output=output,
            layer=layer,
            to_inputs=to_inputs,
            batch_size=batch_size,
        )
        self._every = every
        self._folder = None if folder is None else as_path(folder, "folder")
        self._log_dir = log_dir
        self._overwrite = overwrite
        self._events: Any = None
        self._due: Iterator[int] = iter(())
        self._next = self._begun = self._kept = 0
        self._taken = False
        self._said: set[str] = set()

    @property
    def history(self) -> Measurement:
        """What was measured.

        Raises:
          UserError: nothing was, yet.
        """
        return self.probe.history

    def on_train_begin(self, logs: Any = None) -> None:
        """A training begins; others may still bring a saved state back."""
        self._taken = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes where the epoch begins; before the first one takes the folder and measures."""
        self._begun = self._step()
        if not self._taken:
            self._taken = True
            self._take_up(self._begun)

    def _take_up(self, step: int) -> None:
        """Where the training stands, whoever brought it there, and what was measured before."""
        if self.probe.steps and step < self.probe.steps[-1]:
            raise UserError(
                "SpectrumCallback",
                expected=f"the training that it has followed to step {self.probe.steps[-1]:,}",
                got=f"one at step {step:,}",
                hint="take a new callback for another training",
            )
        if self._folder:
            self._take_folder(self._folder, step)
        self._due = growing_steps() if not self._every else _multiples(self._every)
        done = step in self.probe.steps
        self._next = next(due for due in self._due if due >= step + done)
        if self._events is None:
            self._events = self._writer()
        if self.model.built and step >= self._next:
            self._measure(step)

    def _writer(self) -> Any:
        """Of TensorBoard's events, with what was measured before; None where none are wanted."""
        if self._log_dir is None and self._folder is None:
            return None
        if self._log_dir is not None:
            from spectral_tf.records.tensorboard import EventWriter

            # Beside what others write there, and behind what earlier trainings have written.
            return EventWriter.behind_others(as_path(self._log_dir, "log_dir") / "spectrum")
        assert self._folder
        events = new_events(self._folder)
        if self.probe.steps:
            for at, values in scalars(self.history).items():
                events.scalars(values, at)
        return events

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Measures if a step is due."""
        # The optimizer's own count costs a look at the device: only where something may be due.
        if self._begun + batch + 1 >= self._next:
            step = self._step()
            if step >= self._next:
                self._measure(step)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Measures the last step, and puts on disk what is new."""
        # Before the end of training, when other callbacks may bring earlier weights back.
        if self.model.stop_training or epoch + 1 == (self.params or {}).get("epochs"):
            self._measure(self._step())
        if len(self.probe.steps) > self._kept:
            self._kept = len(self.probe.steps)
            if self._folder:
                self.history.write_arrays(self._folder)
            if self._events:
                self._events.commit()

    def on_train_end(self, logs: Any = None) -> None:
        """Measures the last step if that was not done, and writes tables and the figure."""
        if not self.probe.steps or self._step() > self.probe.steps[-1]:
            self._measure(self._step())
        self._say(self.probe.steps[-1], self.history.notes)
        if self._events:
            self._events.commit()
        if self._folder:
            self.history.save(self._folder, overwrite=True, events=self._log_dir is None)
            logging.info("spectra: %s", self._folder)
        self._events = None

    def _step(self) -> int:
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None:
            raise UserError(
                "model", expected="a compiled one", got="no optimizer", hint="call model.compile"
            )
        return int(keras.ops.convert_to_numpy(optimizer.iterations))

    def _measure(self, step: int) -> None:
        if step in self.probe.steps:
            return
        taken = self.probe.update(self.model, step)
        self._next = next(due for due in self._due if due > step)
        if self._events:
            values = {n: float(q.values) for n, q in taken.quantities.items() if q.axes == ()}
            values |= {tag: float(v[0]) for tag, v in curves(taken.at_step(step)).items()}
            self._events.scalars(values, step)
        # Before a network has learned anything it jumps at every border: said of the last step.
        self._say(step, (note for note in taken.notes if not note.startswith(JUMPS)))

    def _say(self, step: int, notes: Iterable[str]) -> None:
        for note in notes:
            kind = re.sub(r"[\d.]+", "", note)  # The same is true of most steps, in other numbers.
            if kind not in self._said:
                self._said.add(kind)
                logging.warning("spectra at step %s: %s", f"{step:,}", note)

    def _take_folder(self, folder: epath.Path, step: int) -> None:
        """An empty one, or one to go on with."""
        if self.probe.steps:  # A second fit of the same callback.
            return
        writable_folder(folder, overwrite=self._overwrite or step > 0)
        if step == 0 or not (folder / "measurement.npz").is_file():
            return
        try:
            self.probe.go_on(load(folder), step + 1)
        except UserError:
            if not self._overwrite:
                raise


def _multiples(every: int) -> Iterator[int]:
    step = 0
    while True:
        yield step
        step += every
