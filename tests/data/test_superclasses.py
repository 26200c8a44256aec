"""Hierarchies of classes: the tables of the package, and somebody's own."""

import pathlib

import numpy as np
import pytest
from conftest import USERS_DATA

from spectral_tf.data import find_images, hierarchies, read_hierarchy, superclasses
from spectral_tf.errors import UserError

# The coarse class of each class of CIFAR-100, both numbered by their names, as in its files.
COARSE = """
4 1 14 8 0 6 7 7 18 3 3 14 9 18 7 11 3 9 7 11 6 11 5 10 7
6 13 15 3 15 0 11 1 10 12 14 16 9 11 5 5 19 8 8 15 13 14 17 18 10
16 4 17 4 2 0 17 4 18 17 10 3 2 12 12 16 12 1 9 19 2 10 0 1 16
12 9 13 15 13 16 19 2 4 6 19 5 5 8 19 18 1 2 15 6 0 17 8 14 13
"""


def test_the_table_of_cifar100_is_the_published_one():
    found = read_hierarchy("cifar100")
    assert list(found) == sorted(found)
    names = sorted(set(found.values()))  # Coarse classes are numbered by name, too.
    assert [names.index(superclass) for superclass in found.values()] == list(
        map(int, COARSE.split())
    )
    assert found["whale"] == found["otter"] == "aquatic_mammals"
    assert set(np.bincount(superclasses(found, list(found))).tolist()) == {5}


def test_the_table_of_cifar100_is_that_of_the_data():
    if not (USERS_DATA and (pathlib.Path(USERS_DATA) / "cifar100").is_dir()):
        pytest.skip("no prepared CIFAR-100 in TFDS_DATA_DIR")
    import tensorflow_datasets as tfds

    found = read_hierarchy("cifar100")
    builder = tfds.builder("cifar100", data_dir=USERS_DATA)
    fine, coarse = (builder.info.features[name].names for name in ("label", "coarse_label"))
    alone = tfds.decode.PartialDecoding({"label": True, "coarse_label": True})
    for example in tfds.as_numpy(builder.as_dataset("test", decoders=alone)):
        assert found[fine[example["label"]]] == coarse[example["coarse_label"]]


def test_the_table_of_fashion_mnist_covers_its_classes(mnist_dir):
    names = find_images("fashion_mnist", "test", data_dir=str(mnist_dir)).label_names
    groups = superclasses(read_hierarchy("fashion_mnist"), names)
    assert groups.tolist() == [0, 1, 0, 1, 0, 2, 0, 2, 3, 2]


def test_a_table_of_ones_own_is_read(tmp_path):
    file = tmp_path / "own.csv"
    file.write_text('\ufeffclass,superclass\n"cat, small",pet\r\ncar , thing\n\ndog,pet\n')
    found = read_hierarchy(file)
    assert found == {"cat, small": "pet", "car": "thing", "dog": "pet"}
    assert superclasses(found, ["dog", "car", "cat, small"]).tolist() == [0, 1, 0]
    assert set(hierarchies()) == {"cifar100", "fashion_mnist"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "expected one of cifar100, fashion_mnist, or a CSV file.*FileNotFoundError"),
        ("", "with the first line of nothing; write these names into the first line"),
        ("fine,coarse\na,b\n", "with the first line fine,coarse"),
        ("class,superclass\na,b,c\n", "a class and its super-class in each line, got 'a,b,c'"),
        ("class,superclass\na,\n", "a class and its super-class in each line, got 'a,'"),
        ("class,superclass\na,b\na,c\n", "every class once, got a 2 times"),
        ("class,superclass\ra,b\r", "expected a CSV file .*new-line character seen in unquoted"),
    ],
)
def test_other_tables_are_refused_in_a_line(tmp_path, text, told):
    file = tmp_path / "own.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=f"hierarchy: .*{told}"):
        read_hierarchy(file)


def test_a_name_that_is_nearly_right_gets_the_right_one():
    with pytest.raises(UserError, match="did you mean cifar100"):
        read_hierarchy("cifar10")


def test_another_encoding_is_told(tmp_path):
    file = tmp_path / "own.csv"
    file.write_bytes("class,superclass\nfenêtre,maison\n".encode("latin-1"))
    with pytest.raises(UserError, match="UnicodeDecodeError.*; save it as UTF-8"):
        read_hierarchy(file)


@pytest.mark.parametrize(
    ("hierarchy", "told"),
    [
        ({"a": "x", "b": "x"}, r"got 2 without one \(c, d\)"),
        (
            {"a": "x", "b": "x", "c": "y", "d": "y", "e": "y"},
            r"got 1 that are no class of the data \(e\); classes are called a, b, c",
        ),
        ({"A": "x", "b": "x", "c": "y", "d": "y"}, r"1 without one \(a\) and 1 that .*\(A\)"),
        (dict.fromkeys("abcd", "x"), "2 super-classes or more, one of several classes, got 1 of 4"),
        ({c: c for c in "abcd"}, "got 4 of 4 classes"),
    ],
)
def test_a_hierarchy_that_does_not_fit_the_classes_is_refused_in_a_line(hierarchy, told):
    with pytest.raises(UserError, match=f"^hierarchy: expected .*{told}"):
        superclasses(hierarchy, "abcd")
