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

from spectral_tf import experiments, models, records, runtime, spectra, tasks, training
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

SWEEPS = ("depth", "width", "weight_clip", "activation", "fourier_scale")
BEYOND_THE_PAPER = ("activation", "fourier_scale")
NUMBERS = ("depth", "width", "weight_clip", "fourier_scale")

FLAGS = flags.FLAGS
runtime.define_run_flags("architecture", reports=True)
with runtime.flag_group("Sweeps"):
    flags.DEFINE_list("sweeps", list(SWEEPS), f"Sweeps to make: some of {', '.join(SWEEPS)}.")
    flags.DEFINE_list("depths", [3, 4, 5, 6], "Numbers of linear layers, at width 16 and clip 10.")
    flags.DEFINE_list("widths", [16, 32, 64, 128], "Hidden units, at depth 3 and clip 10.")
    flags.DEFINE_list(
        "weight_clips",
        [0.1, 0.15, 0.2, 2],
        "Largest absolute values of a parameter, of the 6 x 64 network.",
    )
    flags.DEFINE_list(
        "activations", ["relu", "tanh", "sine", "gelu"], "Activations of the 6 x 64 network."
    )
    flags.DEFINE_list(
        "fourier_scales", [1, 10, 30], "Scales of 64 random Fourier features, in cycles per unit."
    )
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer("num_runs", 2, "Number of networks for each setting (paper: 1).", 1)
    flags.DEFINE_integer("num_steps", 3_000, "Training steps of each network (paper: 60,000).", 1)
    flags.DEFINE_integer("probe_every", 500, "Steps between two spectra.", 1)
    flags.DEFINE_integer("num_samples", 200, "Points of the grid, an even number.", 4)
    runtime.define_learning_rate_flag()

FOURIER_FEATURES = 64
AROUND_THE_PEAK = 0.15  # Shown on either side of it.


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


class Plan(NamedTuple):
    """What is asked for."""

    sweeps: list[str]
    settings: list[Setting]
    target: tasks.Delta
    num_runs: int
    num_steps: int
    probed_at: list[int]
    learning_rate: float

    @property
    def runs(self) -> str:
        """How titles call them."""
        return records.averaged(self.num_runs)

    @property
    def num_samples(self) -> int:
        """Of the grid."""
        return len(self.target.positions)


def plan() -> Plan:
    """Checks the flags."""
    chosen = runtime.parse_choices("sweeps", FLAGS.sweeps, SWEEPS)
    depths = runtime.parse_ints("depths", FLAGS.depths)
    widths = runtime.parse_ints("widths", FLAGS.widths)
    for name, values in (("depths", depths), ("widths", widths)):
        if min(values) < 1:
            raise UserError(f"--{name}", expected="1 or more", got=min(values), hint="leave it out")
    clips = runtime.parse_floats("weight_clips", FLAGS.weight_clips, above=0)
    scales = runtime.parse_floats("fourier_scales", FLAGS.fourier_scales, above=0)
    activations = runtime.parse_choices("activations", FLAGS.activations, models.ACTIVATIONS)
    sweeps = {
        "depth": [Setting("depth", depth=d, width=16) for d in depths],
        "width": [Setting("width", depth=3, width=w) for w in widths],
        "weight_clip": [Setting("weight_clip", weight_clip=c) for c in clips],
        "activation": [Setting("activation", activation=a) for a in activations],
        "fourier_scale": [Setting("fourier_scale", fourier_scale=s) for s in scales],
    }
    return Plan(
        FLAGS.sweeps,
        [setting for name in SWEEPS if name in chosen for setting in sweeps[name]],
        tasks.Delta(FLAGS.num_samples),
        FLAGS.num_runs,
        FLAGS.num_steps,
        training.every(FLAGS.num_steps, FLAGS.probe_every),
        FLAGS.learning_rate,
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains all settings in step; everything is recorded as [settings, runs, ...]."""
    page.begin()
    shapes = sorted({setting.shape for setting in plan.settings}, key=str)
    groups = [[i for i, setting in enumerate(plan.settings) if setting.shape == s] for s in shapes]
    members = training.Ensembles(
        [ensemble(plan, page, [plan.settings[i] for i in group]) for group in groups]
    )
    # Members stand by group; everything that is recorded stands by setting.
    order = np.argsort([i for group in groups for i in group])
    shape = (len(plan.settings), plan.num_runs)

    def outputs(loop: training.TrainingLoop) -> np.ndarray:
        return loop.outputs.reshape(*shape, -1)[order]

    def magnitudes(loop: training.TrainingLoop) -> np.ndarray:
        return spectra.magnitudes(outputs(loop))[..., : plan.num_samples // 2]

    def learned(loop: training.TrainingLoop) -> np.ndarray:
        return cutoff_frequency(magnitudes(loop), plan.num_samples).value

    by_setting = [f"{setting.sweep}={setting.value}" for setting in plan.settings]
    at = plan.probed_at
    return page.follow(
        members,
        {
            "magnitude": training.Measure(magnitudes, at),
            "loss": training.Measure(
                lambda s: s.losses.reshape(shape)[order], at, (by_setting, "run")
            ),
            "function": training.Measure(lambda s: outputs(s)[:, 0], at),
            "cutoff_frequency": training.Measure(learned, at, (by_setting,)),
        },
        charts={
            **{f"highest frequency by {s}": [f"cutoff_frequency/{s}=.*"] for s in plan.sweeps},
            "loss": ["loss/.*"],
        },
    )


def ensemble(plan: Plan, page: experiments.Page, settings: list[Setting]) -> training.Ensemble:
    """All runs of settings that share their shape; runs of one number share initial weights."""
    members = [(setting, run) for setting in settings for run in range(plan.num_runs)]
    seeds = page.seeds("init", plan.num_runs)

    def build(member: int) -> keras.Model:
        setting, run = members[member]
        network = models.Mlp(
            setting.width,
            setting.depth,
            setting.activation,
            fourier_features=FOURIER_FEATURES if setting.fourier_scale else 0,
            fourier_scale=setting.fourier_scale or 1.0,
        )
        return network.build(seeds[run])

    return training.Ensemble(
        build,
        range(len(members)),
        [plan.target.dataset()] * len(members),
        optimizer=training.Adam(plan.learning_rate),
        weight_clips=[setting.weight_clip for setting, _ in members],
        strategy=page.strategy,
    )


def cutoff_frequency(magnitudes: np.ndarray, num_samples: int) -> spectra.Estimate:
    """The mean over runs of the highest frequency learned, from |F[k]| [settings, runs, k].

    The highest k up to which all of 1, 2, ... have half of the target's 1/n. Runs that have stopped
    do not count. The ends are cut at the lowest and highest there is.
    """
    going, k = ~np.isnan(magnitudes).any(axis=-1), np.arange(1, magnitudes.shape[-1])
    highest = spectra.cutoff_frequency(k, num_samples * magnitudes[..., 1:])
    mean = spectra.mean_over_runs(highest.T, where=going.T)
    return mean.map(lambda ends: np.clip(ends, 0, magnitudes.shape[-1] - 1))


def report(plan: Plan, found: records.Found) -> records.Report:
    """What each setting lets in, early and at the end, where much may be learned by all."""
    steps, magnitudes = found["magnitude"]
    k, settings = np.arange(1, plan.num_samples // 2), plan.settings
    normalised = np.moveaxis(plan.num_samples * magnitudes[..., 1:], 0, 2)
    curves = {
        tuple(setting): spectra.learning_curves(steps, k, runs, where=records.learning.going(runs))
        for setting, runs in zip(settings, normalised, strict=True)
    }
    losses = {key: found["loss"].values[:, i] for i, key in enumerate(curves)}
    early = min(range(len(steps)), key=lambda i: abs(steps[i] - plan.num_steps / 10))
    by_step = {
        steps[i]: cutoff_frequency(magnitudes[i], plan.num_samples) for i in (early, len(steps) - 1)
    }
    learned = by_step[steps[-1]]
    columns = Setting._fields
    means = records.learning.over_runs(magnitudes, axis=2).value
    figures: dict[str, Figure] = {}
    for sweep in plan.sweeps:
        figures |= sweep_figures(plan, sweep, steps, means, found["function"].values)
    return records.Report(
        tables={
            **records.learning.curve_tables(thinned(curves), columns),
            **records.learning.loss_tables(steps, losses, columns),
            "architecture": records.Table(
                (*columns, "step", "cutoff_frequency"),
                [
                    (*setting, step, mean[i])
                    for step, mean in by_step.items()
                    for i, setting in enumerate(settings)
                ],
            ),
        },
        figures={**figures, "summary": summary_figure(plan, by_step)},
        animations={"learned_function": growing_function(plan, found, learned)},
        arrays=records.learning.function_arrays(
            found["function"], plan.target.positions, plan.target.targets
        ),
        summary={
            "num_runs": plan.num_runs,
            "num_steps": plan.num_steps,
            "cutoff_frequency": {
                f"{setting.sweep}={setting.value}": learned[i].record()
                for i, setting in enumerate(settings)
            },
            **found.speed(len(settings) * plan.num_runs * plan.num_steps),
        },
        lines=records.estimate_lines(
            f"highest frequency learned in {plan.num_steps:,} steps, cycles per unit, {plan.runs}",
            {called(setting): learned[i] for i, setting in enumerate(settings)},
            ".1f",
        ),
        images_shown=100,
    )


def called(setting: Setting) -> str:
    """How closing lines call a setting."""
    ours = " (beyond the paper)" if setting.sweep in BEYOND_THE_PAPER else ""
    return f"{setting.sweep.replace('_', ' ')} {setting.value}{ours}"


def thinned(
    curves: Mapping[tuple[object, ...], spectra.LearningCurves],
) -> dict[tuple[object, ...], spectra.LearningCurves]:
    """Twenty of the probes, about: spectra of a hundred frequencies make large tables."""
    rows = slice(None, None, max(1, -(-len(next(iter(curves.values())).steps) // 21)))
    return {
        setting: dataclasses.replace(c, steps=c.steps[rows], mean=c.mean[rows])
        for setting, c in curves.items()
    }


def sweep_figures(
    plan: Plan, sweep: str, steps: list[int], means: np.ndarray, functions: np.ndarray
) -> dict[str, Figure]:
    """Fig 15 to 17: |F[k]| by step, one panel for each setting; Fig 18: the functions."""
    n, draw = plan.num_samples, records.figures
    z = np.arange(n) / n
    near = np.abs(z - 0.5) < AROUND_THE_PEAK + 1e-9  # Beyond it nearly all is 0.
    own = {i: f"{sweep} {s.value}" for i, s in enumerate(plan.settings) if s.sweep == sweep}
    ours = ", beyond the paper" if sweep in BEYOND_THE_PAPER else ""
    return {
        f"spectra_by_{sweep}": draw.heat_maps(
            steps,
            np.arange(means.shape[-1]),
            {name: means[:, i] for i, name in own.items()},
            title=f"Spectrum of a peak by {sweep}{ours}: {plan.runs}",
            label="|F[k]| (target: 1/n everywhere)",
            limits=(0.0, 1.0 / n),
        ),
        f"functions_by_{sweep}": draw.heat_maps(
            steps,
            z[near],
            {name: functions[:, i, near] for i, name in own.items()},
            title=f"The function around the peak by {sweep}{ours}: run 0",
            xlabel="z [unit]",
            label="value (target: 1 at z = 0.5, else 0)",
            limits=(-1.0, 1.0),
            colour_map=draw.AROUND_ZERO,
        ),
    }


def summary_figure(plan: Plan, by_step: Mapping[int, spectra.Estimate]) -> Figure:
    """The highest frequency learned against each setting, all sweeps in one picture."""
    points = {
        sweep: {
            f"step {step:,}": [
                (f"{setting.value:g}" if sweep in NUMBERS else str(setting.value), mean[i])
                for i, setting in enumerate(plan.settings)
                if setting.sweep == sweep
            ]
            for step, mean in by_step.items()
        }
        for sweep in plan.sweeps
    }
    return records.figures.setting_plot(
        points,
        ylabel="highest frequency learned [cycles per unit]",
        title=f"Highest frequency learned with each setting: {plan.runs}",
    )


def growing_function(
    plan: Plan, found: records.Found, learned: spectra.Estimate
) -> records.Animation:
    """The peak as the setting of the paper that lets in most learns it."""
    best = max(
        (i for i, setting in enumerate(plan.settings) if setting.sweep not in BEYOND_THE_PAPER),
        key=lambda i: np.nan_to_num(learned.value[i]),
        default=0,
    )
    target, setting = plan.target, plan.settings[best]
    return records.figures.animation(
        (target.positions, target.targets),
        target.positions,
        found["function"].values[:, best],
        found["function"].steps,
        title=f"{setting.sweep} {setting.value}, run 0",
    )


if __name__ == "__main__":
    experiments.launch("architecture", plan, run, report)
