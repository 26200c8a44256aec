"""Is noise easier to fit on a curved manifold of images than on a flat one? Rahaman et al., Fig 19.

Experiment 8 (appendix A.6): 6-layer 256-unit ReLU networks regress white noise U(0, 1) on the
reconstructions of images by a denoising autoencoder, or by a variational one, and on flat clouds of
as many dimensions as its code has. The autoencoder is trained in the run. The paper's flat cloud is
smaller than the images, which alone could explain a difference; so two more have their scale.

    python launchers/mnist_manifold.py --alsologtostderr

takes about 2 minutes on 2 cores, on embedded digits of 8 x 8 pixels (not MNIST). The published
figure on MNIST with a code of 64, and about 15 minutes, if TFDS_DATA_DIR holds it:

    python launchers/mnist_manifold.py --flagfile=results/mnist_manifold/run.flags

With a variational autoencoder, whose code is drawn while it is trained
(results/mnist_manifold/variational):

    python launchers/mnist_manifold.py --autoencoder=variational

To see: which loss falls first, at equal scale (results/mnist_manifold).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import data, experiments, models, records, runtime, spectra, tasks, training
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

AUTOENCODERS = ("denoising", "variational")

FLAGS = flags.FLAGS
runtime.define_run_flags("mnist_manifold", reports=True)
runtime.define_data_flags("digits")
with runtime.flag_group("Clouds of points"):
    flags.DEFINE_integer(
        "num_samples", 500, "Number of reconstructed images, and of points of each cloud.", 2
    )
    flags.DEFINE_integer(
        "latent_dim", 16, "Dimensions of the code and of the clouds (paper: 64 of 784).", 1
    )
with runtime.flag_group("Autoencoder"):
    flags.DEFINE_enum(
        "autoencoder",
        "denoising",
        list(AUTOENCODERS),
        "Autoencoder: denoising or variational, a normal code whose mean is decoded.",
    )
    flags.DEFINE_integer("autoencoder_width", 512, "Units of its two hidden layers.", 1)
    flags.DEFINE_integer(
        "autoencoder_steps", 2_000, "Training steps, by Adam at a rate of 1e-3.", 1
    )
    flags.DEFINE_integer("autoencoder_batch_size", 256, "Images in a step of it.", 1)
    runtime.define_finite_float(
        "noise_std",
        0.3,
        "Standard deviation of the noise that a denoising one removes, of pixels in [0, 1].",
        at_least=0,
        at_most=1,
    )
    runtime.define_finite_float(
        "output_std",
        0.1,
        "Standard deviation of a variational one's normal outputs, of pixels in [0, 1].",
        at_least=0.001,
        at_most=10,
    )
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer("num_runs", 5, "Number of networks for each cloud (paper: 10).", 1)
    flags.DEFINE_integer("num_steps", 2_000, "Training steps of the networks.", 1)
    flags.DEFINE_integer("probe_every", 20, "Steps between two losses.", 1)
runtime.define_network_flags(models.ACTIVATIONS, models.PRECISIONS)

CLOUDS = ("manifold", "flat", "flat, same scale", "flat, same covariance")


class Autoencoder(NamedTuple):
    """How the autoencoder is built and trained."""

    kind: str
    latent_dim: int
    width: int
    noise_std: float
    output_std: float
    num_steps: int
    batch_size: int

    def build(self, input_dim: int, seed: int) -> keras.Model:
        """The autoencoder of a seed."""
        if self.kind == "denoising":
            return models.denoising_autoencoder(
                input_dim=input_dim,
                latent_dim=self.latent_dim,
                width=self.width,
                noise_std=self.noise_std,
                seed=seed,
            )
        return models.variational_autoencoder(
            input_dim=input_dim,
            latent_dim=self.latent_dim,
            width=self.width,
            output_std=self.output_std,
            seed=seed,
        )


class Plan(NamedTuple):
    """What is asked for."""

    dataset: experiments.Dataset
    num_samples: int
    autoencoder: Autoencoder
    num_runs: int
    network: models.Mlp
    learning_rate: float
    num_steps: int
    probed_at: list[int]


def plan() -> Plan:
    """Checks the flags; nothing is read yet."""
    idle = "output_std" if FLAGS.autoencoder == "denoising" else "noise_std"
    if FLAGS[idle].value != FLAGS[idle].default:  # As flagfiles repeat it.
        raise UserError(
            f"--{idle}",
            expected="an --autoencoder that it is for",
            got=f"{FLAGS[idle].value:g} with --autoencoder={FLAGS.autoencoder}",
            hint="leave it out",
        )
    return Plan(
        experiments.Dataset.of_flags(),
        FLAGS.num_samples,
        Autoencoder(
            FLAGS.autoencoder,
            FLAGS.latent_dim,
            FLAGS.autoencoder_width,
            FLAGS.noise_std,
            FLAGS.output_std,
            FLAGS.autoencoder_steps,
            FLAGS.autoencoder_batch_size,
        ),
        FLAGS.num_runs,
        models.Mlp(
            FLAGS.width, FLAGS.depth, FLAGS.activation, precision=FLAGS.precision or "float32"
        ),
        FLAGS.learning_rate,
        FLAGS.num_steps,
        training.every(FLAGS.num_steps, FLAGS.probe_every),
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains the autoencoder, then networks on its manifold and on flat clouds."""
    images = plan.dataset.training()
    refuse_sizes(plan, images)
    pixels, _ = images.arrays()
    inputs = data.to_unit(pixels).reshape(len(pixels), -1)
    originals = inputs[: plan.num_samples]
    if not np.ptp(originals, axis=0).any():
        raise UserError("--dataset", expected="images that differ", got="one", hint="see the data")
    page.begin(images.record(data.unit(images)))
    manifold, evidence = reconstructions(plan, page, inputs)
    clouds = make_clouds(plan, page.seed, manifold)
    runs = range(plan.num_runs)
    # Runs of one number share noise and initial weights between clouds.
    noise = [runtime.generator(page.seed, "noise", r).uniform(size=len(manifold)) for r in runs]
    network = dataclasses.replace(plan.network, input_dim=manifold.shape[1])
    members = training.Ensemble(
        network.build,
        page.seeds("init", plan.num_runs) * len(CLOUDS),
        [tasks.pairs(clouds[name][run], noise[run]) for name in CLOUDS for run in runs],
        optimizer=training.Adam(plan.learning_rate),
        strategy=page.strategy,
    )
    shape = (len(CLOUDS), plan.num_runs)
    found = page.follow(
        members,
        {
            "loss": training.Measure(
                lambda loop: loop.losses.reshape(shape), plan.probed_at, (CLOUDS, "run")
            )
        },
        charts={"loss": ["loss/.*"]},
        hparams={"images": images.title},
    )
    sizes = [tasks.scale(originals), *(tasks.scale(clouds[name][0]) for name in CLOUDS)]
    error = np.mean((manifold - originals) ** 2) / originals.var(axis=0).mean()
    found.facts |= {
        "dataset": images.title,
        "images": images.name,
        "shape": [side or 1 for side in images.shape],
        "sizes": np.array(sizes),
        "missed": float(error),
        "shown": np.stack([originals[:10], *(clouds[name][0][:10] for name in CLOUDS)]),
        **evidence,
    }
    return found


def refuse_sizes(plan: Plan, images: data.Images) -> None:
    """Raises a UserError for sizes that the images do not have."""
    asked = {
        "num_samples": plan.num_samples,
        "autoencoder_batch_size": plan.autoencoder.batch_size,
    }
    for name, number in asked.items():
        runtime.check_at_most(name, number, images.num_examples)
    if size := int(np.prod([side or 0 for side in images.shape])):
        most = min(size, plan.num_samples)
        runtime.check_at_most("latent_dim", plan.autoencoder.latent_dim, most)


def reconstructions(
    plan: Plan, page: experiments.Page, inputs: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The first images as the trained autoencoder gives them back, float32 [n, d].

    And facts of a variational one: `bound` of each of these images, in nats, [n], and `divergence`,
    its mean over them for each dimension of the code, [k].
    """
    asked = plan.autoencoder
    trained = training.Ensemble(
        lambda seed: asked.build(inputs.shape[1], seed),
        [runtime.derive_seed(page.seed, "autoencoder")],
        [tasks.pairs(inputs, inputs)],
        optimizer=training.Adam(1e-3),
        batch_size=asked.batch_size,
        batch_seeds=[runtime.derive_seed(page.seed, "autoencoder batches")],
        strategy=page.strategy,
    )
    variance = inputs.var(axis=0).mean()

    def missed(loop: training.TrainingLoop) -> np.ndarray:
        # A variational one's loss has its divergence beside the error.
        denoising = asked.kind == "denoising"
        share = (loop.losses if denoising else errors(loop.outputs, inputs)) / variance
        logging.info(
            "autoencoder: step %s, %.1f %% of the variance unexplained",
            f"{loop.ensemble.step:,}",
            100 * share[0],
        )
        return share

    at = training.every(asked.num_steps, max(1, asked.num_steps // 10))
    found, _ = page.train(
        "autoencoder",
        lambda: trained,
        {"unexplained_variance": training.Measure(missed, at, ("run",))},
        charts={"unexplained variance": ["unexplained_variance"]},
    )
    if found.fact("diverged"):
        raise UserError(
            "autoencoder",
            expected="a finite loss",
            got="one that is not",
            hint="see the images, or make it narrower",
        )
    originals = inputs[: plan.num_samples]
    outputs = trained.outputs(originals)[0]
    if asked.kind == "denoising":
        return outputs, {}
    draws = runtime.generator(page.seed, "draws of codes")
    bound = models.evidence_lower_bound(trained.member(0), originals, asked.output_std, draws)
    return outputs, {"bound": bound.bound, "divergence": bound.divergence.mean(axis=0)}


def errors(outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Mean squared errors of reconstructions [e, n, d] of inputs [n, d], shape [e]."""
    return np.array([np.mean((of_member - inputs) ** 2) for of_member in outputs])


def make_clouds(plan: Plan, seed: int, manifold: np.ndarray) -> dict[str, list[np.ndarray]]:
    """{cloud: points [n, d] of each run}; the flat ones are drawn anew for each."""
    size = plan.autoencoder.latent_dim
    makers = {
        "flat": lambda rng: tasks.flat(len(manifold), size, manifold.shape[1], rng),
        "flat, same scale": lambda rng: tasks.flat_of_scale(manifold, size, rng),
        "flat, same covariance": lambda rng: tasks.flat_of_covariance(manifold, size, rng),
    }
    clouds = {"manifold": [manifold] * plan.num_runs}
    for name, make in makers.items():
        clouds[name] = [
            make(runtime.generator(seed, "cloud", name, run)) for run in range(plan.num_runs)
        ]
    return clouds


def report(plan: Plan, found: records.Found) -> records.Report:
    """When half of the noise is fitted on each cloud, beside the scale of the clouds."""
    steps, losses = found["loss"]
    by_cloud = {(name,): losses[:, i] for i, name in enumerate(CLOUDS)}
    means = {name: records.learning.over_runs(loss) for (name,), loss in by_cloud.items()}
    sizes = [tasks.Scale(*row) for row in found.fact("sizes").tolist()]
    # Half of the noise's variance, 1 / 12, is fitted where the loss has fallen to 1 / 24.
    times = {
        name: spectra.crossing(steps, spectra.negative(mean), -1 / 24)
        for name, mean in means.items()
    }
    names, columns = ("images themselves", *CLOUDS), ("cloud",)
    return records.Report(
        tables={
            **records.learning.loss_tables(steps, by_cloud, columns),
            "scale": records.Table(
                (*columns, *tasks.Scale._fields),
                [(name, *size) for name, size in zip(names, sizes, strict=True)],
            ),
        },
        figures={
            "losses": records.figures.curves(
                steps,
                means,
                ylabel="loss (MSE)",
                title=f"White noise on {found.fact('images')}, {records.averaged(plan.num_runs)}",
            ),
            **points_of_clouds(plan, found),
        },
        summary={
            "dataset": found.fact("dataset"),
            "autoencoder": plan.autoencoder.kind,
            "num_runs": plan.num_runs,
            "num_steps": plan.num_steps,
            "share_of_variance_the_autoencoder_misses": found.fact("missed"),
            **evidence_numbers(found),
            "half_fitted_at_step": times,
            "final_loss": {name: mean[-1] for name, mean in means.items()},
            **found.speed(losses[0].size * plan.num_steps),
        },
        lines=[
            f"step at which half of the noise is fitted, on points of {found.fact('dataset')}:",
            *(
                f"{name:>22}: {times[name].text(',.0f', never='not reached')}; norm "
                f"{size.rms_norm:.2f}, distance {size.rms_distance:.2f}, to the nearest "
                f"{size.nearest_distance:.2f}, {size.dimensions:.1f} dimensions"
                for name, size in zip(CLOUDS, sizes[1:], strict=True)
            ),
            *evidence_lines(found),
        ],
    )


def evidence_numbers(found: records.Found) -> dict[str, Any]:
    """Of a variational autoencoder: bound and divergence in nats, and dimensions that are used.

    The images are the first that it was trained on, so that of unseen ones it may be lower. The
    interval is over images; the one autoencoder is held fixed. A dimension is used where its
    divergence is above 0.01 nats: else it says nothing of the image.
    """
    if "bound" not in found.facts:
        return {}
    divergence = np.asarray(found.fact("divergence"))
    return {
        "evidence_lower_bound_nats": spectra.mean_over_runs(found.fact("bound"), unit="images"),
        "divergence_nats": float(divergence.sum()),
        "code_dimensions_in_use": int(np.sum(divergence > 0.01)),
    }


def evidence_lines(found: records.Found) -> list[str]:
    """What the screen says of them."""
    if not (numbers := evidence_numbers(found)):
        return []
    bound = numbers["evidence_lower_bound_nats"].text(",.0f")
    return [
        f"evidence lower bound {bound} nats an image that it was trained on, from which the "
        f"divergence of the code takes {numbers['divergence_nats']:.1f}; "
        f"{numbers['code_dimensions_in_use']} of "
        f"{len(found.fact('divergence'))} dimensions of the code are used"
    ]


def points_of_clouds(plan: Plan, found: records.Found) -> dict[str, Figure]:
    """Ten points of each cloud as images, if they are."""
    if len(shape := found.fact("shape")) != 3:
        return {}
    rows = dict(zip(("images", *CLOUDS), found.fact("shown"), strict=True))
    return {
        "reconstructions": records.figures.image_rows(
            {name: points.reshape(-1, *shape) for name, points in rows.items()},
            title=f"Points of each cloud, {found.fact('images')}",
        )
    }


if __name__ == "__main__":
    experiments.launch("mnist_manifold", plan, run, report)
