import numpy as np
import pytest

from spectral_tf.data import find_images, to_unit
from spectral_tf.errors import UserError
from spectral_tf.tasks import RadialWave, TwoClasses

# |x| = 5, 0 and 1.
POINTS = np.array([[3.0, 4.0], [0.0, 0.0], [0.6, -0.8]])


def test_the_two_conventions(assert_close):
    assert_close(RadialWave(0.05)(POINTS), [1.0, 0.0, np.sin(0.1 * np.pi)])
    assert_close(RadialWave(0.1 * np.pi, "radians")(POINTS), RadialWave(0.05)(POINTS))
    assert_close(RadialWave(2.0, "radians")(POINTS), np.sin([10.0, 0.0, 2.0]))


def test_cycles_across_the_data(assert_close):
    line = np.linspace(0, 1, 5)[:, np.newaxis]
    deviation = np.std([0, 0.25, 0.5, 0.75, 1])
    assert_close(RadialWave(3.0).cycles(line), 12 * deviation)
    assert_close(RadialWave(3.0, "radians").cycles(line), 12 * deviation / (2 * np.pi))


@pytest.mark.parametrize("frequency", [-1.0, np.nan, np.inf])
def test_impossible_frequencies_are_refused(frequency):
    with pytest.raises(UserError, match="frequency: expected 0 or more"):
        RadialWave(frequency)
    with pytest.raises(UserError, match="cycles or radians, got hertz"):
        RadialWave(1.0, "hertz")


def test_the_published_sample_target_on_real_mnist(mnist_dir):
    """The notebook's sample: number 42 is a 3 whose target at k = 0.1, beta = 1 is -0.79140."""
    pixels, labels = find_images("mnist", data_dir=str(mnist_dir)).arrays()
    task = TwoClasses.of_images(to_unit(pixels), labels, (3, 8))
    assert len(task) == 11_982
    assert task.signs[42] == -1
    assert abs(-1 + RadialWave(0.1)(task.inputs)[42] + 0.79140) < 5e-6
    # Fast noise has the mean square 1/2.
    assert abs(np.mean(RadialWave(1.0)(task.inputs) ** 2) - 0.5) < 0.05
