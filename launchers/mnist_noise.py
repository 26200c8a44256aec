r"""Does noise of low or of high frequency spoil a classifier? Rahaman et al. (2019), Fig 4, 11.

Experiment 3: 6-layer 256-unit ReLU networks learn the sign of two classes of images with a radial
wave on the training targets only, tau_0(x) + beta sin(2 pi k |x|) (full batch, Adam 1e-4), and are
validated on clean targets. Every curve (k, beta) is a member of one ensemble. Beside radial waves
there are plane waves along random directions and along the leading principal axes of the images,
which the published code has, too, but no figure. How much of a noise linear functions of the
leading principal components can carry is told, and what that would be for normal inputs.

    python launchers/mnist_noise.py --alsologtostderr

takes about 2 minutes on 2 cores, on embedded digits of 8 x 8 pixels (not MNIST). The published
figures on MNIST 3 against 8, 15 curves, and about an hour, if TFDS_DATA_DIR holds it:

    python launchers/mnist_noise.py --flagfile=results/mnist_noise/panels/run.flags

Plane waves beside radial ones, at equal cycles across the data (results/mnist_noise/waves):

    python launchers/mnist_noise.py --waves=radial,random,principal \
        --convention=cycles_across_data --curves=0:0,0.5:1,4:1

To see: slow noise goes straight into the validation loss; fast noise lets it dip first, deeper and
later the faster it is (results/mnist_noise).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
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
        [*tasks.CONVENTIONS, tasks.ACROSS],
        "Unit of the frequencies: sin(2 pi k z), sin(k z), or periods in 4 deviations of z, the "
        "coordinate (norm or projection).",
    )
    flags.DEFINE_list(
        "waves",
        ["radial"],
        "Coordinates of the noise, each with all curves: radial (norm), random or principal (plane "
        "waves along random directions or leading principal axes).",
    )
    flags.DEFINE_integer("num_waves", 1, "Plane waves in a noise, each of a direction.", 1)
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer("num_runs", 2, "Number of networks for each noise (paper: 1).", 1)
    flags.DEFINE_integer("num_steps", 2_000, "Training steps (paper: 5,000).", 1)
    flags.DEFINE_integer("probe_every", 10, "Steps between two validations (paper: 1).", 1)
    runtime.define_finite_float(
        "train_share", 0.8, "Share of the images that is trained on.", at_least=0, at_most=1
    )
runtime.define_network_flags(models.ACTIVATIONS, models.PRECISIONS, learning_rate=1e-4)


# Leading components for which is told how much of the noise they can carry.
COMPONENTS = (1, 2, 5, 10, 20, 50, 100)


class Noise(NamedTuple):
    """One curve: waves of a frequency, times an amplitude, along a kind of coordinate."""

    frequency: float
    amplitude: float
    wave: str = "radial"

    def __str__(self) -> str:
        told = f"k = {self.frequency:g}, β = {self.amplitude:g}" if self.amplitude else "clean"
        return told if self.wave == "radial" or not self.amplitude else f"{self.wave}, {told}"

    @property
    def tag(self) -> str:
        """How series of it are called."""
        told = f"k={self.frequency:g},beta={self.amplitude:g}"
        return told if self.wave == "radial" else f"{told},{self.wave}"


def make_noises() -> list[Noise]:
    """The curves of the flags, or a UserError; clean ones once."""
    waves = runtime.parse_choices("waves", FLAGS.waves, tasks.NOISE_WAVES)
    try:
        pairs = [word.split(":") for word in FLAGS.curves]
        noises = [Noise(float(frequency), float(amplitude)) for frequency, amplitude in pairs]
    except (TypeError, ValueError):
        noises = []
    # NaN fails.
    good = all(0 <= number <= 1e6 for n in noises for number in (n.frequency, n.amplitude))
    if not noises or not good or len(set(noises)) < len(noises):
        raise UserError(
            "--curves",
            expected="pairs frequency:amplitude of 0 to 1e6, each once",
            got=",".join(FLAGS.curves) or "nothing",
            hint="for example --curves=0:0,0.1:0.5,1:0.5",
        )
    each = [noise._replace(wave=wave) for wave in waves for noise in noises]
    return [noise for noise in each if noise.amplitude or noise.wave == waves[0]]


class Plan(NamedTuple):
    """What is asked for."""

    dataset: experiments.Dataset
    classes: tuple[int, int]
    noises: list[Noise]
    convention: str
    num_waves: int
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
        FLAGS.num_waves,
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
    waves, components = make_waves(plan, page.seed, learned.inputs)
    page.begin(images.record(data.unit(images)))
    network = dataclasses.replace(plan.network, input_dim=learned.inputs.shape[1])
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

    names, at = [noise.tag for noise in plan.noises], plan.probed_at
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
        **components,
    }
    return found


def make_waves(
    plan: Plan, seed: int, inputs: np.ndarray
) -> tuple[list[tasks.RadialWave | tasks.PlaneWaves], dict[str, np.ndarray]]:
    """The waves of all curves, and what the leading principal components can carry of them.

    A kind of wave has one set of directions, held fixed for all runs, frequencies and amplitudes:
    what other random ones would do is in no interval.

    Facts: `components`, so many, [p]; `variance`, the share of the images' that these have, [p];
    `carried` of each noise, measured and for normal inputs (NaN of radial waves), [curves, 2, p].
    """
    axes = tasks.PrincipalAxes.of(inputs)
    directions = {
        kind: tasks.noise_directions(
            kind, plan.num_waves, axes, runtime.generator(seed, "noise directions", kind)
        )
        for kind in {noise.wave for noise in plan.noises}
    }
    waves = [
        tasks.noise_wave(noise.frequency, plan.convention, inputs, directions[noise.wave])
        for noise in plan.noises
    ]
    numbers = np.array([number for number in COMPONENTS if number <= axes.rank], int)
    unknown = np.full(axes.rank, np.nan)
    carried = np.stack(
        [
            axes.carried(inputs, np.stack([wave(inputs) for wave in waves])),
            [
                wave.carried_if_gaussian(axes) if isinstance(wave, tasks.PlaneWaves) else unknown
                for wave in waves
            ],
        ],
        axis=1,
    )
    variance = np.cumsum(axes.variances) / axes.variances.sum()
    return waves, {
        "components": numbers,
        "variance": variance[numbers - 1],
        "carried": carried[..., numbers - 1],
    }


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
    made = {
        "losses": records.Table(
            ("frequency", "noise_amplitude", "step", "train_loss", "validation_loss", "wave"),
            [
                (noise.frequency, noise.amplitude, step, trains[s, i], valids[s, i], noise.wave)
                for i, noise in enumerate(noises)
                for s, step in enumerate(steps)
            ],
        ),
        "validation": records.Table(
            (
                *("frequency", "convention", "noise_amplitude", "minimum", "minimum_step"),
                *("final", "expected_floor", "cycles_across_data", "wave"),
            ),
            [
                (
                    *(noise.frequency, plan.convention, noise.amplitude, lowest[i]),
                    *(steps[at[i]], valids[-1, i], floors[i], cycles[i], noise.wave),
                )
                for i, noise in enumerate(noises)
            ],
        ),
    }
    if shares := carried(found, noises):
        numbers, variance = found.fact("components"), found.fact("variance")
        made["components"] = records.Table(
            (
                *("wave", "frequency", "convention", "components", "share_of_image_variance"),
                *("share_of_noise_variance", "share_if_normal"),
            ),
            [
                (
                    *(noise.wave, noise.frequency, plan.convention, *row),
                    "null" if np.isnan(normal) else normal,
                )
                for noise, (seen, normals) in shares.items()
                for *row, normal in zip(numbers, variance, seen, normals, strict=True)
            ],
        )
    return made


def carried(found: records.Found, noises: list[Noise]) -> dict[Noise, np.ndarray]:
    """{noise: what leading components can carry of it, measured and for normal inputs}.

    Of noises that vary, one for each wave and frequency: amplitudes do not matter. Runs of before
    have none.
    """
    shares = found.facts.get("carried", [None] * len(noises))
    pairs = zip(noises, shares, strict=True)
    return {
        noise._replace(amplitude=1.0): of
        for noise, of in pairs
        if noise.amplitude and noise.frequency and of is not None
    }


def panels(noises: list[Noise]) -> dict[str, dict[str, Noise]]:
    """{panel: {curve: noise}}, of each kind of wave its own."""
    noisy = [noise for noise in noises if noise.amplitude]
    waves = list(dict.fromkeys(noise.wave for noise in noisy))
    if len(waves) < 2:
        return panels_of_wave(noisy or noises)
    return {
        wave if panel == "all" else f"{wave}, {panel}": members
        for wave in waves
        for panel, members in panels_of_wave([n for n in noisy if n.wave == wave]).items()
    }


def panels_of_wave(noisy: list[Noise]) -> dict[str, dict[str, Noise]]:
    """{panel: {curve: noise}}: for each frequency or amplitude that three curves or more share."""
    groups: dict[str, dict[str, Noise]] = {}
    for index, (shared, other) in enumerate((("k", "β"), ("β", "k"))):
        for value in sorted({noise[index] for noise in noisy}):
            members = sorted(noise for noise in noisy if noise[index] == value)
            if len(members) >= 3:
                names = [f"{other} = {noise[1 - index]:g}" for noise in members]
                groups[f"{shared} = {value:g}"] = dict(zip(names, members, strict=True))
    return groups or {"all": {str(noise._replace(wave="radial")): noise for noise in noisy}}


def figures(
    plan: Plan, found: records.Found, trains: spectra.Estimate, valids: spectra.Estimate
) -> dict[str, Figure]:
    """Fig 4 and 11."""
    drawn = {}
    kinds = ", ".join(dict.fromkeys(noise.wave for noise in plan.noises))
    for name, means in (("validation", valids), ("training", trains)):
        of_noise = {noise: means[:, i] for i, noise in enumerate(plan.noises)}
        drawn[name] = records.figures.curve_panels(
            found["train_loss"].steps,
            {
                panel: {label: of_noise[noise] for label, noise in members.items()}
                for panel, members in panels(plan.noises).items()
            },
            ylabel=f"{name} loss (MSE)",
            title=f"{kinds.capitalize()} noise on the targets of {found.fact('images')}, classes "
            f"{' and '.join(map(str, plan.classes))}: {name}",
            ordered=True,
            reference=next((("clean", of_noise[n]) for n in plan.noises if not n.amplitude), None),
        )
    if shares := carried(found, plan.noises):
        drawn["components"] = components_figure(found.fact("components"), shares)
    return drawn


def components_figure(numbers: np.ndarray, shares: Mapping[Noise, np.ndarray]) -> Figure:
    """What so many leading components can carry of each noise, and of normal inputs."""
    series = []
    for noise, (seen, normal) in shares.items():
        label = f"{noise.wave}, k = {noise.frequency:g}"
        series += [records.figures.Line(numbers, seen, label)]
        series += [records.figures.Line(numbers, normal, style=":")]
    return records.figures.lines(
        series,
        xlabel="leading principal components",
        ylabel="share of the noise's variance",
        title="What linear functions of components can carry (dotted: of normal inputs)",
        xscale="log",
        colours=[i // 2 for i in range(len(series))],
    )


if __name__ == "__main__":
    experiments.launch("mnist_noise", plan, run, report)
