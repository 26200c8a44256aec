"""Merged classes by closed forms: groupings, weights of paths, what is compared with what."""

import dataclasses
import itertools

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from spectral_tf.errors import UserError
from spectral_tf.experiments import merge_study
from spectral_tf.experiments.path_study import MEASURES, Models, Reading
from spectral_tf.spectra import class_distances, correlation_over_settings, merged_diversity

CENTROID = Reading("", "matched_centroid")


def on_a_line(positions):
    """Distances of classes that are points on a line."""
    x = np.asarray(positions, float)
    return np.abs(x[:, None] - x)


def test_ways_to_merge_are_all_there_and_different():
    found = [tuple(groups.tolist()) for groups in merge_study.partitions(6, 3)]
    assert len(set(found)) == len(found) == merge_study.num_partitions(6, 3) == 10
    for groups in found:
        assert np.bincount(groups).tolist() == [3, 3]


def test_groups_of_different_sizes_are_all_there_too():
    found = [tuple(groups.tolist()) for groups in merge_study.partitions(6, [3, 2, 1])]
    assert len(set(found)) == len(found) == merge_study.num_partitions(6, [3, 2, 1]) == 60
    assert all(merge_study.sizes_of(groups) == [3, 2, 1] for groups in found)
    alike = list(merge_study.partitions(6, [2, 2, 1, 1]))
    assert len(alike) == merge_study.num_partitions(6, [2, 2, 1, 1]) == 45
    assert merge_study.mean_size([0, 0, 0, 1]) == 2
    assert isinstance(merge_study.mean_size([0, 0, 0, 1]), int)


def test_nothing_is_claimed_of_a_hierarchy_without_random_groupings():
    found = with_known(lambda g, seed, kind, p: float(g))
    assert merge_study.OF_HIERARCHY in {f.claim for f in merge_study.claims(found, 1)}
    names = found.columns["grouping"]
    names[np.char.startswith(names, "random")] = "similar"
    claimed = {f.claim for f in merge_study.claims(found, 1)}
    assert claimed == {merge_study.CLAIM}


@pytest.mark.parametrize("all_up_to", [50_000, 0])
def test_a_known_grouping_stands_beside_others_of_its_sizes(all_up_to, monkeypatch):
    monkeypatch.setattr(merge_study, "_ALL_UP_TO", all_up_to)
    d = on_a_line([0, 1, 2, 20, 21, 40])
    known = np.array([5, 5, 3, 3, 3, 9])  # In the order of their first classes: 0, 0, 1, 1, 1, 2.
    found = merge_study.groupings(
        d, [3, 2, 1], merge_study.GROUPINGS, 57, np.random.default_rng(0), known
    )
    assert list(found)[:3] == ["known", "similar", "dissimilar"]
    assert found["known"].tolist() == [0, 0, 1, 1, 1, 2]
    assert found["similar"].tolist() == [0, 0, 0, 1, 1, 2]
    assert len({tuple(groups.tolist()) for groups in found.values()}) == 60  # All ways there are.
    assert all(merge_study.sizes_of(groups) == [3, 2, 1] for groups in found.values())
    with pytest.raises(UserError, match="at most 57, .* 6 classes 3 and 2 and 1 together beside"):
        merge_study.groupings(
            d, [3, 2, 1], merge_study.GROUPINGS, 58, np.random.default_rng(0), known
        )


def test_a_grouping_that_is_known_and_similar_counts_once():
    d, kinds = on_a_line([0, 1, 10, 11, 20, 21]), merge_study.GROUPINGS
    found = merge_study.groupings(d, 2, kinds, 12, np.random.default_rng(0), [7, 7, 3, 3, 5, 5])
    assert list(found)[:3] == ["known", "dissimilar", "random_0"]
    assert len({tuple(groups.tolist()) for groups in found.values()}) == len(found) == 14
    with pytest.raises(UserError, match="at most 13,"):
        merge_study.groupings(d, 2, kinds, 14, np.random.default_rng(0), [7, 7, 3, 3, 5, 5])


def test_of_older_folders_a_grouping_of_two_names_counts_once():
    found = models(lambda g, seed, kind, p: float(g), num_groupings=8)
    twice = found[np.r_[: len(found), np.flatnonzero(found.columns["grouping"] == "random_2")]]
    twice.columns["grouping"] = twice.columns["grouping"].astype("U9")
    twice.columns["grouping"][len(found) :] = "similar"
    once = merge_study.distinct(twice)
    for name, values in found.columns.items():
        assert once.columns[name].tolist() == values.tolist()
    assert merge_study.distinct(found).columns["seed"].size == len(found)


def test_similar_classes_are_neighbours_and_dissimilar_ones_are_not():
    d = on_a_line([0, 1, 10, 11, 20, 21])
    found = merge_study.groupings(d, 2, ["similar", "dissimilar"], 0, np.random.default_rng(0))
    assert found["similar"].tolist() == [0, 0, 1, 1, 2, 2]
    sums = [merge_study._within_sum(d, g) for g in merge_study.partitions(6, 2)]
    assert merge_study._within_sum(d, found["similar"]) == min(sums) == 3
    assert merge_study._within_sum(d, found["dissimilar"]) == max(sums)
    assert merged_diversity(d, found["similar"]) < merged_diversity(d, found["dissimilar"])


def test_more_classes_than_can_be_gone_through_are_merged_greedily():
    d = on_a_line(np.arange(20) + 10 * (np.arange(20) // 4))  # Five clusters of four.
    assert merge_study.num_partitions(20, 4) > merge_study._ALL_UP_TO
    found = merge_study.groupings(d, 4, ["similar"], 0, np.random.default_rng(0))["similar"]
    assert found.tolist() == np.repeat(np.arange(5), 4).tolist()


def test_random_groupings_differ_and_the_first_of_many_are_those_of_few():
    d = on_a_line(range(10))
    few, many = (
        merge_study.groupings(d, 2, merge_study.GROUPINGS, n, np.random.default_rng(3))
        for n in (2, 9)
    )
    assert list(few) == ["similar", "dissimilar", "random_0", "random_1"]
    assert all(np.array_equal(many[name], few[name]) for name in few)
    assert len({tuple(g.tolist()) for g in many.values()}) == 11
    assert merge_study.groupings(d, 1, ["random"], 2, np.random.default_rng(0)).keys() == {"none"}
    alone = merge_study.groupings(d, 2, ["random"], 2, np.random.default_rng(3))
    assert list(alone) == ["random_0", "random_1"]
    assert np.array_equal(alone["random_0"], few["random_0"])
    # Of three ways to merge four classes two are the extremes.
    d4 = np.array([[0, 1, 5, 9], [1, 0, 9, 6], [5, 9, 0, 2], [9, 6, 2, 0]])
    for seed in range(9):
        third = merge_study.groupings(d4, 2, ["random"], 1, np.random.default_rng(seed))
        assert third["random_0"].tolist() == [0, 1, 0, 1]
    with pytest.raises(UserError, match="at most 1, as there are ways to merge 4"):
        merge_study.groupings(
            on_a_line(range(4)), 2, merge_study.GROUPINGS, 2, np.random.default_rng(0)
        )


def test_diversity_is_that_of_two_random_members():
    rng = np.random.default_rng(0)
    members, labels = rng.normal(size=(40, 3)), np.repeat(range(4), 10)
    d = class_distances(members, labels)
    groups = np.array([0, 1, 0, 1])
    by_hand = []
    for s in (0, 1):
        a, b = np.flatnonzero(groups == s)
        cross = np.linalg.norm(members[labels == a][:, None] - members[labels == b], axis=2).mean()
        own = []
        for c in (a, b):
            couples = itertools.combinations(members[labels == c], 2)
            own.append(np.mean([np.linalg.norm(x - y) for x, y in couples]))
        by_hand.append(cross / 2 + sum(own) / 4)
    assert_allclose(merged_diversity(d, groups), np.mean(by_hand))
    assert_allclose(merged_diversity(d, range(4)), np.diagonal(d).mean())


def models(value, num_groupings=8, seeds=2, paths=30, between=4, num_classes=6):
    """Networks of merged pairs (and of none) whose centroid is value(grouping, seed, kind, path).

    The grouping is its diversity, from 0.
    """
    rng = np.random.default_rng(0)
    couples = itertools.combinations(range(num_classes), 2)
    within = [(c, c) for c in range(num_classes) for _ in range(paths)]
    classes = np.array(within + [couple for couple in couples for _ in range(between)])
    ways = list(merge_study.partitions(num_classes, 2))
    chosen = [ways[i] for i in rng.permutation(len(ways))[:num_groupings]]
    rows, along = [], []
    for g, groups in [(-1, np.arange(num_classes)), *enumerate(chosen)]:
        first, last = groups[classes[:, 0]], groups[classes[:, 1]]
        same = classes[:, 0] == classes[:, 1]
        kind = np.where(same, "same", np.where(first == last, "merged", "apart"))
        for seed in range(seeds):
            rows.append(
                {
                    "merge": 1 if g < 0 else 2,
                    "grouping": "none" if g < 0 else f"random_{g}",
                    "seed": seed,
                    "groups": merge_study.groups_text(groups),
                    "image_distance": float(g),
                    "feature_angle": float(-g),
                }
            )
            along.append([value(g, seed, k, p) for p, k in enumerate(kind)])
    values = np.array(along, float)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    everything = {f"held_out/{name}": values for name in MEASURES}
    everything |= {
        f"held_out/{name}": np.ones(values.shape, bool) for name in ("correct", "finite")
    }
    return Models(
        columns, everything, {"held_out": classes}, {"held_out": np.full(len(classes), 2.0)}
    )


def test_a_random_pair_of_a_super_class_is_of_one_class_with_the_share_of_one_over_k():
    found = models(lambda g, seed, kind, p: {"same": 1.0, "merged": 3.0, "apart": 100.0}[kind])
    merged = found[found.columns["grouping"] == "random_3"]
    mean = merge_study.mean_within(merged, CENTROID)
    assert_allclose([mean.value, mean.low, mean.high], 2.0)
    assert_allclose(merge_study.mean_within(merged, CENTROID, same_paths=True).value, 1.0)
    none = found[found.columns["merge"] == 1]
    assert_allclose(merge_study.mean_within(none, CENTROID).value, 1.0)
    assert_allclose(merge_study.length(merged), [2.0, 2.0])


def test_one_pair_of_three_is_of_one_class_in_a_super_class_of_three():
    found = models(lambda g, seed, kind, p: {"same": 1.0, "merged": 3.0, "apart": 100.0}[kind])
    merged = found[found.columns["grouping"] == "random_3"]
    merged.columns["groups"][:] = "0 0 1 1 0 1"
    values = merged.along["held_out/matched_centroid"]
    values[:] = np.where(merge_study.pair_types(merged)["same"], 1.0, 3.0)
    assert_allclose(merge_study.mean_within(merged, CENTROID).value, 1 / 3 + 3 * 2 / 3)


def test_super_classes_of_different_sizes_count_alike():
    """As `merged_diversity` has it: the mean of v over two random members of each of them."""
    found = models(lambda g, seed, kind, p: 0.0)
    merged = found[found.columns["grouping"] == "random_3"]
    groups = np.array([0, 0, 0, 1, 1, 2])
    merged.columns["groups"][:] = merge_study.groups_text(groups)
    v = np.random.default_rng(0).uniform(size=(6, 6))
    v += v.T
    first, last = merged.classes["held_out"].T
    merged.along["held_out/matched_centroid"][:] = v[first, last]
    wanted = merged_diversity(v, groups)
    assert_allclose(merge_study.mean_within(merged, CENTROID).value, wanted)
    plain = np.diagonal(v).mean()
    assert abs(wanted - plain) > 0.01
    assert_allclose(merge_study.mean_within(merged, CENTROID, same_paths=True).value, plain)


def with_known(value, num_random=8):
    """Networks of random groupings, the last of which is known by its meaning instead."""
    found = models(value, num_groupings=num_random + 1, seeds=3)
    names = found.columns["grouping"]
    names[names == f"random_{num_random}"] = merge_study.KNOWN
    return found


def test_a_known_grouping_is_held_against_the_scatter_of_random_ones():
    """Each grouping has a value of its own: Student's interval of one more such value, by hand."""
    of_grouping = np.random.default_rng(2).normal(9, 1, 10)
    of_grouping[8] = 3.0  # The known one.
    found = with_known(lambda g, seed, kind, p: of_grouping[g] + 0.1 * (seed - 1))
    at = found[found.columns["merge"] == 2]
    away = merge_study.known_minus_random(at, CENTROID)
    random = of_grouping[:8]
    half = scipy.stats.t.ppf(0.975, 7) * random.std(ddof=1) * np.sqrt(1 + 1 / 8)
    middle = 3.0 - random.mean()
    assert_allclose([away.value, away.low, away.high], [middle, middle - half, middle + half])
    assert (away.n, away.unit, away.low < away.high < 0) == (8, "random groupings", True)
    t = middle / (random.std(ddof=1) * np.sqrt(1 + 1 / 8))
    assert away.p_value == pytest.approx(2 * scipy.stats.t.sf(abs(t), 7))
    same = merge_study.known_minus_random(at, CENTROID, same_paths=True)
    assert_allclose(same.value, away.value)
    without = at[at.columns["grouping"] != merge_study.KNOWN]
    told = merge_study.known_minus_random(without, CENTROID).text()
    assert told == "not enough: 0 known groupings, 1 needed"
    one = at[np.isin(at.columns["grouping"], ["random_0", merge_study.KNOWN])]
    alone = merge_study.known_minus_random(one, CENTROID)
    assert_allclose(alone.value, 3.0 - of_grouping[0])
    assert np.isnan(alone.low)


def test_a_hierarchy_is_a_claim_of_its_own_with_two_readings_that_decide():
    found = with_known(lambda g, seed, kind, p: float(p + g))
    findings = merge_study.claims(found, num_resamples=10)
    own = [f for f in findings if f.claim == merge_study.OF_HIERARCHY]
    assert len(own) == 2 * len(merge_study.READINGS)
    decided = {f.primary: f.reading for f in own if f.primary}
    assert decided == {
        "published": "DFT share, all paths, known minus random",
        "corrected": "centroid at matched confidence, all paths, within original classes, known "
        "minus random",
    }
    rest = [f for f in findings if f.claim == merge_study.CLAIM]
    assert len(rest) == 6 * len(merge_study.READINGS)


@pytest.mark.parametrize(("distance", "sign", "word"), [(-1.0, -1, "slower"), (20.0, 1, "faster")])
def test_what_is_claimed_of_a_hierarchy_follows_from_its_diversity(distance, sign, word):
    """Random ones have distances from 0 to 7."""
    found = with_known(lambda g, seed, kind, p: float(p + g))
    found.columns["image_distance"][found.columns["grouping"] == merge_study.KNOWN] = distance
    findings = merge_study.claims(found, num_resamples=10)
    own = [f for f in findings if f.claim == merge_study.OF_HIERARCHY]
    assert {(f.direction, f.statement.rpartition(" have ")[2]) for f in own} == {
        (sign, f"{word} functions")
    }


def test_numbers_merged_on_average_are_kept_apart_from_whole_ones():
    found = with_known(lambda g, seed, kind, p: 9.0 + g)
    merge = found.columns["merge"].astype(float)
    merge[found.columns["seed"] == 2] *= 1.25  # 2 and 2.5: other settings.
    mixed = dataclasses.replace(found, columns={**found.columns, "merge": merge})
    assert merge_study.merges_of(mixed) == [1.25, 2, 2.5]
    assert {"2/known", "2.5/known"} <= set(merge_study.setting_of(mixed).tolist())
    assert "1/none" in merge_study.setting_of(found).tolist()


def test_an_interval_of_a_weighted_mean_is_that_of_its_kinds_of_paths():
    """Two kinds far apart, with little scatter within each: the difference is no scatter."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 1_000)
    found = models(
        lambda g, seed, kind, p: {"same": 1.0, "merged": 3.0, "apart": 0.0}[kind] + noise[p]
    )
    mean = merge_study.mean_within(found[found.columns["grouping"] == "random_0"], CENTROID)
    assert mean.high - mean.low < 0.02
    assert_allclose(mean.value, 2.0, atol=0.01)


def test_frequency_that_follows_diversity_is_found_at_a_fixed_number_of_classes():
    noise = np.random.default_rng(1).normal(0, 0.5, (9, 2, 1_000))
    found = models(lambda g, seed, kind, p: 9 + g + noise[g, seed, p])
    merged = found[found.columns["merge"] == 2]
    rho = merge_study.over_groupings(merged, "image_distance", CENTROID)
    assert_allclose(rho.value, 1.0)
    assert (rho.n, rho.low > 0.5) == (8, True)
    assert rho.p_value == rho.least_p_value == pytest.approx(2 / 40_320)
    assert "groupings" in rho.method
    other = merge_study.over_groupings(merged, "feature_angle", CENTROID, same_paths=True)
    assert_allclose(other.value, -1.0)
    few = merge_study.over_groupings(
        merged[merged.columns["image_distance"] < 3], "merge", CENTROID
    )
    assert few.text() == "not enough: 3 groupings, 4 needed"


def test_the_length_of_the_paths_is_held_fixed():
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(15, 2, 1_000))
    found = models(lambda g, seed, kind, p: 9 + noise[g, seed, p], num_groupings=15)
    found = found[found.columns["merge"] == 2]
    found.distances["held_out"][:] = lengths = rng.uniform(1, 9, len(found.distances["held_out"]))
    kinds = merge_study.pair_types(found)
    by_hand = [
        (lengths[s].mean() + lengths[m].mean()) / 2
        for s, m in zip(kinds["same"], kinds["merged"], strict=True)
    ]
    assert_allclose(merge_study.length(found), by_hand)
    values = found.along["held_out/matched_centroid"]
    means = [
        (v[s].mean() + v[m].mean()) / 2
        for v, s, m in zip(values, kinds["same"], kinds["merged"], strict=True)
    ]
    settings = merge_study.setting_of(found)
    wanted = correlation_over_settings(
        found.columns["image_distance"], means, settings, control=by_hand, num_resamples=10
    )
    held = merge_study.over_groupings(
        found, "image_distance", CENTROID, length_held=True, num_resamples=10
    )
    assert_allclose(held.value, wanted.value)
    plain = merge_study.over_groupings(found, "image_distance", CENTROID, num_resamples=10)
    assert abs(held.value - plain.value) > 0.01


def test_what_merging_changes_is_told_path_by_path():
    """Hard paths are faster for all; merged ones lose 2, and merging as such adds 1 within."""
    hard = np.random.default_rng(3).normal(0, 10, 1_000)
    extra = {"same": 1.0, "merged": -2.0, "apart": 0.0}
    hard += 99
    found = models(lambda g, seed, kind, p: hard[p] + (extra[kind] if g >= 0 else 0.0))
    away, none = merge_study.merged_minus_none(found, CENTROID, 2)
    assert_allclose([away.value, away.low, away.high], 1.0)
    assert_allclose(none, hard[: 6 * 30].mean())
    away, _ = merge_study.merged_minus_none(found, CENTROID, 2, "random_1", "merged")
    assert_allclose([away.value, away.low, away.high], -2.0)
    away, _ = merge_study.merged_minus_apart(found, CENTROID, 2)
    assert_allclose([away.value, away.low, away.high], -2.0)
    assert "clusters of paths" in away.unit


def test_too_few_paths_are_told_and_not_averaged():
    found = models(lambda g, seed, kind, p: 1.0 * p, between=1)
    merged = found[found.columns["merge"] == 2]
    rho = merge_study.over_groupings(merged, "image_distance", CENTROID)
    assert rho.text() == "not enough: 3 paths between merged classes, 10 needed"
    away, reference = merge_study.merged_minus_none(found, CENTROID, 2, "random_0", "merged")
    assert np.isnan([away.value, reference]).all()
    few = models(lambda g, seed, kind, p: 1.0, paths=3)
    few = few[few.columns["merge"] == 2]
    told = merge_study.over_groupings(few, "image_distance", CENTROID).text()
    assert told == "not enough: 18 paths, 20 needed"


def test_one_cycle_on_every_path_decides_nothing():
    """Longer paths between more distant classes are slower per distance, by distance alone."""
    found = models(lambda g, seed, kind, p: 0.0, num_groupings=15)
    kinds = merge_study.pair_types(found)
    distances = found.distances["held_out"]
    for i, g in enumerate(found.columns["image_distance"]):
        distances[kinds["merged"][i]] += max(g, 0.0)  # Those that diverse groupings merge.
    for values in found.along.values():
        if values.dtype == float:
            values[:] = 1 / distances  # Cycles per distance.
    findings = {f.reading: f for f in merge_study.claims(found, num_resamples=10)}
    misled = "centroid at matched confidence, all paths, over groupings of 2 by distance of images"
    assert findings[misled].estimate.p_value < 0.05
    assert not findings[misled].primary
    (decides,) = (f for f in findings.values() if f.primary == "corrected")
    assert np.isnan(decides.estimate.value)
    assert "does not vary" in decides.estimate.missing


def test_every_reading_is_asked_and_two_decide():
    found = models(lambda g, seed, kind, p: float(p + g))
    findings = merge_study.claims(found, num_resamples=10)
    assert [f.primary for f in findings if f.primary] == ["published", "corrected"]
    decided = {f.primary: f.reading for f in findings if f.primary}
    assert decided == {
        "published": "DFT share, all paths, over the number merged at random",
        "corrected": "centroid at matched confidence, all paths, within original classes, over "
        "groupings of 2 by distance of images",
    }
    assert len({f.reading for f in findings}) == len(findings) == 6 * len(merge_study.READINGS)


def test_a_smallest_merge_without_networks_leaves_its_readings_without_a_number():
    """All networks of it diverged: what decides stays what it was, and says what it wants."""
    found = models(lambda g, seed, kind, p: 9.0 + g)
    asked = merge_study.claims(found, num_resamples=10, merges=[1, 2, 5])
    left = found[found.columns["merge"] != 2]
    without = merge_study.claims(left, num_resamples=10, merges=[1, 2, 5])
    assert [f.reading for f in without] == [f.reading for f in asked]
    assert [f.primary for f in without] == [f.primary for f in asked]
    (decides,) = (f for f in without if f.primary == "corrected")
    assert "over groupings of 2" in decides.reading
    assert np.isnan(decides.estimate.value)
    assert decides.estimate.text().startswith("not enough: 0 groupings")
