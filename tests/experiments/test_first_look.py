"""A first look: accuracy against chance, outputs that do not vary, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from spectral_tf import data
from spectral_tf.errors import UserError
from spectral_tf.experiments.first_look import FirstLook, first_look

LABELS = np.array([0] * 50 + [1] * 30 + [2] * 20)


@pytest.fixture
def images(tmp_path):
    """The first pixel is the label over 10; sorted by class."""
    x = np.zeros((100, 2, 2, 1), np.float32)
    x[:, 0, 0, 0] = LABELS / 10
    np.savez(tmp_path / "own.npz", x=x, y=LABELS)
    return data.find_images(f"npz:{tmp_path / 'own.npz'}")


def look(images, function, kind="logits"):
    strategy = tf.distribute.get_strategy()
    prepare = data.prepare(data.unit(images))
    return first_look("--from_run", function, images, (2, 2, 1), prepare, kind, strategy)


def says(classes, scale=10.0):
    """Logits of the class that a function of the true one tells."""

    def function(x):
        own = tf.cast(tf.round(10 * x[:, 0, 0, 0]), tf.int32)
        return scale * tf.one_hot(tf.gather(tf.constant(classes), own), 3) - 1

    return function


def test_a_network_that_knows_its_classes_has_no_warning(images):
    found = look(images, says([0, 1, 2]))
    assert (found.num_images, found.accuracy, found.chance) == (100, 1.0, 0.5)
    np.testing.assert_allclose(found.p_value, 0.5**100)
    np.testing.assert_allclose(found.spread, 0.5, rtol=1e-3)  # Of a half of 0 and a half of 1.
    assert found.warnings("--from_run", "normalisation", "outputs") == []


@pytest.mark.parametrize(("classes", "correct"), [([0, 0, 0], 50), ([1, 1, 1], 30), ([1, 2, 0], 0)])
def test_accuracy_is_held_against_the_most_frequent_class(classes, correct, images):
    found = look(images, says(classes))
    assert found.accuracy == correct / 100
    exact = stats.binomtest(correct, 100, 0.5, alternative="greater").pvalue
    np.testing.assert_allclose(found.p_value, exact)
    lines = found.warnings("--from_run", "normalisation", "outputs")
    assert len(lines) == 1 + (len(set(classes)) == 1)
    assert f"accuracy {correct / 100:.3f} on 100 held-out images is not above chance" in lines[-1]
    for told in ("exact binomial p = ", "--normalisation says", "--outputs what it gives"):
        assert told in lines[-1]
    assert ("outputs hardly vary" in lines[0]) == (len(set(classes)) == 1)


def test_images_of_one_class_tell_nothing_of_chance(images):
    found = look(images.take(50), says([0, 1, 2]))
    assert (found.accuracy, found.chance, found.p_value) == (1.0, 1.0, None)
    assert not any("chance" in line for line in found.warnings("--from_run"))


def test_features_are_looked_at_for_whether_they_vary(images):
    still = look(images, lambda x: 1e3 + x[:, 0, 0], "")
    assert still.accuracy is None
    assert len(still.warnings("--features", "features_normalisation")) == 1
    assert look(images, lambda x: 1 + x[:, 0, 0], "").warnings("--features") == []


def test_wrong_statements_and_what_cannot_be_asked_are_one_line(images):
    with pytest.raises(UserError, match="say --outputs=probabilities"):
        look(images, lambda x: tf.nn.softmax(says([0, 1, 2])(x)))
    with pytest.raises(UserError, match=r"--from_run: expected finite outputs .* on 50"):
        look(images, lambda x: says([0, 1, 2])(x) / x[:, 0, 0])
    with pytest.raises(UserError, match=r"--from_run: expected a network that can be asked"):
        look(images, lambda x: tf.matmul(x[:, :, 0, 0], tf.zeros((3, 3))))


def test_no_more_than_1000_images_are_asked_spread_over_the_split(tmp_path):
    labels = np.repeat([0, 1], 1_500)
    x = np.tile(labels[:, None, None, None] / 10, (1, 2, 2, 1)).astype(np.float32)
    np.savez(tmp_path / "many.npz", x=x, y=labels)
    found = look(data.find_images(f"npz:{tmp_path / 'many.npz'}"), says([0, 1, 2]))
    assert (found.num_images, found.chance) == (1_000, 0.5)


def test_a_record_is_plain_numbers():
    assert all(v is None or isinstance(v, float | int) for v in FirstLook(3, 0.5))
