"""Which patterns in an image does a classifier react to? Yin et al. (2019), figure 4.

Every Fourier vector of the image plane, brought to a stated norm in the space of pixels, is added
to held-out images; the map shows by frequency how many answers are then wrong, and how far the
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

import itertools
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from absl import flags
from numpy.typing import NDArray

from spectral_tf import data, models, records, runtime, spectra
from spectral_tf.experiments.networks import SEEDS, mean_over_networks, rests_on
from spectral_tf.experiments.subject import Subject
from spectral_tf.runtime.progress import Progress

if TYPE_CHECKING:
    from spectral_tf.probes.fourier import FourierSensitivity

# What is done to the images with every vector: added, or added and subtracted.
SIGNS = {"plus": 1, "both": 2}
MEASURES = {"error": "share of wrong answers", "change": "change of the probabilities"}

FLAGS = flags.FLAGS
runtime.define_run_flags("fourier_sensitivity")
runtime.define_data_flags("photo_patches")
runtime.define_subject_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
flags.DEFINE_integer("seeds", SEEDS, "Networks that are trained; a saved one is one.", 1)
runtime.define_finite_float("norm", 4.0, "L2, of what is added to the pixels.", at_least=1e-9)
flags.DEFINE_enum("signs", "both", SIGNS, "Add and subtract (the mean of the two), or add alone.")
flags.DEFINE_integer("num_images", 0, "Held-out images, evenly of each class; 0: at most 500.", 0)
flags.DEFINE_integer("block_size", 16, "Vectors in one call of the device.", 1)


def main() -> None:
    """Runs the experiment that the flags describe."""
    subject = Subject(runtime.settings(), FLAGS.save_every_seconds)
    num_networks = subject.num_networks(FLAGS.seeds)
    folder = runtime.run_folder("fourier_sensitivity", growing=("seeds",))

    from spectral_tf.data.selection import labels_of, refuse_unreadable, select
    from spectral_tf.probes.fourier import fourier_sensitivity
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    subject.load(strategy, runtime.data_places())
    held_out = subject.held_out
    runtime.refuse_above("num_images", FLAGS.num_images, held_out.num_examples)
    labels = labels_of(held_out)
    number = FLAGS.num_images or min(500, held_out.num_examples)
    selection = select(held_out, evenly(labels, number), subject.shape)
    refuse_unreadable(held_out, selection.unreadable.size, number)
    labels = labels[selection.places]
    folder.start(environment(strategy, FLAGS.seed, subject.record()))
    trained = [subject.train(folder.part(f"seed_{run}"), run) for run in range(num_networks)]
    start = time.monotonic()
    height, width = subject.shape[:2]
    found = []
    for model, _ in trained:
        progress = Progress(height * width, 0, 1, "vector")
        of_network = fourier_sensitivity(
            model,
            data.to_unit(selection.pixels),
            subject.outputs[labels],
            subject.prepare,
            norm=FLAGS.norm,
            signs=FLAGS.signs,
            outputs=FLAGS.outputs,
            batch_size=FLAGS.batch_size,
            block_size=FLAGS.block_size,
            progress=progress.update,
        )
        progress.close()
        found.append(of_network)
    sessions = [session for _, session in trained if session]
    seconds = time.monotonic() - start + sum(session.seconds for session in sessions)
    if folder.writes:
        clusters = held_out.clusters()[selection.places]
        report(folder, subject, found, clusters, selection.unreadable.size, seconds)
    for session in sessions:
        session.wait_for_all()


def evenly(labels: np.ndarray, number: int) -> np.ndarray:
    """Places of so many images, class by class in turn."""
    rng = runtime.generator(FLAGS.seed, "images")
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        turn[members] = np.arange(members.size)
    return order[np.argsort(turn[order], kind="stable")][:number]


def over_images(values: NDArray, clusters: NDArray[np.int64]) -> spectra.Estimate:
    """Mean over networks and images [m, n, ...]; images of one cluster vary together."""
    alone = len(np.unique(clusters)) == len(clusters)
    return mean_over_networks(values, items="images", clusters=None if alone else clusters)


def report(
    folder: records.RunFolder,
    subject: Subject,
    found: Sequence[FourierSensitivity],
    clusters: NDArray[np.int64],
    unreadable: int,
    seconds: float,
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    from spectral_tf.probes.fourier import frequencies, rings

    maps = {name: np.stack([getattr(f, name) for f in found]) for name in MEASURES}
    of_images = {name: np.stack([getattr(f, f"ring_{name}") for f in found]) for name in MEASURES}
    clean_wrong = np.stack([f.clean_wrong for f in found])
    ring = rings(*maps["error"].shape[1:])
    down, right = frequencies(*ring.shape)
    sizes = np.bincount(ring.ravel())
    over_rings = {name: over_images(values, clusters) for name, values in of_images.items()}
    clean = over_images(clean_wrong.astype(float), clusters)
    over_plane = {
        name: over_images(values @ sizes / ring.size, clusters)
        for name, values in of_images.items()
    }
    over_networks = {
        name: spectra.mean_over_runs(values.reshape(len(found), -1), unit="networks")
        for name, values in maps.items()
    }
    places = list(zip(down.ravel(), right.ravel(), np.hypot(down, right).ravel(), strict=True))
    records.write_table(
        folder.path / "sensitivity.csv",
        ("cycles_down", "cycles_right", "frequency", *MEASURES),
        (
            (*place, *(over_networks[name][i] for name in MEASURES))
            for i, place in enumerate(places)
        ),
    )
    records.write_table(
        folder.path / "networks.csv",
        ("network", "cycles_down", "cycles_right", *MEASURES),
        (
            (m, *place[:2], *(maps[name][m].flat[i] for name in MEASURES))
            for m in range(len(found))
            for i, place in enumerate(places)
        ),
    )
    records.write_table(
        folder.path / "rings.csv",
        ("frequency", "num_vectors", *MEASURES),
        ((r, size, *(over_rings[name][r] for name in MEASURES)) for r, size in enumerate(sizes)),
    )
    kept: dict[str, NDArray] = {
        f"ring_{name}": values.astype(np.float32) for name, values in of_images.items()
    }
    kept |= {"clean_wrong": clean_wrong, "clusters": clusters}
    with (
        records.whole_file(folder.path / "images.npz") as temporary,
        open(temporary, "wb") as file,
    ):
        np.savez_compressed(file, **kept)  # type: ignore[arg-type]  # its stub takes only flags.
    draw(folder, subject, maps, of_images, over_rings, float(clean.value))
    worst = maps["error"].mean(axis=0).argmax()
    own = [int(m.argmax()) for m in maps["error"]]
    folder.finish(
        {
            "experiment": "fourier_sensitivity",
            "rests_on": rests_on(len(found), subject.trains),
            "dataset": subject.held_out.title,
            "num_images": len(clusters),
            "num_clusters": len(np.unique(clusters)),
            "num_vectors": ring.size,
            "unreadable_images": unreadable,
            "clean_error": clean.record(),
            "mean_error": over_plane["error"].record(),
            "mean_change": over_plane["change"].record(),
            "worst": {
                "cycles": [int(down.flat[worst]), int(right.flat[worst])],
                "error_of_networks_that_did_not_choose": chosen_by_others(maps["error"]).record(),
            },
            "worst_of_networks": [
                {"cycles": [int(down.flat[i]), int(right.flat[i])], "error": float(m.flat[i])}
                for i, m in zip(own, maps["error"], strict=True)
            ],
            "correlation_of_maps": {
                name: alike(values) for name, values in maps.items() if len(found) > 1
            },
        },
        wall_seconds=seconds,
    )
    print(
        f"{rests_on(len(found), subject.trains)}, on {len(clusters):,} held-out images of "
        f"{subject.held_out.title}, norm {FLAGS.norm:g}:"
    )
    print(f"wrong as they are: {clean.text('.3f')}")
    print(f"wrong on average over the plane: {over_plane['error'].text('.3f')}")
    print(f"change of the probabilities over the plane: {over_plane['change'].text('.3f')}")
    for m, (i, error) in enumerate(zip(own, maps["error"], strict=True)):
        print(
            f"network {m}: most ({error.flat[i]:.3f}) at {down.flat[i]} cycles down and "
            f"{right.flat[i]} right"
        )
    runtime.say_where(folder)


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


def draw(
    folder: records.RunFolder,
    subject: Subject,
    maps: dict[str, NDArray],
    of_images: dict[str, NDArray],
    over_rings: dict[str, spectra.Estimate],
    clean_error: float,
) -> None:
    """The mean map, small maps of each network beside it, and the rings, each network's dotted."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    num_networks, num_images = of_images["error"].shape[:2]
    who = rests_on(num_networks, subject.trains).partition(",")[0]
    title = f"{subject.held_out.name}, {who}, norm {FLAGS.norm:g}, {num_images:,} images"
    rows = {
        MEASURES[name]: {f"mean of {num_networks} networks": values.mean(axis=0)}
        | {f"network {m}": own for m, own in enumerate(values)}
        if num_networks > 1
        else {MEASURES[name]: values[0]}
        for name, values in maps.items()
    }
    (colour,) = figures.shades(1)
    numbers = np.arange(len(over_rings["error"]))
    board = TensorBoard(folder.tensorboard / "sensitivity")
    drawn = {
        "plane": figures.plane_maps(rows, title=title),
        "rings": figures.line_panels(
            [
                figures.Panel(
                    [
                        figures.Line.of(numbers, estimate, "mean of a ring", colour=colour),
                        *(
                            figures.Line(numbers, own, "one network", style=":", colour=colour)
                            for own in of_images[name].mean(axis=1)[num_networks == 1 :]
                        ),
                    ],
                    "frequency [cycles per image]",
                    MEASURES[name],
                    {"images as they are": clean_error} if name == "error" else {},
                )
                for name, estimate in over_rings.items()
            ],
            title=title,
        ),
    }
    for name, figure in drawn.items():
        board.image(name, figures.save_figure(figure, folder.figures / f"{name}.png"), 0)
    for frequency in numbers:
        means = {name: float(estimate.value[frequency]) for name, estimate in over_rings.items()}
        board.scalars(means, int(frequency))
    board.close_segment()


if __name__ == "__main__":
    runtime.launch(main)
