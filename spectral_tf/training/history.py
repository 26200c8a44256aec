"""What was measured while networks trained."""

import numpy as np

from spectral_tf.errors import UserError


class History:
    """What was measured: named series, each a list of steps with one array for every step."""

    def __init__(self) -> None:
        self._series: dict[str, tuple[list[int], list[np.ndarray]]] = {}

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

    def arrays(self) -> dict[str, np.ndarray]:
        """The series as arrays that `load` takes."""
        flat: dict[str, np.ndarray] = {}
        for name in self._series:
            steps, values = self[name]
            flat |= {f"steps/{name}": np.asarray(steps), f"values/{name}": values}
        return flat

    def load(self, flat: dict[str, np.ndarray]) -> None:
        """Replaces the content."""
        names = [name.removeprefix("steps/") for name in flat if name.startswith("steps/")]
        self._series = {
            name: (flat[f"steps/{name}"].tolist(), list(flat[f"values/{name}"])) for name in names
        }
