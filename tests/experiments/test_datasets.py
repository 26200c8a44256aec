"""Training and held-out images as pages ask for them."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds
from numpy.testing import assert_array_equal

from spectral_tf.errors import UserError
from spectral_tf.experiments.datasets import Dataset

N = 300
X = np.random.default_rng(0).integers(0, 256, size=(N, 4, 4, 1), dtype=np.uint8)
SORTED = np.repeat([0, 1, 2], 100)


@pytest.fixture
def own(tmp_path):
    np.savez(tmp_path / "own.npz", x=X, y=SORTED, x_test=255 - X[:30], y_test=SORTED[::10])
    return Dataset(f"npz:{tmp_path / 'own.npz'}")


def test_a_part_of_sorted_arrays_is_drawn_by_the_seed_and_recorded(own):
    def labels(**changes):
        training, held_out = dataclasses.replace(own, **changes).splits()
        assert_array_equal(held_out.arrays()[1], SORTED[::10])
        return training.arrays()[1]

    part = labels(train_size=90)
    # Of each class 30 are expected, with a standard deviation of 3.7.
    assert np.abs(np.bincount(part) - 30).max() < 15
    assert_array_equal(labels(train_size=90), part)
    assert (labels(train_size=90, seed=1) != part).any()
    assert_array_equal(labels()[:90], part)
    training, _ = dataclasses.replace(own, train_size=90).splits()
    assert training.record()["order_seed"] == training.notes["order_seed"] > 0
    assert training.record()["num_examples"] == 90


def test_slices_of_one_split_train_and_hold_out(own):
    slices = dataclasses.replace(own, train_split="train[:80%]", held_out="train[80%:]")
    training, held_out = slices.splits()
    assert (training.num_examples, held_out.num_examples) == (240, 60)
    assert set(training.arrays()[1]) == set(held_out.arrays()[1]) == {0, 1, 2}
    assert training.record()["split"] == "train[:80%]"
    again, _ = dataclasses.replace(slices, seed=7).splits()
    assert set(again.own.numbers) == set(training.own.numbers)


def test_what_is_learned_is_not_held_out_unless_nothing_is_learned(own):
    same = dataclasses.replace(own, held_out="train")
    with pytest.raises(UserError, match="train_split=train and held_out=train: expected no image"):
        same.splits()
    assert len(same.splits(trains=False)) == 2


def test_copies_are_in_the_record(tmp_path):
    test = np.random.default_rng(1).integers(0, 256, size=(100, 4, 4, 1), dtype=np.uint8)
    test[5] = X[200]
    np.savez(tmp_path / "own.npz", x=X, y=SORTED, x_test=test, y_test=np.arange(100) % 3)
    training, _ = Dataset(f"npz:{tmp_path / 'own.npz'}").splits()
    assert training.record()["held_out_copies"] == 1


def test_classes_that_no_training_image_has_are_said(own, caplog):
    dataclasses.replace(own, train_size=200).splits()
    assert "no training image" not in caplog.text
    dataclasses.replace(own, train_size=1).splits()
    assert "no training image of 2 of 3 classes" in caplog.text


def test_images_of_tfds_stay_as_they_are_stored(embedded_dir):
    digits = Dataset("digits", data_dir=str(embedded_dir), train_size=50, seed=3)
    training, _ = digits.splits()
    assert_array_equal(training.arrays()[0], digits.find().arrays()[0][:50])
    assert "order_seed" not in training.record()


class InOrder(tfds.core.GeneratorBasedBuilder):
    """Images that are stored as they come: sorted by class."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(4, 4, 1)),
            "label": tfds.features.ClassLabel(num_classes=3),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), disable_shuffling=True
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(), "test": self._generate_examples()}

    def _generate_examples(self):
        for i, (image, label) in enumerate(zip(X, SORTED, strict=True)):
            yield i, {"image": image, "label": label}


def test_a_part_of_a_tfds_set_that_is_stored_sorted_is_refused(tmp_path):
    InOrder(data_dir=str(tmp_path)).download_and_prepare()
    stored = Dataset("in_order", data_dir=str(tmp_path))
    assert stored.training().num_examples == N
    assert dataclasses.replace(stored, train_size=201).training().num_examples == 201
    for part, flags in (
        ({"train_size": 200}, "train_split=train and train_size=200"),
        ({"train_split": "train[:50%]"}, "train_split=train[:50%] and train_size=0"),
    ):
        with pytest.raises(UserError) as caught:
            dataclasses.replace(stored, **part).training()
        assert str(caught.value).startswith(f"{flags}: expected images of all 3 classes")
        assert "got images of 2" in str(caught.value)
