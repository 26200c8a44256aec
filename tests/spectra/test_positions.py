import numpy as np
import pytest

from spectral_tf import spectra

CASES = {
    "open": (np.arange(200) / 200, "open", 1.0, 100.0),
    "closed": (np.linspace(0, 1, 101), "closed", 1.0, 50.0),
    "closed, two pi": (np.linspace(0, 2 * np.pi, 65), "closed", 2 * np.pi, 32 / (2 * np.pi)),
    "open, -pi to pi": (np.arange(64) / 64 * 2 * np.pi - np.pi, "open", 2 * np.pi, 16 / np.pi),
    "closed, -1 to 1": (np.linspace(-1, 1, 41), "closed", 2.0, 10.0),
    "open, ten": (np.arange(0, 10, 0.02), "open", 10.0, 25.0),
    "closed, ten": (np.linspace(0, 10, 501), "closed", 10.0, 25.0),
    "counted": (np.arange(50.0), "uniform", 50.0, 0.5),
    "seconds of sound": (0.3 + np.arange(441) / 44_100, "uniform", 0.01, 22_050.0),
    "irregular": (np.array([0, 0.1, 0.3, 0.4, 1.0]), "irregular", 1.0, 1 / 1.2),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_positions_are_known_for_what_they_are(name, dtype):
    positions, kind, period, highest = CASES[name]
    found = spectra.sampling(positions.astype(dtype))
    assert found.kind == kind
    assert found.period == pytest.approx(period, rel=1e-5)
    assert found.highest_frequency == pytest.approx(highest, rel=1e-4)
    assert found.start == pytest.approx(positions[0], abs=1e-6)
    assert found.num_positions == len(positions)
    assert f"{len(positions)} " in found.text


def test_many_positions_in_32_bits_are_still_a_grid():
    grid = (np.arange(100_000) / 100_000).astype(np.float32)
    assert spectra.sampling(grid).kind == "open"
    assert spectra.sampling(np.linspace(0, 1, 100_001, dtype=np.float32)).kind == "closed"


def test_a_given_period_decides():
    assert spectra.sampling(np.arange(10.0), period=10).kind == "open"
    assert spectra.sampling(np.arange(10.0), period=9).kind == "closed"
    found = spectra.sampling(np.arange(10.0), period=40)
    assert (found.kind, found.period) == ("uniform", 40)


def test_a_percent_of_jitter_is_no_grid():
    jitter = np.random.default_rng(0).normal(size=200) * 5e-5
    assert spectra.sampling(np.arange(200) / 200 + 0.01 + jitter).kind == "irregular"


def test_texts_say_which():
    assert "without the right end" in spectra.sampling(np.arange(8) / 8).text
    assert "with the right end" in spectra.sampling(np.linspace(0, 1, 9)).text
    assert "the period is not known" in spectra.sampling(np.arange(8.0)).text
    assert "largest gap is 5" in spectra.sampling(np.array([0.0, 1, 6])).text


@pytest.mark.parametrize("wrong", [[0, 1], [0, 2, 1], [0, 1, 1], [0, 1, np.nan], [[0, 1, 2]]])
def test_others_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 3 finite numbers that increase"):
        spectra.sampling(wrong)
