"""The house rules that a machine can hold us to; each is shown here that it can fail."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ivrd"

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
BROAD_EXCEPTS_MAX = 3
"""The engine's per-event guard, the AMI task's per-message guard, and cli.main."""
BROAD = frozenset({"Exception", "BaseException"})
COLLECTING_NAMES = frozenset({"utils", "helpers", "common", "manager", "data", "info"})


def modules(package: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield every module of a package: its path from there, and its tree."""
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def awaits(package: Path) -> list[str]:
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    return [
        f"{name}:{node.lineno}"
        for name, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]


def broad_excepts(package: Path) -> list[str]:
    """Return where `except Exception`, or wider, is caught."""
    found = []
    for name, tree in modules(package):
        for node in ast.walk(tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(
                one is None or (isinstance(one, ast.Name) and one.id in BROAD) for one in caught
            ):
                found.append(name)
    return found


def oversized(package: Path) -> list[str]:
    """Return modules and functions that are longer than the house allows."""
    found = []
    for name, tree in modules(package):
        lines = len((package / name).read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES_MAX:
            found.append(f"{name}: {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    found.append(f"{name}: {node.name} {length} lines")
    return found


def collecting_modules(package: Path) -> list[str]:
    return [
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.stem in COLLECTING_NAMES and (path.is_dir() or path.suffix == ".py")
    ]


def undocumented(package: Path) -> list[str]:
    """Return modules, and public classes and functions in them, that say nothing of themselves."""
    found = []
    for name, tree in modules(package):
        if tree.body and ast.get_docstring(tree) is None:
            found.append(name)
        found += [f"{name}: {node.name}" for node in public(tree) if not ast.get_docstring(node)]
    return found


def public(
    tree: ast.Module | ast.ClassDef,
) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def log_setups(package: Path) -> list[str]:
    """Return the modules that configure structlog."""
    return [
        name
        for name, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"configure", "configure_once"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "structlog"
    ]


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    tool, *rest = command
    program = str(Path(sys.executable).parent / tool)
    return subprocess.run(
        [program, *rest], cwd=cwd, capture_output=True, text=True, check=False, timeout=240
    )


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    return run("lint-imports", "--no-cache", "--no-logo", cwd=root)


def test_imports_go_one_way_and_each_library_has_one_home() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_await_in_the_core() -> None:
    assert awaits(PACKAGE / "core") == []


def test_broad_excepts_stand_in_three_places_only() -> None:
    found = broad_excepts(PACKAGE)
    assert len(found) <= BROAD_EXCEPTS_MAX, found
    assert all(name in {"engine.py", "cli.py"} or name.startswith("ami/") for name in found), found


def test_modules_and_functions_keep_their_size() -> None:
    assert oversized(PACKAGE) == []


def test_no_module_has_a_name_that_collects() -> None:
    assert collecting_modules(PACKAGE) == []


def test_every_public_name_of_the_core_says_what_it_is() -> None:
    assert undocumented(PACKAGE / "core") == []


def test_only_the_log_module_configures_the_log() -> None:
    assert set(log_setups(PACKAGE)) <= {"log.py"}


BREACHES = {
    "core/cases.py": ("import asyncio", "The core knows neither"),
    "metrics.py": ("import ivrd.mqtt", "Imports go one way"),
    "engine.py": ("import ivrd.config", "The engine knows"),
    "retry.py": ("import panoramisk", "panoramisk lives"),
    "clock.py": ("import aiomqtt", "aiomqtt lives"),
    "errors.py": ("import sqlite3", "SQLAlchemy, Alembic"),
    "log.py": ("import prometheus_client", "prometheus-client lives"),
    "rules.py": ("import fastapi", "FastAPI and uvicorn"),
    "notify.py": ("import holidays", "holidays lives"),
}


def test_each_import_contract_can_fail(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "ivrd", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, (line, _) in BREACHES.items():
        path = tmp_path / "ivrd" / name
        path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    result = lint_imports(tmp_path)
    assert result.returncode == 1
    verdicts = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    for name, (_, contract) in BREACHES.items():
        assert any(contract in verdict for verdict in verdicts), (name, result.stdout)


def test_a_module_without_a_place_in_the_layers_is_an_error(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "ivrd", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "ivrd" / "stray.py").write_text("", encoding="utf-8")
    result = lint_imports(tmp_path)
    assert result.returncode == 1
    assert "stray" in result.stdout


@pytest.mark.parametrize(
    "breach",
    [
        "import asyncio",
        "from time import monotonic",
        "import random",
        "from pathlib import Path",
        "import structlog",
        "from datetime import datetime\n\nNOW = datetime.now()",
    ],
)
def test_ruff_refuses_an_impure_core(breach: str, tmp_path: Path) -> None:
    core = tmp_path / "ivrd" / "core"
    core.mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(PACKAGE / "core" / "ruff.toml", core)
    (core / "planted.py").write_text(f"{breach}\n", encoding="utf-8")
    result = run("ruff", "check", "--no-cache", "--select", "TID251", ".", cwd=tmp_path)
    assert result.returncode == 1
    assert "TID251" in result.stdout


def planted(tmp_path: Path, text: str, name: str = "planted.py") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return tmp_path


def test_a_planted_await_is_found(tmp_path: Path) -> None:
    assert awaits(planted(tmp_path, "async def f():\n    await g()\n"))


@pytest.mark.parametrize(
    "clause", ["except Exception", "except (ValueError, BaseException) as e", "except"]
)
def test_a_planted_broad_except_is_found(clause: str, tmp_path: Path) -> None:
    assert broad_excepts(planted(tmp_path, f"try:\n    pass\n{clause}:\n    pass\n"))


def test_a_narrow_except_is_not_found(tmp_path: Path) -> None:
    text = "try:\n    pass\nexcept (ValueError, OSError):\n    pass\n"
    assert not broad_excepts(planted(tmp_path, text))


def test_a_planted_long_module_and_function_are_found(tmp_path: Path) -> None:
    assert len(oversized(planted(tmp_path, "def f():\n" + "    pass\n" * 500))) == 2


def test_a_planted_collecting_name_is_found(tmp_path: Path) -> None:
    assert collecting_modules(planted(tmp_path, "", "core/utils.py")) == ["core/utils.py"]
    assert collecting_modules(planted(tmp_path, "", "manager/x.py"))


def test_a_planted_silent_name_is_found(tmp_path: Path) -> None:
    text = '"""Says."""\n\n\nclass A:\n    """Says."""\n\n    def b(self):\n        pass\n'
    assert undocumented(planted(tmp_path, text)) == ["planted.py: b"]
    assert undocumented(planted(tmp_path, "x = 1\n")) == ["planted.py"]


def test_a_planted_log_set_up_is_found(tmp_path: Path) -> None:
    assert log_setups(planted(tmp_path, "import structlog\nstructlog.configure()\n"))
