"""Which errands were changed, asked of a case system in which people go on working meanwhile."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from ivrd.config import SupportManagementConfig
from ivrd.core.case_record import CaseState
from ivrd.db.case_messages import ToldCase
from ivrd.handover import errand_poll
from ivrd.handover.building import title_by_codes
from ivrd.handover.errand_poll import ErrandPoll
from ivrd.handover.gateway import ClientCredentials, Gateway
from ivrd.handover.http_client import HttpClient
from ivrd.handover.statuses import Told
from ivrd.handover.support_management import SupportManagement
from tests.lab.case_systems import SupportManagementLab
from tests.lab.http_server import HttpServer, Reply

COUNT = 8
"""Of errands, on pages of three."""

ALL = {f"case{number}" for number in range(COUNT)}

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


class Book:
    """Every case was handed over, and every status is taken."""

    def __init__(self) -> None:
        self.told: list[tuple[int | str, str]] = []

    async def told_case(self, destination: str, case: int | str) -> ToldCase:
        return ToldCase(
            case_id=1,
            state=CaseState.HANDED_OVER,
            external_id=None,
            external_status=None,
            external_status_at=None,
        )

    async def tell(self, destination: str, case: ToldCase, told: Told, *, act_id: str) -> None:
        self.told.append((told.case, told.status))


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errand_poll, "PAGE_ERRANDS", 3)


@contextlib.asynccontextmanager
async def asking(lab: SupportManagementLab, book: Book) -> AsyncIterator[ErrandPoll]:
    async with HttpServer.start(lab) as server:
        config = SupportManagementConfig.model_validate(
            {
                "name": "tekniska",
                "kind": "support_management",
                "url": server.url,
                "municipality_id": "2281",
                "namespace": "CONTACTCENTER",
                "classification": {"category": "OTHER", "type": "OTHER"},
            }
        )
        who = ClientCredentials(
            token_url=f"{server.url}/token", client_id="ivrd", client_secret="hush"
        )
        gateway = Gateway(HttpClient(ca_file=None, timeout_s=30), who)
        adapter = SupportManagement(gateway, config, title_of=title_by_codes)
        yield ErrandPoll(config, adapter, book=book, statuses=book)
        await adapter.close()


def a_lab(*, apart: timedelta) -> SupportManagementLab:
    """Return one whose errands were changed one after the other, so far apart."""
    at = YESTERDAY
    lab = SupportManagementLab(now=lambda: at)
    for number in range(COUNT):
        at = YESTERDAY + number * apart
        lab.keep(
            {"status": "NEW", "externalTags": [{"key": "ivrd-case", "value": f"case{number}"}]}
        )
    at = YESTERDAY + timedelta(hours=1)
    return lab


@pytest.mark.parametrize("apart", [timedelta(seconds=1), timedelta()], ids=["apart", "at once"])
async def test_no_errand_is_skipped_when_another_changes_between_two_pages(
    apart: timedelta,
) -> None:
    lab, book = a_lab(apart=apart), Book()
    first = next(iter(lab.errands))

    def somebody_works(request: int) -> Reply | None:
        if request == 2:
            lab.touch(first, status="ONGOING")
        return None

    lab.mood = somebody_works
    async with asking(lab, book) as poll:
        await poll.ask(datetime.now(UTC))
    assert {case for case, _ in book.told} == ALL
    # Each once; what changed twice, twice, and the later status last.
    assert len(book.told) == COUNT + 1
    assert [status for case, status in book.told if case == "case0"] == ["NEW", "ONGOING"]


async def test_a_reading_that_is_too_long_is_gone_on_with_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(errand_poll, "PAGES_MAX", 2)
    lab, book = a_lab(apart=timedelta(minutes=20)), Book()
    async with asking(lab, book) as poll:
        await poll.ask(datetime.now(UTC))
        assert {case for case, _ in book.told} < ALL
        for _ in range(3):
            await poll.ask(datetime.now(UTC))
    assert {case for case, _ in book.told} == ALL
