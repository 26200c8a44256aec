import pytest

from spectral_tf import runtime


def test_whole_numbers():
    assert runtime.whole_numbers("frequencies", ["5", " 10"]) == [5, 10]
    for words in ([], ["5.5"], ["five"], [""]):
        with pytest.raises(ValueError, match="frequencies: expected whole numbers"):
            runtime.whole_numbers("frequencies", words)
