import numpy as np
import pytest

from spectral_tf.records import estimates, read_table, write_table
from spectral_tf.spectra import mean_over_runs, not_enough, paired_difference


def test_an_estimate_takes_five_columns_and_comes_back(tmp_path):
    file = tmp_path / "table.csv"
    given = [mean_over_runs([1.0, 2.0, 3.0]), mean_over_runs([5.0]), not_enough(3, 4, "settings")]
    write_table(file, ("name", "x"), [(i, estimate) for i, estimate in enumerate(given)])
    header, *rows = file.read_text().splitlines()
    assert header == "name,x,x_low,x_high,x_n,x_method"
    assert rows[1] == '1,5.0,null,null,1,"none: 1 run, 2 needed, over runs"'
    assert rows[2] == '2,null,null,null,3,"none: not enough: 3 settings, 4 needed, over settings"'
    for before, after in zip(given, estimates(read_table(file), "x"), strict=True):
        for end in ("value", "low", "high"):
            np.testing.assert_array_equal(getattr(before, end), getattr(after, end))
        told = (before.n, before.unit, before.missing, before.p_value)
        assert told == (after.n, after.unit, after.missing, None)
    again = estimates(read_table(file), "x")[0]
    assert (again.unit, again.method) == (given[0].unit, given[0].method)
    assert "Student" in rows[0]
    assert "over runs" in rows[0]


def test_one_with_a_p_value_takes_two_more(tmp_path):
    file = tmp_path / "table.csv"
    tested = paired_difference([1.0, 2.0, 3.0])
    write_table(file, ("x",), [(tested,), (not_enough(1, 2, "seeds"),)])
    assert file.read_text().splitlines()[0].endswith("x_method,x_p,x_least_p")
    first, second = estimates(read_table(file), "x")
    assert (first.p_value, first.least_p_value) == (0.25, 0.25)
    assert second.p_value is None


def test_never_stays_never(tmp_path):
    file = tmp_path / "table.csv"
    write_table(file, ("x",), [(mean_over_runs([1.0, 2.0]).map(lambda v: v + np.inf),)])
    (found,) = estimates(read_table(file), "x")
    assert np.isinf(found.value)


def test_a_column_of_both_kinds_is_refused(tmp_path):
    with pytest.raises(AssertionError, match="estimates in all rows or in none"):
        write_table(tmp_path / "table.csv", ("x",), [(mean_over_runs([1.0, 2.0]),), (1.0,)])
