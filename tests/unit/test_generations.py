"""The directory of the dialplan is whole at every moment, and what was before is one step away."""

import multiprocessing
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivrd import generations
from ivrd.errors import IvrdError
from ivrd.generations import NUMBER_FILE, Generations

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

OLD, NEW, NEWER = ({"ivrd.conf": text} for text in ("old", "new", "newer"))


@pytest.fixture(params=["exchange", "two renames"])
def directory(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a directory as `ivrd dialplan --output` leaves it, on each kind of file system."""
    if request.param == "two renames":
        monkeypatch.setattr(generations, "_is_exchanged", lambda one, other: False)
    path = tmp_path / "ivrd"
    path.mkdir()
    (path / "ivrd.conf").write_text("old", encoding="utf-8")
    return path


def put(directory: Path, files: dict[str, str], *, is_step_back: bool = False) -> Generations:
    kept = Generations(directory)
    with kept.lock():
        kept.put(files, now=NOW)
        kept.confirm(is_step_back=is_step_back)
    return kept


def beside(directory: Path) -> set[str]:
    return {path.name for path in directory.parent.iterdir()} - {"ivrd.lock"}


def test_what_was_before_is_one_step_away(directory: Path) -> None:
    kept = put(directory, NEW)
    assert (kept.in_use(), kept.previous()) == (NEW, OLD)
    assert kept.told() == "generation 1, in use since 2026-11-21T12:00:00+00:00"
    put(directory, NEWER)
    assert (kept.in_use(), kept.previous()) == (NEWER, NEW)
    assert beside(directory) == {"ivrd", "ivrd.previous"}


def test_after_a_step_back_there_is_no_other(directory: Path) -> None:
    put(directory, NEW)
    kept = put(directory, OLD, is_step_back=True)
    assert (kept.in_use(), kept.previous()) == (OLD, None)
    assert beside(directory) == {"ivrd", "ivrd.undone"}
    assert kept.told().startswith("generation 2")


def test_what_was_not_taken_is_out_of_the_way_and_the_step_before_stays(directory: Path) -> None:
    kept = put(directory, NEW)
    with kept.lock():
        kept.put(NEWER, now=NOW)
        assert kept.take_back()
    assert (kept.in_use(), kept.previous()) == (NEW, OLD)
    assert (directory.with_name("ivrd.undone") / "ivrd.conf").read_text(encoding="utf-8") == "newer"


def test_the_first_one_of_all(tmp_path: Path) -> None:
    kept = Generations(tmp_path / "ivrd")
    assert kept.in_use() == {}
    with kept.lock():
        kept.put(NEW, now=NOW)
        assert not kept.take_back()
    assert kept.in_use() == {}
    put(tmp_path / "ivrd", NEW)
    assert (kept.in_use(), kept.previous()) == (NEW, None)


def test_files_that_are_not_ours_are_carried_along_with_owner_and_mode(directory: Path) -> None:
    (directory / "site.conf").write_text("site", encoding="utf-8")
    (directory / "more").mkdir()
    (directory / "more" / "deep.conf").write_text("deep", encoding="utf-8")
    (directory / "ivrd-gone.conf").write_text("gone", encoding="utf-8")
    (directory / "link.conf").symlink_to("site.conf")
    directory.chmod(0o750)
    (directory / "ivrd.conf").chmod(0o640)
    if os.geteuid() == 0:
        os.chown(directory, 1234, 1234)
        os.chown(directory / "ivrd.conf", 1234, 1234)
    put(directory, NEW)
    names = {str(path.relative_to(directory)) for path in directory.rglob("*")}
    assert names == {
        *("ivrd.conf", NUMBER_FILE, "site.conf", "link.conf", "more", "more/deep.conf")
    }
    assert (directory / "link.conf").is_symlink()
    assert directory.stat().st_mode & 0o777 == 0o750
    assert (directory / "ivrd.conf").stat().st_mode & 0o777 == 0o640
    if os.geteuid() == 0:
        assert {directory.stat().st_uid, (directory / "ivrd.conf").stat().st_uid} == {1234}


def _die_at(directory: Path, function: str, skips: int) -> None:
    """Put new files, and die at the so-many-th call of a function of the file system."""
    real = getattr(Path, function)
    left = [skips]

    def dying(self: Path, target: Path) -> object:
        if left[0] == 0:
            os._exit(9)
        left[0] -= 1
        return real(self, target)

    setattr(Path, function, dying)
    put(directory, NEWER)


@pytest.mark.parametrize("skips", range(5))
def test_whoever_dies_in_the_middle_leaves_something_whole(directory: Path, skips: int) -> None:
    put(directory, NEW)
    # Forked, so that what the file system can is as this test has it.
    dying = multiprocessing.get_context("fork").Process(
        target=_die_at, args=(directory, "rename", skips)
    )
    dying.start()
    dying.join()
    kept = Generations(directory)
    with kept.lock():
        assert kept.in_use() in (NEW, NEWER)
        assert kept.previous() == (OLD if kept.in_use() == NEW else NEW)
    assert beside(directory) == {"ivrd", "ivrd.previous"}
    put(directory, {"ivrd.conf": "newest"})
    assert kept.in_use() == {"ivrd.conf": "newest"}


def test_two_at_once_cannot_be_and_the_second_is_told_who_is_first(directory: Path) -> None:
    first, second = Generations(directory), Generations(directory)
    with first.lock():
        with pytest.raises(IvrdError, match=f"process {os.getpid()} is changing the dialplan"):
            with second.lock():
                pass
    with second.lock():
        pass


def test_a_link_is_followed(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "asterisk").mkdir()
    link = tmp_path / "asterisk" / "ivrd"
    link.symlink_to(directory)
    put(link, NEW)
    assert link.is_symlink()
    assert Generations(link).in_use() == NEW
