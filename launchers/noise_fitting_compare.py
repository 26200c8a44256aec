"""What an intervention does to the label noise that a classifier fits, against a baseline.

Reads finished runs of noise_fitting.py that share data, waves and seeds and differ in one thing
(width, weight decay, mixup, augmentation, a teacher, ...), and compares how they fit every wave,
seed by seed and image by image: the regression slope beta, and what beta has more than in networks
that were trained alike, but without the wave (a difference of differences). Of distillation one
teacher is compared, the same for all students: what another one would do is
not in the intervals.

    python launchers/noise_fitting_compare.py --baseline=runs/plain --cases=runs/wide,runs/decayed

takes seconds. To see: whether at the end of training wider networks fit fast waves further, and
regularised ones less far (results/noise_fitting).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags
from numpy.typing import NDArray

from spectral_tf import experiments, records, runtime, spectra
from spectral_tf.errors import UserError
from spectral_tf.records.waves import HeldOut, read_held_out
from spectral_tf.spectra import Estimate
from spectral_tf.spectra.verdicts import Finding
from spectral_tf.storage import as_path

if TYPE_CHECKING:
    from spectral_tf.records.figures import Panel

FLAGS = flags.FLAGS
runtime.define_run_flags("noise_fitting_compare", resumes=False, distributes=False)
with runtime.flag_group("Runs to compare"):
    flags.DEFINE_string(
        "baseline", "runs/noise_fitting", "Run folder that the others are compared with."
    )
    flags.DEFINE_list("cases", [], "Run folders to compare, named by their last part.")
    flags.DEFINE_list(
        "allow_differences", [], "Names of flags that may differ beside the one compared."
    )
# Flags that make seeds, images and waves what they are, and the version of the data.
SAME = (
    "dataset",
    "version",
    "channels_first",
    "train_split",
    "train_size",
    "held_out",
    "wave",
    "amplitude",
    "per_batch_amplitude",
    "noise_class",
    "degrees",
    "directions",
    "seed",
    "seeds",
    "num_epochs",
)
# Flags that say which waves there are (those in common are compared), and what is kept.
WHICH = ("cycles", "frequencies", "spatial_frequencies", "exponents", "checkpoint_epochs")
# Flags that are one thing with another; the rest are things of their own.
TOGETHER = {"teacher": "distillation", "distillation_alpha": "distillation"}
TOGETHER |= {"mixup_alpha": "mixup", "mixup_per_example": "mixup"}
TOGETHER |= dict.fromkeys(("stop_at_accuracy", "stop_at_loss", "looks_per_epoch"), "goal")
FEWEST_IMAGES = 100
# What is read of every wave.
LOWEST, BETA, NULL, ABOVE = "minimum of NF", "final β", "null of β", "final β − null"
# Waves that stand for the fast ones: so many of the fastest that are learned.
FASTEST = 2


class Run(NamedTuple):
    """A finished run of noise_fitting.py.

    Attributes:
      name: of its folder.
      summary: what it says of itself.
      flags: {name: text} of it; of files that they name the digests.
      cycles: {wave: cycles across the data}.
      held_out: predictions for the held-out images.
      thing: in which it differs from the baseline; "" for the baseline.
      differs: that in words, with both values.
    """

    name: str
    summary: dict
    flags: Mapping[str, str]
    cycles: Mapping[str, float]
    held_out: HeldOut
    thing: str = ""
    differs: str = ""

    @property
    def waves(self) -> list[str]:
        """By their cycles."""
        return sorted(self.held_out.waves.tolist(), key=lambda wave: self.cycles[wave])

    def rows(self, wave: str) -> dict[str, NDArray[np.float64]]:
        """For each seed and image, with the measure as their mean, [seeds, n].

        NaN of a seed whose training, or whose control, diverged.
        """
        a, i = self.held_out, self.held_out.waves.tolist().index(wave)
        s, num_classes = a.smoothing[i], int(a.num_classes)
        there = np.isfinite(a.log_ratios[i]).all(axis=1)
        lowest, final, null = (
            spectra.influence(log_ratios[there], s, num_classes)
            for log_ratios in (
                a.lowest_log_ratios[i],
                a.log_ratios[i],
                a.null_log_ratios[a.directions[i]],
            )
        )
        measured = {
            LOWEST: lowest.noise_fitting,
            BETA: final.regression_slope,
            NULL: null.regression_slope,
            ABOVE: final.regression_slope - null.regression_slope,
        }
        whole = {name: np.full(a.log_ratios[i].shape, np.nan) for name in measured}
        for name, values in measured.items():
            whole[name][there] = values
        return whole

    def mean(self, rows: NDArray, *, tested: bool = True) -> Estimate:
        """Of values [seeds, n], over both; tested where their 0 is "nothing there".

        Seeds that are NaN do not count.
        """
        rows = rows[np.isfinite(rows).all(axis=1)]
        if not len(rows):
            return spectra.not_enough(0, 1, "seeds that did not diverge")
        clusters = self.held_out.clusters
        return spectra.crossed_mean(
            rows, clusters=clusters, units=("seeds", "images"), tested=tested
        )

    def learned(self) -> dict[str, bool | None]:
        """{wave: whether beta - null is above 0}, after Holm's correction over the run's waves.

        None without an interval.
        """
        found = [self.mean(self.rows(wave)[ABOVE]) for wave in self.waves]
        above = spectra.above_zero(found)
        return {
            wave: None if np.isnan(e.low) else yes
            for wave, e, yes in zip(self.waves, found, above, strict=True)
        }


class Plan(NamedTuple):
    """What is asked for: the runs, on the held-out images that all of them measured."""

    baseline: Run
    cases: list[Run]
    named: dict[str, str]  # As the flags name them.


def plan() -> Plan:
    """Checks the flags, and reads the runs that they name."""
    if not any(FLAGS.cases):
        raise UserError("--cases", expected="run folders", got="none", hint="separate by commas")
    baseline, *cases = on_common_images([read_run(p) for p in (FLAGS.baseline, *FLAGS.cases)])
    allowed = [name for name in FLAGS.allow_differences if name]
    cases = [held_against(baseline, case, allowed) for case in cases]
    names = [run.name for run in (baseline, *cases)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(
            "--cases",
            expected="folders of different names",
            got=f"{twice[0]} twice",
            hint="rename",
        )
    return Plan(baseline, cases, {"baseline": FLAGS.baseline, "cases": str(FLAGS.cases)})


def report(plan: Plan) -> records.Report:
    """What every case changes, wave by wave, and claims C3 and C4."""
    baseline, cases = plan.baseline, plan.cases
    runs = [baseline, *cases]
    found = {run.name: compare(baseline, run) for run in runs}
    pairs = claimed_pairs(baseline, cases)
    findings = [finding for pair in pairs for finding in readings(pair)]
    return records.Report(
        tables={
            "comparison": comparison(runs, found),
            **({"claims": records.Table(Finding._fields, findings)} if findings else {}),
        },
        figures={
            "comparison": records.figures.line_panels(
                panels(runs, found), title=baseline.summary["dataset"].split(" (")[0]
            )
        },
        summary={
            "baseline": baseline.name,
            "differs": {case.name: case.differs for case in cases},
            "num_held_out_images": len(baseline.held_out.images),
            "fastest_learned_waves": {pair.name: pair.fast for pair in pairs},
            "difference_of_final_fit_above_null": {
                case.name: {wave: e.difference_above_null for wave, e in found[case.name].items()}
                for case in cases
            },
        },
        lines=[
            line
            for case in cases
            for line in (
                f"{case.name} ({case.differs}), beta - null against that of {baseline.name}:",
                *(
                    f"{wave:>28}: {effect.difference_above_null.text('+.3f')}"
                    for wave, effect in found[case.name].items()
                ),
            )
        ],
    )


def read_run(path: str) -> Run:
    """Reads a finished run, or raises a UserError."""
    folder = records.RunFolder(path, {}, writes=False)
    if (
        not (folder.path / "summary.json").exists()
        or folder.summary().get("experiment") != "noise_fitting"
    ):
        raise UserError(
            "--baseline and --cases",
            expected="finished runs of noise_fitting.py",
            got=f"{path}",
            hint="name runs of that experiment; an unfinished one is finished by its command",
        )
    held_out = read_held_out(folder.path / "held_out.npz")
    file = folder.path / "waves.csv"
    with records.reading(file, "--baseline and --cases", "a table of waves"):
        table = records.read_table(file)
        cycles = dict(zip(map(str, table["wave"]), map(float, table["cycles"]), strict=True))
    file = folder.path / "environment.json"
    with records.reading(file, "--baseline and --cases", "the record of a run"):
        data = records.read_json(file, "--baseline and --cases")["data"]
        version = data["version"]
    given = dict(records.read_flags(folder.path) or {})
    # A path may have come to mean another network.
    given |= {n: data[f"{n}_sha256"][:8] for n in ("model", "teacher") if f"{n}_sha256" in data}
    return Run(
        name=as_path(path).resolve().name,
        summary=folder.summary(),
        flags={**given, "version": version},
        cycles=cycles,
        held_out=held_out,
    )


def on_common_images(runs: Sequence[Run]) -> list[Run]:
    """The runs on the images that all of them measured, or a UserError if these are few."""
    images = runs[0].held_out.images
    for run in runs[1:]:
        images = np.intersect1d(images, run.held_out.images)
    if len(images) < FEWEST_IMAGES:
        raise UserError(
            "--cases",
            expected=f"runs that share at least {FEWEST_IMAGES} held-out images",
            got=f"{len(images)}",
            hint="compare runs of one --held_out",
        )
    return [run._replace(held_out=run.held_out.of(images)) for run in runs]


def held_against(baseline: Run, case: Run, allowed: Sequence[str]) -> Run:
    """The case on the waves in common, with the one thing named in which it differs.

    Raises:
      UserError: other data, waves or seeds, no wave in common, more than one thing that differs and
        is not allowed to, or none.
    """

    def refuse(expected: str, got: str, hint: str) -> UserError:
        return UserError(f"case {case.name}", expected=expected, got=got, hint=hint)

    ours, theirs = baseline.flags, case.flags
    names = [n for n in sorted(ours.keys() | theirs.keys()) if ours.get(n) != theirs.get(n)]
    alike = "compare runs of the same data, waves and seeds"
    if wrong := [n for n in names if n in SAME]:
        told = [", ".join(f"{n} {side.get(n)}" for n in wrong) for side in (ours, theirs)]
        raise refuse(told[0], told[1], alike)
    if unknown := [n for n in allowed if n not in ours]:
        raise UserError(
            "--allow_differences",
            expected="flags of noise_fitting.py",
            got=unknown[0],
            hint="see its --helpshort",
        )
    a, b = baseline.held_out, case.held_out
    common = [i for i, wave in enumerate(b.waves) if wave in a.waves]
    if not common:
        raise refuse("waves in common", "none", alike)
    case = case._replace(held_out=b.only(common))
    for wave, s in zip(case.held_out.waves, case.held_out.smoothing, strict=True):
        away = np.abs(s - a.smoothing[a.waves.tolist().index(wave)]).max()
        if away > 1e-5 or not np.array_equal(a.labels, b.labels):
            raise refuse(
                f"{wave} and labels that are the same function of the images",
                f"smoothing that differs by up to {away:.2g}",
                "make both runs with the same version",
            )
    names = [n for n in names if n not in WHICH]
    things = {TOGETHER.get(n, n) for n in names if n not in allowed}
    if not names or len(things) > 1:
        raise refuse(
            "one thing that differs from the baseline",
            ", ".join(f"{n} {theirs.get(n)} for {ours.get(n)}" for n in names) or "none",
            "train one for each, or name in --allow_differences what differs on purpose",
        )
    names.sort(key=lambda n: n in allowed)  # What is compared comes first.
    words = (f"{n} {theirs.get(n) or 'none'} for {ours.get(n) or 'none'}" for n in names)
    return case._replace(thing=next(iter(things), ""), differs=", ".join(words))


class Effect(NamedTuple):
    """How closely a run fits a wave, and what differs from the baseline on the same images.

    Attributes:
      regression_slope, null, above_null: beta, that of networks that never saw the wave, the rest.
      learned: whether `above_null` is above 0, after Holm's correction over the run's waves.
      difference: of beta.
      difference_above_null: of `above_null`, a difference of differences.
      difference_of_minimum_noise_fitting: the paper's measure.
      sign_test: two-sided p-value of the seeds' `difference_above_null`.
      least_sign_test: the smallest that so many seeds can reach, 2 / 2^seeds.
      num_seeds: trainings of each wave.
    """

    regression_slope: Estimate
    null: Estimate
    above_null: Estimate
    learned: str
    difference: Estimate
    difference_above_null: Estimate
    difference_of_minimum_noise_fitting: Estimate
    sign_test: float
    least_sign_test: float
    num_seeds: int


def compare(baseline: Run, run: Run) -> dict[str, Effect]:
    """{wave: what the run does to it}, by cycles."""
    effects = {}
    words = {None: "null", False: "no", True: "yes"}
    for wave, learned in run.learned().items():
        ours, theirs = baseline.rows(wave), run.rows(wave)
        num_seeds = len(theirs[ABOVE])
        effects[wave] = Effect(
            regression_slope=run.mean(theirs[BETA], tested=False),
            null=run.mean(theirs[NULL], tested=False),
            above_null=run.mean(theirs[ABOVE]),
            learned=words[learned],
            difference=run.mean(theirs[BETA] - ours[BETA]),
            difference_above_null=run.mean(theirs[ABOVE] - ours[ABOVE]),
            difference_of_minimum_noise_fitting=run.mean(theirs[LOWEST] - ours[LOWEST]),
            sign_test=spectra.sign_test((theirs[ABOVE] - ours[ABOVE]).mean(axis=1)),
            least_sign_test=2 * 0.5**num_seeds,
            num_seeds=num_seeds,
        )
    return effects


def comparison(runs: Sequence[Run], found: Mapping[str, Mapping[str, Effect]]) -> records.Table:
    """Every wave in the baseline and in every case."""
    return records.Table(
        ("case", "differs", "wave", "cycles", *Effect._fields),
        [
            (run.name, run.differs or "baseline", wave, run.cycles[wave], *effect)
            for run in runs
            for wave, effect in found[run.name].items()
        ],
    )


class Pair(NamedTuple):
    """Two runs of which a claim says that one fits fast label noise more closely than the other.

    Attributes:
      claim, statement: which.
      more, less: the larger network and the smaller, or the more regularised and the less.
      direction: the sign that the claim gives to what `more` has more than `less`.
      decides: whether its readings decide on the claim.
    """

    claim: str
    statement: str
    more: Run
    less: Run
    direction: int
    decides: bool

    @property
    def name(self) -> str:
        """How readings call it."""
        return f"{self.more.name} − {self.less.name}"

    @property
    def common(self) -> list[str]:
        """The waves of both, by cycles."""
        return [wave for wave in self.more.waves if wave in self.less.waves]

    @property
    def fast(self) -> list[str]:
        """The fastest waves in common that one of both has learned: two, one or none."""
        both = [run.learned() for run in (self.more, self.less)]
        return [wave for wave in self.common if any(of_run[wave] for of_run in both)][-FASTEST:]

    def rows(self, measure: str, waves: Sequence[str]) -> NDArray[np.float64]:
        """What the first has more, mean over waves, [seeds, n]."""
        pairs = [(self.more.rows(w)[measure], self.less.rows(w)[measure]) for w in waves]
        return np.mean([a - b for a, b in pairs], axis=0)


def claimed_pairs(baseline: Run, cases: Sequence[Run]) -> list[Pair]:
    """C3, larger networks fit fast label noise more closely, and C4, regularised ones less.

    None for runs of several directions, whose waves share no seeds.
    """
    if baseline.flags["directions"] != "1":
        return []
    pairs = []
    sized = [baseline, *(case for case in cases if case.thing in ("width", "model"))]
    sized.sort(key=lambda run: run.summary["parameters"])
    # The smallest and the largest decide; then each and the next.
    of_sizes = [(sized[0], sized[-1]), *(itertools.pairwise(sized) if len(sized) > 2 else ())]
    for i, (small, large) in enumerate(of_sizes if len(sized) > 1 else ()):
        statement = "Larger networks fit fast label noise more closely"
        pairs.append(Pair("C3", statement, large, small, 1, decides=i == 0))
    more = {
        case.name: strength(case, case.thing) - strength(baseline, case.thing) for case in cases
    }
    things = [case.thing for case in cases if more[case.name]]
    for case in cases:
        if more[case.name]:
            strong, weak = (case, baseline) if more[case.name] > 0 else (baseline, case)
            called = case.thing if things.count(case.thing) == 1 else case.name
            by = called.replace("_", " ")
            statement = f"Regularisation by {by}: fast label noise is fitted less closely"
            pairs.append(Pair(f"C4 {called}", statement, strong, weak, -1, decides=True))
    return pairs


def strength(run: Run, thing: str) -> float:
    """How strongly a run regularises by the thing in which a case differs; 0 for other things."""
    if thing == "weight_decay":
        return float(run.flags["weight_decay"])
    if thing == "mixup":
        return float(run.flags["mixup_alpha"])
    if thing == "augmentations":
        return float(len([name for name in run.flags["augmentations"].split(",") if name]))
    return float(thing == "distillation" and bool(run.flags["teacher"]))


def readings(pair: Pair) -> list[Finding]:
    """At the fastest waves that one of both has learned; and there more than at the slowest wave.

    What varies: seeds and held-out images, both the same in both runs. Held fixed: the waves, which
    the unit of each estimate names (readings are the same texts on all data sets), and the teacher
    of distillation, which is one for all students.
    """
    fast, slow = pair.fast, pair.common[:1]
    at_fast = "at the fastest learned waves"
    named = " and ".join(fast)

    def estimate(rows: NDArray[np.float64], waves: str) -> Estimate:
        mean = pair.more.mean(rows)
        return dataclasses.replace(mean, unit=f"{mean.unit}, {waves}")

    def at(measure: str) -> Estimate:
        if not fast:
            return spectra.not_enough(0, 1, "waves learned")
        return estimate(pair.rows(measure, fast), named)

    def beyond() -> Estimate:
        if not fast or fast == slow:  # Against itself a wave has nothing more.
            return spectra.not_enough(len(fast), 2, "waves learned")
        away = pair.rows(ABOVE, fast) - pair.rows(ABOVE, slow)
        return estimate(away, f"{named} against {slow[0]}")

    found = [
        (f"{LOWEST}, {at_fast}", "published", at(LOWEST)),
        (f"{BETA}, {at_fast}", "", at(BETA)),
        (f"{ABOVE}, {at_fast}", "corrected", at(ABOVE)),
        (f"{ABOVE}, {at_fast} − at the slowest wave", "", beyond()),
    ]
    return [
        Finding(
            claim=pair.claim,
            statement=pair.statement,
            reading=f"{pair.name}: {reading}",
            primary=primary if pair.decides else "",
            direction=pair.direction,
            estimate=estimated,
        )
        for reading, primary, estimated in found
    ]


def panels(runs: Sequence[Run], found: Mapping[str, Mapping[str, Effect]]) -> list[Panel]:
    """What every run has above its null, and what that is more than in the baseline."""
    draw = records.figures
    above, away = [], []
    for i, (run, colour) in enumerate(zip(runs, draw.hues(len(runs)), strict=True)):
        effects = found[run.name].values()
        x = [run.cycles[wave] for wave in found[run.name]]
        sides = [[e.above_null for e in effects], [e.difference_above_null for e in effects]]
        drawn = [
            draw.Line(
                x,
                [float(e.value) for e in side],
                run.name,
                [float(e.low) for e in side],
                [float(e.high) for e in side],
                "o-",
                colour,
            )
            for side in sides
        ]
        above.append(drawn[0])
        away += drawn[1:] if i else []  # The baseline differs from itself by nothing.
    xlabel, levels = "cycles across the data", {"baseline": 0.0}
    return [
        draw.Panel(above, xlabel, f"{ABOVE}", {"ignored": 0.0}, "log"),
        draw.Panel(away, xlabel, f"{ABOVE}, more than in {runs[0].name}", levels, "log"),
    ]


if __name__ == "__main__":
    experiments.launch_comparison("noise_fitting_compare", plan, report, lambda plan: plan.named)
