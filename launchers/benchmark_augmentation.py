"""How fast we augment images, against what one would use instead.

Measures images per second of flip, pad and crop and cutout, and of the same behind AutoAugment, in
shuffled normalised batches of 128: of our pipeline and of its peers (`launchers/peers/augment_*`):
torchvision's transforms (version 2) on tensors and on PIL's images, one by one; tf.image in
tf.data, one by one; PIL and NumPy, one by one, the published way. torchvision also takes whole
batches, all of whose images then get the same draws: that row does less than the others.

Each runs in processes of its own: one with all cores, or one of one thread for each core (as
workers of a data loader are), whichever is faster; then one after the other in every round, while
the others sleep, so that each figure is a ratio within one round.

    python launchers/benchmark_augmentation.py --alsologtostderr --workdir=runs/augmentation

takes about 6 minutes on 2 cores. torchvision is optional. To see: images a second for
each core, and how many times PIL's they are (results/benchmark).
"""

from __future__ import annotations

import pathlib
import tempfile
import time

import numpy as np
from absl import flags

from spectral_tf import data, experiments, runtime
from spectral_tf.errors import UserError
from spectral_tf.experiments import contest

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark_augmentation", resumes=False, distributes=False)
runtime.define_data_flags("photo_patches")
with runtime.flag_group("Measurement"):
    flags.DEFINE_integer("train_size", 5_000, "Number of images that are augmented.", 1)
    flags.DEFINE_integer("batch_size", 128, "Images of a batch.", 1)
    flags.DEFINE_integer("num_rounds", 7, "Rounds; each measures every contender once.", 1)
    runtime.define_finite_float(
        "seconds", 1.5, "Length of one measurement, in seconds.", at_least=0.01
    )
runtime.define_cores_flag()

PEERS = pathlib.Path(__file__).parent / "peers"
OURS, PIL, WITH = "ours, batched", "PIL and NumPy, one by one", "AutoAugment: "


def main() -> None:
    """Measures, writes the tables, and prints the ratios."""
    cores = runtime.chosen_cores(FLAGS.cores)
    folder = runtime.run_folder("benchmark_augmentation")
    images = data.find_images(FLAGS.dataset, **runtime.data_locations()).take(FLAGS.train_size)
    if images.shape[2:] != (3,):
        raise UserError(
            "--dataset",
            expected="colour images, which AutoAugment is for",
            got=f"{images.name} of {images.shape}",
            hint="for example photo_patches or cifar10",
        )
    runtime.check_at_most("batch_size", FLAGS.batch_size, images.num_examples)

    import tensorflow as tf

    from spectral_tf.records.environment import environment

    folder.start(environment(tf.distribute.get_strategy(), FLAGS.seed, images.record()))
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch) / "pixels.npz"
        np.savez(file, pixels=images.arrays()[0])
        found = contest.contest(
            {**contenders(file, 0), **contenders(file, 1)},
            cores=cores,
            num_rounds=FLAGS.num_rounds,
            seconds=FLAGS.seconds,
        )
    ours = {name: WITH + OURS if name.startswith(WITH) else OURS for name in found.chosen}
    contest.refuse_without(found, (OURS, PIL, WITH + OURS, WITH + PIL))
    rows = contest.compared(found, ours)
    contest.write_tables(folder.path, "augmentation", found, rows)
    times = {row.contender: row.ours_over_it for row in rows}
    experiments.conclude(
        "benchmark_augmentation",
        folder,
        {
            "dataset": images.title,
            "cores": cores,
            "num_rounds": FLAGS.num_rounds,
            "images_per_second_and_core": {row.contender: row.median / cores for row in rows},
            "ours_over": times,
        },
        time.monotonic() - start,
        lines=contest.table_lines("augmented images/s", rows),
    )


def contenders(file: pathlib.Path, policy: int) -> dict[str, contest.Contender]:
    """Ours and the peers, with AutoAugment or without."""

    def of(script: str, *own: str, needs: tuple[str, ...] = ()) -> contest.Contender:
        options = (f"--data={file}", f"--batch_size={FLAGS.batch_size}", f"--policy={policy}")
        return contest.Contender(PEERS / f"{script}.py", (*options, *own), needs)

    both = ("torch", "torchvision")
    found = {
        OURS: of("augment_ours"),
        PIL: of("augment_pil"),
        "torchvision, tensors one by one": of("augment_torchvision", needs=both),
        "torchvision, PIL one by one": of("augment_torchvision", "--pil=1", needs=both),
        "torchvision, one draw for a batch": of("augment_torchvision", "--batched=1", needs=both),
    }
    if not policy:
        found["tf.image, one by one"] = of("augment_tf_image")
    return {WITH + name if policy else name: contender for name, contender in found.items()}


if __name__ == "__main__":
    runtime.launch(main)
