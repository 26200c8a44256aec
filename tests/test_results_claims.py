"""No table of claims is written by hand: pages quote what `launchers/claims.py` made."""

import json

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf.records import estimates, read_table
from spectral_tf.spectra.verdicts import Finding, verdicts

RESULTS = ROOT / "results"
TABLES = sorted(RESULTS.rglob("claims.md"))
each_table = pytest.mark.parametrize(
    "table", TABLES, ids=lambda path: str(path.parent.relative_to(RESULTS))
)


def findings(table):
    """{data set: its findings}, read from the tables of the runs that were compared."""
    found = {}
    for text in json.loads((table.parent / "summary.json").read_text())["folders"]:
        name, _, runs = text.rpartition("=")
        of_set = []
        for run in runs.split(":"):
            rows = read_table(ROOT / run / "claims.csv")
            fields = ("claim", "statement", "reading", "primary", "direction")
            of_set += [
                Finding(*map(str, texts), int(direction), estimate)
                for *texts, direction, estimate in zip(
                    *(rows[field] for field in fields), estimates(rows, "estimate"), strict=True
                )
            ]
        found[name or runs.rsplit("/", 1)[-1]] = of_set
    return found


def cells(table, heading):
    """The rows of the Markdown table under a heading, cut into cells."""
    lines = table.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(heading)) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append(line.strip("| ").split(" | "))
    return rows


@each_table
def test_a_page_quotes_its_table_of_claims(table):
    readme = next(p / "README.md" for p in table.parents if (p / "README.md").is_file())
    assert table.read_text().strip() in readme.read_text()


@each_table
def test_every_cell_is_that_of_its_run(table):
    found = findings(table)
    rows = cells(table, "| claim, claimed sign | reading |")
    assert len(rows) == len(next(iter(found.values())))
    for i, (claim, reading, *told) in enumerate(rows):
        for text, of_set in zip(told, found.values(), strict=True):
            finding = of_set[i]
            assert claim.rpartition(", ")[0] == finding.claim
            assert reading.startswith(finding.reading)
            value = float(finding.estimate.value)
            if np.isnan(value):
                assert text == finding.estimate.missing
            else:
                assert text.startswith(f"{value:.3f} ("), (claim, reading)


@each_table
def test_every_word_follows_from_the_findings(table):
    found = findings(table)
    written = read_table(table.parent / "verdicts.csv")
    told = list(zip(written["claim"], written["primary"], written["verdict"], strict=True))
    again = [
        (v.claim, kind, v.word)
        for kind in ("published", "corrected")
        for v in verdicts(found, kind)
    ]
    assert told == again
    shown = {row[0]: row[2:] for row in cells(table, "| claim | statement |")}
    for claim, kind, word in told:
        assert shown[claim][kind == "corrected"].startswith(f"**{word}**")
