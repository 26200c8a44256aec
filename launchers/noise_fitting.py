"""Which frequencies does an image classifier learn? Fridovich-Keil et al. (2022), first method.

The labels of the training images are smoothed by s(x) = A (1 + sin(2 pi f (c(x) - phase))), a wave
through image space: along the norm of the image (radial) or along a direction (fourier, random,
power_law). On held-out images the regression slope beta tells how much of the wave the classifier
follows, 0 to 1, and noise fitting NF = CE(clean) - CE(noisy) is the paper's measure. Neither is 0
for a network that never saw the wave: the null of both is that of networks of the same seeds that
were trained on uniformly smoothed labels, measured against the same wave on the same images.

    python launchers/noise_fitting.py --alsologtostderr

takes about 20 minutes on 2 cores, on embedded photographs (not CIFAR-10). The paper's own setting,
for a GPU:

    python launchers/noise_fitting.py --flagfile=results/noise_fitting/cifar10_wrn_32.flags

Every wave and seed is a training of its own in the run folder, resumed one by one. A seed gives all
waves and the null the same first weights and order, and a --teacher is one network for all
students: what another teacher would do is not in the intervals.

To see: waves of few cycles across the data are fitted early and nearly fully, fast ones late or
no further than by networks that never saw them (results/noise_fitting).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags, logging
from numpy.typing import NDArray

from spectral_tf import (
    data,
    experiments,
    models,
    progress,
    records,
    runtime,
    spectra,
    tasks,
    training,
)
from spectral_tf.errors import UserError
from spectral_tf.experiments import evaluated, fitted_waves, wave_trainings
from spectral_tf.experiments.classification import (
    Classification,
    Setting,
    model_digest,
    told_of_goal,
)
from spectral_tf.experiments.fitted_waves import LEARNED, FittedWave
from spectral_tf.experiments.saved import saved_model
from spectral_tf.experiments.wave_trainings import NULL, WaveTrainings
from spectral_tf.records.waves import held_out_arrays
from spectral_tf.spectra.verdicts import Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectral_tf.records.figures import Line, Panel

FLAGS = flags.FLAGS
runtime.define_run_flags("noise_fitting", reports=True)
runtime.define_data_flags("photo_patches")
runtime.define_classifier_flags(models.CLASSIFIERS, data.AUGMENTATIONS, models.NETWORK_OPTIONS)
with runtime.flag_group("Label noise"):
    flags.DEFINE_enum("wave", "radial", tasks.WAVES, "Coordinate c(x) that the wave runs along.")
    flags.DEFINE_list(
        "cycles",
        [1, 2, 4, 8],
        "Frequencies as cycles across the data (4 standard deviations of c).",
    )
    flags.DEFINE_list("frequencies", [], "Frequencies f as such, in cycles per unit of c.")
    flags.DEFINE_list(
        "spatial_frequencies", [2], "Image frequencies of fourier directions, in cycles per image."
    )
    runtime.define_finite_float(
        "degrees", 45.0, "Orientation of the first fourier direction, in degrees.", at_least=0.0
    )
    flags.DEFINE_integer(
        "directions",
        1,
        "Number of directions of each image frequency or exponent: turned, or drawn anew.",
        1,
    )
    flags.DEFINE_list(
        "exponents", [1], "Exponents of power_law directions: magnitudes fall as rho^-exponent."
    )
    runtime.define_finite_float(
        "amplitude", 0.4, "Mean A of the label smoothing.", at_least=0.0, at_most=1.0
    )
    flags.DEFINE_bool(
        "per_batch_amplitude",
        False,
        "Division by the mean of each batch, as published, not of the data.",
    )
    flags.DEFINE_integer("noise_class", -1, "Only class whose labels are smoothed; -1: all.", -1)
with runtime.flag_group("Trainings and distillation"):
    flags.DEFINE_integer(
        "seeds", 2, "Number of trainings of each wave, with weights and order of their own.", 1
    )
    flags.DEFINE_string(
        "teacher",
        "",
        "Classifier to distill: a file, a SavedModel or a run folder; default: none.",
    )
    runtime.define_contract_flags("teacher")
    runtime.define_finite_float(
        "distillation_alpha",
        0.0,
        "Weight of true labels beside a teacher's.",
        at_least=0,
        at_most=1,
    )
    flags.DEFINE_list(
        "checkpoint_epochs", [], "Epochs after which models are kept as .keras files."
    )

# Training images on which waves are placed.
MEASURED_ON = 10_000
# Held-out images, for an interval over them to mean something.
FEWEST_HELD_OUT = 100
# The share of held-out images on which outputs may be NaN or infinite.
MOST_NOT_FINITE = 0.01
# The measures that pictures and closing lines show, and how axes call them.
NF, BETA = "minimum_noise_fitting", "final_regression_slope"
NAMES = {
    "noise_fitting": ("noise fitting NF [nats]", "NF"),
    "regression_slope": ("regression slope β", "β"),
    NF: ("minimum of NF [nats]", "minimum of NF"),
    BETA: ("final β", "final β"),
}


class Plan(NamedTuple):
    """What is asked for."""

    dataset: experiments.Dataset
    setting: Setting
    digests: dict[str, str]
    wave: str  # What waves run along.
    asked: list[tasks.AskedWave]
    directions: int
    seeds: int
    degrees: float
    amplitude: float
    per_batch_amplitude: bool
    noise_class: int
    teacher: evaluated.SavedModel | None
    distillation_alpha: float
    kept_epochs: list[int]


def plan() -> Plan:
    """Checks the flags."""
    setting = Setting.of_flags()
    digests, dataset = model_digest(setting), experiments.Dataset.of_flags()
    teacher = asked_teacher(dataset)
    if teacher:
        digests["teacher_sha256"] = teacher.digests["model_sha256"]
    return Plan(
        dataset,
        setting,
        digests,
        FLAGS.wave,
        asked_waves(),
        FLAGS.directions,
        FLAGS.seeds,
        FLAGS.degrees,
        FLAGS.amplitude,
        FLAGS.per_batch_amplitude,
        FLAGS.noise_class,
        teacher,
        FLAGS.distillation_alpha,
        kept_epochs(),
    )


def asked_teacher(dataset: experiments.Dataset) -> evaluated.SavedModel | None:
    """The network of `--teacher`, if there is one, or a UserError."""
    if FLAGS.teacher:
        saved = saved_model("--teacher", FLAGS.teacher)
        wants, gives = FLAGS.teacher_normalisation, FLAGS.teacher_outputs or "logits"
        return evaluated.saved_with(
            *("--teacher", saved, dataset, wants, "teacher_normalisation"),
            kind=gives,
            kind_name="teacher_outputs",
        )
    for name in ("distillation_alpha", "teacher_normalisation", "teacher_outputs"):
        if FLAGS[name].value:
            raise UserError(
                f"--{name}", expected="a --teacher", got="none", hint=f"leave --{name} out"
            )
    return None


def kept_epochs() -> list[int]:
    """The epochs after which models are kept, or a UserError."""
    if not FLAGS.checkpoint_epochs:
        return []
    kept = runtime.parse_ints("checkpoint_epochs", FLAGS.checkpoint_epochs)
    runtime.check_at_least("checkpoint_epochs", min(kept), 0)
    runtime.check_at_most("checkpoint_epochs", max(kept), FLAGS.num_epochs)
    return kept


def asked_waves() -> list[tasks.AskedWave]:
    """The waves of the flags, the uniform control last, or a UserError."""

    def numbers(flag: str, above: float = 0.0) -> list[float]:
        words = FLAGS[flag].value
        return runtime.parse_floats(flag, words, above=above) if any(words) else []

    flag = {"fourier": "spatial_frequencies", "power_law": "exponents"}.get(FLAGS.wave)
    parameters = numbers(flag, above=-math.inf) if flag else []
    if FLAGS.wave == "fourier":
        tasks.refuse_one_wave_twice(parameters, FLAGS.degrees, FLAGS.directions)
    return tasks.ask_waves(
        FLAGS.wave,
        cycles=numbers("cycles"),
        frequencies=numbers("frequencies"),
        direction_parameters=parameters,
        directions=FLAGS.directions,
    )


def run(plan: Plan, page: experiments.Page) -> records.Found:
    """Trains networks on every wave, and controls on none, and keeps their predictions."""
    learned, held_out = plan.dataset.splits()
    refuse_few(held_out.num_examples, f"--held_out={held_out.split}")
    refuse_batch_means(plan, page.strategy.num_replicas_in_sync)
    task = Classification(plan.setting, learned, held_out, page.strategy, page.seed)
    with page.strategy.scope():
        parameters = task.build(0).count_params()  # Refuses what does not fit, too.
    teacher = frozen_teacher(plan, page, task)
    waves, labels, measured = place_waves(plan, task, page.seed)
    refuse_few(int(measured.sum()), f"--noise_class={plan.noise_class}")
    refuse_still(waves)
    page.begin({**learned.record(task.normalisation), **plan.digests})
    asked = asked_trainings(plan, waves)
    logging.info("noise_fitting: %s, %d trainings", plan.setting.model, len(asked))
    units = trained(plan, page, task, teacher, asked, labels, measured)
    # Evaluations come in the order of `Images.arrays`, as clusters do: sets whose stored order is
    # another one are resident, and evaluated from their arrays.
    of = WaveTrainings.of_units(
        waves,
        units,
        plan.setting.num_epochs,
        plan.seeds,
        labels=labels,
        clusters=held_out.clusters(),
        measured=measured,
        num_classes=learned.num_classes,
    )
    return records.Found(
        facts={
            **of.facts(),
            "dataset": learned.title,
            "images": learned.name,
            "num_training_images": learned.num_examples,
            "parameters": parameters,
            "seconds": sum(unit.fact("seconds") for unit in units.values()),
            **(of_goal(plan, task, units) if plan.setting.stops else {}),
        }
    )


def of_goal(
    plan: Plan, task: Classification, units: Mapping[tuple[str, int], records.Found]
) -> dict[str, Any]:
    """What there is to say of trainings that may end early, and how many epochs they all had."""
    ends = [unit.facts.get("ended_at", -1) for unit in units.values()]
    steps = sum(task.num_steps if end < 0 else end for end in ends)
    named = {f"{wave}/seed_{run}": unit for (wave, run), unit in units.items()}
    return {"epochs_trained": steps / task.epoch, "goal": told_of_goal(plan.setting, named)}


def trained(
    plan: Plan,
    page: experiments.Page,
    task: Classification,
    teacher: Any,
    asked: Sequence[tuple[tasks.PlacedWave, int]],
    labels: NDArray,
    measured: NDArray[np.bool_],
) -> dict[tuple[str, int], records.Found]:
    """What each training predicted after every epoch, by the name of its wave and its number."""
    steps = [task.epoch * i for i in range(plan.setting.num_epochs + 1)]

    def predictions(
        loop: training.TrainingLoop, wave: tasks.PlacedWave, name: str
    ) -> dict[str, Any]:
        return evaluate_held_out(loop, wave, name, labels, measured)

    def correct(loop: training.TrainingLoop) -> NDArray:
        return loop.outputs.argmax(axis=1) == labels

    units = {}
    for wave, run_of in progress.track(asked, "training"):
        name = f"{wave}, seed {run_of}"
        smooth = tasks.SoftLabels(wave.smoothing, teacher, plan.distillation_alpha)
        units[wave.name, run_of] = page.unit(
            f"{wave.name}/seed_{run_of}",
            functools.partial(task.trainer, page.seed, run_of, smooth, finite_only=True),
            {
                "held_out": training.Measure(
                    functools.partial(predictions, wave=wave, name=name), steps, numbers
                ),
                "correct": training.Measure(correct, steps[-1:]),
            },
            charts=charts_of(wave),
            hparams={
                "images": task.training.title,
                "wave_name": wave.name,
                "cycles": wave.cycles,
                "frequency": wave.frequency,
                "run": run_of,
            },
            keep={steps[epoch]: f"epoch_{epoch:03d}.keras" for epoch in plan.kept_epochs},
        )
    return units


def charts_of(wave: tasks.PlacedWave) -> dict[str, list[str]]:
    """The charts of TensorBoard of a training; of a control there is no slope."""
    return {
        **({} if wave.kind == "control" else {"regression slope": ["regression_slope"]}),
        "label noise fitted": ["noise_fitting", "mean_part", "covariance_part"],
        "accuracy": ["accuracy"],
        "losses": ["clean_loss", "noisy_loss", "train_loss"],
    }


def frozen_teacher(plan: Plan, page: experiments.Page, task: Classification) -> Any:
    """Images as students see them -> logits of the `--teacher`; None without one."""
    if not plan.teacher:
        return None
    of = plan.teacher.load(page.strategy)
    if of.shape != task.shape:
        raise UserError(
            "--teacher",
            expected=f"a network of images {task.shape}, as its students",
            got=f"{of.shape}",
            hint="choose another",
        )
    return evaluated.answers_for(of, task.normalisation, plan.teacher.kind)


def place_waves(
    plan: Plan, task: Classification, seed: int
) -> tuple[list[tasks.PlacedWave], NDArray, NDArray[np.bool_]]:
    """The waves on the images, the labels of held-out ones, and which of these are measured."""

    def still(
        coordinate: str, parameter: float, direction: int
    ) -> tuple[tasks.SmoothingWave, float]:
        degrees = plan.degrees
        if coordinate == "fourier":
            degrees = tasks.orientations(parameter, degrees, plan.directions)[direction]
        return tasks.still_wave(
            coordinate,
            task.shape,
            runtime.generator(seed, "direction", direction),
            amplitude=plan.amplitude,
            num_classes=task.training.num_classes,
            direction_parameter=parameter,
            degrees=degrees,
            per_batch=plan.per_batch_amplitude,
            noise_class=plan.noise_class,
        )

    with task.training.reading():
        some = min(task.epoch, math.ceil(MEASURED_ON / plan.setting.batch_size))
        sample = runtime.derive_seed(seed, "sample")
        return tasks.place_waves(
            plan.asked,
            still,
            unaugmented=task.unaugmented(seed=sample).take(some).as_numpy_iterator(),
            augmented=task.batches(seed=sample).take(some).as_numpy_iterator(),
            held_out=((x[w > 0], y[w > 0]) for x, y, w in task.evaluation().as_numpy_iterator()),
        )


def asked_trainings(
    plan: Plan, waves: Sequence[tasks.PlacedWave]
) -> list[tuple[tasks.PlacedWave, int]]:
    """Every wave with the numbers of its trainings, which tell their seeds.

    Every direction has seeds of its own, and the control all of them: so what is true of several
    directions does not hang on one set of first weights, nor on one null.
    """
    return [
        (wave, run_of)
        for run_of in range(plan.directions * plan.seeds)
        for wave in waves
        if wave.kind == "control" or run_of // plan.seeds == wave.direction
    ]


def refuse_batch_means(plan: Plan, num_replicas: int) -> None:
    """Raises a UserError for an amplitude by whole batches where no replica holds one."""
    if plan.per_batch_amplitude and num_replicas > 1:
        raise UserError(
            "--per_batch_amplitude",
            expected="one replica, which holds whole batches",
            got=f"{num_replicas}",
            hint="use --strategy=default, or one constant for all batches",
        )


def refuse_few(num_images: int, flag: str) -> None:
    """Raises a UserError for fewer held-out images than an interval over them needs."""
    if num_images < FEWEST_HELD_OUT:
        raise UserError(
            flag,
            expected=f"at least {FEWEST_HELD_OUT} images to measure on",
            got=f"{num_images}",
            hint="choose another split or class",
        )


def refuse_still(waves: Sequence[tasks.PlacedWave]) -> None:
    """Raises a UserError for a wave that no network could be seen to fit."""
    for wave in waves:
        if wave.kind != "control" and wave.levels.std() < 1e-6:
            raise UserError(
                f"wave {wave.name}",
                expected="smoothing that varies over the held-out images",
                got=f"a standard deviation of {wave.levels.std():.1e}",
                hint="raise --amplitude or the frequency, or choose --wave=uniform",
            )


def evaluate_held_out(
    loop: training.TrainingLoop,
    wave: tasks.PlacedWave,
    name: str,
    labels: NDArray,
    measured: NDArray[np.bool_],
) -> dict[str, Any]:
    """What the classifier predicts for the held-out images; NF and beta follow from it.

    Raises:
      UserError: outputs are not finite on more than 1 % of the images.
    """
    finite = np.asarray(np.isfinite(loop.outputs).all(axis=1))
    if lost := int((~finite).sum()):
        logging.warning("%s: outputs on %d held-out images are not finite", name, lost)
    if lost > MOST_NOT_FINITE * len(finite):
        raise UserError(
            name,
            expected=f"finite outputs on {1 - MOST_NOT_FINITE:.0%} of {len(finite):,} held-out "
            "images or more",
            got=f"{lost:,} images with others, the first is number {int(np.argmin(finite))}",
            hint="see these images and the model",
        )
    chosen = finite & measured
    log_ratios = np.full(len(finite), np.nan)
    log_ratios[finite] = spectra.centred_log_ratio(loop.outputs[finite], labels[finite])
    correct = loop.outputs.argmax(axis=1) == labels
    fit = spectra.noise_fit(loop.outputs[chosen], labels[chosen], wave.levels[finite[measured]])
    return {
        **fit._asdict(),
        "log_ratios": log_ratios,
        "accuracy": float(correct[finite].mean()),
        "train_loss": loop.ensemble.train_loss(),
    }


def numbers(found: dict[str, Any]) -> dict[str, float]:
    """What TensorBoard shows of a training."""
    return {name: float(value) for name, value in found.items() if np.ndim(value) == 0}


def report(plan: Plan, found: records.Found) -> records.Report:
    """How closely each wave is fitted, above the networks that never saw it."""
    of = WaveTrainings.of_facts(found.facts)
    num_images = int(of.chosen.sum())
    refuse_few(num_images, "held-out images with finite outputs")
    left_out = int((of.measured & ~of.finite).sum())
    lines, alone = of.fitted()
    findings, known = claims(plan, lines), fitted_waves.learned(lines)
    accuracy = {wave.name: of.final_accuracy(wave) for wave in of.waves}
    epochs = of.epochs()
    return records.Report(
        tables={
            "epochs": epochs,
            "waves": of.table(alone),
            "curves": wave_trainings.curves_table(alone, of.num_epochs),
            **({"directions": wave_trainings.directions_table(lines)} if of.directions > 1 else {}),
            **({"claims": records.Table(Finding._fields, findings)} if findings else {}),
        },
        arrays={"held_out": held_out_arrays(of.held_out())} if alone else {},
        figures=figures(plan, found, lines, epochs) if lines else {},
        summary=summary(plan, found, of, lines, known, findings, accuracy),
        lines=[
            f"{num_images:,} held-out images of {found.fact('dataset')}",
            *(
                [f"{left_out} more are left out: an output on them was not finite"]
                if left_out
                else []
            ),
            *(f"{name} diverged at step {step:,}" for name, step in of.diverged.items()),
            *found.facts.get("goal", ()),
            *(
                closing(line, yes, np.mean([accuracy[w.name].value for w in line.waves]))
                for line, yes in zip(lines, known, strict=True)
            ),
            f"{NULL:>28}: accuracy {accuracy[NULL].text('.3f')}",
        ],
    )


def summary(
    plan: Plan,
    found: records.Found,
    of: WaveTrainings,
    lines: Sequence[FittedWave],
    known: Sequence[bool | None],
    findings: Sequence[Finding],
    accuracy: Mapping[str, spectra.Estimate],
) -> dict[str, Any]:
    """What was trained and how closely each wave is fitted, in numbers."""
    epochs = found.facts.get("epochs_trained", plan.setting.num_epochs * len(of.names))
    shown = epochs * found.fact("num_training_images")
    return {
        "dataset": found.fact("dataset"),
        "num_training_images": found.fact("num_training_images"),
        "num_held_out_images": int(of.chosen.sum()),
        "num_images_left_out": int((of.measured & ~of.finite).sum()),
        "model": plan.setting.model,
        "parameters": found.fact("parameters"),
        "num_seeds": plan.seeds,
        "num_directions": plan.directions,
        "num_trainings": len(of.names),
        "diverged_at_step": dict(of.diverged),
        **({"goal": found.fact("goal")} if "goal" in found.facts else {}),
        "num_epochs": of.num_epochs,
        "amplitude": plan.amplitude,
        "accuracy": accuracy,
        "images_per_second": shown / found.fact("seconds"),
        "final_regression_slope": {
            label(line): {
                "network": line.estimates[BETA].network,
                "null": line.estimates[BETA].null,
                "above_null": line.estimates[BETA].difference,
                "learned": yes,
            }
            for line, yes in zip(lines, known, strict=True)
        },
        "claims": {
            f"{f.claim}, {f.primary}": {
                "reading": f.reading,
                "direction": f.direction,
                **f.estimate.record(),
            }
            for f in findings
            if f.primary
        },
    }


def claims(plan: Plan, lines: Sequence[FittedWave]) -> list[Finding]:
    """Every reading of what the waves were asked for: C1 and C2 of one coordinate, C11 of more."""
    if len({line.direction_parameter for line in lines}) > 1:
        # Magnitudes fall as rho^-exponent: the larger it is, the lower the image frequencies.
        return fitted_waves.direction_claims(lines, rising=plan.wave == "fourier")
    return fitted_waves.wave_claims(lines)


def closing(line: FittedWave, is_learned: bool | None, accuracy: np.floating) -> str:
    """What was found of a wave, in words."""
    found, nf = (line.estimates[name] for name in (BETA, NF))
    return (
        f"{label(line):>28}: beta {found.network.value:.3f}, its null {found.null.value:.3f}, "
        f"above it {found.difference.text('.3f')}, {verdict(line, is_learned)}; lowest NF "
        f"{nf.network.value:.3f}, its null {nf.null.value:.3f}; accuracy {accuracy:.3f}"
    )


def verdict(line: FittedWave, is_learned: bool | None) -> str:
    """What beta - null says, after the correction for all waves (`learned`)."""
    if is_learned is None:
        return "without an interval nothing is said of it"
    if not is_learned:
        return "not told from networks that never saw it (after Holm's correction over the waves)"
    passed = line.learning_epoch
    when = f"from epoch {passed.text('.1f')}" if np.isfinite(passed.value) else "never"
    return f"learned, {LEARNED} above its null {when}"


def label(line: FittedWave) -> str:
    """How lines, legends and records call a wave, or its directions together."""
    return tasks.wave_title(line.kind, line.value, line.cycles, line.image_frequency)


def figures(
    plan: Plan, found: records.Found, lines: Sequence[FittedWave], epochs: records.Table
) -> dict[str, Figure]:
    """The published figure; NF and beta against epoch, frequency and image frequency, and nulls."""
    levels = ideal(plan.amplitude, found.fact("num_classes"))
    panels = {
        "epochs": epoch_panels(lines, "regression_slope", {"ignored": 0.0, "fitted": 1.0}),
        "epochs_noise_fitting": epoch_panels(lines, "noise_fitting", levels),
    }
    if len(lines) > 1:
        panels["frequencies"] = frequency_panels(plan, lines, BETA)
        panels["frequencies_noise_fitting"] = frequency_panels(plan, lines, NF)
    if len({line.direction_parameter for line in lines}) > 1:
        panels["image_frequency"] = direction_panels(plan, lines)
    title = f"{plan.wave} waves on the labels of {found.fact('images')}, A = {plan.amplitude:g}"
    if found.fact("diverged"):
        title += f"; {len(found.fact('diverged'))} trainings diverged"
    drawn = {name: records.figures.line_panels(own, title=title) for name, own in panels.items()}
    columns = dict(zip(epochs.columns, zip(*epochs.rows, strict=True), strict=True))
    return {**drawn, "four_panels": records.figures.four_panels(columns, title=title)}


def ideal(amplitude: float, num_classes: int) -> dict[str, float]:
    """NF of models that know the mean smoothing, and of models that know the wave."""
    if not 0 < amplitude <= 0.5:
        return {}
    constant, follows = spectra.reference_levels(amplitude, num_classes)
    return {"mean smoothing only": constant, "wave fitted": follows}


def epoch_panels(lines: Sequence[FittedWave], curve: str, levels: dict[str, float]) -> list[Panel]:
    """A measure of every wave with its null, dashed; and what it is above that."""
    draw = records.figures
    epochs = np.arange(len(lines[0].curves[curve].difference))
    values, above = [null_line()], []
    for line, colour in zip(lines, draw.shades(len(lines)), strict=True):
        found = line.curves[curve]
        values.append(draw.Line.of(epochs, found.network, label(line), colour=colour))
        values.append(draw.Line(epochs, found.null.value, style="--", colour=colour))
        above.append(draw.Line.of(epochs, found.difference, label(line), colour=colour))
    long, short = NAMES[curve]
    return [
        draw.Panel(values, "epoch", long, levels),
        draw.Panel(above, "epoch", f"{short} − null", {"ignored": 0.0}),
    ]


def frequency_panels(plan: Plan, lines: Sequence[FittedWave], measure: str) -> list[Panel]:
    """A measure against the cycles across the data with its null; what it is above; when."""
    draw = records.figures
    by_parameter: dict[float, list[FittedWave]] = {}
    for line in sorted(lines, key=lambda line: line.cycles):
        by_parameter.setdefault(line.direction_parameter, []).append(line)
    values: list[Line] = [null_line()]
    above: list[Line] = []
    times: list[Line] = []
    for lines_of, colour in zip(by_parameter.values(), draw.hues(len(by_parameter)), strict=True):
        frequency = lines_of[0].image_frequency
        name = plan.wave if math.isnan(frequency) else f"F = {frequency:.3g}"
        cycles = [line.cycles for line in lines_of]
        found = [line.estimates[measure] for line in lines_of]
        values.append(points(cycles, [f.network for f in found], name, colour))
        values.append(draw.Line(cycles, [f.null.value for f in found], style="--", colour=colour))
        above.append(points(cycles, [f.difference for f in found], name, colour))
        if measure == BETA:
            shares = [line.correlation_ratio for line in lines_of]
            told = "told by the class alone" if not times else ""
            values.append(draw.Line(cycles, shares, told, style=":", colour=colour))
            passed = [line.learning_epoch for line in lines_of]
            times.append(points(cycles, passed, name, colour))
    x, (long, short) = "cycles across the data", NAMES[measure]
    panels = [
        draw.Panel(values, x, long, xscale="log"),
        draw.Panel(above, x, f"{short} − null", {"ignored": 0.0}, "log"),
    ]
    if any(np.isfinite(line.y).any() for line in times):
        when = f"epoch at which β − null passes {LEARNED}"
        panels.append(draw.Panel(times, x, when, xscale="log"))
    return panels


def direction_panels(plan: Plan, lines: Sequence[FittedWave]) -> list[Panel]:
    """The regression slope against image frequency, at equal f and at equal cycles."""
    draw = records.figures
    x = "exponent of the direction"
    if plan.wave == "fourier":
        x = "spatial frequency of the direction [cycles per image]"
    groups: dict[tuple[str, float], list[FittedWave]] = {}
    for line in sorted(lines, key=lambda line: line.image_frequency):
        groups.setdefault((line.kind, line.value), []).append(line)
    panels: list[Panel] = []
    for kind, name in (("frequency", "equal f"), ("cycles", "equal cycles across the data")):
        values, above = [null_line()], []
        chosen = {value: row for (k, value), row in groups.items() if k == kind}
        for (value, row), colour in zip(chosen.items(), draw.shades(len(chosen)), strict=True):
            called = f"f = {value:g}" if kind == "frequency" else f"{value:g} cycles"
            frequencies = [line.image_frequency for line in row]
            found = [line.estimates[BETA] for line in row]
            values.append(points(frequencies, [f.network for f in found], called, colour))
            nulls = [f.null.value for f in found]
            values.append(draw.Line(frequencies, nulls, style="--", colour=colour))
            above.append(points(frequencies, [f.difference for f in found], called, colour))
        if chosen:
            panels.append(draw.Panel(values, x, NAMES[BETA][0], name=name))
            panels.append(draw.Panel(above, x, "β − null", {"ignored": 0.0}, name=name))
    return panels


def points(x: list[float], found: Sequence[spectra.Estimate], name: str, colour: str) -> Line:
    """Single estimates as points with their intervals."""
    value, low, high = (
        [float(getattr(estimate, end)) for estimate in found] for end in ("value", "low", "high")
    )
    return records.figures.Line(x, value, name, low, high, "o-", colour)


def null_line() -> Line:
    """An entry of the legend for all nulls."""
    name = "null: networks that never saw it"
    return records.figures.Line([], [], name, style="--", colour="gray")


if __name__ == "__main__":
    experiments.launch("noise_fitting", plan, run, report)
