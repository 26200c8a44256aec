r"""Are the functions of diverse classes faster? Fridovich-Keil et al. (2022), on ImageNet.

For every class the share of high frequencies on paths within it, against how diverse its images
are: by their distances in pixels, and by the features of another network. Errors raise the share,
too, so correlations are also given with the accuracy of the classes held fixed. All paths have as
many samples, so that their length does not enter.

    python launchers/class_diversity.py --alsologtostderr

trains two small networks on embedded photographs (not CIFAR-10) and takes about 2 minutes on 2
cores. On ImageNet, whose archives lie in a folder, with weights that Keras fetches:

    python launchers/class_diversity.py --flagfile=results/class_diversity/imagenet.flags \
        --manual_dir=... --data_dir=...

To see: on photographs diverse classes have faster functions, on Fashion-MNIST ten classes tell
nothing clear (results/class_diversity).
"""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import data, models, records, runtime, spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments.classification import Setting
from spectral_tf.experiments.subject import Subject

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.probes.paths import Pairs, Prepare

FLAGS = flags.FLAGS
runtime.define_run_flags("class_diversity")
runtime.define_data_flags("photo_patches")
runtime.define_subject_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
runtime.define_class_subset_flag()
runtime.define_path_flags(num_samples=100)
flags.DEFINE_string(
    "features", "", "A .keras file or run folder, or an application, whose features tell diversity."
)
flags.DEFINE_string("features_weights", "", "Of that application, as --weights.")
flags.DEFINE_integer("classes_at_once", 50, "Whose images are in memory together.", 1)


ALONG = (*spectra.PathMeasures._fields, "correct", "right")
# Of the images of a class: the field's names and those of the figure.
DIVERSITY = {
    "pixel_distance": "mean distance of images",
    "feature_variance": "variance of features",
    "feature_angle": "mean 1 - cosine of features",
}


class ClassMeasured(NamedTuple):
    """A class.

    Attributes:
      number: of it.
      accuracy: of the subject on the images at the ends of its paths.
      along: {measure: of each of its paths, [p]}.
      diversity: {measure: of its images}.
    """

    number: int
    accuracy: float
    along: dict[str, np.ndarray]
    diversity: dict[str, float]


def main() -> None:
    """Runs the experiment that the flags describe."""
    subject = Subject(runtime.settings(), FLAGS.save_every_seconds)
    judge = features_subject()
    runtime.refuse_below("num_samples", FLAGS.num_samples, 4)
    folder = runtime.run_folder("class_diversity")

    from spectral_tf.data.selection import labels_of, refuse_unreadable
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    subject.load(strategy, runtime.data_places())
    if judge:
        judge.load(strategy, runtime.data_places())
    refuse_judges(subject, judge)
    labels = labels_of(subject.held_out)
    classes = runtime.class_subset(subject.held_out.num_classes, at_least=3)
    draw_pairs(labels, classes)  # Refuses classes with too few images, before anything is trained.
    record = subject.record()
    if judge:
        judged = judge.train(folder)[0]
        penultimate(judged)  # Refuses what has no features.
        record["features_sha256"] = ",".join(judge.digests.values())
    folder.start(environment(strategy, FLAGS.seed, record))
    model, session = subject.train(folder)
    seconds = session.seconds if session else 0.0
    if judge is None:
        judged, other = subject.train(folder.part("features"), 1)
        seconds += other.seconds if other else 0.0
    features = penultimate(judged)
    found: list[ClassMeasured] = []
    unreadable, wanted = 0, 2 * FLAGS.pairs * len(classes)
    for begin in range(0, len(classes), FLAGS.classes_at_once):
        block = classes[begin : begin + FLAGS.classes_at_once]
        kept = folder.part(f"classes_{begin:05d}").state_file
        if not kept.exists():
            start = time.monotonic()
            lost, measured = measure(block, labels, subject, model, judge, features, strategy)
            if folder.writes:
                save_block(kept, lost, measured, time.monotonic() - start)
        else:
            lost, measured, spent = load_block(kept)
            seconds += spent
        unreadable += lost
        refuse_unreadable(subject.held_out, unreadable, wanted)
        found += measured
        logging.info("%d of %d classes are measured", len(found), len(classes))
    if folder.writes:
        report(folder, subject.held_out, found, unreadable, seconds)
    if session:
        session.wait_for_all()


def features_subject() -> Subject | None:
    """The network of `--features`, if there is one."""
    known = FLAGS.features in models.APPLICATIONS
    if FLAGS.features_weights and not known:
        raise UserError(
            "--features_weights",
            expected="an application in --features",
            got=FLAGS.features or "none",
            hint="leave it out",
        )
    if not FLAGS.features:
        return None
    changed = {
        # Nothing of the training that the other flags describe.
        **dataclasses.asdict(Setting(batch_size=FLAGS.batch_size)),
        "augmentations": "",
        "from_run": "" if known else FLAGS.features,
        "application": FLAGS.features if known else "",
        "weights": FLAGS.features_weights,
        "side": FLAGS.side if known else 0,
        "normalisation": FLAGS.normalisation if not known else "standard",
        "outputs": "",  # What it gives in the end is not looked at.
    }
    return Subject({**runtime.settings(), **changed}, FLAGS.save_every_seconds, "--features")


def refuse_judges(subject: Subject, judge: Subject | None) -> None:
    """Raises a UserError for a saved network without another that tells diversity."""
    if subject.ready and (judge is None or judge.digests == subject.digests != {}):
        raise UserError(
            "--features",
            expected="a network other than the one that is measured",
            got="the same" if judge else "none",
            hint="name a .keras file, a run folder or an application",
        )
    if judge and judge.shape != subject.shape:
        raise UserError(
            "--features",
            expected=f"a network of images {subject.shape}",
            got=f"{judge.shape}",
            hint="choose another, or --side for both",
        )


def draw_pairs(labels: np.ndarray, classes: Sequence[int]) -> tuple[Pairs, np.ndarray]:
    """The ends of the paths within classes, the same for every subject."""
    from spectral_tf.probes.paths import class_pairs

    seed = runtime.derive_seed(FLAGS.seed, "pairs")
    return class_pairs(labels, classes, FLAGS.pairs, seed, between=False)


def penultimate(model: keras.Model) -> keras.Model:
    """Images -> what the last fully connected layer sees; or a UserError for other networks."""
    import keras

    after = (keras.layers.Softmax, keras.layers.Activation, keras.layers.Dropout)
    head = next(layer for layer in reversed(model.layers) if not isinstance(layer, after))
    if not isinstance(head, keras.layers.Dense):
        raise UserError(
            "--features",
            expected="a network that ends in a fully connected layer of its own",
            got=f"{model.name}, which ends in {type(head).__name__}",
            hint="choose another, or save it without nesting",
        )
    return keras.Model(model.inputs, head.input)


def measure(
    classes: Sequence[int],
    labels: np.ndarray,
    subject: Subject,
    model: keras.Model,
    judge: Subject | None,
    features: keras.Model,
    strategy: tf.distribute.Strategy,
) -> tuple[int, list[ClassMeasured]]:
    """Paths within some classes and the diversity of their images; and how many were unreadable."""
    from spectral_tf.data.selection import select
    from spectral_tf.probes import paths as probe

    pairs, ends = draw_pairs(labels, classes)
    selection = select(subject.held_out, np.concatenate(pairs), subject.shape)
    pairs, left = probe.pairs_among(pairs, selection.places)
    ends = ends[left]
    pixels, own = selection.pixels, labels[selection.places]
    paths = probe.straight_paths(pixels, pairs, subject.prepare, num_samples=FLAGS.num_samples)
    answers = probe.measure_paths(
        *(model, pixels, subject.outputs[own], paths, subject.prepare),
        outputs=FLAGS.outputs,
        batch_size=FLAGS.batch_size,
        strategy=strategy,
    )
    along = {
        **answers.measures._asdict(),
        "correct": answers.correct,
        "right": answers.right.mean(axis=1),
    }
    found = []
    for number in classes:
        here, members = ends[:, 0] == number, pixels[own == number]
        found.append(
            ClassMeasured(
                number,
                float(along["right"][here].mean()),
                {name: values[here] for name, values in along.items()},
                diversity(members, subject.prepare, (judge or subject).prepare, features),
            )
        )
    return selection.unreadable.size, found


def diversity(
    pixels: np.ndarray, prepare: Prepare, prepare_features: Prepare, features: keras.Model
) -> dict[str, float]:
    """Of the images of a class, class by class, since as inputs they take four times the memory.

    NaN for fewer than 2 images. Features that are zero have no angle and are left out of that.
    """
    if len(pixels) < 2:
        return dict.fromkeys(DIVERSITY, np.nan)
    parts = range(0, len(pixels), FLAGS.batch_size)
    told = [
        features(prepare_features(pixels[i : i + FLAGS.batch_size]), training=False) for i in parts
    ]
    rows = np.concatenate([part.numpy() for part in told]).reshape(len(pixels), -1)
    turned = rows[np.any(rows != 0, axis=1)]
    return {
        "pixel_distance": spectra.mean_distance(prepare(pixels).numpy()),
        "feature_variance": spectra.total_variance(rows),
        "feature_angle": spectra.mean_angle(turned) if len(turned) > 1 else np.nan,
    }


def save_block(
    file: pathlib.Path, unreadable: int, classes: Sequence[ClassMeasured], seconds: float
) -> None:
    """Keeps what was measured of some classes, whole or not at all."""
    arrays = {
        "unreadable": np.asarray(unreadable),
        "seconds": np.asarray(seconds),
        "numbers": np.array([c.number for c in classes]),
    }
    for c in classes:
        arrays |= {f"{c.number}/along/{name}": values for name, values in c.along.items()}
        arrays |= {f"{c.number}/{name}": np.asarray(v) for name, v in c.diversity.items()}
        arrays[f"{c.number}/accuracy"] = np.asarray(c.accuracy)
    with records.whole_file(file) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # its stub takes only flags.


def load_block(file: pathlib.Path) -> tuple[int, list[ClassMeasured], float]:
    """What `save_block` kept."""
    with np.load(file) as kept:
        arrays = dict(kept)
    found = [
        ClassMeasured(
            int(number),
            float(arrays[f"{number}/accuracy"]),
            {name: arrays[f"{number}/along/{name}"] for name in ALONG},
            {name: float(arrays[f"{number}/{name}"]) for name in DIVERSITY},
        )
        for number in arrays["numbers"]
    ]
    return int(arrays["unreadable"]), found, float(arrays["seconds"])


def report(
    folder: records.RunFolder,
    images: data.Images,
    found: Sequence[ClassMeasured],
    unreadable: int,
    seconds: float,
) -> None:
    """Writes tables, figure and summary, and says what was found and where to look."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    most = max(len(c.along["correct"]) for c in found)
    shares = {}  # Each [classes, paths].
    for reading in spectra.READINGS:
        rows = [spectra.read_share(c.along, reading) for c in found]
        shares[reading] = np.stack(
            [np.pad(row, (0, most - len(row)), constant_values=np.nan) for row in rows]
        )
    bands = {reading: spectra.mean_interval(values.T) for reading, values in shares.items()}
    records.write_table(
        folder.path / "classes.csv",
        (
            *("class", "name", "accuracy", *DIVERSITY),
            *(f"{reading}{end}" for reading in shares for end in ("", "_low", "_high")),
        ),
        (
            (
                *(c.number, images.label_names[c.number], c.accuracy, *c.diversity.values()),
                *(end[i] for band in bands.values() for end in band),
            )
            for i, c in enumerate(found)
        ),
    )
    accuracy = [c.accuracy for c in found]
    correlations = [
        (
            *(measure, reading),
            *spectra.model_correlation([c.diversity[measure] for c in found], values),
            *spectra.model_correlation(
                [c.diversity[measure] for c in found], values, control=accuracy
            ),
            # Classes without a path that counts tell nothing.
            int(np.isfinite(values).any(axis=1).sum()),
        )
        for measure in DIVERSITY
        for reading, values in shares.items()
    ]
    records.write_table(
        folder.path / "correlations.csv",
        (
            *("diversity", "share", "rho", "rho_low", "rho_high"),
            *("partial_rho", "partial_rho_low", "partial_rho_high", "num_classes"),
        ),
        correlations,
    )
    panels = [
        figures.Panel(
            [
                figures.Line(
                    [c.diversity[measure] for c in found],
                    bands[reading][0],
                    reading.replace("_", ", ") + " ends",
                    style=style,
                )
                for reading, style in (("plain_correct", "o"), ("mirrored_correct", "s"))
            ],
            *(text, "share of high frequencies within the class"),
        )
        for measure, text in DIVERSITY.items()
    ]
    counted = int(np.isfinite(shares["plain_correct"]).any(axis=1).sum())
    title = f"{images.name}, {counted:,} of {len(found):,} classes, up to {most} paths each"
    pixels = figures.save_figure(
        figures.line_panels(panels, title=title), folder.figures / "classes.png"
    )
    board = TensorBoard(folder.tensorboard / "figures")
    board.image("classes", pixels, 0)
    board.close_segment()
    folder.finish(
        {
            "experiment": "class_diversity",
            "dataset": images.title,
            "num_classes": len(found),
            "num_paths": most,
            "unreadable_images": unreadable,
            "accuracy": float(np.mean(accuracy)),
            "correlation_with_diversity": {
                f"{row[0]}, {row[1]}": {"rho": row[2:5], "accuracy held fixed": row[5:8]}
                for row in correlations
            },
        },
        wall_seconds=seconds,
    )
    print(f"held-out images of {images.title}, {len(found):,} classes; rho with diversity:")
    for measure, reading, *numbers, count in correlations:
        rho, held = ("{:+.2f} ({:+.2f} to {:+.2f})".format(*numbers[i : i + 3]) for i in (0, 3))
        print(f"{measure:>17}, {reading:>17}: {rho}, accuracy held fixed {held}, n = {count}")
    if unreadable:
        print(f"{unreadable} images could not be read and were left out")
    runtime.say_where(folder)


if __name__ == "__main__":
    runtime.launch(main)
