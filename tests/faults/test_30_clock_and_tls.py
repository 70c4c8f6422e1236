"""Fault 30: the clock is too wrong for TLS: the certificate is not yet valid, or has expired.

Whether the clock or the certificate is wrong cannot be told from here, so nothing is sent, nothing
is lost, the clock is named, and everything arrives once both agree.
"""

import asyncio
import ssl
from pathlib import Path

import pytest

from agent.cloud.http.client import HttpClient
from agent.cloud.http.destination import HttpCloud
from agent.cloud.http.destination import Plan as HttpPlan
from agent.cloud.tls import context
from agent.demo.sandbox import Authority, Period
from tests.cloud.conftest import GATEWAY
from tests.faults.road import COUNT, Archive, road
from tests.faults.test_52_tls import ALWAYS, FUTURE, LOOPBACK, PAST
from tests.lab.hurry import hurried
from tests.lab.scripted import Scripted

LOOKED_S = 1200.0
BACK_S = 360.0  # the longest back-off and a minute


def believing(_: bytes) -> ssl.SSLContext:
    """A build that turns verification off rather than wait."""
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def verifying(ca: bytes) -> ssl.SSLContext:
    return context([ca])


def shows(tls: ssl.SSLContext, authority: Authority, period: Period, folder: Path) -> None:
    pair = authority.server(LOOPBACK, period)
    (folder / "both.pem").write_bytes(pair.private_key + pair.certificate)
    tls.load_cert_chain(folder / "both.pem")


BUILDS = {"sound": (verifying, True), "believes anybody": (believing, False)}
CASES = {"not yet valid": (FUTURE, "is not valid yet"), "expired": (PAST, "has expired")}


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("case", CASES)
def test_nothing_leaves_until_clock_and_certificate_agree(
    case: str, build: str, tmp_path: Path
) -> None:
    trust, good = BUILDS[build]
    period, words = CASES[case]

    async def work() -> list[str]:
        archive, authority = Archive(), Authority()
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        shows(tls, authority, period, tmp_path)
        async with Scripted(archive, tls) as server:
            client = HttpClient(server.url, trust(authority.pem))
            cloud = HttpCloud(GATEWAY, HttpPlan(server.url), client, "tok")
            async with road(cloud, archive) as way:
                await way.put(COUNT)
                await asyncio.sleep(LOOKED_S)
                if server.asked:
                    archive.wrong.append("I10: sent to whom nobody could believe")
                if way.buffer.outbox("cloud").waiting().samples != COUNT:
                    archive.wrong.append("I1: it is not kept")
                said = {message for message, _ in way.report.failures}
                if not said or not all(words in each and "clock says" in each for each in said):
                    archive.wrong.append(f"I9: the clock is not named: {said}")
                shows(tls, authority, ALWAYS, tmp_path)
                await way.through(BACK_S)
                return await way.judge()

    findings = hurried(work())
    assert bool(findings) is not good, findings
