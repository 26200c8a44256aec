import numpy as np
import pytest

from spectral_tf.models.mlp import mlp
from spectral_tf.probes.perturbations import perturbed_outputs

X = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
MODEL = mlp(width=6, depth=3, seed=2)
WEIGHTS = [v.numpy() for v in MODEL.trainable_variables]


def measure(norms=(0.0, 0.5, 2.0), directions=5, **settings):
    settings = {"seed": 7, **settings}
    return perturbed_outputs(MODEL, WEIGHTS, [], X, norms, directions, **settings)


def by_a_plain_loop(norm, row):
    """The model with one direction added by hand."""
    size = sum(w.size for w in WEIGHTS)
    direction = np.random.default_rng([7, *row]).standard_normal(size, dtype=np.float32)
    direction *= norm / np.linalg.norm(direction)
    parts = np.split(direction, np.cumsum([w.size for w in WEIGHTS])[:-1])
    copy = mlp(width=6, depth=3)
    copy.set_weights([w + p.reshape(w.shape) for w, p in zip(WEIGHTS, parts, strict=True)])
    return copy(X).numpy()


@pytest.mark.parametrize("shared", [True, False])
def test_it_is_the_plain_loop(shared, assert_close):
    outputs = measure(shared=shared)
    assert outputs.shape == (3, 5, 9, 1)
    for i, norm in enumerate((0.0, 0.5, 2.0)):
        for d in range(5):
            row = (d,) if shared else (d, i)
            assert_close(outputs[i, d], by_a_plain_loop(norm, row))


def test_a_norm_of_zero_is_the_network_itself_and_fresh_directions_differ(assert_close):
    outputs = measure(norms=[0.0, 1.0, 1.0])
    assert_close(outputs[0], np.broadcast_to(MODEL(X).numpy(), (5, 9, 1)))
    assert not np.allclose(outputs[1], outputs[2])
    shared = measure(norms=[1.0, 1.0], shared=True)
    assert_close(shared[0], shared[1])


@pytest.mark.parametrize("block_size", [1, 3, 50])
def test_the_block_size_changes_nothing(block_size, assert_close):
    assert_close(measure(block_size=block_size), measure())


def test_the_model_is_left_as_it_was():
    measure()
    for variable, weight in zip(MODEL.trainable_variables, WEIGHTS, strict=True):
        np.testing.assert_array_equal(variable, weight)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"norms": []}, "norms: expected"),
        ({"norms": [-1.0]}, "norms: expected numbers of at least 0"),
        ({"directions": 0}, "num_directions: expected at least 1"),
        ({"block_size": 0}, "block_size: expected at least 1"),
    ],
)
def test_bad_settings_are_refused(settings, line):
    with pytest.raises(ValueError, match=line):
        measure(**settings)
