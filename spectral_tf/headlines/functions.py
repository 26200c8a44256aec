"""What was found by the experiments on functions."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_tf.headlines.words import (
    Summary,
    Tables,
    apart,
    brief,
    by_name,
    column,
    counted,
    estimate_of,
    how_sure,
    listed,
    named,
    number,
    percent,
    row_estimates,
    rows,
    sentence,
    sign,
    told,
)
from spectral_tf.spectra import Estimate
from spectral_tf.spectra.learning import POINTS_FOR_POWER_LAW


def learning_order(summary: Summary, tables: Tables) -> str:
    """Which frequencies were learned first, and the law of the learning times."""
    exponent = named(summary, "learning_time_exponent", summary.get("num_runs"))
    unit = summary.get("target", {}).get("frequency_unit", "cycles per unit")
    level = summary.get("learning_time_level", 0.5)
    k, times = times_at(tables.get("learning_times"), level)
    return sentence(order(k, times, unit, amount(level)), law(exponent, summary))


def times_at(table: Any, level: float) -> tuple[NDArray, NDArray]:
    """(frequencies, steps at which they reached a level; infinity: never) of a table."""
    columns = [column(table, name) for name in ("level", "frequency", "step")]
    if any(values is None for values in columns):
        return np.empty(0), np.empty(0)
    at, k, steps = (np.asarray(values) for values in columns)
    return k[at == level], steps[at == level]


def amount(level: float) -> str:
    """How sentences call a level."""
    return "half" if level == 0.5 else percent(level)


def order(k: NDArray, times: NDArray, unit: str, half: str) -> str:
    """Which of some frequencies were learned first, by their learning times.

    Args:
      k: frequencies.
      times: steps; infinity: never; NaN: not measured.
      unit: of the frequencies.
      half: as `amount`.
    """
    known = ~np.isnan(times)
    k, times = k[known][np.argsort(k[known])], times[known][np.argsort(k[known])]
    learned, count = np.isfinite(times), k.size
    if not count:
        return ""
    if learned.sum() < 2:
        every = counted(count, "frequency", "frequencies")
        which = f"of {every} only that of {k[learned][0]:g} {unit}" if learned.any() else ""
        return f"{which or f'none of {every}'} was {half} learned"
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count) if learned[i] or learned[j]]
    against = [(i, j) for i, j in pairs if times[i] > times[j]]
    with_it = sum(times[i] < times[j] for i, j in pairs)
    never = f"; {count - learned.sum()} of {count} were never {half} learned"
    never *= not learned.all()
    which = f"all {count}" if learned.all() else f"the {learned.sum()} of {count} that were"
    every = f"{which}, from {k[learned][0]:g} to {k[learned][-1]:g} {unit}"
    if with_it == len(pairs):
        return f"lower frequencies were learned first, in order: {every}"
    if len(against) == len(pairs):
        return f"higher frequencies were learned first, in reverse order: {every}"
    if with_it == len(against):
        return f"neither lower nor higher frequencies were learned first: {every}"
    first, other = ("lower", against) if with_it > len(against) else ("higher", [])
    share = f"{max(with_it, len(against))} of {len(pairs)} pairs"
    swapped = ""
    if other:
        i, j = min(other, key=lambda pair: k[pair[1]] - k[pair[0]])
        swapped = f", but {k[j]:g} came before {k[i]:g} {unit}"
    return f"{first} frequencies were mostly learned first ({share}){swapped}{never}"


def law(exponent: Estimate | None, summary: Summary) -> str:
    """How the learning time goes with frequency, and how sure that is."""
    if exponent is None:
        return ""
    count = summary.get("learning_time_num_frequencies")
    level = summary.get("learning_time_level", 0.5)
    few = count is not None and count < POINTS_FOR_POWER_LAW  # Older runs have a number for two.
    if np.isnan(exponent.value) or few:
        return no_law("the learning times", exponent, count, f"{amount(level)} learned")
    power = f"frequency^{number(exponent.value, '.2f')}"
    points = f", from {counted(count, 'frequency', 'frequencies')}" if count else ""
    sure = f"({how_sure(exponent, '.2f')}{points})"
    match sign(exponent):
        case 1:
            return f"the learning time grows as {power} {sure}"
        case -1:
            return f"the learning time falls as {power} {sure}"
        case 0:
            return f"the learning time goes as {power}, which may be no growth at all {sure}"
    verb = "grew" if exponent.value > 0 else "fell"
    return f"the learning time {verb} as {power} {sure}"


def no_law(of: str, exponent: Estimate, count: int | None, what: str) -> str:
    """Why there is no power law, and what one needs.

    Args:
      of: what it would be of.
      exponent: without a value, or of too few points.
      count: frequencies that it would rest on; None where that is not known.
      what: was done by them.
    """
    if count is None or count >= POINTS_FOR_POWER_LAW:
        return f"no power law is fitted to {of}" + f" ({exponent.missing})" * bool(exponent.missing)
    those = f"{counted(count, 'frequency', 'frequencies')} {'was' if count == 1 else 'were'} {what}"
    return f"no power law is fitted to {of}: {those}, and a law needs {POINTS_FOR_POWER_LAW}"


def robustness(summary: Summary, tables: Tables) -> str:
    """Whether lower or higher frequencies bear larger perturbations of the weights."""
    exponent = named(summary, "half_attenuation_exponent", summary.get("num_runs"))
    norms = column(tables.get("half_attenuation_norms"), "half_attenuation_norm")
    never = ""
    if norms is not None and np.isinf(norms).any():
        never = f"{np.isinf(norms).sum()} of {norms.size} frequencies never lost half"
    return sentence(_bearing(exponent, summary), never)


def _bearing(exponent: Estimate | None, summary: Summary) -> str:
    if exponent is None:
        return ""
    count = summary.get("half_attenuation_num_frequencies")
    if np.isnan(exponent.value):
        return no_law("the norms that leave half", exponent, count, "halved")
    points = f", from {counted(count, 'frequency', 'frequencies')}" if count else ""
    power = f"frequency^{number(exponent.value, '.2f')} ({how_sure(exponent, '.2f')}{points})"
    norm = "the norm that leaves half of a frequency"
    match sign(exponent):
        case -1:
            return f"lower frequencies bear larger perturbations: {norm} falls as {power}"
        case 1:
            return f"higher frequencies bear larger perturbations: {norm} grows as {power}"
        case 0:
            return f"no frequency clearly bears larger perturbations: {norm} goes as {power}"
    which = "lower" if exponent.value < 0 else "higher"
    return f"{which} frequencies bore larger perturbations: {norm} went as {power}"


def manifold(summary: Summary, tables: Tables) -> str:
    """Whether more is learned the more a curve winds."""
    learned = summary.get("num_frequencies_learned", {})
    petals = sorted(int(name) for name in learned)
    if not petals:
        return ""
    level = summary.get("learning_time_level", 0.5)
    k = {row[0] for row in rows(tables.get("learning_times"), "frequency")}
    of = f" of {counted(len(k), 'frequency', 'frequencies')}" if k else " frequencies"
    counts = [learned[str(n)] for n in petals]
    each = listed(f"{count} with {n}" for n, count in zip(petals, counts, strict=True))
    half = f"{amount(level)} learned"
    if len(petals) == 1:
        return sentence(f"{counts[0]}{of} were {half} on the curve with {petals[0]} petals")
    steps = np.sign(np.diff(counts))
    if not steps.any():
        what = f"equally many frequencies were {half} on all curves"
    elif (steps >= 0).all():
        what = f"the more the curve winds, the more frequencies were {half}"
    elif (steps <= 0).all():
        what = f"the more the curve winds, the fewer frequencies were {half}"
    else:
        what = f"the number of frequencies {half} does not follow the number of petals"
    return sentence(f"{what} ({each} petals,{of})".replace(", frequencies", ""), _losses(summary))


def _losses(summary: Summary) -> str:
    """The final losses of the fewest and the most petals, and whether their intervals meet."""
    entries = summary.get("final_loss", summary.get("final_loss_with_interval"))
    losses = by_name(entries, summary.get("num_runs"))
    if len(losses) < 2:
        return ""
    few, most = (pick(losses, key=int) for pick in (min, max))
    low, high = losses[few], losses[most]
    side = apart(low, high)
    both = f"{told(high)} with {most} petals and {brief(low)} with {few}"
    if side == 0:
        return f"the final losses are not told apart, {both}"
    higher = side == -1 if side is not None else high.value > low.value
    return f"the final loss is {'higher' if higher else 'lower'}, {both}"


def manifold_grid(summary: Summary, tables: Tables) -> str:
    """What petals and frequency do to the accuracy at label waves."""
    thresholds = summary.get("by_threshold", {"0": summary})
    clauses = []
    for threshold, facts in thresholds.items():
        above = f"labels above {threshold}: " if len(thresholds) > 1 else ""
        parts = [
            _change(facts, "gain_of_most_petals", "mean_accuracy_by_petals", "more petals"),
            _change(
                *(facts, "gain_of_highest_frequency", "mean_accuracy_by_frequency"),
                "higher frequencies of the labels",
            ),
        ]
        if any(parts):
            clauses.append(above + ", ".join(part for part in parts if part))
    cells = summary.get("num_cells")
    one = f"one network in each of {cells} cells" if cells else ""
    return sentence(*clauses, one) if clauses else ""


def _change(facts: Summary, gain: str, means: str, what: str) -> str:
    """What more of something does to the mean accuracy."""
    ends = sorted(facts.get(means, {}).items(), key=lambda item: float(item[0]))
    estimate = estimate_of(facts.get(gain))
    if estimate is not None and not np.isnan(estimate.value):
        verbs = {1: "raise", -1: "lower", 0: "do not clearly change"}
        verb = verbs.get(sign(estimate) or 0, "")
        if sign(estimate) is None:
            verb = "raised" if estimate.value > 0 else "lowered"
        if estimate.value < 0 and sign(estimate) != 0:  # The verb has the sign.
            estimate = dataclasses.replace(
                estimate, value=-estimate.value, low=-estimate.high, high=-estimate.low
            )
        return f"{what} {verb} the accuracy, by {told(estimate, '.3f')}"
    if len(ends) < 2 or any(mean is None for _, mean in ends):
        return ""
    (first, low), (last, high) = ends[0], ends[-1]
    verb = "left the mean accuracy at" if low == high else "lowered the mean accuracy from"
    verb = "raised the mean accuracy from" if high > low else verb
    reached = f"{low:.3f}" if low == high else f"{low:.3f} at {first} to {high:.3f} at {last}"
    return f"{what} {verb} {reached}"


# {sweep: how sentences call more of it}.
_MORE = {"depth": "depth", "width": "width", "weight_clip": "a larger clip of the weights"}


def architecture(summary: Summary, tables: Tables) -> str:
    """Which of depth, width and weight size let in higher frequencies."""
    table = tables.get("architecture")
    steps = column(table, "step")
    reached = row_estimates(table, "cutoff_frequency", summary.get("num_runs"))
    if steps is None or not reached:
        return ""
    early = steps.min()  # At the end much may be learned by all.
    changed: dict[str, list[str]] = {}
    for sweep, more in _MORE.items():
        of_sweep = [
            (value, reached[i])
            for i, (name, value) in enumerate(rows(table, "sweep", sweep))
            if name == sweep and steps[i] == early and not np.isnan(reached[i].value)
        ]
        if len(of_sweep) > 1:
            (first, low), (last, high) = (pick(of_sweep, key=lambda p: p[0]) for pick in (min, max))
            text = f"{more} ({brief(low)} at {first:g}, {brief(high)} at {last:g})"
            changed.setdefault(_effect(low, high), []).append(text)
    if not changed:
        return ""
    k = column(tables.get("learning_times"), "frequency")
    of = "" if k is None else f", of {k.min():g} to {k.max():g}"
    at = f"by step {early:,.0f} the highest frequency learned (cycles per unit{of})"
    runs = {e.n for e in reached if e.n}
    sure = (
        f"95 % intervals, n = {max(runs)} {reached[0].unit} each"
        if max(runs, default=0) > 1
        else ""
    )
    one = "one run of each setting, which has no interval" if max(runs, default=0) == 1 else ""
    each = "; it ".join(f"{verb} {listed(of)}" for verb, of in changed.items())
    return sentence(f"{at} {each}", sure, one)


def _effect(low: Estimate, high: Estimate) -> str:
    """What came of going from the first to the second."""
    match apart(high, low):
        case 1:
            return "grew with"
        case -1:
            return "fell with"
        case 0:
            return "did not clearly change with"
    if high.value == low.value:
        return "did not change with"
    return "grew, by means alone, with" if high.value > low.value else "fell, by means alone, with"


def theory(summary: Summary, tables: Tables) -> str:
    """Whether the theorems' bounds hold, and how well tangent kernels predict training."""
    holds = [summary.get(name) for name in _PROVED if name in summary]
    bounds = ""
    if holds:
        bounds = "the bounds on Lipschitz constants and jumps "
        bounds += "hold" if all(holds) else f"are broken ({holds.count(False)} of {len(holds)})"
    decay = named(summary, "decay_exponent_networks_one_dimension")
    falls = ""
    if decay is not None and not np.isnan(decay.value):
        falls = f"spectra of trained networks go as frequency^{number(decay.value, '.2f')} at high "
        falls += f"frequencies ({how_sure(decay, '.2f')})"
    return sentence(bounds, falls, _gradients(summary), _predicted(tables))


_PROVED = ("chain_of_bounds_holds", "jumps_within_twice_regions_times_lipschitz")


def _gradients(summary: Summary) -> str:
    """How gradients go with frequency, and the speed of learning on both sides of its edge."""
    of = {"gradient_decay_exponent_hidden_layer_1_biases": "their gradients by hidden biases"}
    edge = by_name(summary.get("single_sine_edge")).get("ordinary")
    if edge is not None:
        at = f"{number(edge.value, '.2g')} cycles per unit"
        for side in ("below", "above"):
            what = f"the first speed of learning a single sine {side} {at}"
            of[f"single_sine_exponent_ordinary_measured_{side}_the_edge"] = what
    told_of = [
        f"{what} as frequency^{number(exponent.value, '.2f')} ({how_sure(exponent, '.2f')})"
        for name, what in of.items()
        if (exponent := named(summary, name)) is not None and not np.isnan(exponent.value)
    ]
    return listed(told_of)


def _predicted(tables: Tables) -> str:
    """How far measured learning times are from those that the untrained kernels predict."""
    names = ("group", "measured_over_predicted", "measured_step", "predicted_step")
    groups: dict[str, list[tuple[float, ...]]] = {}
    for group, *times in rows(tables.get("tangent_times"), *names):
        groups.setdefault(group, []).append(tuple(map(float, times)))
    told_of = listed((_ratios(group, of) for group, of in groups.items()), len(groups))
    return f"measured over predicted learning times: {told_of}" if groups else ""


def _ratios(group: str, times: list[tuple[float, ...]]) -> str:
    """The span of a group's (measured over predicted, measured, predicted), and what has none."""
    ratios = [ratio for ratio, *_ in times if np.isfinite(ratio)]
    span = " to ".join(number(r) for r in sorted({min(ratios), max(ratios)})) if ratios else "none"
    never = {
        word: sum(map(np.isinf, own))
        for word, own in zip(
            ("measured", "predicted"), [*zip(*times, strict=True)][1:], strict=True
        )
    }
    why = listed(f"{count} as {word}" for word, count in never.items() if count)
    of = f"{len(ratios)} of {counted(len(times), 'frequency', 'frequencies')}"
    return f"{span} ({group}, {of}" + f"; never learned: {why}" * bool(why) + ")"


# More of the power beyond half of the Nyquist frequency may be folded: the mean is not to be had.
_FOLDED = 0.05


def untrained(summary: Summary, tables: Tables) -> str:
    """Which untrained networks have the lowest and the highest mean frequency."""
    means = by_name(summary.get("mean_frequency"), summary.get("num_networks"))
    keys = rows(
        tables.get("mean_frequencies"), "activation", "depth", "scale", "share_near_nyquist"
    )
    folded = {f"{a}, {d:g} layers, x {s:g}" for a, d, s, share in keys if share > _FOLDED}
    kept = {name: mean for name, mean in means.items() if name not in folded}
    if not kept:
        return ""
    least, most = (pick(kept, key=lambda name: kept[name].value) for pick in (min, max))
    left = f"{counted(len(folded), 'setting')} of {len(means)} left out, whose power may be folded"
    left *= bool(folded)
    if least == most:
        clause = f"untrained networks ({_weights(least)}) have mean frequency {told(kept[least])}"
        return sentence(clause, left)
    whether = "is highest" if apart(kept[most], kept[least]) == 1 else "seems highest"
    return sentence(
        f"the mean frequency of untrained networks {whether} with {_weights(most)}, "
        f"{told(kept[most])} cycles per turn, and lowest with {_weights(least)}, "
        f"{brief(kept[least])}",
        left,
    )


def _weights(setting: str) -> str:
    """A setting of `untrained`, with what it is that is multiplied."""
    return setting.replace(", x ", ", weights x ")


def own_models(summary: Summary, tables: Tables) -> str:
    """In how many settings the learning time grows with frequency."""
    entries = summary.get("exponent", {})
    laws = by_name(entries, summary.get("num_runs"))
    if not entries:
        return ""
    words = {
        1: "grows with frequency",
        0: "does not clearly change with it",
        -1: "falls with it",
        None: "follows a power law without an interval",
    }
    kinds = {word: [n for n, e in laws.items() if sign(e) == side] for side, word in words.items()}
    told_of = [f"{word} in {len(own)}" for word, own in kinds.items() if own]
    if without := len(entries) - len(laws):
        told_of.append(
            f"has none in {without}, where too few frequencies were learned for a power law"
        )
    sure = {name: e for name, e in laws.items() if sign(e) is not None} or laws
    every = sorted(sure, key=lambda name: float(sure[name].value))
    span = ""
    if every:
        least, most = every[0], every[-1]
        of_what = " (network, optimiser, learning rate)"
        span = f"the largest exponent is {told(laws[most], '.2f')} of {most}{of_what}"
        span += f", the smallest {brief(laws[least], '.2f')} of {least}" if least != most else ""
    of = counted(len(entries), "setting")
    return sentence(f"of {of}, the learning time {listed(told_of)}", span)


def precision(summary: Summary, tables: Tables) -> str:
    """Whether lower precision changes learning times, and what it saves."""
    ratios = by_name(summary.get("learning_time_ratio"), summary.get("num_runs"))
    rates = summary.get("member_steps_per_second", {})
    words = {
        1: "are longer",
        -1: "are shorter",
        0: "do not clearly change",
        None: "have no interval",
    }
    parts: list[str] = []
    for name, ratio in ratios.items():
        speed = ""
        if rates.get(name) and rates.get("float32"):
            speed = f", at {rates[name] / rates['float32']:.2f} times the speed"
        shown = brief if parts else told
        verb = words[sign(ratio, at=1.0)]
        parts.append(f"with {name} they {verb} (ratio {shown(ratio, '.3f')}){speed}")
    return sentence("learning times against float32's: " + "; ".join(parts)) if parts else ""
