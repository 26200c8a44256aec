"""Coverage of every interval and false positives of every test of `spectral_tf.spectra.inference`.

`python tests/simulate_intervals.py --repeats=4000 --out=results/inference/simulations.csv` writes
one row for each kind of sample: some minutes on an idle core.
"""

import argparse
import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Iterator

from spectra import simulations as s
from tqdm import tqdm

from spectral_tf.records import write_table

COLUMNS = ("function", "sample", "n", "rate", "nominal", "bound", "measured")
# Of the variance of a mean over runs and images: of runs, of images, of both at once.
SHARES = (
    *((1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)),
    *((0.9, 0, 0.1), (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8), (0.3, 0.3, 0.4)),
)
# Numbers of crops of squares of photographs, far from equal.
SIZES = (1, 5, 20)


@dataclasses.dataclass(frozen=True)
class Study:
    """One kind of sample.

    Attributes:
      function: of the package; the old way that it replaces where there is no bound.
      sample, n: what is drawn, and how many units.
      simulate: repeats -> the rate.
      bound: what the rate must keep: at least of coverage, at most of rejections; None: shown for
        contrast, or to tell the limits.
      rate: "coverage" of 95 % intervals, or "rejections" of true nulls at 5 %.
      times: as many repeats, where many samples fit one call.
    """

    function: str
    sample: str
    n: str
    simulate: Callable[[int], float]
    bound: float | None
    rate: str = "coverage"
    times: int = 1

    @property
    def nominal(self) -> float:
        return 0.95 if self.rate == "coverage" else 0.05

    def kept(self, measured: float) -> bool:
        """Whether the bound is."""
        if self.bound is None:
            return True
        return measured >= self.bound if self.rate == "coverage" else measured <= self.bound


def studies() -> Iterator[Study]:
    """All rows, in order."""
    for study in (*_runs(), *_crossed(), *_times()):
        many = study.function in ("mean_over_runs", "crossed_mean", "crossing")
        yield dataclasses.replace(study, times=10 if many else 1)
    yield from _exponents()
    yield from _clusters()
    yield from _correlations()
    yield from _tests()


def _runs() -> Iterator[Study]:
    part = functools.partial
    for n in (2, 3, 4, 5, 10, 20):
        for name, draw, bound in (("normal", s.normal, 0.93), ("lognormal", s.lognormal, 0.88)):
            yield Study("mean_over_runs", name, f"{n}", part(s.coverage_of_mean, n, draw), bound)
    for n in (2, 3, 5, 10):
        plain = part(s.coverage_of_percentiles, n, s.normal)
        yield Study("none: percentile bootstrap", "normal", f"{n}", plain, None)
    for n in (6, 8, 10, 20, 40):
        for name, draw, bound in (("normal", s.normal, 0.93), ("lognormal", s.lognormal, None)):
            over = part(s.coverage_of_bootstrap, n, draw)
            yield Study("bootstrap", f"{name}, the mean", f"{n}", over, bound)
    for n in (3, 5, 20):
        for reading in (0.0, 0.2, 1.0):
            difference = part(s.coverage_of_difference, n, 20, reading)
            sample = f"normal, reading to +-{reading:g} standard deviations"
            yield Study("difference_to_published", sample, f"{n} against 20", difference, 0.93)


def _crossed() -> Iterator[Study]:
    for runs, images, sizes in (
        (2, 200, None),
        (3, 200, None),
        (3, 200, SIZES),
        (3, 40, SIZES),
        (5, 200, None),
        (20, 3, None),
    ):
        for shares in SHARES:
            simulate = functools.partial(
                s.coverage_of_crossed_mean, runs, images, shares, cluster_sizes=sizes
            )
            told = "" if sizes is None else ", clusters of 1, 5, 20, ..."
            sample = f"shares of runs, images, residuals {shares}{told}"
            yield Study("crossed_mean", sample, f"{runs} x {images}", simulate, 0.93)
    for runs in (2, 3, 5):
        old = functools.partial(s.coverage_of_satterthwaite, runs, 200, (0.9, 0, 0.1))
        sample = "shares of runs, images, residuals (0.9, 0, 0.1)"
        yield Study("none: Satterthwaite", sample, f"{runs} x 200", old, None)


def _clusters() -> Iterator[Study]:
    for sizes, name in (
        ((10,) * 3, "of 10"),
        ((10,) * 12, "of 10"),
        ((64, 32, 16, 8, 4, 2), "of 2, 4, 8, ... 64"),
        ((60, *(5,) * 11), "of 5, one of 60"),
        (tuple(range(1, 40)), "of 1, 2, ... 39"),
    ):
        for icc in (0, 0.3, 1):
            simulate = functools.partial(s.coverage_of_clusters, sizes, icc)
            sample = f"normal, clusters {name}, intraclass correlation {icc}"
            yield Study("mean_over_clusters", sample, f"{len(sizes)}", simulate, 0.93)
            old = functools.partial(s.coverage_of_equal_clusters, sizes, icc)
            yield Study("none: clusters taken for equal", sample, f"{len(sizes)}", old, None)


def _times() -> Iterator[Study]:
    part = functools.partial
    for n in (2, 3, 5, 20):
        for pace, noise, memory in ((0.3, 0, 0), (0.1, 0.05, 0), (0.3, 0.05, 0.8), (0, 0.05, 0)):
            times = part(s.coverage_of_learning_times, n, pace=pace, noise=noise, memory=memory)
            sample = f"runs differ in pace by {pace}, noise {noise}, memory {memory}"
            yield Study("crossing", sample, f"{n}", times, 0.93)


def _exponents() -> Iterator[Study]:
    part = functools.partial
    for n in (3, 5, 10, 20):
        for pace, noise in ((0.3, 0), (0.3, 0.02), (0.1, 0.05)):
            exponent = part(s.coverage_of_exponent, n, pace=pace, noise=noise)
            sample = f"exponent of learning times, pace {pace}, noise {noise}"
            yield Study("jackknife", sample, f"{n}", exponent, 0.93)


def _correlations() -> Iterator[Study]:
    part = functools.partial
    for settings, paths, control in (
        *((6, 0, False), (8, 0, False), (8, 40, False), (12, 0, False), (20, 0, False)),
        *((6, 0, True), (8, 0, True), (12, 0, True)),
    ):
        told = f", {paths} paths" * bool(paths) + ", with a control" * control
        sample = f"3 seeds, intraclass correlation 0.9{told}"
        both = functools.cache(
            part(s.false_positives_of_correlation, settings, 3, 0.9, paths=paths, control=control)
        )
        for i, name in enumerate(("interval", "p-value")):
            yield Study(
                "correlation_over_settings",
                f"{name}: {sample}",
                f"{settings}",
                lambda repeats, both=both, i=i: both(repeats)[i],
                0.07,
                "rejections",
            )
    for settings in (4, 5, 8):
        old = functools.cache(
            part(s.false_positives_of_correlation, settings, 3, 0.9, rows_as_models=True)
        )
        for i, name in enumerate(("interval", "p-value")):
            yield Study(
                "none: rows as models",
                f"{name}: 3 seeds, intraclass correlation 0.9",
                f"{settings}",
                lambda repeats, old=old, i=i: old(repeats)[i],
                None,
                "rejections",
            )
    for settings in (6, 8, 12, 20):
        for rho in (0.5, 0.9, 0.95):
            sample = f"normal, rho {rho}"
            held = part(s.coverage_of_correlation, settings, rho)
            yield Study("correlation_over_settings", sample, f"{settings}", held, 0.93)
    for settings in (6, 8):
        for pearson in (0.0, 0.5, 0.95, 0.98):
            both = functools.cache(part(s.concordance, settings, pearson))
            sample = f"normal, Pearson's {pearson}, 40 paths, 200 resamples"
            yield Study(
                "paired_concordance", sample, f"{settings}", lambda r, both=both: both(r)[0], 0.93
            )
            if not pearson:
                yield Study(
                    "paired_concordance",
                    f"{sample}: interval and p-value",
                    f"{settings}",
                    lambda r, both=both: both(r)[1],
                    0.055,
                    "rejections",
                )


def _tests() -> Iterator[Study]:
    for n in (6, 10):
        for name, draw in (("normal", s.normal), ("lognormal", s.lognormal)):
            small = functools.partial(s.small_p_values_of_pairs, n, 0.05, draw=draw)
            sample = f"two {name} samples"
            yield Study("paired_difference", sample, f"{n}", small, 0.055, "rejections")
    for shared in (0.0, 0.5):
        both = functools.cache(functools.partial(s.family_wise_rate, 10, 3, shared))
        sample = f"any of 7 nulls beside 3 true claims, correlation {shared}"
        yield Study("holm", sample, "10", lambda r, both=both: both(r)[0], 0.055, "rejections")
        yield Study(
            "none: uncorrected", sample, "10", lambda r, both=both: both(r)[1], None, "rejections"
        )


def main() -> None:
    """Simulates all, writes the table, and names the rows that break their bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repeats", type=int, default=4_000, help="samples of each kind, or tenfold"
    )
    parser.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path("results/inference/simulations.csv")
    )
    given = parser.parse_args()
    if given.repeats < 1:
        parser.error(f"--repeats: expected 1 or more, got {given.repeats}")
    start, rows, broken = time.monotonic(), [], []
    for study in tqdm(list(studies())):
        repeats = study.times * given.repeats
        measured = study.simulate(repeats)
        bound = "none" if study.bound is None else study.bound
        error = round(s.standard_error(measured, repeats), 5)
        row = (study.function, study.sample, study.n, study.rate, study.nominal, bound, measured)
        rows.append((*row, error, repeats))
        if not study.kept(measured):
            broken.append(f"{study.function}, {study.sample}, n = {study.n}: {measured:.4f}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_table(given.out, (*COLUMNS, "standard_error", "repeats"), rows)
    minutes = (time.monotonic() - start) / 60
    print(f"{given.out}: {len(rows)} kinds of samples in {minutes:.1f} minutes")
    print("\n".join(broken) if broken else "all bounds are kept")


if __name__ == "__main__":
    main()
