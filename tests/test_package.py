import subprocess
import sys

from conftest import ROOT

WITHOUT_TENSORFLOW = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "tensorflow" else find(name, *rest)
"""


def test_without_tensorflow_one_line_names_the_three_commands():
    code = WITHOUT_TENSORFLOW + (
        "try:\n    import spectral_tf\nexcept ImportError as error:\n    print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    (line,) = result.stdout.splitlines()
    for build in ("cpu", "gpu", "tpu"):
        assert f"pip install 'spectral-tf[{build}]'" in line


def test_launchers_without_tensorflow_tell_the_same_line_and_no_traceback():
    for launcher in sorted((ROOT / "launchers").glob("*.py")):
        code = (
            WITHOUT_TENSORFLOW
            + f"import runpy; runpy.run_path({str(launcher)!r}, run_name='__main__')"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
        )
        assert result.returncode != 0
        assert "pip install 'spectral-tf[cpu]'" in result.stderr
