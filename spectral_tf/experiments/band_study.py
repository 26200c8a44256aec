"""Images of one class and the paths between them: straight, bent by elastic bands, bent anyhow.

The ends of paths are images of a class and images of other classes that an attack has turned into
ones of it. Every pair is joined three times: by the straight line; by an elastic band, which looks
for a way on which the network is as sure of the class as can be; and by a path of the band's own
shape and length whose bends go into random directions, which says what a bend by itself does.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from spectral_tf import spectra
from spectral_tf.data import Images, to_unit
from spectral_tf.errors import UserError
from spectral_tf.experiments.networks import mean_over_networks
from spectral_tf.experiments.path_study import informative
from spectral_tf.models import files
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    import tensorflow as tf

    from spectral_tf.experiments.evaluated import Evaluated
    from spectral_tf.probes.band_settings import BandSettings
    from spectral_tf.probes.bands import Energy

    # Pixels -> logits.
    Logits = Callable[[tf.Tensor], tf.Tensor]

# What bands go down: the class's own logit, negative, as published; or -log of its probability.
ENERGIES = ("logit", "loss")
# How two images are joined.
COURSES = ("straight", "band", "turned")
# What is joined: two images of the class, one of them and an adversarial one, two adversarial ones.
KINDS = ("images", "mixed", "adversarial")
# An attack that fails for more of the images has not been strong enough to say anything.
FAILURES = 0.5
# What follows the units of an interval over items alone, of several networks.
THESE = " of these networks"
# Of every course of every path, beside `joined`: whether the class is predicted all along it.
OF_CLASS = ("lowest_probability", "highest_loss", "mean_loss")
OF_SPECTRUM = (
    *("dft_share", "dct_share", "released_share"),
    *("total_variation", "centroid", "maximum_slope"),
)
# Of the way itself: its length over the distance of its ends, less 1, and how far it leaves them.
OF_SHAPE = ("relative_length", "departure")
MEASURES = ("joined", *OF_CLASS, *OF_SPECTRUM, *OF_SHAPE)
# Taken of every other sample, too: it tells whether the samples are enough.
BY_HALF = ("total_variation", "centroid", "maximum_slope")
UNITS = {
    "highest_loss": "nats",
    "mean_loss": "nats",
    "total_variation": "per path",
    "centroid": "cycles per path",
    "maximum_slope": "per unit of distance in pixels of [0, 1]",
}
# Numbers of all samples of all courses that are held at once; pairs at most.
_NUMBERS_AT_ONCE = 2**25
_PAIRS_AT_ONCE = 64


class Ends(NamedTuple):
    """Images that paths end on: so many of each class, and as many to be attacked towards it.

    Attributes:
      pixels: in [0, 1], float32 [2, C, k, h, w, c]: those of the class as they are, then those of
        other classes.
      labels: their own classes, [2, C, k].
      classes: the classes that take part, [C].
    """

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: NDArray[np.int64]

    @property
    def targets(self) -> NDArray[np.int64]:
        """The class that every image is joined in, [2, C, k]."""
        return np.broadcast_to(self.classes[:, None], self.labels.shape)


class Pairs(NamedTuple):
    """Which ends are joined, p of them.

    Attributes:
      first, last: numbers of ends, those of `Ends` flat, int64 [p].
      kinds: of each, its place in `KINDS`, [p].
      classes: the place of the class that it lies in, [p].
      clusters: pairs of one number share images, those of two share none, [p].
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    kinds: NDArray[np.int64]
    classes: NDArray[np.int64]
    clusters: NDArray[np.int64]


def drawn_indices(
    labels: NDArray, clusters: NDArray, classes: Sequence[int], count: int, seed: int
) -> NDArray[np.int64]:
    """Images to end paths on, no two of one cluster, [2, C, k]: of each class, and towards it.

    Those towards a class are of the others in turn, as evenly as can be; each is attacked once.

    Args:
      labels, clusters: of all images, [n].
      classes: that take part, 2 or more.
      count: k, images of each class and towards it.
      seed: of the draw.

    Raises:
      UserError: a class with fewer than 2 k images (clusters).
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.flatnonzero(np.isin(labels, classes)))
    # Of each cluster the image that happens to be its first.
    order = order[np.unique(clusters[order], return_index=True)[1]]
    order = rng.permutation(order)
    drawn = np.empty((2, len(classes), count), np.int64)
    # Towards a class come those of the one before it, then of the one before that, ...
    others = len(classes) - 1
    starts = np.cumsum([0, *(len(range(o, count, others)) for o in range(others))])
    for place, label in enumerate(classes):
        own = order[labels[order] == label]
        if own.size < 2 * count:
            alone = len(np.unique(clusters)) == len(clusters)
            raise UserError(
                "images",
                expected=f"an even number up to {own.size // 4 * 2}, of the {own.size:,} "
                f"{'images' if alone else 'clusters of images'} of class {label}, half of which "
                "are attacked towards other classes",
                got=f"{count}, which take {2 * count}",
                hint="ask for fewer, or take more images",
            )
        drawn[0, place], sources = own[:count], own[count : 2 * count]
        for turn, source in enumerate(sources):
            offset = turn % others
            target = (place + 1 + offset) % len(classes)
            drawn[1, target, starts[offset] + turn // others] = source
    return drawn


def ends_of(
    images: Images,
    classes: Sequence[int],
    count: int,
    seed: int,
    input_shape: tuple[int, int, int],
) -> Ends:
    """Draws and reads the images.

    Args:
      images: of a split.
      classes, count, seed: as for `drawn_indices`.
      input_shape: of the networks, [h, w, c].

    Raises:
      UserError: as `drawn_indices`; images that do not fit or cannot be read.
    """
    from spectral_tf.data.selection import labels_of, select

    labels = labels_of(images)
    drawn = drawn_indices(labels, images.clusters(), classes, count, seed)
    found = select(images, drawn, input_shape)
    if found.unreadable.size:
        raise UserError(
            f"images of {images.name}",
            expected=f"{drawn.size:,} that can be read",
            got=f"{found.unreadable.size:,} that cannot",
            hint="draw others with --seed, or prepare the data set anew",
        )
    pixels = to_unit(found.pixels)[np.searchsorted(found.indices, drawn)]
    return Ends(pixels, labels[drawn], np.asarray(classes))


def pairs_of(num_classes: int, count: int, *, every: bool = False) -> Pairs:
    """Which ends are joined.

    Args:
      num_classes: C.
      count: k, images of a class and images towards it, even.
      every: every two of the 2 k of a class; else no image is in two pairs of a kind: of every two
        images and two adversarial ones there are four pairs, one, two and one of each kind, and
        they are one cluster.

    Raises:
      UserError: an odd count, or none.
    """
    if count < 2 or count % 2:
        raise UserError("images", expected="2, 4, 6, ...", got=count, hint="take an even number")
    if every:
        local = list(itertools.combinations(range(2 * count), 2))
    else:
        local = [
            pair
            for i in range(0, count, 2)
            for pair in (
                *((i, i + 1), (i, count + i)),
                *((i + 1, count + i + 1), (count + i, count + i + 1)),
            )
        ]
    first, last = np.array(local).T
    kinds = (first >= count).astype(np.int64) + (last >= count)
    cluster = np.zeros(len(local), np.int64) if every else first % count // 2
    place = np.arange(num_classes)[:, None]

    def flat(ends: NDArray) -> NDArray[np.int64]:
        adversarial, number = np.divmod(ends, count)
        return (adversarial * num_classes * count + place * count + number).ravel()

    return Pairs(
        flat(first),
        flat(last),
        np.tile(kinds, num_classes),
        np.repeat(np.arange(num_classes), len(local)),
        (place * (cluster.max() + 1) + cluster).ravel(),
    )


def refuse_misfits(of: "Evaluated", energy: str, settings: "BandSettings") -> None:
    """Refuses networks and images that bands cannot be made of, before anything is trained.

    Args:
      of: what was loaded.
      energy: one of `ENERGIES`.
      settings: of the bands.

    Raises:
      UserError: fewer numbers in an image than a turned path takes directions; minus a logit of a
        network of one output, whose other class has the logit 0 everywhere.
    """
    numbers = math.prod(of.shape)
    if settings.count > numbers + 1:
        raise UserError(
            "pivots",
            expected=f"at most {numbers + 1} in the end: their bends go into directions of images "
            f"of {numbers} numbers",
            got=settings.count,
            hint="lower --pivots, --inserted or --relaxations",
        )
    if energy == "logit" and of.model and files.output_shape(of.model, of.shape) == (1,):
        raise UserError(
            "energy=logit",
            expected="a logit of every class",
            got="a network of one output, whose other class has none",
            hint="say --energy=loss",
        )


class Network(NamedTuple):
    """A network as paths want it; pixels are in [0, 1], [b, h, w, c].

    Attributes:
      logits: of pixels, [b, C].
      energy: that its bands go down.
      program: `probes.band_program` of it.
    """

    logits: "Logits"
    energy: "Energy"
    program: Any


def network_of(
    model: Callable[[Any], Any],
    of: "Evaluated",
    outputs: str,
    energy: str,
    settings: "BandSettings",
    strategy: "tf.distribute.Strategy",
) -> Network:
    """A network as paths want it.

    Args:
      model: as `evaluated.networks` gives it.
      of: what it belongs to.
      outputs: what it gives.
      energy: one of `ENERGIES`; of a class by the number of its output.
      settings: of its bands.
      strategy: that computes.

    Raises:
      UserError: independent sigmoids of several classes (when it is first called).
    """
    import tensorflow as tf

    from spectral_tf import probes
    from spectral_tf.probes.output_kinds import class_logits
    from spectral_tf.probes.stream import at_inference

    infer = at_inference(model)

    def logits(pixels: tf.Tensor) -> tf.Tensor:
        return class_logits(tf.cast(infer(of.prepare(pixels)), tf.float32), outputs)

    def energies(pixels: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        given = logits(pixels)
        if energy == "logit":
            return -tf.gather(given, numbers, batch_dims=1)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(numbers, given)

    return Network(logits, energies, probes.band_program(energies, settings, strategy))


def attacked(
    network: Network,
    ends: Ends,
    outputs: NDArray[np.int64],
    *,
    norm: float,
    steps: int,
    seed: int,
    batch_size: int,
    strategy: "tf.distribute.Strategy",
) -> dict[str, NDArray]:
    """Attacks the images of other classes, and looks what the network makes of all ends.

    Args:
      network: whose images they are.
      ends: the images.
      outputs: for every class of the data the number of its output.
      norm, steps: of `probes.adversarial_images`.
      seed: of the noise.
      batch_size, strategy: as there.

    Returns:
      `adversarial`: the attacked images, [C, k, h, w, c]; `correct`: whether the class that an end
      is joined in is predicted there, [2, C, k]; `by_noise`: whether noise of the attack's norm
      would have done as much, [C, k].

    Raises:
      UserError: it fails for more than `FAILURES` of the images.
    """
    from spectral_tf import probes

    shape = ends.pixels.shape[3:]
    own, others = ends.pixels.reshape(2, -1, *shape)
    targets = outputs[ends.targets].reshape(2, -1)
    common: dict[str, Any] = {"batch_size": batch_size, "strategy": strategy}
    found = probes.adversarial_images(
        network.logits, others, targets[1], norm=norm, steps=steps, **common
    )
    noise = np.random.default_rng(seed).normal(size=others.shape)
    lengths = np.sqrt(np.sum(noise**2, axis=(1, 2, 3), keepdims=True))
    noisy = np.clip(others + norm / lengths * noise, 0, 1).astype(np.float32)
    every = np.concatenate([own, found, noisy])
    predicted = probes.outputs(network.logits, every, **common).argmax(axis=1).reshape(3, -1)
    correct = predicted[:2] == targets
    failed = int(np.sum(~correct[1]))
    if failed > FAILURES * len(others):
        raise UserError(
            "attack_norm and attack_steps",
            expected=f"an attack that fails for at most {FAILURES:.0%} of the images",
            got=f"{failed:,} of {len(others):,} that are not taken for their target",
            hint="raise them",
        )
    return {
        "adversarial": found.reshape(ends.pixels.shape[1:]),
        "correct": correct.reshape(ends.labels.shape),
        "by_noise": (predicted[2] == targets[1]).reshape(ends.labels.shape[1:]),
    }


def block_size(num_samples: int, numbers: int) -> int:
    """Pairs that are joined and measured at once.

    Args:
      num_samples: of every course.
      numbers: of an image.
    """
    return max(1, min(_PAIRS_AT_ONCE, _NUMBERS_AT_ONCE // (len(COURSES) * num_samples * numbers)))


def courses_of(
    bands: NDArray[np.float32], seeds: Sequence[int], settings: "BandSettings"
) -> tuple[NDArray[np.float32], ...]:
    """The pivots of every one of the `COURSES` of so many pairs, flat, [b, n, d] each.

    Those of turned paths are kept where the band's are, so that no network is asked about pixels
    that its band may not have. That takes from their bends where images are black or white.

    Args:
      bands: the pivots, [b, n, h, w, c].
      seeds: of the random bends of each.
      settings: of the bands.

    Raises:
      UserError: as `spectra.turned_at_random`.
    """
    flat = bands.reshape(*bands.shape[:2], -1)
    turned = [
        spectra.turned_at_random(band, np.random.default_rng(seed))
        for band, seed in zip(flat, seeds, strict=True)
    ]
    return flat[:, [0, -1]], flat, np.clip(turned, settings.low, settings.high)


def samples_of(
    courses: Sequence[NDArray[np.float32]], num_samples: int, shape: Sequence[int]
) -> NDArray[np.float32]:
    """Images along each course, evenly spaced by its length, [b, 3, N, h, w, c].

    Args:
      courses: the pivots of each, flat, [b, n, d].
      num_samples: N.
      shape: of an image, [h, w, c].
    """
    samples = [spectra.along_polyline(course, num_samples) for course in courses]
    return np.stack(samples, axis=1).reshape(-1, len(courses), num_samples, *shape)


def measured(
    network: Network,
    first: NDArray[np.float32],
    last: NDArray[np.float32],
    numbers: NDArray[np.int64],
    seeds: Sequence[int],
    settings: "BandSettings",
    *,
    num_samples: int,
    batch_size: int,
    strategy: "tf.distribute.Strategy",
) -> dict[str, NDArray]:
    """Joins so many pairs on each course, and measures what a network predicts along them.

    Args:
      network: that joins them.
      first, last: ends, [b, h, w, c].
      numbers: of the output of each pair's class, [b].
      seeds: of the random bends of each, so many.
      settings: of the bands.
      num_samples: of every course.
      batch_size, strategy: as for `probes.elastic_bands`.

    Returns:
      of `along` and `OF_SHAPE` for every course, [b, 3, ...]; `distance` in pixels, [b].

    Raises:
      UserError: as `probes.elastic_bands`; outputs that are not finite.
    """
    from spectral_tf import probes

    common: dict[str, Any] = {"batch_size": batch_size, "strategy": strategy}
    bands = probes.elastic_bands(
        *(network.energy, first, last, numbers, settings), traced=network.program, **common
    )
    courses = courses_of(bands, seeds, settings)
    samples = samples_of(courses, num_samples, first.shape[1:])
    given = probes.outputs(network.logits, samples.reshape(-1, *first.shape[1:]), **common)
    if not np.isfinite(given).all():
        raise UserError(
            "outputs along paths",
            expected="finite ones",
            got=f"{np.sum(~np.isfinite(given).all(axis=1)):,} samples of {len(given):,} with "
            "others",
            hint="look for what diverged in the model, or lower --band_rate",
        )
    lengths = np.stack([spectra.polyline_length(course) for course in courses], axis=1)
    distance = lengths[:, COURSES.index("straight")]
    return {
        **along(given.reshape(*samples.shape[:3], -1), numbers, lengths),
        "distance": distance,
        "relative_length": lengths / distance[:, None] - 1,
        "departure": np.stack([spectra.departure(course) for course in courses], axis=1),
    }


def along(
    logits: NDArray[np.float32], numbers: NDArray[np.int64], lengths: NDArray[np.float64]
) -> dict[str, NDArray]:
    """What is predicted along paths, of a class that each of them has.

    Args:
      logits: at evenly spaced samples of every course, [b, m, N, C], N at least 7.
      numbers: of the output of the class, [b].
      lengths: of the paths, [b, m].

    Returns:
      [b, m] each: `joined`, whether the class is predicted at all samples; the lowest probability
      of the class, its highest and mean -log, in nats; `OF_SPECTRUM`, the centroid in cycles per
      path; of `joined` and `BY_HALF` the same by every other sample, NAME_by_half. [b, m, ...]:
      `profile`, the probability of the class, float32 [N]; `dft` and `dct`, magnitudes, float32.

    Raises:
      UserError: as `spectra.path_measures`.
    """
    z = logits.astype(np.float64)
    log_p = scipy.special.log_softmax(z, axis=-1)
    p = np.exp(log_p)
    of_class = np.take_along_axis(log_p, numbers[:, None, None, None], axis=-1)[..., 0]
    kept = z.argmax(axis=-1) == numbers[:, None, None]
    spacing = lengths / (z.shape[2] - 1)
    whole, half = (
        of_path._replace(centroid=of_path.centroid * lengths)
        for of_path in (
            spectra.path_measures(p, spacing),
            spectra.path_measures(p[..., ::2, :], 2 * spacing),
        )
    )
    return {
        "joined": kept.all(axis=-1),
        "joined_by_half": kept[..., ::2].all(axis=-1),
        "lowest_probability": np.exp(of_class).min(axis=-1),
        "highest_loss": -of_class.min(axis=-1),
        "mean_loss": -of_class.mean(axis=-1),
        **{name: getattr(whole, name) for name in OF_SPECTRUM},
        **{f"{name}_by_half": getattr(half, name) for name in BY_HALF},
        "profile": np.exp(of_class).astype(np.float32),
        "dft": spectra.dft_magnitudes(p).astype(np.float32),
        "dct": spectra.dct_magnitudes(p).astype(np.float32),
    }


def share(
    values: NDArray[np.bool_], *, items: str, clusters: NDArray | None = None
) -> spectra.Estimate:
    """The share of some items of which something is so, over networks and items.

    Its interval ends at 0 and 1. Where it is so of all, or of none, in every network, nothing
    varies that a mean could have an interval of: then it is the exact one over items (clusters),
    which says nothing of other networks.

    Args:
      values: of every network and item, bool [m, n].
      items: what they are.
      clusters: as for `mean_over_networks`.

    Returns:
      a single number; no value of no items.

    Raises:
      UserError: as `mean_over_networks`.
    """
    if len(values) == 1:
        return share_of_items(values[0], unit=f"{items} of one network", clusters=clusters)
    if values.all() or not values.any():
        return share_of_items(values[0], unit=f"{items}{THESE}", clusters=clusters)
    found = mean_over_networks(values.astype(float), items=items, clusters=clusters)
    return found.map(lambda ends: np.clip(ends, 0, 1))


def share_of_items(
    so: NDArray[np.bool_], *, unit: str, clusters: NDArray | None = None
) -> spectra.Estimate:
    """The same over items alone.

    Args:
      so: of every item, bool [n].
      unit: what they are, and what is held fixed.
      clusters: as for `spectra.mean_over_clusters`.

    Returns:
      a single number; no value of no items.
    """
    if so.any() and not so.all():
        found = spectra.mean_over_clusters(so.astype(float), clusters, unit=unit)
        return found.map(lambda ends: np.clip(ends, 0, 1))
    count = so.size if clusters is None else np.unique(clusters).size
    named = unit if clusters is None else f"clusters of {unit}"
    return spectra.proportion(np.full(count, so.any()), unit=named)


def no_difference(count: int, unit: str) -> spectra.Estimate:
    """A mean difference of things that are so or not, where none of so many units differs.

    No more of them than the upper end of the exact interval of 0 out of n can differ.

    Args:
      count: of units.
      unit: what they are.
    """
    differing = spectra.proportion(np.zeros(count, bool), unit=unit)
    return dataclasses.replace(differing, low=-differing.high, p_value=1.0)


class Reading(NamedTuple):
    """One way to look at a claim: a measure of bands less that of another course.

    Attributes:
      claim: which.
      measure: one of `MEASURES`.
      other: the course that it is held against.
      paths: all or common.
      kind: of pairs; "": all.
      primary: as for `Finding`.
      sign: -1 of a measure that falls as what is claimed rises.
    """

    claim: str
    measure: str
    other: str
    paths: str = "common"
    kind: str = ""
    primary: str = ""
    sign: int = 1

    @property
    def name(self) -> str:
        """As tables call it."""
        words = {"joined": "joined", "dft_share": "DFT share", "dct_share": "DCT share"}
        measure = words.get(self.measure, self.measure.replace("_", " "))
        against = {"straight": "straight paths", "turned": "paths bent at random"}[self.other]
        which = f" {self.kind}" if self.kind else ""
        return f"{measure},{which} {self.paths} paths, bands less {against}"


STATEMENTS = {
    "B1": "bands keep the class where other paths do not",
    "B2": "predictions vary less along bands than along other paths",
}
# The sign that a claim says the difference has.
DIRECTIONS = {"B1": 1, "B2": -1}
# In the order of every table; none is left out. Which decide was fixed before looking.
READINGS = (
    Reading("B1", "joined", "straight", primary="published"),
    Reading("B1", "joined", "turned", primary="corrected"),
    Reading("B1", "joined", "straight", "all"),
    *(Reading("B1", "joined", "straight", kind=kind) for kind in KINDS),
    *(Reading("B1", "joined", "turned", kind=kind) for kind in KINDS),
    Reading("B1", "lowest_probability", "straight"),
    Reading("B1", "lowest_probability", "turned"),
    Reading("B1", "mean_loss", "straight", sign=-1),
    Reading("B1", "highest_loss", "straight", sign=-1),
    Reading("B2", "dft_share", "straight", primary="published"),
    Reading("B2", "total_variation", "turned", primary="corrected"),
    Reading("B2", "dft_share", "straight", "all"),
    Reading("B2", "dft_share", "turned"),
    Reading("B2", "dct_share", "straight"),
    Reading("B2", "dct_share", "turned"),
    Reading("B2", "released_share", "straight"),
    Reading("B2", "total_variation", "straight"),
    Reading("B2", "centroid", "straight"),
    Reading("B2", "centroid", "turned"),
    Reading("B2", "maximum_slope", "straight"),
)


@dataclasses.dataclass(frozen=True)
class MeasuredBands:
    """What was measured of m networks on p pairs, joined on the three `COURSES`.

    Attributes:
      kinds, classes, clusters: of the pairs, as for `Pairs`, [p].
      correct: whether a network predicts the class at both ends, bool [m, p].
      values: {name: of `along` and `OF_SHAPE`, [m, p, 3, ...]}; `distance` of the ends, [m, p].
    """

    kinds: NDArray[np.int64]
    classes: NDArray[np.int64]
    clusters: NDArray[np.int64]
    correct: NDArray[np.bool_]
    values: Mapping[str, NDArray]

    def __len__(self) -> int:
        """The number of networks."""
        return len(self.correct)

    def facts(self) -> dict[str, Any]:
        """As facts of a `records.Found`, which `of_facts` takes."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**{f"values/{k}": v for k, v in plain.pop("values").items()}, **plain}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> "MeasuredBands":
        """What was measured, from the facts of a run."""
        names = {field.name for field in dataclasses.fields(cls)} - {"values"}
        values = {n.removeprefix("values/"): v for n, v in facts.items() if n.startswith("values/")}
        return cls(**{name: facts[name] for name in names}, values=values)

    @property
    def common(self) -> NDArray[np.bool_]:
        """The pairs whose ends all networks take for the class, bool [p]."""
        return spectra.common_paths(self.correct)

    def where(self, paths: str = "common", kind: str = "") -> NDArray[np.bool_]:
        """Some pairs, bool [p].

        Args:
          paths: all or common.
          kind: one of `KINDS`; "": all.
        """
        chosen = self.common if paths == "common" else np.ones(self.kinds.size, bool)
        return chosen & (self.kinds == KINDS.index(kind)) if kind else chosen

    def of_course(self, name: str, course: str) -> NDArray[np.float64]:
        """A measure on a course, [m, p]."""
        return np.asarray(self.values[name][:, :, COURSES.index(course)], np.float64)

    def mean(self, name: str, course: str, where: NDArray[np.bool_]) -> spectra.Estimate:
        """Over networks and those of some pairs that tell the measure of every network."""
        values = self.of_course(name, course)
        counted = where & informative(name, values)
        if not counted.any():
            return spectra.not_enough(0, 2, "paths")
        kept, clusters = values[:, counted], self.clusters[counted]
        if name == "joined":
            return share(kept > 0, items="paths", clusters=clusters)
        return mean_over_networks(kept, items="paths", clusters=clusters)

    def difference(self, reading: Reading) -> spectra.Estimate:
        """What a reading looks at: the same pairs on both courses, over networks and pairs."""
        mine, theirs = (
            self.of_course(reading.measure, course) for course in ("band", reading.other)
        )
        counted = self.where(reading.paths, reading.kind)
        for values in (mine, theirs):
            counted = counted & informative(reading.measure, values)
        if counted.sum() < spectra.PATHS_FOR_COMPARISON:
            few = f"{reading.paths} paths"
            return spectra.not_enough(int(counted.sum()), spectra.PATHS_FOR_COMPARISON, few)
        differences, clusters = (mine - theirs)[:, counted], self.clusters[counted]
        if reading.measure == "joined" and not differences.any():
            return no_difference(np.unique(clusters).size, f"clusters of paths{THESE}")
        return mean_over_networks(differences, items="paths", clusters=clusters, tested=True)

    def joined_by_all(self, kind: str) -> spectra.Estimate:
        """Of the common pairs of a kind, the share that the band of every network joins.

        Its interval is over pairs (clusters of them): of these networks, not of others.
        """
        chosen = self.where("common", kind)
        joined = np.asarray(self.of_course("joined", "band")[:, chosen].all(axis=0))
        return share_of_items(joined, unit=f"paths{THESE}", clusters=self.clusters[chosen])

    def changed_by_half(self) -> dict[str, dict[str, float]]:
        """How much of the common pairs depends on the samples: {measure: {course: number}}.

        Of `joined` the share of pairs, over networks, that every other sample alone would take for
        joined; of `BY_HALF` the relative change sum |v_half - v| / sum v, as that of
        `probes.converged_paths`. Nothing where there is no such pair.
        """
        if not self.common.any():
            return {}
        changes: dict[str, dict[str, float]] = {}
        for name in ("joined", *BY_HALF):
            for course in COURSES:
                half, whole = (
                    self.of_course(f"{name}{which}", course)[:, self.common]
                    for which in ("_by_half", "")
                )
                of = whole.size if name == "joined" else max(whole.sum(), 1e-300)
                changes.setdefault(name, {})[course] = float(np.abs(half - whole).sum() / of)
        return changes

    def claims(self) -> list[Finding]:
        """Both claims by every reading."""
        return [
            Finding(
                claim=reading.claim,
                statement=STATEMENTS[reading.claim],
                reading=reading.name,
                primary=reading.primary,
                direction=DIRECTIONS[reading.claim] * reading.sign,
                estimate=self.difference(reading),
            )
            for reading in READINGS
        ]
