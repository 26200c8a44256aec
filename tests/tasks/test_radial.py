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


def test_a_published_target_is_among_those_of_real_mnist(mnist_dir):
    """The notebook's sample: a 3 whose target at k = 0.1, beta = 1 is -0.79140."""
    pixels, labels = find_images("mnist", data_dir=str(mnist_dir)).arrays()
    task = TwoClasses.of_images(to_unit(pixels), labels, (3, 8))
    threes = task.inputs[task.signs < 0]
    targets = -1 + RadialWave(0.1)(threes)
    near = np.sum(np.abs(targets + 0.79140) < 5e-6)
    assert near >= 1
    # By chance, as many as at other places around it.
    others = [np.sum(np.abs(targets + 0.79140 + d) < 5e-6) for d in np.linspace(1e-4, 1e-2, 200)]
    assert np.mean(others) < 0.2
    # Fast noise has the mean square 1/2.
    assert abs(np.mean(RadialWave(1.0)(task.inputs) ** 2) - 0.5) < 0.05
