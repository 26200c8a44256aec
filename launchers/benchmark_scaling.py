"""How time and memory grow with size, and how far a machine goes.

Every size of every curve is a process of its own, which does one piece of work again and again:
member-steps of an ensemble, eigenfunctions of a kernel, spectra along paths between images, tangent
kernels, steps of a classifier. Its memory is the peak above that of a process which has imported
alone. A curve ends before a size that by its last one would take longer, or more memory, than it
may.

    python launchers/benchmark_scaling.py --alsologtostderr

takes about 11 minutes on 2 cores. To see: exponents of the upper half of the sizes
beside those of the arithmetic, and the largest size that fits 24 GB by the fitted memory
(results/benchmark_scaling).
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import experiments, models, records, runtime, spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments import workloads
from spectral_tf.experiments.workloads import CURVES, Fixed
from spectral_tf.runtime import children, limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLAGS = flags.FLAGS
runtime.define_run_flags("benchmark_scaling", reports=True)
with runtime.flag_group("Sizes"):
    flags.DEFINE_list("curves", list(CURVES), f"Curves to measure: some of {', '.join(CURVES)}.")
    flags.DEFINE_list(
        "members", [1, 2, 4, 8, 16, 32, 64, 128, 256], "Numbers of networks trained at once."
    )
    flags.DEFINE_list(
        "points",
        [50, 100, 200, 500, 1000, 2000, 5000, 10000],
        "Numbers of training points of every network.",
    )
    flags.DEFINE_list("layer_widths", [32, 64, 128, 256, 512, 1024, 2048], "Units of a layer.")
    flags.DEFINE_list(
        "kernel_images",
        [250, 500, 1000, 2000, 4000, 8000, 16000],
        "Numbers of images of a Gaussian kernel.",
    )
    flags.DEFINE_list("num_paths", [10, 30, 100, 300, 1000], "Numbers of paths between images.")
    flags.DEFINE_list("image_sizes", [16, 32, 64, 96, 128], "Sides of their images, in pixels.")
    flags.DEFINE_list(
        "tangent_points", [50, 100, 200, 400, 800, 1600], "Numbers of points of a tangent kernel."
    )
    flags.DEFINE_list(
        "batch_sizes", [16, 32, 64, 128, 256, 512], "Numbers of images in a classifier's batch."
    )
    flags.DEFINE_list(
        "replicas", [1, 2], "Numbers of logical devices that share a classifier's batch."
    )
with runtime.flag_group("What stays the same"):
    flags.DEFINE_integer("width", 256, "Units of a layer, where they do not grow.", 1)
    flags.DEFINE_integer(
        "functions", 100, "Number of eigenfunctions where not all are asked for.", 1
    )
    flags.DEFINE_enum("classifier", "convnet", models.CLASSIFIERS, "Network of images.")
    flags.DEFINE_integer("channels", 0, "Channels of its first stage; 0: the network's own.", 0)
with runtime.flag_group("Limits"):
    runtime.define_finite_float(
        "seconds", 0.5, "Seconds for which the work of a size is repeated.", at_least=0.0
    )
    runtime.define_finite_float(
        "most_seconds",
        20.0,
        "Longest time of a size, in seconds; those that would take longer are left out.",
        at_least=0.001,
    )
    runtime.define_finite_float(
        "memory_gb",
        0.0,
        "Largest memory of a size, in 10^9 bytes; 0: that of the machine.",
        at_least=0.0,
    )

# The flag that holds the sizes of each curve.
SIZES = {
    **{"members": "members", "points": "points", "width": "layer_widths"},
    **dict.fromkeys(("kernel_full", "kernel_truncated", "kernel_nystroem"), "kernel_images"),
    **{"pairs": "num_paths", "image_size": "image_sizes", "tangent": "tangent_points"},
    **{"batch": "batch_sizes", "replicas": "replicas"},
}
# Of which machine the largest size is told, in bytes.
ASKED = 24e9


class Plan(NamedTuple):
    """What is asked for."""

    sizes: dict[str, list[int]]  # Of each curve, increasing.
    fixed: Fixed
    seconds: float
    most_seconds: float
    most_bytes: float


def plan() -> Plan:
    """Checks the flags."""
    curves = runtime.parse_choices("curves", FLAGS.curves, tuple(CURVES))
    sizes = {}
    for curve in curves:
        flag = SIZES[curve]
        sizes[curve] = sorted(runtime.parse_ints(flag, FLAGS[flag].value))
        runtime.check_at_least(flag, sizes[curve][0], 2 if "kernel" in curve else 1)
    batch = Fixed.batch
    if wrong := [size for size in sizes.get("replicas", []) if batch % size]:
        raise UserError(
            "--replicas", expected=f"divisors of a batch of {batch}", got=wrong[0], hint="1,2"
        )
    fixed = Fixed(
        width=FLAGS.width,
        functions=FLAGS.functions,
        model=FLAGS.classifier,
        channels=FLAGS.channels,
        cores=FLAGS.cores,
        seed=FLAGS.seed,
    )
    memory = FLAGS.memory_gb * 1e9 or limits.memory()
    return Plan(sizes, fixed, FLAGS.seconds, FLAGS.most_seconds, memory)


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Measures size after size; each is kept when it is done."""
    page.begin()
    rows: list[list] = []
    stops: list[list] = []
    for name, sizes in plan.sizes.items():
        before: list[list] = []
        for size in sizes:
            if why := beyond(plan, name, before, size):
                stops.append([name, size, why])
                logging.info("benchmark_scaling: %s ends before %d: %s", name, size, why)
                break
            found = page.once(f"{name}/{size}", functools.partial(measured, plan, name, size))
            if np.isnan(found["cost"][0]):
                stops.append([name, size, "its process was ended, as where memory is short"])
                break
            before.append([name, size, *found["cost"].tolist()])
        rows += before
    return records.Found(facts={"rows": rows, "stops": stops, "seconds": page.seconds})


def measured(plan: Plan, name: str, size: int) -> dict[str, np.ndarray]:
    """The cost of one size; NaN if its process did not live."""
    try:
        cost = workloads.measured(name, size, plan.fixed, plan.seconds)
    except children.Ended:
        cost = workloads.Cost(math.nan, math.nan, 0, math.nan, math.nan)
    logging.info("benchmark_scaling: %s %d: %.3g s, %.0f MB", name, size, cost[0], cost[-1] / 1e6)
    return {"cost": np.array(cost, np.float64)}


def beyond(plan: Plan, name: str, before: list[list], size: int) -> str:
    """Why a size is left out, by the last one and the arithmetic; "" if it is not."""
    if not before:
        return ""
    _, last, best, *_, peak = before[-1]
    times, memory = ((size / last) ** power for power in (CURVES[name].time, CURVES[name].memory))
    if best * times > plan.most_seconds:
        return f"{best * times:.0f} s expected, --most_seconds={plan.most_seconds:g}"
    if peak * memory > plan.most_bytes:
        return f"{peak * memory / 1e9:.1f} GB expected of {plan.most_bytes / 1e9:.1f}"
    return ""


class Fitted(NamedTuple):
    """One curve with what is read off it."""

    size: np.ndarray
    seconds: np.ndarray
    bytes: np.ndarray
    time: spectra.Growth
    memory: spectra.Growth


def fitted(found: records.Found, name: str) -> Fitted:
    """The fits of a curve: seconds are the best ones."""
    rows = [row[1:] for row in found.fact("rows") if row[0] == name]
    size, seconds, *_, peak = np.array(rows, np.float64).reshape(-1, 6).T
    # A page of memory: of 0 bytes there is no logarithm.
    peak = np.maximum(peak, 4096.0)
    return Fitted(
        *(size, seconds, peak),
        spectra.fit_growth(size, seconds),
        spectra.fit_growth_with_offset(size, peak),
    )


def report(plan: Plan, found: records.Found) -> records.Report:
    """Curves, exponents and how far 24 GB go."""
    curves = {name: fitted(found, name) for name in plan.sizes}
    fits, summary, lines = [], {}, []
    for name, of in curves.items():
        curve, most = CURVES[name], of.memory.size_at(ASKED)
        for quantity, fit, power in (
            ("seconds", of.time, curve.time),
            ("bytes", of.memory, curve.memory),
        ):
            reaches = most if quantity == "bytes" and np.isfinite(most) else "null"
            offset = fit.offset if np.isfinite(fit.offset) else "null"
            given = (offset, fit.smallest, fit.largest, reaches)
            fits.append((name, curve.size, quantity, fit.exponent, power, *given, curve.why))
        summary[name] = {
            "seconds_exponent": of.time.exponent.record(),
            "bytes_exponent": of.memory.exponent.record(),
            "largest_with_24_gb": most if np.isfinite(most) else None,
        }
        reach = f"; {most:,.0f} {curve.size} in 24 GB" if np.isfinite(most) else ""
        lines.append(
            f"{name}, exponents over {curve.size}: of seconds {of.time.exponent.text()}, of bytes "
            f"{of.memory.exponent.text()}{reach}"
        )
    columns = ("curve", "of", "quantity", "exponent", "exponent_by_arithmetic", "offset")
    return records.Report(
        tables={
            "curves": records.Table(
                ("curve", "size", "seconds_best", "seconds_median", "calls", "first_call", "bytes"),
                found.fact("rows"),
            ),
            "fits": records.Table(
                (*columns, "from_size", "to_size", "largest_with_24_gb", "why"), fits
            ),
            "left_out": records.Table(("curve", "size", "why"), found.fact("stops")),
        },
        figures={"scaling": figure(curves)},
        summary={"fits": summary, "most_bytes": plan.most_bytes},
        lines=[*lines, *(f"{n} ends before {s}: {why}" for n, s, why in found.fact("stops"))],
    )


def figure(curves: dict[str, Fitted]) -> Figure:
    """A panel for each curve: seconds of a call and gigabytes, both with their fits."""
    draw = records.figures
    panels = []
    for name, of in curves.items():
        series = [
            draw.Line(of.size, of.seconds, "seconds of a call", style="o", colour=draw.BLUE),
            draw.Line(of.size, of.bytes / 1e9, "gigabytes", style="o", colour=draw.ORANGE),
        ]
        for fit, unit, colour in ((of.time, 1.0, draw.BLUE), (of.memory, 1e9, draw.ORANGE)):
            if np.isfinite(fit.exponent.value):
                x = of.size[(of.size >= fit.smallest) & (of.size <= fit.largest)]
                series.append(draw.Line(x, fit(x) / unit, "fit", style="--", colour=colour))
        panels.append(
            draw.Panel(series, CURVES[name].size, "s, GB", xscale="log", name=name, yscale="log")
        )
    return draw.line_panels(panels, title="Time and memory against size", columns=4)


if __name__ == "__main__":
    experiments.launch("benchmark_scaling", plan, run, report)
