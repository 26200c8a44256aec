"""Help of every experiment, and the flags it is made of."""

import re
import sys
import types

import pytest
from conftest import ROOT

from spectral_tf import catalogue, program
from spectral_tf.runtime import manual

# What begins no noun phrase of one's own, or ends before it has said what it is of.
CUT = re.compile(r"^(Of|By|For|Or|Whose|Where|When|Which|With|After|And|Its training)\b")


@pytest.fixture(scope="module")
def groups():
    """{experiment: its groups of flags}."""
    return {name: manual.flag_groups_of(name) for name in catalogue.EXPERIMENTS}


@pytest.mark.parametrize("name", catalogue.EXPERIMENTS)
def test_every_flag_stands_once_and_is_told_whole(name, groups):
    entries = [entry for group in groups[name] for entry in group.flags]
    names = [entry.name for entry in entries]
    assert len(names) == len(set(names))
    assert {"workdir", "seed", "overwrite"} <= set(names)
    for entry in entries:
        told = entry.told()
        assert len(entry.help) > 10, entry
        assert not CUT.match(entry.help), entry
        assert told.endswith(".") or told.endswith("known."), entry
        assert "<" not in told, entry


def test_own_flags_come_before_shared_ones(groups):
    for name, of in groups.items():
        shared = [group.heading in manual.SHARED for group in of]
        assert shared == sorted(shared), name
        assert of[-1].heading in (manual.RUN, manual.DEVICES)


def test_an_experiment_leaves_no_flags_and_loads_no_tensorflow(groups):
    from absl import flags

    assert "num_runs" not in flags.FLAGS
    assert groups["lf_first"] != groups["noise_fitting"]


def test_values_and_defaults_are_told(groups):
    told = {e.name: e for group in groups["lf_first"] for e in group.flags}
    assert told["num_runs"].told().endswith("weights. 1 or more; default: 4.")
    assert told["frequencies"].told() == (
        "Frequencies, whole cycles per unit. Default: 5,10,15,20,25,30,35,40,45,50."
    )
    assert "One of relu, tanh, " in told["activation"].told()
    assert told["save_every_seconds"].values == "at least 1"
    assert (told["overwrite"].kind, told["overwrite"].default) == ("switch", "no")
    assert told["target"].default == ""
    drawn = {e.name: e for group in groups["interpolation"] for e in group.flags}["drawn"]
    assert drawn.values == "1 to 60"


@pytest.mark.parametrize("name", catalogue.EXPERIMENTS)
@pytest.mark.parametrize("width", [60, 90])
def test_the_page_is_whole_and_within_the_width(name, width, groups, monkeypatch):
    documented = re.search(r'"""(.*?)"""', (ROOT / "launchers" / f"{name}.py").read_text(), re.S)
    main = types.ModuleType("__main__", documented[1])
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "argv", [f"launchers/{name}.py"])
    monkeypatch.setattr(manual, "flag_groups", lambda: groups[name])
    page = manual.page(width)
    words = " ".join(page.split())
    for group in groups[name]:
        assert f"\n{group.heading}\n" in page
        for entry in group.flags:
            assert len(re.findall(rf"^  --(\[no\])?{entry.name}(=|$)", page, re.M)) == 1
            assert entry.help.split(",")[0] in words
    assert page.index("\nRun\n") < page.index("\nExit status\n") < page.index("\nExamples\n")
    for status in manual.EXIT_STATUS:
        assert re.search(rf"^  {status} +\w", page, re.M)
    for line in page.split("\n"):
        unbroken = line.startswith("    ") and len(line.split()) == 1
        assert len(line) <= width or "python launchers/" in line or "--" in line or unbroken, line
    for word in documented[1].split():
        assert word in page or word == "\\"


def test_examples_are_told_as_the_user_calls_them(groups, monkeypatch):
    main = types.ModuleType("__main__", "Title.\n\n    python launchers/lf_first.py --x\n")
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "argv", ["launchers/lf_first.py"])
    monkeypatch.setattr(manual, "flag_groups", lambda: groups["lf_first"])
    monkeypatch.setattr(program, "_by_command", True)
    page = manual.page(80)
    assert "    spectral-tf lf_first --x" in page
    assert "python launchers" not in page
