"""How depth, width and weight size shape the bias: Rahaman et al. (2019), Fig 14 to 18.

Experiment 7: trains networks on a single peak (1 at z = 1/2, 0 elsewhere, 200 points), whose
spectrum is 1/200 at every frequency, full batch, Adam 3e-4, and follows |F[k]|. Sweeps of the
paper: depth (width 16, clip 10), width (depth 3, clip 10), and the largest absolute value allowed
to any parameter (depth 6, width 64). Sweeps beyond the paper, on the 6 x 64 network with clip 10:
the activation, and random Fourier features of several scales in front of the network.

    python launchers/architecture.py --alsologtostderr

takes about 2 minutes on 2 cores (2 runs of 3,000 steps for each setting). The study, 5 runs of
60,000 steps:

    python launchers/architecture.py --flagfile=results/architecture/run.flags --workdir=runs/all

To see: low frequencies come first everywhere; depth helps much, width little, a larger clip lets
higher frequencies in (results/architecture).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.ensembles import Ensembles
    from spectral_tf.training.session import Session

SWEEPS = ("depth", "width", "weight_clip", "activation", "fourier_scale")
BEYOND_THE_PAPER = ("activation", "fourier_scale")
NUMBERS = ("depth", "width", "weight_clip", "fourier_scale")

FLAGS = flags.FLAGS
runtime.define_run_flags("architecture")
flags.DEFINE_list("sweeps", list(SWEEPS), f"Which of {', '.join(SWEEPS)}.")
flags.DEFINE_list("depths", [3, 4, 5, 6], "Affine layers, at width 16 and clip 10.")
flags.DEFINE_list("widths", [16, 32, 64, 128], "Hidden units, at depth 3 and clip 10.")
flags.DEFINE_list("weight_clips", [0.1, 0.15, 0.2, 2], "Largest parameters, of the 6 x 64 network.")
flags.DEFINE_list("activations", ["relu", "tanh", "sine", "gelu"], "Of the 6 x 64 network.")
flags.DEFINE_list("fourier_scales", [1, 10, 30], "Of 64 random features, cycles per unit.")
flags.DEFINE_integer("num_runs", 2, "Networks for each setting (paper: 1).", 1)
flags.DEFINE_integer("num_steps", 3_000, "Training steps of each network (paper: 60,000).", 1)
flags.DEFINE_integer("probe_every", 500, "Steps between two spectra.", 1)
flags.DEFINE_integer("num_samples", 200, "Points of the grid, even.", 4)
runtime.define_finite_float("learning_rate", 3e-4, "Adam's constant rate.", at_least=1e-12)

FOURIER_FEATURES = 64


class Setting(NamedTuple):
    """What a network is built of; the columns of the tables. A fourier_scale of 0 is none."""

    sweep: str
    depth: int = 6
    width: int = 64
    weight_clip: float = 10.0
    activation: str = "relu"
    fourier_scale: float = 0.0

    @property
    def value(self) -> int | float | str:
        """Where in its sweep it stands."""
        return getattr(self, self.sweep)

    @property
    def shape(self) -> tuple[object, ...]:
        """Networks of equal shape are trained as one ensemble."""
        return self.depth, self.width, self.activation, self.fourier_scale > 0


def make_settings() -> list[Setting]:
    """The settings of all sweeps, or a UserError."""
    chosen = runtime.words("sweeps", FLAGS.sweeps, SWEEPS)
    depths = runtime.whole_numbers("depths", FLAGS.depths)
    widths = runtime.whole_numbers("widths", FLAGS.widths)
    for name, values in (("depths", depths), ("widths", widths)):
        if min(values) < 1:
            raise UserError(f"--{name}", expected="1 or more", got=min(values), hint="leave it out")
    clips = runtime.numbers("weight_clips", FLAGS.weight_clips, above=0)
    scales = runtime.numbers("fourier_scales", FLAGS.fourier_scales, above=0)
    activations = runtime.words("activations", FLAGS.activations, models.ACTIVATIONS)
    sweeps = {
        "depth": [Setting("depth", depth=d, width=16) for d in depths],
        "width": [Setting("width", depth=3, width=w) for w in widths],
        "weight_clip": [Setting("weight_clip", weight_clip=c) for c in clips],
        "activation": [Setting("activation", activation=a) for a in activations],
        "fourier_scale": [Setting("fourier_scale", fourier_scale=s) for s in scales],
    }
    return [setting for name in SWEEPS if name in chosen for setting in sweeps[name]]


def main() -> None:
    """Runs the experiment that the flags describe."""
    settings = make_settings()
    target = tasks.Delta(FLAGS.num_samples)
    folder = runtime.run_folder("architecture")

    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.ensembles import Ensembles
    from spectral_tf.training.session import Session, probe_steps

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    folder.start(environment(strategy, FLAGS.seed))
    shapes = sorted({setting.shape for setting in settings}, key=str)
    groups = [[i for i, setting in enumerate(settings) if setting.shape == s] for s in shapes]
    ensembles = Ensembles(
        [make_ensemble([settings[i] for i in group], target, strategy) for group in groups]
    )
    # Members stand by group; everything that is recorded stands by setting.
    order = np.argsort([i for group in groups for i in group])
    steps = probe_steps(FLAGS.num_steps, FLAGS.probe_every)
    session = Session(ensembles, folder, steps, FLAGS.save_every_seconds, "architecture")
    if not session.resumed:
        charts = {f"highest frequency by {s}": [f"learned_up_to/{s}=.*"] for s in FLAGS.sweeps}
        session.board.describe(runtime.settings(), charts)
    for step in session:
        probe(session, settings, order, step)
    if folder.writes:
        report(session, folder, target, settings)
    session.wait_for_all()


def make_ensemble(
    settings: list[Setting], target: tasks.Delta, strategy: tf.distribute.Strategy
) -> Ensemble:
    """All runs of settings that share their shape; runs of one number share initial weights."""
    from spectral_tf.models.mlp import mlp
    from spectral_tf.training.adam import Adam
    from spectral_tf.training.ensemble import Ensemble

    members = [(setting, run) for setting in settings for run in range(FLAGS.num_runs)]

    def build(member: int) -> keras.Model:
        setting, run = members[member]
        return mlp(
            width=setting.width,
            depth=setting.depth,
            activation=setting.activation,
            fourier_features=FOURIER_FEATURES if setting.fourier_scale else 0,
            fourier_scale=setting.fourier_scale or 1.0,
            seed=runtime.derive_seed(FLAGS.seed, "init", run),
        )

    return Ensemble(
        build,
        range(len(members)),
        [target.dataset()] * len(members),
        optimizer=Adam(FLAGS.learning_rate),
        weight_clips=[setting.weight_clip for setting, _ in members],
        strategy=strategy,
    )


def probe(
    session: Session[Ensembles], settings: list[Setting], order: np.ndarray, step: int
) -> None:
    """Records spectra, losses and the first run's function, by setting: [settings, runs, ...]."""
    shape = (len(settings), FLAGS.num_runs)
    outputs = session.outputs.reshape(*shape, -1)[order]
    losses = session.losses.reshape(shape)[order]
    magnitudes = spectra.magnitudes(outputs)[..., : FLAGS.num_samples // 2]
    session.history.add("magnitude", step, magnitudes)
    session.history.add("loss", step, losses)
    session.history.add("function", step, outputs[:, 0])
    learned = learned_up_to(magnitudes).value
    scalars = {}
    for setting, loss, highest in zip(settings, losses, learned, strict=True):
        name = f"{setting.sweep}={setting.value}"
        scalars[f"loss/{name}"] = np.nanmean(loss)
        scalars[f"learned_up_to/{name}"] = float(highest)
    session.board.scalars(scalars, step)


def highest_frequencies(magnitudes: np.ndarray) -> np.ndarray:
    """For |F[k]| of k = 0, 1, ... the highest k up to which all have half of the target's 1/n."""
    k = np.arange(1, magnitudes.shape[-1])
    return spectra.learned_up_to(k, FLAGS.num_samples * magnitudes[..., 1:])


def learned_up_to(magnitudes: np.ndarray) -> spectra.Estimate:
    """The mean over runs of the highest frequency learned, from |F[k]| [settings, runs, k].

    Runs that have stopped do not count. The ends are cut at the lowest and highest there is.
    """
    going = ~np.isnan(magnitudes).any(axis=-1)
    mean = spectra.mean_over_runs(highest_frequencies(magnitudes).T, where=going.T)
    return mean.map(lambda k: np.clip(k, 0, magnitudes.shape[-1] - 1))


def report(
    session: Session[Ensembles],
    folder: records.RunFolder,
    target: tasks.Delta,
    settings: list[Setting],
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    from spectral_tf.records import figures, learning

    steps, magnitudes = session.history["magnitude"]
    _, losses = session.history["loss"]
    normalised = FLAGS.num_samples * magnitudes[..., 1:]
    k = np.arange(1, FLAGS.num_samples // 2)
    curves = {
        tuple(setting): spectra.learning_curves(steps, k, runs, where=learning.going(runs))
        for setting, runs in zip(settings, np.moveaxis(normalised, 0, 2), strict=True)
    }
    learning.write_learning_curves(folder.path, thinned(curves), Setting._fields)
    by_setting = {tuple(setting): losses[:, i] for i, setting in enumerate(settings)}
    learning.write_losses(folder.path, steps, by_setting, Setting._fields)
    # Early and at the end, where much may be learned by all.
    early = min(range(len(steps)), key=lambda i: abs(steps[i] - FLAGS.num_steps / 10))
    by_step = {steps[i]: learned_up_to(magnitudes[i]) for i in (early, len(steps) - 1)}
    learned = by_step[steps[-1]]
    records.write_table(
        folder.path / "architecture.csv",
        (*Setting._fields, "step", "learned_up_to"),
        (
            (*setting, step, mean[i])
            for step, mean in by_step.items()
            for i, setting in enumerate(settings)
        ),
    )

    means = learning.over_runs(magnitudes, axis=2).value
    for sweep in FLAGS.sweeps:
        draw_sweep(session, folder, settings, sweep, steps, means)
    draw_summary(session, folder, settings, by_step)
    _, functions = session.history["function"]
    last = max(
        (i for i, setting in enumerate(settings) if setting.sweep not in BEYOND_THE_PAPER),
        key=lambda i: np.nan_to_num(learned.value[i]),
        default=0,
    )
    title = f"{settings[last].sweep} {settings[last].value}, run 0"
    figures.save_animation(
        folder.figures / "learned_function.gif",
        (target.positions, target.targets),
        target.positions,
        functions[:, last],
        steps,
        title=title,
    )
    session.board.close_segment()
    folder.finish(
        {
            "experiment": "architecture",
            "num_runs": FLAGS.num_runs,
            "num_steps": FLAGS.num_steps,
            "learned_up_to": {
                f"{setting.sweep}={setting.value}": learned[i].record()
                for i, setting in enumerate(settings)
            },
            "diverged_at_step": session.diverged,
        },
        wall_seconds=session.seconds,
    )
    runs = records.averaged(FLAGS.num_runs)
    print(f"highest frequency learned in {FLAGS.num_steps:,} steps, {runs}")
    for i, setting in enumerate(settings):
        ours = "  (beyond the paper)" if setting.sweep in BEYOND_THE_PAPER else ""
        print(f"{f'{setting.sweep} {setting.value}':<22}{learned[i].text('.1f')}{ours}")
    runtime.say_where(folder, num_images=100)


def thinned(
    curves: Mapping[tuple[object, ...], spectra.LearningCurves],
) -> dict[tuple[object, ...], spectra.LearningCurves]:
    """Twenty of the probes, about: spectra of a hundred frequencies make large tables."""
    rows = slice(None, None, max(1, -(-len(next(iter(curves.values())).steps) // 21)))
    return {
        setting: dataclasses.replace(c, steps=c.steps[rows], mean=c.mean[rows])
        for setting, c in curves.items()
    }


def draw_sweep(
    session: Session[Ensembles],
    folder: records.RunFolder,
    settings: list[Setting],
    sweep: str,
    steps: list[int],
    means: np.ndarray,
) -> None:
    """Fig 15 to 17: |F[k]| by step, one panel for each setting; Fig 18: the functions."""
    from spectral_tf.records import figures

    n = FLAGS.num_samples
    places = [i for i, setting in enumerate(settings) if setting.sweep == sweep]
    ours = ", beyond the paper" if sweep in BEYOND_THE_PAPER else ""
    _, functions = session.history["function"]
    for name, figure in {
        f"spectra_by_{sweep}": figures.heat_maps(
            steps,
            np.arange(means.shape[-1]),
            {f"{sweep} {settings[i].value}": means[:, i] for i in places},
            title=f"Spectrum of a peak by {sweep}{ours}: {records.averaged(FLAGS.num_runs)}",
            label="|F[k]| (target: 1/n everywhere)",
            limits=(0.0, 1.0 / n),
        ),
        f"functions_by_{sweep}": figures.heat_maps(
            steps,
            np.arange(n) / n,
            {f"{sweep} {settings[i].value}": functions[:, i] for i in places},
            title=f"The learned peak itself by {sweep}{ours}: run 0",
            xlabel="z [unit]",
            label="value",
        ),
    }.items():
        pixels = figures.save_figure(figure, folder.figures / f"{name}.png")
        session.board.image(name, pixels, steps[-1])


def draw_summary(
    session: Session[Ensembles],
    folder: records.RunFolder,
    settings: list[Setting],
    by_step: Mapping[int, spectra.Estimate],
) -> None:
    """The highest frequency learned against each setting, all sweeps in one picture."""
    from spectral_tf.records import figures

    points = {
        sweep: {
            f"step {step:,}": [
                (f"{setting.value:g}" if sweep in NUMBERS else str(setting.value), mean[i])
                for i, setting in enumerate(settings)
                if setting.sweep == sweep
            ]
            for step, mean in by_step.items()
        }
        for sweep in FLAGS.sweeps
    }
    figure = figures.setting_plot(
        points,
        ylabel="highest frequency learned [cycles per unit]",
        title=f"What each setting lets in: {records.averaged(FLAGS.num_runs)}",
    )
    pixels = figures.save_figure(figure, folder.figures / "summary.png")
    session.board.image("summary", pixels, FLAGS.num_steps)


if __name__ == "__main__":
    runtime.launch(main)
