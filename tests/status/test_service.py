"""The process: which socket, with or without TLS, until when."""

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from agent import plan
from agent.client import Role
from agent.status import listening, settings
from agent.status.app import make
from agent.status.daemon import Daemon
from agent.status.listening import NotServable
from agent.status.service import Server
from agent.status.settings import Settings
from tests.status.conftest import NAMES, bearer
from tests.status.gatewaytwin import GatewayTwin
from tests.status.gatewaytwin import listening as twin_listening

STATUS = plan.Status()


def settings_with(status: plan.Status, config_dir: Path) -> Settings:
    return Settings(Path("/nowhere"), None, "ES-0231", status, config_dir)


@asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent.status", *arguments,
        env=os.environ | environment, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def test_a_daemon_that_is_away_is_said_so_and_its_return_is_noticed(
    twin: GatewayTwin, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    path = tmp_path / "fieldpost.sock"
    with listening.bound("127.0.0.1:0") as listener:
        server = Server(make(Daemon(path, loop.time), NAMES, None, loop.time), listener)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with asyncio.TaskGroup() as group, httpx.AsyncClient(base_url=url) as client:
            task = group.create_task(server.run(), name="status service")
            seen = []
            for there in (False, True, False):
                if there:
                    async with twin_listening(twin, path):
                        await asyncio.sleep(1.1)
                        seen.append(await client.get("/api/v1/status", headers=bearer(Role.VIEWER)))
                        seen.append(await client.get("/livez"))
                    continue
                await asyncio.sleep(1.1)  # a snapshot is shared for a second
                seen.append(await client.get("/api/v1/status", headers=bearer(Role.VIEWER)))
                seen.append(await client.get("/readyz"))
            server.stop.set()
            await task

    assert [answer.status_code for answer in seen] == [503, 503, 200, 200, 503, 503]
    assert seen[0].json()["error"]["code"] == "AGENT_UNAVAILABLE"
    assert seen[1].text == "not ok\n"


async def test_the_process_serves_and_stops_when_told(twin: GatewayTwin, tmp_path: Path) -> None:
    path = tmp_path / "fieldpost.sock"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ("--socket", str(path), "--listen", f"127.0.0.1:{port}")
    async with twin_listening(twin, path), process(*arguments) as child:
        assert child.stderr is not None
        await child.stderr.readline()  # "The status page is served."
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            answer = await client.get(
                "/api/v1/status",
                headers=bearer(Role.VIEWER) | {"Host": "gateway.bakery.lan"},
            )
        child.send_signal(signal.SIGTERM)
        code = await child.wait()

    assert (answer.status_code, code) == (200, 0)


async def test_a_socket_from_systemd_is_served(tmp_path: Path) -> None:
    with listening.bound("127.0.0.1:0") as listener:
        port = listener.getsockname()[1]
        program = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] ="
            " str(os.getpid()); os.environ['LISTEN_FDS'] = '1';"
            " from agent.status import main; sys.exit(main(['--socket', '/nowhere/x']))"
        )
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(listener.fileno()),
            pass_fds=[listener.fileno()], cwd=Path.cwd(), stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"XDG_STATE_HOME": str(tmp_path)},
        )  # fmt: skip
        assert child.stderr is not None
        await child.stderr.readline()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            page = await client.get("/")
        child.send_signal(signal.SIGTERM)
        code = await child.wait()

    assert (page.status_code, code) == (200, 0)


async def test_without_any_socket_it_says_how_to_start_it() -> None:
    async with process("--socket", "/nowhere/x") as child:
        _, errors = await child.communicate()

    assert child.returncode == 78
    assert b"--listen" in errors


async def test_it_ends_by_itself_when_nobody_asks(twin: GatewayTwin) -> None:
    del twin
    loop = asyncio.get_running_loop()
    with listening.bound("127.0.0.1:0") as listener:
        daemon = Daemon(Path("/nowhere"), loop.time)
        app = make(daemon, NAMES, None, loop.time)
        server = Server(app, listener, idle_s=0.2, look_s=0.1)
        async with asyncio.timeout(20):
            await server.run()


def test_off_loopback_there_is_no_plain_http() -> None:
    with socket.socket() as everywhere:
        everywhere.bind(("0.0.0.0", 0))  # noqa: S104 - nobody listens there
        with pytest.raises(NotServable, match="no plain HTTP"):
            listening.tls(settings_with(STATUS, Path("/nowhere")), everywhere)


def test_on_loopback_without_a_certificate_there_is_no_tls() -> None:
    with listening.bound("127.0.0.1:0") as listener:
        assert listening.tls(settings_with(STATUS, Path("/nowhere")), listener) is None


@pytest.mark.parametrize(
    "listen", ["8080", "127.0.0.1:http", "nowhere.invalid:80", "127.0.0.1:99999"]
)
def test_what_is_no_address_is_said_so(listen: str) -> None:
    with pytest.raises(NotServable, match="address"):
        listening.bound(listen)


def test_a_port_that_is_taken_is_said_so() -> None:
    with listening.bound("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(NotServable, match="cannot be used"):
            listening.bound(f"127.0.0.1:{port}")


async def test_with_a_certificate_it_speaks_tls_1_2_and_above(
    twin: GatewayTwin, tmp_path: Path
) -> None:
    certificate = _certificate(tmp_path)
    status = plan.Status(certificate="status-cert", private_key="status-key")
    loop = asyncio.get_running_loop()
    path = tmp_path / "fieldpost.sock"
    with listening.bound("127.0.0.1:0") as listener:
        context = listening.tls(settings_with(status, tmp_path), listener)
        server = Server(make(Daemon(path, loop.time), NAMES, None, loop.time), listener, context)
        trusting = ssl.create_default_context(cafile=certificate)
        url = f"https://localhost:{listener.getsockname()[1]}"
        async with twin_listening(twin, path), asyncio.TaskGroup() as group:
            task = group.create_task(server.run(), name="status service")
            async with httpx.AsyncClient(base_url=url, verify=trusting) as client:
                answer = await client.get("/api/v1/status", headers=bearer(Role.VIEWER))
            server.stop.set()
            await task

    assert answer.status_code == 200
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def _certificate(folder: Path) -> Path:
    """A self-made certificate for localhost, stored as the two secrets."""
    from tests.status.selfmade import certificate  # noqa: PLC0415 - cryptography is slow to load

    secrets = folder / "secrets"
    secrets.mkdir()
    for name, text in zip(("status-cert", "status-key"), certificate(), strict=True):
        (secrets / name).write_bytes(text)
        (secrets / name).chmod(0o600)
    return secrets / "status-cert"


def test_names_are_compared_without_brackets_and_case() -> None:
    found = settings_with(plan.Status(names=("Gateway.LAN", "[fe80::1]")), Path())

    assert found.names == {"localhost", "127.0.0.1", "::1", "gateway.lan", "fe80::1"}


async def test_settings_come_from_the_daemon(twin: GatewayTwin, tmp_path: Path) -> None:
    path = tmp_path / "fieldpost.sock"
    async with twin_listening(twin, path):
        loop = asyncio.get_running_loop()
        arguments = ["--socket", str(path), "--listen", "127.0.0.1:0"]
        found = await loop.run_in_executor(None, settings.read, arguments)

    assert (found.site_id, found.status.names) == ("ES-0231", ("gateway.bakery.lan",))
