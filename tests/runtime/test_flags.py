import pytest

from spectral_tf import runtime


def test_whole_numbers():
    assert runtime.parse_ints("frequencies", ["5", " 10"]) == [5, 10]
    for words in ([], ["5.5"], ["five"], [""]):
        with pytest.raises(ValueError, match="frequencies: expected whole numbers"):
            runtime.parse_ints("frequencies", words)


def test_numbers_and_their_bound():
    assert runtime.parse_floats("clips", ["0.1", "2"], above=0) == [0.1, 2.0]
    for words in (["0"], ["-1"], ["nan"], ["inf"], ["a"], []):
        with pytest.raises(ValueError, match="clips: expected finite numbers above 0 separated"):
            runtime.parse_floats("clips", words, above=0)


def test_each_number_comes_once():
    with pytest.raises(ValueError, match="petals: expected whole numbers .*, each once, got 4,4"):
        runtime.parse_ints("petals", ["4", "4"])
    assert runtime.parse_ints("cell", ["4", "4"], distinct=False) == [4, 4]
