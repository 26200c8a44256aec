"""One sentence of every run: made from its numbers, and the opposite of opposite numbers."""

import json
import re

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf.catalogue import EXPERIMENTS
from spectral_tf.headlines import _OF, headline
from spectral_tf.records import Tables
from spectral_tf.spectra import mean_over_runs

FOLDERS = sorted(path.parent for path in (ROOT / "results").rglob("summary.json"))


def test_every_experiment_has_a_sentence():
    assert set(_OF) == set(EXPERIMENTS)


def numbers_of(entry):
    """All numbers of a JSON value."""
    if isinstance(entry, dict):
        entry = list(entry.values())
    if isinstance(entry, list):
        return [number for part in entry for number in numbers_of(part)]
    return [float(entry)] if isinstance(entry, int | float) else []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: str(f.relative_to(ROOT / "results")))
def test_committed_results_have_a_sentence_with_a_number_of_theirs(folder):
    summary, tables = json.loads((folder / "summary.json").read_text()), Tables(folder)
    told = headline(summary["experiment"], summary, tables)
    assert told.endswith(".")
    assert not re.search(r"\bnan\b|\binf\b|None|_low|\{|;;|  ", told), told
    own = [*numbers_of(summary), *map(len, filter(dict.__instancecheck__, summary.values()))]
    for name in ("tangent_times", "validation", "architecture", "verdicts", "learning_times"):
        if name in tables:
            own += [x for c in tables[name].values() if c.dtype.kind == "f" for x in c.tolist()]
    own += [len(kind) for kind in summary.get("verdicts", {}).values()]
    own += [len(claims) for claims in [summary.get("claims", {})]]
    found = re.findall(r"−?\d[\d,]*\.?\d*", told.replace("95 % interval", ""))
    texts = {text.rstrip(",").replace(",", "").replace("−", "-") for text in found}
    shown = {
        form % x
        for x in (*own, *(100 * x for x in own))
        for form in ("%.3g", "%.2f", "%.0f", "%.3f", "%.1f")
    }
    assert texts & shown, told
    # Whatever else is missing, a shorter sentence is left.
    for name in summary:
        rest = {key: value for key, value in summary.items() if key != name}
        assert isinstance(headline(summary["experiment"], rest, tables), str)
    assert isinstance(headline(summary["experiment"], summary, {}), str)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_nothing_known_gives_nothing_and_no_error(name):
    assert headline(name, {}, {}) == ""


def test_an_unknown_experiment_has_no_sentence():
    assert headline("somebody_elses", {"num_runs": 3}, {}) == ""


def about(value, half=0.1, n=5, unit="runs"):
    """An estimate's record with its interval; half NaN: it has none."""
    ends = (
        {"low": value - half, "high": value + half} if half == half else {"low": None, "high": None}
    )
    more = {} if half == half else {"missing": "1 run, 2 needed"}
    return {"value": value, **ends, "n": n, "unit": unit, "method": "by hand", **more}


def table(**columns):
    return {name: np.asarray(values) for name, values in columns.items()}


def learned(steps, level=0.5):
    """The table of learning times at 5, 10, ... cycles per unit."""
    k = 5.0 * np.arange(1, len(steps) + 1)
    return {"learning_times": table(level=[level] * len(steps), frequency=k, step=steps)}


def with_exponent(*given, **more):
    exponent = about(*given, **more)
    return {"learning_time_exponent": exponent, "learning_time_num_frequencies": 4}


def accuracy(early):
    """A table of `architecture`: depth 3 and 6, the highest frequency of each."""
    (low, high), n = early, 2
    return {
        "architecture": table(
            sweep=["depth"] * n, depth=[3.0, 6.0], width=[16.0] * n, weight_clip=[10.0] * n,
            step=[100.0] * n, cutoff_frequency=[low, high],
            cutoff_frequency_low=[low - 1, high - 1], cutoff_frequency_high=[low + 1, high + 1],
            cutoff_frequency_n=[5.0] * n, cutoff_frequency_method=["Student, over runs"] * n,
        )
    }  # fmt: skip


def noise(slow, fast, half):
    """A table of `mnist_noise`: the lowest loss with slow and with fast noise."""
    return {
        "validation": table(
            noise_amplitude=[1.0, 1.0], frequency=[0.1, 1.0], cycles_across_data=[0.6, 6.0],
            minimum=[slow, fast], minimum_low=[slow - half, fast - half],
            minimum_high=[slow + half, fast + half], minimum_n=[3.0, 3.0],
            minimum_method=["Student, over runs"] * 2,
        )
    }  # fmt: skip


def claimed(*values, p=0.001):
    """A table of claims C1, C2, ... with the sign + claimed of each."""
    n = len(values)
    return {
        "claims": table(
            claim=[f"C{i + 1}" for i in range(n)], statement=["Slow waves come first"] * n,
            reading=["rank correlation"] * n, primary=["published"] * n, direction=[1.0] * n,
            estimate=values, estimate_low=np.array(values) - 0.1,
            estimate_high=np.array(values) + 0.1, estimate_n=[9.0] * n,
            estimate_method=["bootstrap, over waves"] * n, estimate_p=[p] * n,
            estimate_least_p=[p] * n,
        )
    }  # fmt: skip


def joined(*shares):
    """A summary of `elastic_bands`: shares of pairs that bands, straight lines and others join."""
    names = ("band", "straight", "turned")
    of = {n: about(s, unit="networks") for n, s in zip(names, shares, strict=True)}
    longer = about(0.03, 0.01, unit="networks")
    return {"joined": {"common": {"all kinds": of}}, "relative_length": longer}


RISING, FALLING = [10.0, 20.0, 30.0, 40.0], [40.0, 30.0, 20.0, 10.0]
NEVER = float("inf")
WAVES = {
    f"{k} cycles": {"above_null": about(1 / k, unit="seeds"), "learned": k < 3} for k in (1, 4)
}

# experiment: (summary, tables, what its sentence says), each with its opposites.
CASES = [
    (
        "lf_first",
        with_exponent(2.0),
        learned(RISING),
        [
            "lower frequencies were learned first, in o",
            "all 4, from 5 to 20 cycles per unit",
            "grows as frequency^2.00",
            "1.90 to 2.10, n = 5 runs",
        ],
    ),
    (
        "lf_first",
        with_exponent(-2.0),
        learned(FALLING),
        ["higher frequencies were learned first, in", "falls as frequency^−2.00"],
    ),
    (
        "lf_first",
        with_exponent(0.05),
        learned([10.0, 20.0, 40.0, 30.0]),
        [
            "lower frequencies were "
            "mostly learned first (5 of 6 pairs), but 20 came before 15 cycles per unit",
            "may be no growth at all",
        ],
    ),
    (
        "lf_first",
        with_exponent(1.0),
        learned([40.0, 30.0, 10.0, 20.0]),
        ["higher frequencies were mostly learned first (5 of 6 pairs)"],
    ),
    ("lf_first", {}, learned([10.0, 30.0, 20.0, 5.0]), ["higher frequencies were mostly"]),
    ("lf_first", {}, learned([20.0, 10.0, 10.0, 20.0]), ["neither lower nor higher"]),
    (
        "lf_first",
        {},
        learned([10.0, 20.0, NEVER, NEVER]),
        ["the 2 of 4 that were, from 5 to 10"],
    ),
    ("lf_first", {}, learned([NEVER] * 4), ["none of 4 frequencies was half learned"]),
    (
        "lf_first",
        {},
        learned([NEVER, NEVER, 10.0, NEVER]),
        ["only that of 15 cycles per unit of 4"],
    ),
    (
        "lf_first",
        {**with_exponent(1.9, float("nan"), 1), "target": {"frequency_unit": "Hz"}},
        learned(RISING),
        ["grew as frequency^1.90 (one run, which has no interval", "20 Hz"],
    ),
    (
        "lf_first",
        {"learning_time_exponent": {"value": None, "missing": "not enough: 2 points"}},
        {},
        ["follow no power law (not enough: 2 points)"],
    ),
    (
        "robustness",
        {"half_attenuation_exponent": about(-1.0)},
        {},
        ["lower frequencies bear larger"],
    ),
    (
        "robustness",
        {"half_attenuation_exponent": about(1.0)},
        {},
        ["higher frequencies bear larger"],
    ),
    ("robustness", {"half_attenuation_exponent": about(0.0)}, {}, ["no frequency clearly bears"]),
    (
        "robustness",
        {"half_attenuation_exponent": about(-1.0)},
        {"half_attenuation_norms": table(half_attenuation_norm=[NEVER, 2.0])},
        ["1 of 2 frequencies never lost half"],
    ),
    (
        "manifold",
        {
            "num_frequencies_learned": {"0": 3, "4": 5},
            "final_loss": {"0": about(2.0), "4": about(1.0)},
        },
        {},
        ["the more frequencies", "is lower, 1 (95 % interval 0.9 to 1.1"],
    ),
    (
        "manifold",
        {
            "num_frequencies_learned": {"0": 5, "4": 3},
            "final_loss": {"0": about(1.0), "4": about(2.0)},
        },
        {},
        ["the fewer frequencies", "is higher, 2 (95"],
    ),
    (
        "manifold",
        {
            "num_frequencies_learned": {"0": 5, "4": 5},
            "final_loss": {"0": about(1.0), "4": about(1.1)},
        },
        {},
        ["equally many", "not told apart"],
    ),
    (
        "manifold_grid",
        {"by_threshold": {"0": {"gain_of_most_petals": about(0.3)}}},
        {},
        ["more petals raise the accuracy, by 0.300"],
    ),
    (
        "manifold_grid",
        {"by_threshold": {"0": {"gain_of_most_petals": about(-0.3)}}},
        {},
        ["more petals lower the accuracy, by 0.300"],
    ),
    (
        "manifold_grid",
        {"by_threshold": {"0": {"gain_of_most_petals": about(0.05)}}},
        {},
        ["do not clearly change"],
    ),
    ("architecture", {}, accuracy((10.0, 50.0)), ["grew with depth (10 (9 to 11) at 3, 50"]),
    ("architecture", {}, accuracy((50.0, 10.0)), ["fell with depth"]),
    ("architecture", {}, accuracy((10.0, 10.5)), ["did not clearly change with depth"]),
    ("theory", {"chain_of_bounds_holds": True}, {}, ["jumps hold"]),
    ("theory", {"chain_of_bounds_holds": False}, {}, ["are broken (1 of 1)"]),
    (
        "untrained",
        {"mean_frequency": {"a": about(1.0), "b": about(2.0)}},
        {},
        ["is highest with b"],
    ),
    (
        "untrained",
        {"mean_frequency": {"a": about(2.0), "b": about(1.0)}},
        {},
        ["is highest with a"],
    ),
    (
        "untrained",
        {"mean_frequency": {"a": about(2.0), "b": about(1.9)}},
        {},
        ["seems highest with a"],
    ),
    (
        "own_models",
        {"exponent": {"a": about(2.0), "b": about(-1.0)}},
        {},
        [
            "grows with frequency in 1",
            "falls with it in 1",
            "largest exponent is 2.00",
            "smallest −1.00",
        ],
    ),
    (
        "own_models",
        {"exponent": {"a": about(0.0), "b": {"value": None, "missing": "few"}}},
        {},
        ["does not clearly change with it in 1", "no power law in 1"],
    ),
    ("precision", {"learning_time_ratio": {"bfloat16": about(2.0)}}, {}, ["they are longer"]),
    ("precision", {"learning_time_ratio": {"bfloat16": about(0.5)}}, {}, ["they are shorter"]),
    ("precision", {"learning_time_ratio": {"bfloat16": about(1.0)}}, {}, ["do not clearly change"]),
    ("mnist_noise", {}, noise(0.5, 0.1, 0.01), ["slow noise spoils validation more"]),
    ("mnist_noise", {}, noise(0.1, 0.5, 0.01), ["fast noise spoils validation more"]),
    ("mnist_noise", {}, noise(0.4, 0.5, 0.3), ["alike, as far as intervals tell"]),
    ("mnist_noise", {}, noise(0.5, 0.1, np.nan), ["slow noise spoilt validation more"]),
    (
        "kernel_projection",
        {
            "white": {
                "dip_step": 9,
                "dip_validation_loss": about(1.0),
                "final_validation_loss": about(2.0),
            }
        },
        {},
        ["with white noise the target was learned before"],
    ),
    (
        "kernel_projection",
        {
            "white": {
                "dip_step": 9,
                "dip_validation_loss": about(1.0),
                "final_validation_loss": about(1.1),
            }
        },
        {},
        ["did not clearly come after the target"],
    ),
    (
        "mnist_manifold",
        {"half_fitted_at_step": {"manifold": about(100.0), "flat": about(200.0)}},
        {},
        ["sooner than on the flat cloud"],
    ),
    (
        "mnist_manifold",
        {"half_fitted_at_step": {"manifold": about(200.0), "flat": about(100.0)}},
        {},
        ["later than on the flat cloud"],
    ),
    (
        "mnist_manifold",
        {"half_fitted_at_step": {"manifold": {"value": "never"}, "flat": {"value": "never"}}},
        {},
        ["by means alone, not clearly sooner or later than on the flat cloud (step never"],
    ),
    (
        "mnist_manifold",
        {
            "half_fitted_at_step": {
                "manifold": about(1.0),
                "flat": {"value": "never", "low": 9.0, "high": "never", "n": 5, "unit": "runs"},
            }
        },
        {},
        ["sooner", "step never (9 to never)"],
    ),
    (
        "noise_fitting",
        {"final_regression_slope": WAVES},
        claimed(0.9),
        [
            "1 of 2 waves: of 1 cycles 1.00 (95 % interval 0.90 to 1.10, n = 5 seeds)",
            "C1 (slow waves come first) holds",
        ],
    ),
    (
        "noise_fitting",
        {"final_regression_slope": {}, "num_epochs": 2},
        {},
        ["no wave was asked for"],
    ),
    ("noise_fitting_compare", {}, claimed(-0.9), ["C1 (slow waves come first) is contradicted by"]),
    ("interpolation", {}, claimed(0.05), ["is undecided", "−0.05 to 0.15, n = 9 waves"]),
    (
        "interventions",
        {},
        claimed(0.9, 0.8, -0.9),
        ["of 3 claims 2 hold (C1 and C2) and 1 is contradicted (C3) (n = 9 waves)"],
    ),
    (
        "class_diversity",
        {},
        claimed(-0.9, -0.8, 0.0),
        ["2 are contradicted (C1 and C2)", "1 is und"],
    ),
    ("class_diversity_merged", {}, claimed(0.9, p=0.2), ["is undecided"]),
    (
        "claims",
        {"folders": ["a", "b"], "verdicts": {"published": {"C0": "holds"}}},
        {},
        ["on 2 data sets, by published readings C0 holds"],
    ),
    (
        "claims",
        {"folders": ["a"], "verdicts": {"published": {"C0": "contradicted"}}},
        {},
        ["on 1 data set, by published readings C0 is contradicted"],
    ),
    (
        "elastic_bands",
        joined(0.9, 0.5, 0.5),
        claimed(0.4),
        [
            "elastic bands keep the class on more pairs than straight lines: on 90.0 (95 % "
            "interval 80.0 to 100.0, n = 5 networks) %",
            "straight lines on 50.0 (40.0 to 60.0) %, paths bent at random on 50.0",
            "bands are 3.00 (95 % interval 2.00 to 4.00, n = 5 networks) % longer",
            "C1 (slow waves come first) holds",
        ],
    ),
    ("elastic_bands", joined(0.5, 0.45, 0.5), {}, ["on not clearly more pairs than straight"]),
    ("elastic_bands", joined(0.2, 0.6, 0.6), {}, ["on fewer pairs than straight"]),
    ("elastic_bands", {}, claimed(-0.4), ["C1 (slow waves come first) is contradicted"]),
    (
        "fourier_sensitivity",
        {"worst": {"cycles": [0, 3], "error": about(0.9)}, "clean_error": about(0.1)},
        {},
        ["0 and 3 cycles across the image raises the error most, to 0.9"],
    ),
    (
        "fourier_sensitivity",
        {"worst": {"cycles": [0, 0], "error": about(0.15)}, "clean_error": about(0.1)},
        {},
        ["a constant pattern does not clearly raise the error"],
    ),
    (
        "benchmark",
        {"strongest_peer": "JAX", "ours_over_the_strongest_peer": 2.0, "num_rounds": 7},
        {},
        ["2.00 times as fast as the strongest peer, JAX (median of 7 rounds, one machine)"],
    ),
    (
        "benchmark",
        {"strongest_peer": "JAX", "ours_over_the_strongest_peer": 0.5},
        {},
        ["0.50 times"],
    ),
    ("benchmark_images", {"ours_over": {"Keras": 0.8}}, {}, ["trains 0.80 times as fast as Keras"]),
    ("benchmark_augmentation", {"ours_over": {"PIL": 3.0}}, {}, ["3.00 times as fast as PIL"]),
    ("benchmark_paths", {"share_of_the_bare_model": 0.5}, {}, ["keeps 50.0% of the speed"]),
    (
        "benchmark_measure",
        {"times_the_bare": {"x": {"median_ratio": 1.5}}},
        {},
        ["1.50 times for x"],
    ),
    (
        "benchmark_probing",
        {"probing_percent_median": 3.0},
        {},
        ["probing takes 3 % of the training"],
    ),
    (
        "benchmark_start",
        {"seconds_median": {"cold": {"first_step": 9.0, "compilation": 2.0}}},
        {},
        ["9.0 s, of which 2.0 s compiling, when cold"],
    ),
    (
        "benchmark_saves",
        {"saves": {"a": {"bytes_early": 10, "bytes_last": 20}}},
        {},
        ["saves grow", "has 2 times"],
    ),
    (
        "benchmark_saves",
        {"saves": {"a": {"bytes_early": 10, "bytes_last": 10}}},
        {},
        ["do not grow"],
    ),
    (
        "benchmark_scaling",
        {"fits": {"dft": {"seconds_exponent": about(1.1, unit="points")}}},
        {},
        ["dft grows in time as size^1.10 (95 % interval 1.00 to 1.20, n = 5 points)"],
    ),
    ("costs", {"pflop": {"a": 1.0, "b": 2.0}}, {}, ["the study of b takes 2 x", "that of a 1"]),
]


@pytest.mark.parametrize(("name", "summary", "tables", "says"), CASES)
def test_the_sentence_follows_the_numbers(name, summary, tables, says):
    told = headline(name, summary, tables)
    for part in says:
        assert part in told[:1].lower() + told[1:] or part in told, told


def test_estimates_of_a_report_are_read_as_those_of_a_file():
    exponent = mean_over_runs([1.0, 2.0, 3.0])
    told = [
        headline("lf_first", {"learning_time_exponent": e}, {})
        for e in (exponent, exponent.record())
    ]
    assert told[0] == told[1] == (
        "The learning time goes as frequency^2.00, which may be no growth at all (95 % interval "
        "−0.48 to 4.48, n = 3 runs)."
    )  # fmt: skip
