"""Propositions 1 and 2 and Eqn 9 of Rahaman et al. (2019), section 3 and appendices C.4 and C.5.

What gradients of ReLU networks of one input do to spectra: measured, and drawn under what is
proved. Functions are taken less the line through their ends, except where a sine is learned on the
samples themselves.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectral_tf import models, probes, progress, records, runtime, spectra, tasks, training
from spectral_tf.errors import UserError
from spectral_tf.experiments.page import Page
from spectral_tf.experiments.sines import sines_of_runs

if TYPE_CHECKING:
    from spectral_tf.records.figures import Figure, Line

# The weights and the biases of a network, as Keras keeps them.
Network = tuple[Sequence[NDArray], Sequence[NDArray]]

NUM_BANDS, POSITIONS = 24, 400  # Of frequency; in each.
LOWEST, HIGHEST = 3.0, 3e4  # Cycles per unit.
DRAWN = 64  # Parameters of each array, whose gradients are measured.
SETTLED = 0.1  # How far from 1 measured over expected may be where a law is said to hold.
FUNCTION = "the network itself"
FITTED_FROM = 30.0  # Below it kinks cohere.
# Steps of training at which one step of descent is looked at, and its rates as shares of the run's.
CHANGES_AT = (0, 1_000, 10_000)
SHARES = (1e-4, 1e-2, 1.0)
SPEED = "speed of a coefficient per unit of rate times step"


class Bands(NamedTuple):
    """Random frequencies [positions, bands], so that no period is met, and the bands' middles."""

    k: NDArray[np.float64]
    middles: NDArray[np.float64]

    @classmethod
    def drawn(cls, seed: int) -> Bands:
        """The same for the same seed."""
        rng = runtime.generator(seed, "bands of frequency")
        edges = np.geomspace(LOWEST, HIGHEST, NUM_BANDS + 1)
        ratio = edges[1:] / edges[:-1]
        k = edges[:-1] * ratio ** rng.uniform(size=(POSITIONS, NUM_BANDS))
        return cls(k, np.sqrt(edges[1:] * edges[:-1]))


def split(weights: Sequence[NDArray]) -> Network:
    """Kernels and biases of weights as a model lists them."""
    return weights[0::2], weights[1::2]


# Proposition 1: the gradient's spectrum.


def by_parameters(
    network: Network, rng: np.random.Generator
) -> tuple[list[str], spectra.JumpingPieces]:
    """The network itself and its derivatives by some entries of every array: their names, and they.

    Not by the output's bias: that derivative is 1, which is nothing less its chord.
    """
    gradient = spectra.relu_network_gradient(*network)
    kernels, biases = network
    own = gradient.function
    found = {FUNCTION: spectra.JumpingPieces(own.knots, own.middles[None], own.slopes[None])}
    for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        last = layer == len(kernels) - 1
        name = "output layer" if last else f"hidden layer {layer + 1}"
        rows, columns = np.unravel_index(_some(kernel.size, rng), kernel.shape)
        found[f"{name}, weights"] = gradient.by_kernel(layer, rows, columns)
        if not last:
            found[f"{name}, biases"] = gradient.by_bias(layer, _some(bias.size, rng))
    names = [name for name, functions in found.items() for _ in functions.middles]
    middles = np.concatenate([functions.middles for functions in found.values()])
    slopes = np.concatenate([functions.slopes for functions in found.values()])
    return names, spectra.JumpingPieces(own.knots, middles, slopes)


def _some(size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.choice(size, min(size, DRAWN), replace=False)


def gradient_decay(networks: Sequence[Network], seed: int) -> records.Report:
    """Proposition 1: spectra of gradients beside those of the networks, one power slower.

    Exponents are fitted from `FITTED_FROM` on, which was chosen before looking, and once more from
    where all spectra are settled: near what kinks that do not cohere give. There they can hardly be
    other than expected, so that the first are the test.

    Args:
      networks: trained ones, the units of replication.
      seed: of the frequencies and of the parameters that are looked at.
    """
    bands = Bands.drawn(seed)
    powers: dict[str, list[NDArray]] = {}
    for run, network in enumerate(progress.track(networks, "gradient of a network")):
        rng = runtime.generator(seed, "parameters", run)
        names, functions = by_parameters(network, rng)
        compact = functions.detrended()
        both = np.abs(compact.transform(bands.k)), compact.expected_magnitude(bands.k)
        # Over positions in a band, and over entries of an array.
        squares = np.stack([(m**2).mean(axis=1) for m in both])
        for name in dict.fromkeys(names):
            powers.setdefault(name, []).append(squares[:, np.equal(names, name)].mean(axis=1))
    # Of some arrays no entry that was drawn moves a kink of some network: those have no spectrum.
    every = {name: np.sqrt(np.stack(of_runs)) for name, of_runs in powers.items()}
    there = {name: (m > 0).all(axis=(1, 2)) for name, m in every.items()}
    magnitudes = {name: m[there[name]] for name, m in every.items() if there[name].any()}
    if FUNCTION not in magnitudes:
        return records.Report({}, lines=["proposition 1: no network has a kink"])
    ratios = {name: _geometric(m[:, 0] / m[:, 1]) for name, m in magnitudes.items()}
    settled = max(_settled(ratio.value) for ratio in ratios.values())
    near = f"within {100 * SETTLED:g} % of what kinks that do not cohere give"
    starts = {"decay": int(np.searchsorted(bands.middles, FITTED_FROM))}
    titles = {"decay": f"proposition 1: exponents from {FITTED_FROM:g} cycles on"}
    lines, rows, series = [], [], []
    summary: dict[str, Any] = {}
    if settled < NUM_BANDS:
        edge = float(bands.middles[settled])
        summary["gradient_settled_from_frequency"] = edge
        starts["settled"] = settled
        titles["settled"] = f"the same from {edge:,.0f} cycles on, where all spectra are {near}"
    for part, start in starts.items():
        k, laws = bands.middles[start:], {}
        for name, m in magnitudes.items():
            pairs = np.stack([every[FUNCTION][there[name], 0], m[:, 0]], axis=1)[..., start:]
            laws[name] = _law(k, pairs[:, 1])
            less = spectra.jackknife(functools.partial(_less_first, k), pairs, unit="networks")
            rows.append((name, k[0], laws[name], less))
        summary |= {f"gradient_{part}_exponent_{_key(name)}": law for name, law in laws.items()}
        lines += records.estimate_lines(titles[part], laws)
    if settled == NUM_BANDS:
        lines.append(f"up to {bands.middles[-1]:,.0f} cycles not all spectra are {near}")
    for name, m in magnitudes.items():
        label = f"{name}: {_power(summary[f'gradient_decay_exponent_{_key(name)}'])}"
        series.append(records.figures.Line.of(bands.middles, _geometric(m[:, 0]), label, "o"))
        series.append(records.figures.Line(bands.middles, _middle(m[:, 1]), style="--"))
    return records.Report(
        summary,
        lines=lines,
        tables={
            "gradient_decay": records.Table(
                ("parameters", "frequency", "rms_magnitude", "expected", "measured_over_expected"),
                [
                    (name, k, of_bands[j], expected[j], ratios[name][j])
                    for name, m in magnitudes.items()
                    for of_bands, expected in [(_geometric(m[:, 0]), _middle(m[:, 1]))]
                    for j, k in enumerate(bands.middles)
                ],
            ),
            "gradient_exponents": records.Table(
                ("parameters", "from_frequency", "exponent", "exponent_less_the_networks"), rows
            ),
        },
        figures={
            "gradient_decay": _logarithmic(
                series,
                xlabel="frequency [cycles per unit]",
                ylabel="|df~(k) / dtheta|, geometric mean",
                title="Spectra of gradients by parameters (proposition 1), expected dashed",
                colours=[i for i in range(len(magnitudes)) for _ in range(2)],
            )
        },
    )


def _geometric(runs: NDArray) -> spectra.Estimate:
    """The geometric mean of numbers above 0 over networks, the first axis."""
    return spectra.mean_over_runs(np.log(runs), unit="networks").map(np.exp)


def _middle(runs: NDArray) -> NDArray:
    """The same without its interval."""
    return np.exp(np.log(runs).mean(axis=0))


def _law(x: NDArray, runs: NDArray) -> spectra.Estimate:
    """The exponent of the geometric mean of networks [runs, m] over x [m]."""
    return spectra.power_law_over_runs(x, _middle, runs, unit="networks").exponent


def _less_first(x: NDArray, runs: NDArray) -> NDArray:
    """The second exponent over x [m] of the geometric means of [runs, 2, m] less the first."""
    own, other = (
        spectra.fit_power_law(x, _middle(of_one)).exponent.value for of_one in runs.swapaxes(0, 1)
    )
    return np.asarray(other - own)


def _settled(ratio: NDArray) -> int:
    """The first band from which on measured over expected stays near 1; their number: none."""
    away = np.flatnonzero(~(np.abs(ratio - 1) <= SETTLED))
    return int(away[-1]) + 1 if away.size else 0


def _power(exponent: spectra.Estimate) -> str:
    return f"k^{exponent.value:.2f}" if np.isfinite(exponent.value) else "no power law"


def _key(words: str) -> str:
    return words.replace("'s", "").replace(", ", "_").replace(" ", "_")


# Eqn 9: the rate of change of the residual.


def spectral_changes(
    networks: Sequence[Network], targets: Sequence[tasks.SumOfSines], rate: float, seed: int
) -> dict[str, NDArray[np.float64]]:
    """What a step of gradient descent makes of spectra, and what gradients and kinks say of it.

    Args:
      networks: at some step of their training.
      targets: one for each.
      rate: of gradient descent; the step is made at `SHARES` of it, in float64.
      seed: of the frequencies.

    Returns:
      `change`: [networks, shares, 4, bands], over the rate: of |f~ after - f~ before| the root of
      the mean square over a band, measured, to first order and as moving kinks give it, and the
      bound of the first order; `edge`: [networks, shares], up to which frequency the first order
      can hold.
    """
    k = Bands.drawn(seed).k[: POSITIONS // 4]
    changes: list[list[list[NDArray]]] = []
    edges: list[list[float]] = []
    for network, target in zip(networks, targets, strict=True):
        down = spectra.relu_loss_gradient(*network, target.positions, target.targets)
        gradient = spectra.relu_network_gradient(*network)
        before = gradient.function.detrended().transform(k)
        changes.append([])
        edges.append([])
        for share in SHARES:
            step = [[-share * rate * a for a in arrays] for arrays in down]
            kernels, biases = (
                [a.astype(np.float64) + moved for a, moved in zip(*arrays, strict=True)]
                for arrays in zip(network, step, strict=True)
            )
            along = gradient.along(*step)
            after = spectra.relu_network_gradient(kernels, biases).function
            found = after.detrended().transform(k) - before
            sizes = [
                *(np.abs(found), np.abs(along.detrended().transform(k))),
                spectra.expected_change(gradient.function, along, k),
                along.detrended().transform_bound(k),
            ]
            changes[-1].append([np.sqrt((m**2).mean(axis=0)) / (share * rate) for m in sizes])
            edges[-1].append(spectra.edge_of_first_order(gradient.function, along))
    return {"change": np.array(changes), "edge": np.array(edges)}


def residual_rates(found: records.Found, seed: int) -> records.Report:
    """Eqn 9: how fast gradient descent changes the residual at each frequency, O(1/k).

    Args:
      found: with the series of `spectral_changes`.
      seed: of the frequencies.
    """
    k = Bands.drawn(seed).middles
    rows, laws, edges = [], {}, {}
    of_steps = found["change"]
    moved = (of_steps.values > 0).all(axis=(0, 2, 3, 4))
    if not moved.any():
        return records.Report({}, lines=["Eqn 9: a network without kinks does not change"])
    of_steps = of_steps._replace(values=of_steps.values[:, moved])
    edge_of_steps = found["edge"].values[:, moved]
    for step, changes, edge in zip(*of_steps, edge_of_steps, strict=True):
        for i, share in enumerate(SHARES):
            measured = _geometric(changes[:, i, 0])
            ratio = _geometric(changes[:, i, 0] / changes[:, i, 2])
            others = _middle(changes[:, i, 1:])
            rows += [
                (step, share, k[j], measured[j], *others[:, j], ratio[j]) for j in range(k.size)
            ]
            edges[step, share] = _geometric(edge[:, i])
            ends = edges[step, share].value / 3, 3 * edges[step, share].value
            for side, there in (
                ("below", (k > FITTED_FROM) & (k < ends[0])),
                ("above", (k > FITTED_FROM) & (k > ends[1])),
            ):
                laws[step, share, side] = _law(k[there], changes[:, i, 0, there])
    enough = {key: law for key, law in laws.items() if np.isfinite(law.value)}
    columns = ("frequency", "speed", "first_order", "moving_kinks", "bound")
    first, last = of_steps.steps[0], of_steps.steps[-1]
    shown = {"residual_rates": first, **({"residual_rates_later": last} if last > first else {})}
    return records.Report(
        {
            "residual_rate_edges": {f"step {s}, share {x:g}": e for (s, x), e in edges.items()},
            "residual_rate_exponents": {
                f"step {s}, share {x:g}, {side} the edge": law
                for (s, x, side), law in enough.items()
            },
        },
        lines=[
            *records.estimate_lines(
                "Eqn 9: a step of descent changes the residual as its gradient says up to about "
                "[cycles per unit]",
                {f"step {s:,}, {x:g} of the rate": edge for (s, x), edge in edges.items()},
                ",.3g",
            ),
            *records.estimate_lines(
                "exponents of that change over frequency, up to a third of the edge or from three "
                "times it",
                {
                    f"step {s:,}, {x:g} of the rate, {side} the edge": law
                    for (s, x, side), law in enough.items()
                },
            ),
        ],
        tables={
            "residual_rates": records.Table(
                ("step", "share_of_rate", *columns, "measured_over_moving_kinks"), rows
            )
        },
        figures={name: _rates_figure(k, step, of_steps.at(step)) for name, step in shown.items()},
    )


def _rates_figure(k: NDArray, step: int, changes: NDArray) -> Figure:
    """Of changes [networks, shares, 4, bands] at a step of training."""
    line, series = records.figures.Line, []
    for i, share in enumerate(SHARES):
        measured = _geometric(changes[:, i, 0])
        series.append(line.of(k, measured, f"measured, {share:g} of the rate", "o"))
        series.append(
            line(k, _middle(changes[:, i, 2]), "moving kinks" if not i else "", style="--")
        )
    series.append(line(k, _middle(changes[:, 0, 1]), "first order", style=":"))
    series.append(line(k, _middle(changes[:, 0, 3]), "its bound, about C/k", style="-."))
    return _logarithmic(
        series,
        xlabel="frequency [cycles per unit]",
        ylabel=SPEED,
        title=f"What one step of descent changes, at step {step:,} (Eqn 9)",
        colours=[0, 0, 1, 1, 2, 2, 3, 4],
    )


# Proposition 2: single sines under gradient descent.


class SingleSines(NamedTuple):
    """Sines that are learned alone, each by networks of its own.

    Attributes:
      targets: {frequency: one for each run}; runs of one number share phase and initial weights.
      networks: {group: architecture}.
      stable_share: rate of descent over the largest stable one.
      steps: at which they are looked at, from 0.
    """

    targets: Mapping[int, Sequence[tasks.SumOfSines]]
    networks: Mapping[str, models.Mlp]
    stable_share: float
    steps: Sequence[int]

    @classmethod
    def drawn(
        cls,
        frequencies: Sequence[int],
        networks: Mapping[str, models.Mlp],
        *,
        num_runs: int,
        num_samples: int,
        num_steps: int,
        stable_share: float,
        seed: int,
    ) -> SingleSines:
        """With phases drawn for each run.

        Raises:
          UserError: frequencies that the grid cannot tell apart.
        """
        if not 0 < min(frequencies) <= max(frequencies) < num_samples / 2:
            raise UserError(
                "sine_frequencies",
                expected=f"above 0 and below {num_samples / 2:g}, half of {num_samples} samples",
                got=list(frequencies),
                hint="lower them or raise --sine_samples",
            )
        targets = {k: sines_of_runs(num_runs, [k], num_samples, seed) for k in frequencies}
        near = [s for s in (0, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000) if s < num_steps]
        return cls(targets, networks, stable_share, [*near, num_steps])

    @property
    def frequencies(self) -> list[int]:
        """Of all sines."""
        return list(self.targets)

    @property
    def num_runs(self) -> int:
        """Networks for each sine and group."""
        return len(next(iter(self.targets.values())))

    @property
    def inputs(self) -> NDArray[np.float32]:
        """The grid, [n, 1]."""
        return next(iter(self.targets.values()))[0].positions[:, None].astype(np.float32)


def learn_single_sines(sines: SingleSines, page: Page) -> dict[str, NDArray]:
    """Trains them, and computes what their untrained kernels say of it.

    Returns:
      `sine_steps` [s]; `sine_coefficients`, of the residual at the sine's own frequency, measured
      and with the kernel held as it was, complex [s, 2, groups, sines, runs]; `sine_speeds`, at the
      start, of the whole residual, of the target's part and of the network's own, and their bound,
      [4, groups, sines, runs]; `sine_rates` of descent, [groups].
    """
    k, runs, inputs = sines.frequencies, sines.num_runs, sines.inputs
    seeds = page.seeds("init", runs)
    ensembles, kernels, rates = [], [], []

    def ensemble(group: str, targets: Sequence[tasks.SumOfSines], rate: float) -> training.Ensemble:
        return training.Ensemble(
            sines.networks[group].build,
            seeds * (len(targets) // runs),
            [target.dataset(inputs) for target in targets],
            optimizer=training.SGD(rate),
            strategy=page.strategy,
        )

    every = [target for of_sine in sines.targets.values() for target in of_sine]
    for group in sines.networks:
        untrained = ensemble(group, every[:runs], 1.0)
        kernels.append(
            probes.tangent_kernels(
                untrained.architecture, untrained.weights, [], inputs, strategy=page.strategy
            )
        )
        largest = float(np.linalg.eigvalsh(kernels[-1]).max())
        rates.append(sines.stable_share * len(inputs) / largest)
        ensembles.append(functools.partial(ensemble, group, every, rates[-1]))
    shape = (len(ensembles), len(k), runs)
    values = np.array(
        [[target.targets for target in of_sine] for of_sine in sines.targets.values()]
    )

    def residuals(loop: training.TrainingLoop) -> dict[str, NDArray]:
        outputs = loop.outputs.reshape(*shape, -1).astype(np.float64)
        found = own_coefficients(outputs - values, k)
        return {
            "residual": 2 * np.abs(found),
            "parts": np.stack([found.real, found.imag]),
        }

    found = page.unit(
        "single_sines",
        lambda: training.Ensembles([make() for make in ensembles]),
        {
            "residual": training.Measure(
                residuals, sines.steps, (list(sines.networks), [f"k={j:03d}" for j in k], "run")
            ),
            "start": training.Measure(lambda loop: loop.outputs.reshape(*shape, -1)[:, 0], [0]),
        },
        charts={"residual at the sine's frequency": ["residual/.*"]},
    )
    steps, parts = found["parts"]
    measured = parts[:, 0] + 1j * parts[:, 1]
    predicted, speeds = np.empty_like(measured), np.empty((4, *shape))
    starts = found["start"].at(0)  # [groups, runs, n]
    for g, (of_group, of_start, rate) in enumerate(zip(kernels, starts, rates, strict=True)):
        for (j, one), run in itertools.product(enumerate(k), range(runs)):
            kernel, start, target = of_group[run], of_start[run], values[j, run]
            functions = spectra.linearised_functions(kernel, start, target, rate, steps)
            predicted[:, g, j, run] = spectra.coefficients(functions - target)[:, one]
            velocities = spectra.frequency_velocities(
                np.stack([kernel] * 3), np.stack([start - target, -target, start]), [one]
            )
            speeds[:3, g, j, run] = np.abs(velocities[:, 0])
            speeds[3, g, j, run] = spectra.velocity_bounds(kernel, start - target, [one])[0]
    return {
        "sine_steps": np.array(steps),
        "sine_coefficients": np.stack([measured, predicted], axis=1),
        "sine_speeds": speeds,
        "sine_rates": np.array(rates),
        "sine_seconds": np.array(found.fact("seconds")),
    }


def own_coefficients(errors: NDArray, frequencies: Sequence[int]) -> NDArray[np.complex128]:
    """Of errors [groups, sines, runs, n] the coefficients at each sine's own frequency."""
    found = spectra.coefficients(errors)
    return np.stack([found[:, j, :, k] for j, k in enumerate(frequencies)], axis=1)


# Parts of the speed at the start, as `learn_single_sines` orders them.
PARTS = ("kernel", "target's part", "network's own part", "bound")
# Those that are of both.
WHOLE = ("measured", "kernel")


def single_sine_rates(sines: SingleSines, found: records.Found) -> records.Report:
    """Proposition 2: the speed at which a single sine is learned, O(1/k) of its frequency.

    Exponents of the whole speed are fitted below and above the edge, the frequency at which the
    target's part is as large as the network's own: these fall at different powers.

    Args:
      sines: that were learned.
      found: with the facts of `learn_single_sines`.
    """
    k = np.array(sines.frequencies, float)
    steps, rates = found.fact("sine_steps"), found.fact("sine_rates")
    parts = np.moveaxis(found.fact("sine_speeds"), -1, 0)  # [runs, 4, groups, sines]
    coefficients = np.moveaxis(found.fact("sine_coefficients"), -1, 0)  # [runs, steps, 2, ...]
    going = np.isfinite(coefficients).all(axis=(1, 2, 3, 4))
    if not going.any():
        return records.Report({}, lines=["proposition 2: on every sine a network has diverged"])
    parts, coefficients = parts[going], coefficients[going]
    changes = coefficients[:, 1:] - coefficients[:, :1]
    plane = np.stack([changes.real, changes.imag], axis=-1)
    first = np.abs(changes[:, 0, 0]) / (steps[1] * rates[:, None])  # [runs, groups, sines]
    made = spectra.jackknife(_share_made, plane, unit="networks")  # [steps, groups, sines]
    laws, lasts, edges, rows, at_start = {}, {}, {}, [], []
    for g, group in enumerate(sines.networks):
        meet = functools.partial(_equal, k)
        edges[group] = spectra.jackknife(meet, parts[:, 1:3, g], unit="networks").map(np.exp)
        sides = {"below the edge": k < edges[group].value, "above the edge": k > edges[group].value}
        of_group = dict(zip(("measured", *PARTS), (first, *parts.swapaxes(0, 1)), strict=True))
        for name, speed in of_group.items():
            # One power law holds of each part, not of their sum across the edge.
            for side, there in (sides if name in WHOLE else {"": np.ones(k.size, bool)}).items():
                laws[group, f"{name} {side}".strip()] = _law(k[there], speed[:, g, there])
        away = np.abs(made.value[:, g] - 1).max(axis=-1) > SETTLED
        lasts[group] = int([0, *steps[1:]][np.argmax(away) if away.any() else len(away)])
        measured = _geometric(first[:, g])
        at_start += [
            (group, f"{one:g}", measured[j], *_middle(parts[:, :, g, j])) for j, one in enumerate(k)
        ]
        rows += [
            (group, f"{one:g}", step, made[i, g, j])
            for i, step in enumerate(steps[1:])
            for j, one in enumerate(k)
        ]
    return records.Report(
        {
            **{
                f"single_sine_exponent_{_key(group)}_{_key(name)}": law
                for (group, name), law in laws.items()
            },
            "single_sine_edge": edges,
            "single_sine_kernel_holds_to_step": lasts,
        },
        lines=[
            *records.estimate_lines(
                "proposition 2: exponents over the frequency of a single sine of how fast it is "
                "learned at first",
                {f"{group}, {name}": law for (group, name), law in laws.items()},
            ),
            *records.estimate_lines(
                "the edge: the frequency at which the target's part is as large as the network's "
                "own",
                edges,
                ".2g",
            ),
            *(
                f"{group}: within {100 * SETTLED:g} % all sines change as the kernel of the start "
                f"says up to step {last:,}"
                for group, last in lasts.items()
            ),
        ],
        tables={
            "single_sines": records.Table(
                ("group", "frequency", "step", "share_of_predicted_change"), rows
            ),
            "single_sine_rates": records.Table(
                ("group", "frequency", "speed", *map(_key, PARTS)), at_start
            ),
        },
        figures={"single_sines": _sines_figure(k, sines, first, parts, steps[1:], made)},
    )


def _share_made(changes: NDArray) -> NDArray:
    """How much of the predicted change was made along it, of [runs, steps, 2, ..., re and im].

    sum over runs of measured . predicted over that of |predicted|^2: 1 where it is as said.
    """
    measured, predicted = changes[:, :, 0], changes[:, :, 1]
    return (measured * predicted).sum(axis=(0, -1)) / (predicted**2).sum(axis=(0, -1))


def _equal(k: NDArray, parts: NDArray) -> NDArray:
    """The logarithm of the k at which power laws of two parts [runs, 2, m] meet."""
    laws = [spectra.fit_power_law(k, _middle(part)) for part in parts.swapaxes(0, 1)]
    apart = laws[0].exponent.value - laws[1].exponent.value
    return np.asarray(np.log(laws[1].prefactor / laws[0].prefactor) / apart)


def _sines_figure(
    k: NDArray,
    sines: SingleSines,
    first: NDArray,
    parts: NDArray,
    steps: NDArray,
    made: spectra.Estimate,
) -> Figure:
    """Speeds at the start over frequency, and how long the kernel tells them, group by group."""
    line, panels = records.figures.Line, []
    styles = ("-", "--", ":", "-.")
    for g, group in enumerate(sines.networks):
        theory = _middle(parts[:, :, g])
        curves = zip(theory, PARTS, styles, strict=True)
        panels.append(
            records.figures.Panel(
                [
                    line.of(k, _geometric(first[:, g]), "measured, first step", "o"),
                    *(line(k, speed, label, style=style) for speed, label, style in curves),
                ],
                xlabel="frequency of the sine [cycles per unit]",
                ylabel="change per rate times step",
                xscale="log",
                yscale="log",
                name=f"{group}, at the start",
            )
        )
        panels.append(
            records.figures.Panel(
                [line.of(steps, made[:, g, j], f"k = {one:g}") for j, one in enumerate(k)],
                xlabel="steps of gradient descent",
                ylabel="share of the predicted change",
                levels={"as the kernel says": 1.0},
                xscale="log",
                name=f"{group}, later",
                ordered=True,
            )
        )
    return records.figures.line_panels(panels, title="Single sines (proposition 2)", columns=2)


def _logarithmic(series: Sequence[Line], **named: Any) -> Figure:
    """Curves with logarithmic axes."""
    return records.figures.lines(series, xscale="log", yscale="log", **named)
