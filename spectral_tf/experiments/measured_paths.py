"""What several networks did along the same paths: means, spectra and claim C0."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_tf import spectra
from spectral_tf.experiments import path_study
from spectral_tf.experiments.networks import difference_over_networks, mean_over_networks
from spectral_tf.experiments.path_study import Reading
from spectral_tf.spectra.verdicts import Finding

# A mean over paths at a frequency rests on this share of them at least.
SUPPORT = 0.5
# Told of paths unless others are asked for, of `path_study.TRANSFORMS`.
TRANSFORMS = ("dft", "dct")
# What is measured of every path; *per pixels* is per unit of distance in pixels of [0, 1].
MEASURES = (*path_study.SHARES, "maximum_slope", *path_study.UNITLESS)
# The same per path instead of per distance, which times the distance is.
PER_PATH = {name: f"{name}_per_path" for name in path_study.UNITLESS}
# By which the claim is read: networks of one kind classify mostly the same paths correctly, so the
# known paths are the common ones here.
READINGS = [r for r in path_study.READINGS if r.ends == "held_out" and r.paths != "shared"]
# After these where the norms of Jacobians were asked for.
MORE_READINGS = [
    r
    for r in path_study.MORE_READINGS
    if r.ends == "held_out" and r.measure in path_study.JACOBIANS
]
# Paths from one image to another, and how they go; others go from single images in a direction.
CURVES = {"pairs": "straight", **{curve: curve for curve in path_study.FOURIER}}
# What a statement says of ends and ways that are not those of the claim.
_WAYS = {
    "training": ", between training images",
    "shifted": ", between images of a shifted set",
    "amplitude": ", along Fourier amplitudes",
    "phase": ", along Fourier phases",
    "shortest_phase": ", along Fourier phases that turn the short way",
}


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


@dataclasses.dataclass(frozen=True)
class MeasuredPaths:
    """What was measured of m networks along p paths, the same for all of them.

    Attributes:
      along: `pairs` of images, another of `CURVES` between them, or the kind of direction from
        single ones.
      networks: {name: of every network}: accuracy, temperature, sampling.
      classes: of the ends of every path, [p, 2].
      counts: its samples, [p].
      values: {name: [m, p, ...]}, distances among them; a measure is NaN where `finite` is false.
      correct: whether a network classifies a path's ends correctly, bool [m, p]; of a path that
        ends on no image, its first one.
      finite: whether all networks gave numbers all along a path, bool [p].
      frequencies: at which there are spectra, [f].
      unit: of these.
      highest: the Nyquist frequency of the densest path.
      in_pixels: whether distances are known in pixels of [0, 1]; else in the models' inputs.
      ends: which images paths begin and end on, one of `path_study.ENDS`.
    """

    along: str
    networks: Mapping[str, NDArray]
    classes: NDArray[np.int64]
    counts: NDArray[np.int64]
    values: Mapping[str, NDArray]
    correct: NDArray[np.bool_]
    finite: NDArray[np.bool_]
    frequencies: NDArray[np.float64]
    unit: str
    highest: float
    in_pixels: bool
    ends: str = "held_out"

    def __len__(self) -> int:
        """The number of networks."""
        return len(self.correct)

    def facts(self) -> dict[str, Any]:
        """As facts of a `records.Found`, which `of_facts` takes."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        grouped = {
            f"{group}/{name}": values
            for group in ("networks", "values")
            for name, values in plain.pop(group).items()
        }
        return {**plain, **grouped}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> MeasuredPaths:
        """What was measured, from the facts of a run."""
        groups: dict[str, dict[str, NDArray]] = {"networks": {}, "values": {}}
        for name, values in facts.items():
            group, slash, rest = name.partition("/")
            if slash and group in groups:
                groups[group][rest] = values
        names = {field.name for field in dataclasses.fields(cls)} - set(groups)
        told = {name: facts[name] for name in names & facts.keys()}  # Older runs know fewer.
        return cls(**told, **groups)  # type: ignore[arg-type]

    @property
    def measures(self) -> tuple[str, ...]:
        """What is told of every path: `MEASURES`, and what was asked for besides."""
        return (*MEASURES, *(name for name in path_study.OPTIONAL if name in self.values))

    @property
    def joins(self) -> bool:
        """Whether paths go from one image to another."""
        return self.along in CURVES

    @property
    def pair_types(self) -> dict[str, NDArray[np.bool_]]:
        """Which finite paths lie within a class and which between two, bool [p]; none is empty."""
        if not self.joins:
            return {f"along {self.along}": self.finite}
        within = self.classes[:, 0] == self.classes[:, 1]
        both = {"within": within & self.finite, "between": ~within & self.finite}
        return {name: where for name, where in both.items() if where.any()}

    @property
    def chosen(self) -> dict[tuple[str, str], NDArray[np.bool_]]:
        """The same, all of them and those that all networks classify correctly."""
        common = spectra.common_paths(self.correct)
        return {
            (pair_type, paths): where & common if paths == "common" else where
            for pair_type, where in self.pair_types.items()
            for paths in ("all", "common")
        }

    def measured(self, name: str, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of some paths that tell a measure of every network (`path_study.informative`)."""
        return where & path_study.informative(name, self.values[name])

    def mean(self, name: str, where: NDArray[np.bool_]) -> spectra.Estimate:
        """Over networks and those of some paths that tell the measure."""
        counted = self.measured(name, where)
        if not counted.any():
            return spectra.not_enough(0, 2, "paths")
        return mean_over_networks(self.values[name][:, counted], items="paths")

    def couples(self) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
        """Every two classes that are joined, and their finite paths, bool [p]."""
        for first, last in np.unique(self.classes[self.finite], axis=0):
            own = (self.classes == [first, last]).all(axis=1)
            yield int(first), int(last), own & self.finite

    def matrix(self, measure: str) -> NDArray[np.float64]:
        """The mean of a measure over networks and the paths of every two classes, [C, C]."""
        classes = np.unique(self.classes)
        means = np.full((len(classes),) * 2, np.nan)
        for first, last, where in self.couples():
            i, j = np.searchsorted(classes, [first, last])
            means[i, j] = means[j, i] = self.mean(measure, where).value
        return means

    def spectrum(self, transform: str, where: NDArray[np.bool_]) -> Spectrum:
        """The spectrum over some paths; where fewer than half of them tell a frequency, why not."""
        magnitudes = self.values[transform]
        there = self.values[f"{transform}_where"].all(axis=0) & where[:, None]
        num_paths, needed = there.sum(axis=0), max(2, math.ceil(SUPPORT * where.sum()))
        of_networks = np.full((len(self), num_paths.size), np.nan)
        estimates = []
        for i, told in enumerate(there.T):
            if num_paths[i] < needed:
                estimates.append(spectra.not_enough(int(num_paths[i]), needed, "paths"))
                continue
            own = magnitudes[:, told, i]
            of_networks[:, i] = own.mean(axis=1)
            estimates.append(mean_over_networks(own, items="paths"))
        return Spectrum(estimates, of_networks, num_paths, needed)

    def unit_of(self, measure: str) -> str:
        """The unit of a measure, "" for none."""
        if measure.endswith("_per_path"):
            return "cycles per path" if "centroid" in measure else "per path"
        if measure in (*path_study.UNITLESS, *path_study.JACOBIANS):
            pixels = self.in_pixels and measure != "logit_jacobian"
            space = "pixels of [0, 1]" if pixels else "the model's inputs"
            return f"{'cycles ' * ('centroid' in measure)}per unit of distance in {space}"
        return "per unit of distance" if measure == "maximum_slope" else ""

    def between_above_within(self, reading: Reading) -> spectra.Estimate:
        """What a reading has more between classes than within, over networks and paths."""
        name = PER_PATH[reading.measure] if reading.per_path else reading.measure
        paths = "all" if reading.paths == "all" else "common"
        chosen = [self.measured(name, self.chosen[kind, paths]) for kind in path_study.PAIR_TYPES]
        least = min(int(where.sum()) for where in chosen)
        if least < spectra.PATHS_FOR_COMPARISON:
            return spectra.not_enough(least, spectra.PATHS_FOR_COMPARISON, f"{paths} paths")
        within, between = (self.values[name][:, where] for where in chosen)
        return difference_over_networks(within, between, items="paths")

    def claims(self) -> list[Finding]:
        """Claim C0 by every reading; none where there are not both kinds of paths.

        Of other ends and ways it is named after them: the claim itself is about straight paths
        between held-out images.
        """
        if set(self.pair_types) != set(path_study.PAIR_TYPES):
            return []
        others = [name for name in (self.along, self.ends) if name in _WAYS]
        return [
            Finding(
                claim=" ".join(("C0", *others)).replace("_", " "),
                statement="the frequency is higher between classes than within"
                + "".join(_WAYS[name] for name in others),
                reading=reading.name,
                primary=path_study.PRIMARY.get(reading.name, ""),
                direction=1,
                estimate=self.between_above_within(reading),
            )
            for reading in (*READINGS, *MORE_READINGS)
            if reading.measure in self.values
        ]
