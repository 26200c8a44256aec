"""Run folders, tables and flagfiles of before the names changed stay readable."""

import csv

import numpy as np
import pytest

from spectral_tf import records
from spectral_tf.errors import UserError
from spectral_tf.records import former_names
from spectral_tf.records.flagfile import read_flags
from spectral_tf.records.folder import RunFolder
from spectral_tf.records.found import Found
from spectral_tf.records.waves import HeldOut, read_held_out


def write_csv(path, *rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_columns_and_readings_of_before_have_their_names_of_now(tmp_path):
    waves = write_csv(
        tmp_path / "waves.csv",
        ["wave", "kind", "place", "coordinate_deviation", "class_share", "final_fit_coefficient_n"],
        ["plain share", "cycles", "2.0", "0.5", "0.1", "3 seeds x 9 images"],
    )
    assert records.read_table(waves) == {
        "wave": ["plain share"],  # A name of somebody's own.
        "kind": ["cycles"],
        "direction_parameter": [2.0],
        "coordinate_std": [0.5],
        "correlation_ratio": [0.1],
        "final_regression_slope_n": ["3 seeds x 9 images"],
    }
    spectra = write_csv(
        tmp_path / "spectra.csv",
        ["place", "transform", "measure", "reading"],
        ["within", "mirrored", "super_plain_share", "mirrored share, correct ends"],
    )
    assert records.read_table(spectra) == {
        "pair_type": ["within"],
        "transform": ["dct"],
        "measure": ["super_dft_share"],
        "reading": ["DCT share, correctly classified endpoints"],
    }


def test_names_of_now_are_left_alone():
    for name in (
        "dft",
        "dct_where",
        "final_regression_slope",
        "deviations",
        "placed",
        "right_hand",
    ):
        assert former_names.current(name) == name
    assert former_names.current_column("pair_type", ["kind"]) == "pair_type"
    assert former_names.current_line("--petals=0,4") == "--petals=0,4"
    assert former_names.current_line("--nolobes") == "--nolobes"  # There was no such flag.


def test_arrays_series_and_facts_of_before_are_found(tmp_path):
    Found(
        {"margins": ([0, 1], np.zeros((2, 3))), "fit_coefficient": ([0], np.zeros(1))},
        {"values/plain": np.zeros(2), "waves": [{"kind": "cycles", "place": 1, "deviation": 2}]},
    ).save(tmp_path / "found.npz")
    found = Found.read(tmp_path / "found.npz")
    assert set(found.series) == {"log_ratios", "regression_slope"}
    assert found.fact("waves") == [{"kind": "cycles", "direction_parameter": 1, "std": 2}]
    assert found.fact("values/dft").shape == (2,)

    arrays = {name: np.arange(i + 1) for i, name in enumerate(HeldOut._fields)}
    before = {name.replace("log_ratios", "margins"): array for name, array in arrays.items()}
    assert "lowest_null_margins" in before
    np.savez(tmp_path / "held_out.npz", **before)
    read = read_held_out(tmp_path / "held_out.npz")
    assert [len(array) for array in read] == [len(array) for array in arrays.values()]


def test_words_of_ones_own_are_left_alone():
    own = {"plain": [1], "right": {"mirrored": 2, "deviation": 3, "place": 4}, "margins": 5}
    assert former_names.current_entries(own) == own


def test_a_folder_with_flags_of_before_is_the_run_of_now(tmp_path):
    (tmp_path / "run.flags").write_text("--lobes=0,4\n--num_runs=2\n")
    (tmp_path / "losses.csv").write_text("step\n")  # Something was computed.
    flags = {"num_runs": "--num_runs=2", "petals": "--petals=0,4"}
    assert RunFolder(tmp_path, flags).same_flags
    assert read_flags(tmp_path) == {"petals": "0,4", "num_runs": "2"}
    with pytest.raises(UserError, match=r"expected its own flags \(--petals=0,4\)"):
        RunFolder(tmp_path, {**flags, "petals": "--petals=0"})
