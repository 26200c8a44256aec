"""What may be said: the claims of a study, by all readings on all data sets, with a verdict each.

Reads claims.csv of finished runs of one experiment on several data sets, and writes the table of
claims: every reading in one order, the number of settings, interval or exact p-value, Holm's
correction over the claims, and the word that follows by rules fixed before looking
(`spectral_tf.spectra.verdicts`). No such table is written by hand.

    python launchers/claims.py \
        --folders=results/interventions/fashion_mnist,results/interventions/photo_patches

takes seconds. A study whose claims come from several runs on a data set joins them by colons behind
its name, photo_patches=runs/waves:runs/comparison, so that all are one family of claims. To see:
which claims hold on all data sets, and which readings disagree (results/interventions).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from absl import flags
from etils import epath

from spectral_tf import experiments, records, runtime, spectra
from spectral_tf.errors import UserError
from spectral_tf.spectra.verdicts import Finding, Verdict, verdicts
from spectral_tf.storage import as_path

FLAGS = flags.FLAGS
runtime.define_run_flags("claims", resumes=False, distributes=False)
flags.DEFINE_list(
    "folders",
    [],
    "Finished runs of one experiment, one for each data set, or NAME=RUN:RUN of each.",
)

# The kinds of primary readings and how the table calls them.
KINDS = {"published": "as published", "corrected": "with what misleads taken out"}
# How a reading comes to count, said where readings stand.
RULE = (
    "A reading that decides counts where its p-value is at most 5 % after Holm's correction over "
    "the claims of its kind and its interval excludes 0; another one where its own p-value is. "
    "P-values of correlations hold paths and images fixed, intervals vary them."
)
# An interval of a correlation that leaves out less than this at either end tells nothing.
UNTOLD = 0.05


class Plan(NamedTuple):
    """What is asked for: the findings of every data set, and what may be said of them."""

    folders: list[str]
    findings: dict[str, list[Finding]]
    verdicts: dict[str, list[Verdict]]  # By the kind of reading that decides.


def plan() -> Plan:
    """Checks the flags, and reads the runs that they name."""
    if not any(FLAGS.folders):
        raise UserError("--folders", expected="run folders", got="none", hint="separate by commas")
    findings: dict[str, list[Finding]] = {}
    for text in FLAGS.folders:
        name, runs = named_runs(text)
        if name in findings:
            raise UserError(
                "--folders",
                expected="data sets of different names",
                got=f"{name} twice",
                hint="give names, as NAME=RUN",
            )
        findings[name] = [finding for run in runs for finding in read_findings(run)]
    found = {kind: verdicts(findings, kind) for kind in KINDS}
    if not any(found.values()):
        raise UserError(
            "--folders", expected="claims with a primary reading", got="none", hint="see claims.csv"
        )
    return Plan(FLAGS.folders, findings, found)


def report(plan: Plan) -> records.Report:
    """The table of claims."""
    every = [(kind, v) for kind, of_kind in plan.verdicts.items() for v in of_kind]
    return records.Report(
        texts={"claims": markdown(plan.findings, plan.verdicts)},
        tables={
            "verdicts": records.Table(
                ("claim", "primary", "verdict", "why", *(f"holm_p_{n}" for n in plan.findings)),
                [
                    (v.claim, kind, v.word, v.why, *(v.adjusted[name] for name in plan.findings))
                    for kind, v in every
                ],
            )
        },
        summary={
            "folders": plan.folders,
            "verdicts": {
                kind: {v.claim: f"{v.word}: {v.why}" if v.why else v.word for v in of_kind}
                for kind, of_kind in plan.verdicts.items()
            },
        },
        lines=[
            f"{v.claim:>24}, {KINDS[kind]}: {v.word}{f' ({v.why})' if v.why else ''}"
            for kind, v in every
        ],
    )


def named_runs(text: str) -> tuple[str, list[epath.Path]]:
    """A data set and its runs: NAME=RUN:RUN, or one run of that name."""
    name, given, runs = text.rpartition("=")
    paths = [as_path(run, "runs") for run in re.split(r":(?!//)", runs)]
    return (name if given else paths[-1].resolve().name), paths


def read_findings(path: epath.Path) -> list[Finding]:
    """The findings of a finished run, or a UserError."""
    table = path / "claims.csv"
    finished = (path / "summary.json").exists()
    if not table.is_file() or not finished:
        raise UserError(
            "--folders",
            expected="finished runs of an experiment that writes claims.csv",
            got=f"{path}",
            hint="that is none: see which ones have claims in docs/claims.md"
            if finished
            else "start its command again to finish it",
        )
    records.RunFolder(path, {}, writes=False).summary()  # Refuses a damaged one.
    with records.reading(table, "--folders", "a table of claims"):
        rows = records.read_table(table)
        found = [
            Finding(
                claim=str(rows["claim"][i]),
                statement=str(rows["statement"][i]),
                reading=str(rows["reading"][i]),
                primary=str(rows["primary"][i]),
                direction=int(float(rows["direction"][i])),
                estimate=estimate,
            )
            for i, estimate in enumerate(records.estimates(rows, "estimate"))
        ]
        if not found:
            raise ValueError("no rows")
    return found


def markdown(
    findings: Mapping[str, Sequence[Finding]], found: Mapping[str, Sequence[Verdict]]
) -> str:
    """The verdicts, then every reading of every claim on every data set."""
    by_claim = {kind: {v.claim: v for v in of_kind} for kind, of_kind in found.items()}
    first = next(iter(findings.values()))
    claims = {f.claim: f.statement for f in first}
    lines = [
        f"| claim | statement | {' | '.join(KINDS.values())} |",
        "| --- | --- |" + " --- |" * len(KINDS),
    ]
    for claim, statement in claims.items():
        cells = [verdict_text(by_claim[kind].get(claim)) for kind in KINDS]
        lines.append(f"| {claim} | {statement} | {' | '.join(cells)} |")
    lines += [
        "",
        RULE,
        "",
        f"| claim, claimed sign | reading | {' | '.join(findings)} |",
        "| --- | --- |" + " --- |" * len(findings),
    ]
    for i, finding in enumerate(first):
        sign = "positive" if finding.direction > 0 else "negative"
        reading = finding.reading + (
            f" (decides *{KINDS[finding.primary]}*)" if finding.primary else ""
        )
        cells = []
        for name, of_set in findings.items():
            adjusted = None
            if finding.primary:
                adjusted = by_claim[finding.primary][finding.claim].adjusted[name]
            cells.append(estimate_text(of_set[i].estimate, adjusted))
        lines.append(f"| {finding.claim}, {sign} | {reading} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def verdict_text(verdict: Verdict | None) -> str:
    """The word and what disagrees."""
    if verdict is None:
        return "not asked"
    return f"**{verdict.word}**" + (f": {verdict.why}" if verdict.why else "")


def estimate_text(estimate: spectra.Estimate, adjusted: float | None) -> str:
    """Value, interval, number of units, p-value and the adjusted one."""
    text = estimate.text(".3f")
    if is_correlation(estimate) and estimate.low < UNTOLD - 1 and estimate.high > 1 - UNTOLD:
        ends = f"{estimate.low:.3f} to {estimate.high:.3f}; n = "
        text = text.replace(ends, "the interval is all that there is, ")
    return text if adjusted is None else f"{text[:-1]}; Holm {adjusted:.2g})"


def is_correlation(estimate: spectra.Estimate) -> bool:
    """Whether it cannot leave [-1, 1], as what has a p-value by permutations of settings."""
    return "permutations" in estimate.method


if __name__ == "__main__":
    experiments.launch_comparison(
        "claims", plan, report, lambda plan: {"folders": ",".join(plan.folders)}
    )
