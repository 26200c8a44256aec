r"""What changes the function of an image classifier, and how? Fridovich-Keil et al. (2022).

Classifiers are trained that differ in one thing: training time, architecture, width, number of
training images, augmentation, self-distillation, weight decay. All answer the same straight paths
between images, within and between classes. The paper: better classifiers have functions of lower
frequency within classes and of higher frequency between them.

    python launchers/interventions.py --alsologtostderr

takes about 5 minutes on 2 cores, on embedded photographs (not CIFAR-10). The paper's own scale, on
several machines with a common folder, each taking its share:

    python launchers/interventions.py --flagfile=results/interventions/cifar10_wrn_32.flags \
        --shard=1/4

Every setting and seed is a training of its own in the run folder, resumed one by one; the last one
to finish compares them all. To see: every claim by all readings, of which two were named before
looking, the share of high frequencies on all paths and the spectral centroid at a common confidence
on paths that the compared classifiers know (results/interventions).
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from absl import flags, logging

from spectral_tf import data, models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError
from spectral_tf.experiments import path_study
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    file_digests,
    find_splits,
    refuse_sizes_of_files,
)
from spectral_tf.experiments.networks import difference_over_networks
from spectral_tf.experiments.path_study import MEASURES, PAIR_TYPES, PRIMARY, Models
from spectral_tf.experiments.sweeps import SWEEPS, Case, cases, owners, shard_of
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    import tensorflow as tf

    from spectral_tf.probes.paths import Prepare
    from spectral_tf.records.figures import Panel
    from spectral_tf.training.classifier import Classifier
    from spectral_tf.training.session import Session

FLAGS = flags.FLAGS
runtime.define_run_flags("interventions")
runtime.define_data_flags("photo_patches")
runtime.define_classifier_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
flags.DEFINE_list("sweeps", ["time", "width", "augmentation"], f"Of {', '.join(SWEEPS)}.")
flags.DEFINE_list("measured_epochs", [1, 2, 3, 5], "When the baseline is measured, too: time.")
flags.DEFINE_list(
    "architectures", ["small_resnet"], "Other models, with a width behind a colon if you like."
)
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
flags.DEFINE_integer(
    "baseline_seeds",
    0,
    "Of the baseline and its students, whose claims are over seeds; 0: as all.",
    0,
)
runtime.define_path_flags(pairs=15)
flags.DEFINE_integer("between_pairs", 3, "Paths between each two classes; 0: as --pairs.", 0)
flags.DEFINE_list("ends", ["held_out"], f"Of {', '.join(path_study.ENDS)}: images at the ends.")
flags.DEFINE_string("shard", "1/1", "i/n: the i-th of n shares of the trainings.")

# Lists that can get longer without touching what is computed already.
GROWING = (
    *("sweeps", "architectures", "widths", "shares", "recipes", "alphas", "decays", "seeds"),
    "baseline_seeds",
)
# What is claimed of correlations: its name, what goes with the frequency, sweep and quality.
CLAIMS = (
    ("C5", "better accuracy, over all settings", "all", "accuracy"),
    ("C6", "longer training", "time", "epoch"),
    ("C7", "better accuracy, over architecture and width", "architecture_and_width", "accuracy"),
    ("C7 width", "better accuracy, over width", "width", "accuracy"),
    ("C7 architecture", "better accuracy, over architecture", "architecture", "accuracy"),
    (
        "C8 epochs",
        "better accuracy, over number of images at equal epochs",
        "examples_equal_epochs",
        "accuracy",
    ),
    (
        "C8 steps",
        "better accuracy, over number of images at equal steps",
        "examples_equal_steps",
        "accuracy",
    ),
    ("C9", "better accuracy, over augmentation", "augmentation", "accuracy"),
)
# Of the whole model.
WHOLE = ("accuracy", "loss", "train_loss")


def main() -> None:
    """Runs the experiment that the flags describe."""
    base = Setting.of(runtime.settings())
    files = file_digests({"model": FLAGS.model})
    refuse_sizes_of_files(runtime.settings())
    lists = {name: FLAGS[name].value for name in ("sweeps", *SWEEPS.values())}
    settings, (shard, num_shards), measured_epochs, ends = (
        cases(base, lists),
        shard_of(FLAGS.shard),
        epochs(),
        runtime.words("ends", FLAGS.ends, path_study.ENDS),
    )
    refuse_overwriting(num_shards)
    folder = runtime.run_folder("interventions", GROWING)
    training, held_out = find_splits(runtime.settings(), runtime.data_places())

    from spectral_tf.data import pipeline
    from spectral_tf.models.classifiers import from_file
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.session import Session

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    normalisation = data.standard(training)

    def task_of(case: Case) -> Classification:
        steps = FLAGS.num_epochs * (training.num_examples // case.setting.batch_size)
        return Classification(
            case.setting,
            training.take(num_images(case, training)),
            held_out,
            strategy,
            FLAGS.seed,
            num_steps=steps if case.equal_steps else None,
            normalisation=normalisation,
        )

    with strategy.scope():  # Refuses what does not fit before anything is trained.
        work = [(case, task_of(case)) for case in settings]
        parameters = [task.build(0).count_params() for _, task in work]
    prepare = pipeline.prepare(normalisation)
    labels = held_out.arrays()[1]
    # Training images that every classifier was trained on.
    common = min(num_images(case, training) for case in settings)
    families = [
        path_study.family(
            name,
            held_out if name == "held_out" else training.take(common),
            prepare,
            pairs=FLAGS.pairs,
            between_pairs=FLAGS.between_pairs or FLAGS.pairs,
            seed=runtime.derive_seed(FLAGS.seed, "pairs"),
            num_samples=FLAGS.num_samples,
        )
        for name in ends
    ]
    # Where the confidence of all classifiers is made the same.
    free = [path_study.off_the_paths(of) for of in families if of.ends == "held_out"]
    matched_on = free[0] if free else np.ones(held_out.num_examples, bool)
    folder.start(
        environment(strategy, FLAGS.seed, {**training.record(normalisation), **files}), alone=False
    )
    logging.info("interventions: %d settings, %d seeds", len(settings), FLAGS.seeds)

    session = None
    seeds = [num_seeds(case) for case in settings]
    units = [(i, run) for run in range(max(seeds)) for i, n in enumerate(seeds) if run < n]
    for (i, run), owner in zip(units, owners(settings, seeds, num_shards), strict=True):
        case, task = work[i]
        part = folder.part(f"{case.name}/seed_{run}")
        steps = {task.num_steps}
        if case.sweep == "baseline":
            steps |= {task.epoch * epoch for epoch in measured_epochs}
        if owner != shard or measured_file(part).exists():
            continue
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
            session = Session(trained, part, sorted(steps), FLAGS.save_every_seconds, name)
            if not session.resumed:
                session.board.describe(hparams(case, task, run), {})
            for step in session:
                measure(session, step, labels, matched_on, families, prepare, strategy)
                if step == task.num_steps and folder.writes:
                    trained.save_model(part.state_file.with_name("final.keras"))
            if folder.writes:
                keep(part, session, list(session.history.names))
    # Other shards may have finished theirs in the meantime.
    parts = [folder.part(f"{settings[i].name}/seed_{run}") for i, run in units]
    missing = [part.state_file.parent for part in parts if not measured_file(part).exists()]
    if missing:
        print(f"interventions: {len(missing)} trainings are left to other shards, {missing[0]} ...")
    elif folder.writes:
        with folder.part("comparison").alone(wait=True):
            if not folder.finished:  # By another shard.
                told = [
                    (settings[i], run, work[i][1], parameters[i], part)
                    for (i, run), part in zip(units, parts, strict=True)
                ]
                found, seconds = gathered(told, families)
                report(folder, found, training, seconds)
    if session:
        session.wait_for_all()


def num_images(case: Case, training: data.Images) -> int:
    """That a case is trained on, or a UserError if they are fewer than a batch."""
    count = round(case.share * training.num_examples)
    if case.share < 1 and count < case.setting.batch_size:
        raise UserError(
            "--shares",
            expected=f"enough of the {training.num_examples:,} images for a batch of "
            f"{case.setting.batch_size}",
            got=f"{case.share:g}, {count} images",
            hint="raise it, or lower --batch_size",
        )
    return count


def num_seeds(case: Case) -> int:
    """Trainings of a case."""
    alike = case.sweep in ("baseline", "distillation")
    return max(FLAGS.seeds, FLAGS.baseline_seeds) if alike else FLAGS.seeds


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


def measured_file(part: records.Part) -> pathlib.Path:
    """Where what was measured of a training is kept; a training that has it is done."""
    return part.state_file.with_name("measured.npz")


def measure(
    session: Session[Classifier],
    step: int,
    labels: np.ndarray,
    matched_on: np.ndarray,
    families: Sequence[path_study.Family],
    prepare: Prepare,
    strategy: tf.distribute.Strategy,
) -> None:
    """Measures the classifier along all paths, keeps it, and shows the means."""
    # Log-probabilities, which are logits but for a constant.
    answers = session.outputs
    temperature = spectra.confidence_temperature(answers[matched_on])
    whole = {
        "accuracy": float(np.mean(answers.argmax(axis=1) == labels)),
        "loss": float(session.losses[0]),
        "train_loss": session.ensemble.train_loss(),
        "temperature": temperature,
    }
    kept: dict[str, np.ndarray | float] = dict(whole)
    for of in families:
        found = path_study.measure(
            session.ensemble.model,
            of,
            prepare,
            temperature,
            batch_size=FLAGS.batch_size,
            strategy=strategy,
        )
        kept |= {f"{of.ends}/{name}": values for name, values in found.items()}
        within = of.classes[:, 0] == of.classes[:, 1]
        for pair_type, chosen in zip(PAIR_TYPES, (within, ~within), strict=True):
            for name in (*MEASURES, "correct"):
                mean = float(np.mean(found[name][chosen & found["finite"]]))
                whole[f"{of.ends}/{name}/{pair_type}"] = mean
    for name, values in kept.items():
        session.history.add(name, step, values)
    session.board.scalars({n: v for n, v in whole.items() if np.isfinite(v)}, step)


def keep(part: records.Part, session: Session[Classifier], names: Sequence[str]) -> None:
    """Writes what was measured of a training, whole or not at all."""
    steps = session.history["accuracy"][0]
    arrays = {name: session.history[name][1] for name in names}
    for name, values in arrays.items():
        if name.endswith(("/correct", "/finite")):
            arrays[name] = values > 0
    arrays |= {"step": np.array(steps), "seconds": np.array(session.seconds)}
    file = measured_file(part)
    with records.whole_file(file) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **path_study.compact(arrays))  # type: ignore[arg-type]


def gathered(
    trainings: Sequence[tuple[Case, int, Classification, int, records.Part]],
    families: Sequence[path_study.Family],
) -> tuple[Models, float]:
    """All classifiers, step by step, and the seconds that they took."""
    columns: dict[str, list[object]] = {}
    along: dict[str, list[np.ndarray]] = {}
    seconds = 0.0
    for case, run, task, parameters, part in trainings:
        with np.load(measured_file(part)) as kept:
            arrays = dict(kept)
        seconds += float(arrays["seconds"])
        for i, step in enumerate(arrays["step"].tolist()):
            row = {
                "sweep": case.sweep,
                "value": case.value,
                "seed": run,
                "step": step,
                "epoch": step / task.epoch,
                "last": int(i == len(arrays["step"]) - 1),
                "num_images": task.training.num_examples,
                "parameters": parameters,
                **{name: float(arrays[name][i]) for name in (*WHOLE, "temperature")},
            }
            for of in families:
                for name in ("num_samples", "relative_change"):
                    row[f"{of.ends}_{name}"] = float(arrays[f"{of.ends}/{name}"][i])
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
        for name, values in arrays.items():
            if "/" in name and values.ndim == 2:
                along.setdefault(name, []).append(values)
    return Models(
        {name: np.array(values) for name, values in columns.items()},
        {name: np.concatenate(parts) for name, parts in along.items()},
        {of.ends: of.classes for of in families},
        {of.ends: of.paths.pixel_distances for of in families},
    ), seconds


def report(folder: records.RunFolder, found: Models, training: data.Images, seconds: float) -> None:
    """Compares all classifiers: tables, figures, summary, and what was found."""
    found.save(folder.path)
    rhos = correlations(found)
    findings = claims(found, rhos)
    records.write_table(folder.path / "claims.csv", Finding._fields, findings)
    records.write_table(
        folder.path / "correlations.csv",
        ("sweep", "quality", "pair_type", "reading", "rho"),
        ((*key, rho) for key, rho in rhos.items()),
    )
    records.write_table(
        folder.path / "differences.csv",
        ("sweep", "value", "pair_type", "measure", "paths", "num_paths", "difference"),
        differences(found),
    )
    records.write_table(
        folder.path / "difficulty.csv",
        ("pair_type", "difficulty_from", "difficulty_to", "num_paths", "measure", "rho"),
        by_difficulty(found),
    )
    draw(folder, found, training)
    primary = [f for f in findings if f.primary]
    folder.finish(
        {
            "experiment": "interventions",
            "dataset": training.title,
            "num_trainings": int(found.columns["last"].sum()),
            "num_models": len(found),
            "num_settings": len(set(setting_of(found).tolist())),
            "num_paths": {
                ends: {t: int(found.where(t, ends).sum()) for t in PAIR_TYPES}
                for ends in found.classes
            },
            "common_paths": {
                t: int((found.where(t, "held_out") & spectra.common_paths(ended)).sum())
                for ended in [last(found).correct("held_out")]
                for t in PAIR_TYPES
                if "held_out" in found.classes
            },
            "claims": {
                f"{f.claim}, {f.reading}": {
                    "statement": f.statement,
                    "direction": f.direction,
                    **f.estimate.record(),
                }
                for f in primary
            },
        },
        wall_seconds=seconds,
    )
    print(
        f"{training.title}, {len(found)} classifiers; the two readings of every claim that were "
        "named before looking:"
    )
    for f in primary:
        sign = "+" if f.direction > 0 else "-"
        print(f"{f.claim:>24} ({sign}), {f.reading}: {f.estimate.text('+.3f')}")
    runtime.say_where(folder)


def setting_of(found: Models) -> np.ndarray:
    """Of each model, its setting: seeds of one are one."""
    return np.char.add(
        np.char.add(found.columns["sweep"].astype(str), "="), found.columns["value"].astype(str)
    )


def last(found: Models) -> Models:
    """The models at the end of their trainings."""
    return found[found.columns["last"] == 1]


def groups(found: Models) -> dict[str, Models]:
    """The classifiers of each sweep at their ends, the baseline in all of them, and all.

    Architecture and width are one group, as the paper does.
    """
    ended = last(found)
    sweep = ended.columns["sweep"].astype(str)
    names = [name for name in dict.fromkeys(sweep.tolist()) if name != "baseline"]
    members: dict[str, tuple[str, ...]] = {name: (name,) for name in names}
    both = ("architecture", "width")
    if set(both) <= members.keys():
        members = {"architecture_and_width": both} | {
            name: own for name, own in members.items() if name not in both
        }
    chosen = {name: np.isin(sweep, ("baseline", *own)) for name, own in members.items()}
    return {name: ended[own] for name, own in chosen.items()} | {"all": ended}


def with_accuracy(models_: Models, pair_type: str, reading: path_study.Reading) -> spectra.Estimate:
    """The correlation over settings of accuracy and a reading."""
    return spectra.correlation_on_paths(
        models_.columns["accuracy"],
        models_.values(reading),
        models_.correct(reading.ends),
        setting_of(models_),
        paths=reading.paths,
        where=models_.where(pair_type, reading.ends) & models_.told(reading),
    )


def over_time(found: Models, pair_type: str, reading: path_study.Reading) -> spectra.Estimate:
    """The correlation of epoch and a reading within each training of the baseline."""
    chosen = found[(found.columns["sweep"] == "baseline") & (found.columns["epoch"] >= 1)]
    return spectra.correlation_over_time(
        chosen.columns["epoch"],
        chosen.values(reading),
        chosen.correct(reading.ends),
        chosen.columns["seed"],
        paths=reading.paths,
        where=chosen.where(pair_type, reading.ends) & chosen.told(reading),
    )


def between_above_within(found: Models, reading: path_study.Reading) -> spectra.Estimate:
    """What a reading has more between classes than within, over settings and paths."""
    ended, paths = last(found), "all" if reading.paths == "all" else "common"
    right = spectra.which_paths(ended.correct(reading.ends), paths) & ended.told(reading)
    chosen = [ended.where(t, reading.ends) & right for t in PAIR_TYPES]
    least = min(int(c.sum()) for c in chosen)
    if least < spectra.PATHS_FOR_COMPARISON:
        return spectra.not_enough(least, spectra.PATHS_FOR_COMPARISON, f"{paths} paths")
    values, settings = ended.values(reading), setting_of(ended)
    of_settings = np.stack([values[settings == s].mean(axis=0) for s in dict.fromkeys(settings)])
    within, between = (of_settings[:, c] for c in chosen)
    return difference_over_networks(within, between, items="paths", rows="settings")


def student_minus_teacher(
    found: Models, pair_type: str, reading: path_study.Reading
) -> spectra.Estimate:
    """What a student, taught by its teacher alone, has more than this, over teachers and paths."""
    ended = last(found)
    sweep, value = (ended.columns[name].astype(str) for name in ("sweep", "value"))
    teacher, student = (
        {int(ended.columns["seed"][i]): i for i in np.flatnonzero(chosen)}
        for chosen in (sweep == "baseline", (sweep == "distillation") & (value == "0"))
    )
    couples = [(student[seed], teacher[seed]) for seed in sorted(teacher.keys() & student.keys())]
    if not couples:
        return spectra.not_enough(0, 2, "teachers")
    members = ended[np.ravel(couples)]
    where = members.where(pair_type, reading.ends) & members.told(reading)
    # A student and its teacher are two models: what both know is common and shared.
    right = members.correct(reading.ends) | (reading.paths == "all")
    values = members.values(reading)
    return spectra.difference_of_pairs(
        values[::2] - values[1::2], right[::2] & right[1::2] & where, unit="teachers"
    )


def claims(found: Models, rhos: Correlations) -> list[Finding]:
    """Every claim by every reading, in one order; lower within classes, higher between them."""
    findings = []

    def ask(
        claim: str,
        statement: str,
        direction: int,
        look: Callable[[path_study.Reading], spectra.Estimate],
    ) -> None:
        for reading in found.readings:
            primary = PRIMARY.get(reading.name, "")
            estimate = look(reading)
            findings.append(Finding(claim, statement, reading.name, primary, direction, estimate))

    ask(
        "C0",
        "the frequency is higher between classes than within",
        1,
        lambda reading: between_above_within(found, reading),
    )
    swept = {key[:2] for key in rhos}
    for claim, statement, sweep, quality in CLAIMS:
        for pair_type, direction in zip(PAIR_TYPES, (-1, 1), strict=True):
            if (sweep, quality) in swept:
                ask(
                    f"{claim} {pair_type}",
                    f"{statement}: {'lower' if direction < 0 else 'higher'} {pair_type} classes",
                    direction,
                    lambda reading, key=(sweep, quality, pair_type): rhos[*key, reading.name],  # type: ignore[misc]
                )
    if "distillation" in FLAGS.sweeps:
        for pair_type, direction in zip(PAIR_TYPES, (-1, 1), strict=True):
            ask(
                f"C10 {pair_type}",
                "students against their teachers: "
                f"{'lower' if direction < 0 else 'higher'} {pair_type} classes",
                direction,
                lambda reading, t=pair_type: student_minus_teacher(found, t, reading),  # type: ignore[misc]
            )
    return findings


Correlations = dict[tuple[str, str, str, str], spectra.Estimate]


def correlations(found: Models) -> Correlations:
    """{(sweep, quality, pair type, reading): of accuracy, and of epoch over time, with it}."""
    rhos: Correlations = {}
    for sweep, chosen in groups(found).items():
        for pair_type in PAIR_TYPES:
            for reading in found.readings:
                key = (sweep, "accuracy", pair_type, reading.name)
                rhos[key] = with_accuracy(chosen, pair_type, reading)
    if "time" in FLAGS.sweeps:
        for pair_type in PAIR_TYPES:
            for reading in found.readings:
                key = ("time", "epoch", pair_type, reading.name)
                rhos[key] = over_time(found, pair_type, reading)
    return rhos


def differences(found: Models) -> Iterator[tuple[object, ...]]:
    """What every setting changes against the baseline of the same seed, on the same paths.

    Means over all paths, and over those that both are right about in every seed; accuracy, too.
    """
    ended = last(found)
    settings, seed = setting_of(ended), ended.columns["seed"]
    rows = {(s, int(r)): i for i, (s, r) in enumerate(zip(settings, seed, strict=True))}
    for setting in dict.fromkeys(settings.tolist()):
        sweep, _, value = setting.partition("=")
        if sweep == "baseline":
            continue
        runs = [r for s, r in rows if s == setting and ("baseline=", r) in rows]
        own, base = ([rows[s, r] for r in runs] for s in (setting, "baseline="))
        gain = spectra.paired_difference(
            ended.columns["accuracy"][own] - ended.columns["accuracy"][base], unit="seeds"
        )
        yield sweep, value, "", "accuracy", "", 0, gain
        if "held_out" not in ended.classes:
            continue
        right = ended.correct("held_out")
        for pair_type in PAIR_TYPES:
            for measure_ in MEASURES:
                values = np.asarray(ended.along[f"held_out/{measure_}"], np.float64)
                where = ended.where(pair_type, "held_out")
                where &= path_study.telling(measure_, values[own + base])
                for paths in ("all", "common"):
                    counted = where & spectra.which_paths(right[own + base], paths)
                    away = (values[own] - values[base])[:, counted]
                    if counted.sum() < spectra.PATHS_FOR_COMPARISON:
                        estimate = spectra.not_enough(
                            int(counted.sum()), spectra.PATHS_FOR_COMPARISON, f"{paths} paths"
                        )
                    else:
                        estimate = spectra.crossed_mean(away, units=("seeds", "paths"))
                    yield sweep, value, pair_type, measure_, paths, int(counted.sum()), estimate


def by_difficulty(found: Models) -> Iterator[tuple[object, ...]]:
    """The correlation over all settings on paths of one difficulty each: hard ones, too."""
    if "held_out" not in found.classes:
        return
    ended = last(found)
    hard = 1 - spectra.difficulty(ended.correct("held_out")) / len(ended)
    for pair_type in PAIR_TYPES:
        for low, high in ((0.0, 0.0), (0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0)):
            chosen = (hard > low) & (hard <= high) if high else hard == 0
            for name in ("plain_share", "mirrored_share", "matched_centroid"):
                counted = ended.where(pair_type, "held_out") & chosen
                counted &= ended.told(path_study.Reading("", name))
                few = int(counted.sum())
                rho = spectra.not_enough(few, spectra.PATHS_FOR_COMPARISON, "paths")
                if few >= spectra.PATHS_FOR_COMPARISON:
                    rho = spectra.correlation_over_settings(
                        ended.columns["accuracy"],
                        ended.along[f"held_out/{name}"],
                        setting_of(ended),
                        where=counted,
                    )
                yield pair_type, low, high, few, name, rho


def draw(folder: records.RunFolder, found: Models, training: data.Images) -> None:
    """Accuracy against what the two primary readings look at, a figure for each sweep and all."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    chosen = groups(found)
    if "time" in FLAGS.sweeps:
        chosen = {"time": found[found.columns["sweep"] == "baseline"], **chosen}
    board = TensorBoard(folder.tensorboard / "figures")
    for sweep, own in chosen.items():
        figure = figures.line_panels(
            panels(sweep, own),
            title=f"{training.name}, {sweep.replace('_', ' ')}: {len(own)} classifiers",
        )
        pixels = figures.save_figure(figure, folder.figures / f"{sweep}.png")
        board.image(sweep, pixels, FLAGS.num_epochs)
    board.close_segment()


def panels(sweep: str, chosen: Models) -> list[Panel]:
    """Plain share and centroid at matched confidence, within and between: a point each."""
    from spectral_tf.records import figures

    if sweep == "time":
        labels = [f"epoch {epoch:g}" for epoch in chosen.columns["epoch"]]
    elif sweep == "all":
        labels = [str(name).replace("_", " ") for name in chosen.columns["sweep"]]
    else:
        labels = [str(value) or "baseline" for value in chosen.columns["value"]]
    unit = "[cycles / pixel unit]"
    drawn = []
    for reading, ylabel in (
        (path_study.Reading("", "plain_share"), "plain share"),
        (path_study.Reading("", "matched_centroid"), f"matched centroid {unit}"),
        (path_study.Reading("", "matched_centroid", "common"), f"matched centroid {unit}"),
    ):
        for pair_type in PAIR_TYPES:
            reading = reading._replace(ends=next(iter(chosen.classes)))
            counted = chosen.where(pair_type, reading.ends) & chosen.told(reading)
            counted &= spectra.which_paths(chosen.correct(reading.ends), reading.paths)
            if counted.sum() < spectra.PATHS_FOR_COMPARISON:
                continue
            means = chosen.means(reading, pair_type)
            series = []
            known = list(dict.fromkeys(labels))
            for text, colour in zip(known, figures.shades(len(known)), strict=True):
                own = [i for i, label in enumerate(labels) if label == text]
                series.append(
                    figures.Line(
                        chosen.columns["accuracy"][own],
                        means[own],
                        text,
                        style="o",
                        colour=colour,
                    )
                )
            name = f"{pair_type}, {reading.paths} paths: {counted.sum():,}"
            drawn.append(figures.Panel(series, "accuracy", ylabel, name=name))
    return drawn


if __name__ == "__main__":
    runtime.launch(main)
