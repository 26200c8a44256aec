"""Do more diverse classes make faster functions? Classes are merged, so that diversity is known.

The same images are learned with their classes as they are and merged, k at a time, at random, into
super-classes. A super-class of k classes is more diverse than any of them; if function frequency
follows diversity, its share of high frequencies on paths within super-classes must rise with k
(Fridovich-Keil et al. (2022) say so of ImageNet's classes). All paths have as many samples, and as
many paths are measured for every k.

    python launchers/class_diversity_merged.py --alsologtostderr

takes about 2 minutes on 2 cores, on embedded photographs (not CIFAR-10). To see: the share within
super-classes by k, of all paths, of those that stay in one of the merged classes, and of those that
go from one to another (results/class_diversity).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import data, models, records, runtime, spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    file_digests,
    find_splits,
    refuse_sizes_of_files,
)

FLAGS = flags.FLAGS
runtime.define_run_flags("class_diversity_merged")
runtime.define_data_flags("photo_patches")
runtime.define_classifier_flags(models.CLASSIFIERS, data.AUGMENTATIONS)
flags.DEFINE_list("merges", [1, 2, 5], "Classes in each super-class; 1 is what others are held to.")
flags.DEFINE_integer("seeds", 1, "Trainings for each, with other groups of classes.", 1)
runtime.define_path_flags(num_samples=64)

ALONG = (*spectra.PathMeasures._fields, "correct")
# Which paths within super-classes: all; within one of the merged classes; from one to another.
PLACES = ("all", "same", "other")


class Measured(NamedTuple):
    """A trained network.

    Attributes:
      merge, run: which one.
      accuracy: in telling super-classes.
      distance: mean length of its paths.
      same: whether the ends of a path are of one of the merged classes, bool [p].
      along: {measure: of every path, [p]}.
    """

    merge: int
    run: int
    accuracy: float
    distance: float
    same: np.ndarray
    along: dict[str, np.ndarray]

    def share(self, place: str, reading: str) -> np.ndarray:
        """Of the paths of one of `PLACES`, read in one of the ways of `spectra.READINGS`."""
        chosen = {"all": np.ones_like(self.same), "same": self.same, "other": ~self.same}[place]
        return spectra.read_share(self.along, reading)[chosen]


def main() -> None:
    """Runs the experiment that the flags describe."""
    setting = Setting.of(runtime.settings())
    merges = runtime.whole_numbers("merges", FLAGS.merges)
    runtime.refuse_below("num_samples", FLAGS.num_samples, 4)
    files = file_digests({"model": FLAGS.model})
    refuse_sizes_of_files(runtime.settings())
    folder = runtime.run_folder("class_diversity_merged", growing=("merges", "seeds"))
    training, held_out = find_splits(runtime.settings(), runtime.data_places())
    refuse_merges(merges, training)

    from spectral_tf.data import pipeline
    from spectral_tf.probes import paths as probe
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.session import Session, finished_history

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    normalisation = data.standard(training)
    prepare = pipeline.prepare(normalisation)
    pixels, labels = held_out.arrays()
    seed = runtime.derive_seed(FLAGS.seed, "pairs")
    work = []
    for run in range(FLAGS.seeds):
        for merge in merges:
            groups = grouping(training.num_classes, merge, run)
            with strategy.scope():
                task = Classification(
                    *(setting, training.merged(groups.tolist()), held_out.merged(groups.tolist())),
                    *(strategy, FLAGS.seed),
                    normalisation=normalisation,
                )
                task.build(0)  # Refuses what does not fit.
            # As many paths for every merge.
            pairs, _ = probe.class_pairs(
                *(groups[labels], range(max(groups) + 1), FLAGS.pairs * merge, seed),
                between=False,
            )
            paths = probe.straight_paths(pixels, pairs, prepare, num_samples=FLAGS.num_samples)
            work.append((merge, run, task, groups, paths))
    folder.start(environment(strategy, FLAGS.seed, {**training.record(normalisation), **files}))
    logging.info("class_diversity_merged: %d trainings", len(work))
    found, seconds, session = [], 0.0, None
    for merge, run, task, groups, paths in work:
        part = folder.part(f"merge_{merge}/seed_{run}")
        done = finished_history(part, task.num_steps)
        if done is None:
            trained = task.trainer(FLAGS.seed, run)
            name = f"{merge} merged, seed {run}"
            session = Session(trained, part, [task.num_steps], FLAGS.save_every_seconds, name)
            if not session.resumed:
                session.board.describe({**runtime.settings(), "merge": merge, "run": run}, {})
            for step in session:
                answers = probe.measure_paths(
                    *(trained.model, pixels, groups[labels], paths, prepare),
                    batch_size=FLAGS.batch_size,
                    strategy=strategy,
                )
                accuracy = float(np.mean(session.outputs.argmax(axis=1) == groups[labels]))
                values = {**answers.measures._asdict(), "correct": answers.correct}
                for key, value in {**values, "accuracy": accuracy}.items():
                    session.history.add(key, step, value)
                    session.board.scalars({key: float(np.mean(value))}, step)
                if folder.writes:
                    trained.save_model(part.state_file.with_name("final.keras"))
            done = session.history, session.seconds
        history, spent = done
        seconds += spent
        found.append(
            Measured(
                *(merge, run, float(history["accuracy"][1][-1]), float(paths.distances.mean())),
                labels[paths.pairs.first] == labels[paths.pairs.last],
                {name: history[name][1][-1] for name in ALONG},
            )
        )
    if folder.writes:
        report(folder, found, merges, training, seconds)
    if session:
        session.wait_for_all()


def refuse_merges(merges: Sequence[int], images: data.Images) -> None:
    """Raises a UserError for merges that leave classes over or fewer than two super-classes."""
    wrong = [k for k in merges if k < 1 or images.num_classes % k or images.num_classes // k < 2]
    if wrong or 1 not in merges:
        raise UserError(
            "--merges",
            expected=f"1 and other divisors of {images.num_classes} classes that leave 2 or more",
            got=",".join(map(str, merges)),
            hint="for example --merges=1,2,5",
        )


def grouping(num_classes: int, merge: int, run: int) -> np.ndarray:
    """For every class the number of its super-class, drawn anew for every run."""
    order = runtime.generator(FLAGS.seed, "groups", run).permutation(num_classes)
    groups = np.empty(num_classes, np.int64)
    groups[order] = np.arange(num_classes) // merge
    return groups


def report(
    folder: records.RunFolder,
    found: Sequence[Measured],
    merges: Sequence[int],
    images: data.Images,
    seconds: float,
) -> None:
    """Writes tables, figure and summary, and says what was found and where to look."""
    from spectral_tf.records import figures
    from spectral_tf.records.tensorboard import TensorBoard

    def mean(model: Measured, place: str, reading: str) -> float:
        values = model.share(place, reading)
        return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan

    table = {
        f"{place}_{reading}": {(m.merge, m.run): mean(m, place, reading) for m in found}
        for place in PLACES
        for reading in spectra.READINGS
    }
    records.write_table(
        folder.path / "models.csv",
        ("merge", "seed", "accuracy", "mean_distance", "correct_ends", *table),
        (
            (
                *(m.merge, m.run, m.accuracy, m.distance, np.mean(m.along["correct"])),
                *(table[name][m.merge, m.run] for name in table),
            )
            for m in found
        ),
    )
    runs = range(FLAGS.seeds)
    shares = {
        name: np.array([[values[merge, run] for merge in merges] for run in runs])
        for name, values in table.items()
    }  # Each [seeds, merges].
    changes = {name: values - values[:, [merges.index(1)]] for name, values in shares.items()}
    records.write_table(
        folder.path / "merges.csv",
        (
            *("merge", "share", "mean", "mean_low", "mean_high"),
            *("difference", "difference_low", "difference_high", "seeds"),
        ),
        (
            (
                *(merge, name),
                *(end[i] for end in spectra.mean_interval(shares[name])),
                *(end[i] for end in spectra.mean_interval(changes[name])),
                len(runs),
            )
            for name in shares
            for i, merge in enumerate(merges)
        ),
    )
    panels = []
    for name in ("plain_correct", "mirrored_correct"):
        series = []
        for place, text in zip(
            PLACES, ("all", "within a merged class", "from one to another"), strict=True
        ):
            there = np.isfinite(shares[f"{place}_{name}"]).any(axis=0)
            band = spectra.mean_interval(shares[f"{place}_{name}"][:, there])
            series.append(figures.Line(np.array(merges)[there], *(band[0], text, *band[1:], "o-")))
        panels.append(
            figures.Panel(
                *(series, "classes in a super-class", "share of high frequencies"),
                name=name.replace("_", ", ") + " ends",
            )
        )
    title = f"{images.name}, paths within super-classes, {records.averaged(FLAGS.seeds)}"
    pixels = figures.save_figure(
        figures.line_panels(panels, title=title), folder.figures / "merges.png"
    )
    board = TensorBoard(folder.tensorboard / "figures")
    board.image("merges", pixels, 0)
    board.close_segment()
    enough = len(merges) >= 3
    folder.finish(
        {
            "experiment": "class_diversity_merged",
            "dataset": images.title,
            "num_seeds": FLAGS.seeds,
            "num_paths": len(found[0].same),
            "correlation_of_merge_and_share": {
                name: spectra.rank_correlation(merges, values)
                for name, values in shares.items()
                if enough and name.startswith("all")
            },
        },
        wall_seconds=seconds,
    )
    print(
        f"held-out images of {images.title}, {records.averaged(FLAGS.seeds)}; within super-classes:"
    )
    for i, merge in enumerate(merges):
        accuracy = np.mean([m.accuracy for m in found if m.merge == merge])
        texts = [
            f"{name} {spectra.mean_interval(shares[f'all_{name}'])[0][i]:.3f}"
            for name in ("plain_correct", "mirrored_correct")
        ]
        print(f"{merge} merged: accuracy {accuracy:.3f}, share {', '.join(texts)}")
    runtime.say_where(folder)


if __name__ == "__main__":
    runtime.launch(main)
