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

from typing import TYPE_CHECKING

import numpy as np
from absl import flags, logging

from spectral_tf import data, models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import keras

    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.session import Session

NOISES = ("white", "high_frequency")

FLAGS = flags.FLAGS
runtime.define_run_flags("kernel_projection")
runtime.define_data_flags("digits")
runtime.define_classes_flag()
flags.DEFINE_integer("num_samples", 250, "The first images of both classes (paper: 2,000).", 2)
flags.DEFINE_list("noises", list(NOISES), f"Some of {', '.join(NOISES)}.")
runtime.define_finite_float("noise_exponent", 2.0, "gamma of the high frequencies.", at_least=0.0)
runtime.define_finite_float("kernel_width", 1.25, "Of the Gaussian kernel.", at_least=1e-9)
runtime.define_finite_float(
    "line_width", 0.03, "Of the kernel on a line (Fig 6 and 12; not stated).", at_least=1e-3
)
flags.DEFINE_enum("eigensolver", "full", spectra.SOLVERS, "full, or the largest eigenvalues only.")
flags.DEFINE_integer("num_eigenfunctions", 0, "How many, with the other solvers; 0: all.", 0)
flags.DEFINE_integer("num_bins", 100, "Stretches of eigenfunctions averaged (paper: of 20).", 1)
flags.DEFINE_integer("num_runs", 3, "Networks for each noise (paper: 1).", 1)
flags.DEFINE_integer("num_steps", 2_000, "Training steps (paper: 5,000).", 1)
flags.DEFINE_integer("probe_every", 10, "Steps between two expansions (paper: 1).", 1)
runtime.define_network_flags(models.ACTIVATIONS, learning_rate=1e-4)

SHOWN = {"white": (0, 40, 150, 300, 600), "high_frequency": (0, 40, 200, 300, 400, 600)}
LINE_POINTS, LINE_SHOWN = 50, (1, 2, 10, 50)  # Counted from 1, as in Fig 12.


def make_noises(
    chosen: list[str], basis: spectra.KernelBasis, num_samples: int
) -> dict[str, np.ndarray]:
    """{noise: psi of each run [runs, n]}."""

    def draw(noise: str, run: int) -> np.ndarray:
        rng = runtime.generator(FLAGS.seed, "noise", noise, run)
        if noise == "white":
            return rng.uniform(-1, 1, num_samples)
        return tasks.kernel_noise(basis, FLAGS.noise_exponent, rng)

    return {n: np.stack([draw(n, run) for run in range(FLAGS.num_runs)]) for n in chosen}


def main() -> None:
    """Runs the experiment that the flags describe."""
    noises = runtime.words("noises", FLAGS.noises, NOISES)
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
    folder = runtime.run_folder("kernel_projection")
    images = data.find_images(FLAGS.dataset, **runtime.data_places())
    pixels, labels = images.arrays()
    everything = tasks.TwoClasses.of_images(data.to_unit(pixels), labels, classes)
    task = everything.first(FLAGS.num_samples)
    logging.info("kernel_projection: eigenfunctions on %s images", f"{len(task):,}")
    basis = spectra.kernel_basis(
        task.inputs,
        FLAGS.kernel_width,
        solver=FLAGS.eigensolver,
        num_functions=FLAGS.num_eigenfunctions or None,
        seed=runtime.derive_seed(FLAGS.seed, "nystroem"),
    )
    # A kernel of low rank has fewer eigenfunctions than were asked for.
    if not 2 <= FLAGS.num_bins <= basis.eigenvalues.size:
        raise UserError(
            "--num_bins",
            expected=f"2 to {basis.eigenvalues.size}, the eigenfunctions that the kernel has",
            got=FLAGS.num_bins,
            hint="take fewer bins, or images that differ more",
        )
    noise = make_noises(noises, basis, len(task))

    from spectral_tf.models.mlp import mlp
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.adam import Adam
    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.session import Session, probe_steps

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    folder.start(environment(strategy, FLAGS.seed, images.record(data.unit(images))))

    def build(seed: int) -> keras.Model:
        return mlp(
            width=FLAGS.width,
            depth=FLAGS.depth,
            input_dim=task.inputs.shape[1],
            activation=FLAGS.activation,
            seed=seed,
        )

    inits = [runtime.derive_seed(FLAGS.seed, "init", run) for run in range(FLAGS.num_runs)]
    ensemble = Ensemble(
        build,
        inits * len(noises),  # Runs of one number share their weights between noises.
        [task.dataset(psi) for of_runs in noise.values() for psi in of_runs],
        optimizer=Adam(FLAGS.learning_rate),
        strategy=strategy,
    )
    also = [step for steps in SHOWN.values() for step in steps]
    steps = probe_steps(FLAGS.num_steps, FLAGS.probe_every, also)
    session = Session(ensemble, folder, steps, FLAGS.save_every_seconds, "kernel_projection")
    if not session.resumed:
        settings = {**runtime.settings(), "dataset": images.title}
        session.board.describe(settings, {"losses": [".*_loss/.*"]})
    for step in session:
        probe(session, task, basis, noises, step)
    if folder.writes:
        report(session, folder, task, basis, noise, images)
    session.wait_for_all()


def probe(
    session: Session[Ensemble],
    task: tasks.TwoClasses,
    basis: spectra.KernelBasis,
    noises: list[str],
    step: int,
) -> None:
    """Records losses and |c| in bins of every network: [noises, runs, ...]."""
    outputs = session.outputs.reshape(len(noises), FLAGS.num_runs, -1)
    train = session.losses.reshape(len(noises), FLAGS.num_runs)
    clean = np.mean((outputs - task.signs) ** 2, axis=-1)
    magnitudes = spectra.bin_means(np.abs(basis.coefficients(outputs)), FLAGS.num_bins)
    session.history.add("train_loss", step, train)
    session.history.add("validation_loss", step, clean)
    session.history.add("magnitude", step, magnitudes)
    scalars = {}
    for name, of_train, of_clean in zip(noises, train, clean, strict=True):
        scalars[f"train_loss/{name}"] = np.nanmean(of_train)
        scalars[f"validation_loss/{name}"] = np.nanmean(of_clean)
    session.board.scalars(scalars, step)


def report(
    session: Session[Ensemble],
    folder: records.RunFolder,
    task: tasks.TwoClasses,
    basis: spectra.KernelBasis,
    noise: dict[str, np.ndarray],
    images: data.Images,
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    from spectral_tf.records import learning

    steps, train = session.history["train_loss"]
    _, valid = session.history["validation_loss"]
    _, magnitudes = session.history["magnitude"]
    records.write_table(
        folder.path / "losses.csv",
        ("noise", "run", "step", "train_loss", "validation_loss"),
        (
            (name, run, step, train[s, i, run], valid[s, i, run])
            for i, name in enumerate(noise)
            for run in range(FLAGS.num_runs)
            for s, step in enumerate(steps)
        ),
    )
    clean = spectra.bin_means(np.abs(basis.coefficients(task.signs)), FLAGS.num_bins)
    noised = {
        name: spectra.bin_means(np.abs(basis.coefficients(task.signs + psi)), FLAGS.num_bins)
        for name, psi in noise.items()
    }
    # Means over runs, [steps]. The images are held fixed: they are those trained on.
    losses = {
        name: (learning.over_runs(train[:, i]), learning.over_runs(valid[:, i]))
        for i, name in enumerate(noise)
    }
    dips = {name: int(np.nanargmin(of_noise[1].value)) for name, of_noise in losses.items()}
    rows: list[tuple[object, ...]] = []
    shown: dict[str, dict[int, spectra.Estimate]] = {}
    for i, name in enumerate(noise):
        wanted = {*SHOWN[name], steps[dips[name]], FLAGS.num_steps}
        shown[name] = {
            step: learning.over_runs(magnitudes[s, i], axis=0)
            for s, step in enumerate(steps)
            if step in wanted
        }
        # Targets belong to no step.
        functions: list[tuple[str, object, spectra.Estimate]] = [
            *(("network", step, mean) for step, mean in shown[name].items()),
            ("clean_target", "null", given(clean)),
            ("noised_target", "null", learning.over_runs(noised[name], axis=0)),
        ]
        rows += [
            (name, step, j, mean[j], function)
            for function, step, mean in functions
            for j in range(FLAGS.num_bins)
        ]
    columns = ("noise", "step", "bin", "magnitude", "function")
    records.write_table(folder.path / "coefficients.csv", columns, rows)
    records.write_table(
        folder.path / "eigenvalues.csv", ("index", "eigenvalue"), enumerate(basis.eigenvalues)
    )
    line = spectra.kernel_basis(
        np.linspace(0, 1, LINE_POINTS)[:, np.newaxis], FLAGS.line_width, solver="full"
    )
    draw(session, folder, steps, losses, basis, line, (clean, noised, shown), images)

    found: dict[str, dict[str, spectra.Estimate]] = {}
    late = slice(FLAGS.num_bins // 2, None)
    for i, name in enumerate(noise):
        dip = dips[name]
        of_train, of_valid = losses[name]
        found[name] = {
            "dip_validation_loss": of_valid[dip],
            "final_validation_loss": of_valid[-1],
            "final_train_loss": of_train[-1],
            "validation_loss_if_noise_is_fitted": learning.over_runs(
                np.mean(noise[name] ** 2, axis=-1), axis=0
            ),
        }
        # How near the late half of the spectrum is to each target at the dip and at the end.
        going = ~np.isnan(magnitudes[-1, i]).any(axis=-1)
        for target, values in (("clean", clean), ("noised", noised[name])):
            for when, s in (("at_dip", dip), ("at_end", -1)):
                away = (magnitudes[s, i] - values)[going, late]
                found[name][f"late_bins_distance_to_{target}_{when}"] = (
                    learning.not_negative(spectra.jackknife(root_mean_square, away))
                    if going.any()
                    else spectra.not_enough(0, 3, "runs")
                )
    folder.finish(
        {
            "experiment": "kernel_projection",
            "dataset": images.title,
            "num_images": len(task),
            "eigensolver": FLAGS.eigensolver,
            "num_eigenfunctions": basis.eigenvalues.size,
            "largest_and_smallest_eigenvalue": basis.eigenvalues[[0, -1]].tolist(),
            "sum_of_squared_coefficients_of_the_clean_target": float(
                np.sum(basis.coefficients(task.signs) ** 2)
            ),
            "num_runs": FLAGS.num_runs,
            "num_steps": FLAGS.num_steps,
            **{
                name: {
                    "dip_step": steps[dips[name]],
                    **{fact: estimate.record() for fact, estimate in facts.items()},
                }
                for name, facts in found.items()
            },
            "diverged_at_step": session.diverged,
            "member_steps_per_second": train[0].size * FLAGS.num_steps / session.seconds,
        },
        wall_seconds=session.seconds,
    )
    for name, facts in found.items():
        lowest, last, fitted = (
            facts[fact].text(".3f")
            for fact in (
                "dip_validation_loss",
                "final_validation_loss",
                "validation_loss_if_noise_is_fitted",
            )
        )
        print(
            f"{name}: validation loss lowest at step {steps[dips[name]]:,} with {lowest}, {last} "
            f"at the end, {fitted} if the noise is fitted"
        )
    runtime.say_where(folder, num_images=100)


def given(values: np.ndarray) -> spectra.Estimate:
    """Numbers that are given and not drawn."""
    nothing = np.full_like(values, np.nan)
    return spectra.Estimate(
        *(values, nothing, nothing), n=1, unit="target", method="none", missing="given, not drawn"
    )


def root_mean_square(values: np.ndarray) -> float:
    """Of all values, over runs and bins."""
    return float(np.sqrt(np.mean(values**2)))


def draw(
    session: Session[Ensemble],
    folder: records.RunFolder,
    steps: list[int],
    losses: dict[str, tuple[spectra.Estimate, spectra.Estimate]],
    basis: spectra.KernelBasis,
    line: spectra.KernelBasis,
    spectrum: tuple[np.ndarray, dict[str, np.ndarray], dict[str, dict[int, spectra.Estimate]]],
    images: data.Images,
) -> None:
    """Eigenvalues, losses (Fig 13), spectra while training (Fig 5), and the line (Fig 6, 12)."""
    from spectral_tf.records import figures
    from spectral_tf.records.figures import Line

    clean, noised, shown = spectrum
    name_of = {"white": "white noise", "high_frequency": "high-frequency noise"}
    pictures = {
        "eigenvalues": figures.lines(
            [Line(np.arange(basis.eigenvalues.size), basis.eigenvalues)],
            xlabel="eigenfunction index",
            ylabel="eigenvalue",
            title=f"Gaussian kernel of width {FLAGS.kernel_width:g} on {images.name}",
        )
    }
    in_bin = -(-basis.eigenvalues.size // FLAGS.num_bins)
    until = np.flatnonzero(np.asarray(steps) <= 1_000)
    for name in noised:
        labels = ("training", "validation (clean)")
        pictures[f"losses_{name}"] = figures.curves(
            [steps[s] for s in until],
            {label: mean[until] for label, mean in zip(labels, losses[name], strict=True)},
            ylabel="loss (MSE)",
            title=f"{images.name}, {name_of[name]}",
        )
        bins = np.arange(clean.size)
        target = noised[name].mean(axis=0)
        series = [Line.of(bins, mean, f"step {step:,}") for step, mean in shown[name].items()]
        series += [
            Line(bins, clean, "clean target", style=":", colour="black"),
            Line(bins, target, "noised target", style="--", colour="red"),
        ]
        pictures[f"coefficients_{name}"] = figures.lines(
            series,
            xlabel=f"eigenfunction index / {in_bin}",
            ylabel="|coefficient|",
            yscale="log",
            title=f"Functions while they train, {images.name}, {name_of[name]}",
        )
    transform = np.abs(np.fft.rfft(line.functions, axis=0)).T / LINE_POINTS
    pictures["line_spectra"] = figures.heat_maps(
        np.arange(1, LINE_POINTS + 2),  # Where each row begins, and the last one's end.
        np.arange(transform.shape[1]),
        {"": transform},
        title=f"Eigenfunctions on a line, kernel of width {FLAGS.line_width:g}",
        ylabel="eigenfunction n",
        label="|DFT|",
        limits=(0.0, float(transform.max())),
    )
    places = np.linspace(0, 1, LINE_POINTS)
    pictures["line_eigenfunctions"] = figures.lines(
        [Line(places, line.functions[:, n - 1], f"n = {n}") for n in LINE_SHOWN],
        xlabel="position",
        ylabel="eigenfunction",
        title=f"On {LINE_POINTS} points of a line, kernel of width {FLAGS.line_width:g}",
    )
    for name, figure in pictures.items():
        pixels = figures.save_figure(figure, folder.figures / f"{name}.png")
        session.board.image(name, pixels, FLAGS.num_steps)
    session.board.close_segment()


if __name__ == "__main__":
    runtime.launch(main)
