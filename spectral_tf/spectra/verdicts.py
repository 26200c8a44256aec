"""From estimates to words: what may be said of a claim, by rules that are fixed before looking.

* **holds**: the primary reading has the claimed sign on every data set, and no reading contradicts;
* **contradicted**: the same in the other direction;
* **mixed**: data sets or readings disagree; which, is named;
* **undecided**: neither; the intervals say what is excluded.

A reading *has* a sign on a data set if its p-value is at most 5 % (of a primary reading after
Holm's correction over all claims) and its interval, if it has one, excludes 0; one without a
p-value, if its interval excludes 0. Both are asked because they are not of the same things: the
p-value of a correlation holds the paths fixed, its interval varies them.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from spectral_tf.errors import UserError
from spectral_tf.spectra.inference import Estimate, holm

LEVEL = 0.05


class Finding(NamedTuple):
    """One reading of one claim on one data set.

    Attributes:
      claim: its short name, such as C5 within.
      statement: what it says.
      reading: how it was looked at: measure, paths, ends.
      primary: of which kind it is the primary reading (published, corrected); "": of none.
      direction: +1 or -1, the sign that the claim says the estimate has.
      estimate: 0 if there is nothing.
    """

    claim: str
    statement: str
    reading: str
    primary: str
    direction: int
    estimate: Estimate


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What may be said of a claim.

    Attributes:
      claim, statement: which.
      primary: the kind of reading that decides.
      word: holds, contradicted, mixed or undecided.
      why: what disagrees, or "".
      adjusted: {data set: p-value of the primary reading, after Holm's correction, or None}.
    """

    claim: str
    statement: str
    primary: str
    word: str
    why: str
    adjusted: Mapping[str, float | None]


def sign_of(estimate: Estimate, p_value: float | None) -> int:
    """+1 or -1 if the estimate has a sign by the rule above, else 0.

    Args:
      estimate: of a reading.
      p_value: its own or the adjusted one; None if it has none.
    """
    if np.isnan(estimate.value) or (p_value is None and np.isnan(estimate.low)):
        return 0
    if p_value is not None and not p_value <= LEVEL:
        return 0
    if not np.isnan(estimate.low) and not estimate.excludes_zero:
        return 0
    return int(np.sign(estimate.value))


def verdicts(findings: Mapping[str, Sequence[Finding]], primary: str) -> list[Verdict]:
    """The verdict on every claim, by one kind of primary reading.

    Args:
      findings: {data set: its findings}, the same claims and readings on all.
      primary: the kind.

    Returns:
      one for each claim that has such a reading, in the order of the first data set.

    Raises:
      UserError: data sets with other claims or readings, a claim with two such readings, or one
        that has an interval and no p-value: Holm's correction could not count it.

    >>> from spectral_tf.spectra import paired_difference
    >>> rising = paired_difference([1.0, 2.0, 3.0, 2.0, 1.0, 3.0])
    >>> found = {s: [Finding("C1", "it rises", "as is", "published", 1, rising)] for s in "ab"}
    >>> verdicts(found, "published")[0].word
    'holds'
    """
    _refuse_differences(findings)
    deciding = {
        name: {f.claim: f for f in of_set if f.primary == primary}
        for name, of_set in findings.items()
    }
    adjusted: dict[str, dict[str, float | None]] = {}
    for name, of_claims in deciding.items():
        _refuse_untested(of_claims.values())
        tested = [(c, f.estimate.p_value) for c, f in of_claims.items()]
        known = [(c, p) for c, p in tested if p is not None]
        raised = holm([p for _, p in known])
        adjusted[name] = dict.fromkeys(of_claims) | {
            claim: float(p) for (claim, _), p in zip(known, raised, strict=True)
        }
    claims = next(iter(deciding.values()))
    return [
        _verdict(
            finding,
            {name: of_claims[claim] for name, of_claims in deciding.items()},
            {name: of_claims[claim] for name, of_claims in adjusted.items()},
            {name: [f for f in of_set if f.claim == claim] for name, of_set in findings.items()},
        )
        for claim, finding in claims.items()
    ]


def _verdict(
    first: Finding,
    primary: Mapping[str, Finding],
    adjusted: Mapping[str, float | None],
    readings: Mapping[str, Sequence[Finding]],
) -> Verdict:
    # Every reading has its own direction: one may fall where another rises.
    signs = {name: f.direction * sign_of(f.estimate, adjusted[name]) for name, f in primary.items()}
    others = [
        (name, f.reading, f.direction * sign_of(f.estimate, f.estimate.p_value))
        for name, of_set in readings.items()
        for f in of_set
        if f.primary != first.primary
    ]
    against, agreeing = ([other[:2] for other in others if other[2] == sign] for sign in (-1, 1))
    told = set(signs.values())
    if told == {1}:
        word, why = ("mixed", f"against it: {_named(against)}") if against else ("holds", "")
    elif told == {-1}:
        word, why = ("contradicted", "")
        if agreeing:
            word, why = "mixed", f"contradicted, but for {_named(agreeing)}"
    elif told == {0}:
        word, why = "undecided", ""
    else:
        words = {1: "holds", 0: "undecided", -1: "contradicted"}
        word = "mixed"
        why = ", ".join(f"{words[sign]} on {name}" for name, sign in signs.items())
    return Verdict(first.claim, first.statement, first.primary, word, why, adjusted)


def _named(readings: Sequence[tuple[str, str]]) -> str:
    """Readings by set; more than three of a set by their number, since all are in the table."""
    sets = dict.fromkeys(name for name, _ in readings)
    told = []
    for name in sets:
        own = [reading for of, reading in readings if of == name]
        named = " and ".join(own) if len(own) <= 3 else f"{len(own)} readings"
        told.append(f"{named} on {name}")
    return ", ".join(told)


def _refuse_untested(deciding: Iterable[Finding]) -> None:
    for finding in deciding:
        if finding.estimate.p_value is None and not np.isnan(finding.estimate.low):
            raise UserError(
                "findings",
                expected="a p-value of every reading that decides",
                got=f"{finding.claim}, {finding.reading} with an interval alone",
                hint="make the estimate with tested=True",
            )


def _refuse_differences(findings: Mapping[str, Sequence[Finding]]) -> None:
    told = {name: [f[:5] for f in of_set] for name, of_set in findings.items()}
    for name, of_set in told.items():
        first = next(iter(told.values()))
        if of_set != first:
            differing = [f for f in [*of_set, *first] if f not in of_set or f not in first]
            raise UserError(
                "findings",
                expected="the same claims and readings of every data set",
                got=f"{differing[0][0]}, {differing[0][2]} on one only" if differing else "others",
                hint="make them with the same flags",
            )
        kinds = [(f[0], f[3]) for f in of_set if f[3]]
        if twice := [kind for kind in kinds if kinds.count(kind) > 1]:
            raise UserError(
                "findings",
                expected="one primary reading of each kind for a claim",
                got=f"two {twice[0][1]} ones of {twice[0][0]} on {name}",
                hint="name one before looking",
            )
