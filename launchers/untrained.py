"""Which frequencies does a network have before it has learned any? Depth, activation, scale.

Networks are built and not trained. Their inputs lie on the unit circle of the plane, so that what
they compute is periodic and its spectrum needs no window; the weights of all layers (not the
biases) are multiplied by a scale. Of each network the mean frequency is taken, by power, in cycles
per turn (`spectra.mean_frequency`), and averaged over networks.

    python launchers/untrained.py --alsologtostderr

takes about half a minute on 2 cores. To see: at the usual scale every network is near one cycle;
those of ReLU and GELU stay below two at any depth and scale, those of tanh and sines get faster
with every layer once weights are four times as large (results/untrained).
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import experiments, models, probes, progress, records, runtime, spectra, tasks

if TYPE_CHECKING:
    from spectral_tf.records.figures import Panel

FLAGS = flags.FLAGS
runtime.define_run_flags("untrained", reports=True)
with runtime.flag_group("Networks"):
    flags.DEFINE_list(
        "depths", [2, 3, 4, 6, 8], "Numbers of linear layers, the output layer included."
    )
    flags.DEFINE_list(
        "activations", ["relu", "tanh", "gelu", "sine"], "Activations after each hidden layer."
    )
    flags.DEFINE_list("scales", [1, 2, 4, 8], "Factors by which all weights are multiplied.")
    flags.DEFINE_integer("width", 64, "Units of each hidden layer.", 1)
    flags.DEFINE_integer("num_networks", 32, "Number of networks of each depth and activation.", 2)
    flags.DEFINE_integer("num_samples", 1_024, "Points of the circle.", 8)


class Plan(NamedTuple):
    """What is asked for."""

    networks: dict[tuple[str, int], models.Mlp]  # By activation and depth.
    scales: list[float]
    num_networks: int
    num_samples: int


def plan() -> Plan:
    """Checks the flags."""
    depths = runtime.parse_ints("depths", FLAGS.depths)
    runtime.check_at_least("depths", min(depths), 1)
    activations = runtime.parse_choices("activations", FLAGS.activations, models.ACTIVATIONS)
    return Plan(
        {
            (activation, depth): models.Mlp(FLAGS.width, depth, activation, input_dim=2)
            for activation, depth in itertools.product(activations, depths)
        },
        runtime.parse_floats("scales", FLAGS.scales, above=0.0),
        FLAGS.num_networks,
        FLAGS.num_samples,
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Samples every network on the circle at every scale."""
    page.begin()
    turns = np.arange(plan.num_samples) / plan.num_samples
    circle = tasks.Flower(0)(turns).astype(np.float32)

    def mean_frequencies(network: models.Mlp) -> dict[str, np.ndarray]:
        """Of each network at each scale, and the share of its power that may be folded, [s, n]."""
        built = [network.build(seed) for seed in page.seeds("init", plan.num_networks)]
        stacked = [
            np.stack([np.asarray(v) for v in of_networks])
            for of_networks in zip(*(m.trainable_variables for m in built), strict=True)
        ]
        functions = np.stack(
            [
                # Kernels have a row for each input, biases none: [networks, inputs, outputs].
                probes.stacked_outputs(
                    built[0], [w * scale if w.ndim > 2 else w for w in stacked], [], circle
                ).numpy()[..., 0]
                for scale in plan.scales
            ]
        )
        power = spectra.magnitudes(functions)[..., 1:] ** 2
        high = power[..., power.shape[-1] // 2 :].sum(axis=-1) / power.sum(axis=-1)
        return {"mean_frequency": spectra.mean_frequency(functions), "share_near_nyquist": high}

    found = [
        page.once(f"{activation}_{depth}", functools.partial(mean_frequencies, network))
        for (activation, depth), network in progress.track(plan.networks.items(), "setting")
    ]
    facts = {name: np.stack([one[name] for one in found]) for name in found[0]}
    return records.Found(facts={**facts, "seconds": page.seconds})


def report(plan: Plan, found: records.Found) -> records.Report:
    """Mean frequencies over networks, against depth."""
    # [settings, scales, networks] -> an estimate for each setting and scale.
    mean = records.learning.over_runs(np.moveaxis(found.fact("mean_frequency"), -1, 0), axis=0)
    share = found.fact("share_near_nyquist").mean(axis=-1)
    rows = [
        (*key, scale, mean[i, j], share[i, j])
        for i, key in enumerate(plan.networks)
        for j, scale in enumerate(plan.scales)
    ]
    columns = ("activation", "depth", "scale", "mean_frequency", "share_near_nyquist")
    return records.Report(
        tables={"mean_frequencies": records.Table(columns, rows)},
        figures={
            "mean_frequency": records.figures.line_panels(
                panels(plan, mean),
                title=f"Untrained networks on a circle, mean of {plan.num_networks}",
            )
        },
        summary={
            "num_networks": plan.num_networks,
            "largest_share_near_nyquist": float(share.max()),
            "mean_frequency": {f"{a}, {d} layers, x {s:g}": m for a, d, s, m, _ in rows},
        },
        lines=records.estimate_lines(
            "mean frequency in cycles per turn (* more than 5 % of the power may be folded)",
            {f"{a}, {d} layers, x {s:g}" + ("*" if h > 0.05 else ""): m for a, d, s, m, h in rows},
        ),
    )


def panels(plan: Plan, mean: spectra.Estimate) -> list[Panel]:
    """One for each activation, a curve for each scale."""
    draw, drawn = records.figures, []
    for activation in dict.fromkeys(activation for activation, _ in plan.networks):
        own = [i for i, (name, _) in enumerate(plan.networks) if name == activation]
        depths = [depth for name, depth in plan.networks if name == activation]
        lines = [
            draw.Line.of(depths, mean[own, j], f"weights x {scale:g}", colour=colour)
            for j, (scale, colour) in enumerate(
                zip(plan.scales, draw.shades(len(plan.scales)), strict=True)
            )
        ]
        ylabel = "mean frequency [cycles per turn]"
        drawn.append(draw.Panel(lines, "layers", ylabel, name=activation, yscale="log"))
    return drawn


if __name__ == "__main__":
    experiments.launch("untrained", plan, run, report, growing=("depths", "activations"))
