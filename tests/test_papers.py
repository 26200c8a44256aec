"""The list of both papers is complete, and holds what launchers and results folders hold."""

import importlib.util
import json
import re

import pytest
from conftest import ROOT

from spectral_tf import catalogue

RESULTS = ROOT / "results"
_spec = importlib.util.spec_from_file_location("make_documents", ROOT / "docs" / "make.py")
make = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make)

ITEMS = make.items()
RAHAMAN, PRACTICE = (
    [item for item in ITEMS if item.paper == paper]
    for paper in (catalogue.RAHAMAN, catalogue.PRACTICE)
)
RUNS = {
    file.parent.relative_to(RESULTS).as_posix(): json.loads(file.read_text())["experiment"]
    for file in RESULTS.rglob("summary.json")
}
# Launchers of the papers, but for the one that only judges what others found.
OF_PAPERS = {
    of.name: of.published
    for of in catalogue.EXPERIMENTS.values()
    if of.published.startswith((catalogue.RAHAMAN, catalogue.PRACTICE)) and of.name != "claims"
}


def figures_in(text):
    """The numbers of figures that a text names: "Fig 1, 2", "figure 1 (a)", "Fig 14 to 18"."""
    found = re.search(r"[Ff]ig(?:ure)?\.? ((?:\d+(?: to |, )?)+)", text)
    numbers = set()
    for part in found[1].strip(", ").split(", ") if found else []:
        first, _, last = part.partition(" to ")
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def test_names_of_figures_are_read():
    assert figures_in("Rahaman et al. (2019) Fig 14 to 18, 22") == {14, 15, 16, 17, 18, 22}
    assert figures_in("figure 1 (a)") == {1}
    assert figures_in("Section 2, appendices C, D") == set()


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.where}, {item.what}"[:60])
def test_a_row_has_a_result_with_its_verdict_or_a_reason(item):
    names, folders, flagfiles = item.launchers.split(), item.folders(), item.flagfiles()
    assert item.where
    assert set(names) <= set(catalogue.EXPERIMENTS), f"no launcher {names}"
    assert bool(item.verdict) != bool(item.reason), "a verdict, or why there is none"
    if item.verdict:
        assert {RUNS[folder] for folder in folders} == set(names)
        assert not flagfiles
        for pattern in item.runs.split():
            assert list(RESULTS.glob(f"{pattern}/summary.json")), f"no run in results/{pattern}"
        folder, given, claim = item.verdict.partition(":")
        if given and " " not in folder and "/" in folder:
            assert f"{claim}," in (RESULTS / folder / "verdicts.csv").read_text()
    elif names:
        assert item.reason.startswith("not run: ")
        assert not folders
        assert flagfiles
        assert all((RESULTS / file).is_file() for file in flagfiles)
    else:
        assert not item.runs


def test_all_figures_and_statements_of_the_first_paper_have_a_row():
    named = set().union(*(figures_in(item.where) for item in RAHAMAN))
    assert named == set(range(1, 23))
    wanted = {"Lemma 1", "Theorem 1", "Proposition 1", "Proposition 2", "appendix D"}
    wanted |= {"equation 7", "equation 9", "equations 14, 15", "equation 44"}
    assert wanted <= {item.where for item in RAHAMAN}


def test_all_claims_of_the_second_paper_have_a_row_by_every_table_of_verdicts():
    claims = re.findall(r"^### (C\d+)$", (ROOT / "docs" / "claims.md").read_text(), re.M)
    assert claims == [f"C{i}" for i in range(13)]
    assert set(claims) <= {item.where for item in PRACTICE}
    judged = set()
    for table in RESULTS.rglob("verdicts.csv"):
        folder = table.parent.relative_to(RESULTS).as_posix()
        judged |= {f"{folder}:{row.split(',')[0]}" for row in table.read_text().splitlines()[1:]}
    quoted = [item.verdict for item in PRACTICE if item.verdict in judged]
    assert sorted(quoted) == sorted(judged)
    assert "figure 1" in {item.where for item in PRACTICE}


def test_what_only_the_released_code_does_has_a_row_and_a_verdict_of_its_own():
    of = [
        [item for item in paper if item.where == "released code"] for paper in (RAHAMAN, PRACTICE)
    ]
    for items, wanted in zip(
        of,
        [
            ("white noise", "random directions and principal components"),
            (
                *("noise_class", "max gradient", "power spectrum", "CIFAR-10.1", "training images"),
                *("without normalisation", "Fixup", "gamma-swish", "stop at", "PyramidNet"),
            ),
        ],
        strict=True,
    ):
        for word in wanted:
            assert any(word in item.what for item in items), word
    verdicts = [item.verdict for items in of for item in items if item.verdict]
    assert len(set(verdicts)) == len(verdicts)


def test_launchers_do_the_figures_that_the_catalogue_says():
    for name, published in OF_PAPERS.items():
        of = RAHAMAN if published.startswith(catalogue.RAHAMAN) else PRACTICE
        own = [item for item in of if name in item.launchers.split()]
        assert own, f"{name} is in no row"
        assert set().union(*(figures_in(item.where) for item in own)) == figures_in(published), name


def test_every_committed_run_of_a_launcher_of_the_papers_is_in_a_row():
    shown = {folder for item in ITEMS for folder in item.folders()}
    assert {folder for folder, name in RUNS.items() if name in OF_PAPERS} - shown == set()
    flagfiles = {file.relative_to(RESULTS).as_posix() for file in RESULTS.glob("*/*.flags")}
    flagfiles = {file for file in flagfiles if not file.endswith("/run.flags")}
    assert "noise_fitting/cifar10_wrn_32.flags" in flagfiles
    assert flagfiles <= {file for item in ITEMS for file in item.flagfiles()}


def test_a_verdict_is_that_of_the_committed_table():
    found = make.verdict_of("noise_fitting/claims:C2")
    assert found.startswith("as published **undecided**; corrected **holds** (")
    assert make.verdict_of("holds: k^2") == "holds: k^2"
