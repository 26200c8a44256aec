"""What a page is, held by its syntax: plan, run and report, and which of them may know what."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

# They measure speed or train another library's networks, and have no found results.
OTHERS = {"benchmark", "benchmark_images", "benchmark_measure", "benchmark_paths"}
OTHERS |= {"lf_first_pytorch", "benchmark_saves", "benchmark_probing", "benchmark_start"}
OTHERS |= {"benchmark_augmentation"}
PAGES = {
    path.stem: ast.parse(path.read_text())
    for path in sorted((ROOT / "launchers").glob("*.py"))
    if path.stem not in OTHERS
}
COMPARISONS = {"claims", "noise_fitting_compare"}
# What a report may not touch: what computes on a device or waits for another host.
DEVICES = {"training", "evaluated", "probes", "keras", "tf", "tensorflow", "page", "loop"}


def functions(tree):
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def names(node):
    """Names that a function uses and does not give itself."""
    own = {argument.arg for argument in ast.walk(node) if isinstance(argument, ast.arg)}
    every = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    own |= {n.id for n in every if isinstance(n.ctx, ast.Store)}
    return {n.id for n in every} - own


def reached(tree, start):
    """The functions of a page that one of them calls, itself and through others."""
    own, todo, found = functions(tree), [start], set()
    while todo:
        if (name := todo.pop()) in own and name not in found:
            found.add(name)
            todo += names(own[name]) & own.keys()
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_plan_run_and_report(page):
    wanted = {"plan", "report"} if page in COMPARISONS else {"plan", "run", "report"}
    own = functions(PAGES[page])
    assert wanted <= own.keys()
    arguments = {name: [a.arg for a in own[name].args.args] for name in wanted}
    assert arguments["plan"] == []
    if page in COMPARISONS:
        assert arguments["report"] == ["plan"]
    else:
        assert (arguments["run"], arguments["report"]) == (["plan", "page"], ["plan", "found"])


@pytest.mark.parametrize("page", PAGES)
def test_each_fits_on_a_screen(page):
    own = functions(PAGES[page])
    lengths = {name: own[name].end_lineno - own[name].lineno + 1 for name in own}
    assert {n: lengths[n] for n in ("plan", "run", "report") if lengths.get(n, 0) > 60} == {}


@pytest.mark.parametrize("page", PAGES)
def test_flags_are_read_in_the_plan_alone(page):
    tree = PAGES[page]
    allowed = reached(tree, "plan")
    for name, function in functions(tree).items():
        assert "FLAGS" not in names(function) or name in allowed, name
    for start in {"run", "report"} & functions(tree).keys():
        for name in reached(tree, start):
            assert "FLAGS" not in names(functions(tree)[name]), (start, name)


@pytest.mark.parametrize("page", PAGES)
def test_a_report_knows_no_device(page):
    own = functions(PAGES[page])
    for name in reached(PAGES[page], "report"):
        assert not names(own[name]) & DEVICES, name


@pytest.mark.parametrize("page", PAGES)
def test_a_page_imports_at_its_top_alone(page):
    for function in ast.walk(PAGES[page]):
        if isinstance(function, ast.FunctionDef):
            inner = [n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, function.name


@pytest.mark.parametrize("page", PAGES)
def test_a_plan_loads_no_tensorflow(page):
    code = (
        "import runpy, sys; sys.argv = ['page']; "
        f"names = runpy.run_path({str(ROOT / 'launchers' / f'{page}.py')!r}); "
        "from absl import flags; flags.FLAGS(['page']); "
        "from spectral_tf.errors import UserError\n"
        "try: names['plan']()\n"
        "except UserError as error: print(error, file=sys.stderr)\n"
        "print([m for m in ('tensorflow', 'keras', 'matplotlib') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_the_rules_see_what_they_forbid():
    tree = ast.parse(
        "def plan(): return checked()\n"
        "def checked(): return FLAGS.width\n"
        "def run(plan, page): return helper(plan)\n"
        "def helper(plan): return FLAGS.depth\n"
        "def report(plan, found): return drawn(found)\n"
        "def drawn(found): return training.Ensemble(found)\n"
    )
    own = functions(tree)
    assert reached(tree, "plan") == {"plan", "checked"}
    assert "FLAGS" in names(own["helper"]) & names(own["checked"])
    assert reached(tree, "run") == {"run", "helper"}
    assert names(own["drawn"]) & DEVICES == {"training"}


def test_the_saves_of_every_page_that_trains_are_measured():
    tree = ast.parse((ROOT / "launchers" / "benchmark_saves.py").read_text())
    assigned = [node for node in tree.body if isinstance(node, ast.AnnAssign)]
    (pages,) = [node.value for node in assigned if node.target.id == "PAGES"]
    never_train = {*COMPARISONS, "untrained", "costs", "benchmark_scaling"}
    assert {key.value for key in pages.keys} == set(PAGES) - never_train
