"""A measurement that is taken again and again while something trains."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.measuring.functions import Function, function_of
from spectral_tf.measuring.measure import asked, found_at, inputs_of, refuse_batch_size, told
from spectral_tf.measuring.measurement import DIVERGED, Measurement, stacked
from spectral_tf.measuring.places import Place, asked_in_words
from spectral_tf.measuring.predictions import NotFinite, refuse_outputs


class SpectrumProbe:
    """Measures one function at many steps of its training, in anybody's own loop.

    Needs no run folder: `update` gives each measurement and keeps it, `history` is all of them with
    the axis `step` first, to look at, draw, save and compare. A function that has diverged (outputs
    that are not finite) is NaN from there on, which the history notes.

    Args:
      where, outputs, targets, output, layer, to_inputs, batch_size: as for `measure`.

    Raises:
      UserError: as `measure`, of what is no place and of an unknown word.

    >>> import numpy as np
    >>> from spectral_tf import Grid, SpectrumProbe
    >>> wave = lambda x: np.sin(2 * np.pi * 3 * x)
    >>> probe = SpectrumProbe(Grid(64), targets=wave)
    >>> for step in range(0, 101, 10):  # A training that learns the wave in 100 steps.
    ...     _ = probe.update(lambda x: step / 100 * wave(x), step)
    >>> probe.history.learning_times(0.5).round(6).tolist()
    [50.0]
    """

    def __init__(
        self,
        where: Place,
        *,
        outputs: str = "values",
        targets: ArrayLike | Callable[[NDArray], ArrayLike] | None = None,
        output: int | str | None = None,
        layer: str = "",
        to_inputs: str | Callable[[NDArray], Any] | None = None,
        batch_size: int = 0,
    ) -> None:
        asked_in_words(where)
        refuse_outputs(outputs)
        refuse_batch_size(batch_size)
        self.where, self.outputs = where, outputs
        self._said = told(to_inputs, output, layer, targets)
        self._targets = targets
        self._choice = {"output": output, "layer": layer}
        self._to_inputs, self._batch_size = inputs_of(to_inputs), batch_size
        self._function: Function | None = None
        self._steps: list[int] = []
        self._taken: list[Measurement] = []
        self._before: Measurement | None = None

    @property
    def steps(self) -> list[int]:
        """At which it was measured."""
        before = [] if self._before is None else self._before.coordinates["step"].values.tolist()
        return [*before, *self._steps]

    def update(self, model: Any, step: int) -> Measurement:
        """Measures a model now.

        Args:
          model: as for `measure`; the same object in all calls saves its preparation.
          step: of its training, above those before.

        Raises:
          UserError: a step that was measured already, as `measure`.
        """
        last = self.steps[-1] if self.steps else -1
        if int(step) != step or step <= last:
            raise UserError(
                "step",
                expected=f"above {last}, the last one measured",
                got=step,
                hint="take a new probe for another training",
            )
        if self._function is None or self._function.model is not model:
            choice = {**self._choice, "outputs": self.outputs}
            self._function = function_of(model, **choice)  # type: ignore[arg-type]
        try:
            values, notes = asked(
                self._function,
                self.where,
                self.outputs,
                self._to_inputs,
                batch_size=self._batch_size,
            )
            taken = found_at(self.where, self.outputs, values, self._targets, notes)
        except NotFinite as error:
            if not self._taken:
                raise
            taken = _nothing(self._taken[-1], f"{DIVERGED}{error}")
        self._steps.append(int(step))
        self._taken.append(taken)
        return taken

    @property
    def history(self) -> Measurement:
        """All that was measured, with the axis `step`.

        Raises:
          UserError: nothing was.
        """
        if not self._taken and self._before is None:
            raise UserError(
                "history", expected="at least one update", got="none", hint="call update(model, 0)"
            )
        now = stacked(self._steps, self._taken) if self._taken else None
        if now is not None:
            now = dataclasses.replace(now, record={**now.record, **self._said})
        if self._before is None or now is None:
            return now or self._before  # type: ignore[return-value]  # One of them is there.
        return _joined(self._before, now)

    def go_on(self, history: Measurement, step: int) -> None:
        """Takes up what an earlier probe measured, up to a step, this one not included.

        Raises:
          UserError: it is of another kind.
        """
        wanted = {**self.where.record(), **self._said}
        own = (self.where.name, self.outputs)
        if (history.where, history.outputs) != own or dict(history.record) != wanted:
            before = dict(history.record)
            differs = [k for k in {**wanted, **before} if wanted.get(k) != before.get(k)]
            raise UserError(
                "history",
                expected=f"one of {self.where.name}, {self.outputs}, of the same samples, targets "
                "and model",
                got=f"{history.where}, {history.outputs}, with another {', '.join(differs)}"
                if differs
                else f"{history.where}, {history.outputs}",
                hint="name another folder, or say overwrite=True",
            )
        kept = history.coordinates["step"].values < step
        self._before = _rows(history, kept) if kept.any() else None


def growing_steps(ratio: float = 2**0.25) -> itertools.chain[int]:
    """0, 1, 2, ... 8, 10, ... without end, each about a quarter of an octave above the last.

    >>> list(itertools.islice(growing_steps(), 12))
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14]
    """

    def rising() -> Any:
        step = 1
        while True:
            yield step
            step = max(step + 1, int(step * ratio + 0.5))

    return itertools.chain([0], rising())


def _nothing(like: Measurement, note: str) -> Measurement:
    """NaN of the same shapes."""
    lost = {
        n: q._replace(values=np.full_like(q.values, np.nan)) for n, q in like.quantities.items()
    }
    return dataclasses.replace(like, quantities=lost, notes=(note,))


def _rows(history: Measurement, kept: NDArray[np.bool_]) -> Measurement:
    """Some steps of a history."""
    quantities = {
        name: quantity._replace(values=quantity.values[kept])
        if quantity.axes[:1] == ("step",)
        else quantity
        for name, quantity in history.quantities.items()
    }
    steps = history.coordinates["step"]
    coordinates = {**history.coordinates, "step": steps._replace(values=steps.values[kept])}
    return dataclasses.replace(history, quantities=quantities, coordinates=coordinates)


def _joined(before: Measurement, now: Measurement) -> Measurement:
    quantities = {
        name: quantity._replace(values=np.concatenate([before[name], quantity.values]))
        if quantity.axes[:1] == ("step",)
        else quantity
        for name, quantity in now.quantities.items()
    }
    steps = now.coordinates["step"]
    both = np.concatenate([before.coordinates["step"].values, steps.values])
    return dataclasses.replace(
        now,
        quantities=quantities,
        coordinates={**now.coordinates, "step": steps._replace(values=both)},
        notes=tuple(dict.fromkeys((*before.notes, *now.notes))),
    )
