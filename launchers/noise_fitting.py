"""Which frequencies does an image classifier learn? Fridovich-Keil et al. (2022), first method.

The labels of the training images are smoothed by s(x) = A (1 + sin(2 pi f (c(x) - phase))), a wave
through image space: along the norm of the image (radial) or along a direction (fourier, random,
power_law). On held-out images the fit coefficient beta tells how much of the wave the classifier
follows, 0 to 1, and noise fitting NF = CE(clean) - CE(noisy) is the paper's measure. Neither is 0
for a network that never saw the wave: the null of both is that of networks of the same seeds that
were trained on uniformly smoothed labels, measured against the same wave on the same images.

    python launchers/noise_fitting.py --alsologtostderr

takes about 20 minutes on 2 cores, on embedded photographs (not CIFAR-10). The paper's own setting,
for a GPU:

    python launchers/noise_fitting.py --flagfile=results/noise_fitting/cifar10_wrn_32.flags

Every wave and seed is a training of its own in the run folder, resumed one by one. A seed gives all
waves and the null the same first weights and order, and a --teacher is one network for all
students: what another teacher would do is held fixed, and not in the intervals.

To see: waves of few cycles across the data are followed early and nearly fully, fast ones late or
no further than by networks that never saw them (results/noise_fitting).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

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
from spectral_tf.experiments.fitted_waves import (
    LEARNED,
    MEASURES,
    Examples,
    FittedWave,
    at_lowest,
    fit_waves,
    learned,
    place_claims,
    wave_claims,
)
from spectral_tf.records.waves import HeldOut, write_held_out
from spectral_tf.spectra.verdicts import Finding

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
runtime.define_finite_float("degrees", 45.0, "Of the first fourier direction.", at_least=0.0)
flags.DEFINE_integer("directions", 1, "Of each place: turned (fourier), or drawn anew.", 1)
flags.DEFINE_list("exponents", [1], "Of power_law directions: magnitudes fall as rho^-exponent.")
runtime.define_finite_float("amplitude", 0.4, "Mean smoothing A.", at_least=0.0, at_most=1.0)
flags.DEFINE_bool("per_batch_amplitude", False, "Divide by the batch's mean, as published.")
flags.DEFINE_integer("noise_class", -1, "The only class that is smoothed; -1: all.", -1)
flags.DEFINE_integer("seeds", 2, "Trainings of each wave, with weights and order of their own.", 1)
flags.DEFINE_string("teacher", "", "A .keras file of a classifier to distill; default: none.")
runtime.define_finite_float(
    "distillation_alpha", 0.0, "Weight of true labels beside a teacher's.", at_least=0, at_most=1
)
flags.DEFINE_list("checkpoint_epochs", [], "Epochs after which models are kept as .keras files.")

# Training images on which waves are placed.
MEASURED_ON = 10_000
# Held-out images, for an interval over them to mean something.
FEWEST_HELD_OUT = 100
# The share of held-out images on which outputs may be NaN or infinite.
MOST_NOT_FINITE = 0.01
# The measures that pictures and closing lines show, and how axes call them.
NF, BETA = "minimum_noise_fitting", "final_fit_coefficient"
NAMES = {
    "noise_fitting": ("noise fitting NF [nats]", "NF"),
    "fit_coefficient": ("fit coefficient β", "β"),
    NF: ("minimum of NF [nats]", "minimum of NF"),
    BETA: ("final β", "final β"),
}
# Columns of tables that hold estimates.
ESTIMATED = [f"{name}{side}" for name in MEASURES for side in ("", "_null", "_above_null")]
ESTIMATED += ["learning_epoch"]
# {(name of a wave, number of the training): what was measured}.
Histories = Mapping[tuple[str, int], "History"]


def main() -> None:
    """Runs the experiment that the flags describe."""
    kept, asked, files = kept_epochs(), asked_waves(), model_files()
    setting = Setting.of(runtime.settings())
    folder = runtime.run_folder("noise_fitting")
    training, held_out = find_splits(runtime.settings(), runtime.data_places())
    refuse_few(held_out.num_examples, f"--held_out={held_out.split}")

    from spectral_tf.models.classifiers import from_file
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.session import Session, finished_history

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    refuse_batch_means(strategy.num_replicas_in_sync)
    task = Classification(setting, training, held_out, strategy, FLAGS.seed)
    epoch = task.epoch
    steps = [epoch * i for i in range(FLAGS.num_epochs + 1)]

    def still(coordinate: str, place: float, direction: int) -> tuple[tasks.SmoothingWave, float]:
        degrees = FLAGS.degrees
        if coordinate == "fourier":
            degrees = tasks.orientations(place, degrees, FLAGS.directions)[direction]
        return tasks.still_wave(
            coordinate,
            task.shape,
            runtime.generator(FLAGS.seed, "direction", direction),
            amplitude=FLAGS.amplitude,
            num_classes=training.num_classes,
            place=place,
            degrees=degrees,
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
    refuse_few(int(measured.sum()), f"--noise_class={FLAGS.noise_class}")
    refuse_still(waves)
    # Evaluations come in the order of `Images.arrays`, as clusters do: sets whose stored order is
    # another one are resident, and evaluated from their arrays.
    clusters = held_out.clusters()
    images = HeldOutImages(labels, clusters, measured, training.num_classes)
    record = {**training.record(task.normalisation), **files}
    folder.start(environment(strategy, FLAGS.seed, record))
    trainings = asked_trainings(waves)
    logging.info("noise_fitting: %s, %d trainings", FLAGS.model, len(trainings))

    histories: dict[tuple[str, int], History] = {}
    seconds, session = 0.0, None
    for wave, run in trainings:
        part = folder.part(f"{wave.name}/seed_{run}")
        done = finished_history(part, steps[-1])
        if done is None:
            labels_to_learn = tasks.SoftLabels(wave.smoothing, teacher, FLAGS.distillation_alpha)
            trained = task.trainer(FLAGS.seed, run, labels_to_learn, finite_only=True)
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
                probe(session, wave, name, images, step, last=step == steps[-1])
                if step // epoch in kept and folder.writes:
                    file = f"epoch_{step // epoch:03d}.keras"
                    trained.save_model(part.state_file.with_name(file))
            session.save()
            done = session.history, session.seconds
        histories[wave.name, run] = done[0]
        seconds += done[1]
    if folder.writes:
        report(folder, waves, histories, images, training, parameters, seconds)
    if session:
        session.wait_for_all()


class HeldOutImages(NamedTuple):
    """The held-out images, in the order of the evaluation.

    Attributes:
      labels: their classes, [n].
      clusters: which of them belong together, [n].
      measured: which are measured, bool [n].
      num_classes: of the data set.
    """

    labels: np.ndarray
    clusters: np.ndarray
    measured: np.ndarray
    num_classes: int


def asked_trainings(waves: Sequence[tasks.PlacedWave]) -> list[tuple[tasks.PlacedWave, int]]:
    """Every wave with the numbers of its trainings, which tell their seeds.

    Every direction has seeds of its own, and the control all of them: so what is true of several
    directions does not hang on one set of first weights, nor on one null.
    """
    return [
        (wave, run)
        for run in range(FLAGS.directions * FLAGS.seeds)
        for wave in waves
        if wave.kind == "control" or run in runs_of(wave)
    ]


def runs_of(wave: tasks.PlacedWave) -> range:
    """The numbers of a wave's trainings."""
    return range(wave.direction * FLAGS.seeds, (wave.direction + 1) * FLAGS.seeds)


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


def refuse_few(num_images: int, flag: str) -> None:
    """Raises a UserError for fewer held-out images than an interval over them needs."""
    if num_images < FEWEST_HELD_OUT:
        raise UserError(
            flag,
            expected=f"at least {FEWEST_HELD_OUT} images to measure on",
            got=f"{num_images}",
            hint="choose another split or class",
        )


def refuse_still(waves: Sequence[tasks.PlacedWave]) -> None:
    """Raises a UserError for a wave that no network could be seen to follow."""
    for wave in waves:
        if wave.kind != "control" and wave.levels.std() < 1e-6:
            raise UserError(
                f"wave {wave.name}",
                expected="smoothing that varies over the held-out images",
                got=f"a deviation of {wave.levels.std():.1e}",
                hint="raise --amplitude or the frequency, or choose --wave=uniform",
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
    places = numbers(flag, above=-math.inf) if flag else []
    for place in places if FLAGS.wave == "fourier" else ():
        tasks.orientations(place, FLAGS.degrees, FLAGS.directions)  # Refuses one twice.
    return tasks.ask_waves(
        FLAGS.wave,
        cycles=numbers("cycles"),
        frequencies=numbers("frequencies"),
        places=places,
        directions=FLAGS.directions,
    )


def probe(
    session: Session[Classifier],
    wave: tasks.PlacedWave,
    name: str,
    images: HeldOutImages,
    step: int,
    *,
    last: bool,
) -> None:
    """Keeps what the classifier answers to the held-out images; NF and beta follow from it.

    Raises:
      UserError: outputs are not finite on more than 1 % of the images.
    """
    finite = np.asarray(np.isfinite(session.outputs).all(axis=1))
    if lost := int((~finite).sum()):
        logging.warning("%s: outputs on %d held-out images are not finite", name, lost)
    if lost > MOST_NOT_FINITE * len(finite):
        raise UserError(
            name,
            expected=f"finite outputs on {1 - MOST_NOT_FINITE:.0%} of {len(finite):,} held-out "
            "images or more",
            got=f"{lost:,} images with others, the first is number {int(np.argmin(finite))}",
            hint="see these images and the model",
        )
    chosen = finite & images.measured
    margins = np.full(len(finite), np.nan)
    margins[finite] = spectra.margins(session.outputs[finite], images.labels[finite])
    correct = session.outputs.argmax(axis=1) == images.labels
    fit = spectra.noise_fit(
        session.outputs[chosen], images.labels[chosen], wave.levels[finite[images.measured]]
    )
    kept = {
        "clean_loss": fit.clean_loss,
        "accuracy": float(correct[finite].mean()),
        "train_loss": session.ensemble.train_loss(),
    }
    session.history.add("margins", step, margins)
    for series, value in kept.items():
        session.history.add(series, step, value)
    if last:
        session.history.add("correct", step, correct)
    values = {**fit._asdict(), **kept}
    session.board.scalars({n: v for n, v in values.items() if np.isfinite(v)}, step)


def report(
    folder: records.RunFolder,
    waves: Sequence[tasks.PlacedWave],
    histories: Histories,
    images: HeldOutImages,
    training: data.Images,
    parameters: int,
    seconds: float,
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    finite = np.all([np.isfinite(h["margins"][1]).all(axis=0) for h in histories.values()], axis=0)
    chosen = finite & images.measured
    refuse_few(int(chosen.sum()), "held-out images with finite outputs")
    left_out = int((images.measured & ~finite).sum())
    lines, alone = fitted(waves, histories, images, chosen)
    accuracy = {wave.name: accuracy_of(wave, histories, images, finite) for wave in waves}
    claims = claims_of(lines)
    known = learned(lines)
    write_epochs(folder, waves, histories, images, chosen)
    write_waves(folder, waves, alone, accuracy)
    if FLAGS.directions > 1:
        write_directions(folder, lines)
    if claims:
        records.write_table(folder.path / "claims.csv", Finding._fields, claims)
    if alone:
        answers = held_out_answers(waves[:-1], histories, images, chosen)
        write_held_out(folder.path / "held_out.npz", answers)
    draw(folder, lines, training)
    summary = {
        "experiment": "noise_fitting",
        "dataset": training.title,
        "num_training_images": training.num_examples,
        "num_held_out_images": int(chosen.sum()),
        "num_images_left_out": left_out,
        "model": FLAGS.model,
        "parameters": parameters,
        "num_seeds": FLAGS.seeds,
        "num_directions": FLAGS.directions,
        "num_trainings": len(histories),
        "num_epochs": FLAGS.num_epochs,
        "amplitude": FLAGS.amplitude,
        "images_per_second": len(histories) * FLAGS.num_epochs * training.num_examples / seconds,
        "final_fit_coefficient": {
            label(line): {
                "network": line.estimates[BETA].network.record(),
                "null": line.estimates[BETA].null.record(),
                "above_null": line.estimates[BETA].difference.record(),
                "learned": yes,
            }
            for line, yes in zip(lines, known, strict=True)
        },
        "claims": {
            f"{claim.claim}, {claim.primary}": {
                "reading": claim.reading,
                "direction": claim.direction,
                **claim.estimate.record(),
            }
            for claim in claims
            if claim.primary
        },
    }
    folder.finish(summary, wall_seconds=seconds)
    print(f"{int(chosen.sum()):,} held-out images of {training.title}")
    if left_out:
        print(f"{left_out} more are left out: an output on them was not finite")
    for line, yes in zip(lines, known, strict=True):
        found, nf = (line.estimates[name] for name in (BETA, NF))
        scores = np.mean([accuracy[wave.name].value for wave in line.waves])
        print(
            f"{label(line):>28}: beta {found.network.value:.3f}, its null {found.null.value:.3f}, "
            f"above it {found.difference.text('.3f')}, {verdict(line, yes)}; lowest NF "
            f"{nf.network.value:.3f}, its null {nf.null.value:.3f}; accuracy {scores:.3f}"
        )
    print(f"{'uniform':>28}: accuracy {accuracy['uniform'].text('.3f')}")
    runtime.say_where(folder)


def verdict(line: FittedWave, is_learned: bool | None) -> str:
    """What beta - null says, after the correction for all waves (`learned`)."""
    if is_learned is None:
        return "without an interval nothing is said of it"
    if not is_learned:
        return "not told from networks that never saw it"
    passed = line.learning_epoch
    when = f"from epoch {passed.text('.1f')}" if np.isfinite(passed.value) else "never"
    return f"learned, {LEARNED} above its null {when}"


def label(line: FittedWave) -> str:
    """How lines, legends and records call a wave, or its directions together."""
    place = "" if math.isnan(line.image_frequency) else f"F = {line.image_frequency:.3g}, "
    by = f"f = {line.value:.3g}, " if line.kind == "frequency" else ""
    return f"{place}{by}{line.cycles:.3g} cycles"


def margins_of(
    histories: Histories, name: str, runs: Sequence[int], chosen: np.ndarray
) -> np.ndarray:
    """Of the chosen images, after every epoch, [runs, epochs, n]."""
    return np.stack([histories[name, run]["margins"][1][:, chosen] for run in runs])


def fitted(
    waves: Sequence[tasks.PlacedWave],
    histories: Histories,
    images: HeldOutImages,
    chosen: np.ndarray,
) -> tuple[list[FittedWave], dict[str, FittedWave]]:
    """Every frequency with all its directions; and {name of a wave: it alone}."""
    groups: dict[tuple[float, str, float], list[tasks.PlacedWave]] = {}
    for wave in waves:
        if wave.kind != "control":
            groups.setdefault((wave.place, wave.kind, wave.value), []).append(wave)
    examples = Examples(images.clusters[chosen], images.num_classes)
    lines: list[FittedWave] = []
    alone: dict[str, FittedWave] = {}
    for group in groups.values():
        networks, nulls = (
            np.stack([margins_of(histories, n, runs_of(w), chosen) for w, n in named])
            for named in ([(w, w.name) for w in group], [(w, "uniform") for w in group])
        )
        levels = np.stack([wave.levels[chosen[images.measured]] for wave in group])
        each, line = fit_waves(group, networks, nulls, levels, examples)
        lines.append(line)
        alone |= {wave.name: one for wave, one in zip(group, each, strict=True)}
    return lines, alone


def claims_of(lines: Sequence[FittedWave]) -> list[Finding]:
    """Every reading of what the waves were asked for: C1 and C2 of one coordinate, C11 of more."""
    if len({line.place for line in lines}) > 1:
        # Magnitudes fall as rho^-exponent: the larger it is, the lower the image frequencies.
        return place_claims(lines, rising=FLAGS.wave == "fourier")
    return wave_claims(lines)


def accuracy_of(
    wave: tasks.PlacedWave, histories: Histories, images: HeldOutImages, finite: np.ndarray
) -> spectra.Estimate:
    """Of the trained networks of a wave, on all held-out images."""
    runs = [run for name, run in histories if name == wave.name]
    correct = np.stack([histories[wave.name, run]["correct"][1][-1][finite] for run in runs])
    return spectra.crossed_mean(
        correct, clusters=images.clusters[finite], units=("seeds", "images")
    )


def write_epochs(
    folder: records.RunFolder,
    waves: Sequence[tasks.PlacedWave],
    histories: Histories,
    images: HeldOutImages,
    chosen: np.ndarray,
) -> None:
    """Writes `epochs.csv`: each training after each epoch, beside the null of its seed."""
    rows: list[list[object]] = []
    for wave in waves:
        runs = [run for name, run in histories if name == wave.name]
        s = wave.levels[chosen[images.measured]]
        fit, null = (
            spectra.wave_fit(margins_of(histories, name, runs, chosen), s, images.num_classes)
            for name in (wave.name, "uniform")
        )
        for i, run in enumerate(runs):
            history = histories[wave.name, run]
            clean, accuracy, train = (
                history[name][1] for name in ("clean_loss", "accuracy", "train_loss")
            )
            for e in range(FLAGS.num_epochs + 1):
                nf, beta = float(fit.noise_fitting[i, e]), float(fit.fit_coefficient[i, e])
                nf_0, beta_0 = float(null.noise_fitting[i, e]), float(null.fit_coefficient[i, e])
                parts = [fit.mean_part[i, e], fit.covariance_part[i, e], beta]
                parts += [nf_0, beta_0, nf - nf_0, beta - beta_0]
                if wave.kind == "control":  # Without a wave there is nothing to follow.
                    parts = ["null"] * len(parts)
                rows.append(
                    [
                        wave.name,
                        wave.image_frequency,
                        wave.direction,
                        wave.smoothing.frequency,
                        wave.cycles,
                        run,
                        e,
                        nf,
                        *parts,
                        clean[e],
                        clean[e] - nf,
                        accuracy[e],
                        train[e],
                    ]
                )
    columns = (
        "wave,image_frequency,direction,frequency,cycles,seed,epoch,"
        "noise_fitting,mean_part,covariance_part,fit_coefficient,"
        "null_noise_fitting,null_fit_coefficient,"
        "noise_fitting_above_null,fit_coefficient_above_null,"
        "clean_loss,noisy_loss,accuracy,train_loss"
    )
    records.write_table(folder.path / "epochs.csv", columns.split(","), rows)


def estimated(line: FittedWave | None) -> list[spectra.Estimate]:
    """Of each of `MEASURES` three, and the learning epoch; of the control, which has no wave."""
    if line is None:
        return [spectra.not_enough(0, 1, "waves")] * len(ESTIMATED)
    found = [estimate for three in line.estimates.values() for estimate in three]
    return [*found, line.learning_epoch]


def write_waves(
    folder: records.RunFolder,
    waves: Sequence[tasks.PlacedWave],
    alone: Mapping[str, FittedWave],
    accuracy: Mapping[str, spectra.Estimate],
) -> None:
    """Writes `waves.csv`: what each wave is and how it ended; `curves.csv`: how it got there."""
    columns = (
        "wave,kind,place,image_frequency,direction,frequency,cycles,"
        "coordinate_mean,coordinate_deviation,"
        "augmented_mean,augmented_deviation,held_out_mean,held_out_deviation,"
        "smoothing_mean,smoothing_deviation,class_share,learned"
    )
    known = dict(zip(alone, learned(list(alone.values())), strict=True))
    rows = []
    for wave in waves:
        line, yes = alone.get(wave.name), known.get(wave.name)
        place = [
            wave.name,
            wave.kind,
            wave.place,
            wave.image_frequency,
            wave.direction,
            wave.smoothing.frequency,
            wave.cycles,
            wave.mean,
            wave.deviation,
            wave.augmented_mean,
            wave.augmented_deviation,
            wave.held_out_mean,
            wave.held_out_deviation,
            wave.levels.mean(),
            wave.levels.std(),
            wave.class_share,
            "null" if yes is None else ("no", "yes")[yes],
        ]
        rows.append([*place, *estimated(line), accuracy[wave.name]])
    records.write_table(
        folder.path / "waves.csv", [*columns.split(","), *ESTIMATED, "final_accuracy"], rows
    )
    records.write_table(
        folder.path / "curves.csv",
        ("wave", "epoch", "noise_fitting_above_null", "fit_coefficient_above_null"),
        (
            (
                name,
                e,
                line.curves["noise_fitting"].difference[e],
                line.curves["fit_coefficient"].difference[e],
            )
            for name, line in alone.items()
            for e in range(FLAGS.num_epochs + 1)
        ),
    )


def write_directions(folder: records.RunFolder, lines: Sequence[FittedWave]) -> None:
    """Writes `directions.csv`: every frequency, over its directions."""
    columns = ("place", "kind", "value", "image_frequency", "cycles", "num_directions")
    rows = []
    for line in lines:
        place = [line.place, line.kind, line.value, line.image_frequency, line.cycles]
        rows.append([*place, len(line.waves), line.class_share, *estimated(line)])
    records.write_table(folder.path / "directions.csv", [*columns, "class_share", *ESTIMATED], rows)


def held_out_answers(
    waves: Sequence[tasks.PlacedWave],
    histories: Histories,
    images: HeldOutImages,
    chosen: np.ndarray,
) -> HeldOut:
    """What is kept of every held-out image."""
    levels = np.stack([wave.levels[chosen[images.measured]] for wave in waves])
    last, lowest, lowest_null = [], [], []
    for wave, s in zip(waves, levels, strict=True):
        network, of_null = (
            margins_of(histories, name, runs_of(wave), chosen) for name in (wave.name, "uniform")
        )
        last.append(network[:, -1])
        lowest.append(at_lowest(network, s, images.num_classes))
        lowest_null.append(at_lowest(of_null, s, images.num_classes))
    null = margins_of(histories, "uniform", range(FLAGS.directions * FLAGS.seeds), chosen)[:, -1]
    return HeldOut(
        waves=np.array([wave.name for wave in waves]),
        directions=np.array([wave.direction for wave in waves]),
        smoothing=levels.astype(np.float32),
        margins=np.stack(last),
        lowest_margins=np.stack(lowest),
        null_margins=null.reshape(FLAGS.directions, FLAGS.seeds, -1),
        lowest_null_margins=np.stack(lowest_null),
        labels=images.labels[chosen].astype(np.int64),
        clusters=images.clusters[chosen].astype(np.int64),
        images=np.flatnonzero(chosen),
        num_classes=np.array(images.num_classes),
    )


def draw(folder: records.RunFolder, lines: Sequence[FittedWave], training: data.Images) -> None:
    """NF and beta against epoch, frequency and image frequency, each with its null."""
    if not lines:
        return
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    board = TensorBoard(folder.tensorboard / "figures")
    pictures = {
        "epochs": epoch_panels(lines, "fit_coefficient", {"ignored": 0.0, "followed": 1.0}),
        "epochs_noise_fitting": epoch_panels(lines, "noise_fitting", ideal(training.num_classes)),
    }
    if len(lines) > 1:
        pictures["frequencies"] = frequency_panels(lines, BETA)
        pictures["frequencies_noise_fitting"] = frequency_panels(lines, NF)
    if len({line.place for line in lines}) > 1:
        pictures["image_frequency"] = place_panels(lines)
    title = f"{FLAGS.wave} waves on the labels of {training.name}, A = {FLAGS.amplitude:g}"
    for name, panels in pictures.items():
        figure = figures.line_panels(panels, title=title)
        pixels = figures.save_figure(figure, folder.figures / f"{name}.png")
        board.image(name, pixels, FLAGS.num_epochs)
    board.close_segment()


def ideal(num_classes: int) -> dict[str, float]:
    """NF of models that know the mean smoothing, and of models that know the wave."""
    if not 0 < FLAGS.amplitude <= 0.5:
        return {}
    constant, follows = spectra.reference_levels(FLAGS.amplitude, num_classes)
    return {"mean smoothing only": constant, "wave fitted": follows}


def epoch_panels(lines: Sequence[FittedWave], curve: str, levels: dict[str, float]) -> list[Panel]:
    """A measure of every wave with its null, dashed; and what it is above that."""
    from spectral_tf.records.figures import Line, Panel, shades

    epochs = np.arange(FLAGS.num_epochs + 1)
    values, above = [null_line()], []
    for line, colour in zip(lines, shades(len(lines)), strict=True):
        found = line.curves[curve]
        values.append(Line.of(epochs, found.network, label(line), colour=colour))
        values.append(Line(epochs, found.null.value, style="--", colour=colour))
        above.append(Line.of(epochs, found.difference, label(line), colour=colour))
    long, short = NAMES[curve]
    return [
        Panel(values, "epoch", long, levels),
        Panel(above, "epoch", f"{short} − null", {"ignored": 0.0}),
    ]


def frequency_panels(lines: Sequence[FittedWave], measure: str) -> list[Panel]:
    """A measure against the cycles across the data with its null; what it is above; when."""
    from spectral_tf.records.figures import Line, Panel, shades

    places: dict[float, list[FittedWave]] = {}
    for line in sorted(lines, key=lambda line: line.cycles):
        places.setdefault(line.place, []).append(line)
    values: list[Line] = [null_line()]
    above: list[Line] = []
    times: list[Line] = []
    for of_place, colour in zip(places.values(), shades(len(places)), strict=True):
        place = of_place[0].image_frequency
        name = FLAGS.wave if math.isnan(place) else f"F = {place:.3g}"
        cycles = [line.cycles for line in of_place]
        found = [line.estimates[measure] for line in of_place]
        values.append(points(cycles, [f.network for f in found], name, colour))
        values.append(Line(cycles, [f.null.value for f in found], style="--", colour=colour))
        above.append(points(cycles, [f.difference for f in found], name, colour))
        if measure == BETA:
            shares = [line.class_share for line in of_place]
            told = "told by the class alone" if not times else ""
            values.append(Line(cycles, shares, told, style=":", colour=colour))
            passed = [line.learning_epoch for line in of_place]
            times.append(points(cycles, passed, name, colour))
    x, (long, short) = "cycles across the data", NAMES[measure]
    panels = [
        Panel(values, x, long, xscale="log"),
        Panel(above, x, f"{short} − null", {"ignored": 0.0}, "log"),
    ]
    if any(np.isfinite(line.y).any() for line in times):
        panels.append(Panel(times, x, f"epoch at which β − null passes {LEARNED}", xscale="log"))
    return panels


def place_panels(lines: Sequence[FittedWave]) -> list[Panel]:
    """The fit coefficient against the place of the directions, at equal f and at equal cycles."""
    from spectral_tf.records.figures import Line, Panel, shades

    x = "exponent of the direction"
    if FLAGS.wave == "fourier":
        x = "spatial frequency of the direction [cycles per image]"
    groups: dict[tuple[str, float], list[FittedWave]] = {}
    for line in sorted(lines, key=lambda line: line.image_frequency):
        groups.setdefault((line.kind, line.value), []).append(line)
    panels: list[Panel] = []
    for kind, name in (("frequency", "equal f"), ("cycles", "equal cycles across the data")):
        values, above = [null_line()], []
        chosen = {value: row for (k, value), row in groups.items() if k == kind}
        for (value, row), colour in zip(chosen.items(), shades(len(chosen)), strict=True):
            called = f"f = {value:g}" if kind == "frequency" else f"{value:g} cycles"
            places = [line.image_frequency for line in row]
            found = [line.estimates[BETA] for line in row]
            values.append(points(places, [f.network for f in found], called, colour))
            values.append(Line(places, [f.null.value for f in found], style="--", colour=colour))
            above.append(points(places, [f.difference for f in found], called, colour))
        if chosen:
            panels.append(Panel(values, x, NAMES[BETA][0], name=name))
            panels.append(Panel(above, x, "β − null", {"ignored": 0.0}, name=name))
    return panels


def points(x: list[float], found: Sequence[spectra.Estimate], name: str, colour: str) -> Line:
    """Single estimates as points with their intervals."""
    from spectral_tf.records.figures import Line

    value, low, high = (
        [float(getattr(estimate, end)) for estimate in found] for end in ("value", "low", "high")
    )
    return Line(x, value, name, low, high, "o-", colour)


def null_line() -> Line:
    """An entry of the legend for all nulls."""
    from spectral_tf.records.figures import Line

    return Line([], [], "null: networks that never saw it", style="--", colour="gray")


if __name__ == "__main__":
    runtime.launch(main)
