"""Do more diverse classes make faster functions? Classes are merged, so that diversity is made.

The same images are learned with their classes as they are and with k classes at a time merged into
super-classes. A super-class is more diverse than the classes in it; but the more are merged the
fewer are left, too. So at a fixed k classes are merged by different groupings: similar ones (whose
images lie near each other), dissimilar ones, and random ones. All networks are asked about the same
straight paths between images of the original classes, within one and from one to another, drawn
once (Fridovich-Keil et al. (2022) say that diverse classes of ImageNet have faster functions).
Super-classes of known meaning come from a hierarchy (--hierarchy): the 20 coarse classes of
CIFAR-100, four of Fashion-MNIST, or a table of one's own; beside them similar, dissimilar and
random ones of the same sizes.

    python launchers/class_diversity_merged.py --alsologtostderr

trains 18 small networks and takes about 8 minutes on 2 cores, on embedded photographs (not
CIFAR-10). To see: whether the functions within super-classes are faster the more diverse these are,
at a fixed number of them and over k; and what merging changes on the very same paths, within an
original class and from one to another (results/class_diversity).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Mapping, Sequence
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
    training,
)
from spectral_tf.errors import UserError
from spectral_tf.experiments import class_study, merge_study, path_study
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    model_digest,
    told_of_goal,
)
from spectral_tf.experiments.merge_study import Change
from spectral_tf.experiments.path_study import MEASURES, Models
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectral_tf.probes.stream import Prepare
    from spectral_tf.records.figures import Line

FLAGS = flags.FLAGS
runtime.define_run_flags("class_diversity_merged", reports=True)
runtime.define_data_flags("photo_patches")
runtime.define_classifier_flags(models.CLASSIFIERS, data.AUGMENTATIONS, models.NETWORK_OPTIONS)
with runtime.flag_group("Merged classes"):
    flags.DEFINE_list(
        "merges", [1, 2, 5], "Numbers of classes in each super-class; others are held against 1."
    )
    flags.DEFINE_list(
        "groupings",
        list(merge_study.GROUPINGS),
        f"Ways to group the classes: some of {', '.join(merge_study.GROUPINGS)}.",
    )
    flags.DEFINE_integer(
        "random_groupings", 6, "Number of random groupings for each entry of --merges.", 1
    )
    flags.DEFINE_integer("seeds", 1, "Number of trainings of each grouping.", 1)
    flags.DEFINE_string(
        "hierarchy",
        None,
        f"Super-classes of known meaning: {' or '.join(data.hierarchies())}, or a CSV file with "
        "the columns class,superclass; default: none.",
    )
runtime.define_path_flags(pairs=15)
with runtime.flag_group("Paths"):
    flags.DEFINE_integer("between_pairs", 3, "Number of paths between each two classes.", 1)

# Lists that can get longer without touching what is computed already.
GROWING = ("merges", "groupings", "random_groupings", "seeds")
# The first so many images of every class tell how far apart classes are.
IMAGES_OF_CLASS = 100
# Which training tells features: none of those that are measured.
JUDGE = -1
# What TensorBoard shows of a network in charts of their own.
CHARTS = {
    "accuracy": ["accuracy"],
    "DFT share": ["dft_share"],
    "centroid at matched confidence": ["matched_centroid"],
}


class Plan(NamedTuple):
    """What is asked for."""

    dataset: experiments.Dataset
    setting: Setting
    digests: dict[str, str]
    merges: list[int]
    hierarchy: dict[str, str]  # Super-class of each class by name; empty: none.
    groupings: list[str]
    random_groupings: int
    seeds: int
    pairs: int
    between_pairs: int
    num_samples: int  # 0: by distance.


def plan() -> Plan:
    """Checks the flags."""
    setting = Setting.of_flags()
    merges = runtime.parse_ints("merges", FLAGS.merges)
    if FLAGS.num_samples:
        runtime.check_at_least("num_samples", FLAGS.num_samples, 4)
    digests, hierarchy = model_digest(setting), {}
    if FLAGS.hierarchy is not None:
        hierarchy = data.read_hierarchy(FLAGS.hierarchy)
        digests["hierarchy_sha256"] = hashlib.sha256(repr(hierarchy).encode()).hexdigest()
    return Plan(
        experiments.Dataset.of_flags(),
        setting,
        digests,
        merges,
        hierarchy,
        runtime.parse_choices("groupings", FLAGS.groupings, merge_study.GROUPINGS),
        FLAGS.random_groupings,
        FLAGS.seeds,
        FLAGS.pairs,
        FLAGS.between_pairs,
        FLAGS.num_samples,
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains a network for every grouping and seed, and measures it along the same paths."""
    learned, held_out = plan.dataset.splits()
    known = known_groups(plan, learned)
    refuse_merges(plan.merges, learned, known)
    normalisation = data.standard(learned)
    prepare = data.prepare(normalisation)

    def task_of(groups: np.ndarray) -> Classification:
        merged, held = (images.merged(groups.tolist()) for images in (learned, held_out))
        given = plan.setting, merged, held, page.strategy, page.seed
        with page.strategy.scope():
            task = Classification(*given, normalisation=normalisation)
            class_study.penultimate(task.build(0), "--model")  # Refuses what does not fit.
        return task

    family = path_study.family(
        "held_out",
        held_out,
        prepare,
        pairs=plan.pairs,
        between_pairs=plan.between_pairs,
        seed=runtime.derive_seed(page.seed, "pairs"),
        num_samples=plan.num_samples,
    )
    matched_on = path_study.off_the_paths(family)
    distances = class_distances(learned, prepare)
    groupings = all_groupings(plan, page, distances, known)
    tasks_of = {key: task_of(groups) for key, groups in groupings.items()}
    page.begin({**learned.record(normalisation), **plan.digests})
    logging.info("class_diversity_merged: %d trainings", plan.seeds * len(groupings) + 1)

    # An unmerged network of another seed tells how far apart classes are in features.
    angles = page.once(
        "features",
        lambda: {
            "angles": class_angles(page, task_of(np.arange(learned.num_classes)), family, prepare)
        },
    )["angles"]

    trainings = trained(plan, page, tasks_of, groupings, family, matched_on, prepare)
    rows = rows_of(trainings, groupings, distances, angles)
    return records.Found(
        facts={
            **Models.of_trainings(rows, [family]).facts(),
            "distances": distances,
            "angles": angles,
            "names": list(learned.label_names),
            "known_merge": 0 if known is None else merge_study.mean_size(known),
            "alike": alike(plan, groupings, known),
            "dataset": learned.title,
            "images": learned.name,
            "seconds": page.seconds + sum(found.fact("seconds") for found in trainings.values()),
            "goal": told_of_goal(
                plan.setting,
                {f"merge_{k:g}/{name}/seed_{s}": of for (k, name, s), of in trainings.items()},
            ),
        }
    )


def rows_of(
    trainings: Mapping[tuple[float, str, int], records.Found],
    groupings: Mapping[tuple[float, str], np.ndarray],
    distances: np.ndarray,
    angles: np.ndarray,
) -> list[tuple[list[dict[str, Any]], records.Found]]:
    """What tells the networks apart, and what each did."""
    diversities = {
        key: {
            "image_distance": spectra.merged_diversity(distances, groups),
            "feature_angle": spectra.merged_diversity(angles, groups),
        }
        for key, groups in groupings.items()
    }
    return [
        (
            [
                {
                    **{"merge": k, "grouping": name, "seed": seed},
                    **{
                        "groups": merge_study.groups_text(groupings[k, name]),
                        **diversities[k, name],
                    },
                }
            ],
            found,
        )
        for (k, name, seed), found in trainings.items()
    ]


def alike(
    plan: Plan, groupings: Collection[tuple[float, str]], known: np.ndarray | None
) -> list[str]:
    """A line for each grouping that was asked for and is the known one."""
    if known is None:
        return []
    k = merge_study.mean_size(known)
    return [
        f"{name} super-classes are the known ones and count once"
        for name in ("similar", "dissimilar")
        if name in plan.groupings and (k, name) not in groupings
    ]


def known_groups(plan: Plan, images: data.Images) -> np.ndarray | None:
    """The super-class of every class by the hierarchy, or a UserError; None without one."""
    return data.superclasses(plan.hierarchy, images.label_names) if plan.hierarchy else None


def all_groupings(
    plan: Plan, page: experiments.Page, distances: np.ndarray, known: np.ndarray | None
) -> dict[tuple[float, str], np.ndarray]:
    """{(number merged, on average, name): super-class of every class}."""
    asked: dict[float, tuple[merge_study.Sizes, np.ndarray | None]] = {
        k: (k, None) for k in plan.merges
    }
    if known is not None:
        sizes = merge_study.sizes_of(known)
        asked[merge_study.mean_size(known)] = (sizes[0] if len(set(sizes)) == 1 else sizes, known)
    return {
        (k, name): groups
        for k, (size, known_of_size) in asked.items()
        for name, groups in merge_study.groupings(
            distances,
            size,
            plan.groupings,
            plan.random_groupings,
            runtime.generator(page.seed, "groups", k if isinstance(k, int) else str(k)),
            known_of_size,
        ).items()
    }


def trained(
    plan: Plan,
    page: experiments.Page,
    tasks_of: Mapping[tuple[float, str], Classification],
    groupings: Mapping[tuple[float, str], np.ndarray],
    family: path_study.Family,
    matched_on: np.ndarray,
    prepare: Prepare,
) -> dict[tuple[float, str, int], records.Found]:
    """What each network did along all paths, by grouping and seed."""

    def measured(loop: training.TrainingLoop, groups: np.ndarray) -> dict[str, Any]:
        """Everything of a network along all paths; its labels are super-classes."""
        labels = groups[family.labels]
        found = path_study.measure_trained(
            loop,
            labels,
            matched_on,
            [family._replace(labels=labels)],
            prepare,
            batch_size=plan.setting.batch_size,
            strategy=page.strategy,
        )
        sampling = {name: found.pop(f"held_out/{name}") for name in class_study.SAMPLING}
        whole = {name: found.pop(name) for name in ("accuracy", "temperature")}
        return {**whole, **sampling, **found}

    return {
        (k, name, seed): page.unit(
            f"merge_{k:g}/{name}/seed_{seed}",
            functools.partial(task.trainer, page.seed, seed),
            {
                "paths": training.Measure(
                    functools.partial(measured, groups=groupings[k, name]),
                    [task.num_steps],
                    means_of,
                )
            },
            hparams={
                **{"merge": k, "grouping": name},
                **{"groups": merge_study.groups_text(groupings[k, name]), "run": seed},
            },
            charts=CHARTS,
            keep={task.num_steps: "final.keras"},
        )
        for ((k, name), task), seed in progress.track(
            [(item, seed) for item in tasks_of.items() for seed in range(plan.seeds)], "training"
        )
    }


def means_of(found: dict[str, Any]) -> dict[str, float]:
    """What TensorBoard shows of a network."""
    return {name.removeprefix("held_out/"): float(np.mean(v)) for name, v in found.items()}


def refuse_merges(merges: list[int], images: data.Images, known: np.ndarray | None) -> None:
    """Raises a UserError for merges that leave classes over or fewer than two super-classes.

    And for a number merged that a hierarchy has on average, whose super-classes differ in size:
    there would be random groupings of two kinds.
    """
    wrong = [k for k in merges if k < 1 or images.num_classes % k or images.num_classes // k < 2]
    if wrong or 1 not in merges or len(merges) + (known is not None) < 2:
        raise UserError(
            "--merges",
            expected=f"1 and other divisors of {images.num_classes} classes that leave 2 or more",
            got=",".join(map(str, merges)),
            hint="for example --merges=1,2,5",
        )
    if known is None:
        return
    sizes, k = merge_study.sizes_of(known), merge_study.mean_size(known)
    if len(set(sizes)) > 1 and k in merges:
        raise UserError(
            "--merges",
            expected=f"numbers without {k:g}, which the hierarchy merges on average, in "
            f"super-classes of {sizes[0]} to {sizes[-1]}",
            got=",".join(map(str, merges)),
            hint=f"leave {k:g} out",
        )


def class_distances(training: data.Images, prepare: Prepare) -> np.ndarray:
    """The mean distance of training images of each two classes, as the networks see them, [C, C].

    Of the first images of every class.
    """
    pixels, labels = training.arrays()
    chosen = first_of_each(labels)
    return spectra.class_distances(np.asarray(prepare(pixels[chosen])), labels[chosen])


def class_angles(
    page: experiments.Page, task: Classification, of: path_study.Family, prepare: Prepare
) -> np.ndarray:
    """The mean 1 - cosine of the features of held-out images of each two classes, [C, C].

    Of the first images of every class; the network was trained on neither.
    """
    loss = training.Measure(lambda loop: loop.losses, [task.num_steps], ("run",))
    found, judge = page.train(
        "features", lambda: task.trainer(page.seed, JUDGE), {"loss": loss}, {"loss": ["loss"]}
    )
    if found.fact("diverged"):
        raise UserError(
            "features",
            expected="a finite loss",
            got="none: the network whose features tell diversity diverged",
            hint="lower the learning rate, in another folder",
        )
    chosen = first_of_each(of.labels)
    features = class_study.penultimate(judge.model, "--model")
    rows = probes.outputs(
        features,
        of.pixels[chosen],
        prepare,
        batch_size=task.setting.batch_size,
        strategy=page.strategy,
    )
    return spectra.class_distances(rows, of.labels[chosen], metric="cosine")


def first_of_each(labels: np.ndarray) -> np.ndarray:
    """The indices of the first images of every class."""
    indices = [np.flatnonzero(labels == c)[:IMAGES_OF_CLASS] for c in range(int(labels.max()) + 1)]
    return np.concatenate(indices)


def report(plan: Plan, found: records.Found) -> records.Report:
    """Claim C12 for merged classes, groupings and what merging changes."""
    of, names = merge_study.distinct(Models.of_facts(found.facts)), found.fact("names")
    merges = {*plan.merges, found.facts.get("known_merge") or 1}
    findings, changes = merge_study.claims(of, merges=list(merges)), merge_study.changes(of)
    primary = [f for f in findings if f.primary]
    told = [c for c in changes if c.grouping == "all" and c.measure == "matched_centroid"]
    diversities = (found.fact("distances"), found.fact("angles"))
    tables, arrays = of.tables()
    return records.Report(
        tables={
            **tables,
            "claims": records.Table(Finding._fields, findings),
            "dissimilarity": records.Table(
                ("first", "last", "first_name", "last_name", *merge_study.DIVERSITY),
                [
                    (a, b, names[a], names[b], *(between[a, b] for between in diversities))
                    for a in range(len(names))
                    for b in range(a, len(names))
                ],
            ),
            "groupings": by_grouping(of, names),
            "differences": records.Table(Change._fields, changes),
        },
        arrays=arrays,
        figures=figures(plan, found, of),
        summary=summary(plan, found, of, primary, told),
        lines=[
            f"held-out images of {found.fact('dataset')}, {len(of)} networks on the same paths; "
            "the two readings that were named before looking:",
            *(f"{f.claim}, {f.reading}: {f.estimate.text('+.2f')}" for f in primary),
            *(
                f"{c.merge:g} merged, {c.pair_type} paths, minus {c.against}"
                f"{'' if np.isnan(c.reference) else f' ({c.reference:.4f})'}: "
                + c.difference.text("+.4f", unit="cycles per unit of pixels")
                for c in told
            ),
            *found.facts.get("alike", ()),
            *of.lost,
            *found.facts.get("goal", ()),
        ],
    )


def summary(
    plan: Plan,
    found: records.Found,
    of: Models,
    primary: Sequence[Finding],
    told: Sequence[Change],
) -> dict[str, Any]:
    """What was trained and what merging does, in numbers."""
    return {
        "dataset": found.fact("dataset"),
        "num_seeds": plan.seeds,
        "num_networks": len(of),
        "diverged": of.lost,
        "num_groupings": len(set(merge_study.setting_of(of).tolist())),
        "counted_once": found.facts.get("alike", []),
        "num_paths": {t: int(of.where(t, "held_out").sum()) for t in path_study.PAIR_TYPES},
        "accuracy": {
            f"merge_{k:g}": float(of[of.columns["merge"] == k].columns["accuracy"].mean())
            for k in np.unique(of.columns["merge"])
        },
        "matched_centroid_differences": {
            f"merge_{c.merge:g}, {c.pair_type} paths, minus {c.against}": c.difference for c in told
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


def by_grouping(of: Models, names: list[str]) -> records.Table:
    """Every grouping: what is merged, how diverse that is, and means over its paths and seeds."""
    columns = ("merge", "grouping", "classes", "image_distance", "feature_angle", "length")
    kinds = {"super": False, "same": True}
    settings, rows = merge_study.setting_of(of), []
    for name in dict.fromkeys(settings.tolist()):
        own = of[settings == name]
        first = {column: values[0] for column, values in own.columns.items()}
        groups = merge_study.groups_of(str(first["groups"]))
        rows.append(
            (
                merge_study.number(first["merge"]),
                first["grouping"],
                " ".join(data.merged_names(names, groups.tolist())),
                first["image_distance"],
                first["feature_angle"],
                merge_study.length(own)[0],
                spectra.mean_over_runs(own.columns["accuracy"], unit="seeds"),
                *(
                    merge_study.mean_within(own, path_study.Reading("", m), same_paths=same)
                    for same in kinds.values()
                    for m in MEASURES
                ),
            )
        )
    told = [f"{kind}_{m}" for kind in kinds for m in MEASURES]
    return records.Table((*columns, "accuracy", *told), rows)


def figures(plan: Plan, found: records.Found, of: Models) -> dict[str, Figure]:
    """Diversity against frequency at each fixed k, beside the number merged against it."""
    draw, drawn = records.figures, {}
    merge, names = of.columns["merge"], of.columns["grouping"].astype(str)
    random = (merge == 1) | np.char.startswith(names, "random")
    images = found.fact("images")
    title = f"{images}, a point for each grouping, {records.averaged(plan.seeds)}"
    title += f", {len(of.lost)} trainings diverged" if of.lost else ""
    for file, measure, ylabel in (
        ("dft_share", "dft_share", "DFT share of high frequencies"),
        ("centroid", "matched_centroid", "matched centroid [cycles per unit of pixels]"),
    ):
        reading = path_study.Reading("", measure)
        for k in merge_study.merges_of(of):
            own, inside = of[merge == k], f"within super-classes of {k:g}"
            shown = [
                (inside, text, points(own, quality, reading, same_paths=False))
                for quality, text in merge_study.DIVERSITY.items()
            ]
            series = points(own, "image_distance", reading, same_paths=True)
            shown.append((f"within classes, {k:g} merged", "distance of images", series))
            series = points(of[random], "merge", reading, same_paths=False)
            shown.append(("within super-classes", "classes merged at random", series))
            panels = [draw.Panel(lines, x, ylabel, name=name) for name, x, lines in shown]
            drawn[f"{file}_{k:g}"] = draw.line_panels(panels, title=title)
    return drawn


def points(
    of: Models, quality: str, reading: path_study.Reading, *, same_paths: bool
) -> list[Line]:
    """A point with its interval for each grouping; a colour for each kind of grouping."""
    line = records.figures.Line
    kinds = [merge_study.UNMERGED, *merge_study.GROUPINGS, merge_study.KNOWN]
    colours = dict(zip(kinds, records.figures.hues(len(kinds)), strict=True))
    settings, drawn = merge_study.setting_of(of), []
    for name in dict.fromkeys(settings.tolist()):
        own = of[settings == name]
        mean = merge_study.mean_within(own, reading, same_paths=same_paths)
        kind = name.split("/")[1].split("_")[0]
        x = float(own.columns[quality][0])
        drawn.append(line([x, x], [mean.low, mean.high], colour=colours[kind]))
        drawn.append(line([x], [mean.value], kind, style="o", colour=colours[kind]))
    return drawn


if __name__ == "__main__":
    experiments.launch("class_diversity_merged", plan, run, report, growing=GROWING)
