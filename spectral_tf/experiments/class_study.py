"""Classes of images: how diverse they are and how fast classifiers are within them.

Claim C12 says that diverse classes have faster functions. Its units are classes: each has one
diversity and one mean over its paths and over all networks that were measured. Every class has
paths of its own, shorter or longer ones, and is answered better or worse; each reading is also
given with one of the two held fixed. `Classes` keeps what every path gave, and every number of the
claim follows from it.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spectral_tf import records, spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments.networks import mean_over_networks
from spectral_tf.experiments.path_study import Models, Reading
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    import keras

    from spectral_tf.probes.paths import Prepare

# How diverse the images of a class are: the field's names, and what they are in words.
DIVERSITY = {
    "feature_angle": "mean 1 - cosine of features",
    "feature_variance": "variance of features",
    "pixel_distance": "mean distance of images",
}
# What is held fixed, "" for nothing: the mean length of the class's paths in pixels, or its
# accuracy.
HELD = ("", "distance", "accuracy")
# In the order of every table; none is left out. `common`: both ends are answered correctly by all
# networks. Which ends are is another selection in every class, so these readings compare easy paths
# of one class with easy paths of another.
READINGS = (
    Reading("plain share, all paths", "plain_share"),
    Reading("mirrored share, all paths", "mirrored_share"),
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
    Reading("plain share, correct ends", "plain_share", "common"),
    Reading("mirrored share, correct ends", "mirrored_share", "common"),
    Reading("centroid at matched confidence, correct ends", "matched_centroid", "common"),
)
# Fixed before looking. How the paper measures diversity and frequency is not known: of each
# diversity the share of RobustNets on all paths, with nothing held fixed, stands for it.
PUBLISHED = ("plain share, all paths", "")
CORRECTED = ("centroid at matched confidence, all paths", "distance")
# The distance of images is that of the paths between them: with the one held fixed nothing is left
# of the other.
NOT_CORRECTED = "pixel_distance"
# Paths with correct ends that a class must have; others are not among the classes that count.
CORRECT_PATHS = 5
_HERE = "held_out"


@dataclasses.dataclass(frozen=True)
class Classes:
    """Classes that networks were measured within.

    Attributes:
      numbers: of the classes, [c].
      diversity: {one of `DIVERSITY`: of each class, [c]}.
      networks: measured along the paths within the classes; `right_ends` of a path are 0 to 2.
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
        right = np.asarray(self.networks.along[f"{_HERE}/right_ends"], np.float64)
        return self._by_class(right) / 2

    def of_paths(self, reading: Reading) -> NDArray[np.bool_]:
        """The paths that count in a reading, bool [p]."""
        networks = self.networks
        right = spectra.which_paths(networks.correct(_HERE), reading.paths)
        return networks.where("within", _HERE) & networks.told(reading) & right

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

    def save(self, folder: pathlib.Path, names: Sequence[str]) -> None:
        """Writes `classes.csv`, `models.csv` (the networks) and `paths.npz`.

        Args:
          folder: of the run.
          names: of all classes of the data.
        """
        self.networks.save(folder)
        readings = [[self.mean(r, i) for r in READINGS] for i in range(len(self.numbers))]
        accuracy, distance = self.accuracy.mean(axis=0), self.distance
        counts = [self.means(reading)[1] for reading in (READINGS[0], READINGS[-1])]
        records.write_table(
            folder / "classes.csv",
            (
                *("class", "name", "accuracy", "distance", *DIVERSITY),
                *("num_paths", "num_correct_paths", *map(column, READINGS)),
            ),
            (
                (
                    *(number, names[number], accuracy[i], distance[i]),
                    *(self.diversity[name][i] for name in DIVERSITY),
                    *(count[i] for count in counts),
                    *readings[i],
                )
                for i, number in enumerate(self.numbers)
            ),
        )

    @classmethod
    def read(cls, folder: pathlib.Path) -> "Classes":
        """Reads what `save` wrote.

        Raises:
          UserError: the folder holds no such files.
        """
        networks = Models.read(folder)
        table = records.read_table(folder / "classes.csv")
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


def column(reading: Reading) -> str:
    """How a table calls a reading.

    >>> column(READINGS[6]), column(READINGS[8])
    ('matched_centroid_per_path', 'plain_share_correct')
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
        for diversity in DIVERSITY
        for reading in READINGS
        for held in HELD
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


def outputs_of(
    model: "keras.Model | Callable", prepare: "Prepare", pixels: NDArray, batch_size: int
) -> NDArray[np.float32]:
    """What a model gives for images, a batch at a time, as inputs they take four times the memory.

    Args:
      model: inputs -> outputs.
      prepare: pixels -> inputs.
      pixels: as they are stored, [n, ...], n at least 1.
      batch_size: images at once.

    Returns:
      float32, shape [n, d].
    """
    begins = range(0, len(pixels), batch_size)
    parts = [model(prepare(pixels[i : i + batch_size]), training=False) for i in begins]
    return np.concatenate([np.asarray(part, np.float32) for part in parts]).reshape(len(pixels), -1)
