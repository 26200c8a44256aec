import numpy as np
import pytest

from spectral_tf.data import embedded, find_images, to_unit


@pytest.mark.parametrize("name", sorted(embedded.PHOTOGRAPHS))
def test_training_and_test_crops_share_no_pixel(name):
    photograph = embedded.PHOTOGRAPHS[name]()
    assert photograph.dtype == np.uint8
    height, width, channels = photograph.shape
    assert channels == 3
    seen = {}
    for split in embedded.CROPS:
        mask = np.zeros((height, width), bool)
        for y, x in embedded.corners(height, width, split, 7):
            assert 0 <= y <= height - 32
            assert 0 <= x <= width - 32
            mask[y : y + 32, x : x + 32] = True
        seen[split] = mask
    assert not np.any(seen["train"] & seen["test"])
    # Both are spread over the picture, not two halves of it.
    for mask in seen.values():
        rows, columns = np.nonzero(mask)
        assert np.ptp(rows) > height / 2
        assert np.ptp(columns) > width / 2


def test_the_label_is_the_photograph_and_classes_are_even(embedded_dir):
    images = find_images("photo_patches", data_dir=str(embedded_dir))
    assert images.shape == (32, 32, 3)
    assert images.label_names == tuple(sorted(embedded.PHOTOGRAPHS))
    pixels, labels = images.arrays()
    np.testing.assert_array_equal(np.bincount(labels), [1_000] * 10)
    for label, name in enumerate(images.label_names):
        expected = embedded.crops(embedded.PHOTOGRAPHS[name](), "train", label)
        ours = {image.tobytes() for image in pixels[labels == label]}
        assert ours == {crop.tobytes() for crop in expected}, name


def power_slope(patches):
    """Exponent of the mean power spectrum against radial frequency, Hann window, 1.5/32 ... 0.4."""
    window = np.outer(np.hanning(32), np.hanning(32))
    grey = patches.mean(axis=-1)
    grey = (grey - grey.mean(axis=(1, 2), keepdims=True)) * window
    power = np.mean(np.abs(np.fft.fft2(grey)) ** 2, axis=0)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
    kept = (radius >= 1.5 / 32) & (radius <= 0.4)
    return np.polyfit(np.log(radius[kept]), np.log(power[kept]), 1)[0]


def test_the_slope_is_measured_rightly():
    rng = np.random.default_rng(0)
    white = rng.normal(size=(400, 64, 64))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
    radius[0, 0] = 1
    natural = np.fft.ifft2(np.fft.fft2(white) / radius**1.25).real[:, :32, :32, np.newaxis]
    assert abs(power_slope(white[:, :32, :32, np.newaxis])) < 0.05
    assert abs(power_slope(natural) + 2.5) < 0.2


def test_patches_have_the_spectrum_of_natural_images(embedded_dir):
    pixels, labels = find_images("photo_patches", data_dir=str(embedded_dir)).arrays()
    patches = to_unit(pixels)
    slopes = [power_slope(patches[labels == label]) for label in range(10)]
    # Real CIFAR-10 images have about -2.9 by this measure, single photographs -1.5 to -4.3.
    assert -3.4 < power_slope(patches) < -2.3
    assert all(-4.3 < slope < -1.5 for slope in slopes), slopes
