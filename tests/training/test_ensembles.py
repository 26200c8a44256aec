import numpy as np
import pytest

from spectral_tf import tasks
from spectral_tf.models.mlp import mlp
from spectral_tf.training.ensemble import Ensemble
from spectral_tf.training.ensembles import Ensembles
from spectral_tf.training.optimizers import Adam

TASK = tasks.SumOfSines([1], [1.0], [0.0], 8)


def one(width, members):
    return Ensemble(
        lambda seed: mlp(width=width, depth=2, seed=seed),
        range(members),
        [TASK.dataset()] * members,
        optimizer=Adam(0.01),
    )


def test_members_stand_in_a_row_and_train_as_they_would_alone():
    together, alone = Ensembles([one(3, 2), one(5, 1)]), [one(3, 2), one(5, 1)]
    assert together.num_members == 3
    together.train(7)
    for ensemble in alone:
        ensemble.train(7)
    assert together.step == 7
    outputs, losses = together.evaluate()
    expected = [ensemble.evaluate() for ensemble in alone]
    np.testing.assert_array_equal(outputs, np.concatenate([o for o, _ in expected]))
    np.testing.assert_array_equal(losses, np.concatenate([loss for _, loss in expected]))
    assert together.diverged_at_step.tolist() == [-1, -1, -1]
    assert together.all_reduce_max(3, 4) == [3, 4]


def test_a_saved_state_goes_on_in_the_same_bits_and_a_foreign_one_is_refused():
    first, again = Ensembles([one(3, 2), one(5, 1)]), Ensembles([one(3, 2), one(5, 1)])
    first.train(4)
    again.load(first.state())
    assert again.step == 4
    for ensembles in (first, again):
        ensembles.train(5)
    np.testing.assert_array_equal(first.evaluate()[0], again.evaluate()[0])
    with pytest.raises(ValueError, match="saved state: expected the arrays of this ensemble"):
        Ensembles([one(5, 1), one(3, 2)]).load(first.state())
