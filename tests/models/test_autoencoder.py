import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from spectral_tf.errors import UserError
from spectral_tf.models.autoencoder import (
    denoising_autoencoder,
    evidence_lower_bound,
    normal_divergence,
    variational_autoencoder,
)
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


def test_the_divergence_is_its_formula_and_its_definition(assert_close):
    mean, log_variance = np.array([0.0, 1.0, -2.0]), np.array([0.0, 0.0, np.log(4.0)])
    # By hand: 0; 1 / 2; (4 + 4 - log 4 - 1) / 2.
    assert_close(normal_divergence(mean, log_variance), [0.0, 0.5, 3.5 - np.log(2.0)])
    # E_q log q / p of the last one, by quadrature of its density.
    z, step = np.linspace(-30, 26, 200_001, retstep=True)
    density = np.exp(-((z + 2) ** 2) / 8) / np.sqrt(8 * np.pi)
    ratio = -((z + 2) ** 2) / 8 - np.log(2) + z**2 / 2
    assert_close(np.sum(density * ratio) * step, 3.5 - np.log(2.0))


# A linear decoder W z + mu with orthogonal columns: then q(z|x) can be the true posterior, whose
# covariance is diagonal, and the bound is log N(x; mu, W W^T + s^2).
W = np.array([[2.0, 0.0, 0.0, 0.0], [0.0, 0.6, 0.8, 0.0]]).T
MU, STD = np.array([0.5, -1.0, 0.0, 2.0]), 0.5
PRECISION = (W**2).sum(axis=0) + STD**2  # Of the posterior, times s^2.


def linear(shift=0.0):
    """That model, the mean of its posterior moved by `shift` in the first dimension."""
    model = variational_autoencoder(
        input_dim=4, latent_dim=2, width=4, output_std=STD, activation="linear"
    )
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    backward = W / PRECISION
    values = {
        "layer_1": (np.eye(4), np.zeros(4)),
        "mean": (backward, -MU @ backward + [shift, 0.0]),
        "log_variance": (np.zeros((4, 2)), np.log(STD**2 / PRECISION)),
        "layer_3": (W.T, np.zeros(4)),
        "layer_4": (np.eye(4), MU),
    }
    for name, (kernel, bias) in values.items():
        part = encoder if name in ("layer_1", "mean", "log_variance") else decoder
        part.get_layer(name).set_weights([kernel, bias])
    return model


def test_the_bound_of_the_true_posterior_is_the_likelihood_of_a_normal():
    x = np.random.default_rng(0).normal(size=(6, 4)) @ np.diag([2.0, 1.0, 1.0, 0.5]) + MU
    many = np.repeat(x, 4_000, axis=0)
    covariance = W @ W.T + STD**2 * np.eye(4)
    likelihood = scipy.stats.multivariate_normal(MU, covariance).logpdf(x)
    # A posterior that is another one loses its divergence from the true one.
    for shift in (0.0, 0.5):
        found = evidence_lower_bound(linear(shift), many, STD, np.random.default_rng(1), 2)
        lost = shift**2 / 2 * PRECISION[0] / STD**2
        bound = found.bound.reshape(6, -1).mean(axis=1)
        np.testing.assert_allclose(bound, likelihood - lost, atol=0.1)


def test_what_is_trained_is_the_bound_up_to_factor_and_constant(assert_close):
    x = (np.random.default_rng(0).normal(size=(64, 4)) + MU).astype(np.float32)
    model = linear()
    many = np.tile(x, (200, 1))
    found = evidence_lower_bound(model, many, STD, np.random.default_rng(1), 1)
    squares = np.mean((model(x) - x) ** 2)
    (own,) = model.losses
    assert_close(own.numpy(), 2 * STD**2 / 4 * np.float32(found.divergence.sum(axis=1).mean()))
    # In training the draws make up the rest of E |x - f(z)|^2: the posterior's variance times W.
    drawn = np.mean((model(many, training=True) - many) ** 2)
    spread = ((W**2).sum(axis=0) * STD**2 / PRECISION).sum() / 4
    np.testing.assert_allclose(drawn, squares + spread, rtol=0.02)
    bound = -4 / (2 * STD**2) * (drawn + own) - 2 * np.log(2 * np.pi * STD**2)
    np.testing.assert_allclose(found.bound.mean(), bound, atol=0.05)


def test_training_reaches_the_largest_bound_of_a_linear_one():
    """Probabilistic principal components with a given s: Tipping and Bishop (1999)."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(256, 4)) * [2.0, 1.2, 0.4, 0.3]) @ scipy.stats.special_ortho_group.rvs(
        4, random_state=0
    )
    x = (x - x.mean(axis=0) + 1).astype(np.float32)
    variances = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    kept, left = variances[:2], variances[2:]
    most = -0.5 * np.sum(np.log(2 * np.pi * kept) + 1)
    most -= 0.5 * np.sum(np.log(2 * np.pi * STD**2) + left / STD**2)
    ensemble = Ensemble(
        lambda seed: variational_autoencoder(
            input_dim=4, latent_dim=2, width=8, output_std=STD, activation="linear", seed=seed
        ),
        [1],
        [tf.data.Dataset.from_tensor_slices((x, x))],
        optimizer=Adam(1e-2),
    )
    ensemble.train(600)
    found = evidence_lower_bound(ensemble.member(0), x, STD, np.random.default_rng(1), 50)
    assert most - 0.05 < found.bound.mean() < most + 0.02


def test_the_code_is_drawn_in_training_only_and_anew_each_time():
    model = variational_autoencoder(input_dim=6, latent_dim=2, width=64, seed=3)
    x = np.zeros((4, 6), np.float32)
    np.testing.assert_array_equal(model(x), model(x))
    once, again = model(x, training=True), model(x, training=True)
    assert not np.allclose(once, again)
    assert not np.allclose(once[0], once[1])
    same = variational_autoencoder(input_dim=6, latent_dim=2, width=64, seed=3)
    np.testing.assert_array_equal(same(x, training=True), once)


def test_a_saved_one_comes_back(tmp_path):
    model = variational_autoencoder(input_dim=6, latent_dim=2, width=5, seed=3)
    x = np.ones((4, 6), np.float32)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), model(x))
    np.testing.assert_array_equal(again.losses[0], model.losses[0])


@pytest.mark.parametrize(
    "wrong", [{"latent_dim": 0}, {"input_dim": 0}, {"output_std": 0.0}, {"seed": -1}, {"width": 0}]
)
def test_impossible_variational_ones_are_refused(wrong):
    with pytest.raises(UserError, match="autoencoder: expected sizes of at least 1, an output_std"):
        variational_autoencoder(**{"input_dim": 6, "latent_dim": 2, **wrong})
