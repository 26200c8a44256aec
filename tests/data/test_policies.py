import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from spectral_tf.data import policies
from spectral_tf.data.augment import Part

PIXELS = np.random.default_rng(0).integers(0, 256, size=(6, 32, 32, 3)).astype(np.uint8)
PIXELS[1] //= 3  # Dark and of little contrast.
PIXELS[2] = 77  # Of one colour.
PIXELS[3, :, :, 1] = np.arange(32)[:, None] * 8
UNIT = PIXELS.astype(np.float32) / 255


def by_pil(name, magnitude):
    """What PIL makes of the pixels, by the published magnitudes."""
    factor = 0.1 + 0.18 * magnitude
    affine = {
        "shear_x": (1, 0.03 * magnitude, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, 0.03 * magnitude, 1, 0),
        "translate_x": (1, 0, magnitude, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, magnitude),
    }
    operations = {
        "identity": lambda image: image,
        "autocontrast": ImageOps.autocontrast,
        "equalize": ImageOps.equalize,
        "invert": ImageOps.invert,
        "solarize": lambda image: ImageOps.solarize(image, int(256 - 25.6 * magnitude)),
        "posterize": lambda image: ImageOps.posterize(image, 4 - int(0.4 * magnitude)),
        "color": lambda image: ImageEnhance.Color(image).enhance(factor),
        "contrast": lambda image: ImageEnhance.Contrast(image).enhance(factor),
        "brightness": lambda image: ImageEnhance.Brightness(image).enhance(factor),
        "sharpness": lambda image: ImageEnhance.Sharpness(image).enhance(factor),
        "rotate": lambda image: image.rotate(3 * magnitude),
        **{
            n: lambda image, six=six: image.transform(image.size, Image.Transform.AFFINE, six)
            for n, six in affine.items()
        },
    }
    return np.stack([np.asarray(operations[name](Image.fromarray(x))) for x in PIXELS])


@pytest.mark.parametrize("magnitude", [0, 3, 5, 8])
@pytest.mark.parametrize("name", policies._OPERATIONS)
def test_every_operation_is_pils_to_a_grey_level(name, magnitude):
    ours = policies._OPERATIONS[name](tf.constant(UNIT), tf.fill(6, float(magnitude))).numpy()
    difference = np.abs(ours * 255 - by_pil(name, magnitude).astype(float))
    if name in ("rotate", "shear_x", "shear_y"):  # Which pixel is nearest may differ at ties.
        assert np.mean(difference > 1) < 0.01
    else:
        # PIL cuts some results off, and rounds the grey of which it makes others.
        limits = {"color": 2.0, "contrast": 2.0, "sharpness": 2.0}
        limits |= {"autocontrast": 1.01, "brightness": 1.01}
        assert difference.max() <= limits.get(name, 1e-3)


def test_the_table_of_pairs_is_whole():
    pairs = policies.CIFAR_PAIRS.split(",")
    assert len(pairs) == 95
    assert len({name for pair in pairs for name in pair.split()}) > 50
    words = [word for pair in pairs for word in pair.split()]
    assert len(words) == 190
    assert {word[:2] for word in words} <= set(policies._SHORT)
    assert len(policies._SHORT) == len(policies._NAMES)
    for short, name in zip(policies._SHORT, policies._NAMES, strict=True):
        initial = {"Cl": "color", "AC": "autocontrast", "SX": "shear_x", "SY": "shear_y"}
        initial |= {"TX": "translate_x", "TY": "translate_y"}
        assert initial.get(short, name)[:2].lower() == name[:2]


BATCH = np.concatenate([UNIT] * 20)
SEED = tf.constant([3, 4])


@pytest.mark.long
@pytest.mark.parametrize("make", [policies.autoaugment, policies.randaugment])
def test_a_batch_is_changed_by_seed_alone_and_in_parts_as_a_whole(make):
    apply = tf.function(make((0.5, 0.4, 0.3)))
    whole = apply(BATCH, SEED, Part(120, 0)).numpy()
    assert whole.shape == BATCH.shape
    assert np.isfinite(whole).all()
    assert whole.min() >= -1e-6
    assert whole.max() <= 1 + 1e-6
    changed = np.any(whole != BATCH, axis=(1, 2, 3))
    assert 0.4 < changed.mean() <= 1
    parts = [apply(BATCH[i : i + 40], SEED, Part(120, i)).numpy() for i in (0, 40, 80)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(apply(BATCH, SEED, Part(120, 0)), whole)
    assert not np.array_equal(apply(BATCH, SEED + 1, Part(120, 0)), whole)


def test_operations_that_no_image_drew_are_left_out(monkeypatch):
    """Some of TensorFlow's kernels fail on no images at all, one ends the process."""

    def guarded(operation):
        def apply(images, magnitude):
            with tf.control_dependencies([tf.debugging.assert_positive(tf.shape(images)[0])]):
                return operation(tf.identity(images), magnitude)

        return apply

    for name, operation in policies._OPERATIONS.items():
        monkeypatch.setitem(policies._OPERATIONS, name, guarded(operation))
    for make in (policies.autoaugment, policies.randaugment):
        changes = tf.function(make())
        for seed in range(20):
            changed = changes(UNIT[:2], tf.constant([seed, 0]), Part(2, tf.constant(0)))
            assert changed.shape == (2, 32, 32, 3)


def test_grey_images_pass_too():
    grey = BATCH[:40, :, :, :1]
    for make in (policies.autoaugment, policies.randaugment):
        assert make()(tf.constant(grey), SEED, Part(40, 0)).shape == grey.shape


def test_what_comes_in_from_beyond_the_border_is_the_mean():
    mean = (0.2, 0.5, 0.7)
    number = policies._NAMES.index("translate_x")
    moved = policies._operate(
        tf.ones((50, 32, 32, 3)), tf.fill(50, number), tf.fill(50, 6.0), SEED, Part(50, 0), mean
    ).numpy()
    for image in moved:
        strips = image[:, :6], image[:, -6:]
        (outside,) = [strip for strip in strips if not np.allclose(strip, 1)]
        np.testing.assert_allclose(outside, np.broadcast_to(mean, outside.shape), atol=1e-6)
    # Both directions are drawn.
    assert 0.2 < np.mean([np.allclose(image[:, :6], 1) for image in moved]) < 0.8


def test_autoaugment_draws_pairs_and_operations_as_often_as_the_table_says():
    # Black images: of the operations only those that brighten show, `invert` fully.
    black = tf.zeros((20_000, 4, 4, 1))
    whole = policies.autoaugment()(black, SEED, Part(20_000, 0)).numpy().mean(axis=(1, 2, 3))
    expected = 0.0
    for pair in policies.CIFAR_PAIRS.split(","):
        chances = [int(word[2]) / 10 if word[:2] == "In" else 0 for word in pair.split()]
        expected += (chances[0] * (1 - chances[1]) + chances[1] * (1 - chances[0])) / 95
    assert np.mean(whole > 0.5) == pytest.approx(expected, abs=4 * (expected / 20_000) ** 0.5)
