"""Which label waves can be learned on which curve: experiment 6 of Rahaman et al. (2019), Fig 7, 9.

Trains one 6-layer 256-unit ReLU network for each cell of a grid of frequencies k and flower curves
with L lobes, on 1,000 points labelled by sin(2 pi k z + phase) > threshold (sigmoid cross-entropy,
full batch, Adam 3e-4), and reports the training accuracy. All cells are one ensemble.

    python launchers/manifold_grid.py --alsologtostderr

takes about 2 minutes on 2 cores (4 frequencies, 3 curves, 2,000 steps). The whole grid, 88 cells of
10,000 steps, and about an hour:

    python launchers/manifold_grid.py --flagfile=results/manifold_grid/zero/run.flags --workdir=runs/grid

To see: accuracy rises with L and falls with k; on the circle high frequencies stay near chance; two
networks that agree on the curve differ off it (results/manifold_grid).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import models, records, runtime, tasks
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import keras

    from spectral_tf.training.session import Session

FLAGS = flags.FLAGS
runtime.define_run_flags("manifold_grid")
flags.DEFINE_list("frequencies", [50, 150, 200, 400], "k: whole cycles per unit, one for each column.")
flags.DEFINE_list("lobes", [0, 10, 20], "L: lobes of the curve, one for each row.")
flags.DEFINE_list("thresholds", ["0"], "Class 1 above it: 0 (the published code), 0.5 (the text).")
flags.DEFINE_integer("num_steps", 2_000, "Training steps of each network (paper: 10,000).", 1)
flags.DEFINE_integer("probe_every", 100, "Steps between two accuracies (the paper's 100).", 1)
flags.DEFINE_integer("last_probes", 10, "Accuracies averaged at the end of training.", 1)
flags.DEFINE_integer("num_samples", 1_000, "Points on each curve.", 3)
runtime.define_network_flags(models.ACTIVATIONS)
flags.DEFINE_list("map_cell", [200, 20], "k,L of the cell whose decision regions are drawn (Fig 7).")


class Cell(NamedTuple):
    """One square of the grid."""

    threshold: float
    lobes: int
    frequency: int


def make_cells() -> list[Cell]:
    """The cells of the grid and, last, the second network of the cell whose regions are drawn."""
    frequencies = runtime.whole_numbers("frequencies", FLAGS.frequencies)
    lobes = runtime.whole_numbers("lobes", FLAGS.lobes)
    thresholds = runtime.numbers("thresholds", FLAGS.thresholds)
    cells = [Cell(t, n, k) for t in thresholds for n in lobes for k in frequencies]
    drawn = runtime.whole_numbers("map_cell", FLAGS.map_cell, distinct=False)
    if len(drawn) != 2 or drawn[0] not in frequencies or drawn[1] not in lobes:
        raise UserError(
            "--map_cell",
            expected="k,L of a cell of the grid",
            got=",".join(map(str, drawn)),
            hint=f"for example --map_cell={frequencies[-1]},{lobes[-1]}",
        )
    return [*cells, Cell(thresholds[0], drawn[1], drawn[0])]


def make_task(cell: Cell) -> tasks.LabelWave:
    """The labels of a cell; the phase is the same for both thresholds."""
    rng = runtime.generator(FLAGS.seed, "phases", cell.frequency, cell.lobes)
    wave = tasks.SumOfSines.with_random_phases([cell.frequency], [1.0], FLAGS.num_samples, rng)
    return tasks.LabelWave(wave, cell.threshold)


def main() -> None:
    """Runs the experiment that the flags describe."""
    cells = make_cells()
    waves = [make_task(cell) for cell in cells]
    curves = [tasks.Flower(cell.lobes)(waves[0].wave.positions) for cell in cells]
    folder = runtime.run_folder("manifold_grid")

    from spectral_tf.models.mlp import mlp
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.adam import Adam
    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.session import Session, probe_steps

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    folder.start(environment(strategy, FLAGS.seed))

    def build(seed: int) -> keras.Model:
        return mlp(
            width=FLAGS.width,
            depth=FLAGS.depth,
            input_dim=2,
            activation=FLAGS.activation,
            seed=seed,
        )

    names = [("first", c.frequency, c.lobes) for c in cells[:-1]]
    names.append(("second", cells[-1].frequency, cells[-1].lobes))
    ensemble = Ensemble(
        build,
        [runtime.derive_seed(FLAGS.seed, "init", *name) for name in names],
        [wave.dataset(curve) for wave, curve in zip(waves, curves, strict=True)],
        loss="sigmoid_cross_entropy",
        optimizer=Adam(FLAGS.learning_rate),
        strategy=strategy,
    )
    steps = probe_steps(FLAGS.num_steps, FLAGS.probe_every)
    session = Session(ensemble, folder, steps, FLAGS.save_every_seconds, "manifold_grid")
    if not session.resumed:
        charts = {"accuracy by lobes": ["accuracy/L=.*"], "loss": ["loss"]}
        session.board.describe(runtime.settings(), charts)
    labels = np.stack([wave.labels for wave in waves])
    for step in session:
        probe(session, cells, labels, step)
    session.wait_for_all()


def probe(session: Session, cells: list[Cell], labels: np.ndarray, step: int) -> None:
    """Records the training accuracy of every network, at a probability above 1/2."""
    logits = session.outputs[..., 0]
    accuracies = np.mean((logits > 0) == labels, axis=-1)
    accuracies[np.isnan(session.losses)] = np.nan
    session.history.add("accuracy", step, accuracies)
    session.history.add("loss", step, session.losses)
    lobes = np.array([cell.lobes for cell in cells])
    means = {f"accuracy/L={n:02d}": np.nanmean(accuracies[lobes == n]) for n in np.unique(lobes)}
    session.board.scalars({"loss": np.nanmean(session.losses), **means}, step)


if __name__ == "__main__":
    runtime.launch(main)
