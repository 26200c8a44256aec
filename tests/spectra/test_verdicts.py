import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.spectra import Estimate, not_enough
from spectral_tf.spectra.verdicts import Finding, sign_of, verdicts


def estimate(value, low=None, high=None, p=None):
    ends = (np.asarray(float("nan") if end is None else end) for end in (low, high))
    return Estimate(np.asarray(float(value)), *ends, n=8, unit="settings", method="", p_value=p)


RISES = estimate(0.9, 0.5, 1.0, 0.001)
FALLS = estimate(-0.9, -1.0, -0.5, 0.001)
OPEN = estimate(0.3, -0.4, 0.8, 0.4)
NONE = not_enough(3, 4, "settings")


def findings(primary, other=OPEN, claim="C5", direction=1):
    return [
        Finding(claim, "it rises", "first", "published", direction, primary),
        Finding(claim, "it rises", "second", "", direction, other),
    ]


def word(*sets, direction=1):
    told = {f"set {i}": findings(*own, direction=direction) for i, own in enumerate(sets)}
    (found,) = verdicts(told, "published")
    return found.word, found.why


def test_what_has_a_sign():
    assert sign_of(RISES, 0.04) == 1
    assert sign_of(FALLS, 0.04) == -1
    assert sign_of(RISES, 0.06) == 0  # After Holm's correction, say.
    assert sign_of(estimate(0.9, -0.1, 1.0), 0.04) == 0  # Its interval holds 0.
    assert sign_of(estimate(0.9, p=0.04), 0.04) == 1  # Few settings: a p-value and no interval.
    assert sign_of(estimate(0.9, 0.5, 1.0), None) == 1
    assert sign_of(estimate(0.9), None) == 0
    assert sign_of(NONE, None) == 0


def test_what_decides_must_have_a_p_value():
    """Else it is not counted by Holm's correction, and the others are corrected too little."""
    told = {"set": findings(estimate(0.9, 0.5, 1.0))}
    with pytest.raises(UserError, match="a p-value of every reading that decides, got C5, first"):
        verdicts(told, "published")


def test_the_four_words():
    assert word((RISES,), (RISES,)) == ("holds", "")
    assert word((FALLS,), (FALLS,)) == ("contradicted", "")
    assert word((OPEN,), (OPEN,)) == ("undecided", "")
    assert word((NONE,), (NONE,)) == ("undecided", "")
    assert word((RISES,), (OPEN,)) == ("mixed", "holds on set 0, undecided on set 1")
    assert word((RISES,), (FALLS,)) == ("mixed", "holds on set 0, contradicted on set 1")


def test_every_reading_has_a_direction_of_its_own():
    """One that falls with the other's rise agrees with it."""
    rises, falls = findings(RISES, FALLS)
    falls = falls._replace(direction=-1)
    (found,) = verdicts({"set": [rises, falls]}, "published")
    assert (found.word, found.why) == ("holds", "")
    falls = falls._replace(direction=1)
    (found,) = verdicts({"set": [rises, falls]}, "published")
    assert found.word == "mixed"


def test_readings_that_disagree_are_named():
    assert word((RISES, FALLS), (RISES,)) == ("mixed", "against it: second on set 0")
    assert word((FALLS, RISES), (FALLS,)) == ("mixed", "contradicted, but for second on set 0")


def test_the_other_primary_reading_counts_among_those_that_disagree():
    of_set = findings(RISES, FALLS)
    of_set[1] = of_set[1]._replace(primary="corrected")
    (found,) = verdicts({"a": of_set}, "published")
    assert (found.word, found.why) == ("mixed", "against it: second on a")


def test_many_readings_that_disagree_are_counted():
    of_set = findings(RISES) + [
        findings(RISES, FALLS)[1]._replace(reading=f"r{i}") for i in range(4)
    ]
    (found,) = verdicts({"a": of_set}, "published")
    assert found.why == "against it: 4 readings on a"


def test_a_claim_of_falling_turns_all_signs():
    assert word((FALLS,), (FALLS,), direction=-1) == ("holds", "")
    assert word((FALLS, RISES), (FALLS,), direction=-1)[0] == "mixed"
    assert word((RISES,), (RISES,), direction=-1) == ("contradicted", "")


def test_the_claims_of_a_page_are_a_family():
    """Two claims at 3 % each do not hold together: 2 x 3 % is above 5 %."""
    at_three = estimate(0.9, 0.5, 1.0, 0.03)
    alone = verdicts({"a": findings(at_three)}, "published")
    assert [v.word for v in alone] == ["holds"]
    both = verdicts({"a": findings(at_three) + findings(at_three, claim="C6")}, "published")
    assert [v.word for v in both] == ["undecided", "undecided"]
    assert [v.adjusted["a"] for v in both] == [0.06, 0.06]


def test_other_readings_on_a_set_are_refused():
    with pytest.raises(UserError, match="findings: expected the same claims and readings"):
        verdicts({"a": findings(RISES), "b": findings(RISES)[:1]}, "published")
    twice = [finding._replace(primary="published") for finding in findings(RISES)]
    with pytest.raises(UserError, match="one primary reading of each kind"):
        verdicts({"a": twice}, "published")


def test_no_such_primary_reading_gives_no_verdict():
    assert verdicts({"a": findings(RISES)}, "corrected") == []
