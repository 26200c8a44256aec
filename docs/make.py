"""Writes what documents say of the code and of results anew.

These are docs/flags.md, docs/papers.md (of docs/papers.csv), results/repeat.md, the README's table
of experiments, and the tables of rates in documents:

    python docs/make.py

With `--check` nothing is written; a test looks in this way whether they are up to date.
"""

from __future__ import annotations

import csv
import json
import pathlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from spectral_tf import catalogue
from spectral_tf.catalogue import Experiment
from spectral_tf.runtime import manual
from spectral_tf.runtime.manual import FlagEntry, FlagGroup

ROOT = pathlib.Path(__file__).parents[1]
BEGIN, END = "<!-- experiments -->", "<!-- end of experiments -->"
# What stands between is the table of a file below results/.
RATES = re.compile(r"(?<=<!-- rates )(\S+) -->\n.*?(?=<!-- end of rates -->)", re.DOTALL)


def results_page(experiment: Experiment) -> str:
    """Where the results of an experiment are shown, seen from the repository's root."""
    own = f"results/{experiment.results}/README.md"
    return own if (ROOT / own).is_file() else f"results/README.md#{experiment.results}"


def table_of_experiments() -> str:
    """The README's table, one row for each launcher and one for each group."""
    lines = ["| experiment | question | published | minutes | results |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for heading, experiments in catalogue.GROUPS.items():
        lines.append(f"| **{heading}** | | | | |")
        for of in experiments:
            lines.append(
                f"| `launchers/{of.name}.py` | {of.question} | {of.published} | {of.minutes:g} | "
                f"[{of.results}]({results_page(of)}) |"
            )
    return "\n".join(lines)


def readme(text: str) -> str:
    """The README with that table in its place."""
    before, _, rest = text.partition(f"{BEGIN}\n")
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table_of_experiments()}\n{END}{after}"


def flags_document(of_experiments: Mapping[str, Sequence[FlagGroup]]) -> str:
    """docs/flags.md: own flags by experiment, shared ones once."""
    shared: dict[str, dict[str, FlagEntry]] = {heading: {} for heading in manual.SHARED}
    for groups in of_experiments.values():
        for group in groups:
            for entry in group.flags if group.heading in shared else ():
                shared[group.heading].setdefault(entry.name, entry)
    there = {heading: entries for heading, entries in shared.items() if entries}
    lines = [
        "# Flags",
        "",
        "Made from the code by `python docs/make.py`; `--help` of an experiment says the same.",
        "Every flag can stand in a file, one a line, for `--flagfile`; `run.flags` of a run folder",
        "is one. What a line of help has no room for: [notes on flags](flag_notes.md). First each",
        "experiment's own flags and those whose defaults differ, then those that several share:",
        f"{', '.join(f'[{heading}](#{anchor(heading)})' for heading in there)}.",
    ]
    for name, groups in of_experiments.items():
        lines += ["", f"## {name}", "", catalogue.EXPERIMENTS[name].question, ""]
        rows, also = [], []
        for group in groups:
            for entry in group.flags:
                if entry == shared.get(group.heading, {}).get(entry.name):
                    also.append(f"`--{entry.name}`")
                else:
                    rows.append((group.heading, entry))
        lines += ["| flag | group | default | meaning |", "| --- | --- | --- | --- |"]
        lines += [row(entry, heading) for heading, entry in rows]
        lines += ["", f"Shared: {', '.join(also)}."] if also else []
    for heading, entries in there.items():
        lines += ["", f"## {heading}", "", "| flag | default | meaning |", "| --- | --- | --- |"]
        lines += [row(entry) for entry in entries.values()]
    return "\n".join(lines) + "\n"


def row(entry: FlagEntry, heading: str | None = None) -> str:
    """A flag as a row of a table."""
    told = f"{entry.help} {entry.values[:1].upper()}{entry.values[1:]}." if entry.values else ""
    name = f"--[no]{entry.name}" if entry.kind == "switch" else f"--{entry.name}"
    default = f"`{entry.default}`" if entry.default else ""
    cells = [f"`{name}`", *([heading] if heading else []), default, told or entry.help]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def groups_of_experiments() -> dict[str, list[FlagGroup]]:
    """The flags of every experiment; where the folder is named after it, as NAME."""
    found = {}
    for name in catalogue.EXPERIMENTS:
        found[name] = [
            FlagGroup(
                group.heading,
                [
                    entry._replace(default="runs/NAME")
                    if entry.default == f"runs/{name}"
                    else entry
                    for entry in group.flags
                ],
            )
            for group in manual.flag_groups_of(name)
        ]
    return found


# What a folder takes from another run, in the place of what its own flagfile names.
SOURCES = {
    "robustness": ("lf_first/equal", " --from_run={run}"),
    "noise_fitting/fashion_mnist/distillation": (
        "noise_fitting/fashion_mnist/teacher",
        " --teacher={run}/checkpoints/uniform/seed_0/epoch_020.keras",
    ),
    "noise_fitting/photo_patches/distillation": (
        "noise_fitting/photo_patches/teacher",
        " --teacher={run}/checkpoints/uniform/seed_0/epoch_020.keras",
    ),
}
FETCHED = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}


def repeated(folder: str) -> str:
    """The command that repeats a folder of results, into a folder that nothing else writes to."""
    results = ROOT / "results" / folder
    experiment = json.loads((results / "summary.json").read_text(encoding="utf-8"))["experiment"]
    asked = f" --flagfile=results/{folder}/run.flags"
    if folder in SOURCES:
        source, flag = SOURCES[folder]
        asked += flag.format(run=f"runs/again/{source}")
    if dataset_of(folder) in FETCHED:
        asked += " --download"
    return f"python launchers/{experiment}.py{asked} --workdir=runs/again/{folder}"


def dataset_of(folder: str) -> str:
    """The data set that its flagfile names, or nothing."""
    lines = (ROOT / "results" / folder / "run.flags").read_text(encoding="utf-8").splitlines()
    named = [line.partition("=")[2] for line in lines if line.startswith("--dataset=")]
    return named[0] if named else ""


def needed(folder: str) -> str:
    """What has to be there first."""
    if folder in SOURCES:
        source = SOURCES[folder][0]
        told = [f"the run of [{source}](#{anchor(source)})"]
    else:
        told = []
    if name := FETCHED.get(dataset_of(folder)):
        told.append(f"{name}, which `--download` fetches where it is not prepared")
    if folder.startswith("lf_first_pytorch"):
        told.append("the extra `torch`")
    if folder.endswith("comparison") or "/claims" in folder:
        told.append("nothing: it reads the committed folders")
    return "; ".join(told)


def repeat_document() -> str:
    """results/repeat.md: the command, machine and minutes of every committed run."""
    lines = [
        "# How to repeat each folder",
        "",
        "Made from the folders by `python docs/make.py`. Run from the root of a clone; every run",
        "gets a folder of its own below `runs/again`. Minutes and machine are those that the run's",
        "`environment.json` has; most ran beside other studies on the same two cores.",
        "*Changed* says that the code had changes that were not committed",
        "([what that means](README.md#code-that-was-not-committed)).",
    ]
    for path in sorted((ROOT / "results").rglob("run.flags")):
        folder = path.parent.relative_to(ROOT / "results").as_posix()
        text = (path.parent / "environment.json").read_text(encoding="utf-8")
        environment = json.loads(text)
        devices = environment.get("devices")
        told = "seconds"
        if devices:
            told = f"{environment['wall_seconds'] / 60:.1f} minutes on 2 cores of {devices[0]}"
        if environment.get("git_commit", "").endswith("+changes"):
            told += ", changed code"
        lines += ["", f"### {folder}", "", f"{told}. [Folder]({folder})."]
        if needs := needed(folder):
            lines[-1] += f" Needs: {needs}."
        lines += ["", "```bash", repeated(folder), "```"]
    return "\n".join(lines) + "\n"


class Item(NamedTuple):
    """A figure, statement or claim of a paper: a row of docs/papers.csv.

    Attributes:
      paper, where, what: of it.
      launchers: that do it, by their names; empty where nothing does.
      runs: what they made, below results/: folders, patterns of such, or the flagfile of a study
        that was not run.
      verdict: what was found: words, or FOLDER:CLAIM of a committed table of verdicts.
      reason: why there is no result; "" where there is one.
    """

    paper: str
    where: str
    what: str
    launchers: str
    runs: str
    verdict: str
    reason: str

    def folders(self) -> list[str]:
        """Its committed runs."""
        found: list[str] = []
        for pattern in self.runs.split():
            files = sorted((ROOT / "results").glob(f"{pattern}/run.flags"))
            found += [file.parent.relative_to(ROOT / "results").as_posix() for file in files]
        return found

    def flagfiles(self) -> list[str]:
        """Flagfiles of studies that were not run."""
        return [run for run in self.runs.split() if run.endswith(".flags")]


def items() -> list[Item]:
    """All rows of docs/papers.csv."""
    with open(ROOT / "docs" / "papers.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == Item._fields, header
    return [Item(*row) for row in rows]


def verdict_of(text: str) -> str:
    """What a verdict says: by both deciding readings, where it names a committed table."""
    folder, given, claim = text.partition(":")
    table = ROOT / "results" / folder / "verdicts.csv"
    if not (given and table.is_file()):
        return text
    with open(table, encoding="utf-8", newline="") as file:
        words = {
            row["primary"]: row["verdict"] for row in csv.DictReader(file) if row["claim"] == claim
        }
    told = [f"{kind} **{words[kind]}**" for kind in words]
    return f"as {'; '.join(told)} ([readings](../results/{folder}/claims.md))"


def command_of(item: Item) -> str:
    """The command of a row: each launcher with the flagfile of its first run, and a link."""
    told = []
    for launcher in item.launchers.split():
        for run in [*item.folders(), *item.flagfiles()]:
            flags = run if run.endswith(".flags") else f"{run}/run.flags"
            if experiment_of(run) in (launcher, ""):
                name = f"`spectral-tf {launcher} --flagfile=results/{flags}`"
                there = f"../results/repeat.md#{anchor(run)}"
                told.append(name if run.endswith(".flags") else f"[{name}]({there})")
                break
    return "<br>".join(told)


def experiment_of(run: str) -> str:
    """Whose committed run a folder is; "" of a flagfile."""
    summary = ROOT / "results" / run / "summary.json"
    if not summary.is_file():
        return ""
    return str(json.loads(summary.read_text(encoding="utf-8"))["experiment"])


def papers_document() -> str:
    """docs/papers.md: every figure, statement and claim of both papers in a row."""
    every = items()
    undone = sum(bool(item.reason) for item in every)
    lines = [
        "# Both papers, item by item",
        "",
        "Made of [papers.csv](papers.csv) by `python docs/make.py`; a test holds it against the",
        "launchers, the committed folders and the tables of verdicts. Every figure, numbered",
        "statement and claim has a row, and so has what only the released code measures or",
        "changes. A command leads to the whole of it, with the folder that it writes; *not done*",
        "and *not run* say why.",
        f"{len(every) - undone} of {len(every)} rows have a committed result.",
        "What the claims say in full: [claims](claims.md); how each experiment does it:",
        "[protocols](protocols.md).",
    ]
    for paper in dict.fromkeys(item.paper for item in every):
        lines += ["", f"## {paper}", ""]
        lines += [
            "| where | what | command | result | verdict |",
            "| --- | --- | --- | --- | --- |",
        ]
        for item in every:
            if item.paper == paper:
                folders = ", ".join(f"[{f}](../results/{f})" for f in item.folders())
                said = verdict_of(item.verdict)
                if item.reason:
                    said = item.reason if item.launchers else f"not done: {item.reason}"
                cells = (item.where, item.what, command_of(item), folders, said)
                lines.append(
                    f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
                )
    return "\n".join(lines) + "\n"


def with_rates(text: str) -> str:
    """A document with the tables of benchmarks that it names in their places."""
    return RATES.sub(lambda found: f"{found[1]} -->\n{table_of_rates(found[1])}\n", text)


def table_of_rates(name: str) -> str:
    """The contenders of a benchmark: settings, rates and their ratios, as its file has them."""
    with (ROOT / "results" / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def rate(text: str) -> str:
        return f"{float(text):,.0f}" if float(text) >= 100 else f"{float(text):.3g}"

    def setting(row: Mapping[str, str]) -> str:
        return ", ".join(row[key] for key in ("members", "processes", "threads"))

    columns: dict[str, Callable[[Mapping[str, str]], str]] = {
        "contender": lambda row: row["contender"],
        "members, processes, threads": setting,
        "median": lambda row: rate(row["median"]),
        "best": lambda row: rate(row["best"]),
        "ours over it": lambda row: f"{float(row['ours_over_it']):.2f}",
        "share of the product": lambda row: f"{float(row['share_of_matrix_product']):.0%}",
    }
    if "share_of_matrix_product" not in rows[0]:
        del columns["share of the product"]
    if "quiet_median" in rows[0]:
        columns = {
            "contender": lambda row: row["contender"],
            "quiet": lambda row: rate(row["quiet_median"]),
            "beside a busy core": lambda row: rate(row["busy_median"]),
            "left": lambda row: f"{float(row['share_of_quiet']):.0%}",
        }
    lines = [columns, ["---"] * len(columns)]
    lines += [[told(row) for told in columns.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("%", " %")


def written() -> dict[pathlib.Path, str]:
    """What the documents should say."""
    page, results, speed = (
        ROOT / name for name in ("README.md", "results/README.md", "docs/speed.md")
    )
    return {
        results: with_rates(results.read_text(encoding="utf-8")),
        speed: with_rates(speed.read_text(encoding="utf-8")),
        ROOT / "results" / "repeat.md": repeat_document(),
        ROOT / "docs" / "papers.md": papers_document(),
        ROOT / "docs" / "flags.md": flags_document(groups_of_experiments()),
        page: readme(page.read_text(encoding="utf-8")),
    }


def main() -> int:
    """Writes the documents, or says which are not up to date.

    Returns:
      exit status: 1 if asked to check and one is not.
    """
    checks = sys.argv[1:] == ["--check"]
    stale = 0
    for path, text in written().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if checks:
            print(f"{path.relative_to(ROOT)} is not what the code says: python docs/make.py")
        else:
            path.write_text(text, encoding="utf-8")
    return int(checks and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
