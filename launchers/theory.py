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
* volume: the share of parameters whose function has more than epsilon beyond frequency k (App. D);
* tangent kernel: the rate of each frequency at the start and along training, and the learning time
  that the kernel of the untrained network predicts for gradient descent.

    python launchers/theory.py --alsologtostderr

takes about 1.5 minutes on 2 cores, and is the whole study (results/theory). To see: what is proved
holds; rates of the untrained kernel fall about as k^-2; where the kernel stays (wide networks) it
predicts the learning times, elsewhere networks soon learn faster than it says.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags
from numpy.typing import ArrayLike, NDArray

from spectral_tf import records, runtime, spectra, tasks

if TYPE_CHECKING:
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
VOLUME_WIDTH, VOLUME_DEPTH, VOLUME_RADIUS = 16, 3, 1.0
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
    summary = {
        **transform(session, folder),
        **decay(session, folder),
        **bounds(session, folder),
        **volume(folder, session),
        **tangent_kernel(session, folder, targets, predictions),
    }
    folder.finish(
        {
            "experiment": "theory",
            "num_runs": FLAGS.num_runs,
            "num_steps": FLAGS.num_steps,
            "gradient_descent_rates": [prediction.rate for prediction in predictions],
            **summary,
            "diverged_at_step": session.diverged,
        },
        wall_seconds=session.seconds,
    )
    for name, value in summary.items():
        text = f"{value:.4g}" if isinstance(value, float) else value
        print(f"{name.replace('_', ' ')}: {text}")
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
            steps, target.frequencies, np.moveaxis(magnitudes[:, i], 1, 0), seed=FLAGS.seed
        )
        for i, name in enumerate(GROUPS)
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
            ("DFT of samples", k, sampled, "o"),
            ("exact transform", k, np.abs(exact), "-"),
            ("exact, less the chord", k, np.abs(compact.transform(k)), "-"),
            ("its bound J / (2 pi k)^2", k, bound, "--"),
        ],
        xlabel="frequency [cycles per unit]",
        ylabel="magnitude",
        title="A trained network's transform from its kinks (Lemma 1)",
    )
    return {"transform_largest_quadrature_error": float(np.abs(exact - quadrature).max())}


def decay(session: Session[Ensembles], folder: records.RunFolder) -> dict[str, float]:
    """Theorem 1: the exponents of decay in one dimension and in two."""
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
        "networks, one dimension": (-2, [network.transform(k) for network in networks]),
        "tent, generic direction": (-3, [along(angle) for angle in generic]),
        "tent, normal of an edge": (-2, [along(0.0)]),
    }
    rows, series, found = [], [], {}
    for name, (exponent, transforms) in cases.items():
        rms = np.sqrt(np.mean(np.abs(transforms) ** 2, axis=(0, 1)))
        law = spectra.fit_power_law(middles, rms)
        rows += [(name, *row) for row in zip(middles, rms, strict=True)]
        series.append((f"{name}: k^{law.exponent:.2f}", middles, rms, "o"))
        series.append((f"k^{exponent}", middles, rms[0] * (middles / middles[0]) ** exponent, "--"))
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


def bounds(session: Session[Ensembles], folder: records.RunFolder) -> dict[str, bool]:
    """Eqn 7: the chain of bounds along training."""
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
    means = np.exp(np.log(values).mean(axis=2))[:, ON_THE_LINE.index(ADAM)]
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
        [(label, at, means[:, BOUNDS.index(name)], "-") for name, label in labels.items()],
        xlabel="training step (0 drawn at 1)",
        ylabel="geometric mean of runs",
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


def volume(folder: records.RunFolder, session: Session[Ensembles]) -> dict[str, float]:
    """Appendix D: the share of the max-norm ball with more than epsilon beyond k."""
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
    share = np.mean(beyond > epsilon, axis=0)
    # Where at least 20 networks are left, below a tenth: the tail that the argument is about.
    tail = (share < 0.1) & (share * FLAGS.volume_networks >= 20)
    law = spectra.fit_power_law(k[tail], share[tail])
    records.write_table(
        folder.path / "volume.csv", ("frequency", "share"), zip(k, share, strict=True)
    )
    there = share > 0
    first = np.argmax(tail)
    save(
        session,
        folder,
        "volume",
        [
            (f"measured, tail k^{law.exponent:.2f}", k[there], share[there], "-"),
            ("k^-2", k[tail], share[first] * (k[tail] / k[first]) ** -2, "--"),
        ],
        xlabel="frequency k [cycles per unit]",
        ylabel=f"share with |f~(k')| > {epsilon:.2g} for some k' > k",
        title=f"Volume of parameters ({FLAGS.volume_networks:,} networks, appendix D)",
    )
    return {"volume_epsilon": epsilon, "volume_tail_exponent": law.exponent}


def tangent_kernel(
    session: Session[Ensembles],
    folder: records.RunFolder,
    targets: list[tasks.SumOfSines],
    predictions: list[Prediction],
) -> dict[str, float]:
    """The rates of the kernel along training, and predicted against measured learning times."""
    from spectral_tf.records import figures

    k = np.asarray(targets[0].frequencies, float)
    looks, rates = session.history["rate"]
    mean, low, high = spectra.mean_interval(np.moveaxis(rates, 2, 0), seed=FLAGS.seed)
    records.write_table(
        folder.path / "tangent_rates.csv",
        ("group", "step", "frequency", "rate", "rate_low", "rate_high"),
        (
            (GROUPS[g], step, f"{k[j]:g}", mean[i, g, j], low[i, g, j], high[i, g, j])
            for g in (DESCENT, WIDE)
            for i, step in enumerate(looks)
            for j in range(k.size)
        ),
    )
    law = spectra.fit_power_law(k, mean[0, DESCENT])
    scaled = mean[:, WIDE] * (mean[0, DESCENT, 0] / mean[0, WIDE, 0])
    shown = [i for i in range(len(looks)) if i % 2 == 0 or i == len(looks) - 1]
    save(
        session,
        folder,
        "tangent_rates",
        [
            *((f"step {looks[i]:,}", k, mean[i, DESCENT], "-") for i in shown),
            ("k^-2", k, mean[0, DESCENT, 0] * (k / k[0]) ** -2.0, ":"),
            *(
                (
                    f"wide on a circle, step {looks[i]:,}",
                    k,
                    scaled[i],
                    "--",
                )
                for i in (0, -1)
            ),
        ],
        xlabel="frequency [cycles per unit]",
        ylabel="rate of the tangent kernel (wide: scaled to the same start)",
        title=f"Rates along gradient descent; untrained k^{law.exponent:.2f}",
    )

    found = {"tangent_rate_exponent_untrained": law.exponent}
    steps, magnitudes = session.history["magnitude"]
    lines, rows = [], []
    for group, (kernels, starts, rate) in zip((DESCENT, WIDE), predictions, strict=True):
        predicted = [
            spectra.linearised_functions(kernel, start, target.targets, rate, steps)
            for kernel, start, target in zip(kernels, starts, targets, strict=True)
        ]
        curves = [
            spectra.learning_curves(steps, k, values, seed=FLAGS.seed)
            for values in (
                spectra.normalised_magnitudes(
                    np.array(predicted), targets[0].frequencies, targets[0].amplitudes
                ),
                np.moveaxis(magnitudes[:, group], 1, 0),
            )
        ]
        expected, seen = (next(iter(curve.times.values())) for curve in curves)
        rows += [(GROUPS[group], *row) for row in zip(k, *expected, *seen, strict=True)]
        lines += [
            figures.Line(k, seen[0], f"{GROUPS[group]}: measured", seen[1], seen[2], "os"[group]),
            figures.Line(k, expected[0], f"{GROUPS[group]}: by its untrained kernel", style="--"),
        ]
        both = np.isfinite(seen[0]) & np.isfinite(expected[0]) & (expected[0] > 0)
        name = ("narrow", "wide")[group]
        for kind, curve in zip(("predicted", "measured"), curves, strict=True):
            exponent = f"learning_time_exponent_{kind}_{name}"
            found[exponent] = curve.law.exponent
            found[f"{exponent}_low"] = curve.law.low
            found[f"{exponent}_high"] = curve.law.high
        found[f"measured_over_predicted_time_median_{name}"] = (
            float(np.median(seen[0][both] / expected[0][both])) if both.any() else float("nan")
        )
    records.write_table(
        folder.path / "tangent_times.csv",
        (
            *("group", "frequency"),
            *("predicted_step", "predicted_step_low", "predicted_step_high"),
            *("measured_step", "measured_step_low", "measured_step_high"),
        ),
        rows,
    )
    figure = figures.lines(
        lines,
        xlabel="frequency [cycles per unit]",
        ylabel="learning time [steps]",
        title="When gradient descent learns half of each frequency",
        xscale="log",
        yscale="log",
        colours=[0, 0, 1, 1],
    )
    pixels = figures.save_figure(figure, folder.figures / "tangent_times.png")
    session.board.image("tangent_times", pixels, FLAGS.num_steps)
    return found


def save(
    session: Session[Ensembles],
    folder: records.RunFolder,
    name: str,
    series: Sequence[tuple[str, ArrayLike, ArrayLike, str]],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    colours: Sequence[int] | None = None,
) -> None:
    """Draws curves (label, x, y, style) with logarithmic axes, as file and for TensorBoard."""
    from spectral_tf.records import figures

    figure = figures.lines(
        [figures.Line(x, y, label, style=style) for label, x, y, style in series],
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
