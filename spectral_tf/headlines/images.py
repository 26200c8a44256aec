"""What was found by the experiments on images."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spectral_tf.errors import UserError
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
    row_estimates,
    rows,
    sentence,
    told,
)
from spectral_tf.records.tables import estimates
from spectral_tf.spectra import Estimate, verdicts

# How sentences call the kinds of primary readings.
KINDS = ("published", "corrected")


def mnist_noise(summary: Summary, tables: Tables) -> str:
    """At one amplitude, which noise spoils the validation loss most; of each kind of wave."""
    table = tables.get("validation")
    found = rows(table, "noise_amplitude", "cycles_across_data", "frequency")
    losses = row_estimates(table, "minimum", summary.get("num_runs"))
    # Runs of before had radial waves alone, and do not say so.
    waves = [str(wave) for (wave,) in rows(table, "wave")] or ["radial"] * len(found)
    if not losses:
        return ""
    clauses = []
    for wave in dict.fromkeys(waves):
        own = [
            (a, c, losses[i])
            for i, (a, c, k) in enumerate(found)
            if waves[i] == wave and a > 0 and np.isfinite(c) and k > 0
        ]
        if clause := _slow_and_fast(own):
            clauses.append(clause if len(set(waves)) == 1 else f"of {wave} waves, {clause}")
    return sentence(*clauses, _clean(summary), _unfinished(table)) if clauses else ""


def _unfinished(table: Mapping[str, Any] | None) -> str:
    """How many curves, those without noise aside, were lowest where the run ended."""
    curves = rows(table, "noise_amplitude", "minimum", "final")
    noisy = [(lowest, final) for amplitude, lowest, final in curves if amplitude > 0]
    falling = sum(final <= lowest for lowest, final in noisy)
    if not falling:
        return ""
    return f"{falling} of {counted(len(noisy), 'noisy curve')} still fell when the run ended"


def _slow_and_fast(kept: Sequence[tuple[float, float, Estimate]]) -> str:
    """Which spoils more, of (amplitude, cycles, lowest loss); at the largest amplitude of two."""
    loudest = max((a for a, *_ in kept if sum(b == a for b, *_ in kept) > 1), default=None)
    if loudest is None:
        return ""
    own = [(c, loss) for a, c, loss in kept if a == loudest]
    (slow, low), (fast, high) = (pick(own, key=lambda pair: pair[0]) for pick in (min, max))
    side = apart(low, high)
    words = {
        1: "slow noise spoils validation more than fast noise",
        -1: "fast noise spoils validation more than slow noise",
        0: "slow and fast noise spoil validation alike, as far as intervals tell",
    }
    what = words[int(np.sign(low.value - high.value)) if side is None else side]
    if side is None:  # One run each: what was seen, and no more.
        what = what.replace("spoil", "spoilt").replace("spoilts", "spoilt")
        what = "in what was seen, without an interval, " + what.removesuffix(
            ", as far as intervals tell"
        )
    return (
        f"{what}: at amplitude {loudest:g} the lowest loss on clean targets was {told(low)} with "
        f"{slow:.2g} cycles across the data, {brief(high)} with {fast:.2g}"
    )


def _clean(summary: Summary) -> str:
    clean = estimate_of(summary.get("clean_validation_loss"), summary.get("num_runs"))
    return "" if clean is None or np.isnan(clean.value) else f"{number(clean.value)} without noise"


def kernel_projection(summary: Summary, tables: Tables) -> str:
    """Whether the target is learned before the noise."""
    runs = summary.get("num_runs")
    clauses = []
    for name, facts in summary.items():
        if not isinstance(facts, dict) or "dip_step" not in facts:
            continue
        dip = named(facts, "dip_validation_loss", runs)
        last = named(facts, "final_validation_loss", runs)
        if dip is None or last is None or np.isnan([dip.value, last.value]).any():
            continue
        what = {
            1: "the target was learned before the noise",
            0: "the noise did not clearly come after the target",
            None: "the loss rose, in one run," if last.value > dip.value else "the loss never rose",
        }.get(apart(last, dip), "the loss never rose")
        clauses.append(
            f"with {name.replace('_', '-')} noise {what}: validation loss {told(dip)} at step "
            f"{facts['dip_step']:,}, {brief(last)} at the end"
        )
    return sentence(*clauses)


def mnist_manifold(summary: Summary, tables: Tables) -> str:
    """Where half of the noise is fitted first."""
    runs = summary.get("num_runs")
    entries = summary.get("half_fitted_at_step", summary.get("half_fitted_at_step_with_interval"))
    steps = by_name(entries, runs)
    curved = steps.pop("manifold", None)
    if curved is None or not steps:
        return ""
    words = {-1: "sooner than", 1: "later than", 0: "not clearly sooner or later than"}
    compared: dict[str, list[str]] = {}
    for name, flat in steps.items():
        side = apart(curved, flat)
        # Compared, not subtracted: neither may ever be half fitted.
        order = int(curved.value > flat.value) - int(curved.value < flat.value)
        word = "by means alone, " + words[order]
        word = word if side is None else words[side]
        compared.setdefault(word, []).append(
            f"the {name.replace('flat', 'flat cloud', 1)} (step {brief(flat, ',.0f')})"
        )
    each = "; ".join(f"{word} on {listed(of)}" for word, of in compared.items())
    at = f"step {told(curved, ',.0f')}"
    of = " of a variational autoencoder" if summary.get("autoencoder") == "variational" else ""
    return sentence(f"half of the noise was fitted on the curved manifold{of} at {at}: {each}")


def claims_of(tables: Tables) -> list[verdicts.Finding]:
    """All readings of all claims of one run."""
    table = tables.get("claims")
    asked = ("claim", "statement", "reading", "primary", "direction", "estimate", "estimate_method")
    found = rows(table, *asked[:5])
    if table is None or not found or any(name not in table for name in asked):
        return []
    return [
        verdicts.Finding(str(c), str(s), str(r), "" if p == "nan" else str(p), int(float(d)), e)
        for (c, s, r, p, d), e in zip(found, estimates(table, "estimate"), strict=True)
    ]


def on_claims(summary: Summary, tables: Tables) -> str:
    """What a run's readings say of its claims, by the rule of `spectra.verdicts`.

    Of trainings to an accuracy or a loss it says first how many of them came there.
    """
    came = [str(line).partition(";")[0] for line in summary.get("goal", ())]
    return sentence(*came, *_claimed(tables))


# More than so many are counted.
_CLAIMS_TOLD = 2


def _claimed(tables: Tables, with_numbers: bool = True) -> list[str]:
    findings = claims_of(tables)
    words = {kind: found for kind in KINDS if (found := _words(findings, kind))}
    statements = {f.claim: f.statement for f in findings}
    if len(statements) > _CLAIMS_TOLD:
        return [
            f"by {kind} readings, {_tallied({c: v.word for c, v in of.items()})}"
            f"{_units([f.estimate for f in findings if f.primary == kind])}"
            for kind, of in words.items()
        ]
    return [
        f"{claim} ({statement[:1].lower() + statement[1:]}) {said}"
        for claim, statement in statements.items()
        if (said := _said_of(claim, findings, words, with_numbers))
    ]


def _units(of: Sequence[Estimate]) -> str:
    """What varies in several estimates."""
    known = [estimate for estimate in of if not np.isnan(estimate.value)]
    if not known:
        return ""
    counts = sorted({int(estimate.n) for estimate in known})
    units = sorted({estimate.unit.split(" x ")[0] for estimate in known})
    many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    return f" (n = {many} {' or '.join(units)})"


def _said_of(
    claim: str,
    findings: Sequence[verdicts.Finding],
    words: Mapping[str, Mapping[str, verdicts.Verdict]],
    with_numbers: bool,
) -> str:
    """Its verdicts, those of the same word together, and maybe the numbers that they rest on."""
    by_word: dict[str, list[str]] = {}
    for f in findings:
        if f.claim == claim and claim in words.get(f.primary, {}):
            verdict = words[f.primary][claim]
            rests = _rests(f.estimate)
            why = f"; {verdict.why}".replace(" on this run", "") if verdict.why else ""
            by = f"{f.primary} ({rests}{why})" if with_numbers else f.primary
            by_word.setdefault(_verb(verdict.word), []).append(by)
    return listed(
        f"{verb} by the {listed(of)} reading{'s' if len(of) > 1 else ''}"
        for verb, of in by_word.items()
    )


def _verb(word: str) -> str:
    return word if word == "holds" else f"is {word}"


def _rests(estimate: Estimate) -> str:
    """The number that a verdict rests on."""
    if np.isnan(estimate.value):
        return estimate.missing or "no value"
    return f"{number(estimate.value, '.2f')}, {how_sure(estimate, '.2f')}"


def _words(findings: Sequence[verdicts.Finding], kind: str) -> dict[str, verdicts.Verdict]:
    """{claim: verdict} of one run."""
    if not any(finding.primary == kind for finding in findings):
        return {}
    try:
        found = verdicts.verdicts({"this run": findings}, kind)
    except UserError:  # A reading with an interval and no p-value: no verdict.
        return {}
    return {verdict.claim: verdict for verdict in found}


def _tallied(words: Mapping[str, str]) -> str:
    """How many claims hold, with the names of those that are decided."""
    parts = []
    for word in ("holds", "contradicted", "mixed", "undecided"):
        own = [claim for claim, other in words.items() if other == word]
        if own:
            verb = f"{'are' if len(own) > 1 else 'is'} {word}"
            if word == "holds":
                verb = "hold" if len(own) > 1 else "holds"
            names = f" ({listed(own, 4)})" if word in ("holds", "contradicted") else ""
            parts.append(f"{len(own)} {verb}{names}")
    return f"of {counted(len(words), 'claim')} {listed(parts)}"


def comparison_of_claims(summary: Summary, tables: Tables) -> str:
    """Which claims hold on all data sets."""
    by_kind: dict[str, dict[str, tuple[str, str]]] = {}
    for kind, of_kind in summary.get("verdicts", {}).items():
        split = {claim: str(text).partition(": ") for claim, text in of_kind.items()}
        by_kind[str(kind)] = {claim: (word, why) for claim, (word, _, why) in split.items()}
    clauses = []
    for kind, of_kind in by_kind.items():
        told_of = _tallied({claim: word for claim, (word, _) in of_kind.items()})
        if len(of_kind) <= _CLAIMS_TOLD:
            told_of = listed(
                f"{claim} {_verb(word)}" + f" ({why})" * bool(why)
                for claim, (word, why) in of_kind.items()
            )
        clauses.append(f"by {kind} readings {told_of}")
    sets = len(summary.get("folders", ()))
    on = f"on {counted(sets, 'data set')}, " if sets else ""
    return sentence(on + clauses[0], *clauses[1:]) if clauses else ""


def noise_fitting(summary: Summary, tables: Tables) -> str:
    """How much of the slowest and the fastest wave was fitted, and what that says of the claims."""
    entries = summary.get("final_regression_slope", {})
    slopes = by_name({name: _above_null(entry) for name, entry in entries.items()})
    fitted = ""
    if slopes:
        learned = [e.get("learned") for e in entries.values() if isinstance(e, dict)]
        slowest, fastest = (pick(slopes, key=_frequency) for pick in (min, max))
        ends = f"{told(slopes[slowest], '.3f')} for {_wave(slowest)}"
        if fastest != slowest:
            ends = ends.replace(" for ", " for the slowest, ")
            ends += f", and {brief(slopes[fastest], '.3f')} for the fastest, {_wave(fastest)}"
        fitted = (
            f"networks fitted {learned.count(True)} of {counted(len(entries), 'wave')} of label "
            f"noise: β − null (regression slope, less that of networks that never saw it) is {ends}"
        )
    elif not entries and "num_epochs" in summary:
        fitted = f"no wave was asked for: {counted(summary.get('num_trainings', 0), 'training')} "
        fitted += f"of {counted(summary['num_epochs'], 'epoch')} without label noise"
    return sentence(fitted, *_claimed(tables))


def _frequency(wave: str) -> tuple[float, float]:
    """(cycles across the data, image frequency) of a wave, as its name has them."""
    cycles, along = (re.search(p, wave) for p in (r"([\d.e+-]+) cycles?$", r"F = ([\d.e+-]+)"))
    return float(cycles[1]) if cycles else np.nan, float(along[1]) if along else 0.0


def _wave(name: str) -> str:
    """How sentences call a wave; names of older runs say "1 cycles".

    >>> _wave("F = 2.24, 1 cycles"), _wave("2.5 cycles")
    ('1 cycle across the data (F = 2.24)', '2.5 cycles across the data')
    """
    along, _, cycles = name.rpartition(", ")
    cycles = f"{re.sub('^1 cycles$', '1 cycle', cycles)} across the data"
    return f"{cycles} ({along.replace('-', '−')})" if along else cycles


def _above_null(entry: Any) -> Any:
    return entry.get("above_null", entry) if isinstance(entry, dict) else entry


def interpolation(summary: Summary, tables: Tables) -> str:
    """What is higher and lower between classes than within, and what that says of the claim."""
    if told_of := _claimed(tables, with_numbers=False):
        return sentence(_between_and_within(tables), *told_of)
    return sentence(_slopes(summary))


def _between_and_within(tables: Tables) -> str:
    """Which way the readings go that decide, with their numbers."""
    words = {1: "higher", -1: "lower", 0: "not clearly other", None: "of no known difference"}
    found = []
    for f in claims_of(tables):
        if f.primary and not np.isnan(f.estimate.value):
            word = words[verdicts.sign_of(f.estimate, f.estimate.p_value)]
            found.append(f"{f.reading.replace(', ', ' of ', 1)} {word} ({_rests(f.estimate)})")
    return f"between classes compared with within: {listed(found)}" if found else ""


def _slopes(summary: Summary) -> str:
    """The means within and between classes, where nothing is claimed."""
    means = summary.get("means", {})
    parts = []
    for pair, of_pair in means.items():
        share = estimate_of(of_pair.get("all", {}).get("dft_share"))
        if share is not None and not np.isnan(share.value):
            parts.append(f"{told(share)} {pair} classes")
    return f"the high-frequency share (DFT) is {listed(parts)}" if parts else ""


def elastic_bands(summary: Summary, tables: Tables) -> str:
    """On how many pairs of images bands keep the class, against straight lines."""
    of_courses = by_name(summary.get("joined", {}).get("common", {}).get("all kinds", {}))
    band, straight, turned = (of_courses.get(n) for n in ("band", "straight", "turned"))
    if band is None or straight is None:
        return sentence(*_claimed(tables))
    keep = "elastic bands keep the class on {} pairs than straight lines"
    opening = {
        1: keep.format("more"),
        -1: keep.format("fewer"),
        0: f"that {keep.format('more')} is not seen",
        None: f"whether {keep.format('more')} is not told",
    }[_of_pairs(tables)]
    other = "" if turned is None else f", paths bent at random {_percent(turned)}"
    longer = estimate_of(summary.get("relative_length"))
    length = (
        ""
        if longer is None or np.isnan(longer.value)
        else f"bands are longer than straight lines by {_percent(longer, '.2f', told)}"
    )
    return sentence(
        f"{opening}: of the pairs whose ends all networks take for it they join "
        f"{_percent(band, say=told)}, straight lines {_percent(straight)}{other}",
        length,
        *_claimed(tables, with_numbers=False),
    )


def _of_pairs(tables: Tables) -> int | None:
    """The sign of the difference on the same pairs, as the published reading of B1; None without.

    Intervals of the two shares say less: both hold how much pairs differ, the difference does not.
    """
    for f in claims_of(tables):
        if (f.claim, f.primary) == ("B1", "published") and not np.isnan(f.estimate.value):
            return verdicts.sign_of(f.estimate, f.estimate.p_value)
    return None


def _percent(
    share: Estimate, form: str = ".1f", say: Callable[[Estimate, str], str] = brief
) -> str:
    """Of a share of one, with the sign beside the number.

    >>> from spectral_tf.spectra import mean_over_runs
    >>> _percent(mean_over_runs([0.5, 0.5, 0.5]))
    '50.0 % (50.0 to 50.0)'
    """
    text = say(share.map(lambda value: 100 * value), form)
    value, paren, ends = text.partition(" (")
    return f"{value} %{paren}{ends}"


def fourier_sensitivity(summary: Summary, tables: Tables) -> str:
    """Which pattern a classifier reacts to most."""
    clean = estimate_of(summary.get("clean_error"))
    low, high = _ends(tables)
    rings = ""
    if clean is not None and low is not None and high is not None:
        words = {
            1: "the error is higher with patterns of the lowest frequency than of the highest",
            0: "errors with patterns of the lowest and of the highest frequency are not told apart",
            -1: "the error is lower with patterns of the lowest frequency than of the highest",
        }
        side = apart(low, high)
        word = words[int(np.sign(low.value - high.value)) if side is None else side]
        if side is None:  # One network: what was seen, and no more.
            word = word.replace("is ", "was ", 1).replace("are not told apart", "were the same")
        rings = f"{word}: {told(low)}, {brief(high)}, and {brief(clean)} without a pattern"
    return sentence(rings, _most(summary.get("worst", {})))


def _most(worst: Summary) -> str:
    """The pattern of the largest error, whose size is that of networks that did not choose it."""
    cycles = worst.get("cycles")
    if cycles is None:
        return ""
    pattern = f"the pattern of {' and '.join(number(c) for c in cycles)} cycles across the image"
    pattern = pattern if any(cycles) else "a constant pattern"
    largest = f"the error was largest with {pattern}"
    others = estimate_of(worst.get("error_of_networks_that_did_not_choose"))
    if others is not None and not np.isnan(others.value):
        at = "where the other networks had their largest, a network had"
        return f"{largest}; {at} {told(others)}"
    chosen = estimate_of(worst.get("error"))  # Of older runs.
    if chosen is not None and not np.isnan(chosen.value):
        return f"{largest}, {told(chosen)}, chosen by the networks that it is read on"
    return f"{largest}, and there are too few networks to say how large without having chosen it"


def _ends(tables: Tables) -> tuple[Estimate | None, Estimate | None]:
    """The error at the lowest and at the highest ring."""
    table = tables.get("rings")
    k, errors = column(table, "frequency"), row_estimates(table, "error")
    if k is None or len(errors) < 2:
        return None, None
    return errors[int(np.argmin(k))], errors[int(np.argmax(k))]
