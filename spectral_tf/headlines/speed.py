"""What was found by the experiments on speed and cost.

One rule for what is quoted: the median over rounds; of a ratio the median over rounds of the ratio
within a round, as the tables have it, with the lowest and the highest where a table has the rounds.
There are no intervals, and it is one machine; the sentences say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectral_tf.headlines.words import (
    Summary,
    Tables,
    column,
    counted,
    estimate_of,
    listed,
    number,
    percent,
    sentence,
    told,
)

# What tables of rounds call what a contender makes in a second.
_RATES = ("a_second", "images_per_second", "member_steps_per_second")
_NONE: NDArray[np.float64] = np.empty(0)


def _within_rounds(
    table: Mapping[str, NDArray] | None, one: str, other: str
) -> NDArray[np.float64]:
    """One contender's rate over another's in each quiet round; none where they are not there."""
    rates = next((r for name in _RATES if (r := column(table, name)) is not None), None)
    if table is None or rates is None or "contender" not in table:
        return _NONE
    busy = column(table, "busy")
    quiet = np.ones(rates.size, bool) if busy is None else busy == 0
    of = [rates[quiet & (np.asarray(table["contender"]) == name)] for name in (one, other)]
    return of[0] / of[1] if of[0].size == of[1].size else _NONE


def _ratio(ratio: float, rounds: NDArray[np.float64]) -> str:
    """A ratio, with its lowest and highest in a round.

    >>> _ratio(2.0, np.array([1.5, 2.0, 3.0])), _ratio(0.5, np.empty(0))
    ('2.00 (1.50 to 3.00)', '0.50')
    """
    if rounds.size < 2:
        return number(ratio, ".2f")
    ends = f"{number(rounds.min(), '.2f')} to {number(rounds.max(), '.2f')}"
    return f"{number(ratio, '.2f')} ({ends})"


def _times(ratio: float, rounds: NDArray[np.float64] = _NONE) -> str:
    """A ratio of speeds in words: 1 is as fast.

    >>> _times(2.0), _times(0.5), _times(1.004)
    ('2.00 times as fast as', '0.50 times as fast as', 'as fast as')
    """
    if rounds.size < 2 and abs(ratio - 1) < 0.005:
        return "as fast as"
    return f"{_ratio(ratio, rounds)} times as fast as"


def _medians(summary: Summary, *rounds: NDArray[np.float64]) -> str:
    """What the numbers are, and how many rounds they rest on."""
    count = summary.get("num_rounds", max((r.size for r in rounds), default=0))
    of = f"medians of {counted(count, 'round')}" if count else "medians of rounds"
    span = ", the lowest and the highest in brackets" * any(r.size > 1 for r in rounds)
    return f"{of}{span}, one machine"


def benchmark(summary: Summary, tables: Tables) -> str:
    """Ours against the strongest peer."""
    ratio, peer = summary.get("ours_over_the_strongest_peer"), summary.get("strongest_peer")
    rates = summary.get("member_steps_per_second", {})
    own = {name: rate for name, rate in rates.items() if name.startswith("ours")}
    ours = max(own, key=lambda name: own[name], default="ours")
    rounds = _within_rounds(tables.get("benchmark_rounds"), ours, str(peer))
    if ratio is None:  # Of older runs: the strongest by its rate.
        others = {n: r for n, r in rates.items() if n not in own and n != "matrix product"}
        peer = max(others, key=lambda name: others[name], default=None)
        rounds = _within_rounds(tables.get("rounds"), ours, str(peer))
        if peer is None or not rounds.size:
            return ""
        ratio = float(np.median(rounds))
    made = f", at {number(own[ours], ',.0f')} member-steps per second," if own else ""
    clause = f"ensembles train{made} {_times(ratio, rounds)} the strongest peer, {peer}"
    return sentence(clause, _medians(summary, rounds))


class _Peer(NamedTuple):
    """Ours over one of the others: the median, and that of every round."""

    name: str
    ratio: float
    rounds: NDArray[np.float64]

    def __str__(self) -> str:
        kind, _, name = self.name.removesuffix(", forward").rpartition(": ")
        return f"{_times(self.ratio, self.rounds)} {name}" + f" ({kind})" * bool(kind)


def _peers(summary: Summary, rounds: Mapping[str, NDArray] | None) -> list[_Peer]:
    """Each of the others against that of ours which does the same."""
    over = {
        name: ratio for name, ratio in summary.get("ours_over", {}).items() if ratio is not None
    }

    def work(name: str) -> tuple[str, bool]:
        return name.rpartition(": ")[0], "forward" in name

    ours = {work(name): name for name in over if name.rpartition(": ")[2].startswith("ours")}
    return [
        _Peer(name, ratio, _within_rounds(rounds, ours.get(work(name), ""), name))
        for name, ratio in over.items()
        if name not in ours.values()
    ]


def benchmark_augmentation(summary: Summary, tables: Tables) -> str:
    """Ours against each peer that augments."""
    peers = _peers(summary, tables.get("augmentation_rounds"))
    if not peers:
        return ""
    # One draw for a whole batch is less work than ours.
    peers.sort(key=lambda peer: ("one draw" in peer.name, "AutoAugment" not in peer.name))
    of = _medians(summary, *(peer.rounds for peer in peers))
    return sentence(f"images are augmented {listed(map(str, peers))}", of)


# {what `benchmark_images` times beside a plain training: how sentences call it}.
_COSTING = {
    "with a wave": "with label noise",
    "plain, evaluated": "with evaluations",
    "with a wave, probed": "with label noise and its probe",
}


def benchmark_images(summary: Summary, tables: Tables) -> str:
    """Ours against peers, and what label noise, its probe and evaluations cost."""
    peers = _peers(summary, tables.get("peers_rounds"))
    forward = [str(peer) for peer in peers if "forward" in peer.name]
    training = [str(peer) for peer in peers if "forward" not in peer.name]
    clauses = [f"a classifier trains {listed(training)}"] if training else []
    clauses += [f"a forward pass is {listed(forward)}"] if forward else []
    rates = summary.get("images_per_second_and_ratio", {})
    rates = rates.get("training", rates)  # Of older runs: beside that of pipelines.
    rounds = {
        name: _within_rounds(tables.get("training_rounds"), name, "plain")
        for name in _COSTING
        if name in rates
    }
    if rounds:
        each = listed(f"{_ratio(rates[n][1], of)} {_COSTING[n]}" for n, of in rounds.items())
        clauses.append(f"relative to a plain training the speed is {each}")
    of = _medians(summary, *rounds.values(), *(peer.rounds for peer in peers))
    return sentence(*clauses, of) if clauses else ""


def benchmark_measure(summary: Summary, tables: Tables) -> str:
    """What measuring costs over the bare work."""
    ratios = {
        name: entry["median_ratio"]
        for name, entry in summary.get("times_the_bare", {}).items()
        if isinstance(entry, Mapping) and entry.get("median_ratio") is not None
    }
    if not ratios:
        return ""
    each = listed(f"{number(ratio, '.2f')} ({name})" for name, ratio in ratios.items())
    return sentence(f"relative to the bare work the time is {each}", _medians(summary))


def benchmark_paths(summary: Summary, tables: Tables) -> str:
    """What the probe along paths costs."""
    share, rates = summary.get("share_of_the_bare_model"), summary.get("images_per_second", {})
    if share is None:
        return ""
    probed = f", {number(rates['probe'], ',.0f')} images per second" if "probe" in rates else ""
    faster = summary.get("times_faster_than_a_process_each", {})
    each = listed(f"{number(times, '.3g')} times with {n} paths" for n, times in faster.items())
    return sentence(
        f"measuring along paths keeps {percent(share)} of the speed of the bare model{probed}",
        each and f"one process is faster than one for each class pair, once each: {each}",
        _medians(summary),
    )


def benchmark_probing(summary: Summary, tables: Tables) -> str:
    """What probing and perturbing cost."""
    percent = summary.get("probing_percent_median")
    times = {k: v for k, v in summary.get("perturbations_times_plain_loop", {}).items() if v != 1.0}
    probing = "" if percent is None else f"probing takes {number(percent, '.2g')} % of the training"
    each = listed(f"{_times(v)} a plain loop ({k})" for k, v in times.items())
    told_of = [clause for clause in (probing, each and f"networks are perturbed {each}") if clause]
    return sentence(*told_of, _medians(summary)) if told_of else ""


def benchmark_saves(summary: Summary, tables: Tables) -> str:
    """Whether saves grow along a run, and what they take."""
    grown = [
        (entry["bytes_last"] / entry["bytes_early"], name)
        for kind in ("saves", "pages")
        for name, entry in summary.get(kind, {}).items()
        if entry.get("bytes_early") and entry.get("bytes_last")
    ]
    if not grown:
        return ""
    most, which = max(grown)
    slow = {
        n: e["seconds_median"] for n, e in summary.get("pages", {}).items() if "seconds_median" in e
    }
    taken = ""
    if slow:
        slowest = max(slow, key=lambda name: slow[name])
        taken = f"a save takes at most {number(slow[slowest])} s ({slowest}; medians, one machine)"
    verb = "grow" if most > 1.005 else "do not grow"
    return sentence(
        f"saves {verb} along a run: the last has at most {number(most)} times the bytes of an "
        f"early one ({which}; {counted(len(grown), 'kind')} of save)",
        taken,
    )


def benchmark_start(summary: Summary, tables: Tables) -> str:
    """How long until the first step and the first heat map, and what of it is compiling."""
    parts = []
    for kind, times in summary.get("seconds_median", {}).items():
        if isinstance(times, Mapping) and times.get("first_step") is not None:
            kinds = {
                "compilation": "{} s of them compiling",
                "first_heat_map": "a heat map at {} s",
            }
            more = [
                text.format(number(times[name], ".1f"))
                for name, text in kinds.items()
                if times.get(name) is not None
            ]
            of = f" ({', '.join(more)})" if more else ""
            parts.append(f"{number(times['first_step'], '.1f')} s when {kind}{of}")
    clause = f"the first step of lf_first comes after {listed(parts)}"
    return sentence(clause, _medians(summary)) if parts else ""


def benchmark_scaling(summary: Summary, tables: Tables) -> str:
    """How time and memory grow with size."""
    parts = []
    for name, fit in summary.get("fits", {}).items():
        seconds, amount = (estimate_of(fit.get(k)) for k in ("seconds_exponent", "bytes_exponent"))
        own = [
            f"the {what} grows as size^{told(exponent, '.2f')}"
            for what, exponent in (("time", seconds), ("memory", amount))
            if exponent is not None and exponent.value == exponent.value
        ]
        if own:
            parts.append(f"of {name} {listed(own)}")
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
