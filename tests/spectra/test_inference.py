"""Each number by hand, by brute force or by SciPy; what cannot be had is a word."""

import itertools
import json
import math

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.spectra import association, inference

# Student's 97.5 % quantiles, from a table.
T1, T2, T3, T5 = 12.706205, 4.302653, 3.182446, 2.570582


def ends(found):
    return [found.low.tolist(), found.high.tolist()]


def refused(call, *parts):
    with pytest.raises(UserError) as told:
        call()
    line = str(told.value)
    assert "\n" not in line
    for part in parts:
        assert part in line


def test_all_names_have_one_home():
    for name in inference.__all__:
        if not name.isupper():
            assert getattr(spectra, name) is getattr(inference, name)


# Estimate


def estimate(value, low, high, **others):
    arrays = (np.asarray(a, np.float64) for a in (value, low, high))
    return spectra.Estimate(*arrays, **{"n": 3, "unit": "runs", "method": "m"} | others)


def test_an_estimate_says_all_it_rests_on():
    whole = estimate(2, 1, 3)
    assert whole.text(".1f") == "2.0 (1.0 to 3.0; n = 3 runs)"
    assert estimate(2, 1, np.inf).text(".0f") == "2 (1 to never; n = 3 runs)"
    assert estimate(np.inf, 1, np.inf).text(".0f", never="∞") == "∞ (1 to ∞; n = 3 runs)"
    assert estimate(-np.inf, -np.inf, 0).text(".0f") == "-inf (-inf to 0; n = 3 runs)"
    tested = estimate(2, 1, 3, p_value=0.25, least_p_value=0.25)
    assert tested.text(".0f") == "2 (1 to 3; n = 3 runs; p = 0.25, at least 0.25)"
    tested = estimate(2, 1, 3, p_value=0.25, least_p_value=0.05)
    assert tested.text(".0f") == "2 (1 to 3; n = 3 runs; p = 0.25)"


@pytest.mark.parametrize(("low", "high"), [(np.nan, np.nan), (np.nan, 1), (1, np.nan)])
def test_what_cannot_be_had_is_a_word_in_text(low, high):
    few = estimate(2, low, high, missing="1 run, 2 needed", p_value=0.5)
    assert few.text(".0f") == "2 (no interval: 1 run, 2 needed; p = 0.5)"
    assert estimate(np.nan, low, high, missing="none").text() == "none"
    assert estimate(np.nan, low, high).text() == "not known why"
    assert not estimate(np.nan, np.nan, np.nan).excludes_zero


def test_a_record_is_json_without_nan():
    found = estimate([1, np.nan, np.inf], [0, np.nan, -np.inf], [2, np.nan, np.inf], missing="why")
    text = json.dumps(found.record(), allow_nan=False)
    assert json.loads(text) == {
        "value": [1.0, None, "never"],
        "low": [0.0, None, "-inf"],
        "high": [2.0, None, "never"],
        "n": 3,
        "unit": "runs",
        "method": "m",
        "missing": "why",
    }
    tested = estimate(1, 0, 2, p_value=0.5, least_p_value=0.25, n=np.int64(4)).record()
    assert tested["p_value"] == 0.5
    assert tested["least_p_value"] == 0.25
    assert "missing" not in tested
    json.dumps(tested)


def test_a_part_has_its_own_n_and_reason_and_not_the_p_value_of_the_whole():
    whole = estimate(
        [1, 2], [0, np.nan], [3, np.nan], n=np.array([3, 1]), missing="why", p_value=0.1
    )
    assert len(whole) == 2
    assert whole[0].missing == ""
    assert whole[1].missing == "why"
    assert (whole[0].n, whole[1].n) == (3, 1)
    assert whole[0].p_value is None
    assert whole[0].text(".0f") == "1 (0 to 3; n = 3 runs)"
    assert whole[:1].value.tolist() == [1]
    assert estimate([1, 2], [0, 1], [3, 4])[1].n == 3


def test_changes_of_unit_and_of_sign(assert_close):
    found = estimate(2, 1, np.inf).map(lambda v: 10 * v)
    assert_close([found.value, found.low, found.high], [20, 10, np.inf])
    found = spectra.negative(estimate(2, 1, np.inf))
    assert_close([found.value, found.low, found.high], [-2, -np.inf, -1])


@pytest.mark.parametrize(
    ("low", "high", "outside"), [(1, 2, True), (-2, -1, True), (0, 1, False), (-1, 1, False)]
)
def test_zero_outside(low, high, outside):
    assert estimate(0.5, low, high).excludes_zero is outside


def test_what_stands_for_an_estimate_that_few_cannot_give():
    found = spectra.not_enough(1, 4, "clusters of images")
    assert found.text() == "not enough: 1 cluster of images, 4 needed"
    assert spectra.not_enough(1_200, 4, "classes", 2.0).text(".0f") == (
        "2 (no interval: 1,200 classes, 4 needed)"
    )
    assert spectra.not_enough(1, 2, "classes").missing == "not enough: 1 class, 2 needed"


# Means over runs


@pytest.mark.parametrize("n", [2, 3, 5, 10, 20])
def test_values_without_skew_get_students_interval(n, assert_close):
    half = np.arange(1.0, n // 2 + 1) ** 2
    values = 5 + np.concatenate([half, -half, [0.0] * (n % 2)])
    found = spectra.mean_over_runs(values)
    error = values.std(ddof=1) / math.sqrt(n)
    assert_close(found.value, 5)
    assert_close(ends(found), scipy.stats.t.interval(0.95, n - 1, loc=5, scale=error))
    assert (found.n, found.unit, found.missing) == (n, "runs", "")
    assert found.method == "Student, stretched for skewness"


def test_the_end_on_the_side_of_the_skew_is_stretched():
    # 0, 0, 3: mean 1, s^2 = 3, so that t s / sqrt(n) = t; second and third moments with n below
    # 2 and 2: g = 2 / 2^1.5.
    found = spectra.mean_over_runs([0.0, 0.0, 3.0])
    stretch = 1 + 2**-0.5 * T2 / 3**0.5
    assert found.low == pytest.approx(1 - T2, rel=1e-6)
    assert found.high == pytest.approx(1 + T2 * stretch, rel=1e-6)
    mirrored = spectra.mean_over_runs([0.0, 0.0, -3.0])
    assert mirrored.low == pytest.approx(-found.high)
    assert mirrored.high == pytest.approx(-found.low)


def test_runs_that_are_equal_have_an_interval_of_no_width():
    found = spectra.mean_over_runs([2.0, 2.0, 2.0])
    assert ends(found) == [2, 2]
    assert spectra.mean_over_runs([True, True]).value == 1


def test_what_counts_is_said_and_counted(assert_close):
    values = np.array([[1.0, 5.0], [3.0, np.nan], [np.inf, np.nan]])
    found = spectra.mean_over_runs(values, where=np.isfinite(values))
    assert_close(found.value, [2, 5])
    assert found.n.tolist() == [2, 1]
    assert found.missing == "fewer than 2 runs"
    alone = spectra.mean_over_runs([1.0, 3.0])
    assert found[0].text() == alone.text()
    assert found[1].text(".0f") == "5 (no interval: fewer than 2 runs)"
    by_run = spectra.mean_over_runs(values, where=[True, False, False], unit="classes")
    assert_close(by_run.value, [1, 5])
    assert by_run.n == 1
    assert by_run[0].text(".0f") == "1 (no interval: 1 class, 2 needed)"


def test_no_run_that_counts_is_a_word():
    found = spectra.mean_over_runs([1.0, 2.0], where=[False, False])
    assert found.text() == "0 runs, 2 needed"
    assert found.record()["value"] is None
    assert spectra.mean_over_runs(np.empty((2, 0))).value.shape == (0,)


def test_means_refuse_what_has_no_mean():
    refused(lambda: spectra.mean_over_runs([1.0, np.nan]), "values: expected finite", "got 1 that")
    refused(lambda: spectra.mean_over_runs([1.0, np.inf]), "finite", "never")
    refused(lambda: spectra.mean_over_runs([]), "at least one", "shape (0,)")
    refused(lambda: spectra.mean_over_runs(1.0), "at least one", "shape ()")
    for where in ([1, 0], [True], [[True, True]], [0.5, 0.5]):
        refused(lambda where=where: spectra.mean_over_runs([1.0, 2.0], where=where), "where: ")


# Other statistics of runs


def test_the_jackknife_of_a_mean_is_the_interval_of_the_mean(assert_close):
    values = np.array([[1.0, 0.0], [2.0, 0.0], [6.0, 3.0], [7.0, 1.0]])
    found = spectra.jackknife(lambda runs: runs.mean(axis=0), values, unit="seeds")
    plain = spectra.mean_over_runs(values)
    assert_close([found.value, found.low, found.high], [plain.value, plain.low, plain.high])
    assert (found.n, found.unit, found.missing) == (4, "seeds", "")
    assert found.method == "jackknife over seeds, Student, stretched for skewness"


def test_the_jackknife_by_hand(assert_close):
    # The square of the mean of 0, 2, 4 is 4; without one of them 9, 4, 1: pseudo-values
    # 12 - 2 (9, 4, 1) = -6, 4, 10, whose mean is 8 / 3; their interval moves to 4.
    found = spectra.jackknife(lambda runs: runs.mean() ** 2, [0.0, 2.0, 4.0])
    pseudo = spectra.mean_over_runs([-6.0, 4.0, 10.0])
    assert_close(found.value, 4)
    assert_close(ends(found), [pseudo.low + 4 / 3, pseudo.high + 4 / 3])


def test_the_jackknife_says_what_it_lacks():
    few = spectra.jackknife(lambda runs: runs.mean(axis=0), [[1.0], [2.0]])
    assert few[0].text(".1f") == "1.5 (no interval: 2 runs, 3 needed)"

    def least(runs):
        return np.array([runs.min() if len(runs) == 3 else np.inf, runs.mean()])

    found = spectra.jackknife(least, [1.0, 2.0, 3.0])
    assert found[0].text(".0f") == "1 (no interval: with one left out there is none)"
    assert np.isnan(ends(found[0])).all()
    assert found[1].text() == spectra.mean_over_runs([1.0, 2.0, 3.0]).text()
    never = spectra.jackknife(lambda runs: np.asarray(np.inf), [1.0, 2.0, 3.0])
    assert never.text() == "never (no interval: with one left out there is none)"
    refused(lambda: spectra.jackknife(np.mean, []), "at least one run")


# Crossed samples


def analysis_of_variance(v):
    """Mean squares of rows, columns and residuals over r c, by loops."""
    r, c = v.shape
    m = v.sum() / v.size
    rows = [sum(v[i]) / c for i in range(r)]
    columns = [sum(v[:, j]) / r for j in range(c)]
    of_rows = c * sum((a - m) ** 2 for a in rows) / (r - 1)
    of_columns = r * sum((b - m) ** 2 for b in columns) / (c - 1)
    rest = sum((v[i, j] - rows[i] - columns[j] + m) ** 2 for i in range(r) for j in range(c))
    return tuple(s / v.size for s in (of_rows, of_columns, rest / ((r - 1) * (c - 1))))


@pytest.mark.parametrize("shape", [(2, 9), (3, 7), (5, 5), (8, 3)])
def test_the_crossed_mean_against_an_analysis_of_variance(shape, assert_close):
    r, c = shape
    v = np.random.default_rng(r).normal(size=shape) + np.arange(r)[:, None] + np.arange(c) / 3
    a, b, e = analysis_of_variance(v)
    if c < r:
        a, b, r, c = b, a, c, r
    t, u = scipy.stats.t.ppf(0.975, [r - 1, c - 1])
    half = math.sqrt(t**2 * a + u**2 * max(b - e, 0))
    found = spectra.crossed_mean(v)
    assert_close([found.value, *ends(found)], [v.mean(), v.mean() - half, v.mean() + half])
    turned = spectra.crossed_mean(v.T, units=("images", "runs"))
    assert_close(ends(turned), ends(found))


def test_the_crossed_mean_of_known_components():
    # Rows -1, 0, 1 (variance 1 of their means), columns +-1 (4 / 3), nothing else:
    # A = 1 / 3, B = 1 / 3, E = 0; t and u of 2 and 3 degrees of freedom.
    v = np.array([-1.0, 0.0, 1.0])[:, None] + np.array([-1.0, -1.0, 1.0, 1.0])
    found = spectra.crossed_mean(v)
    assert found.high == pytest.approx(math.sqrt((T2**2 + T3**2) / 3), rel=1e-6)
    assert (found.n, found.unit) == (3, "runs x 4 images")
    assert found.method == "runs and images crossed, Student for each"
    only_rows = spectra.crossed_mean(v * 0 + np.array([[-1.0], [0.0], [1.0]]))
    assert only_rows.high == pytest.approx(T2 / math.sqrt(3), rel=1e-6)
    only_columns = spectra.crossed_mean(v * 0 + np.array([-1.0, -1.0, 1.0, 1.0]))
    assert only_columns.high == pytest.approx(T3 / math.sqrt(3), rel=1e-6)


def test_residuals_alone_are_counted_once():
    # Rows and columns that sum to 0 have A = B = 0: no width, and no number below 0 under a root.
    found = spectra.crossed_mean([[1.0, -1.0], [-1.0, 1.0]])
    assert ends(found) == [0, 0]


def test_copies_of_an_image_in_its_cluster_change_nothing(assert_close):
    v = np.random.default_rng(1).normal(size=(3, 12, 2))
    single = spectra.crossed_mean(v)
    copied = spectra.crossed_mean(np.repeat(v, 4, axis=1), clusters=np.repeat(np.arange(12), 4))
    for name in ("value", "low", "high"):
        assert_close(getattr(copied, name), getattr(single, name))
    assert copied.unit == "runs x 12 clusters of images"
    assert copied.method == "runs and clusters of images crossed, Student for each"
    as_labels = np.repeat([f"square {i}" for i in range(12)], 4)
    named = spectra.crossed_mean(np.repeat(v, 4, axis=1), clusters=as_labels)
    assert_close(ends(named), ends(copied))


def test_clusters_of_other_sizes_by_loops(assert_close):
    rng = np.random.default_rng(2)
    clusters = [0, 1, 1, 2, 2, 2, 2]
    v = rng.normal(size=(4, 7))
    r, c = v.shape
    rows = v.mean(axis=1)
    own = np.zeros((r, 3))
    for i, j in itertools.product(range(r), range(c)):
        own[i, clusters[j]] += (v[i, j] - rows[i]) / c
    h = np.array([1, 2, 4]) / 7
    a = rows.var(ddof=1) / r
    b = sum(own[:, k].mean() ** 2 / (1 - h[k]) for k in range(3))
    e = sum(own[:, k].var(ddof=1) / (1 - h[k]) / r for k in range(3))
    q = h**2 / (1 - h)
    freedom = 1 / ((h**2).sum() + q.sum() ** 2 - (q**2).sum())  # 1.6, fewer than of 4 runs.
    t, u = scipy.stats.t.ppf(0.975, [freedom, 3])
    half = math.sqrt(t**2 * b + u**2 * max(a - e, 0))
    found = spectra.crossed_mean(v, clusters=clusters)
    assert_close(ends(found), [v.mean() - half, v.mean() + half])


def test_one_row_or_one_cluster_has_no_interval():
    one = spectra.crossed_mean(np.ones((1, 5, 2)))
    assert one.value.tolist() == [1, 1]
    assert one[0].text(".0f") == "1 (no interval: 1 run, 2 needed)"
    assert one.unit == "runs x 5 images"
    one = spectra.crossed_mean(np.ones((3, 5)), clusters=[7] * 5, units=("seeds", "crops"))
    assert one.text(".0f") == "1 (no interval: 1 cluster of crops, 2 needed)"
    assert spectra.crossed_mean(np.ones((3, 1))).missing == "1 image, 2 needed"
    assert spectra.crossed_mean(np.ones((3, 1))).n == 3


def test_the_p_value_of_a_mean_is_that_of_the_interval_that_ends_at_zero():
    rows = np.array([0.2, 0.5, 0.9, 0.1, 0.4])
    found = spectra.crossed_mean(np.repeat(rows[:, None], 6, axis=1), tested=True)
    assert_allclose(found.p_value, scipy.stats.ttest_1samp(rows, 0).pvalue, rtol=1e-6)
    turned = spectra.crossed_mean(np.repeat(rows[None], 2, axis=0), tested=True)
    assert_allclose(turned.p_value, scipy.stats.ttest_1samp(rows, 0).pvalue, rtol=1e-6)
    items = spectra.mean_over_clusters(rows, tested=True)
    assert_allclose(items.p_value, scipy.stats.ttest_1samp(rows, 0).pvalue, rtol=1e-6)
    rng = np.random.default_rng(0)
    v = rng.normal(0.3, 1, (3, 40)) + rng.normal(size=(3, 1)) / 4
    both = spectra.crossed_mean(v, tested=True)
    assert (both.p_value < 0.05) == both.excludes_zero
    # Shifted so that its interval ends at 0.
    at_the_end = spectra.crossed_mean(v - both.low, tested=True)
    assert_allclose(at_the_end.p_value, 0.05, rtol=1e-6)
    assert spectra.crossed_mean(v - v.mean(), tested=True).p_value == pytest.approx(1)
    assert spectra.crossed_mean(np.ones((3, 4)), tested=True).p_value <= 2e-15
    assert spectra.crossed_mean(v).p_value is None


def test_what_is_above_zero_among_many_is_by_chance_in_few_families():
    rng = np.random.default_rng(3)
    several = [
        [spectra.mean_over_clusters(rng.normal(size=20), tested=True) for _ in range(8)]
        for _ in range(400)
    ]
    alone = np.mean([any(e.low > 0 for e in family) for family in several])
    together = np.mean([any(spectra.above_zero(family)) for family in several])
    assert alone > 0.1
    assert together < 0.045  # Half of 5 %: the other half is below 0.
    sure = spectra.mean_over_clusters(np.arange(20.0), tested=True)
    assert spectra.above_zero([*several[0][:3], sure])[-1]
    assert spectra.above_zero([spectra.negative(sure), spectra.not_enough(1, 2, "seeds")]) == [
        False,
        False,
    ]


def test_crossed_means_refuse():
    refused(lambda: spectra.crossed_mean([1.0, 2.0]), "shape (2,)")
    refused(lambda: spectra.crossed_mean([[1.0, np.nan]]), "1 not finite")
    refused(lambda: spectra.crossed_mean(np.ones((2, 3)), clusters=[0, 1]), "clusters (2,)")
    refused(lambda: spectra.crossed_mean(np.ones((0, 3))), "shape (0, 3)")


# Means over items of which some belong together


def test_items_of_their_own_have_students_interval(assert_close):
    values = [1.0, 2.0, 4.0, 9.0]
    found = spectra.mean_over_clusters(values)
    assert_close(ends(found), scipy.stats.t.interval(0.95, 3, 4, np.std(values, ddof=1) / 2))
    assert (found.n, found.unit, found.method) == (4, "paths", "Student")


def test_clusters_of_one_size_are_as_many_as_they_are(assert_close):
    values, clusters = [0.0, 2.0, 3.0, 5.0, 9.0, 11.0], list("aabbcc")
    found = spectra.mean_over_clusters(values, clusters, unit="images")
    plain = spectra.mean_over_clusters([1.0, 4.0, 10.0])
    assert_close([found.value, *ends(found)], [plain.value, *ends(plain)])
    assert (found.n, found.unit) == (3, "clusters of images")
    assert found.method == "Student over clusters (Bell and McCaffrey)"


def test_clusters_of_other_sizes_have_fewer_degrees_of_freedom():
    # Shares 1/4, 1/4, 1/2: q = 1/12, 1/12, 1/2; sum h^2 = 3/8, (sum q)^2 = 4/9, sum q^2 = 19/72;
    # freedom 1.8. Values 0, 4, 4, 4 about 3: sums -3, 1, 2, over 1 - h: 12, 4/3, 8.
    found = spectra.mean_over_clusters([0.0, 4.0, 4.0, 4.0], [0, 1, 2, 2])
    half = scipy.stats.t.ppf(0.975, 1.8) * math.sqrt(12 + 4 / 3 + 8) / 4
    assert found.value == 3
    assert found.high == pytest.approx(3 + half)
    assert found.low == pytest.approx(3 - half)


def test_items_that_do_not_count_leave_no_trace(assert_close):
    values, clusters = [0.0, 4.0, np.nan, 4.0, 4.0], [0, 1, 7, 2, 2]
    found = spectra.mean_over_clusters(values, clusters, where=np.isfinite(values))
    left = spectra.mean_over_clusters([0.0, 4.0, 4.0, 4.0], [0, 1, 2, 2])
    assert_close(ends(found), ends(left))
    assert found.n == 3


def test_one_cluster_and_none():
    one = spectra.mean_over_clusters([1.0, 3.0], [5, 5])
    assert one.text(".0f") == "2 (no interval: 1 cluster of paths, 2 needed)"
    assert spectra.mean_over_clusters([1.0]).missing == "1 path, 2 needed"
    none = spectra.mean_over_clusters([1.0], where=[False])
    assert none.text() == "not enough: 0 paths, 2 needed"


def test_means_over_clusters_refuse():
    refused(lambda: spectra.mean_over_clusters([[1.0, 2.0]]), "one axis", "(1, 2)")
    refused(lambda: spectra.mean_over_clusters([1.0, 2.0], [1]), "clusters (1,)")
    refused(lambda: spectra.mean_over_clusters([1.0, np.nan]), "finite")


# Bootstrap


def first_weight(weights):
    return weights[0]


@pytest.mark.parametrize("n", [6, 10, 40])
def test_the_ends_are_expanded_percentiles(n):
    p = scipy.stats.norm.cdf(-scipy.stats.t.ppf(0.975, n - 1) * math.sqrt(n / (n - 1)))
    calls = itertools.count()  # 0 for the value, 1 to 1,001 for the resamples.
    found = spectra.bootstrap(lambda w: next(calls), n, units=["runs"], num_resamples=1_001)
    assert ends(found) == [1 + math.floor(1_000 * p), 1 + math.ceil(1_000 * (1 - p))]


@pytest.mark.parametrize("n", [6, 8, 30])
def test_how_often_a_unit_is_drawn_is_binomial(n):
    p = scipy.stats.norm.cdf(-scipy.stats.t.ppf(0.975, n - 1) * math.sqrt(n / (n - 1)))
    found = spectra.bootstrap(first_weight, n, units=["runs"], num_resamples=20_000)
    assert found.value == 1
    assert found.low == 0
    assert found.high == scipy.stats.binom.ppf(1 - p, n, 1 / n)
    assert (found.n, found.unit) == (n, "runs")
    assert found.method == "bootstrap over runs, expanded percentiles"


def test_clusters_are_drawn_whole():
    clusters = np.tile(np.arange(8), 3)  # Members of one cluster need not be neighbours.

    def spread(weights):
        return np.array([weights.reshape(3, 8).std(axis=0).max(), weights[0], weights.sum()])

    found = spectra.bootstrap(spread, clusters, units=["squares"])
    single = spectra.bootstrap(lambda w: np.array([w[0]]), 8, units=["squares"])
    assert ends(found[0]) == [0, 0]
    assert ends(found[1]) == ends(single[0])
    assert found[2].value == found[2].low == found[2].high == 24
    assert found.n == 8


def test_crossed_factors_are_drawn_independently():
    x, y = np.arange(8.0), np.arange(30.0) / 10

    def means(one, other):
        return np.array([one @ x / one.sum(), other @ y / other.sum()])

    found = spectra.bootstrap(means, 8, 30, units=["settings", "paths"], num_resamples=4_000)
    assert (found.n, found.unit) == (8, "settings x 30 paths")
    assert found.method == "bootstrap over settings and paths, expanded percentiles"
    assert found.value.tolist() == pytest.approx([3.5, 1.45])
    # Normal approximations of both: -2.53 standard errors are the quantile of 0.57 %.
    for part, values in zip((found[0], found[1]), (x, y), strict=True):
        half = 2.53 * values.std() / math.sqrt(values.size)
        assert part.high - part.low == pytest.approx(2 * half, rel=0.1)

    def together(one, other):
        return (one - 1) @ np.ones(8) + (one[0] - 1) * (other[0] - 1)

    mean = spectra.bootstrap(together, 8, 8, units=["a", "b"])
    assert mean.low < 0 < mean.high


def test_resamples_without_a_number_are_left_out_up_to_a_tenth():
    def inverse(weights):  # Not finite where a unit is not drawn: (7/8)^8 = 34 %, never, always.
        with np.errstate(divide="ignore"):
            return np.array([1 / weights[0], weights[0], np.log(weights.sum() - 8)])

    found = spectra.bootstrap(inverse, 8, units=["runs"])
    assert found[0].text(".0f") == (
        "1 (no interval: more than a tenth of the resamples have no value)"
    )
    assert found[1].missing == ""
    assert np.isnan(found[2].low)

    def rarely(weights):  # Three units are left undrawn in (5 / 8)^8 = 2.3 %.
        return weights[:3].max() if weights[:3].any() else np.nan

    assert spectra.bootstrap(rarely, 8, units=["runs"]).low >= 1


def test_few_units_have_no_bootstrap():
    found = spectra.bootstrap(lambda *w: w[0][:2], 8, 5, units=["settings", "squares"])
    assert found[0].text(".0f") == "1 (no interval: 5 squares, 6 needed)"
    assert found.n == 8
    found = spectra.bootstrap(lambda w: w.sum(), 5, units=["runs"], at_least=5)
    assert ends(found) == [5, 5]
    one = spectra.bootstrap(lambda w: w.sum(), 1, units=["runs"], at_least=1)
    assert one.text(".0f") == "1 (no interval: 1 run, 2 needed)"


def test_a_bootstrap_repeats_and_its_seed_counts():
    def mean(weights):
        return weights @ np.arange(8.0) ** 2 / 8

    def interval(seed, size=8):
        return ends(spectra.bootstrap(mean, size, units=["runs"], seed=seed))

    assert interval(0) == interval(0) == interval(0, np.int64(8))
    assert interval(0) != interval(1)


def test_bootstraps_refuse():
    refused(lambda: spectra.bootstrap(first_weight, units=[]), "factors", "0 and 0")
    refused(lambda: spectra.bootstrap(first_weight, 8, units=["a", "b"]), "1 and 2")


# Correlations over settings


def on(settings, seeds, rng, paths=0):
    shape = (settings * seeds, paths) if paths else (settings * seeds,)
    labels = rng.permutation(np.repeat(np.arange(settings), seeds))
    return labels, rng.normal(size=labels.size), rng.normal(size=shape)


def means_by(labels, values):
    return np.array([values[labels == label].mean(axis=0) for label in np.unique(labels)])


def test_seeds_of_a_setting_count_as_one(assert_close):
    labels, x, v = on(7, 3, np.random.default_rng(0), paths=5)
    found = spectra.correlation_over_settings(x, v, labels)
    expected = scipy.stats.spearmanr(means_by(labels, x), means_by(labels, v.mean(axis=1)))
    assert_close(found.value, expected.statistic)
    assert (found.n, found.unit) == (7, "settings x 5 paths")
    assert found.method == "bootstrap over settings and paths; exact permutations of settings"
    assert found.low <= found.value <= found.high
    named = spectra.correlation_over_settings(x, v, [f"width {i}" for i in labels])
    assert ends(named) == ends(found)
    twice = np.concatenate([labels, labels])
    doubled = spectra.correlation_over_settings(np.tile(x, 2), np.tile(v, (2, 1)), twice)
    assert_close([doubled.p_value, *ends(doubled)], [found.p_value, *ends(found)])


def test_settings_of_many_seeds_weigh_no_more(assert_close):
    rng = np.random.default_rng(8)
    labels = np.repeat(np.arange(7), [1, 5, 2, 1, 7, 3, 2])
    x, v = rng.normal(size=(2, labels.size)) + 3
    found = spectra.correlation_over_settings(x, v, labels)
    plain = spectra.correlation_over_settings(means_by(labels, x), means_by(labels, v), range(7))
    assert_close([found.value, *ends(found)], [plain.value, *ends(plain)])


def test_paths_that_do_not_count_leave_no_trace(assert_close):
    labels, x, v = on(6, 2, np.random.default_rng(1), paths=9)
    where = np.arange(9) % 2 == 0
    holed = np.where(where, v, np.nan)
    found = spectra.correlation_over_settings(x, holed, labels, where=where)
    left = spectra.correlation_over_settings(x, v[:, where], labels)
    assert_close([found.value, *ends(found)], [left.value, *ends(left)])
    assert found.unit == "settings x 5 paths"


def rho_of(x, y, z=None):
    a, b = (scipy.stats.rankdata(s) for s in (x, y))
    r = np.corrcoef(a, b)[0, 1]
    if z is None:
        return r
    c = scipy.stats.rankdata(z)
    s, t = np.corrcoef(a, c)[0, 1], np.corrcoef(b, c)[0, 1]
    return (r - s * t) / math.sqrt((1 - s**2) * (1 - t**2))


def test_the_partial_correlation_by_its_formula(assert_close):
    rng = np.random.default_rng(2)
    x, y, z = rng.integers(0, 5, size=(3, 9)).astype(float)
    found = spectra.correlation_over_settings(x, y, np.arange(9), control=z)
    assert_close(found.value, rho_of(x, y, z))
    assert found.method == "bootstrap over settings; random permutations of settings"
    assert found.least_p_value == 1e-4


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40]),
        ([1, 2, 3, 4, 5], [2, 1, 3, 5, 4]),
        ([1, 1, 3, 4, 4, 6], [3, 1, 1, 2, 5, 5]),
        ([0, 0, 0, 1, 1], [5, 5, 2, 7, 7]),
    ],
)
def test_the_exact_p_value_by_all_orders(x, y, assert_close):
    found = spectra.correlation_over_settings(x, y, np.arange(len(x)))
    rhos = [abs(rho_of(x, order)) for order in itertools.permutations(y)]
    hits = [rho >= abs(rho_of(x, y)) - 1e-9 for rho in rhos]
    assert_close(found.p_value, np.mean(hits))
    assert_close(found.least_p_value, np.mean([rho >= max(rhos) - 1e-9 for rho in rhos]))
    assert "exact permutations of settings" in found.method


def test_the_p_value_with_a_control_by_all_orders(assert_close):
    x, y, z = [1, 5, 3, 4, 2, 6], [2, 1, 3, 5, 4, 4], [1, 2, 2, 5, 4, 3]
    a, b, c = (scipy.stats.rankdata(s) - 3.5 for s in (x, y, z))

    def residual(side):
        return side - np.polyval(np.polyfit(c, side, 1), c)

    def statistic(left):
        one, other = residual(a), residual(left)
        return abs(one @ other) / math.sqrt(other @ other)

    left = residual(b)
    sizes = np.array([statistic(left[list(o)]) for o in itertools.permutations(range(6))])
    found = spectra.correlation_over_settings(x, y, np.arange(6), control=z)
    assert_close(found.p_value, np.mean(sizes >= statistic(left) - 1e-9))
    assert_close(found.least_p_value, np.mean(sizes >= sizes.max() - 1e-9))
    assert "all permutations" in found.method


def test_four_settings_in_order_have_the_smallest_p_that_four_can():
    found = spectra.correlation_over_settings([1, 2, 3, 4], [1, 2, 3, 4], [0, 1, 2, 3])
    assert found.p_value == pytest.approx(1 / 12)
    assert found.text(".0f") == ("1 (no interval: 4 settings, 6 needed; p = 0.083, at least 0.083)")
    assert not found.excludes_zero


def test_a_resample_counts_a_setting_as_often_as_it_was_drawn():
    rng = np.random.default_rng(3)
    x, y, z = rng.integers(0, 4, size=(3, 7)).astype(float)
    weights = rng.multinomial(7, np.full(7, 1 / 7), size=50).astype(float)
    plain = association._rho(weights, x, y[None], None)
    partial = association._rho(weights, x, np.tile(y, (50, 1)), z)
    for w, r, p in zip(weights.astype(int), plain, partial, strict=True):
        chosen = np.repeat(np.arange(7), w)
        with np.errstate(all="ignore"):
            expected = rho_of(x[chosen], y[chosen])
        assert r == pytest.approx(expected, nan_ok=True)
        with np.errstate(all="ignore"):
            a, b, c = (scipy.stats.rankdata(s[chosen]) for s in (x, y, z))
            if len(set(c)) > 1:
                a, b = (s - np.polyval(np.polyfit(c, s, 1), c) for s in (a, b))
            same = np.linalg.norm(a - a.mean()) * np.linalg.norm(b - b.mean()) < 1e-9
            expected = np.nan if same else np.corrcoef(a, b)[0, 1]
        assert p == pytest.approx(expected, nan_ok=True, abs=1e-9)


def test_the_interval_is_that_of_resamples_by_hand():
    rng = np.random.default_rng(4)
    x, v = rng.normal(size=10), rng.normal(size=(10, 6)) + np.arange(10)[:, None] / 5
    rhos = []
    for _ in range(1_500):
        chosen, paths = rng.integers(10, size=10), rng.integers(6, size=6)
        rhos.append(rho_of(x[chosen], v[chosen][:, paths].mean(axis=1)))
    found = spectra.correlation_over_settings(x, v, np.arange(10), num_resamples=4_000)
    assert ends(found) == pytest.approx(np.nanquantile(rhos, [0.025, 0.975]), abs=0.06)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_order_is_not_a_certain_one(sign):
    x = np.arange(8.0)
    found = spectra.correlation_over_settings(x, sign * x**3, x)
    near = 1 - 6 / (8 * 63)
    end = math.tanh(math.atanh(near) - 1.959964 * math.sqrt((1 + near**2 / 2) / 5))
    assert found.value == sign
    assert sorted(sign * np.array(ends(found))) == pytest.approx([end, 1], rel=1e-6)
    assert end == pytest.approx(0.903, abs=1e-3)
    assert found.p_value == found.least_p_value == pytest.approx(2 / math.factorial(8))


def test_what_settings_cannot_say_is_a_word():
    def text(x, y, **others):
        return spectra.correlation_over_settings(x, y, np.arange(len(x)), **others).text()

    assert text([1, 2, 3], [1, 2, 3]) == "not enough: 3 settings, 4 needed"
    assert text([1], [1]) == "not enough: 1 setting, 4 needed"
    assert text([1, 2, 3, 4], [1, 2, 3, 4], control=[1, 2, 4, 3]) == (
        "not enough: 4 settings, 5 needed"
    )
    assert text([1, 2, 3, 4], [7, 7, 7, 7]) == "one side does not vary between settings"
    assert text([1, 2, 3, 4, 5], [3, 1, 2, 5, 4], control=[2, 4, 6, 8, 10]) == (
        "one side does not vary between settings, or the control tells it"
    )
    seeds = spectra.correlation_over_settings([1, 2, 3, 4, 5, 6], range(6), [0, 0, 0, 1, 1, 1])
    assert seeds.text() == "not enough: 2 settings, 4 needed"


def test_a_control_that_does_not_vary_changes_nothing(assert_close):
    x, y = [1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5]
    plain = spectra.correlation_over_settings(x, y, range(6))
    held = spectra.correlation_over_settings(x, y, range(6), control=[1] * 6)
    assert_close([held.value, held.p_value], [plain.value, plain.p_value])


def test_means_that_differ_by_rounding_are_ties(assert_close):
    """0.1 + 0.7 and 0.2 + 0.6 are one number in exact arithmetic, and two in floating point."""
    labels = np.repeat(np.arange(6), 2)
    x = np.array([0.1, 0.7, 0.2, 0.6, 0.3, 0.7, 0.8, 0.1, 0.5, 0.9, 0.2, 0.1])
    y = np.repeat([1.0, 2.0, 4.0, 3.0, 6.0, 5.0], 2)
    assert 0.1 + 0.7 != 0.2 + 0.6
    found = spectra.correlation_over_settings(x, y, labels)
    expected = rho_of([8, 8, 10, 9, 14, 3], [1, 2, 4, 3, 6, 5])
    assert_close(found.value, expected)
    orders = itertools.permutations([1, 2, 4, 3, 6, 5])
    sizes = np.abs([rho_of([8, 8, 10, 9, 14, 3], order) for order in orders])
    assert_close(found.p_value, np.mean(sizes >= expected - 1e-9))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_interval_holds_rho_also_where_noise_of_paths_hides_it(sign):
    rng = np.random.default_rng(7)
    noise = 3 * rng.normal(size=(12, 30))
    noise -= noise.mean(axis=1, keepdims=True)
    values = sign * np.arange(12)[:, None] / 10 + noise
    found = spectra.correlation_over_settings(np.arange(12), values, np.arange(12))
    assert found.value == (found.high if sign > 0 else found.low) == sign
    assert sign * (found.low if sign > 0 else found.high) < 0.9


def test_two_groups_in_perfect_order_have_no_interval():
    # Without the sixth setting, one resample in three, nothing varies.
    found = spectra.correlation_over_settings([0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1], range(6))
    assert np.isnan([found.low, found.high]).all()
    assert found.text(".0f") == (
        "1 (no interval: more than a tenth of the resamples have no value; p = 0.17, at least 0.17)"
    )


def test_correlations_refuse():
    def call(x=(1, 2, 3, 4), v=(1, 2, 3, 4), labels=(0, 1, 2, 3), **others):
        return lambda: spectra.correlation_over_settings(x, v, labels, **others)

    refused(call(x=(1, 2, 3)), "values", "(4, 1), (3,) and (4,)")
    refused(call(labels=(1, 2)), "(2,)")
    refused(call(x=(), v=(), labels=()), "one quality")
    refused(call(v=(1, 2, 3, np.nan)), "values: ", "1 not finite")
    refused(call(x=(1, 2, 3, np.inf)), "quality: ", "1 not finite")
    refused(call(control=(1, 2, 3, np.nan)), "control: ", "1 not finite")
    refused(call(control=(1, 2)), "control: ", "shape (2,)")
    refused(call(control=1.0), "control: ", "shape ()")
    refused(call(control=np.ones((4, 2))), "control: ", "shape (4, 2)")
    refused(call(v=np.ones((4, 2)), where=[False, False]), "values: ", "shape (4, 0)")
    refused(call(v=np.ones((4, 2)), where=[0, 1]), "int64")
    refused(call(v=np.ones((4, 2)), where=[True]), "bool (1,)")


# Pairs, signs, families


@pytest.mark.parametrize(
    ("differences", "p_value", "least"),
    [
        ([1, 2, 3], 2 / 8, 2 / 8),
        ([1, 2, -3], 8 / 8, 2 / 8),
        ([-1, 2, 4], 4 / 8, 2 / 8),
        ([5, 1, 1, -1], 8 / 16, 2 / 16),
        ([0, 1, 2, 3], 4 / 16, 4 / 16),
        ([0, 0], 1, 1),
        ([1, 1], 2 / 4, 2 / 4),
    ],
)
def test_flips_of_signs_by_hand(differences, p_value, least):
    found = spectra.paired_difference(differences)
    assert found.p_value == p_value
    assert found.least_p_value == least
    plain = spectra.mean_over_runs(differences)
    assert ends(found) == ends(plain)
    assert found.method == "Student, stretched for skewness; exact flips of signs"


def test_flips_of_signs_by_brute_force(assert_close):
    d = np.random.default_rng(5).normal(0.4, size=10)
    means = [abs(np.dot(s, d)) for s in itertools.product((1, -1), repeat=10)]
    found = spectra.paired_difference(d)
    assert_close(found.p_value, np.mean([m >= abs(d.sum()) - 1e-12 for m in means]))
    assert found.least_p_value == 2**-9
    turned = spectra.paired_difference(-d)
    assert_close([turned.value, turned.p_value], [-found.value, found.p_value])


def test_many_pairs_are_flipped_at_random():
    found = spectra.paired_difference(np.arange(1.0, 17))
    assert found.p_value == found.least_p_value == 1e-4
    assert found.method.endswith("random flips of signs")
    even = spectra.paired_difference([1.0, -1.0] * 8)
    assert even.p_value == 1


def test_one_pair_has_neither_interval_nor_p_value():
    found = spectra.paired_difference([2.0])
    assert found.text(".0f") == "2 (no interval: 1 setting, 2 needed)"
    assert found.p_value is None
    refused(lambda: spectra.paired_difference([[1.0]]), "differences: ", "shape (1, 1)")
    refused(lambda: spectra.paired_difference([1.0, np.nan]), "finite")


def test_a_ratio_is_geometric_and_its_interval_that_of_the_logarithms():
    ratios = np.array([2.0, 8.0, 4.0, 0.5])
    found, logs = spectra.paired_ratio(ratios), spectra.paired_difference(np.log(ratios))
    assert found.value == pytest.approx(32**0.25)
    assert (found.low, found.high) == pytest.approx((np.exp(logs.low), np.exp(logs.high)))
    assert found.p_value == logs.p_value
    with pytest.raises(UserError, match="ratios: expected numbers above 0"):
        spectra.paired_ratio([1.0, 0.0])


def test_the_sign_test_is_binomial(assert_close):
    d = [1.0, 2.0, -1.0, 3.0, 0.0, 5.0]
    assert_close(spectra.sign_test(d), 2 * (1 + 5) / 32)
    assert_close(spectra.sign_test(d, "greater"), (1 + 5) / 32)
    assert_close(spectra.sign_test(d, "less"), 31 / 32)
    assert spectra.sign_test([0.0, 0.0]) == 1
    refused(lambda: spectra.sign_test(np.ones((3, 2))), "average what shares a seed")
    refused(lambda: spectra.sign_test([np.nan]), "finite")
    refused(lambda: spectra.sign_test([1.0], "more"), "alternative: ", "got more")


def test_holm_by_hand(assert_close):
    assert_close(spectra.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    assert_close(spectra.holm([0.04, 0.01]), [0.04, 0.02])
    assert_close(spectra.holm([0.9, 0.6, 0.02]), [1, 1, 0.06])
    assert_close(spectra.holm([0.02, 0.02, 0.02]), [0.06] * 3)
    assert_close(spectra.holm([0.3]), [0.3])
    assert spectra.holm([]).size == 0
    for bad in ([-0.1], [1.1], [np.nan], [[0.1]]):
        refused(lambda bad=bad: spectra.holm(bad), "p_values: ")


# Against published means


def test_a_published_mean_without_error_is_students_test(assert_close):
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = spectra.difference_to_published(values[:, None], [3.0], 10**12, [0.0])
    plain = scipy.stats.ttest_1samp(values, 3.0)
    assert_close(found.p_value, plain.pvalue)
    assert_close(ends(found[0]), np.array(plain.confidence_interval()) - 3)


def test_both_samples_and_the_reading_have_an_error():
    # s^2 = 2, n = 2, n' = 4, e = 3: variance 2 (1/2 + 1/4) + 9 / 3 = 4.5.
    found = spectra.difference_to_published([[0.0], [2.0]], [4.0], 4, [3.0])
    assert found.value == -3
    assert ends(found[0]) == pytest.approx([-3 - T1 * 4.5**0.5, -3 + T1 * 4.5**0.5], rel=1e-6)
    assert (found.n, found.unit) == (2, "runs against 4")
    # Student's p for one degree of freedom is that of Cauchy.
    assert found.p_value == pytest.approx(1 - 2 / math.pi * math.atan(3 / 4.5**0.5))


def test_the_comparison_is_as_good_as_its_worst_point_adjusted(assert_close):
    values = np.random.default_rng(6).normal(size=(5, 3))
    found = spectra.difference_to_published(values, [0.0, 0.1, 2.0], 20, [0.0, 0.1, 0.0])
    each = [
        spectra.difference_to_published(values[:, i], m, 20, e).p_value
        for i, (m, e) in enumerate([(0.0, 0.0), (0.1, 0.1), (2.0, 0.0)])
    ]
    assert_close(found.p_value, min(1, 3 * min(each)))
    assert found[2].p_value is None


def test_differences_without_spread():
    found = spectra.difference_to_published([[1.0, 1.0]] * 3, [1.0, 2.0], 5, [0.0, 0.0])
    assert ends(found[0]) == [0, 0]
    assert found.p_value == 0
    equal = spectra.difference_to_published([[1.0]] * 3, [1.0], 5, [0.0])
    assert equal.p_value == 1
    one = spectra.difference_to_published([[1.0]], [3.0], 5, [0.0])
    assert one[0].text(".0f") == "-2 (no interval: 1 run, 2 needed)"
    assert one.p_value is None


def test_differences_refuse():
    def call(values=((1.0,), (2.0,)), published=(1.0,), published_n=5, reading=(0.0,)):
        return lambda: spectra.difference_to_published(values, published, published_n, reading)

    refused(call(published=(1.0, 2.0)), "published: ", "(2,) over 5")
    refused(call(published_n=0), "over 0")
    refused(call(published=(np.nan,)), "finite means")
    refused(call(reading=(-1.0,)), "readings from 0 on")
    refused(call(reading=(0.0, 0.0)), "readings (2,)")
    refused(call(values=((1.0,), (np.nan,))), "finite")
