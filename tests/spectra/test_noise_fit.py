import numpy as np
import pytest

from spectral_tf.errors import UserError
from spectral_tf.spectra import mean_over_runs
from spectral_tf.spectra.noise_fit import (
    against_null,
    centred_log_ratio,
    correlation_ratio,
    implied_smoothing,
    influence,
    noise_fit,
    reference_levels,
    smoothed_log_ratio,
    wave_fit,
)

C = 10
RNG = np.random.default_rng(0)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def fitted(labels, smoothing):
    """The outputs of a model that has learned the smoothing."""
    probabilities = np.repeat(smoothing[:, np.newaxis] / C, C, axis=1)
    probabilities[np.arange(len(labels)), labels] += 1 - smoothing
    return np.log(probabilities)


LABELS = RNG.integers(C, size=4_000)
WAVE = 0.3 * (1 + np.sin(RNG.uniform(0, 2 * np.pi, size=4_000)))


def test_the_identity_holds_for_any_model():
    logs = log_softmax(3 * RNG.normal(size=(4_000, C)))
    fit = noise_fit(logs, LABELS, WAVE)
    g = centred_log_ratio(logs, LABELS)
    assert abs(fit.noise_fitting + np.mean(WAVE * g)) < 1e-12
    assert abs(fit.noise_fitting - fit.mean_part - fit.covariance_part) < 1e-12
    # Cross-entropies written out.
    one_hot = np.eye(C)[LABELS]
    noisy = (1 - WAVE[:, np.newaxis]) * one_hot + WAVE[:, np.newaxis] / C
    assert abs(fit.clean_loss + np.mean(np.sum(one_hot * logs, axis=1))) < 1e-12
    assert abs(fit.noisy_loss + np.mean(np.sum(noisy * logs, axis=1))) < 1e-12
    assert abs(fit.noise_fitting - (fit.clean_loss - fit.noisy_loss)) < 1e-12


def test_a_model_that_follows_the_wave_has_coefficient_1():
    fit = noise_fit(fitted(LABELS, WAVE), LABELS, WAVE)
    assert abs(fit.regression_slope - 1) < 1e-10
    half = noise_fit(fitted(LABELS, 0.15 + WAVE / 2), LABELS, WAVE)
    assert abs(half.regression_slope - 0.5) < 1e-10


def test_a_model_that_ignores_the_wave_has_coefficient_0_whatever_its_accuracy():
    constant = noise_fit(fitted(LABELS, np.full(4_000, 0.3)), LABELS, WAVE)
    assert abs(constant.regression_slope) < 1e-10
    assert abs(constant.covariance_part) < 1e-10
    answers = np.where(RNG.uniform(size=4_000) < 0.3, (LABELS + 1) % C, LABELS)
    wrong = noise_fit(fitted(answers, np.full(4_000, 0.3)), LABELS, WAVE)
    assert wrong.noise_fitting > constant.noise_fitting + 0.1  # NF calls it a better fit,
    assert abs(wrong.regression_slope) < 0.25  # the coefficient does not.


def test_an_untrained_model_has_none():
    fit = noise_fit(np.full((50, C), -np.log(C)), LABELS[:50], WAVE[:50])
    np.testing.assert_allclose(fit[:4], 0, atol=1e-12)
    np.testing.assert_allclose(fit[4:], np.log(C))


def test_a_smoothing_that_is_constant_has_no_coefficient():
    logs = log_softmax(RNG.normal(size=(50, C)))
    assert np.isnan(noise_fit(logs, LABELS[:50], np.full(50, 0.3)).regression_slope)
    with pytest.raises(UserError, match="smoothing: expected one that varies"):
        influence(centred_log_ratio(logs, LABELS[:50]), np.full(50, 0.3), C)


def test_log_ratios_alone_give_the_measures_for_many_networks_at_once(assert_close):
    logs = [log_softmax(3 * RNG.normal(size=(4_000, C))) for _ in range(6)]
    g = np.stack([centred_log_ratio(each, LABELS) for each in logs]).reshape(2, 3, -1)
    fits = wave_fit(g, WAVE, C)
    for i, each in enumerate(logs):
        alone = noise_fit(each, LABELS, WAVE)
        for name in fits._fields:
            assert_close(getattr(fits, name)[divmod(i, 3)], getattr(alone, name))
    # The values of influence have the measures as their means.
    values = influence(g, WAVE, C)
    assert_close(values.noise_fitting.mean(axis=-1), fits.noise_fitting)
    assert_close(values.regression_slope.mean(axis=-1), fits.regression_slope)


def test_influence_is_what_an_image_more_does(assert_close):
    g, s = centred_log_ratio(log_softmax(3 * RNG.normal(size=(300, C))), LABELS[:300]), WAVE[:300]
    values = influence(g, s, C).regression_slope
    beta = wave_fit(g, s, C).regression_slope
    for i in (0, 7, 99):
        # The derivative with the weight of one image, by a weight of 1e-6.
        w = np.full(300, 1 / 300) * (1 - 1e-6)
        w[i] += 1e-6
        t = implied_smoothing(g, C)
        away = s - w @ s
        slope = (w * away) @ t / ((w * away) @ away)
        assert abs((slope - beta) / 1e-6 - (values[i] - beta)) < 1e-3


@pytest.mark.parametrize(
    ("g", "s"),
    [
        (np.zeros((2, 3)), np.zeros(2)),
        (np.zeros(1), np.zeros(1)),
        (np.array([0.0, np.nan]), np.zeros(2)),
        (np.array([0.0, np.inf]), np.zeros(2)),
        (np.zeros((2, 2)), np.zeros((2, 2))),
    ],
)
def test_log_ratios_that_do_not_fit_are_refused(g, s):
    for measure in (wave_fit, influence):
        with pytest.raises(UserError, match="log_ratios: expected finite ones"):
            measure(g, s, C)


def seeds_of(implied, rng, scatter=0.05):
    """Log-ratios of 3 networks that imply so much smoothing, but for noise of their own."""
    t = implied + scatter * rng.uniform(-1, 1, size=(3, implied.size))
    return smoothed_log_ratio(np.clip(t, 0.01, 1), C)


def values_of(implied, rng, s, scatter=0.05):
    return influence(seeds_of(implied, rng, scatter), s, C).regression_slope


def test_half_of_a_wave_is_half_above_a_null_of_nothing():
    rng = np.random.default_rng(1)
    found = against_null(
        values_of(0.15 + WAVE / 2, rng, WAVE), values_of(np.full(4_000, 0.3), rng, WAVE)
    )
    assert abs(found.network.value - 0.5) < 0.01
    assert abs(found.null.value) < 0.01
    assert found.difference.low < 0.5 < found.difference.high
    assert found.difference.low > 0.48
    assert found.difference.unit == "seeds x 4,000 images"


def test_what_classes_alone_tell_is_in_the_null_too():
    rng = np.random.default_rng(2)
    labels = rng.integers(5, size=4_000)
    s = 0.3 + 0.05 * labels + rng.uniform(-0.1, 0.1, 4_000)
    # Both know the classes only, and answer some with more confidence than others.
    of_class = 0.3 + 0.05 * labels
    found = against_null(values_of(of_class, rng, s), values_of(of_class, rng, s))
    share = correlation_ratio(s, labels)
    assert share > 0.5
    for side in (found.network, found.null):
        assert abs(side.value - share) < 0.02
        assert side.low > 0.5
    assert found.difference.low < 0 < found.difference.high
    assert abs(found.difference.value) < 0.02


def test_a_network_of_chance_correlation_is_no_more_than_its_null():
    """Images are hard or easy for reasons that lie on the wave by chance, for each its own."""
    rng = np.random.default_rng(3)
    covered, alone, nulls = [], [], []
    for _ in range(400):
        s = 0.4 * (1 + np.sin(rng.uniform(0, 2 * np.pi, size=150)))
        # How hard an image is: for all networks, and for those of one recipe.
        hard, own, other = rng.uniform(-0.1, 0.1, size=(3, 150))
        network, null = (values_of(0.35 + hard + kind, rng, s) for kind in (own, other))
        found = against_null(network, null)
        nulls.append(abs(found.null.value))
        covered.append(found.difference.low <= 0 <= found.difference.high)
        over_seeds = mean_over_runs((network - null).mean(axis=1))
        alone.append(over_seeds.low <= 0 <= over_seeds.high)
    # A null that nobody would call 0 from its seeds.
    assert np.mean(nulls) > 0.015
    assert np.mean(covered) >= 0.93
    assert np.mean(alone) < 0.8  # Seeds are not all that varies.


def test_the_inverse_takes_back_what_was_smoothed(assert_close):
    t = np.linspace(0.01, 1, 50)
    assert_close(implied_smoothing(smoothed_log_ratio(t, C), C), t)
    assert implied_smoothing(0.0, C) == 1
    assert implied_smoothing(1e6, C) == 0
    assert implied_smoothing(-1.0, C) > 1


@pytest.mark.parametrize(
    ("amplitude", "constant", "follows"),
    [
        (0.05, -0.2364, -0.2215),
        (0.1, -0.4060, -0.3737),
        (0.2, -0.6684, -0.5910),
        (0.3, -0.8618, -0.7174),
        (0.4, -0.9981, -0.7442),
        (0.5, -1.0791, -0.5997),
    ],
)
def test_the_reference_levels_are_the_protocols(amplitude, constant, follows):
    levels = reference_levels(amplitude, C)
    assert abs(levels.constant - constant) < 6e-5
    assert abs(levels.fitted - follows) < 6e-5


@pytest.mark.parametrize("amplitude", [0.0, -0.1, 0.51, np.nan])
def test_amplitudes_that_leave_0_to_1_are_refused(amplitude):
    with pytest.raises(UserError, match="amplitude"):
        reference_levels(amplitude, C)


@pytest.mark.parametrize(
    ("logs", "labels", "smoothing"),
    [
        (np.zeros((3, C)), [0, 1], np.zeros(3)),
        (np.zeros((2, C)), [0, C], np.zeros(2)),
        (np.zeros((2, C)), [0.0, 1.0], np.zeros(2)),
        (np.zeros((2, C)), [0, -1], np.zeros(2)),
        (np.zeros((2, C)), [0, 1], np.zeros(3)),
        (np.zeros((2, C)), [0, 1], [0.5, 1.5]),
        (np.zeros((2, C)), [0, 1], [-0.1, 0.5]),
        (np.zeros((2, C)), [0, 1], [np.nan, 0.5]),
        (np.zeros((1, C)), [0], [0.5]),
    ],
)
def test_what_does_not_fit_is_refused(logs, labels, smoothing):
    with pytest.raises(UserError):
        noise_fit(logs, labels, smoothing)


def test_the_share_that_classes_tell_is_the_variance_between_them(assert_close):
    labels = np.repeat([0, 1], 500)
    within = np.tile([-0.1, 0.1], 500)
    assert_close(correlation_ratio(0.3 + 0.2 * labels + within, labels), 0.01 / (0.01 + 0.01))
    assert correlation_ratio(0.3 + 0.2 * labels, labels) == pytest.approx(1)
    assert correlation_ratio(0.3 + within, labels) == pytest.approx(0)
    assert np.isnan(correlation_ratio(np.full(1000, 0.3), labels))


def test_a_model_that_knows_the_class_means_alone_has_that_coefficient():
    rng = np.random.default_rng(0)
    labels = rng.integers(5, size=4_000)
    s = np.clip(0.3 + 0.04 * labels + rng.uniform(-0.1, 0.1, 4_000), 0, 1)
    means = np.array([s[labels == c].mean() for c in range(5)])[labels]
    # Logits of the true class alone, with the log_ratio of a smoothing learned exactly.
    logits = np.zeros((4_000, 5))
    logits[np.arange(4_000), labels] = np.log((1 - means + means / 5) / (means / 5))
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert noise_fit(logs, labels, s).regression_slope == pytest.approx(
        correlation_ratio(s, labels)
    )
