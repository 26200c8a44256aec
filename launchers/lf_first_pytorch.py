"""lf_first once more as a plain PyTorch loop: an independent check of its numbers.

Shares with `lf_first` the target, the measures and the tables, and nothing of the network, its
initialisation, its optimiser or its training, which are PyTorch's own. Needs the extra `torch`.

    python launchers/lf_first_pytorch.py --workdir=results/lf_first_pytorch/equal --overwrite

takes about 10 minutes on 2 cores (9 runs of 25,000 steps, one after the other; it does not resume).
To see: the exponent of the learning times agrees with that of lf_first within the intervals, and
the magnitudes of the first steps do. Nine runs are few, though: those of the committed study lag
lf_first's from step 2,000 to 10,000 (results/lf_first_pytorch).
"""

import importlib.util
import time

import numpy as np
from absl import flags, logging

from spectral_tf import experiments, records, runtime, spectra, tasks
from spectral_tf.errors import UserError

FLAGS = flags.FLAGS
runtime.define_run_flags("lf_first_pytorch", resumes=False, distributes=False)
with runtime.flag_group("Training and measuring"):
    flags.DEFINE_integer(
        "num_runs", 9, "Number of networks, each with its own phases and weights.", 1
    )
    flags.DEFINE_integer("num_steps", 25_000, "Training steps of each network.", 1)
    flags.DEFINE_integer("probe_every", 100, "Steps between two spectra.", 1)
with runtime.flag_group("Network"):
    flags.DEFINE_integer("width", 256, "Units of each hidden layer.", 1)
    flags.DEFINE_integer("depth", 6, "Linear layers, the output layer included.", 2)

FREQUENCIES, NUM_SAMPLES, LEARNING_RATE = list(range(5, 51, 5)), 200, 3e-4


def main() -> None:
    """Trains the networks one after the other and writes the tables of lf_first."""
    if importlib.util.find_spec("torch") is None:
        raise UserError(
            "PyTorch", expected="an installed torch", got="none", hint="pip install -e '.[torch]'"
        )
    folder = runtime.run_folder("lf_first_pytorch")

    from spectral_tf.records.environment import environment
    from spectral_tf.runtime.strategy import make_strategy
    from spectral_tf.training.measures import every

    folder.start(environment(make_strategy("default"), FLAGS.seed))
    start = time.monotonic()
    steps = every(FLAGS.num_steps, FLAGS.probe_every)
    magnitudes = []
    for run in range(FLAGS.num_runs):
        magnitudes.append(train(run, steps))
        logging.info("run %d of %d", run + 1, FLAGS.num_runs)
    curves = spectra.learning_curves(steps, FREQUENCIES, magnitudes)
    records.Report({}, tables=records.learning.curve_tables({(): curves})).write(folder.path)
    law = curves.law
    experiments.conclude(
        "lf_first_pytorch",
        folder,
        {
            "num_runs": FLAGS.num_runs,
            "num_steps": FLAGS.num_steps,
            "learning_time_exponent": law.exponent.record(),
            "learning_time_num_frequencies": law.num_points,
        },
        time.monotonic() - start,
        lines=[records.learning.learning_table(curves)],
    )


def train(run: int, steps: list[int]) -> np.ndarray:
    """Normalised magnitudes [s, m] of one network, before the update of each step."""
    import torch

    torch.manual_seed(runtime.derive_seed(FLAGS.seed, "torch", run))
    amplitudes = [1.0] * len(FREQUENCIES)
    phases = runtime.generator(FLAGS.seed, "torch phases", run)
    target = tasks.SumOfSines.with_random_phases(FREQUENCIES, amplitudes, NUM_SAMPLES, phases)
    layers = [torch.nn.Linear(1, FLAGS.width), torch.nn.ReLU()]
    for _ in range(FLAGS.depth - 2):
        layers += [torch.nn.Linear(FLAGS.width, FLAGS.width), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(FLAGS.width, 1))
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    inputs = torch.tensor(target.positions[:, None], dtype=torch.float32)
    targets = torch.tensor(target.targets[:, None], dtype=torch.float32)
    outputs = []
    for step in range(steps[-1] + 1):
        prediction = network(inputs)
        if step in steps:
            outputs.append(prediction.detach().numpy()[:, 0])
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(prediction, targets).backward()
        optimizer.step()
    return spectra.normalised_magnitudes(np.stack(outputs), FREQUENCIES, amplitudes)


if __name__ == "__main__":
    runtime.launch(main)
