"""The habits of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [*sorted((ROOT / "app").rglob("*.py")), ROOT / "config.py"]
FLASK_ROOMS = {
    "app/__init__.py",
    "app/db.py",
    "app/engines.py",
    "app/web.py",
    "app/i18n.py",
    "app/layouts.py",
}
FLASK_NAMES = ("views.py", "forms.py", "guard.py", "channels.py", "cli.py")  # account_views.py, too
CLIENT_MARKS = re.compile(r"remote_addr|X-Forwarded|X-Real-IP|user_agent|User-Agent", re.IGNORECASE)
TIME_SOURCES = re.compile(r"datetime\.now|utcnow|\btime\.time\(|date\.today|dt\.datetime\.now")
VAGUE = re.compile(r"manager|helper|util|common|misc|dao", re.IGNORECASE)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(params=FILES, ids=name_of)
def file(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_files_and_functions_keep_their_sizes(file: Path) -> None:
    text = file.read_text("utf-8")
    assert len(text.splitlines()) < 400
    is_views = file.name.endswith("views.py")
    for function in functions(ast.parse(text)):
        length = (function.end_lineno or 0) - function.lineno + 1
        routed = any("route" in ast.dump(d) or "'get'" in ast.dump(d) or "'post'" in ast.dump(d)
                     for d in function.decorator_list)  # fmt: skip
        assert length < (26 if is_views and routed else 40), f"{function.name}: {length} lines"


def test_imports_stand_at_the_top(file: Path) -> None:
    for function in functions(ast.parse(file.read_text("utf-8"))):
        for node in ast.walk(function):
            assert not isinstance(node, ast.Import | ast.ImportFrom), function.name


def test_flask_is_known_at_the_edge_alone(file: Path) -> None:
    """A service that knows no request can't leak one, and runs in the worker and in tests alike."""
    if name_of(file) in FLASK_ROOMS or file.name.endswith(FLASK_NAMES):
        return
    assert not re.search(
        r"^(?:from|import) (?:flask|flask_wtf|wtforms)\b", file.read_text("utf-8"), re.M
    )


def test_what_tells_clients_apart_is_read_in_web_alone(file: Path) -> None:
    if name_of(file) != "app/web.py":
        assert not CLIENT_MARKS.search(file.read_text("utf-8"))


def test_time_comes_from_the_clock_alone(file: Path) -> None:
    if name_of(file) != "app/clock.py":
        assert not TIME_SOURCES.search(file.read_text("utf-8"))


def test_nothing_has_a_vague_name(file: Path) -> None:
    assert not VAGUE.search(file.stem)
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            assert not VAGUE.search(node.name)


def test_a_cases_state_changes_in_one_place() -> None:
    places = [
        name_of(path) for path in FILES if re.search(r"\bcase\.state = ", path.read_text("utf-8"))
    ]
    assert places == ["app/cases/record.py"]


def test_a_package_says_in_one_docstring_what_lives_there() -> None:
    for path in (ROOT / "app").glob("*/__init__.py"):
        body = ast.parse(path.read_text("utf-8")).body
        assert len(body) == 1, name_of(path)
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), name_of(path)


def test_no_template_trusts_what_was_typed() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text("utf-8")
        assert "|safe" not in text.replace(" ", ""), name_of(path)
        assert not re.search(r"\bconfig\b", re.sub(r"\{#.*?#\}", "", text)), name_of(path)
        assert "autoescape false" not in text, name_of(path)


def test_a_public_view_never_reads_the_staff_session() -> None:
    for room in ("submissions", "organisation"):
        for path in (ROOT / "app" / room).glob("*.py"):
            text = path.read_text("utf-8")
            if 'url_prefix="/desk' not in text:
                assert "app.staff" not in text, path


def test_no_index_address_and_no_path_of_a_machine_is_tracked() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    hosts = re.compile(r"--(?:extra-)?index-url|pypi\.org|registry\.npmjs|/simple/", re.IGNORECASE)
    for name in listed.stdout.split():
        path = ROOT / name
        if (
            path.suffix in (".png", ".webp", ".ico", ".otf")
            or not path.is_file()
            or path == Path(__file__)
        ):
            continue
        text = path.read_text("utf-8")
        if name.startswith("requirements/"):
            assert not hosts.search(text), name
        assert str(ROOT) + "/" not in text, name
