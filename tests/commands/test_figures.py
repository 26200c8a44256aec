"""`spectral-tf figures`: drawn of tables alone, and nothing else is touched."""

import shutil

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from spectral_tf import records, web
from spectral_tf.commands import figures
from spectral_tf.errors import UserError

RESULTS = ROOT / "results" / "noise_fitting" / "photo_patches"


def copied(folder, path):
    """A folder of results without its figures and predictions."""
    ignored = shutil.ignore_patterns("figures", "*.npz", web.REPORT)
    return shutil.copytree(folder, path, ignore=ignored)


def test_a_committed_folder_gets_its_figure_and_report_and_keeps_its_tables(tmp_path, capsys):
    folder = copied(RESULTS / "mixup", tmp_path / "mixup")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    (folder / web.REPORT).write_text("of before")
    assert figures.main([str(folder)]) == 0
    path = folder / "figures" / "four_panels.png"
    assert capsys.readouterr().out == f"{path}\n"
    title = "radial waves on the labels of photo_patches, A = 0.4"
    figure = records.figures.four_panels(records.read_table(folder / "epochs.csv"), title=title)
    expected = records.figures.save_figure(figure, None)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert "four_panels" in (folder / web.REPORT).read_text()


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("untrained", "expected a run of noise_fitting with its epochs.csv, got one of untrained"),
        ("noise_fitting/photo_patches/teacher", "expected trainings on waves"),
        ("noise_fitting/photo_patches", "a folder of such folders"),
    ],
)
def test_other_folders_are_refused_in_a_line(folder, told):
    with pytest.raises(UserError, match=told):
        figures.main([str(ROOT / "results" / folder)])
