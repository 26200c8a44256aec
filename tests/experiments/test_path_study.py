"""Families of paths, drawn from sets that fit into memory and from others."""

import numpy as np
import pytest

from spectral_tf.data import Images, find_images, pipeline, unit
from spectral_tf.experiments import path_study


@pytest.fixture
def digits(embedded_dir):
    return find_images("digits", "test", data_dir=str(embedded_dir))


def family(images, **more):
    given = {"pairs": 3, "between_pairs": 1, "seed": 5, **more}
    return path_study.family("held_out", images, pipeline.prepare(unit(images)), **given)


def test_no_two_paths_of_a_kind_share_an_image(digits):
    found = family(digits)
    within = found.classes[:, 0] == found.classes[:, 1]
    assert (within.sum(), (~within).sum()) == (30, 45)
    for chosen in (within, ~within):
        ends = np.concatenate([end[chosen] for end in found.paths.pairs])
        assert len(set(ends)) == len(ends)
    np.testing.assert_array_equal(found.paths.endpoint_labels(found.labels), found.classes)


def test_some_classes_alone_and_no_paths_between_them(digits):
    found = family(digits, classes=[2, 7], between_pairs=0)
    assert found.classes.tolist() == [[2, 2]] * 3 + [[7, 7]] * 3


def test_a_set_that_is_not_resident_is_read_where_it_is_asked(digits, monkeypatch):
    """The same paths, and some images on none of them for the confidence."""
    whole = family(digits)
    monkeypatch.setattr(Images, "resident", property(lambda self: False))
    monkeypatch.setattr(path_study, "_OTHERS", 110)
    some = family(digits)
    ends = len(np.unique(np.concatenate(whole.paths.pairs)))
    assert len(some.labels) == ends + 110
    assert path_study.off_the_paths(some).sum() == 110
    for theirs, ours in zip(whole.paths.pairs, some.paths.pairs, strict=True):
        np.testing.assert_array_equal(whole.pixels[theirs], some.pixels[ours])
    np.testing.assert_array_equal(some.classes, whole.classes)
    np.testing.assert_array_equal(some.paths.distances, whole.paths.distances)
