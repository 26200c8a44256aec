import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import scipy.stats
from boards import assert_board
from conftest import ROOT, assert_refused, launch, tiny_imagenet
from PIL import Image

from spectral_tf.experiments import class_study, merge_study
from spectral_tf.experiments.path_study import Models
from spectral_tf.records import read_table

SYNSETS = ("n01440764", "n01751748", "n02085620", "n09193705")
TINY = ["--dataset=digits", "--width=4", "--num_epochs=2", "--train_size=600"]
ONE = [*TINY, "--pairs=6", "--num_samples=8", "--classes_at_once=4", "--seeds=2"]
MERGED = [*TINY, "--pairs=4", "--between_pairs=2", "--num_samples=8", "--merges=1,2"]


def columns(path, name):
    return {k: np.asarray(v) for k, v in read_table(path / f"{name}.csv").items()}


def same_findings(path, findings):
    """Claims as they stand in the table are those that the kept paths give."""
    table = columns(path, "claims")
    assert table["reading"].tolist() == [f.reading for f in findings]
    assert table["primary"].tolist() == [f.primary for f in findings]
    for column, of in (("estimate", "value"), ("estimate_p", "p_value")):
        told = [getattr(f.estimate, of) for f in findings]
        numbers = np.array([np.nan if x is None else x for x in told], float)
        assert np.isfinite(numbers).mean() > 0.5, "of few paths some say nothing"
        np.testing.assert_array_equal(table[column].astype(float), numbers)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, embedded_dir):
    path = tmp_path_factory.mktemp("class_diversity") / "run"
    flags = [*ONE, f"--data_dir={embedded_dir}"]
    result = launch("class_diversity", *flags, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    return path, result, flags


def test_classes_of_two_trained_networks(finished):
    path, result, _ = finished
    lines = result.stdout.splitlines()
    assert lines[0] == "2 networks of different seeds"
    assert "run folder" in result.stdout
    assert_board(path, "class_diversity")
    classes, rhos = columns(path, "classes"), columns(path, "correlations")
    assert classes["class"].tolist() == list(range(10))
    for name in ("distance", "feature_angle", "feature_variance", "pixel_distance"):
        assert (classes[name] > 0).all()
    assert (classes["num_paths"] == 6).all()
    assert set(classes["matched_centroid_n"]) == {2}
    # Features are not negative, so their angle is below 1.
    assert (classes["feature_angle"] < 1).all()
    assert len(rhos["rho"]) == 3 * 11 * 3
    networks = columns(path, "models")
    assert (networks["num_samples"] >= 65).all()
    assert set(networks) >= {"temperature", "relative_change", "accuracy"}
    # By hand, from the values of every path.
    with np.load(path / "paths.npz") as kept:
        paths = {name: kept[name] for name in kept}
    assert paths["along/held_out/dft_share"].dtype == np.float32
    number = paths["classes/held_out"][:, 0]
    for column, rho_of in (("rho", [0, 1]), ("rho_seed_1", [1])):
        shares = paths["along/held_out/dft_share"][rho_of].astype(float).mean(axis=0)
        means = [shares[number == c].mean() for c in range(10)]
        by_hand = scipy.stats.spearmanr(classes["feature_angle"], means).statistic
        np.testing.assert_allclose(rhos[column][0], by_hand)
    for name in ("dft_share", "centroid"):
        Image.open(path / "figures" / f"{name}.png").verify()


def test_claims_follow_from_what_is_kept_of_the_paths(finished):
    path, _, _ = finished
    kept = class_study.Classes.read(path)
    rhos = class_study.correlations(kept, num_resamples=1)
    same_findings(path, class_study.claims(rhos))
    # What is kept of one path of one network is heard.
    kept.networks.along["held_out/dft_share"][0, 0] *= 2
    with pytest.raises(AssertionError, match="Mismatched elements: [1-9]"):
        same_findings(path, class_study.claims(class_study.correlations(kept, num_resamples=1)))


@pytest.mark.long
def test_a_run_goes_on_with_the_classes_that_it_has(finished):
    """As if it had been killed after two of three blocks of classes."""
    path, _, flags = finished
    names = ("classes", "correlations", "claims", "models")
    tables = {name: (path / f"{name}.csv").read_text() for name in names}
    (path / "summary.json").unlink()
    kept = [path / "checkpoints" / f"classes_{i:05d}" / "measured.npz" for i in (0, 4, 8)]
    kept[2].unlink()
    written = [file.stat().st_mtime_ns for file in kept[:2]]
    again = launch("class_diversity", *flags, f"--workdir={path}")
    assert again.returncode == 0, again.stderr
    assert [file.stat().st_mtime_ns for file in kept[:2]] == written
    for name, text in tables.items():
        assert (path / f"{name}.csv").read_text() == text


@pytest.mark.matrix
def test_features_of_another_file_are_not_mixed_into_a_run(finished, embedded_dir, tmp_path):
    """A plain model of somebody, with a layer called flatten and a softmax behind."""
    _, _, flags = finished
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(6, "relu")]
    file = tmp_path / "features.keras"

    def save(seed):
        keras.utils.set_random_seed(seed)
        keras.Sequential([*layers, keras.layers.Dense(10), keras.layers.Softmax()]).save(file)

    save(0)
    given = [*flags, "--seeds=1", f"--features={file}", f"--workdir={tmp_path / 'run'}"]
    first = launch("class_diversity", *given)
    assert first.returncode == 0, first.stderr
    (tmp_path / "run" / "summary.json").unlink()
    save(1)
    again = launch("class_diversity", *given)
    assert again.returncode == 2
    assert "features_sha256" in again.stderr.splitlines()[-1]


@pytest.mark.long
def test_imagenet_in_the_official_format(tmp_path):
    """Random weights, four classes of 40 images, one of which is corrupt; blocks of 3 classes."""
    tiny_imagenet(tmp_path / "tar", SYNSETS, images_in_synset=40, corrupt=1)
    flags = [
        f"--flagfile={ROOT / 'results' / 'class_diversity' / 'imagenet.flags'}",
        *(f"--data_dir={tmp_path / 'data'}", f"--manual_dir={tmp_path / 'tar'}"),
        *("--held_out=train", "--classes=0,65,151,970", "--classes_at_once=3", "--side=32"),
        "--pairs=4",
        *("--application=MobileNetV2", "--features=MobileNetV2", "--num_samples=5"),
        *("--weights=random", "--features_weights=random", f"--workdir={tmp_path / 'run'}"),
    ]
    result = launch("class_diversity", *flags)
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["num_classes"], summary["unreadable_images"]) == (4, 1)
    assert "one saved network, which says nothing of another training" in result.stdout
    assert summary["rests_on"].startswith("one saved network")
    claims = columns(tmp_path / "run", "claims")
    held = np.char.endswith(claims["reading"].astype(str), "held fixed")
    for method in claims["estimate_method"][held]:  # Of correct paths there may be none.
        assert method.startswith("none: not enough: ")
        assert method.endswith("classes, 5 needed, over classes")
    classes = columns(tmp_path / "run", "classes")
    assert classes["name"].tolist() == list(SYNSETS)
    flags[-1] = f"--workdir={tmp_path / 'w'}"
    wrong = launch("class_diversity", *flags, "--weights=none.h5")
    assert wrong.returncode == 2
    assert "--weights: expected imagenet (Keras fetches them)" in wrong.stderr.splitlines()[-1]
    (tmp_path / "other.weights.h5").write_bytes(b"none")
    other = launch("class_diversity", *flags, f"--weights={tmp_path / 'other.weights.h5'}")
    assert other.returncode == 2
    assert "expected weights of this network" in other.stderr.splitlines()[-1]


@pytest.mark.long
def test_merged_classes(embedded_dir, tmp_path):
    flags = [*MERGED, "--random_groupings=4", "--seeds=2", f"--data_dir={embedded_dir}"]
    path = tmp_path / "run"
    result = launch("class_diversity_merged", *flags, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    models, groupings = columns(path, "models"), columns(path, "groupings")
    assert len(models["merge"]) == 2 * (1 + 6)
    assert groupings["grouping"].tolist() == [
        *("none", "similar", "dissimilar"),
        *(f"random_{i}" for i in range(4)),
    ]
    # The number of classes left is the same; what differs is what is merged.
    merged = groupings["merge"] == 2
    diverse = groupings["image_distance"][merged]
    assert diverse.argmin() == 0
    assert diverse.argmax() == 1
    assert len(set(models["groups"][models["merge"] == 2])) == 6
    assert (groupings["image_distance"][~merged] < diverse).all()
    kept = Models.read(path)
    same_findings(path, merge_study.claims(kept, num_resamples=1))
    # By hand: the same paths within classes, merged minus not, seed by seed.
    changes = columns(path, "differences")
    row = (changes["grouping"] == "all") & (changes["measure"] == "matched_centroid")
    row &= changes["pair_type"] == "same"
    within = kept.classes["held_out"][:, 0] == kept.classes["held_out"][:, 1]
    centroids = kept.along["held_out/matched_centroid"].astype(float)
    # Where nothing varies in one of the networks there is no frequency to compare.
    values = centroids[:, within & (centroids > 0).all(axis=0)].mean(axis=1)
    by_hand = values[models["merge"] == 2].mean() - values[models["merge"] == 1].mean()
    np.testing.assert_allclose(changes["difference"][row], by_hand)
    for name in ("dft_share_2", "centroid_2"):
        Image.open(path / "figures" / f"{name}.png").verify()
    again = launch("class_diversity_merged", *flags, f"--workdir={path}")
    assert "finished" in again.stdout
    # Another random grouping; a training that is lost is made again, and ends in the same numbers.
    lost = path / "checkpoints" / "merge_2" / "similar" / "seed_1"
    shutil.rmtree(lost)
    others = path / "checkpoints" / "merge_2" / "similar" / "seed_0" / "found.npz"
    before, written = (path / "models.csv").read_text(), others.stat().st_mtime_ns
    more = [flag.replace("groupings=4", "groupings=5") for flag in flags]
    grown = launch("class_diversity_merged", *more, f"--workdir={path}")
    assert grown.returncode == 0, grown.stderr
    assert others.stat().st_mtime_ns == written
    now = (path / "models.csv").read_text().splitlines()
    assert [line for line in now if "random_4" not in line] == before.splitlines()


OWN = """class,superclass
0,round
1,straight
2,open
3,open
4,straight
5,open
6,round
7,straight
8,round
9,round
"""


@pytest.mark.long
def test_a_hierarchy_of_ones_own_stands_beside_groupings_of_its_sizes(embedded_dir, tmp_path):
    (tmp_path / "own.csv").write_text(OWN)
    flags = [*MERGED, "--merges=1", f"--hierarchy={tmp_path / 'own.csv'}"]
    flags += ["--random_groupings=3", f"--data_dir={embedded_dir}"]
    path = tmp_path / "run"
    result = launch("class_diversity_merged", *flags, f"--workdir={path}")
    assert result.returncode == 0, result.stderr
    groupings, models = columns(path, "groupings"), columns(path, "models")
    names = ["none", "known", "similar", "dissimilar", "random_0", "random_1", "random_2"]
    assert groupings["grouping"].tolist() == names
    assert groupings["merge"].tolist() == [1] + [10 / 3] * 6
    assert groupings["classes"][1] == "0+6+8+9 1+4+7 2+3+5"
    for groups in models["groups"][1:]:
        assert merge_study.sizes_of(merge_study.groups_of(str(groups))) == [4, 3, 3]
    claims = columns(path, "claims")
    own = claims["claim"] == merge_study.OF_HIERARCHY
    assert sorted(claims["primary"][own])[-2:] == ["corrected", "published"]
    (published,) = claims["estimate"][own & (claims["primary"] == "published")].astype(float)
    means = groupings["super_dft_share"].astype(float)
    assert published == pytest.approx(means[1] - means[4:].mean())
    assert "known minus random" in result.stdout
    summary = json.loads((path / "summary.json").read_text())
    assert set(summary["accuracy"]) == {"merge_1", "merge_3.33333"}
    same_findings(path, merge_study.claims(Models.read(path), num_resamples=1))
    # Another table of the same name makes other super-classes.
    (path / "summary.json").unlink()
    (tmp_path / "own.csv").write_text(OWN.replace("9,round", "9,open"))
    again = launch("class_diversity_merged", *flags, f"--workdir={path}")
    assert_refused(again, "hierarchy_sha256")


def test_the_flagfile_of_cifar_100_is_a_plan():
    flagfile = ROOT / "results" / "class_diversity" / "cifar100_wrn_32.flags"
    code = (
        "import runpy, sys; from absl import flags; "
        f"names = runpy.run_path({str(ROOT / 'launchers' / 'class_diversity_merged.py')!r}); "
        f"flags.FLAGS(['page', {f'--flagfile={flagfile}'!r}]); plan = names['plan'](); "
        "print(plan.merges, len(plan.hierarchy), plan.random_groupings, plan.seeds, plan.pairs, "
        "plan.between_pairs, plan.setting.model, plan.setting.num_epochs)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.split("\n")[0] == "[1, 5] 100 8 3 20 1 wrn_32 200", result.stderr


def test_hierarchies_that_do_not_fit_get_one_line(embedded_dir, tmp_path):
    where = [f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}", *MERGED]
    own = f"--hierarchy={tmp_path / 'own.csv'}"
    (tmp_path / "own.csv").write_text(OWN.replace("9,round\n", ""))
    told = "--hierarchy: expected a super-class for each of 10 classes and no other, got 1 without"
    assert_refused(launch("class_diversity_merged", *where, own), told)
    (tmp_path / "own.csv").write_text(OWN.replace("open", "straight"))  # 4 and 6: 5 on average.
    told = "--merges: expected numbers without 5, which the hierarchy merges on average"
    assert_refused(launch("class_diversity_merged", *where, own, "--merges=1,5"), told)


@pytest.mark.long
def test_mistakes_get_one_line(finished, embedded_dir, tmp_path):
    nested = tmp_path / "nested.keras"
    inner = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    outer = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1.0), keras.Sequential(inner)]
    keras.Sequential(outer).save(nested)
    own, plain = f"{finished[0]}/checkpoints/features", "--width=0 --num_epochs=20"
    mistakes = {
        "class_diversity_merged": {
            "--merges=1,3": "--merges: expected 1 and other divisors of 10",
            "--merges=2,5": "--merges: expected 1 and",
            "--merges=1": "--merges: expected 1 and",
            "--groupings=alike": "--groupings: expected some of similar",
            "--merges=1,5 --between_pairs=1 --random_groupings=125": (
                "--random_groupings: expected at most 124"
            ),
            "--pairs=16": "--pairs and --between_pairs: expected paths that leave 100",
            "--between_pairs=5": "--between_pairs: expected 1 to",
            "--num_samples=3": "--num_samples: expected 4 or more",
        },
        "class_diversity": {
            "--classes=1,2,3": "--classes: expected at least 4",
            f"--from_run={own} --features={own} --seeds=2 {plain}": "--seeds: expected networks",
            f"--from_run={own} {plain}": "--features: expected a network other than the one",
            f"--from_run={own} --features={own} {plain}": "--features: expected a network other",
            "--features=nothing": "--features: expected a .keras file, or a run folder",
            "--num_samples=2": "--num_samples: expected 4 or more",
            "--pairs=16": "--pairs: expected paths that leave 100 images",
            "--pairs=30": "--pairs: expected 1 to",
            "--features_weights=random": "--features_weights: expected an application",
            f"--features={nested}": "--features: expected a network that ends in a fully",
        },
    }
    given = [*TINY, "--pairs=4", f"--data_dir={embedded_dir}", f"--workdir={tmp_path / 'run'}"]
    for page, lines in mistakes.items():
        for flags, line in lines.items():
            assert_refused(launch(page, *given, *flags.split()), line)
    assert not (tmp_path / "run").exists()
