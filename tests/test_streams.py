"""The package's pipelines end when their last element has been read."""

import functools

import tensorflow as tf

from spectral_tf import data
from spectral_tf.data import pipeline
from spectral_tf.streams import untuned


def test_the_elements_stay_and_the_tuner_goes():
    numbers = tf.data.Dataset.range(10).map(lambda i: 2 * i, tf.data.AUTOTUNE)
    assert list(untuned(numbers).as_numpy_iterator()) == list(range(0, 20, 2))
    assert untuned(numbers).options().autotune.enabled is False
    assert numbers.options().autotune.enabled is not False


def test_batches_are_untuned():
    images = data.find_images("digits", "test")
    for make in (
        functools.partial(pipeline.training_batches, seed=0),
        pipeline.evaluation_batches,
    ):
        batches = make(images, data.unit(images), batch_size=8)
        assert batches.options().autotune.enabled is False
