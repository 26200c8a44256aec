r"""What changes the function of an image classifier, and how? Fridovich-Keil et al. (2022).

Classifiers are trained that differ in one thing: training time, architecture, width, number of
training images, augmentation, self-distillation, weight decay, normalisation, initialisation,
activation. All are asked about the same straight paths between images, within and between classes.
The paper: better classifiers have functions of lower frequency within classes and of higher
frequency between them. At equal epochs, or, where they stop at a loss, at equal training loss.

    python launchers/interventions.py --alsologtostderr

takes about 5 minutes on 2 cores, on embedded photographs (not CIFAR-10). The paper's own scale, on
several machines with a common folder, each taking its share:

    python launchers/interventions.py --flagfile=results/interventions/cifar10_wrn_32.flags \
        --shard=1/4

results/interventions/cifar10_equal_loss.flags has those at equal training loss. Every setting and
seed is a training of its own in the run folder, resumed one by one; the last one to finish compares
them all. To see: every claim by all readings, of which two were named before
looking, the DFT high-frequency fraction on all paths and the spectral centroid at a common
confidence on paths that the compared classifiers know (results/interventions).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import (
    data,
    experiments,
    models,
    probes,
    progress,
    records,
    runtime,
    spectra,
    tasks,
    training,
)
from spectral_tf.errors import UserError
from spectral_tf.experiments import intervention_study, path_study
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    model_digest,
    told_of_goal,
)
from spectral_tf.experiments.path_study import MEASURES, PAIR_TYPES, Models
from spectral_tf.experiments.sweeps import SWEEPS, Variant, owners, shard_of, variants
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectral_tf.records.figures import Panel

FLAGS = flags.FLAGS
runtime.define_run_flags("interventions", reports=True)
runtime.define_data_flags("photo_patches")
runtime.define_classifier_flags(models.CLASSIFIERS, data.AUGMENTATIONS, models.NETWORK_OPTIONS)
runtime.define_shift_flag()
with runtime.flag_group("Sweeps"):
    flags.DEFINE_list(
        "sweeps",
        ["time", "width", "augmentation"],
        f"Sweeps to make: some of {', '.join(SWEEPS)}.",
    )
    flags.DEFINE_list(
        "measured_epochs",
        [1, 2, 3, 5],
        "Epochs at which the baseline is measured, too (time), whatever the sweeps: time can be "
        "added to them later.",
    )
    flags.DEFINE_list(
        "architectures",
        ["small_resnet"],
        "Other models (architecture), with a width behind a colon and a batch size behind an @ if "
        "you like.",
    )
    flags.DEFINE_list("widths", [8, 32], "Other numbers of channels (width).")
    flags.DEFINE_list(
        "shares",
        [0.0625, 0.25],
        "Parts of the training images (examples), trained for as many epochs and for as many "
        "steps; to a --stop_at_loss or --stop_at_accuracy once, at the rates of as many steps.",
    )
    flags.DEFINE_list(
        "recipes",
        ["flip+pad_and_crop", "cutout"],
        "Augmentations joined by + (augmentation); mixup has its alpha behind a colon, mixup:0.2.",
    )
    flags.DEFINE_list("alphas", [0], "Weights of true labels beside the teacher's (distillation).")
    flags.DEFINE_list("decays", [0, 0.002], "Other factors of weight decay (weight_decay).")
    flags.DEFINE_list(
        "option_sets",
        ["unnormalised", "gamma_swish"],
        f"Sets of {', '.join(models.NETWORK_OPTIONS)} (network_options), each joined by +; none: "
        "none.",
    )
    flags.DEFINE_integer("seeds", 1, "Number of trainings of each setting.", 1)
    flags.DEFINE_integer(
        "baseline_seeds",
        0,
        "Number of trainings of the baseline and its students, whose claims are over seeds; 0: as "
        "all.",
        0,
    )
runtime.define_path_flags(pairs=15)
with runtime.flag_group("Paths"):
    flags.DEFINE_integer(
        "between_pairs", 3, "Number of paths between each two classes; 0: as --pairs.", 0
    )
    flags.DEFINE_list(
        "ends", ["held_out"], f"Images at the ends of paths: some of {', '.join(path_study.ENDS)}."
    )
    flags.DEFINE_list(
        "also_along",
        [],
        "Ways from one held-out image to another beside straight ones: some of "
        f"{', '.join(path_study.FOURIER)}; default: none.",
    )
    runtime.define_jacobian_flag()
with runtime.flag_group("Run"):
    flags.DEFINE_string(
        "shard", "1/1", "Share i/n of the trainings, for the i-th of n processes on one folder."
    )

# Lists that can get longer without touching what is computed already.
GROWING = (
    *("sweeps", "architectures", "widths", "shares", "recipes", "alphas", "decays", "seeds"),
    *("baseline_seeds", "option_sets"),
)
# Kept of a classifier at its end, for students and for whoever measures it further.
FINAL = "final.keras"
# What TensorBoard shows of a classifier in charts of their own.
CHARTS = {
    "loss": ["loss", "train_loss"],
    "accuracy": ["accuracy"],
    **{
        title: [f"held_out/{measure}/.*"]
        for title, measure in (
            ("DFT share", "dft_share"),
            ("centroid", "centroid"),
            ("centroid at matched confidence", "matched_centroid"),
        )
    },
}


class Plan(NamedTuple):
    """What is asked for."""

    dataset: experiments.Dataset
    variants: list[Variant]  # The baseline first.
    num_seeds: list[int]  # Of each.
    digests: dict[str, str]
    sweeps: list[str]
    measured_epochs: list[int]  # Of the baseline, before its end.
    ends: list[str]
    curves: list[str]
    jacobian_points: int  # 0: none.
    pairs: int
    between_pairs: int
    num_samples: int  # 0: by distance.
    shard: tuple[int, int]

    @property
    def units(self) -> list[tuple[int, int]]:
        """Number of the variant and of the seed of each training, seed by seed."""
        runs = range(max(self.num_seeds))
        return [(i, run) for run in runs for i, n in enumerate(self.num_seeds) if run < n]


def plan() -> Plan:
    """Checks the flags."""
    base = Setting.of_flags()
    lists = {name: FLAGS[name].value for name in ("sweeps", *SWEEPS.values())}
    found, shard = variants(base, lists), shard_of(FLAGS.shard)
    if FLAGS.overwrite and shard[1] > 1:
        raise UserError(
            "--overwrite",
            expected="one process alone, which removes the work of all",
            got=f"--shard={FLAGS.shard}",
            hint="remove the folder instead, before the shards start",
        )
    most = max(FLAGS.seeds, FLAGS.baseline_seeds)
    alike = ("baseline", "distillation")
    return Plan(
        experiments.Dataset.of_flags(),
        found,
        [most if variant.sweep in alike else FLAGS.seeds for variant in found],
        model_digest(base),
        FLAGS.sweeps,
        epochs(),
        ends(),
        runtime.parse_choices("also_along", FLAGS.also_along, path_study.FOURIER)
        if FLAGS.also_along
        else [],
        runtime.check_jacobian_flag(),
        FLAGS.pairs,
        FLAGS.between_pairs or FLAGS.pairs,
        FLAGS.num_samples,
        shard,
    )


def ends() -> list[str]:
    """Where paths end, or a UserError."""
    asked = runtime.parse_choices("ends", FLAGS.ends, path_study.ENDS)
    if "shifted" in asked and not FLAGS.shifted:
        raise UserError(
            "--ends",
            expected="the name of a shifted data set",
            got="none",
            hint="say --shifted=cifar10_1/v6 with --dataset=cifar10",
        )
    return asked


def epochs() -> list[int]:
    """The epochs at which the baseline is measured beside its end, or a UserError."""
    wanted = runtime.parse_ints("measured_epochs", FLAGS.measured_epochs)
    runtime.check_at_least("measured_epochs", min(wanted), 0)
    reached = [epoch for epoch in wanted if epoch < FLAGS.num_epochs]
    if "time" in FLAGS.sweeps and not reached:
        runtime.check_at_most("measured_epochs", min(wanted), FLAGS.num_epochs - 1)
    return reached


def run(plan: Plan, page: experiments.Page) -> records.Found | None:
    """Trains this share of all settings and seeds, and measures them along the same paths."""
    learned, held_out = plan.dataset.splits()
    normalisation = data.standard(learned)
    prepare = data.prepare(normalisation)

    first = functools.cache(learned.take)  # The same images for all variants that learn from them.

    def task_of(variant: Variant) -> Classification:
        steps = variant.setting.num_epochs * (learned.num_examples // variant.setting.batch_size)
        return Classification(
            variant.setting,
            first(num_images(variant, learned)),
            held_out,
            page.strategy,
            page.seed,
            num_steps=steps if variant.equal_steps else None,
            normalisation=normalisation,
        )

    with page.strategy.scope():  # Refuses what does not fit before anything is trained.
        work = [task_of(variant) for variant in plan.variants]
        parameters = [task.build(0).count_params() for task in work]
    shifted = plan.dataset.shifted_images(held_out)
    families = drawn(plan, page, learned, held_out, shifted, normalisation)
    matched_on = off_all_paths(plan, families, held_out)
    other = {"shifted": shifted.version} if shifted else {}
    page.begin({**learned.record(normalisation), **plan.digests, **other}, alone=False)
    logging.info("interventions: %d trainings", len(plan.units))
    labels = held_out.arrays()[1]
    batch_size = plan.variants[0].setting.batch_size
    asked: dict[str, Any] = {"batch_size": batch_size, "strategy": page.strategy}
    deviation = normalisation.deviation

    def measured(loop: training.TrainingLoop) -> dict[str, Any]:
        """A classifier, whole and along all paths."""
        found = path_study.measure_trained(
            loop,
            labels,
            matched_on,
            families,
            prepare,
            jacobian_points=plan.jacobian_points,
            deviation=deviation,
            **asked,
        )
        whole = of_the_whole(
            loop, found, held_out, shifted, matched_on, prepare, deviation, asked, plan
        )
        return {"accuracy": found.pop("accuracy"), **whole, **found}

    owner = owners(plan.variants, plan.num_seeds, plan.shard[1])
    shared = zip(plan.units, owner, strict=True)
    own = [unit for unit, shard in shared if shard == plan.shard[0]]
    for i, run_of in progress.track(own, "training"):
        measure = training.Measure(
            measured, steps_of(plan, i, work[i]), functools.partial(shown, families)
        )
        trained(page, plan.variants[i], work[i], run_of, measure, path_study.digest(families))
    return gathered(plan, page, work, parameters, families)


def off_all_paths(
    plan: Plan, families: Sequence[path_study.Family], held_out: data.Images
) -> np.ndarray:
    """Held-out images where the confidence of all classifiers is made the same, bool [n]."""
    on_held_out = ("held_out", *plan.curves)  # All of them between the same images.
    free = [path_study.off_the_paths(of) for of in families if of.ends in on_held_out]
    return free[0] if free else np.ones(held_out.num_examples, bool)


def of_the_whole(
    loop: training.TrainingLoop,
    found: dict[str, Any],
    held_out: data.Images,
    shifted: data.Images | None,
    chosen: np.ndarray,
    prepare: Callable[[Any], Any],
    deviation: Any,
    asked: dict[str, Any],
    plan: Plan,
) -> dict[str, float]:
    """What is told of a classifier beside its paths: losses, Jacobians at images, another set.

    Args:
      loop: that trains it.
      found: its accuracy and temperature.
      held_out, shifted: images, and those of another set if one is asked for.
      chosen: held-out images at which Jacobians are taken, bool [n].
      prepare, deviation: of the images, as for `path_study.image_jacobians`.
      asked: batch size and strategy.
      plan: what is asked for.
    """
    model = loop.ensemble.model
    whole = {"loss": float(loop.losses[0]), "train_loss": loop.ensemble.train_loss()}
    if loop.ensemble.goal:  # Before the first look there is none.
        whole["loss_at_last_look"] = loop.ensemble.seen[1]
    if plan.jacobian_points:
        images = held_out.arrays()[0][chosen]
        whole |= path_study.image_jacobians(
            model, images, prepare, found["temperature"], deviation=deviation, **asked
        )
    if shifted:
        pixels, labels = shifted.arrays()
        given = probes.outputs(model, pixels, prepare, **asked)
        whole["shifted_accuracy"] = told = float(np.mean(given.argmax(axis=1) == labels))
        if line := spectra.line_of(held_out.name, shifted.name):
            robust = spectra.effective_robustness(found["accuracy"], told, line)
            whole["effective_robustness"] = float(robust)
    return whole


def drawn(
    plan: Plan,
    page: experiments.Page,
    learned: data.Images,
    held_out: data.Images,
    shifted: data.Images | None,
    normalisation: data.Normalisation,
) -> list[path_study.Family]:
    """The paths that all classifiers are asked about."""

    def images(ends: str) -> data.Images:
        if ends == "training":  # On which every classifier was trained.
            return learned.take(min(num_images(variant, learned) for variant in plan.variants))
        return shifted if shifted and ends == "shifted" else held_out

    return [
        path_study.family(
            name,
            images(name),
            data.prepare(normalisation),
            pairs=plan.pairs,
            between_pairs=plan.between_pairs,
            seed=runtime.derive_seed(page.seed, "pairs"),
            num_samples=plan.num_samples,
            curve=name if name in plan.curves else "straight",
            deviation=normalisation.deviation,
        )
        for name in (*plan.ends, *plan.curves)
    ]


def gathered(
    plan: Plan,
    page: experiments.Page,
    work: Sequence[Classification],
    parameters: Sequence[int],
    families: Sequence[path_study.Family],
) -> records.Found | None:
    """What all shards have found; None while trainings are left to others."""
    # Other shards may have finished theirs in the meantime.
    names = [unit_name(plan.variants[i], run_of) for i, run_of in plan.units]
    done = [page.done(name) for name in names]
    found = [unit for unit in done if unit]
    if left := len(done) - len(found):
        where = page.in_part(names[done.index(None)])
        print(f"interventions: {left} trainings are left to other shards, {where} ...")
        return None
    told = [
        (rows_of(plan, i, run_of, work[i], parameters[i], unit), unit)
        for (i, run_of), unit in zip(plan.units, found, strict=True)
    ]
    goal = told_of_goal(plan.variants[0].setting, dict(zip(names, found, strict=True)))
    return records.Found(
        facts={
            **Models.of_trainings(told, families).facts(),
            "dataset": work[0].training.title,
            "images": work[0].training.name,
            "shifted": plan.dataset.shifted,
            "seconds": sum(unit.fact("seconds") for unit in found),
            **({"goal": goal} if goal else {}),
        }
    )


def unit_name(variant: Variant, run_of: int) -> str:
    """Of the part of the folder of a training."""
    return f"{variant.name}/seed_{run_of}"


def steps_of(plan: Plan, i: int, task: Classification) -> list[int]:
    """When the classifiers of a variant are measured."""
    before = plan.measured_epochs if plan.variants[i].sweep == "baseline" else []
    return sorted({task.epoch * epoch for epoch in before} | {task.num_steps})


def trained(
    page: experiments.Page,
    variant: Variant,
    task: Classification,
    run_of: int,
    measure: training.Measure,
    paths: str,
) -> None:
    """Trains a classifier, a student from its teacher, and measures it."""
    teacher = page.done(f"baseline/seed_{run_of}") if variant.alpha is not None else None
    if teacher and (lost := teacher.fact("diverged")):
        page.give_up(unit_name(variant, run_of), lost)
        return

    def make() -> training.Classifier:
        return task.trainer(page.seed, run_of, distillation(page, variant, task, run_of))

    hparams = {
        **variant.setting.hparams(),
        "images": task.training.title,
        "sweep": variant.sweep,
        "value": variant.value,
        "run": run_of,
        "num_images": task.training.num_examples,
        "num_steps": task.num_steps,
    }
    page.unit(
        unit_name(variant, run_of),
        make,
        {"classifier": measure},
        charts=CHARTS,
        hparams=hparams,
        keep={task.num_steps: FINAL},
        # Fewer training images for one setting move the paths between them for all.
        facts={"paths": paths},
    )


def distillation(
    page: experiments.Page, variant: Variant, task: Classification, run_of: int
) -> tasks.SoftLabels | None:
    """What a student learns; None without a teacher."""
    if variant.alpha is None:
        return None
    kept = page.in_part(f"baseline/seed_{run_of}") / FINAL
    with page.strategy.scope():
        teacher = models.from_file(
            "the baseline",
            str(kept),
            input_shape=task.shape,
            num_classes=task.training.num_classes,
        )
    return tasks.SoftLabels(None, functools.partial(teacher, training=False), variant.alpha)


def shown(families: Sequence[path_study.Family], found: dict[str, Any]) -> dict[str, float]:
    """What TensorBoard shows of a classifier: means over the paths within classes and between."""
    whole = (
        *("accuracy", "loss", "train_loss", "loss_at_last_look", "temperature"),
        *(*path_study.AT_IMAGES, *path_study.UNDER_SHIFT),
    )
    numbers = {name: found[name] for name in whole if name in found}
    for of in families:
        within = of.classes[:, 0] == of.classes[:, 1]
        for pair_type, chosen in zip(PAIR_TYPES, (within, ~within), strict=True):
            chosen = chosen & found[f"{of.ends}/finite"]
            told = [name for name in path_study.OPTIONAL if f"{of.ends}/{name}" in found]
            for name in (*MEASURES, *told, "correct"):
                mean = float(np.mean(found[f"{of.ends}/{name}"][chosen]))
                numbers[f"{of.ends}/{name}/{pair_type}"] = mean
    return numbers


def rows_of(
    plan: Plan,
    i: int,
    run_of: int,
    task: Classification,
    parameters: int,
    found: records.Found,
) -> list[dict[str, Any]]:
    """What tells the classifiers of a training apart, step by step."""
    variant, steps = plan.variants[i], steps_of(plan, i, task)
    reached: dict[str, int] = {}
    if variant.setting.stops:
        reached["reached"] = int(found.facts.get("ended_at", -1) >= 0)
        steps = steps if found.fact("diverged") else found["accuracy"].steps
    return [
        {
            "sweep": variant.sweep,
            "value": variant.value,
            "seed": run_of,
            "step": step,
            "epoch": step / task.epoch,
            "last": int(step == steps[-1]),
            "num_images": task.training.num_examples,
            "parameters": parameters,
            **reached,
        }
        for step in steps
    ]


def num_images(variant: Variant, training: data.Images) -> int:
    """That a variant is trained on, or a UserError if they are fewer than a batch."""
    count = round(variant.share * training.num_examples)
    if variant.share < 1 and count < variant.setting.batch_size:
        raise UserError(
            "--shares",
            expected=f"enough of the {training.num_examples:,} images for a batch of "
            f"{variant.setting.batch_size}",
            got=f"{variant.share:g}, {count} images",
            hint="raise it, or lower --batch_size",
        )
    return count


def report(plan: Plan, found: records.Found) -> records.Report:
    """Compares all classifiers: every claim by all readings."""
    of = Models.of_facts(found.facts)
    compared = intervention_study.comparable(of)
    rhos = intervention_study.correlations(compared, plan.sweeps)
    findings = intervention_study.claims(compared, rhos, plan.sweeps)
    primary = [f for f in findings if f.primary]
    tables, arrays = of.tables()
    return records.Report(
        tables={
            **tables,
            "claims": records.Table(Finding._fields, findings),
            "correlations": records.Table(
                ("sweep", "quality", "pair_type", "reading", "rho"),
                [(*key, rho) for key, rho in rhos.items()],
            ),
            "differences": intervention_study.differences(compared),
            "difficulty": intervention_study.by_difficulty(compared),
            **intervention_study.whole_models(compared),
        },
        arrays=arrays,
        figures=figures(plan, found, compared),
        summary=summary(found, of, compared, primary),
        lines=[
            f"{found.fact('dataset')}, {len(of)} classifiers; the two readings of every claim that "
            "were named before looking:",
            *(
                f"{f.claim:>24} ({'+' if f.direction > 0 else '-'}), {f.reading}: "
                f"{f.estimate.text('+.3f')}"
                for f in primary
            ),
            *of.lost,
            *found.facts.get("goal", ()),
            *at_the_goal(plan, of, compared),
        ],
    )


def at_the_goal(plan: Plan, of: Models, compared: Models) -> list[str]:
    """What has to be said of a comparison at a goal: who takes no part, or that it is none."""
    if not plan.variants[0].setting.stops:
        return []
    lines = []
    left_out = len(intervention_study.last(of)) - len(intervention_study.last(compared))
    if left_out:
        lines.append(
            f"{left_out} classifiers that never reached it take no part in claims or figures"
        )
    elif not intervention_study.at_goal(compared):
        lines.append(
            "fewer than two settings reached it: all classifiers are compared as they ended"
        )
    soft = [variant.name for variant in plan.variants if variant.has_soft_labels]
    if soft and plan.variants[0].setting.stop_at_loss:
        lines.append(
            "the loss of soft or mixed labels cannot fall below their entropy: one training loss "
            f"asks more of {', '.join(soft)}"
        )
    return lines


def summary(
    found: records.Found, of: Models, compared: Models, primary: Sequence[Finding]
) -> dict[str, Any]:
    """What was trained, what is compared, and the claims by their primary readings."""
    ended = intervention_study.last(compared)
    return {
        "dataset": found.fact("dataset"),
        "num_trainings": int(of.columns["last"].sum()),
        "num_models": len(of),
        "diverged": of.lost,
        **({"goal": found.fact("goal")} if "goal" in found.facts else {}),
        "num_settings": len(set(intervention_study.setting_of(compared).tolist())),
        "num_paths": {
            ends: {t: int(of.where(t, ends).sum()) for t in PAIR_TYPES} for ends in of.classes
        },
        "common_paths": {
            t: int((of.where(t, ends) & spectra.common_paths(ended.correct(ends))).sum())
            for ends in of.classes
            if ends == "held_out"
            for t in PAIR_TYPES
        },
        "claims": {
            f"{f.claim}, {f.reading}": {
                "statement": f.statement,
                "direction": f.direction,
                **f.estimate.record(),
            }
            for f in primary
        },
    }


def figures(plan: Plan, found: records.Found, of: Models) -> dict[str, Figure]:
    """Accuracy against what the two primary readings look at, a figure for each sweep and all."""
    chosen = intervention_study.groups(of)
    if "time" in plan.sweeps:
        chosen = {"time": of[of.columns["sweep"] == "baseline"], **chosen}
    chosen = {sweep: own for sweep, own in chosen.items() if len(own)}
    goal = plan.variants[0].setting.goal(1)
    drawn = {} if "shifted_accuracy" not in of.columns else {"robustness": robustness(found, of)}
    return drawn | {
        sweep: records.figures.line_panels(
            panels(sweep, own),
            columns=len(PAIR_TYPES),
            title=f"{found.fact('images')}, {sweep.replace('_', ' ')}: {len(own)} classifiers"
            # Over time they are measured before it, too.
            + (f" at {goal}" if intervention_study.at_goal(own) and sweep != "time" else "")
            + (f", {len(of.lost)} trainings diverged" if of.lost else ""),
        )
        for sweep, own in chosen.items()
    }


def robustness(found: records.Found, of: Models) -> Figure:
    """Accuracy on the shifted set against that on held-out images, and the line, if it is known."""
    draw, ended = records.figures, intervention_study.last(of)
    dataset, shifted = found.fact("images"), found.fact("shifted")
    accuracy, sweep = ended.columns["accuracy"], ended.columns["sweep"].astype(str)
    series = [
        draw.Line(
            accuracy[sweep == name],
            ended.columns["shifted_accuracy"][sweep == name],
            name.replace("_", " "),
            style="o",
        )
        for name in dict.fromkeys(sweep.tolist())
    ]
    if line := spectra.line_of(dataset, shifted):
        along = np.linspace(accuracy.min(), accuracy.max(), 50)
        expected = spectra.expected_accuracy(along, line)
        series.append(draw.Line(along, expected, "expected of this accuracy", "--", colour="black"))
    panel = draw.Panel(series, f"accuracy on {dataset}", f"accuracy on {shifted}")
    return draw.line_panels([panel], title=f"{dataset} and {shifted}: {len(ended)} classifiers")


def panels(sweep: str, chosen: Models) -> list[Panel]:
    """DFT share and centroid at matched confidence, within and between: a point each."""
    draw = records.figures
    if sweep == "time":
        labels = [f"epoch {epoch:g}" for epoch in chosen.columns["epoch"]]
    elif sweep == "all":
        labels = [str(name).replace("_", " ") for name in chosen.columns["sweep"]]
    else:
        labels = [str(value) or "baseline" for value in chosen.columns["value"]]
    unit = "[cycles / pixel unit]"
    drawn = []
    for reading, ylabel in (
        (path_study.Reading("", "dft_share"), "DFT share"),
        (path_study.Reading("", "matched_centroid"), f"matched centroid {unit}"),
        (path_study.Reading("", "matched_centroid", "common"), f"matched centroid {unit}"),
    ):
        for pair_type in PAIR_TYPES:
            reading = reading._replace(ends=next(iter(chosen.classes)))
            counted = chosen.where(pair_type, reading.ends) & chosen.measured(reading)
            counted &= spectra.which_paths(chosen.correct(reading.ends), reading.paths)
            if counted.sum() < spectra.PATHS_FOR_COMPARISON:
                continue
            means = chosen.means(reading, pair_type)
            series = []
            known = list(dict.fromkeys(labels))
            for text in known:
                own = [i for i, label in enumerate(labels) if label == text]
                series.append(
                    draw.Line(
                        chosen.columns["accuracy"][own],
                        means[own],
                        text,
                        style="o",
                    )
                )
            name = f"{pair_type}, {reading.paths} paths: {counted.sum():,}"
            drawn.append(draw.Panel(series, "accuracy", ylabel, name=name, ordered=sweep == "time"))
    return drawn


if __name__ == "__main__":
    experiments.launch("interventions", plan, run, report, growing=GROWING)
