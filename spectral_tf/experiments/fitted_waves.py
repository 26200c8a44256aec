"""Label noise as networks fit it, against networks that never saw it; and claims about that."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.records.waves import HeldOut
from spectral_tf.spectra import AgainstNull, Estimate
from spectral_tf.spectra.inference import SETTINGS_FOR_CORRELATION
from spectral_tf.spectra.verdicts import Finding
from spectral_tf.tasks import PlacedWave

# A wave is learned from the epoch on at which beta is so far above its null.
LEARNED = 0.25
# What is read of a wave, and how lines and claims call it.
MEASURES = {
    "minimum_noise_fitting": "minimum of NF",
    "final_noise_fitting": "final NF",
    "final_regression_slope": "final β",
}
# The same of networks, and of what they have more than their null.
_READINGS = {
    (measure, above): f"{name} − null" if above else name
    for measure, name in MEASURES.items()
    for above in (False, True)
}
_PRIMARY = {
    ("minimum_noise_fitting", False): "published",
    ("final_regression_slope", True): "corrected",
}
# Of networks, and of their null.
Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


class Examples(NamedTuple):
    """The held-out images that are measured.

    Attributes:
      clusters: which of them belong together, a number for each, [n].
      num_classes: of the labels.
    """

    clusters: NDArray[np.int64]
    num_classes: int


@dataclasses.dataclass(frozen=True)
class KeptWave:
    """One wave, or one frequency along several directions, by what a run keeps of every image.

    Rows are seeds if there is one direction. If there are several, rows are directions, each the
    mean over its own seeds: seeds are nested in directions. Waves of one run, and the null, share
    the seeds of a row (first weights and order): rows are crossed with waves.

    Attributes:
      kind, value, direction_parameter: as asked for (`tasks.AskedWave`).
      cycles: across the data, mean over directions.
      unit: of the rows, "seeds" or "directions".
      values: {measure: for each image, with the measure as their mean (`spectra.influence`), of
        shape [rows, n]}. Of the minimum of NF they are those of the epoch at which the network, or
        the null, has it.
      examples: the images.
    """

    kind: str
    value: float
    direction_parameter: float
    cycles: float
    unit: str
    values: Mapping[str, Pair]
    examples: Examples

    @functools.cached_property
    def estimates(self) -> Mapping[str, AgainstNull]:
        """{measure of `MEASURES`: of the networks, of their null, the difference}."""
        units = (self.unit, "images")
        return {
            name: spectra.against_null(*pair, self.examples.clusters, units)
            for name, pair in self.values.items()
        }

    def rows(self, measure: str, above_null: bool) -> NDArray[np.float64]:
        """Values of networks, or what they have more than their null, [rows, n]."""
        network, null = self.values[measure]
        return network - null if above_null else network


_Wave = TypeVar("_Wave", bound=KeptWave)


@dataclasses.dataclass(frozen=True)
class FittedWave(KeptWave):
    """A wave as it is fitted while networks are trained.

    Attributes:
      waves: one for each direction.
      lowest_epochs: at which networks have their lowest NF, mean over the seeds of a row, [rows].
      curves: {"noise_fitting" and "regression_slope": of shape [epochs]}.
    """

    waves: tuple[PlacedWave, ...]
    lowest_epochs: NDArray[np.float64]
    curves: Mapping[str, AgainstNull]

    @property
    def image_frequency(self) -> float:
        """Mean over directions; NaN for waves that have none."""
        return float(np.mean([wave.image_frequency for wave in self.waves]))

    @property
    def correlation_ratio(self) -> float:
        """What the classes alone tell, mean over directions."""
        return float(np.mean([wave.correlation_ratio for wave in self.waves]))

    @property
    def learning_epoch(self) -> Estimate:
        """When beta is `LEARNED` above its null."""
        band = self.curves["regression_slope"].difference
        return spectra.crossing(np.arange(len(band)), band, LEARNED)


def learned(lines: Sequence[KeptWave]) -> list[bool | None]:
    """Which waves of a run are learned: beta - null is above 0, after Holm's correction over them.

    Without the correction one of 8 waves that nobody fits would be called learned in about a
    tenth of runs, and be the fastest.

    Args:
      lines: all waves of the run.

    Returns:
      one for each; None without an interval.
    """
    found = [line.estimates["final_regression_slope"].difference for line in lines]
    above = spectra.above_zero(found)
    return [None if np.isnan(e.low) else yes for e, yes in zip(found, above, strict=True)]


def fit_waves(
    waves: Sequence[PlacedWave],
    networks: NDArray,
    nulls: NDArray,
    levels: NDArray,
    examples: Examples,
) -> tuple[list[FittedWave], FittedWave]:
    """One frequency along one direction or several, measured against its null.

    Args:
      waves: one for each direction.
      networks: log-ratios of the networks trained on them, [directions, seeds, epochs, n].
      nulls: of the networks of the same seeds that were trained without a wave, of that shape.
      levels: s of each wave on the images, [directions, n].
      examples: the images.

    Returns:
      each direction by itself; all of them together (the same for a single one).

    Raises:
      UserError: as `spectra.influence`.
    """
    values, curves, lowest = [], [], []
    for network, null, s in zip(networks, nulls, levels, strict=True):
        found = [spectra.influence(g, s, examples.num_classes) for g in (network, null)]
        nf, beta = ((a, b) for a, b in zip(*found, strict=True))
        at = _each(nf, lambda v: v.mean(axis=-1).argmin(axis=1))
        seeds = np.arange(len(network))
        values.append(
            {
                "minimum_noise_fitting": (nf[0][seeds, at[0]], nf[1][seeds, at[1]]),
                "final_noise_fitting": _each(nf, lambda v: v[:, -1]),
                "final_regression_slope": _each(beta, lambda v: v[:, -1]),
            }
        )
        lowest.append(at[0].astype(np.float64))
        # [seeds, n, epochs].
        curves.append(
            {
                name: _each(pair, lambda v: np.swapaxes(v, 1, 2))
                for name, pair in (("noise_fitting", nf), ("regression_slope", beta))
            }
        )
    parts = zip(waves, values, curves, lowest, strict=True)
    alone = [_fitted((wave,), "seeds", v, c, at, examples) for wave, v, c, at in parts]
    if len(alone) == 1:
        return alone, alone[0]
    every = np.array([at.mean() for at in lowest])
    together = _fitted(
        tuple(waves), "directions", _over_seeds(values), _over_seeds(curves), every, examples
    )
    return alone, together


def _fitted(
    waves: tuple[PlacedWave, ...],
    unit: str,
    values: Mapping[str, Pair],
    curves: Mapping[str, Pair],
    lowest: NDArray,
    examples: Examples,
) -> FittedWave:
    bands = {
        name: spectra.against_null(*pair, examples.clusters, (unit, "images"))
        for name, pair in curves.items()
    }
    first, cycles = waves[0], float(np.mean([wave.cycles for wave in waves]))
    return FittedWave(
        kind=first.kind,
        value=first.value,
        direction_parameter=first.direction_parameter,
        cycles=cycles,
        unit=unit,
        values=values,
        examples=examples,
        waves=waves,
        lowest_epochs=lowest,
        curves=bands,
    )


def _each(pair: Pair, function: Callable[[NDArray], NDArray]) -> Pair:
    return function(pair[0]), function(pair[1])


def _over_seeds(directions: Sequence[Mapping[str, Pair]]) -> dict[str, Pair]:
    """{name: [seeds, ...]} of each direction -> {name: [directions, ...]}."""
    return {
        name: (
            np.stack([values[name][0].mean(axis=0) for values in directions]),
            np.stack([values[name][1].mean(axis=0) for values in directions]),
        )
        for name in directions[0]
    }


def at_lowest(
    log_ratios: NDArray[np.floating], smoothing: NDArray[np.floating], num_classes: int
) -> NDArray[np.floating]:
    """Log-ratios of each seed after the epoch of its lowest noise fitting, [seeds, n].

    Args:
      log_ratios: of networks after each epoch, [seeds, epochs, n].
      smoothing: s of a wave, [n], whether or not the networks have seen it.
      num_classes: C.

    Raises:
      UserError: as `spectra.wave_fit`.
    """
    nf = spectra.wave_fit(log_ratios, smoothing, num_classes).noise_fitting
    return log_ratios[np.arange(len(log_ratios)), nf.argmin(axis=1)]


def kept_waves(
    kept_predictions: HeldOut, table: Mapping[str, Sequence[float | str]]
) -> tuple[dict[str, KeptWave], list[KeptWave]]:
    """The waves of a finished run, recomputed from the predictions for held-out images that it
    left.

    Args:
      kept_predictions: its held_out.npz.
      table: its waves.csv, of which only what each wave is (kind, direction_parameter, frequency,
        cycles) is taken, and nothing that was measured.

    Returns:
      {name of a wave: it alone}; every frequency with all its directions, as `fit_waves`.

    Raises:
      UserError: a wave that is not in the table; as `spectra.influence`.
    """
    examples = Examples(kept_predictions.clusters, int(kept_predictions.num_classes))
    rows = {str(name): i for i, name in enumerate(table["wave"])}
    alone: dict[str, KeptWave] = {}
    groups: dict[tuple[str, float, float], list[KeptWave]] = {}
    for i, name in enumerate(kept_predictions.waves.tolist()):
        if name not in rows:
            raise UserError(
                "waves.csv",
                expected=f"a row for {name} of held_out.npz",
                got=", ".join(rows),
                hint="take both from one run folder",
            )
        kept = (
            kept_predictions.lowest_log_ratios[i],
            kept_predictions.lowest_null_log_ratios[i],
            kept_predictions.log_ratios[i],
            kept_predictions.null_log_ratios[kept_predictions.directions[i]],
        )
        # Trainings that diverged are none.
        there = np.isfinite(kept_predictions.log_ratios[i]).all(axis=1)
        if not there.any():
            continue
        lowest, lowest_null, final, null = (
            spectra.influence(
                log_ratios[there], kept_predictions.smoothing[i], examples.num_classes
            )
            for log_ratios in kept
        )
        kind = str(table["kind"][rows[name]])
        cycles, frequency, parameter = (
            float(table[column][rows[name]])
            for column in ("cycles", "frequency", "direction_parameter")
        )
        alone[name] = KeptWave(
            kind=kind,
            value=cycles if kind == "cycles" else frequency,
            direction_parameter=parameter,
            cycles=cycles,
            unit="seeds",
            values={
                "minimum_noise_fitting": (lowest.noise_fitting, lowest_null.noise_fitting),
                "final_noise_fitting": (final.noise_fitting, null.noise_fitting),
                "final_regression_slope": (final.regression_slope, null.regression_slope),
            },
            examples=examples,
        )
        one = alone[name]
        groups.setdefault((one.kind, one.value, one.direction_parameter), []).append(one)
    return alone, [_over_directions(group) for group in groups.values()]


def _over_directions(group: Sequence[KeptWave]) -> KeptWave:
    if len(group) == 1:
        return group[0]
    return dataclasses.replace(
        group[0],
        cycles=float(np.mean([wave.cycles for wave in group])),
        unit="directions",
        values=_over_seeds([wave.values for wave in group]),
    )


def kept_claims(lines: Sequence[KeptWave], *, rising: bool) -> list[Finding]:
    """Every reading that the predictions a run keeps give: C11 of several direction parameters,
    else C1.

    Args:
      lines: every frequency, of one run.
      rising: as for `direction_claims`.
    """
    if len({line.direction_parameter for line in lines}) > 1:
        return direction_claims(lines, rising=rising)
    return preference_claims(lines)


def wave_claims(lines: Sequence[FittedWave]) -> list[Finding]:
    """C1, low frequencies are preferred (`preference_claims`), and C2, they come first.

    What varies: as there; for C2 waves alone, so that the images are held fixed, and so is what a
    seed that all waves and nulls share does to all of them.

    Args:
      lines: all waves of a run, of one coordinate; those of less than a cycle are hardly waves and
        no part of what is claimed.

    Returns:
      every reading in one order; none for fewer than 2 waves.
    """
    claims = preference_claims(lines)
    if not claims:
        return []
    # Learned among all waves of the run, as its tables say it.
    sure = _by_cycles([line for line, yes in zip(lines, learned(lines), strict=True) if yes])
    lines = _by_cycles(lines)

    def passed(line: FittedWave, above_null: bool, level: float) -> NDArray[np.float64]:
        curve = line.curves["regression_slope"]
        values = (curve.difference if above_null else curve.network).value
        at = spectra.learning_times(np.arange(len(values)), values, level)
        # Ranks are all that is asked of the times: never is later than any.
        return np.atleast_1d(np.minimum(at, len(values)))

    ends = [float(line.curves["regression_slope"].difference.value[-1]) for line in sure]
    halves = [passed(line, True, end / 2) for line, end in zip(sure, ends, strict=True)]
    plain, beyond = ([passed(line, side, LEARNED) for line in lines] for side in (False, True))
    for name, primary, some, rows in (
        ("of NF's minimum", "published", lines, [line.lowest_epochs for line in lines]),
        (f"at which β passes {LEARNED}", "", lines, plain),
        (f"at which β − null passes {LEARNED}", "corrected", lines, beyond),
        ("at which β − null of learned waves passes half of its end", "", sure, halves),
    ):
        claims.append(
            Finding(
                claim="C2",
                statement="Waves of few cycles are learned first",
                reading=f"rank correlation over waves of cycles and the epoch {name}",
                primary=primary,
                direction=1,
                estimate=_over_waves(some, rows),
            )
        )
    return claims


def preference_claims(lines: Sequence[KeptWave]) -> list[Finding]:
    """C1, low frequencies are preferred, all of which the predictions that a run keeps give.

    What varies: for rank correlations waves and images; for the difference of two waves seeds (or
    directions) and images. Held fixed in rank correlations: the seeds, since all waves and nulls of
    a run share them (or directions with their seeds). They are crossed with the waves, not nested
    in them: what a shared seed does to all waves is in every resample of waves, and not varied.

    Args:
      lines: of one coordinate; waves of less than a cycle are hardly waves and left out.

    Returns:
      every reading in one order; none for fewer than 2 waves.
    """
    lines = _by_cycles(lines)
    if len(lines) < 2:
        return []
    slow, fast = lines[0], lines[-1]
    claims = []
    preferred = "Networks prefer waves of few cycles"
    for (measure, above), name in _READINGS.items():
        claims.append(
            Finding(
                claim="C1",
                statement=preferred,
                reading=f"rank correlation over waves of cycles and {name}",
                primary=_PRIMARY.get((measure, above), ""),
                direction=-1,
                estimate=_over_waves(lines, [_by_cluster(w, measure, above) for w in lines]),
            )
        )
    for (measure, above), name in _READINGS.items():
        claims.append(
            Finding(
                claim="C1",
                statement=preferred,
                reading=f"{name} of the slowest wave − that of the fastest",
                primary="",
                direction=1,
                estimate=spectra.crossed_mean(
                    slow.rows(measure, above) - fast.rows(measure, above),
                    clusters=slow.examples.clusters,
                    units=(slow.unit, "images"),
                    tested=True,
                ),
            )
        )
    return claims


def _by_cycles(lines: Sequence[_Wave]) -> list[_Wave]:
    """In the order of their cycles, those of less than one left out."""
    return sorted((line for line in lines if line.cycles >= 1 - 1e-9), key=lambda w: w.cycles)


def _over_waves(lines: Sequence[KeptWave], rows: Sequence[NDArray]) -> Estimate:
    """Spearman's rho of cycles and of rows [r] or [r, clusters] of each wave."""
    if not lines:
        return spectra.not_enough(0, SETTINGS_FOR_CORRELATION, "waves")
    of_row = np.repeat(np.arange(len(lines)), [len(row) for row in rows])
    cycles = np.array([line.cycles for line in lines])
    return spectra.correlation_over_settings(
        cycles[of_row], np.concatenate(rows), of_row, units=("waves", "clusters of images")
    )


def _by_cluster(line: KeptWave, measure: str, above_null: bool) -> NDArray[np.float64]:
    """Values [rows, clusters] of the same mean as those [rows, n]."""
    rows = line.rows(measure, above_null)
    _, member, counts = np.unique(line.examples.clusters, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(member, weights=row) for row in rows])
    return sums * (len(counts) / rows.shape[1])


def direction_claims(lines: Sequence[KeptWave], *, rising: bool) -> list[Finding]:
    """C11, label noise of low image frequencies is fitted more closely: lowest against highest.

    What varies: directions, each with seeds of its own (the same for both parameters, by the number
    of the direction), and images.

    Args:
      lines: of every frequency along every direction.
      rising: whether larger direction parameters have higher image frequencies.

    Returns:
      every reading in one order, at equal f (as published) and at equal cycles across the data,
      where there are two parameters or more.
    """
    claims = []
    for kind, name, decides in (("frequency", "f", "published"), ("cycles", "cycles", "corrected")):
        ends = _ends([line for line in lines if line.kind == kind], rising)
        # All values together, and each by itself.
        for values in [tuple(ends), *((value,) for value in ends if len(ends) > 1)]:
            equal = f"at equal {name} ({', '.join(f'{value:g}' for value in values)})"
            for (measure, above), called in _READINGS.items() if values else ():
                primary = _PRIMARY.get((measure, above), "") if len(values) == len(ends) else ""
                differences = [
                    _of_directions(low, measure, above) - _of_directions(high, measure, above)
                    for low, high in (ends[value] for value in values)
                ]
                claims.append(
                    Finding(
                        claim="C11",
                        statement="Label noise of low image frequencies is fitted more closely",
                        reading=f"{called}, lowest image frequency − highest, {equal}",
                        primary=primary if primary == decides else "",
                        direction=1,
                        estimate=spectra.crossed_mean(
                            np.mean(differences, axis=0),
                            clusters=lines[0].examples.clusters,
                            units=("directions", "images"),
                            tested=True,
                        ),
                    )
                )
    return claims


def _ends(lines: Sequence[KeptWave], rising: bool) -> dict[float, tuple[KeptWave, KeptWave]]:
    """{value: its lines of the lowest and of the highest image frequency}, where there are two."""
    found: dict[float, list[KeptWave]] = {}
    for line in sorted(lines, key=lambda line: line.direction_parameter, reverse=not rising):
        found.setdefault(line.value, []).append(line)
    return {value: (row[0], row[-1]) for value, row in found.items() if len(row) > 1}


def _of_directions(line: KeptWave, measure: str, above_null: bool) -> NDArray[np.float64]:
    """Values [directions, n]: seeds are no directions."""
    rows = line.rows(measure, above_null)
    return rows if line.unit == "directions" else rows.mean(axis=0, keepdims=True)
