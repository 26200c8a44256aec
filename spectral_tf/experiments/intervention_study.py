"""What sweeps over settings say: claims C0 and C5 to C10, correlations and differences.

A model is a classifier at a step of its training; a setting is what a sweep changes, with all its
seeds. All models were measured along the same paths.
"""

import itertools
from collections.abc import Callable, Collection

import numpy as np

from spectral_tf import records, spectra
from spectral_tf.experiments import path_study
from spectral_tf.experiments.networks import difference_over_networks
from spectral_tf.experiments.path_study import MEASURES, PAIR_TYPES, PRIMARY, Models
from spectral_tf.progress import track
from spectral_tf.spectra.verdicts import Finding

# What trainings to a goal do not have.
_EQUAL_STEPS = " at equal steps"
# What is claimed of correlations: its name, what goes with the frequency, sweep and quality.
CLAIMS = (
    ("C5", "better accuracy, over all settings", "all", "accuracy"),
    ("C6", "longer training", "time", "epoch"),
    ("C7", "better accuracy, over architecture and width", "architecture_and_width", "accuracy"),
    ("C7 width", "better accuracy, over width", "width", "accuracy"),
    ("C7 architecture", "better accuracy, over architecture", "architecture", "accuracy"),
    (
        "C8 epochs",
        "better accuracy, over number of images at equal epochs",
        "examples_equal_epochs",
        "accuracy",
    ),
    (
        "C8 steps",
        f"better accuracy, over number of images{_EQUAL_STEPS}",
        "examples_equal_steps",
        "accuracy",
    ),
    ("C9", "better accuracy, over augmentation", "augmentation", "accuracy"),
    ("C7 options", "better accuracy, over network options", "network_options", "accuracy"),
)
# Shares of the models of all settings that are wrong about a path: what is hard.
DIFFICULTIES = ((0.0, 0.0), (0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0))
# {(sweep, quality, pair type, reading): rho}.
Correlations = dict[tuple[str, str, str, str], spectra.Estimate]


def setting_of(found: Models) -> np.ndarray:
    """Of each model, its setting: seeds of one are one."""
    return np.char.add(
        np.char.add(found.columns["sweep"].astype(str), "="), found.columns["value"].astype(str)
    )


def last(found: Models) -> Models:
    """The models at the end of their trainings."""
    return found[found.columns["last"] == 1]


def comparable(found: Models) -> Models:
    """The models of trainings that reached their goal, where they had one; they are compared.

    All of them if fewer than two settings did: then there is only the comparison at their ends.
    """
    reached = found.columns.get("reached", np.ones(len(found))) == 1
    several = len(set(setting_of(found[reached]).tolist())) > 1
    return found[reached] if several else found


def at_goal(found: Models) -> bool:
    """Whether there was a goal, and the trainings of all models reached it."""
    return bool(np.all(found.columns.get("reached", np.zeros(len(found))) == 1))


def groups(found: Models) -> dict[str, Models]:
    """The classifiers of each sweep at their ends, the baseline in all of them, and all.

    Architecture and width are one group, as the paper does.
    """
    ended = last(found)
    sweep = ended.columns["sweep"].astype(str)
    names = [name for name in dict.fromkeys(sweep.tolist()) if name != "baseline"]
    members: dict[str, tuple[str, ...]] = {name: (name,) for name in names}
    both = ("architecture", "width")
    if set(both) <= members.keys():
        members = {"architecture_and_width": both} | {
            name: own for name, own in members.items() if name not in both
        }
    chosen = {name: np.isin(sweep, ("baseline", *own)) for name, own in members.items()}
    return {name: ended[own] for name, own in chosen.items()} | {"all": ended}


def with_quality(
    models_: Models, quality: str, pair_type: str, reading: path_study.Reading
) -> spectra.Estimate:
    """The correlation over settings of a quality, such as accuracy, and a reading."""
    return spectra.correlation_on_paths(
        models_.columns[quality],
        models_.values(reading),
        models_.correct(reading.ends),
        setting_of(models_),
        paths=reading.paths,
        where=models_.where(pair_type, reading.ends) & models_.measured(reading),
    )


def over_time(found: Models, pair_type: str, reading: path_study.Reading) -> spectra.Estimate:
    """The correlation of epoch and a reading within each training of the baseline."""
    chosen = found[(found.columns["sweep"] == "baseline") & (found.columns["epoch"] >= 1)]
    if not len(chosen):
        return spectra.not_enough(0, 1, "trainings of the baseline")
    return spectra.correlation_over_time(
        chosen.columns["epoch"],
        chosen.values(reading),
        chosen.correct(reading.ends),
        chosen.columns["seed"],
        paths=reading.paths,
        where=chosen.where(pair_type, reading.ends) & chosen.measured(reading),
    )


def between_above_within(found: Models, reading: path_study.Reading) -> spectra.Estimate:
    """What a reading has more between classes than within, over settings and paths."""
    ended, paths = last(found), "all" if reading.paths == "all" else "common"
    known = spectra.which_paths(ended.correct(reading.ends), paths) & ended.measured(reading)
    chosen = [ended.where(t, reading.ends) & known for t in PAIR_TYPES]
    least = min(int(c.sum()) for c in chosen)
    if least < spectra.PATHS_FOR_COMPARISON:
        return spectra.not_enough(least, spectra.PATHS_FOR_COMPARISON, f"{paths} paths")
    values, settings = ended.values(reading), setting_of(ended)
    of_settings = np.stack([values[settings == s].mean(axis=0) for s in dict.fromkeys(settings)])
    within, between = (of_settings[:, c] for c in chosen)
    return difference_over_networks(within, between, items="paths", rows="settings")


def student_minus_teacher(
    found: Models, pair_type: str, reading: path_study.Reading
) -> spectra.Estimate:
    """What a student, taught by its teacher alone, has more than this, over teachers and paths."""
    ended = last(found)
    sweep, value = (ended.columns[name].astype(str) for name in ("sweep", "value"))
    teacher, student = (
        {int(ended.columns["seed"][i]): i for i in np.flatnonzero(chosen)}
        for chosen in (sweep == "baseline", (sweep == "distillation") & (value == "0"))
    )
    couples = [(student[seed], teacher[seed]) for seed in sorted(teacher.keys() & student.keys())]
    if not couples:
        return spectra.not_enough(0, 2, "teachers")
    members = ended[np.ravel(couples)]
    where = members.where(pair_type, reading.ends) & members.measured(reading)
    # A student and its teacher are two models: what both know is common and shared.
    correct = members.correct(reading.ends) | (reading.paths == "all")
    values = members.values(reading)
    return spectra.difference_of_pairs(
        values[::2] - values[1::2], correct[::2] & correct[1::2] & where, unit="teachers"
    )


def claims(found: Models, rhos: Correlations, sweeps: Collection[str]) -> list[Finding]:
    """Every claim by every reading, in one order; lower within classes, higher between them.

    Args:
      found: all models.
      rhos: of `correlations`.
      sweeps: that were asked for.
    """
    findings = []

    def ask(
        claim: str,
        statement: str,
        direction: int,
        look: Callable[[path_study.Reading], spectra.Estimate],
    ) -> None:
        for reading in found.readings:
            primary = PRIMARY.get(reading.name, "")
            signed, estimate = direction * reading.sign, look(reading)
            findings.append(Finding(claim, statement, reading.name, primary, signed, estimate))

    ask(
        "C0",
        "the frequency is higher between classes than within",
        1,
        lambda reading: between_above_within(found, reading),
    )
    swept = {key[:2] for key in rhos}
    for claim, in_words, sweep, quality in CLAIMS:
        statement = in_words.removesuffix(_EQUAL_STEPS) if at_goal(found) else in_words
        for pair_type, direction in zip(PAIR_TYPES, (-1, 1), strict=True):
            if (sweep, quality) in swept:
                ask(
                    f"{claim} {pair_type}",
                    f"{statement}: {'lower' if direction < 0 else 'higher'} {pair_type} classes",
                    direction,
                    lambda reading, key=(sweep, quality, pair_type): rhos[*key, reading.name],  # type: ignore[misc]
                )
    if "distillation" in sweeps:
        for pair_type, direction in zip(PAIR_TYPES, (-1, 1), strict=True):
            ask(
                f"C10 {pair_type}",
                "students against their teachers: "
                f"{'lower' if direction < 0 else 'higher'} {pair_type} classes",
                direction,
                lambda reading, t=pair_type: student_minus_teacher(found, t, reading),  # type: ignore[misc]
            )
    return findings


def correlations(found: Models, sweeps: Collection[str]) -> Correlations:
    """{(sweep, quality, pair type, reading): of accuracy, and of epoch over time, with it}.

    Over all settings of effective robustness, too, where it is known.
    """
    rhos: Correlations = {}
    asked = list(itertools.product(groups(found).items(), PAIR_TYPES, found.readings))
    for (sweep, chosen), pair_type, reading in track(asked, "correlation"):
        key = (sweep, "accuracy", pair_type, reading.name)
        rhos[key] = with_quality(chosen, "accuracy", pair_type, reading)
        if sweep == "all" and (quality := "effective_robustness") in chosen.columns:
            key = (sweep, quality, pair_type, reading.name)
            rhos[key] = with_quality(chosen, quality, pair_type, reading)
    if "time" in sweeps:
        for pair_type in PAIR_TYPES:
            for reading in found.readings:
                key = ("time", "epoch", pair_type, reading.name)
                rhos[key] = over_time(found, pair_type, reading)
    return rhos


def differences(found: Models) -> records.Table:
    """What every setting changes against the baseline of the same seed, on the same paths.

    Means over all paths, and over those that both classify correctly in every seed; accuracy, too.
    """
    columns = ("sweep", "value", "pair_type", "measure", "paths", "num_paths", "difference")
    table: list[tuple[object, ...]] = []
    ended = last(found)
    settings, seed = setting_of(ended), ended.columns["seed"]
    rows = {(s, int(r)): i for i, (s, r) in enumerate(zip(settings, seed, strict=True))}
    for setting in dict.fromkeys(settings.tolist()):
        sweep, _, value = setting.partition("=")
        if sweep == "baseline":
            continue
        runs = [r for s, r in rows if s == setting and ("baseline=", r) in rows]
        if not runs:  # A training that diverged leaves its partners out, too.
            continue
        own, base = ([rows[s, r] for r in runs] for s in (setting, "baseline="))
        gain = spectra.paired_difference(
            ended.columns["accuracy"][own] - ended.columns["accuracy"][base], unit="seeds"
        )
        table.append((sweep, value, "", "accuracy", "", 0, gain))
        if "held_out" not in ended.classes:
            continue
        measures = (*MEASURES, *ended.optional)
        values_of = {m: np.asarray(ended.along[f"held_out/{m}"], np.float64) for m in measures}
        correct = ended.correct("held_out")
        for pair_type, measure, paths in itertools.product(PAIR_TYPES, measures, ("all", "common")):
            values = values_of[measure]
            where = ended.where(pair_type, "held_out")
            where &= path_study.informative(measure, values[own + base])
            where &= spectra.which_paths(correct[own + base], paths)
            few = int(where.sum())
            estimate = (
                spectra.not_enough(few, spectra.PATHS_FOR_COMPARISON, f"{paths} paths")
                if few < spectra.PATHS_FOR_COMPARISON
                else spectra.crossed_mean(
                    (values[own] - values[base])[:, where], units=("seeds", "paths")
                )
            )
            table.append((sweep, value, pair_type, measure, paths, few, estimate))
    return records.Table(columns, table)


def whole_models(found: Models) -> dict[str, records.Table]:
    """{"settings": what every setting has as a whole, means over its seeds}, if it was asked for.

    Norms of Jacobians at images, accuracy on a shifted set, and what it has above the line.
    """
    ended = last(found)
    asked = (*path_study.AT_IMAGES, *path_study.UNDER_SHIFT)
    names = [name for name in asked if name in ended.columns]
    if not names:
        return {}
    settings = setting_of(ended)
    rows = []
    for setting in dict.fromkeys(settings.tolist()):
        own = settings == setting
        sweep, _, value = setting.partition("=")
        means = (
            spectra.mean_over_runs(ended.columns[name][own], unit="seeds")
            for name in ("accuracy", *names)
        )
        rows.append((sweep, value, *means))
    return {"settings": records.Table(("sweep", "value", "accuracy", *names), rows)}


def by_difficulty(found: Models) -> records.Table:
    """The correlation over all settings on paths of one difficulty each: hard ones, too."""
    columns = ("pair_type", "difficulty_from", "difficulty_to", "num_paths", "measure", "rho")
    table: list[tuple[object, ...]] = []
    if "held_out" not in found.classes:
        return records.Table(columns, table)
    ended = last(found)
    hard = 1 - spectra.difficulty(ended.correct("held_out")) / len(ended)
    names = ("dft_share", "dct_share", "matched_centroid")
    for pair_type, (low, high), name in itertools.product(PAIR_TYPES, DIFFICULTIES, names):
        chosen = (hard > low) & (hard <= high) if high else hard == 0
        where = ended.where(pair_type, "held_out") & chosen
        where &= ended.measured(path_study.Reading("", name))
        few = int(where.sum())
        rho = spectra.not_enough(few, spectra.PATHS_FOR_COMPARISON, "paths")
        if few >= spectra.PATHS_FOR_COMPARISON:
            rho = spectra.correlation_over_settings(
                ended.columns["accuracy"],
                ended.along[f"held_out/{name}"],
                setting_of(ended),
                where=where,
            )
        table.append((pair_type, low, high, few, name, rho))
    return records.Table(columns, table)
