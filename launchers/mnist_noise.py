"""Does noise of low or of high frequency spoil a classifier? Rahaman et al. (2019), Fig 4, 11.

Experiment 3: 6-layer 256-unit ReLU networks learn the sign of two classes of images with a radial
wave on the training targets only, tau_0(x) + beta sin(2 pi k |x|) (full batch, Adam 1e-4), and are
validated on clean targets. Every curve (k, beta) is a member of one ensemble.

    python launchers/mnist_noise.py --alsologtostderr

takes about 2 minutes on 2 cores, on embedded digits of 8 x 8 pixels (not MNIST). The published
figures on MNIST 3 against 8, 15 curves, and about an hour, if TFDS_DATA_DIR holds it:

    python launchers/mnist_noise.py --flagfile=results/mnist_noise/panels/run.flags

To see: slow noise goes straight into the validation loss; fast noise lets it dip first, deeper and
later the faster it is (results/mnist_noise).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import data, models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import keras

    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.session import Session

FLAGS = flags.FLAGS
runtime.define_run_flags("mnist_noise")
runtime.define_data_flags("digits")
runtime.define_classes_flag()
flags.DEFINE_list(
    "curves",
    # Clean; panels (a) and (b) of Fig 4 by amplitude; (c) and (d) by frequency. The sets are ours.
    ["0:0"]
    + [f"{k:g}:{beta:g}" for k in (0.1, 1) for beta in (0.25, 0.5, 1, 2)]
    + [f"{k:g}:{beta:g}" for beta in (0.5, 1) for k in (0.05, 0.2, 0.5)],
    "Noises, each frequency:amplitude; 0:0 is the clean target.",
)
flags.DEFINE_enum("convention", "cycles", list(tasks.CONVENTIONS), "sin(2 pi k |x|) or sin(k |x|).")
flags.DEFINE_integer("num_runs", 2, "Networks for each curve (paper: 1).", 1)
flags.DEFINE_integer("num_steps", 2_000, "Training steps (paper: 5,000).", 1)
flags.DEFINE_integer("probe_every", 10, "Steps between two validations (paper: 1).", 1)
runtime.define_finite_float(
    "train_share", 0.8, "Share of the images trained on.", at_least=0, at_most=1
)
runtime.define_network_flags(models.ACTIVATIONS, learning_rate=1e-4)


class Noise(NamedTuple):
    """One curve: a wave of a frequency, times an amplitude."""

    frequency: float
    amplitude: float

    def __str__(self) -> str:
        return f"k = {self.frequency:g}, β = {self.amplitude:g}" if self.amplitude else "clean"


def make_noises() -> list[Noise]:
    """The curves of the flag, or a UserError."""
    try:
        noises = [Noise(*map(float, word.split(":"))) for word in FLAGS.curves]
    except (TypeError, ValueError):
        noises = []
    good = all(min(n) >= 0 and max(n) <= 1e6 for n in noises)  # NaN fails both.
    if not noises or not good or len(set(noises)) < len(noises):
        raise UserError(
            "--curves",
            expected="pairs frequency:amplitude of 0 to 1e6, each once",
            got=",".join(FLAGS.curves) or "nothing",
            hint="for example --curves=0:0,0.1:0.5,1:0.5",
        )
    return noises


def main() -> None:
    """Runs the experiment that the flags describe."""
    noises = make_noises()
    classes = runtime.two_classes()
    folder = runtime.run_folder("mnist_noise")
    images = data.find_images(FLAGS.dataset, **runtime.data_places())
    pixels, labels = images.arrays()
    everything = tasks.TwoClasses.of_images(data.to_unit(pixels), labels, classes)
    training, validation = everything.split(FLAGS.train_share)

    from spectral_tf.models.mlp import mlp
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.adam import Adam
    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.session import Session, probe_steps

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    folder.start(environment(strategy, FLAGS.seed, images.record(data.unit(images))))

    def build(seed: int) -> keras.Model:
        return mlp(
            width=FLAGS.width,
            depth=FLAGS.depth,
            input_dim=training.inputs.shape[1],
            activation=FLAGS.activation,
            seed=seed,
        )

    waves = [tasks.RadialWave(noise.frequency, FLAGS.convention) for noise in noises]
    inits = [runtime.derive_seed(FLAGS.seed, "init", run) for run in range(FLAGS.num_runs)]
    ensemble = Ensemble(
        build,
        inits * len(noises),  # Runs of one number share their weights between curves.
        [
            training.dataset(noise.amplitude * wave(training.inputs))
            for noise, wave in zip(noises, waves, strict=True)
            for _ in inits
        ],
        optimizer=Adam(FLAGS.learning_rate),
        strategy=strategy,
    )
    logging.info(
        "mnist_noise: %d networks in blocks of %d on %s training and %s validation images",
        len(noises) * FLAGS.num_runs,
        ensemble.block_size,
        f"{len(training):,}",
        f"{len(validation):,}",
    )
    steps = probe_steps(FLAGS.num_steps, FLAGS.probe_every)
    session = Session(ensemble, folder, steps, FLAGS.save_every_seconds, "mnist_noise")
    if not session.resumed:
        settings = {**runtime.settings(), "dataset": images.title}
        charts = {"validation": ["validation_loss/.*"], "training": ["train_loss/.*"]}
        session.board.describe(settings, charts)
    for step in session:
        probe(session, noises, validation, step)
    if folder.writes:
        report(session, folder, noises, waves, training, validation, images)
    session.wait_for_all()


def probe(
    session: Session[Ensemble], noises: list[Noise], validation: tasks.TwoClasses, step: int
) -> None:
    """Records the training losses [curves, runs], and the validation losses with their intervals.

    A validation loss is a mean over networks and images: its interval, over both, can only be had
    while the error of every image is there. [curves, 4]: value, low, high, number of networks.
    """
    losses = session.losses.reshape(len(noises), FLAGS.num_runs)
    means = validation_losses(session, noises, validation)
    ends = np.array([[mean.value, mean.low, mean.high, mean.n] for mean in means])
    session.history.add("train_loss", step, losses)
    session.history.add("validation", step, ends)
    scalars = {}
    for noise, train, mean in zip(noises, losses, means, strict=True):
        name = f"k={noise.frequency:g},beta={noise.amplitude:g}"
        scalars[f"train_loss/{name}"] = float(np.nanmean(train))
        scalars[f"validation_loss/{name}"] = float(mean.value)
    session.board.scalars(scalars, step)


def validation_losses(
    session: Session[Ensemble], noises: list[Noise], validation: tasks.TwoClasses
) -> list[spectra.Estimate]:
    """Each curve's mean squared error over networks and images; stopped networks do not count."""
    outputs = session.ensemble.outputs(validation.inputs)[..., 0]
    errors = ((outputs - validation.signs) ** 2).reshape(len(noises), FLAGS.num_runs, -1)
    means = []
    for of_curve in errors:
        going = of_curve[~np.isnan(of_curve).any(axis=-1)]
        many = len(going) > 0
        means.append(spectra.crossed_mean(going) if many else spectra.not_enough(0, 2, "runs"))
    return means


def recorded(values: np.ndarray, num_images: int) -> spectra.Estimate:
    """The validation losses [steps, curves] from value, low, high, number [steps, curves, 4]."""
    value, low, high, n = np.moveaxis(values, -1, 0)
    # Unit and method are those of any such sample.
    like = spectra.crossed_mean(np.zeros((FLAGS.num_runs, num_images)))
    why = like.missing or "fewer than 2 runs"
    return dataclasses.replace(like, value=value, low=low, high=high, n=n.astype(int), missing=why)


def report(
    session: Session[Ensemble],
    folder: records.RunFolder,
    noises: list[Noise],
    waves: list[tasks.RadialWave],
    training: tasks.TwoClasses,
    validation: tasks.TwoClasses,
    images: data.Images,
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    from spectral_tf.records import learning

    steps, train = session.history["train_loss"]
    # Means [steps, curves], over runs (the training images are held fixed) and over both.
    trains = learning.over_runs(train, axis=2)
    valids = learning.not_negative(recorded(session.history["validation"][1], len(validation)))
    records.write_table(
        folder.path / "losses.csv",
        ("frequency", "noise_amplitude", "step", "train_loss", "validation_loss"),
        (
            (*noise, step, trains[s, i], valids[s, i])
            for i, noise in enumerate(noises)
            for s, step in enumerate(steps)
        ),
    )
    # The step is held fixed in the interval of the lowest loss, which is therefore a little low.
    at = np.nanargmin(valids.value, axis=0)
    lowest = [valids[s, i] for i, s in enumerate(at)]
    clean = next(
        (valids[-1, i] for i, noise in enumerate(noises) if not noise.amplitude),
        spectra.not_enough(0, 1, "clean curves"),
    )
    # What a network that fits its noise perfectly loses on clean targets, beside the clean one.
    floors = [
        clean.map(
            functools.partial(np.add, noise.amplitude**2 * np.mean(wave(validation.inputs) ** 2))
        )
        for noise, wave in zip(noises, waves, strict=True)
    ]
    cycles = [wave.cycles(training.inputs) for wave in waves]
    records.write_table(
        folder.path / "validation.csv",
        (
            *("frequency", "convention", "noise_amplitude", "minimum", "minimum_step", "final"),
            *("expected_floor", "cycles_across_data"),
        ),
        (
            (
                *(noise.frequency, FLAGS.convention, noise.amplitude, lowest[i], steps[at[i]]),
                *(valids[-1, i], floors[i], cycles[i]),
            )
            for i, noise in enumerate(noises)
        ),
    )
    draw(session, folder, noises, steps, trains, valids, images)
    folder.finish(
        {
            "experiment": "mnist_noise",
            "dataset": images.title,
            "num_training_images": len(training),
            "num_validation_images": len(validation),
            "num_curves": len(noises),
            "num_runs": FLAGS.num_runs,
            "num_steps": FLAGS.num_steps,
            "networks_in_a_block": session.ensemble.block_size,
            "clean_validation_loss": clean.record(),
            "diverged_at_step": session.diverged,
            "member_steps_per_second": train[0].size * FLAGS.num_steps / session.seconds,
        },
        wall_seconds=session.seconds,
    )
    print(f"validation loss on clean targets of {images.title}:")
    for i, noise in enumerate(noises):
        print(
            f"{noise!s:>20} ({cycles[i]:4.1f} cycles across the data): lowest "
            f"{lowest[i].text('.3f')} at step {steps[at[i]]:,}, {valids[-1, i].text('.3f')} at "
            f"the end, {floors[i].text('.3f')} expected if the noise is learned"
        )
    runtime.say_where(folder)


def draw(
    session: Session[Ensemble],
    folder: records.RunFolder,
    noises: list[Noise],
    steps: list[int],
    trains: spectra.Estimate,
    valids: spectra.Estimate,
    images: data.Images,
) -> None:
    """Fig 4 and 11: a panel for each frequency or amplitude that three curves or more share."""
    from spectral_tf.records import figures

    noisy = [noise for noise in noises if noise.amplitude]
    groups: dict[str, dict[str, Noise]] = {}
    for place, (shared, other) in enumerate((("k", "β"), ("β", "k"))):
        for value in sorted({noise[place] for noise in noisy}):
            members = sorted(noise for noise in noisy if noise[place] == value)
            if len(members) >= 3:
                names = [f"{other} = {noise[1 - place]:g}" for noise in members]
                groups[f"{shared} = {value:g}"] = dict(zip(names, members, strict=True))
    groups = groups or {"all": {str(noise): noise for noise in noisy or noises}}
    for name, means in (("validation", valids), ("training", trains)):
        of_noise = {noise: means[:, i] for i, noise in enumerate(noises)}
        reference = next((("clean", of_noise[n]) for n in noises if not n.amplitude), None)
        figure = figures.curve_panels(
            steps,
            {
                panel: {label: of_noise[noise] for label, noise in members.items()}
                for panel, members in groups.items()
            },
            ylabel=f"{name} loss (MSE)",
            title=f"Radial noise on the targets of {images.name}, classes "
            f"{' and '.join(map(str, FLAGS.classes))}: {name}",
            reference=reference,
        )
        pixels = figures.save_figure(figure, folder.figures / f"{name}.png")
        session.board.image(name, pixels, FLAGS.num_steps)
    session.board.close_segment()


if __name__ == "__main__":
    runtime.launch(main)
