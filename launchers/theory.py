"""Theory drawn over measurement: Rahaman et al. (2019), section 2, and the tangent kernel.

Trains ReLU networks of one input on a sum of sines, by gradient descent and by Adam, and compares
what is proved or predicted with what they do. A third group, by gradient descent, has one very wide
hidden layer and its grid on a circle: there the tangent kernel hardly changes and sines are its
eigenvectors, so that it must predict the training of each frequency.

* transform: the exact Fourier transform of a network from its kinks, against the DFT of samples
  (Lemma 1), and the bound by the sum of the slopes' jumps;
* decay: |f~(k)| falls as k^-2 in one dimension; for a tent over the plane as k^-3 in almost all
  directions and as k^-2 along the normal of an edge (Theorem 1);
* bounds: Lipschitz constant <= product of spectral norms <= max-norm bound, all along (Eqn 7);
* volume: the share of parameters whose function, less the line through its ends, has more than
  epsilon beyond frequency k (App. D);
* gradient decay: the spectrum of the gradient by parameters of hidden layers falls one power slower
  than the function's, as k^-1 (proposition 1);
* residual rates: how much a step of gradient descent changes the residual falls likewise, up to the
  frequency at which kinks move by a period (Eqn 9);
* single sines: how fast each is learned by gradient descent at first, against its frequency
  (proposition 2), and how long the kernel at the start tells it;
* tangent kernels: the rate of each frequency at the start and along training, on the line and on
  the circle apart and each beside known kernels there, and the learning time that the kernel of the
  untrained network predicts for gradient descent.

    python launchers/theory.py --alsologtostderr

takes about 1.5 minutes on 2 cores, and is the whole study (results/theory). To see: what is proved
holds. On the line the rates of the untrained kernel fall about as k^-2, which is no fingerprint: a
linear kernel's do, too. On the circle those of wide networks fall about as k^-4.5, as those of
random ReLU features. That kernel hardly changes at first and predicts when the lowest frequencies
are learned; later ones, and all of ordinary networks, come sooner than their kernels say.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags
from numpy.typing import NDArray

from spectral_tf import (
    experiments,
    models,
    probes,
    progress,
    records,
    runtime,
    spectra,
    tasks,
    training,
)
from spectral_tf.experiments import gradient_laws

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectral_tf.records.figures import Line

FLAGS = flags.FLAGS
runtime.define_run_flags("theory", reports=True)
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer(
        "num_runs", 5, "Number of networks for each optimiser, with phases of their own.", 1
    )
    flags.DEFINE_integer("num_steps", 20_000, "Training steps of each network.", 1)
    flags.DEFINE_integer("probe_every", 100, "Steps between two spectra.", 1)
with runtime.flag_group("Target"):
    flags.DEFINE_list(
        "frequencies", [1, 2, 3, 4, 5, 6, 8, 10], "Frequencies, whole cycles per unit."
    )
    flags.DEFINE_integer("num_samples", 64, "Points of the uniform grid on [0, 1).", 3)
with runtime.flag_group("Network"):
    flags.DEFINE_integer("width", 256, "Units of each hidden layer.", 1)
    flags.DEFINE_integer("depth", 4, "Linear layers, the output layer included.", 2)
    flags.DEFINE_integer(
        "wide_width", 4_096, "Units of the one hidden layer of the wide networks.", 1
    )
    runtime.define_learning_rate_flag()
    runtime.define_finite_float(
        "stable_share",
        0.2,
        "Learning rate of gradient descent, as a share of the largest stable one; below 1.",
        at_least=1e-6,
    )
    flags.DEFINE_integer(
        "volume_networks", 10_000, "Number of random networks of the volume argument.", 1_000
    )
with runtime.flag_group("Single sines (proposition 2)"):
    flags.DEFINE_list(
        "sine_frequencies", [1, 2, 4, 8, 16, 32], "Frequencies of sines that are learned alone."
    )
    flags.DEFINE_integer("sine_samples", 256, "Points of their grid on [0, 1).", 3)
    flags.DEFINE_integer("sine_steps", 100, "Training steps of each network.", 1)
    flags.DEFINE_integer("sine_runs", 10, "Number of networks for each sine and width.", 1)
    runtime.define_finite_float(
        "sine_stable_share",
        0.02,
        "Learning rate of them, as a share of the largest stable one; below 1.",
        at_least=1e-6,
    )
for name in ("stable_share", "sine_stable_share"):
    flags.register_validator(name, lambda v: v < 1, "expected below 1, else descent diverges")

# Steps at which kinks and kernels are computed: about geometric, as learning times are.
KERNEL_STEPS = (0, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
GROUPS = ("gradient descent", "gradient descent, wide on a circle", "Adam")
DESCENT, WIDE, ADAM = range(3)
ON_THE_LINE = (DESCENT, ADAM)
BOUNDS = ("num_regions", "lipschitz", "spectral_norm_bound", "max_norm_bound", "total_jump")
LEVEL = 0.5  # Of the learning times that are predicted.
LINE, CIRCLE = "line", "circle"  # What DESCENT and WIDE see.
VOLUME_WIDTH, VOLUME_DEPTH, VOLUME_RADIUS = 16, 3, 1.0
VOLUME_LEAST, VOLUME_GROUPS = 20, 20  # Networks behind a share; parts, for the interval.
# A pyramid over the unit square, height 1: vertices, values, triangles.
TENT: tuple[list[list[float]], list[float], list[list[int]]] = (
    [[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]],
    [0, 0, 0, 0, 1],
    [[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]],
)


class Plan(NamedTuple):
    """What is asked for."""

    targets: list[tasks.SumOfSines]  # One for each run.
    networks: dict[str, models.Mlp]  # Of each group.
    learning_rate: float
    stable_share: float
    num_steps: int
    spectra_at: list[int]
    kernels_at: list[int]
    volume_networks: int
    sines: gradient_laws.SingleSines
    seed: int

    @property
    def inputs(self) -> dict[str, NDArray[np.float32]]:
        """What each group sees, [n, d]."""
        positions = self.targets[0].positions
        line, circle = positions[:, None], tasks.Flower(0)(positions)
        points = dict(zip(GROUPS, (line, circle, line), strict=True))
        return {group: x.astype(np.float32) for group, x in points.items()}


def plan() -> Plan:
    """Checks the flags."""
    frequencies = runtime.parse_ints("frequencies", FLAGS.frequencies)
    targets = experiments.sines_of_runs(FLAGS.num_runs, frequencies, FLAGS.num_samples, FLAGS.seed)
    narrow = models.Mlp(FLAGS.width, FLAGS.depth)
    wide = models.Mlp(FLAGS.wide_width, 2, input_dim=2)
    kernel_steps = [step for step in KERNEL_STEPS if step < FLAGS.num_steps]
    return Plan(
        targets,
        dict(zip(GROUPS, (narrow, wide, narrow), strict=True)),
        FLAGS.learning_rate,
        FLAGS.stable_share,
        FLAGS.num_steps,
        training.every(FLAGS.num_steps, FLAGS.probe_every, *kernel_steps),
        [*kernel_steps, FLAGS.num_steps],
        FLAGS.volume_networks,
        gradient_laws.SingleSines.drawn(
            runtime.parse_ints("sine_frequencies", FLAGS.sine_frequencies),
            {"ordinary": narrow, "wide": models.Mlp(FLAGS.wide_width, 2)},
            num_runs=FLAGS.sine_runs,
            num_samples=FLAGS.sine_samples,
            num_steps=FLAGS.sine_steps,
            stable_share=FLAGS.sine_stable_share,
            seed=FLAGS.seed,
        ),
        FLAGS.seed,
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains the three groups in step; everything is recorded as [groups, runs, ...]."""
    page.begin()
    inputs, count, target = plan.inputs, len(plan.targets), plan.targets[0]
    sines = gradient_laws.learn_single_sines(plan.sines, page)
    members, facts = networks(plan, page)
    shape = (len(GROUPS), count)

    def outputs(loop: training.TrainingLoop) -> NDArray:
        return loop.outputs.reshape(*shape, -1)

    def magnitudes(loop: training.TrainingLoop) -> NDArray:
        return spectra.normalised_magnitudes(outputs(loop), target.frequencies, target.amplitudes)

    def bounds_of_all(_: training.TrainingLoop) -> NDArray:
        of_groups = [members.ensembles[group].weights for group in ON_THE_LINE]
        return np.array(
            [
                [bounds_of([w[run] for w in weights]) for run in range(count)]
                for weights in of_groups
            ]
        )

    def rates(_: training.TrainingLoop) -> NDArray:
        found = []
        for group in (DESCENT, WIDE):
            descent, points = members.ensembles[group], inputs[GROUPS[group]]
            found.append(
                spectra.frequency_rates(kernels_of(page, descent, points), target.frequencies)
            )
        return np.array(found)

    def changes(_: training.TrainingLoop) -> dict[str, NDArray]:
        of_descent = networks_of(members.ensembles[DESCENT].weights)
        rate = facts["rates"][DESCENT]  # type: ignore[index]  # A list.
        return gradient_laws.spectral_changes(of_descent, plan.targets, rate, plan.seed)

    of_k = [f"k={k:03d}" for k in target.frequencies]
    changed_at = [step for step in gradient_laws.CHANGES_AT if step <= plan.num_steps]
    at, kernel_steps = plan.spectra_at, plan.kernels_at
    found = page.follow(
        members,
        {
            "magnitude": training.Measure(magnitudes, at, (GROUPS, "run", of_k)),
            "loss": training.Measure(lambda s: s.losses.reshape(shape), at, (GROUPS, "run")),
            "function": training.Measure(outputs, at),
            "bounds": training.Measure(bounds_of_all, kernel_steps),
            "rate": training.Measure(rates, kernel_steps),
            "change": training.Measure(changes, changed_at),
        },
        charts={
            **{f"magnitude, {name}": [f"magnitude/{name}/.*"] for name in GROUPS},
            "loss": ["loss/.*"],
        },
    )
    last = members.ensembles[ADAM].weights
    found.facts["seconds"] += float(sines.pop("sine_seconds"))
    found.facts |= {**facts, **sines, **{f"weights {i:02d}": array for i, array in enumerate(last)}}
    return found


def networks(plan: Plan, page: experiments.Page) -> tuple[training.Ensembles, dict[str, object]]:
    """The groups of networks; rates of descent, untrained kernels and functions beside them."""
    inputs, count = plan.inputs, len(plan.targets)

    def ensemble(group: str, optimizer: training.Optimizer) -> training.Ensemble:
        return training.Ensemble(
            plan.networks[group].build,
            page.seeds("init", count),
            [of_run.dataset(inputs[group]) for of_run in plan.targets],
            optimizer=optimizer,
            strategy=page.strategy,
        )

    facts: dict[str, object] = {"rates": []}
    descents = []
    for group in (GROUPS[DESCENT], GROUPS[WIDE]):
        # A rate for all runs: descent is stable below n / (largest eigenvalue of the kernel).
        untrained = ensemble(group, training.SGD(1.0))
        kernels = kernels_of(page, untrained, inputs[group])
        rate = plan.stable_share * len(kernels[0]) / float(np.linalg.eigvalsh(kernels).max())
        facts[f"kernels of {group}"] = kernels
        facts[f"functions of {group}"] = untrained.evaluate()[0][..., 0]
        facts["rates"] = [*facts["rates"], rate]  # type: ignore[misc]  # A list.
        descents.append(ensemble(group, training.SGD(rate)))
    members = training.Ensembles(
        [*descents, ensemble(GROUPS[ADAM], training.Adam(plan.learning_rate))]
    )
    return members, facts


def kernels_of(page: experiments.Page, of: training.Ensemble, points: NDArray) -> NDArray:
    """The tangent kernel of each network of an ensemble."""
    return probes.tangent_kernels(of.architecture, of.weights, [], points, strategy=page.strategy)


def bounds_of(weights: Sequence[NDArray]) -> tuple[float, ...]:
    """One network's `BOUNDS`."""
    kernels, biases = weights[0::2], weights[1::2]
    pieces = spectra.relu_network_pieces(kernels, biases)
    return (
        pieces.num_regions,
        pieces.lipschitz,
        spectra.spectral_norm_bound(kernels),
        spectra.max_norm_bound(kernels, biases),
        pieces.total_jump,
    )


def networks_of(weights: Sequence[NDArray]) -> list[gradient_laws.Network]:
    """Kernels and biases of each network of an ensemble, [e, ...] each."""
    return [
        gradient_laws.split([array[run] for array in weights]) for run in range(len(weights[0]))
    ]


def trained_by_adam(found: records.Found) -> list[gradient_laws.Network]:
    """The networks that Adam has trained."""
    names = sorted(name for name in found.facts if name.startswith("weights "))
    return networks_of([found.fact(name) for name in names])


def pieces_of(found: records.Found, run: int) -> spectra.PiecewiseLinear:
    """The function of one network that Adam has trained."""
    return spectra.relu_network_pieces(*trained_by_adam(found)[run])


def report(plan: Plan, found: records.Found) -> records.Report:
    """Each comparison gives its table, its figure and its headline numbers."""
    proved = [
        transform(plan, found),
        decay(plan, found),
        bounds(found),
        volume(plan),
        gradient_laws.gradient_decay(trained_by_adam(found), plan.seed),
        gradient_laws.residual_rates(found, plan.seed),
        gradient_laws.single_sine_rates(plan.sines, found),
        tangent_kernels(plan, found),
    ]
    learned = learning_times(plan, found)
    opening = {
        "num_runs": len(plan.targets),
        "num_steps": plan.num_steps,
        "gradient_descent_rates": found.fact("rates"),
    }
    closing = {
        "frequencies": [int(k) for k in plan.targets[0].frequencies],
        "diverged_at_step": found.fact("diverged"),
    }
    return records.Report.joined(
        [
            records.Report(opening),
            *proved,
            learned,
            learning_tables(plan, found),
            records.Report(closing),
        ],
        lines=[line for part in (*proved, learned) for line in part.lines],
        animations={"learned_function": growing_function(plan, found)},
        arrays=records.learning.function_arrays(
            found["function"]._replace(values=found["function"].values[:, :, 0]),
            plan.targets[0].positions,
            plan.targets[0].targets,
        ),
    )


def learning_tables(plan: Plan, found: records.Found) -> records.Report:
    """What each group learned when, as all pages table it."""
    steps, magnitudes = found["magnitude"]
    going = records.learning.going
    groups: dict[records.learning.Setting, spectra.LearningCurves] = {
        (name,): spectra.learning_curves(
            steps, plan.targets[0].frequencies, runs, where=going(runs)
        )
        for name, runs in zip(GROUPS, np.moveaxis(magnitudes, 0, 2), strict=True)
    }
    losses = {key: found["loss"].values[:, i] for i, key in enumerate(groups)}
    columns = ("group",)
    return records.Report(
        {},
        tables={
            **records.learning.curve_tables(groups, columns),
            **records.learning.loss_tables(steps, losses, columns),
        },
    )


def growing_function(plan: Plan, found: records.Found) -> records.Animation:
    """Run 0 of Adam while it trains."""
    target = plan.targets[0]
    fine = np.linspace(0.0, 1.0, 10 * len(target.positions) + 1)
    return records.figures.animation(
        (fine, target(fine)),
        target.positions,
        found["function"].values[:, ADAM, 0],
        found["function"].steps,
        title="learned function, Adam, run 0",
    )


def transform(plan: Plan, found: records.Found) -> records.Report:
    """Lemma 1: the exact transform of one trained network, quadrature, the DFT and the bound."""
    pieces, n = pieces_of(found, 0), len(plan.targets[0].positions)
    k = np.arange(1, n // 2)
    exact = pieces.transform(k)
    # Gauss-Legendre with 20 nodes on every piece, cut so that none holds more than half a period.
    cuts = np.union1d(pieces.knots, np.linspace(0.0, 1.0, n + 1))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.diff(cuts)[:, None] / 2
    x = (cuts[:-1, None] + half * (1 + nodes)).ravel()
    quadrature = np.exp(-2j * np.pi * np.outer(k, x)) @ ((half * weights).ravel() * pieces(x))
    sampled = spectra.magnitudes(pieces(np.arange(n) / n))[k]
    compact = pieces.detrended()
    bound, less_chord = compact.transform_bound(k), np.abs(compact.transform(k))
    line = records.figures.Line
    error = float(np.abs(exact - quadrature).max())
    return records.Report(
        {"transform_largest_quadrature_error": error},
        lines=[f"Lemma 1: transform by kinks and by quadrature differ by at most {error:.1g}"],
        tables={
            "transform": records.tidy(
                {"frequency": k},
                exact=np.abs(exact),
                dft=sampled,
                exact_less_chord=less_chord,
                bound_less_chord=bound,
            )
        },
        figures={
            "transform": logarithmic(
                [
                    line(k, sampled, "DFT of samples", style="o"),
                    line(k, np.abs(exact), "exact transform"),
                    line(k, less_chord, "exact, less the chord"),
                    line(k, bound, "its bound J / (2 pi k)^2", style="--"),
                ],
                xlabel="frequency [cycles per unit]",
                ylabel="magnitude",
                title="One trained network's transform from its kinks (Lemma 1)",
            )
        },
    )


def decay(plan: Plan, found: records.Found) -> records.Report:
    """Theorem 1: the exponents of decay in one dimension and in two.

    Of networks less their chords, over runs; of the tent over random directions, and along the one
    normal over the bands of frequencies.
    """
    rng = runtime.generator(plan.seed, "decay")
    # Random positions, so that no period of a function is met; root mean squares over bands.
    edges = np.geomspace(30.0, 3e5, 25)
    middles = np.sqrt(edges[1:] * edges[:-1])
    k = edges[:-1] * (edges[1:] / edges[:-1]) ** rng.uniform(size=(200, 24))

    def along(angle: float) -> NDArray:
        direction = np.array([np.cos(angle), np.sin(angle)])
        return spectra.planar_transform(*TENT, k[..., None] * direction)

    networks = [pieces_of(found, run).detrended() for run in range(len(plan.targets))]
    generic = rng.uniform(0.1, np.pi / 4 - 0.1, 5)
    cases = {
        "networks, one dimension": (-2, "runs", [network.transform(k) for network in networks]),
        "tent, generic direction": (-3, "directions", [along(angle) for angle in generic]),
        "tent, normal of an edge": (-2, "points", [along(0.0)]),
    }
    rows: list[tuple[object, ...]] = []
    series, exponents, line = [], {}, records.figures.Line
    for name, (exponent, unit, transforms) in cases.items():
        powers = np.abs(transforms) ** 2
        rms = root_mean(powers)
        law = spectra.fit_power_law(middles, rms)
        if unit != "points":
            law = spectra.power_law_over_runs(middles, root_mean, powers, unit=unit)
        rows += [(name, *row) for row in zip(middles, rms, strict=True)]
        drawn = rms[0] * (middles / middles[0]) ** exponent
        series.append(line(middles, rms, f"{name}: k^{law.exponent.value:.2f}", style="o"))
        series.append(line(middles, drawn, f"k^{exponent}", style="--"))
        exponents[f"decay_exponent_{name.replace(', ', '_').replace(' ', '_')}"] = law.exponent
    decays = {name: f"{name} (proved: {exponent})" for name, (exponent, *_) in cases.items()}
    return records.Report(
        exponents,
        lines=records.estimate_lines(
            "Theorem 1, exponents of the decay with frequency",
            dict(zip(decays.values(), exponents.values(), strict=True)),
        ),
        tables={"decay": records.Table(("case", "frequency", "rms_magnitude"), rows)},
        figures={
            "decay": logarithmic(
                series,
                xlabel="frequency [cycles per unit]",
                ylabel="root mean square of |f~(k)|",
                title="Spectral decay (Theorem 1)",
                colours=[0, 0, 1, 1, 2, 2],
            )
        },
    )


def root_mean(powers: NDArray) -> NDArray:
    """Of powers [n, positions, bands], the root of their mean in each band."""
    return np.sqrt(powers.mean(axis=(0, 1)))


def bounds(found: records.Found) -> records.Report:
    """Eqn 7: the chain of bounds along training."""
    steps, values = found["bounds"]
    rows = [
        (GROUPS[group], step, run, *values[i, o, run])
        for o, group in enumerate(ON_THE_LINE)
        for i, step in enumerate(steps)
        for run in range(values.shape[2])
    ]
    of_adam = np.moveaxis(values[:, ON_THE_LINE.index(ADAM)], 1, 0)
    means = spectra.mean_over_runs(np.log(of_adam)).map(np.exp)
    at, line = np.maximum(steps, 1), records.figures.Line.of
    labels = {
        "num_regions": "linear regions",
        "lipschitz": "Lipschitz constant (exact)",
        "spectral_norm_bound": "product of spectral norms",
        "max_norm_bound": "max-norm bound",
    }
    _, lipschitz, by_layer, by_parameter, jump = np.moveaxis(values, -1, 0)
    holds = (lipschitz <= by_layer) & (by_layer <= by_parameter)
    jumps = jump <= 2 * values[..., 0] * lipschitz
    return records.Report(
        {
            "chain_of_bounds_holds": bool(holds.all()),
            "jumps_within_twice_regions_times_lipschitz": bool(jumps.all()),
        },
        lines=[
            f"Eqn 7: Lipschitz constant <= product of spectral norms <= max-norm bound in "
            f"{holds.sum():,} of {holds.size:,} looks at networks",
            f"jumps of the slope <= 2 x regions x Lipschitz constant in {jumps.sum():,} of "
            f"{jumps.size:,}",
        ],
        tables={"bounds": records.Table(("group", "step", "run", *BOUNDS), rows)},
        figures={
            "bounds": logarithmic(
                [line(at, means[:, BOUNDS.index(name)], label) for name, label in labels.items()],
                xlabel="training step (0 drawn at 1)",
                ylabel="geometric mean of runs, 95 % interval",
                title="The chain of bounds along training with Adam (Eqn 7)",
            )
        },
    )


def volume(plan: Plan) -> records.Report:
    """Appendix D: the share of the max-norm ball with more than epsilon beyond k.

    f~ is the transform of the function less its chord, the line through its ends: those ends are
    jumps to 0 outside of the interval, whose 1/k would hide what the kinks, of which the argument
    speaks, have. Epsilon is the median over networks of the largest |f~| beyond k = 10.
    """
    rng = runtime.generator(plan.seed, "volume")
    sizes = [1, *[VOLUME_WIDTH] * (VOLUME_DEPTH - 1), 1]
    k = np.geomspace(1.0, 1e3, 400)
    beyond = np.empty((plan.volume_networks, k.size))
    for i in progress.track(range(plan.volume_networks), "network of the volume"):
        draws = [
            rng.uniform(-VOLUME_RADIUS, VOLUME_RADIUS, (a + 1, b))
            for a, b in itertools.pairwise(sizes)
        ]
        pieces = spectra.relu_network_pieces([d[1:] for d in draws], [d[0] for d in draws])
        magnitudes = np.abs(pieces.detrended().transform(k))
        beyond[i] = np.maximum.accumulate(magnitudes[::-1])[::-1]
    epsilon = float(np.median(beyond[:, np.searchsorted(k, 10.0)]))
    above = beyond > epsilon
    share = spectra.mean_over_runs(above, unit="networks")
    left = above.sum(axis=0)
    # Below a tenth, where enough networks are left: the tail that the argument is about.
    tail = (share.value < 0.1) & (left >= VOLUME_LEAST)
    groups = np.array([part.mean(axis=0) for part in np.array_split(above, VOLUME_GROUPS)])
    law = spectra.power_law_over_runs(
        k[tail], lambda some: some.mean(axis=0), groups[:, tail], unit="groups of networks"
    )
    there, line = left >= VOLUME_LEAST, records.figures.Line
    series = [line.of(k[there], share[there], f"measured, tail k^{law.exponent.value:.1f}")]
    if tail.any():
        drawn = share.value[tail][0] * (k[tail] / k[tail][0]) ** -2
        series.append(line(k[tail], drawn, "k^-2", style="--"))
    few = [
        spectra.not_enough(int(left[i]), VOLUME_LEAST, "networks", share.value[i])
        for i in range(k.size)
    ]
    return records.Report(
        {"volume_epsilon": epsilon, "volume_tail_exponent": law.exponent},
        lines=[
            f"appendix D: the share of networks with more than {epsilon:.2g} beyond k falls, below "
            f"a tenth, as k to the power {law.exponent.text()}"
            if np.isfinite(law.exponent.value)
            else f"appendix D: no power law of the tail: {law.exponent.text()}"
        ],
        tables={
            "volume": records.Table(
                ("frequency", "share"),
                [(k[i], share[i] if there[i] else few[i]) for i in range(k.size)],
            )
        },
        figures={
            "volume": logarithmic(
                series,
                xlabel="frequency k [cycles per unit]",
                ylabel=f"share with |f~(k')| > {epsilon:.2g} for some k' > k",
                title=f"{plan.volume_networks:,} networks less their chords (appendix D)",
            )
        },
    )


def known_kernels(z: NDArray) -> dict[str, dict[str, NDArray]]:
    """{domain: {name: kernel [n, n]}}, what the networks' kernels are compared with.

    On the line positions z themselves; on the circle the plane, and for the ReLU features a 1
    beside it, which stands for the bias: features of Gaussian weights have the arc-cosine kernel
    of degree 1, |x| |y| (sin t + (pi - t) cos t) / pi, t the angle of x and y.

    Source: Cho and Saul (2009), "Kernel methods for deep learning".
    """
    x = np.column_stack([tasks.Flower(0)(z), np.ones(z.size)])
    cosine = np.clip(x @ x.T / 2, -1, 1)
    angle = np.arccos(cosine)
    gaussians = {
        f"Gaussian of width {width:g}": spectra.gaussian_kernel(z[:, None], width=width)
        for width in (0.5, 1.0, 2.0)
    }
    features = (2 / np.pi) * (np.sin(angle) + (np.pi - angle) * cosine)
    return {
        LINE: {"linear": np.outer(z, z), **gaussians},
        CIRCLE: {"random ReLU features": features},
    }


def tangent_kernels(plan: Plan, found: records.Found) -> records.Report:
    """The kernels' rates along training, and how they fall with frequency on each domain."""
    target = plan.targets[0]
    k = np.asarray(target.frequencies, float)
    kernel_steps, rates = found["rate"]  # [kernel_steps, groups, runs, frequencies]
    mean = records.learning.over_runs(rates, axis=2)
    line = records.figures.Line
    exponents, rows, series = {}, [], []
    for g, (domain, kernels) in enumerate(known_kernels(target.positions).items()):
        law = spectra.power_law_over_runs(k, lambda runs: runs.mean(axis=0), rates[0, g])
        fits = {"untrained networks": (law.exponent, mean[0, g].value)}
        for name, kernel in kernels.items():
            of_kernel = spectra.frequency_rates(kernel, target.frequencies)
            fits[name] = (spectra.fit_power_law(k, of_kernel).exponent, of_kernel)
        for name, (exponent, values) in fits.items():
            rows.append((domain, name, exponent))
            exponents[f"rate_exponent_{domain}_{name.replace(' ', '_')}"] = exponent
            label = f"{domain}, {name}: k^{exponent.value:.2f}"
            style = "o" if name not in kernels else "--"
            series.append(line(k, values / values[0], label, style=style))
    return records.Report(
        exponents,
        lines=records.estimate_lines(
            "exponents of the kernels' rates over frequency",
            {f"{domain}, {name}": exponent for domain, name, exponent in rows},
        ),
        tables={
            "tangent_rates": records.Table(
                ("group", "step", "frequency", "rate"),
                [
                    (GROUPS[g], step, f"{k[j]:g}", mean[i, g, j])
                    for g in (DESCENT, WIDE)
                    for i, step in enumerate(kernel_steps)
                    for j in range(k.size)
                ],
            ),
            "kernels": records.Table(("domain", "kernel", "rate_exponent"), rows),
        },
        figures={
            "kernels": logarithmic(
                series,
                xlabel="frequency [cycles per unit]",
                ylabel="rate, as a share of the lowest frequency's",
                title="Untrained kernels beside known ones on the same points",
            ),
            "tangent_rates": rates_figure(k, kernel_steps, mean),
        },
    )


def rates_figure(k: NDArray, kernel_steps: Sequence[int], mean: spectra.Estimate) -> Figure:
    """Rates [steps, groups, frequencies] along gradient descent, those of both groups."""
    line = records.figures.Line
    shown = [i for i in range(len(kernel_steps)) if i % 2 == 0 or i == len(kernel_steps) - 1]
    scale = mean.value[0, DESCENT, 0] / mean.value[0, WIDE, 0]
    colours = dict(zip(shown, records.figures.shades(len(shown)), strict=True))
    along = [
        # Intervals of the first and the last alone: the picture is full.
        line.of(k, mean[i, DESCENT], f"line, step {kernel_steps[i]:,}", colour=colours[i])
        if i in (0, len(kernel_steps) - 1)
        else line(k, mean.value[i, DESCENT], f"line, step {kernel_steps[i]:,}", colour=colours[i])
        for i in shown
    ]
    along += [
        line.of(
            *(k, mean[i, WIDE].map(lambda r: r * scale)),
            *(f"wide on a circle, step {kernel_steps[i]:,}", "--", colours[shown[i]]),
        )
        for i in (0, -1)
    ]
    return logarithmic(
        along,
        xlabel="frequency [cycles per unit]",
        ylabel="rate of the tangent kernel (wide: scaled to start alike)",
        title="Rates along gradient descent",
    )


def learning_times(plan: Plan, found: records.Found) -> records.Report:
    """Predicted and measured learning times of gradient descent: their power laws, and all."""
    targets, line = plan.targets, records.figures.Line
    k = np.asarray(targets[0].frequencies, float)
    steps, magnitudes = found["magnitude"]
    laws: dict[str, spectra.PowerLaw] = {}
    times: dict[str, spectra.Estimate] = {}
    series, rows = [], []
    for group, rate in zip((DESCENT, WIDE), found.fact("rates"), strict=True):
        kernels, starts = (
            found.fact(f"{of} of {GROUPS[group]}") for of in ("kernels", "functions")
        )
        predicted = [
            spectra.linearised_functions(kernel, start, target.targets, rate, steps)
            for kernel, start, target in zip(kernels, starts, targets, strict=True)
        ]
        curves = {
            "predicted": spectra.normalised_magnitudes(
                np.array(predicted), targets[0].frequencies, targets[0].amplitudes
            ),
            "measured": np.moveaxis(magnitudes[:, group], 1, 0),
        }
        of_group = {}
        for kind, values in curves.items():
            learned = spectra.learning_curves(
                steps, k, values, [LEVEL], where=records.learning.going(values)
            )
            of_group[kind] = learned.times[LEVEL]
            name = f"{kind}_{('narrow', 'wide')[group]}"
            laws[f"learning_time_exponent_{name}"] = learned.law
            times[f"learning_time_{name}"] = of_group[kind]
        expected, seen = of_group["predicted"], of_group["measured"]
        ratio = times_ratio(steps, np.stack([curves["measured"], curves["predicted"]], axis=1))
        times[f"measured_over_predicted_time_{('narrow', 'wide')[group]}"] = ratio
        rows += [(GROUPS[group], k[j], expected[j], seen[j], ratio[j]) for j in range(k.size)]
        series += [
            line.of(k, seen, f"{GROUPS[group]}: measured", "os"[group]),
            line(k, expected.value, f"{GROUPS[group]}: by its untrained kernel", style="--"),
        ]
    columns = ("group", "frequency", "predicted_step", "measured_step", "measured_over_predicted")
    return records.Report(
        {
            **{
                name: {**law.exponent.record(), "num_frequencies": law.num_points}
                for name, law in laws.items()
            },
            **times,
        },
        lines=closing(laws, times, targets[0].frequencies),
        tables={"tangent_times": records.Table(columns, rows)},
        figures={
            "tangent_times": logarithmic(
                series,
                xlabel="frequency [cycles per unit]",
                ylabel="learning time [steps]",
                title="When gradient descent learns half of each frequency",
                colours=[0, 0, 1, 1],
            )
        },
    )


def closing(
    laws: dict[str, spectra.PowerLaw],
    times: dict[str, spectra.Estimate],
    frequencies: Sequence[int],
) -> list[str]:
    """What the screen says of learning times."""
    lines = records.estimate_lines(
        "exponents of the learning times over frequency",
        {
            f"{name.replace('learning_time_exponent_', '').replace('_', ', ')}, from "
            f"{law.num_points} of {len(frequencies)} frequencies": law.exponent
            for name, law in laws.items()
        },
    )
    for name, estimate in times.items():
        words, over = name.replace("_", " "), "over" in name
        lines += records.estimate_lines(
            words if over else f"{words} [steps]",
            {f"k = {k}": estimate[j] for j, k in enumerate(frequencies)},
            ".2f" if over else ",.0f",
        )
    return lines


def times_ratio(steps: Sequence[int], curves: NDArray) -> spectra.Estimate:
    """Learning time of one mean curve over that of another, from runs [runs, 2, s, m], paired.

    Of shape [m]; `jackknife` of its logarithm, since both curves of a run share its phases and its
    initial weights.
    """

    def log_ratio(runs: NDArray) -> NDArray:
        mean = spectra.mean_over_runs(runs, where=~np.isnan(runs)).value
        first, second = spectra.learning_times(steps, mean, LEVEL)
        there = np.isfinite(first) & np.isfinite(second) & (first > 0) & (second > 0)
        one = np.ones_like(first)
        logs = np.log(np.where(there, first, one) / np.where(there, second, one))
        return np.where(there, logs, np.nan)

    found = spectra.jackknife(log_ratio, curves).map(np.exp)
    why = "one of the times is never" if np.isnan(found.value).any() else found.missing
    return dataclasses.replace(found, missing=why)


def logarithmic(
    series: Sequence[Line],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    colours: Sequence[int] | None = None,
) -> Figure:
    """Curves with logarithmic axes."""
    return records.figures.lines(
        series,
        xlabel=xlabel,
        ylabel=ylabel,
        title=title,
        xscale="log",
        yscale="log",
        colours=colours,
    )


if __name__ == "__main__":
    experiments.launch("theory", plan, run, report)
