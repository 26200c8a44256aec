import numpy as np
import pytest

from spectral_tf import Curve, Grid, LabelWave, Scatter, StraightPaths, measure
from spectral_tf.errors import UserError
from spectral_tf.spectra import border_jumps, box_spectrum, curve_spectrum


def wave(*cycles, amplitude=1.0, phase=0.3):
    return lambda x: amplitude * np.cos(2 * np.pi * x @ np.array(cycles) + phase)


def test_a_wave_on_a_line_has_its_power_at_its_frequency_whatever_the_unit():
    # Three cycles over [-2, 2): 0.75 cycles per unit.
    found = measure(wave(0.75, amplitude=3), Grid(32, low=-2, high=2))
    expected = np.zeros(17)
    expected[3] = 4.5
    np.testing.assert_allclose(found["power"], expected, atol=1e-9)
    assert found.coordinates["frequency"].values[3] == 0.75
    assert found["centroid"] == pytest.approx(0.75)
    assert found.notes == ()


def test_powers_of_a_plane_wave_by_radius_component_and_angle():
    found = measure(lambda x: wave(3, 4)(x) + 2, Grid(16, dimensions=2))
    power = found["power"]
    assert power[0] == pytest.approx(4)
    assert power[5] == pytest.approx(0.5)
    assert power.sum() + found["power_beyond"] == pytest.approx(4.5)
    assert found["power_along_1"][3] == pytest.approx(0.5)
    assert found["power_along_2"][4] == pytest.approx(0.5)
    # atan2(4, 3) is 53 degrees, in the sector around 60.
    assert found.coordinates["angle"].values[found["power_by_angle"].argmax()] == 60
    assert found["power_by_angle"].sum() == pytest.approx(0.5)
    assert found["centroid"] == pytest.approx(5)


def test_three_dimensions_and_a_box_of_unequal_sides():
    # 1 cycle over 2 units and 2 over 1: |q| = sqrt(0.25 + 4).
    grid = Grid([8, 16, 8], low=0, high=[2, 1, 1])
    found = measure(wave(0.5, 2, 0), grid)
    assert found["centroid"] == pytest.approx(np.hypot(0.5, 2))
    assert found["power"].sum() + found["power_beyond"] == pytest.approx(0.5)
    assert found.coordinates["frequency_along_1"].values[1] == 0.5
    assert found["power_along_1"][1] == pytest.approx(0.5)


def test_the_hann_window_keeps_the_power_of_a_wave_and_takes_the_jump_of_a_line_out():
    line = lambda x: x[:, 0]  # noqa: E731
    plain, tapered = (measure(line, Grid(128, window=name)) for name in ("none", "hann"))
    assert "window='hann'" in plain.notes[0]
    assert tapered.notes == ()
    high = slice(20, None)
    assert tapered["power"][high].sum() < 1e-4 * plain["power"][high].sum()
    found = measure(wave(10), Grid(128, window="hann"))
    assert found["power"].sum() == pytest.approx(0.5)
    assert found["power"][9:12].sum() == pytest.approx(0.5)


def test_spectra_agree_with_sums_written_out():
    rng = np.random.default_rng(0)
    f = rng.normal(size=(6, 8))
    j1, j2 = np.meshgrid(np.arange(6), np.arange(8), indexing="ij")
    expected = np.zeros(20)
    for q1 in range(-3, 3):
        for q2 in range(-4, 4):
            c = np.mean(f * np.exp(-2j * np.pi * (q1 * j1 / 6 + q2 * j2 / 8)))
            expected[int(np.hypot(q1, q2) + 0.5)] += abs(c) ** 2
    found = box_spectrum(f, [1, 1])
    np.testing.assert_allclose(found.power, expected[:4])
    assert found.beyond == pytest.approx(expected[4:].sum())
    t = np.sort(rng.uniform(size=50))
    t[0] = 0
    g = rng.normal(size=50)
    length = 1.25
    own = curve_spectrum(g, t, length)
    gaps = np.diff(np.append(t, length))
    weights = (gaps + np.roll(gaps, 1)) / 2 / length
    for k, power in enumerate(own.power):
        c = np.sum(weights * g * np.exp(-2j * np.pi * k * t / length))
        assert power == pytest.approx((1 + (k > 0)) * abs(c) ** 2)


def test_jumps_at_the_border():
    x = np.arange(16) / 16
    assert border_jumps(np.cos(2 * np.pi * x), 1)[0] < 1.1
    assert border_jumps(np.broadcast_to(x, (4, 16)), 2).tolist() == [0, 15]


def test_an_open_curve_has_no_jump_and_a_closed_one_none_either():
    t = np.linspace(0, 3, 61)
    points = np.stack([np.cos(t), np.sin(t)], axis=1)
    found = measure(lambda x: np.arctan2(x[:, 1], x[:, 0]), Curve(points))
    # A straight line from 0 to 3, there and back: odd half-waves alone, falling as 1/k^4.
    power = found["power"]
    assert power[1] / power[3] == pytest.approx(3**4, rel=0.05)
    assert power[2::2].max() < 1e-4 * power[1]
    turns = 2 * np.pi * np.arange(64) / 64
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    angle = lambda x: np.cos(5 * np.arctan2(x[:, 1], x[:, 0]))  # noqa: E731
    found = measure(angle, Curve(circle, turns, closed=True))
    assert found.coordinates["frequency"].values[5] == pytest.approx(5 / (2 * np.pi))
    assert found["power"][5] == pytest.approx(0.5)
    # With the first point again at the end, as linspace gives it.
    again = np.linspace(0, 2 * np.pi, 65)
    both = np.stack([np.cos(again), np.sin(again)], axis=1)
    both[-1] = both[0]
    repeated = measure(angle, Curve(both, again, closed=True))
    np.testing.assert_allclose(repeated["power"], found["power"], atol=1e-12)
    assert "repeats the first" in repeated.notes[0]


def test_unevenly_sampled_curves_are_weighted_and_say_so():
    t = np.sort(np.random.default_rng(1).uniform(size=400)) ** 1.5
    t[0] = 0
    constant = measure(lambda x: np.ones(len(x)), Curve(t[:, None], t))
    assert constant["power"][1:].max() < 1e-4  # The plain average has 0.1 and more.
    assert "trapezoidal" in " ".join(
        measure(lambda x: np.cos(np.pi * 4 * x[:, 0]), Curve(t[:, None], t)).notes
    )
    found = measure(lambda x: np.cos(np.pi * 4 * x[:, 0] / t[-1]), Curve(t[:, None], t))
    assert found["power"][4] == pytest.approx(0.5, rel=0.01)


def test_a_line_between_two_inputs():
    found = measure(
        lambda x: x.reshape(len(x), -1).sum(axis=1), Curve.line(np.zeros((2, 2)), np.ones((2, 2)))
    )
    assert found.record["length"] == pytest.approx(2)
    assert found.coordinates["frequency"].values[1] == pytest.approx(0.25)


def test_targets_give_the_share_of_each_of_their_frequencies():
    target = lambda x: wave(2)(x) + wave(7, amplitude=0.5)(x)  # noqa: E731
    found = measure(wave(2), Grid(32), targets=target)
    assert found.coordinates["target_frequency"].values.tolist() == [2, 7]
    np.testing.assert_allclose(found["normalised_magnitude"], [1, 0], atol=1e-6)
    assert found["error_power"][7] == pytest.approx(0.125)


def test_straight_paths_measure_what_the_path_measures_say():
    # p goes from 0 to 1 in a straight line along every path, whose length is 2.
    first, last = np.zeros((3, 4)), np.ones((3, 4))
    share = lambda x: np.stack([1 - x.mean(axis=1), x.mean(axis=1)], axis=1)  # noqa: E731
    where = StraightPaths(first, last, 101, kinds=["a", "b", "b"])
    found = measure(share, where, outputs="probabilities")
    np.testing.assert_allclose(found["total_variation"], 0.5, rtol=1e-6)
    np.testing.assert_allclose(found["centroid"], 0.518 / 2, rtol=2e-3)
    np.testing.assert_allclose(found["maximum_slope"], np.sqrt(2) / 2, rtol=1e-4)
    assert found["power_by_kind"].shape == (2, 101)
    assert found.estimate("centroid").n == 3
    still = measure(lambda x: np.full((len(x), 2), 0.5), where, outputs="probabilities")
    assert (
        np.isnan(still["centroid"]).all() and "no centroid" in " ".join((*still.notes, ""))
    ) or ("constant" in still.notes[0])


def test_distances_are_of_pixels_of_0_to_1_whatever_the_model_wants():
    rng = np.random.default_rng(0)
    first, last = rng.integers(0, 256, (2, 5, 4, 4, 1), np.uint8)

    def model(x):
        z = x.reshape(len(x), -1).sum(axis=1)
        p = 1 / (1 + np.exp(-z))
        return np.stack([p, 1 - p], axis=1)

    of_bytes = measure(
        lambda x: model(x / 255),
        StraightPaths(first, last),
        outputs="probabilities",
        to_inputs=lambda x: 255 * x,
    )
    of_unit = measure(model, StraightPaths(first / 255, last / 255), outputs="probabilities")
    for name in ("centroid", "total_variation", "distance"):
        np.testing.assert_allclose(of_bytes[name], of_unit[name], rtol=1e-4)


def test_scattered_points_tell_low_from_high():
    x = np.random.default_rng(0).uniform(size=(1500, 2))
    slow, fast = wave(1, 0, phase=0), wave(15, 0, phase=0)
    where = Scatter(x, sigmas=[0.05])
    both = lambda z: slow(z) + fast(z)  # noqa: E731
    learned = measure(slow, where, targets=both)
    assert learned["low_error"][0] < 0.2
    assert learned["high_error"][0] > 0.9
    assert measure(slow, where)["low_share"][0] > 0.85
    assert measure(fast, where)["low_share"][0] < 0.05
    assert learned.coordinates["cutoff"].values[0] == pytest.approx(0.1874 / 0.05, rel=1e-3)


def test_a_perfect_follower_of_a_wave_has_slope_1_as_logits_and_as_probabilities():
    s = 0.4 + 0.3 * np.sin(np.arange(300.0))
    labels = np.arange(300) % 10
    p = s[:, None] / 10 + (1 - s[:, None]) * np.eye(10)[labels]
    where = LabelWave(np.arange(300)[:, None], labels, s)
    for outputs, values in (("probabilities", p), ("logits", np.log(p) + 7)):
        found = measure(lambda x, v=values: v[x[:, 0]], where, outputs=outputs)
        assert found["regression_slope"] == pytest.approx(1)
        assert found["accuracy"] == 1
    with pytest.raises(UserError, match="probabilities"):
        measure(lambda x: p[x[:, 0]], where, outputs="logits")
    with pytest.raises(UserError, match="say what the model gives"):
        measure(lambda x: p[x[:, 0]], where)


def test_bytes_are_pixels_of_0_to_1_in_every_place():
    pixels = np.random.default_rng(0).integers(0, 256, (120, 4, 4, 1), np.uint8)
    seen = []

    def model(x):
        seen.append((float(x.min()), float(x.max())))
        p = x.reshape(len(x), -1).mean(axis=1) / 255
        return np.stack([p, 1 - p], axis=1)

    labels, smoothing = np.arange(120) % 2, np.linspace(0.1, 0.9, 120)
    for where in (
        Curve(pixels),
        Scatter(pixels),
        LabelWave(pixels, labels, smoothing),
        StraightPaths(pixels[:60], pixels[60:], 8),
    ):
        seen.clear()
        measure(model, where, outputs="probabilities", to_inputs="bytes")
        low, high = np.min(seen), np.max(seen)
        assert 0 <= low < 30
        assert 225 < high <= 255 + 1e-3
    assert Curve(pixels).record()["length"] < 120 * 4
    # Words speak of pixels in [0, 1].
    with pytest.raises(UserError, match=r"pixels in \[0, 1\]"):
        measure(model, Curve(pixels.astype(float)), outputs="probabilities", to_inputs="bytes")
    channels_first = StraightPaths(*np.random.default_rng(0).uniform(size=(2, 3, 3, 8, 8)))
    with pytest.raises(UserError, match="channels last"):
        measure(model, channels_first, outputs="probabilities", to_inputs="bytes")


def test_a_circle_of_linspace_closes_and_a_line_of_32_bits_is_even():
    t = np.linspace(0, 2 * np.pi, 65)
    circle = np.stack([np.cos(t), np.sin(t)], axis=1)
    for given in (circle, circle.astype(np.float32)):
        found = measure(lambda x: np.cos(3 * np.arctan2(x[:, 1], x[:, 0])), Curve(given, t, True))
        assert found["power"][3] == pytest.approx(0.5, rel=1e-4)
        assert "repeats the first" in found.notes[0]
    line = measure(lambda x: np.cos(np.pi * 2 * x), Curve.line([0.0], [1.0], 200))
    assert line.notes == ()
    assert line.coordinates["frequency"].values[-1] == pytest.approx(99.5)


def test_low_waves_of_a_long_side_are_no_mean():
    slow = lambda x: np.cos(2 * np.pi * 0.25 * x[:, 1])  # noqa: E731
    found = measure(slow, Grid([16, 16], high=[1, 4]), targets=slow)
    assert found["power"][0] == pytest.approx(0, abs=1e-9)
    assert found.coordinates["target_frequency"].values.tolist() == [0.25]
    np.testing.assert_allclose(found["normalised_magnitude"], 1, rtol=1e-6)
    flat = measure(slow, Grid(16, dimensions=2), targets=lambda x: np.full(len(x), 7.0))
    assert "normalised_magnitude" not in flat.quantities


def test_who_knows_the_mean_alone_has_learned_nothing_of_scattered_points():
    x = np.random.default_rng(0).uniform(size=(400, 1))
    target = lambda z: 10 + np.sin(6 * np.pi * z[:, 0])  # noqa: E731
    where = Scatter(x, sigmas=[0.05])
    mean = float(np.mean(target(x)))
    found = measure(lambda z: np.full(len(z), mean), where, targets=target)
    assert found["low_error"][0] == pytest.approx(1, abs=0.01)
    own = measure(target, where, targets=target)
    assert own["low_share"][0] == pytest.approx(own["target_low_share"][0])


def test_outputs_that_hardly_vary_are_said():
    assert "hardly vary" in measure(lambda x: 5 + 1e-4 * np.sin(x), Grid(8)).notes[0]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: measure(np.sin, Grid), "the class Grid"),
        (lambda: measure(StraightPaths, Grid(8)), "an instance"),
        (lambda: measure(np.sin, Grid(8), targets="abc"), "finite numbers"),
        (lambda: measure(np.sin, Grid(8), batch_size=-1), "batch_size"),
        (lambda: measure(np.sin, Grid(8), batch_size=1.5), "batch_size"),
        (lambda: measure(np.sin, Grid(8), to_inputs=3), "a function of samples"),
        (lambda: Grid("a"), "finite numbers"),
        (lambda: Grid(8, high=np.inf), "finite numbers"),
        (lambda: Grid(8, dimensions=0), "1 to 3 dimensions"),
        (lambda: Grid(100_000, dimensions=2), "held in memory"),
        (lambda: Curve(["a", "b", "c", "d"]), "finite numbers"),
        (lambda: Curve.line([0.0], [1.0, 2.0]), "one shape"),
        (lambda: Curve([[0.0], [np.nan], [1.0], [2.0]]), "finite numbers"),
        (lambda: Grid(3), "4 or more samples"),
        (lambda: Grid(8, low=1, high=1), "low below high"),
        (lambda: Grid([8, 8], low=[0, 0, 0]), "dimensions"),
        (lambda: Grid(8, dimensions=4), "1 to 3 dimensions"),
        (lambda: Grid(8, window="box"), "none or hann"),
        (lambda: Curve(np.zeros((5, 2))), "samples that move"),
        (lambda: Curve(np.arange(5.0)[:, None], [0, 1, 1, 2, 3]), "positions that rise"),
        (lambda: Curve(np.arange(3.0)[:, None]), "at least 4"),
        (lambda: StraightPaths(np.zeros((2, 3)), np.zeros((2, 3))), "examples that differ"),
        (lambda: StraightPaths(np.zeros((2, 3)), np.ones((3, 3))), "one shape"),
        (lambda: StraightPaths(np.zeros((2, 3)), np.ones((2, 3)), 3), "at least 4"),
        (lambda: Scatter(np.zeros((2, 3))), "3 points"),
        (lambda: Scatter(np.full((9, 3), np.nan)), "finite"),
        (lambda: LabelWave(np.zeros((9, 3)), np.zeros(9), np.zeros(9)), "100 examples"),
        (lambda: measure(np.sin, [1, 2]), "a Grid"),
        (lambda: measure(np.sin, Grid(8), outputs="numbers"), "values or logits"),
        (lambda: measure(3, Grid(8)), "a function of NumPy arrays"),
        (lambda: measure(np.sin, Grid(8), targets=np.zeros(7)), "outputs' shape"),
        (lambda: measure(lambda x: x[:2], Grid(8)), "an output for each of 8"),
        (lambda: measure(lambda x: x * np.nan, Grid(8)), "finite numbers"),
        (lambda: measure(lambda x: x + 1j, Grid(8)), "real numbers"),
        (lambda: measure(lambda x: x @ np.ones(3), Grid(8)), "takes inputs of shape"),
    ],
)
def test_a_mistake_is_told_in_one_line(make, says):
    with pytest.raises(UserError, match=says) as error:
        make()
    assert "\n" not in str(error.value)


def test_constant_outputs_are_said():
    assert "constant" in measure(lambda x: np.ones(len(x)), Grid(8)).notes[0]
