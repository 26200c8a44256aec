"""Low frequencies survive perturbed weights: experiment 2 of Rahaman et al. (2019), Fig 3.

Moves all parameters of trained networks together along random isotropic directions, by 100 norms
from 0 to 5, 100 directions each, and follows what is left of each frequency of the function.

    python launchers/robustness.py --alsologtostderr

trains three networks on a sum of ten sines first (20,000 steps each) and takes about 2.5 minutes on
2 cores. With the networks of a finished run of lf_first it is faster and better:

    python launchers/robustness.py --from_run=runs/lf_first_equal --num_runs=5

To see: k = 5 stays whole up to norm 5; the higher a frequency, the sooner it is lost, the norm at
which half is left about as 1/k (results/robustness). Networks that were hardly trained keep all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from absl import flags, logging

from spectral_tf import models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.records.tensorboard import TensorBoard
    from spectral_tf.training.session import Session

FLAGS = flags.FLAGS
runtime.define_run_flags("robustness")
flags.DEFINE_string("from_run", "", "Finished run of lf_first (or its state file) to take.")
flags.DEFINE_integer("num_runs", 0, "Networks; 0: all of --from_run, or 3 trained here.", 0)
flags.DEFINE_integer("num_steps", 20_000, "Training steps, without --from_run.", 1)
flags.DEFINE_list("frequencies", [], "Whole cycles per unit; default: the run's, or 5,10,...,50.")
flags.DEFINE_integer("num_samples", 200, "Points of the grid, without --from_run.", 3)
runtime.define_network_flags(models.ACTIVATIONS)
runtime.define_finite_float(
    "max_norm", 5.0, "Largest length of a perturbation.", at_least=1e-12, at_most=1e6
)
flags.DEFINE_integer("num_norms", 100, "Lengths from 0 to --max_norm.", 2)
flags.DEFINE_integer("num_directions", 100, "Random directions for each length.", 1)
flags.DEFINE_bool("shared_directions", False, "The same directions for all lengths (smoother).")
flags.DEFINE_integer("block_size", 8, "Perturbed networks in memory at once.", 1)

TRAINING_FLAGS = ("num_steps", "num_samples", "width", "depth", "activation", "learning_rate")


def choose_networks() -> tuple[records.TrainedNetworks | None, list[int]]:
    """The networks of `--from_run`, if given, and the frequencies to follow; or a UserError."""
    if not FLAGS.from_run:
        words = FLAGS.frequencies or range(5, 51, 5)
        frequencies = runtime.whole_numbers("frequencies", [str(word) for word in words])
        return None, frequencies
    for name in TRAINING_FLAGS:
        # A flagfile of a run names all flags, with their defaults.
        if FLAGS[name].value != FLAGS[name].default:
            raise UserError(
                f"--{name}",
                expected="no flags of training beside --from_run",
                got=FLAGS[name].value,
                hint="leave one of them out",
            )
    networks = records.trained_networks(FLAGS.from_run, "lf_first")
    if FLAGS.num_runs > networks.num_networks:
        raise UserError(
            "--num_runs",
            expected=f"at most {networks.num_networks}, the networks of {FLAGS.from_run}",
            got=FLAGS.num_runs,
            hint="0 takes all of them",
        )
    present = networks.flags["frequencies"].split(",")
    frequencies = runtime.whole_numbers("frequencies", FLAGS.frequencies or present)
    if strange := set(frequencies) - set(map(int, present)):
        raise UserError(
            "--frequencies",
            expected=f"some of the run's {','.join(present)}",
            got=",".join(map(str, sorted(strange))),
            hint="leave it out to take all of them",
        )
    return networks, frequencies


def make_targets(frequencies: list[int]) -> list[tasks.SumOfSines]:
    """What the networks trained here learn."""
    return [
        tasks.SumOfSines.with_random_phases(
            frequencies,
            [1.0] * len(frequencies),
            FLAGS.num_samples,
            runtime.generator(FLAGS.seed, "phases", run),
        )
        for run in range(FLAGS.num_runs or 3)
    ]


def main() -> None:
    """Runs the experiment that the flags describe."""
    networks, frequencies = choose_networks()
    targets = [] if networks else make_targets(frequencies)
    folder = runtime.run_folder("robustness")

    from spectral_tf.models.mlp import mlp
    from spectral_tf.records.environment import environment
    from spectral_tf.records.tensorboard import TensorBoard
    from spectral_tf.runtime.strategy import make_strategy

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    folder.start(environment(strategy, FLAGS.seed))
    value = networks.flags.__getitem__ if networks else lambda name: FLAGS[name].value

    def build(seed: int) -> keras.Model:
        return mlp(
            width=int(value("width")),
            depth=int(value("depth")),
            activation=str(value("activation")),
            seed=seed,
        )

    norms = np.linspace(0.0, FLAGS.max_norm, FLAGS.num_norms)
    if networks:
        weights, states = networks.weights, networks.states
        board = TensorBoard(folder.tensorboard, writes=folder.writes)
        board.describe(runtime.settings(), {"what is left": ["ratio/k=.*"]})
        measured = (weights, states, norms, frequencies, int(value("num_samples")))
        measure_and_report(folder, board, build(0), *measured)
    else:
        session = train(build, targets, folder, strategy)
        measured = (session.ensemble.weights, [], norms, frequencies, FLAGS.num_samples)
        measure_and_report(folder, session.board, build(0), *measured)
        session.wait_for_all()


def train(
    build: Callable[[int], keras.Model],
    targets: list[tasks.SumOfSines],
    folder: records.RunFolder,
    strategy: tf.distribute.Strategy,
) -> Session:
    """Trains networks of our own as lf_first does; only their loss is followed."""
    from spectral_tf.training.adam import Adam
    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.session import Session, probe_steps

    ensemble = Ensemble(
        build,
        [runtime.derive_seed(FLAGS.seed, "init", run) for run in range(len(targets))],
        [target.dataset() for target in targets],
        optimizer=Adam(FLAGS.learning_rate),
        strategy=strategy,
    )
    steps = probe_steps(FLAGS.num_steps, 1_000)
    session = Session(ensemble, folder, steps, FLAGS.save_every_seconds, "robustness")
    if not session.resumed:
        charts = {"what is left": ["ratio/k=.*"], "loss": ["loss"]}
        session.board.describe(runtime.settings(), charts)
    for step in session:
        session.board.scalars({"loss": np.nanmean(session.losses)}, step)
    if session.diverged:
        raise UserError(
            "robustness",
            expected="networks with a finite loss",
            got=f"diverged, {{run: step}}: {session.diverged}",
            hint="lower the learning rate",
        )
    return session


def measure_and_report(
    folder: records.RunFolder,
    board: TensorBoard,
    model: keras.Model,
    weights: list[np.ndarray],
    states: list[np.ndarray],
    norms: np.ndarray,
    frequencies: list[int],
    num_samples: int,
) -> None:
    """Measures one network after the other; each is kept, so that a killed run goes on there."""
    if not folder.writes:
        return
    count = FLAGS.num_runs or len(weights[0])
    ratios, seconds = [], 0.0
    for run in range(count):
        file = folder.state_file.with_name(f"network_{run:03d}.npz")
        if not file.exists():
            start = time.monotonic()
            network = [w[run] for w in weights]
            measured = measure(
                model, network, [s[run] for s in states], norms, frequencies, num_samples, run
            )
            with records.whole_file(file) as temporary, open(temporary, "wb") as opened:
                np.savez(opened, ratios=measured, seconds=time.monotonic() - start)
            logging.info("robustness: network %d of %d measured", run + 1, count)
        with np.load(file) as saved:
            ratios.append(saved["ratios"])
            seconds += float(saved["seconds"])
    report(folder, board, norms, frequencies, np.array(ratios), seconds)


def measure(
    model: keras.Model,
    weights: list[np.ndarray],
    states: list[np.ndarray],
    norms: np.ndarray,
    frequencies: list[int],
    num_samples: int,
    run: int,
) -> np.ndarray:
    """Both ratios of one network by norm and frequency, shape [2, p, m]."""
    from spectral_tf.probes.functions import stacked_outputs
    from spectral_tf.probes.perturbations import perturbed_outputs

    inputs = (np.arange(num_samples) / num_samples).astype(np.float32)[:, None]
    whole = stacked_outputs(model, [w[None] for w in weights], [s[None] for s in states], inputs)
    moved = perturbed_outputs(
        model,
        weights,
        states,
        inputs,
        norms,
        FLAGS.num_directions,
        seed=runtime.derive_seed(FLAGS.seed, "directions", run),
        shared=FLAGS.shared_directions,
        block_size=FLAGS.block_size,
    )
    return np.stack(spectra.survival_ratios(moved[..., 0], whole.numpy()[0, :, 0], frequencies))


def report(
    folder: records.RunFolder,
    board: TensorBoard,
    norms: np.ndarray,
    frequencies: list[int],
    ratios: np.ndarray,
    seconds: float,
) -> None:
    """Writes tables, figures and summary from the ratios [runs, 2, p, m]; says what was found."""
    from spectral_tf.records import figures, learning

    magnitude, function = (learning.over_runs(ratios[:, i], axis=0) for i in (0, 1))
    # Ratios fall: what rises through -1/2 is their negative.
    half = spectra.crossing(norms, spectra.negative(magnitude), -0.5)
    law = spectra.power_law_over_runs(
        frequencies, lambda runs: spectra.half_lives(norms, runs.mean(axis=0)), ratios[:, 0]
    )
    records.write_table(
        folder.path / "robustness.csv",
        ("perturbation_norm", "frequency", "ratio_mean_magnitude", "ratio_mean_function"),
        (
            (norm, k, magnitude[i, j], function[i, j])
            for i, norm in enumerate(norms)
            for j, k in enumerate(frequencies)
        ),
    )
    records.write_table(
        folder.path / "half_lives.csv",
        ("frequency", "half_life_norm"),
        ((k, half[j]) for j, k in enumerate(frequencies)),
    )
    count = f"{len(ratios)} networks, {FLAGS.num_directions} directions"
    pictures = {
        "heat_map": figures.heat_maps(
            norms,
            frequencies,
            {
                "mean of the magnitudes": magnitude.value,
                "magnitude of the mean function": function.value,
            },
            title=f"What perturbed weights leave of each frequency: {count}",
            ylabel="perturbation norm",
            label="|F[k]| over that of the trained network",
        ),
        "curves": figures.lines(
            [
                figures.Line.of(norms, magnitude[:, j], f"k = {k}")
                for j, k in enumerate(frequencies)
            ],
            xlabel="perturbation norm",
            ylabel="ratio of mean magnitudes",
            title=count,
        ),
        "half_lives": figures.learning_time_plot(
            np.asarray(frequencies),
            {0.5: half},
            law=law,
            title="The norm that leaves half of each frequency",
            ylabel="half-life norm",
        ),
    }
    for name, figure in pictures.items():
        pixels = figures.save_figure(figure, folder.figures / f"{name}.png")
        board.image(name, pixels, 0)
    # TensorBoard counts whole steps: step i is the i-th norm, from 0 to --max_norm.
    for i in range(norms.size):
        tags = {f"ratio/k={k:03d}": magnitude.value[i, j] for j, k in enumerate(frequencies)}
        board.scalars(tags, i)
    board.close_segment()
    folder.finish(
        {
            "experiment": "robustness",
            "num_runs": len(ratios),
            "half_life_exponent": law.exponent.record(),
            "half_life_num_frequencies": law.num_points,
            "half_life_norm": {str(k): half[j].record() for j, k in enumerate(frequencies)},
            "ratio_at_largest_norm": {
                str(k): magnitude[-1, j].record() for j, k in enumerate(frequencies)
            },
        },
        wall_seconds=seconds,
    )
    print(f"norm that leaves half, mean of {count}, 95 % intervals ({half.method})")
    for j, k in enumerate(frequencies):
        print(f"{k:>6} {half[j].text(never=f'more than {norms[-1]:g}')}")
    print(
        f"no power law: {law.exponent.text()}"
        if np.isnan(law.exponent.value)
        else f"it goes as frequency^{law.exponent.text()}, from {law.num_points} of "
        f"{len(frequencies)} frequencies"
    )
    runtime.say_where(folder)


if __name__ == "__main__":
    runtime.launch(main)
