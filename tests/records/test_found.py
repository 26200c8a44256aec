import numpy as np
import pytest

from spectral_tf.records.found import Series


def test_rates_leave_out_the_start_and_what_was_resumed():
    # Ten steps in 1 and in half a second; the third count is after a resumption.
    seconds = [[9.0, 9.0], [10.0, 9.5], [0.1, 0.1], [1.1, 0.6], [2.1, 1.1]]
    series = Series([10, 20, 30, 40, 50], np.array(seconds))
    assert series.rates() == pytest.approx([10.0, 20.0])
    assert np.isnan(Series([10, 20], np.array(seconds[:2])).rates()).all()
