"""README, docs and the pages of results: one can find one's way, and what they say is so."""

import ast
import json
import re
import shlex
import subprocess
import sys
import unicodedata

import pytest
from conftest import ROOT

import spectral_tf
from spectral_tf import catalogue
from spectral_tf.records import read_table
from spectral_tf.runtime import manual
from spectral_tf.web.figures import main_of

TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "BUILD_NOTES.md")]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*sorted((ROOT / "results").rglob("README.md")), ROOT / "results" / "repeat.md"]
DOCUMENTS = [*TOP, *DOCS, *PAGES]
LAUNCHERS = sorted((ROOT / "launchers").glob("*.py"))
CODE = [
    file
    for folder in ("spectral_tf", "launchers", "tests", "docs")
    for file in sorted((ROOT / folder).rglob("*.py"))
]
each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def prose(document):
    """A document without code, and without the tables of claims that code has written."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    for table in document.parent.glob("claims*/claims.md"):
        text = text.replace(table.read_text().strip(), "")
    return re.sub(r"`[^`\n]*`", "", text)


def links(document):
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    found = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    return [link for link in found if not link.startswith("mailto:")]


def anchors(document):
    """Of every heading, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
    found = []
    for heading in re.findall(r"^#{1,6} (.*)$", text, re.M):
        kept = "".join(c for c in heading.strip().lower() if c.isalnum() or c in " -_")
        found.append(kept.replace(" ", "-"))
    return found


@each_document
def test_every_local_link_leads_somewhere(document):
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_document_is_reachable_from_the_readme():
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        seen.add(document)
        for link in links(document):
            target = (document.parent / link.partition("#")[0]).resolve()
            if target.is_dir() and (target / "README.md").is_file():
                target /= "README.md"
            if target.suffix == ".md" and target not in seen:
                waiting.append(target)
    assert set(DOCUMENTS) - seen == set()


# {what we do not say: what we say}, in what is read by people.
WORDS = {
    r"\bcorrect ends\b": "correctly classified endpoints",
    r"\b(plain|mirrored) shares?\b": "DFT and DCT high-frequency fraction",
    r"\banswers?\b": "predictions",
    # Both are in names of readings, which the pages explain.
    r"(?<!distance )(?<!length )\bheld fixed\b": "partial correlation given ...; in no interval",
    r"\baffine layers?\b": "linear layers",
    r"\bwaves? (is|are|was|were) followed\b|\bfollow\w*( \w+)? waves?\b": "label noise fitted",
    r"(?<!keras\.)\bapplications (models|networks)\b": "keras.applications models",
    r"\bsurvival\b|\bhalf-liv": "attenuation, half-attenuation norms",
    r"\bprotocol sheet\b|\bthe protocols?\b(?! of)": "a document that is there",
}


def docstring(launcher):
    return ast.get_docstring(ast.parse(launcher.read_text()))


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=lambda path: path.stem)
def test_help_has_the_terms_of_the_documents(launcher):
    text = re.sub(r"`[^`\n]*`", "", docstring(launcher))
    for word, instead in {**WORDS, r"(?<!_)\bpages?\b(?!=)": "experiment or script"}.items():
        found = re.search(word, text, re.I)
        assert not found, f"{found[0]!r}: say {instead}"


# Of what programs say, besides: `page` is what code calls an experiment, and *following* a wave.
SAID = {
    **WORDS,
    r"(?<!_)\bpages?\b(?!=)": "experiment or script",
    r"^followed$|\bfollow\w* (it|(a|the) wave)\b|\bfollowed (further|less)": "label noise fitted",
}
ANY = re.compile("|".join(SAID), re.I)
# Names of flags, tables and code, and a reading of committed claims, stay as they are.
NAMES = {"Page", "page", "pages", "page.html", "pages.csv", ", {} held fixed"}
# {word: where it is the right one: of a browser's or a manual's page, of a machine's answer}.
RIGHT = {
    "page": ("spectral_tf/web/", "spectral_tf/commands/", "spectral_tf/runtime/manual.py"),
    "answer": ("spectral_tf/runtime/", "spectral_tf/data/preparing.py"),
}


def said(tree):
    """(line, text) of every string of a module that is no docstring, with {} for what is put in.

    The unit of a bar of progress stands as it is read: "of experiments". Programs are no texts.
    """
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # A docstring, or a string that nobody reads.
            skipped.add(node.value)
        if isinstance(node, ast.JoinedStr):
            skipped.update(node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("track"):
            units = (a.value for a in node.args if isinstance(a, ast.Constant))
            yield from ((node.lineno, f"of {unit}s") for unit in units)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node.lineno, node.value) for _ in {node} - skipped)


def refused(tree, file=""):
    """What a module says in words that are not ours."""
    for line, text in said(tree):
        text = re.sub(r"`[^`]*`", "", text)
        if text in NAMES or text.startswith("\nimport ") or not ANY.search(text):
            continue
        for word, instead in SAID.items():
            right = next((places for w, places in RIGHT.items() if w in word), ())
            if (found := re.search(word, text, re.I)) and not file.startswith(right):
                yield f"line {line}: {found[0]!r} in {text!r}: say {instead}"


PROGRAMS = [
    str(file.relative_to(ROOT))
    for file in CODE
    if file.relative_to(ROOT).parts[0] != "tests" and file.stem != "former_names"
]


@pytest.mark.parametrize("file", PROGRAMS)
def test_what_programs_say_has_the_terms_of_the_documents(file):
    """Catalogue, headlines, help of flags, statements of claims, labels of figures, errors."""
    assert list(refused(ast.parse((ROOT / file).read_text()), file)) == []


@pytest.mark.parametrize(
    "code",
    [
        'statement = "Waves along low image frequencies are followed further"',
        'x = f"Regularisation by {by}: fast waves are followed less far"',
        'levels = {"ignored": 0.0, "followed": 1.0}',
        'progress.track(FLAGS.pages, "page")',
        'depth = (6, "affine layers")',
        'misleads = ("what a seed does to all of " "them is held fixed.")',
    ],
)
def test_a_word_that_is_not_ours_would_be_seen(code):
    assert list(refused(ast.parse(code)))


@each_document
@pytest.mark.parametrize(("word", "instead"), WORDS.items(), ids=lambda text: text[:20])
def test_one_term_for_one_thing(document, word, instead):
    if document.name in ("glossary.md", "BUILD_NOTES.md"):
        return  # They say how things are called in the code.
    found = re.search(word, prose(document), re.I)
    assert not found, f"{found[0]!r}: say {instead}"


@each_document
def test_an_experiment_is_no_page(document):
    if document.name == "BUILD_NOTES.md":
        return  # It speaks of pages for a browser, too.
    results = r"\b(results|manual|web)[ -]pages?\b|\bpages? of results\b"
    text = re.sub(results, "", prose(document), flags=re.I)
    found = re.search(r".{0,40}\bpages?\b.{0,40}", text, re.I)
    assert not found, found[0]


@each_document
def test_python_in_documents_is_python(document):
    for block in re.findall(r"```python\n(.*?)```", document.read_text(), re.S):
        compile(block, str(document), "exec")


def test_what_is_made_from_code_is_up_to_date():
    """Flags, the README's table of experiments, the commands that repeat results."""
    made = [sys.executable, str(ROOT / "docs" / "make.py"), "--check"]
    result = subprocess.run(made, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def commands(*documents):
    """(launcher, its flags) of all commands in blocks of shell, as a shell takes them."""
    asked = []
    for document in documents:
        for block in re.findall(r"```bash\n(.*?)```", document.read_text(), re.S):
            joined = block.replace("\\\n", " ")
            for line in re.findall(r"(?<!tests/)launchers/(\w+\.py[^\n\"'&;]*)", joined):
                page, *words = shlex.split(line, comments=True)
                plain = [re.sub(r"\$\w+", "1", word) for word in words if word.startswith("--")]
                asked.append((page.removesuffix(".py"), plain))
    return asked


# Data and runs of one's own are not looked for; flagfiles of the repository are.
PARSED = """
import json, runpy, sys
from absl import flags
from spectral_tf import program
for name, words in json.loads(sys.argv[1]):
    before = set(flags.FLAGS)
    runpy.run_path(str(program.folder() / f"{name}.py"), run_name=name)
    assert flags.FLAGS([name, *words]) == [name], words
    flags.FLAGS.remove_flag_values(set(flags.FLAGS) - before)
    flags.FLAGS.unparse_flags()
"""


def test_the_flags_of_every_command_are_known():
    asked = commands(*DOCUMENTS)
    assert {"lf_first", "noise_fitting", "interventions"} <= {name for name, _ in asked}
    assert any("--tpu=local" in words for name, words in asked if name == "noise_fitting")
    code = [sys.executable, "-c", PARSED, json.dumps(asked)]
    result = subprocess.run(code, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_results_are_repeated_in_folders_of_their_own():
    """No command writes where another one does, or where an experiment does by default."""
    asked = {(name, *words) for name, words in commands(*PAGES)}
    folders = [[w for w in words if w.startswith("--workdir=")] for _, *words in asked]
    assert all(len(of) == 1 and of[0].startswith("--workdir=runs/again/") for of in folders), asked
    written = [of[0] for of in folders]
    assert len(set(written)) == len(written)
    runs = {path.parent for path in (ROOT / "results").rglob("run.flags")}
    repeated = {word.replace("--workdir=runs/again", str(ROOT / "results")) for word in written}
    assert {str(path) for path in runs} <= repeated


RUNS = {
    file.parent: json.loads(file.read_text())["experiment"]
    for file in sorted((ROOT / "results").rglob("summary.json"))
}
# A teacher is measured against no null, and has no figure.
TEACHERS = {path for path in RUNS if path.name == "teacher"}


def main_figure(folder):
    """The file of the main figure of a run; None where the experiment has none."""
    first = catalogue.EXPERIMENTS[RUNS[folder]].main_figure
    names = [file.stem for file in (folder / "figures").glob("*.png")]
    return folder / "figures" / f"{main_of(names, first)}.png" if first else None


@pytest.mark.parametrize("folder", RUNS, ids=lambda of: str(of.relative_to(ROOT / "results")))
def test_every_committed_run_has_its_main_figure_and_a_page_that_names_it(folder):
    figure = main_figure(folder)
    assert figure is None or figure.is_file() or folder in TEACHERS
    around = [page for page in PAGES if page.name == "README.md" and page.parent in folder.parents]
    assert (folder / "README.md").is_file() or any(names(page, folder) for page in around)


def names(page, folder):
    """Whether a page links the folder of a run, or gives the command that repeats it."""
    linked = re.escape(folder.relative_to(page.parent).as_posix())
    repeated = re.escape(folder.relative_to(ROOT).as_posix())
    return re.search(rf"\]\({linked}[/)]|={repeated}/run\.flags\b", page.read_text())


@pytest.mark.parametrize("experiment", catalogue.EXPERIMENTS.values(), ids=lambda of: of.name)
def test_results_show_the_main_figure(experiment):
    figures = {main_figure(folder) for folder, name in RUNS.items() if name == experiment.name}
    if experiment.main_figure and figures:
        shown = {
            (page.parent / image).resolve()
            for page in PAGES
            for image in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text())
        }
        assert shown & figures


def test_what_is_said_of_uncommitted_code_is_so():
    said = (ROOT / "results" / "README.md").read_text().split("### Code that was not committed")[1]
    named = re.findall(r"`([\w/]+)`", said.partition("`+changes`: ")[2].partition("They were")[0])
    changed = [
        path.parent.relative_to(ROOT / "results").as_posix()
        for path in sorted((ROOT / "results").rglob("environment.json"))
        if "+changes" in json.loads(path.read_text()).get("git_commit", "")
    ]
    assert named == changed
    assert "For five folders" in said
    assert len(changed) == 5


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("noise_fitting/claims", "C1"),
        ("interpolation/claims", "C0, one training"),
        ("interventions/claims", "C0, 33 settings"),
        ("class_diversity/claims", "C12 feature angle"),
        ("class_diversity/claims_merged", "C12 merged"),
        ("class_diversity/claims_hierarchy", "C12 hierarchy"),
    ],
)
def test_the_words_on_claims_are_those_of_the_committed_verdicts(folder, told):
    rows = {}
    for line in (ROOT / "docs" / "claims.md").read_text().splitlines():
        if line.startswith("| [C"):
            claim, published, corrected, _ = line.strip("| ").split(" | ")
            rows[re.sub(r"\[(C\d+)\]\([^)]*\)", r"\1", claim)] = (published, corrected)
    assert told in rows
    table = read_table(ROOT / "results" / folder / "verdicts.csv")
    words = dict(
        zip(zip(table["claim"], table["primary"], strict=True), table["verdict"], strict=True)
    )
    # Of the groupings beside the hierarchy the document has those of merged classes.
    claims = [told] if told == "C12 hierarchy" else dict.fromkeys(table["claim"])
    for claim in claims:
        row = rows[told if claim == "C0" else claim]
        for kind, word in zip(("published", "corrected"), row, strict=True):
            assert word == words.get((claim, kind), "not asked"), claim


def test_every_exit_status_is_documented():
    said = (ROOT / "docs" / "run_folder.md").read_text().split("## Exit codes")[1]
    told = {int(status) for status in re.findall(r"^\| (\d+)", said, re.M)}
    assert told == set(manual.EXIT_STATUS)


def plain(text):
    """Without accents, as docstrings write names."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def test_every_source_that_code_names_is_in_the_references():
    known = [plain(line) for line in (ROOT / "docs" / "references.md").read_text().splitlines()]
    years = r"(?:1[89]|20)\d\d"
    pattern = rf"\b([A-Z][a-z]+(?:-[A-Z][a-z]+)?)(?: et al\.)?,?\s+\(?({years})\)"
    missing = set()
    for file in [*CODE, *DOCS, *PAGES]:
        for name, year in re.findall(pattern, plain(file.read_text())):
            if not any(name in line and year in line for line in known):
                missing.add((name, year))
        for number in re.findall(r"\b\d{4}\.\d{5}\b", file.read_text()):
            if file in CODE and f"20{number[:2]}" <= "2027" and number[2:4] <= "12":
                assert any(number in line for line in known), (file.name, number)
    assert not missing


def test_bibtex_has_what_the_references_have():
    text = (ROOT / "docs" / "references.md").read_text()
    bibtex = (ROOT / "docs" / "references.bib").read_text()
    entries = re.findall(r"^@\w+\{(\w+),$", bibtex, re.M)
    rows = [line for line in text.splitlines() if line.startswith("| ") and " --- " not in line]
    assert len(set(entries)) == len(entries) == len(rows) - text.count("| cited as")
    for number in re.findall(r"arxiv\.org/abs/([\d.]+)\)|doi\.org/(\S+?)\) \|", text):
        assert any(number)
        assert "".join(number) in bibtex


def test_nothing_refers_to_a_document_that_is_not_there():
    for file in [*CODE, *DOCUMENTS]:
        if file.name == "test_documents.py":
            continue
        found = re.search(r"protocol sheet|\bthe protocols?'?s?\b(?! of)", file.read_text(), re.I)
        assert not found, f"{file}: {found[0]}"


def test_what_is_cited_is_this_version():
    text = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {spectral_tf.__version__}\n" in text
    assert "name: The spectral_tf authors" in text
    assert f"Version {spectral_tf.__version__} " in (ROOT / "CHANGELOG.md").read_text()
