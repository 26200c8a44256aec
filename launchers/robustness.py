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

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from spectral_tf import (
    experiments,
    models,
    probes,
    progress,
    records,
    runtime,
    spectra,
    tasks,
    training,
)
from spectral_tf.errors import UserError
from spectral_tf.spectra.learning import POINTS_FOR_POWER_LAW

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLAGS = flags.FLAGS
runtime.define_run_flags("robustness", reports=True)
with runtime.flag_group("Networks to perturb"):
    flags.DEFINE_string(
        "from_run",
        "",
        "Finished run of lf_first (or its state file) whose networks are taken; default: they are "
        "trained here.",
    )
    flags.DEFINE_integer(
        "num_runs", 0, "Number of networks; 0: all of --from_run, or 3 trained here.", 0
    )
    flags.DEFINE_integer("num_steps", 20_000, "Training steps, without --from_run.", 1)
    flags.DEFINE_list(
        "frequencies",
        [],
        "Frequencies, whole cycles per unit; default: the run's, or 5,10,...,50.",
    )
    flags.DEFINE_integer("num_samples", 200, "Points of the grid, without --from_run.", 3)
runtime.define_network_flags(models.ACTIVATIONS, models.PRECISIONS)
with runtime.flag_group("Perturbations"):
    runtime.define_finite_float(
        "max_norm",
        5.0,
        "Largest L2 norm of a perturbation of the weights.",
        at_least=1e-12,
        at_most=1e6,
    )
    flags.DEFINE_integer("num_norms", 100, "Number of norms from 0 to --max_norm.", 2)
    flags.DEFINE_integer("num_directions", 100, "Number of random directions for each norm.", 1)
    flags.DEFINE_bool(
        "shared_directions", False, "Directions that are the same for all norms (smoother)."
    )
    flags.DEFINE_integer("block_size", 8, "Number of perturbed networks in memory at once.", 1)

TRAINING_FLAGS = (
    *("num_steps", "num_samples", "width", "depth", "activation", "learning_rate", "precision"),
)


class Plan(NamedTuple):
    """What is asked for.

    Attributes:
      networks: of a finished run; None: some are trained first.
      targets: of those that are trained, one each.
      network, num_steps, learning_rate: of them.
      num_networks: that are measured.
      frequencies, norms, num_directions: at which, and how often.
      num_samples: points of the grid.
      shared_directions, block_size: as for `probes.perturbed_outputs`.
    """

    networks: records.TrainedNetworks | None
    targets: list[tasks.SumOfSines]
    network: models.Mlp
    num_steps: int
    learning_rate: float
    num_networks: int
    frequencies: list[int]
    norms: np.ndarray
    num_directions: int
    num_samples: int
    shared_directions: bool
    block_size: int


def plan() -> Plan:
    """Checks the flags, and the run that they name."""
    networks = runs_networks() if FLAGS.from_run else None
    values = networks.flags if networks else {n: FLAGS[n].value for n in TRAINING_FLAGS}
    present = networks.flags["frequencies"].split(",") if networks else range(5, 51, 5)
    frequencies = runtime.parse_ints(
        "frequencies", FLAGS.frequencies or [str(word) for word in present]
    )
    if networks and (strange := set(frequencies) - set(map(int, present))):
        raise UserError(
            "--frequencies",
            expected=f"some of the run's {','.join(map(str, present))}",
            got=",".join(map(str, sorted(strange))),
            hint="leave it out to take all of them",
        )
    count = FLAGS.num_runs or (networks.num_networks if networks else 3)
    num_samples = int(values["num_samples"])
    targets = experiments.sines_of_runs(count, frequencies, num_samples, FLAGS.seed)
    return Plan(
        networks,
        targets,
        models.Mlp(
            int(values["width"]),
            int(values["depth"]),
            str(values["activation"]),
            precision=values.get("precision") or "float32",
        ),
        FLAGS.num_steps,
        FLAGS.learning_rate,
        count,
        frequencies,
        np.linspace(0.0, FLAGS.max_norm, FLAGS.num_norms),
        FLAGS.num_directions,
        num_samples,
        FLAGS.shared_directions,
        FLAGS.block_size,
    )


def runs_networks() -> records.TrainedNetworks:
    """The networks of `--from_run`, or a UserError."""
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
    if "target" in networks.flags:
        raise UserError(
            "--from_run",
            expected="a run on sums of sines",
            got=f"one on --target={networks.flags['target']}",
            hint="make it without --target",
        )
    for name in TRAINING_FLAGS:
        if name not in networks.flags and name != "precision":  # Without it: float32.
            raise UserError(
                "--from_run",
                expected=f"run.flags with --{name}",
                got=f"{FLAGS.from_run}/run.flags without",
                hint="bring a whole copy of it back",
            )
    if FLAGS.num_runs > networks.num_networks:
        raise UserError(
            "--num_runs",
            expected=f"at most {networks.num_networks}, the networks of {FLAGS.from_run}",
            got=FLAGS.num_runs,
            hint="0 takes all of them",
        )
    return networks


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Measures one network after the other, of a run or trained here."""
    page.begin({"networks_sha256": plan.networks.digest} if plan.networks else None)
    if plan.networks:
        weights, states = plan.networks.weights, plan.networks.states
    else:
        weights, states = trained(plan, page), []
    model = plan.network.build(0)
    inputs = (np.arange(plan.num_samples) / plan.num_samples).astype(np.float32)[:, None]

    def ratios(run: int) -> dict[str, np.ndarray]:
        """Of one network by norm and frequency, shape [2, p, m]."""
        own, its_states = [w[run] for w in weights], [s[run] for s in states]
        whole = probes.stacked_outputs(
            model, [w[None] for w in own], [s[None] for s in its_states], inputs
        )
        moved = probes.perturbed_outputs(
            model,
            own,
            its_states,
            inputs,
            plan.norms,
            plan.num_directions,
            seed=runtime.derive_seed(page.seed, "directions", run),
            shared=plan.shared_directions,
            block_size=plan.block_size,
            strategy=page.strategy,
        )
        left = spectra.attenuation(moved[..., 0], whole.numpy()[0, :, 0], plan.frequencies)
        return {"ratios": np.stack(left)}

    measured = [
        page.once(f"network_{i:03d}", functools.partial(ratios, i))["ratios"]
        for i in progress.track(range(plan.num_networks), "perturbed network")
    ]
    return records.Found(facts={"ratios": np.array(measured), "seconds": page.seconds})


def trained(plan: Plan, page: experiments.Page) -> list[np.ndarray]:
    """The weights of networks trained here as lf_first does; only their loss is followed."""
    members = training.Ensemble(
        plan.network.build,
        page.seeds("init", plan.num_networks),
        [target.dataset() for target in plan.targets],
        optimizer=training.Adam(plan.learning_rate),
        strategy=page.strategy,
    )
    at = training.every(plan.num_steps, 1_000)
    loss = training.Measure(lambda loop: loop.losses, at, ("run",))
    found = page.follow(members, {"loss": loss}, charts={"loss": ["loss"]})
    if diverged := found.fact("diverged"):
        raise UserError(
            "robustness",
            expected="networks with a finite loss",
            got=f"diverged, {{run: step}}: {diverged}",
            hint="lower the learning rate",
        )
    return members.weights


def report(plan: Plan, found: records.Found) -> records.Report:
    """What is left of each frequency, and the norm that leaves half."""
    ratios, norms, frequencies = found.fact("ratios"), plan.norms, plan.frequencies
    magnitude, function = (records.learning.over_runs(ratios[:, i], axis=0) for i in (0, 1))
    # Ratios fall: what rises through -1/2 is their negative.
    half = spectra.crossing(norms, spectra.negative(magnitude), -0.5)
    law = spectra.power_law_over_runs(
        frequencies,
        lambda runs: spectra.half_attenuation_norms(norms, runs.mean(axis=0)),
        ratios[:, 0],
    )
    count = f"{len(ratios)} networks, {plan.num_directions} directions"
    never = f"more than {norms[-1]:g}"
    return records.Report(
        tables={
            "robustness": records.tidy(
                {"perturbation_norm": norms, "frequency": frequencies},
                ratio_mean_magnitude=magnitude,
                ratio_mean_function=function,
            ),
            "half_attenuation_norms": records.tidy(
                {"frequency": frequencies}, half_attenuation_norm=half
            ),
        },
        figures=figures(plan, magnitude, function, half, law, count),
        summary={
            "num_runs": len(ratios),
            "half_attenuation_exponent": law.exponent.record(),
            "half_attenuation_num_frequencies": law.num_points,
            "half_attenuation_norm": {str(k): half[j].record() for j, k in enumerate(frequencies)},
            "ratio_at_largest_norm": {
                str(k): magnitude[-1, j].record() for j, k in enumerate(frequencies)
            },
        },
        lines=[
            *records.estimate_lines(
                f"norm that leaves half of a frequency, mean of {count}",
                {f"k = {k}": half[j] for j, k in enumerate(frequencies)},
                never=never,
            ),
            f"no power law: {law.num_points} of {len(frequencies)} frequencies halved, "
            f"{POINTS_FOR_POWER_LAW} needed"
            if np.isnan(law.exponent.value)
            else f"it goes as frequency^{law.exponent.text()}, from {law.num_points} of "
            f"{len(frequencies)} frequencies",
        ],
    )


def figures(
    plan: Plan,
    magnitude: spectra.Estimate,
    function: spectra.Estimate,
    half: spectra.Estimate,
    law: spectra.PowerLaw,
    count: str,
) -> dict[str, Figure]:
    """Fig 3, the same as curves, and the norms that leave half."""
    draw, norms, frequencies = records.figures, plan.norms, plan.frequencies
    return {
        "heat_map": draw.heat_maps(
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
        "curves": draw.lines(
            [draw.Line.of(norms, magnitude[:, j], f"k = {k}") for j, k in enumerate(frequencies)],
            xlabel="perturbation norm",
            ylabel="ratio of mean magnitudes",
            title=f"What is left of each frequency: {count}",
            ordered=True,
        ),
        "half_attenuation_norms": draw.learning_time_plot(
            np.asarray(frequencies),
            {0.5: half},
            law=law,
            title="The norm that leaves half of each frequency",
            ylabel="half-attenuation norm",
        ),
    }


if __name__ == "__main__":
    experiments.launch("robustness", plan, run, report)
