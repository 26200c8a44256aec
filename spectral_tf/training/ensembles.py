"""Ensembles of different architectures trained in step, as if they were one."""

import time
from collections.abc import Mapping, Sequence

import numpy as np

from spectral_tf.training.ensemble import Ensemble


class Ensembles:
    """Several `Ensemble`s, one after the other in every call, with the members of all in a row.

    Members of one architecture belong into one `Ensemble`, where they are trained at once; this
    adds what cannot be stacked (other depths, other widths). All need the same number of samples
    and outputs. Has what a `TrainingLoop` needs.

    Args:
      ensembles: at least one.

    Attributes:
      seconds: of the training of each, in this process.
    """

    goal = None

    def __init__(self, ensembles: Sequence[Ensemble]) -> None:
        self.ensembles = ensembles
        self.num_members = sum(e.num_members for e in ensembles)
        self.seconds = [0.0] * len(ensembles)

    @property
    def step(self) -> int:
        """Updates made so far."""
        return self.ensembles[0].step

    @property
    def diverged_at_step(self) -> np.ndarray:
        """As for one ensemble, shape [e]."""
        return np.concatenate([e.diverged_at_step for e in self.ensembles])

    def train(self, num_steps: int) -> None:
        """As for one ensemble."""
        for i, ensemble in enumerate(self.ensembles):
            start = time.perf_counter()
            ensemble.train(num_steps)
            self.seconds[i] += time.perf_counter() - start

    def evaluate(self) -> tuple[np.ndarray, np.ndarray]:
        """As for one ensemble, outputs [e, n, o] and losses [e]."""
        outputs, losses = zip(*(e.evaluate() for e in self.ensembles), strict=True)
        return np.concatenate(outputs), np.concatenate(losses)

    def all_reduce_max(self, *requests: int) -> list[int]:
        """As for one ensemble."""
        return self.ensembles[0].all_reduce_max(*requests)

    def state(self) -> dict[str, np.ndarray]:
        """As for one ensemble; what `load` takes."""
        states = enumerate(e.state() for e in self.ensembles)
        return {f"{i:03d}/{name}": array for i, state in states for name, array in state.items()}

    def load(self, saved: Mapping[str, np.ndarray]) -> None:
        """As for one ensemble.

        Raises:
          UserError: the arrays are those of other ensembles.
        """
        for i, ensemble in enumerate(self.ensembles):
            prefix = f"{i:03d}/"
            ensemble.load(
                {n.removeprefix(prefix): a for n, a in saved.items() if n.startswith(prefix)}
            )
