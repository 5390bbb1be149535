"""Who may import whom, and what stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("loop", "surrogate", "acquisition", "lab_adapters", "flows")


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(m.split('.')[0] for m in sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd="/"
    )
    return set(run.stdout.splitlines()[-1].split())


def test_import_contracts_are_kept():
    linter = Path(sys.executable).parent / "lint-imports"

    run = subprocess.run([linter], check=False, capture_output=True, text=True, cwd=ROOT)

    assert run.returncode == 0, run.stdout


def test_help_imports_neither_torch_nor_prefect_nor_fastapi():
    code = (
        "from typer.testing import CliRunner\nfrom loop.cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0"
    )

    loaded = loaded_after(code)

    assert "typer" in loaded
    assert not loaded & {"torch", "prefect", "fastapi", "sqlmodel", "pandas", "matplotlib"}


@pytest.mark.parametrize(
    "module", ["loop.services", "surrogate.random_belief", "acquisition.rules.uniform"]
)
def test_what_has_no_need_of_torch_does_not_load_it(module):
    assert "torch" not in loaded_after(f"import {module}")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_top_level_package_holds_a_docstring_only(package):
    tree = ast.parse((ROOT / package / "__init__.py").read_text())

    assert len(tree.body) == 1
    assert ast.get_docstring(tree)


def test_no_module_is_called_by_a_word_that_says_nothing():
    empty = {"utils", "helpers", "common", "core", "misc", "manager"}

    found = [
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.stem in empty
    ]

    assert found == []


def test_every_folder_of_tests_is_a_package():
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}

    assert [each for each in folders if not (each / "__init__.py").exists()] == []
