import numpy as np
import pytest
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.models.autoencoder import denoising_autoencoder
from spectral_tf.training.ensemble import Ensemble
from spectral_tf.training.optimizers import Adam


def test_layers_and_weights():
    model = denoising_autoencoder(input_dim=6, latent_dim=2, width=5, seed=3)
    shapes = [w.shape for w in model.trainable_variables]
    assert shapes == [(6, 5), (5,), (5, 2), (2,), (2, 5), (5,), (5, 6), (6,)]
    for kernel in model.trainable_variables[::2]:
        bound = kernel.shape[0] ** -0.5
        assert 0.5 * bound < np.abs(kernel.numpy()).max() <= bound
    again = denoising_autoencoder(input_dim=6, latent_dim=2, width=5, seed=3)
    for one, two in zip(model.trainable_variables, again.trainable_variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_noise_is_added_in_training_only_and_anew_each_time():
    model = denoising_autoencoder(input_dim=6, latent_dim=2, width=64, seed=3)
    x = np.zeros((4, 6), np.float32)
    np.testing.assert_array_equal(model(x), model(x))
    once, again = model(x, training=True), model(x, training=True)
    assert not np.allclose(once, again)
    assert not np.allclose(once[0], once[1])


def test_it_learns_a_plane_through_its_code():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(256, 2)) @ rng.normal(size=(2, 8))).astype(np.float32)
    ensemble = Ensemble(
        lambda seed: denoising_autoencoder(
            input_dim=8, latent_dim=2, width=32, noise_std=0.05, seed=seed
        ),
        [1],
        [tf.data.Dataset.from_tensor_slices((x, x))],
        optimizer=Adam(3e-3),
        batch_size=64,
        batch_seeds=[5],
    )
    ensemble.train(1_500)
    outputs = ensemble.outputs(x)[0]
    assert np.mean((outputs - x) ** 2) < 0.03 * x.var()


@pytest.mark.parametrize(
    "wrong", [{"latent_dim": 0}, {"input_dim": 0}, {"noise_std": -1.0}, {"seed": -1}, {"width": 0}]
)
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(UserError, match="autoencoder"):
        denoising_autoencoder(**{"input_dim": 6, "latent_dim": 2, **wrong})
