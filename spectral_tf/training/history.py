"""What was measured while networks trained."""

from collections.abc import Mapping

import numpy as np

from spectral_tf.errors import UserError


class History:
    """What was measured: named series, each a list of steps with one array for every step."""

    def __init__(self) -> None:
        self._series: dict[str, tuple[list[int], list[np.ndarray]]] = {}
        self._sealed: dict[str, int] = {}

    def add(self, name: str, step: int, values: np.ndarray | float) -> None:
        """Appends one measurement.

        Raises:
          UserError: its shape is not that of the series.
        """
        steps, arrays = self._series.setdefault(name, ([], []))
        array = np.asarray(values, dtype=np.float64)
        if arrays and array.shape != arrays[0].shape:
            raise UserError(
                f"history of {name}",
                expected=f"shape {arrays[0].shape}, as before",
                got=f"shape {array.shape} at step {step:,}",
                hint="record series of other shapes under other names",
            )
        steps.append(step)
        arrays.append(array)

    @property
    def names(self) -> list[str]:
        """Of all series."""
        return list(self._series)

    def __getitem__(self, name: str) -> tuple[list[int], np.ndarray]:
        """Steps [s] and values [s, ...] of a series."""
        steps, arrays = self._series[name]
        return steps, np.stack(arrays)

    @property
    def num_measurements(self) -> int:
        """Of all series together."""
        return sum(len(steps) for steps, _ in self._series.values())

    def tail(self) -> dict[str, np.ndarray]:
        """What was added after the last `seal`, as arrays that `extend` takes."""
        flat: dict[str, np.ndarray] = {}
        for name, (steps, arrays) in self._series.items():
            if new := steps[self._sealed.get(name, 0) :]:
                flat |= {f"steps/{name}": np.asarray(new)}
                flat |= {f"values/{name}": np.stack(arrays[-len(new) :])}
        return flat

    def seal(self) -> None:
        """What there is now belongs to no later `tail`."""
        self._sealed = {name: len(steps) for name, (steps, _) in self._series.items()}

    def extend(self, flat: Mapping[str, np.ndarray]) -> None:
        """Appends what `tail` gave."""
        for name in (name.removeprefix("steps/") for name in flat if name.startswith("steps/")):
            for step, values in zip(
                flat[f"steps/{name}"].tolist(), flat[f"values/{name}"], strict=True
            ):
                self.add(name, step, values)
