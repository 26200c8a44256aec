"""What do studies cost before they are run? Operations are counted, hours estimated.

Reads flagfiles, builds every network that they would train, has TensorFlow's profiler count
the operations of its predictions and gradients, and multiplies by the steps and images that these
would take: a network with options as the one without, a training that may end at a loss to its last
epoch. Hours follow from peak rates of devices and the share of them that is reached. Both are said,
not measured: those of your device go into `--devices`.

    python launchers/costs.py --alsologtostderr

takes about half a minute on 2 cores. To see: a figure of the first paper is minutes of a CPU; the
second paper's study of interventions is days of an accelerator in float32, and two thirds of that
are nine trainings of three large networks (results/costs).
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags, logging

from spectral_tf import experiments, models, progress, records, runtime, training
from spectral_tf.errors import UserError
from spectral_tf.experiments.classification import Setting
from spectral_tf.experiments.sweeps import SWEEPS, Variant, variants
from spectral_tf.records.flagfile import flag_name

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
runtime.define_run_flags("costs", reports=True)
flags.DEFINE_list(
    "studies",
    [
        "lf_first=results/lf_first/equal/run.flags",
        "manifold_grid=results/manifold_grid/half/run.flags",
        "noise_fitting=results/noise_fitting/cifar10_wrn_32.flags",
        "interventions=results/interventions/cifar10_wrn_32.flags",
    ],
    "Studies, each EXPERIMENT=FLAGFILE, of lf_first, manifold_grid, noise_fitting or "
    "interventions.",
)
flags.DEFINE_list(
    "devices",
    [
        *("2_cores_float32:0.49:0.66", "A100_float32:19.5:0.3", "A100_tf32:156:0.3"),
        *("H100_bfloat16:989:0.3", "TPU_v4_chip_bfloat16:275:0.3"),
    ],
    "Devices, each NAME:TFLOPS:SHARE: its peak in 10^12 operations a second, and the share of it "
    "that is reached, assumed.",
)
flags.DEFINE_integer(
    "path_samples", 75, "Samples of a path where its length decides their number; assumed.", 2
)

# Shape, classes, training and held-out images of the sets of the papers.
SETS = {"cifar10": ((32, 32, 3), 10, 50_000, 10_000)}


class Network(NamedTuple):
    """What is trained; a classifier by its name, or `mlp` with so many inputs."""

    name: str
    width: int  # 0: its own.
    depth: int = 0  # Of an mlp.
    input_dim: int = 1

    def build(self) -> keras.Model:
        """It, with some weights."""
        if self.name == "mlp":
            return models.Mlp(self.width, self.depth, input_dim=self.input_dim).build(0)
        shape, classes, *_ = SETS["cifar10"]
        return models.classifier(
            self.name, input_shape=shape, num_classes=classes, width=self.width
        )


class Work(NamedTuple):
    """So many trainings of a network, all of their samples taken together."""

    network: Network
    trainings: int
    trained: int  # Samples of all steps.
    answered: int  # Samples that are only answered: evaluations, paths, a teacher's.


class Device(NamedTuple):
    """What computes, as it is said."""

    name: str
    peak: float  # 10^12 operations a second.
    share: float

    def hours(self, operations: float) -> float:
        """What so many operations take."""
        return operations / (self.peak * self.share * 1e12) / 3600


class Plan(NamedTuple):
    """What is asked for."""

    studies: dict[str, list[Work]]
    devices: list[Device]


def plan() -> Plan:
    """Checks the flags and reads the flagfiles."""
    studies = {}
    for text in FLAGS.studies or [""]:
        page, _, file = text.partition("=")
        if page not in PAGES or not pathlib.Path(file).is_file():
            raise UserError(
                "studies",
                expected=f"EXPERIMENT=FLAGFILE, the experiment one of {', '.join(PAGES)}",
                got=text or "nothing",
                hint="results/ is in the repository alone: name a run.flags of your own"
                if page in PAGES and file.startswith("results/")
                else "for example lf_first=results/lf_first/equal/run.flags",
            )
        if page in studies:
            raise UserError(
                "studies", expected="each experiment once", got=f"{page} twice", hint="once"
            )
        studies[page] = summed(PAGES[page](Said(file, FLAGS.path_samples)))
    return Plan(studies, [device(text) for text in FLAGS.devices or [""]])


def device(text: str) -> Device:
    """One of `--devices`, or a UserError."""
    name, *numbers = text.split(":")
    try:
        peak, share = map(float, numbers)
    except ValueError:
        peak, share = 0.0, 0.0
    if not (name and 0 < peak < np.inf and 0 < share <= 1):
        raise UserError(
            "devices",
            expected="NAME:TFLOPS:SHARE, the share above 0 and at most 1",
            got=text or "nothing",
            hint="for example A100_tf32:156:0.3",
        )
    return Device(name, peak, share)


class Said:
    """What a flagfile says.

    Args:
      file: its path.
      path_samples: of a path where its length decides.
    """

    def __init__(self, file: str, path_samples: int) -> None:
        lines = pathlib.Path(file).read_text(errors="replace").splitlines()
        self._file, self.path_samples = file, path_samples
        self.values = {
            flag_name(line): line.partition("=")[2] for line in lines if line.startswith("--")
        }

    def number(self, name: str, default: int | None = None) -> int:
        """Of a flag that the flagfile has to hold, if there is no default."""
        text = self._one(name, None if default is None else str(default))
        return runtime.parse_ints(name, [text])[0]

    def words(self, name: str) -> list[str]:
        """The values of a list flag; none if the flagfile does not hold it."""
        return [word for word in self.values.get(name, "").split(",") if word]

    def setting(self) -> Setting:
        """What of the training of its classifiers decides the cost, and tells variants apart."""
        if (model := self._one("model")) not in models.CLASSIFIERS:
            raise self._misses(f"--model of {', '.join(models.CLASSIFIERS)}", model)
        return Setting(
            model=model,
            width=self.number("width", 0),
            num_epochs=self.number("num_epochs"),
            batch_size=self.number("batch_size"),
            weight_decay=float(self._one("weight_decay", "0.0005")),
            augmentations=tuple(self.words("augmentations")),
        )

    def images(self) -> tuple[int, int]:
        """Training and held-out images."""
        name = self._one("dataset")
        if name not in SETS:
            raise self._misses(f"a dataset of {', '.join(SETS)}", name)
        return SETS[name][2:]

    def _one(self, name: str, default: str | None = None) -> str:
        text = self.values.get(name, default)
        if text is None:
            raise self._misses(f"--{name}", "none")
        return text

    def _misses(self, expected: str, got: str) -> UserError:
        return UserError(self._file, expected=expected, got=got, hint="say it in the flagfile")


def ensemble(said: Said, networks: int, input_dim: int) -> list[Work]:
    """Small networks on all samples in every step, answered at every probe."""
    width, depth = said.number("width"), said.number("depth")
    steps, samples = said.number("num_steps"), said.number("num_samples")
    probes = steps // said.number("probe_every") + 1
    network = Network("mlp", width, depth, input_dim)
    return [Work(network, networks, networks * steps * samples, networks * probes * samples)]


def lf_first(said: Said) -> list[Work]:
    """Runs on all samples."""
    return ensemble(said, said.number("num_runs"), 1)


def manifold_grid(said: Said) -> list[Work]:
    """Every cell of the grid, and one more of each threshold, which is drawn."""
    cells = len(said.words("frequencies")) * len(said.words("petals")) + 1
    return ensemble(said, cells * len(said.words("thresholds")), 2)


def noise_fitting(said: Said) -> list[Work]:
    """A training for every wave and the control, evaluated after every epoch."""
    setting, (images, held_out) = said.setting(), said.images()
    trainings = said.number("seeds") * (
        len(said.words("cycles")) + len(said.words("frequencies")) + 1
    )
    steps = setting.num_epochs * (images // setting.batch_size)
    evaluated = (setting.num_epochs + 1) * held_out
    return [
        Work(
            Network(setting.model, setting.width),
            trainings,
            trainings * steps * setting.batch_size,
            trainings * evaluated,
        )
    ]


def interventions(said: Said) -> list[Work]:
    """Every variant and seed, measured on held-out images and along paths."""
    setting, (images, held_out) = said.setting(), said.images()
    lists = {name: said.words(name) for name in ("sweeps", *SWEEPS.values())}
    samples = said.number("num_samples", 0) or said.path_samples
    pairs, between = said.number("pairs"), said.number("between_pairs", 0)
    classes = SETS["cifar10"][1]
    paths = classes * pairs + classes * (classes - 1) // 2 * (between or pairs)
    at_once = held_out + len(said.words("ends")) * paths * samples
    seeds = said.number("seeds")
    most = max(seeds, said.number("baseline_seeds", 0))

    def work(of: Variant) -> Work:
        alike = of.sweep in ("baseline", "distillation")
        trainings = most if alike else seeds
        own = images if of.equal_steps else int(of.share * images)
        size = of.setting.batch_size
        trained = trainings * of.setting.num_epochs * (own // size) * size
        measured = 1 + len(said.words("measured_epochs")) * (of.sweep == "baseline")
        answered = trainings * measured * at_once + trained * (of.alpha is not None)
        return Work(Network(of.setting.model, of.setting.width), trainings, trained, answered)

    return [work(of) for of in variants(setting, lists)]


PAGES: Mapping[str, Callable[[Said], list[Work]]] = {
    "lf_first": lf_first,
    "manifold_grid": manifold_grid,
    "noise_fitting": noise_fitting,
    "interventions": interventions,
}


def summed(works: list[Work]) -> list[Work]:
    """One for each network."""
    networks = dict.fromkeys(work.network for work in works)
    own = {network: [w[1:] for w in works if w.network == network] for network in networks}
    return [Work(network, *map(sum, zip(*of, strict=True))) for network, of in own.items()]


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Counts the operations of every network."""
    page.begin()
    networks = list(dict.fromkeys(work.network for of in plan.studies.values() for work in of))

    def counted() -> dict[str, np.ndarray]:
        """Parameters and operations of each, [networks, 3]."""
        rows = []
        for network in progress.track(networks, "network"):
            rows.append(training.cost(network.build(), classifies=network.name != "mlp"))
            logging.info("costs: %s, width %d: %d parameters", *network[:2], rows[-1].parameters)
        return {"costs": np.array(rows, np.float64)}

    found = page.once("operations", counted)
    keys = [list(network) for network in networks]
    facts = {"networks": keys, "costs": found["costs"].tolist(), "seconds": page.seconds}
    return records.Found(facts=facts)


def report(plan: Plan, found: records.Found) -> records.Report:
    """Operations of every network and study, and hours on every device."""
    keys = [Network(*key) for key in found.fact("networks")]
    costs = dict(zip(keys, found.fact("costs"), strict=True))
    rows, hours, totals, lines = [], [], {}, []
    for study, works in plan.studies.items():
        total = 0.0
        for work in works:
            parameters, forward, step = costs[work.network]
            both = work.trained * step, work.answered * forward
            total += sum(both)
            each = (forward / 1e9, step / 1e9, *work[1:], both[0] / 1e15, both[1] / 1e15)
            rows.append((study, *work.network[:2], int(parameters), *each))
        totals[study] = total / 1e15
        hours += [(study, *of, of.hours(total)) for of in plan.devices]
        told = ", ".join(f"{of.name} {of.hours(total):,.3g}" for of in plan.devices)
        lines.append(f"{study:>14}: {total / 1e15:,.4g} x 10^15 operations; hours: {told}")
    columns = (
        *("study", "network", "width", "parameters", "gflop_per_answer", "gflop_per_gradient"),
        *("trainings", "samples_trained", "samples_answered", "pflop_trained", "pflop_answered"),
    )
    named = ("study", "device", "peak_tflops", "assumed_share", "hours")
    return records.Report(
        tables={"operations": records.Table(columns, rows), "hours": records.Table(named, hours)},
        summary={"pflop": totals},
        lines=[
            "hours are of the peak and the share of it that --devices say, not measured",
            *lines,
        ],
    )


if __name__ == "__main__":
    experiments.launch("costs", plan, run, report)
