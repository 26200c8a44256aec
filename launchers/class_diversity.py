r"""Are the functions of diverse classes faster? Fridovich-Keil et al. (2022), on ImageNet.

How fast the answers of networks change on straight paths within every class, against how diverse
its images are: by the features of another network, and by their distances in pixels. Every class
has paths of its own, so their length and the accuracy of the class are told beside it, and every
correlation is also given with either held fixed. What decides is the spectral centroid per unit of
distance in pixels, at one confidence of all networks and with so many samples that more change
nothing; the share of high frequencies as published stands beside it.

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

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import data, models, records, runtime, spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments import class_study, path_study
from spectral_tf.experiments.class_study import DIVERSITY, Classes
from spectral_tf.experiments.classification import Setting
from spectral_tf.experiments.networks import SEEDS, rests_on
from spectral_tf.experiments.path_study import Models
from spectral_tf.experiments.subject import Subject
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.probes.paths import Pairs, Prepare
    from spectral_tf.records.figures import Line

FLAGS = flags.FLAGS
runtime.define_run_flags("class_diversity")
runtime.define_data_flags("photo_patches")
runtime.define_subject_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
runtime.define_class_subset_flag()
runtime.define_path_flags(pairs=15)
flags.DEFINE_integer("seeds", SEEDS, "Networks that are trained; a saved one is one.", 1)
flags.DEFINE_string(
    "features", "", "A .keras file or run folder, or an application, whose features tell diversity."
)
flags.DEFINE_string("features_weights", "", "Of that application, as --weights.")
flags.DEFINE_integer("classes_at_once", 50, "Whose images are in memory together.", 1)

# With fewer there is no correlation over classes.
CLASSES = spectra.SETTINGS_FOR_CORRELATION
# Images on no path, on which all networks get one confidence: at most, over all classes.
MATCHED_IMAGES = 1_000
# In figures more classes than that have one colour and no interval.
NAMED_CLASSES = 12


class Drawn(NamedTuple):
    """What the networks are asked about, as places in the held-out images.

    Attributes:
      pairs: ends of the paths within classes.
      classes: of the paths.
      matched_on: images on no path.
    """

    pairs: Pairs
    classes: np.ndarray
    matched_on: np.ndarray

    @property
    def num_images(self) -> int:
        """All of them."""
        return 2 * len(self.classes) + len(self.matched_on)

    def within(self, classes: Sequence[int]) -> Drawn:
        """The same with the paths of some classes."""
        own = np.isin(self.classes, classes)
        pairs = type(self.pairs)(*(end[own] for end in self.pairs))
        return self._replace(pairs=pairs, classes=self.classes[own])


def main() -> None:
    """Runs the experiment that the flags describe."""
    subject = Subject(runtime.settings(), FLAGS.save_every_seconds)
    judge = features_subject()
    num_networks = subject.num_networks(FLAGS.seeds)
    if FLAGS.num_samples:
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
    classes = runtime.class_subset(subject.held_out.num_classes, at_least=CLASSES)
    if len(classes) < CLASSES:
        raise UserError(
            "--dataset",
            expected=f"{CLASSES} classes or more, of which there is a correlation",
            got=f"{len(classes)} of {subject.held_out.name}",
            hint="choose another",
        )
    # Refuses classes with too few images before anything is trained.
    drawn = draw(labels, subject.held_out.clusters(), classes)
    record = subject.record()
    if judge:
        judged = judge.train(folder)[0]
        class_study.penultimate(judged, "--features")  # Refuses what has no features.
        record["features_sha256"] = ",".join(judge.digests.values())
    folder.start(environment(strategy, FLAGS.seed, record))
    networks, seconds, session = [], 0.0, None
    for run in range(num_networks):
        network, session = subject.train(folder.part(f"seed_{run}"), run)
        networks.append(network)
        seconds += session.seconds if session else 0.0
    if judge is None:
        judged, session = subject.train(folder.part("features"), FLAGS.seeds)
        seconds += session.seconds if session else 0.0
    features = class_study.penultimate(judged, "--features")

    matched, spent = once(
        folder.part("confidence"),
        functools.partial(matched_confidence, drawn.matched_on, subject, networks),
    )
    seconds += spent
    unreadable, wanted = int(matched["unreadable"]), drawn.num_images
    blocks: list[dict[str, np.ndarray]] = []
    for begin in range(0, len(classes), FLAGS.classes_at_once):
        chosen = classes[begin : begin + FLAGS.classes_at_once]
        block, spent = once(
            folder.part(f"classes_{begin:05d}"),
            functools.partial(
                measure,
                drawn.within(chosen),
                labels,
                subject,
                networks,
                matched["temperatures"],
                judge or subject,
                features,
                strategy,
            ),
        )
        seconds += spent
        blocks.append(block)
        unreadable += int(block["unreadable"])
        refuse_unreadable(subject.held_out, unreadable, wanted)
        logging.info("%d of %d classes are measured", begin + len(chosen), len(classes))
    if folder.writes:
        report(folder, subject, gathered(blocks, matched["temperatures"]), unreadable, seconds)
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


def draw(labels: np.ndarray, clusters: np.ndarray, classes: Sequence[int]) -> Drawn:
    """The ends of the paths within classes, and images on none: the same for every network.

    No two paths share a cluster of images. The others are drawn evenly over the classes.
    """
    from spectral_tf.probes.paths import class_pairs

    seed = runtime.derive_seed(FLAGS.seed, "pairs")
    pairs, ends = class_pairs(labels, classes, FLAGS.pairs, seed, between=False, clusters=clusters)
    free = np.ones(len(labels), bool)
    free[np.concatenate(pairs)] = False
    rng = runtime.generator(FLAGS.seed, "confidence")
    each = max(1, MATCHED_IMAGES // len(classes))
    others = [rng.permutation(np.flatnonzero(free & (labels == c)))[:each] for c in classes]
    matched_on = np.sort(np.concatenate(others))
    if len(matched_on) < spectra.IMAGES_FOR_TEMPERATURE:
        raise UserError(
            "--pairs",
            expected=f"paths that leave {spectra.IMAGES_FOR_TEMPERATURE} images of these classes "
            "for matching the confidence",
            got=f"{len(matched_on)} left",
            hint="ask for fewer paths, or take more images",
        )
    return Drawn(pairs, ends[:, 0], matched_on)


def once(
    part: records.Part, compute: Callable[[], dict[str, Any]]
) -> tuple[dict[str, np.ndarray], float]:
    """What was computed before and kept in a part of the run, or now; and the seconds it took."""
    if part.state_file.exists():
        with np.load(part.state_file) as kept:
            arrays = dict(kept)
    else:
        start = time.monotonic()
        arrays = {name: np.asarray(values) for name, values in compute().items()}
        arrays["seconds"] = np.asarray(time.monotonic() - start)
        if part.writes:
            with records.whole_file(part.state_file) as temporary, open(temporary, "wb") as file:
                np.savez(file, **arrays)
    return arrays, float(arrays["seconds"])


def matched_confidence(
    places: np.ndarray, subject: Subject, networks: Sequence[keras.Model]
) -> dict[str, Any]:
    """The temperature of each network at which its confidence is that of all."""
    from spectral_tf.data.selection import select

    selection = select(subject.held_out, places, subject.shape)
    temperatures = []
    for network in networks:
        given = class_study.outputs_of(network, subject.prepare, selection.pixels, FLAGS.batch_size)
        logits = spectra.logits_of(given) if FLAGS.outputs == "probabilities" else given
        temperatures.append(spectra.confidence_temperature(logits))
    return {"temperatures": temperatures, "unreadable": selection.unreadable.size}


def measure(
    drawn: Drawn,
    labels: np.ndarray,
    subject: Subject,
    networks: Sequence[keras.Model],
    temperatures: np.ndarray,
    judge: Subject,
    features: keras.Model,
    strategy: tf.distribute.Strategy,
) -> dict[str, Any]:
    """Everything along the paths within some classes, and the diversity of their images.

    Returns:
      `unreadable`: images; `classes` and `distances` of the paths, [p]; along/NAME of each network
      on each path, [m, p]; `num_samples` and `relative_change` of each network, [m]; `numbers` of
      the classes, and diversity/NAME of their images, [c].
    """
    from spectral_tf.data.selection import select
    from spectral_tf.probes import paths as probe

    selection = select(subject.held_out, np.concatenate(drawn.pairs), subject.shape)
    pixels, own = selection.pixels, labels[selection.places]
    diversities = {
        c: found
        for c in dict.fromkeys(drawn.classes.tolist())
        if (found := diversity(pixels[own == c], judge.prepare, features))
    }
    pairs, left = probe.pairs_among(drawn.pairs, selection.places)
    left &= np.isin(drawn.classes, list(diversities))
    pairs, _ = probe.pairs_among(type(pairs)(*(end[left] for end in drawn.pairs)), selection.places)
    classes = drawn.classes[left]
    of = path_study.Family(
        "held_out",
        pixels,
        subject.outputs[own],
        np.stack([classes, classes], axis=1),
        probe.straight_paths(pixels, pairs, subject.prepare, num_samples=FLAGS.num_samples),
    )
    measured = []
    for network, temperature in zip(networks, temperatures, strict=True):
        found = path_study.measure(
            network,
            of,
            subject.prepare,
            float(temperature),
            batch_size=FLAGS.batch_size,
            strategy=strategy,
            outputs=FLAGS.outputs,
        )
        given = class_study.outputs_of(network, subject.prepare, pixels, FLAGS.batch_size)
        right = given.argmax(axis=1) == of.labels
        found["right_ends"] = right[pairs.first].astype(np.uint8) + right[pairs.last]
        measured.append(found)
    together = {name: np.stack([np.asarray(m[name]) for m in measured]) for name in measured[0]}
    sampling = {name: together.pop(name) for name in ("num_samples", "relative_change")}
    numbers = np.unique(classes)
    return {
        "unreadable": selection.unreadable.size,
        "classes": classes,
        "distances": of.paths.pixel_distances,
        "numbers": numbers,
        **{f"along/{name}": values for name, values in together.items()},
        **sampling,
        **{f"diversity/{name}": [diversities[c][name] for c in numbers] for name in DIVERSITY},
    }


def diversity(pixels: np.ndarray, prepare: Prepare, features: keras.Model) -> dict[str, float]:
    """Of the images of a class; none, with a warning, of those that cannot tell it.

    Features that are zero have no angle and are left out of that.
    """
    if len(pixels) < 2:
        logging.warning("a class is left out: of its images %d can be read", len(pixels))
        return {}
    rows = class_study.outputs_of(features, prepare, pixels, FLAGS.batch_size)
    turned = rows[np.any(rows != 0, axis=1)]
    if len(turned) < 2:
        logging.warning("a class is left out: %d of its images have features", len(turned))
        return {}
    return {
        "feature_angle": spectra.mean_angle(turned),
        "feature_variance": spectra.total_variance(rows),
        "pixel_distance": spectra.mean_distance(data.to_unit(pixels)),
    }


def gathered(blocks: Sequence[dict[str, np.ndarray]], temperatures: np.ndarray) -> Classes:
    """All classes, block by block."""

    def joined(name: str, axis: int = 0) -> np.ndarray:
        return np.concatenate([block[name] for block in blocks], axis=axis)

    along = [name for name in blocks[0] if name.startswith("along/")]
    sampling = ("num_samples", "relative_change")
    ends, classes = "held_out", joined("classes")
    networks = Models(
        {
            "seed": np.arange(len(temperatures)),
            "accuracy": joined("along/right_ends", 1).mean(axis=1) / 2,
            "temperature": temperatures,
            # Of the block of classes that took most.
            **{name: np.max([block[name] for block in blocks], axis=0) for name in sampling},
        },
        {name.replace("along", ends): joined(name, 1) for name in along},
        {ends: np.stack([classes, classes], axis=1)},
        {ends: joined("distances")},
    )
    return Classes(
        joined("numbers"), {name: joined(f"diversity/{name}") for name in DIVERSITY}, networks
    )


def report(
    folder: records.RunFolder, subject: Subject, found: Classes, unreadable: int, seconds: float
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    images, count = subject.held_out, len(found.networks)
    found.save(folder.path, images.label_names)
    # What was kept, so that every claim can be computed again to the last bit.
    found = Classes.read(folder.path)
    rhos = class_study.correlations(found)
    # Of each network alone the value; its interval over classes would not know of the others.
    alone = [class_study.correlations(found, num_resamples=1, network=i) for i in range(count)]
    records.write_table(
        folder.path / "correlations.csv",
        ("diversity", "reading", "held_fixed", "rho", *(f"rho_seed_{i}" for i in range(count))),
        ((*key, rho, *(own[key].value for own in alone)) for key, rho in rhos.items()),
    )
    findings = class_study.claims(rhos)
    records.write_table(folder.path / "claims.csv", Finding._fields, findings)
    draw_figures(folder, subject, found)
    primary = [f for f in findings if f.primary]
    folder.finish(
        {
            "experiment": "class_diversity",
            "dataset": images.title,
            "rests_on": rests_on(count, subject.trains),
            "num_networks": count,
            "num_classes": len(found.numbers),
            "num_paths": found.networks.along["held_out/correct"].shape[1],
            "unreadable_images": unreadable,
            "accuracy": float(found.accuracy.mean()),
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
        wall_seconds=seconds,
    )
    print(rests_on(count, subject.trains))
    print(
        f"held-out images of {images.title}, {len(found.numbers):,} classes; rho of diversity and "
        "frequency by the readings named before looking:"
    )
    for f in primary:
        print(f"{f.claim}, {f.reading}: {f.estimate.text('+.2f')}")
    if unreadable:
        print(f"{unreadable} images could not be read and were left out")
    runtime.say_where(folder)


def draw_figures(folder: records.RunFolder, subject: Subject, found: Classes) -> None:
    """Classes in a plane of diversity, or the length of their paths, and frequency."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    board = TensorBoard(folder.tensorboard / "figures")
    images = subject.held_out
    over = rests_on(len(found.networks), subject.trains).partition(",")[0]
    for file, reading, ylabel in (
        ("plain_share", class_study.READINGS[0], "plain share of high frequencies"),
        ("centroid", class_study.READINGS[5], "matched centroid [cycles per unit of pixels]"),
    ):
        along = {"length of paths [pixels of 0 to 1]": found.distance}
        along |= {text: found.diversity[name] for name, text in DIVERSITY.items()}
        panels = [
            figures.Panel(points(found, images, reading, x), xlabel, ylabel)
            for xlabel, x in along.items()
        ]
        title = f"{images.name}, {len(found.numbers):,} classes, all paths within them, {over}"
        pixels = figures.save_figure(
            figures.line_panels(panels, title=title), folder.figures / f"{file}.png"
        )
        board.image(file, pixels, 0)
    board.close_segment()


def points(
    found: Classes, images: data.Images, reading: path_study.Reading, x: np.ndarray
) -> list[Line]:
    """One for each class; of few with their names and intervals."""
    from spectral_tf.records.figures import Line, shades

    count = len(found.numbers)
    if count > NAMED_CLASSES:
        return [Line(x, found.means(reading)[0].mean(axis=0), style="o")]
    drawn = []
    for i, colour in enumerate(shades(count)):
        mean, at = found.mean(reading, i), np.full(2, x[i])
        drawn.append(Line(at, [mean.low, mean.high], style="-", colour=colour))
        name = images.label_names[found.numbers[i]]
        drawn.append(Line(at[:1], [mean.value], name, style="o", colour=colour))
    return drawn


if __name__ == "__main__":
    runtime.launch(main)
