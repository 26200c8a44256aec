import os

import pytest

from spectral_tf.storage import atomic_write


def test_the_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "table.csv"
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert os.listdir(path.parent) == ["table.csv"]


def test_a_reader_of_the_old_file_keeps_all_of_it(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old and whole")
    with open(path) as reader:
        with atomic_write(path) as temporary:
            temporary.write_text("new")
        assert reader.read() == "old and whole"
    assert path.read_text() == "new"


def test_an_error_keeps_the_old_file_and_leaves_no_part(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail():
        with atomic_write(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["table.csv"]
