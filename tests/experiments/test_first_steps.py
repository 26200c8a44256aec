"""The flagfiles of the paper's own scale: every network that they name makes its first steps."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, mocked_cifar10, mocked_cifar100

from spectral_tf.data import find_images, read_hierarchy, superclasses
from spectral_tf.experiments.classification import Classification, Setting
from spectral_tf.experiments.sweeps import SWEEPS, variants

RESULTS = ROOT / "results"


def given_by(file):
    """{flag: value} of a flagfile."""
    lines = (RESULTS / f"{file}.flags").read_text().splitlines()
    return dict(line.removeprefix("--").split("=", 1) for line in lines)


def asked(file):
    """The variants of a flagfile."""
    given = given_by(f"interventions/{file}")
    base = Setting(
        model=given["model"],
        batch_size=int(given["batch_size"]),
        augmentations=tuple(given["augmentations"].split(",")),
        stop_at_loss=float(given.get("stop_at_loss", 0)),
        looks_per_epoch=int(given.get("looks_per_epoch", 1)),
    )
    lists = {n: given.get(n, "").split(",") for n in ("sweeps", *SWEEPS.values())}
    return {variant.name: variant for variant in variants(base, lists)}


@pytest.fixture(scope="module")
def cifar_10(tmp_path_factory):
    """Noise in its format."""
    folder = tmp_path_factory.mktemp("cifar_10")
    mocked_cifar10(folder, images_in_file=8)
    return [
        find_images("cifar10", split, data_dir=str(folder), download=True)
        for split in ("train[:16]", "test")
    ]


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("file", "name", "batch_size"),
    [
        ("cifar10_equal_loss", "network_options=unnormalised", 8),
        ("cifar10_equal_loss", "network_options=fixup", 8),
        ("cifar10_equal_loss", "network_options=unnormalised+fixup+gamma_swish", 8),
        ("cifar10_equal_loss", "architecture=pyramid_net@64", 2),
    ],
)
def test_it_learns(cifar_10, file, name, batch_size):
    variant = asked(file)[name]
    setting = dataclasses.replace(variant.setting, batch_size=batch_size, num_epochs=5)
    task = Classification(setting, *cifar_10, tf.distribute.get_strategy(), 0)
    trained = task.trainer(0, 0)
    before = [weight.numpy() for weight in trained.model.trainable_variables]
    trained.train(1)
    assert trained.train_loss() == pytest.approx(math.log(10), rel=1e-5)  # The head starts at 0.
    # The first step is that of the head alone. Without normalisation features are large: it goes
    # too far (a loss of hundreds), and the next ones bring it back. By Fixup the last kernel of a
    # block starts at 0, too, and those before it wait until it has moved.
    losses = []
    for _ in range(4):
        trained.train(1)
        losses.append(trained.train_loss())
    assert np.isfinite(losses).all()
    assert 0 < losses[-1] < 20
    logs, loss = trained.evaluate()
    assert logs.shape == (8, 10)
    assert np.isfinite(loss[0])
    moved = [
        not np.array_equal(weight.numpy(), start)
        for weight, start in zip(trained.model.trainable_variables, before, strict=True)
    ]
    # Numbers of gamma-swish alone are not decayed, so they wait for a gradient.
    assert sum(moved) > 0.8 * len(moved)
    if setting.stops:
        assert not trained.look()
        assert trained.seen[1] > setting.stop_at_loss


@pytest.mark.matrix
@pytest.mark.parametrize("num_classes", [100, 20])
def test_it_learns_the_classes_of_cifar_100_and_their_super_classes(tmp_path, num_classes):
    mocked_cifar100(tmp_path, {"train": 5, "test": 1})
    given = given_by("class_diversity/cifar100_wrn_32")
    learned, held_out = (
        find_images(given["dataset"], given[split], data_dir=str(tmp_path), download=True)
        for split in ("train_split", "held_out")
    )
    assert (learned.num_examples, held_out.num_examples) == (400, 200)  # Four parts of five.
    if num_classes == 20:
        groups = superclasses(read_hierarchy(given["hierarchy"]), learned.label_names).tolist()
        learned, held_out = (images.merged(groups) for images in (learned, held_out))
        assert "beaver+dolphin+otter+seal+whale" in learned.label_names
    assert learned.num_classes == held_out.num_classes == num_classes
    augmentations = tuple(given["augmentations"].split(","))
    setting = Setting(model=given["model"], batch_size=8, augmentations=augmentations)
    task = Classification(setting, learned, held_out, tf.distribute.get_strategy(), 0)
    trained = task.trainer(0, 0)
    before = [weight.numpy() for weight in trained.model.trainable_variables]
    losses = []
    for _ in range(3):
        trained.train(1)
        losses.append(trained.train_loss())
    assert losses[0] == pytest.approx(math.log(num_classes), rel=1e-5)  # The head starts at 0.
    assert np.isfinite(losses).all()
    assert losses[-1] != losses[0]
    moved = [
        not np.array_equal(weight.numpy(), start)
        for weight, start in zip(trained.model.trainable_variables, before, strict=True)
    ]
    assert sum(moved) > 0.8 * len(moved)
    logits, loss = trained.evaluate()
    assert logits.shape == (200, num_classes)
    assert np.isfinite(loss[0])
