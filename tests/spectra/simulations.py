"""Many samples whose truth is known: how often an interval holds it, how often a test is wrong.

Each function draws `repeats` samples and gives a rate. `test_simulations.py` holds the rates to
their bounds with few repeats, `tests/simulate_intervals.py` makes a table with many.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import scipy.special
from numpy.typing import NDArray

from spectral_tf import spectra

Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
    """Of mean 0."""
    return rng.normal(size=shape)


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
    """Of mean 0, the logarithm of standard deviation 1."""
    return np.exp(rng.normal(size=shape)) - math.exp(0.5)


def standard_error(rate: float, repeats: int) -> float:
    """Of a rate; that of one hit where there was none."""
    within = min(max(rate, 1 / repeats), 1 - 1 / repeats)
    return math.sqrt(within * (1 - within) / repeats)


def _blocks(repeats: int, numbers_in_one: int) -> Iterator[int]:
    """Sizes of blocks of about 16 MB."""
    block = max(1, 2**21 // numbers_in_one)
    for start in range(0, repeats, block):
        yield min(block, repeats - start)


def _holds(found: spectra.Estimate, truth: float) -> int:
    return int(np.sum((found.low <= truth) & (truth <= found.high)))


def coverage_of_mean(n: int, draw: Draw, repeats: int, seed: int = 0) -> float:
    """Of `mean_over_runs`."""
    rng = np.random.default_rng(seed)
    held = sum(
        _holds(spectra.mean_over_runs(draw(rng, (n, size))), 0.0) for size in _blocks(repeats, n)
    )
    return held / repeats


def coverage_of_percentiles(n: int, draw: Draw, repeats: int, seed: int = 0) -> float:
    """Of the percentile bootstrap of the mean, which `mean_over_runs` replaces; for contrast."""
    rng = np.random.default_rng(seed)
    held = 0
    for size in _blocks(repeats, 1_000):
        weights = rng.multinomial(n, np.full(n, 1 / n), size=1_000) / n
        low, high = np.quantile(weights @ draw(rng, (n, size)), [0.025, 0.975], axis=0)
        held += int(np.sum((low <= 0) & (high >= 0)))
    return held / repeats


def coverage_of_bootstrap(n: int, draw: Draw, repeats: int, seed: int = 0) -> float:
    """Of `bootstrap`, of a mean over one factor."""
    rng = np.random.default_rng(seed)
    held = 0
    for i, size in enumerate(_blocks(repeats, 2_000)):
        values = draw(rng, (n, size))

        def mean(weights: NDArray, values: NDArray = values) -> NDArray:
            return weights @ values / weights.sum()

        held += _holds(spectra.bootstrap(mean, n, units=["runs"], seed=seed + i), 0.0)
    return held / repeats


def _crossed(
    rng: np.random.Generator,
    runs: int,
    images: int,
    shares: Sequence[float],
    size: int,
    member: NDArray,
) -> NDArray:
    """[runs, images, size] of mean 0; shares: of rows, columns, residuals, in Var(mean)."""
    of_rows, of_columns, of_rest = (
        math.sqrt(share * scale)
        for share, scale in zip(shares, (runs, images, runs * images), strict=True)
    )
    clusters = int(member.max()) + 1
    rest = rng.normal(size=(runs, images, size))
    if clusters < images:  # Half of the residuals is shared in a cluster.
        rest = math.sqrt(0.5) * (rest + rng.normal(size=(runs, clusters, size))[:, member])
    return (
        of_rows * rng.normal(size=(runs, 1, size))
        + of_columns * rng.normal(size=(1, clusters, size))[:, member]
        + of_rest * rest
    )


def coverage_of_crossed_mean(
    runs: int,
    images: int,
    shares: Sequence[float],
    repeats: int,
    *,
    cluster_sizes: Sequence[int] | None = None,
    seed: int = 0,
) -> float:
    """Of `crossed_mean`, normal effects; with clusters, their sizes are repeated as they fit."""
    rng = np.random.default_rng(seed)
    member = np.arange(images)
    if cluster_sizes is not None:
        turns = itertools.cycle(cluster_sizes)
        sizes = [next(turns) for _ in range(images)]
        member = np.repeat(np.arange(images), sizes)[:images]
    clusters = None if cluster_sizes is None else member
    held = sum(
        _holds(
            spectra.crossed_mean(
                _crossed(rng, runs, images, shares, size, member), clusters=clusters
            ),
            0.0,
        )
        for size in _blocks(repeats, runs * images)
    )
    return held / repeats


def coverage_of_satterthwaite(
    runs: int, images: int, shares: Sequence[float], repeats: int, seed: int = 0
) -> float:
    """Of one quantile with the degrees of freedom of Satterthwaite; for contrast."""
    rng = np.random.default_rng(seed)
    freedoms = np.array([[runs - 1.0], [images - 1.0], [(runs - 1.0) * (images - 1.0)]])
    of_rows, of_columns, of_rest = shares
    variances = np.array([[of_rows + of_rest], [of_columns + of_rest], [of_rest]])
    a, b, e = variances * rng.chisquare(freedoms, size=(3, repeats)) / freedoms
    variance = np.maximum(a + b - e, np.maximum(a, b))
    freedom = (a + b) ** 2 / (a**2 / (runs - 1) + b**2 / (images - 1))
    half = scipy.special.stdtrit(freedom, 0.975) * np.sqrt(variance)
    return float(np.mean(np.abs(rng.normal(size=repeats)) <= half))


def coverage_of_equal_clusters(
    sizes: Sequence[int], icc: float, repeats: int, seed: int = 0
) -> float:
    """Of the sandwich that takes clusters for equal, K / (K - 1) and K - 1; for contrast."""
    rng = np.random.default_rng(seed)
    n, k = np.asarray(sizes), len(sizes)
    sums = n * math.sqrt(icc) * rng.normal(size=(repeats, k))
    sums += np.sqrt(n * (1 - icc)) * rng.normal(size=(repeats, k))
    means = sums.sum(axis=1) / n.sum()
    left = sums - n * means[:, None]
    half = np.sqrt((left**2).sum(axis=1) * k / (k - 1)) / n.sum()
    return float(np.mean(np.abs(means) <= scipy.special.stdtrit(k - 1.0, 0.975) * half))


def coverage_of_clusters(
    sizes: Sequence[int], icc: float, repeats: int, seed: int = 0, draw: Draw = normal
) -> float:
    """Of `mean_over_clusters`; icc is the share of the variance that a cluster shares."""
    rng = np.random.default_rng(seed)
    member = np.repeat(np.arange(len(sizes)), sizes)
    held = 0
    for _ in range(repeats):
        shared = draw(rng, (len(sizes),))[member]
        values = math.sqrt(icc) * shared + math.sqrt(1 - icc) * rng.normal(size=member.size)
        held += _holds(spectra.mean_over_clusters(values, member), 0.0)
    return held / repeats


def false_positives_of_correlation(
    settings: int,
    seeds: int,
    icc: float,
    repeats: int,
    *,
    paths: int = 0,
    control: bool = False,
    rows_as_models: bool = False,
    num_resamples: int = 1_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Of `correlation_over_settings` with seeds nested: interval without 0, p of 5 % at most.

    Quality and value of a setting are independent (given the control, of which each holds half);
    icc is the share of a model's variance that its setting has. Paths have a difficulty, and each
    model has a scatter of its own on each. `rows_as_models` makes every seed a setting.
    """
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(settings), seeds)
    outside = small = 0
    for _ in range(repeats):
        shared = rng.normal(size=settings)
        own = rng.normal(size=(2, settings))
        own = math.sqrt(0.5) * (own + shared) if control else own
        models = math.sqrt(icc) * own[:, labels]
        models = models + math.sqrt(1 - icc) * rng.normal(size=models.shape)
        quality, values = models
        if paths:
            difficulty = rng.normal(size=paths)
            values = values[:, None] + difficulty + rng.normal(size=(labels.size, paths))
        found = spectra.correlation_over_settings(
            quality,
            values,
            np.arange(labels.size) if rows_as_models else labels,
            control=shared[labels] if control else None,
            num_resamples=num_resamples,
            seed=int(rng.integers(2**31)),
        )
        outside += found.excludes_zero
        small += found.p_value is not None and found.p_value <= 0.05
    return outside / repeats, small / repeats


def coverage_of_correlation(settings: int, rho: float, repeats: int, seed: int = 0) -> float:
    """Of `correlation_over_settings`, bivariate normal settings of that Spearman rho."""
    rng = np.random.default_rng(seed)
    pearson = 2 * math.sin(math.pi * rho / 6)
    held = 0
    for _ in range(repeats):
        x, y = rng.normal(size=(2, settings))
        y = pearson * x + math.sqrt(1 - pearson**2) * y
        own = int(rng.integers(2**31))
        held += _holds(spectra.correlation_over_settings(x, y, np.arange(settings), seed=own), rho)
    return held / repeats


def concordance(
    settings: int, pearson: float, repeats: int, *, paths: int = 40, seed: int = 0
) -> tuple[float, float]:
    """Of `paired_concordance`: coverage, and how often both interval and p-value exclude 0.

    Bivariate normal settings of that correlation, whose tau is 2/pi asin(it); paths add what all
    share, and 0.3 of noise.
    """
    rng = np.random.default_rng(seed)
    tau = 2 / math.pi * math.asin(pearson)
    held = there = 0
    for _ in range(repeats):
        x, y = rng.normal(size=(2, settings))
        y = pearson * x + math.sqrt(1 - pearson**2) * y
        values = y[:, None] + rng.normal(size=paths) + 0.3 * rng.normal(size=(settings, paths))
        found = spectra.paired_concordance(
            x,
            values,
            np.ones(values.shape, bool),
            np.arange(settings),
            num_resamples=200,
            seed=int(rng.integers(2**31)),
        )
        held += _holds(found, tau)
        there += found.excludes_zero and found.p_value is not None and found.p_value <= 0.05
    return held / repeats, there / repeats


STEPS = np.linspace(0, 10_000, 41)


def _learning(
    rng: np.random.Generator, n: int, size: int, pace: float, noise: float, memory: float
) -> tuple[NDArray, NDArray]:
    """Curves [n, s, size] of mean 1 - exp(-t / 3000), and that mean [s].

    Runs differ in pace (to first order by so much of their time, in which the mean stays what it
    is) and in noise of each step, an autoregression.
    """
    t = STEPS[:, None] / 3_000
    mean = 1 - np.exp(-t)
    scatter = noise * rng.normal(size=(n, STEPS.size, size))
    for i in range(1, STEPS.size):
        scatter[:, i] *= math.sqrt(1 - memory**2)
        scatter[:, i] += memory * scatter[:, i - 1]
    return mean + pace * rng.normal(size=(n, 1, size)) * t * np.exp(-t) + scatter, mean[:, 0]


def coverage_of_learning_times(
    n: int, repeats: int, *, pace: float, noise: float, memory: float = 0.0, seed: int = 0
) -> float:
    """Of `crossing`: whether the crossings of the band hold that of the true mean curve."""
    rng = np.random.default_rng(seed)
    held = 0
    for size in _blocks(repeats, n * STEPS.size):
        curves, mean = _learning(rng, n, size, pace, noise, memory)
        truth = float(spectra.learning_times(STEPS, mean, 0.5))
        held += _holds(spectra.crossing(STEPS, spectra.mean_over_runs(curves), 0.5), truth)
    return held / repeats


def coverage_of_exponent(
    n: int, repeats: int, *, pace: float, noise: float, seed: int = 0
) -> float:
    """Of the `jackknife` of the exponent of learning times, which grow as k^2 for k = 1 to 5."""
    rng = np.random.default_rng(seed)
    k = np.arange(1.0, 6.0)
    steps = np.geomspace(100, 200_000, 121)
    t = steps[:, None, None] / (3_000 * k[:, None] ** 2)
    mean = 1 - np.exp(-t)

    def exponent(curves: NDArray) -> NDArray:
        """Curves [n, s, k, size] -> [size]."""
        times = spectra.learning_times(steps, np.moveaxis(curves.mean(axis=0), -1, 0), 0.5)
        x = np.log(k) - np.log(k).mean()
        return np.log(times) @ x / (x @ x)

    truth = float(exponent(mean[None])[0])
    held = 0
    for size in _blocks(repeats, n * t.size):
        paces = pace * rng.normal(size=(n, 1, k.size, size))
        scatter = noise * rng.normal(size=(n, steps.size, k.size, size))
        curves = mean + paces * t * np.exp(-t) + scatter
        held += _holds(spectra.jackknife(exponent, curves), truth)
    return held / repeats


def small_p_values_of_pairs(
    n: int, level: float, repeats: int, draw: Draw = normal, seed: int = 0
) -> float:
    """How often the p-value of `paired_difference` is that small, without a difference."""
    rng = np.random.default_rng(seed)
    small = 0
    for _ in range(repeats):
        first, second = draw(rng, (2, n))
        p_value = spectra.paired_difference(first - second).p_value
        small += p_value is not None and p_value <= level + 1e-12
    return small / repeats


def family_wise_rate(
    claims: int, true: int, shared: float, repeats: int, seed: int = 0
) -> tuple[float, float]:
    """How often a null is rejected at 5 %, with `holm` and without; so many claims are true."""
    rng = np.random.default_rng(seed)
    wrong = plain = 0
    for _ in range(repeats):
        z = math.sqrt(shared) * rng.normal() + math.sqrt(1 - shared) * rng.normal(size=claims)
        p = [math.erfc(abs(v) / math.sqrt(2)) for v in z]
        p[:true] = [1e-9] * true
        wrong += bool(np.any(spectra.holm(p)[true:] <= 0.05))
        plain += bool(np.any(np.asarray(p)[true:] <= 0.05))
    return wrong / repeats, plain / repeats


def coverage_of_difference(
    n: int, published_n: int, reading: float, repeats: int, seed: int = 0
) -> float:
    """Of `difference_to_published`: the same mean, theirs read with a uniform error."""
    rng = np.random.default_rng(seed)
    ours = rng.normal(size=(n, repeats))
    theirs = rng.normal(size=repeats) / math.sqrt(published_n)
    read = theirs + reading * rng.uniform(-1, 1, size=repeats)
    found = spectra.difference_to_published(ours, read, published_n, np.full(repeats, reading))
    return _holds(found, 0.0) / repeats
