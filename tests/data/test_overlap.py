"""What is held out must not be learned, under whatever name."""

import numpy as np
import pytest
from PIL import Image

from spectral_tf.data import find_images, refuse_overlap
from spectral_tf.errors import UserError

N = 300
X = np.random.default_rng(0).integers(0, 256, size=(N, 4, 4, 1), dtype=np.uint8)
Y = np.arange(N) % 3


def overlap(name, training, held_out, count=0, **more):
    learned, held = (find_images(name, split, **more) for split in (training, held_out))
    return refuse_overlap(learned.take(count) if count else learned, held)


def save(path, **arrays):
    np.savez(path / "own.npz", **arrays)
    return f"npz:{path / 'own.npz'}"


SHARED = {
    ("train", "train"): 1.0,
    ("train", "train[50%:]"): 0.5,
    ("train[:60%]", "train[50%:]"): 0.1,
    ("train[:60%]", "train[50%:60%]+test"): 0.1,
    ("train[10%:20%]", "train"): 0.1,
    ("train[:10%]+train[50%:]", "train[5%:55%]"): 0.1,
    ("all", "train[:10%]"): 0.1,
}
APART = [("train", "test"), ("train[:50%]", "train[50%:]"), ("train[10%:20%]+test", "train[20%:]")]


@pytest.mark.parametrize(("training", "held_out"), SHARED)
def test_slices_that_share_images_are_refused(training, held_out, embedded_dir, tmp_path):
    subject = f"train_split={training} and held_out={held_out}: expected no image in both, got "
    share = SHARED[training, held_out]
    sizes = (("digits", 1_437), (save(tmp_path, x=X, y=Y, x_test=X[:9], y_test=Y[:9]), N))
    for name, size in sizes:
        with pytest.raises(UserError) as caught:
            overlap(name, training, held_out, data_dir=str(embedded_dir))
        assert str(caught.value).startswith(subject)
        both = int(str(caught.value).split("got ")[1].split(" in both")[0].replace(",", ""))
        assert abs(both - share * size) <= 1


@pytest.mark.parametrize(("training", "held_out"), APART)
def test_slices_that_share_none_are_taken(training, held_out, embedded_dir, tmp_path):
    other = np.random.default_rng(1).integers(0, 256, size=(9, 4, 4, 1), dtype=np.uint8)
    for name in ("digits", save(tmp_path, x=X, y=Y, x_test=other, y_test=Y[:9])):
        assert overlap(name, training, held_out, data_dir=str(embedded_dir)) == {}


def test_of_own_images_those_that_are_taken_count(tmp_path, embedded_dir):
    name = save(tmp_path, x=X, y=Y)
    first = find_images(name, "train[:1]").own.numbers[0]
    # In the order of the file, so many images come before the first one of the slice.
    assert first > 0
    assert overlap(name, "train", "train[:1]", int(first)) == {}
    with pytest.raises(UserError, match="got 1 in both"):
        overlap(name, "train", "train[:1]", int(first) + 1)
    # Those of TFDS may be stored in several files, which are read in turns.
    with pytest.raises(UserError, match="in both"):
        overlap("digits", "train", "train[50%:]", 5, data_dir=str(embedded_dir))


def test_copies_are_counted_and_many_are_refused(tmp_path, caplog):
    test = np.random.default_rng(1).integers(0, 256, size=(200, 4, 4, 1), dtype=np.uint8)
    labels = {"y": Y, "y_test": Y[:200]}
    assert overlap(save(tmp_path, x=X, x_test=test, **labels), "train", "test") == {}
    test[[7, 9]] = X[[100, 0]]
    found = overlap(save(tmp_path, x=X, x_test=test, **labels), "train", "test")
    assert found == {"held_out_copies": 2}
    assert "2 held-out images are exact copies of training images" in caplog.text
    test[30] = X[5]
    with pytest.raises(UserError) as caught:
        overlap(save(tmp_path, x=X, x_test=test, **labels), "train", "test")
    assert "at most 1% of the held-out images to be copies" in str(caught.value)
    assert "got 3 of 200, the first is number 7" in str(caught.value)
    # Copies in what is not learned do no harm.
    name = save(
        tmp_path, x=np.concatenate([test, X]), x_test=test, y=np.arange(500) % 3, y_test=Y[:200]
    )
    assert len(find_images(name).arrays()[0]) == 500
    with pytest.raises(UserError, match="got 200 of 200"):
        overlap(name, "train", "test")


def test_copies_of_files_are_found_by_their_bytes(tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 4)):
        for name in "ab":
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, size=(5, 5), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{i}.png")
    assert overlap(f"folder:{tmp_path}", "train", "test") == {}
    copy = tmp_path / "test" / "b" / "1.png"
    copy.write_bytes((tmp_path / "train" / "a" / "3.png").read_bytes())
    with pytest.raises(UserError, match="got 1 of 8, the first is number 5"):
        overlap(f"folder:{tmp_path}", "train", "test")


def test_clusters_with_numbers_of_training_clusters_are_said(tmp_path, caplog):
    test = np.random.default_rng(1).integers(0, 256, size=(4, 4, 4, 1), dtype=np.uint8)
    arrays = {"x": X, "y": Y, "x_test": test, "y_test": Y[:4]}
    clusters = np.arange(N) // 3
    name = save(tmp_path, **arrays, clusters=clusters, clusters_test=np.array([500, 99, 501, 0]))
    assert overlap(name, "train", "test") == {"held_out_of_training_clusters": 2}
    assert "2 of 4 held-out images are of clusters with numbers" in caplog.text
    assert overlap(name, "train[:50%]", "train[50%:]") == {}
    assert overlap(save(tmp_path, **arrays, clusters=clusters), "train", "test") == {}
