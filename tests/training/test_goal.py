"""Trainings that end at an accuracy or at a loss, found by looks at the same steps every time."""

import gc
import logging
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from training.test_classifier import IMAGES, batches, evaluation, linear, make

from spectral_tf import records
from spectral_tf.errors import UserError
from spectral_tf.models.blocks import GammaSwish
from spectral_tf.training.classifier import Classifier, CosineSgd
from spectral_tf.training.goal import Goal
from spectral_tf.training.loop import Interrupted, TrainingLoop

STEPS = 60
EVERY = 4
SLOW = {"learning_rate": 0.003}


@pytest.fixture(scope="module")
def course():
    """The loss of every step, and the accuracy after each, of a training without a goal."""
    trained = make(linear, steps=STEPS, optimizer=SLOW)
    accuracies = []
    for _ in range(STEPS):
        trained.train(1)
        trained.evaluate()
        accuracies.append(trained.accuracy)
    return trained._losses.astype(np.float64), np.array(accuracies)


def loop_to(path, goal, steps=(0, 10, 30, STEPS), piece=None):
    folder = records.RunFolder(path, {})
    gc.collect()  # Of the loops of before, which hold their folders.
    folder.start({})
    loop = TrainingLoop(
        make(linear, STEPS, optimizer=SLOW, goal=goal), folder, list(steps), 1e9, "test"
    )
    if piece:
        loop._train_piece = lambda until: loop.ensemble.train(
            min(piece, min(goal.next_look(loop.ensemble.step), until) - loop.ensemble.step)
        )
    return loop


def first_look_at(losses, wanted):
    """By hand: the first multiple of EVERY whose last EVERY losses have at most this mean."""
    means = losses.reshape(-1, EVERY).mean(axis=1)
    return EVERY * (1 + int(np.flatnonzero(means <= wanted)[0])), means


def test_a_training_ends_at_the_first_look_that_finds_its_loss(course, tmp_path):
    losses, _ = course
    wanted = float(np.median(losses))
    expected, means = first_look_at(losses, wanted)
    assert 10 < expected < STEPS
    loop = loop_to(tmp_path, Goal(loss=wanted, every=EVERY))
    steps = list(loop)
    assert steps == [step for step in (0, 10, 30) if step < expected] + [expected]
    assert loop.ended_at == loop.ensemble.step == expected
    np.testing.assert_allclose(loop.ensemble.seen[1], means[expected // EVERY - 1], rtol=1e-6)
    assert math.isnan(loop.ensemble.seen[0])


def test_a_training_ends_at_the_first_look_that_finds_its_accuracy(course, tmp_path):
    _, accuracies = course
    looks = accuracies[EVERY - 1 :: EVERY]
    wanted = float(np.sort(np.unique(looks))[-2])
    expected = EVERY * (1 + int(np.flatnonzero(looks >= wanted)[0]))
    loop = loop_to(tmp_path, Goal(accuracy=wanted, every=EVERY))
    assert list(loop)[-1] == loop.ended_at == expected
    assert loop.ensemble.seen[0] == looks[expected // EVERY - 1]


@pytest.mark.parametrize("piece", [1, 3])
def test_pieces_do_not_move_the_end(course, tmp_path, piece):
    wanted = float(np.median(course[0]))
    loop = loop_to(tmp_path, Goal(loss=wanted, every=EVERY), piece=piece)
    assert list(loop)[-1] == first_look_at(course[0], wanted)[0]


def stopped_at(step, path, goal):
    """A loop that a signal ends at a step."""
    loop = loop_to(path, goal)
    train = loop.ensemble.train

    def train_by_one(num_steps):
        train(1)
        if loop.ensemble.step == step:
            loop._note(15)

    loop.ensemble.train = train_by_one
    with pytest.raises(Interrupted):
        list(loop)
    assert loop.ensemble.step == step


@pytest.mark.parametrize("killed_before", [14, None])
def test_one_that_was_stopped_and_resumed_ends_where_the_other_does(
    course, tmp_path, killed_before
):
    """Between two looks, and between the last look and what is measured then."""
    goal = Goal(loss=float(np.median(course[0])), every=EVERY)
    whole = loop_to(tmp_path / "whole", goal)
    list(whole)
    stop = whole.ended_at if killed_before is None else killed_before
    stopped_at(stop, tmp_path / "broken", goal)
    again = loop_to(tmp_path / "broken", goal)
    assert again.resumed
    assert list(again)[-1] == whole.ended_at
    np.testing.assert_array_equal(again.ensemble.seen, whole.ensemble.seen)
    for name, value in whole.ensemble.state().items():
        np.testing.assert_array_equal(value, again.ensemble.state()[name], err_msg=name)
    del again
    third = loop_to(tmp_path / "broken", goal)  # Nothing is left to train or to measure.
    assert list(third) == []
    assert third.ended_at == whole.ended_at


def test_a_goal_that_is_never_reached_leaves_the_training_as_it_is(course, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="absl"):
        loop = loop_to(tmp_path, Goal(loss=1e-6, every=EVERY))
        assert list(loop) == [0, 10, 30, STEPS]
    assert loop.ended_at == -1
    np.testing.assert_array_equal(loop.ensemble._losses.astype(np.float64), course[0])
    assert (
        "test: a training loss of 1e-06 was never reached; it ended at its last step, 60"
    ) in caplog.text


def test_the_last_step_is_looked_at_where_looks_do_not_meet_it(course, tmp_path):
    loss = float(course[0][: EVERY - 1].mean())
    loop = loop_to(tmp_path, Goal(loss=loss * (1 + 1e-6), every=EVERY), steps=(0, EVERY - 1))
    assert list(loop) == [0, EVERY - 1]
    assert loop.ended_at == EVERY - 1
    np.testing.assert_allclose(loop.ensemble.seen[1], loss, rtol=1e-6)


@pytest.mark.parametrize(
    "wrong", [{}, {"loss": -1.0}, {"accuracy": 1.5}, {"loss": 1.0, "every": 0}, {"loss": math.nan}]
)
def test_a_goal_out_of_range_is_refused(wrong):
    with pytest.raises(UserError, match="goal: expected an accuracy up to 1 or a loss above 0"):
        make(goal=Goal(**wrong))


def test_weight_decay_leaves_out_what_is_marked():
    """On images of 0 nothing but weight decay moves a kernel."""

    def build():
        inputs = keras.Input((8, 8, 3))
        x = keras.layers.Dense(5, use_bias=False)(keras.layers.Flatten()(GammaSwish()(inputs)))
        return keras.Model(inputs, x)

    feed = lambda first: batches(first, images=np.zeros_like(IMAGES))  # noqa: E731
    optimizer = CosineSgd(num_steps=9, weight_decay=0.5, momentum=0.0, clip_norm=math.inf)
    trained = Classifier(build, feed, evaluation(), optimizer)
    beta, gamma, kernel = trained.model.trainable_variables
    before = kernel.numpy()
    trained.train(1)
    assert (beta.numpy(), gamma.numpy()) == (0, 2)
    rate = float(optimizer.rate(tf.constant(0)))
    np.testing.assert_allclose(kernel.numpy(), before * (1 - 0.5 * rate), rtol=1e-5)
