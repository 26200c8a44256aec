import dataclasses

import pytest
from conftest import ROOT

from spectral_tf.errors import UserError
from spectral_tf.experiments.classification import Setting
from spectral_tf.experiments.sweeps import SWEEPS, owners, shard_of, variants

BASE = Setting(width=4, augmentations=("flip",))
VALUES = {
    "sweeps": list(SWEEPS),
    "measured_epochs": ["1"],
    "architectures": ["small_resnet", "small_resnet:4"],
    "widths": ["8", "16"],
    "shares": ["0.25"],
    "recipes": ["cutout+mixup:0.2", "none"],
    "alphas": ["0", "0.5"],
    "decays": ["0"],
    "option_sets": ["unnormalised", "gamma_swish+unnormalised"],
}


def test_every_case_changes_one_thing():
    found = {variant.name: variant for variant in variants(BASE, VALUES)}
    assert list(found) == [
        *("baseline", "architecture=small_resnet", "architecture=small_resnet:4"),
        *("width=8", "width=16"),
        *("examples_equal_epochs=0.25", "examples_equal_steps=0.25"),
        *("augmentation=cutout+mixup:0.2", "augmentation=none"),
        *("distillation=0", "distillation=0.5", "weight_decay=0"),
        *("network_options=unnormalised", "network_options=gamma_swish+unnormalised"),
    ]
    assert found["baseline"].setting == BASE
    assert found["width=8"].setting == Setting(width=8, augmentations=("flip",))
    other = found["architecture=small_resnet:4"].setting
    assert (other.model, other.width) == ("small_resnet", 4)
    mixed = found["augmentation=cutout+mixup:0.2"].setting
    assert (mixed.augmentations, mixed.mixup_alpha) == (("cutout",), 0.2)
    assert found["augmentation=none"].setting == Setting(width=4)
    assert [found[f"examples_equal_{e}=0.25"].equal_steps for e in ("epochs", "steps")] == [0, 1]
    both = found["network_options=gamma_swish+unnormalised"].setting
    assert both.network_options == ("gamma_swish", "unnormalised")
    assert (found["distillation=0.5"].alpha, found["distillation=0.5"].setting) == (0.5, BASE)


@pytest.mark.parametrize("goal", [{"stop_at_loss": 0.5}, {"stop_at_accuracy": 0.8}])
def test_fewer_images_are_one_setting_where_trainings_stop_by_themselves(goal):
    base, values = dataclasses.replace(BASE, **goal), {**VALUES, "sweeps": ["examples"]}
    assert [variant.name for variant in variants(base, values)][1:] == ["examples_equal_steps=0.25"]


@pytest.mark.parametrize("num_shards", [1, 2, 3, 40])
def test_shards_take_every_training_once_and_students_with_their_teacher(num_shards):
    found = variants(BASE, VALUES)
    taken = list(owners(found, [3] * len(found), num_shards))
    assert len(taken) == 3 * len(found)
    assert set(taken) <= set(range(num_shards))
    for seed in range(3):
        of_seed = taken[seed * len(found) : (seed + 1) * len(found)]
        assert {of_seed[i] for i, variant in enumerate(found) if variant.alpha is not None} == {
            of_seed[0]
        }
    if num_shards <= 3:
        counts = [taken.count(shard) for shard in range(num_shards)]
        assert max(counts) - min(counts) <= 6  # But for the students, evenly.


def test_a_baseline_of_more_seeds_takes_its_students_along():
    found = variants(BASE, VALUES)
    seeds = [5 if variant.sweep in ("baseline", "distillation") else 2 for variant in found]
    taken = list(owners(found, seeds, 2))
    assert len(taken) == sum(seeds)
    # The last three seeds are baseline and two students, together on one shard.
    for i in range(3):
        assert len(set(taken[len(taken) - 9 :][3 * i : 3 * i + 3])) == 1


def test_mistakes():
    for name, words, line in (
        ("sweeps", ["colour"], "--sweeps: expected some of time"),
        ("shares", ["1.5"], "--shares: expected at most 1"),
        ("architectures", ["resnet"], "architectures: expected some of convnet"),
        ("architectures", ["convnet:0"], "architectures: expected some of convnet"),
        ("architectures", ["convnet@0"], "architectures: expected some of convnet"),
        ("architectures", ["convnet:4@"], "architectures: expected some of convnet"),
        ("option_sets", ["fixpu"], "option_sets: expected names of unnormalised, fixup.*got fixpu"),
        ("option_sets", ["fixup+fixup"], "option_sets: expected names of"),
        (
            "option_sets",
            ["fixup"],
            "sweeps=network_options=fixup: expected of convnet some of unnormalised, gamma_swish",
        ),
        ("alphas", ["-1"], "alphas: expected 0"),
        ("recipes", ["mixup"], "recipes: expected names of"),
        ("recipes", ["flip+flip"], "recipes: expected names of"),
        ("recipes", ["flip", "flip"], "augmentation=flip twice"),
        ("widths", ["0"], "--widths: expected 1 or more"),
        (
            "decays",
            ["0", "0.0005"],
            "differ from the baseline.*got weight_decay=0.0005",
        ),
    ):
        with pytest.raises(UserError, match=line):
            variants(BASE, {**VALUES, name: words})
    assert shard_of("2/3") == (1, 3)
    for text in ("0/2", "3/2", "1", "a/b"):
        with pytest.raises(UserError, match="shard: expected i/n"):
            shard_of(text)


def test_an_architecture_may_have_a_width_and_batches_of_its_own():
    values = {**VALUES, "sweeps": ["architecture"]}
    found = variants(BASE, {**values, "architectures": ["small_resnet:4@64", "pyramid_net@32"]})
    told = [(v.setting.model, v.setting.width, v.setting.batch_size) for v in found[1:]]
    assert told == [("small_resnet", 4, 64), ("pyramid_net", 0, 32)]
    bare = dataclasses.replace(BASE, network_options=("gamma_swish",))
    with pytest.raises(UserError, match="sweeps=architecture=pyramid_net: expected of pyramid_net"):
        variants(bare, {**values, "architectures": ["pyramid_net"]})


def test_students_of_a_teacher_and_mixed_images_have_labels_with_an_entropy():
    values = {**VALUES, "sweeps": ["augmentation", "distillation"], "alphas": ["0", "0.5", "1"]}
    found = variants(BASE, {**values, "recipes": ["cutout", "mixup:0.2"]})
    soft = [v.name for v in found if v.has_soft_labels]
    assert soft == ["augmentation=mixup:0.2", "distillation=0", "distillation=0.5"]


@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("cifar10_wrn_32", 1 + 4 + 4 + 2 * 7 + 7 + 1 + 3),
        ("cifar10_equal_loss", 1 + 5 + 4 + 7 + 7),
    ],
)
def test_the_flags_for_cifar_10_are_a_sweep(file, count):
    lines = (ROOT / "results" / "interventions" / f"{file}.flags").read_text().splitlines()
    given = dict(line.removeprefix("--").split("=", 1) for line in lines)
    values = {
        name: given[name].split(",") for name in ("sweeps", *SWEEPS.values()) if name in given
    }
    found = variants(
        Setting(model="wrn_32", augmentations=("flip", "pad_and_crop", "cutout")), values
    )
    assert len(found) == count
    pyramids = [v.setting.batch_size for v in found if v.setting.model == "pyramid_net"]
    assert pyramids == ([64] if file == "cifar10_equal_loss" else [])  # As published.


def test_the_paths_between_images_of_cifar_10_1_are_as_many_as_it_has_images_for():
    """Of 200 images of each class: two for a path within it, one for each between two of ten."""
    lines = (ROOT / "results" / "interventions" / "cifar10_paths.flags").read_text().splitlines()
    given = dict(line.removeprefix("--").split("=", 1) for line in lines)
    assert "shifted" in given["ends"].split(",")
    assert given["shifted"] == "cifar10_1/v6"
    assert 2 * int(given["pairs"]) <= 200
    assert 9 * int(given["between_pairs"]) <= 200
