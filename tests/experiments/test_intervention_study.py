"""What sweeps say, of models whose order is known."""

import numpy as np
import pytest

from spectral_tf.experiments import intervention_study
from spectral_tf.experiments.path_study import Models

COUNT, PATHS = 6, 24  # Settings; paths of each pair type.


def models(along, **columns):
    """Of one seed each, measured along paths within a class and between two, of phases."""
    value = np.array(["", *map(str, range(1, COUNT))])
    told = {
        "sweep": np.array(["baseline"] + ["width"] * (COUNT - 1)),
        "value": value,
        **{name: np.full(COUNT, number) for name, number in (("seed", 0), ("epoch", 9))},
        **{"last": np.ones(COUNT), "accuracy": np.linspace(0.5, 0.9, COUNT)},
    }
    classes = np.repeat([[0, 0], [0, 1]], PATHS, axis=0)
    whether = np.ones((COUNT, 2 * PATHS), bool)
    return Models(
        {**told, **columns},
        {**along, "phase/correct": whether, "phase/finite": whether},
        {"phase": classes},
        {"phase": np.ones(2 * PATHS)},
    )


def test_what_falls_as_frequency_rises_speaks_for_the_same_claims():
    """Better models change class at higher frequencies between classes, at lower ones within."""
    rng = np.random.default_rng(0)
    better = np.arange(COUNT)[:, None]
    frequency = np.concatenate(
        [1 - 0.1 * better + np.zeros(PATHS), 5.0 + better + np.zeros(PATHS)], axis=1
    ) * rng.uniform(0.99, 1.01, size=2 * PATHS)
    found = models({"phase/dft_share": frequency, "phase/consistent_share": 1 / (1 + frequency)})
    rhos = intervention_study.correlations(found, ["width"])
    claims = intervention_study.claims(found, rhos, ["width"])
    signs = {(f.claim, f.reading): int(np.sign(f.estimate.value)) for f in claims}
    share, consistent = "DFT share, all paths by phase", "consistent share, all paths by phase"
    assert {claim for claim, _ in signs} >= {"C0", "C5 within", "C5 between", "C7 width between"}
    for (claim, reading), sign in signs.items():
        assert sign == (-1 if "within" in claim else 1) * (-1 if reading == consistent else 1)
    assert {reading for _, reading in signs} == {share, consistent}
    assert all(f.direction * np.sign(f.estimate.value) == 1 for f in claims)


@pytest.mark.parametrize(("goal", "told"), [({}, " at equal steps"), ({"reached": 1}, "")])
def test_what_ended_at_a_goal_is_not_said_to_have_equal_steps(goal, told):
    sweep = {"sweep": np.array(["baseline", *(COUNT - 1) * ["examples_equal_steps"]])}
    columns = sweep | {name: np.full(COUNT, value) for name, value in goal.items()}
    found = models({"phase/dft_share": np.ones((COUNT, 2 * PATHS))}, **columns)
    rhos = intervention_study.correlations(found, ["examples"])
    statements = {f.statement for f in intervention_study.claims(found, rhos, ["examples"])}
    assert f"better accuracy, over number of images{told}: lower within classes" in statements


def test_a_comparison_is_at_the_goal_where_all_that_are_compared_reached_it():
    along = {"phase/dft_share": np.ones((COUNT, 2 * PATHS))}
    assert not intervention_study.at_goal(models(along))
    reached = np.array([1, 1, 1, 0, 0, 0])
    compared = intervention_study.comparable(models(along, reached=reached))
    assert len(compared) == 3
    assert intervention_study.at_goal(compared)
    compared = intervention_study.comparable(models(along, reached=reached * [1, 0, 0, 0, 0, 0]))
    assert len(compared) == COUNT  # As they ended.
    assert not intervention_study.at_goal(compared)
