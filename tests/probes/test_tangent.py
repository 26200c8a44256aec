import keras
import numpy as np
import pytest

from spectral_tf import spectra, tasks
from spectral_tf.models.mlp import mlp
from spectral_tf.probes.tangent import tangent_kernels
from spectral_tf.training.ensemble import Ensemble
from spectral_tf.training.optimizers import SGD

N = 32
Z = np.arange(N) / N


def test_the_kernel_of_an_affine_model_by_hand(assert_close):
    model = mlp(depth=1)
    weights = [v.numpy()[None] for v in model.trainable_variables]
    x = Z[:, None].astype(np.float32)
    assert_close(tangent_kernels(model, weights, [], x)[0], np.float32(np.outer(Z, Z) + 1))


def test_one_hidden_layer_by_hand_for_each_member():
    models = [mlp(width=5, depth=2, seed=seed) for seed in range(2)]
    rows = zip(*[m.trainable_variables for m in models], strict=True)
    weights = [np.stack([v.numpy() for v in row]) for row in rows]
    x = Z[:, None].astype(np.float32)
    kernels = tangent_kernels(models[0], weights, [], x)
    for kernel, (w, b, v, _) in zip(kernels, zip(*weights, strict=True), strict=True):
        before = x @ w + b
        on = before > 0
        h = before * on
        gated = on * v[:, 0]
        expected = h @ h.T + 1 + (gated @ gated.T) * (np.outer(Z, Z) + 1)
        np.testing.assert_allclose(kernel, expected, rtol=1e-4)


def test_several_outputs_are_refused():
    model = mlp(width=3, depth=2, output_dim=2)
    with pytest.raises(ValueError, match="model: expected one output"):
        tangent_kernels(model, [], [], Z)


def test_where_networks_are_wide_and_steps_small_the_kernel_predicts_the_training():
    """One very wide hidden layer on a circle: the kernel stays, and so must the prediction."""
    task = tasks.SumOfSines([1, 2, 3], [1, 1, 1], [0.3, 1.0, 2.0], N)
    circle = tasks.Flower(0)(task.positions).astype(np.float32)

    def build(seed: int) -> keras.Model:
        return mlp(width=4_096, depth=2, input_dim=2, seed=seed)

    def ensemble(rate):
        data = [task.dataset(circle)] * 2
        return Ensemble(build, [0, 1], data, optimizer=SGD(rate))

    untrained = ensemble(1.0)
    kernels = tangent_kernels(untrained.architecture, untrained.weights, [], circle)
    starts = untrained.evaluate()[0][..., 0]
    rate = 0.2 * N / np.linalg.eigvalsh(kernels).max()
    trained, steps, measured = ensemble(rate), [0, 10, 100, 1_000], []
    for step in steps:
        trained.train(step - trained.step)
        measured.append(trained.evaluate()[0][..., 0])
    for run in range(2):
        predicted = spectra.linearised_functions(
            kernels[run], starts[run], task.targets, rate, steps
        )
        # To a hundredth of the sines' amplitude, while the lowest goes from 0 to 1.
        np.testing.assert_allclose(np.array(measured)[:, run], predicted, atol=0.01)
        learned = spectra.normalised_magnitudes(predicted, [1, 2, 3], [1, 1, 1])
        assert learned[0].max() < 0.3
        assert learned[-1, 0] > 0.95 > learned[-1, 2]
        # On the circle the rates alone, each frequency by itself, say nearly the same.
        rates = spectra.frequency_rates(kernels[run], [1, 2])
        from_nothing = spectra.linearised_functions(kernels[run], 0 * Z, task.targets, rate, [100])
        learned = spectra.normalised_magnitudes(from_nothing[0], [1, 2], [1, 1])
        np.testing.assert_allclose(learned, 1 - np.exp(-rate * rates * 100), atol=0.1)
