"""No table of claims is written by hand: pages quote what `launchers/claims.py` made."""

import json

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf.records import estimates, read_table

RESULTS = ROOT / "results"
TABLES = sorted(RESULTS.rglob("claims.md"))


@pytest.mark.parametrize("table", TABLES, ids=lambda path: str(path.parent.relative_to(RESULTS)))
def test_a_page_quotes_its_table_of_claims(table):
    assert table.read_text().strip() in (table.parents[1] / "README.md").read_text()


@pytest.mark.parametrize("table", TABLES, ids=lambda path: str(path.parent.relative_to(RESULTS)))
def test_the_table_is_that_of_its_runs(table):
    """Every value that a run has, as its own table has it."""
    text = table.read_text()
    folders = json.loads((table.parent / "summary.json").read_text())["folders"]
    for folder in folders:
        rows = read_table(ROOT / folder / "claims.csv")
        for claim, reading, estimate in zip(
            rows["claim"], rows["reading"], estimates(rows, "estimate"), strict=True
        ):
            if not np.isnan(estimate.value):
                assert f"{float(estimate.value):.3f} (" in text, (claim, reading)
