import dataclasses
import json

import numpy as np
import pytest
from boards import assert_tags
from conftest import assert_refused, launch

from spectral_tf.records import read_table, write_table
from spectral_tf.spectra import correlation_over_settings, not_enough, paired_difference
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
    assert_tags(path, "claims")
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


def test_runs_of_one_set_are_one_family(two_sets, tmp_path):
    more = [
        page(tmp_path / f"more_{i}", Finding("C6", "it falls", "all paths", "published", -1, OPEN))
        for i in range(2)
    ]
    named = [f"{n}={a}:{b}" for n, a, b in zip("xy", two_sets, more, strict=True)]
    path = tmp_path / "claims"
    result = launch("claims", f"--folders={','.join(named)}", f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    table = (path / "claims.md").read_text()
    assert "| claim, claimed sign | reading | x | y |" in table
    assert "p = 0.0078; Holm 0.016)" in table  # Of two.
    assert "| C6 | it falls | **undecided** | not asked |" in table


def test_an_interval_that_is_all_that_there_is_is_said_in_words(tmp_path):
    quality, noise = np.arange(8), np.random.default_rng(4).normal(size=8)
    found = correlation_over_settings(quality, noise, quality, num_resamples=50)
    nothing = dataclasses.replace(found, low=np.asarray(-1.0), high=np.asarray(0.96))
    sets = [page(tmp_path / name, *findings(nothing, found)) for name in ("one", "other")]
    result = launch(
        "claims", f"--folders={','.join(map(str, sets))}", f"--workdir={tmp_path / 'claims'}"
    )
    assert result.returncode == 0, result.stderr
    table = (tmp_path / "claims" / "claims.md").read_text()
    assert f"{nothing.value:.3f} (the interval is all that there is, 8 settings; p = " in table
    assert f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}; n = 8 settings; p" in table


def test_mistakes_get_one_line(two_sets, tmp_path):
    unfinished = page(tmp_path / "half", *findings(RISES, OPEN), finished=False)
    strange = page(tmp_path / "strange", findings(RISES, OPEN)[0])
    where = f"--workdir={tmp_path / 'claims'}"
    for folders, line in (
        ("", "--folders: expected run folders"),
        (
            f"{two_sets[0]},{unfinished}",
            "--folders: expected finished runs of an experiment that writes",
        ),
        (f"{two_sets[0]},{strange}", "findings: expected the same claims and readings"),
        (f"{two_sets[0]},{two_sets[0]}", "expected data sets of different names, got one twice"),
    ):
        assert_refused(launch("claims", f"--folders={folders}", where), line)
    assert not (tmp_path / "claims").exists()
