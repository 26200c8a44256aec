import math

import numpy as np
import pytest

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.experiments.fitted_waves import (
    LEARNED,
    MEASURES,
    Examples,
    KeptWave,
    at_lowest,
    direction_claims,
    fit_waves,
    kept_claims,
    kept_waves,
    learned,
    wave_claims,
)
from spectral_tf.records.waves import HeldOut
from spectral_tf.tasks import PlacedWave

C, N, EPOCHS = 10, 400, 11
EXAMPLES = Examples(np.arange(N), C)
# Where images lie, so evenly that all waves have one mean and one variance.
U = np.random.default_rng(0).permutation((np.arange(N) + 0.5) / N)
CYCLES = (1, 2, 3, 4, 6, 8, 12, 16)


def placed(cycles, parameter=0.0, direction=0, kind="cycles", image_frequency=math.nan):
    return PlacedWave(
        name=f"{kind}_{cycles}_{parameter}_{direction}",
        kind=kind,
        value=cycles,
        direction_parameter=parameter,
        direction=direction,
        image_frequency=image_frequency,
        frequency=cycles,
        cycles=cycles,
        mean=0.0,
        std=1.0,
        augmented_mean=0.0,
        augmented_std=1.0,
        held_out_mean=0.0,
        held_out_std=1.0,
        levels=level(cycles),
        correlation_ratio=0.0,
    )


def level(cycles, phase=0.0):
    return 0.4 * (1 + np.sin(2 * np.pi * (cycles * U + phase)))


def log_ratios(implied, rng, seeds=3):
    """Log-ratios of so much smoothing, and of noise of each network and image's own, [..., n]."""
    t = implied + 0.05 * rng.uniform(-1, 1, size=(seeds, *implied.shape))
    return spectra.smoothed_log_ratio(np.clip(t, 0.01, 1), C)


def followed(beta, s):
    """What networks imply that follow a share of a wave after each epoch, [epochs, n]."""
    implied = 0.4 + np.asarray(beta)[:, None] * (s - s.mean())
    implied[0] = 1.0  # Untrained ones are sure of nothing.
    return implied


def rising(final, epoch):
    """Beta over epochs: linear, half of its end at the epoch given."""
    return final * np.minimum(np.arange(EPOCHS) / (2 * epoch), 1)


def fitted(cycles, beta, rng, seeds=3, examples=EXAMPLES, null=None):
    s = level(cycles)
    null = np.zeros(EPOCHS) if null is None else null
    networks, nulls = (log_ratios(followed(b, s), rng, seeds) for b in (beta, null))
    return fit_waves([placed(cycles)], networks[None], nulls[None], s[None], examples)


def radial(rng, finals, epochs):
    return [
        fitted(cycles, rising(final, epoch), rng)[1]
        for cycles, final, epoch in zip(CYCLES, finals, epochs, strict=True)
    ]


def test_half_of_a_wave_is_followed_and_read_with_its_null():
    (alone,), line = fitted(2, rising(0.5, 2), np.random.default_rng(1))
    assert alone is line
    assert line.unit == "seeds"
    found = line.estimates["final_regression_slope"]
    assert abs(found.network.value - 0.5) < 0.01
    assert abs(found.null.value) < 0.01
    assert abs(found.difference.value - 0.5) < 0.01
    assert 0.45 < found.difference.low < found.difference.high < 0.55
    assert (found.difference.n, found.difference.unit) == (3, "seeds x 400 images")
    assert learned([line]) == [True]
    assert found.difference.p_value < 0.01
    assert found.network.p_value is None  # Its 0 is not "nothing there".
    # Beta is LEARNED = half of 0.5 after 2 epochs.
    at = line.learning_epoch
    assert LEARNED == 0.25
    assert at.low < at.value < at.high
    assert abs(at.value - 2) < 0.1


def test_a_wave_that_nobody_follows_is_not_learned_and_one_seed_says_nothing():
    rng = np.random.default_rng(2)
    line = fitted(2, np.zeros(EPOCHS), rng)[1]
    assert learned([line]) == [False]
    assert np.isinf(line.learning_epoch.value)
    alone = fitted(2, rising(0.5, 2), rng, seeds=1)[1]
    assert learned([alone, line]) == [None, False]
    assert alone.estimates["final_regression_slope"].difference.missing == "1 seed, 2 needed"
    assert "2 needed" in alone.learning_epoch.missing


def kept(means, cycles=2.0):
    """A wave whose seeds have so much beta, on every image; the null has none."""
    values = np.repeat(np.array(means)[:, None], 20, axis=1)
    pair = {"final_regression_slope": (values, np.zeros_like(values))}
    return KeptWave("cycles", cycles, 0.0, cycles, "seeds", pair, Examples(np.arange(20), C))


def test_a_wave_is_learned_among_all_waves_of_its_run():
    unsure, sure = kept([0.4, 0.5, 0.6]), kept([0.999, 1.0, 1.001])
    found = unsure.estimates["final_regression_slope"].difference
    assert found.low > 0
    assert 0.01 < found.p_value < 0.02  # Student's of t = 0.5 sqrt(3) / 0.1, two degrees.
    null = [kept([-0.1, 0.0, 0.1]) for _ in range(7)]
    assert learned([unsure]) == [True]
    assert learned([unsure, *null]) == [False] * 8
    assert learned([*null, sure]) == [False] * 7 + [True]
    assert learned([kept([-0.6, -0.5, -0.4])]) == [False]  # Followed the wrong way round.


def test_the_minimum_of_nf_is_that_of_each_network_by_itself():
    rng = np.random.default_rng(3)
    s = level(2)
    # The dip of the network comes after epoch 3, that of its null after epoch 7.
    dip = np.abs(np.arange(EPOCHS)[:, None] - 3.0)
    network = log_ratios(0.2 + 0.05 * dip + np.zeros(N), rng)
    null = log_ratios(0.2 + 0.05 * np.abs(np.arange(EPOCHS)[:, None] - 7.0) + np.zeros(N), rng)
    line = fit_waves([placed(2)], network[None], null[None], s[None], EXAMPLES)[1]
    np.testing.assert_array_equal(line.lowest_epochs, 3)
    found = line.estimates["minimum_noise_fitting"]
    assert found.network.value == pytest.approx(-np.mean(s * network[:, 3]))
    assert found.null.value == pytest.approx(-np.mean(s * null[:, 7]))
    final = line.estimates["final_noise_fitting"]
    assert final.network.value == pytest.approx(-np.mean(s * network[:, -1]))
    curve = line.curves["noise_fitting"].network
    np.testing.assert_allclose(curve.value.min(), found.network.value)


def test_seeds_are_nested_in_directions():
    rng = np.random.default_rng(4)
    waves = [placed(2, direction=d) for d in range(4)]
    levels = np.stack([level(2, d / 8) for d in range(4)])
    shares = (0.2, 0.4, 0.5, 0.7)
    networks = np.stack(
        [log_ratios(followed(rising(b, 2), s), rng, 2) for b, s in zip(shares, levels, strict=True)]
    )
    nulls = np.stack([log_ratios(followed(np.zeros(EPOCHS), s), rng, 2) for s in levels])
    alone, line = fit_waves(waves, networks, nulls, levels, EXAMPLES)
    assert [one.unit for one in alone] == ["seeds"] * 4
    for one, share in zip(alone, shares, strict=True):
        assert abs(one.estimates["final_regression_slope"].network.value - share) < 0.02
    found = line.estimates["final_regression_slope"].difference
    assert (found.n, found.unit) == (4, "directions x 400 images")
    assert abs(found.value - 0.45) < 0.02
    # As wide as four such different numbers make it, however many seeds there are.
    assert found.high - found.low > 0.5
    assert line.curves["regression_slope"].difference.value.shape == (EPOCHS,)


def dipping(rng, seeds=3):
    """Log-ratios [seeds, epochs, n] of networks whose NF is lowest after an epoch of their own."""
    dips = rng.permutation(np.arange(1, EPOCHS - 1))[:seeds, None, None]
    away = 0.04 * np.abs(np.arange(EPOCHS)[:, None] - dips)
    hard = 0.1 * rng.uniform(size=N)
    t = 0.2 + away + hard + 0.05 * rng.uniform(-1, 1, size=(seeds, EPOCHS, N))
    return spectra.smoothed_log_ratio(np.clip(t, 0.01, 1), C)


@pytest.mark.parametrize("parameters", [1, 2])
def test_what_is_kept_of_each_image_gives_what_all_epochs_gave(parameters):
    rng = np.random.default_rng(12)
    directions = 1 if parameters == 1 else 3
    nulls = np.stack([dipping(rng) for _ in range(directions)])
    waves, networks, lines, alone = [], [], [], {}
    for parameter in range(parameters):
        for cycles in (1, 2, 3, 5, 7, 8):
            group = [placed(cycles, float(parameter), d) for d in range(directions)]
            levels = np.stack([wave.levels for wave in group])
            of_group = np.stack([dipping(rng) for _ in group])
            each, line = fit_waves(group, of_group, nulls, levels, EXAMPLES)
            alone |= {wave.name: one for wave, one in zip(group, each, strict=True)}
            lines.append(line)
            waves += group
            networks += list(of_group)
    of_nulls = [nulls[wave.direction] for wave in waves]
    kept_run = HeldOut(
        waves=np.array([wave.name for wave in waves]),
        directions=np.array([wave.direction for wave in waves]),
        smoothing=np.stack([wave.levels for wave in waves]),
        log_ratios=np.stack(networks)[:, :, -1],
        lowest_log_ratios=np.stack(
            [at_lowest(g, w.levels, C) for g, w in zip(networks, waves, strict=True)]
        ),
        null_log_ratios=nulls[:, :, -1],
        lowest_null_log_ratios=np.stack(
            [at_lowest(g, w.levels, C) for g, w in zip(of_nulls, waves, strict=True)]
        ),
        labels=np.zeros(N, np.int64),
        clusters=EXAMPLES.clusters,
        images=np.arange(N),
        num_classes=np.array(C),
    )
    columns = ("wave", "kind", "direction_parameter", "frequency", "cycles")
    rows = [(w.name, w.kind, w.direction_parameter, w.frequency, w.cycles) for w in waves[::-1]]
    table = {n: list(v) for n, v in zip(columns, zip(*rows, strict=True), strict=True)}
    kept, together = kept_waves(kept_run, table)
    assert kept.keys() == alone.keys()
    pairs = [(kept[name], alone[name]) for name in alone] + list(zip(together, lines, strict=True))
    for found, expected in pairs:
        for name in ("kind", "value", "direction_parameter", "cycles", "unit"):
            assert getattr(found, name) == getattr(expected, name)
        for measure in MEASURES:
            for a, b in zip(found.values[measure], expected.values[measure], strict=True):
                np.testing.assert_allclose(a, b, atol=1e-12)
    claims = kept_claims(together, rising=True)
    if parameters == 1:
        expected = [claim for claim in wave_claims(lines) if claim.claim == "C1"]
    else:
        expected = direction_claims(lines, rising=True)
    assert len(claims) == len(expected) >= 12
    for a, b in zip(claims, expected, strict=True):
        assert a[:5] == b[:5]
        np.testing.assert_allclose(a.estimate.low, b.estimate.low, atol=1e-12)
    with pytest.raises(UserError, match=r"expected a row for cycles_8"):
        kept_waves(kept_run, {name: column[1:] for name, column in table.items()})


def test_c1_and_c2_of_waves_that_are_followed_the_less_and_the_later_the_faster():
    rng = np.random.default_rng(5)
    lines = radial(rng, (0.9, 0.8, 0.6, 0.5, 0.4, 0.3, 0.1, 0.0), (0.5, 1, 1.5, 2, 2.5, 3, 4, 4))
    claims = wave_claims(lines[::-1])
    assert [claim.claim for claim in claims] == ["C1"] * 12 + ["C2"] * 4
    assert [c.primary for c in claims].count("published") == 2
    primary = {(c.claim, c.primary): c for c in claims if c.primary}
    for which in ("published", "corrected"):
        c1 = primary["C1", which]
        assert c1.direction == -1
        assert c1.estimate.value < -0.9
        assert (c1.estimate.n, c1.estimate.unit) == (8, "waves x 400 clusters of images")
        assert c1.estimate.p_value < 0.01
    assert primary["C1", "corrected"].estimate.high < 0
    assert "β − null" in primary["C1", "corrected"].reading
    assert "minimum of NF" in primary["C1", "published"].reading
    slow_fast = next(c for c in claims if c.reading.startswith("final β − null of the slowest"))
    assert slow_fast.direction == 1
    assert slow_fast.estimate.p_value < 0.001
    assert slow_fast.estimate.low < 0.9 < slow_fast.estimate.high
    c2 = primary["C2", "corrected"]
    assert (c2.direction, c2.estimate.n) == (1, 8)
    # 0.25 above the null from 0.3, 0.6, 1.25, 2, 3.1, 5 on, and never twice.
    assert c2.estimate.value == pytest.approx(0.994, abs=0.01)
    half = claims[-1]
    assert half.estimate.value > 0.9
    assert half.estimate.n < 8  # Waves that are not learned have no half of their end.


def test_c1_and_c2_of_waves_that_are_followed_alike_say_nothing():
    claims = wave_claims(radial(np.random.default_rng(6), (0.5,) * 8, (2,) * 8))
    for claim in claims:
        if claim.primary == "corrected":
            assert claim.estimate.p_value > 0.05
    difference = [c for c in claims if "− that of" in c.reading]
    assert not any(c.estimate.low > 0.02 or c.estimate.high < -0.02 for c in difference)


def test_what_networks_do_that_never_saw_the_waves_is_no_preference():
    rng = np.random.default_rng(11)
    lines = []
    for cycles, share in zip(CYCLES, (0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.02, 0.0), strict=True):
        beta = rising(share, 2)
        lines.append(fitted(cycles, beta, rng, null=beta))
    found = {c.reading: c.estimate for c in wave_claims([line for _, line in lines])}
    rank = "rank correlation over waves of cycles and final β"
    assert found[rank].value < -0.9
    assert found[rank].high < 0
    assert found[f"{rank} − null"].p_value > 0.05
    slow_fast = "of the slowest wave − that of the fastest"
    assert found[f"final β {slow_fast}"].low > 0.2
    above = found[f"final β − null {slow_fast}"]
    assert above.low < 0 < above.high
    assert not any(learned([line for _, line in lines]))


def test_few_waves_and_waves_below_a_cycle():
    rng = np.random.default_rng(7)
    lines = [fitted(c, rising(0.5, 2), rng)[1] for c in (0.5, 1, 2)]
    claims = wave_claims(lines)
    assert claims[0].estimate.missing == "not enough: 2 waves, 4 needed"
    assert claims[-1].estimate.missing == "not enough: 2 waves, 4 needed"
    assert wave_claims(lines[:2]) == []
    never = [fitted(c, np.zeros(EPOCHS), rng)[1] for c in (1, 2, 3, 4)]
    by_reading = {c.reading: c.estimate for c in wave_claims(never) if c.claim == "C2"}
    for reading, estimate in by_reading.items():
        if "passes 0.25" in reading:
            assert estimate.missing == "one side does not vary between waves"
        if "half" in reading:
            assert estimate.missing.startswith("not enough: ")


def two_parameters(rng, low=0.6, high=0.3, directions=4, seeds=2):
    """Lines of two parameters at two values of each kind, with a scatter between directions."""
    lines = []
    for parameter, share in ((2.0, low), (10.0, high)):
        for kind, value in (("cycles", 1), ("cycles", 2), ("frequency", 3)):
            waves = [placed(value, parameter, d, kind, parameter) for d in range(directions)]
            levels = np.stack([level(value, d / 8) for d in range(directions)])
            beta = [share + 0.05 * (d % 2) for d in range(directions)]
            networks, nulls = (
                np.stack(
                    [
                        log_ratios(followed(rising(b * on, 2), s), rng, seeds)
                        for b, s in zip(beta, levels, strict=True)
                    ]
                )
                for on in (1, 0)
            )
            lines.append(fit_waves(waves, networks, nulls, levels, EXAMPLES)[1])
    return lines


def test_c11_is_over_directions_at_equal_f_and_at_equal_cycles():
    lines = two_parameters(np.random.default_rng(8))
    claims = direction_claims(lines, rising=True)
    # One f; two cycles together and each by itself.
    assert [c.claim for c in claims] == ["C11"] * (4 * 2 * len(MEASURES))
    primary = {c.primary: c for c in claims if c.primary}
    assert primary.keys() == {"published", "corrected"}
    assert primary["published"].reading.endswith("at equal f (3)")
    assert primary["published"].reading.startswith("minimum of NF, ")
    assert primary["corrected"].reading.endswith("at equal cycles (1, 2)")
    assert primary["corrected"].reading.startswith("final β − null, ")
    found = primary["corrected"].estimate
    assert (found.n, found.unit) == (4, "directions x 400 images")
    assert found.low < 0.3 < found.high
    assert found.low > 0.2
    # All have one, so that Holm's correction spans them.
    assert all(c.estimate.p_value is not None for c in claims)
    assert found.p_value < 0.01
    # Exponents: the larger, the lower the image frequencies.
    turned = {c.primary: c for c in direction_claims(lines, rising=False) if c.primary}
    assert turned["corrected"].estimate.value == pytest.approx(-found.value)


def test_one_direction_stands_for_no_image_frequency():
    claims = direction_claims(two_parameters(np.random.default_rng(9), directions=1), rising=True)
    for claim in claims:
        assert claim.estimate.missing == "1 direction, 2 needed"
        assert np.isnan(claim.estimate.low)


def test_images_of_one_cluster_are_no_independent_draws():
    rng = np.random.default_rng(10)
    # Ten crops of each of 40 squares, which lie alike on the wave and are hard alike.
    clusters = np.repeat(np.arange(40), 10)
    u = np.repeat(rng.uniform(size=40), 10)
    s = 0.4 * (1 + np.sin(2 * np.pi * u))
    hard = np.repeat(rng.uniform(-0.1, 0.1, size=40), 10)
    network, null = (log_ratios(0.4 + h + np.zeros((EPOCHS, N)), rng) for h in (hard, 0.0))
    pair = network[None], null[None], s[None]
    wide = fit_waves([placed(2)], *pair, Examples(clusters, C))[1]
    narrow = fit_waves([placed(2)], *pair, EXAMPLES)[1]
    a, b = (line.estimates["final_regression_slope"].difference for line in (wide, narrow))
    assert a.value == b.value
    assert a.high - a.low > 2 * (b.high - b.low)
    assert a.unit == "seeds x 40 clusters of images"
    lines = []
    for cycles in (1, 2, 3, 4):
        other = log_ratios(0.4 + hard + np.zeros((EPOCHS, N)), rng)[None]
        lines.append(fit_waves([placed(cycles)], other, *pair[1:], Examples(clusters, C))[1])
    units = {claim.estimate.unit for claim in wave_claims(lines) if claim.claim == "C1"}
    assert units == {"waves x 40 clusters of images", "seeds x 40 clusters of images"}
    lines = [fit_waves([placed(2, p)], *pair, Examples(clusters, C))[1] for p in (1, 2)]
    units = {claim.estimate.unit for claim in direction_claims(lines, rising=True)}
    assert units == {"directions x 40 clusters of images"}
