"""Makes the table of faults of a run of their tests: fault, moment, page, test, outcome.

python -m pytest -n 0 -m matrix tests/launchers/test_faults.py --junitxml=faults.xml
python tests/fault_table.py faults.xml results/faults/matrix.csv
"""

import pathlib
import sys
import xml.etree.ElementTree as xml

from spectral_tf.records import write_table

NAMES = ("fault", "moment", "page")


def rows(report: pathlib.Path) -> list[tuple[str, ...]]:
    """One row for each test of a report of pytest, sorted."""
    found = []
    for case in xml.parse(report).iter("testcase"):
        told = {p.get("name"): p.get("value") or "" for p in case.iter("property")}
        wrong = [kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None]
        outcome = wrong[0] if wrong else "passed"
        test = str(case.get("name"))
        found.append((*(told.get(name, "") for name in NAMES), test, outcome))
    return sorted(found)


if __name__ == "__main__":
    write_table(
        pathlib.Path(sys.argv[2]), (*NAMES, "test", "outcome"), rows(pathlib.Path(sys.argv[1]))
    )
