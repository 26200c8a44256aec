"""Comparisons of runs that are made up, so that it is known what they must show."""

import json

import numpy as np
import pytest
from boards import assert_tags
from conftest import assert_refused, launch
from PIL import Image

from spectral_tf import spectra
from spectral_tf.records import read_table, write_table
from spectral_tf.records.waves import HeldOut, write_held_out

C, N, SEEDS = 10, 400, 3
U = np.random.default_rng(0).permutation((np.arange(N) + 0.5) / N)
# Of every image, how hard it is for any network.
HARD = 0.05 * np.random.default_rng(1).uniform(-1, 1, size=N)
FLAGS = {
    "dataset": "digits",
    "train_size": "0",
    "held_out": "test",
    "wave": "radial",
    "amplitude": "0.4",
    "per_batch_amplitude": "false",
    "noise_class": "-1",
    "degrees": "45.0",
    "directions": "1",
    "seed": "0",
    "seeds": "3",
    "num_epochs": "20",
    "cycles": "1,2,3,4",
    "model": "convnet",
    "width": "0",
    "weight_decay": "0.0005",
    "mixup_alpha": "0.0",
    "mixup_per_example": "false",
    "augmentations": "",
    "teacher": "",
    "distillation_alpha": "0.0",
    "learning_rate": "0.1",
}


def made_up(path, follows, null=None, parameters=1_000, data=None, images=None, **changes):
    """A finished run whose networks follow {cycles: beta}, and its null {cycles: beta}."""
    path.mkdir()
    rng = np.random.default_rng(len(str(path.name)))
    s = np.stack([0.4 * (1 + np.sin(2 * np.pi * c * U)) for c in follows])

    def log_ratios(share):
        """Of every seed, which differ a little in what they follow, too."""
        found = []
        for r in range(SEEDS):
            t = 0.4 + HARD + 0.02 * rng.uniform(-1, 1, size=N)
            for level, beta in zip(s, share, strict=True):
                t = t + (beta + 0.01 * (r - 1)) * (level - 0.4)
            found.append(spectra.smoothed_log_ratio(np.clip(t, 0.01, 1), C))
        return np.stack(found)

    networks = [log_ratios([follows[c] if c == own else 0.0 for c in follows]) for own in follows]
    images = np.arange(N) if images is None else images
    write_held_out(
        path / "held_out.npz",
        HeldOut(
            waves=np.array([f"radial_cycles_{c:g}" for c in follows]),
            directions=np.zeros(len(follows), np.int64),
            smoothing=s.astype(np.float32),
            log_ratios=np.stack(networks).astype(np.float16),
            lowest_log_ratios=np.stack(networks).astype(np.float16),
            null_log_ratios=log_ratios([(null or {}).get(c, 0.0) for c in follows])[None].astype(
                np.float16
            ),
            lowest_null_log_ratios=np.stack(networks).astype(np.float16),
            labels=np.arange(N) % C,
            clusters=np.arange(N) // 2,
            images=np.arange(N),
            num_classes=np.array(C),
        ).of(images),
    )
    flags = {**FLAGS, "cycles": ",".join(f"{c:g}" for c in follows), **changes}
    (path / "run.flags").write_text("".join(f"--{n}={v}\n" for n, v in flags.items()))
    write_table(
        path / "waves.csv",
        ("wave", "cycles"),
        [*((f"radial_cycles_{c:g}", float(c)) for c in follows), ("uniform", 0.0)],
    )
    summary = {"experiment": "noise_fitting", "dataset": "digits (embedded)", "num_seeds": SEEDS}
    (path / "summary.json").write_text(json.dumps({**summary, "parameters": parameters}))
    record = {"data": {"version": "digits/1.0.0", **(data or {})}}
    (path / "environment.json").write_text(json.dumps(record))
    return path


PLAIN = {1: 0.9, 2: 0.7, 3: 0.4, 4: 0.0}


def compared(folder, *cases, more=()):
    base = folder / "base"
    if not base.exists():
        made_up(base, PLAIN)
    flags = [f"--baseline={base}", f"--cases={','.join(map(str, cases))}", *more]
    return launch("noise_fitting_compare", *flags, f"--workdir={folder / 'compared'}")


def table(folder, name):
    return {k: np.asarray(v) for k, v in read_table(folder / "compared" / f"{name}.csv").items()}


def test_what_the_null_has_too_is_no_effect(tmp_path):
    # Both beta and its null are larger by 0.2 at 2 cycles, beta alone at 3.
    more = {1: 0.9, 2: 0.9, 3: 0.6, 4: 0.0}
    case = made_up(tmp_path / "case", more, null={2: 0.2}, width="32", parameters=4_000)
    result = compared(tmp_path, case)
    assert result.returncode == 0, result.stderr
    Image.open(tmp_path / "compared" / "figures" / "comparison.png").verify()
    assert_tags(tmp_path / "compared", "noise_fitting_compare")
    t = table(tmp_path, "comparison")
    assert t["case"].tolist() == ["base"] * 4 + ["case"] * 4
    assert t["differs"].tolist() == ["baseline"] * 4 + ["width 32 for 0"] * 4
    at = dict(zip(t["cycles"][4:], range(4, 8), strict=True))
    np.testing.assert_allclose(t["difference"][[at[2], at[3]]], 0.2, atol=0.02)
    np.testing.assert_allclose(t["difference_above_null"][[at[2], at[3]]], [0, 0.2], atol=0.02)
    assert t["difference_low"][at[2]] > 0.15
    assert t["difference_above_null_low"][at[2]] < 0 < t["difference_above_null_high"][at[2]]
    assert t["difference_above_null_low"][at[3]] > 0.15
    assert t["difference_above_null_method"][at[2]].endswith("over seeds x 200 clusters of images")
    assert t["learned"].tolist() == ["yes", "yes", "yes", "no"] * 2
    # Three seeds of one sign, both ways: 1 in 4.
    assert t["sign_test"][at[3]] == 0.25
    assert t["least_sign_test"].tolist() == [0.25] * 8
    assert t["difference_above_null_p"][at[3]] < 0.01 < t["difference_above_null_p"][at[2]]
    summary = json.loads((tmp_path / "compared" / "summary.json").read_text())
    assert summary["differs"] == {"case": "width 32 for 0"}
    assert "case (width 32 for 0)" in result.stdout


def test_c3_is_read_from_the_smallest_to_the_largest(tmp_path):
    narrow = made_up(
        tmp_path / "narrow", {1: 0.9, 2: 0.5, 3: 0.2, 4: 0.0}, width="8", parameters=500
    )
    wide = made_up(
        tmp_path / "wide", {1: 0.9, 2: 0.8, 3: 0.6, 4: 0.0}, width="32", parameters=4_000
    )
    assert compared(tmp_path, wide, narrow).returncode == 0
    t = table(tmp_path, "claims")
    assert set(t["claim"]) == {"C3"}
    assert (t["direction"] == 1).all()
    assert [reading.split(":")[0] for reading in t["reading"][::4]] == [
        "wide − narrow",
        "base − narrow",
        "wide − base",
    ]
    assert t["primary"].tolist() == ["published", "", "corrected", ""] + [""] * 8
    corrected = t["primary"] == "corrected"
    # Nothing in a reading hangs on the data: sets are compared by their texts.
    assert t["reading"][corrected].tolist() == [
        "wide − narrow: final β − null, at the fastest learned waves"
    ]
    # The fastest that one of both follows: 2 and 3 cycles, (0.3 + 0.4) / 2.
    summary = json.loads((tmp_path / "compared" / "summary.json").read_text())
    fastest = ["radial_cycles_2", "radial_cycles_3"]
    # Readings do not name the waves, estimates do.
    unit = ", over seeds x 200 clusters of images, radial_cycles_2 and radial_cycles_3"
    assert all(method.endswith(unit) for method in t["estimate_method"][:3])
    assert t["estimate_method"][3].endswith(f"{unit} against radial_cycles_1")
    assert np.isfinite(t["estimate_p"]).all()
    assert summary["fastest_learned_waves"]["wide − narrow"] == fastest
    assert t["estimate_low"][corrected] < 0.35 < t["estimate_high"][corrected]
    assert t["estimate_low"][corrected] > 0.3
    assert abs(t["estimate"][3] - 0.35) < 0.03  # The slowest wave is followed alike.
    # NF is higher where more of the wave is followed.
    assert t["estimate_low"][t["primary"] == "published"] > 0


REGULARISED = {
    "weight_decay": ({"weight_decay": "0.002"}, 1),
    "less_decay": ({"weight_decay": "0.0001"}, -1),
    "mixup": ({"mixup_alpha": "0.2", "mixup_per_example": "true"}, 1),
    "augmentation": ({"augmentations": "flip,pad_and_crop"}, 1),
    "distillation": ({"teacher": "t.keras", "distillation_alpha": "0.5"}, 1),
}


def test_c4_is_the_more_regularised_minus_the_less(tmp_path):
    slower = {1: 0.9, 2: 0.6, 3: 0.3, 4: 0.0}
    cases = [
        made_up(tmp_path / name, slower, **changes) for name, (changes, _) in REGULARISED.items()
    ]
    assert compared(tmp_path, *cases).returncode == 0
    t = table(tmp_path, "claims")
    # Two of one kind are told apart by their folders.
    names = ("weight_decay", "less_decay", "mixup", "augmentations", "distillation")
    assert list(dict.fromkeys(t["claim"])) == [f"C4 {name}" for name in names]
    assert (t["direction"] == -1).all()
    corrected = t["primary"] == "corrected"
    signs = [sign for _, sign in REGULARISED.values()]
    np.testing.assert_allclose(t["estimate"][corrected], -0.1 * np.array(signs), atol=0.02)
    assert (np.sign(t["estimate_low"][corrected]) == np.sign(t["estimate_high"][corrected])).all()
    differs = dict(zip(t["claim"], t["statement"], strict=True))
    statement = "Regularisation by mixup: fast label noise is fitted less closely"
    assert differs["C4 mixup"] == statement
    told = json.loads((tmp_path / "compared" / "summary.json").read_text())["differs"]
    assert told["mixup"] == "mixup_alpha 0.2 for 0.0, mixup_per_example true for false"


def test_other_things_are_compared_and_claim_nothing(tmp_path):
    case = made_up(tmp_path / "case", PLAIN, learning_rate="0.05")
    assert compared(tmp_path, case).returncode == 0
    assert not (tmp_path / "compared" / "claims.csv").exists()
    assert table(tmp_path, "comparison")["differs"][-1] == "learning_rate 0.05 for 0.1"


def test_without_a_learned_wave_nothing_is_read(tmp_path):
    made_up(tmp_path / "base", dict.fromkeys(PLAIN, 0.0))
    case = made_up(tmp_path / "case", dict.fromkeys(PLAIN, 0.0), weight_decay="0.01")
    assert compared(tmp_path, case).returncode == 0
    t = table(tmp_path, "claims")
    few = "none: not enough: 0 waves learned, {} needed, over waves learned"
    assert t["estimate_method"].tolist() == [few.format(n) for n in (1, 1, 1, 2)]


def test_the_slowest_wave_has_nothing_more_than_itself(tmp_path):
    made_up(tmp_path / "base", {**dict.fromkeys(PLAIN, 0.0), 1: 0.9})
    case = made_up(tmp_path / "case", {**dict.fromkeys(PLAIN, 0.0), 1: 0.7}, weight_decay="0.01")
    assert compared(tmp_path, case).returncode == 0
    t = table(tmp_path, "claims")
    assert t["estimate_method"][2].endswith("clusters of images, radial_cycles_1")
    assert abs(t["estimate"][2] + 0.2) < 0.02
    assert np.isnan(t["estimate"][3])
    few = "none: not enough: 1 wave learned, 2 needed, over waves learned"
    assert t["estimate_method"][3] == few


def test_a_wave_is_learned_among_all_waves_of_its_run(tmp_path):
    """One wave of eight is hardly followed: alone it would be called learned."""
    follows = {**dict.fromkeys(range(1, 9), 0.0), 1: 0.9, 8: 0.02}
    made_up(tmp_path / "base", follows)
    case = made_up(tmp_path / "case", follows, weight_decay="0.01")
    assert compared(tmp_path, case).returncode == 0
    t = table(tmp_path, "comparison")
    low, p = (t[f"above_null_{end}"] for end in ("low", "p"))
    for of_run in (slice(0, 8), slice(8, 16)):
        # Not learned, and yet its interval lies above 0.
        assert ((low[of_run] > 0) & (t["learned"][of_run] == "no")).any(), p[of_run]
        learned = (spectra.holm(p[of_run]) <= 0.05) & (low[of_run] > 0)
        assert t["learned"][of_run].tolist() == ["yes" if yes else "no" for yes in learned]
    fastest = json.loads((tmp_path / "compared" / "summary.json").read_text())
    assert fastest["fastest_learned_waves"] == {"case − base": ["radial_cycles_1"]}


def test_waves_and_images_in_common_are_compared(tmp_path):
    images = np.random.default_rng(2).permutation(N)[:300]
    case = made_up(tmp_path / "case", {3: 0.3, 8: 0.1, 1: 0.9}, width="8", images=images)
    assert compared(tmp_path, case).returncode == 0
    t = table(tmp_path, "comparison")
    assert t["cycles"].tolist() == [1, 2, 3, 4, 1, 3]
    assert abs(t["difference"][-1] + 0.1) < 0.02
    summary = json.loads((tmp_path / "compared" / "summary.json").read_text())
    assert summary["num_held_out_images"] == 300


def test_two_things_that_differ_are_refused_or_named(tmp_path):
    case = made_up(tmp_path / "case", PLAIN, width="32", learning_rate="0.05", parameters=4_000)
    line = "expected one thing that differs from the baseline, got learning_rate 0.05 for 0.1, "
    assert_refused(compared(tmp_path, case), line + "width 32 for 0")
    allowed = compared(tmp_path, case, more=["--allow_differences=learning_rate"])
    assert allowed.returncode == 0, allowed.stderr
    differs = table(tmp_path, "comparison")["differs"][-1]
    assert differs == "width 32 for 0, learning_rate 0.05 for 0.1"
    assert set(table(tmp_path, "claims")["claim"]) == {"C3"}


MISTAKES = {
    "nothing": ({}, "expected one thing that differs from the baseline, got none"),
    "class": ({"noise_class": "2"}, "expected noise_class -1, got noise_class 2"),
    "seeds": ({"seeds": "2", "width": "8"}, "expected seeds 3, got seeds 2"),
    "data": ({"data": {"version": "digits/2"}, "width": "8"}, "version digits/2"),
    "waves": ({"follows": {5: 0.5}, "width": "8"}, "expected waves in common, got none"),
    "images": ({"images": np.arange(99), "width": "8"}, "at least 100 held-out images, got 99"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_compared_gets_one_line(name, tmp_path):
    changes, line = MISTAKES[name]
    case = made_up(tmp_path / name, **{"follows": PLAIN, **changes})
    assert_refused(compared(tmp_path, case), line)
    assert not (tmp_path / "compared").exists()


def test_folders_and_files_that_are_not_there_get_one_line(tmp_path):
    case = made_up(tmp_path / "case", PLAIN, width="8")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "case").symlink_to(case)
    twice = compared(tmp_path, case, tmp_path / "link" / "case")
    assert_refused(twice, "--cases: expected folders of different names, got case twice")
    assert_refused(compared(tmp_path), "--cases: expected run folders, got none")
    nowhere = compared(tmp_path, tmp_path / "nowhere")
    assert_refused(nowhere, "expected finished runs of noise_fitting.py")
    other = compared(tmp_path, case, more=["--allow_differences=colour"])
    assert_refused(other, "--allow_differences: expected flags of noise_fitting.py, got colour")
    (case / "held_out.npz").unlink()
    assert_refused(compared(tmp_path, case), "expected the predictions for held-out images")


def test_a_teacher_is_another_if_its_file_is(tmp_path):
    made_up(tmp_path / "base", PLAIN, teacher="t.keras", data={"teacher_sha256": "a" * 64})
    case = made_up(tmp_path / "case", PLAIN, teacher="t.keras", data={"teacher_sha256": "b" * 64})
    assert compared(tmp_path, case).returncode == 0
    assert table(tmp_path, "comparison")["differs"][-1] == "teacher bbbbbbbb for aaaaaaaa"


def test_one_seed_has_no_interval_and_learns_nothing(tmp_path):
    for name, changes in (("base", {}), ("case", {"width": "8"})):
        path = made_up(tmp_path / name, PLAIN, seeds="1", **changes)
        with np.load(path / "held_out.npz") as archive:
            kept = HeldOut(**archive)
        one = kept._replace(
            **{n: getattr(kept, n)[:, :1] for n in kept._fields if n.endswith("log_ratios")}
        )
        write_held_out(path / "held_out.npz", one)
    assert compared(tmp_path, tmp_path / "case").returncode == 0
    t = table(tmp_path, "comparison")
    assert np.isnan(t["difference_low"]).all()
    assert t["difference_method"][0].startswith("none: 1 seed, 2 needed")
    assert np.isnan(t["learned"].astype(float)).all()
    assert t["least_sign_test"].tolist() == [1.0] * 8


def test_two_sets_make_one_table_of_claims(tmp_path):
    # Other waves are the fastest that are learned, and yet the readings are the same.
    sets = {"first": PLAIN, "second": {1: 0.9, 2: 0.6, 5: 0.5, 7: 0.3, 9: 0.0}}
    for name, follows in sets.items():
        (tmp_path / name).mkdir()
        base = made_up(tmp_path / name / "base", follows)
        delayed = {c: max(beta - 0.1, 0.0) if c > 1 else beta for c, beta in follows.items()}
        case = made_up(tmp_path / name / "mixup", delayed, mixup_alpha="0.2")
        flags = [f"--baseline={base}", f"--cases={case}", f"--workdir={tmp_path / f'{name}_set'}"]
        assert launch("noise_fitting_compare", *flags).returncode == 0
    folders = ",".join(str(tmp_path / f"{name}_set") for name in sets)
    result = launch("claims", f"--folders={folders}", f"--workdir={tmp_path / 'claims'}")
    assert result.returncode == 0, result.stderr
    assert "C4 mixup, as published: " in result.stdout
    assert "C4 mixup, with what misleads taken out: holds" in result.stdout
