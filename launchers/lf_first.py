"""Lower frequencies are learned first: experiment 1 of Rahaman et al. (2019), Fig 1, 2 and 10.

Trains 6-layer 256-unit ReLU networks on sums of ten sines (5, 10, ..., 50 cycles per unit, random
phases) sampled at 200 points, full batch, Adam 3e-4, and follows 2|F[k]|/A of each frequency.

    python launchers/lf_first.py --alsologtostderr

takes about 1.5 minutes on 2 cores (4 runs of 20,000 steps). The full studies, 20 runs of 60,000
steps and about 20 minutes each:

    python launchers/lf_first.py --flagfile=results/lf_first/equal/run.flags --workdir=runs/equal

and the same with `increasing` for `equal`. A target of your own, two columns or a sound:

    python launchers/lf_first.py --target=csv:mine.csv --workdir=runs/mine

To see: each frequency is learned after the one below it; the step at which half of it is learned
grows about as k^2 (k^1.7 in the published figure), whether all amplitudes are equal or
grow with k (results/lf_first).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import experiments, models, probes, records, runtime, spectra, tasks, training
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLAGS = flags.FLAGS
runtime.define_run_flags("lf_first", reports=True)
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer(
        "num_runs", 4, "Number of networks, each with its own phases and weights.", 1
    )
    flags.DEFINE_integer("num_steps", 20_000, "Training steps of each network.", 1)
    flags.DEFINE_integer("batch_size", 0, "Samples in a step; 0: all of them (the paper's).", 0)
    flags.DEFINE_integer("probe_every", 100, "Steps between two spectra (the paper's 100).", 1)
    flags.DEFINE_integer("norms_every", 1_000, "Steps between two spectral norms of all layers.", 1)
with runtime.flag_group("Target"):
    flags.DEFINE_list("frequencies", list(range(5, 51, 5)), "Frequencies, whole cycles per unit.")
    flags.DEFINE_list(
        "amplitudes", "equal", "Amplitudes: equal (all 1), increasing (to 1), or a list of numbers."
    )
    flags.DEFINE_integer("num_samples", 200, "Points of the uniform grid on [0, 1).", 3)
with runtime.flag_group("Target of your own"):
    # Without a default they stay out of the flagfiles of runs without a target of one's own.
    flags.DEFINE_string("target", None, "Samples of your own: csv:PATH, npz:PATH or wav:PATH.")
    flags.DEFINE_string(
        "target_window", None, "Window start:stop of its positions (seconds of a wav)."
    )
    flags.DEFINE_integer(
        "target_channel", None, "Channel of a wav, from 1; default: the mean of all.", 1
    )
    flags.DEFINE_integer(
        "num_frequencies",
        None,
        "Number of frequencies followed, the strongest of --target; default: 10.",
        1,
    )
    flags.DEFINE_string(
        "target_sha256", None, "SHA-256 of its samples; run.flags keeps it, to repeat the run."
    )
runtime.define_network_flags(models.ACTIVATIONS, models.PRECISIONS)

OWN_FLAGS = ("target_window", "target_channel", "num_frequencies", "target_sha256")
FUNCTION_STEPS = (100, 1_000, 10_000)  # Those of Fig 2; the last step is added.


class Plan(NamedTuple):
    """What is asked for.

    Attributes:
      targets: one for each run; of samples of one's own the same.
      own: that one.
      network, learning_rate, batch_size, num_steps: as the flags say.
      spectra_at, norms_at: steps.
    """

    targets: list[tasks.SumOfSines] | list[tasks.OwnTarget]
    own: tasks.OwnTarget | None
    network: models.Mlp
    learning_rate: float
    batch_size: int
    num_steps: int
    spectra_at: list[int]
    norms_at: list[int]


def plan() -> Plan:
    """Checks the flags, and the file that they name."""
    own = own_target()
    targets = [own] * FLAGS.num_runs if own else sums_of_sines()
    if FLAGS.batch_size > (count := len(targets[0].positions)):
        raise UserError(
            "--batch_size",
            expected=f"0 to {count} ({'the samples of --target' if own else '--num_samples'})",
            got=FLAGS.batch_size,
            hint="0 takes all samples in every step",
        )
    tenths = [FLAGS.num_steps * i // 10 for i in range(1, 11)]
    return Plan(
        targets,
        own,
        models.Mlp(
            FLAGS.width, FLAGS.depth, FLAGS.activation, precision=FLAGS.precision or "float32"
        ),
        FLAGS.learning_rate,
        FLAGS.batch_size,
        FLAGS.num_steps,
        spectra_at=training.every(FLAGS.num_steps, FLAGS.probe_every, *FUNCTION_STEPS, *tenths),
        norms_at=training.every(FLAGS.num_steps, FLAGS.norms_every),
    )


def sums_of_sines() -> list[tasks.SumOfSines]:
    """The targets of the flags, or a UserError."""
    for name in OWN_FLAGS:
        if FLAGS[name].value is not None:
            raise UserError(
                f"--{name}", expected="--target beside it", got="none", hint="leave it out"
            )
    frequencies = runtime.parse_ints("frequencies", FLAGS.frequencies)
    amplitudes = tasks.amplitudes_from_spec(FLAGS.amplitudes, len(frequencies))
    return experiments.sines_of_runs(
        FLAGS.num_runs, frequencies, FLAGS.num_samples, FLAGS.seed, amplitudes
    )


def own_target() -> tasks.OwnTarget | None:
    """The samples of `--target`, if it is given, or a UserError."""
    if FLAGS.target is None:
        return None
    for name in ("num_samples", "amplitudes"):
        # A flagfile of a run names all flags, with their defaults.
        if FLAGS[name].value != FLAGS[name].default:
            raise UserError(
                f"--{name}",
                expected="no flags of the sines beside --target, whose own samples are taken",
                got=",".join(np.atleast_1d(FLAGS[name].value).astype(str)),
                hint="leave it out; --target_window takes fewer",
            )
    samples = tasks.read_samples(FLAGS.target, FLAGS.target_window, FLAGS.target_channel)
    asked = [str(word) for word in FLAGS.frequencies]
    if asked == [str(word) for word in FLAGS["frequencies"].default]:
        own = tasks.OwnTarget.strongest(samples, FLAGS.num_frequencies or 10)
    elif FLAGS.num_frequencies is not None:
        raise UserError(
            "--num_frequencies", expected="no --frequencies", got="both", hint="leave one out"
        )
    else:
        own = tasks.OwnTarget(samples, sorted(runtime.parse_floats("frequencies", asked)))
    if FLAGS.target_sha256 not in (None, own.sha256):
        raise UserError(
            "--target",
            expected=f"the samples that the flags were kept with ({FLAGS.target_sha256})",
            got=f"others ({own.sha256})",
            hint="bring the file back, or leave --target_sha256 out in another --workdir",
        )
    FLAGS.target_sha256 = own.sha256
    return own


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains all runs at once and follows spectra, losses, norms and the first run's function."""
    page.begin(plan.own.record() if plan.own else None)
    target, count = plan.targets[0], len(plan.targets)
    members = training.Ensemble(
        plan.network.build,
        page.seeds("init", count),
        [of_run.dataset() for of_run in plan.targets],
        optimizer=training.Adam(plan.learning_rate),
        batch_size=plan.batch_size,
        batch_seeds=page.seeds("batches", count),
        strategy=page.strategy,
    )

    def magnitudes(loop: training.TrainingLoop) -> np.ndarray:
        return target.magnitudes(loop.outputs[..., 0])

    def norms(loop: training.TrainingLoop) -> np.ndarray:
        kernels = probes.kernel_matrices(members.architecture, members.weights).values()
        values = np.stack([spectra.spectral_norms(kernel) for kernel in kernels], axis=-1)
        values[loop.diverged_at_step >= 0] = np.nan
        return values

    of_k = [f"k={k:g}" if plan.own else f"k={k:03d}" for k in target.frequencies]
    layers = probes.kernel_names(members.architecture)
    tenths = [plan.num_steps * i // 10 for i in range(1, 10)]
    early = [step for step in FUNCTION_STEPS if step < plan.num_steps]
    found = page.follow(
        members,
        {
            "magnitude": training.Measure(magnitudes, plan.spectra_at, ("run", of_k)),
            "loss": training.Measure(lambda s: s.losses, plan.spectra_at, ("run",)),
            "function": training.Measure(lambda s: s.outputs[0, :, 0], plan.spectra_at),
            "spectral_norm": training.Measure(norms, plan.norms_at, ("run", layers)),
        },
        charts={"magnitude of every frequency": ["magnitude/k=.*"], "loss": ["loss"]},
        pictures={
            "heat_map": experiments.Picture(lambda f, step: heat_map(plan, f), {*tenths, *early}),
            "learned_function": experiments.Picture(
                lambda f, step: learned_function(plan, f, step), early
            ),
        },
    )
    found.facts["layers"] = layers
    return found


def heat_map(plan: Plan, found: records.Found) -> Figure:
    """Fig 1, as far as the run has come."""
    steps, magnitudes = found["magnitude"]
    return records.figures.heat_maps(
        steps,
        plan.targets[0].frequencies,
        {"": records.learning.over_runs(magnitudes).value},
        last_row=plan.num_steps,
        xlabel=f"frequency [{plan.targets[0].frequency_unit}]",
        title=f"Learned share of each frequency, {records.averaged(len(plan.targets))}",
    )


def learned_function(plan: Plan, found: records.Found, step: int) -> Figure:
    """Fig 2: what the first run has learned by a step."""
    target = plan.targets[0]
    return records.figures.learned_function(
        target.curve,
        (target.positions, target.in_units(found["function"].at(step))),
        title=f"learned function after {step:,} steps, run 0",
        window=(target.curve[0][0], target.curve[0][-1]),
        xlabel=target.position_name,
    )


def report(plan: Plan, found: records.Found) -> records.Report:
    """What was learned when: Fig 1, 2 and 10, and the law of the learning times."""
    target = plan.targets[0]
    steps, magnitudes = found["magnitude"]
    of_runs = np.moveaxis(magnitudes, 1, 0)
    going = records.learning.going(of_runs)
    curves = spectra.learning_curves(steps, target.frequencies, of_runs, where=going)
    loss = records.learning.over_runs(found["loss"].values)
    norms = records.learning.over_runs(found["spectral_norm"].values)
    norm_steps, layers = found["spectral_norm"].steps, found.fact("layers")
    shown = [step for step in steps if step in (*FUNCTION_STEPS, plan.num_steps)]
    functions = np.stack([found["function"].at(step) for step in shown])
    learned = records.Report(
        tables={
            **records.learning.curve_tables({(): curves}),
            **records.learning.loss_tables(steps, {(): found["loss"].values}),
            "norms": records.tidy({"step": norm_steps, "layer": layers}, spectral_norm=norms),
            "functions": records.tidy(
                {"step": shown, "position": target.positions},
                target=np.tile(target.in_units(target.targets), (len(shown), 1)),
                output=target.in_units(functions),
            ),
        },
        figures=figures(plan, found, curves, loss, norms),
        summary={
            "num_runs": len(plan.targets),
            "num_steps": plan.num_steps,
            "learning_time_exponent": curves.law.exponent.record(),
            "learning_time_level": next(iter(curves.times)),
            "learning_time_num_frequencies": curves.law.num_points,
            "final_loss": loss[-1].record(),
            **found.speed(len(plan.targets) * plan.num_steps),
        },
    )
    told = experiments.own_target_report(plan.own) if plan.own else records.Report({})
    return records.Report.joined(
        [learned, told],
        lines=[*told.lines, records.learning.learning_table(curves, target.frequency_unit)],
        animations={"learned_function": animation(plan, found)},
        arrays=records.learning.function_arrays(
            records.Series(found["function"].steps, target.in_units(found["function"].values)),
            target.positions,
            target.in_units(target.targets),
        ),
        images_shown=100,
    )


def animation(plan: Plan, found: records.Found) -> records.Animation:
    """What the first run has learned, frame by frame."""
    target, learned = plan.targets[0], found["function"]
    return records.figures.animation(
        target.curve,
        target.positions,
        target.in_units(learned.values),
        learned.steps,
        title="learned function, run 0",
        window=(target.curve[0][0], target.curve[0][-1]),
        xlabel=target.position_name,
    )


def figures(
    plan: Plan,
    found: records.Found,
    curves: spectra.LearningCurves,
    loss: spectra.Estimate,
    norms: spectra.Estimate,
) -> dict[str, Figure]:
    """Fig 1 and 10, what the first run has learned, and the law of the learning times."""
    draw, runs = records.figures, records.averaged(len(plan.targets))
    steps, norm_steps, layers = (
        *(found[name].steps for name in ("magnitude", "spectral_norm")),
        found.fact("layers"),
    )
    return {
        "heat_map": heat_map(plan, found),
        "learned_function": learned_function(plan, found, plan.num_steps),
        "losses": draw.curves(
            steps,
            {"mean of runs": loss},
            ylabel="mean squared error",
            title=f"Training loss, {runs} and 95 % interval",
        ),
        "norms": draw.curves(
            norm_steps,
            {layer: norms[:, i] for i, layer in enumerate(layers)},
            ylabel="spectral norm (largest singular value)",
            title=f"Spectral norms of the layers, {runs}",
            log=True,
            ordered=True,
        ),
        "learning_times": draw.learning_time_plot(
            curves.frequencies,
            curves.times,
            law=curves.law,
            title="When each frequency is learned",
            xlabel=f"frequency [{plan.targets[0].frequency_unit}]",
        ),
    }


if __name__ == "__main__":
    experiments.launch("lf_first", plan, run, report)
