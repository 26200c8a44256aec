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

from spectral_tf import records, runtime, spectra, tasks

if TYPE_CHECKING:
    from spectral_tf.records.figures import Line
    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.ensembles import Ensembles
    from spectral_tf.training.session import Session

FLAGS = flags.FLAGS
runtime.define_run_flags("theory")
flags.DEFINE_integer("num_runs", 5, "Networks for each optimiser, with phases of their own.", 1)
flags.DEFINE_integer("num_steps", 20_000, "Training steps of each network.", 1)
flags.DEFINE_integer("probe_every", 100, "Steps between two spectra.", 1)
flags.DEFINE_list("frequencies", [1, 2, 3, 4, 5, 6, 8, 10], "Whole cycles per unit.")
flags.DEFINE_integer("num_samples", 64, "Points of the uniform grid on [0, 1).", 3)
flags.DEFINE_integer("width", 256, "Units of each hidden layer.", 1)
flags.DEFINE_integer("depth", 4, "Affine layers, the linear output layer included.", 2)
flags.DEFINE_integer("wide_width", 4_096, "Units of the one hidden layer of the wide networks.", 1)
runtime.define_finite_float("learning_rate", 3e-4, "Adam's constant rate.", at_least=1e-12)
runtime.define_finite_float(
    "stable_share", 0.2, "Rate of gradient descent over the largest stable one.", at_least=1e-6
)
flags.register_validator("stable_share", lambda v: v < 1, "expected below 1, else descent diverges")
flags.DEFINE_integer("volume_networks", 10_000, "Random networks of the volume argument.", 1_000)

# Steps at which kinks and kernels are computed: about geometric, as learning times are.
LOOKS = (0, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
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


def make_targets() -> list[tasks.SumOfSines]:
    """One target for each run, or a UserError."""
    frequencies = runtime.whole_numbers("frequencies", FLAGS.frequencies)
    return [
        tasks.SumOfSines.with_random_phases(
            frequencies,
            [1.0] * len(frequencies),
            FLAGS.num_samples,
            runtime.generator(FLAGS.seed, "phases", run),
        )
        for run in range(FLAGS.num_runs)
    ]


class Prediction(NamedTuple):
    """What untrained networks say about their training by gradient descent.

    Attributes:
      kernels: their tangent kernels, shape [runs, n, n].
      functions: their outputs, shape [runs, n].
      rate: the learning rate.
    """

    kernels: NDArray
    functions: NDArray
    rate: float


def main() -> None:
    """Runs the experiment that the flags describe."""
    targets = make_targets()
    folder = runtime.run_folder("theory")

    from spectral_tf.models.mlp import mlp
    from spectral_tf.probes.tangent import tangent_kernels
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.adam import Adam
    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.ensembles import Ensembles
    from spectral_tf.training.gradient_descent import GradientDescent
    from spectral_tf.training.session import Session, probe_steps

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    folder.start(environment(strategy, FLAGS.seed))

    line = targets[0].positions[:, None].astype(np.float32)
    circle = tasks.Flower(0)(targets[0].positions).astype(np.float32)

    def ensemble(
        optimizer: Adam | GradientDescent, inputs: NDArray, width: int, depth: int
    ) -> Ensemble:
        return Ensemble(
            lambda seed: mlp(width=width, depth=depth, input_dim=inputs.shape[1], seed=seed),
            [runtime.derive_seed(FLAGS.seed, "init", run) for run in range(FLAGS.num_runs)],
            [target.dataset(inputs) for target in targets],
            optimizer=optimizer,
            strategy=strategy,
        )

    def descent(inputs: NDArray, width: int, depth: int) -> tuple[Ensemble, Prediction]:
        # A rate for all runs: descent is stable below n / (largest eigenvalue of the kernel).
        untrained = ensemble(GradientDescent(1.0), inputs, width, depth)
        kernels = tangent_kernels(untrained.model, untrained.weights, [], inputs)
        rate = FLAGS.stable_share * FLAGS.num_samples / float(np.linalg.eigvalsh(kernels).max())
        prediction = Prediction(kernels, untrained.evaluate()[0][..., 0], rate)
        return ensemble(GradientDescent(rate), inputs, width, depth), prediction

    narrow, of_narrow = descent(line, FLAGS.width, FLAGS.depth)
    wide, of_wide = descent(circle, FLAGS.wide_width, 2)
    by_adam = ensemble(Adam(FLAGS.learning_rate), line, FLAGS.width, FLAGS.depth)
    groups = Ensembles([narrow, wide, by_adam])
    looks = [step for step in LOOKS if step < FLAGS.num_steps] + [FLAGS.num_steps]
    steps = probe_steps(FLAGS.num_steps, FLAGS.probe_every, looks)
    session = Session(groups, folder, steps, FLAGS.save_every_seconds, "theory")
    if not session.resumed:
        charts = {f"magnitude, {name}": [f"magnitude/{name}/.*"] for name in GROUPS}
        session.board.describe(runtime.settings(), charts)
    for step in session:
        probe(session, targets[0], step)
        if step in looks:
            look(session, targets[0], [line, circle], step)
    if folder.writes:
        report(session, folder, targets, [of_narrow, of_wide])
    session.wait_for_all()


def probe(session: Session[Ensembles], target: tasks.SumOfSines, step: int) -> None:
    """Records spectra, losses and functions by group: [groups, runs, ...]."""
    shape = (len(GROUPS), FLAGS.num_runs)
    outputs, losses = session.outputs.reshape(*shape, -1), session.losses.reshape(shape)
    magnitudes = spectra.normalised_magnitudes(outputs, target.frequencies, target.amplitudes)
    session.history.add("magnitude", step, magnitudes)
    session.history.add("loss", step, losses)
    session.history.add("function", step, outputs)
    scalars = {}
    for name, loss, of_runs in zip(GROUPS, losses, magnitudes, strict=True):
        scalars[f"loss/{name}"] = np.nanmean(loss)
        for k, mean in zip(target.frequencies, np.nanmean(of_runs, axis=0), strict=True):
            scalars[f"magnitude/{name}/k={k:03d}"] = mean
    session.board.scalars(scalars, step)


def pieces_of(
    ensemble: Ensemble, run: int
) -> tuple[spectra.PiecewiseLinear, list[NDArray], list[NDArray]]:
    """One network's function with its kernels and biases."""
    weights = [w[run] for w in ensemble.weights]
    kernels, biases = weights[0::2], weights[1::2]
    return spectra.relu_network_pieces(kernels, biases), kernels, biases


def look(
    session: Session[Ensembles], target: tasks.SumOfSines, inputs: list[NDArray], step: int
) -> None:
    """Records the bounds of all networks on the line and the kernels' rates of gradient descent."""
    from spectral_tf.probes.tangent import tangent_kernels

    bounds = np.empty((len(ON_THE_LINE), FLAGS.num_runs, len(BOUNDS)))
    for i, group in enumerate(ON_THE_LINE):
        for run in range(FLAGS.num_runs):
            pieces, kernels, biases = pieces_of(session.ensemble.ensembles[group], run)
            bounds[i, run] = (
                pieces.num_regions,
                pieces.lipschitz,
                spectra.spectral_norm_bound(kernels),
                spectra.max_norm_bound(kernels, biases),
                pieces.total_jump,
            )
    session.history.add("bounds", step, bounds)
    rates = []
    for group, points in zip((DESCENT, WIDE), inputs, strict=True):
        descent = session.ensemble.ensembles[group]
        tangent = tangent_kernels(descent.model, descent.weights, [], points)
        rates.append(spectra.frequency_rates(tangent, target.frequencies))
    session.history.add("rate", step, np.array(rates))


def report(
    session: Session[Ensembles],
    folder: records.RunFolder,
    targets: list[tasks.SumOfSines],
    predictions: list[Prediction],
) -> None:
    """Each comparison writes its table and its figure and gives its headline numbers."""
    learning_tables(session, folder, targets[0])
    found = {
        **transform(session, folder),
        **decay(session, folder),
        **bounds(session, folder),
        **volume(folder, session),
        **tangent_kernels_of(session, folder, targets[0]),
    }
    laws, times = learning_times(session, folder, targets, predictions)
    folder.finish(
        {
            "experiment": "theory",
            "num_runs": FLAGS.num_runs,
            "num_steps": FLAGS.num_steps,
            "gradient_descent_rates": [prediction.rate for prediction in predictions],
            **{
                name: value.record() if isinstance(value, spectra.Estimate) else value
                for name, value in found.items()
            },
            **{
                name: {**law.exponent.record(), "num_frequencies": law.num_points}
                for name, law in laws.items()
            },
            "frequencies": [int(k) for k in targets[0].frequencies],
            **{name: estimate.record() for name, estimate in times.items()},
            "diverged_at_step": session.diverged,
        },
        wall_seconds=session.seconds,
    )
    for name, value in found.items():
        if isinstance(value, spectra.Estimate):
            text = value.text()
        else:
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
        print(f"{name.replace('_', ' ')}: {text}")
    for name, law in laws.items():
        of = f"from {law.num_points} of {len(targets[0].frequencies)} frequencies"
        print(f"{name.replace('_', ' ')}: {law.exponent.text()}, {of}")
    for name, estimate in times.items():
        form = ".2f" if "over" in name else ",.0f"
        for j, k in enumerate(targets[0].frequencies):
            print(f"{name.replace('_', ' ')}, k = {k}: {estimate[j].text(form)}")
    runtime.say_where(folder)


def learning_tables(
    session: Session[Ensembles], folder: records.RunFolder, target: tasks.SumOfSines
) -> None:
    """What each group learned when, as all pages table it, and run 0 as a moving picture."""
    from spectral_tf.records import figures, learning

    steps, magnitudes = session.history["magnitude"]
    _, losses = session.history["loss"]
    groups: dict[learning.Setting, spectra.LearningCurves] = {
        (name,): spectra.learning_curves(
            steps, target.frequencies, runs, where=learning.going(runs)
        )
        for name, runs in zip(GROUPS, np.moveaxis(magnitudes, 0, 2), strict=True)
    }
    columns = ("group",)
    learning.write_learning_curves(folder.path, groups, columns)
    by_name: dict[learning.Setting, NDArray] = {
        (name,): losses[:, i] for i, name in enumerate(GROUPS)
    }
    learning.write_losses(folder.path, steps, by_name, columns)
    _, functions = session.history["function"]
    fine = np.linspace(0.0, 1.0, 10 * FLAGS.num_samples + 1)
    figures.save_animation(
        folder.figures / "learned_function.gif",
        (fine, target(fine)),
        target.positions,
        functions[:, ADAM, 0],
        steps,
        title="learned function, Adam, run 0",
    )


def transform(session: Session[Ensembles], folder: records.RunFolder) -> dict[str, float]:
    """Lemma 1: the exact transform of one trained network, quadrature, the DFT and the bound."""
    from spectral_tf.records.figures import Line

    pieces, _, _ = pieces_of(session.ensemble.ensembles[ADAM], 0)
    k = np.arange(1, FLAGS.num_samples // 2)
    exact = pieces.transform(k)
    # Gauss-Legendre with 20 nodes on every piece, cut so that none holds more than half a period.
    cuts = np.union1d(pieces.knots, np.linspace(0.0, 1.0, FLAGS.num_samples + 1))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.diff(cuts)[:, None] / 2
    x = (cuts[:-1, None] + half * (1 + nodes)).ravel()
    quadrature = np.exp(-2j * np.pi * np.outer(k, x)) @ ((half * weights).ravel() * pieces(x))
    samples = pieces(np.arange(FLAGS.num_samples) / FLAGS.num_samples)
    sampled = spectra.magnitudes(samples)[k]
    compact = pieces.minus_chord()
    bound = compact.transform_bound(k)
    records.write_table(
        folder.path / "transform.csv",
        ("frequency", "exact", "dft", "exact_less_chord", "bound_less_chord"),
        zip(k, np.abs(exact), sampled, np.abs(compact.transform(k)), bound, strict=True),
    )
    save(
        session,
        folder,
        "transform",
        [
            Line(k, sampled, "DFT of samples", style="o"),
            Line(k, np.abs(exact), "exact transform"),
            Line(k, np.abs(compact.transform(k)), "exact, less the chord"),
            Line(k, bound, "its bound J / (2 pi k)^2", style="--"),
        ],
        xlabel="frequency [cycles per unit]",
        ylabel="magnitude",
        title="One trained network's transform from its kinks (Lemma 1)",
    )
    return {"transform_largest_quadrature_error": float(np.abs(exact - quadrature).max())}


def decay(session: Session[Ensembles], folder: records.RunFolder) -> dict[str, spectra.Estimate]:
    """Theorem 1: the exponents of decay in one dimension and in two.

    Of networks less their chords, over runs; of the tent over random directions, and along the one
    normal over the bands of frequencies.
    """
    from spectral_tf.records.figures import Line

    rng = runtime.generator(FLAGS.seed, "decay")
    # Random places, so that no period of a function is met; root mean squares over bands.
    edges = np.geomspace(30.0, 3e5, 25)
    middles = np.sqrt(edges[1:] * edges[:-1])
    k = edges[:-1] * (edges[1:] / edges[:-1]) ** rng.uniform(size=(200, 24))

    def along(angle: float) -> NDArray:
        direction = np.array([np.cos(angle), np.sin(angle)])
        return spectra.planar_transform(*TENT, k[..., None] * direction)

    networks = [
        pieces_of(session.ensemble.ensembles[ADAM], run)[0].minus_chord()
        for run in range(FLAGS.num_runs)
    ]
    generic = rng.uniform(0.1, np.pi / 4 - 0.1, 5)
    cases = {
        "networks, one dimension": (-2, "runs", [network.transform(k) for network in networks]),
        "tent, generic direction": (-3, "directions", [along(angle) for angle in generic]),
        "tent, normal of an edge": (-2, "points", [along(0.0)]),
    }
    rows: list[tuple[object, ...]] = []
    series, found = [], {}
    for name, (exponent, unit, transforms) in cases.items():
        powers = np.abs(transforms) ** 2
        rms = root_mean(powers)
        law = spectra.fit_power_law(middles, rms)
        if unit != "points":
            law = spectra.power_law_over_runs(middles, root_mean, powers, unit=unit)
        rows += [(name, *row) for row in zip(middles, rms, strict=True)]
        drawn = rms[0] * (middles / middles[0]) ** exponent
        series.append(Line(middles, rms, f"{name}: k^{law.exponent.value:.2f}", style="o"))
        series.append(Line(middles, drawn, f"k^{exponent}", style="--"))
        found[f"decay_exponent_{name.replace(', ', '_').replace(' ', '_')}"] = law.exponent
    records.write_table(folder.path / "decay.csv", ("case", "frequency", "rms_magnitude"), rows)
    save(
        session,
        folder,
        "decay",
        series,
        xlabel="frequency [cycles per unit]",
        ylabel="root mean square of |f~(k)|",
        title="Spectral decay (Theorem 1)",
        colours=[0, 0, 1, 1, 2, 2],
    )
    return found


def root_mean(powers: NDArray) -> NDArray:
    """Of powers [n, places, bands], the root of their mean in each band."""
    return np.sqrt(powers.mean(axis=(0, 1)))


def bounds(session: Session[Ensembles], folder: records.RunFolder) -> dict[str, bool]:
    """Eqn 7: the chain of bounds along training."""
    from spectral_tf.records.figures import Line

    steps, values = session.history["bounds"]
    records.write_table(
        folder.path / "bounds.csv",
        ("group", "step", "run", *BOUNDS),
        (
            (GROUPS[group], step, run, *values[i, o, run])
            for o, group in enumerate(ON_THE_LINE)
            for i, step in enumerate(steps)
            for run in range(FLAGS.num_runs)
        ),
    )
    of_adam = np.moveaxis(values[:, ON_THE_LINE.index(ADAM)], 1, 0)
    means = spectra.mean_over_runs(np.log(of_adam)).map(np.exp)
    at = np.maximum(steps, 1)
    labels = {
        "num_regions": "linear regions",
        "lipschitz": "Lipschitz constant (exact)",
        "spectral_norm_bound": "product of spectral norms",
        "max_norm_bound": "max-norm bound",
    }
    save(
        session,
        folder,
        "bounds",
        [Line.of(at, means[:, BOUNDS.index(name)], label) for name, label in labels.items()],
        xlabel="training step (0 drawn at 1)",
        ylabel="geometric mean of runs, 95 % interval",
        title="The chain of bounds along training with Adam (Eqn 7)",
    )
    _, lipschitz, by_layer, by_parameter, jump = np.moveaxis(values, -1, 0)
    holds = (lipschitz <= by_layer) & (by_layer <= by_parameter)
    return {
        "chain_of_bounds_holds": bool(holds.all()),
        "jumps_within_twice_regions_times_lipschitz": bool(
            np.all(jump <= 2 * values[..., 0] * lipschitz)
        ),
    }


def volume(
    folder: records.RunFolder, session: Session[Ensembles]
) -> dict[str, float | spectra.Estimate]:
    """Appendix D: the share of the max-norm ball with more than epsilon beyond k.

    f~ is the transform of the function less its chord, the line through its ends: those ends are
    jumps to 0 outside of the interval, whose 1/k would hide what the kinks, of which the argument
    speaks, have. Epsilon is the median over networks of the largest |f~| beyond k = 10.
    """
    from spectral_tf.records.figures import Line

    rng = runtime.generator(FLAGS.seed, "volume")
    sizes = [1, *[VOLUME_WIDTH] * (VOLUME_DEPTH - 1), 1]
    k = np.geomspace(1.0, 1e3, 400)
    beyond = np.empty((FLAGS.volume_networks, k.size))
    for i in range(FLAGS.volume_networks):
        draws = [
            rng.uniform(-VOLUME_RADIUS, VOLUME_RADIUS, (a + 1, b))
            for a, b in itertools.pairwise(sizes)
        ]
        pieces = spectra.relu_network_pieces([d[1:] for d in draws], [d[0] for d in draws])
        magnitudes = np.abs(pieces.minus_chord().transform(k))
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
    records.write_table(
        folder.path / "volume.csv",
        ("frequency", "share"),
        (
            (
                k[i],
                share[i]
                if left[i] >= VOLUME_LEAST
                else spectra.not_enough(int(left[i]), VOLUME_LEAST, "networks", share.value[i]),
            )
            for i in range(k.size)
        ),
    )
    there = left >= VOLUME_LEAST
    series = [Line.of(k[there], share[there], f"measured, tail k^{law.exponent.value:.1f}")]
    if tail.any():
        first = k[tail][0]
        drawn = share.value[tail][0] * (k[tail] / first) ** -2
        series.append(Line(k[tail], drawn, "k^-2", style="--"))
    save(
        session,
        folder,
        "volume",
        series,
        xlabel="frequency k [cycles per unit]",
        ylabel=f"share with |f~(k')| > {epsilon:.2g} for some k' > k",
        title=f"{FLAGS.volume_networks:,} networks less their chords (appendix D)",
    )
    return {"volume_epsilon": epsilon, "volume_tail_exponent": law.exponent}


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


def tangent_kernels_of(
    session: Session[Ensembles], folder: records.RunFolder, target: tasks.SumOfSines
) -> dict[str, spectra.Estimate]:
    """The kernels' rates along training, and how they fall with frequency on each domain."""
    from spectral_tf.records import learning
    from spectral_tf.records.figures import Line

    k = np.asarray(target.frequencies, float)
    looks, rates = session.history["rate"]  # [looks, groups, runs, frequencies]
    mean = learning.over_runs(rates, axis=2)
    records.write_table(
        folder.path / "tangent_rates.csv",
        ("group", "step", "frequency", "rate"),
        (
            (GROUPS[g], step, f"{k[j]:g}", mean[i, g, j])
            for g in (DESCENT, WIDE)
            for i, step in enumerate(looks)
            for j in range(k.size)
        ),
    )
    found, rows, series = {}, [], []
    known = known_kernels(target.positions)
    for g, (domain, kernels) in enumerate(known.items()):
        law = spectra.power_law_over_runs(k, lambda runs: runs.mean(axis=0), rates[0, g])
        fits = {"untrained networks": (law.exponent, mean[0, g].value)}
        for name, kernel in kernels.items():
            of_kernel = spectra.frequency_rates(kernel, target.frequencies)
            fits[name] = (spectra.fit_power_law(k, of_kernel).exponent, of_kernel)
        for name, (exponent, values) in fits.items():
            rows.append((domain, name, exponent))
            found[f"rate_exponent_{domain}_{name.replace(' ', '_')}"] = exponent
            label = f"{domain}, {name}: k^{exponent.value:.2f}"
            style = "o" if name not in kernels else "--"
            series.append(Line(k, values / values[0], label, style=style))
    records.write_table(folder.path / "kernels.csv", ("domain", "kernel", "rate_exponent"), rows)
    save(
        session,
        folder,
        "kernels",
        series,
        xlabel="frequency [cycles per unit]",
        ylabel="rate, as a share of the lowest frequency's",
        title="Untrained kernels beside known ones on the same points",
    )
    shown = [i for i in range(len(looks)) if i % 2 == 0 or i == len(looks) - 1]
    scale = mean.value[0, DESCENT, 0] / mean.value[0, WIDE, 0]
    save(
        session,
        folder,
        "tangent_rates",
        [
            # Intervals of the first and the last alone: the picture is full.
            *(
                Line.of(k, mean[i, DESCENT], f"line, step {looks[i]:,}")
                if i in (0, len(looks) - 1)
                else Line(k, mean.value[i, DESCENT], f"line, step {looks[i]:,}")
                for i in shown
            ),
            *(
                Line.of(
                    *(k, mean[i, WIDE].map(lambda r: r * scale)),
                    *(f"wide on a circle, step {looks[i]:,}", "--"),
                )
                for i in (0, -1)
            ),
        ],
        xlabel="frequency [cycles per unit]",
        ylabel="rate of the tangent kernel (wide: scaled to the same start)",
        title="Rates along gradient descent",
    )
    return found


def learning_times(
    session: Session[Ensembles],
    folder: records.RunFolder,
    targets: list[tasks.SumOfSines],
    predictions: list[Prediction],
) -> tuple[dict[str, spectra.PowerLaw], dict[str, spectra.Estimate]]:
    """Predicted and measured learning times of gradient descent: their power laws, and all."""
    from spectral_tf.records import learning
    from spectral_tf.records.figures import Line

    k = np.asarray(targets[0].frequencies, float)
    steps, magnitudes = session.history["magnitude"]
    laws, times = {}, {}
    lines, rows = [], []
    for group, (kernels, starts, rate) in zip((DESCENT, WIDE), predictions, strict=True):
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
                steps, k, values, [LEVEL], where=learning.going(values)
            )
            of_group[kind] = learned.times[LEVEL]
            name = f"{kind}_{('narrow', 'wide')[group]}"
            laws[f"learning_time_exponent_{name}"] = learned.law
            times[f"learning_time_{name}"] = of_group[kind]
        expected, seen = of_group["predicted"], of_group["measured"]
        ratio = times_ratio(steps, np.stack([curves["measured"], curves["predicted"]], axis=1))
        times[f"measured_over_predicted_time_{('narrow', 'wide')[group]}"] = ratio
        rows += [(GROUPS[group], k[j], expected[j], seen[j], ratio[j]) for j in range(k.size)]
        lines += [
            Line.of(k, seen, f"{GROUPS[group]}: measured", "os"[group]),
            Line(k, expected.value, f"{GROUPS[group]}: by its untrained kernel", style="--"),
        ]
    columns = (
        *("group", "frequency", "predicted_step", "measured_step"),
        "measured_over_predicted",
    )
    records.write_table(folder.path / "tangent_times.csv", columns, rows)
    save(
        session,
        folder,
        "tangent_times",
        lines,
        xlabel="frequency [cycles per unit]",
        ylabel="learning time [steps]",
        title="When gradient descent learns half of each frequency",
        colours=[0, 0, 1, 1],
    )
    return laws, times


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


def save(
    session: Session[Ensembles],
    folder: records.RunFolder,
    name: str,
    series: Sequence[Line],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    colours: Sequence[int] | None = None,
) -> None:
    """Draws curves with logarithmic axes, as file and for TensorBoard."""
    from spectral_tf.records import figures

    figure = figures.lines(
        series,
        xlabel=xlabel,
        ylabel=ylabel,
        title=title,
        xscale="log",
        yscale="log",
        colours=colours,
    )
    pixels = figures.save_figure(figure, folder.figures / f"{name}.png")
    session.board.image(name, pixels, FLAGS.num_steps)


if __name__ == "__main__":
    runtime.launch(main)
