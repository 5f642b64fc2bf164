"""README, docs and the sample configuration say what the code says, and nothing else."""

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer.core
import typer.main
from prometheus_client.metrics_core import CounterMetricFamily

from ivrd import config
from ivrd.app import App
from ivrd.cli import cli
from ivrd.config import Supervision
from ivrd.core import journal
from ivrd.core.effects import Outcome, Reach
from ivrd.loop_turns import LoopTurns
from ivrd.web.status import FORMULAS, CountsStatus, MembersStatus, QueueStatus
from tests.lab import demo

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "config" / "ivrd.toml"
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PICTURES = sorted((REPOSITORY / "docs" / "pictures").glob("*.svg"))

PAGE_LINES_MAX = 80
"""For docs: a page is read at one sitting. The README holds the installation too."""

CODE_BASES = ("", "ivrd", "tests/lab")
"""Where a path in backticks may begin."""

SVG = "{http://www.w3.org/2000/svg}"

ivrd_command = typer.main.get_command(cli)


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def fenced(page: Path) -> str:
    """Return everything that a page tells the reader to type."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.M | re.S)
    return "".join(blocks)


def inline(page: Path) -> list[str]:
    """Return what stands in backticks in running text."""
    prose = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", prose)


def words_of(line: str) -> list[str]:
    """Return a command's words, up to a redirection, pipe or next command."""
    words = shlex.split(line, comments=True)
    ends = [number for number, word in enumerate(words) if word in {">", ">>", "|", "&&", ";"}]
    return words[: ends[0]] if ends else words


def commands(program: str) -> Iterator[tuple[Path, list[str], bool]]:
    """Yield page, words, and whether it is to be typed as it stands."""
    for page in PAGES:
        typed = [(line.strip(), True) for line in fenced(page).splitlines()]
        for line, is_typed in [*typed, *((line, False) for line in inline(page))]:
            if line.startswith(f"{program} "):
                yield page, words_of(line), is_typed


def options_of(words: list[str]) -> list[str]:
    return [word for word in words if word.startswith("-") and word != "-"]


# Commands.


def test_every_run_command_exists() -> None:
    known = set(re.findall(r"^(\w+)\) module=", text_of("run"), re.M))
    shown = {words[1] for _, words, _ in commands("./run")}
    assert shown - {"--help", "help"} == known, "run and the docs name different commands"


def test_every_option_of_the_demo_exists(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        demo.main(["--help"])
    known = set(re.findall(r"--[a-z]+", capsys.readouterr().out))
    shown = [
        option
        for _, words, _ in commands("./run")
        if words[1] == "demo"
        for option in options_of(words)
    ]
    assert shown
    assert set(shown) <= known


def ivrd_lines() -> list[tuple[str, list[str], bool]]:
    """Return each ivrd command in the docs: page, words after `ivrd`, and whether it is typed."""
    found = [(page.name, words[1:], is_typed) for page, words, is_typed in commands("ivrd")]
    for page, words, _ in commands("./run"):
        if words[1] == "ivrd" and len(words) > 2 and words[2] != "...":
            found.append((page.name, words[2:], True))
    return found


@pytest.mark.parametrize(("page", "words", "is_typed"), ivrd_lines())
def test_every_ivrd_command_and_option_exists(page: str, words: list[str], is_typed: bool) -> None:
    name, *rest = words
    if name == "--help":
        return
    assert name in ivrd_command.commands, f"{page}: ivrd has no command {name}"
    command = ivrd_command.commands[name]
    while isinstance(command, typer.core.TyperGroup) and rest and not rest[0].startswith("-"):
        name, *rest = rest
        assert name in command.commands, f"{page}: ivrd {' '.join(words)}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    assert set(options_of(rest)) <= known, f"{page}: ivrd {' '.join(words)}"
    if is_typed:
        # The command line's own parser: wrong values and missing arguments fail here.
        command.make_context(name, list(rest))


def test_every_ivrd_command_is_shown() -> None:
    shown = {words[0] for _, words, _ in ivrd_lines()}
    assert set(ivrd_command.commands) - shown <= {"version"}


# Files.


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert links, "each page has at least a picture"
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_in_backticks_exists(page: Path) -> None:
    paths = [
        code for code in inline(page) if re.fullmatch(r"[\w./-]+(\.py|\.toml|\.lock|\w/)", code)
    ]
    ours = [path for path in paths if not path.startswith(("/", ".venv", ".cache"))]
    missing = [
        path for path in ours if not any((REPOSITORY / base / path).exists() for base in CODE_BASES)
    ]
    # The configuration as it is called once it is installed.
    assert set(missing) <= {"ivrd.toml", "prompts.toml"}


def test_every_page_is_reached_from_the_readme() -> None:
    readme = text_of("README.md")
    assert [page.name for page in PAGES[1:] if f"(docs/{page.name})" not in readme] == []


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.name)
def test_a_page_is_short_and_has_a_picture(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= PAGE_LINES_MAX
    assert "](pictures/" in text


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_speaks_to_a_screen_reader_and_fetches_nothing(picture: Path) -> None:
    root = ElementTree.parse(picture).getroot()
    assert root.get("role") == "img"
    for part in ("title", "desc"):
        found = root.find(f"{SVG}{part}")
        assert found is not None
        assert found.text
        assert found.get("id") in (root.get("aria-labelledby") or "").split()
    text = picture.read_text(encoding="utf-8").replace('"http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|url\((?!#)|@import|<script|<image", text)


def test_every_picture_is_shown() -> None:
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [picture.name for picture in PICTURES if f"pictures/{picture.name})" not in shown] == []


# Metrics, figures and outcomes.


@pytest.fixture
def metric_names(tmp_path: Path) -> set[str]:
    """Return what the daemon shows, wired as it is when it runs, with every part configured."""
    document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    document["database"] = {"url": f"sqlite+aiosqlite:///{tmp_path}/ivrd.sqlite"}
    document["mqtt"] = {}
    app = App(
        config.check(document),
        path=SAMPLE,
        supervision=Supervision(notify_socket=None, watchdog_s=None),
    )
    app.watch_turns(LoopTurns())
    return {
        f"{family.name}_total" if isinstance(family, CounterMetricFamily) else family.name
        for family in app._metrics.registry.collect()
        if family.name.startswith("ivrd_")
    }


def metrics_in(page: Path) -> set[str]:
    """Return the metrics that a page names; a histogram's parts stand for the whole."""
    queries = re.findall(r"^```promql\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    codes = " ".join([*inline(page), *queries])
    parts = r"_(bucket|sum|count)$"
    return {re.sub(parts, "", name) for name in re.findall(r"\bivrd_[a-z_]+", codes)}


def test_metrics_names_every_metric_and_no_other(metric_names: set[str]) -> None:
    pages = [page for page in PAGES if page.name.startswith("metrics")]
    assert set().union(*map(metrics_in, pages)) == metric_names


def test_rules_and_dashboards_name_no_metric_that_is_not_there(metric_names: set[str]) -> None:
    files = [*(REPOSITORY / "prometheus").glob("*.yml"), *(REPOSITORY / "grafana").rglob("*.json")]
    for file in files:
        text = file.read_text(encoding="utf-8")
        named = {
            re.sub(r"_(bucket|sum|count)$", "", name)
            for name in re.findall(r"\bivrd_[a-z_]+", text)
        }
        assert named <= metric_names, file.name


def test_alerts_names_every_alert_and_no_other() -> None:
    rules = re.findall(r"- alert: (\w+)", text_of("prometheus/ivrd.rules.yml"))
    named = re.findall(r"`(Ivrd\w+)`", text_of("docs/alerts.md"))
    assert set(named) == set(rules)


def test_no_page_names_a_metric_that_is_not_there(metric_names: set[str]) -> None:
    for page in PAGES:
        assert metrics_in(page) <= metric_names, page.name


def test_ops_names_log_events_that_are_logged() -> None:
    logs = text_of("docs/ops.md").partition("## Logs")[2].partition("## ")[0]
    named = re.findall(r"`([a-z]+_[a-z_]+)`", logs)
    source = "".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "ivrd").rglob("*.py")
    )
    assert named
    assert [name for name in named if f'"{name}"' not in source] == []


def test_supervisor_names_every_formula_as_it_is_reckoned() -> None:
    page = text_of("docs/supervisor.md").replace("\N{MINUS SIGN}", "-").replace("**", "")
    table = dict(re.findall(r"^\| `(\w+)`[^|]*\| (.+) \|$", page.partition("## Service")[2], re.M))
    assert {name: table.get(name) for name, _, _ in FORMULAS} == {
        name: formula for name, formula, _ in FORMULAS
    }


def test_supervisor_names_every_count_and_no_field_that_is_not_there() -> None:
    page = text_of("docs/supervisor.md").partition("## Service")[0]
    known = {*QueueStatus.model_fields, *CountsStatus.model_fields, *MembersStatus.model_fields}
    named = set(re.findall(r"`(\w+)`", page))
    assert named - {"null"} <= known
    assert set(CountsStatus.model_fields) <= named


def test_guide_names_every_outcome_and_no_other() -> None:
    named = re.findall(r"^\|.*\| `(\w+)` \|", text_of("docs/guide.md"), re.M)
    assert set(named) == {outcome.value for outcome in Outcome}


def test_guide_names_every_reach_and_no_other() -> None:
    table = text_of("docs/guide.md").partition("| Reach |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == {reach.value for reach in Reach}


def test_away_names_every_row_that_the_dialplan_writes() -> None:
    rows = set(re.findall(r"`(IVRD[A-Z]+)`", text_of("docs/away.md")))
    assert rows == {journal.ARRIVED, journal.CHOICE, journal.ENTER, journal.EXIT, journal.END}


# The sample configuration.

Keys = Mapping[str, Mapping[str, object]]


def known_keys() -> Keys:
    """Return section, key, and what the schema says of it; secrets are not in the schema.

    Keys that stand above all tables are in section "".
    """
    schema = config.json_schema()
    definitions = schema["$defs"]
    sections: dict[str, Mapping[str, object]] = {}
    plain: dict[str, object] = {}
    for name, place in schema["properties"].items():
        # One of several where a key says which, as in `handover`.
        found = re.findall(r"'#/\$defs/(\w+)'", str(place))
        if found:
            tables = [definitions[one]["properties"] for one in found]
            sections[name] = {key: told for table in tables for key, told in table.items()}
        else:
            plain[name] = place
    for table in tables_within_tables():
        outer, _, key = table.rpartition(".")
        found = re.search(r"#/\$defs/(\w+)", str(sections[outer][key]))
        assert found, f"[{table}] is no table"
        sections[table] = definitions[found[1]]["properties"]
    return {"": plain, **sections}


def tables_within_tables() -> list[str]:
    """Return the headers of the sample such as access.token."""
    text = SAMPLE.read_text(encoding="utf-8")
    return re.findall(r"^(?:# )?\[{1,2}(\w+\.\w+)\]{1,2}$", text, re.M)


def sample_lines() -> Iterator[tuple[str, str, str, str]]:
    """Yield section, key, value and comment of each line, commented keys included."""
    section = ""
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"(?:# )?\[{1,2}([\w.]+)\]{1,2}", line):
            section = header[1]
        elif setting := re.fullmatch(r"(?:# )?([a-z0-9_]+) = (.*?)(?:\s+# (.*))?", line):
            yield section, setting[1], setting[2], setting[3] or ""


def test_the_sample_names_every_key_and_no_other() -> None:
    shown: dict[str, set[str]] = {}
    for section, key, _, _ in sample_lines():
        shown.setdefault(section, set()).add(key)
    for table in tables_within_tables():
        outer, _, inner = table.rpartition(".")
        shown[outer].add(inner)
    assert shown == {section: set(keys) for section, keys in known_keys().items()}


def test_the_sample_states_the_defaults_that_hold() -> None:
    known = known_keys()
    checked = 0
    for section, key, value, comment in sample_lines():
        stated = re.match(r'Default (as shown|none|""|"[^"]+"|\d+)', comment)
        if stated is None:
            continue
        default = known[section][key].get("default")
        text = value if stated[1] == "as shown" else stated[1]
        expected = None if text == "none" else tomllib.loads(f"x = {text}")["x"]
        assert default == expected, f"[{section}] {key}"
        checked += 1
    assert checked > 20
