"""The package's pipelines run without tf.data's tuner, for which their iterators would wait."""

import functools

import pytest
import tensorflow as tf

from spectral_tf import data
from spectral_tf.data import pipeline, selection
from spectral_tf.streams import without_autotune


def test_the_elements_stay_and_the_tuner_goes():
    numbers = tf.data.Dataset.range(10).map(lambda i: 2 * i, tf.data.AUTOTUNE)
    assert list(without_autotune(numbers).as_numpy_iterator()) == list(range(0, 20, 2))
    assert without_autotune(numbers).options().autotune.enabled is False
    assert numbers.options().autotune.enabled is not False


@pytest.mark.parametrize("resident", [True, False])
def test_batches_are_untuned(resident, monkeypatch):
    monkeypatch.setattr(data.Images, "resident", resident)
    images = data.find_images("digits", "test")
    for make in (
        functools.partial(pipeline.training_batches, seed=0),
        pipeline.evaluation_batches,
    ):
        batches = make(images, data.unit(images), batch_size=8)
        assert batches.options().autotune.enabled is False


def test_reading_is_untuned(monkeypatch):
    read = []

    def iterate(dataset):
        read.append(dataset.options().autotune.enabled)
        return iterator(dataset)

    iterator = tf.data.Dataset.as_numpy_iterator
    monkeypatch.setattr(tf.data.Dataset, "as_numpy_iterator", iterate)
    monkeypatch.setattr(data.Images, "resident", False)
    images = data.find_images("digits", "test")
    images.arrays()
    selection.labels_of(images)
    selection.select(images, [3, 1])
    assert read == [False] * 3
