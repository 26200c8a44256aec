"""Models that are compared answer the same paths: on paths of their own the sign turns."""

import numpy as np
import pytest

from spectral_tf import spectra

# Paths of difficulty d; a model of ability a answers those with d < a, and its answers change with
# frequency 3 d - a: at equal difficulty better models are slower.
ABILITIES = np.linspace(0.3, 0.9, 8)
DIFFICULTIES = np.linspace(0, 1, 101)
FREQUENCIES = 3 * DIFFICULTIES - ABILITIES[:, None]
CORRECT = ABILITIES[:, None] > DIFFICULTIES
ACCURACIES = CORRECT.mean(axis=1)
SETTINGS = np.arange(8)


def test_better_models_answer_harder_paths():
    assert np.all(np.diff(ACCURACIES) > 0)
    hardest = [DIFFICULTIES[own].max() for own in CORRECT]
    assert np.all(np.diff(hardest) > 0)


def test_own_correct_paths_turn_the_sign():
    """A model's own paths have difficulty a / 2 on average: 3 a / 2 - a rises with a."""
    own = np.array([f[c].mean() for f, c in zip(FREQUENCIES, CORRECT, strict=True)])
    np.testing.assert_allclose(own, ABILITIES / 2, atol=0.02)
    found = spectra.correlation_over_settings(ACCURACIES, own, SETTINGS)
    assert found.value == 1
    assert found.low > 0


@pytest.mark.parametrize("paths", ["common", "all"])
def test_the_same_paths_for_all_models_give_the_right_sign(paths):
    where = CORRECT.all(axis=0) if paths == "common" else np.ones(101, bool)
    found = spectra.correlation_over_settings(ACCURACIES, FREQUENCIES, SETTINGS, where=where)
    assert found.value == -1
    assert found.high < 0
    assert found.p_value == found.least_p_value
    assert found.unit == ("settings x 30 paths" if paths == "common" else "settings x 101 paths")


def test_paths_that_two_models_share_give_the_right_sign():
    """As paired differences, the better one minus the worse one next to it: -0.6 / 7 each."""
    pairs = zip(SETTINGS[1:], SETTINGS[:-1], strict=True)
    differences = [
        (FREQUENCIES[better] - FREQUENCIES[worse])[CORRECT[better] & CORRECT[worse]].mean()
        for better, worse in pairs
    ]
    found = spectra.paired_difference(differences, unit="pairs")
    assert found.value == pytest.approx(-0.6 / 7)
    assert found.p_value == found.least_p_value == 2**-6


def test_what_a_model_does_not_answer_cannot_be_left_out_as_nan():
    """Each model on paths of its own does not fit the question: it is refused, not averaged."""
    holed = np.where(CORRECT, FREQUENCIES, np.nan)
    with pytest.raises(ValueError, match="values: .* not finite; leave out paths with `where`"):
        spectra.correlation_over_settings(ACCURACIES, holed, SETTINGS)
