import numpy as np
import pytest

from spectral_tf import tasks


def wave(k, phase=0.1, threshold=0.0, num_samples=1_000):
    return tasks.LabelWave(tasks.SumOfSines([k], [1.0], [phase], num_samples), threshold)


def test_labels_by_hand():
    # sin at 0, 1/8, ...: 0, .7, 1, .7, 0, ... ; above 0 and above 0.8.
    assert wave(1, 1e-9, 0.0, 8).labels.tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert wave(1, 1e-9, 0.8, 8).labels.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]


# Chance levels: a half and 3/5 (five phases on the grid), and about two thirds.
@pytest.mark.parametrize(
    ("k", "threshold", "chance"),
    [(50, 0, 0.5), (150, 0, 0.5), (200, 0, 0.6), (400, 0, 0.6), (150, 0.5, 2 / 3)],
)
def test_chance(k, threshold, chance):
    assert abs(wave(k, 0.1, threshold).chance - chance) < 0.02


def test_pairs_carry_the_inputs_and_the_labels():
    task = wave(3, num_samples=10)
    inputs = tasks.Flower(2)(task.wave.positions)
    x, y = next(iter(task.dataset(inputs).batch(10)))
    assert (x.dtype.name, y.dtype.name) == ("float32", "float32")
    np.testing.assert_array_equal(x, inputs.astype(np.float32))
    np.testing.assert_array_equal(y[:, 0], task.labels)


def test_the_paper_s_highest_frequency_is_legal_and_nyquist_is_not():
    assert wave(400).labels.size == 1_000
    with pytest.raises(ValueError, match="below 500, half of the 1000 samples"):
        wave(500)
