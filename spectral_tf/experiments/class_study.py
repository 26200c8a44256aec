"""Classes of images: how diverse they are and how fast classifiers are within them.

Claim C12 says that diverse classes have faster functions. Its units are classes: each has one
diversity and one mean over its paths and over all networks that were measured. Every class has
paths of its own, shorter or longer ones, and is classified better or worse; each reading is also
given with one of the two held fixed. `Classes` keeps what every path gave, and every number of the
claim follows from it.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import logging
from etils import epath
from numpy.typing import NDArray

from spectral_tf import records, spectra
from spectral_tf.data import to_unit
from spectral_tf.errors import UserError
from spectral_tf.experiments.networks import mean_over_networks
from spectral_tf.experiments.path_study import Models, Reading
from spectral_tf.progress import track
from spectral_tf.runtime.seeds import derive_seed, generator
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    import keras

    from spectral_tf.probes.pairs import Pairs

# How diverse the images of a class are: the field's names, and what they are in words.
DIVERSITY = {
    "feature_angle": "mean 1 - cosine of features",
    "feature_variance": "variance of features",
    "pixel_distance": "mean distance of images",
}
# What is held fixed, "" for nothing: the mean length of the class's paths in pixels, or its
# accuracy.
HELD = ("", "distance", "accuracy")
# In the order of every table; none is left out. `common`: both ends are classified correctly by all
# networks. Which ends are is another selection in every class, so these readings compare easy paths
# of one class with easy paths of another.
READINGS = (
    Reading("DFT share, all paths", "dft_share"),
    Reading("DCT share, all paths", "dct_share"),
    Reading("released code's share, all paths", "released_share"),
    Reading("total variation per distance, all paths", "total_variation"),
    Reading("centroid per distance, all paths", "centroid"),
    Reading("centroid at matched confidence, all paths", "matched_centroid"),
    Reading(
        "centroid at matched confidence, all paths, cycles per path",
        "matched_centroid",
        per_path=True,
    ),
    Reading("total variation at matched confidence, all paths", "matched_total_variation"),
    Reading("DFT share, correctly classified endpoints", "dft_share", "common"),
    Reading("DCT share, correctly classified endpoints", "dct_share", "common"),
    Reading(
        "centroid at matched confidence, correctly classified endpoints",
        "matched_centroid",
        "common",
    ),
)
# Fixed before looking. How the paper measures diversity and frequency is not known: of each
# diversity the share of RobustNets on all paths, with nothing held fixed, stands for it.
PUBLISHED = ("DFT share, all paths", "")
CORRECTED = ("centroid at matched confidence, all paths", "distance")
# The distance of images is that of the paths between them: with the one held fixed nothing is left
# of the other.
NOT_CORRECTED = "pixel_distance"
# Paths with correctly classified endpoints that a class must have; others are not among the classes
# that count.
CORRECT_PATHS = 5
# Images on no path, on which all networks get one confidence: at most, over all classes.
MATCHED_IMAGES = 1_000
# What is told of the sampling of paths.
SAMPLING = ("num_samples", "relative_change")
_HERE = "held_out"


@dataclasses.dataclass(frozen=True)
class Classes:
    """Classes that networks were measured within.

    Attributes:
      numbers: of the classes, [c].
      diversity: {one of `DIVERSITY`: of each class, [c]}.
      networks: measured along the paths within the classes; `correct_endpoints` of a path are 0 to
        2.
    """

    numbers: NDArray[np.int64]
    diversity: Mapping[str, NDArray[np.float64]]
    networks: Models

    @property
    def distance(self) -> NDArray[np.float64]:
        """The mean length of the paths of each class, in pixels of [0, 1], [c]."""
        return self._by_class(self.networks.distances[_HERE][None].astype(np.float64))[0]

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Of each network on the images at the ends of the paths of each class, [m, c]."""
        correct = np.asarray(self.networks.along[f"{_HERE}/correct_endpoints"], np.float64)
        return self._by_class(correct) / 2

    def of_paths(self, reading: Reading) -> NDArray[np.bool_]:
        """The paths that count in a reading, bool [p]."""
        networks = self.networks
        known = spectra.which_paths(networks.correct(_HERE), reading.paths)
        return networks.where("within", _HERE) & networks.measured(reading) & known

    def means(self, reading: Reading) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Of each network over the paths of each class that count, [m, c], and their number [c].

        0 where there is none.
        """
        chosen = self.of_paths(reading)
        return self._by_class(self.networks.values(reading), chosen), self._count(chosen)

    def mean(self, reading: Reading, i: int) -> spectra.Estimate:
        """Of class i, over its paths and the networks."""
        own = self.of_paths(reading) & self._member()[i]
        if not own.any():
            return spectra.not_enough(0, 1, "paths")
        return mean_over_networks(self.networks.values(reading)[:, own], items="paths")

    def correlation(
        self,
        diversity: str,
        reading: Reading,
        held: str = "",
        num_resamples: int = 1_000,
        network: int | None = None,
    ) -> spectra.Estimate:
        """Spearman's rho over classes of their diversity and the mean of a reading.

        Values are averaged over networks before. What varies: classes, each with its images and
        paths. Held fixed: the networks.

        Args:
          diversity: one of `DIVERSITY`.
          reading: one of `READINGS`.
          held: one of `HELD`.
          num_resamples: of the interval.
          network: the only one that is looked at, on the paths that all of them count.
        """
        means, counts = self.means(reading)
        accuracy = self.accuracy
        if network is not None:
            means, accuracy = means[[network]], accuracy[[network]]
        where = counts >= (CORRECT_PATHS if reading.paths == "common" else 1)
        needed = spectra.SETTINGS_FOR_CORRELATION + bool(held)
        if where.sum() < needed:
            return spectra.not_enough(int(where.sum()), needed, "classes")
        controls = {"distance": self.distance, "accuracy": accuracy.mean(axis=0)}
        return spectra.correlation_over_settings(
            self.diversity[diversity][where],
            means.mean(axis=0)[where],
            self.numbers[where],
            control=controls[held][where] if held else None,
            units=("classes", "paths"),
            num_resamples=num_resamples,
        )

    def facts(self) -> dict[str, Any]:
        """As facts of a `records.Found`, which `of_facts` takes."""
        diversity = {f"diversity/{name}": values for name, values in self.diversity.items()}
        return {"numbers": self.numbers, **diversity, **self.networks.facts()}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> "Classes":
        """What was measured, from the facts of a run."""
        diversity = {name: facts[f"diversity/{name}"] for name in DIVERSITY}
        return cls(facts["numbers"], diversity, Models.of_facts(facts))

    def tables(
        self, names: Sequence[str]
    ) -> tuple[dict[str, records.Table], dict[str, Mapping[str, NDArray]]]:
        """`classes` and `models` (the networks); the arrays `paths`: what `read` reads.

        Args:
          names: of all classes of the data.
        """
        tables, arrays = self.networks.tables()
        readings = [[self.mean(r, i) for r in READINGS] for i in range(len(self.numbers))]
        accuracy, distance = self.accuracy.mean(axis=0), self.distance
        counts = [self.means(reading)[1] for reading in (READINGS[0], READINGS[-1])]
        tables["classes"] = records.Table(
            (
                *("class", "name", "accuracy", "distance", *DIVERSITY),
                *("num_paths", "num_correct_paths", *map(column, READINGS)),
            ),
            [
                (
                    *(number, names[number], accuracy[i], distance[i]),
                    *(self.diversity[name][i] for name in DIVERSITY),
                    *(count[i] for count in counts),
                    *readings[i],
                )
                for i, number in enumerate(self.numbers)
            ],
        )
        return tables, arrays

    @classmethod
    def read(cls, folder: epath.Path) -> "Classes":
        """Reads the tables and arrays of `tables` in a run folder.

        Raises:
          UserError: the folder holds no such files.
        """
        networks = Models.read(folder)
        file = folder / "classes.csv"
        with records.reading(file, "folder", "a table of classes"):
            table = records.read_table(file)
            return cls(
                np.array(table["class"], np.int64),
                {name: np.array(table[name], np.float64) for name in DIVERSITY},
                networks,
            )

    def _member(self) -> NDArray[np.bool_]:
        """Whether a path is within a class, [c, p]."""
        return self.numbers[:, None] == self.networks.classes[_HERE][:, 0]

    def _count(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.sum(self._member() & chosen, axis=1)

    def _by_class(self, values: NDArray, chosen: NDArray | None = None) -> NDArray[np.float64]:
        """Means of values [m, p] over the chosen paths of each class, [m, c]; 0 where none is."""
        chosen = np.ones(values.shape[1], bool) if chosen is None else chosen
        weights = (self._member() & chosen).astype(np.float64)
        # What is not finite does not count.
        sums = np.where(chosen, values, 0.0) @ weights.T
        return sums / np.maximum(weights.sum(axis=1), 1)


class Drawn(NamedTuple):
    """What networks are asked about, as indices of held-out images.

    Attributes:
      pairs: ends of the paths within classes.
      classes: of the paths.
      matched_on: images on no path.
    """

    pairs: "Pairs"
    classes: NDArray[np.int64]
    matched_on: NDArray[np.int64]

    @property
    def num_images(self) -> int:
        """All of them."""
        return 2 * len(self.classes) + len(self.matched_on)

    def within(self, classes: Sequence[int]) -> "Drawn":
        """The same with the paths of some classes."""
        own = np.isin(self.classes, classes)
        pairs = type(self.pairs)(*(end[own] for end in self.pairs))
        return self._replace(pairs=pairs, classes=self.classes[own])


def draw(
    labels: NDArray[np.int64],
    clusters: NDArray[np.int64],
    classes: Sequence[int],
    count: int,
    seed: int,
) -> Drawn:
    """The ends of so many paths within each class, and images on none: the same for every network.

    No two paths share a cluster of images. The others are drawn evenly over the classes.

    Args:
      labels, clusters: of all images.
      classes: that take part.
      count: paths of each.
      seed: root of the draws.

    Raises:
      UserError: as `probes.paths.class_pairs`; too few images are left for matching the confidence.
    """
    from spectral_tf.probes.pairs import class_pairs

    pairs, ends = class_pairs(
        labels, classes, count, derive_seed(seed, "pairs"), between=False, clusters=clusters
    )
    free = np.ones(len(labels), bool)
    free[np.concatenate(pairs)] = False
    rng = generator(seed, "confidence")
    each = max(1, MATCHED_IMAGES // len(classes))
    others = [rng.permutation(np.flatnonzero(free & (labels == c)))[:each] for c in classes]
    matched_on = np.sort(np.concatenate(others))
    if len(matched_on) < spectra.IMAGES_FOR_TEMPERATURE:
        raise UserError(
            "pairs",
            expected=f"paths that leave {spectra.IMAGES_FOR_TEMPERATURE} images of these classes "
            "for matching the confidence",
            got=f"{len(matched_on)} left",
            hint="ask for fewer paths, or take more images",
        )
    return Drawn(pairs, ends[:, 0], matched_on)


def diversity(pixels: NDArray, features: NDArray) -> dict[str, float]:
    """{one of `DIVERSITY`: of the images of a class}; none, with a warning, if they cannot tell it.

    Args:
      pixels: as they are stored, [n, ...].
      features: of another network, [n, d]; those that are zero have no angle, and do not count
        there.
    """
    if len(pixels) < 2:
        logging.warning("a class is left out: of its images %d can be read", len(pixels))
        return {}
    turned = features[np.any(features != 0, axis=1)]
    if len(turned) < 2:
        logging.warning("a class is left out: %d of its images have features", len(turned))
        return {}
    return {
        "feature_angle": spectra.mean_angle(turned),
        "feature_variance": spectra.total_variance(features),
        "pixel_distance": spectra.mean_distance(to_unit(pixels)),
    }


def gathered(
    blocks: Sequence[Mapping[str, NDArray]], temperatures: NDArray, seeds: Sequence[int]
) -> Classes:
    """All classes, block by block.

    Args:
      blocks: `numbers` of some classes, diversity/NAME [c]; `classes` and `distances` of the paths
        within them, [p]; along/NAME of each network, [m, p]; `SAMPLING`, [m].
      temperatures: of the networks, [m].
      seeds: numbers of their trainings.
    """

    def joined(name: str, axis: int = 0) -> NDArray:
        return np.concatenate([block[name] for block in blocks], axis=axis)

    along = [name for name in blocks[0] if name.startswith("along/")]
    classes = joined("classes")
    networks = Models(
        {
            "seed": np.array(seeds),
            "accuracy": joined("along/correct_endpoints", 1).mean(axis=1) / 2,
            "temperature": temperatures,
            # Of the block of classes that took most.
            **{name: np.max([block[name] for block in blocks], axis=0) for name in SAMPLING},
        },
        {name.replace("along", _HERE): joined(name, 1) for name in along},
        {_HERE: np.stack([classes, classes], axis=1)},
        {_HERE: joined("distances")},
    )
    diversities = {name: joined(f"diversity/{name}") for name in DIVERSITY}
    return Classes(joined("numbers"), diversities, networks)


def column(reading: Reading) -> str:
    """How a table calls a reading.

    >>> column(READINGS[6]), column(READINGS[8])
    ('matched_centroid_per_path', 'dft_share_correct')
    """
    ends = ("_per_path" if reading.per_path else "") + ("_correct" * (reading.paths == "common"))
    return reading.measure + ends


Correlations = Mapping[tuple[str, str, str], spectra.Estimate]


def correlations(
    found: Classes, num_resamples: int = 1_000, network: int | None = None
) -> Correlations:
    """{(diversity, reading, what is held fixed): rho}, all of them; of all networks, or of one."""
    return {
        (diversity, reading.name, held): found.correlation(
            diversity, reading, held, num_resamples, network
        )
        for diversity, reading, held in track(
            list(itertools.product(DIVERSITY, READINGS, HELD)), "correlation"
        )
    }


def claims(rhos: Correlations) -> list[Finding]:
    """C12 by every diversity and every reading, in one order."""

    def primary(diversity: str, *look: str) -> str:
        corrected = look == CORRECTED and diversity != NOT_CORRECTED
        return "published" if look == PUBLISHED else "corrected" if corrected else ""

    return [
        Finding(
            claim=f"C12 {diversity.replace('_', ' ')}",
            statement=f"classes with a larger {DIVERSITY[diversity]} have faster functions",
            reading=reading + (f", {held} held fixed" if held else ""),
            primary=primary(diversity, reading, held),
            direction=1,
            estimate=rho,
        )
        for (diversity, reading, held), rho in rhos.items()
    ]


def penultimate(model: "keras.Model", flag: str) -> "keras.Model":
    """Images -> what the last fully connected layer sees.

    Args:
      model: a classifier.
      flag: how an error calls it.

    Raises:
      UserError: a network that does not end in such a layer of its own.
    """
    import keras

    if not getattr(model, "inputs", None):
        raise UserError(
            flag,
            expected="a functional or sequential network, whose layers show where features are",
            got=f"{model.name}, a subclassed one",
            hint="choose another, or save keras.Model(inputs, outputs) of it",
        )
    after = (keras.layers.Softmax, keras.layers.Activation, keras.layers.Dropout)
    head = next(layer for layer in reversed(model.layers) if not isinstance(layer, after))
    if not isinstance(head, keras.layers.Dense):
        raise UserError(
            flag,
            expected="a network that ends in a fully connected layer of its own",
            got=f"{model.name}, which ends in {type(head).__name__}",
            hint="choose another, or save it without nesting",
        )
    return keras.Model(model.inputs, head.input)
