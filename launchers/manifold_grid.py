"""Which label waves can be learned on which curve: experiment 6 of Rahaman et al. (2019), Fig 7, 9.

Trains one 6-layer 256-unit ReLU network for each cell of a grid of frequencies k and flower curves
with L lobes, on 1,000 points labelled by sin(2 pi k z + phase) > threshold (sigmoid cross-entropy,
full batch, Adam 3e-4), and reports the training accuracy. All cells are one ensemble.

    python launchers/manifold_grid.py --alsologtostderr

takes about 2 minutes on 2 cores (4 frequencies, 3 curves, 2,000 steps). The whole grid, 88 cells of
10,000 steps, and about an hour:

    python launchers/manifold_grid.py --flagfile=results/manifold_grid/zero/run.flags

To see: accuracy rises with L and falls with k; on the circle high frequencies stay near chance; two
networks that agree on the curve differ off it (results/manifold_grid).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import models, records, runtime, spectra, tasks

if TYPE_CHECKING:
    import keras

    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.session import Session

FLAGS = flags.FLAGS
runtime.define_run_flags("manifold_grid")
flags.DEFINE_list(
    "frequencies", [50, 150, 200, 400], "k: whole cycles per unit, one for each column."
)
flags.DEFINE_list("lobes", [0, 10, 20], "L: lobes of the curve, one for each row.")
flags.DEFINE_list("thresholds", ["0"], "Class 1 above it: 0 (the published code), 0.5 (the text).")
flags.DEFINE_integer("num_steps", 2_000, "Training steps of each network (paper: 10,000).", 1)
flags.DEFINE_integer("probe_every", 100, "Steps between two accuracies (the paper's 100).", 1)
flags.DEFINE_integer("last_probes", 10, "Accuracies averaged at the end of training.", 1)
flags.DEFINE_integer("num_samples", 1_000, "Points on each curve.", 3)
runtime.define_network_flags(models.ACTIVATIONS)
flags.DEFINE_bool("knn", False, "Also k-nearest-neighbour classifiers (appendix E.2).")

MAP_CELL, RADIAL_CELL = (200, 20), (150, 20)  # k, L of Fig 7 and of Fig 22; or the nearest cell.
NEIGHBOURS = (5, 10, 15, 20)
HALF_SIDE, SIDE_POINTS = 1.6, 200  # The square of Fig 7.


class Cell(NamedTuple):
    """One square of the grid."""

    threshold: float
    lobes: int
    frequency: int


def make_cells() -> list[Cell]:
    """The cells of the grid and, last, the second network of the cell whose regions are drawn."""
    frequencies = runtime.whole_numbers("frequencies", FLAGS.frequencies)
    lobes = runtime.whole_numbers("lobes", FLAGS.lobes)
    runtime.refuse_above("lobes", max(lobes), (FLAGS.num_samples - 1) // 2)
    thresholds = runtime.numbers("thresholds", FLAGS.thresholds)
    cells = [Cell(t, n, k) for t in thresholds for n in lobes for k in frequencies]
    return [*cells, nearest_cell(cells, *MAP_CELL)]


def nearest_cell(cells: list[Cell], frequency: int, lobes: int) -> Cell:
    """The cell of the first threshold that is nearest to a cell of the paper."""
    first = [cell for cell in cells if cell.threshold == cells[0].threshold]
    return min(first, key=lambda c: (abs(c.lobes - lobes), abs(c.frequency - frequency)))


def make_task(cell: Cell) -> tasks.LabelWave:
    """The labels of a cell; the phase is the same for both thresholds."""
    rng = runtime.generator(FLAGS.seed, "phases", cell.frequency, cell.lobes)
    wave = tasks.SumOfSines.with_random_phases([cell.frequency], [1.0], FLAGS.num_samples, rng)
    return tasks.LabelWave(wave, cell.threshold)


def main() -> None:
    """Runs the experiment that the flags describe."""
    if FLAGS.knn:
        runtime.refuse_below("num_samples", FLAGS.num_samples, max(NEIGHBOURS))
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
    if folder.writes:
        report(session, folder, cells, waves)
    session.wait_for_all()


def probe(session: Session[Ensemble], cells: list[Cell], labels: np.ndarray, step: int) -> None:
    """Records the training accuracy of every network, at a probability above 1/2."""
    logits = session.outputs[..., 0]
    accuracies = np.mean((logits > 0) == labels, axis=-1)
    accuracies[np.isnan(session.losses)] = np.nan
    session.history.add("accuracy", step, accuracies)
    session.history.add("loss", step, session.losses)
    lobes = np.array([cell.lobes for cell in cells])
    means = {f"accuracy/L={n:02d}": np.nanmean(accuracies[lobes == n]) for n in np.unique(lobes)}
    session.board.scalars({"loss": np.nanmean(session.losses), **means}, step)


def report(
    session: Session[Ensemble],
    folder: records.RunFolder,
    cells: list[Cell],
    waves: list[tasks.LabelWave],
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    from spectral_tf.records import figures

    steps, accuracies = session.history["accuracy"]
    _, losses = session.history["loss"]
    grid = cells[:-1]  # Without the second network of one of them.
    accuracy = np.nanmean(accuracies[-FLAGS.last_probes :], axis=0)
    chance = np.array([wave.chance for wave in waves])
    records.write_table(
        folder.path / "accuracy.csv",
        ("manifold_lobes", "frequency", "threshold", "accuracy", "chance"),
        ((c.lobes, c.frequency, c.threshold, accuracy[i], chance[i]) for i, c in enumerate(grid)),
    )
    records.write_table(
        folder.path / "runs.csv",
        ("manifold_lobes", "frequency", "threshold", "step", "accuracy", "loss"),
        (
            (c.lobes, c.frequency, c.threshold, step, accuracies[s, i], losses[s, i])
            for i, c in enumerate(grid)
            for s, step in enumerate(steps)
        ),
    )
    thresholds, lobes, frequencies = (sorted(set(column)) for column in zip(*grid, strict=True))
    shape = (len(thresholds), len(lobes), len(frequencies))
    at = np.reshape(np.lexsort(np.transpose(grid)[::-1]), shape)
    panels = {}
    for t, threshold in enumerate(thresholds):
        panels[f"threshold {threshold:g}"] = accuracy[at[t]]
        panels[f"chance, threshold {threshold:g}"] = chance[at[t]]
    figure = figures.grid_map(
        lobes,
        frequencies,
        panels,
        xlabel="frequency k [cycles per unit]",
        ylabel="lobes L",
        label="training accuracy",
        title=f"Step {FLAGS.num_steps:,}, mean of the last {FLAGS.last_probes} probes",
        limits=(0.5, 1.0),
    )
    pixels = figures.save_figure(figure, folder.figures / "accuracy.png")
    session.board.image("accuracy", pixels, FLAGS.num_steps)
    found = draw_regions(session, folder, cells, waves)
    if FLAGS.knn:
        nearest_neighbours(session, folder, grid, waves)
    session.board.close_segment()
    folder.finish(
        {
            "experiment": "manifold_grid",
            "num_cells": len(grid),
            "num_steps": FLAGS.num_steps,
            "mean_accuracy_by_lobes": by("lobes", grid, accuracy),
            "mean_accuracy_by_frequency": by("frequency", grid, accuracy),
            **found,
            "diverged_at_step": session.diverged,
            "member_steps_per_second": len(cells) * FLAGS.num_steps / session.seconds,
        },
        wall_seconds=session.seconds,
    )
    for name in ("lobes", "frequency"):
        row = "  ".join(f"{value}: {mean:.3f}" for value, mean in by(name, grid, accuracy).items())
        print(f"mean accuracy by {name}:  {row}")
    print(f"two networks of cell k = {cells[-1].frequency}, L = {cells[-1].lobes}: {found}")
    runtime.say_where(folder)


def by(name: str, cells: list[Cell], accuracy: np.ndarray) -> dict[str, float]:
    """The mean accuracy of all cells that share a value, {value: mean}."""
    values = np.array([getattr(cell, name) for cell in cells])
    return {str(v): float(accuracy[: len(cells)][values == v].mean()) for v in np.unique(values)}


def square() -> np.ndarray:
    """The points of the square in which functions are looked at, shape [points^2, 2]."""
    side = np.linspace(-HALF_SIDE, HALF_SIDE, SIDE_POINTS, endpoint=False)
    x, y = np.meshgrid(side, side)
    return np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)


def logits_on_square(session: Session[Ensemble], members: list[int]) -> np.ndarray:
    """The outputs of some networks over the square, shape [members, points, points]."""
    from spectral_tf.probes.functions import stacked_outputs

    weights = [w[members] for w in session.ensemble.weights]
    outputs = stacked_outputs(session.ensemble.model, weights, [], square())
    return outputs.numpy().reshape(len(members), SIDE_POINTS, SIDE_POINTS)


def draw_regions(
    session: Session[Ensemble],
    folder: records.RunFolder,
    cells: list[Cell],
    waves: list[tasks.LabelWave],
) -> dict[str, float]:
    """Fig 7: two networks of one cell, and how far they agree on the curve and off it."""
    from spectral_tf.records import figures

    threshold, lobes, frequency = cells[-1]
    pair = [cells.index(cells[-1]), len(cells) - 1]
    logits = logits_on_square(session, pair)
    figure = figures.decision_regions(
        dict(zip(("first network", "second network"), logits, strict=True)),
        HALF_SIDE,
        tasks.Flower(lobes)(waves[-1].wave.positions),
        waves[-1].labels,
        title=f"Decision regions, k = {frequency}, L = {lobes}, threshold {threshold:g}",
    )
    pixels = figures.save_figure(figure, folder.figures / "decision_regions.png")
    session.board.image("decision_regions", pixels, FLAGS.num_steps)
    on_curve = session.outputs[pair, :, 0] > 0
    return {
        "two_networks_agree_on_curve": float(np.mean(on_curve[0] == on_curve[1])),
        "two_networks_agree_on_square": float(np.mean((logits[0] > 0) == (logits[1] > 0))),
    }


def nearest_neighbours(
    session: Session[Ensemble],
    folder: records.RunFolder,
    cells: list[Cell],
    waves: list[tasks.LabelWave],
) -> None:
    """Appendix E.2, Fig 22: the same grid for k-nearest-neighbour classifiers; radial spectra."""
    from sklearn.neighbors import KNeighborsClassifier

    from spectral_tf.records import figures

    thresholds, lobes, frequencies = (sorted(set(column)) for column in zip(*cells, strict=True))
    rows, panels = [], {}
    for neighbours in NEIGHBOURS:
        accuracy = {}
        for cell, wave in zip(cells, waves, strict=False):
            points = tasks.Flower(cell.lobes)(wave.wave.positions)
            classifier = KNeighborsClassifier(neighbours).fit(points, wave.labels)
            accuracy[cell] = classifier.score(points, wave.labels)
            rows.append((neighbours, cell.lobes, cell.frequency, cell.threshold, accuracy[cell]))
        panels[f"{neighbours} neighbours"] = np.array(
            [[accuracy[Cell(thresholds[0], n, k)] for k in frequencies] for n in lobes]
        )
    columns = ("neighbours", "manifold_lobes", "frequency", "threshold", "accuracy")
    records.write_table(folder.path / "nearest_neighbours.csv", columns, rows)
    figure = figures.grid_map(
        lobes,
        frequencies,
        panels,
        xlabel="frequency k [cycles per unit]",
        ylabel="lobes L",
        label="training accuracy",
        title=f"k-nearest neighbours, threshold {thresholds[0]:g}",
        limits=(0.0, 1.0),
    )
    pixels = figures.save_figure(figure, folder.figures / "nearest_neighbours.png")
    session.board.image("nearest_neighbours", pixels, FLAGS.num_steps)

    cell = nearest_cell(cells, *RADIAL_CELL)
    place = cells.index(cell)
    points = tasks.Flower(cell.lobes)(waves[place].wave.positions)
    maps = {"network": 1 / (1 + np.exp(-logits_on_square(session, [place])[0].astype(np.float64)))}
    for neighbours in (1, *NEIGHBOURS):
        classifier = KNeighborsClassifier(neighbours).fit(points, waves[place].labels)
        probabilities = classifier.predict_proba(square())[:, 1]
        maps[f"{neighbours}-NN"] = probabilities.reshape(SIDE_POINTS, SIDE_POINTS)
    radii, energies = spectra.radial_spectrum(np.array(list(maps.values())), 2 * HALF_SIDE)
    records.write_table(
        folder.path / "radial_spectra.csv",
        ("classifier", "radial_frequency", "energy"),
        (
            (name, r, energy)
            for name, row in zip(maps, energies, strict=True)
            for r, energy in zip(radii, row, strict=True)
        ),
    )
    figure = figures.lines(
        [figures.Line(radii[1:], row[1:], name) for name, row in zip(maps, energies, strict=True)],
        xlabel="radial frequency [cycles per length]",
        ylabel="energy",
        title=f"Probability maps over the square, k = {cell.frequency}, L = {cell.lobes}",
        xscale="log",
        yscale="log",
    )
    pixels = figures.save_figure(figure, folder.figures / "radial_spectra.png")
    session.board.image("radial_spectra", pixels, FLAGS.num_steps)


if __name__ == "__main__":
    runtime.launch(main)
