import numpy as np
import tensorflow as tf

from spectral_tf.training.adam import Adam


def recursion(weight, gradient, steps, rate=3e-4, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """Algorithm 1 of Kingma and Ba (2015) in float64, written from the paper."""
    m = v = np.zeros_like(weight)
    for t in range(1, steps + 1):
        g = gradient(weight)
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        weight = weight - rate * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return weight


def ours(weight, gradient, steps, optimizer):
    weights = [tf.constant(weight, tf.float32)]
    slots = optimizer.init([weights[0].numpy()])
    for step in range(steps):
        gradients = [gradient(weights[0])]
        weights, slots = optimizer.update(
            gradients, slots, weights, tf.constant(step), tf.constant(True)
        )
    return weights[0].numpy()


def test_fifty_steps_equal_the_float64_recursion(assert_close):
    curvature = np.array([1.0, 30.0, 1e-3, 5.0])
    start = np.array([1.0, -2.0, 3.0, 0.5])

    def gradient(w):
        return curvature.astype(np.float32 if tf.is_tensor(w) else np.float64) * w

    assert_close(ours(start, gradient, 50, Adam(0.01)), recursion(start, gradient, 50, 0.01))


def test_the_first_step_is_the_rate_times_the_sign_by_hand(assert_close):
    # m_1 / (1 - b1) = g and v_1 / (1 - b2) = g^2: the step is rate g / (|g| + epsilon).
    gradient = np.array([2.0, -3.0, 1e-8, 0.0])
    moved = ours(np.zeros(4), lambda _: gradient.astype(np.float32), 1, Adam(0.5))
    assert_close(moved, np.float32([-0.5, 0.5, -0.25, 0.0]))


def test_epsilon_acts_after_the_correction_of_the_bias():
    # Keras' form, epsilon before the correction, would move by 0.5 * 1e-8 / (1e-8 + 3.2e-7).
    moved = ours(np.zeros(1), lambda _: np.float32([1e-8]), 1, Adam(0.5))
    assert abs(moved[0]) > 0.2


def test_an_inactive_member_does_not_move_whatever_its_gradient():
    state = [tf.constant([1.0, 2.0])]
    bad = [tf.constant([np.nan, np.inf])]
    weights, slots = Adam().update(bad, 2 * state, state, tf.constant(7), tf.constant(False))
    for result in (*weights, *slots):
        np.testing.assert_array_equal(result, [1.0, 2.0])
