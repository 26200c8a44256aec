"""Which frequencies does an image classifier learn? Fridovich-Keil et al. (2022), first method.

The labels of the training images are smoothed by s(x) = A (1 + sin(2 pi f (c(x) - phase))), a wave
through image space: along the norm of the image (radial) or along a direction (fourier, random,
power_law). On held-out images the fit coefficient beta tells how much of the wave the classifier
follows, 0 to 1, and noise fitting NF = CE(clean) - CE(noisy) is the paper's measure.

    python launchers/noise_fitting.py --alsologtostderr

takes about 10 minutes on 2 cores, on embedded photographs (not CIFAR-10). The paper's own setting,
for a GPU:

    python launchers/noise_fitting.py --flagfile=results/noise_fitting/cifar10_wrn_32.flags

Every wave and seed is a training of its own in the run folder, resumed one by one. To see: waves of
few cycles across the data are followed early and nearly fully, fast ones late or never
(results/noise_fitting).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from absl import flags, logging

from spectral_tf import data, models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    file_digests,
    find_splits,
    refuse_sizes_of_files,
)

if TYPE_CHECKING:
    from spectral_tf.records.figures import Line, Panel
    from spectral_tf.training.classifier import Classifier
    from spectral_tf.training.session import History, Session

FLAGS = flags.FLAGS
runtime.define_run_flags("noise_fitting")
runtime.define_data_flags("photo_patches")
runtime.define_classifier_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
flags.DEFINE_enum("wave", "radial", tasks.WAVES, "The coordinate c(x) that the wave runs along.")
flags.DEFINE_list(
    "cycles", [1, 2, 4, 8], "Frequencies as cycles across the data (4 deviations of c)."
)
flags.DEFINE_list("frequencies", [], "Frequencies f as such, in cycles per unit of c.")
flags.DEFINE_list("spatial_frequencies", [2], "Of fourier directions, in cycles per image.")
runtime.define_finite_float("degrees", 45.0, "Orientation of fourier directions.", at_least=0.0)
flags.DEFINE_list("exponents", [1], "Of power_law directions: magnitudes fall as rho^-exponent.")
runtime.define_finite_float("amplitude", 0.4, "Mean smoothing A.", at_least=0.0, at_most=1.0)
flags.DEFINE_bool("per_batch_amplitude", False, "Divide by the batch's mean, as published.")
flags.DEFINE_integer("noise_class", -1, "The only class that is smoothed; -1: all.", -1)
flags.DEFINE_integer("seeds", 1, "Trainings of each wave, with weights and order of their own.", 1)
flags.DEFINE_string("teacher", "", "A .keras file of a classifier to distill; default: none.")
runtime.define_finite_float(
    "distillation_alpha", 0.0, "Weight of true labels beside a teacher's.", at_least=0, at_most=1
)
flags.DEFINE_list("checkpoint_epochs", [], "Epochs after which models are kept as .keras files.")

# What is measured after every epoch, on held-out images except for the training loss.
MEASURES = (*spectra.NoiseFit._fields, "accuracy", "train_loss")
# A wave counts as learned once this share of it is followed.
LEARNED = 0.25
# Training images on which waves are placed.
MEASURED_ON = 10_000


def main() -> None:
    """Runs the experiment that the flags describe."""
    kept, asked, files = kept_epochs(), asked_waves(), model_files()
    setting = Setting.of(runtime.settings())
    folder = runtime.run_folder("noise_fitting")
    training, held_out = find_splits(runtime.settings(), runtime.data_places())

    from spectral_tf.models.classifiers import from_file
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.session import Session, finished_history

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    refuse_batch_means(strategy.num_replicas_in_sync)
    task = Classification(setting, training, held_out, strategy, FLAGS.seed)
    epoch = task.epoch
    steps = [epoch * i for i in range(FLAGS.num_epochs + 1)]

    def still(coordinate: str, place: float) -> tuple[tasks.SmoothingWave, float]:
        return tasks.still_wave(
            coordinate,
            task.shape,
            runtime.generator(FLAGS.seed, "direction"),
            amplitude=FLAGS.amplitude,
            num_classes=training.num_classes,
            place=place,
            degrees=FLAGS.degrees,
            per_batch=FLAGS.per_batch_amplitude,
            noise_class=FLAGS.noise_class,
        )

    with strategy.scope():
        parameters = task.build(0).count_params()  # Refuses what does not fit, too.
        teacher = None
        if FLAGS.teacher:
            frozen = from_file(
                "--teacher",
                FLAGS.teacher,
                input_shape=task.shape,
                num_classes=training.num_classes,
            )
            teacher = functools.partial(frozen, training=False)
    with training.reading():
        some = min(epoch, math.ceil(MEASURED_ON / FLAGS.batch_size))
        seed = runtime.derive_seed(FLAGS.seed, "sample")
        waves, labels, measured = tasks.place_waves(
            asked,
            still,
            plain=task.plain(seed=seed).take(some).as_numpy_iterator(),
            augmented=task.batches(seed=seed).take(some).as_numpy_iterator(),
            held_out=((x[w > 0], y[w > 0]) for x, y, w in task.evaluation().as_numpy_iterator()),
        )
    record = {**training.record(task.normalisation), **files}
    folder.start(environment(strategy, FLAGS.seed, record))
    logging.info("noise_fitting: %s, %d trainings", FLAGS.model, FLAGS.seeds * len(waves))

    histories: list[list[History]] = []  # For each seed those of all waves.
    seconds, session = 0.0, None
    for run in range(FLAGS.seeds):
        histories.append([])
        for wave in waves:
            part = folder.part(f"{wave.name}/seed_{run}")
            done = finished_history(part, steps[-1])
            if done is None:
                labels_to_learn = tasks.SoftLabels(
                    wave.smoothing, teacher, FLAGS.distillation_alpha
                )
                trained = task.trainer(FLAGS.seed, run, labels_to_learn)
                name = f"{wave}, seed {run}"
                session = Session(trained, part, steps, FLAGS.save_every_seconds, name)
                if not session.resumed:
                    session.board.describe(
                        {
                            **runtime.settings(),
                            "dataset": training.title,
                            "wave_name": wave.name,
                            "cycles": wave.cycles,
                            "frequency": wave.smoothing.frequency,
                            "run": run,
                        },
                        {"losses": ["clean_loss", "noisy_loss", "train_loss"]},
                    )
                for step in session:
                    probe(session, wave, labels, measured, step)
                    if step // epoch in kept and folder.writes:
                        file = f"epoch_{step // epoch:03d}.keras"
                        trained.save_model(part.state_file.with_name(file))
                session.save()
                done = session.history, session.seconds
            histories[-1].append(done[0])
            seconds += done[1]
    if folder.writes:
        report(folder, waves, histories, training, parameters, seconds)
    if session:
        session.wait_for_all()


def model_files() -> dict[str, str]:
    """{flag: SHA-256} of the .keras files that the flags name; or a UserError."""
    digests = file_digests({"model": FLAGS.model, "teacher": FLAGS.teacher})
    refuse_sizes_of_files(runtime.settings())
    if FLAGS.distillation_alpha and not FLAGS.teacher:
        raise UserError(
            "--distillation_alpha",
            expected="a --teacher",
            got="none",
            hint="leave --distillation_alpha out",
        )
    return digests


def refuse_batch_means(num_replicas: int) -> None:
    """Raises a UserError for an amplitude by whole batches where no replica holds one."""
    if FLAGS.per_batch_amplitude and num_replicas > 1:
        raise UserError(
            "--per_batch_amplitude",
            expected="one replica, which holds whole batches",
            got=f"{num_replicas}",
            hint="use --strategy=default, or one constant for all batches",
        )


def kept_epochs() -> set[int]:
    """The epochs after which models are kept, or a UserError."""
    if not FLAGS.checkpoint_epochs:
        return set()
    kept = runtime.whole_numbers("checkpoint_epochs", FLAGS.checkpoint_epochs)
    runtime.refuse_below("checkpoint_epochs", min(kept), 0)
    runtime.refuse_above("checkpoint_epochs", max(kept), FLAGS.num_epochs)
    return set(kept)


def asked_waves() -> list[tasks.AskedWave]:
    """The waves of the flags, the uniform control last, or a UserError."""

    def numbers(flag: str, above: float = 0.0) -> list[float]:
        words = FLAGS[flag].value
        return runtime.numbers(flag, words, above=above) if any(words) else []

    flag = {"fourier": "spatial_frequencies", "power_law": "exponents"}.get(FLAGS.wave)
    return tasks.ask_waves(
        FLAGS.wave,
        cycles=numbers("cycles"),
        frequencies=numbers("frequencies"),
        places=numbers(flag, above=-math.inf) if flag else [],
    )


def probe(
    session: Session[Classifier],
    wave: tasks.PlacedWave,
    labels: np.ndarray,
    measured: np.ndarray,
    step: int,
) -> None:
    """Measures the classifier on the held-out images and records it."""
    fit = spectra.noise_fit(session.outputs[measured], labels[measured], wave.levels)
    accuracy = float(np.mean(session.outputs.argmax(axis=1) == labels))
    values = {**fit._asdict(), "accuracy": accuracy, "train_loss": session.ensemble.train_loss()}
    for name, value in values.items():
        session.history.add(name, step, value)
    session.board.scalars({n: v for n, v in values.items() if np.isfinite(v)}, step)


def report(
    folder: records.RunFolder,
    waves: Sequence[tasks.PlacedWave],
    histories: Sequence[Sequence[History]],
    training: data.Images,
    parameters: int,
    seconds: float,
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    epochs = np.arange(FLAGS.num_epochs + 1)
    # Each [seeds, waves, epochs].
    measured = {
        name: np.array([[history[name][1] for history in row] for row in histories])
        for name in MEASURES
    }
    records.write_table(
        folder.path / "epochs.csv",
        (
            *("wave", "image_frequency", "frequency", "cycles", "seed", "epoch", *MEASURES),
            "noise_fitting_above_control",
        ),
        (
            (
                *(wave.name, wave.image_frequency, wave.smoothing.frequency, wave.cycles),
                *(run, e, *(measured[name][run, i, e] for name in MEASURES)),
                # The uniform control is the last wave.
                measured["noise_fitting"][run, i, e] - measured["noise_fitting"][run, -1, e],
            )
            for i, wave in enumerate(waves)
            for run in range(FLAGS.seeds)
            for e in epochs
        ),
    )
    nf, beta = measured["noise_fitting"], measured["fit_coefficient"]
    lowest = nf.min(axis=-1)
    found = {
        "minimum_noise_fitting": spectra.mean_interval(lowest),
        "minimum_above_control": spectra.mean_interval(lowest - lowest[:, -1:]),
        "final_fit_coefficient": spectra.mean_interval(beta[..., -1]),
        "learning_epoch": learning_epochs(epochs, beta),
        "final_accuracy": spectra.mean_interval(measured["accuracy"][..., -1]),
    }
    records.write_table(
        folder.path / "waves.csv",
        (
            *("wave", "kind", "image_frequency", "frequency", "cycles"),
            *("coordinate_mean", "coordinate_deviation"),
            *("augmented_mean", "augmented_deviation", "held_out_mean", "held_out_deviation"),
            *("smoothing_mean", "smoothing_deviation", "class_share"),
            *(f"{name}{end}" for name in found for end in ("", "_low", "_high")),
        ),
        (
            (
                *(wave.name, wave.kind, wave.image_frequency, wave.smoothing.frequency),
                *(wave.cycles, wave.mean, wave.deviation),
                *(wave.augmented_mean, wave.augmented_deviation),
                *(wave.held_out_mean, wave.held_out_deviation),
                *(wave.levels.mean(), wave.levels.std(), wave.class_share),
                *(value[i] for band in found.values() for value in band),
            )
            for i, wave in enumerate(waves)
        ),
    )
    draw(folder, waves, epochs, measured, found, training)
    by_cycles = [i for i, wave in enumerate(waves) if wave.kind != "control" and wave.cycles >= 1]
    enough = len({waves[i].cycles for i in by_cycles}) >= 3
    summary = {
        "experiment": "noise_fitting",
        "dataset": training.title,
        "num_training_images": training.num_examples,
        "num_held_out_images": len(waves[0].levels),
        "model": FLAGS.model,
        "parameters": parameters,
        "num_seeds": FLAGS.seeds,
        "num_epochs": FLAGS.num_epochs,
        "amplitude": FLAGS.amplitude,
        "correlation_of_cycles_and_final_fit": spectra.rank_correlation(
            [waves[i].cycles for i in by_cycles], beta[:, by_cycles, -1]
        )
        if enough
        else None,
        "images_per_second": nf[..., 1:].size * training.num_examples / seconds,
        "final_fit_coefficient": {
            wave.name: [band[i] for band in found["final_fit_coefficient"]]
            for i, wave in enumerate(waves)
        },
    }
    folder.finish(summary, wall_seconds=seconds)
    print(f"held-out images of {training.title}, {records.averaged(FLAGS.seeds)}:")
    for i, wave in enumerate(waves):
        learned, beta_end = (found[k][0][i] for k in ("learning_epoch", "final_fit_coefficient"))
        when = f"above {LEARNED} from epoch {learned:.1f}" if learned < np.inf else "not learned"
        print(
            f"{wave!s:>28}: accuracy {found['final_accuracy'][0][i]:.3f}, "
            f"NF {found['minimum_noise_fitting'][0][i]:.3f} at its lowest"
            + (f", beta {beta_end:.3f} at the end, {when}" if wave.kind != "control" else "")
        )
    runtime.say_where(folder)


def learning_epochs(epochs: np.ndarray, beta: np.ndarray) -> spectra.Band:
    """When the mean fit coefficient passes `LEARNED`; of betas [seeds, waves, epochs]."""
    curves = np.swapaxes(beta, 1, 2)
    mean = spectra.learning_times(epochs, curves.mean(axis=0), LEARNED)
    resampled = spectra.learning_times(epochs, spectra.resampled_means(curves), LEARNED)
    return mean, *spectra.percentile_interval(resampled)


def draw(
    folder: records.RunFolder,
    waves: Sequence[tasks.PlacedWave],
    epochs: np.ndarray,
    measured: dict[str, np.ndarray],
    found: dict[str, spectra.Band],
    training: data.Images,
) -> None:
    """NF and beta against epoch; all measures against frequency; beta against image frequency."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    board = TensorBoard(folder.tensorboard / "figures")
    pictures = {"epochs": epoch_panels(waves, epochs, measured, training.num_classes)}
    if len(waves) > 2:
        pictures["frequencies"] = frequency_panels(waves, found)
    if len({w.image_frequency for w in waves if not math.isnan(w.image_frequency)}) > 1:
        pictures["image_frequency"] = place_panels(waves, found)
    title = f"{FLAGS.wave} waves on the labels of {training.name}, A = {FLAGS.amplitude:g}"
    for name, panels in pictures.items():
        figure = figures.line_panels(panels, title=title)
        pixels = figures.save_figure(figure, folder.figures / f"{name}.png")
        board.image(name, pixels, FLAGS.num_epochs)
    board.close_segment()


def epoch_panels(
    waves: Sequence[tasks.PlacedWave],
    epochs: np.ndarray,
    measured: dict[str, np.ndarray],
    num_classes: int,
) -> list[Panel]:
    """Noise fitting between its reference levels, and the fit coefficient, of every wave."""
    from spectral_tf.records import figures

    levels = {}
    if 0 < FLAGS.amplitude <= 0.5:
        constant, fitted = spectra.reference_levels(FLAGS.amplitude, num_classes)
        levels = {"mean smoothing only": constant, "wave fitted": fitted}
    panels = []
    for name, ylabel, of_panel in (
        ("noise_fitting", "noise fitting NF [nats]", levels),
        ("fit_coefficient", "fit coefficient β", {"ignored": 0.0, "followed": 1.0}),
    ):
        series = []
        # The control, the last, is no part of the scale.
        for i, colour in enumerate([*figures.shades(len(waves) - 1), "black"]):
            mean, low, high = spectra.mean_interval(measured[name][:, i])
            if np.isfinite(mean).any():  # The control has no coefficient.
                series.append(figures.Line(epochs, mean, str(waves[i]), low, high, colour=colour))
        panels.append(figures.Panel(series, "epoch", ylabel, of_panel))
    return panels


def frequency_panels(
    waves: Sequence[tasks.PlacedWave], found: dict[str, spectra.Band]
) -> list[Panel]:
    """Every measure against the cycles across the data, one line for each direction."""
    from spectral_tf.records import figures

    lines: dict[str, list[int]] = {}
    for i in sorted(range(len(waves) - 1), key=lambda i: waves[i].cycles):
        place = waves[i].image_frequency
        lines.setdefault(FLAGS.wave if math.isnan(place) else f"F = {place:.3g}", []).append(i)
    panels = []
    for name, ylabel in (
        ("minimum_noise_fitting", "minimum of NF [nats]"),
        ("final_fit_coefficient", "final β"),
        ("learning_epoch", f"epoch at which β passes {LEARNED}"),
    ):
        series = [
            line(found[name], chosen, [waves[i].cycles for i in chosen], label)
            for label, chosen in lines.items()
        ]
        if name == "final_fit_coefficient" and len(lines) == 1:
            chosen = next(iter(lines.values()))
            shares = [waves[i].class_share for i in chosen]
            told = figures.Line(
                [waves[i].cycles for i in chosen], shares, "told by the class alone"
            )
            series.append(told._replace(style=":", colour="gray"))
        levels = {"uniform": found[name][0][-1]} if name == "minimum_noise_fitting" else {}
        panels.append(figures.Panel(series, "cycles across the data", ylabel, levels, "log"))
    return panels


def place_panels(waves: Sequence[tasks.PlacedWave], found: dict[str, spectra.Band]) -> list[Panel]:
    """The fit coefficient against the place of the direction, at equal f and at equal cycles."""
    from spectral_tf.records import figures

    xlabel = "exponent of the direction"
    if FLAGS.wave == "fourier":
        xlabel = "spatial frequency of the direction [cycles per image]"
    groups: dict[tuple[str, float], list[int]] = {}
    for i, wave in enumerate(waves[:-1]):
        groups.setdefault((wave.kind, wave.value), []).append(i)
    panels: dict[str, Panel] = {}
    for ((kind, value), chosen), colour in zip(
        groups.items(), figures.shades(len(groups)), strict=True
    ):
        label = f"f = {value:g}" if kind == "frequency" else f"{value:g} cycles"
        places = [waves[i].image_frequency for i in chosen]
        drawn = line(found["final_fit_coefficient"], chosen, places, label, colour)
        name = "equal f" if kind == "frequency" else "equal cycles across the data"
        panel = panels.setdefault(name, figures.Panel([], xlabel, "final β", name=name))
        panels[name] = panel._replace(series=[*panel.series, drawn])
    return list(panels.values())


def line(
    band: spectra.Band, chosen: list[int], x: list[float], label: str, colour: str = ""
) -> Line:
    """The chosen entries of a band as points with their interval."""
    from spectral_tf.records.figures import Line

    mean, low, high = (np.asarray(part)[chosen] for part in band)
    return Line(x, mean, label, low, high, style="o-", colour=colour)


if __name__ == "__main__":
    runtime.launch(main)
