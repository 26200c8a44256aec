"""Which patterns in an image does a classifier react to? Yin et al. (2019), figure 4.

Every Fourier vector of the image plane, brought to a stated norm in the space of pixels, is added
to held-out images; the map shows by frequency how many predictions are then wrong, and how far the
probabilities move. It is the sensitivity to image frequencies, beside the function frequency of
interpolation.py.

    python launchers/fourier_sensitivity.py --alsologtostderr

trains three small networks on embedded photographs (not CIFAR-10) and takes about 6 minutes on 2
cores. A saved model of your own, which is one network:

    python launchers/fourier_sensitivity.py --from_run=mine.keras --dataset=cifar10

To see: where in the plane networks are sensitive, in what one training differs from the next, and
what augmentation moves (results/fourier_sensitivity).
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags
from numpy.typing import NDArray

from spectral_tf import data, experiments, models, probes, progress, records, runtime, spectra
from spectral_tf.experiments import evaluated

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What is done to the images with every vector: added, or added and subtracted.
SIGNS = {"plus": 1, "both": 2}
MEASURES = {"error": "error", "change": "change of the probabilities"}
# Vectors that are asked about between two saves, about.
VECTORS_AT_ONCE = 1_024

FLAGS = flags.FLAGS
runtime.define_run_flags("fourier_sensitivity", reports=True)
runtime.define_data_flags("photo_patches")
runtime.define_subject_flags(models.CLASSIFIERS, data.AUGMENTATIONS, models.NETWORK_OPTIONS)
runtime.define_seeds_flag(experiments.SEEDS)
with runtime.flag_group("Perturbations"):
    runtime.define_finite_float(
        "norm", 4.0, "L2 norm of what is added to the normalised pixels.", at_least=1e-9
    )
    flags.DEFINE_enum(
        "signs", "both", SIGNS, "Signs: add and subtract (the mean of the two), or add alone."
    )
    flags.DEFINE_integer(
        "num_images", 0, "Number of held-out images, evenly of each class; 0: at most 500.", 0
    )
    flags.DEFINE_integer("block_size", 16, "Fourier vectors in one call of the device.", 1)


class Plan(NamedTuple):
    """What is asked for."""

    subject: evaluated.Subject
    num_images: int  # 0: at most 500.
    norm: float
    signs: str
    outputs: str
    batch_size: int
    block_size: int


def plan() -> Plan:
    """Checks the flags."""
    return Plan(
        evaluated.asked(FLAGS.seeds),
        FLAGS.num_images,
        FLAGS.norm,
        FLAGS.signs,
        FLAGS.outputs,
        FLAGS.batch_size,
        FLAGS.block_size,
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Adds every Fourier vector to held-out images of every network."""
    of = plan.subject.load(page.strategy)
    runtime.check_at_most("num_images", plan.num_images, of.held_out.num_examples)
    labels = data.labels_of(of.held_out)
    number = plan.num_images or min(500, of.held_out.num_examples)
    selection = data.select(of.held_out, evenly(labels, number, page.seed), of.shape)
    data.refuse_unreadable(of.held_out, selection.unreadable.size, number)
    page.begin(of.record)
    found = evaluated.networks(page, of, range(plan.subject.num_networks))
    pixels, classes = data.to_unit(selection.pixels), of.outputs[labels[selection.indices]]
    height, width = of.shape[:2]
    step = max(1, VECTORS_AT_ONCE // width)

    def measured(network: int, rows: range) -> dict[str, NDArray]:
        """What some rows of the plane of vectors change."""
        responses = probes.fourier_responses(
            found.models[network],
            pixels,
            classes,
            of.prepare,
            norm=plan.norm,
            rows=rows,
            signs=plan.signs,
            outputs=plan.outputs,
            batch_size=plan.batch_size,
            block_size=plan.block_size,
            strategy=page.strategy,
        )
        return responses._asdict()

    planes = []
    for network, run_of in progress.track(list(enumerate(found.runs)), "network"):
        parts = []
        for first in range(0, height, step):
            rows = range(first, min(first + step, height))
            name = f"network_{run_of}/rows_{first:03d}"
            kept = page.once(name, functools.partial(measured, network, rows))
            parts.append(probes.Responses(**kept))
        planes.append(probes.whole_plane(parts)._asdict())
    return records.Found(
        facts={
            "dataset": of.held_out.title,
            "images": of.held_out.name,
            "clusters": of.held_out.clusters()[selection.indices],
            "unreadable": selection.unreadable.size,
            **found.facts(),
            "seconds": found.seconds + page.seconds,
            **{name: np.stack([plane[name] for plane in planes]) for name in planes[0]},
        }
    )


def evenly(labels: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Places of so many images, class by class in turn."""
    rng = runtime.generator(seed, "images")
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        turn[members] = np.arange(members.size)
    return order[np.argsort(turn[order], kind="stable")][:number]


def over_images(values: NDArray, clusters: NDArray[np.int64]) -> spectra.Estimate:
    """Mean over networks and images [m, n, ...]; images of one cluster vary together."""
    alone = len(np.unique(clusters)) == len(clusters)
    return experiments.mean_over_networks(
        values, items="images", clusters=None if alone else clusters
    )


class Means(NamedTuple):
    """What is said of all networks.

    Attributes:
      clean: error on images as they are.
      plane: {measure: over networks, images and the plane}.
      rings: {measure: over networks and images, for each ring}.
      networks: {measure: over networks, for each vector, flat}.
    """

    clean: spectra.Estimate
    plane: dict[str, spectra.Estimate]
    rings: dict[str, spectra.Estimate]
    networks: dict[str, spectra.Estimate]


def means_of(found: records.Found) -> Means:
    """Over networks and images; single vectors over networks alone."""
    clusters, maps = found.fact("clusters"), {name: found.fact(name) for name in MEASURES}
    of_images = {name: found.fact(f"ring_{name}") for name in MEASURES}
    sizes = np.bincount(spectra.rings(*maps["error"].shape[1:]).ravel())
    return Means(
        over_images(found.fact("clean_wrong").astype(float), clusters),
        {n: over_images(v @ sizes / sizes.sum(), clusters) for n, v in of_images.items()},
        {n: over_images(v, clusters) for n, v in of_images.items()},
        {
            name: spectra.mean_over_runs(values.reshape(len(values), -1), unit="networks")
            for name, values in maps.items()
        },
    )


def report(plan: Plan, found: records.Found) -> records.Report:
    """The map of the mean network, each network's, and means over rings."""
    errors, clusters = found.fact("error"), found.fact("clusters")
    means, runs = means_of(found), found.fact("runs")
    rests_on = experiments.rests_on(len(runs), plan.subject.trains)
    down, right = spectra.plane_frequencies(*errors.shape[1:])
    worst = errors.mean(axis=0).argmax()
    own: list[dict[str, Any]] = [
        {"cycles": [int(down.flat[i]), int(right.flat[i])], "error": float(error.flat[i])}
        for error in errors
        for i in [error.argmax()]
    ]
    return records.Report(
        tables=tables(found, means),
        arrays={
            "images": {
                **{f"ring_{n}": found.fact(f"ring_{n}").astype(np.float32) for n in MEASURES},
                "clean_wrong": found.fact("clean_wrong"),
                "clusters": clusters,
            }
        },
        figures=figures(plan, found, means),
        summary={
            "rests_on": rests_on,
            "diverged_at_step": found.fact("diverged"),
            "dataset": found.fact("dataset"),
            "num_images": len(clusters),
            "num_clusters": len(np.unique(clusters)),
            "num_vectors": down.size,
            "unreadable_images": found.fact("unreadable"),
            "clean_error": means.clean,
            **{f"mean_{name}": mean for name, mean in means.plane.items()},
            "worst": {
                "cycles": [int(down.flat[worst]), int(right.flat[worst])],
                "error_of_networks_that_did_not_choose": chosen_by_others(errors),
            },
            "worst_of_networks": own,
            "correlation_of_maps": {n: alike(found.fact(n)) for n in MEASURES if len(runs) > 1},
        },
        lines=[
            f"{rests_on}, on {len(clusters):,} held-out images of {found.fact('dataset')}, "
            f"norm {plan.norm:g}:",
            f"wrong as they are: {means.clean.text('.3f')}",
            f"wrong on average over the plane: {means.plane['error'].text('.3f')}",
            f"change of the probabilities over the plane: {means.plane['change'].text('.3f')}",
            *(
                f"network {run}: most ({most['error']:.3f}) at {most['cycles'][0]} cycles down and "
                f"{most['cycles'][1]} right"
                for run, most in zip(runs, own, strict=True)
            ),
            *experiments.lost(found.fact("diverged")),
            *found.facts.get("goal", ()),
        ],
    )


def tables(found: records.Found, means: Means) -> dict[str, records.Table]:
    """The plane of the mean network and of each, and the rings."""
    maps = {name: found.fact(name) for name in MEASURES}
    down, right = spectra.plane_frequencies(*maps["error"].shape[1:])
    vectors = list(zip(down.ravel(), right.ravel(), np.hypot(down, right).ravel(), strict=True))
    sizes = np.bincount(spectra.rings(*down.shape).ravel())
    return {
        "sensitivity": records.Table(
            ("cycles_down", "cycles_right", "frequency", *MEASURES),
            [
                (*vector, *(means.networks[name][i] for name in MEASURES))
                for i, vector in enumerate(vectors)
            ],
        ),
        "networks": records.Table(
            ("network", "cycles_down", "cycles_right", *MEASURES),
            [
                (run, *vector[:2], *(maps[name][m].flat[i] for name in MEASURES))
                for m, run in enumerate(found.fact("runs"))
                for i, vector in enumerate(vectors)
            ],
        ),
        "rings": records.tidy(
            {"frequency": np.arange(len(sizes))}, num_vectors=sizes, **means.rings
        ),
    }


def chosen_by_others(maps: NDArray[np.float64]) -> spectra.Estimate:
    """The error of each network [m, h, w] at the vector that is worst for the mean of the others.

    The largest of a thousand is large by chance, too; the others' chance is not this network's.
    """
    flat = maps.reshape(len(maps), -1)
    if len(flat) < 2:
        return spectra.not_enough(len(flat), 2, "networks")
    others = (flat.sum(axis=0) - flat).argmax(axis=1)
    return spectra.mean_over_runs(flat[np.arange(len(flat)), others], unit="networks")


def alike(maps: NDArray[np.float64]) -> dict[str, float | None]:
    """Pearson's correlation over vectors of the maps [m, h, w] of every two networks.

    None where one of them is the same everywhere.
    """
    flat = maps.reshape(len(maps), -1)
    found: dict[str, float | None] = {}
    for i, j in itertools.combinations(range(len(maps)), 2):
        varies = min(np.ptp(flat[i]), np.ptp(flat[j])) > 0
        found[f"{i} and {j}"] = float(np.corrcoef(flat[i], flat[j])[0, 1]) if varies else None
    return found


def figures(plan: Plan, found: records.Found, means: Means) -> dict[str, Figure]:
    """The mean map, small maps of each network beside it, and the rings, each network's dotted."""
    draw = records.figures
    maps = {name: found.fact(name) for name in MEASURES}
    of_images = {name: found.fact(f"ring_{name}") for name in MEASURES}
    num_networks, num_images = of_images["error"].shape[:2]
    who = experiments.rests_on(num_networks, plan.subject.trains).partition(",")[0]
    title = f"{found.fact('images')}, {who}, norm {plan.norm:g}, {num_images:,} images"
    rows = {
        MEASURES[name]: {f"mean of {num_networks} networks": values.mean(axis=0)}
        | {f"network {run}": own for run, own in zip(found.fact("runs"), values, strict=True)}
        if num_networks > 1
        else {MEASURES[name]: values[0]}
        for name, values in maps.items()
    }
    colour = draw.BLUE
    numbers = np.arange(len(means.rings["error"]))

    def panel(name: str, mean: spectra.Estimate) -> draw.Panel:
        each = of_images[name].mean(axis=1)[num_networks == 1 :]
        lines = [
            draw.Line.of(numbers, mean, "mean of a ring", colour=colour),
            *(draw.Line(numbers, y, "one network", style=":", colour=colour) for y in each),
        ]
        levels = {"images as they are": float(means.clean.value)} if name == "error" else {}
        return draw.Panel(lines, "frequency [cycles per image]", MEASURES[name], levels)

    panels = [panel(name, mean) for name, mean in means.rings.items()]
    return {
        "plane": draw.plane_maps(rows, title=title),
        "rings": draw.line_panels(panels, title=title),
    }


if __name__ == "__main__":
    experiments.launch("fourier_sensitivity", plan, run, report, growing=("seeds",))
