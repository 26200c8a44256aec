"""What a network wants of pixels: closed forms of every range, order and layout."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.data import Inputs, Normalisation, find_images
from spectral_tf.data.normalisation import named
from spectral_tf.errors import UserError

PIXELS = np.linspace(0, 1, 2 * 2 * 2 * 3, dtype=np.float32).reshape(2, 2, 2, 3)


@pytest.fixture
def images(tmp_path):
    np.savez(tmp_path / "own.npz", x=PIXELS, y=np.arange(2))
    return find_images(f"npz:{tmp_path / 'own.npz'}")


def entered(text, images):
    inputs = Inputs.parse(text)
    return inputs.of_pixels(inputs.normalisation(images))(tf.constant(PIXELS)).numpy()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unit", PIXELS),
        ("bytes", 255 * PIXELS),
        ("signed", 2 * PIXELS - 1),
        ("0.5:0.25", 4 * PIXELS - 2),
        ("0.1:1,0.2:0.5,0.3:0.25", (PIXELS - [0.1, 0.2, 0.3]) / [1, 0.5, 0.25]),
        ("imagenet", (PIXELS - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
        ("bytes,bgr", 255 * PIXELS[..., ::-1]),
        ("bgr,bytes,channels_first", 255 * PIXELS[..., ::-1].transpose(0, 3, 1, 2)),
        ("channels_first,0.5:0.25", (4 * PIXELS - 2).transpose(0, 3, 1, 2)),
        (
            "0.1:1,0.2:1,0.3:1,bgr",  # Numbers are of the stored order: red, green, blue.
            (PIXELS - np.float32([0.1, 0.2, 0.3]))[..., ::-1],
        ),
        ("standard", (PIXELS - PIXELS.mean((0, 1, 2))) / PIXELS.std((0, 1, 2))),
        ("bgr", ((PIXELS - PIXELS.mean((0, 1, 2))) / PIXELS.std((0, 1, 2)))[..., ::-1]),
    ],
)
def test_what_each_asks_for(text, expected, images):
    np.testing.assert_allclose(entered(text, images), expected, rtol=1e-5, atol=1e-5)


def test_imagenet_and_caffe_are_what_keras_does_to_its_own_networks(images):
    theirs = keras.applications.imagenet_utils.preprocess_input
    for mode, text in (
        ("torch", "imagenet"),
        ("tf", "signed"),
        ("caffe", "0.4076:0.00392157,0.4579:0.00392157,0.485:0.00392157,bgr"),
    ):
        expected = theirs(255 * PIXELS, data_format="channels_last", mode=mode)
        if mode == "caffe":  # Means of 0 to 255, of blue, green, red.
            text = ",".join(f"{m / 255}:{1 / 255}" for m in (123.68, 116.779, 103.939)) + ",bgr"
        np.testing.assert_allclose(entered(text, images), expected, rtol=1e-4, atol=1e-4)


def test_a_function_comes_before_order_and_layout():
    inputs = Inputs.parse("mine:prepare,bgr,channels_first")
    assert inputs.function == "mine:prepare"
    given = inputs.of_pixels(None, lambda x: 3 * x)(tf.constant(PIXELS)).numpy()
    np.testing.assert_allclose(given, 3 * PIXELS[..., ::-1].transpose(0, 3, 1, 2))
    assert inputs.shape_of((3, 2, 5)) == (2, 5, 3)
    assert Inputs().shape_of((3, 2, 5)) == (3, 2, 5)


def test_apply_is_undone():
    normalisation = named("0.1:2,0.2:0.5,0.3:0.25", 3)
    assert normalisation == Normalisation((0.1, 0.2, 0.3), (2.0, 0.5, 0.25), "given")
    np.testing.assert_allclose(normalisation.undo(normalisation.apply(PIXELS)), PIXELS, atol=1e-6)


@pytest.mark.parametrize(
    "text",
    ["", "byte", "bytes,unit", "0.5:0", "0.5:nan", "bgr,rgb", "bytes,bgr,bgr", "a:b c", ":f"],
)
def test_other_words_are_refused(text):
    with pytest.raises(
        UserError, match="teacher_normalisation: expected one of standard, unit, by"
    ):
        Inputs.parse(text, "teacher_normalisation")


def test_channels_that_do_not_fit_are_refused(images):
    with pytest.raises(UserError, match="for each of 3 channels"):
        Inputs.parse("0.5:1,0.5:1").normalisation(images)
    with pytest.raises(UserError, match="for each of 1 channels"):
        named("imagenet", 1)
    with pytest.raises(UserError, match="three channels for bgr, got 1"):
        Inputs.parse("unit,bgr").arrange(tf.zeros((1, 2, 2, 1)))
