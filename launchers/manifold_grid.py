"""Which label waves can be learned on which curve: experiment 6 of Rahaman et al. (2019), Fig 7, 9.

Trains one 6-layer 256-unit ReLU network for each cell of a grid of frequencies k and flower curves
with L petals, on 1,000 points labelled by sin(2 pi k z + phase) > threshold (sigmoid cross-entropy,
full batch, Adam 3e-4), and reports the training accuracy. All cells are one ensemble.

    python launchers/manifold_grid.py --alsologtostderr

takes about 2 minutes on 2 cores (4 frequencies, 3 curves, 2,000 steps). The whole grid, 88 cells of
10,000 steps, and about an hour:

    python launchers/manifold_grid.py --flagfile=results/manifold_grid/zero/run.flags

and with `half.flags` for `zero/run.flags` the same cells, phases and first weights at the threshold
of the paper's text, 0.5, where its code has 0. A cell is one network: no number of a single cell
has an interval, but what the most petals gain over the fewest has, over frequencies.

To see: accuracy rises with L and falls with k; on the circle high frequencies stay near chance; two
networks that agree on the curve differ off it (results/manifold_grid).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import experiments, models, probes, records, runtime, spectra, tasks, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.neighbors import KNeighborsClassifier

FLAGS = flags.FLAGS
runtime.define_run_flags("manifold_grid", reports=True)
with runtime.flag_group("Grid"):
    flags.DEFINE_list(
        "frequencies",
        [50, 150, 200, 400],
        "Frequencies k of the labels, whole cycles per unit, one for each column.",
    )
    flags.DEFINE_list("petals", [0, 10, 20], "Petals L of the curve, one for each row.")
    flags.DEFINE_list(
        "thresholds",
        ["0"],
        "Thresholds above which a label is class 1: 0 (the published code), 0.5 (the text).",
    )
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer("num_steps", 2_000, "Training steps of each network (paper: 10,000).", 1)
    flags.DEFINE_integer("probe_every", 100, "Steps between two accuracies (the paper's 100).", 1)
    flags.DEFINE_integer(
        "last_probes", 10, "Number of accuracies averaged at the end of training.", 1
    )
    flags.DEFINE_integer("num_samples", 1_000, "Points on each curve.", 3)
runtime.define_network_flags(models.ACTIVATIONS, models.PRECISIONS)
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_bool("knn", False, "Classifiers by nearest neighbours, too (appendix E.2).")

MAP_CELL, RADIAL_CELL = (200, 20), (150, 20)  # k, L of Fig 7 and of Fig 22; or the nearest cell.
NEIGHBOURS = (5, 10, 15, 20)
HALF_SIDE, SIDE_POINTS = 1.6, 200  # The square of Fig 7.


class Cell(NamedTuple):
    """One square of the grid."""

    threshold: float
    petals: int
    frequency: int


class Plan(NamedTuple):
    """What is asked for.

    Attributes:
      grid: its cells, one network each.
      drawn: those whose regions are drawn, one for each threshold; each has a second network.
      waves: the labels of all networks, the second ones last.
      network, learning_rate, num_steps, probed_at: of the training.
      last_probes: accuracies averaged at its end.
      knn: whether nearest neighbours classify, too.
    """

    grid: list[Cell]
    drawn: list[Cell]
    waves: list[tasks.LabelWave]
    network: models.Mlp
    learning_rate: float
    num_steps: int
    probed_at: list[int]
    last_probes: int
    knn: bool

    @property
    def cells(self) -> list[Cell]:
        """Of all networks."""
        return [*self.grid, *self.drawn]

    def points(self, i: int) -> np.ndarray:
        """What network i sees, [n, 2]."""
        return tasks.Flower(self.cells[i].petals)(self.waves[i].wave.positions)

    def pair(self, cell: Cell) -> list[int]:
        """The two networks of a cell that is drawn."""
        return [self.grid.index(cell), len(self.grid) + self.drawn.index(cell)]

    def radial(self, threshold: float) -> int:
        """The network whose radial spectrum is drawn."""
        return self.grid.index(nearest_cell(self.grid, *RADIAL_CELL, threshold))


def plan() -> Plan:
    """Checks the flags."""
    frequencies = runtime.parse_ints("frequencies", FLAGS.frequencies)
    petals = runtime.parse_ints("petals", FLAGS.petals)
    runtime.check_at_least("petals", min(petals), 0)
    runtime.check_at_most("petals", max(petals), (FLAGS.num_samples - 1) // 2)
    thresholds = runtime.parse_floats("thresholds", FLAGS.thresholds)
    if FLAGS.knn:
        runtime.check_at_least("num_samples", FLAGS.num_samples, max(NEIGHBOURS))
    grid = [Cell(t, n, k) for t in thresholds for n in petals for k in frequencies]
    drawn = [nearest_cell(grid, *MAP_CELL, threshold) for threshold in thresholds]
    return Plan(
        grid,
        drawn,
        [labels_of(cell) for cell in [*grid, *drawn]],
        models.Mlp(
            FLAGS.width,
            FLAGS.depth,
            FLAGS.activation,
            input_dim=2,
            precision=FLAGS.precision or "float32",
        ),
        FLAGS.learning_rate,
        FLAGS.num_steps,
        training.every(FLAGS.num_steps, FLAGS.probe_every),
        FLAGS.last_probes,
        FLAGS.knn,
    )


def nearest_cell(cells: list[Cell], frequency: int, petals: int, threshold: float) -> Cell:
    """The cell of a threshold that is nearest to a cell of the paper."""
    own = [cell for cell in cells if cell.threshold == threshold]
    return min(own, key=lambda c: (abs(c.petals - petals), abs(c.frequency - frequency)))


def labels_of(cell: Cell) -> tasks.LabelWave:
    """The labels of a cell; its phase and its initial weights are the same at all thresholds."""
    rng = runtime.generator(FLAGS.seed, "phases", cell.frequency, cell.petals)
    wave = tasks.SumOfSines.with_random_phases([cell.frequency], [1.0], FLAGS.num_samples, rng)
    return tasks.LabelWave(wave, cell.threshold)


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains all cells at once, follows their accuracy, and looks at some functions at the end."""
    page.begin()
    names = [("first", c.frequency, c.petals) for c in plan.grid]
    names += [("second", c.frequency, c.petals) for c in plan.drawn]
    members = training.Ensemble(
        plan.network.build,
        [runtime.derive_seed(page.seed, "init", *name) for name in names],
        [wave.dataset(plan.points(i)) for i, wave in enumerate(plan.waves)],
        loss="sigmoid_cross_entropy",
        optimizer=training.Adam(plan.learning_rate),
        strategy=page.strategy,
    )
    labels = np.stack([wave.labels for wave in plan.waves])
    rows = [f"threshold={cell.threshold:g}/L={cell.petals:02d}" for cell in plan.cells]

    def accuracies(loop: training.TrainingLoop) -> np.ndarray:
        found = np.mean((loop.outputs[..., 0] > 0) == labels, axis=-1)
        found[np.isnan(loop.losses)] = np.nan
        return found

    found = page.follow(
        members,
        {
            "accuracy": training.Measure(accuracies, plan.probed_at, (rows,)),
            "loss": training.Measure(lambda loop: loop.losses, plan.probed_at, ("cell",)),
        },
        charts={"accuracy by petals": ["accuracy/.*"], "loss": ["loss"]},
    )
    pairs = [i for cell in plan.drawn for i in plan.pair(cell)]
    shown = sorted({*pairs, *(plan.radial(cell.threshold) for cell in plan.drawn)})
    weights = members.weights
    outputs = [
        probes.stacked_outputs(
            members.architecture, [w[[i]] for w in weights], [], square()
        ).numpy()
        for i in shown
    ]
    found.facts |= {
        "shown": shown,
        "on_square": np.reshape(outputs, (len(shown), SIDE_POINTS, SIDE_POINTS)),
        "on_curve": members.evaluate()[0][pairs, :, 0] > 0,
    }
    return found


def square() -> np.ndarray:
    """The points of the square in which functions are looked at, shape [points^2, 2]."""
    side = np.linspace(-HALF_SIDE, HALF_SIDE, SIDE_POINTS, endpoint=False)
    x, y = np.meshgrid(side, side)
    return np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)


def report(plan: Plan, found: records.Found) -> records.Report:
    """The grid of accuracies by threshold, and what two networks of one cell agree on."""
    steps, accuracies = found["accuracy"]
    losses, grid = found["loss"].values, plan.grid
    last = accuracies[1:][-plan.last_probes :]  # The first probe is of untrained networks.
    accuracy = [accuracy_of(last[:, i]) for i in range(len(grid))]
    tables = {
        "accuracy": records.Table(
            ("manifold_petals", "frequency", "threshold", "accuracy", "chance"),
            [
                (c.petals, c.frequency, c.threshold, accuracy[i], plan.waves[i].chance)
                for i, c in enumerate(grid)
            ],
        ),
        "runs": records.Table(
            ("manifold_petals", "frequency", "threshold", "step", "accuracy", "loss"),
            [
                (c.petals, c.frequency, c.threshold, step, accuracies[s, i], losses[s, i])
                for i, c in enumerate(grid)
                for s, step in enumerate(steps)
            ],
        ),
    }
    figures: dict[str, Figure] = {}
    facts, lines = {}, []
    for cell in plan.drawn:
        name = f"threshold_{cell.threshold:g}"
        values, chance = by_row(plan, cell.threshold, accuracy)
        figures[f"accuracy_{name}"] = grid_map(
            plan,
            cell.threshold,
            {"networks": values, "chance": chance},
            title=f"Labels above {cell.threshold:g}, step {plan.num_steps:,}, mean of the last "
            f"{len(last)} probes, one network in a cell",
            limits=(0.5, 1.0),
        )
        figures[f"decision_regions_{name}"] = decision_regions(plan, found, cell)
        own = {**changes(values), **agreement(plan, found, cell)}
        facts[f"{cell.threshold:g}"] = {
            "mean_accuracy_by_petals": by("petals", cell.threshold, grid, accuracy),
            "mean_accuracy_by_frequency": by("frequency", cell.threshold, grid, accuracy),
            **{fact: estimate.record() for fact, estimate in own.items()},
        }
        lines += closing(cell, grid, accuracy, own)
    if plan.knn:
        more_tables, more_figures = nearest_neighbours(plan, found)
        tables |= more_tables
        figures |= more_figures
    return records.Report(
        tables=tables,
        figures=figures,
        summary={
            "num_cells": len(grid),
            "num_steps": plan.num_steps,
            "by_threshold": facts,
            **found.speed(len(plan.waves) * plan.num_steps),
        },
        lines=lines,
    )


def accuracy_of(last: np.ndarray) -> spectra.Estimate:
    """One network's mean accuracy over its last probes; those after it stopped do not count."""
    going = ~np.isnan(last)
    if not going.any():
        return spectra.not_enough(0, 1, "runs")
    return spectra.not_enough(1, 2, "runs", float(last[going].mean()))


def axes_of(plan: Plan, threshold: float) -> tuple[list[int], list[int]]:
    """The petals and the frequencies of the cells of a threshold."""
    own = [cell for cell in plan.grid if cell.threshold == threshold]
    return sorted({cell.petals for cell in own}), sorted({cell.frequency for cell in own})


def by_row(
    plan: Plan, threshold: float, accuracy: Sequence[spectra.Estimate]
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies and chance of a threshold, [petals, frequencies]."""
    petals, frequencies = axes_of(plan, threshold)
    indices = [[plan.grid.index(Cell(threshold, n, k)) for k in frequencies] for n in petals]
    values = [[float(accuracy[i].value) for i in row] for row in indices]
    return np.array(values), np.array([[plan.waves[i].chance for i in row] for row in indices])


def grid_map(
    plan: Plan,
    threshold: float,
    maps: dict[str, np.ndarray],
    *,
    title: str,
    limits: tuple[float, float],
) -> Figure:
    """Accuracies [petals, frequencies] of a threshold."""
    return records.figures.grid_map(
        *axes_of(plan, threshold),
        maps,
        xlabel="frequency k [cycles per unit]",
        ylabel="petals L",
        label="training accuracy",
        title=title,
        limits=limits,
    )


def changes(accuracy: np.ndarray) -> dict[str, spectra.Estimate]:
    """What the most petals gain over the fewest, and the highest frequency over the lowest.

    From accuracies [petals, frequencies] of networks with phases and initial weights of their own:
    paired over frequencies and over petals; cells without a number do not count.
    """
    found = {}
    for name, away, unit in (
        ("gain_of_most_petals", accuracy[-1] - accuracy[0], "frequencies"),
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


def closing(
    cell: Cell,
    grid: list[Cell],
    accuracy: list[spectra.Estimate],
    facts: dict[str, spectra.Estimate],
) -> list[str]:
    """What the screen says of a threshold."""
    lines = [f"labels above {cell.threshold:g}, one network in a cell:"]
    for name in ("petals", "frequency"):
        means = by(name, cell.threshold, grid, accuracy)
        row = "  ".join(f"{value}: {mean:.3f}" for value, mean in means.items())
        lines.append(f"  mean accuracy by {name}:  {row}")
    pair = f"two networks of k = {cell.frequency}, L = {cell.petals}"
    for name, estimate in facts.items():
        text = name.replace("_", " ").replace("two networks", pair)
        lines.append(f"  {text}: {estimate.text('.3f')}")
    return lines


def on_square(found: records.Found, members: Sequence[int]) -> np.ndarray:
    """The outputs of some networks over the square, shape [members, points, points]."""
    indices = [found.fact("shown").index(i) for i in members]
    return found.fact("on_square")[indices]


def decision_regions(plan: Plan, found: records.Found, cell: Cell) -> Figure:
    """Fig 7: two networks of one cell."""
    first, second = plan.pair(cell)
    logits = on_square(found, [first, second])
    return records.figures.decision_regions(
        dict(zip(("first network", "second network"), logits, strict=True)),
        HALF_SIDE,
        plan.points(first),
        plan.waves[first].labels,
        title=f"Decision regions, k = {cell.frequency}, L = {cell.petals}, "
        f"threshold {cell.threshold:g}",
    )


def agreement(plan: Plan, found: records.Found, cell: Cell) -> dict[str, spectra.Estimate]:
    """How far two networks of one cell agree on the curve and in the square."""
    first = 2 * plan.drawn.index(cell)
    classes = {
        "curve": found.fact("on_curve")[first : first + 2],
        "square": on_square(found, plan.pair(cell)) > 0,
    }
    return {
        f"two_networks_agree_on_{where}": spectra.not_enough(
            1, 2, "pairs", float(np.mean(first == second))
        )
        for where, (first, second) in classes.items()
    }


def nearest_neighbours(
    plan: Plan, found: records.Found
) -> tuple[dict[str, records.Table], dict[str, Figure]]:
    """Appendix E.2, Fig 22: the same grid for k-nearest-neighbour classifiers; radial spectra."""
    accuracy = {
        (neighbours, cell): classifier(plan, i, neighbours).score(
            plan.points(i), plan.waves[i].labels
        )
        for neighbours in NEIGHBOURS
        for i, cell in enumerate(plan.grid)
    }
    figures, rows = {}, []
    for threshold in (cell.threshold for cell in plan.drawn):
        name = f"threshold_{threshold:g}"
        petals, frequencies = axes_of(plan, threshold)
        figures[f"nearest_neighbours_{name}"] = grid_map(
            plan,
            threshold,
            {
                f"{n} neighbours": np.array(
                    [[accuracy[n, Cell(threshold, row, k)] for k in frequencies] for row in petals]
                )
                for n in NEIGHBOURS
            },
            title=f"k-nearest neighbours, labels above {threshold:g}",
            limits=(0.0, 1.0),
        )
        energies = radial_spectra(plan, found, threshold)
        figures[f"radial_spectra_{name}"] = radial_figure(plan, threshold, energies)
        rows += [
            (threshold, who, r, energy)
            for who, (radii, row) in energies.items()
            for r, energy in zip(radii, row, strict=True)
        ]
    return {
        "nearest_neighbours": records.Table(
            ("neighbours", "manifold_petals", "frequency", "threshold", "accuracy"),
            [(n, c.petals, c.frequency, c.threshold, score) for (n, c), score in accuracy.items()],
        ),
        "radial_spectra": records.Table(
            ("threshold", "classifier", "radial_frequency", "energy"), rows
        ),
    }, figures


def classifier(plan: Plan, i: int, neighbours: int) -> KNeighborsClassifier:
    """Fitted to what network i learns."""
    return experiments.nearest_neighbours(plan.points(i), plan.waves[i].labels, neighbours)


def radial_spectra(
    plan: Plan, found: records.Found, threshold: float
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{classifier: radial frequencies and energies of its map of probabilities}."""
    i = plan.radial(threshold)
    logits = on_square(found, [i])[0].astype(np.float64)
    maps = {"network": 1 / (1 + np.exp(-logits))}
    for neighbours in (1, *NEIGHBOURS):
        probabilities = classifier(plan, i, neighbours).predict_proba(square())[:, 1]
        maps[f"{neighbours}-NN"] = probabilities.reshape(SIDE_POINTS, SIDE_POINTS)
    radii, energies = spectra.radial_spectrum(np.array(list(maps.values())), 2 * HALF_SIDE)
    return {name: (radii, row) for name, row in zip(maps, energies, strict=True)}


def radial_figure(
    plan: Plan, threshold: float, energies: dict[str, tuple[np.ndarray, np.ndarray]]
) -> Figure:
    """Fig 22."""
    draw, cell = records.figures, plan.grid[plan.radial(threshold)]
    return draw.lines(
        [draw.Line(radii[1:], row[1:], name) for name, (radii, row) in energies.items()],
        xlabel="radial frequency [cycles per length]",
        ylabel="energy",
        title=f"Probability maps over the square, k = {cell.frequency}, L = {cell.petals}, "
        f"labels above {threshold:g}",
        xscale="log",
        yscale="log",
    )


if __name__ == "__main__":
    experiments.launch("manifold_grid", plan, run, report)
