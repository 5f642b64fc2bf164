"""Runs a private Prometheus on loopback, and asks it."""

import asyncio
import contextlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.lab.directories import instance_directory, keep_logs, temporary_parent
from tests.lab.ports import LOOPBACK, reserve_port
from tests.lab.processes import Child, LabError
from tests.lab.root import print_progress

START_S_MAX = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One series of an answer, with its newest value."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """One running Prometheus; use `start`."""

    def __init__(self, *, port: int) -> None:
        """Only describes it."""
        self.url = f"http://{LOOPBACK}:{port}"
        self._http = httpx.AsyncClient(base_url=self.url, timeout=30.0)

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, target: str, *, rules: str, every: str = "1s"
    ) -> "AsyncIterator[Prometheus]":
        """Scrape one target, as job ivrd, until the body ends, in whatever way it ends.

        Args:
            target: Host and port.
            rules: The text of a file of rules.
            every: Between scrapes, and between evaluations.
        """
        binary = shutil.which("prometheus")
        if binary is None:
            raise LabError("prometheus is missing; ./run test installs it on Debian")
        with contextlib.ExitStack() as held:
            directory = held.enter_context(instance_directory(temporary_parent()))
            ports = reserve_port()
            held.callback(ports.release)
            (directory / "rules.yml").write_text(rules, encoding="utf-8")
            configuration = directory / "prometheus.yml"
            configuration.write_text(_configuration(target, every), encoding="utf-8")
            found = cls(port=ports.first)
            child = await Child.start(
                [
                    binary,
                    f"--config.file={configuration}",
                    f"--storage.tsdb.path={directory / 'data'}",
                    f"--web.listen-address={LOOPBACK}:{ports.first}",
                    "--query.lookback-delta=5s",
                ],
                name="prometheus",
                log_path=directory / "log",
            )
            try:
                await found._until_ready(child)
                yield found
            except Exception:
                print_progress(f"logs are kept in {keep_logs(directory, name='prometheus')}")
                raise
            finally:
                await found._http.aclose()
                await child.stop()

    async def ask(self, query: str) -> Sequence[Sample]:
        """Return what a query gives now; NaN and no series are told apart."""
        answer = await self._http.get("/api/v1/query", params={"query": query})
        told = json.loads(answer.text)
        if told["status"] != "success":
            raise LabError(f"{told['error']}: {query}")
        return [
            Sample(labels=one["metric"], value=float(one["value"][1]))
            for one in told["data"]["result"]
        ]

    async def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        told = (await self._http.get("/api/v1/alerts")).json()["data"]["alerts"]
        return {one["labels"]["alertname"] for one in told if one["state"] == "firing"}

    async def fired(self) -> set[str]:
        """Return the names of the alerts that fired within the last hour, for however short."""
        told = await self.ask('last_over_time(ALERTS{alertstate="firing"}[1h])')
        return {sample.labels["alertname"] for sample in told}

    async def _until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            if child.returncode is not None:
                raise LabError(f"prometheus ended:\n{child.log_tail()}")
            with contextlib.suppress(httpx.TransportError):
                if (await self._http.get("/-/ready")).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.05)
        raise LabError(f"prometheus is not ready:\n{child.log_tail()}")


def _configuration(target: str, every: str) -> str:
    return json.dumps(
        {
            "global": {"scrape_interval": every, "evaluation_interval": every},
            "rule_files": [str(Path("rules.yml"))],
            "scrape_configs": [{"job_name": "ivrd", "static_configs": [{"targets": [target]}]}],
        }
    )
