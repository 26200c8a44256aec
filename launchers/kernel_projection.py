"""Networks follow the clean target first, seen in a kernel's eigenfunctions: Fig 5, 6, 12, 13.

Experiment 4 of Rahaman et al. (2019): 6-layer 256-unit ReLU networks regress the sign of two
classes of images plus noise (white, or growing along the eigenfunctions of a Gaussian kernel; full
batch, Adam 1e-4); their functions are expanded in these eigenfunctions while they train. Validation
is against the clean target on the same images.

    python launchers/kernel_projection.py --alsologtostderr

takes about a minute on 2 cores, on embedded digits of 8 x 8 pixels (not MNIST). The published
figures on 2,000 images of MNIST 3 against 8, 3 runs of 5,000 steps for each noise, about 10 minutes
if TFDS_DATA_DIR holds MNIST:

    python launchers/kernel_projection.py --flagfile=results/kernel_projection/run.flags

To see: the validation loss dips and rises again while the training loss falls; at the dip late
eigenfunctions follow the clean target, and the noise comes later (results/kernel_projection).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import data, experiments, models, records, runtime, spectra, tasks, training
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOISES = ("white", "high_frequency")

FLAGS = flags.FLAGS
runtime.define_run_flags("kernel_projection", reports=True)
runtime.define_data_flags("digits")
runtime.define_classes_flag()
with runtime.flag_group("Target and noise"):
    flags.DEFINE_integer(
        "num_samples", 250, "Number of images, the first of both classes (paper: 2,000).", 2
    )
    flags.DEFINE_list("noises", list(NOISES), f"Noises: some of {', '.join(NOISES)}.")
    runtime.define_finite_float(
        "noise_exponent", 2.0, "Exponent gamma of the high-frequency noise.", at_least=0.0
    )
with runtime.flag_group("Kernel"):
    runtime.define_finite_float(
        "kernel_width",
        1.25,
        "Width of the Gaussian kernel, L2 of pixels in [0, 1].",
        at_least=1e-9,
    )
    runtime.define_finite_float(
        "line_width",
        0.03,
        "Width of the kernel on the line [0, 1] (Fig 6 and 12; not stated there).",
        at_least=1e-3,
    )
    flags.DEFINE_enum(
        "eigensolver", "full", spectra.SOLVERS, "Eigensolver: full, or the largest values only."
    )
    flags.DEFINE_integer(
        "num_eigenfunctions", 0, "Number of eigenfunctions of the other solvers; 0: all.", 0
    )
    flags.DEFINE_integer(
        "num_bins", 100, "Number of stretches of eigenfunctions averaged (paper: of 20).", 1
    )
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer("num_runs", 3, "Number of networks for each noise (paper: 1).", 1)
    flags.DEFINE_integer("num_steps", 2_000, "Training steps (paper: 5,000).", 1)
    flags.DEFINE_integer("probe_every", 10, "Steps between two expansions (paper: 1).", 1)
runtime.define_network_flags(models.ACTIVATIONS, models.PRECISIONS, learning_rate=1e-4)

SHOWN = {"white": (0, 40, 150, 300, 600), "high_frequency": (0, 40, 200, 300, 400, 600)}
LINE_POINTS, LINE_SHOWN = 50, (1, 2, 10, 50)  # Counted from 1, as in Fig 12.


NAME_OF = {"white": "white noise", "high_frequency": "high-frequency noise"}


class Plan(NamedTuple):
    """What is asked for."""

    dataset: experiments.Dataset
    classes: tuple[int, int]
    num_samples: int
    noises: list[str]
    noise_exponent: float
    kernel_width: float
    line_width: float
    eigensolver: str
    num_eigenfunctions: int
    num_bins: int
    num_runs: int
    network: models.Mlp
    learning_rate: float
    num_steps: int
    probed_at: list[int]


def plan() -> Plan:
    """Checks the flags; nothing is read yet."""
    noises = runtime.parse_choices("noises", FLAGS.noises, NOISES)
    classes = runtime.two_classes()
    if FLAGS.num_eigenfunctions and FLAGS.eigensolver == "full":
        raise UserError(
            "--num_eigenfunctions",
            expected="0 with --eigensolver=full, which gives all",
            got=FLAGS.num_eigenfunctions,
            hint="add --eigensolver=truncated or nystroem",
        )
    if FLAGS.num_bins > (FLAGS.num_eigenfunctions or FLAGS.num_samples):
        raise UserError(
            "--num_bins",
            expected=f"at most {FLAGS.num_eigenfunctions or FLAGS.num_samples}",
            got=FLAGS.num_bins,
            hint="take fewer bins, or more images or eigenfunctions",
        )
    also = [step for steps in SHOWN.values() for step in steps]
    return Plan(
        experiments.Dataset.of_flags(),
        classes,
        FLAGS.num_samples,
        noises,
        FLAGS.noise_exponent,
        FLAGS.kernel_width,
        FLAGS.line_width,
        FLAGS.eigensolver,
        FLAGS.num_eigenfunctions,
        FLAGS.num_bins,
        FLAGS.num_runs,
        models.Mlp(
            FLAGS.width, FLAGS.depth, FLAGS.activation, precision=FLAGS.precision or "float32"
        ),
        FLAGS.learning_rate,
        FLAGS.num_steps,
        training.every(FLAGS.num_steps, FLAGS.probe_every, *also),
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Expands the networks' functions while they train; all as [noises, runs, ...]."""
    images = plan.dataset.training()
    pixels, labels = images.arrays()
    everything = tasks.TwoClasses.of_images(data.to_unit(pixels), labels, plan.classes)
    task = everything.first(plan.num_samples)
    basis = eigenfunctions(plan, task, page.seed)
    noises = {name: noise(plan, basis, name, page.seed) for name in plan.noises}
    page.begin(images.record(data.unit(images)))
    network = dataclasses.replace(plan.network, input_dim=task.inputs.shape[1])
    members = training.Ensemble(
        network.build,
        page.seeds("init", plan.num_runs) * len(noises),  # The same for all noises.
        [task.dataset(psi) for of_runs in noises.values() for psi in of_runs],
        optimizer=training.Adam(plan.learning_rate),
        strategy=page.strategy,
    )
    shape = (len(noises), plan.num_runs)

    def outputs(loop: training.TrainingLoop) -> np.ndarray:
        return loop.outputs.reshape(*shape, -1)

    def bins(values: np.ndarray) -> np.ndarray:
        return spectra.bin_means(np.abs(basis.coefficients(values)), plan.num_bins)

    def validation(loop: training.TrainingLoop) -> np.ndarray:
        return np.mean((outputs(loop) - task.signs) ** 2, axis=-1)

    at, axes = plan.probed_at, (plan.noises, "run")
    found = page.follow(
        members,
        {
            "train_loss": training.Measure(lambda s: s.losses.reshape(shape), at, axes),
            "validation_loss": training.Measure(validation, at, axes),
            "magnitude": training.Measure(lambda s: bins(outputs(s)), at),
        },
        charts={"losses": [".*_loss/.*"]},
        hparams={"images": images.title},
    )
    found.facts |= {
        "dataset": images.title,
        "images": images.name,
        "num_images": len(task),
        "eigenvalues": basis.eigenvalues,
        "power_of_the_clean_target": float(np.sum(basis.coefficients(task.signs) ** 2)),
        "clean": bins(task.signs),
        **{f"noised, {name}": bins(task.signs + psi) for name, psi in noises.items()},
        **{f"power, {name}": np.mean(psi**2, axis=-1) for name, psi in noises.items()},
    }
    return found


def eigenfunctions(plan: Plan, task: tasks.TwoClasses, seed: int) -> spectra.KernelBasis:
    """Of the Gaussian kernel on the images, or a UserError."""
    logging.info("kernel_projection: eigenfunctions on %s images", f"{len(task):,}")
    basis = spectra.kernel_basis(
        task.inputs,
        plan.kernel_width,
        solver=plan.eigensolver,
        num_functions=plan.num_eigenfunctions or None,
        seed=runtime.derive_seed(seed, "nystroem"),
    )
    # A kernel of low rank has fewer eigenfunctions than were asked for.
    if not 2 <= plan.num_bins <= basis.eigenvalues.size:
        raise UserError(
            "--num_bins",
            expected=f"2 to {basis.eigenvalues.size}, the eigenfunctions that the kernel has",
            got=plan.num_bins,
            hint="take fewer bins, or images that differ more",
        )
    return basis


def noise(plan: Plan, basis: spectra.KernelBasis, name: str, seed: int) -> np.ndarray:
    """Of each run psi, [runs, n]."""
    draws = [runtime.generator(seed, "noise", name, run) for run in range(plan.num_runs)]
    if name == "white":
        return np.stack([rng.uniform(-1, 1, len(basis.functions)) for rng in draws])
    return np.stack([tasks.kernel_noise(basis, plan.noise_exponent, rng) for rng in draws])


class Curves(NamedTuple):
    """What is read of one noise, the images held fixed: they are those trained on.

    Attributes:
      train, valid: losses, means over runs, [steps].
      dip: where the validation loss is lowest, an index among the steps.
      shown: {step: mean magnitudes over runs, [bins]}.
      clean, noised: magnitudes of the targets, [bins] and [runs, bins].
    """

    train: spectra.Estimate
    valid: spectra.Estimate
    dip: int
    shown: dict[int, spectra.Estimate]
    clean: np.ndarray
    noised: np.ndarray


def curves_of(plan: Plan, found: records.Found, name: str) -> Curves:
    """Losses and magnitudes of one noise."""
    i, over_runs = plan.noises.index(name), records.learning.over_runs
    steps, train = found["train_loss"]
    valid = over_runs(found["validation_loss"].values[:, i])
    dip = int(np.nanargmin(valid.value))
    magnitudes = found["magnitude"].values
    shown = {
        step: over_runs(magnitudes[s, i], axis=0)
        for s, step in enumerate(steps)
        if step in {*SHOWN[name], steps[dip], plan.num_steps}
    }
    noised = found.fact(f"noised, {name}")
    return Curves(over_runs(train[:, i]), valid, dip, shown, found.fact("clean"), noised)


def report(plan: Plan, found: records.Found) -> records.Report:
    """Losses, spectra while training, and what late eigenfunctions follow."""
    steps, train = found["train_loss"]
    valid, eigenvalues = found["validation_loss"].values, found.fact("eigenvalues")
    curves = {name: curves_of(plan, found, name) for name in plan.noises}
    facts = {name: facts_of(plan, found, name, curves[name]) for name in plan.noises}
    by_run = {"noise": plan.noises, "run": range(plan.num_runs), "step": steps}
    return records.Report(
        tables={
            "losses": records.tidy(
                by_run,
                train_loss=np.moveaxis(train, 0, 2),
                validation_loss=np.moveaxis(valid, 0, 2),
            ),
            "coefficients": coefficients(curves),
            "eigenvalues": records.tidy({"index": range(eigenvalues.size)}, eigenvalue=eigenvalues),
        },
        figures={
            "eigenvalues": records.figures.lines(
                [records.figures.Line(np.arange(eigenvalues.size), eigenvalues)],
                xlabel="eigenfunction index",
                ylabel="eigenvalue",
                title=f"Gaussian kernel of width {plan.kernel_width:g} on {found.fact('images')}",
            ),
            **{
                name: figure
                for noise, of_noise in curves.items()
                for name, figure in noise_figures(plan, found, noise, of_noise).items()
            },
            **line_figures(plan),
        },
        summary={
            "dataset": found.fact("dataset"),
            "num_images": found.fact("num_images"),
            "eigensolver": plan.eigensolver,
            "num_eigenfunctions": eigenvalues.size,
            "largest_and_smallest_eigenvalue": eigenvalues[[0, -1]].tolist(),
            "sum_of_squared_coefficients_of_the_clean_target": found.fact(
                "power_of_the_clean_target"
            ),
            "num_runs": plan.num_runs,
            "num_steps": plan.num_steps,
            **{
                name: {"dip_step": steps[curves[name].dip], **of_noise}
                for name, of_noise in facts.items()
            },
            **found.speed(train[0].size * plan.num_steps),
        },
        lines=[
            closing(name, steps[curves[name].dip], of_noise) for name, of_noise in facts.items()
        ],
        images_shown=100,
    )


def coefficients(curves: dict[str, Curves]) -> records.Table:
    """Magnitudes of networks at some steps, and of the targets, which belong to no step."""
    rows: list[tuple[object, ...]] = []
    for name, of_noise in curves.items():
        noised = records.learning.over_runs(of_noise.noised, axis=0)
        functions: list[tuple[str, object, spectra.Estimate]] = [
            *(("network", step, mean) for step, mean in of_noise.shown.items()),
            ("clean_target", "null", given(of_noise.clean)),
            ("noised_target", "null", noised),
        ]
        rows += [
            (name, step, j, mean[j], function)
            for function, step, mean in functions
            for j in range(of_noise.clean.size)
        ]
    return records.Table(("noise", "step", "bin", "magnitude", "function"), rows)


def facts_of(
    plan: Plan, found: records.Found, name: str, curves: Curves
) -> dict[str, spectra.Estimate]:
    """The losses at the dip and at the end, and how near the late half is to each target there."""
    magnitudes = found["magnitude"].values[:, plan.noises.index(name)]
    facts = {
        "dip_validation_loss": curves.valid[curves.dip],
        "final_validation_loss": curves.valid[-1],
        "final_train_loss": curves.train[-1],
        "validation_loss_if_noise_is_fitted": records.learning.over_runs(
            found.fact(f"power, {name}"), axis=0
        ),
    }
    late = slice(plan.num_bins // 2, None)
    going = ~np.isnan(magnitudes[-1]).any(axis=-1)
    for target, values in (("clean", curves.clean), ("noised", curves.noised)):
        for when, s in (("at_dip", curves.dip), ("at_end", -1)):
            away = (magnitudes[s] - values)[going, late]
            facts[f"late_bins_distance_to_{target}_{when}"] = (
                records.learning.not_negative(spectra.jackknife(root_mean_square, away))
                if going.any()
                else spectra.not_enough(0, 3, "runs")
            )
    return facts


def closing(name: str, dip: int, facts: dict[str, spectra.Estimate]) -> str:
    """What the screen says of a noise."""
    lowest, last, fitted = (
        facts[fact].text(".3f")
        for fact in (
            "dip_validation_loss",
            "final_validation_loss",
            "validation_loss_if_noise_is_fitted",
        )
    )
    return (
        f"{name}: validation loss lowest at step {dip:,} with {lowest}, {last} at the end, "
        f"{fitted} if the noise is fitted"
    )


def given(values: np.ndarray) -> spectra.Estimate:
    """Numbers that are given and not drawn."""
    nothing = np.full_like(values, np.nan)
    return spectra.Estimate(
        *(values, nothing, nothing), n=1, unit="target", method="none", missing="given, not drawn"
    )


def root_mean_square(values: np.ndarray) -> float:
    """Of all values, over runs and bins."""
    return float(np.sqrt(np.mean(values**2)))


def noise_figures(plan: Plan, found: records.Found, name: str, curves: Curves) -> dict[str, Figure]:
    """Losses (Fig 13) and spectra while training (Fig 5) of one noise."""
    in_bin = -(-found.fact("eigenvalues").size // plan.num_bins)
    draw, images = records.figures, found.fact("images")
    steps, bins = found["train_loss"].steps, np.arange(curves.clean.size) * in_bin
    until = np.flatnonzero(np.asarray(steps) <= 1_000)
    labels = {"training": curves.train, "validation (clean)": curves.valid}
    series = [draw.Line.of(bins, mean, f"step {step:,}") for step, mean in curves.shown.items()]
    noised = curves.noised.mean(axis=0)
    series += [
        draw.Line(bins, curves.clean, "clean target", style=":", colour="black"),
        draw.Line(bins, noised, "noised target", style="--", colour="red"),
    ]
    return {
        f"losses_{name}": draw.curves(
            [steps[s] for s in until],
            {label: mean[until] for label, mean in labels.items()},
            ylabel="loss (MSE)",
            title=f"{images}, {NAME_OF[name]}",
        ),
        f"coefficients_{name}": draw.lines(
            series,
            xlabel=f"eigenfunction index (means of {in_bin})",
            ylabel="|coefficient|",
            yscale="log",
            ordered=True,
            title=f"Functions while they train, {images}, {NAME_OF[name]}",
        ),
    }


def line_figures(plan: Plan) -> dict[str, Figure]:
    """The kernel's eigenfunctions on a line and their spectra (Fig 6, 12)."""
    positions = np.linspace(0, 1, LINE_POINTS)
    line = spectra.kernel_basis(positions[:, np.newaxis], plan.line_width, solver="full")
    transform = np.abs(np.fft.rfft(line.functions, axis=0)).T / LINE_POINTS
    draw = records.figures
    return {
        "line_spectra": draw.heat_maps(
            np.arange(1, LINE_POINTS + 2),  # Where each row begins, and the last one's end.
            np.arange(transform.shape[1]),
            {"": transform},
            title=f"Eigenfunctions on a line, kernel of width {plan.line_width:g}",
            ylabel="eigenfunction n",
            label="|DFT|",
            limits=(0.0, float(transform.max())),
        ),
        "line_eigenfunctions": draw.lines(
            [draw.Line(positions, line.functions[:, n - 1], f"n = {n}") for n in LINE_SHOWN],
            ordered=True,
            xlabel="position",
            ylabel="eigenfunction",
            title=f"On {LINE_POINTS} points of a line, kernel of width {plan.line_width:g}",
        ),
    }


if __name__ == "__main__":
    experiments.launch("kernel_projection", plan, run, report)
