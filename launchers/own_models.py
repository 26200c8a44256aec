"""Networks and optimisers of one's own beside the papers', and when each frequency is learned.

Beyond the papers. SIREN (sines, with an initialisation of its own, --omega_0) and a network of
Kolmogorov-Arnold layers beside a ReLU network, trained by Adam, SGD with momentum, Lion or Muon, at
several learning rates, on sums of ten sines of equal amplitude (200 points, full batch). They are
examples of own layers and optimisers in `training.Ensemble`: copy a line of NETWORKS or OPTIMIZERS
for yours.

    python launchers/own_models.py --alsologtostderr

takes a minute or two on 2 cores (2 runs of 1,000 steps; not timed). The studies, 4 runs of 4,000
steps, took 6 and 3 minutes:

    python launchers/own_models.py --flagfile=results/own_models/networks/run.flags
    python launchers/own_models.py --flagfile=results/own_models/optimizers/run.flags

To see: how far apart low and high frequencies are learned, network by network and rate by rate
(results/own_models). What holds at one learning rate alone is said of no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import experiments, models, records, runtime, spectra, tasks, training

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

NETWORKS = ("relu", "siren", "kan")
# Their learning rates beside Adam's, of which usual ones differ: steps of SGD are as large as the
# gradient, of Lion as its rate in every weight (its authors: a third to a tenth of Adam's), of Muon
# as large as Adam's by its factor.
OPTIMIZERS = {"adam": 1.0, "sgd": 100.0, "lion": 1 / 3, "muon": 1.0}

FLAGS = flags.FLAGS
runtime.define_run_flags("own_models", reports=True)
with runtime.flag_group("Networks and optimisers"):
    flags.DEFINE_list("networks", list(NETWORKS), f"Networks: some of {', '.join(NETWORKS)}.")
    flags.DEFINE_list("optimizers", ["adam"], f"Optimisers: some of {', '.join(OPTIMIZERS)}.")
    flags.DEFINE_list(
        "learning_rates",
        [1e-4, 3e-4, 1e-3],
        "Learning rates of Adam, each of networks of its own; SGD has 100 times these, Lion a "
        "third, Muon the same.",
    )
    runtime.define_finite_float(
        "omega_0", 30.0, "Factor omega_0 of SIREN, in radians.", at_least=1e-6
    )
    flags.DEFINE_integer("width", 256, "Units of ReLU network and SIREN; KAN has an eighth.", 8)
    flags.DEFINE_integer("depth", 6, "Layers of ReLU network and SIREN; KAN has half as many.", 2)
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer(
        "num_runs", 2, "Number of networks of each kind, with phases and weights of their own.", 1
    )
    flags.DEFINE_integer("num_steps", 1_000, "Training steps of each network.", 1)
    flags.DEFINE_integer("probe_every", 50, "Steps between two spectra.", 1)
with runtime.flag_group("Target"):
    flags.DEFINE_list(
        "frequencies", list(range(5, 51, 5)), "Frequencies of the sines, whole cycles per unit."
    )
    flags.DEFINE_integer("num_samples", 200, "Points of the grid.", 4)


class Setting(NamedTuple):
    """What is trained; the columns of the tables."""

    network: str
    optimizer: str
    learning_rate: float

    @property
    def name(self) -> str:
        """How figures and lines call it."""
        return f"{self.network}, {self.optimizer}, {self.learning_rate:.3g}"


class Plan(NamedTuple):
    """What is asked for."""

    settings: list[Setting]
    targets: list[tasks.SumOfSines]
    sizes: tuple[int, int]
    omega_0: float
    num_steps: int
    probed_at: list[int]

    @property
    def frequencies(self) -> np.ndarray:
        """Of the targets."""
        return np.asarray(self.targets[0].frequencies)

    @property
    def num_runs(self) -> int:
        """Networks of each setting."""
        return len(self.targets)


def plan() -> Plan:
    """Checks the flags."""
    networks = runtime.parse_choices("networks", FLAGS.networks, NETWORKS)
    optimizers = runtime.parse_choices("optimizers", FLAGS.optimizers, list(OPTIMIZERS))
    rates = runtime.parse_floats("learning_rates", FLAGS.learning_rates, above=0)
    frequencies = runtime.parse_ints("frequencies", FLAGS.frequencies)
    return Plan(
        [Setting(n, o, OPTIMIZERS[o] * r) for n in networks for o in optimizers for r in rates],
        experiments.sines_of_runs(FLAGS.num_runs, frequencies, FLAGS.num_samples, FLAGS.seed),
        (FLAGS.width, FLAGS.depth),
        FLAGS.omega_0,
        FLAGS.num_steps,
        training.every(FLAGS.num_steps, FLAGS.probe_every, *early(FLAGS.probe_every)),
    )


def early(interval: int) -> list[int]:
    """Steps before the first interval has passed, in which some networks have learned all."""
    return np.unique(np.geomspace(1, interval, 24).round().astype(int)).tolist()


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains all settings in step; everything is recorded as [settings, runs, ...]."""
    page.begin()
    kinds = list(dict.fromkeys((s.network, s.optimizer) for s in plan.settings))
    members = training.Ensembles([ensemble(plan, page, *kind) for kind in kinds])
    shape = (len(plan.settings), plan.num_runs)
    amplitudes = plan.targets[0].amplitudes

    def magnitudes(loop: training.TrainingLoop) -> np.ndarray:
        outputs = loop.outputs.reshape(*shape, -1)
        return spectra.normalised_magnitudes(outputs, plan.frequencies, amplitudes)

    def losses(loop: training.TrainingLoop) -> np.ndarray:
        return loop.losses.reshape(shape)

    names = [setting.name for setting in plan.settings]
    of_k = [f"k={k:03d}" for k in plan.frequencies]
    return page.follow(
        members,
        {
            "magnitude": training.Measure(magnitudes, plan.probed_at, (names, "run", of_k)),
            "loss": training.Measure(losses, plan.probed_at, (names, "run")),
        },
        charts={
            **{f"magnitudes of {name}": [f"magnitude/{name}/.*"] for name in names},
            "loss": ["loss/.*"],
        },
    )


def ensemble(plan: Plan, page: experiments.Page, network: str, optimizer: str) -> training.Ensemble:
    """All rates and runs of one network and optimiser, the rates as numbers of the members."""
    rates = [s.learning_rate for s in plan.settings if s[:2] == (network, optimizer)]
    seeds = page.seeds("init", plan.num_runs)
    of_members = [rate for rate in rates for _ in seeds]
    how = {
        "adam": lambda: training.Adam(of_members),
        "sgd": lambda: training.SGD(of_members, momentum=0.9),
        "lion": lambda: training.Lion(of_members),
        # As its authors advise, the first and the last layer are Adam's.
        "muon": lambda: training.Muon(
            of_members,
            weight_decay=0.0,
            adam_weight_decay=0.0,
            exclude_layers=("layer_1/", f"layer_{layers_of(network, plan)}/"),
        ),
    }
    return training.Ensemble(
        lambda seed: build(network, plan, seed),
        seeds * len(rates),
        [task.dataset() for task in plan.targets] * len(rates),
        optimizer=how[optimizer](),
        strategy=page.strategy,
    )


def layers_of(network: str, plan: Plan) -> int:
    """How many layers with weights it has."""
    return max(2, plan.sizes[1] // 2) if network == "kan" else plan.sizes[1]


def build(network: str, plan: Plan, seed: int) -> keras.Model:
    """One network; a line for each kind."""
    width, depth = plan.sizes[0], layers_of(network, plan)
    return {
        "relu": lambda: models.Mlp(width, depth).build(seed),
        "siren": lambda: models.siren(width=width, depth=depth, omega_0=plan.omega_0, seed=seed),
        "kan": lambda: models.kan(width=width // 8, depth=depth, seed=seed),
    }[network]()


def report(plan: Plan, found: records.Found) -> records.Report:
    """Learning times of every setting, and how they grow with the frequency."""
    steps, magnitudes = found["magnitude"]
    runs = np.moveaxis(magnitudes, 0, 2)  # [settings, runs, steps, frequencies]
    curves = {
        tuple(setting): spectra.learning_curves(
            steps, plan.frequencies, own, where=records.learning.going(own)
        )
        for setting, own in zip(plan.settings, runs, strict=True)
    }
    losses = {key: found["loss"].values[:, i] for i, key in enumerate(curves)}
    named = dict(zip((s.name for s in plan.settings), curves.values(), strict=True))
    laws = [(*key, c.law.exponent, c.law.num_points) for key, c in curves.items()]
    columns = Setting._fields
    averaged = records.averaged(plan.num_runs)
    return records.Report(
        tables={
            **records.learning.curve_tables(curves, columns),
            **records.learning.loss_tables(steps, losses, columns),
            "laws": records.Table((*columns, "exponent", "num_frequencies"), laws),
        },
        figures={
            "learning_times": times_figure(plan, named),
            **{
                f"heat_maps_{network}_{optimizer}": maps_figure(plan, named, network, optimizer)
                for network, optimizer in dict.fromkeys(s[:2] for s in plan.settings)
            },
        },
        summary={
            "num_runs": plan.num_runs,
            "num_steps": plan.num_steps,
            "exponent": {name: c.law.exponent for name, c in named.items()},
            **found.speed(len(plan.settings) * plan.num_runs * plan.num_steps),
        },
        lines=[
            f"when the lowest and the highest frequency reach half, {averaged}, and the exponent",
            *(f"{name:<24}{told(plan, c)}" for name, c in named.items()),
        ],
        images_shown=100,
    )


def told(plan: Plan, curves: spectra.LearningCurves) -> str:
    """One line about a setting."""
    times, k = curves.times[0.5], plan.frequencies
    ends = (f"{k[i]:g} cycles per unit at {step(times[i])}" for i in (0, -1))
    return f"{'; '.join(ends)}; exponent {curves.law.exponent.text()}"


def step(time: spectra.Estimate) -> str:
    """A learning time as lines tell it."""
    return "never" if np.isinf(time.low) else time.text(",.0f")


def times_figure(plan: Plan, named: dict[str, spectra.LearningCurves]) -> Figure:
    """When each frequency reaches half, one panel for each network and optimiser."""
    draw = records.figures
    panels = []
    for kind in dict.fromkeys(s[:2] for s in plan.settings):
        own = [s for s in plan.settings if s[:2] == kind]
        series = [
            draw.Line.of(plan.frequencies, named[s.name].times[0.5], f"rate {i + 1}", "o-")
            for i, s in enumerate(own)
        ]
        panels.append(
            draw.Panel(
                series,
                "frequency [cycles per unit]",
                "step at which half is learned",
                name=", ".join(kind),
                ordered=True,
                yscale="log" if any(np.isfinite(line.y).any() for line in series) else "linear",
            )
        )
    title = f"Learning times, rates from the lowest: {records.averaged(plan.num_runs)}"
    return draw.line_panels(panels, title=title)


def maps_figure(
    plan: Plan, named: dict[str, spectra.LearningCurves], network: str, optimizer: str
) -> Figure:
    """Normalised magnitude by step, a panel for each rate."""
    own = [s for s in plan.settings if s[:2] == (network, optimizer)]
    return records.figures.heat_maps(
        plan.probed_at,
        plan.frequencies,
        {f"rate {s.learning_rate:g}": named[s.name].mean.value for s in own},
        title=f"{network}, {optimizer}: {records.averaged(plan.num_runs)}",
        last_row=plan.num_steps,
    )


if __name__ == "__main__":
    experiments.launch("own_models", plan, run, report)
