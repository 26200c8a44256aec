"""How fast we train ensembles, against what one would run instead.

Measures member-steps per second (updates of one 6-layer 256-unit network on 200 points, full batch,
Adam) of our trainer and of its peers, the scripts of `launchers/peers`: JAX (`vmap`, `fori_loop`,
optax), torch.func (`vmap(grad)`, compiled), a PyTorch loop with its Adam and with the fused one,
Keras `fit` as it comes and compiled with 50 steps per execution; and of the float32 products of
1024 x 1024 by NumPy's and PyTorch's BLAS, which are counted as member-steps by their arithmetic.
All start from the same kind of weights and points and do the same work (a test compares losses).

Each runs in processes of its own. First every setting is tried: one process with all cores, and one
of one thread for each core; in both, every number of `--members` at once for those that train
several. The best of each enters the rounds, in which one after the other works while the others
sleep: so each ratio is one within a round. Packages that are missing leave out a row with a
warning (`pip install -e '.[torch,jax]'`).

    python launchers/benchmark.py --alsologtostderr --workdir=runs/benchmark
    python launchers/benchmark.py --num_samples=1000 --workdir=runs/benchmark_1000
    python launchers/benchmark.py --num_samples=9585 --input_dim=784 --members=1,4 \
        --workdir=runs/benchmark_9585
    python launchers/benchmark.py --busy_cores=1 --workdir=runs/benchmark_busy

takes about 11 minutes on 2 cores, most of it for the settings, which are compiled anew.
To see: what of each is fastest, how many times that ours is, and its share of the product
(results/benchmark).
"""

from __future__ import annotations

import dataclasses
import pathlib
import time

import numpy as np
from absl import flags, logging

from spectral_tf import experiments, records, runtime
from spectral_tf.errors import UserError
from spectral_tf.experiments import contest
from spectral_tf.experiments.contest import Contender, Found

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark", resumes=False, distributes=False)
with runtime.flag_group("Measurement"):
    flags.DEFINE_integer("num_rounds", 7, "Rounds; each measures every contender once.", 1)
    runtime.define_finite_float(
        "seconds", 1.5, "Length of one measurement, in seconds.", at_least=0.01
    )
    flags.DEFINE_integer(
        "busy_cores", 0, "Number of processes that never rest, to measure beside them, too.", 0
    )
with runtime.flag_group("Networks and data"):
    flags.DEFINE_list("members", [1, 2, 4, 8, 16], "Numbers of networks that are trained at once.")
    flags.DEFINE_integer("width", 256, "Units of each hidden layer.", 1)
    flags.DEFINE_integer("depth", 6, "Linear layers, the output layer included.", 2)
    flags.DEFINE_integer("num_samples", 200, "Training points.", 3)
    flags.DEFINE_integer("input_dim", 1, "Inputs of the network.", 1)
runtime.define_cores_flag()

PEERS = pathlib.Path(__file__).parent / "peers"
OURS, FIT = "ours", "Keras fit"
FIT_COMPILED = f"{FIT}, compiled, 50 per execution"
PRODUCTS = ("matrix product, NumPy", "matrix product, PyTorch")
PRODUCT_FLOP = 2.0 * 1024**3
LARGE = 1e10  # Operations in an update from which on the cost of a call is nothing.


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
      contenders: {name: program}.
      cores, busy_cores, num_rounds, seconds: as the flags.
      flop: multiplications and additions of one member-step.
      title: of the chart.
    """

    contenders: dict[str, Contender]
    cores: int
    busy_cores: int
    num_rounds: int
    seconds: float
    flop: float
    title: str


def main() -> None:
    """Measures, writes the tables and the chart, and prints the ratios."""
    asked = plan()
    folder = runtime.run_folder("benchmark")
    start = time.monotonic()
    found = run(asked, folder)
    report(asked, found, folder, time.monotonic() - start)


def plan() -> Plan:
    """The contenders, checked."""
    members = tuple(runtime.parse_ints("members", FLAGS.members))
    if min(members) < 1:
        raise UserError("--members", expected="1 or more", got=min(members), hint="leave it out")
    sizes = ("width", "depth", "num_samples", "input_dim")
    options = tuple(f"--{name}={FLAGS[name].value}" for name in sizes)
    flop = flop_per_member_step(**{name: FLAGS[name].value for name in sizes})

    def of(script: str, *own: str, needs: tuple[str, ...] = (), several: bool = False) -> Contender:
        path = PEERS / f"{script}.py"
        return Contender(path, (*options, *own), needs, members if several else ())

    contenders = {
        OURS: of("ours", several=True),
        "torch.func, compiled": of("torch_func", needs=("torch",), several=True),
        "JAX vmap": of("jax_vmap", needs=("jax", "optax"), several=True),
        "PyTorch loop": of("torch_loop", needs=("torch",)),
        "PyTorch loop, fused Adam": of("torch_loop", "--fused=1", needs=("torch",)),
        FIT: of("keras_fit"),
        FIT_COMPILED: of("keras_fit", "--steps_per_execution=50", "--jit_compile=1"),
        PRODUCTS[0]: of("product"),
        PRODUCTS[1]: of("product", "--torch=1", needs=("torch",)),
    }
    if flop > LARGE:
        del contenders[FIT_COMPILED]
        logging.info("%s is left out: an execution would take minutes", FIT_COMPILED)
    return Plan(
        contenders,
        runtime.chosen_cores(FLAGS.cores),
        FLAGS.busy_cores,
        FLAGS.num_rounds,
        FLAGS.seconds,
        flop,
        f"{FLAGS.depth} x {FLAGS.width} network, {FLAGS.num_samples:,} points, full batch",
    )


def flop_per_member_step(width: int, depth: int, num_samples: int, input_dim: int) -> float:
    """Multiplications and additions of one update: forward, and backward twice that.

    The first layer passes no gradient on.
    """
    kernels = width * (input_dim + 1 + (depth - 2) * width)
    return num_samples * (6.0 * kernels - 2.0 * width * input_dim)


def run(plan: Plan, folder: records.RunFolder) -> Found:
    """Starts the folder, finds the best settings and measures; products as member-steps."""
    import tensorflow as tf

    from spectral_tf.records.environment import environment

    folder.start(environment(tf.distribute.get_strategy(), runtime.flag("seed")))
    found = contest.contest(
        plan.contenders,
        cores=plan.cores,
        num_rounds=plan.num_rounds,
        seconds=plan.seconds,
        busy_cores=plan.busy_cores,
    )
    contest.refuse_without(found, (OURS, FIT, PRODUCTS[0]))
    scale = dict.fromkeys(PRODUCTS, PRODUCT_FLOP / plan.flop)
    return Found(
        [(name, s, rate * scale.get(name, 1.0), why) for name, s, rate, why in found.tried],
        found.chosen,
        {name: rates * scale.get(name, 1.0) for name, rates in found.rates.items()},
        {name: rates * scale.get(name, 1.0) for name, rates in found.busy.items()},
    )


def report(plan: Plan, found: Found, folder: records.RunFolder, seconds: float) -> None:
    """Writes tables, chart and summary, and prints the table."""
    from spectral_tf.records import figures

    rates = found.rates
    product = max((n for n in PRODUCTS if n in rates), key=lambda n: np.median(rates[n]))
    rows = contest.compared(found, dict.fromkeys(rates, OURS))
    rows.sort(key=lambda row: row.contender in PRODUCTS)  # Last.
    shares = {name: float(np.median(r / rates[product])) for name, r in rates.items()}
    contest.write_tables(folder.path, "benchmark", found, rows, shares)
    busy = [
        (
            name,
            float(np.median(rates[name])),
            float(np.median(b)),
            float(np.median(b / rates[name])),
        )
        for name, b in found.busy.items()
    ]
    if busy:
        columns = ("contender", "quiet_median", "busy_median", "share_of_quiet")
        records.write_table(folder.path / "busy.csv", columns, busy)
    figure = figures.bar_chart(
        {row.contender: (row.median, row.best) for row in rows if row.contender not in PRODUCTS},
        (float(np.median(rates[product])), f"{product} (median)"),
        xlabel="member-steps per second",
        title=plan.title,
    )
    strongest = next(row for row in rows if row.contender not in (OURS, *PRODUCTS))
    gigaflops = float(np.median(rates[product])) * plan.flop / 1e9
    experiments.conclude(
        "benchmark",
        folder,
        {
            "cores": plan.cores,
            "busy_cores": plan.busy_cores,
            "num_rounds": plan.num_rounds,
            "strongest_peer": strongest.contender,
            "ours_over_the_strongest_peer": strongest.ours_over_it,
            "matrix_product_gigaflop_per_second": gigaflops,
            "member_steps_per_second": {row.contender: row.median for row in rows},
            "ours_over": {row.contender: row.ours_over_it for row in rows},
            "share_of_matrix_product": shares,
            "share_of_quiet": {row[0]: row[3] for row in busy},
        },
        seconds,
        lines=[
            *contest.table_lines("member-steps/s", rows, shares),
            *(
                f"{name}: {quiet:,.4g} quiet, {beside:,.4g} on busy cores: {share:.0%}"
                for name, quiet, beside, share in busy
            ),
            f"matrix products: {gigaflops:.0f} GFLOP/s",
        ],
        figures={"benchmark": figure},
    )


if __name__ == "__main__":
    runtime.launch(main)
