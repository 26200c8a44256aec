"""Is a class one connected region of image space? Experiment 9 of Rahaman et al. (2019), A.7.

Images of one class, and images of other classes that an attack has turned into ones of it, are
joined in pairs: by the straight line, by a nudged elastic band that looks for a way on which the
network stays sure of the class, and, to see what a bend by itself does, by a path of the same shape
and length whose bends go anywhere. Along which of them does the class never change, how much longer
is a band, and what are the spectra of the predictions on all three?

    python launchers/elastic_bands.py --alsologtostderr

trains three small networks on embedded digits of 8 x 8 pixels (not CIFAR-10) and takes about 2
minutes on 2 cores. A saved model of your own, which is one network:

    python launchers/elastic_bands.py --from_run=mine.keras --dataset=cifar10 --attack_norm=1

To see: on what share of pairs the class is kept by bands, by straight lines and by bends into
random directions, and how much longer bands are (results/elastic_bands).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags, logging
from numpy.typing import NDArray

from spectral_tf import data, experiments, models, probes, progress, records, runtime, spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments import band_study, evaluated
from spectral_tf.experiments.band_study import COURSES, KINDS, MEASURES, MeasuredBands
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectral_tf.experiments.band_study import Ends, Network, Pairs
    from spectral_tf.experiments.evaluated import Evaluated
    from spectral_tf.records.figures import Panel

FLAGS = flags.FLAGS
runtime.define_run_flags("elastic_bands", reports=True)
runtime.define_data_flags("digits")
runtime.define_subject_flags(models.CLASSIFIERS, data.AUGMENTATIONS, models.NETWORK_OPTIONS)
runtime.define_seeds_flag(experiments.SEEDS)
runtime.define_class_subset_flag()
with runtime.flag_group("Paths"):
    flags.DEFINE_enum(
        "ends", "training", ("training", "held_out"), "Images that paths end on (paper: training)."
    )
    flags.DEFINE_integer(
        "images",
        10,
        "Number of images of each class, and of others attacked towards it; even (paper: 50).",
        2,
    )
    flags.DEFINE_bool(
        "all_pairs",
        False,
        "Paths between every two images of a class, as published; else none is in two of a kind.",
    )
    flags.DEFINE_integer(
        "num_samples",
        65,
        "Samples of each path; every other one tells whether they are enough.",
        7,
    )
    flags.DEFINE_integer(
        "drawn", 3, "Number of pairs drawn, those whose straight line is least sure.", 1, 30
    )
with runtime.flag_group("Elastic bands"):
    flags.DEFINE_enum(
        "energy",
        "logit",
        band_study.ENERGIES,
        "What bands go down: minus the logit of the class (the paper's), or its -log probability.",
    )
    flags.DEFINE_integer("pivots", 9, "Pivots of a band at first, both ends included.", 3)
    flags.DEFINE_integer("inserted", 2, "Pivots inserted before each further relaxation.", 0)
    flags.DEFINE_integer("relaxations", 4, "How often a band is relaxed.", 1)
    flags.DEFINE_integer("band_steps", 10, "Steps of gradient descent in a relaxation.", 1)
    runtime.define_finite_float(
        "band_rate",
        0.0001,
        "Their learning rate, in pixels of [0, 1] (paper: 0.001, of normalised ones presumably).",
        at_least=1e-12,
    )
    runtime.define_finite_float(
        "band_momentum", 0.9, "Their momentum.", at_least=0.0, at_most=0.999999
    )
    runtime.define_finite_float(
        "spring",
        0.0,
        "Constant of the springs between pivots; 0: none, pivots are spaced anew after each step.",
        at_least=0.0,
    )
    flags.DEFINE_bool("in_range", True, "Pixels of a band are kept in [0, 1].")
with runtime.flag_group("Attack"):
    runtime.define_finite_float(
        "attack_norm", 1.5, "L2 norm of the attack, in pixels of [0, 1].", at_least=1e-9
    )
    flags.DEFINE_integer("attack_steps", 40, "Steps of projected gradient descent.", 1)


class Plan(NamedTuple):
    """What is asked for."""

    subject: evaluated.Subject
    classes: list[int]  # That take part; none: all.
    ends: str
    images: int
    all_pairs: bool
    num_samples: int
    drawn: int
    energy: str
    bands: probes.BandSettings
    attack_norm: float
    attack_steps: int
    outputs: str
    batch_size: int


def plan() -> Plan:
    """Checks the flags."""
    subject = evaluated.asked(FLAGS.seeds)
    if getattr(subject, "is_function", False):
        raise UserError(
            "--from_run",
            expected="a network with its layers, which gives gradients",
            got=f"{FLAGS.from_run}, a SavedModel, which is used as an inference layer",
            hint="save the network with model.save(PATH.keras)",
        )
    if FLAGS.application and FLAGS.ends == "training":
        raise UserError(
            "--ends=training",
            expected="a network whose training images are at hand",
            got=f"--application={FLAGS.application}",
            hint="say --ends=held_out, and name the split with --held_out",
        )
    if FLAGS.energy == "logit" and FLAGS.outputs != "logits":
        raise UserError(
            "--energy=logit",
            expected="--outputs=logits",
            got=FLAGS.outputs,
            hint="say --energy=loss, or save the model without its softmax or sigmoid",
        )
    band_study.pairs_of(2, FLAGS.images)  # Refuses an odd number.
    return Plan(
        subject,
        runtime.asked_classes(),
        FLAGS.ends,
        FLAGS.images,
        FLAGS.all_pairs,
        FLAGS.num_samples,
        FLAGS.drawn,
        FLAGS.energy,
        probes.BandSettings(
            pivots=FLAGS.pivots,
            inserted=FLAGS.inserted,
            relaxations=FLAGS.relaxations,
            steps=FLAGS.band_steps,
            rate=FLAGS.band_rate,
            momentum=FLAGS.band_momentum,
            spring=FLAGS.spring,
            low=0.0 if FLAGS.in_range else -math.inf,
            high=1.0 if FLAGS.in_range else math.inf,
        ),
        FLAGS.attack_norm,
        FLAGS.attack_steps,
        FLAGS.outputs,
        FLAGS.batch_size,
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Attacks images, joins all pairs on every course, and measures along them."""
    of = plan.subject.load(page.strategy)
    band_study.refuse_misfits(of, plan.energy, plan.bands)
    images = of.training if plan.ends == "training" else of.held_out
    assert images  # Else the flags are refused.
    classes = runtime.class_subset(plan.classes, images.num_classes, at_least=2)
    seed = runtime.derive_seed(page.seed, "ends")
    ends = band_study.ends_of(images, classes, plan.images, seed, of.shape)
    pairs = band_study.pairs_of(len(classes), plan.images, every=plan.all_pairs)
    page.begin({**of.record, "ends": images.split})
    found = evaluated.networks(page, of, range(plan.subject.num_networks))
    logging.info("elastic_bands: %d pairs, %d networks", pairs.first.size, len(found.models))
    rows, drawn = [], {}
    attacks: list[dict[str, NDArray]] = []
    for run_of, model in progress.track(
        list(zip(found.runs, found.models, strict=True)), "network"
    ):
        network = band_study.network_of(
            model, of, plan.outputs, plan.energy, plan.bands, page.strategy
        )
        attack = attacked(plan, page, run_of, network, ends, of)
        joined = np.concatenate([ends.pixels[0], attack["adversarial"]])
        joined = joined.reshape(-1, *ends.pixels.shape[3:])
        rows.append(measured(plan, page, run_of, network, joined, pairs, ends, of))
        if not attacks:  # Of the first network alone.
            few = least_sure(rows[0], attack["correct"], pairs)[: plan.drawn]
            drawn = looked_at(plan, page, network, joined, few, pairs, ends, of)
        way = attack.pop("adversarial") - ends.pixels[1]
        attacks.append({**attack, "way": np.sqrt(np.sum(way**2, axis=(2, 3, 4)))})
    correct = np.stack([attack["correct"].ravel() for attack in attacks])
    measures = MeasuredBands(
        kinds=pairs.kinds,
        classes=np.asarray(classes)[pairs.classes],
        clusters=pairs.clusters,
        correct=correct[:, pairs.first] & correct[:, pairs.last],
        values={name: np.stack([row[name] for row in rows]) for name in rows[0]},
    )
    facts = {
        **measures.facts(),
        **{f"attack {k}": np.stack([attack[k] for attack in attacks]) for k in attacks[0]},
        **drawn,
        "dataset": images.title,
        "images": images.name,
        "names": list(images.label_names),
        **found.facts(),
        "seconds": found.seconds + page.seconds,
    }
    return records.Found(facts=facts)


def attacked(
    plan: Plan, page: experiments.Page, run_of: int, network: Network, ends: Ends, of: Evaluated
) -> dict[str, NDArray]:
    """The images that one network takes for another class."""
    return page.once(
        f"network_{run_of}/attack",
        functools.partial(
            band_study.attacked,
            network,
            ends,
            of.outputs,
            norm=plan.attack_norm,
            steps=plan.attack_steps,
            seed=runtime.derive_seed(page.seed, "noise"),
            batch_size=plan.batch_size,
            strategy=page.strategy,
        ),
    )


def measured(
    plan: Plan,
    page: experiments.Page,
    run_of: int,
    network: Network,
    joined: NDArray[np.float32],
    pairs: Pairs,
    ends: Ends,
    of: Evaluated,
) -> dict[str, NDArray]:
    """Everything of one network, a block of pairs at a time; `joined`: all ends, flat."""
    numbers = of.outputs[ends.classes][pairs.classes]
    block = band_study.block_size(plan.num_samples, joined[0].size)

    def of_block(rows: range) -> Mapping[str, NDArray]:
        return band_study.measured(
            network,
            joined[pairs.first[rows]],
            joined[pairs.last[rows]],
            numbers[rows],
            [runtime.derive_seed(page.seed, "bends", pair) for pair in rows],
            plan.bands,
            num_samples=plan.num_samples,
            batch_size=plan.batch_size,
            strategy=page.strategy,
        )

    starts = range(0, pairs.first.size, block)
    parts = [
        page.once(
            f"network_{run_of}/pairs_{start:06d}",
            functools.partial(of_block, range(start, min(start + block, pairs.first.size))),
        )
        for start in progress.track(list(starts), "block of pairs")
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def least_sure(
    row: Mapping[str, NDArray], correct: NDArray[np.bool_], pairs: Pairs
) -> NDArray[np.int64]:
    """The pairs of one network, those first on whose straight line the class is least probable.

    Those whose ends are not both of the class come last.
    """
    ends = correct.ravel()
    of_class = ends[pairs.first] & ends[pairs.last]
    lowest = row["lowest_probability"][:, COURSES.index("straight")]
    return np.argsort(np.where(of_class, lowest, 2.0), kind="stable")


def looked_at(
    plan: Plan,
    page: experiments.Page,
    network: Network,
    joined: NDArray[np.float32],
    few: NDArray[np.int64],
    pairs: Pairs,
    ends: Ends,
    of: Evaluated,
) -> dict[str, Any]:
    """Facts of a few pairs: what a network predicts on the straight line and on the band."""
    numbers = of.outputs[ends.classes][pairs.classes[few]]
    common: dict[str, Any] = {"batch_size": plan.batch_size, "strategy": page.strategy}
    bands = probes.elastic_bands(
        network.energy,
        joined[pairs.first[few]],
        joined[pairs.last[few]],
        numbers,
        plan.bands,
        traced=network.program,
        **common,
    )
    seeds = [runtime.derive_seed(page.seed, "bends", int(pair)) for pair in few]
    courses = band_study.courses_of(bands, seeds, plan.bands)
    samples = band_study.samples_of(courses, plan.num_samples, joined.shape[1:])
    flat = samples.reshape(-1, *joined.shape[1:])
    logits = probes.outputs(network.logits, flat, **common)
    p = probes.probabilities_of(logits, "logits").reshape(*samples.shape[:3], -1)
    shown = np.linspace(0, plan.num_samples - 1, 7).round().astype(int)
    facts: dict[str, Any] = {"drawn": []}
    for i, pair in enumerate(few):
        own = int(ends.classes[pairs.classes[pair]])
        for course in (0, 1):
            of_data = p[i, course][:, of.outputs]
            peaks = of_data.max(axis=0)
            seen = {int(c) for c in np.argsort(-peaks)[:4] if peaks[c] > 0.1} | {own}
            name = f"{i}, {COURSES[course]}"
            told = {"class": own, "kind": KINDS[pairs.kinds[pair]], "course": COURSES[course]}
            facts["drawn"].append({**told, "name": name, "classes": sorted(seen)})
            length = spectra.polyline_length(samples[i, course].reshape(plan.num_samples, -1))
            facts[f"distance of {name}"] = np.linspace(0, length, plan.num_samples)
            facts[f"predictions of {name}"] = of_data[:, sorted(seen)]
            facts[f"images of {name}"] = samples[i, course][shown]
    return facts


def report(plan: Plan, found: records.Found) -> records.Report:
    """Shares of pairs that are joined, lengths, losses and spectra on every course, and claims."""
    of = MeasuredBands.of_facts(found.facts)
    findings = of.claims()
    told = attack_of(found)
    rests_on = experiments.rests_on(len(of), plan.subject.trains)
    return records.Report(
        tables=tables(of, findings, found),
        figures=figures(plan, of, found),
        summary=summary(plan, of, findings, told, found, rests_on),
        lines=[
            f"{rests_on}, on {plan.ends.replace('_', '-')} images of {found.fact('dataset')}",
            *closing(plan, of, told),
            *(
                f"{f.claim}, {f.reading} ({f.primary}): {f.estimate.text('+.3f')}"
                for f in findings
                if f.primary
            ),
            *experiments.lost(found.fact("diverged")),
            *found.facts.get("goal", ()),
        ],
    )


def attack_of(found: records.Found) -> dict[str, Any]:
    """What the attack came to: shares over networks and images, and counts by network."""
    correct = found.fact("attack correct").reshape(len(found.fact("runs")), 2, -1)
    noise = found.fact("attack by_noise").reshape(len(correct), -1)
    way = found.fact("attack way").reshape(noise.shape)
    return {
        "success": band_study.share(correct[:, 1], items="images"),
        "success_of_noise": band_study.share(noise, items="images"),
        "distance": experiments.mean_over_networks(way, items="images"),
        "num_images": noise.shape[1],
        "num_failed": np.sum(~correct[:, 1], axis=1).tolist(),
        "correct_images": band_study.share(correct[:, 0], items="images"),
    }


def chosen(of: MeasuredBands) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """{(kind, paths): which}, all kinds together first; none is empty."""
    every = {
        (kind or "all kinds", paths): of.where(paths, kind)
        for kind in ("", *KINDS)
        for paths in ("all", "common")
    }
    return {name: where for name, where in every.items() if where.any()}


def summary(
    plan: Plan,
    of: MeasuredBands,
    findings: list[Finding],
    told: Mapping[str, Any],
    found: records.Found,
    rests_on: str,
) -> dict[str, Any]:
    """What was measured, in numbers."""
    common = of.where()
    return {
        "rests_on": rests_on,
        "diverged_at_step": found.fact("diverged"),
        "dataset": found.fact("dataset"),
        "ends": plan.ends,
        "attack": {"norm": plan.attack_norm, "steps": plan.attack_steps, **told},
        "num_paths": {kind: int(of.where("all", kind).sum()) for kind in KINDS},
        "common_paths": {kind: int(of.where("common", kind).sum()) for kind in KINDS},
        "num_samples": plan.num_samples,
        # What twice as many samples see that these do not is unknown.
        "change_by_half_the_samples": of.changed_by_half(),
        "joined": {
            paths: {
                kind: {course: of.mean("joined", course, where) for course in COURSES}
                for (kind, which), where in chosen(of).items()
                if which == paths
            }
            for paths in ("common", "all")
        },
        "joined_by_every_network": {kind: of.joined_by_all(kind) for kind in KINDS},
        "relative_length": of.mean("relative_length", "band", common),
        "departure": of.mean("departure", "band", common),
        "means": {
            course: {name: of.mean(name, course, common) for name in MEASURES} for course in COURSES
        },
        "claims": {
            f"{f.claim}, {f.reading}": {"direction": f.direction, **f.estimate.record()}
            for f in findings
            if f.primary
        },
        **({"goal": found.fact("goal")} if "goal" in found.facts else {}),
    }


def closing(plan: Plan, of: MeasuredBands, told: Mapping[str, Any]) -> list[str]:
    """What was found, in lines."""
    common = of.where()
    lines = [
        f"attack of norm {plan.attack_norm:g} on {told['num_images']:,} images of other classes: "
        f"success {told['success'].text('.3f')}, failed {told['num_failed']}; noise of that norm "
        f"{told['success_of_noise'].text('.3f')}",
        f"{common.sum():,} of {common.size:,} pairs have ends that all networks take for the "
        "class; along them it never changes on",
    ]
    for course in COURSES:
        lines.append(f"{course:>12}: {of.mean('joined', course, common).text('.3f')}")
    lines += [
        f"of {kind} pairs the bands of every network: {of.joined_by_all(kind).text('.3f')}"
        for kind in KINDS
        if of.where("common", kind).any()
    ]
    longer = of.mean("relative_length", "band", common).map(lambda share: 100 * share)
    return [*lines, f"bands are longer than straight paths by [%]: {longer.text('.2f')}"]


def tables(
    of: MeasuredBands, findings: list[Finding], found: records.Found
) -> dict[str, records.Table]:
    """Every network, every path on every course, means, spectra, claims."""
    runs, common = found.fact("runs"), of.where()
    correct = found.fact("attack correct").reshape(len(runs), 2, -1)
    by_noise = found.fact("attack by_noise").reshape(len(runs), -1)
    return {
        "networks": records.tidy(
            {"network": runs},
            correct_images=correct[:, 0].mean(axis=1),
            attack_success=correct[:, 1].mean(axis=1),
            noise_success=by_noise.mean(axis=1),
        ),
        "paths": records.Table(
            (
                *("path", "network", "kind", "class", "cluster", "correct", "distance"),
                *("course", *MEASURES),
            ),
            [
                (
                    *(p, run, KINDS[of.kinds[p]], of.classes[p], of.clusters[p]),
                    *(int(of.correct[m, p]), of.values["distance"][m, p]),
                    course,
                    int(of.values["joined"][m, p, c]),
                    *(of.values[name][m, p, c] for name in MEASURES[1:]),
                )
                for p in range(of.kinds.size)
                for m, run in enumerate(runs)
                for c, course in enumerate(COURSES)
            ],
        ),
        "measures": records.Table(
            ("kind", "paths", "num_paths", "course", "measure", "unit", "mean"),
            [
                (*name, where.sum(), course, measure, unit_of(measure), mean)
                for name, where in chosen(of).items()
                for course in COURSES
                for measure in MEASURES
                for mean in [of.mean(measure, course, where)]
            ],
        ),
        "spectra": records.Table(
            ("transform", "course", "frequency", "unit", "magnitude"),
            [
                (transform, course, frequency, "cycles per path", mean)
                for transform, axis in axes_of(of).items()
                for course in COURSES
                for magnitudes in [curve(of, transform, course, common)]
                for i, frequency in enumerate(axis)
                for mean in [magnitudes[i]]
            ],
        ),
        "claims": records.Table(Finding._fields, findings),
    }


def axes_of(of: MeasuredBands) -> dict[str, NDArray[np.float64]]:
    """The frequencies of both transforms, in cycles per path."""
    samples = of.values["profile"].shape[-1]
    step = 1 / (samples - 1)
    return {
        "dft": spectra.dft_frequencies(samples, step),
        "dct": spectra.dct_frequencies(samples, step),
    }


def unit_of(measure: str) -> str:
    """Of a measure, "" for none."""
    return band_study.UNITS.get(measure, "")


def curve(of: MeasuredBands, name: str, course: str, where: NDArray[np.bool_]) -> spectra.Estimate:
    """The mean over networks and some paths of what is an array for each, [n]."""
    values = np.asarray(of.values[name][:, :, COURSES.index(course)], np.float64)[:, where]
    if not values.shape[1]:
        none = spectra.not_enough(0, 2, "paths")
        return experiments.stacked([none] * values.shape[-1])
    return experiments.mean_over_networks(values, items="paths", clusters=of.clusters[where])


def figures(plan: Plan, of: MeasuredBands, found: records.Found) -> dict[str, Figure]:
    """The probability of the class along the way, both spectra, and a few pairs."""
    draw, names, common = records.figures, found.fact("names"), of.where()
    who = experiments.rests_on(len(of), plan.subject.trains).partition(",")[0]
    title = f"{found.fact('images')}, {who}, {common.sum():,} pairs"
    along = np.linspace(0, 1, of.values["profile"].shape[-1])
    spectrum = [
        panel(of, name, common, axis, f"magnitude ({name.upper()})", "cycles per path", "log")
        for name, axis in axes_of(of).items()
    ]
    few = [
        draw.AlongPath(
            f"{names[told['class']]}, {told['kind']}: {told['course']}",
            found.fact(f"distance of {told['name']}"),
            {
                names[c]: found.fact(f"predictions of {told['name']}")[:, j]
                for j, c in enumerate(told["classes"])
            },
            found.fact(f"images of {told['name']}"),
        )
        for told in found.fact("drawn")
    ]
    # Straight ones above, bands below.
    few = few[::2] + few[1::2] if len(few) <= 2 * 3 else few
    drawn = {"paths": draw.predictions_along(few, title=f"{title}; least sure of the first")}
    if not common.any():
        return drawn
    profiles = [
        panel(of, "profile", where, along, "probability of the class", "share of the way")._replace(
            name=f"{kind}, {where.sum():,}"
        )
        for kind in KINDS
        for where in [of.where("common", kind)]
        if where.any()
    ]
    return {
        "profiles": draw.line_panels(profiles, title=title),
        "spectra": draw.line_panels(spectrum, title=title),
        **drawn,
    }


def panel(
    of: MeasuredBands,
    name: str,
    where: NDArray[np.bool_],
    x: NDArray[np.float64],
    ylabel: str,
    xlabel: str,
    yscale: str = "linear",
) -> Panel:
    """A mean curve of every course, with its interval."""
    draw, words = records.figures, {"turned": "bent at random"}
    # Student's interval of a probability may leave what a probability can be.
    ends = (0.0, 1.0) if name == "profile" else (-np.inf, np.inf)
    lines = [
        draw.Line.of(
            x,
            curve(of, name, course, where).map(lambda values: np.clip(values, *ends)),
            words.get(course, course),
            style,
            colour,
        )
        for course, style, colour in zip(COURSES, ("--", "-", ":"), draw.hues(3), strict=True)
    ]
    return draw.Panel(lines, xlabel, ylabel, yscale=yscale)


if __name__ == "__main__":
    experiments.launch("elastic_bands", plan, run, report, growing=("seeds",))
