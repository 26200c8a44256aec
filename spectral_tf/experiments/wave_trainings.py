"""What trainings on label waves leave behind, each beside the null of its seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_tf import records, spectra
from spectral_tf.experiments.fitted_waves import (
    MEASURES,
    Examples,
    FittedWave,
    at_lowest,
    fit_waves,
    learned,
)
from spectral_tf.experiments.page import every_training_diverged
from spectral_tf.records.waves import HeldOut
from spectral_tf.tasks import PlacedWave

# The name of the control, whose networks see no wave.
NULL = "uniform"
# Columns of tables that hold estimates.
ESTIMATED = [f"{name}{side}" for name in MEASURES for side in ("", "_null", "_above_null")]
ESTIMATED += ["learning_epoch"]
# Of every training after every epoch.
_CURVES = ("clean_loss", "accuracy", "train_loss")
# Of a wave, beside its levels.
_RECORDED = [name for name in PlacedWave._fields if name not in ("levels", "smoothing")]


@dataclasses.dataclass(frozen=True)
class WaveTrainings:
    """Networks trained on label waves, and controls of the same seeds that were not.

    A training that diverged has NaN from then on, and takes no part in any estimate; neither does a
    network whose control did. One that ended at its goal stays as it was there, between two epochs
    as after the second. Of several directions that are compared as many seeds are taken as
    the one has that has fewest.

    Attributes:
      waves: the control last.
      names: of the wave of every training, [t].
      runs: the numbers of the trainings, which tell their seeds, [t].
      seeds: trainings of each wave along each direction.
      log_ratios: of all held-out images after every epoch, [t, e, n]; see
        `spectra.centred_log_ratio`.
      correct: whether they are classified correctly in the end, [t, n].
      curves: {`clean_loss`, `accuracy` or `train_loss`: after every epoch, [t, e]}.
      diverged: {wave/seed_RUN: step} of trainings that diverged.
      labels, clusters: of all held-out images, [n].
      measured: which of them are measured, bool [n].
      num_classes: C.
    """

    waves: list[PlacedWave]
    names: NDArray[np.str_]
    runs: NDArray[np.int64]
    seeds: int
    log_ratios: NDArray[np.float64]
    correct: NDArray[np.float64]
    curves: Mapping[str, NDArray[np.float64]]
    diverged: Mapping[str, int]
    labels: NDArray[np.int64]
    clusters: NDArray[np.int64]
    measured: NDArray[np.bool_]
    num_classes: int

    @classmethod
    def of_units(
        cls,
        waves: Sequence[PlacedWave],
        units: Mapping[tuple[str, int], records.Found],
        num_epochs: int,
        seeds: int,
        **images: Any,
    ) -> WaveTrainings:
        """From what each training has found.

        Args:
          waves: the control last.
          units: {(name of the wave, number of the training): `log_ratios`, `correct` and curves}.
          num_epochs: after which there are measurements, besides that before the first.
          seeds: trainings of each wave along each direction.
          images: labels, clusters, measured, num_classes.

        Raises:
          UserError: every training diverged.
        """
        if all(found.fact("diverged") for found in units.values()):
            raise every_training_diverged(units.values())
        num_images = len(images["labels"])
        log_ratios = np.full((len(units), num_epochs + 1, num_images), np.nan)
        correct = np.full((len(units), num_images), np.nan)
        curves = {name: np.full(log_ratios.shape[:2], np.nan) for name in _CURVES}
        for i, found in enumerate(units.values()):
            if "log_ratios" in found.series:
                count = len(found["log_ratios"].values)
                # One that has reached its goal stays as it was there.
                until = None if found.facts.get("ended_at", -1) >= 0 else count
                of_measure = {"log_ratios": log_ratios, **curves}
                for name, values in of_measure.items():
                    values[i, :count] = found[name].values
                    values[i, count:until] = found[name].values[-1]
            if "correct" in found.series:
                correct[i] = found["correct"].values[-1]
        return cls(
            waves=list(waves),
            names=np.array([name for name, _ in units]),
            runs=np.array([run for _, run in units]),
            seeds=seeds,
            log_ratios=log_ratios,
            correct=correct,
            curves=curves,
            diverged={
                f"{name}/seed_{run}": step
                for (name, run), found in units.items()
                for step in found.fact("diverged").values()
            },
            **images,
        )

    def facts(self) -> dict[str, Any]:
        """As facts of a `records.Found`, which `of_facts` takes."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        curves = {f"curves/{name}": values for name, values in plain.pop("curves").items()}
        waves = plain.pop("waves")
        plain["waves"] = [{name: getattr(wave, name) for name in _RECORDED} for wave in waves]
        return {**plain, **curves, "levels": np.stack([wave.levels for wave in waves])}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> WaveTrainings:
        """From the facts of a run."""
        own: dict[str, Any] = {f.name: facts.get(f.name) for f in dataclasses.fields(cls)}
        own["curves"] = {name: facts[f"curves/{name}"] for name in _CURVES}
        own["waves"] = [
            PlacedWave(**told, levels=levels)
            for told, levels in zip(facts["waves"], facts["levels"], strict=True)
        ]
        return cls(**own)

    @property
    def num_epochs(self) -> int:
        """After which there are measurements, besides that before the first."""
        return self.log_ratios.shape[1] - 1

    @property
    def directions(self) -> int:
        """Of each direction parameter."""
        return 1 + max(wave.direction for wave in self.waves)

    @property
    def finite(self) -> NDArray[np.bool_]:
        """The images whose outputs are finite in all trainings that did not diverge, bool [n]."""
        return np.asarray(np.isfinite(self.log_ratios[self._whole]).all(axis=(0, 1)))

    @property
    def chosen(self) -> NDArray[np.bool_]:
        """The images that count, bool [n]."""
        return self.finite & self.measured

    @property
    def _whole(self) -> NDArray[np.bool_]:
        """Which trainings did not diverge, bool [t]."""
        told = [f"{name}/seed_{run}" for name, run in zip(self.names, self.runs, strict=True)]
        return np.array([name not in self.diverged for name in told])

    def runs_of(self, wave: PlacedWave) -> list[int]:
        """The trainings of a wave that are there, and so is the control of the same seed."""
        first = wave.direction * self.seeds
        asked = range(first, first + self.seeds)
        if wave.name == NULL:
            asked = range(self.directions * self.seeds)
        there = set(zip(self.names[self._whole], self.runs[self._whole].tolist(), strict=True))
        return [run for run in asked if {(wave.name, run), (NULL, run)} <= there]

    def of(self, name: str, runs: Sequence[int]) -> NDArray[np.float64]:
        """Log-ratios of the images that count, after every epoch, [runs, e, m]."""
        rows = [self._row(name, run) for run in runs]
        return self.log_ratios[rows][..., self.chosen]

    def _row(self, name: str, run: int) -> int:
        (row,) = np.flatnonzero((self.names == name) & (self.runs == run))
        return int(row)

    def levels(self, wave: PlacedWave) -> NDArray[np.float64]:
        """The smoothing by a wave of the images that count, [m]."""
        return wave.levels[self.chosen[self.measured]]

    def fitted(self) -> tuple[list[FittedWave], dict[str, FittedWave]]:
        """Every frequency with all its directions; and {name of a wave: it alone}."""
        groups: dict[tuple[float, str, float], list[PlacedWave]] = {}
        for wave in self.waves:
            if wave.kind != "control" and self.runs_of(wave):
                groups.setdefault((wave.direction_parameter, wave.kind, wave.value), []).append(
                    wave
                )
        examples = Examples(self.clusters[self.chosen], self.num_classes)
        lines: list[FittedWave] = []
        alone: dict[str, FittedWave] = {}
        for group in groups.values():
            count = min(len(self.runs_of(wave)) for wave in group)
            networks, nulls = (
                np.stack([self.of(name, self.runs_of(wave)[:count]) for wave, name in named])
                for named in ([(w, w.name) for w in group], [(w, NULL) for w in group])
            )
            levels = np.stack([self.levels(wave) for wave in group])
            each, line = fit_waves(group, networks, nulls, levels, examples)
            lines.append(line)
            alone |= {wave.name: one for wave, one in zip(group, each, strict=True)}
        return lines, alone

    def final_accuracy(self, wave: PlacedWave) -> spectra.Estimate:
        """Of the trained networks of a wave, on all held-out images."""
        runs = self.runs_of(wave)
        if not runs:
            return spectra.not_enough(0, 1, "trainings that did not diverge")
        correct = self.correct[[self._row(wave.name, run) for run in runs]][:, self.finite]
        return spectra.crossed_mean(
            correct, clusters=self.clusters[self.finite], units=("seeds", "images")
        )

    def epochs(self) -> records.Table:
        """Each training after each epoch, beside the null of its seed."""
        rows: list[list[object]] = []
        for wave in self.waves:
            s = self.levels(wave)
            for run in self.runs[self.names == wave.name].tolist():
                fit, null = (self._fit(name, run, s) for name in (wave.name, NULL))
                clean, accuracy, train = (
                    self.curves[name][self._row(wave.name, run)]
                    for name in ("clean_loss", "accuracy", "train_loss")
                )
                for e in range(self.num_epochs + 1):
                    nf, beta = float(fit.noise_fitting[e]), float(fit.regression_slope[e])
                    nf_0, beta_0 = float(null.noise_fitting[e]), float(null.regression_slope[e])
                    parts: list[object] = [fit.mean_part[e], fit.covariance_part[e], beta]
                    parts += [nf_0, beta_0, nf - nf_0, beta - beta_0]
                    if wave.kind == "control":  # Without a wave there is nothing to follow.
                        parts = ["null"] * len(parts)
                    told = [wave.name, wave.image_frequency, wave.direction]
                    told += [wave.frequency, wave.cycles, run, e, nf]
                    losses = [clean[e], clean[e] - nf, accuracy[e], train[e]]
                    rows.append([*told, *parts, *losses])
        columns = (
            "wave,image_frequency,direction,frequency,cycles,seed,epoch,"
            "noise_fitting,mean_part,covariance_part,regression_slope,"
            "null_noise_fitting,null_regression_slope,"
            "noise_fitting_above_null,regression_slope_above_null,"
            "clean_loss,noisy_loss,accuracy,train_loss"
        )
        return records.Table(columns.split(","), rows)

    def _fit(self, name: str, run: int, levels: NDArray[np.float64]) -> spectra.WaveFit:
        """Of one training after every epoch, [e]; NaN from where it diverged."""
        (log_ratios,) = self.of(name, [run])
        there = np.isfinite(log_ratios).all(axis=1)
        found = spectra.wave_fit(log_ratios[there], levels, self.num_classes)
        whole = np.full((len(found), len(log_ratios)), np.nan)
        whole[:, there] = found
        return spectra.WaveFit(*whole)

    def table(self, alone: Mapping[str, FittedWave]) -> records.Table:
        """What each wave is and how it ended."""
        known = dict(zip(alone, learned(list(alone.values())), strict=True))
        told = [
            *(
                "name",
                "kind",
                "direction_parameter",
                "image_frequency",
                "direction",
                "frequency",
                "cycles",
            ),
            *("mean", "std", "augmented_mean", "augmented_std"),
            *("held_out_mean", "held_out_std"),
        ]
        rows = []
        for wave in self.waves:
            line, yes = alone.get(wave.name), known.get(wave.name)
            row = [getattr(wave, name) for name in told]
            row += [wave.levels.mean(), wave.levels.std(), wave.correlation_ratio]
            row.append("null" if yes is None else ("no", "yes")[yes])
            rows.append([*row, *estimated(line), self.final_accuracy(wave)])
        columns = (
            "wave,kind,direction_parameter,image_frequency,direction,frequency,cycles,"
            "coordinate_mean,coordinate_std,"
            "augmented_mean,augmented_std,held_out_mean,held_out_std,"
            "smoothing_mean,smoothing_std,correlation_ratio,learned"
        )
        return records.Table([*columns.split(","), *ESTIMATED, "final_accuracy"], rows)

    def held_out(self) -> HeldOut:
        """What is kept of every held-out image; NaN of trainings that diverged."""
        waves = [wave for wave in self.waves if wave.kind != "control"]
        last: list[NDArray] = []
        lowest: list[NDArray] = []
        lowest_null: list[NDArray] = []
        for wave in waves:
            s = self.levels(wave)
            runs = range(wave.direction * self.seeds, (wave.direction + 1) * self.seeds)
            network, of_null = (self.of(name, runs) for name in (wave.name, NULL))
            lost = [run not in self.runs_of(wave) for run in runs]
            network[lost] = of_null[lost] = np.nan
            last.append(network[:, -1])
            for log_ratios, of_lowest in ((network, lowest), (of_null, lowest_null)):
                there = np.isfinite(log_ratios).all(axis=(1, 2))
                kept = np.full(log_ratios[:, 0].shape, np.nan)
                kept[there] = at_lowest(log_ratios[there], s, self.num_classes)
                of_lowest.append(kept)
        null = self.of(NULL, range(self.directions * self.seeds))[:, -1]
        chosen = self.chosen
        return HeldOut(
            waves=np.array([wave.name for wave in waves]),
            directions=np.array([wave.direction for wave in waves]),
            smoothing=np.stack([self.levels(wave) for wave in waves]).astype(np.float32),
            log_ratios=np.stack(last),
            lowest_log_ratios=np.stack(lowest),
            null_log_ratios=null.reshape(self.directions, self.seeds, -1),
            lowest_null_log_ratios=np.stack(lowest_null),
            labels=self.labels[chosen].astype(np.int64),
            clusters=self.clusters[chosen].astype(np.int64),
            images=np.flatnonzero(chosen),
            num_classes=np.array(self.num_classes),
        )


def estimated(line: FittedWave | None) -> list[spectra.Estimate]:
    """Of each of `MEASURES` three, and the learning epoch; of the control, which has no wave."""
    if line is None:
        return [spectra.not_enough(0, 1, "waves")] * len(ESTIMATED)
    found = [estimate for three in line.estimates.values() for estimate in three]
    return [*found, line.learning_epoch]


def curves_table(alone: Mapping[str, FittedWave], num_epochs: int) -> records.Table:
    """How each wave got there, above its null."""
    names = ("noise_fitting", "regression_slope")
    rows = [
        (name, e, *(line.curves[curve].difference[e] for curve in names))
        for name, line in alone.items()
        for e in range(num_epochs + 1)
    ]
    return records.Table(("wave", "epoch", *(f"{name}_above_null" for name in names)), rows)


def directions_table(lines: Sequence[FittedWave]) -> records.Table:
    """Every frequency, over its directions."""
    columns = (
        "direction_parameter",
        "kind",
        "value",
        "image_frequency",
        "cycles",
        "num_directions",
    )
    rows = []
    for line in lines:
        group = [line.direction_parameter, line.kind, line.value, line.image_frequency, line.cycles]
        rows.append([*group, len(line.waves), line.correlation_ratio, *estimated(line)])
    return records.Table([*columns, "correlation_ratio", *ESTIMATED], rows)
