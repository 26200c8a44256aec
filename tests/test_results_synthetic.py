"""The committed studies on robustness, manifolds, architecture and theory show what they must.

What docs/protocols.md asks of each experiment, read off the committed tables; where we measured
something else, the test holds what was measured and results/README.md says so.
"""

import json

import numpy as np
import pytest
from conftest import ROOT

from spectral_tf import spectra
from spectral_tf.records import read_table

RESULTS = ROOT / "results"


def columns(path, *names):
    table = read_table(RESULTS / path)
    return [np.array(table[name]) for name in names]


def flags_of(name):
    return set((RESULTS / name / "run.flags").read_text().splitlines())


def summary_of(name):
    return json.loads((RESULTS / name / "summary.json").read_text())


# Experiment 2, Fig 3.


@pytest.fixture
def robustness():
    names = ("perturbation_norm", "frequency", "ratio_mean_magnitude", "ratio_mean_function")
    norm, k, magnitude, function = columns("robustness/robustness.csv", *names)
    shape = (100, 10)
    return (
        norm.reshape(shape)[:, 0],
        k.reshape(shape)[0],
        magnitude.reshape(shape),
        function.reshape(shape),
    )


def test_robustness_is_the_whole_protocol(robustness):
    norms, k, _, _ = robustness
    assert {"--num_runs=5", "--num_directions=100", "--noshared_directions"} < flags_of(
        "robustness"
    )
    np.testing.assert_allclose(norms, np.linspace(0, 5, 100))
    assert k.tolist() == list(range(5, 51, 5))


def test_spectra_fall_with_the_norm_for_k_from_15(robustness):
    norms, _, magnitude, _ = robustness
    # Fresh directions scatter: means of eleven norms fall until nothing but a floor is left.
    means = np.array([magnitude[i : i + 11].mean(axis=0) for i in range(0, 90, 10)])
    assert np.all(np.diff(means[:, 2:], axis=0) < 0.01)
    assert np.all(np.diff(means[:5, 4:], axis=0) < 0)
    assert norms[-1] == 5


def test_spectra_fall_with_frequency_from_norm_1(robustness):
    norms, _, magnitude, _ = robustness
    assert np.all(np.diff(magnitude[norms >= 1], axis=1) < 0.03)
    assert np.all(np.diff(magnitude[norms >= 2], axis=1) < 0.01)


def test_low_frequencies_stay_and_high_ones_lose_half_well_before_5(robustness):
    _, _, magnitude, function = robustness
    assert magnitude[:, 0].min() > 0.95
    assert magnitude[:, 1].min() > 0.9
    assert magnitude[50, 6:].max() < 0.5  # k >= 35 at norm 2.5.
    assert np.all(function <= magnitude + 1e-9)


def test_half_attenuation_norms_fall_about_inversely_with_frequency(robustness):
    k, half = columns("robustness/half_attenuation_norms.csv", "frequency", "half_attenuation_norm")
    assert np.all(np.isinf(half[:3]))
    assert np.all(np.diff(half[np.isfinite(half)]) < 0)
    product = (k * half)[k >= 25]
    assert product.max() / product.min() < 1.4
    law = summary_of("robustness")
    assert -1.5 < law["half_attenuation_exponent"] < -1.0


# Experiment 5, Fig 8.


def test_manifold_is_the_whole_protocol():
    assert {"--petals=0,4,10,16", "--num_runs=5", "--num_steps=10000"} < flags_of("manifold")
    assert summary_of("manifold")["diverged_at_step"] == {}


def test_more_petals_leave_less_loss_at_equal_steps():
    petals, step, loss = columns("manifold/losses.csv", "manifold_petals", "step", "loss")
    for at in (1_000, 10_000):
        by_petals = [loss[(petals == n) & (step == at)][0] for n in (0, 4, 10, 16)]
        assert by_petals[0] > by_petals[1] > by_petals[2]
        assert by_petals[1] > by_petals[3]
    assert by_petals[2] > by_petals[3]


def test_on_the_circle_high_frequencies_are_hardly_learned_and_at_16_petals_nearly_all():
    names = ("manifold_petals", "step", "frequency", "magnitude")
    petals, step, k, magnitude = columns("manifold/spectra.csv", *names)
    last = {n: magnitude[(petals == n) & (step == 10_000)] for n in (0, 4, 10, 16)}
    assert last[0][-3:].max() < 0.45
    assert last[16].min() > 0.6
    assert last[16][:6].min() > 0.85
    assert np.all([last[0][-4:] < last[10][-4:], last[4][-4:] < last[10][-4:]])
    assert k.max() == 200


def test_the_bias_fades_with_the_petals():
    names = ("manifold_petals", "level", "frequency", "step")
    petals, level, _, step = columns("manifold/learning_times.csv", *names)
    times = {n: step[(petals == n) & (level == 0.5)] for n in (0, 4, 10, 16)}
    # From k = 40 on every frequency is learned sooner at 4 petals than at none, at 10 than at 4.
    for few, many in ((0, 4), (4, 10)):
        assert np.all(times[many] <= times[few])
    assert [int(np.isfinite(times[n]).sum()) for n in (0, 4, 10, 16)] == [6, 7, 10, 10]


def test_the_geometry_explains_it():
    ratio = columns("manifold/geometry.csv", "max_speed_times_circle")[0]
    np.testing.assert_allclose(ratio, [1, 2.25, 5.1, 8.1], atol=0.05)
    band, bound = columns(
        "manifold/occupied_bandwidth.csv",
        "bandwidth_99_percent_cycles",
        "largest_local_frequency_cycles",
    )
    assert np.all(np.abs(band / bound - 1) < 0.25)


# Experiment 6, Fig 7, 9 and 22.


@pytest.fixture
def grid():
    """Accuracy and chance by petals (0, 2, ..., 20) and frequency (50, 100, ..., 400)."""
    names = ("manifold_petals", "frequency", "accuracy", "chance")
    petals, k, accuracy, chance = columns("manifold_grid/zero/accuracy.csv", *names)
    assert petals.reshape(11, 8)[:, 0].tolist() == list(range(0, 21, 2))
    assert k.reshape(11, 8)[0].tolist() == list(range(50, 401, 50))
    return accuracy.reshape(11, 8), chance.reshape(11, 8)


def test_the_grid_is_the_whole_protocol():
    assert {"--num_steps=10000", "--thresholds=0", "--num_samples=1000"} < flags_of(
        "manifold_grid/zero"
    )
    found = summary_of("manifold_grid/zero")
    assert found["num_cells"] == 88
    assert found["diverged_at_step"] == {}


def test_accuracy_rises_with_petals_at_each_frequency(grid):
    accuracy, _ = grid
    assert np.all(np.diff(accuracy.mean(axis=1)) > 0)
    # Single cells are single runs: neighbours may fall back, thirds of the range do not.
    thirds = [accuracy[i : i + 4].mean(axis=0) for i in (0, 4, 7)]
    assert np.all(np.diff(thirds, axis=0) > -0.005)


def test_accuracy_falls_with_frequency_until_the_sampling_interferes(grid):
    accuracy, _ = grid
    by_frequency = accuracy.mean(axis=0)
    assert np.all(np.diff(by_frequency[:5]) < 0)
    # At k = 300 and 350 the sampled square wave has overtones folded to 100 and 50 cycles (test
    # below), which are easy: these two stand above k = 250, and 400 lowest of all.
    assert by_frequency[4] < by_frequency[5] < 0.8
    assert by_frequency[7] == by_frequency.min()


def test_labels_above_a_half_are_learned_alike_above_chance():
    assert {"--num_steps=10000", "--thresholds=0.5", "--num_samples=1000"} < flags_of(
        "manifold_grid/half"
    )
    names = ("accuracy", "chance")
    accuracy, chance = (
        of.reshape(11, 8) for of in columns("manifold_grid/half/accuracy.csv", *names)
    )
    assert 0.5 <= chance.min() < chance.max() <= 0.8
    above = accuracy - chance
    by_petals, by_frequency = above.mean(axis=1), above.mean(axis=0)
    # Single cells are single runs: thirds of the range rise, neighbours scatter.
    thirds = [by_petals[i : i + 4].mean() for i in (0, 4, 7)]
    assert np.all(np.diff(thirds) > 0.04)
    assert np.all(np.diff(by_frequency[[0, 1, 2, 4]]) < -0.03)
    assert np.ptp(by_frequency[4:]) < 0.01  # No further fall: folded overtones, few samples.
    assert np.all(above[0, 3:] < 0.0002)  # On the circle nothing above k = 150 is learned.
    found = summary_of("manifold_grid/half")["by_threshold"]["0.5"]
    gain, loss = (found[f"gain_of_{name}"] for name in ("most_petals", "highest_frequency"))
    assert gain["low"] > 0.1
    assert loss["high"] < -0.17


def test_folded_overtones_are_there():
    z = np.arange(1_000) / 1_000
    for k, folded in ((300, 100), (350, 50)):
        labels = (np.sin(2 * np.pi * k * z + 1.0) > 0).astype(float)
        magnitudes = spectra.magnitudes(labels)
        below = magnitudes[1:k]
        assert np.argmax(below) + 1 == folded
        assert below.max() > 0.2 * magnitudes[k]
    labels = (np.sin(2 * np.pi * 250 * z + 1.0) > 0).astype(float)
    assert spectra.magnitudes(labels)[1:250].max() < 1e-12


def test_on_the_circle_high_frequencies_stay_near_chance(grid):
    accuracy, chance = grid
    assert np.all(accuracy[0, 2:] < chance[0, 2:] + 0.16)
    assert np.all(accuracy[0, [2, 4, 7]] < chance[0, [2, 4, 7]] + 0.08)
    assert np.all(accuracy[-1] > chance[-1] + 0.25)


def test_two_networks_agree_on_the_curve_and_differ_off_it():
    found = summary_of("manifold_grid/zero")
    assert found["two_networks_agree_on_curve"] > 0.95
    assert found["two_networks_agree_on_square"] < 0.8


def test_nearest_neighbours_do_not_improve_with_the_petals():
    names = ("neighbours", "manifold_petals", "accuracy")
    neighbours, petals, accuracy = columns("manifold_grid/zero/nearest_neighbours.csv", *names)
    for k in (5, 10, 15, 20):
        few, many = (
            accuracy[(neighbours == k) & chosen].mean() for chosen in (petals <= 4, petals >= 16)
        )
        assert many - few < 0.1  # The network's gain is 0.23.
    classifier, radius, energy = columns(
        "manifold_grid/zero/radial_spectra.csv", "classifier", "radial_frequency", "energy"
    )
    high = radius > 15
    network, nearest = (energy[(classifier == name) & high].mean() for name in ("network", "1-NN"))
    assert network < 0.5 * nearest


# Experiment 7, Fig 14 to 18.


@pytest.fixture
def learned():
    names = ("sweep", "depth", "width", "weight_clip", "step", "cutoff_frequency")
    rows = zip(*columns("architecture/architecture.csv", *names), strict=True)
    return {(str(row[0]), *row[1:5]): row[5] for row in rows}


def test_architecture_is_the_whole_protocol():
    expected = {"--depths=3,4,5,6", "--widths=16,32,64,128", "--weight_clips=0.1,0.15,0.2,2"}
    assert expected | {"--num_steps=60000"} < flags_of("architecture")


def test_depth_helps_much_and_width_less(learned):
    depths = [learned["depth", d, 16, 10.0, 6_000] for d in (3, 4, 5, 6)]
    widths = [learned["width", 3, w, 10.0, 6_000] for w in (16, 32, 64, 128)]
    assert np.all(np.diff(depths) > 0)
    assert np.all(np.diff(widths) > 0)
    # Two more layers of 16 bring more than eight times the width does.
    assert depths[2] - depths[0] > widths[3] - widths[0]


def test_a_larger_clip_lets_higher_frequencies_in(learned):
    for step in (6_000, 60_000):
        by_clip = [learned["weight_clip", 6, 64, c, step] for c in (0.1, 0.15, 0.2, 2.0)]
        assert by_clip[0] < by_clip[1] < by_clip[2] <= by_clip[3]
    assert by_clip[0] < 20


def test_low_frequencies_come_first_in_all_sweeps_of_the_paper():
    names = ("sweep", "depth", "width", "weight_clip", "level", "frequency", "step")
    table = read_table(RESULTS / "architecture/learning_times.csv")
    sweep, depth, width, clip, level, k, step = (np.array(table[n]) for n in names)
    paper = (level == 0.5) & np.isin(sweep, ["depth", "width", "weight_clip"])
    for key in set(zip(sweep[paper], depth[paper], width[paper], clip[paper], strict=True)):
        chosen = paper & (sweep == key[0]) & (depth == key[1]) & (width == key[2])
        chosen &= clip == key[3]
        assert np.all(np.diff(k[chosen]) > 0)
        times = step[chosen]
        with np.errstate(invalid="ignore"):
            for every, tolerance in ((1, 500), (10, 0)):  # Neighbours: within one probe.
                later = np.diff(times[1::every])
                assert np.all((later >= -tolerance) | np.isnan(later)), key


# Section 2 and appendices C and D.


def test_what_is_proved_holds():
    found = summary_of("theory")
    assert found["chain_of_bounds_holds"]
    assert found["jumps_within_twice_regions_times_lipschitz"]
    assert found["transform_largest_quadrature_error"] < 1e-12
    for case, exponent in (
        ("networks_one_dimension", -2),
        ("tent_generic_direction", -3),
        ("tent_normal_of_an_edge", -2),
    ):
        told = found[f"decay_exponent_{case}"]
        assert told["low"] < exponent < told["high"]
        assert told["high"] - told["low"] < 0.1
    assert found["volume_tail_exponent"]["high"] < -2
    names = ("lipschitz", "spectral_norm_bound", "max_norm_bound")
    lipschitz, by_layer, by_parameter = columns("theory/bounds.csv", *names)
    assert lipschitz.size == 2 * 5 * 9  # Two optimisers, five runs, nine steps.
    assert np.all((lipschitz <= by_layer) & (by_layer <= by_parameter))


def test_gradients_lose_one_power_by_hidden_layers_alone():
    names = ("parameters", "from_frequency", "exponent_less_the_networks")
    parameters, cut, lost = columns("theory/gradient_exponents.csv", *names)
    chosen = cut == cut.min()  # The cut that was chosen beforehand.
    assert chosen.sum() == 8
    for name, exponent in zip(parameters[chosen], lost[chosen], strict=True):
        if name.startswith("hidden"):
            assert exponent == pytest.approx(1, abs=0.06), name
        else:
            assert exponent == pytest.approx(0, abs=0.02), name


def test_a_step_changes_less_than_the_bound_by_one_power_only_below_its_edge():
    step, speed, bound = columns("theory/residual_rates.csv", "step", "speed", "bound")
    assert set(step) == {0, 1_000, 10_000}
    assert np.all(speed < bound)
    found = summary_of("theory")["residual_rate_exponents"]
    for name, exponent in found.items():
        if name.endswith("below the edge"):
            assert exponent["value"] == pytest.approx(-1, abs=0.3), name
            assert exponent["low"] < -0.9
        else:
            assert exponent["value"] == pytest.approx(-2, abs=0.11), name
    assert len(found) == 3 * 4
    edges = summary_of("theory")["residual_rate_edges"]
    for at in (0, 1_000, 10_000):
        edge = [edges[f"step {at}, share {part}"]["value"] for part in ("0.0001", "0.01", "1")]
        np.testing.assert_allclose(np.diff(np.log10(edge)), -2, atol=1e-6)


def test_the_first_step_on_a_sine_is_that_of_the_kernel_and_its_two_parts():
    speed, kernel, bound = columns("theory/single_sine_rates.csv", "speed", "kernel", "bound")
    np.testing.assert_allclose(speed, kernel, rtol=0.03)
    assert np.all(speed < bound)
    found = summary_of("theory")
    for name in ("ordinary", "wide"):
        own, target = (
            found[f"single_sine_exponent_{name}_{part}"]["value"]
            for part in ("network_own_part", "target_part")
        )
        assert own == pytest.approx(-1, abs=0.01)
        assert target == pytest.approx(-1.95, abs=0.05)
    assert found["single_sine_exponent_ordinary_measured_below_the_edge"]["high"] < -1.5
    assert found["single_sine_exponent_wide_measured_above_the_edge"]["low"] > -1.25
    assert found["single_sine_edge"]["wide"]["high"] < found["single_sine_edge"]["ordinary"]["low"]


@pytest.fixture
def kernels():
    """{(domain, kernel): (exponent of its rates, low, high)}."""
    names = ("domain", "kernel", "rate_exponent", "rate_exponent_low", "rate_exponent_high")
    return {
        (row[0], row[1]): row[2:]
        for row in zip(*columns("theory/kernels.csv", *names), strict=True)
    }


def test_on_the_line_two_is_no_fingerprint(kernels):
    exponent, low, high = kernels["line", "untrained networks"]
    assert exponent == pytest.approx(-2.04, abs=0.01)
    assert -2.15 < low < high < -1.9
    others = [row[0] for (domain, name), row in kernels.items() if domain == "line"]
    assert len(others) == 5
    assert -2.3 < min(others) < exponent < max(others) < -1.9
    assert kernels["line", "linear"][0] == pytest.approx(-1.97, abs=0.005)


def test_on_the_circle_rates_fall_as_those_of_random_features(kernels):
    exponent, low, high = kernels["circle", "untrained networks"]
    assert exponent == pytest.approx(-4.49, abs=0.01)
    assert high < kernels["line", "untrained networks"][1] - 2  # Another kernel.
    known, known_low, known_high = kernels["circle", "random ReLU features"]
    assert known_low < low < high < known_high
    assert known == pytest.approx(-4.45, abs=0.005)


def test_training_makes_the_kernel_on_the_line_faster_and_flatter():
    group, step, rate = columns("theory/tangent_rates.csv", "group", "step", "rate")
    start, end = (rate[(group == "gradient descent") & (step == at)] for at in (0, 20_000))
    assert np.all(end > 10 * start)
    assert end[0] / end[-1] < 0.2 * start[0] / start[-1]


@pytest.fixture
def times():
    """{group: columns of one row for each frequency}."""
    names = ["group", "frequency", "predicted_step", "measured_step"]
    names += [f"measured_over_predicted{end}" for end in ("", "_low", "_high")]
    group, *rest = columns("theory/tangent_times.csv", *names)
    return {name: [column[group == name] for column in rest] for name in np.unique(group)}


def test_wide_networks_train_as_their_kernel_predicts_up_to_four(times):
    k, predicted, measured, ratio, low, high = times["gradient descent, wide on a circle"]
    assert k.tolist() == [1, 2, 3, 4, 5, 6, 8, 10]
    np.testing.assert_allclose(ratio[:4], 1, atol=0.06)
    # At 5 they are ahead by a sixth, surely; 6 is never predicted, and learned.
    assert low[4] < ratio[4] < high[4] < 0.9
    assert ratio[4] == pytest.approx(0.84, abs=0.01)
    assert np.isinf(predicted[5])
    assert measured[5] == pytest.approx(14_440, abs=10)
    assert np.all(np.isinf([predicted[6:], measured[6:]]))
    assert np.all(np.isnan(ratio[5:]))


def test_narrow_networks_train_faster_than_their_kernel_predicts(times):
    k, predicted, measured, ratio, _, high = times["gradient descent"]
    assert np.all(measured < predicted)
    assert np.all(np.diff(measured) > 0)
    assert np.all(ratio[1:7] < 0.5)
    # With five runs it is sure at these frequencies alone.
    assert set(k[high < 1]) == {2, 5, 6}


def test_the_summary_tells_every_frequency():
    found = summary_of("theory")
    assert found["frequencies"] == [1, 2, 3, 4, 5, 6, 8, 10]
    for group in ("narrow", "wide"):
        for kind in ("predicted", "measured"):
            assert len(found[f"learning_time_{kind}_{group}"]["value"]) == 8
    assert found["learning_time_predicted_wide"]["value"][5:] == ["never"] * 3
    assert not any("median" in name for name in found)
