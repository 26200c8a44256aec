"""High frequencies are easy on a winding curve: experiment 5 of Rahaman et al. (2019), Fig 8.

Trains 6-layer 256-unit ReLU networks on the plane to reproduce a sum of ten sines (20, 40, ..., 200
cycles per unit, random phases) of the position z along the flower curve gamma_L(z), 1,000 points,
full batch, Adam 3e-4, and follows 2|F[k]|/A of the network along the curve. The curves of all L are
trained at once; runs of the same number share phases and initial weights between curves.

    python launchers/manifold.py --alsologtostderr

takes about 1.5 minutes on 2 cores (4 curves, 2 runs, 2,000 steps). The whole study, 5 runs of
10,000 steps for each of L = 0, 4, 10, 16, and about 15 minutes:

    python launchers/manifold.py --flagfile=results/manifold/run.flags --workdir=runs/manifold_all

To see: the more lobes, the weaker the bias and the lower the loss; on the circle (L = 0) high
frequencies are hardly learned, at L = 16 nearly all (results/manifold).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from spectral_tf import models, records, runtime, spectra, tasks

if TYPE_CHECKING:
    import keras

    from spectral_tf.records import learning
    from spectral_tf.training.session import Session

FLAGS = flags.FLAGS
runtime.define_run_flags("manifold")
flags.DEFINE_list("lobes", [0, 4, 10, 16], "L: lobes of each curve; 0 is the circle.")
flags.DEFINE_integer("num_runs", 2, "Networks for each curve (paper: 10, its notebook 5).", 1)
flags.DEFINE_integer("num_steps", 2_000, "Training steps (paper: 50,000, its notebook 10,000).", 1)
flags.DEFINE_integer("probe_every", 100, "Steps between two spectra (the paper's 100).", 1)
flags.DEFINE_list("frequencies", list(range(20, 201, 20)), "Whole cycles per unit of z.")
flags.DEFINE_integer("num_samples", 1_000, "Points on each curve.", 3)
runtime.define_network_flags(models.ACTIVATIONS)

WAVENUMBERS = (10, 50)  # Of the plane waves whose band along each curve is tabled.
WINDOW = (0.0, 0.1)  # Of z in the pictures of functions: k = 200 has 20 periods there.


def make_targets() -> list[tasks.SumOfSines]:
    """One target for each run, or a UserError."""
    frequencies = runtime.whole_numbers("frequencies", FLAGS.frequencies)
    return [
        tasks.SumOfSines.with_random_phases(
            frequencies,
            [1.0] * len(frequencies),
            FLAGS.num_samples,
            runtime.generator(FLAGS.seed, "phases", run),
        )
        for run in range(FLAGS.num_runs)
    ]


def main() -> None:
    """Runs the experiment that the flags describe."""
    targets = make_targets()
    lobes = runtime.whole_numbers("lobes", FLAGS.lobes)
    runtime.refuse_above("lobes", max(lobes), (FLAGS.num_samples - 1) // 2)
    curves = [tasks.Flower(n) for n in lobes]
    folder = runtime.run_folder("manifold")

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

    inits = [runtime.derive_seed(FLAGS.seed, "init", run) for run in range(FLAGS.num_runs)]
    ensemble = Ensemble(
        build,
        inits * len(curves),
        [target.dataset(curve(target.positions)) for curve in curves for target in targets],
        optimizer=Adam(FLAGS.learning_rate),
        strategy=strategy,
    )
    tenths = [FLAGS.num_steps * i // 10 for i in range(1, 11)]
    steps = probe_steps(FLAGS.num_steps, FLAGS.probe_every, tenths)
    session = Session(ensemble, folder, steps, FLAGS.save_every_seconds, "manifold")
    if not session.resumed:
        charts = {f"L = {c.num_lobes}": [f"magnitude/L={c.num_lobes:02d}/.*"] for c in curves}
        session.board.describe(runtime.settings(), {"loss": ["loss/.*"], **charts})
    for step in session:
        probe(session, targets[0], curves, step)
        if folder.writes and step in tenths[:-1]:
            draw_heat_maps(session, folder, targets[0], curves, step)
    if folder.writes:
        report(session, folder, targets[0], curves)
    session.wait_for_all()


def probe(
    session: Session, target: tasks.SumOfSines, curves: list[tasks.Flower], step: int
) -> None:
    """Records the spectrum and the loss of every run, by curve: [curves, runs, ...]."""
    shape = (len(curves), FLAGS.num_runs)
    outputs = session.outputs.reshape(*shape, -1)
    losses = session.losses.reshape(shape)
    magnitudes = spectra.normalised_magnitudes(outputs, target.frequencies, target.amplitudes)
    session.history.add("magnitude", step, magnitudes)
    session.history.add("loss", step, losses)
    session.history.add("function", step, outputs[:, 0])
    scalars = {}
    for curve, loss, of_runs in zip(curves, losses, magnitudes, strict=True):
        name = f"L={curve.num_lobes:02d}"
        scalars[f"loss/{name}"] = np.nanmean(loss)
        for k, mean in zip(target.frequencies, np.nanmean(of_runs, axis=0), strict=True):
            scalars[f"magnitude/{name}/k={k:03d}"] = mean
    session.board.scalars(scalars, step)


def draw_heat_maps(
    session: Session,
    folder: records.RunFolder,
    target: tasks.SumOfSines,
    curves: list[tasks.Flower],
    step: int,
) -> None:
    """Fig 8 (a) to (d) as far as the run has come."""
    from spectral_tf.records import figures, learning

    steps, magnitudes = session.history["magnitude"]
    means = learning.over_runs(magnitudes, axis=2).value
    figure = figures.heat_maps(
        steps,
        target.frequencies,
        {f"L = {curve.num_lobes}": means[:, i] for i, curve in enumerate(curves)},
        last_row=FLAGS.num_steps,
        title=f"More lobes, less bias: {records.averaged(FLAGS.num_runs)}",
    )
    last = step == FLAGS.num_steps
    path = folder.figures / "heat_maps.png" if last else None
    session.board.image("heat_maps", figures.save_figure(figure, path), step)


def report(
    session: Session,
    folder: records.RunFolder,
    target: tasks.SumOfSines,
    curves: list[tasks.Flower],
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    from spectral_tf.records import learning

    draw_heat_maps(session, folder, target, curves, FLAGS.num_steps)
    steps, magnitudes = session.history["magnitude"]
    by_curve = np.moveaxis(magnitudes, 0, 2)  # [curves, runs, steps, frequencies]
    groups: dict[learning.Setting, spectra.LearningCurves] = {
        (curve.num_lobes,): spectra.learning_curves(
            steps, target.frequencies, runs, where=learning.going(runs)
        )
        for curve, runs in zip(curves, by_curve, strict=True)
    }
    _, losses = session.history["loss"]
    columns = ("manifold_lobes",)
    learning.write_learning_curves(folder.path, groups, columns)
    means = learning.write_losses(
        folder.path, steps, {(c.num_lobes,): losses[:, i] for i, c in enumerate(curves)}, columns
    )
    write_geometry(folder, curves)
    draw(session, folder, target, groups, means)

    level = next(iter(next(iter(groups.values())).times))
    learned = {
        lobes: int(np.isfinite(group.times[level].value).sum())
        for (lobes,), group in groups.items()
    }
    folder.finish(
        {
            "experiment": "manifold",
            "num_runs": FLAGS.num_runs,
            "num_steps": FLAGS.num_steps,
            "learning_time_level": level,
            "num_frequencies_learned": {str(lobes): count for lobes, count in learned.items()},
            "final_loss": {str(lobes): mean[-1].record() for (lobes,), mean in means.items()},
            "diverged_at_step": session.diverged,
            "member_steps_per_second": len(curves)
            * FLAGS.num_runs
            * FLAGS.num_steps
            / session.seconds,
        },
        wall_seconds=session.seconds,
    )
    for (lobes,), group in groups.items():
        print(
            f"L = {lobes}: {learned[lobes]} of {group.frequencies.size} frequencies reached "
            f"level {level:g} in {FLAGS.num_steps:,} steps, loss {means[lobes,][-1].text('.3g')}"
        )
    runtime.say_where(folder, num_images=100)


def write_geometry(folder: records.RunFolder, curves: list[tasks.Flower]) -> None:
    """What explains the result: how fast each curve moves, and the band it gives a plane wave."""
    records.write_table(
        folder.path / "geometry.csv",
        ("manifold_lobes", "arc_length", "max_speed", "max_speed_times_circle"),
        (
            (c.num_lobes, c.arc_length, c.max_speed, c.max_speed / tasks.Flower(0).max_speed)
            for c in curves
        ),
    )
    turns = np.pi * np.arange(64) / 64  # Opposite directions give mirror images.
    directions = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    rows = []
    for curve in curves:
        for wavenumber in WAVENUMBERS:
            bound = wavenumber * curve.max_speed / (2 * np.pi)
            fine = np.linspace(0.0, 1.0, 16 * int(bound), endpoint=False)
            bands = spectra.latent_bandwidth(curve(fine), wavenumber * directions)
            rows.append((curve.num_lobes, wavenumber, bands.mean(), bound))
    records.write_table(
        folder.path / "latent_bandwidth.csv",
        ("manifold_lobes", "wavenumber", "bandwidth_99_percent_cycles", "bound_cycles"),
        rows,
    )


def draw(
    session: Session,
    folder: records.RunFolder,
    target: tasks.SumOfSines,
    groups: Mapping[learning.Setting, spectra.LearningCurves],
    losses: Mapping[learning.Setting, spectra.Estimate],
) -> None:
    """Fig 8 (e), the learning times, and the first run of the last curve over its target."""
    from spectral_tf.records import figures

    steps, functions = session.history["function"]
    fine = np.linspace(*WINDOW, 2_000)
    seen = target.positions <= WINDOW[1]
    *_, (most,) = groups
    title = f"L = {most}, run 0"
    network = (target.positions[seen], functions[-1, -1, seen])
    series = []
    for (lobes,), group in groups.items():
        times = next(iter(group.times.values()))
        there = np.isfinite(times.value)
        # "Never" as an end of an interval is drawn at the end of training.
        shown = times[there].map(lambda ends: np.minimum(ends, FLAGS.num_steps))
        series.append(figures.Line.of(group.frequencies[there], shown, f"L = {lobes}", "o"))
    for name, figure in {
        "losses": figures.curves(
            steps,
            {f"L = {lobes}": mean for (lobes,), mean in losses.items()},
            ylabel="mean squared error",
            title=f"Training loss, {records.averaged(FLAGS.num_runs)} and 95 % interval",
        ),
        "learning_times": figures.lines(
            series,
            xlabel="frequency [cycles per unit]",
            ylabel="learning time [steps]",
            title="When half of each frequency is learned (never: left out)",
            yscale="log",
        ),
        "learned_function": figures.learned_function(
            (fine, target(fine)), network, title=f"{title}, last step", window=WINDOW
        ),
    }.items():
        pixels = figures.save_figure(figure, folder.figures / f"{name}.png")
        session.board.image(name, pixels, FLAGS.num_steps)
    figures.save_animation(
        folder.figures / "learned_function.gif",
        (fine, target(fine)),
        target.positions[seen],
        functions[:, -1, seen],
        steps,
        title=title,
        window=WINDOW,
    )
    session.board.close_segment()


if __name__ == "__main__":
    runtime.launch(main)
