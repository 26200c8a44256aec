"""The page of a folder: whole, named, escaped, and of what stands in the folder alone."""

import base64
import io
import json
import re
import shlex
import shutil
import tracemalloc

import numpy as np
import pytest
from conftest import ROOT
from etils import epath
from PIL import Image

from spectral_tf import Grid, SpectrumProbe, catalogue, web
from spectral_tf.commands import compare, report
from spectral_tf.errors import UserError
from spectral_tf.records import Head, write_table
from spectral_tf.records.figures import save_figure
from spectral_tf.records.figures.style import new_figure
from spectral_tf.web import contents, figures, page, tables

from .conftest import NASTY, make_folder
from .reading import Page, faults

RESULTS = sorted(file.parent for file in (ROOT / "results").glob("**/summary.json"))
# One of each experiment, and all.
FIRST = {json.loads((d / "summary.json").read_text())["experiment"]: d for d in RESULTS}


def name_of(folder):
    return str(folder.relative_to(ROOT / "results"))


@pytest.mark.parametrize("folder", FIRST.values(), ids=name_of)
def test_committed_results_of_every_kind_have_a_page(folder, monkeypatch):
    picture = figures.Figure("name", "name", "", "data:,", 1, 1)
    monkeypatch.setattr(page, "figure", lambda path: picture._replace(name=path.stem))
    contents = web.read_contents(folder)
    text = page.page_of(contents)
    assert faults(text) == []
    assert contents.remarks == []
    for name in contents.heads:
        assert f"{name}.csv" in text
    of = catalogue.EXPERIMENTS[contents.experiment.name]
    assert of.reading, "it says how to read it"
    assert of.misleads
    assert not of.main_figure or figures.main_of(contents.figures, of.main_figure)


@pytest.mark.long
@pytest.mark.parametrize("folder", RESULTS, ids=name_of)
def test_every_committed_folder_has_a_page_with_its_figures(folder):
    contents = web.read_contents(folder)
    text = page.page_of(contents)
    assert faults(text) == []
    assert contents.remarks == []
    assert text.count("data:image/webp") == sum("_step_" not in n for n in contents.figures)
    assert len(text) < 1_500_000


def test_it_tells_what_stands_in_the_folder(folder):
    file = web.write_report(folder, {"num_runs": "4", "width": "8"})
    assert file == folder / "report.html"
    text = file.read_text()
    assert faults(text) == []
    read = Page(text)
    assert read.text("h1") == catalogue.EXPERIMENTS["lf_first"].question
    assert "It was found that class <3 & co." in read.text("p")
    assert catalogue.EXPERIMENTS["lf_first"].misleads in read.text("p")
    cells = read.text("td")
    assert "2 (1.752 to 2.248)" in cells, "an estimate is one cell"
    assert "never" in cells
    # The main figure first, snapshots as links; each with a text.
    shown = [values["alt"] for values in read.of("img")]
    assert shown == ["Figure of lf_first, mine: heat map", "Figure of lf_first, mine: errors"]
    assert "figures/heat_map_step_000100.png" in [v.get("href") for v in read.of("a")]
    # What was chosen comes first.
    names = [setting.name for setting in page.settings({"a": "1", "z": "2"}, {"a": "1", "z": "0"})]
    assert names == ["z", "a"]
    assert re.search(r'<tr class="differs"><th scope="row">--num_runs<td>3<td>4', text)
    assert "--flagfile=run.flags --workdir=runs/mine_again" in read.text("code")
    assert "run.flags, beside this page" in text
    assert str(folder.parent) not in text, "no path of the machine"
    assert "It took 1.5 minutes" in read.text("p")


def test_a_page_tells_no_folders_of_its_maker(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "R&D" / "ann"))
    path = epath.Path(tmp_path / "R&D" / "ann" / "runs" / "mine")
    other = f"{tmp_path}/R&D/ann/runs/base"
    flags = [f"data_dir={tmp_path}/R&D/ann/data sets", f"from_run={other}", "num_runs=3"]
    make_folder(path, flags=[*flags, "target=npz:/home/bob/x.npz", "where=/data/ann/images"])
    write_table(path / "folders.csv", ("folder",), [(other,), (path / "spectra.csv",)])
    text = web.write_report(path).read_text()
    read = Page(text)
    assert "ann/" not in text.replace("/data/ann/images", "")
    assert "bob" not in text
    cells = read.text("td")
    for shown in ("~/data sets", "npz:~/x.npz", "/data/ann/images", "../base", "./spectra.csv"):
        assert shown in cells
    assert "what --from_run=../base names" in read.text("li")
    assert "--flagfile=run.flags --workdir=runs/mine_again" in read.text("code")
    again = make_folder(epath.Path(tmp_path / "R&D" / "ann" / "base"), flags=[*flags[1:]])
    both = web.write_comparison([path, again], tmp_path / "both.html").read_text()
    assert "<td>~/data sets<td>" in both
    assert str(tmp_path) not in both


def test_a_figure_says_what_it_shows(folder):
    drawn, axes = new_figure()
    axes.set(title="Loss of <b>", xlabel="step", ylabel="error")
    save_figure(drawn, folder / "figures" / "errors.png")
    text = web.write_report(folder).read_text()
    assert faults(text) == []
    shown = [values["alt"] for values in Page(text).of("img")]
    assert shown[0] == "Figure of lf_first, mine: heat map", "of versions of before"
    assert shown[1] == "Figure of lf_first, mine: Loss of <b>: error over step."


def test_a_figure_keeps_its_pixels(folder):
    picture = figures.figure(folder / "figures" / "errors.png")
    kind, text = picture.source.split(";base64,")
    with Image.open(io.BytesIO(base64.b64decode(text))) as shown:
        assert kind == "data:image/webp"
        assert shown.convert("RGB").getpixel((3, 3)) == (50, 100, 200)
    assert (picture.width, picture.height) == (40, 30)
    (folder / "figures" / "errors.png").write_bytes(b"no picture")
    assert figures.figure(folder / "figures" / "errors.png") is None
    assert "errors.png is no picture" in web.write_report(folder).read_text()


def test_names_cannot_become_part_of_the_page(tmp_path):
    path = make_folder(
        epath.Path(tmp_path / "x<b>"), flags=[f"dataset={NASTY}", "num_runs=3"], name=NASTY
    )
    shutil.copy(path / "spectra.csv", path / "a&<i>b.csv")
    shutil.copy(path / "figures" / "errors.png", path / "figures" / "'\"<u>.png")
    rows = (path / "spectra.csv").read_text().splitlines()
    grouped = [f"{'kind' if i == 0 else '</script><script>'},{row}" for i, row in enumerate(rows)]
    other = [row.replace("</script><script>", NASTY) for row in grouped[1:]]
    (path / "spectra.csv").write_text("\n".join(grouped + other) + "\n")
    text = web.write_report(path).read_text()
    assert faults(text) == []
    read = Page(text)
    assert not {"b", "i", "u"} & {tag for tag, _ in read.tags}
    # Four of ours, of which one is data; nothing of theirs.
    assert len(read.of("script")) == 4
    assert NASTY not in text
    assert f"It was found that {NASTY}." in read.text("p")
    data = re.search(r'id="training-data">(.*?)</script>', text, re.S)[1]
    assert json.loads(data)["groups"] == ["</script><script>", NASTY]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path / "nothing", "which is not there; name the --workdir"),
        (lambda path: path.parent, "a folder of such folders \\(mine\\)"),
        (lambda path: path / "summary.json", "got the file"),
        (lambda path: path / "figures", "expected one that an experiment or Measurement.save"),
    ],
)
def test_what_is_no_run_is_told_in_one_line(folder, spoil, told):
    with pytest.raises(UserError, match=told) as error:
        web.write_report(spoil(folder))
    assert "\n" not in str(error.value)


def test_a_newer_version_keeps_its_own_page(folder):
    (folder / "report.html").write_text("theirs")
    (folder / "environment.json").write_text('{"spectral_tf": "99.0", "experiment": "lf_first"}')
    with pytest.raises(UserError, match=r"got .* of version 99\.0; bring this installation up"):
        web.write_report(folder)
    assert (folder / "report.html").read_text() == "theirs"


def test_a_damaged_table_is_left_out_and_said(folder):
    whole = (folder / "spectra.csv").read_text()
    (folder / "spectra.csv").write_text(whole[:-20])
    (folder / "classes.csv").write_bytes(b"\xff\x00")
    contents = web.read_contents(folder)
    assert [sorted(of) for of in (contents.heads, contents.tables)] == [["functions"]] * 2
    told = " ".join(contents.remarks)
    assert "spectra.csv, damaged" in told
    assert "classes.csv, damaged" in told
    text = web.write_report(folder).read_text()
    assert faults(text) == []
    assert "A table is left out. spectra.csv" in Page(text).text("li")
    assert "training-data" not in text


def test_a_large_table_is_whole_and_only_its_first_rows_are_kept(folder, monkeypatch):
    write_table(folder / "errors.csv", ("run", "note"), [(i, "a\nb") for i in range(3000)])
    smaller = (folder / "errors.csv").stat().length - 1
    monkeypatch.setattr("spectral_tf.web.contents.LARGEST_WHOLE", smaller)
    contents = web.read_contents(folder)
    assert contents.remarks == []
    assert "errors" not in contents.tables
    assert "spectra" in contents.tables
    head = contents.heads["errors"]
    assert (len(head.columns["run"]), head.num_rows) == (250, 3000)
    text = page.page_of(contents)
    assert "The first 30 of 3,000 rows" in Page(text).text("p")
    assert "training-data" in text
    monkeypatch.setattr("spectral_tf.web.contents.LARGEST_WHOLE", 10)
    text = web.write_report(folder).read_text()
    assert "spectra.csv is too long to drag through" in Page(text).text("li")
    assert "training-data" not in text


def test_a_table_of_any_length_costs_the_memory_of_its_first_rows(folder):
    write_table(folder / "errors.csv", ("run", "note"), [(i, "x" * 500) for i in range(4_000)])
    web.read_contents(folder)  # Loads what it needs.
    tracemalloc.start()
    assert web.read_contents(folder).heads["errors"].num_rows == 4_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < (folder / "errors.csv").stat().length


def test_a_table_that_is_gone_or_altered_is_said(folder):
    summary = json.loads((folder / "summary.json").read_text())
    summary["files_sha256"] = {"gone.csv": "0" * 64}
    (folder / "summary.json").write_text(json.dumps(summary))
    assert "not as the run wrote it: gone.csv" in web.read_contents(folder).remarks[0]


def test_a_damaged_summary_is_an_error_and_an_unfinished_run_a_page(folder):
    (folder / "summary.json").write_text('{"experiment": "lf_')
    with pytest.raises(UserError, match=r"summary\.json, damaged"):
        web.write_report(folder)
    (folder / "summary.json").unlink()
    text = web.write_report(folder).read_text()
    assert faults(text) == []
    assert "This run is unfinished" in Page(text).text("li")
    # Figures as they grow are all that there is then.
    assert "heat map, step 100" in " ".join(v["alt"] for v in Page(text).of("img"))


def test_the_command_writes_says_and_refuses(folder, capsys):
    assert report.main([str(folder)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(folder / "report.html")]
    assert ">--num_runs<td>3<td>4" in (folder / "report.html").read_text(), "defaults are known"
    with pytest.raises(UserError, match="which is not there"):
        report.main([str(folder / "none")])


def test_several_folders_beside_each_other(tmp_path, capsys):
    first, second = (epath.Path(tmp_path / "runs" / name) for name in ("a", "b"))
    make_folder(first, name="one")
    make_folder(second, flags=("num_runs=3", "width=16"), name="another")
    (second / "figures" / "errors.png").unlink()
    output = str(tmp_path / "both.html")
    assert compare.main([str(first), str(second), f"--output={output}"]) == 0
    assert capsys.readouterr().out.strip() == output
    text = epath.Path(output).read_text()
    assert faults(text) == []
    read = Page(text)
    assert "It was found that one." in read.text("p")
    assert "It was found that another." in read.text("p")
    assert re.search(r">--width<td>8<td>16", text)
    assert not re.search(r"num_runs<td>3<td>3", text), "what does not differ"
    assert read.text("td").count("2 (1.752 to 2.248)") == 2
    assert len(read.of("img")) == 3
    assert "b has none." in read.text("p")


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (["a"], "expected two or more, got 1"),
        (["a", "a"], "the same one twice"),
        (["a", "c"], "results of one experiment, got .*a of lf_first, .*c of theory"),
        (["a", "b"], "the file to write, got the folder"),
    ],
)
def test_what_cannot_be_compared(tmp_path, folders, told):
    make_folder(epath.Path(tmp_path / "a"))
    make_folder(epath.Path(tmp_path / "b"))
    make_folder(epath.Path(tmp_path / "c"), experiment="theory")
    at = tmp_path if folders == ["a", "b"] else tmp_path / "page.html"
    with pytest.raises(UserError, match=told):
        web.write_comparison([tmp_path / name for name in folders], at)


def test_a_comparison_that_is_there_is_replaced_when_that_is_said(tmp_path):
    folders = [make_folder(epath.Path(tmp_path / name)) for name in "ab"]
    written = tmp_path / "comparison.html"
    written.write_text("mine")
    with pytest.raises(UserError, match="not there yet, got .*comparison.html; --output=FILE"):
        web.write_comparison(folders, written)
    assert written.read_text() == "mine"
    arguments = [*map(str, folders), f"--output={written}", "--overwrite"]
    assert compare.main(arguments) == 0
    assert "<html" in written.read_text()


def test_a_report_elsewhere_replaces_nothing_unasked(tmp_path):
    folders = [str(make_folder(epath.Path(tmp_path / name))) for name in "ab"]
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    with pytest.raises(UserError, match="not there yet, got .*mine.html; --output=FILE"):
        report.main([folders[0], f"--output={mine}"])
    with pytest.raises(UserError, match="--output: expected one folder, got 2 of them"):
        report.main([*folders, f"--output={tmp_path / 'new.html'}"])
    assert mine.read_text() == "mine"
    assert report.main([folders[0], f"--output={mine}", "--overwrite"]) == 0
    assert "<html" in mine.read_text()
    assert not (epath.Path(folders[0]) / "report.html").exists()


def test_what_has_no_flags_is_not_said_to_have_the_same(tmp_path):
    folders = [make_folder(epath.Path(tmp_path / name), flags=()) for name in "ab"]
    page = web.write_comparison(folders, tmp_path / "without.html").read_text()
    assert "has no flags: what differs is known there" in page
    folders = [make_folder(epath.Path(tmp_path / name)) for name in "cd"]
    page = web.write_comparison(folders, tmp_path / "with.html").read_text()
    assert "No flag does." in page


def test_names_in_links_are_those_of_urls(tmp_path):
    folder = make_folder(epath.Path(tmp_path / "a"))
    name = "50 % #1?"
    write_table(folder / f"{name}.csv", ("x",), [(i,) for i in range(contents.MOST_ROWS + 1)])
    (folder / "figures" / f"{name}.gif").write_bytes(b"GIF89a")
    text = web.write_report(folder).read_text()
    quoted = "50%20%25%20%231%3F"
    assert f'href="{quoted}.csv"' in text
    assert f'href="figures/{quoted}.gif"' in text


def test_rows_are_sorted_by_whole_numbers():
    """Two that differ in the seventh digit alone, and what is never reached."""
    values = np.array([1.00000012, 1.00000011, np.inf, np.nan])
    rows = tables.shown("t", Head({"x": values}, values.size), "lf_first").rows
    keys = [row[0].key for row in rows]
    assert [float(key) for key in keys[:3]] == values[:3].tolist()
    assert keys[2:] == ["Infinity", ""]


def test_any_table_of_a_history_may_be_cut(tmp_path):
    probe = SpectrumProbe(Grid(16), targets=np.sin)
    for step in (0, 1, 2):
        probe.update(lambda x, of=step: of * np.sin(x), step)
    probe.history.save(tmp_path / "run")
    tables = sorted((tmp_path / "run").glob("*.csv"))
    assert {"steps.csv", "by_sample_and_output.csv"} <= {path.name for path in tables}
    for table in [*tables, tmp_path / "run" / "measurement.npz"]:
        folder = tmp_path / table.stem
        shutil.copytree(tmp_path / "run", folder)
        for kept in (table.read_bytes()[:-9], table.read_bytes().partition(b"\n")[0] + b"\n"):
            (folder / table.name).write_bytes(kept)
            assert faults(web.write_report(folder).read_text()) == []


def test_entries_that_no_run_writes_are_no_crash(folder):
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    summary.pop("headline", None)
    path.write_text(json.dumps({**summary, "target": "x", "learning_time_exponent": [[]]}))
    environment = json.loads((folder / "environment.json").read_text())
    (folder / "environment.json").write_text(json.dumps({**environment, "wall_seconds": None}))
    assert faults(web.write_report(folder).read_text()) == []


def test_a_command_can_be_typed_as_it_is_printed(folder, monkeypatch):
    where = folder.parent / "two words"
    shutil.copytree(folder, where)
    monkeypatch.chdir(folder.parent)
    said = page.command(web.read_contents(where))
    assert shlex.split(said)[-2:] == [
        "--flagfile=two words/run.flags",
        "--workdir=runs/two words_again",
    ]
