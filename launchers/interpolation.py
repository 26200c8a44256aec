"""How fast do the predictions of a classifier change on the way from one image to another.

The second method of Fridovich-Keil et al. (2022): straight paths between held-out images, within a
class and between two, the probabilities along them, and what they do there: their spectra, the
high-frequency fractions that were published with the method, and what does not depend on how
densely a path is sampled or in which unit. Where each measure comes from, and what is unknown of
the paper's own, stands in `spectral_tf.spectra.path`. Paths may also change the Fourier amplitudes
or phases alone of one image into those of another, as RobustNets does, end on training images or on
those of a shifted set, or go from single images along their gradient, a random or a Fourier
direction; and norms of Jacobians be taken along them.

    python launchers/interpolation.py --alsologtostderr

trains three small networks on embedded photographs (not CIFAR-10), asks all of them about the same
paths, and takes about 3 minutes on 2 cores. A saved model of your own, which is one network:

    python launchers/interpolation.py --from_run=mine.keras --dataset=cifar10 --outputs=logits

To see: between classes predictions vary more than within, by the published fraction and in total;
what varies is of lower frequency there, since most of it is one change of class
(results/interpolation).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags, logging
from numpy.typing import NDArray

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
)
from spectral_tf.errors import UserError
from spectral_tf.experiments import evaluated, path_study
from spectral_tf.experiments.measured_paths import (
    CURVES,
    PER_PATH,
    TRANSFORMS,
    MeasuredPaths,
)
from spectral_tf.experiments.path_study import Family
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectral_tf.experiments.evaluated import Evaluated
    from spectral_tf.probes import Paths, Prepare
    from spectral_tf.records.figures import Line, Panel

FLAGS = flags.FLAGS
runtime.define_run_flags("interpolation", reports=True)
runtime.define_data_flags("photo_patches")
runtime.define_subject_flags(models.CLASSIFIERS, data.AUGMENTATIONS, models.NETWORK_OPTIONS)
runtime.define_seeds_flag(experiments.SEEDS)
runtime.define_class_subset_flag()
runtime.define_shift_flag()
with runtime.flag_group("Paths"):
    flags.DEFINE_enum(
        "along",
        "pairs",
        (*CURVES, "gradient", "random", "fourier"),
        "Straight paths between pairs of images, paths along the low Fourier amplitudes or phases "
        "of the other image, or along directions from each image.",
    )
    flags.DEFINE_enum(
        "end_on",
        "held_out",
        path_study.ENDS,
        "Images that paths begin and end on: held out, of the training, or of --shifted.",
    )
    runtime.define_path_flags(pairs=15)
    flags.DEFINE_integer(
        "between_pairs", 3, "Number of paths between each two classes; 0: as --pairs.", 0
    )
    runtime.define_finite_float(
        "length",
        20.0,
        "Length of paths along directions, L2 of the model's inputs.",
        at_least=1e-6,
    )
    runtime.define_finite_float(
        "spatial_frequency", 4.0, "Cycles per image of a Fourier direction.", at_least=0.0
    )
    runtime.define_jacobian_flag()
    flags.DEFINE_list(
        "transforms",
        list(TRANSFORMS),
        f"Spectra to tell: some of {', '.join(path_study.TRANSFORMS)} (the released code's power).",
    )
    flags.DEFINE_integer("drawn", 6, "Number of paths drawn with their images.", 1, 60)

# Of paths along directions, unless --num_samples tells otherwise.
LOCAL_SAMPLES = 64


class Plan(NamedTuple):
    """What is asked for."""

    subject: evaluated.Subject
    classes: list[int]  # That take part; none: all.
    along: str
    end_on: str
    pairs: int
    between_pairs: int
    num_samples: int  # 0: by distance.
    length: float
    spatial_frequency: float
    jacobian_points: int  # 0: none.
    transforms: list[str]
    drawn: int
    outputs: str
    batch_size: int
    seed: int


def plan() -> Plan:
    """Checks the flags."""
    subject = evaluated.asked(FLAGS.seeds)
    refuse_flags(subject)
    transforms = runtime.parse_choices("transforms", FLAGS.transforms, path_study.TRANSFORMS)
    return Plan(
        subject,
        runtime.asked_classes(),
        FLAGS.along,
        FLAGS.end_on,
        FLAGS.pairs,
        FLAGS.between_pairs or FLAGS.pairs if FLAGS.along in CURVES else 0,
        FLAGS.num_samples,
        FLAGS.length,
        FLAGS.spatial_frequency,
        runtime.check_jacobian_flag(FLAGS.outputs),
        transforms,
        FLAGS.drawn,
        FLAGS.outputs,
        FLAGS.batch_size,
        FLAGS.seed,
    )


def refuse_flags(subject: evaluated.Subject) -> None:
    """Raises a UserError for flags that do not go together."""
    wants = "--along=gradient" if FLAGS.along == "gradient" else "--jacobian_points"
    if (FLAGS.along == "gradient" or FLAGS.jacobian_points) and getattr(
        subject, "is_function", False
    ):
        raise UserError(
            wants,
            expected="a network with its layers, which gives gradients",
            got=f"{FLAGS.from_run}, a SavedModel, which is used as an inference layer",
            hint="save the network with model.save(PATH.keras)",
        )
    if FLAGS.along == "gradient" and FLAGS.outputs != "logits":
        raise UserError(
            "--along=gradient",
            expected="--outputs=logits",
            got=FLAGS.outputs,
            hint="save the model without its softmax or sigmoid",
        )
    used = {
        "length": FLAGS.along not in CURVES,
        "spatial_frequency": FLAGS.along == "fourier",
        "between_pairs": FLAGS.along in CURVES,
    }
    for name, useful in used.items():
        if not useful and FLAGS[name].value != FLAGS[name].default:  # As flagfiles repeat it.
            raise UserError(
                f"--{name}",
                expected="an --along that it is for",
                got=f"{FLAGS[name].value:g} with --along={FLAGS.along}",
                hint="leave it out",
            )
    if FLAGS.end_on == "shifted" and not FLAGS.shifted:
        raise UserError(
            "--end_on=shifted",
            expected="the name of a shifted data set",
            got="none",
            hint="say --shifted=cifar10_1/v6 with --dataset=cifar10",
        )
    if FLAGS.application and FLAGS.end_on == "training":
        raise UserError(
            "--end_on=training",
            expected="a network whose training images are at hand",
            got=f"--application={FLAGS.application}",
            hint="leave it out, or name the split with --held_out",
        )
    if FLAGS.application and FLAGS.jacobian_points:
        raise UserError(
            "--jacobian_points",
            expected="a network whose inputs are normalised pixels, since norms are per pixel",
            got=f"--application={FLAGS.application}, which prepares them itself",
            hint="leave it out",
        )
    if FLAGS.application and FLAGS.along in CURVES and not FLAGS.num_samples:
        raise UserError(
            "--num_samples",
            expected="4 or more with an --application, whose distances are in thousands",
            got="0, one for every unit of distance",
            hint="100 is usual",
        )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Asks all networks about their paths, at the confidence that is theirs and at a common one."""
    of = plan.subject.load(page.strategy)
    drawn = drawn_pairs(plan, page, of)
    looked = held_out_images(plan, page, of, drawn)
    page.begin(of.record | ({"shifted": of.shifted.version} if of.shifted else {}))
    if drawn.unreadable:
        logging.warning("%d images cannot be read and are left out", drawn.unreadable)
    networks = evaluated.networks(page, of, range(plan.subject.num_networks))
    logging.info("interpolation: %d paths, %d networks", len(drawn.classes), len(networks.models))
    families, prepare = asked_paths(plan, page, networks.models, drawn, of)
    paths = families[0].paths
    # Paths of different lengths with equally many samples have nothing but the path in common.
    per_path = bool(plan.num_samples) and plan.along in CURVES
    step = 1 / (paths.counts - 1) if per_path else paths.spacing
    axis = spectra.spectrum_axis(paths.counts, step)

    def along_paths(model: Callable[[Any], Any], family: Family) -> dict[str, Any]:
        """Everything of one network."""
        whole = confidence(plan, page, model, looked, of)
        row = path_study.measure(
            model,
            family._replace(labels=of.outputs[family.labels]),
            prepare,
            whole["temperature"],
            batch_size=plan.batch_size,
            strategy=page.strategy,
            outputs=plan.outputs,
            frequencies=axis,
            per_path=per_path,
            jacobian_points=plan.jacobian_points,
            deviation=of.deviation,
        )
        lengths = family.paths.pixel_distances
        row |= {name: row[of_unit] * lengths for of_unit, name in PER_PATH.items()}
        return row | {"distance": family.paths.distances, "pixel_distance": lengths} | whole

    rows = [
        # Images without a gradient are left out: how many there are tells which.
        page.once(
            f"network_{run_of}/{len(paths.counts)}_paths",
            functools.partial(along_paths, model, family),
        )
        for run_of, model, family in progress.track(
            list(zip(networks.runs, networks.models, families, strict=True)), "network"
        )
    ]
    found = together(plan, rows, families[0], axis, per_path, of)
    facts = {
        **found.facts(),
        **looked_at(plan, page, networks.models[0], families[0], found, prepare, of),
        "dataset": of.held_out.title,
        "images": of.held_out.name,
        "names": list(of.held_out.label_names),
        "shifted": of.shifted.name if of.shifted else "",
        "unreadable": drawn.unreadable,
        **networks.facts(),
        "seconds": networks.seconds + page.seconds,
    }
    return records.Found(facts=facts)


def drawn_pairs(plan: Plan, page: experiments.Page, of: Evaluated) -> Family:
    """Pairs of images, and the paths between them."""
    if plan.along == "fourier":  # Refuses what such images cannot have.
        tasks.fourier_direction(of.shape, plan.spatial_frequency, 45.0)
    images = {"held_out": of.held_out, "training": of.training, "shifted": of.shifted}[plan.end_on]
    assert images  # Else the flags are refused.
    return path_study.family(
        plan.end_on,
        images,
        of.prepare,
        pairs=plan.pairs,
        between_pairs=plan.between_pairs,
        seed=runtime.derive_seed(page.seed, "pairs"),
        num_samples=plan.num_samples,
        classes=runtime.class_subset(plan.classes, of.held_out.num_classes),
        input_shape=of.shape,
        curve=CURVES.get(plan.along, "straight"),
        deviation=of.deviation,
    )


class Looked(NamedTuple):
    """Held-out images at which networks are looked at as a whole.

    Attributes:
      pixels, labels: of all that were read.
      free: which ones no path ends on, bool [n].
    """

    pixels: NDArray
    labels: NDArray
    free: NDArray[np.bool_]


def held_out_images(plan: Plan, page: experiments.Page, of: Evaluated, drawn: Family) -> Looked:
    """Those that were read for paths, or where paths end on others, all (of a large set some)."""
    if plan.end_on == "held_out":
        return Looked(drawn.pixels, drawn.labels, path_study.off_the_paths(drawn))
    pixels, labels = path_study.some_images(
        of.held_out, of.shape, runtime.derive_seed(page.seed, "looked")
    )
    return Looked(pixels, labels, np.ones(len(labels), bool))


def together(
    plan: Plan,
    rows: Sequence[Mapping[str, NDArray]],
    family: Family,
    axis: NDArray,
    per_path: bool,
    of: Evaluated,
) -> MeasuredPaths:
    """What was measured of all networks; spectra are at `axis`."""
    paths = family.paths
    step = 1 / (paths.counts - 1) if per_path else paths.spacing
    every = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return MeasuredPaths(
        along=plan.along,
        networks={name: values for name, values in every.items() if values.ndim == 1},
        classes=family.classes,
        counts=paths.counts,
        values={name: values for name, values in every.items() if values.ndim > 1},
        # The far end of a path from a single image has no label.
        correct=every["correct"] if plan.along in CURVES else every["endpoints_correct"][..., 0],
        finite=np.logical_and.reduce(every["finite"]),
        frequencies=axis,
        unit="cycles per path" if per_path else "cycles per unit of distance",
        highest=float(spectra.nyquist(step).max()),
        in_pixels=plan.along == "pairs" or of.show is not None,
        ends=plan.end_on,
    )


def asked_paths(
    plan: Plan,
    page: experiments.Page,
    networks: Sequence[Callable[[Any], Any]],
    drawn: Family,
    of: Evaluated,
) -> tuple[list[Family], Prepare]:
    """The paths that each network is asked about, and the preparation of what they are between.

    Between images they are the drawn ones. Along directions they begin at the first images of the
    drawn pairs, the same for all networks, and images at which the gradient of one of them vanishes
    are left out.
    """
    if plan.along in CURVES:
        return [drawn] * len(networks), of.prepare

    first = drawn.paths.pairs.first
    images, labels = np.asarray(of.prepare(drawn.pixels[first])), drawn.labels[first]
    classes, there = drawn.classes, np.ones(len(first), bool)
    if plan.along == "gradient":
        outputs = of.outputs[labels]
        directions = [
            probes.gradients(
                model, images, outputs, batch_size=plan.batch_size, strategy=page.strategy
            )
            for model in networks
        ]
        there = np.logical_and.reduce([np.any(d != 0, axis=(1, 2, 3)) for d in directions])
        if not there.all():
            logging.warning("%d images without a gradient are left out", np.sum(~there))
        directions = [d[there] for d in directions]
    elif plan.along == "random":
        rng = runtime.generator(page.seed, "directions")
        directions = [rng.normal(size=images.shape).astype(np.float32)] * len(networks)
    else:
        wave, _ = tasks.fourier_direction(of.shape, plan.spatial_frequency, 45.0)
        directions = [wave] * len(networks)
    families = []
    for direction in directions:
        ends, paths = probes.local_paths(
            images[there], direction, plan.length, plan.num_samples or LOCAL_SAMPLES
        )
        if of.show:
            x, y = (np.asarray(of.show(ends[end]), np.float64) for end in paths.pairs)
            away = np.sqrt(np.sum((y - x).reshape(len(x), -1) ** 2, axis=1))
            paths = paths._replace(pixel_distances=away)
        families.append(Family(plan.end_on, ends, np.tile(labels[there], 2), classes[there], paths))
    return families, probes.as_they_are


def confidence(
    plan: Plan,
    page: experiments.Page,
    model: Callable[[Any], Any],
    looked: Looked,
    of: Evaluated,
) -> dict[str, float]:
    """Accuracy on images that no path ends on, and the temperature of the common confidence.

    If they were asked for, norms of Jacobians there, and the accuracy on a shifted set, with that
    on all held-out images beside it.
    """
    asked: dict[str, Any] = {"batch_size": plan.batch_size, "strategy": page.strategy}

    def looks(pixels: NDArray, labels: NDArray) -> tuple[NDArray, float]:
        given = probes.outputs(model, pixels, of.prepare, **asked)
        predicted = probes.predictions_of(given, plan.outputs)
        return given, float(np.mean(predicted == of.outputs[labels]))

    free = looked.pixels[looked.free]
    given, accuracy = looks(free, looked.labels[looked.free])
    temperature = probes.temperature_of(given, plan.outputs)
    found = {"accuracy": accuracy, "temperature": temperature}
    if plan.jacobian_points:
        found |= path_study.image_jacobians(
            model,
            free,
            of.prepare,
            temperature,
            deviation=of.deviation,
            outputs=plan.outputs,
            **asked,
        )
    if of.shifted:
        pixels, labels = path_study.some_images(
            of.shifted, of.shape, runtime.derive_seed(page.seed, "shifted")
        )
        found["held_out_accuracy"] = looks(looked.pixels, looked.labels)[1]
        found["shifted_accuracy"] = looks(pixels, labels)[1]
        line = spectra.line_of(of.held_out.name, of.shifted.name)
        if line:
            told = found["held_out_accuracy"], found["shifted_accuracy"]
            found["effective_robustness"] = float(spectra.effective_robustness(*told, line))
    return found


def looked_at(
    plan: Plan,
    page: experiments.Page,
    model: Callable[[Any], Any],
    family: Family,
    found: MeasuredPaths,
    prepare: Prepare,
    of: Evaluated,
) -> dict[str, Any]:
    """Facts of a few paths: what the first network predicts there and the images on them.

    As many within as between if there are both.
    """
    rng = runtime.generator(page.seed, "drawn")
    chosen = [np.flatnonzero(where) for where in found.pair_types.values()]
    each = math.ceil(plan.drawn / len(chosen))
    few = np.concatenate([rng.permutation(c)[:each] for c in chosen])[: plan.drawn]
    paths = family.paths.of(few)
    facts: dict[str, Any] = {"drawn": []}
    logits = probes.path_logits(
        model, family.pixels, paths, prepare, batch_size=plan.batch_size, strategy=page.strategy
    )
    for i, outputs in enumerate(logits):
        p = probes.probabilities_of(outputs, plan.outputs)
        peaks = p[:, of.outputs].max(axis=0)
        ends = found.classes[few[i]].tolist()
        seen = {int(c) for c in np.argsort(-peaks)[:4] if peaks[c] > 0.1} | set(ends)
        facts["drawn"].append({"ends": ends, "classes": sorted(seen)})
        facts[f"distance of {i}"] = paths.spacing[i] * np.arange(len(p))
        facts[f"predictions of {i}"] = p[:, of.outputs[sorted(seen)]]
        facts[f"images of {i}"] = images_along(family.pixels, paths.of([i]), prepare, of)
    return facts


def images_along(
    pixels: NDArray, path: Paths, prepare: Prepare, of: Evaluated, count: int = 7
) -> NDArray:
    """A few images on the way of a path, in pixels of [0, 1]; none where these are not known."""
    ends = pixels[np.concatenate(path.pairs)]
    if path.curve == "straight" and prepare is of.prepare:  # Stored pixels, as they are.
        x, y = data.to_unit(ends)
        shares = np.linspace(0, 1, count)[:, None, None, None]
        return (1 - shares) * x + shares * y
    if of.show is None:
        return np.empty(0)
    samples = probes.sampler(path.curve)
    there = np.asarray(prepare(ends), np.float32)
    shares = np.linspace(0, 1, count, dtype=np.float32)
    return of.show(samples(there, np.zeros(count, np.int32), shares).numpy())


def report(plan: Plan, found: records.Found) -> records.Report:
    """Means over networks and paths, their spectra, and claim C0."""
    of = MeasuredPaths.of_facts(found.facts)
    findings = of.claims()
    rests_on = experiments.rests_on(len(of), plan.subject.trains)
    kept = {
        f"{pair_type}, {transform}": of.spectrum(transform, where).kept
        for pair_type, where in of.pair_types.items()
        for transform in plan.transforms
    }
    # Where no frequency is told by enough paths there is no spectrum.
    reach = {name: float(of.frequencies[own].max()) for name, own in kept.items() if own.any()}
    return records.Report(
        tables=tables(plan, of, findings, found.fact("runs")),
        figures=figures(plan, found, of),
        summary=summary(found, of, rests_on, reach, findings),
        lines=[
            f"{rests_on}, on {of.ends.replace('_', '-')} images of {found.fact('dataset')}",
            *closing(of, findings),
            *robustness(of, found.facts.get("shifted", "")),
            f"spectra reach, of {of.highest:.3f} {of.unit} at most: "
            + "; ".join(f"{name} {frequency:.3f}" for name, frequency in reach.items()),
            "(what fewer than half of the paths can tell is left out)",
            *path_study.few_samples(of.counts),
            *experiments.lost(found.fact("diverged")),
            *found.facts.get("goal", ()),
        ],
    )


def summary(
    found: records.Found,
    of: MeasuredPaths,
    rests_on: str,
    reach: Mapping[str, float],
    findings: Sequence[Finding],
) -> dict[str, Any]:
    """What was measured, in numbers; `reach`: how far each spectrum goes."""
    whole = [*of.measures, *PER_PATH.values()]
    more = {
        name: mean_of_networks(of, name)
        for name in (*path_study.AT_IMAGES, *path_study.UNDER_SHIFT)
        if name in of.networks
    }
    return {
        "rests_on": rests_on,
        "diverged_at_step": found.fact("diverged"),
        "dataset": found.fact("dataset"),
        "networks": {name: values.tolist() for name, values in of.networks.items()},
        "num_paths": {name: int(where.sum()) for name, where in of.pair_types.items()},
        "common_paths": {
            pair_type: int(where.sum())
            for (pair_type, paths), where in of.chosen.items()
            if paths == "common"
        },
        "paths_not_finite": int(np.sum(~of.finite)),
        "unreadable_images": found.fact("unreadable"),
        "share_of_correct_paths": of.correct.mean(axis=1).tolist(),
        "mean_pixel_distance": {
            pair_type: float(of.values["pixel_distance"][:, where].mean())
            for pair_type, where in of.pair_types.items()
        },
        "nyquist_frequency": {"value": of.highest, "unit": of.unit},
        "spectra_reach": reach,
        "means": {
            pair_type: {
                paths: {name: of.mean(name, of.chosen[pair_type, paths]) for name in whole}
                for paths in ("all", "common")
            }
            for pair_type in of.pair_types
        },
        "claims": {
            f"{f.claim}, {f.reading}": {"direction": f.direction, **f.estimate.record()}
            for f in findings
            if f.primary
        },
        **more,
    }


def mean_of_networks(of: MeasuredPaths, name: str) -> spectra.Estimate:
    """The mean over networks of what each of them has as a whole."""
    return spectra.mean_over_runs(of.networks[name], unit="networks")


def robustness(of: MeasuredPaths, shifted: str) -> list[str]:
    """What the networks do on a shifted set, in words; nothing where there is none."""
    if not shifted:
        return []
    lines = [f"accuracy on {shifted}: {mean_of_networks(of, 'shifted_accuracy').text('.3f')}"]
    if "effective_robustness" not in of.networks:
        return [*lines, "(no line is known on which classifiers lie there)"]
    more = mean_of_networks(of, "effective_robustness").text("+.3f")
    return [*lines, f"effective robustness, above the line of {shifted}: {more}"]


def closing(of: MeasuredPaths, findings: Sequence[Finding]) -> list[str]:
    """The means and the claim in words."""
    accuracies = ", ".join(f"{a:.3f}" for a in of.networks["accuracy"])
    lines = [f"accuracy on images that no path ends on: {accuracies}"]
    for (pair_type, paths), where in of.chosen.items():
        kind = "all paths" if paths == "all" else "paths that all networks classify correctly"
        lines.append(f"{pair_type}, {kind} ({where.sum():,}):")
        more = [name for name in path_study.OPTIONAL if name in of.values]
        for name in ("dft_share", "dct_share", "centroid", "matched_centroid", *more):
            text = of.mean(name, where).text(".3f", unit=of.unit_of(name))
            lines.append(f"{name.replace('_', ' '):>18}: {text}")
    return lines + [
        f"{f.claim}, between above within, {f.reading}: {f.estimate.text('+.3f')}"
        for f in findings
        if f.primary
    ]


def tables(
    plan: Plan, of: MeasuredPaths, findings: Sequence[Finding], runs: Sequence[int]
) -> dict[str, records.Table]:
    """Every network, every path, the means over networks and paths, their spectra, the claim."""
    told = ("distance", "pixel_distance", *of.measures)
    common = spectra.common_paths(of.correct)
    return {
        "networks": records.tidy({"network": runs}, **of.networks),
        "paths": records.Table(
            ("path", "network", "first_class", "last_class", "num_samples", "correct", *told),
            [
                (
                    *(p, run, *of.classes[p], of.counts[p], int(of.correct[m, p])),
                    *(of.values[name][m, p] for name in told),
                )
                for p in np.flatnonzero(of.finite)
                for m, run in enumerate(runs)
            ],
        ),
        "measures": records.Table(
            ("pair_type", "paths", "num_paths", "network", "measure", "unit", "mean"),
            [
                (
                    pair_type,
                    paths,
                    of.measured(name, where).sum(),
                    who,
                    name,
                    of.unit_of(name),
                    mean,
                )
                for (pair_type, paths), where in of.chosen.items()
                for name in (*of.measures, *PER_PATH.values())
                for who, mean in means(of, name, where, runs).items()
            ],
        ),
        "classes": records.Table(
            ("first_class", "last_class", "num_paths", "common_paths", "measure", "mean"),
            [
                (first, last, where.sum(), (where & common).sum(), name, of.mean(name, where))
                for first, last, where in of.couples()
                for name in of.measures
            ],
        ),
        # Frequencies that too few paths tell have the reason in place of a mean.
        "spectra": records.Table(
            ("pair_type", "paths", "transform", "frequency", "unit", "num_paths", "magnitude"),
            [
                (*chosen, transform, frequency, of.unit, num_paths, estimate)
                for chosen, where in of.chosen.items()
                for transform in plan.transforms
                for told in [of.spectrum(transform, where)]
                for frequency, num_paths, estimate in zip(
                    of.frequencies, told.num_paths, told.estimates, strict=True
                )
            ],
        ),
        **({"claims": records.Table(Finding._fields, findings)} if findings else {}),
    }


def means(
    of: MeasuredPaths, name: str, where: NDArray[np.bool_], runs: Sequence[int]
) -> Mapping[str | int, spectra.Estimate]:
    """The mean over networks, and that of each."""
    counted = of.measured(name, where)
    each = [
        spectra.mean_over_clusters(values, where=counted, unit="paths of one network")
        for values in of.values[name]
    ]
    return {"mean": of.mean(name, where), **dict(zip(runs, each, strict=True))}


def figures(plan: Plan, found: records.Found, of: MeasuredPaths) -> dict[str, Figure]:
    """Mean spectra, what every two classes have, and a few paths."""
    draw, names = records.figures, found.fact("names")
    who = experiments.rests_on(len(of), plan.subject.trains).partition(",")[0]
    title = f"{found.fact('images')}, {who}, {of.finite.sum():,} paths"
    whose = "the first" if len(of) > 1 else "it"
    few = [
        draw.AlongPath(
            " → ".join(dict.fromkeys(names[c] for c in told["ends"])),
            found.fact(f"distance of {i}"),
            {
                names[c]: found.fact(f"predictions of {i}")[:, j]
                for j, c in enumerate(told["classes"])
            },
            found.fact(f"images of {i}"),
        )
        for i, told in enumerate(found.fact("drawn"))
    ]
    drawn = {
        "spectra": draw.line_panels(spectrum_panels(plan, of), title=title),
        "paths": draw.predictions_along(few, title=f"{title}; predictions of {whose}"),
    }
    classes = np.unique(of.classes)
    if len(classes) < 2 or not of.joins:
        return drawn
    short = [names[c][:12] for c in classes]
    for name, measures, label in (
        ("classes", ("dft_share", "dct_share"), "share of high frequencies"),
        ("classes_centroid", ("centroid", "matched_centroid"), of.unit_of("centroid")),
    ):
        matrices = {m.replace("_", " "): of.matrix(m) for m in measures}
        drawn[name] = draw.grid_map(
            short,
            short,
            matrices,
            xlabel="class",
            ylabel="class",
            label=label,
            title=title,
            limits=(0.0, max(float(np.nanmax(m)) for m in matrices.values())),
        )
    return drawn


def spectrum_panels(plan: Plan, of: MeasuredPaths) -> list[Panel]:
    """All transforms with the networks' own spectra thin, and the paths behind each point."""
    draw = records.figures
    panels, counted, needed = [], [], {}
    colours = dict(zip(of.pair_types, draw.hues(2), strict=False))
    marks = {"dft": "-", "dct": "-.", "released": ":"}
    for transform in plan.transforms:
        series: list[Line] = []
        untold = np.zeros(of.frequencies.size, bool)
        for (pair_type, paths), where in of.chosen.items():
            if where.sum() < 2:
                continue
            told, colour = of.spectrum(transform, where), colours[pair_type]
            everywhere = paths == "all"
            style = "-" if everywhere else "--"
            text = pair_type if everywhere else f"{pair_type}, correct for all"
            mean = experiments.stacked(told.estimates)
            series.append(draw.Line.of(of.frequencies, mean, text, style, colour=colour))
            if not everywhere:
                continue
            untold |= ~told.kept
            # A label that begins with _ is not in the legend.
            series += [
                draw.Line(
                    of.frequencies,
                    own,
                    "_" if m else f"{pair_type}, one network",
                    style=":",
                    colour=colour,
                )
                for m, own in enumerate(told.of_networks[: len(of) * (len(of) > 1)])
            ]
            name = f"paths {pair_type}, {spectrum_name(transform)}"
            counted.append(
                draw.Line(
                    of.frequencies, told.num_paths, name, style=marks[transform], colour=colour
                )
            )
            needed[f"{pair_type}: needed for a mean"] = told.needed
        panels.append(
            draw.Panel(
                series,
                of.unit,
                "power" if transform == "released" else "magnitude",
                name=spectrum_name(transform),
                yscale="log",
                left_out=spans(of.frequencies, untold),
                left_out_name="too few paths",
            )
        )
    panels.append(draw.Panel(counted, of.unit, "paths", needed, name="paths behind a point"))
    return panels


def spectrum_name(transform: str) -> str:
    """What figures call a transform."""
    return "released code's" if transform == "released" else transform.upper()


def spans(x: NDArray[np.float64], chosen: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """What chosen ones of rising positions take up, each half of the way to its neighbours."""
    middles = (x[1:] + x[:-1]) / 2
    edges = np.concatenate([x[:1], middles, x[-1:]])
    return [(float(edges[i]), float(edges[i + 1])) for i in np.flatnonzero(chosen)]


if __name__ == "__main__":
    experiments.launch("interpolation", plan, run, report, growing=("seeds",))
