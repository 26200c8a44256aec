"""High frequencies are easy on a winding curve: experiment 5 of Rahaman et al. (2019), Fig 8.

Trains 6-layer 256-unit ReLU networks on the plane to reproduce a sum of ten sines (20, 40, ..., 200
cycles per unit, random phases) of the position z along the flower curve gamma_L(z), 1,000 points,
full batch, Adam 3e-4, and follows 2|F[k]|/A of the network along the curve. The curves of all L are
trained at once; runs of the same number share phases and initial weights between curves.

    python launchers/manifold.py --alsologtostderr

takes about 1.5 minutes on 2 cores (4 curves, 2 runs, 2,000 steps). The whole study, 5 runs of
10,000 steps for each of L = 0, 4, 10, 16, and about 15 minutes:

    python launchers/manifold.py --flagfile=results/manifold/run.flags --workdir=runs/manifold_all

To see: the more petals, the weaker the bias and the lower the loss; on the circle (L = 0) high
frequencies are hardly learned, at L = 16 nearly all (results/manifold).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import experiments, models, records, runtime, spectra, tasks, training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLAGS = flags.FLAGS
runtime.define_run_flags("manifold", reports=True)
with runtime.flag_group("Curves and target"):
    flags.DEFINE_list("petals", [0, 4, 10, 16], "Petals L of each curve; 0 is the circle.")
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer(
        "num_runs", 2, "Number of networks for each curve (paper: 10, its notebook 5).", 1
    )
    flags.DEFINE_integer(
        "num_steps", 2_000, "Training steps (paper: 50,000, its notebook 10,000).", 1
    )
    flags.DEFINE_integer("probe_every", 100, "Steps between two spectra (the paper's 100).", 1)
with runtime.flag_group("Curves and target"):
    flags.DEFINE_list(
        "frequencies", list(range(20, 201, 20)), "Frequencies, whole cycles per unit of z."
    )
    flags.DEFINE_integer("num_samples", 1_000, "Points on each curve.", 3)
runtime.define_network_flags(models.ACTIVATIONS, models.PRECISIONS)

WAVENUMBERS = (10, 50)  # Of the plane waves whose band along each curve is tabled.
WINDOW = (0.0, 0.1)  # Of z in the pictures of functions: k = 200 has 20 periods there.


class Plan(NamedTuple):
    """What is asked for."""

    curves: list[tasks.Flower]
    targets: list[tasks.SumOfSines]  # One for each run, the same for all curves.
    network: models.Mlp
    learning_rate: float
    num_steps: int
    spectra_at: list[int]

    @property
    def runs(self) -> str:
        """How titles call them."""
        return records.averaged(len(self.targets))


def plan() -> Plan:
    """Checks the flags."""
    frequencies = runtime.parse_ints("frequencies", FLAGS.frequencies)
    targets = experiments.sines_of_runs(FLAGS.num_runs, frequencies, FLAGS.num_samples, FLAGS.seed)
    petals = runtime.parse_ints("petals", FLAGS.petals)
    runtime.check_at_most("petals", max(petals), (FLAGS.num_samples - 1) // 2)
    tenths = [FLAGS.num_steps * i // 10 for i in range(1, 11)]
    return Plan(
        [tasks.Flower(n) for n in petals],
        targets,
        models.Mlp(
            FLAGS.width,
            FLAGS.depth,
            FLAGS.activation,
            input_dim=2,
            precision=FLAGS.precision or "float32",
        ),
        FLAGS.learning_rate,
        FLAGS.num_steps,
        training.every(FLAGS.num_steps, FLAGS.probe_every, *tenths),
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains the runs of all curves at once; everything is recorded as [curves, runs, ...]."""
    page.begin()
    curves, targets = plan.curves, plan.targets
    members = training.Ensemble(
        plan.network.build,
        page.seeds("init", len(targets)) * len(curves),
        [target.dataset(curve(target.positions)) for curve in curves for target in targets],
        optimizer=training.Adam(plan.learning_rate),
        strategy=page.strategy,
    )
    shape, target = (len(curves), len(targets)), targets[0]

    def outputs(loop: training.TrainingLoop) -> np.ndarray:
        return loop.outputs.reshape(*shape, -1)

    def magnitudes(loop: training.TrainingLoop) -> np.ndarray:
        return spectra.normalised_magnitudes(outputs(loop), target.frequencies, target.amplitudes)

    of_curve = [f"L={curve.num_petals:02d}" for curve in curves]
    axes = (of_curve, "run", [f"k={k:03d}" for k in target.frequencies])
    charts = {name: [f"magnitude/{name}/.*"] for name in of_curve}
    return page.follow(
        members,
        {
            "magnitude": training.Measure(magnitudes, plan.spectra_at, axes),
            "loss": training.Measure(
                lambda loop: loop.losses.reshape(shape), plan.spectra_at, axes[:2]
            ),
            "function": training.Measure(lambda s: outputs(s)[:, 0], plan.spectra_at),
        },
        charts={"loss": ["loss/.*"], **charts},
        pictures={
            "heat_maps": experiments.Picture(
                lambda found, step: heat_maps(plan, found),
                [plan.num_steps * i // 10 for i in range(1, 10)],
            )
        },
    )


def heat_maps(plan: Plan, found: records.Found) -> Figure:
    """Fig 8 (a) to (d), as far as the run has come."""
    steps, magnitudes = found["magnitude"]
    means = records.learning.over_runs(magnitudes, axis=2).value
    return records.figures.heat_maps(
        steps,
        plan.targets[0].frequencies,
        {f"L = {curve.num_petals}": means[:, i] for i, curve in enumerate(plan.curves)},
        last_row=plan.num_steps,
        title=f"More petals, less bias: {plan.runs}",
    )


def report(plan: Plan, found: records.Found) -> records.Report:
    """What is learned on each curve, and the geometry that explains it."""
    steps, magnitudes = found["magnitude"]
    k, by_curve = plan.targets[0].frequencies, np.moveaxis(magnitudes, 0, 2)
    groups: dict[records.learning.Setting, spectra.LearningCurves] = {
        (curve.num_petals,): spectra.learning_curves(
            steps, k, of_runs, where=records.learning.going(of_runs)
        )
        for curve, of_runs in zip(plan.curves, by_curve, strict=True)
    }
    losses = {key: found["loss"].values[:, i] for i, key in enumerate(groups)}
    means = {petals: records.learning.over_runs(loss) for (petals,), loss in losses.items()}
    level = next(iter(next(iter(groups.values())).times))
    learned = {
        petals: int(np.isfinite(group.times[level].value).sum())
        for (petals,), group in groups.items()
    }
    columns = ("manifold_petals",)
    return records.Report(
        tables={
            **records.learning.curve_tables(groups, columns),
            **records.learning.loss_tables(steps, losses, columns),
            **geometry(plan.curves),
        },
        figures={"heat_maps": heat_maps(plan, found), **figures(plan, found, groups, means)},
        animations={"learned_function": growing_function(plan, found)},
        arrays=records.learning.function_arrays(
            found["function"], plan.targets[0].positions, plan.targets[0].targets
        ),
        summary={
            "num_runs": len(plan.targets),
            "num_steps": plan.num_steps,
            "learning_time_level": level,
            "num_frequencies_learned": {str(petals): count for petals, count in learned.items()},
            "final_loss": {str(petals): mean[-1].record() for petals, mean in means.items()},
            **found.speed(len(plan.curves) * len(plan.targets) * plan.num_steps),
        },
        lines=[
            f"L = {petals}: {learned[petals]} of {len(k)} frequencies reached level {level:g} in "
            f"{plan.num_steps:,} steps, loss {mean[-1].text('.3g')}"
            for petals, mean in means.items()
        ],
        images_shown=100,
    )


def geometry(curves: list[tasks.Flower]) -> dict[str, records.Table]:
    """What explains the result: how fast each curve moves, and the band it gives a plane wave."""
    turns = np.pi * np.arange(64) / 64  # Opposite directions give mirror images.
    directions = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    rows = []
    for curve in curves:
        for wavenumber in WAVENUMBERS:
            # |k| max|gamma'| / 2 pi, about the band: 99 % of the energy may reach a little beyond.
            local = wavenumber * curve.max_speed / (2 * np.pi)
            fine = np.linspace(0.0, 1.0, 16 * int(local), endpoint=False)
            bands = spectra.occupied_bandwidth(curve(fine), wavenumber * directions)
            rows.append((curve.num_petals, wavenumber, bands.mean(), local))
    circle = tasks.Flower(0).max_speed
    return {
        "geometry": records.Table(
            ("manifold_petals", "arc_length", "max_speed", "max_speed_times_circle"),
            [(c.num_petals, c.arc_length, c.max_speed, c.max_speed / circle) for c in curves],
        ),
        "occupied_bandwidth": records.Table(
            (
                "manifold_petals",
                "wavenumber",
                "bandwidth_99_percent_cycles",
                "largest_local_frequency_cycles",
            ),
            rows,
        ),
    }


def figures(
    plan: Plan,
    found: records.Found,
    groups: Mapping[records.learning.Setting, spectra.LearningCurves],
    losses: dict[int, spectra.Estimate],
) -> dict[str, Figure]:
    """Fig 8 (e), the learning times, and the first run of the last curve over its target."""
    draw = records.figures
    series = []
    for (petals,), group in groups.items():
        times = next(iter(group.times.values()))
        there = np.isfinite(times.value)
        # "Never" as an end of an interval is drawn at the end of training.
        shown = times[there].map(lambda ends: np.minimum(ends, plan.num_steps))
        series.append(draw.Line.of(group.frequencies[there], shown, f"L = {petals}", "o"))
    target, positions, functions = last_curve(plan, found)
    return {
        "losses": draw.curves(
            found["loss"].steps,
            {f"L = {petals}": mean for petals, mean in losses.items()},
            ylabel="mean squared error",
            title=f"Training loss, {plan.runs} and 95 % interval",
        ),
        "learning_times": draw.lines(
            series,
            xlabel="frequency [cycles per unit]",
            ylabel="learning time [steps]",
            title="When half of each frequency is learned (never: left out)",
            yscale="log",
        ),
        "learned_function": draw.learned_function(
            target,
            (positions, functions[-1]),
            title=f"L = {plan.curves[-1].num_petals}, run 0, last step",
            window=WINDOW,
        ),
    }


def growing_function(plan: Plan, found: records.Found) -> records.Animation:
    """The first run of the last curve while it trains."""
    return records.figures.animation(
        *last_curve(plan, found),
        found["function"].steps,
        title=f"L = {plan.curves[-1].num_petals}, run 0",
        window=WINDOW,
    )


def last_curve(
    plan: Plan, found: records.Found
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """In the window: the target of run 0, the samples, its functions [steps, samples]."""
    target, fine = plan.targets[0], np.linspace(*WINDOW, 2_000)
    seen = target.positions <= WINDOW[1]
    return (fine, target(fine)), target.positions[seen], found["function"].values[:, -1, seen]


if __name__ == "__main__":
    experiments.launch("manifold", plan, run, report)
