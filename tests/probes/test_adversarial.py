import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.probes import adversarial_images

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(12, 3)).astype(np.float32)
# In the middle, so that an attack of norm 0.4 stays within [0, 1].
IMAGES = np.full((5, 3, 4, 1), 0.5, np.float32) + 0.01 * RNG.normal(size=(5, 3, 4, 1)).astype("f")


def linear(images):
    return tf.reshape(images, (-1, 12)) @ WEIGHTS


def two_classes(images):
    """Of two classes the gradient is along one vector, at every image."""
    return tf.reshape(images, (-1, 12)) @ WEIGHTS[:, :2]


def test_a_linear_classifier_is_attacked_along_the_difference_of_its_weights():
    targets = np.array([0, 1, 0, 1, 1])
    found = adversarial_images(two_classes, IMAGES, targets, norm=0.4, batch_size=2)
    w = WEIGHTS[:, 1] - WEIGHTS[:, 0]
    way = np.where(targets, 1, -1)[:, None] * w / np.linalg.norm(w)
    np.testing.assert_allclose((found - IMAGES).reshape(5, 12), 0.4 * way, atol=1e-5)


def test_it_ends_on_the_ball_or_within_and_raises_the_target():
    targets = np.array([0, 1, 2, 1, 0])
    before = tf.nn.softmax(linear(IMAGES)).numpy()[np.arange(5), targets]
    far = adversarial_images(linear, IMAGES, targets, norm=0.4)
    away = np.linalg.norm((far - IMAGES).reshape(5, 12), axis=1)
    np.testing.assert_allclose(away, 0.4, rtol=1e-4)
    after = tf.nn.softmax(linear(far)).numpy()[np.arange(5), targets]
    assert np.all(after > before + 0.05)
    # With one step of 2.5 times the radius the ball cuts, too.
    once = adversarial_images(linear, IMAGES, targets, norm=0.4, steps=1)
    away = np.linalg.norm((once - IMAGES).reshape(5, 12), axis=1)
    np.testing.assert_allclose(away, 0.4, rtol=1e-4)


def test_pixels_stay_in_range_and_a_vanishing_gradient_moves_nothing():
    dark = np.zeros((2, 3, 4, 1), np.float32)
    found = adversarial_images(linear, dark, [0, 1], norm=3.0)
    assert found.min() == 0
    assert found.max() <= 1
    assert np.linalg.norm(found[0]) < 3 + 1e-5
    still = adversarial_images(lambda images: 0 * linear(images), IMAGES, [0] * 5, norm=1.0)
    np.testing.assert_array_equal(still, IMAGES)


@pytest.mark.parametrize(
    ("images", "named", "line"),
    [
        (IMAGES, {"norm": 0.0}, "norm and steps of the attack: expected a norm above 0"),
        (IMAGES, {"norm": 1.0, "steps": 0}, "got 1 and 0"),
        (255 * IMAGES, {"norm": 1.0}, "images to attack: expected pixels in [0, 1]"),
    ],
)
def test_impossible_attacks_are_refused(images, named, line):
    with pytest.raises(UserError) as caught:
        adversarial_images(linear, images, [0] * 5, **named)
    assert line in str(caught.value)
