r"""Are the functions of diverse classes faster? Fridovich-Keil et al. (2022), on ImageNet.

How fast the predictions of networks change on straight paths within every class, against how
diverse
its images are: by the features of another network, and by their distances in pixels. Every class
has paths of its own, so their length and the accuracy of the class are told beside it, and every
correlation is also given as a partial one, given either. What decides is the spectral centroid per
unit of distance in pixels, at one confidence of all networks and with so many samples that more
change nothing; the DFT high-frequency fraction as published stands beside it.

    python launchers/class_diversity.py --alsologtostderr

trains four small networks (three to measure, one whose features tell diversity) on embedded
photographs (not CIFAR-10) and takes about 3 minutes on 2 cores. On ImageNet, whose archives lie in
a folder, with weights that Keras fetches:

    python launchers/class_diversity.py --flagfile=results/class_diversity/imagenet.flags \
        --manual_dir=... --data_dir=...

A saved network is one network: what is found holds of it alone. To see: every correlation by all
readings, of which two for each diversity were named before looking, and classes in a plane of
diversity and frequency (results/class_diversity).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import data, experiments, models, probes, progress, records, runtime, spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments import class_study, evaluated, path_study
from spectral_tf.experiments.class_study import DIVERSITY, Classes
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectral_tf.experiments.evaluated import Evaluated
    from spectral_tf.records.figures import Line

FLAGS = flags.FLAGS
runtime.define_run_flags("class_diversity", reports=True)
runtime.define_data_flags("photo_patches")
runtime.define_subject_flags(models.CLASSIFIERS, data.AUGMENTATIONS, models.NETWORK_OPTIONS)
runtime.define_class_subset_flag()
runtime.define_path_flags(pairs=15)
runtime.define_seeds_flag(experiments.SEEDS)
with runtime.flag_group("Diversity"):
    flags.DEFINE_string(
        "features",
        "",
        "Network whose features tell diversity beside the pixels: a .keras or .h5 file, a run "
        "folder, or an application.",
    )
    flags.DEFINE_string(
        "features_weights", "", "Weights of an application given by --features, as --weights."
    )
    runtime.define_contract_flags("features", outputs=False)
    flags.DEFINE_integer(
        "classes_at_once", 50, "Number of classes whose images are in memory together.", 1
    )

# With fewer there is no correlation over classes.
CLASSES = spectra.SETTINGS_FOR_CORRELATION
# In figures more classes than that have one colour and no interval.
NAMED_CLASSES = 12


class Plan(NamedTuple):
    """What is asked for."""

    subject: evaluated.Subject
    judge: evaluated.Subject | None  # Whose features tell diversity; None: one more training.
    classes: list[int]  # That take part; none: all.
    pairs: int
    num_samples: int  # 0: by distance.
    classes_at_once: int
    outputs: str
    batch_size: int


def plan() -> Plan:
    """Checks the flags."""
    subject, judge = evaluated.asked(FLAGS.seeds), asked_judge()
    if not subject.trains and (judge is None or judge.digests == subject.digests != {}):
        raise UserError(
            "--features",
            expected="a network other than the one that is measured",
            got="the same" if judge else "none",
            hint="name a .keras file, a run folder or an application",
        )
    if FLAGS.num_samples:
        runtime.check_at_least("num_samples", FLAGS.num_samples, 4)
    return Plan(
        subject,
        judge,
        runtime.asked_classes(),
        FLAGS.pairs,
        FLAGS.num_samples,
        FLAGS.classes_at_once,
        FLAGS.outputs,
        FLAGS.batch_size,
    )


def asked_judge() -> evaluated.Subject | None:
    """The network of `--features`, if there is one."""
    known = FLAGS.features in models.APPLICATIONS
    if FLAGS.features_normalisation and (known or not FLAGS.features):
        raise UserError(
            "--features_normalisation",
            expected="a file in --features",
            got=FLAGS.features or "none",
            hint="leave it out",
        )
    if FLAGS.features_weights and not known:
        raise UserError(
            "--features_weights",
            expected="an application in --features",
            got=FLAGS.features or "none",
            hint="leave it out",
        )
    if not FLAGS.features:
        return None
    dataset = experiments.Dataset.of_flags()
    if known:
        weights, flag = FLAGS.features_weights, "features_weights"
        models.refuse_application(FLAGS.features, weights, flag)
        return evaluated.Pretrained(dataset, FLAGS.features, weights, FLAGS.side, flag)
    saved = evaluated.of_run("--features", FLAGS.features, dataset)
    own, shared = FLAGS.features_normalisation, None if saved.normalisation else FLAGS.normalisation
    name = "features_normalisation" if own else "normalisation"
    # What it gives in the end is not looked at.
    judge = evaluated.saved_with("--features", saved, dataset, own or shared, name, kind="")
    if judge.is_function:
        raise UserError(
            "--features",
            expected="a network with its layers, whose last but one gives features",
            got=f"{FLAGS.features}, a SavedModel, which is a function alone",
            hint="save the network with model.save(PATH.keras)",
        )
    return judge


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Measures all networks within every class, and the diversity of its images."""
    of = plan.subject.load(page.strategy)
    judge = plan.judge.load(page.strategy) if plan.judge else of
    if judge.shape != of.shape:
        raise UserError(
            "--features",
            expected=f"a network of images {of.shape}",
            got=f"{judge.shape}",
            hint="choose another, or --side for both",
        )
    labels, classes = data.labels_of(of.held_out), chosen_classes(plan, of.held_out)
    # Refuses classes with too few images before anything is trained.
    drawn = class_study.draw(labels, of.held_out.clusters(), classes, plan.pairs, page.seed)
    record = dict(of.record)
    if plan.judge and judge.model:
        features = class_study.penultimate(judge.model, "--features")
        if isinstance(plan.judge, evaluated.SavedModel):
            record["features_first_look"] = plan.judge.look(judge, features, page.strategy)
        record["features_sha256"] = ",".join(plan.judge.digests.values())
    page.begin(record)
    count = plan.subject.num_networks
    networks = evaluated.networks(page, of, range(count))
    judged = evaluated.networks(page, judge, [count], "features")
    judging = judge.model or judged.models[0]
    features = judge.function(class_study.penultimate(judging, "--features"))
    temperatures, unreadable = matched_confidence(plan, page, of, networks.models, drawn.matched_on)
    blocks: list[dict[str, np.ndarray]] = []
    begins = range(0, len(classes), plan.classes_at_once)
    for begin in progress.track(begins, "block of classes"):
        within = drawn.within(classes[begin : begin + plan.classes_at_once])
        measure = functools.partial(
            measured, plan, page, of, networks.models, temperatures, judge, features, labels, within
        )
        blocks.append(page.once(f"classes_{begin:05d}", measure))
        unreadable += int(blocks[-1]["unreadable"])
        data.refuse_unreadable(of.held_out, unreadable, drawn.num_images)
    seconds = networks.seconds + page.seconds + judged.seconds
    return records.Found(
        facts={
            **class_study.gathered(blocks, temperatures, networks.runs).facts(),
            "names": list(of.held_out.label_names),
            "dataset": of.held_out.title,
            "images": of.held_out.name,
            "unreadable": unreadable,
            **networks.facts(),
            "seconds": seconds,
        }
    )


def chosen_classes(plan: Plan, images: data.Images) -> list[int]:
    """The classes that take part, or a UserError for fewer than a correlation needs."""
    classes = runtime.class_subset(plan.classes, images.num_classes, at_least=CLASSES)
    if len(classes) < CLASSES:
        raise UserError(
            "--dataset",
            expected=f"{CLASSES} classes or more, of which there is a correlation",
            got=f"{len(classes)} of {images.name}",
            hint="choose another",
        )
    return classes


def matched_confidence(
    plan: Plan,
    page: experiments.Page,
    of: Evaluated,
    networks: Sequence[Callable[[Any], Any]],
    matched_on: np.ndarray,
) -> tuple[np.ndarray, int]:
    """The temperature at which each network has the confidence of all; unreadable images."""

    def measure() -> dict[str, Any]:
        selection = data.select(of.held_out, matched_on, of.shape)
        temperatures = []
        for network in networks:
            given = probes.outputs(
                network,
                selection.pixels,
                of.prepare,
                batch_size=plan.batch_size,
                strategy=page.strategy,
            )
            temperatures.append(probes.temperature_of(given, plan.outputs))
        return {"temperatures": temperatures, "unreadable": selection.unreadable.size}

    found = page.once("confidence", measure)
    return found["temperatures"], int(found["unreadable"])


def measured(
    plan: Plan,
    page: experiments.Page,
    of: Evaluated,
    networks: Sequence[Callable[[Any], Any]],
    temperatures: np.ndarray,
    judge: Evaluated,
    features: Callable[[Any], Any],
    labels: np.ndarray,
    drawn: class_study.Drawn,
) -> dict[str, Any]:
    """Everything along the paths within some classes, and the diversity of their images.

    Returns:
      `unreadable`: images; `classes` and `distances` of the paths, [p]; along/NAME of each network
      on each path, [m, p]; `num_samples` and `relative_change` of each network, [m]; `numbers` of
      the classes, and diversity/NAME of their images, [c].
    """
    asked: dict[str, Any] = {"batch_size": plan.batch_size, "strategy": page.strategy}
    selection = data.select(of.held_out, np.concatenate(drawn.pairs), of.shape)
    pixels, own = selection.pixels, labels[selection.indices]
    diversities = {}
    for c in dict.fromkeys(drawn.classes.tolist()):
        images = pixels[own == c]
        few = len(images) < 2
        seen = images if few else probes.outputs(features, images, judge.prepare, **asked)
        if found := class_study.diversity(images, seen):
            diversities[c] = found
    pairs, left = probes.pairs_among(drawn.pairs, selection.indices)
    left &= np.isin(drawn.classes, list(diversities))
    kept = probes.Pairs(*(end[left] for end in drawn.pairs))
    pairs, _ = probes.pairs_among(kept, selection.indices)
    classes = drawn.classes[left]
    family = path_study.Family(
        "held_out",
        pixels,
        of.outputs[own],
        np.stack([classes, classes], axis=1),
        probes.straight_paths(pixels, pairs, of.prepare, num_samples=plan.num_samples),
    )
    for line in path_study.few_samples(family.paths.counts):
        logging.warning("%s", line)
    rows = []
    for network, temperature in zip(networks, temperatures.tolist(), strict=True):
        row = path_study.measure(
            network, family, of.prepare, temperature, outputs=plan.outputs, **asked
        )
        given = probes.outputs(network, pixels, of.prepare, **asked)
        correct = probes.predictions_of(given, plan.outputs) == family.labels
        row["correct_endpoints"] = correct[pairs.first].astype(np.uint8) + correct[pairs.last]
        rows.append(row)
    together = {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[0]}
    numbers = np.unique(classes)
    return {
        "unreadable": selection.unreadable.size,
        "classes": classes,
        "distances": family.paths.pixel_distances,
        "numbers": numbers,
        **{name: together.pop(name) for name in class_study.SAMPLING},
        **{f"along/{name}": values for name, values in together.items()},
        **{f"diversity/{name}": [diversities[c][name] for c in numbers] for name in DIVERSITY},
    }


def report(plan: Plan, found: records.Found) -> records.Report:
    """Claim C12: rho over classes by every diversity and every reading."""
    of = Classes.of_facts(found.facts)
    count = len(of.networks)
    rests_on = experiments.rests_on(count, plan.subject.trains)
    rhos = class_study.correlations(of)
    # Of each network alone the value; its interval over classes would not know of the others.
    alone = [class_study.correlations(of, num_resamples=1, network=i) for i in range(count)]
    findings = class_study.claims(rhos)
    primary = [f for f in findings if f.primary]
    unreadable = found.fact("unreadable")
    tables, arrays = of.tables(found.fact("names"))
    return records.Report(
        tables={
            **tables,
            "correlations": records.Table(
                (
                    *("diversity", "reading", "held_fixed", "rho"),
                    *(f"rho_seed_{i}" for i in of.networks.columns["seed"]),
                ),
                [(*key, rho, *(own[key].value for own in alone)) for key, rho in rhos.items()],
            ),
            "claims": records.Table(Finding._fields, findings),
        },
        arrays=arrays,
        figures=figures(plan, found, of),
        summary={
            "dataset": found.fact("dataset"),
            "rests_on": rests_on,
            "diverged_at_step": found.fact("diverged"),
            "num_networks": count,
            "num_classes": len(of.numbers),
            "num_paths": of.networks.along["held_out/correct"].shape[1],
            "unreadable_images": unreadable,
            "accuracy": float(of.accuracy.mean()),
            "claims": {
                f"{f.claim}, {f.reading}": {
                    "statement": f.statement,
                    "direction": f.direction,
                    **f.estimate.record(),
                }
                for f in primary
            },
            "rho_of_each_network": {
                f"{f.claim}, {f.reading}": [own[key].record()["value"] for own in alone]
                for f, key in zip(findings, rhos, strict=True)
                if f.primary
            },
        },
        lines=[
            rests_on,
            f"held-out images of {found.fact('dataset')}, {len(of.numbers):,} classes; rho of "
            "diversity and frequency by the readings named before looking:",
            *(f"{f.claim}, {f.reading}: {f.estimate.text('+.2f')}" for f in primary),
            *([f"{unreadable} images could not be read and were left out"] if unreadable else []),
            *experiments.lost(found.fact("diverged")),
            *found.facts.get("goal", ()),
        ],
    )


def figures(plan: Plan, found: records.Found, of: Classes) -> dict[str, Figure]:
    """Classes in a plane of diversity, or the length of their paths, and frequency."""
    draw, drawn = records.figures, {}
    over = experiments.rests_on(len(of.networks), plan.subject.trains).partition(",")[0]
    title = f"{found.fact('images')}, {len(of.numbers):,} classes, all paths within them, {over}"
    for file, reading, ylabel in (
        ("dft_share", class_study.READINGS[0], "DFT share of high frequencies"),
        ("centroid", class_study.READINGS[5], "matched centroid [cycles per unit of pixels]"),
    ):
        along = {"length of paths [pixels of 0 to 1]": of.distance}
        along |= {text: of.diversity[name] for name, text in DIVERSITY.items()}
        panels = [
            draw.Panel(points(of, found.fact("names"), reading, x), xlabel, ylabel)
            for xlabel, x in along.items()
        ]
        drawn[file] = draw.line_panels(panels, title=title)
    return drawn


def points(
    of: Classes, names: Sequence[str], reading: path_study.Reading, x: np.ndarray
) -> list[Line]:
    """One for each class; of few with their names and intervals."""
    line, count = records.figures.Line, len(of.numbers)
    if count > NAMED_CLASSES:
        return [line(x, of.means(reading)[0].mean(axis=0), style="o")]
    drawn = []
    for i, colour in enumerate(records.figures.hues(count)):
        mean, at = of.mean(reading, i), np.full(2, x[i])
        drawn.append(line(at, [mean.low, mean.high], style="-", colour=colour))
        name = names[of.numbers[i]]
        drawn.append(line(at[:1], [mean.value], name, style="o", colour=colour))
    return drawn


if __name__ == "__main__":
    experiments.launch("class_diversity", plan, run, report)
