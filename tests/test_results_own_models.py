"""What results/README.md says of networks and optimisers of one's own."""

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf.records import read_table
from spectral_tf.records.tables import estimates

FOLDER = ROOT / "results" / "own_models"
README = (ROOT / "results" / "README.md").read_text()


def learning_times(case, **setting):
    """{frequency: estimate} of when half of it is learned."""
    table = read_table(FOLDER / case / "learning_times.csv")
    found = estimates(table, "step")
    wanted = {"level": 0.5, **setting}
    return {
        table["frequency"][i]: found[i]
        for i in range(len(found))
        if all(
            np.isclose(table[k][i], v) if isinstance(v, float) else table[k][i] == v
            for k, v in wanted.items()
        )
    }


def exponents(case, **setting):
    table = read_table(FOLDER / case / "laws.csv")
    found = estimates(table, "exponent")
    return [
        found[i]
        for i in range(len(found))
        if all(table[key][i] == value for key, value in setting.items())
    ]


@pytest.mark.parametrize(
    ("network", "low", "high"), [("relu", 246, np.inf), ("kan", 325, 2170), ("siren", 8, 22)]
)
def test_when_each_network_has_learned_the_lowest_and_the_highest(network, low, high):
    times = learning_times("networks", network=network, learning_rate=0.0003)
    assert round(float(times[5].value)) == low
    assert times[50].value == high or round(float(times[50].value)) == high
    assert times[5].high < times[50].value


def test_kan_learns_low_frequencies_first_at_every_rate_and_siren_where_it_can_be_told():
    kan = exponents("networks", network="kan")
    assert [round(float(e.value), 2) for e in kan] == [0.75, 0.86, 0.82]
    assert min(e.low for e in kan) > 0.5
    slow, fast, failed = exponents("networks", network="siren")
    assert slow.low < 0 < slow.high
    assert fast.low > 0
    assert np.isnan(failed.value)


def test_siren_loses_at_0_0003_what_it_has_learned():
    table = read_table(FOLDER / "networks" / "spectra.csv")
    rows = [
        (step, value)
        for network, rate, step, value in zip(
            *(table[name] for name in ("network", "learning_rate", "step", "magnitude")),
            strict=True,
        )
        if network == "siren" and rate == 0.0003
    ]
    assert min(value for step, value in rows if step == 100) > 0.9
    assert max(value for step, value in rows if step >= 1600) < 0.1


def test_the_page_says_it_so():
    section = README.split("## own_models")[1].split("\n## ")[0]
    for told in ("k^0.75, k^0.86 and k^0.82", "246 (174 to 377)", "9,792 parameters"):
        assert told in section


def test_three_optimisers_learn_more_than_two_frequencies_at_their_highest_rates_alone():
    told = {}
    table = read_table(FOLDER / "optimizers" / "laws.csv")
    for name, count, exponent in zip(
        table["optimizer"], table["num_frequencies"], estimates(table, "exponent"), strict=True
    ):
        told.setdefault(name, []).append((count, round(float(exponent.value), 2)))
    assert [told[name][-1][1] for name in ("adam", "lion", "muon")] == [1.68, 0.99, 0.95]
    assert all(count < 3 for rows in told.values() for count, _ in rows[:-1])
    assert all(count < 3 for count, _ in told["sgd"])
