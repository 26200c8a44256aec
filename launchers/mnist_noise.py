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
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import data, experiments, models, records, runtime, spectra, tasks, training
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLAGS = flags.FLAGS
runtime.define_run_flags("mnist_noise", reports=True)
runtime.define_data_flags("digits")
runtime.define_classes_flag()
with runtime.flag_group("Noise"):
    flags.DEFINE_list(
        "curves",
        # Clean; panels (a) and (b) of Fig 4 by amplitude; (c) and (d) by frequency. The sets are
        # ours.
        ["0:0"]
        + [f"{k:g}:{beta:g}" for k in (0.1, 1) for beta in (0.25, 0.5, 1, 2)]
        + [f"{k:g}:{beta:g}" for beta in (0.5, 1) for k in (0.05, 0.2, 0.5)],
        "Noises, each frequency:amplitude; 0:0 is the clean target.",
    )
    flags.DEFINE_enum(
        "convention",
        "cycles",
        list(tasks.CONVENTIONS),
        "Unit of the frequencies: sin(2 pi k |x|) or sin(k |x|).",
    )
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer("num_runs", 2, "Number of networks for each noise (paper: 1).", 1)
    flags.DEFINE_integer("num_steps", 2_000, "Training steps (paper: 5,000).", 1)
    flags.DEFINE_integer("probe_every", 10, "Steps between two validations (paper: 1).", 1)
    runtime.define_finite_float(
        "train_share", 0.8, "Share of the images that is trained on.", at_least=0, at_most=1
    )
runtime.define_network_flags(models.ACTIVATIONS, models.PRECISIONS, learning_rate=1e-4)


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


class Plan(NamedTuple):
    """What is asked for."""

    dataset: experiments.Dataset
    classes: tuple[int, int]
    noises: list[Noise]
    convention: str
    train_share: float
    num_runs: int
    network: models.Mlp
    learning_rate: float
    num_steps: int
    probed_at: list[int]


def plan() -> Plan:
    """Checks the flags; nothing is read yet."""
    noises, classes = make_noises(), runtime.two_classes()
    return Plan(
        experiments.Dataset.of_flags(),
        classes,
        noises,
        FLAGS.convention,
        FLAGS.train_share,
        FLAGS.num_runs,
        models.Mlp(
            FLAGS.width, FLAGS.depth, FLAGS.activation, precision=FLAGS.precision or "float32"
        ),
        FLAGS.learning_rate,
        FLAGS.num_steps,
        training.every(FLAGS.num_steps, FLAGS.probe_every),
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains all curves at once and validates them on clean targets."""
    images = plan.dataset.training()
    pixels, labels = images.arrays()
    everything = tasks.TwoClasses.of_images(data.to_unit(pixels), labels, plan.classes)
    learned, validation = everything.split(plan.train_share)
    page.begin(images.record(data.unit(images)))
    network = dataclasses.replace(plan.network, input_dim=learned.inputs.shape[1])
    waves = [tasks.RadialWave(noise.frequency, plan.convention) for noise in plan.noises]
    inits = page.seeds("init", plan.num_runs)
    members = training.Ensemble(
        network.build,
        inits * len(plan.noises),  # Runs of one number share their weights between curves.
        [
            learned.dataset(noise.amplitude * wave(learned.inputs))
            for noise, wave in zip(plan.noises, waves, strict=True)
            for _ in inits
        ],
        optimizer=training.Adam(plan.learning_rate),
        strategy=page.strategy,
    )
    logging.info(
        "mnist_noise: %d networks in blocks of %d on %s training and %s validation images",
        len(plan.noises) * plan.num_runs,
        members.block_size,
        f"{len(learned):,}",
        f"{len(validation):,}",
    )
    shape = (len(plan.noises), plan.num_runs)

    def validated(_: training.TrainingLoop) -> np.ndarray:
        outputs = members.outputs(validation.inputs)[..., 0]
        return validation_losses(((outputs - validation.signs) ** 2).reshape(*shape, -1))

    names = [f"k={noise.frequency:g},beta={noise.amplitude:g}" for noise in plan.noises]
    at = plan.probed_at
    found = page.follow(
        members,
        {
            "train_loss": training.Measure(lambda s: s.losses.reshape(shape), at, (names, "run")),
            "validation_loss": training.Measure(validated, at, (names, 0)),
        },
        charts={"validation": ["validation_loss/.*"], "training": ["train_loss/.*"]},
        hparams={"images": images.title},
    )
    found.facts |= {
        "dataset": images.title,
        "images": images.name,
        "num_training_images": len(learned),
        "num_validation_images": len(validation),
        "networks_in_a_block": members.block_size,
        "noise_power": [float(np.mean(wave(validation.inputs) ** 2)) for wave in waves],
        "cycles": [float(wave.cycles(learned.inputs)) for wave in waves],
    }
    return found


def validation_losses(errors: np.ndarray) -> np.ndarray:
    """Means over networks and images with their intervals, from errors [curves, runs, images].

    A validation loss is a mean over networks and images: its interval, over both, can only be had
    while the error of every image is there. Stopped networks do not count.

    Returns:
      [curves, 4]: value, low, high, number of networks.
    """
    means = []
    for of_curve in errors:
        going = of_curve[~np.isnan(of_curve).any(axis=-1)]
        many = len(going) > 0
        means.append(spectra.crossed_mean(going) if many else spectra.not_enough(0, 2, "runs"))
    return np.array([[mean.value, mean.low, mean.high, mean.n] for mean in means])


def recorded(values: np.ndarray, num_runs: int, num_images: int) -> spectra.Estimate:
    """The validation losses [steps, curves] from value, low, high, number [steps, curves, 4]."""
    value, low, high, n = np.moveaxis(values, -1, 0)
    # Unit and method are those of any such sample.
    like = spectra.crossed_mean(np.zeros((num_runs, num_images)))
    why = like.missing or "fewer than 2 runs"
    return dataclasses.replace(like, value=value, low=low, high=high, n=n.astype(int), missing=why)


def report(plan: Plan, found: records.Found) -> records.Report:
    """What each noise does to the validation loss, against what it does when it is learned."""
    steps, train = found["train_loss"]
    noises, cycles = plan.noises, found.fact("cycles")
    # Means [steps, curves], over runs (the training images are held fixed) and over both.
    trains = records.learning.over_runs(train, axis=2)
    valids = records.learning.not_negative(
        recorded(
            found["validation_loss"].values, plan.num_runs, found.fact("num_validation_images")
        )
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
        clean.map(functools.partial(np.add, noise.amplitude**2 * power))
        for noise, power in zip(noises, found.fact("noise_power"), strict=True)
    ]
    return records.Report(
        tables=tables(plan, found, trains, valids, floors),
        figures=figures(plan, found, trains, valids),
        summary={
            "dataset": found.fact("dataset"),
            "num_training_images": found.fact("num_training_images"),
            "num_validation_images": found.fact("num_validation_images"),
            "num_curves": len(noises),
            "num_runs": plan.num_runs,
            "num_steps": plan.num_steps,
            "networks_in_a_block": found.fact("networks_in_a_block"),
            "clean_validation_loss": clean,
            **found.speed(train[0].size * plan.num_steps),
        },
        lines=[
            f"validation loss on clean targets of {found.fact('dataset')}:",
            *(
                f"{noise!s:>20} ({cycles[i]:4.1f} cycles across the data): lowest "
                f"{lowest[i].text('.3f')} at step {steps[at[i]]:,}, {valids[-1, i].text('.3f')} at "
                f"the end, {floors[i].text('.3f')} expected if the noise is learned"
                for i, noise in enumerate(noises)
            ),
        ],
    )


def tables(
    plan: Plan,
    found: records.Found,
    trains: spectra.Estimate,
    valids: spectra.Estimate,
    floors: Sequence[spectra.Estimate],
) -> dict[str, records.Table]:
    """The losses [steps, curves], and how low each validation loss comes."""
    noises, steps, cycles = plan.noises, found["train_loss"].steps, found.fact("cycles")
    at = np.nanargmin(valids.value, axis=0)
    lowest = [valids[s, i] for i, s in enumerate(at)]
    return {
        "losses": records.Table(
            ("frequency", "noise_amplitude", "step", "train_loss", "validation_loss"),
            [
                (*noise, step, trains[s, i], valids[s, i])
                for i, noise in enumerate(noises)
                for s, step in enumerate(steps)
            ],
        ),
        "validation": records.Table(
            (
                *("frequency", "convention", "noise_amplitude", "minimum", "minimum_step"),
                *("final", "expected_floor", "cycles_across_data"),
            ),
            [
                (
                    *(noise.frequency, plan.convention, noise.amplitude, lowest[i]),
                    *(steps[at[i]], valids[-1, i], floors[i], cycles[i]),
                )
                for i, noise in enumerate(noises)
            ],
        ),
    }


def panels(noises: list[Noise]) -> dict[str, dict[str, Noise]]:
    """{panel: {curve: noise}}: for each frequency or amplitude that three curves or more share."""
    noisy = [noise for noise in noises if noise.amplitude]
    groups: dict[str, dict[str, Noise]] = {}
    for index, (shared, other) in enumerate((("k", "β"), ("β", "k"))):
        for value in sorted({noise[index] for noise in noisy}):
            members = sorted(noise for noise in noisy if noise[index] == value)
            if len(members) >= 3:
                names = [f"{other} = {noise[1 - index]:g}" for noise in members]
                groups[f"{shared} = {value:g}"] = dict(zip(names, members, strict=True))
    return groups or {"all": {str(noise): noise for noise in noisy or noises}}


def figures(
    plan: Plan, found: records.Found, trains: spectra.Estimate, valids: spectra.Estimate
) -> dict[str, Figure]:
    """Fig 4 and 11."""
    drawn = {}
    for name, means in (("validation", valids), ("training", trains)):
        of_noise = {noise: means[:, i] for i, noise in enumerate(plan.noises)}
        drawn[name] = records.figures.curve_panels(
            found["train_loss"].steps,
            {
                panel: {label: of_noise[noise] for label, noise in members.items()}
                for panel, members in panels(plan.noises).items()
            },
            ylabel=f"{name} loss (MSE)",
            title=f"Radial noise on the targets of {found.fact('images')}, classes "
            f"{' and '.join(map(str, plan.classes))}: {name}",
            ordered=True,
            reference=next((("clean", of_noise[n]) for n in plan.noises if not n.amplitude), None),
        )
    return drawn


if __name__ == "__main__":
    experiments.launch("mnist_noise", plan, run, report)
