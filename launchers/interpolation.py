"""How fast do the answers of a classifier change on the way from one image to another.

The second method of Fridovich-Keil et al. (2022): straight paths between held-out images, within a
class and between two, the probabilities along them, and what they do there: their spectra, the
shares of high frequencies that were published with the method, and what does not depend on how
densely a path is sampled or in which unit. Where each measure comes from, and what is unknown of
the paper's own, stands in `spectral_tf.spectra.path`. Or paths from single images along their
gradient, a random or a Fourier direction.

    python launchers/interpolation.py --alsologtostderr

trains three small networks on embedded photographs (not CIFAR-10), asks all of them about the same
paths, and takes about 3 minutes on 2 cores. A saved model of your own, which is one network:

    python launchers/interpolation.py --from_run=mine.keras --dataset=cifar10 --outputs=logits

To see: between classes answers vary more than within, by the published shares and in total; what
varies is of lower frequency there, since most of it is one change of class (results/interpolation).
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.special
from absl import flags, logging
from numpy.typing import NDArray

from spectral_tf import data, models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError
from spectral_tf.experiments import path_study
from spectral_tf.experiments.networks import (
    SEEDS,
    difference_over_networks,
    mean_over_networks,
    rests_on,
    stacked,
)
from spectral_tf.experiments.path_study import Family, Reading
from spectral_tf.experiments.subject import Subject
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.probes.paths import Prepare
    from spectral_tf.records.figures import AlongPath, Line, Panel

FLAGS = flags.FLAGS
runtime.define_run_flags("interpolation")
runtime.define_data_flags("photo_patches")
runtime.define_subject_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
flags.DEFINE_integer("seeds", SEEDS, "Networks that are trained; a saved one is one.", 1)
runtime.define_class_subset_flag()
flags.DEFINE_enum(
    "along", "pairs", ("pairs", "gradient", "random", "fourier"), "Pairs of images, or directions."
)
runtime.define_path_flags(pairs=15)
flags.DEFINE_integer("between_pairs", 3, "Paths between each two classes; 0: as --pairs.", 0)
runtime.define_finite_float("length", 20.0, "Of paths along directions.", at_least=1e-6)
runtime.define_finite_float("spatial_frequency", 4.0, "Of a Fourier direction.", at_least=0.0)
flags.DEFINE_integer("drawn", 6, "Paths drawn with their images.", 1, 60)

# Of paths along directions, unless --num_samples tells otherwise.
LOCAL_SAMPLES = 64
# A mean over paths at a frequency rests on this share of them at least.
SUPPORT = 0.5
TRANSFORMS = ("plain", "mirrored")
# What is measured of every path; *per pixels* is per unit of distance in pixels of [0, 1].
MEASURES = (*path_study.SHARES, "peak_difference", *path_study.UNITLESS)
# The same per path instead of per distance, which times the distance is.
PER_PATH = {name: f"{name}_per_path" for name in path_study.UNITLESS}
# By which the claim is read: networks of one kind answer mostly the same paths correctly, so the
# known paths are the common ones here.
READINGS = [r for r in path_study.READINGS if r.ends == "held_out" and r.paths != "shared"]


@dataclasses.dataclass(frozen=True)
class Found:
    """What was measured of m networks along p paths, the same for all of them.

    Attributes:
      networks: {name: of every network}: accuracy, temperature, sampling.
      classes: of the ends of every path, [p, 2].
      counts: its samples, [p].
      values: {name: [m, p, ...]}, distances among them; a measure is NaN where `finite` is false.
      correct: whether a network answers a path's ends correctly, bool [m, p]; of a path from a
        single image, its first one.
      finite: whether all networks gave numbers all along a path, bool [p].
      frequencies: at which there are spectra, [f].
      unit: of these.
      highest: the Nyquist frequency of the densest path.
    """

    networks: dict[str, NDArray]
    classes: NDArray[np.int64]
    counts: NDArray[np.int64]
    values: dict[str, NDArray]
    correct: NDArray[np.bool_]
    finite: NDArray[np.bool_]
    frequencies: NDArray[np.float64]
    unit: str
    highest: float

    def __len__(self) -> int:
        """The number of networks."""
        return len(self.correct)

    @property
    def places(self) -> dict[str, NDArray[np.bool_]]:
        """Which finite paths lie within a class and which between two, bool [p]; none is empty."""
        if FLAGS.along != "pairs":
            return {f"along {FLAGS.along}": self.finite}
        within = self.classes[:, 0] == self.classes[:, 1]
        both = {"within": within & self.finite, "between": ~within & self.finite}
        return {place: where for place, where in both.items() if where.any()}

    @property
    def chosen(self) -> dict[tuple[str, str], NDArray[np.bool_]]:
        """The same, all of them and those that all networks answer correctly."""
        common = spectra.common_paths(self.correct)
        return {
            (place, paths): where & common if paths == "common" else where
            for place, where in self.places.items()
            for paths in ("all", "common")
        }

    def told(self, name: str, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of some paths that tell a measure of every network (`path_study.telling`)."""
        return where & path_study.telling(name, self.values[name])

    def mean(self, name: str, where: NDArray[np.bool_]) -> spectra.Estimate:
        """Over networks and those of some paths that tell the measure."""
        counted = self.told(name, where)
        if not counted.any():
            return spectra.not_enough(0, 2, "paths")
        return mean_over_networks(self.values[name][:, counted], items="paths")

    def couples(self) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
        """Every two classes that are joined, and their finite paths, bool [p]."""
        for first, last in np.unique(self.classes[self.finite], axis=0):
            own = (self.classes == [first, last]).all(axis=1)
            yield int(first), int(last), own & self.finite


def main() -> None:
    """Runs the experiment that the flags describe."""
    subject = Subject(runtime.settings(), FLAGS.save_every_seconds)
    num_networks = subject.num_networks(FLAGS.seeds)
    refuse_flags()
    folder = runtime.run_folder("interpolation", growing=("seeds",))

    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    subject.load(strategy, runtime.data_places())
    if FLAGS.along == "fourier":
        tasks.fourier_direction(subject.shape, FLAGS.spatial_frequency, 45.0)
    drawn = path_study.family(
        "held_out",
        subject.held_out,
        subject.prepare,
        pairs=FLAGS.pairs,
        between_pairs=0 if FLAGS.along != "pairs" else FLAGS.between_pairs or FLAGS.pairs,
        seed=runtime.derive_seed(FLAGS.seed, "pairs"),
        num_samples=FLAGS.num_samples,
        classes=runtime.class_subset(subject.held_out.num_classes),
        input_shape=subject.shape,
    )
    free = path_study.off_the_paths(drawn)
    folder.start(environment(strategy, FLAGS.seed, subject.record()))
    if drawn.unreadable:
        logging.warning("%d images cannot be read and are left out", drawn.unreadable)
    trained = [subject.train(folder.part(f"seed_{run}"), run) for run in range(num_networks)]
    networks, sessions = zip(*trained, strict=True)
    start = time.monotonic()
    logging.info("interpolation: %d paths, %d networks", len(drawn.classes), num_networks)
    families, prepare = asked_paths(networks, drawn, subject)
    found = measured(networks, families, prepare, drawn, free, subject, strategy)
    spent = time.monotonic() - start
    seconds = spent + sum(session.seconds for session in sessions if session)
    if folder.writes:
        pictures = along(networks[0], families[0], found, prepare, subject)
        draw(folder, subject, found, pictures)
        report(folder, subject, found, drawn.unreadable, seconds)
    for session in sessions:
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
    used = {
        "length": FLAGS.along != "pairs",
        "spatial_frequency": FLAGS.along == "fourier",
        "between_pairs": FLAGS.along == "pairs",
    }
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


def asked_paths(
    networks: Sequence[keras.Model], drawn: Family, subject: Subject
) -> tuple[list[Family], Prepare]:
    """The paths that each network is asked about, and the preparation of what they are between.

    Between images they are the drawn ones. Along directions they begin at the first images of the
    drawn pairs, the same for all networks, and images at which the gradient of one of them vanishes
    are left out.
    """
    if FLAGS.along == "pairs":
        return [drawn] * len(networks), subject.prepare

    import tensorflow as tf

    from spectral_tf.probes import paths as probe

    first = drawn.paths.pairs.first
    images, labels = subject.prepare(drawn.pixels[first]).numpy(), drawn.labels[first]
    classes, there = drawn.classes, np.ones(len(first), bool)
    if FLAGS.along == "gradient":
        outputs = subject.outputs[labels]
        directions = [probe.gradients(model, images, outputs) for model in networks]
        there = np.logical_and.reduce([np.any(d != 0, axis=(1, 2, 3)) for d in directions])
        if not there.all():
            logging.warning("%d images without a gradient are left out", np.sum(~there))
        directions = [d[there] for d in directions]
    elif FLAGS.along == "random":
        rng = runtime.generator(FLAGS.seed, "directions")
        directions = [rng.normal(size=images.shape)] * len(networks)
    else:
        wave, _ = tasks.fourier_direction(subject.shape, FLAGS.spatial_frequency, 45.0)
        directions = [wave] * len(networks)
    samples = FLAGS.num_samples or LOCAL_SAMPLES
    families = []
    for direction in directions:
        ends, paths = probe.local_paths(images[there], direction, FLAGS.length, samples)
        if subject.show:
            x, y = (np.asarray(subject.show(ends[end]), np.float64) for end in paths.pairs)
            away = np.sqrt(np.sum((y - x).reshape(len(x), -1) ** 2, axis=1))
            paths = paths._replace(pixel_distances=away)
        families.append(Family("held_out", ends, np.tile(labels[there], 2), classes[there], paths))
    return families, tf.convert_to_tensor


def confidence(
    model: keras.Model, drawn: Family, free: NDArray[np.bool_], subject: Subject
) -> dict[str, float]:
    """Accuracy on images that no path ends on, and the temperature of the common confidence."""
    import tensorflow as tf

    @tf.function
    def answer(pixels: tf.Tensor) -> tf.Tensor:
        return tf.cast(model(subject.prepare(pixels), training=False), tf.float32)

    pixels, labels = drawn.pixels[free], subject.outputs[drawn.labels[free]]
    starts = range(0, len(pixels), FLAGS.batch_size)
    outputs = np.concatenate([answer(pixels[s : s + FLAGS.batch_size]).numpy() for s in starts])
    logits = outputs if FLAGS.outputs == "logits" else spectra.logits_of(outputs)
    return {
        "accuracy": float(np.mean(logits.argmax(axis=1) == labels)),
        "temperature": spectra.confidence_temperature(logits),
    }


def measured(
    networks: Sequence[keras.Model],
    families: Sequence[Family],
    prepare: Prepare,
    drawn: Family,
    free: NDArray[np.bool_],
    subject: Subject,
    strategy: tf.distribute.Strategy,
) -> Found:
    """Asks all networks about their paths, at the confidence that is theirs and at a common one."""
    paths, rows = families[0].paths, []
    # Paths of different lengths with equally many samples have nothing but the path in common.
    per_path = bool(FLAGS.num_samples) and FLAGS.along == "pairs"
    step = 1 / (paths.counts - 1) if per_path else paths.spacing
    axis = spectra.spectrum_axis(paths.counts, step)
    for model, of in zip(networks, families, strict=True):
        whole = confidence(model, drawn, free, subject)
        row = path_study.measure(
            model,
            of._replace(labels=subject.outputs[of.labels]),
            prepare,
            whole["temperature"],
            batch_size=FLAGS.batch_size,
            strategy=strategy,
            outputs=FLAGS.outputs,
            frequencies=axis,
            per_path=per_path,
        )
        row |= {name: row[of_unit] * of.paths.pixel_distances for of_unit, name in PER_PATH.items()}
        row |= {"distance": of.paths.distances, "pixel_distance": of.paths.pixel_distances}
        rows.append(row | whole)
    every = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return Found(
        networks={name: values for name, values in every.items() if values.ndim == 1},
        classes=families[0].classes,
        counts=paths.counts,
        values={name: values for name, values in every.items() if values.ndim > 1},
        # The far end of a path from a single image has no label.
        correct=every["correct"] if FLAGS.along == "pairs" else every["right"][..., 0],
        finite=np.logical_and.reduce(every["finite"]),
        frequencies=axis,
        unit="cycles per path" if per_path else "cycles per unit of distance",
        highest=float(spectra.nyquist(step).max()),
    )


def along(
    model: keras.Model, of: Family, found: Found, prepare: Prepare, subject: Subject
) -> list[AlongPath]:
    """A few paths with what the first network answers there and the images on them.

    As many within as between if there are both.
    """
    from spectral_tf.probes.paths import Pairs, Paths, path_logits
    from spectral_tf.records.figures import AlongPath

    rng = runtime.generator(FLAGS.seed, "drawn")
    chosen = [np.flatnonzero(where) for where in found.places.values()]
    each = math.ceil(FLAGS.drawn / len(chosen))
    few = np.concatenate([rng.permutation(c)[:each] for c in chosen])[: FLAGS.drawn]
    paths = Paths(Pairs(*(end[few] for end in of.paths.pairs)), *(x[few] for x in of.paths[1:]))
    names, pictures = subject.held_out.label_names, []
    # Stored pixels are looked at as they are; of inputs at least the normalisation is undone.
    look = (lambda x: x) if FLAGS.along == "pairs" else subject.show or (lambda x: x[:0])
    for i, outputs in enumerate(path_logits(model, of.pixels, paths, prepare)):
        p = scipy.special.softmax(outputs, axis=1) if FLAGS.outputs == "logits" else outputs
        x, y = (data.to_unit(of.pixels[end[i]]) for end in paths.pairs)
        shares = np.linspace(0, 1, 7)[:, None, None, None]
        peaks = p[:, subject.outputs].max(axis=0)
        ends = found.classes[few[i]]
        seen = {c for c in np.argsort(-peaks)[:4] if peaks[c] > 0.1} | set(ends)
        pictures.append(
            AlongPath(
                " → ".join(dict.fromkeys(names[c] for c in ends)),
                paths.spacing[i] * np.arange(len(p)),
                {names[c]: p[:, subject.outputs[c]] for c in sorted(seen)},
                look((1 - shares) * x + shares * y),
            )
        )
    return pictures


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """Mean magnitudes over networks and some paths, at frequencies that enough of them can tell.

    Attributes:
      estimates: at each frequency; without a value, and with the reason, where too few paths tell.
      of_networks: of each network alone, NaN there, [m, f].
      num_paths: that tell a frequency, [f].
      needed: of them for a mean.
    """

    estimates: list[spectra.Estimate]
    of_networks: NDArray[np.float64]
    num_paths: NDArray[np.int64]
    needed: int

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Where there is a mean, bool [f]."""
        return self.num_paths >= self.needed


def spectrum(found: Found, transform: str, where: NDArray[np.bool_]) -> Spectrum:
    """The spectrum over some paths; where fewer than half of them tell a frequency, why not."""
    magnitudes = found.values[transform]
    there = found.values[f"{transform}_where"].all(axis=0) & where[:, None]
    num_paths, needed = there.sum(axis=0), max(2, math.ceil(SUPPORT * where.sum()))
    of_networks = np.full((len(found), num_paths.size), np.nan)
    estimates = []
    for i, told in enumerate(there.T):
        if num_paths[i] < needed:
            estimates.append(spectra.not_enough(int(num_paths[i]), needed, "paths"))
            continue
        own = magnitudes[:, told, i]
        of_networks[:, i] = own.mean(axis=1)
        estimates.append(mean_over_networks(own, items="paths"))
    return Spectrum(estimates, of_networks, num_paths, needed)


def draw(
    folder: records.RunFolder, subject: Subject, found: Found, pictures: Sequence[AlongPath]
) -> None:
    """Mean spectra, what every two classes have, and a few paths."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    who = rests_on(len(found), subject.trains).partition(",")[0]
    title = f"{subject.held_out.name}, {who}, {found.finite.sum():,} paths"
    whose = "the first" if len(found) > 1 else "it"
    drawn = {
        "spectra": figures.line_panels(spectrum_panels(found), title=title),
        "paths": figures.answers_along(pictures, title=f"{title}; answers of {whose}"),
    }
    classes = np.unique(found.classes)
    if len(classes) > 1 and FLAGS.along == "pairs":
        names = [subject.held_out.label_names[c][:12] for c in classes]
        for name, measures, label in (
            ("classes", ("plain_share", "mirrored_share"), "share of high frequencies"),
            ("classes_centroid", ("centroid", "matched_centroid"), found_unit("centroid", subject)),
        ):
            matrices = {m.replace("_", " "): matrix(found, m) for m in measures}
            drawn[name] = figures.grid_map(
                *(names, names, matrices),
                xlabel="class",
                ylabel="class",
                label=label,
                title=title,
                limits=(0.0, max(float(np.nanmax(m)) for m in matrices.values())),
            )
    board = TensorBoard(folder.tensorboard / "paths")
    for name, figure in drawn.items():
        board.image(name, figures.save_figure(figure, folder.figures / f"{name}.png"), 0)
    for place, where in found.places.items():
        for name in MEASURES:
            board.scalars({f"{name}/{place}": float(found.values[name][:, where].mean())}, 0)
    board.close_segment()


def matrix(found: Found, measure: str) -> NDArray[np.float64]:
    """The mean of a measure over networks and the paths of every two classes, [C, C]."""
    classes = np.unique(found.classes)
    means = np.full((len(classes),) * 2, np.nan)
    for first, last, where in found.couples():
        i, j = np.searchsorted(classes, [first, last])
        means[i, j] = means[j, i] = found.mean(measure, where).value
    return means


def spectrum_panels(found: Found) -> list[Panel]:
    """Both transforms with the networks' own spectra thin, and the paths behind each point."""
    from spectral_tf.records import figures

    panels, counted, needed = [], [], {}
    colours = dict(zip(found.places, figures.shades(2), strict=False))
    for transform in TRANSFORMS:
        series: list[Line] = []
        untold = np.zeros(found.frequencies.size, bool)
        for (place, paths), where in found.chosen.items():
            if where.sum() < 2:
                continue
            told, colour = spectrum(found, transform, where), colours[place]
            style = "-" if paths == "all" else "--"
            text = place if paths == "all" else f"{place}, correct for all"
            series.append(
                figures.Line.of(
                    found.frequencies, stacked(told.estimates), text, style, colour=colour
                )
            )
            if paths == "all":
                untold |= ~told.kept
                # A label that begins with _ is not in the legend.
                series += [
                    figures.Line(found.frequencies, own, "_", style=":", colour=colour)
                    for own in told.of_networks[: len(found) * (len(found) > 1)]
                ]
                mark = {"plain": "-", "mirrored": "-."}[transform]
                counted.append(
                    figures.Line(
                        found.frequencies,
                        told.num_paths,
                        f"{place}, {transform}",
                        style=mark,
                        colour=colour,
                    )
                )
                needed[f"{place}: needed for a mean"] = told.needed
        panels.append(
            figures.Panel(
                *(series, found.unit, "magnitude"),
                name=transform,
                yscale="log",
                left_out=spans(found.frequencies, untold),
                left_out_name="too few paths",
            )
        )
    panels.append(figures.Panel(counted, found.unit, "paths", needed, name="paths behind a point"))
    return panels


def spans(places: NDArray[np.float64], chosen: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """What chosen ones of rising places take up, each half of the way to its neighbours."""
    middles = (places[1:] + places[:-1]) / 2
    edges = np.concatenate([places[:1], middles, places[-1:]])
    return [(float(edges[i]), float(edges[i + 1])) for i in np.flatnonzero(chosen)]


def found_unit(measure: str, subject: Subject) -> str:
    """The unit of a measure, "" for none."""
    if measure.endswith("_per_path"):
        return "cycles per path" if "centroid" in measure else "per path"
    if measure in path_study.UNITLESS:
        known = FLAGS.along == "pairs" or subject.show
        space = "pixels of [0, 1]" if known else "the model's inputs"
        return f"{'cycles ' * ('centroid' in measure)}per unit of distance in {space}"
    return "per unit of distance" if measure == "peak_difference" else ""


def between_above_within(found: Found, reading: Reading) -> spectra.Estimate:
    """What a reading has more between classes than within, over networks and paths."""
    name = PER_PATH[reading.measure] if reading.per_path else reading.measure
    paths = "all" if reading.paths == "all" else "common"
    chosen = [found.told(name, found.chosen[place, paths]) for place in path_study.PAIR_TYPES]
    least = min(int(where.sum()) for where in chosen)
    if least < spectra.PATHS_FOR_COMPARISON:
        return spectra.not_enough(least, spectra.PATHS_FOR_COMPARISON, f"{paths} paths")
    within, between = (found.values[name][:, where] for where in chosen)
    return difference_over_networks(within, between, items="paths")


def claims(found: Found) -> list[Finding]:
    """Claim C0 by every reading; none where there are not both kinds of paths."""
    if set(found.places) != set(path_study.PAIR_TYPES):
        return []
    statement = "the frequency is higher between classes than within"
    return [
        Finding(
            *("C0", statement, reading.name, path_study.PRIMARY.get(reading.name, ""), 1),
            between_above_within(found, reading),
        )
        for reading in READINGS
    ]


def report(
    folder: records.RunFolder, subject: Subject, found: Found, unreadable: int, seconds: float
) -> None:
    """Writes tables and summary, and says what was found and where to look."""
    write_tables(folder, subject, found)
    findings = claims(found)
    if findings:
        records.write_table(folder.path / "claims.csv", Finding._fields, findings)
    kept = {
        f"{place}, {transform}": spectrum(found, transform, where).kept
        for place, where in found.places.items()
        for transform in TRANSFORMS
    }
    # Where no frequency is told by enough paths there is no spectrum.
    reach = {name: float(found.frequencies[own].max()) for name, own in kept.items() if own.any()}
    whole = [*MEASURES, *PER_PATH.values()]
    folder.finish(
        {
            "experiment": "interpolation",
            "rests_on": rests_on(len(found), subject.trains),
            "dataset": subject.held_out.title,
            "networks": {name: values.tolist() for name, values in found.networks.items()},
            "num_paths": {place: int(where.sum()) for place, where in found.places.items()},
            "common_paths": {
                place: int(where.sum())
                for (place, paths), where in found.chosen.items()
                if paths == "common"
            },
            "paths_not_finite": int(np.sum(~found.finite)),
            "unreadable_images": unreadable,
            "share_of_correct_paths": found.correct.mean(axis=1).tolist(),
            "mean_pixel_distance": {
                place: float(found.values["pixel_distance"][:, where].mean())
                for place, where in found.places.items()
            },
            "nyquist_frequency": {"value": found.highest, "unit": found.unit},
            "spectra_reach": reach,
            "means": {
                place: {
                    paths: {
                        name: found.mean(name, found.chosen[place, paths]).record()
                        for name in whole
                    }
                    for paths in ("all", "common")
                }
                for place in found.places
            },
            "claims": {
                f"{f.claim}, {f.reading}": {"direction": f.direction, **f.estimate.record()}
                for f in findings
                if f.primary
            },
        },
        wall_seconds=seconds,
    )
    print(f"{rests_on(len(found), subject.trains)}, on held-out images of {subject.held_out.title}")
    accuracies = ", ".join(f"{a:.3f}" for a in found.networks["accuracy"])
    print(f"accuracy on images that no path ends on: {accuracies}")
    for (place, paths), where in found.chosen.items():
        kind = "all paths" if paths == "all" else "paths that all networks answer correctly"
        print(f"{place}, {kind} ({where.sum():,}):")
        for name in ("plain_share", "mirrored_share", "centroid", "matched_centroid"):
            unit = found_unit(name, subject)
            text = f"{name.replace('_', ' '):>18}: {found.mean(name, where).text('.3f')} {unit}"
            print(text.rstrip())
    for f in findings:
        if f.primary:
            print(f"C0, between above within, {f.reading}: {f.estimate.text('+.3f')}")
    told = "; ".join(f"{name} {frequency:.3f}" for name, frequency in reach.items())
    print(f"spectra reach, of {found.highest:.3f} {found.unit} at most: {told}")
    print("(what fewer than half of the paths can tell is left out)")
    runtime.say_where(folder)


def write_tables(folder: records.RunFolder, subject: Subject, found: Found) -> None:
    """Every network, every path, the means over networks and paths, their spectra."""
    records.write_table(
        folder.path / "networks.csv",
        ("network", *found.networks),
        ((i, *row) for i, row in enumerate(zip(*found.networks.values(), strict=True))),
    )
    told = ("distance", "pixel_distance", *MEASURES)
    records.write_table(
        folder.path / "paths.csv",
        ("path", "network", "first_class", "last_class", "num_samples", "correct", *told),
        (
            (
                *(p, m, *found.classes[p], found.counts[p], int(found.correct[m, p])),
                *(found.values[name][m, p] for name in told),
            )
            for p in np.flatnonzero(found.finite)
            for m in range(len(found))
        ),
    )
    records.write_table(
        folder.path / "measures.csv",
        ("place", "paths", "num_paths", "network", "measure", "unit", "mean"),
        measure_rows(found, subject),
    )
    records.write_table(
        folder.path / "classes.csv",
        ("first_class", "last_class", "num_paths", "common_paths", "measure", "mean"),
        (
            (
                *(first, last, where.sum(), (where & spectra.common_paths(found.correct)).sum()),
                *(name, found.mean(name, where)),
            )
            for first, last, where in found.couples()
            for name in MEASURES
        ),
    )
    records.write_table(
        folder.path / "spectra.csv",
        ("place", "paths", "transform", "frequency", "unit", "num_paths", "magnitude"),
        spectrum_rows(found),
    )


def measure_rows(found: Found, subject: Subject) -> Iterator[tuple[object, ...]]:
    """The mean over networks, then each network."""
    for (place, paths), where in found.chosen.items():
        for name in (*MEASURES, *PER_PATH.values()):
            counted = found.told(name, where)
            row = (place, paths, counted.sum())
            unit = found_unit(name, subject)
            yield (*row, "mean", name, unit, found.mean(name, where))
            for m, values in enumerate(found.values[name]):
                own = spectra.mean_over_clusters(values, where=counted, unit="paths of one network")
                yield (*row, m, name, unit, own)


def spectrum_rows(found: Found) -> Iterator[tuple[object, ...]]:
    """Every frequency, those that too few paths tell with the reason in place of a mean."""
    for (place, paths), where in found.chosen.items():
        for transform in TRANSFORMS:
            told = spectrum(found, transform, where)
            points = zip(found.frequencies, told.num_paths, told.estimates, strict=True)
            for frequency, num_paths, estimate in points:
                yield place, paths, transform, frequency, found.unit, num_paths, estimate


if __name__ == "__main__":
    runtime.launch(main)
