"""What lower precision of the products changes in learning times, and what it saves.

The same networks (initial weights, phases of the target) learn the same sums of sines as in
`lf_first`, with products of float32, of factors rounded to bfloat16, and of three such products
(`models.products`). A fourth group is the control: float32 as well, summed in another order, so
that all that differs are last bits; what these do by themselves is no effect of a precision.
Learning times are read for every run and frequency, and compared as ratios within a run.

    python launchers/precision.py --alsologtostderr

takes about 11 minutes on 2 busy cores (5 runs of 3,000 steps). Intervals are narrower by

    python launchers/precision.py --num_runs=20 --num_steps=6000 --workdir=runs/precision_20

To see: whether the ratios of a precision differ from 1 by more than those of the control, and how
many times as fast it is here (results/precision).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import experiments, models, records, runtime, spectra, tasks, training
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLAGS = flags.FLAGS
runtime.define_run_flags("precision", reports=True)
with runtime.flag_group("Comparison"):
    flags.DEFINE_list(
        "precisions",
        list(models.PRECISIONS[1:]),
        f"Precisions compared with float32: some of {', '.join(models.PRECISIONS[1:])}.",
    )
    flags.DEFINE_list(
        "frequencies", list(range(5, 51, 5)), "Frequencies of the sines, in cycles per unit."
    )
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer("num_runs", 5, "Number of networks for each precision.", 2)
    flags.DEFINE_integer("num_steps", 3_000, "Training steps of each network.", 1)
    flags.DEFINE_integer("probe_every", 50, "Steps between two spectra.", 1)
    flags.DEFINE_integer("num_samples", 200, "Points of the grid.", 3)
with runtime.flag_group("Network"):
    flags.DEFINE_integer("width", 256, "Units of each hidden layer; below 64 all is float32.", 64)
    flags.DEFINE_integer("depth", 6, "Linear layers, the output layer included.", 3)
    runtime.define_learning_rate_flag()

EXACT, CONTROL = "float32", "float32, other last bits"
LEVEL = 0.5  # Of the normalised magnitude: learned.


class Plan(NamedTuple):
    """What is asked for."""

    groups: list[str]  # Float32, its control, and the precisions.
    targets: list[tasks.SumOfSines]
    network: models.Mlp
    num_steps: int
    probed_at: list[int]
    learning_rate: float


def plan() -> Plan:
    """Checks the flags."""
    precisions = runtime.parse_choices("precisions", FLAGS.precisions, models.PRECISIONS)
    if EXACT in precisions:
        raise UserError(
            "--precisions", expected="others than float32", got=EXACT, hint="it is always trained"
        )
    frequencies = runtime.parse_ints("frequencies", FLAGS.frequencies)
    return Plan(
        [EXACT, CONTROL, *precisions],
        experiments.sines_of_runs(FLAGS.num_runs, frequencies, FLAGS.num_samples, FLAGS.seed),
        models.Mlp(FLAGS.width, FLAGS.depth),
        FLAGS.num_steps,
        training.every(FLAGS.num_steps, FLAGS.probe_every),
        FLAGS.learning_rate,
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains all groups in step; everything is recorded as [groups, ...]."""
    page.begin()
    target, count = plan.targets[0], len(plan.targets)
    members = training.Ensembles([ensemble(plan, page, group) for group in plan.groups])
    shape = (len(plan.groups), count)

    def magnitudes(loop: training.TrainingLoop) -> np.ndarray:
        outputs = loop.outputs[..., 0].reshape(*shape, -1)
        return target.magnitudes(outputs)

    at = plan.probed_at
    return page.follow(
        members,
        {
            "magnitude": training.Measure(magnitudes, at),
            "loss": training.Measure(lambda s: s.losses.reshape(shape), at, (plan.groups, "run")),
            "seconds": training.Measure(lambda _: np.array(members.seconds), at),
        },
        charts={"loss": [f"loss/{group}" for group in plan.groups]},
    )


def ensemble(plan: Plan, page: experiments.Page, group: str) -> training.Ensemble:
    """The runs in one precision; all groups have the same seeds and targets.

    One member in a block is summed in another order than several: last bits differ. No other group
    has a block of one: blocks are even, and of at most three if the runs are odd in number.
    """
    control = group == CONTROL
    network = dataclasses.replace(plan.network, precision=EXACT if control else group)
    return training.Ensemble(
        network.build,
        page.seeds("init", len(plan.targets)),
        [target.dataset() for target in plan.targets],
        optimizer=training.Adam(plan.learning_rate),
        strategy=page.strategy,
        block_size=1 if control else 2 + len(plan.targets) % 2,
    )


def report(plan: Plan, found: records.Found) -> records.Report:
    """Ratios of learning times within runs, and rates."""
    steps, magnitudes = found["magnitude"]
    # [steps, groups, runs, k] -> [groups, runs, k].
    times = spectra.learning_times(steps, np.moveaxis(magnitudes, 0, 2), LEVEL)
    learned = np.isfinite(times).all(axis=(0, 1))
    k = np.asarray(plan.targets[0].frequencies)
    ratios = {
        group: ratios_of(times[i][:, learned] / times[0][:, learned])
        for i, group in enumerate(plan.groups)
        if i and learned.any()
    }
    per_second = len(plan.targets) * found["seconds"].rates()
    rates = dict(zip(plan.groups, per_second.tolist(), strict=True))
    return records.Report(
        tables={
            "precision": shifts_and_rates({g: whole for g, (whole, _) in ratios.items()}, rates),
            "learning_time_ratios": records.Table(
                ("precision", "frequency", "learning_time_ratio"),
                [
                    (group, int(k_i), one)
                    for group, (_, each) in ratios.items()
                    for k_i, one in zip(k[learned], each, strict=True)
                ],
            ),
            "learning_times": records.tidy(
                {"precision": plan.groups, "run": range(len(plan.targets)), "frequency": k},
                step=times,
            ),
            **records.learning.loss_tables(
                steps,
                {(g,): found["loss"].values[:, i] for i, g in enumerate(plan.groups)},
                ("precision",),
            ),
        },
        figures={"learning_time_ratios": figure(plan, k[learned], ratios)} if ratios else {},
        summary={
            "num_runs": len(plan.targets),
            "num_steps": plan.num_steps,
            "frequencies_learned_by_all": k[learned].tolist(),
            "learning_time_ratio": {group: whole.record() for group, (whole, _) in ratios.items()},
            "member_steps_per_second": rates,
            "diverged_at_step": found.facts["diverged"],
        },
        lines=[
            f"learning times over float32's, on {learned.sum()} of {k.size} frequencies:",
            *(line(group, whole, rates) for group, (whole, _) in ratios.items()),
            *unchanged(magnitudes),
        ],
    )


def shifts_and_rates(ratios: dict[str, spectra.Estimate], rates: dict[str, float]) -> records.Table:
    """Of each precision what it changes, and what it saves."""
    columns = ("precision", "learning_time_ratio", "p_holm")
    p_values = [p for whole in ratios.values() if (p := whole.p_value) is not None]
    return records.Table(
        (*columns, "member_steps_per_second", "times_as_fast"),
        [
            (group, whole, p, rates[group], rates[group] / rates[EXACT])
            for (group, whole), p in zip(ratios.items(), spectra.holm(p_values), strict=True)
        ],
    )


def unchanged(magnitudes: np.ndarray) -> list[str]:
    """A line for each run whose control differs in no bit, of [steps, groups, runs, k]."""
    exact, control = magnitudes[:, 0], magnitudes[:, 1]
    return [
        f"run {run}: the control differs in no bit, and says nothing"
        for run in range(exact.shape[1])
        if np.array_equal(exact[:, run], control[:, run], equal_nan=True)
    ]


def line(group: str, ratio: spectra.Estimate, rates: dict[str, float]) -> str:
    """What is said of a precision at the end."""
    return f"{group:<25}{ratio.text('.4f')}, {rates[group] / rates[EXACT]:.2f} times as fast"


def ratios_of(ratios: np.ndarray) -> tuple[spectra.Estimate, list[spectra.Estimate]]:
    """Over all frequencies, and of each, from those of runs and frequencies, [runs, k].

    What varies: runs, each with itself in the other precision.
    """
    over_all = np.exp(np.log(ratios).mean(axis=1))
    return (
        spectra.paired_ratio(over_all, unit="runs"),
        [spectra.paired_ratio(of_k, unit="runs") for of_k in ratios.T],
    )


def figure(
    plan: Plan,
    frequencies: np.ndarray,
    ratios: dict[str, tuple[spectra.Estimate, list[spectra.Estimate]]],
) -> Figure:
    """The ratios by frequency, with intervals."""
    points = {
        group: {"mean of runs": [(f"{k:g}", one) for k, one in zip(frequencies, each, strict=True)]}
        for group, (_, each) in ratios.items()
    }
    return records.figures.setting_plot(
        points,
        ylabel="learning time over that of float32",
        title="Learning times by frequency [cycles per unit]: "
        + records.averaged(len(plan.targets)),
    )


if __name__ == "__main__":
    experiments.launch("precision", plan, run, report)
