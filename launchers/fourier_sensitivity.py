"""Which patterns in an image does a classifier react to? Yin et al. (2019), figure 4.

Every Fourier vector of the image plane, brought to a stated norm in the space of pixels, is added
to held-out images; the map shows by frequency how many answers are then wrong, and how far the
probabilities move. It is the sensitivity to image frequencies, beside the function frequency of
interpolation.py.

    python launchers/fourier_sensitivity.py --alsologtostderr

trains a small network on embedded photographs (not CIFAR-10) and takes about 2 minutes on 2 cores.
A model of your own, or one of another run:

    python launchers/fourier_sensitivity.py --from_run=mine.keras --dataset=cifar10

To see: where in the plane the network is sensitive, and what augmentation moves
(results/fourier_sensitivity).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from spectral_tf import data, models, records, runtime, spectra
from spectral_tf.experiments.subject import Subject
from spectral_tf.runtime.progress import Progress

if TYPE_CHECKING:
    from spectral_tf.probes.fourier import FourierSensitivity

# What is done to the images with every vector: added, or added and subtracted.
SIGNS = {"plus": 1, "both": 2}

FLAGS = flags.FLAGS
runtime.define_run_flags("fourier_sensitivity")
runtime.define_data_flags("photo_patches")
runtime.define_subject_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
runtime.define_finite_float("norm", 4.0, "L2, of what is added to the pixels.", at_least=1e-9)
flags.DEFINE_enum("signs", "both", SIGNS, "Add and subtract (the mean of the two), or add alone.")
flags.DEFINE_integer("num_images", 0, "Held-out images, evenly of each class; 0: at most 500.", 0)
flags.DEFINE_integer("block_size", 16, "Vectors in one call of the device.", 1)


def main() -> None:
    """Runs the experiment that the flags describe."""
    subject = Subject(runtime.settings(), FLAGS.save_every_seconds)
    folder = runtime.run_folder("fourier_sensitivity")

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
    model, session = subject.train(folder)
    start = time.monotonic()
    height, width = subject.shape[:2]
    progress = Progress(height * width, 0, 1, "vector")
    found = fourier_sensitivity(
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
    spent = time.monotonic() - start
    seconds = spent + (session.seconds if session else 0)
    if folder.writes:
        report(folder, held_out, found, len(labels), selection.unreadable.size, spent, seconds)
    if session:
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


def report(
    folder: records.RunFolder,
    images: data.Images,
    found: FourierSensitivity,
    num_images: int,
    unreadable: int,
    spent: float,
    seconds: float,
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    height, width = found.error.shape
    i, j = np.meshgrid(
        np.arange(height) - height // 2, np.arange(width) - width // 2, indexing="ij"
    )
    radius = np.hypot(i, j)
    records.write_table(
        folder.path / "sensitivity.csv",
        ("cycles_down", "cycles_right", "frequency", "error", "change"),
        zip(*(part.ravel() for part in (i, j, radius, found.error, found.change)), strict=True),
    )
    ring = np.round(radius).astype(int)
    frequencies = np.arange(ring.max() + 1)
    bands = {
        name: np.array([spectra.mean_interval(values[ring == r]) for r in frequencies]).T
        for name, values in (("error", found.error), ("change", found.change))
    }
    records.write_table(
        folder.path / "rings.csv",
        ("frequency", *(f"{name}{end}" for name in bands for end in ("", "_low", "_high"))),
        zip(frequencies, *(part for band in bands.values() for part in band), strict=True),
    )
    title = f"{images.name}, norm {FLAGS.norm:g}, {num_images:,} images"
    labels = {"error": "share of wrong answers", "change": "change of the probabilities"}
    board = TensorBoard(folder.tensorboard / "sensitivity")
    drawn = {
        "plane": figures.plane_maps(
            {labels["error"]: found.error, labels["change"]: found.change}, title=title
        ),
        "rings": figures.line_panels(
            [
                figures.Panel(
                    [figures.Line(frequencies, mean, "mean of a ring", low, high)],
                    "frequency [cycles per image]",
                    labels[name],
                    {"images as they are": found.clean_error} if name == "error" else {},
                )
                for name, (mean, low, high) in bands.items()
            ],
            title=title,
        ),
    }
    for name, figure in drawn.items():
        board.image(name, figures.save_figure(figure, folder.figures / f"{name}.png"), 0)
    for frequency, error, change in zip(
        frequencies, bands["error"][0], bands["change"][0], strict=True
    ):
        board.scalars({"error": error, "change": change}, int(frequency))
    board.close_segment()
    worst = np.unravel_index(found.error.argmax(), found.error.shape)
    folder.finish(
        {
            "experiment": "fourier_sensitivity",
            "dataset": images.title,
            "num_images": num_images,
            "num_vectors": found.error.size,
            "unreadable_images": unreadable,
            "clean_error": found.clean_error,
            "mean_error": float(found.error.mean()),
            "mean_change": float(found.change.mean()),
            "worst_frequency": float(radius[worst]),
            "worst_error": float(found.error[worst]),
            "images_per_second": num_images * found.error.size * SIGNS[FLAGS.signs] / spent,
        },
        wall_seconds=seconds,
    )
    print(f"held-out images of {images.title}, {num_images:,} of them, norm {FLAGS.norm:g}:")
    print(
        f"wrong as they are: {found.clean_error:.3f}; mean over the plane {found.error.mean():.3f}"
    )
    print(
        f"worst: {found.error[worst]:.3f} at {i[worst]} cycles down and {j[worst]} right; "
        f"change of the probabilities {found.change.max():.3f} at most"
    )
    runtime.say_where(folder)


if __name__ == "__main__":
    runtime.launch(main)
