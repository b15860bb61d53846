"""The sizes and the habits of the house."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.architecture.source import PRODUCTION, ROOT, modules, parsed

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40


def test_imports_go_one_way() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_opens_with_a_sentence_that_says_what_it_is() -> None:
    silent = [
        name
        for name, path in modules(*PRODUCTION, "tests")
        if not _first_paragraph(parsed(path)).endswith((".", ":", "?"))
    ]
    assert silent == []


def test_no_file_is_too_long() -> None:
    sizes = {name: len(path.read_text("utf-8").splitlines()) for name, path in modules(*PRODUCTION)}
    assert {name: size for name, size in sizes.items() if size > MAX_FILE_LINES} == {}


def test_no_function_is_too_long() -> None:
    too_long = [
        f"{name}: {node.name} has {_lines(node)} lines"
        for name, path in modules(*PRODUCTION)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and _lines(node) > MAX_FUNCTION_LINES
    ]
    assert too_long == []


def test_every_package_of_the_domain_with_decisions_has_a_readme() -> None:
    folders = {path.parent for path in (ROOT / "domain").rglob("decide.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "README.md").exists()] == []


def test_nothing_waits_by_what_loses_a_cancellation() -> None:
    """`asyncio.wait_for` of Python 3.11 does, when what it waits for is there just then."""
    waiting = [
        f"{name}:{node.lineno}"
        for name, path in modules(*PRODUCTION)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.wait_for"
    ]
    assert waiting == []


def _first_paragraph(module: ast.Module) -> str:
    return (ast.get_docstring(module) or "").partition("\n\n")[0]


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_only_the_attempt_engine_calls_providers() -> None:
    """Whoever reaches a provider otherwise would do so without hold, lease and terminal event."""
    makers = {
        name
        for name, path in modules("api", "workers", "infra", "projections")
        if "ProviderCall(" in path.read_text("utf-8")
    }
    # The operator's own check asks for a model that does not exist, and bills nobody.
    assert makers == {"workers/attempts.py", "infra/providers/probing.py"}
