import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.tasks import TwoClasses

IMAGES = np.arange(6 * 4, dtype=np.float32).reshape(6, 2, 2) / 24
LABELS = [3, 8, 1, 8, 3, 3]


def test_two_classes_become_signs_in_stored_order():
    task = TwoClasses.of_images(IMAGES, LABELS, (3, 8))
    assert len(task) == 5
    np.testing.assert_array_equal(task.signs, [-1, 1, 1, -1, -1])
    np.testing.assert_array_equal(task.inputs, IMAGES[[0, 1, 3, 4, 5]].reshape(5, 4))
    np.testing.assert_array_equal(TwoClasses.of_images(IMAGES, LABELS, (8, 3)).signs, -task.signs)


def test_the_first_examples_and_the_split_keep_the_order():
    task = TwoClasses.of_images(IMAGES, LABELS)
    np.testing.assert_array_equal(task.first(3).signs, [-1, 1, 1])
    training, validation = TwoClasses(np.zeros((10, 1), np.float32), np.tile([-1, 1], 5)).split(
        0.75
    )
    assert (len(training), len(validation)) == (7, 3)
    np.testing.assert_array_equal(validation.signs, [1, -1, 1])


def test_noise_goes_on_the_targets_alone(assert_close):
    task = TwoClasses.of_images(IMAGES, LABELS)
    noise = np.linspace(0, 1, 5)
    x, y = next(iter(task.dataset(noise).batch(5)))
    assert_close(x, task.inputs)
    assert_close(y[:, 0], (task.signs + noise).astype(np.float32))
    _, clean = next(iter(task.dataset().batch(5)))
    assert_close(clean[:, 0], task.signs.astype(np.float32))


@pytest.mark.parametrize("classes", [(3, 5), (3, 3), (9, 8)])
def test_classes_that_do_not_occur_are_refused(classes):
    with pytest.raises(UserError, match="classes: expected two different labels that occur"):
        TwoClasses.of_images(IMAGES, LABELS, classes)


@pytest.mark.parametrize("number", [1, 6])
def test_more_examples_than_there_are_or_one_class_alone_are_refused(number):
    with pytest.raises(UserError, match="num_samples: expected 2 to 5"):
        TwoClasses.of_images(IMAGES, LABELS).first(number)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_a_part_without_one_class_is_refused(share):
    with pytest.raises(UserError, match="train_share"):
        TwoClasses.of_images(IMAGES, LABELS).split(share)
