"""The folder list is the flow: the import contracts hold, and a module outside of them is noticed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support import checkout

LINT_IMPORTS = (
    sys.executable,
    "-c",
    "from importlinter.cli import lint_imports_command as c; c()",
    "--no-cache",
)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the import contracts of a checkout over the package in it, whatever else is installed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        LINT_IMPORTS, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_layers_are_kept():
    checked = lint_imports(checkout.ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def copied(folder: Path) -> Path:
    """A copy of what the import contracts read."""
    for name in ("pyproject.toml", *checkout.modules()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(checkout.ROOT / name, folder / name)
    return folder


def test_a_module_that_no_layer_names_breaks_them(tmp_path):
    stray = copied(tmp_path) / "reconciler" / "utils.py"
    stray.write_text('"""Everything that found no place."""\n', encoding="utf-8")
    checked = lint_imports(tmp_path)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "utils" in checked.stdout


def test_an_import_from_below_breaks_them(tmp_path):
    pure = copied(tmp_path) / "reconciler" / "core" / "state.py"
    pure.write_text(pure.read_text(encoding="utf-8") + "\nimport reconciler.cli.main\n", encoding="utf-8")
    checked = lint_imports(tmp_path)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "reconciler.core.state" in checked.stdout
