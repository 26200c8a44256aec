"""What was found by the experiments on speed and cost.

Their numbers are medians over rounds on one machine, without intervals; the sentences say so.
"""

from __future__ import annotations

from collections.abc import Mapping

from spectral_tf.headlines.words import (
    Summary,
    Tables,
    counted,
    estimate_of,
    listed,
    number,
    sentence,
    told,
)


def _rounds(summary: Summary) -> str:
    rounds = summary.get("num_rounds")
    return f" (median of {counted(rounds, 'round')}, one machine)" if rounds else " (one machine)"


def _times(ratio: float) -> str:
    """A ratio of speeds in words: 1 is as fast.

    >>> _times(2.0), _times(0.5), _times(1.004)
    ('2.00 times as fast as', '0.50 times as fast as', 'as fast as')
    """
    return "as fast as" if abs(ratio - 1) < 0.005 else f"{number(ratio, '.2f')} times as fast as"


def benchmark(summary: Summary, tables: Tables) -> str:
    """Ours against the strongest peer."""
    ratio, peer = summary.get("ours_over_the_strongest_peer"), summary.get("strongest_peer")
    rates = summary.get("member_steps_per_second", {})
    if ratio is None:  # Of older runs: ours and the peers by their rates.
        own = {name: rate for name, rate in rates.items() if name.startswith("ours")}
        others = {n: r for n, r in rates.items() if n not in own and n != "matrix product"}
        if not own or not others:
            return ""
        peer = max(others, key=lambda name: others[name])
        ratio = max(own.values()) / others[peer]
    fastest = max((r for name, r in rates.items() if name.startswith("ours")), default=None)
    made = f", at {number(fastest, ',.0f')} member-steps per second," if fastest else ""
    clause = f"ensembles train{made} {_times(ratio)} the strongest peer, {peer}{_rounds(summary)}"
    return sentence(clause)


def benchmark_augmentation(summary: Summary, tables: Tables) -> str:
    """Ours against each peer that augments."""
    ratios = {k: v for k, v in summary.get("ours_over", {}).items() if v is not None and v != 1.0}
    if not ratios:
        return ""
    each = listed(f"{_times(ratio)} {name}" for name, ratio in ratios.items())
    return sentence(f"images are augmented {each} (medians over rounds, one machine)")


def benchmark_images(summary: Summary, tables: Tables) -> str:
    """Ours against peers, and what waves and probes cost."""
    clauses = []
    if peers := {k: v for k, v in summary.get("ours_over", {}).items() if v is not None}:
        each = listed(f"{_times(ratio)} {name}" for name, ratio in peers.items())
        clauses.append(f"a classifier trains {each}")
    kept = summary.get("probed_with_wave_over_plain_evaluated")
    if kept is not None:
        clauses.append(
            f"wave and probe keep {kept:.1%} of the speed of a training that is evaluated"
        )
    return sentence(*clauses, "medians over rounds on one machine") if clauses else ""


def benchmark_measure(summary: Summary, tables: Tables) -> str:
    """What measuring costs over the bare work."""
    ratios = {
        name: entry["median_ratio"]
        for name, entry in summary.get("times_the_bare", {}).items()
        if isinstance(entry, Mapping) and entry.get("median_ratio") is not None
    }
    if not ratios:
        return ""
    each = listed(f"{number(ratio, '.2f')} times for {name}" for name, ratio in ratios.items())
    return sentence(f"measuring takes, of the time of the bare work, {each} (medians, one machine)")


def benchmark_paths(summary: Summary, tables: Tables) -> str:
    """What the probe along paths costs."""
    share, rates = summary.get("share_of_the_bare_model"), summary.get("images_per_second", {})
    if share is None:
        return ""
    probed = f", {number(rates['probe'], ',.0f')} images per second" if "probe" in rates else ""
    faster = summary.get("times_faster_than_a_process_each", {})
    each = listed(f"{number(times, '.3g')} times with {n} paths" for n, times in faster.items())
    return sentence(
        f"measuring along paths keeps {share:.1%} of the speed of the bare model{probed}",
        each and f"one process is faster than one for each class pair by {each}",
        "medians on one machine",
    )


def benchmark_probing(summary: Summary, tables: Tables) -> str:
    """What probing and perturbing cost."""
    percent = summary.get("probing_percent_median")
    times = {k: v for k, v in summary.get("perturbations_times_plain_loop", {}).items() if v != 1.0}
    probing = "" if percent is None else f"probing takes {number(percent, '.2g')} % of the training"
    each = listed(f"{_times(v)} a plain loop ({k})" for k, v in times.items())
    told_of = [clause for clause in (probing, each and f"networks are perturbed {each}") if clause]
    return sentence(*told_of, "medians on one machine") if told_of else ""


def benchmark_saves(summary: Summary, tables: Tables) -> str:
    """Whether saves grow along a run, and what they take."""
    grown = {
        name: entry["bytes_last"] / entry["bytes_early"]
        for name, entry in {**summary.get("saves", {}), **summary.get("pages", {})}.items()
        if entry.get("bytes_early") and entry.get("bytes_last")
    }
    if not grown:
        return ""
    most = max(grown, key=lambda name: grown[name])
    slow = {
        n: e["seconds_median"] for n, e in summary.get("pages", {}).items() if "seconds_median" in e
    }
    slowest = max(slow, key=lambda name: slow[name]) if slow else ""
    taken = f"a save takes at most {number(slow[slowest])} s ({slowest})" if slow else ""
    verb = "grow" if grown[most] > 1.005 else "do not grow"
    return sentence(
        f"saves {verb} along a run: the last has {number(grown[most])} times the bytes of an early "
        f"one at most ({most}, of {len(grown)})",
        taken,
    )


def benchmark_start(summary: Summary, tables: Tables) -> str:
    """How long until the first step, and how much of that is compiling, cold and warm."""
    parts = []
    for kind, times in summary.get("seconds_median", {}).items():
        if isinstance(times, Mapping) and times.get("first_step") is not None:
            compiling = times.get("compilation")
            of = "" if compiling is None else f", of which {number(compiling, '.1f')} s compiling"
            parts.append(f"{number(times['first_step'], '.1f')} s{of}, when {kind}")
    clause = f"the first step of lf_first comes after {listed(parts)}{_rounds(summary)}"
    return sentence(clause) if parts else ""


def benchmark_scaling(summary: Summary, tables: Tables) -> str:
    """How time and memory grow with size."""
    parts = []
    for name, fit in summary.get("fits", {}).items():
        seconds, amount = (estimate_of(fit.get(k)) for k in ("seconds_exponent", "bytes_exponent"))
        own = [
            f"{what} as size^{told(exponent, '.2f')}"
            for what, exponent in (("time", seconds), ("memory", amount))
            if exponent is not None and exponent.value == exponent.value
        ]
        if own:
            parts.append(f"{name} grows in {listed(own)}")
    return sentence(*parts)


def costs(summary: Summary, tables: Tables) -> str:
    """What the largest and the smallest study take."""
    totals = {name: total for name, total in summary.get("pflop", {}).items() if total is not None}
    if not totals:
        return ""
    most, least = (pick(totals, key=lambda name: totals[name]) for pick in (max, min))
    clause = f"the study of {most} takes {number(totals[most], ',.4g')} x 10^15 operations"
    rest = f", that of {least} {number(totals[least])}" if most != least else ""
    return sentence(clause + rest + ", counted, not measured")
