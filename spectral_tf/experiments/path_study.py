"""Classifiers along paths: what is measured of each, and how all of them are kept and read.

Every classifier is asked about the same paths, once sampled at every unit of distance of the space
that it sees (the shares, as published) and once at so many samples that more of them change
nothing (what does not depend on units: spectral centroid and total variation, per distance in
pixels of [0, 1], as the classifier is and at a confidence common to all).
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import logging
from etils import epath
from numpy.typing import NDArray

from spectral_tf import records, spectra
from spectral_tf.data import Images
from spectral_tf.errors import UserError
from spectral_tf.experiments.page import every_training_diverged
from spectral_tf.records import former_names
from spectral_tf.storage import local_copy

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.probes.jacobians import JacobianNorms
    from spectral_tf.probes.paths import Paths
    from spectral_tf.probes.stream import Prepare
    from spectral_tf.training.classifier import Classifier
    from spectral_tf.training.loop import TrainingLoop

# Where the ends of paths come from; `shifted`: of another data set of the same classes.
ENDS = ("held_out", "training", "shifted")
# Ways from one image to another that are not straight, as `probes.CURVES` calls them.
FOURIER = ("amplitude", "phase", "shortest_phase")
# Of every path: shares as published (they depend on how a path is sampled and on confidence) ...
SHARES = ("dft_share", "dct_share", "released_share")
# ... and what does not; `matched`: at a confidence common to all classifiers.
UNITLESS = ("centroid", "total_variation", "matched_centroid", "matched_total_variation")
MEASURES = (*SHARES, *UNITLESS)
# Measured where they are asked for: means along paths of the norms of Jacobians, of probabilities
# per distance in pixels, as the classifier is and at the common confidence; and the root of the
# mean square of that of logits, by the pixels that it sees, which is RobustNets' measure.
JACOBIANS = ("jacobian", "matched_jacobian", "logit_jacobian")
# Of paths that are not straight: how far the predicted class stays that of the first image.
CONSISTENT = "consistent_share"
OPTIONAL = (*JACOBIANS, CONSISTENT)
# Of a classifier as a whole, where they are asked for: the same at images that no path ends on, and
# what it does on images of a shifted set.
AT_IMAGES = tuple(f"image_{name}" for name in JACOBIANS)
UNDER_SHIFT = ("held_out_accuracy", "shifted_accuracy", "effective_robustness")
# What comes with magnitudes at frequencies.
TRANSFORMS = ("dft", "dct", "released")
SPECTRA = (*TRANSFORMS, *(f"{name}_where" for name in TRANSFORMS), "endpoints_correct")
# What is told of the sampling.
SAMPLING = ("temperature", "num_samples", "relative_change")
PAIR_TYPES = ("within", "between")
# Images on no path, of a split that is too large to be read whole.
_OTHERS = 500
# Of fewer samples a spectrum has hardly a frequency between its lowest and its highest.
_FEW_SAMPLES = 16


class Family(NamedTuple):
    """Paths between images of one split, no two of them from one cluster of images.

    Attributes:
      ends: what tells the family from others: one of `ENDS`, or of `FOURIER` for other ways between
        held-out images.
      pixels, labels: of all images that were read, as they are stored.
      classes: of the two ends, [p, 2].
      paths: between them, sampled by distance.
      unreadable: images that could not be read, which no path ends on.
    """

    ends: str
    pixels: NDArray
    labels: NDArray
    classes: NDArray
    paths: "Paths"
    unreadable: int = 0


def family(
    ends: str,
    images: Images,
    prepare: "Prepare",
    *,
    pairs: int,
    between_pairs: int,
    seed: int,
    num_samples: int = 0,
    classes: Sequence[int] | None = None,
    input_shape: Sequence[int] | None = None,
    curve: str = "straight",
    deviation: Sequence[float] | None = None,
) -> Family:
    """Draws the paths: so many within each class, and between each two.

    All paths within classes together share no cluster of images, and neither do those between
    classes: a mean over paths is one over independent draws. A split that does not fit into memory
    is not read whole: the images at the ends are, and some on no path.

    Args:
      ends: how the images are called.
      images: that paths end on.
      prepare: pixels -> inputs of the classifiers.
      pairs, between_pairs: paths of each class, and of each two (0: none).
      seed: of the draw.
      num_samples: of every path; 0: by distance.
      classes: that take part; default: all.
      input_shape: of the classifiers, [h, w, c], to which larger images are shrunk; default: that
        of the images.
      curve: which way the paths go, one of `probes.CURVES`.
      deviation: of each channel, by which `prepare` divides, for the length of curves in pixels.

    Raises:
      UserError: too few images or clusters for so many paths, images that do not fit or cannot be
        read.
    """
    from spectral_tf.data.selection import labels_of, refuse_unreadable, select
    from spectral_tf.probes.pairs import class_pairs, pairs_among
    from spectral_tf.probes.paths import fourier_paths, straight_paths

    labels = labels_of(images)
    drawn, of_ends = class_pairs(
        labels,
        range(images.num_classes) if classes is None else classes,
        pairs,
        seed,
        between=between_pairs > 0,
        between_count=between_pairs or None,
        clusters=images.clusters(),
    )
    wanted = np.arange(len(labels))
    if not images.resident:
        others = np.random.default_rng(seed).permutation(np.setdiff1d(wanted, drawn))[:_OTHERS]
        wanted = np.union1d(np.concatenate(drawn), others)
    chosen = select(images, wanted, input_shape)
    refuse_unreadable(images, chosen.unreadable.size, wanted.size)
    drawn, left = pairs_among(drawn, chosen.indices)
    asked = (chosen.pixels, drawn, prepare)
    if curve == "straight":
        paths = straight_paths(*asked, num_samples=num_samples)
    else:
        settings: dict[str, Any] = {"curve": curve, "deviation": deviation}
        paths = fourier_paths(*asked, num_samples=num_samples, **settings)
    for line in few_samples(paths.counts):
        logging.warning("%s", line)
    return Family(
        ends,
        chosen.pixels,
        labels[chosen.indices],
        of_ends[left],
        paths,
        chosen.unreadable.size,
    )


def few_samples(counts: NDArray[np.int64]) -> list[str]:
    """A line if half of the paths have fewer than 16 samples, and what to do.

    Distances are those of a network's own inputs: pixels that are not divided by their deviation
    lie close together.

    >>> few_samples(np.array([4, 4, 5]))[0][:56]
    'paths have a median of 4 samples (4 to 5), one for every'
    >>> few_samples(np.array([30, 4]))
    []
    """
    median = float(np.median(counts))
    if median >= _FEW_SAMPLES:
        return []
    return [
        f"paths have a median of {median:g} samples ({counts.min()} to {counts.max()}), one for "
        "every unit of distance between inputs unless --num_samples says otherwise: shares and "
        "spectra of so few are coarse and depend on the spacing; --num_samples=100 takes more "
        "(centroids and total variations are sampled until they converge, either way)"
    ]


def some_images(
    images: Images, input_shape: Sequence[int], seed: int
) -> tuple[NDArray, NDArray[np.int64]]:
    """Pixels and labels of all images of a split, or of some that a seed draws of a large one.

    Args:
      images: the split.
      input_shape: as for `family`.
      seed: of the draw.

    Raises:
      UserError: images that do not fit, more than 1 % that cannot be read.
    """
    from spectral_tf.data.selection import labels_of, refuse_unreadable, select

    labels = labels_of(images)
    wanted = np.arange(len(labels))
    if not images.resident:
        wanted = np.sort(np.random.default_rng(seed).permutation(wanted)[:_OTHERS])
    chosen = select(images, wanted, input_shape)
    refuse_unreadable(images, chosen.unreadable.size, wanted.size)
    return chosen.pixels, labels[chosen.indices]


def digest(families: Sequence[Family]) -> str:
    """What tells the drawn paths from others, for the record of what was measured along them."""
    told = []
    for of in families:
        told += [np.asarray(end, np.int64).tobytes() for end in of.paths.pairs]
        told += [of.paths.curve.encode()] * (of.paths.curve != "straight")
    return hashlib.sha256(b"".join(told)).hexdigest()[:16]


def off_the_paths(of: Family) -> NDArray[np.bool_]:
    """The images that no path ends on, bool [n]: confidence is matched on them.

    Raises:
      UserError: fewer than 100.
    """
    free = np.ones(len(of.labels), bool)
    free[np.concatenate(of.paths.pairs)] = False
    if free.sum() < spectra.IMAGES_FOR_TEMPERATURE:
        raise UserError(
            "pairs and between_pairs",
            expected=f"paths that leave {spectra.IMAGES_FOR_TEMPERATURE} of the {len(free):,} "
            "images for matching the confidence",
            got=f"{free.sum()} left",
            hint="ask for fewer paths, or take more images",
        )
    return free


def measure(
    model: "keras.Model",
    of: Family,
    prepare: "Prepare",
    temperature: float,
    *,
    batch_size: int,
    strategy: "tf.distribute.Strategy",
    outputs: str = "logits",
    frequencies: NDArray | None = None,
    per_path: bool = False,
    jacobian_points: int = 0,
    deviation: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Everything that is measured of a classifier along a family of paths.

    Args:
      model: the classifier.
      of: the paths; its labels are numbers of outputs.
      prepare: pixels -> its inputs.
      temperature: by which logits are divided for the common confidence.
      batch_size, strategy, outputs: as for `measure_paths`.
      frequencies, per_path: at which to give magnitudes, too, as for `measure_paths`.
      jacobian_points: of each path, at which the Jacobian's norms are taken; 0: none.
      deviation: of each channel, by which `prepare` divides: for norms per pixel.

    Returns:
      {measure: of every path, float [p]} for `MEASURES`, centroids and total variations per unit of
      distance in pixels of [0, 1]; with points also `JACOBIANS`, of curves `CONSISTENT`; `correct`:
      whether both ends are classified correctly, of a curve its first one, bool [p]; `finite`:
      whether all outputs are finite, bool [p]; `num_samples` and `relative_change` of the last
      doubling. With frequencies also `SPECTRA` and the maximum slope.

    Raises:
      UserError: outputs that are not what they are said to be, or not finite.
    """
    from spectral_tf.probes.converged import converged_paths
    from spectral_tf.probes.jacobians import path_jacobians
    from spectral_tf.probes.path_measurements import measure_paths

    asked = (model, of.pixels, of.labels, of.paths, prepare)
    common: dict[str, Any] = {"batch_size": batch_size, "strategy": strategy, "outputs": outputs}
    axis: NDArray = np.empty(0) if frequencies is None else frequencies
    published = measure_paths(*asked, frequencies=axis, per_path=per_path, **common)
    dense = converged_paths(*asked, temperatures=(1.0, temperature), **common)
    values: dict[str, Any] = {name: getattr(published.measures, name) for name in SHARES}
    for i, matched in enumerate(("", "matched_")):
        values[f"{matched}centroid"] = dense.centroid[i]
        values[f"{matched}total_variation"] = dense.variation_per_unit[i]
    if frequencies is not None:
        values |= {name: getattr(published, name) for name in SPECTRA}
        values["maximum_slope"] = published.measures.maximum_slope
    finite, correct = published.finite & dense.finite, published.correct
    if of.paths.curve != "straight":  # Whose far end is no image.
        correct = published.endpoints_correct[:, 0]
        values[CONSISTENT] = published.consistent_share
    if jacobian_points:
        norms = path_jacobians(
            *(model, of.pixels, of.paths, prepare),
            points=jacobian_points,
            temperatures=(1.0, temperature),
            deviation=1.0 if deviation is None else deviation,
            kind=outputs,
            batch_size=batch_size,
            strategy=strategy,
        )
        values |= jacobians_of(norms)
        finite &= np.all([np.isfinite(values[name]) for name in JACOBIANS], axis=0)
    return {
        **values,
        "correct": correct,
        "finite": finite,
        "num_samples": dense.num_samples,
        "relative_change": dense.relative_change,
    }


def jacobians_of(norms: "JacobianNorms") -> dict[str, Any]:
    """{measure of `JACOBIANS`: over the last axis}, of images or of the points of each path.

    Means of the norms of probabilities, as they are and at the second temperature; of those of
    logits the root of the mean square.
    """
    as_it_is, matched = norms.probabilities.mean(axis=-1)
    root = np.sqrt(np.mean(norms.logits**2, axis=-1))
    return dict(zip(JACOBIANS, (as_it_is, matched, root), strict=True))


def image_jacobians(
    model: "keras.Model",
    pixels: NDArray,
    prepare: "Prepare",
    temperature: float,
    *,
    deviation: Sequence[float] | None,
    outputs: str = "logits",
    batch_size: int,
    strategy: "tf.distribute.Strategy",
) -> dict[str, float]:
    """{name of `AT_IMAGES`: the norm of the Jacobian over the first 400 images}.

    Args:
      model, prepare, temperature, deviation, outputs, batch_size, strategy: as for `measure`.
      pixels: of images, as they are stored, [n, ...].

    Raises:
      UserError: as `probes.jacobian_norms`.
    """
    from spectral_tf.probes.jacobians import IMAGES, jacobian_norms

    norms = jacobian_norms(
        model,
        pixels[:IMAGES],
        prepare,
        temperatures=(1.0, temperature),
        deviation=1.0 if deviation is None else deviation,
        kind=outputs,
        batch_size=batch_size,
        strategy=strategy,
    )
    values = jacobians_of(norms)
    return {f"image_{name}": float(values[name]) for name in JACOBIANS}


def measure_trained(
    loop: "TrainingLoop[Classifier]",
    labels: NDArray,
    matched_on: NDArray,
    families: Sequence[Family],
    prepare: "Prepare",
    *,
    batch_size: int,
    strategy: "tf.distribute.Strategy",
    jacobian_points: int = 0,
    deviation: Sequence[float] | None = None,
) -> dict[str, Any]:
    """A classifier in training, whole and along all paths.

    Args:
      loop: that trains it, at a probe.
      labels: of the images it is evaluated on, [n].
      matched_on: those of them on which its confidence is made that of all, bool [n].
      families: the paths; their labels are numbers of outputs.
      prepare, batch_size, strategy, jacobian_points, deviation: as for `measure`.

    Returns:
      `accuracy`, `temperature`, and ends/NAME for each family, as of `measure`.

    Raises:
      UserError: as `measure` and `spectra.confidence_temperature`.
    """
    # Log-probabilities, which are logits but for a constant.
    temperature = spectra.confidence_temperature(loop.outputs[matched_on])
    found: dict[str, Any] = {
        "accuracy": float(np.mean(loop.outputs.argmax(axis=1) == labels)),
        "temperature": temperature,
    }
    for of in families:
        along = measure(
            loop.ensemble.model,
            of,
            prepare,
            temperature,
            batch_size=batch_size,
            strategy=strategy,
            jacobian_points=jacobian_points,
            deviation=deviation,
        )
        found |= {f"{of.ends}/{name}": values for name, values in along.items()}
    return found


class Reading(NamedTuple):
    """One way to look at a claim.

    Attributes:
      name: as tables call it.
      measure: one of `MEASURES` or `OPTIONAL`.
      paths: one of `spectra.same_paths.PATHS`.
      ends: those of a `Family`.
      per_path: whether a centroid is told in cycles per path instead of per distance.
      sign: of what is claimed of frequencies; -1 of a measure that falls as they rise.
    """

    name: str
    measure: str
    paths: str = "all"
    ends: str = "held_out"
    per_path: bool = False
    sign: int = 1


# In the order of every table; none is left out. Which two decide was fixed before looking.
READINGS = (
    Reading("DFT share, all paths", "dft_share"),
    Reading("DCT share, all paths", "dct_share"),
    Reading("released code's share, all paths", "released_share"),
    Reading("DFT share, common paths", "dft_share", "common"),
    Reading("DCT share, common paths", "dct_share", "common"),
    Reading("total variation per distance, all paths", "total_variation"),
    Reading("centroid per distance, all paths", "centroid"),
    Reading("centroid per distance, common paths", "centroid", "common"),
    Reading("centroid at matched confidence, all paths", "matched_centroid"),
    Reading("centroid at matched confidence, common paths", "matched_centroid", "common"),
    Reading("centroid at matched confidence, shared paths", "matched_centroid", "shared"),
    Reading("centroid at matched confidence, known paths", "matched_centroid", "known"),
    Reading(
        "centroid at matched confidence, known paths, cycles per path",
        "matched_centroid",
        "known",
        per_path=True,
    ),
    Reading(
        "total variation at matched confidence, known paths", "matched_total_variation", "known"
    ),
    Reading("DFT share, all paths between training images", "dft_share", "all", "training"),
    Reading(
        "centroid at matched confidence, known paths between training images",
        "matched_centroid",
        "known",
        "training",
    ),
)
# Where more was asked for: after those, in this order; none decides.
MORE_READINGS = (
    Reading("Jacobian at matched confidence, all paths", "matched_jacobian"),
    Reading("Jacobian at matched confidence, known paths", "matched_jacobian", "known"),
    Reading("Jacobian of logits, all paths", "logit_jacobian"),
    Reading("DFT share, all paths between shifted images", "dft_share", "all", "shifted"),
    Reading(
        "centroid at matched confidence, known paths between shifted images",
        "matched_centroid",
        "known",
        "shifted",
    ),
    *(
        Reading(
            f"{name}, {paths} paths by {curve.replace('_', ' ')}", measure, paths, curve, sign=sign
        )
        for curve in FOURIER
        for name, measure, paths, sign in (
            ("DFT share", "dft_share", "all", 1),
            ("centroid at matched confidence", "matched_centroid", "known", 1),
            # A class that changes sooner is a higher frequency.
            ("consistent share", CONSISTENT, "all", -1),
        )
    ),
)
PRIMARY = {
    "DFT share, all paths": "published",
    "centroid at matched confidence, known paths": "corrected",
}


@dataclasses.dataclass(frozen=True)
class Models:
    """Classifiers that were measured along the same paths.

    Attributes:
      columns: {name: of each model, [m]}: what tells it apart, accuracy, sampling.
      along: {ends/measure: of each model on each path, [m, p]}, also ends/correct and ends/finite.
      classes: {ends: of the ends of each path, [p, 2]}.
      distances: {ends: of each path in pixels of [0, 1], [p]}.
      diverged: {name: of each training that diverged, and is none of the models}: some of the
        columns, and `diverged_at_step`.
    """

    columns: Mapping[str, NDArray]
    along: Mapping[str, NDArray]
    classes: Mapping[str, NDArray]
    distances: Mapping[str, NDArray]
    diverged: Mapping[str, NDArray] = dataclasses.field(default_factory=dict)

    @classmethod
    def of_trainings(
        cls,
        trainings: Sequence[tuple[list[dict[str, Any]], "records.Found"]],
        families: Sequence[Family],
    ) -> "Models":
        """The classifiers of several trainings that were measured with `measure`.

        Args:
          trainings: of each, what tells its models apart, a row for each step, and what was found:
            series ends/NAME along paths, and others of one number, which become columns.
          families: the paths.

        Raises:
          UserError: every training diverged.
        """
        columns: dict[str, list[Any]] = {}
        along: dict[str, list[NDArray]] = {}
        diverged: dict[str, list[Any]] = {}
        for rows, found in trainings:
            if at := found.fact("diverged"):
                lost = {**rows[-1], "diverged_at_step": next(iter(at.values()))}
                for name, value in lost.items():
                    diverged.setdefault(name, []).append(value)
                continue
            single = {n: s.values for n, s in found.series.items() if s.values.ndim == 1}
            for i, row in enumerate(rows):
                numbers = {n.replace("/", "_"): float(values[i]) for n, values in single.items()}
                for name, value in {**row, **numbers}.items():
                    columns.setdefault(name, []).append(value)
            for name, (_, values) in found.series.items():
                if values.ndim == 2:
                    whether = name.endswith(("/correct", "/finite"))
                    along.setdefault(name, []).append(values > 0 if whether else values)
        if not columns:
            raise every_training_diverged(found for _, found in trainings)
        return cls(
            {name: np.array(values) for name, values in columns.items()},
            {name: np.concatenate(parts) for name, parts in along.items()},
            {of.ends: of.classes for of in families},
            {of.ends: of.paths.pixel_distances for of in families},
            {name: np.array(values) for name, values in diverged.items()},
        )

    def __len__(self) -> int:
        """The number of models."""
        return len(next(iter(self.columns.values())))

    def __getitem__(self, chosen: NDArray) -> "Models":
        """Some of the models."""
        columns, along = (
            {name: values[chosen] for name, values in side.items()}
            for side in (self.columns, self.along)
        )
        return dataclasses.replace(self, columns=columns, along=along)

    @property
    def readings(self) -> list[Reading]:
        """Those that there are paths and measures for."""
        return [
            reading
            for reading in (*READINGS, *MORE_READINGS)
            if f"{reading.ends}/{reading.measure}" in self.along
        ]

    @property
    def optional(self) -> list[str]:
        """The measures of held-out straight paths that were asked for beside `MEASURES`."""
        return [name for name in OPTIONAL if f"held_out/{name}" in self.along]

    def where(self, pair_type: str, ends: str) -> NDArray[np.bool_]:
        """The paths within a class or between two on which all models gave numbers, bool [p]."""
        classes = self.classes[ends]
        within = classes[:, 0] == classes[:, 1]
        chosen = within if pair_type == "within" else ~within
        return chosen & self.along[f"{ends}/finite"].all(axis=0)

    def measured(self, reading: Reading) -> NDArray[np.bool_]:
        """The paths that tell every model's value of a reading, the same for all, bool [p].

        All of them gave numbers there. A centroid is told where something varies, in every model
        (`informative`).
        """
        of_measure = informative(reading.measure, self.along[f"{reading.ends}/{reading.measure}"])
        return self.along[f"{reading.ends}/finite"].all(axis=0) & of_measure

    def values(self, reading: Reading) -> NDArray[np.float64]:
        """What a reading looks at, of each model on each path, [m, p]."""
        values = np.asarray(self.along[f"{reading.ends}/{reading.measure}"], np.float64)
        return values * self.distances[reading.ends] if reading.per_path else values

    def correct(self, ends: str) -> NDArray[np.bool_]:
        """Whether both ends of a path are classified correctly, bool [m, p]."""
        return np.asarray(self.along[f"{ends}/correct"], bool)

    def means(self, reading: Reading, pair_type: str) -> NDArray[np.float64]:
        """Over the paths of a reading (all or common ones), of each model, [m].

        Raises:
          UserError: a reading on paths that two models share.
        """
        counted = self.where(pair_type, reading.ends) & self.measured(reading)
        counted &= spectra.which_paths(self.correct(reading.ends), reading.paths)
        values = self.values(reading)[:, counted]
        return values.mean(axis=1) if counted.any() else np.full(len(self), np.nan)

    @property
    def lost(self) -> list[str]:
        """The trainings that diverged, in words."""
        steps = self.diverged.get("diverged_at_step", ())
        told = ("sweep", "value", "merge", "grouping", "seed")
        return [
            ", ".join(f"{n} {self.diverged[n][i]}" for n in told if n in self.diverged)
            + f" diverged at step {step}"
            for i, step in enumerate(steps)
        ]

    def facts(self) -> dict[str, Any]:
        """As facts of a `records.Found`, which `of_facts` takes; rounded as `tables` round."""
        told = {
            f"{group}/{name}": values
            for group in ("columns", "diverged")
            for name, values in getattr(self, group).items()
        }
        return {**told, **self._arrays()}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> "Models":
        """What was measured, from the facts of a run."""
        groups: dict[str, dict[str, NDArray]] = {
            field.name: {} for field in dataclasses.fields(cls)
        }
        for name, values in facts.items():
            group, slash, rest = name.partition("/")
            if slash and group in groups:
                groups[group][rest] = values
        return cls(**groups)

    def tables(self) -> tuple[dict[str, records.Table], dict[str, Mapping[str, NDArray]]]:
        """The table `models` and the arrays `paths`: every claim can be computed again of them.

        Trainings that diverged are at the end of the table.
        """
        names = list(self.columns)
        rows = list(zip(*(values.tolist() for values in self.columns.values()), strict=True))
        if self.diverged:
            names.append("diverged_at_step")
            rows = [(*row, "null") for row in rows]
            count = len(self.diverged["diverged_at_step"])
            rows += [
                tuple(self.diverged[n][i] if n in self.diverged else "null" for n in names)
                for i in range(count)
            ]
        return {"models": records.Table(names, rows)}, {"paths": self._arrays()}

    def _arrays(self) -> dict[str, NDArray]:
        arrays = {f"along/{name}": values for name, values in self.along.items()}
        arrays |= {f"classes/{ends}": values for ends, values in self.classes.items()}
        arrays |= {f"distances/{ends}": values for ends, values in self.distances.items()}
        return compact(arrays)

    @classmethod
    def read(cls, folder: epath.Path) -> "Models":
        """Reads the table and the arrays of `tables` in a run folder.

        Raises:
          UserError: the folder holds no such files.
        """
        if not ((folder / "models.csv").is_file() and (folder / "paths.npz").is_file()):
            raise UserError(
                "folder", expected="models.csv and paths.npz", got=f"{folder}", hint="name a run"
            )
        file = folder / "models.csv"
        with records.reading(file, "folder", "a table of models"):
            columns = {k: np.array(v) for k, v in records.read_table(file).items()}
        diverged: dict[str, NDArray] = {}
        if "diverged_at_step" in columns:
            lost = np.isfinite(columns["diverged_at_step"])
            diverged = {name: values[lost] for name, values in columns.items()}
            del columns["diverged_at_step"]
            columns = {name: values[~lost] for name, values in columns.items()}
        found: dict[str, dict[str, NDArray]] = {"along": {}, "classes": {}, "distances": {}}
        file = folder / "paths.npz"
        told = records.reading(file, "folder", "what paths gave")
        with told, local_copy(file) as copy, np.load(copy) as arrays:
            for name in arrays:
                kind, _, rest = former_names.current(name).partition("/")
                found[kind][rest] = arrays[name]
        return cls(columns, **found, diverged=diverged)


def informative(measure: str, values: NDArray) -> NDArray[np.bool_]:
    """The paths on which a measure of all models says something, bool [p].

    The centroid of predictions that do not vary is 0, which is no frequency: the least is half a
    cycle per path. A path on which one model's do not is left out for all models.

    Args:
      measure: one of `MEASURES`, or another, which every path tells.
      values: of each model on each path, [m, p].

    >>> informative("matched_centroid", np.array([[0.1, 0.0], [0.2, 0.3]]))
    array([ True, False])
    """
    if "centroid" not in measure:
        return np.ones(values.shape[1], bool)
    return np.all(values > 0, axis=0)


def compact(arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Floats as float32: seven digits, far more than what a path tells."""
    return {
        name: values.astype(np.float32) if values.dtype == np.float64 else values
        for name, values in arrays.items()
    }
