import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.training.losses import LOSSES, TrainedLoss


def test_values_by_hand(assert_close):
    outputs, targets = tf.constant([[2.0], [0.0]]), tf.constant([[1.0], [0.0]])
    assert_close(LOSSES["mean_squared_error"](outputs, targets).numpy(), np.float32(0.5))
    # -log s(2) = log(1 + e^-2) for the label 1, and log 2 for the logit 0.
    expected = (np.log1p(np.exp(-2)) + np.log(2)) / 2
    cross_entropy = LOSSES["sigmoid_cross_entropy"](outputs, targets).numpy()
    assert_close(cross_entropy, np.float32(expected))


OUTPUTS, TARGETS = tf.constant([[2.0], [0.0], [1.0]]), tf.constant([[1.0], [0.0], [3.0]])


def absolute(y_true, y_pred):
    return tf.abs(y_true - y_pred)[:, 0]


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        ("mean_squared_error", 5 / 3),
        ("mse", 5 / 3),
        ("MeanAbsoluteError", 1.0),
        (keras.losses.mean_absolute_error, 1.0),
        (keras.losses.MeanAbsoluteError, 1.0),
        (keras.losses.MeanAbsoluteError(), 1.0),
        (keras.losses.MeanAbsoluteError(reduction="sum"), 3.0),
        (keras.losses.MeanAbsoluteError(reduction=None), 1.0),
        (keras.losses.Huber(delta=1.0), (0.5 + 0 + 1.5) / 3),
        (absolute, 1.0),
        (lambda y_true, y_pred: tf.reduce_sum(absolute(y_true, y_pred)), 3.0),
    ],
)
def test_losses_by_hand_however_they_are_said(loss, value, assert_close):
    trained = TrainedLoss(loss)
    for targets in (TARGETS, TARGETS[:, 0]):
        found = trained(OUTPUTS, targets)
        assert found.shape == ()
        assert_close(found.numpy(), np.float32(value))
    # Outputs of other precisions: float64 is kept, bfloat16 is not computed in.
    half = trained(tf.cast(OUTPUTS, tf.bfloat16), TARGETS)
    assert half.dtype == tf.float32
    assert_close(half.numpy(), np.float32(value))
    if not isinstance(loss, keras.losses.Loss):
        double = trained(tf.cast(OUTPUTS, tf.float64), tf.cast(TARGETS, tf.float64))
        assert double.dtype == tf.float64


def test_masked_outputs_are_left_out_as_keras_does(assert_close):
    words = tf.constant([[1, 2, 0], [3, 0, 0]])
    model = keras.Sequential(
        [
            keras.layers.Embedding(4, 1, mask_zero=True, embeddings_initializer="ones"),
            keras.layers.LSTM(1, return_sequences=True, kernel_initializer="zeros"),
        ]
    )
    outputs = model(words)  # Zeros; three of six are of words.
    targets = tf.constant([[[1.0], [2.0], [50.0]], [[3.0], [60.0], [70.0]]])
    assert_close(TrainedLoss("mae")(outputs, targets).numpy(), np.float32(2.0))


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "fits"),
    [
        ("mean_squared_error", (4, 1), (4,), True),
        ("mean_squared_error", (4, 2), (4, 2), True),
        ("mean_squared_error", (4, 2), (4,), False),
        ("mse", (4, 1), (4, 3), False),
        ("sparse_categorical_crossentropy", (4, 3), (4,), True),
        ("SparseCategoricalCrossentropy", (4, 5, 3), (4, 5), True),
        ("sparse_categorical_crossentropy", (4, 3), (4, 3), False),
        (lambda y_true, y_pred: 0.0, (4, 3), (4, 7, 7), True),
    ],
)
def test_misfits_are_known_where_the_loss_is(loss, outputs, targets, fits):
    check = functools.partial(
        TrainedLoss(loss).refuse_misfit, tf.TensorShape(outputs), np.zeros((2, *targets))
    )
    if fits:
        check()
    else:
        with pytest.raises(UserError, match="datasets: expected targets of"):
            check()


def test_which_losses_want_probabilities():
    wanting = ["binary_crossentropy", keras.losses.CategoricalCrossentropy(), "KLDivergence"]
    assert [TrainedLoss(loss).wants_probabilities for loss in wanting] == [True, True, False]
    logits = keras.losses.BinaryCrossentropy(from_logits=True)
    others = ["mse", "sigmoid_cross_entropy", logits, absolute]
    assert not any(TrainedLoss(loss).wants_probabilities for loss in others)
