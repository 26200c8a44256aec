"""Lower frequencies are learned first: experiment 1 of Rahaman et al. (2019), Fig 1, 2 and 10.

Trains 6-layer 256-unit ReLU networks on sums of ten sines (5, 10, ..., 50 cycles per unit, random
phases) sampled at 200 points, full batch, Adam 3e-4, and follows 2|F[k]|/A of each frequency.

    python launchers/lf_first.py --alsologtostderr

takes about 1.5 minutes on 2 cores (4 runs of 20,000 steps). The full studies, 20 runs of 60,000
steps and about 20 minutes each:

    python launchers/lf_first.py --flagfile=results/lf_first/equal/run.flags --workdir=runs/equal

and the same with `increasing` for `equal`.

To see: each frequency is learned after the one below it; the step at which half of it is learned
grows about as k^2 (k^1.7 in the published figure), whether all amplitudes are equal or
grow with k (results/lf_first).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from spectral_tf import models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import keras

    from spectral_tf.training.session import Session

FLAGS = flags.FLAGS
runtime.define_run_flags("lf_first")
flags.DEFINE_integer("num_runs", 4, "Networks, each with its own phases and weights.", 1)
flags.DEFINE_integer("num_steps", 20_000, "Training steps of each network.", 1)
flags.DEFINE_integer("batch_size", 0, "Samples per step; 0: all of them (the paper's).", 0)
flags.DEFINE_integer("probe_every", 100, "Steps between two spectra (the paper's 100).", 1)
flags.DEFINE_integer("norms_every", 1_000, "Steps between two spectral norms of all layers.", 1)
flags.DEFINE_list("frequencies", list(range(5, 51, 5)), "Whole cycles per unit.")
flags.DEFINE_list("amplitudes", "equal", "equal (all 1), increasing (to 1), or a list of numbers.")
flags.DEFINE_integer("num_samples", 200, "Points of the uniform grid on [0, 1).", 3)
runtime.define_network_flags(models.ACTIVATIONS)

FUNCTION_STEPS = (100, 1_000, 10_000)  # Those of Fig 2; the last step is added.


def make_targets() -> list[tasks.SumOfSines]:
    """One target for each run, or a UserError."""
    frequencies = runtime.whole_numbers("frequencies", FLAGS.frequencies)
    amplitudes = tasks.amplitudes_from_spec(FLAGS.amplitudes, len(frequencies))
    if FLAGS.batch_size > FLAGS.num_samples:
        raise UserError(
            "--batch_size",
            expected=f"0 to {FLAGS.num_samples} (--num_samples)",
            got=FLAGS.batch_size,
            hint="0 takes all samples in every step",
        )
    return [
        tasks.SumOfSines.with_random_phases(
            frequencies,
            amplitudes,
            FLAGS.num_samples,
            runtime.generator(FLAGS.seed, "phases", run),
        )
        for run in range(FLAGS.num_runs)
    ]


def main() -> None:
    """Runs the experiment that the flags describe."""
    targets = make_targets()
    folder = runtime.run_folder("lf_first")

    # TensorFlow takes seconds to import: only now that the flags are known to be good.
    from spectral_tf.models.mlp import mlp
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.adam import Adam
    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.session import Session, probe_steps

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    folder.start(environment(strategy, FLAGS.seed))

    def build(seed: int) -> keras.Model:
        return mlp(width=FLAGS.width, depth=FLAGS.depth, activation=FLAGS.activation, seed=seed)

    runs = range(FLAGS.num_runs)
    ensemble = Ensemble(
        build,
        [runtime.derive_seed(FLAGS.seed, "init", run) for run in runs],
        [target.dataset() for target in targets],
        optimizer=Adam(FLAGS.learning_rate),
        batch_size=FLAGS.batch_size,
        batch_seeds=[runtime.derive_seed(FLAGS.seed, "batches", run) for run in runs],
        strategy=strategy,
    )
    tenths = [FLAGS.num_steps * i // 10 for i in range(1, 11)]
    steps = probe_steps(FLAGS.num_steps, FLAGS.probe_every, [*FUNCTION_STEPS, *tenths])
    session = Session(ensemble, folder, steps, FLAGS.save_every_seconds, "lf_first")
    if not session.resumed:
        charts = {"magnitude of every frequency": ["magnitude/k=.*"], "loss": ["loss"]}
        session.board.describe(runtime.settings(), charts)
    for step in session:
        probe(session, targets[0], step)
        if step % FLAGS.norms_every == 0 or step == FLAGS.num_steps:
            probe_norms(session, step)
        if folder.writes and step in FUNCTION_STEPS and step < FLAGS.num_steps:
            draw_function(session, folder, targets[0], step)
        if folder.writes and step in tenths[:-1]:
            draw_heat_map(session, folder, targets[0], step)
    if folder.writes:
        report(session, folder, targets[0])
    session.wait_for_all()


def probe(session: Session, target: tasks.SumOfSines, step: int) -> None:
    """Records the spectrum and the loss of every run."""
    outputs, losses = session.outputs, session.losses
    magnitudes = spectra.normalised_magnitudes(
        outputs[..., 0], target.frequencies, target.amplitudes
    )
    session.history.add("magnitude", step, magnitudes)
    session.history.add("loss", step, losses)
    session.history.add("function", step, outputs[0, :, 0])
    means = np.nanmean(magnitudes, axis=0)
    tags = (f"magnitude/k={k:03d}" for k in target.frequencies)
    session.board.scalars(
        {"loss": float(np.nanmean(losses)), **dict(zip(tags, means, strict=True))}, step
    )


def probe_norms(session: Session, step: int) -> None:
    """Records the spectral norm of every layer of every run."""
    from spectral_tf.probes.kernels import kernel_matrices

    kernels = kernel_matrices(session.ensemble.model, session.ensemble.weights)
    norms = {layer: spectra.spectral_norms(kernel) for layer, kernel in kernels.items()}
    values = np.stack(list(norms.values()), axis=-1)
    values[session.stopped_at >= 0] = np.nan
    session.history.add("norms", step, values)
    means = dict(zip(norms, np.nanmean(values, axis=0), strict=True))
    means = {f"spectral_norm/{layer}": mean for layer, mean in means.items()}
    session.board.scalars(means, step)


def draw_function(
    session: Session, folder: records.RunFolder, target: tasks.SumOfSines, step: int
) -> None:
    """Fig 2: what the first run has learned by now."""
    from spectral_tf.records import figures

    steps, functions = session.history["function"]
    fine = np.linspace(0.0, 1.0, 10 * FLAGS.num_samples + 1)
    figure = figures.learned_function(
        (fine, target(fine)),
        (target.positions, functions[steps.index(step)]),
        title=f"learned function after {step:,} steps, run 0",
    )
    pixels = figures.save_figure(figure, folder.figures / f"function_step_{step:06d}.png")
    session.board.image("learned_function", pixels, step)


def draw_heat_map(
    session: Session, folder: records.RunFolder, target: tasks.SumOfSines, step: int
) -> None:
    """Fig 1 as far as the run has come; the last one is the figure."""
    from spectral_tf.records import figures, learning

    steps, magnitudes = session.history["magnitude"]
    figure = figures.heat_maps(
        steps,
        target.frequencies,
        {"": learning.over_runs(magnitudes).value},
        last_row=FLAGS.num_steps,
        title=f"Lower frequencies are learned first: {records.averaged(FLAGS.num_runs)}",
    )
    last = step == FLAGS.num_steps
    name = "heat_map.png" if last else f"heat_map_step_{step:06d}.png"
    session.board.image("heat_map", figures.save_figure(figure, folder.figures / name), step)


def report(session: Session, folder: records.RunFolder, target: tasks.SumOfSines) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    from spectral_tf.probes.kernels import kernel_names
    from spectral_tf.records import figures, learning

    draw_function(session, folder, target, FLAGS.num_steps)
    draw_heat_map(session, folder, target, FLAGS.num_steps)
    steps, magnitudes = session.history["magnitude"]
    by_run = np.moveaxis(magnitudes, 1, 0)
    curves = spectra.learning_curves(
        steps, target.frequencies, by_run, where=learning.going(by_run)
    )
    learning.write_learning_curves(folder.path, {(): curves})
    loss_steps, losses = session.history["loss"]
    loss = learning.write_losses(folder.path, loss_steps, {(): losses})[()]
    norm_steps, norms = session.history["norms"]
    layers = kernel_names(session.ensemble.model)
    norms_by_layer = learning.write_norms(folder.path, norm_steps, layers, norms)
    function_steps, functions = session.history["function"]
    records.write_table(
        folder.path / "functions.csv",
        ("step", "position", "target", "output"),
        (
            (step, z, y, f)
            for step, values in zip(function_steps, functions, strict=True)
            if step in (*FUNCTION_STEPS, FLAGS.num_steps)
            for z, y, f in zip(target.positions, target.targets, values, strict=True)
        ),
    )
    fine = np.linspace(0.0, 1.0, 10 * FLAGS.num_samples + 1)
    figures.save_animation(
        folder.figures / "learned_function.gif",
        (fine, target(fine)),
        target.positions,
        functions,
        function_steps,
        title="learned function, run 0",
    )
    draw_curves(folder, curves, (loss_steps, loss), (norm_steps, norms_by_layer))
    law = curves.law
    folder.finish(
        {
            "experiment": "lf_first",
            "num_runs": FLAGS.num_runs,
            "num_steps": FLAGS.num_steps,
            "learning_time_exponent": law.exponent.record(),
            "learning_time_level": next(iter(curves.times)),
            "learning_time_num_frequencies": law.num_points,
            "final_loss": loss[-1].record(),
            "diverged_at_step": session.diverged,
            "member_steps_per_second": FLAGS.num_runs * FLAGS.num_steps / session.seconds,
            "probing_percent_of_time": 100 * session.probe_seconds / session.seconds,
        },
        wall_seconds=session.seconds,
    )
    print(learning.learning_table(curves))
    runtime.say_where(folder, num_images=100)


def draw_curves(
    folder: records.RunFolder,
    curves: spectra.LearningCurves,
    losses: tuple[list[int], spectra.Estimate],
    norms: tuple[list[int], dict[str, spectra.Estimate]],
) -> None:
    """Fig 10, the norms beside Fig 1, and the learning times."""
    from spectral_tf.records import figures

    for name, figure in {
        "losses": figures.curves(
            losses[0],
            {"mean of runs": losses[1]},
            ylabel="mean squared error",
            title=f"Training loss, {records.averaged(curves.num_runs)} and 95 % interval",
        ),
        "norms": figures.curves(
            norms[0],
            norms[1],
            ylabel="spectral norm (largest singular value)",
            title=f"Spectral norms of the layers, {records.averaged(curves.num_runs)}",
            log=True,
        ),
        "learning_times": figures.learning_time_plot(
            curves.frequencies,
            curves.times,
            law=curves.law,
            title="When each frequency is learned",
        ),
    }.items():
        figures.save_figure(figure, folder.figures / f"{name}.png")


if __name__ == "__main__":
    runtime.launch(main)
