import math

import numpy as np

from spectral_tf.records import read_table, write_table


def test_what_is_written_is_read_back_to_the_last_bit(tmp_path):
    values = np.array([0.1 + 0.2, 1e-300, np.inf, np.nan])
    path = tmp_path / "t.csv"
    write_table(path, ("step", "name", "value"), [(i, "a,b", v) for i, v in enumerate(values)])
    table = read_table(path)
    assert list(table) == ["step", "name", "value"]
    assert table["step"] == [0.0, 1.0, 2.0, 3.0]
    assert table["name"] == ["a,b"] * 4
    assert table["value"][:3] == values[:3].tolist()
    assert math.isnan(float(table["value"][3]))
    assert path.read_text().splitlines()[1] == '0,"a,b",0.30000000000000004'
