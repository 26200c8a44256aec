r"""What changes the function of an image classifier, and how? Fridovich-Keil et al. (2022).

Classifiers are trained that differ in one thing: training time, architecture, width, number of
training images, augmentation, self-distillation, weight decay. Each is measured along the same
straight paths between held-out images: the share of high frequencies in its answers, within and
between classes. The paper: better classifiers have less of it within and more of it between.

    python launchers/interventions.py --alsologtostderr

takes about 5 minutes on 2 cores, on embedded photographs (not CIFAR-10). The paper's own scale, on
several machines with a common folder, each taking its share:

    python launchers/interventions.py --flagfile=results/interventions/cifar10_wrn_32.flags \
        --shard=1/4

Every setting and seed is a training of its own in the run folder, resumed one by one; the last one
to finish compares them all. To see: the correlations of accuracy and the share of high frequencies; what
must not be read from them is in the first lines of results/interventions.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
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
from spectral_tf.experiments.sweeps import SWEEPS, Case, cases, owners, shard_of

if TYPE_CHECKING:
    from spectral_tf.probes.paths import PathAnswers
    from spectral_tf.records.figures import Panel
    from spectral_tf.training.classifier import Classifier
    from spectral_tf.training.session import History, Session

FLAGS = flags.FLAGS
runtime.define_run_flags("interventions")
runtime.define_data_flags("photo_patches")
runtime.define_classifier_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
flags.DEFINE_list("sweeps", ["time", "width", "augmentation"], f"Of {', '.join(SWEEPS)}.")
flags.DEFINE_list("measured_epochs", [1, 2, 5, 10], "When the baseline is measured, too: time.")
flags.DEFINE_list("architectures", ["small_resnet"], "Of architecture: other models.")
flags.DEFINE_list("widths", [8, 32], "Of width: other numbers of channels.")
flags.DEFINE_list(
    "shares",
    [0.0625, 0.25],
    "Of examples: parts of the training images, trained for as many epochs and as many steps.",
)
flags.DEFINE_list(
    "recipes",
    ["flip+pad_and_crop", "cutout"],
    "Of augmentation: names joined by +; mixup takes its alpha behind a colon, mixup:0.2.",
)
flags.DEFINE_list("alphas", [0], "Of distillation: weights of true labels beside the teacher's.")
flags.DEFINE_list("decays", [0, 0.002], "Of weight_decay: other ones.")
flags.DEFINE_integer("seeds", 1, "Trainings of each setting.", 1)
runtime.define_path_flags()
flags.DEFINE_string("shard", "1/1", "i/n: the i-th of n shares of the trainings.")

# Lists that can get longer without touching what is computed already.
GROWING = (
    *("sweeps", "architectures", "widths", "shares", "recipes", "alphas", "decays", "seeds"),
)

# What is measured along every path, and of the whole model.
ALONG = (*spectra.PathMeasures._fields, "correct")
WHOLE = ("accuracy", "loss", "train_loss")


class Measured(NamedTuple):
    """A classifier at one step.

    Attributes:
      case, run, step: which one.
      last: whether it is the end of its training.
      epoch: step over the steps of an epoch.
      parameters: of the network.
      num_images: that it was trained on.
      along: {measure: of every path, [p]}.
      whole: {measure: value}.
    """

    case: Case
    run: int
    step: int
    last: bool
    epoch: float
    parameters: int
    num_images: int
    along: dict[str, np.ndarray]
    whole: dict[str, float]


def main() -> None:
    """Runs the experiment that the flags describe."""
    base = Setting.of(runtime.settings())
    files = file_digests({"model": FLAGS.model})
    refuse_sizes_of_files(runtime.settings())
    lists = {name: FLAGS[name].value for name in ("sweeps", *SWEEPS.values())}
    settings, (shard, num_shards), measured_epochs = (
        cases(base, lists),
        shard_of(FLAGS.shard),
        epochs(),
    )
    refuse_overwriting(num_shards)
    folder = runtime.run_folder("interventions", GROWING)
    training, held_out = find_splits(runtime.settings(), runtime.data_places())

    from spectral_tf.data import pipeline
    from spectral_tf.models.classifiers import from_file
    from spectral_tf.probes import paths as probe
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.session import Session, finished_history

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    normalisation = data.standard(training)

    def task_of(case: Case) -> Classification:
        count = round(case.share * training.num_examples)
        if case.share < 1 and count < case.setting.batch_size:
            raise UserError(
                "--shares",
                expected=f"enough of the {training.num_examples:,} images for a batch of "
                f"{case.setting.batch_size}",
                got=f"{case.share:g}, {count} images",
                hint="raise it, or lower --batch_size",
            )
        images = training.take(count)
        steps = FLAGS.num_epochs * (training.num_examples // case.setting.batch_size)
        return Classification(
            *(case.setting, images, held_out, strategy, FLAGS.seed),
            num_steps=steps if case.equal_steps else None,
            normalisation=normalisation,
        )

    with strategy.scope():  # Refuses what does not fit before anything is trained.
        work = [(case, task_of(case)) for case in settings]
        parameters = [task.build(0).count_params() for _, task in work]
    prepare = pipeline.prepare(normalisation)
    pixels, labels = held_out.arrays()
    pairs, classes = probe.class_pairs(
        labels,
        range(held_out.num_classes),
        FLAGS.pairs,
        runtime.derive_seed(FLAGS.seed, "pairs"),
    )
    paths = probe.straight_paths(pixels, pairs, prepare, num_samples=FLAGS.num_samples)
    folder.start(
        environment(strategy, FLAGS.seed, {**training.record(normalisation), **files}), alone=False
    )
    logging.info("interventions: %d settings, %d seeds", len(settings), FLAGS.seeds)

    session = None
    units = [(unit, run) for run in range(FLAGS.seeds) for unit in range(len(settings))]
    for (i, run), owner in zip(units, owners(settings, FLAGS.seeds, num_shards), strict=True):
        case, task = work[i]
        part = folder.part(f"{case.name}/seed_{run}")
        ends = {task.num_steps}
        if case.sweep == "baseline":
            ends |= {task.epoch * epoch for epoch in measured_epochs}
        steps = sorted(ends)
        done = finished_history(part, steps[-1])
        if done is None and owner == shard:
            teacher = None
            if case.alpha is not None:
                kept = folder.part(f"baseline/seed_{run}").state_file.with_name("final.keras")
                with strategy.scope():
                    teacher = from_file(
                        "the baseline",
                        str(kept),
                        input_shape=task.shape,
                        num_classes=training.num_classes,
                    )
            with part.alone():
                trained = task.trainer(FLAGS.seed, run, distillation(teacher, case.alpha))
                name = f"{case.name}, seed {run}"
                session = Session(trained, part, steps, FLAGS.save_every_seconds, name)
                if not session.resumed:
                    session.board.describe(hparams(case, task, run), {})
                for step in session:
                    answers = probe.measure_paths(
                        *(trained.model, pixels, labels, paths, prepare),
                        batch_size=FLAGS.batch_size,
                        strategy=strategy,
                    )
                    record(session, answers, labels, classes, step)
                    if step == steps[-1] and folder.writes:
                        trained.save_model(part.state_file.with_name("final.keras"))
    # Other shards may have finished theirs in the meantime.
    found: list[Measured] = []
    missing, seconds = [], 0.0
    for i, run in units:
        case, task = work[i]
        part = folder.part(f"{case.name}/seed_{run}")
        done = finished_history(part, task.num_steps)
        if done is None:
            missing.append(part.state_file.parent)
            continue
        seconds += done[1]
        found += measured_of(case, run, done[0], task, parameters[i])
    if missing:
        print(f"interventions: {len(missing)} trainings are left to other shards, {missing[0]} ...")
    elif folder.writes:
        with folder.part("comparison").alone(wait=True):
            if not folder.finished:  # By another shard.
                report(folder, found, classes, paths.distances, training, seconds)
    if session:
        session.wait_for_all()


def epochs() -> list[int]:
    """The epochs at which the baseline is measured beside its end, or a UserError."""
    wanted = runtime.whole_numbers("measured_epochs", FLAGS.measured_epochs)
    runtime.refuse_below("measured_epochs", min(wanted), 0)
    reached = [epoch for epoch in wanted if epoch < FLAGS.num_epochs]
    if "time" in FLAGS.sweeps and not reached:
        runtime.refuse_above("measured_epochs", min(wanted), FLAGS.num_epochs - 1)
    return reached


def refuse_overwriting(num_shards: int) -> None:
    """Raises a UserError if one of several shards would remove the work of all."""
    if FLAGS.overwrite and num_shards > 1:
        raise UserError(
            "--overwrite",
            expected="one process alone, which removes the work of all",
            got=f"--shard={FLAGS.shard}",
            hint="remove the folder instead, before the shards start",
        )


def distillation(teacher: object, alpha: float | None) -> tasks.SoftLabels | None:
    """What a student learns; None without a teacher."""
    if alpha is None:
        return None
    return tasks.SoftLabels(None, lambda images: teacher(images, training=False), alpha)  # type: ignore[operator]


def hparams(case: Case, task: Classification, run: int) -> dict[str, bool | int | float | str]:
    """What TensorBoard's table of runs shows of a training."""
    setting = dataclasses.asdict(case.setting)
    return {
        **{k: "+".join(v) if isinstance(v, tuple) else v for k, v in setting.items()},
        "dataset": task.training.title,
        "sweep": case.sweep,
        "value": case.value,
        "run": run,
        "num_images": task.training.num_examples,
        "num_steps": task.num_steps,
    }


def record(
    session: Session[Classifier],
    answers: PathAnswers,
    labels: np.ndarray,
    classes: np.ndarray,
    step: int,
) -> None:
    """Keeps what was measured of the classifier, and shows the means."""
    whole = {
        "accuracy": float(np.mean(session.outputs.argmax(axis=1) == labels)),
        "loss": float(session.losses[0]),
        "train_loss": session.ensemble.train_loss(),
    }
    along = {**answers.measures._asdict(), "correct": answers.correct}
    for name, value in (whole | along).items():
        session.history.add(name, step, value)
    means = {
        f"{name}/{place}": float(np.mean(values[chosen]))
        for name, values in along.items()
        for place, chosen in places(classes).items()
    }
    shown = {n: v for n, v in (whole | means).items() if np.isfinite(v)}
    session.board.scalars(shown, step)


def places(classes: np.ndarray) -> dict[str, np.ndarray]:
    """Which paths lie within a class and which between two, bool [p]."""
    within = classes[:, 0] == classes[:, 1]
    return {"within": within, "between": ~within}


def measured_of(
    case: Case, run: int, history: History, task: Classification, parameters: int
) -> list[Measured]:
    """The classifiers of one training, step by step."""
    series = {name: history[name] for name in (*ALONG, *WHOLE)}
    steps = series["accuracy"][0]
    return [
        Measured(
            case=case,
            run=run,
            step=step,
            last=step == steps[-1],
            epoch=step / task.epoch,
            parameters=parameters,
            num_images=task.training.num_examples,
            along={name: series[name][1][i] for name in ALONG},
            whole={name: float(series[name][1][i]) for name in WHOLE},
        )
        for i, step in enumerate(steps)
    ]


# What is told of every classifier: the share in all readings, and the measures as they are.
TOLD = (*spectra.READINGS, "peak_difference", "total_variation", "correct")


def values_of(model: Measured, told: str, chosen: np.ndarray) -> np.ndarray:
    """One of `TOLD` of the chosen paths, NaN where a path does not count."""
    if told in spectra.READINGS:
        return spectra.read_share(model.along, told)[chosen]
    return np.asarray(model.along[told], float)[chosen]


def report(
    folder: records.RunFolder,
    found: Sequence[Measured],
    classes: np.ndarray,
    distances: np.ndarray,
    training: data.Images,
    seconds: float,
) -> None:
    """Compares all classifiers: tables, figures, summary, and what was found."""
    columns = {
        f"{place}_{told}": (told, chosen)
        for place, chosen in places(classes).items()
        for told in TOLD
    }
    rows = []
    for model in found:
        bands = [spectra.mean_interval(values_of(model, *how)) for how in columns.values()]
        rows.append(
            (
                *(model.case.sweep, model.case.value, model.run, model.step, model.epoch),
                *(model.num_images, model.parameters, *(model.whole[n] for n in WHOLE)),
                *(float(end) for band in bands for end in band),
            )
        )
    records.write_table(
        folder.path / "models.csv",
        (
            *("sweep", "value", "seed", "step", "epoch", "num_images", "parameters", *WHOLE),
            *(f"{name}{end}" for name in columns for end in ("", "_low", "_high")),
        ),
        rows,
    )
    correlations = correlate(found, classes)
    records.write_table(
        folder.path / "correlations.csv",
        ("sweep", "quality", "share", "rho", "rho_low", "rho_high", "num_models"),
        correlations,
    )
    records.write_table(
        folder.path / "differences.csv",
        ("sweep", "value", "measure", "difference", "difference_low", "difference_high", "seeds"),
        differences(found, columns),
    )
    draw(folder, found, classes, training)
    ratios = [
        np.mean(values_of(m, "plain", places(classes)["between"]))
        / np.mean(values_of(m, "plain", places(classes)["within"]))
        for m in found
        if m.last
    ]
    total = [row for row in correlations if row[:2] == ("all", "accuracy")]
    folder.finish(
        {
            "experiment": "interventions",
            "dataset": training.title,
            "num_trainings": sum(m.last for m in found),
            "num_models": len(found),
            "num_seeds": FLAGS.seeds,
            "num_paths": len(classes),
            "mean_distance": float(distances.mean()),
            "smallest_ratio_of_between_and_within": float(min(ratios)),
            "correlation_with_accuracy": {row[2]: list(row[3:6]) for row in total},
        },
        wall_seconds=seconds,
    )
    print(
        f"held-out images of {training.title}, {len(found)} classifiers, {len(classes):,} paths; "
        "Spearman's rho of accuracy and the share of high frequencies:"
    )
    for sweep, quality, name, rho, low, high, count in correlations:
        if quality == "accuracy":
            print(f"{sweep:>22} {name:>25}: {rho:+.2f} ({low:+.2f} to {high:+.2f}), n = {count}")
    runtime.say_where(folder)


def groups(found: Sequence[Measured]) -> dict[str, list[Measured]]:
    """The classifiers of each sweep, the baseline in all of them, and all at their ends.

    Checkpoints of the baseline are a sweep of their own, time; architecture and width are also
    taken together, as the paper does.
    """
    ends = [m for m in found if m.last]
    sweeps = list(dict.fromkeys(m.case.sweep for m in ends if m.case.sweep != "baseline"))
    chosen = {s: [m for m in ends if m.case.sweep in ("baseline", s)] for s in sweeps}
    if {"architecture", "width"} <= chosen.keys():
        both = ("baseline", "architecture", "width")
        chosen["architecture_and_width"] = [m for m in ends if m.case.sweep in both]
    baseline = [m for m in found if m.case.sweep == "baseline"]
    if "time" in FLAGS.sweeps:
        chosen = {"time": baseline, **chosen}
    return {**chosen, "all": ends}


Correlation = tuple[str, str, str, float, float, float, int]


def correlate(found: Sequence[Measured], classes: np.ndarray) -> list[Correlation]:
    """Rank correlations of accuracy (and epoch, over time) with every share, in every sweep."""
    rows: list[Correlation] = []
    for sweep, chosen in groups(found).items():
        qualities = {"accuracy": [m.whole["accuracy"] for m in chosen]}
        if sweep == "time":
            chosen = [m for m in chosen if m.epoch >= 1]
            qualities = {
                "accuracy": [m.whole["accuracy"] for m in chosen],
                "epoch": [m.epoch for m in chosen],
            }
        if len(chosen) < 3:
            logging.warning("%s: %d classifiers are too few for a correlation", sweep, len(chosen))
            continue
        for quality, numbers in qualities.items():
            for place, where in places(classes).items():
                for name in spectra.READINGS:
                    values = np.stack([values_of(m, name, where) for m in chosen])
                    rho = spectra.model_correlation(numbers, values)
                    count = int(np.isfinite(values).any(axis=1).sum())
                    rows.append((sweep, quality, f"{place}_{name}", *rho, count))
    return rows


def differences(
    found: Sequence[Measured], columns: Mapping[str, tuple[str, np.ndarray]]
) -> Iterator[tuple[object, ...]]:
    """What every setting changes against the baseline of the same seed; intervals over seeds."""
    ends = {(m.case.name, m.run): m for m in found if m.last}

    def mean(model: Measured, told: str, chosen: np.ndarray) -> float:
        values = values_of(model, told, chosen)
        return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan

    for case in dict.fromkeys(m.case for m in ends.values() if m.case.sweep != "baseline"):
        couples = [(ends[case.name, r], ends["baseline", r]) for r in range(FLAGS.seeds)]
        changes = {"accuracy": [a.whole["accuracy"] - b.whole["accuracy"] for a, b in couples]}
        for name, how in columns.items():
            means = [[mean(m, *how) for m in couple] for couple in couples]
            changes[name] = [a - b for a, b in means]
        for name, values in changes.items():
            band = (float(end) for end in spectra.mean_interval(values))
            yield (case.sweep, case.value, name, *band, len(couples))


def draw(
    folder: records.RunFolder,
    found: Sequence[Measured],
    classes: np.ndarray,
    training: data.Images,
) -> None:
    """Accuracy against every share, a figure for each sweep and one for all."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    board = TensorBoard(folder.tensorboard / "figures")
    for sweep, chosen in groups(found).items():
        figure = figures.line_panels(
            panels(sweep, chosen, classes),
            title=f"{training.name}, {sweep.replace('_', ' ')}: {len(chosen)} classifiers"
            " (crosses: paths with correct ends only)",
        )
        pixels = figures.save_figure(figure, folder.figures / f"{sweep}.png")
        board.image(sweep, pixels, FLAGS.num_epochs)
    board.close_segment()


def panels(sweep: str, chosen: Sequence[Measured], classes: np.ndarray) -> list[Panel]:
    """Each way to read the share, within and between: a point for each classifier."""
    from spectral_tf.records import figures

    def label(model: Measured) -> str:
        if sweep == "time":
            return f"epoch {model.epoch:g}"
        if sweep == "all":
            return model.case.sweep.replace("_", " ")
        return model.case.value or "baseline"  # Values of the two do not coincide.

    labels = list(dict.fromkeys(map(label, chosen)))
    drawn = []
    for place, where in places(classes).items():
        for name in ("plain", "mirrored"):
            series = []
            for text, colour in zip(labels, figures.shades(len(labels)), strict=True):
                own = [m for m in chosen if label(m) == text]
                for reading, style in ((name, "o"), (f"{name}_correct", "x")):
                    values = np.array([values_of(m, reading, where) for m in own])
                    there = np.isfinite(values).any(axis=1)
                    line = figures.Line(
                        [m.whole["accuracy"] for m, t in zip(own, there, strict=True) if t],
                        np.nanmean(values[there], axis=1),
                        text if reading == name else "",
                        style=style,
                        colour=colour,
                    )
                    series.append(line)
            drawn.append(
                figures.Panel(
                    series, "accuracy", "share of high frequencies", name=f"{place}, {name}"
                )
            )
    return drawn


if __name__ == "__main__":
    runtime.launch(main)
