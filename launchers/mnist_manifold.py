"""Is noise easier to fit on a curved manifold of images than on a flat one? Rahaman et al., Fig 19.

Experiment 8 (appendix A.6): 6-layer 256-unit ReLU networks regress white noise U(0, 1) on the
reconstructions of images by a denoising autoencoder, and on flat clouds of as many dimensions as
its code has. The autoencoder is trained in the run. The paper's flat cloud is smaller than the
images, which alone could explain a difference; so two more have their scale.

    python launchers/mnist_manifold.py --alsologtostderr

takes about 2 minutes on 2 cores, on embedded digits of 8 x 8 pixels (not MNIST). The published
figure on MNIST with a code of 64, and about 15 minutes, if TFDS_DATA_DIR holds it:

    python launchers/mnist_manifold.py --flagfile=results/mnist_manifold/run.flags

To see: which loss falls first, at equal scale (results/mnist_manifold).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from absl import flags, logging

from spectral_tf import data, models, records, runtime, spectra, tasks
from spectral_tf.errors import UserError

if TYPE_CHECKING:
    import keras

    from spectral_tf.training.session import Session

FLAGS = flags.FLAGS
runtime.define_run_flags("mnist_manifold")
runtime.define_data_flags("digits")
flags.DEFINE_integer("num_samples", 500, "Reconstructed images, and points of each cloud.", 2)
flags.DEFINE_integer("code_size", 16, "Dimensions of code and clouds (paper: 64 of 784).", 1)
flags.DEFINE_integer("autoencoder_width", 512, "Units of its two hidden layers.", 1)
flags.DEFINE_integer("autoencoder_steps", 2_000, "Its training steps (Adam 1e-3, batches).", 1)
flags.DEFINE_integer("autoencoder_batch_size", 256, "Images in a batch of it.", 1)
runtime.define_finite_float(
    "corruption", 0.3, "Deviation of the noise it removes.", at_least=0, at_most=1
)
flags.DEFINE_integer("num_runs", 5, "Networks for each cloud (paper: 10).", 1)
flags.DEFINE_integer("num_steps", 2_000, "Training steps of the networks.", 1)
flags.DEFINE_integer("probe_every", 20, "Steps between two losses.", 1)
runtime.define_network_flags(models.ACTIVATIONS)

CLOUDS = ("manifold", "flat", "flat, same scale", "flat, same covariance")


def main() -> None:
    """Runs the experiment that the flags describe."""
    folder = runtime.run_folder("mnist_manifold")
    images = data.find_images(FLAGS.dataset, **runtime.data_places())
    for name in ("num_samples", "autoencoder_batch_size"):
        runtime.refuse_above(name, FLAGS[name].value, images.num_examples)
    size = int(np.prod([side or 0 for side in images.shape]))
    if size:
        runtime.refuse_above("code_size", FLAGS.code_size, min(size, FLAGS.num_samples))
    pixels, _ = images.arrays()
    inputs = data.to_unit(pixels).reshape(len(pixels), -1)
    if not np.ptp(inputs[: FLAGS.num_samples], axis=0).any():
        raise UserError("--dataset", expected="images that differ", got="one", hint="see the data")

    from spectral_tf.models.mlp import mlp
    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.adam import Adam
    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.session import Session, probe_steps

    strategy = make_strategy(FLAGS.strategy, FLAGS.tpu)
    folder.start(environment(strategy, FLAGS.seed, images.record(data.unit(images))))
    manifold = reconstructions(inputs, folder)
    clouds = make_clouds(manifold)
    sizes = {"images themselves": tasks.scale(inputs[: FLAGS.num_samples])}
    sizes |= {name: tasks.scale(clouds[name][0]) for name in CLOUDS}

    def build(seed: int) -> keras.Model:
        return mlp(
            width=FLAGS.width,
            depth=FLAGS.depth,
            input_dim=manifold.shape[1],
            activation=FLAGS.activation,
            seed=seed,
        )

    runs = range(FLAGS.num_runs)
    # Runs of one number share noise and initial weights between clouds.
    noise = [runtime.generator(FLAGS.seed, "noise", r).uniform(size=len(manifold)) for r in runs]
    inits = [runtime.derive_seed(FLAGS.seed, "init", run) for run in runs]
    ensemble = Ensemble(
        build,
        inits * len(CLOUDS),
        [tasks.pairs(clouds[name][run], noise[run]) for name in CLOUDS for run in runs],
        optimizer=Adam(FLAGS.learning_rate),
        strategy=strategy,
    )
    steps = probe_steps(FLAGS.num_steps, FLAGS.probe_every)
    session = Session(ensemble, folder, steps, FLAGS.save_every_seconds, "mnist_manifold")
    if not session.resumed:
        settings = {**runtime.settings(), "dataset": images.title}
        session.board.describe(settings, {"loss": ["loss/.*"]})
    for step in session:
        losses = session.losses.reshape(len(CLOUDS), FLAGS.num_runs)
        session.history.add("loss", step, losses)
        session.board.scalars(
            {f"loss/{name}": np.nanmean(row) for name, row in zip(CLOUDS, losses, strict=True)},
            step,
        )
    if folder.writes:
        report(session, folder, inputs, clouds, sizes, images)
    session.wait_for_all()


def reconstructions(inputs: np.ndarray, folder: records.RunFolder) -> np.ndarray:
    """The first images as the trained autoencoder gives them back, float32 [n, d]."""
    import tensorflow as tf

    from spectral_tf.models.autoencoder import denoising_autoencoder
    from spectral_tf.training.adam import Adam
    from spectral_tf.training.ensemble import Ensemble
    from spectral_tf.training.session import Session, probe_steps

    trained = Ensemble(
        lambda seed: denoising_autoencoder(
            input_dim=inputs.shape[1],
            code_size=FLAGS.code_size,
            width=FLAGS.autoencoder_width,
            noise=FLAGS.corruption,
            seed=seed,
        ),
        [runtime.derive_seed(FLAGS.seed, "autoencoder")],
        [tf.data.Dataset.from_tensor_slices((inputs, inputs))],
        optimizer=Adam(1e-3),
        batch_size=FLAGS.autoencoder_batch_size,
        batch_seeds=[runtime.derive_seed(FLAGS.seed, "autoencoder batches")],
        strategy=tf.distribute.get_strategy(),
    )
    shown = inputs[: FLAGS.num_samples]
    steps = probe_steps(FLAGS.autoencoder_steps, max(1, FLAGS.autoencoder_steps // 10))
    part = folder.part("autoencoder")
    session = Session(trained, part, steps, FLAGS.save_every_seconds, "autoencoder")
    for step in session:
        missed = session.losses[0] / inputs.var(axis=0).mean()
        session.board.scalars({"unexplained_variance": missed}, step)
        logging.info(
            "autoencoder: step %s, %.1f %% of the variance unexplained", f"{step:,}", 100 * missed
        )
    session.save()
    return trained.outputs(shown)[0]


def make_clouds(manifold: np.ndarray) -> dict[str, list[np.ndarray]]:
    """{cloud: points [n, d] of each run}; the flat ones are drawn anew for each."""
    makers = {
        "flat": lambda rng: tasks.flat(len(manifold), FLAGS.code_size, manifold.shape[1], rng),
        "flat, same scale": lambda rng: tasks.flat_of_scale(manifold, FLAGS.code_size, rng),
        "flat, same covariance": lambda rng: tasks.flat_of_covariance(
            manifold, FLAGS.code_size, rng
        ),
    }
    clouds = {"manifold": [manifold] * FLAGS.num_runs}
    for name, make in makers.items():
        clouds[name] = [
            make(runtime.generator(FLAGS.seed, "cloud", name, run)) for run in range(FLAGS.num_runs)
        ]
    return clouds


def report(
    session: Session,
    folder: records.RunFolder,
    inputs: np.ndarray,
    clouds: dict[str, list[np.ndarray]],
    sizes: dict[str, tasks.Scale],
    images: data.Images,
) -> None:
    """Writes tables, figures and summary, and says what was found and where to look."""
    from spectral_tf.records import figures, learning

    steps, losses = session.history["loss"]
    columns = ("cloud",)
    means = learning.write_losses(
        folder.path, steps, {(name,): losses[:, i] for i, name in enumerate(CLOUDS)}, columns
    )
    originals = inputs[: FLAGS.num_samples]
    records.write_table(
        folder.path / "scale.csv",
        (*columns, *(f"{field}" for field in tasks.Scale._fields)),
        ((name, *size) for name, size in sizes.items()),
    )
    # Half of the noise's variance, 1 / 12, is fitted where the loss has fallen to 1 / 24.
    times = {
        name: spectra.crossing(steps, spectra.negative(means[name,]), -1 / 24) for name in CLOUDS
    }
    figure = figures.curves(
        steps,
        {name: means[name,] for name in CLOUDS},
        ylabel="loss (MSE)",
        title=f"White noise on {images.name}, {records.averaged(FLAGS.num_runs)}",
    )
    pictures = {"losses": figure}
    if len(images.shape) == 3:
        shape = (-1, *(side or 1 for side in images.shape))
        pictures["reconstructions"] = figures.image_rows(
            {
                "images": originals[:10].reshape(shape),
                **{name: clouds[name][0][:10].reshape(shape) for name in CLOUDS},
            },
            title=f"Points of each cloud, {images.name}",
        )
    for name, picture in pictures.items():
        pixels = figures.save_figure(picture, folder.figures / f"{name}.png")
        session.board.image(name, pixels, FLAGS.num_steps)
    session.board.close_segment()
    error = np.mean((clouds["manifold"][0] - originals) ** 2) / originals.var(axis=0).mean()
    folder.finish(
        {
            "experiment": "mnist_manifold",
            "dataset": images.title,
            "num_runs": FLAGS.num_runs,
            "num_steps": FLAGS.num_steps,
            "share_of_variance_the_autoencoder_misses": float(error),
            "half_fitted_at_step": {name: time.record() for name, time in times.items()},
            "final_loss": {name: means[name,][-1].record() for name in CLOUDS},
            "diverged_at_step": session.diverged,
            "member_steps_per_second": losses[0].size * FLAGS.num_steps / session.seconds,
        },
        wall_seconds=session.seconds,
    )
    print(f"step at which half of the noise is fitted, on points of {images.title}:")
    for name, time in times.items():
        size = sizes[name]
        print(
            f"{name:>22}: {time.text(',.0f', never='not reached')}; norm {size.rms_norm:.2f}, "
            f"distance {size.rms_distance:.2f}, to the nearest {size.nearest_distance:.2f}, "
            f"{size.dimensions:.1f} dimensions"
        )
    runtime.say_where(folder)


if __name__ == "__main__":
    runtime.launch(main)
