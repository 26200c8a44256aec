import json

import pytest
from conftest import assert_refused, launch

from spectral_tf.records import read_table, write_table
from spectral_tf.spectra import not_enough, paired_difference
from spectral_tf.spectra.verdicts import Finding

RISES = paired_difference([1.0, 2.0, 1.5, 2.0, 1.0, 3.0, 2.0, 1.0])
OPEN = paired_difference([1.0, -2.0, 1.5, -2.0, 1.0, -3.0, 2.0, 1.0])


def page(path, *findings, finished=True):
    """A run folder with claims."""
    path.mkdir()
    write_table(path / "claims.csv", Finding._fields, findings)
    if finished:
        (path / "summary.json").write_text("{}")
    return path


def findings(first, second):
    return [
        Finding("C5", "it rises", "all paths", "published", 1, first),
        Finding("C5", "it rises", "common paths", "corrected", 1, second),
    ]


@pytest.fixture
def two_sets(tmp_path):
    return [
        page(tmp_path / "one", *findings(RISES, not_enough(3, 20, "common paths"))),
        page(tmp_path / "other", *findings(RISES, OPEN)),
    ]


def test_the_table_has_every_reading_and_a_word_for_each_kind(two_sets, tmp_path):
    path = tmp_path / "claims"
    result = launch("claims", f"--folders={','.join(map(str, two_sets))}", f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    assert "C5, as published: holds" in result.stdout
    table = (path / "claims.md").read_text()
    assert "| C5 | it rises | **holds** | **undecided** |" in table
    assert "| C5, positive | all paths (decides *as published*) | " in table
    assert "not enough: 3 common paths, 20 needed" in table
    # The p-value of 8 signs that all agree, which is the only claim of its family.
    assert "p = 0.0078; Holm 0.0078)" in table
    words = read_table(path / "verdicts.csv")
    assert words["verdict"] == ["holds", "undecided"]
    summary = json.loads((path / "summary.json").read_text())
    assert summary["verdicts"]["published"] == {"C5": "holds"}


def test_mistakes_get_one_line(two_sets, tmp_path):
    unfinished = page(tmp_path / "half", *findings(RISES, OPEN), finished=False)
    strange = page(tmp_path / "strange", findings(RISES, OPEN)[0])
    where = f"--workdir={tmp_path / 'claims'}"
    for folders, line in (
        ("", "--folders: expected run folders"),
        (f"{two_sets[0]},{unfinished}", "--folders: expected finished runs of a page that writes"),
        (f"{two_sets[0]},{strange}", "findings: expected the same claims and readings"),
        (f"{two_sets[0]},{two_sets[0]}", "--folders: expected data sets of different names, got one twice"),
    ):
        assert_refused(launch("claims", f"--folders={folders}", where), line)
    assert not (tmp_path / "claims").exists()
