"""The list of experiments is that of the launchers."""

from conftest import ROOT

from spectral_tf import catalogue


def test_every_launcher_is_listed_once_and_no_other():
    launchers = {path.stem for path in (ROOT / "launchers").glob("*.py")} - {"__init__"}
    listed = [of.name for group in catalogue.GROUPS.values() for of in group]
    assert sorted(listed) == sorted(launchers)
    assert all((ROOT / "results" / of.results).is_dir() for of in catalogue.EXPERIMENTS.values())
