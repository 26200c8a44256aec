"""Which label waves can be learned on which curve: experiment 6 of Rahaman et al. (2019), Fig 7, 9.

Trains one 6-layer 256-unit ReLU network for each cell of a grid of frequencies k and flower curves
with L lobes, on 1,000 points labelled by sin(2 pi k z + phase) > threshold (sigmoid cross-entropy,
full batch, Adam 3e-4), and reports the training accuracy. All cells are one ensemble.

    python launchers/manifold_grid.py --alsologtostderr

takes about 2 minutes on 2 cores (4 frequencies, 3 curves, 2,000 steps). The whole grid, 88 cells of
10,000 steps, and about an hour:

    python launchers/manifold_grid.py --flagfile=results/manifold_grid/zero/run.flags

and with `half.flags` for `zero/run.flags` the same cells, phases and first weights at the threshold
of the paper's text, 0.5, where its code has 0. A cell is one network: no number of a single cell
has an interval, but what the most lobes gain over the fewest has, over frequencies.

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
    from matplotlib.figure import Figure

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


def make_cells() -> tuple[list[Cell], list[Cell]]:
    """The cells of the grid, and those of them whose regions are drawn, one for each threshold."""
    frequencies = runtime.whole_numbers("frequencies", FLAGS.frequencies)
    lobes = runtime.whole_numbers("lobes", FLAGS.lobes)
    runtime.refuse_above("lobes", max(lobes), (FLAGS.num_samples - 1) // 2)
    thresholds = runtime.numbers("thresholds", FLAGS.thresholds)
    cells = [Cell(t, n, k) for t in thresholds for n in lobes for k in frequencies]
    return cells, [nearest_cell(cells, *MAP_CELL, threshold) for threshold in thresholds]


def nearest_cell(cells: list[Cell], frequency: int, lobes: int, threshold: float) -> Cell:
    """The cell of a threshold that is nearest to a cell of the paper."""
    own = [cell for cell in cells if cell.threshold == threshold]
    return min(own, key=lambda c: (abs(c.lobes - lobes), abs(c.frequency - frequency)))


def make_task(cell: Cell) -> tasks.LabelWave:
    """The labels of a cell; its phase and its initial weights are the same at all thresholds."""
    rng = runtime.generator(FLAGS.seed, "phases", cell.frequency, cell.lobes)
    wave = tasks.SumOfSines.with_random_phases([cell.frequency], [1.0], FLAGS.num_samples, rng)
    return tasks.LabelWave(wave, cell.threshold)


def main() -> None:
    """Runs the experiment that the flags describe."""
    if FLAGS.knn:
        runtime.refuse_below("num_samples", FLAGS.num_samples, max(NEIGHBOURS))
    grid, drawn = make_cells()
    cells = [*grid, *drawn]  # The networks of the second are others.
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

    names = [("first", c.frequency, c.lobes) for c in grid]
    names += [("second", c.frequency, c.lobes) for c in drawn]
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
        charts = {"accuracy by lobes": ["accuracy/.*"], "loss": ["loss"]}
        session.board.describe(runtime.settings(), charts)
    labels = np.stack([wave.labels for wave in waves])
    for step in session:
        probe(session, cells, labels, step)
    if folder.writes:
        report(session, folder, grid, drawn, waves)
    session.wait_for_all()


def probe(session: Session[Ensemble], cells: list[Cell], labels: np.ndarray, step: int) -> None:
    """Records the training accuracy of every network, at a probability above 1/2."""
    logits = session.outputs[..., 0]
    accuracies = np.mean((logits > 0) == labels, axis=-1)
    accuracies[np.isnan(session.losses)] = np.nan
    session.history.add("accuracy", step, accuracies)
    session.history.add("loss", step, session.losses)
    rows = [f"accuracy/threshold={cell.threshold:g}/L={cell.lobes:02d}" for cell in cells]
    means = {row: np.nanmean(accuracies[np.equal(rows, row)]) for row in dict.fromkeys(rows)}
    session.board.scalars({"loss": np.nanmean(session.losses), **means}, step)


def report(
    session: Session[Ensemble],
    folder: records.RunFolder,
    grid: list[Cell],
    drawn: list[Cell],
    waves: list[tasks.LabelWave],
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    from spectral_tf.records import figures

    steps, accuracies = session.history["accuracy"]
    _, losses = session.history["loss"]
    accuracy = [accuracy_of(accuracies[-FLAGS.last_probes :, i]) for i in range(len(grid))]
    records.write_table(
        folder.path / "accuracy.csv",
        ("manifold_lobes", "frequency", "threshold", "accuracy", "chance"),
        (
            (c.lobes, c.frequency, c.threshold, accuracy[i], waves[i].chance)
            for i, c in enumerate(grid)
        ),
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
    found = {}
    for cell in drawn:
        own = [i for i, c in enumerate(grid) if c.threshold == cell.threshold]
        lobes, frequencies = (
            sorted({getattr(grid[i], name) for i in own}) for name in ("lobes", "frequency")
        )
        # Both [lobes, frequencies].
        order = sorted(own, key=lambda i: (grid[i].lobes, grid[i].frequency))
        shape = (len(lobes), len(frequencies))
        values = np.reshape([float(accuracy[i].value) for i in order], shape)
        figure = figures.grid_map(
            lobes,
            frequencies,
            {"networks": values, "chance": np.reshape([waves[i].chance for i in order], shape)},
            xlabel="frequency k [cycles per unit]",
            ylabel="lobes L",
            label="training accuracy",
            title=f"Labels above {cell.threshold:g}, step {FLAGS.num_steps:,}, mean of the last "
            f"{FLAGS.last_probes} probes, one network in a cell",
            limits=(0.5, 1.0),
        )
        save(session, folder, "accuracy", cell, figure)
        found[cell.threshold] = {
            **changes(values),
            **draw_regions(session, folder, grid, drawn, cell, waves),
        }
    if FLAGS.knn:
        nearest_neighbours(session, folder, grid, drawn, waves)
    session.board.close_segment()
    folder.finish(
        {
            "experiment": "manifold_grid",
            "num_cells": len(grid),
            "num_steps": FLAGS.num_steps,
            "by_threshold": {
                f"{threshold:g}": {
                    "mean_accuracy_by_lobes": by("lobes", threshold, grid, accuracy),
                    "mean_accuracy_by_frequency": by("frequency", threshold, grid, accuracy),
                    **{name: estimate.record() for name, estimate in facts.items()},
                }
                for threshold, facts in found.items()
            },
            "diverged_at_step": session.diverged,
            "member_steps_per_second": len(waves) * FLAGS.num_steps / session.seconds,
        },
        wall_seconds=session.seconds,
    )
    for cell in drawn:
        print(f"labels above {cell.threshold:g}, one network in a cell:")
        for name in ("lobes", "frequency"):
            means = by(name, cell.threshold, grid, accuracy)
            row = "  ".join(f"{value}: {mean:.3f}" for value, mean in means.items())
            print(f"  mean accuracy by {name}:  {row}")
        pair = f"two networks of k = {cell.frequency}, L = {cell.lobes}"
        for name, estimate in found[cell.threshold].items():
            told = name.replace("_", " ").replace("two networks", pair)
            print(f"  {told}: {estimate.text('.3f')}")
    runtime.say_where(folder)


def accuracy_of(last: np.ndarray) -> spectra.Estimate:
    """One network's mean accuracy over its last probes; those after it stopped do not count."""
    going = ~np.isnan(last)
    if not going.any():
        return spectra.not_enough(0, 1, "runs")
    return spectra.not_enough(1, 2, "runs", float(last[going].mean()))


def changes(accuracy: np.ndarray) -> dict[str, spectra.Estimate]:
    """What the most lobes gain over the fewest, and the highest frequency over the lowest.

    From accuracies [lobes, frequencies] of networks with phases and initial weights of their own:
    paired over frequencies and over lobes; cells without a number do not count.
    """
    found = {}
    for name, away, unit in (
        ("gain_of_most_lobes", accuracy[-1] - accuracy[0], "frequencies"),
        ("gain_of_highest_frequency", accuracy[:, -1] - accuracy[:, 0], "curves"),
    ):
        there = away[~np.isnan(away)]
        if there.size:
            # No difference of accuracies is beyond 1.
            mean = spectra.paired_difference(there, unit=unit)
            found[name] = mean.map(lambda ends: np.clip(ends, -1, 1))
        else:
            found[name] = spectra.not_enough(0, 1, unit)
    return found


def by(
    name: str, threshold: float, grid: list[Cell], accuracy: list[spectra.Estimate]
) -> dict[str, float]:
    """The mean accuracy of all cells of a threshold that share a value, {value: mean}."""
    of_value: dict[int, list[float]] = {}
    for cell, estimate in zip(grid, accuracy, strict=True):
        if cell.threshold == threshold and np.isfinite(estimate.value):
            of_value.setdefault(getattr(cell, name), []).append(float(estimate.value))
    return {str(value): float(np.mean(of_value[value])) for value in sorted(of_value)}


def save(
    session: Session[Ensemble], folder: records.RunFolder, name: str, cell: Cell, figure: Figure
) -> None:
    """Keeps one threshold's figure, as file and for TensorBoard."""
    from spectral_tf.records import figures

    name = f"{name}_threshold_{cell.threshold:g}"
    pixels = figures.save_figure(figure, folder.figures / f"{name}.png")
    session.board.image(name, pixels, FLAGS.num_steps)


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
    grid: list[Cell],
    drawn: list[Cell],
    cell: Cell,
    waves: list[tasks.LabelWave],
) -> dict[str, spectra.Estimate]:
    """Fig 7: two networks of one cell, and how far they agree on the curve and off it."""
    from spectral_tf.records import figures

    pair = [grid.index(cell), len(grid) + drawn.index(cell)]
    logits = logits_on_square(session, pair)
    figure = figures.decision_regions(
        dict(zip(("first network", "second network"), logits, strict=True)),
        HALF_SIDE,
        tasks.Flower(cell.lobes)(waves[pair[0]].wave.positions),
        waves[pair[0]].labels,
        title=f"Decision regions, k = {cell.frequency}, L = {cell.lobes}, "
        f"threshold {cell.threshold:g}",
    )
    save(session, folder, "decision_regions", cell, figure)
    on_curve = session.outputs[pair, :, 0] > 0
    return {
        f"two_networks_agree_on_{place}": spectra.not_enough(
            1, 2, "pairs", float(np.mean(first == second))
        )
        for place, (first, second) in {"curve": on_curve, "square": logits > 0}.items()
    }


def nearest_neighbours(
    session: Session[Ensemble],
    folder: records.RunFolder,
    grid: list[Cell],
    drawn: list[Cell],
    waves: list[tasks.LabelWave],
) -> None:
    """Appendix E.2, Fig 22: the same grid for k-nearest-neighbour classifiers; radial spectra."""
    from sklearn.neighbors import KNeighborsClassifier

    from spectral_tf.records import figures

    accuracy = {}
    for neighbours in NEIGHBOURS:
        for cell, wave in zip(grid, waves, strict=False):
            points = tasks.Flower(cell.lobes)(wave.wave.positions)
            classifier = KNeighborsClassifier(neighbours).fit(points, wave.labels)
            accuracy[neighbours, cell] = classifier.score(points, wave.labels)
    records.write_table(
        folder.path / "nearest_neighbours.csv",
        ("neighbours", "manifold_lobes", "frequency", "threshold", "accuracy"),
        ((n, c.lobes, c.frequency, c.threshold, score) for (n, c), score in accuracy.items()),
    )
    rows: list[tuple[object, ...]] = []
    for drawn_cell in drawn:
        threshold = drawn_cell.threshold
        own = [cell for cell in grid if cell.threshold == threshold]
        lobes = sorted({cell.lobes for cell in own})
        frequencies = sorted({cell.frequency for cell in own})
        figure = figures.grid_map(
            lobes,
            frequencies,
            {
                f"{n} neighbours": np.array(
                    [[accuracy[n, Cell(threshold, lob, k)] for k in frequencies] for lob in lobes]
                )
                for n in NEIGHBOURS
            },
            xlabel="frequency k [cycles per unit]",
            ylabel="lobes L",
            label="training accuracy",
            title=f"k-nearest neighbours, labels above {threshold:g}",
            limits=(0.0, 1.0),
        )
        save(session, folder, "nearest_neighbours", drawn_cell, figure)

        cell = nearest_cell(grid, *RADIAL_CELL, threshold)
        place = grid.index(cell)
        points = tasks.Flower(cell.lobes)(waves[place].wave.positions)
        logits = logits_on_square(session, [place])[0].astype(np.float64)
        maps = {"network": 1 / (1 + np.exp(-logits))}
        for neighbours in (1, *NEIGHBOURS):
            classifier = KNeighborsClassifier(neighbours).fit(points, waves[place].labels)
            probabilities = classifier.predict_proba(square())[:, 1]
            maps[f"{neighbours}-NN"] = probabilities.reshape(SIDE_POINTS, SIDE_POINTS)
        radii, energies = spectra.radial_spectrum(np.array(list(maps.values())), 2 * HALF_SIDE)
        of_map = dict(zip(maps, energies, strict=True))
        rows += [
            (threshold, name, r, energy)
            for name, row in of_map.items()
            for r, energy in zip(radii, row, strict=True)
        ]
        figure = figures.lines(
            [figures.Line(radii[1:], row[1:], name) for name, row in of_map.items()],
            xlabel="radial frequency [cycles per length]",
            ylabel="energy",
            title=f"Probability maps over the square, k = {cell.frequency}, L = {cell.lobes}, "
            f"labels above {threshold:g}",
            xscale="log",
            yscale="log",
        )
        save(session, folder, "radial_spectra", drawn_cell, figure)
    records.write_table(
        folder.path / "radial_spectra.csv",
        ("threshold", "classifier", "radial_frequency", "energy"),
        rows,
    )


if __name__ == "__main__":
    runtime.launch(main)
