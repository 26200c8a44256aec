"""The tutorial runs, what it says is asserted in it, and its committed outputs are clean."""

import json
import re

import nbclient
import nbformat
import pytest
from conftest import ROOT
from test_documents import WORDS

TUTORIAL = ROOT / "docs" / "tutorial.ipynb"
CELLS = json.loads(TUTORIAL.read_text())["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
TEXT = "\n\n".join("".join(c["source"]) for c in CELLS if c["cell_type"] == "markdown")


@pytest.mark.long
def test_it_runs_and_its_assertions_hold(embedded_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(embedded_dir))
    # Settings and kernels of whoever tests are not asked.
    for name in ("IPYTHONDIR", *(f"JUPYTER_{of}_DIR" for of in ("CONFIG", "DATA", "RUNTIME"))):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(TUTORIAL, as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    ran = nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where)
    with ran.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            ran.execute_cell(cell, index)
    streams = [out for cell in ran.nb.cells for out in cell.get("outputs", [])]
    noise = [out["text"] for out in streams if out.get("name") == "stderr"]
    assert noise == []


def told(cell):
    """What a code cell has printed or shown, but for pictures."""
    for output in cell["outputs"]:
        yield "".join(output.get("text", output.get("data", {}).get("text/plain", "")))


def test_outputs_are_of_one_run_from_first_to_last_cell():
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    pictures = [o for cell in CODE for o in cell["outputs"] if "image/png" in o.get("data", {})]
    assert len(pictures) >= 4
    assert TUTORIAL.stat().st_size < 700_000


def test_outputs_hold_no_error_no_noise_and_nothing_of_a_machine():
    kinds = {o.get("name", o["output_type"]) for cell in CODE for o in cell["outputs"]}
    assert kinds <= {"stdout", "execute_result", "display_data"}, "errors, or what went to stderr"
    for text in (text for cell in CODE for text in told(cell)):
        found = re.search(
            r"warning|traceback|(?<![\w/])/\w+/|site-packages|0x[0-9a-f]{6}", text, re.I
        )
        assert not found, text
    assert not any(cell["metadata"] for cell in CELLS), "times, or what an editor leaves"


def test_every_part_and_trap_asserts_something():
    part, asserting = "", {}
    for cell in CELLS:
        source = "".join(cell["source"])
        for heading in re.findall(r"^##+ (.*)$", source, re.M) * (cell["cell_type"] == "markdown"):
            part = heading
            asserting[part] = 0
        asserting[part] = asserting.get(part, 0) + len(re.findall(r"^assert ", source, re.M))
    parts = {name for name in asserting if re.match(r"[13]|On |Along|Trap", name)}
    assert len(parts) == 9
    assert all(asserting[name] for name in parts), asserting


def test_its_links_lead_somewhere():
    local = [link for link in re.findall(r"\]\(([^)\s]+)\)", TEXT) if "://" not in link]
    assert local
    for link in local:
        assert (TUTORIAL.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize(("word", "instead"), WORDS.items(), ids=lambda text: text[:20])
def test_it_has_the_terms_of_the_documents(word, instead):
    found = re.search(word, re.sub(r"`[^`\n]*`", "", TEXT), re.I)
    assert not found, f"{found[0]!r}: say {instead}"
