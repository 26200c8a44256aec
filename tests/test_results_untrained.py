"""What the README and results/README.md say of untrained networks, and its report made again."""

import json
import shutil

import numpy as np
from conftest import ROOT
from test_package import without_tensorflow

from spectral_tf.records import read_table
from spectral_tf.storage import digest

FOLDER = ROOT / "results" / "untrained"


def test_the_report_is_made_again_of_the_committed_folder_without_tensorflow(tmp_path):
    path = tmp_path / "untrained"
    shutil.copytree(FOLDER, path)
    (path / "mean_frequencies.csv").unlink()
    shutil.rmtree(path / "figures")
    page = str(ROOT / "launchers" / "untrained.py")
    flags = [f"--flagfile={FOLDER / 'run.flags'}", f"--workdir={path}", "--report_only"]
    result = without_tensorflow(
        f"import runpy; sys.argv = {[page, *flags]!r}\n"
        f"runpy.run_path({page!r}, run_name='__main__')"
    )
    assert result.returncode == 0, result.stderr
    table = "mean_frequencies.csv"
    assert (path / table).read_text() == (FOLDER / table).read_text()
    assert (path / "figures" / "mean_frequency.png").is_file()
    summary = json.loads((path / "summary.json").read_text())
    assert summary.pop("files_sha256") == {table: digest(FOLDER / table)}
    assert summary == json.loads((FOLDER / "summary.json").read_text())


def test_what_is_said_of_it():
    table = {
        name: np.array(values)
        for name, values in read_table(FOLDER / "mean_frequencies.csv").items()
    }
    mean, kind = table["mean_frequency"], table["activation"].astype(str)
    usual = mean[table["scale"] == 1]
    assert (usual.min().round(2), usual.max().round(2)) == (1.01, 1.43)
    for name, most in (("relu", 1.93), ("gelu", 1.98)):
        own = np.where(kind == name, mean, 0)
        assert own.max().round(2) == most
        at = own.argmax()
        assert (table["depth"][at], table["scale"][at]) == (8, 8)
    for name, ends in (("tanh", (1.33, 3.18)), ("sine", (1.70, 21.88))):
        own = mean[(kind == name) & (table["scale"] == 4)]
        assert (own[0].round(2), own[-1].round(2)) == ends
        assert np.all(np.diff(own) > 0)
    folded = table["share_near_nyquist"] > 0.05
    assert set(zip(kind[folded], table["depth"][folded], table["scale"][folded], strict=True)) == {
        ("sine", 6.0, 8.0),
        ("sine", 8.0, 8.0),
    }
