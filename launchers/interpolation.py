"""How fast do the answers of a classifier change on the way from one image to another.

The second method of Fridovich-Keil et al. (2022): straight paths between held-out images, within a
class and between two, the probabilities along them, and their spectra. The plain transform is the
paper's; the mirrored one has no leakage (see `spectral_tf.spectra.path`). Or paths from single
images along their gradient, a random or a Fourier direction.

    python launchers/interpolation.py --alsologtostderr

trains a small network on embedded photographs (not CIFAR-10) and takes about 1 minute on 2 cores.
A model of your own, or one of another run:

    python launchers/interpolation.py --from_run=mine.keras --dataset=cifar10 --outputs=logits

To see: between classes the share of high frequencies is several times that within, and much of
both is leakage and wrong ends (results/interpolation).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.special
from absl import flags, logging
from numpy.typing import NDArray

from spectral_tf import data, models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError
from spectral_tf.experiments.subject import Subject

if TYPE_CHECKING:
    import keras

    from spectral_tf.probes.paths import PathAnswers, Paths, Prepare
    from spectral_tf.records.figures import AlongPath

FLAGS = flags.FLAGS
runtime.define_run_flags("interpolation")
runtime.define_data_flags("photo_patches")
runtime.define_subject_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
runtime.define_class_subset_flag()
flags.DEFINE_enum(
    "along", "pairs", ("pairs", "gradient", "random", "fourier"), "Pairs of images, or directions."
)
runtime.define_path_flags()
runtime.define_finite_float("length", 20.0, "Of paths along directions.", at_least=1e-6)
runtime.define_finite_float("spatial_frequency", 4.0, "Of a Fourier direction.", at_least=0.0)
flags.DEFINE_integer("drawn", 6, "Paths drawn with their images.", 1, 60)

# Cycles per unit of distance, up to what one sample for about a unit holds in every path.
AXIS = np.linspace(0, 0.45, 46)
# Of paths along directions, unless --num_samples tells otherwise.
LOCAL_SAMPLES = 64


def main() -> None:
    """Runs the experiment that the flags describe."""
    subject = Subject(runtime.settings(), FLAGS.save_every_seconds)
    refuse_flags()
    folder = runtime.run_folder("interpolation")

    import tensorflow as tf

    from spectral_tf.data.selection import labels_of, refuse_unreadable, select
    from spectral_tf.probes import paths as probe
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    subject.load(strategy, runtime.data_places())
    held_out, prepare = subject.held_out, subject.prepare
    direction: NDArray = np.empty(0)
    if FLAGS.along == "fourier":
        direction, _ = tasks.fourier_direction(subject.shape, FLAGS.spatial_frequency, 45.0)
    labels = labels_of(held_out)
    pairs, ends = probe.class_pairs(
        labels,
        runtime.class_subset(held_out.num_classes),
        FLAGS.pairs,
        runtime.derive_seed(FLAGS.seed, "pairs"),
        between=FLAGS.along == "pairs",
    )
    selection = select(held_out, np.concatenate(pairs), subject.shape)
    refuse_unreadable(held_out, selection.unreadable.size, len(np.unique(np.concatenate(pairs))))
    pairs, left = probe.pairs_among(pairs, selection.places)
    ends = ends[left]
    pixels, labels = selection.pixels, labels[selection.places]
    paths = probe.straight_paths(pixels, pairs, prepare, num_samples=FLAGS.num_samples)
    folder.start(environment(strategy, FLAGS.seed, subject.record()))
    if selection.unreadable.size:
        logging.warning("%d images cannot be read and are left out", selection.unreadable.size)
    model, session = subject.train(folder)
    start = time.monotonic()
    if FLAGS.along != "pairs":
        images, labels = prepare(pixels[pairs.first]).numpy(), labels[pairs.first]
        if FLAGS.along == "gradient":
            direction = probe.gradients(model, images, subject.outputs[labels])
            there = np.any(direction != 0, axis=(1, 2, 3))
            if not there.all():
                logging.warning("%d images without a gradient are left out", np.sum(~there))
            images, labels, ends = images[there], labels[there], ends[there]
            direction = direction[there]
        elif FLAGS.along == "random":
            direction = runtime.generator(FLAGS.seed, "directions").normal(size=images.shape)
        samples = FLAGS.num_samples or LOCAL_SAMPLES
        pixels, paths = probe.local_paths(images, direction, FLAGS.length, samples)
        labels, prepare = np.tile(labels, 2), tf.convert_to_tensor
    logging.info("interpolation: %d paths, %s samples", len(ends), f"{paths.counts.sum():,}")
    answers = probe.measure_paths(
        *(model, pixels, subject.outputs[labels], paths, prepare),
        frequencies=AXIS,
        outputs=FLAGS.outputs,
        batch_size=FLAGS.batch_size,
        strategy=strategy,
    )
    spent = time.monotonic() - start
    seconds = spent + (session.seconds if session else 0.0)
    if folder.writes:
        drawn = few_of(ends)
        some = probe.Paths(
            probe.Pairs(*(end[drawn] for end in paths.pairs)), *(x[drawn] for x in paths[1:])
        )
        pictures = along(model, pixels, some, ends[drawn], prepare, subject)
        draw(folder, held_out, ends, answers, pictures)
        report(folder, held_out, paths, ends, answers, selection.unreadable.size, (spent, seconds))
    if session:
        session.wait_for_all()


def refuse_flags() -> None:
    """Raises a UserError for flags that do not go together."""
    if FLAGS.along == "gradient" and FLAGS.outputs != "logits":
        raise UserError(
            "--along=gradient",
            expected="--outputs=logits",
            got=FLAGS.outputs,
            hint="save the model without its softmax",
        )
    used = {"length": FLAGS.along != "pairs", "spatial_frequency": FLAGS.along == "fourier"}
    for name, useful in used.items():
        if not useful and FLAGS[name].value != FLAGS[name].default:  # As flagfiles repeat it.
            raise UserError(
                f"--{name}",
                expected="an --along that it is for",
                got=f"{FLAGS[name].value:g} with --along={FLAGS.along}",
                hint="leave it out",
            )
    if FLAGS.application and FLAGS.along == "pairs" and not FLAGS.num_samples:
        raise UserError(
            "--num_samples",
            expected="4 or more with an --application, whose distances are in thousands",
            got="0, one for every unit of distance",
            hint="100 is usual",
        )


def places(ends: np.ndarray) -> dict[str, np.ndarray]:
    """Which paths lie within a class and which between two, bool [p]; none that is empty."""
    if FLAGS.along != "pairs":
        return {f"along {FLAGS.along}": np.ones(len(ends), bool)}
    within = ends[:, 0] == ends[:, 1]
    return {name: w for name, w in (("within", within), ("between", ~within)) if w.any()}


def couples(ends: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Every two classes that are joined, and their paths, bool [p]."""
    for first, last in np.unique(ends, axis=0):
        yield int(first), int(last), (ends == [first, last]).all(axis=1)


def few_of(ends: np.ndarray) -> np.ndarray:
    """Of the paths to draw, as many within as between if there are both."""
    chosen = [np.flatnonzero(where) for where in places(ends).values()]
    rng = runtime.generator(FLAGS.seed, "drawn")
    each = math.ceil(FLAGS.drawn / len(chosen))
    return np.concatenate([rng.permutation(c)[:each] for c in chosen])[: FLAGS.drawn]


def along(
    model: keras.Model,
    pixels: np.ndarray,
    paths: Paths,
    ends: np.ndarray,
    prepare: Prepare,
    subject: Subject,
) -> list[AlongPath]:
    """A few paths with what is answered there and the images on them, where they can be shown."""
    from spectral_tf.probes.paths import path_logits
    from spectral_tf.records.figures import AlongPath

    names, pictures = subject.held_out.label_names, []
    # Stored pixels are looked at as they are; of inputs at least the normalisation is undone.
    look = (lambda x: x) if FLAGS.along == "pairs" else subject.show or (lambda x: x[:0])
    for i, outputs in enumerate(path_logits(model, pixels, paths, prepare)):
        p = scipy.special.softmax(outputs, axis=1) if FLAGS.outputs == "logits" else outputs
        x, y = (data.to_unit(pixels[end[i]]) for end in paths.pairs)
        shares = np.linspace(0, 1, 7)[:, None, None, None]
        peaks = p[:, subject.outputs].max(axis=0)
        seen = {c for c in np.argsort(-peaks)[:4] if peaks[c] > 0.1} | set(ends[i])
        pictures.append(
            AlongPath(
                " → ".join(dict.fromkeys(names[c] for c in ends[i])),
                paths.spacing[i] * np.arange(len(p)),
                {names[c]: p[:, subject.outputs[c]] for c in sorted(seen)},
                look((1 - shares) * x + shares * y),
            )
        )
    return pictures


def draw(
    folder: records.RunFolder,
    images: data.Images,
    ends: np.ndarray,
    answers: PathAnswers,
    pictures: Sequence[AlongPath],
) -> None:
    """Mean spectra, the share of every two classes, and a few paths."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    panels = []
    for name, magnitudes in (("plain", answers.plain), ("mirrored", answers.mirrored)):
        series = []
        for (place, where), colour in zip(places(ends).items(), figures.shades(2), strict=False):
            for chosen, style, text in (
                (where, "-", place),
                (where & answers.correct, "--", f"{place}, correct ends"),
            ):
                if chosen.any():
                    mean, low, high = spectra.mean_interval(magnitudes[chosen])
                    series.append(figures.Line(AXIS, mean, text, low, high, style, colour))
        panels.append(
            figures.Panel(
                *(series, "cycles per unit of distance", "magnitude of the probabilities"),
                name=name,
                yscale="log",
            )
        )
    accuracy = answers.right.mean()
    title = f"{images.name}, {len(ends):,} paths, {accuracy:.0%} of their ends answered correctly"
    drawn = {
        "spectra": figures.line_panels(panels, title=title),
        "paths": figures.answers_along(pictures, title=title),
    }
    classes = np.unique(ends)
    if len(classes) > 1 and FLAGS.along == "pairs":
        matrices = {}
        for name, share in (
            ("plain", answers.measures.plain_share),
            ("mirrored", answers.measures.mirrored_share),
        ):
            matrix = np.full((len(classes),) * 2, np.nan)
            for first, last, where in couples(ends):
                i, j = np.searchsorted(classes, [first, last])
                matrix[i, j] = matrix[j, i] = share[where].mean()
            matrices[name] = matrix
        names = [images.label_names[c][:12] for c in classes]
        drawn["classes"] = figures.grid_map(
            *(names, names, matrices),
            xlabel="class",
            ylabel="class",
            label="share of high frequencies",
            title=title,
            limits=(0.0, float(max(np.nanmax(m) for m in matrices.values()))),
        )
    board = TensorBoard(folder.tensorboard / "paths")
    for name, figure in drawn.items():
        board.image(name, figures.save_figure(figure, folder.figures / f"{name}.png"), 0)
    for place, where in places(ends).items():
        for name, values in answers.measures._asdict().items():
            board.scalars({f"{name}/{place}": float(values[where].mean())}, 0)
    board.close_segment()


def report(
    folder: records.RunFolder,
    images: data.Images,
    paths: Paths,
    ends: np.ndarray,
    answers: PathAnswers,
    unreadable: int,
    seconds: tuple[float, float],
) -> None:
    """Writes tables and summary, and says what was found and where to look."""
    measures = answers.measures
    records.write_table(
        folder.path / "paths.csv",
        (
            *("first_class", "last_class", "distance", "num_samples", "correct_ends"),
            *measures._fields,
        ),
        zip(*ends.T, paths.distances, paths.counts, answers.correct, *measures, strict=True),
    )
    found: dict[str, dict[str, Any]] = {}
    rows: list[tuple] = []
    for place, where in places(ends).items():
        for correct in (False, True):
            chosen = where & (answers.correct | (not correct))
            key = f"{place}, correct ends" if correct else place
            if not chosen.any():
                continue
            found[key] = {
                name: [float(end) for end in spectra.mean_interval(values[chosen])]
                for name, values in measures._asdict().items()
            } | {"num_paths": int(chosen.sum())}
            for kind, magnitudes in (("plain", answers.plain), ("mirrored", answers.mirrored)):
                band = spectra.mean_interval(magnitudes[chosen])
                rows += [(place, correct, kind, *point) for point in zip(AXIS, *band, strict=True)]
    records.write_table(
        folder.path / "spectra.csv",
        (
            *("place", "correct_ends", "transform", "cycles_per_unit"),
            *("magnitude", "magnitude_low", "magnitude_high"),
        ),
        rows,
    )
    records.write_table(
        folder.path / "classes.csv",
        (
            *("first_class", "last_class", "num_paths", "correct_ends"),
            *(f"{name}{end}" for name in measures._fields for end in ("", "_low", "_high")),
        ),
        (
            (
                *(first, last, where.sum(), answers.correct[where].mean()),
                *(float(end) for m in measures for end in spectra.mean_interval(m[where])),
            )
            for first, last, where in couples(ends)
        ),
    )
    folder.finish(
        {
            "experiment": "interpolation",
            "dataset": images.title,
            "num_paths": len(ends),
            "num_images": int(paths.counts.sum()),
            "images_per_second": float(paths.counts.sum() / seconds[0]),
            "unreadable_images": unreadable,
            "accuracy_at_the_ends": float(answers.right.mean()),
            "share_of_correct_ends": float(answers.correct.mean()),
            "mean_distance": float(paths.distances.mean()),
            "mean_with_interval": found,
        },
        wall_seconds=seconds[1],
    )
    print(
        f"held-out images of {images.title}, {len(ends):,} paths, {answers.right.mean():.3f} of "
        "their ends answered correctly; share of high frequencies:"
    )
    for key, values in found.items():
        plain, mirrored = (
            "{:.3f} ({:.3f} to {:.3f})".format(*values[name])
            for name in ("plain_share", "mirrored_share")
        )
        print(f"{key:>22}: plain {plain}, mirrored {mirrored}, {values['num_paths']:,} paths")
    runtime.say_where(folder)


if __name__ == "__main__":
    runtime.launch(main)
