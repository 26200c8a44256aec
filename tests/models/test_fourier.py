import keras
import numpy as np
import pytest

from spectral_tf.models.fourier import RandomFourierFeatures
from spectral_tf.models.mlp import mlp


def test_features_by_hand(assert_close):
    layer = RandomFourierFeatures(3, 5.0, seed=1)
    x = np.random.default_rng(0).uniform(size=(4, 2)).astype(np.float32)
    outputs = layer(x).numpy()
    (frequencies,) = [v.numpy() for v in layer.non_trainable_variables]
    assert frequencies.shape == (2, 3)
    assert not layer.trainable_variables
    angles = 2 * np.pi * x @ frequencies
    np.testing.assert_allclose(
        outputs, np.concatenate([np.cos(angles), np.sin(angles)], -1), atol=1e-4
    )


def test_their_frequencies_have_the_scale_and_depend_on_the_seed():
    def draw(seed):
        layer = RandomFourierFeatures(4_000, 7.0, seed)
        layer.build((None, 1))
        return layer.frequencies.numpy()

    assert abs(draw(0).std() - 7) < 0.4
    np.testing.assert_array_equal(draw(0), draw(0))
    assert not np.array_equal(draw(0), draw(1))


def test_a_network_with_features_is_wider_at_the_bottom_and_can_be_saved(tmp_path):
    model = mlp(width=8, depth=3, fourier_features=5, fourier_scale=2.0, seed=3)
    assert model.layers[2].kernel.shape == (10, 8)
    # Its first layer is drawn for 10 inputs.
    assert 0.2 < np.abs(model.layers[2].kernel).max() <= 10**-0.5
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = np.linspace(0, 1, 7, dtype=np.float32)[:, None]
    np.testing.assert_array_equal(model(x), again(x))


@pytest.mark.parametrize("wrong", [{"fourier_features": -1}, {"fourier_scale": 0.0}])
def test_bad_features_are_refused(wrong):
    with pytest.raises(ValueError, match="fourier_features: expected 0"):
        mlp(**wrong)
