"""Do more diverse classes make faster functions? Classes are merged, so that diversity is made.

The same images are learned with their classes as they are and with k classes at a time merged into
super-classes. A super-class is more diverse than the classes in it; but the more are merged the
fewer are left, too. So at a fixed k classes are merged by different groupings: similar ones (whose
images lie near each other), dissimilar ones, and random ones. All networks answer the same straight
paths between images of the original classes, within one and from one to another, drawn once
(Fridovich-Keil et al. (2022) say that diverse classes of ImageNet have faster functions).

    python launchers/class_diversity_merged.py --alsologtostderr

trains 18 small networks and takes about 8 minutes on 2 cores, on embedded photographs (not
CIFAR-10). To see: whether the functions within super-classes are faster the more diverse these are,
at a fixed number of them and over k; and what merging changes on the very same paths, within an
original class and from one to another (results/class_diversity).
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import data, models, records, runtime, spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments import class_study, merge_study, path_study
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    file_digests,
    find_splits,
    refuse_sizes_of_files,
)
from spectral_tf.experiments.path_study import MEASURES, Models
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    import tensorflow as tf

    from spectral_tf.probes.paths import Prepare
    from spectral_tf.records.figures import Line
    from spectral_tf.training.classifier import Classifier
    from spectral_tf.training.session import Session

FLAGS = flags.FLAGS
runtime.define_run_flags("class_diversity_merged")
runtime.define_data_flags("photo_patches")
runtime.define_classifier_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
flags.DEFINE_list("merges", [1, 2, 5], "Classes in each super-class; 1 is what others are held to.")
flags.DEFINE_list(
    "groupings", list(merge_study.GROUPINGS), "What is merged at every k: classes that are alike?"
)
flags.DEFINE_integer("random_groupings", 6, "Of each k.", 1)
flags.DEFINE_integer("seeds", 1, "Trainings of each grouping.", 1)
runtime.define_path_flags(pairs=15)
flags.DEFINE_integer("between_pairs", 3, "Paths between each two classes.", 1)

# Lists that can get longer without touching what is computed already.
GROWING = ("merges", "groupings", "random_groupings", "seeds")
# The first so many images of every class tell how far apart classes are.
IMAGES_OF_CLASS = 100
# Which training tells features: none of those that are measured.
JUDGE = -1


class Unit(NamedTuple):
    """A training.

    Attributes:
      merge: classes in a super-class.
      grouping: how they were chosen.
      groups: the super-class of every class, [C].
      seed: number of the training.
      task: what is trained.
    """

    merge: int
    grouping: str
    groups: np.ndarray
    seed: int
    task: Classification

    @property
    def name(self) -> str:
        """Of its part of the folder."""
        return f"merge_{self.merge}/{self.grouping}/seed_{self.seed}"


class Change(NamedTuple):
    """What merging changes on the same paths.

    Attributes:
      merge, grouping: of the networks; `all` groupings of so many.
      measure: one of `MEASURES`.
      place: of the paths for these networks, `same` or `merged`.
      against: what they are compared with: `unmerged` networks, or those of as many super-classes
        in which the two classes are `apart`.
      reference: mean of these.
      difference: from these.
    """

    merge: int
    grouping: str
    measure: str
    place: str
    against: str
    reference: float
    difference: spectra.Estimate


def main() -> None:
    """Runs the experiment that the flags describe."""
    setting = Setting.of(runtime.settings())
    merges = runtime.whole_numbers("merges", FLAGS.merges)
    runtime.words("groupings", FLAGS.groupings, merge_study.GROUPINGS)
    if FLAGS.num_samples:
        runtime.refuse_below("num_samples", FLAGS.num_samples, 4)
    files = file_digests({"model": FLAGS.model})
    refuse_sizes_of_files(runtime.settings())
    folder = runtime.run_folder("class_diversity_merged", GROWING)
    training, held_out = find_splits(runtime.settings(), runtime.data_places())
    refuse_merges(merges, training)

    from spectral_tf.data import pipeline
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.session import Session

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    normalisation = data.standard(training)
    prepare = pipeline.prepare(normalisation)

    def task_of(groups: np.ndarray) -> Classification:
        with strategy.scope():
            task = Classification(
                setting,
                training.merged(groups.tolist()),
                held_out.merged(groups.tolist()),
                strategy,
                FLAGS.seed,
                normalisation=normalisation,
            )
            class_study.penultimate(task.build(0), "--model")  # Refuses what does not fit.
        return task

    of = path_study.family(
        "held_out",
        held_out,
        prepare,
        pairs=FLAGS.pairs,
        between_pairs=FLAGS.between_pairs,
        seed=runtime.derive_seed(FLAGS.seed, "pairs"),
        num_samples=FLAGS.num_samples,
    )
    matched_on = path_study.off_the_paths(of)
    distances = class_distances(training, prepare)
    groupings = {
        k: merge_study.groupings(
            distances,
            k,
            FLAGS.groupings,
            FLAGS.random_groupings,
            runtime.generator(FLAGS.seed, "groups", k),
        )
        for k in merges
    }
    units = [
        Unit(k, name, groups, seed, task)
        for k, of_k in groupings.items()
        for name, groups in of_k.items()
        for task in [task_of(groups)]
        for seed in range(FLAGS.seeds)
    ]
    folder.start(environment(strategy, FLAGS.seed, {**training.record(normalisation), **files}))
    logging.info("class_diversity_merged: %d trainings", len(units) + 1)

    # An unmerged network of another seed tells how far apart classes are in features.
    judge = task_of(np.arange(training.num_classes)).trainer(FLAGS.seed, JUDGE)
    session: Session[Classifier] = Session(
        judge,
        folder.part("features"),
        [units[0].task.num_steps],
        FLAGS.save_every_seconds,
        "features",
    )
    for step in session:
        session.board.scalars({"loss": float(session.losses[0])}, step)
    angles = class_angles(judge, of, prepare)
    for unit in units:
        part = folder.part(unit.name)
        if measured_file(part).exists():
            continue
        trained = unit.task.trainer(FLAGS.seed, unit.seed)
        session = Session(trained, part, [unit.task.num_steps], FLAGS.save_every_seconds, unit.name)
        if not session.resumed:
            session.board.describe(hparams(unit), {})
        for step in session:
            measure(session, step, unit, of, matched_on, prepare, strategy)
            if folder.writes:
                trained.save_model(part.state_file.with_name("final.keras"))
        if folder.writes:
            keep(part, session)
    if folder.writes:
        found, seconds = gathered(folder, units, of, distances, angles)
        report(folder, found, training, distances, angles, seconds)
    session.wait_for_all()


def refuse_merges(merges: list[int], images: data.Images) -> None:
    """Raises a UserError for merges that leave classes over or fewer than two super-classes."""
    wrong = [k for k in merges if k < 1 or images.num_classes % k or images.num_classes // k < 2]
    if wrong or 1 not in merges or len(merges) < 2:
        raise UserError(
            "--merges",
            expected=f"1 and other divisors of {images.num_classes} classes that leave 2 or more",
            got=",".join(map(str, merges)),
            hint="for example --merges=1,2,5",
        )


def class_distances(training: data.Images, prepare: Prepare) -> np.ndarray:
    """The mean distance of training images of each two classes, as the networks see them, [C, C].

    Of the first images of every class.
    """
    pixels, labels = training.arrays()
    chosen = first_of_each(labels)
    return spectra.class_distances(np.asarray(prepare(pixels[chosen])), labels[chosen])


def class_angles(judge: Classifier, of: path_study.Family, prepare: Prepare) -> np.ndarray:
    """The mean 1 - cosine of the features of held-out images of each two classes, [C, C].

    Of the first images of every class; the network was trained on neither.
    """
    chosen = first_of_each(of.labels)
    features = class_study.penultimate(judge.model, "--model")
    rows = class_study.outputs_of(features, prepare, of.pixels[chosen], FLAGS.batch_size)
    return spectra.class_distances(rows, of.labels[chosen], metric="cosine")


def first_of_each(labels: np.ndarray) -> np.ndarray:
    """The places of the first images of every class."""
    places = [np.flatnonzero(labels == c)[:IMAGES_OF_CLASS] for c in range(int(labels.max()) + 1)]
    return np.concatenate(places)


def hparams(unit: Unit) -> dict[str, bool | int | float | str]:
    """What TensorBoard's table of runs shows of a training."""
    return {
        **runtime.settings(),
        "merge": unit.merge,
        "grouping": unit.grouping,
        "groups": merge_study.told(unit.groups),
        "run": unit.seed,
    }


def measured_file(part: records.Part) -> pathlib.Path:
    """Where what was measured of a training is kept; a training that has it is done."""
    return part.state_file.with_name("measured.npz")


def measure(
    session: Session[Classifier],
    step: int,
    unit: Unit,
    of: path_study.Family,
    matched_on: np.ndarray,
    prepare: Prepare,
    strategy: tf.distribute.Strategy,
) -> None:
    """Measures a network along all paths, keeps it, and shows the means."""
    labels = unit.groups[of.labels]
    # Log-probabilities, which are logits but for a constant.
    temperature = spectra.confidence_temperature(session.outputs[matched_on])
    found = path_study.measure(
        session.ensemble.model,
        of._replace(labels=labels),
        prepare,
        temperature,
        batch_size=FLAGS.batch_size,
        strategy=strategy,
    )
    whole = {
        "accuracy": float(np.mean(session.outputs.argmax(axis=1) == labels)),
        "temperature": temperature,
    }
    for name, values in {**whole, **found}.items():
        session.history.add(name, step, values)
        if np.isfinite(mean := float(np.mean(values))):
            session.board.scalars({name: mean}, step)


def keep(part: records.Part, session: Session[Classifier]) -> None:
    """Writes what was measured of a training, whole or not at all."""
    arrays = {name: session.history[name][1][-1] for name in session.history.names}
    arrays |= {name: arrays[name] > 0 for name in ("correct", "finite")}
    arrays["seconds"] = np.array(session.seconds)
    file = measured_file(part)
    with records.whole_file(file) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **path_study.compact(arrays))  # type: ignore[arg-type]


def gathered(
    folder: records.RunFolder,
    units: list[Unit],
    of: path_study.Family,
    distances: np.ndarray,
    angles: np.ndarray,
) -> tuple[Models, float]:
    """All networks, and the seconds that they took."""
    columns: dict[str, list[object]] = {}
    along: dict[str, list[np.ndarray]] = {}
    seconds = 0.0
    for unit in units:
        with np.load(measured_file(folder.part(unit.name))) as kept:
            arrays = dict(kept)
        seconds += float(arrays["seconds"])
        row = {
            "merge": unit.merge,
            "grouping": unit.grouping,
            "seed": unit.seed,
            "groups": merge_study.told(unit.groups),
            "image_distance": spectra.merged_diversity(distances, unit.groups),
            "feature_angle": spectra.merged_diversity(angles, unit.groups),
        }
        for name in ("accuracy", "temperature", "num_samples", "relative_change"):
            row[name] = float(arrays[name])
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
        for name in (*MEASURES, "correct", "finite"):
            along.setdefault(f"held_out/{name}", []).append(arrays[name])
    return Models(
        {name: np.array(values) for name, values in columns.items()},
        {name: np.stack(values) for name, values in along.items()},
        {"held_out": of.classes},
        {"held_out": of.paths.pixel_distances},
    ), seconds


def report(
    folder: records.RunFolder,
    found: Models,
    images: data.Images,
    distances: np.ndarray,
    angles: np.ndarray,
    seconds: float,
) -> None:
    """Writes tables, figure and summary, and says what was found and where to look."""
    found.save(folder.path)
    # What was kept, so that every claim can be computed again to the last bit.
    found = Models.read(folder.path)
    findings = merge_study.claims(found)
    records.write_table(folder.path / "claims.csv", Finding._fields, findings)
    records.write_table(
        folder.path / "dissimilarity.csv",
        ("first", "last", "first_name", "last_name", *merge_study.DIVERSITY),
        (
            (a, b, images.label_names[a], images.label_names[b], distances[a, b], angles[a, b])
            for a in range(images.num_classes)
            for b in range(a, images.num_classes)
        ),
    )
    records.write_table(
        folder.path / "groupings.csv",
        (
            *("merge", "grouping", "classes", "image_distance", "feature_angle", "length"),
            "accuracy",
            *(f"{place}_{m}" for place in ("super", "same") for m in MEASURES),
        ),
        by_grouping(found, images),
    )
    changes = list(differences(found))
    records.write_table(folder.path / "differences.csv", Change._fields, changes)
    draw(folder, found, images)
    primary = [f for f in findings if f.primary]
    folder.finish(
        {
            "experiment": "class_diversity_merged",
            "dataset": images.title,
            "num_seeds": FLAGS.seeds,
            "num_networks": len(found),
            "num_groupings": len(set(merge_study.setting_of(found).tolist())),
            "num_paths": {t: int(found.where(t, "held_out").sum()) for t in path_study.PAIR_TYPES},
            "claims": {
                f"{f.claim}, {f.reading}": {
                    "statement": f.statement,
                    "direction": f.direction,
                    **f.estimate.record(),
                }
                for f in primary
            },
        },
        wall_seconds=seconds,
    )
    print(
        f"held-out images of {images.title}, {len(found)} networks on the same paths; the two "
        "readings that were named before looking:"
    )
    for f in primary:
        print(f"{f.claim}, {f.reading}: {f.estimate.text('+.2f')}")
    for c in changes:
        if c.grouping == "all" and c.measure == "matched_centroid":
            print(
                f"{c.merge} merged, {c.place} paths, minus {c.against} ({c.reference:.4f}): "
                f"{c.difference.text('+.4f')} cycles per unit of pixels"
            )
    runtime.say_where(folder)


def by_grouping(found: Models, images: data.Images) -> Iterator[tuple[object, ...]]:
    """Every grouping: what is merged, how diverse that is, and means over its paths and seeds."""
    settings = merge_study.setting_of(found)
    for name in dict.fromkeys(settings.tolist()):
        own = found[settings == name]
        first = {column: values[0] for column, values in own.columns.items()}
        groups = merge_study.groups_of(str(first["groups"]))
        yield (
            int(first["merge"]),
            first["grouping"],
            " ".join(images.merged(groups.tolist()).label_names),
            first["image_distance"],
            first["feature_angle"],
            merge_study.length(own)[0],
            spectra.mean_over_runs(own.columns["accuracy"], unit="seeds"),
            *(
                merge_study.mean_within(own, path_study.Reading("", m), same_paths=same)
                for same in (False, True)
                for m in MEASURES
            ),
        )


def differences(found: Models) -> Iterator[Change]:
    """What merging changes on the same paths, by every measure."""
    names = found.columns["grouping"].astype(str)
    for k in merge_study.merges_of(found):
        of_k = list(dict.fromkeys(names[found.columns["merge"] == k].tolist()))
        for measure_ in MEASURES:
            reading = path_study.Reading("", measure_)
            away, none = merge_study.merged_minus_none(found, reading, k)
            yield Change(k, "all", measure_, "same", "unmerged", none, away)
            away, apart = merge_study.merged_minus_apart(found, reading, k)
            yield Change(k, "all", measure_, "merged", "apart", apart, away)
            for grouping in of_k:
                for place in ("same", "merged"):
                    away, none = merge_study.merged_minus_none(found, reading, k, grouping, place)
                    yield Change(k, grouping, measure_, place, "unmerged", none, away)


def draw(folder: records.RunFolder, found: Models, images: data.Images) -> None:
    """Diversity against frequency at each fixed k, beside the number merged against it."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    board = TensorBoard(folder.tensorboard / "figures")
    merge = found.columns["merge"]
    names = found.columns["grouping"].astype(str)
    random = (merge == 1) | np.char.startswith(names, "random")
    for file, measure_, ylabel in (
        ("plain_share", "plain_share", "plain share of high frequencies"),
        ("centroid", "matched_centroid", "matched centroid [cycles per unit of pixels]"),
    ):
        reading = path_study.Reading("", measure_)
        for k in merge_study.merges_of(found):
            own, inside = found[merge == k], f"within super-classes of {k}"
            shown = [
                (inside, text, points(own, quality, reading, same_paths=False))
                for quality, text in merge_study.DIVERSITY.items()
            ]
            series = points(own, "image_distance", reading, same_paths=True)
            shown.append((f"within classes, {k} merged", "distance of images", series))
            series = points(found[random], "merge", reading, same_paths=False)
            shown.append(("within super-classes", "classes merged at random", series))
            panels = [figures.Panel(line, x, ylabel, name=name) for name, x, line in shown]
            title = f"{images.name}, a point for each grouping, {records.averaged(FLAGS.seeds)}"
            pixels = figures.save_figure(
                figures.line_panels(panels, title=title), folder.figures / f"{file}_{k}.png"
            )
            board.image(f"{file}_{k}", pixels, 0)
    board.close_segment()


def points(
    found: Models, quality: str, reading: path_study.Reading, *, same_paths: bool
) -> list[Line]:
    """A point with its interval for each grouping; a colour for each kind of grouping."""
    from spectral_tf.records.figures import Line, shades

    kinds = [merge_study.UNMERGED, *merge_study.GROUPINGS]
    colours = dict(zip(kinds, shades(len(kinds)), strict=True))
    settings, drawn = merge_study.setting_of(found), []
    for name in dict.fromkeys(settings.tolist()):
        own = found[settings == name]
        mean = merge_study.mean_within(own, reading, same_paths=same_paths)
        kind = name.split("/")[1].split("_")[0]
        x = float(own.columns[quality][0])
        drawn.append(Line([x, x], [mean.low, mean.high], colour=colours[kind]))
        drawn.append(Line([x], [mean.value], kind, style="o", colour=colours[kind]))
    return drawn


if __name__ == "__main__":
    runtime.launch(main)
