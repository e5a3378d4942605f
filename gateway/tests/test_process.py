"""The gateway as a process: starts, says so, drains on SIGTERM, and keeps tokens out of its logs."""

import asyncio
import json
import os
import signal
import socket
import sys

import httpx
import pytest
import websockets.asyncio.client as client
import websockets.exceptions

from cofounder.gateway.v1 import frame_pb2

pytestmark = pytest.mark.integration


@pytest.fixture
async def launch(server, config):
    processes = []

    async def launch(**changes):
        made = config()
        environment = {
            "PATH": os.environ["PATH"],
            "PORT": "0",
            "COFOUNDER_SERVER": made.server,
            "COFOUNDER_SERVICE_TOKEN_FILE": str(made.service_token_file),
            "COFOUNDER_GATEWAY_DRAIN_SECONDS": "0.1",
            **changes,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cofounder_gateway", env=environment, stderr=asyncio.subprocess.PIPE
        )
        processes.append(process)
        return process

    yield launch
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def serving(process):
    """Returns the port and the line that says it."""
    async with asyncio.timeout(30):
        while True:
            line = json.loads(await process.stderr.readline())
            if line["event"] == "gateway serves":
                return line["port"], line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_c_12_a_signal_drains_and_the_process_ends_well(launch, number):
    process = await launch()
    port, _ = await serving(process)
    async with client.connect(
        f"ws://127.0.0.1:{port}/api/socket", subprotocols=["cofounder.v1.proto"], proxy=None
    ) as browser:
        await browser.send(frame_pb2.ClientFrame(hello=frame_pb2.Hello(token="user:me")).SerializeToString())
        await browser.recv()
        process.send_signal(number)
        await asyncio.wait_for(browser.wait_closed(), 30)
        assert browser.close_code == 1012
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_example_107_no_log_line_holds_a_token_and_each_is_json(launch, server):
    process = await launch(COFOUNDER_LOG_LEVEL="DEBUG")
    port, first = await serving(process)
    secret = "eyJhbGciOi.s3cret-part.signature"
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        await http.get(f"/?token={secret}")
        await http.get(f"/api/socket?access_token={secret}", headers={"upgrade": "websocket", "connection": "upgrade"})
        await http.get("/", headers={"authorization": f"Bearer {secret}"})
    with pytest.raises(websockets.exceptions.InvalidStatus):
        await client.connect(f"ws://127.0.0.1:{port}/api/socket?token={secret}", proxy=None)
    for token in (secret, f"user:{secret}"):
        async with client.connect(
            f"ws://127.0.0.1:{port}/api/socket", subprotocols=["cofounder.v1.proto"], proxy=None
        ) as browser:
            await browser.send(frame_pb2.ClientFrame(hello=frame_pb2.Hello(token=token)).SerializeToString())
            await browser.send(b"\xff" + secret.encode())
            await asyncio.wait_for(browser.wait_closed(), 30)
    await server.stop()
    process.terminate()
    rest = (await asyncio.wait_for(process.stderr.read(), 30)).decode()
    assert "s3cret-part" not in rest
    assert "signature" not in rest
    assert "service-token" not in rest + json.dumps(first)
    lines = [json.loads(line) for line in rest.splitlines()]
    assert {"socket closes", "gateway drains", "gateway stopped"} <= {line["event"] for line in lines}


async def test_a_taken_port_is_said_with_what_to_do(launch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await launch(PORT=str(taken.getsockname()[1]))
        said = (await asyncio.wait_for(process.stderr.read(), 30)).decode()
        assert await process.wait() == 1
    assert "Set PORT to another" in said


async def test_a_bad_setting_is_named(launch):
    process = await launch(COFOUNDER_ENV="staging", COFOUNDER_GATEWAY_DRAIN_SECONDS="0.01")
    said = (await asyncio.wait_for(process.stderr.read(), 30)).decode()
    assert await process.wait() == 2
    assert "COFOUNDER_ENV" in said
    assert "drain_seconds" in said.lower()


async def test_help_names_every_setting():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cofounder_gateway", "--help", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    for name in (b"COFOUNDER_SERVER", b"COFOUNDER_ALLOWED_ORIGINS", b"HELLO_DEADLINE_SECONDS", b"RING_BYTES"):
        assert name in out
