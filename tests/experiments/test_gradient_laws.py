"""What is said of propositions 1 and 2, of networks and speeds whose laws are known."""

import numpy as np
import pytest

from spectral_tf import records
from spectral_tf.experiments import gradient_laws
from spectral_tf.experiments.gradient_laws import FUNCTION, SingleSines


def two_kinks(at, apart):
    """relu(x - at) + relu(x - at - apart)."""
    biases = -np.array([at, at + apart])
    return [np.ones((1, 2)), np.ones((2, 1))], [biases, np.zeros(1)]


def test_exponents_are_those_from_the_cut_that_was_chosen_beforehand():
    """Kinks that cohere are never as expected of others: 6 beside 4 in the mean of squares."""
    networks = [two_kinks(at, 1e-6) for at in (0.37, 0.52, 0.61)]
    found = gradient_laws.gradient_decay(networks, seed=0)
    exponents = {
        name: float(found.summary[f"gradient_decay_exponent_{name}"].value)
        for name in ("the_network_itself", "hidden_layer_1_biases", "hidden_layer_1_weights")
    }
    expected = {"the_network_itself": -2, "hidden_layer_1_biases": -1, "hidden_layer_1_weights": -1}
    assert exponents == pytest.approx(expected, abs=0.05)
    assert not any("settled" in name for name in found.summary)
    assert found.lines[0].startswith("proposition 1: exponents from 30 cycles on")
    last = "not all spectra are within 10 % of what kinks that do not cohere give"
    assert found.lines[-1].endswith(last)
    assert "nan" not in " ".join(found.lines)
    table = found.tables["gradient_exponents"]
    at = table.columns.index("from_frequency")
    assert {row[at] for row in table.rows} == {min(k for k in middles() if k >= 30)}


def test_where_all_spectra_are_settled_exponents_are_given_once_more():
    networks = [two_kinks(at, 0.11) for at in (0.37, 0.52, 0.61)]
    found = gradient_laws.gradient_decay(networks, seed=0)
    edge = found.summary["gradient_settled_from_frequency"]
    assert 3 < edge < 1_000
    table = found.tables["gradient_exponents"]
    name, at = (table.columns.index(column) for column in ("parameters", "from_frequency"))
    assert sorted(row[at] for row in table.rows if row[name] == FUNCTION) == sorted(
        [min(k for k in middles() if k >= 30), edge]
    )
    assert any(line.startswith(f"the same from {edge:,.0f} cycles on") for line in found.lines)


def middles():
    return gradient_laws.Bands.drawn(0).middles


def test_single_sines_have_a_law_on_each_side_of_the_edge():
    """Of 8 / k^2 and 1 / k the larger one is what is measured: they meet at 8."""
    k = [1, 2, 4, 16, 32, 64]
    sines = SingleSines(dict.fromkeys(k, ()), {"ordinary": None}, 0.02, [0, 1])
    target, own = 8 / np.square(k, dtype=float), 1 / np.array(k, float)
    of_runs = np.array([1.0, 2.0, 3.0])
    whole = np.maximum(target, own)
    speeds = np.stack([whole, target, own, 2 * whole])[:, None, :, None] * of_runs
    rate = 0.5
    changes = np.zeros((2, 2, 1, len(k), 3), complex)
    changes[1] = rate * whole[:, None] * of_runs
    facts = {
        **{"sine_steps": np.array([0, 1]), "sine_rates": np.array([rate])},
        **{"sine_speeds": speeds, "sine_coefficients": changes},
    }
    found = gradient_laws.single_sine_rates(sines, records.Found(facts=facts))
    exponents = {
        name.removeprefix("single_sine_exponent_ordinary_"): float(law.value)
        for name, law in found.summary.items()
        if name.startswith("single_sine_exponent")
    }
    assert float(found.summary["single_sine_edge"]["ordinary"].value) == pytest.approx(8)
    del exponents["bound"]
    assert exponents == pytest.approx(
        {
            "measured_below_the_edge": -2,
            "measured_above_the_edge": -1,
            "kernel_below_the_edge": -2,
            "kernel_above_the_edge": -1,
            "target_part": -2,
            "network_own_part": -1,
        }
    )
