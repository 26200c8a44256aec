import numpy as np
import pytest

from spectral_tf.data import find_images, standard, to_unit, unit
from spectral_tf.errors import UserError


def own(tmp_path, x):
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(len(x)))
    return find_images(f"npz:{tmp_path / 'own.npz'}")


def test_measured_constants_give_mean_0_and_deviation_1(embedded_dir, assert_close):
    images = find_images("photo_patches", data_dir=str(embedded_dir))
    mean, deviation, source = standard(images)
    assert source == "measured on the first 10,000 images of train"
    pixels = images.arrays()[0] / 255
    standardised = (pixels - mean) / deviation
    np.testing.assert_allclose(standardised.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(standardised.std(axis=(0, 1, 2)), 1, rtol=1e-5)


def test_vectors_have_one_constant_for_all_entries(tmp_path, assert_close):
    x = np.array([[0.0, 0.5], [1.0, 0.5]])
    assert standard(own(tmp_path, x))[:2] == (pytest.approx((0.5,)), pytest.approx((0.125**0.5,)))


def test_published_constants_are_taken_where_there_are_some(monkeypatch, embedded_dir):
    import dataclasses

    images = find_images("photo_patches", data_dir=str(embedded_dir))
    cifar = dataclasses.replace(images, version="cifar10_1/v4/1.1.0")
    assert standard(cifar).mean == (0.49139968, 0.48215841, 0.44653091)
    assert standard(cifar).deviation == (0.24703223, 0.24348513, 0.26158784)


def test_unit_leaves_pixels_in_0_to_1(embedded_dir):
    images = find_images("photo_patches", data_dir=str(embedded_dir))
    assert unit(images)[:2] == ((0.0,) * 3, (1.0,) * 3)
    values = to_unit(np.array([0, 51, 255], np.uint8))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [0, 0.2, 1])
    floats = np.array([0.25], np.float32)
    assert to_unit(floats) is floats


def test_a_constant_channel_is_refused(tmp_path):
    with pytest.raises(UserError, match="channels that vary"):
        standard(own(tmp_path, np.ones((3, 2, 2, 1))))
