"""Health, development tokens, the page and its headers, over a real port."""

import asyncio
import json

import httpx
import pytest

from cofounder_gateway import settings

pytestmark = pytest.mark.integration


@pytest.fixture
async def http(gateway):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", trust_env=False) as client:
        yield client


async def test_health_says_live_ready_and_what_the_server_says(http):
    response = await http.get("/api/health")
    assert response.status_code == 200
    assert response.json() == {"live": True, "ready": True, "dependencies": {"server": "connected", "relay": "well"}}
    assert response.headers["cache-control"] == "no-store"


async def test_health_is_live_but_not_ready_without_a_server_and_ready_again_with_it(server, http, eventually):
    await http.get("/api/health")
    await server.stop()
    response = await http.get("/api/health")
    assert (response.status_code, response.json()["live"], response.json()["ready"]) == (503, True, False)
    await server.start()
    async with asyncio.timeout(30):
        while (await http.get("/api/health")).status_code != 200:
            pass


async def test_health_is_not_ready_where_the_server_refuses_our_own_token(start_gateway, tmp_path, eventually):
    wrong = tmp_path / "wrong.token"
    wrong.write_text("wrong")
    gateway = start_gateway(service_token_file=wrong)
    await eventually(lambda: gateway.hub.relay.trouble == "UNAUTHENTICATED")
    ready, says = await gateway.health()
    assert (ready, says["relay"]) == (False, "UNAUTHENTICATED")


async def test_a_development_token_is_issued_to_this_machine(http, gateway):
    response = await http.post("/api/development/token", json={"userId": "ada"})
    assert response.status_code == 200
    assert response.json() == {"token": "user:ada", "expireTime": "2030-03-17T17:46:40Z"}
    assert response.headers["cache-control"] == "no-store"
    own = {"origin": f"http://127.0.0.1:{gateway.port}"}
    assert (await http.post("/api/development/token", json={}, headers=own)).json()["token"] == "user:me"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:80"}, 403),
        ({"host": "evil.example:80@127.0.0.1"}, 403),
        ({"host": "["}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_d_1_no_foreign_page_gets_a_development_token(http, headers, status):
    headers = {"content-type": "application/json", **headers}
    response = await http.post("/api/development/token", content=b"{}", headers=headers)
    assert response.status_code == status
    assert "token" not in response.json()


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"userId": 1}', b"\xff", b'{"userId": "' + b"x" * 5000 + b'"}'])
async def test_a_body_that_is_none_is_refused(http, body):
    response = await http.post("/api/development/token", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400


async def test_d_6_a_body_that_does_not_come_is_not_waited_for(start_gateway):
    gateway = start_gateway(hello_deadline_seconds=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = "POST /api/development/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: 5\r\n\r\n".encode())
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 30)
    writer.close()


async def test_production_issues_no_development_token(start_gateway):
    gateway = start_gateway(environment="production")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", trust_env=False) as http:
        assert (await http.post("/api/development/token", json={})).status_code in (404, 405)


async def test_a_server_out_of_reach_is_said_without_its_address(server, start_gateway):
    gateway = start_gateway(authorize_deadline_seconds=0.2)
    await server.stop()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", trust_env=False) as http:
        response = await http.post("/api/development/token", json={})
    assert response.status_code == 503
    assert str(server.port) not in response.text


@pytest.mark.parametrize("path", ["/", "/index.html", "/api/health", "/nothing", "/api/development/token"])
async def test_every_answer_carries_the_security_headers(http, path):
    headers = (await http.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "server" not in headers


async def test_the_page_is_asked_about_each_time_and_loaded_once(http):
    first = await http.get("/")
    assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
    again = await http.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["x-content-type-options"] == "nosniff"


async def test_head_says_what_get_would_and_sends_nothing(http):
    for path in ("/", "/api/health"):
        got, head = await http.get(path), await http.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize(
    "path", ["/../settings.py", "/..%2fsettings.py", "/%2e%2e/conftest.py", "//etc/passwd", "/%00"]
)
async def test_nothing_outside_the_page_is_served(gateway, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert b" 404 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("query", ["token=s3cret", "x=1&token=s3cret", "access_token=s3cret", "TOKEN=s", "%74oken=s"])
async def test_example_107_a_token_in_an_address_is_refused_on_every_path(http, gateway, query):
    for path in ("/", "/api/health", "/api/socket", "/nothing"):
        response = await http.get(f"{path}?{query}")
        assert response.status_code == 400
        assert "s3cret" not in response.text
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    key = {"sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", "sec-websocket-protocol": "cofounder.v1.json"}
    response = await http.get(f"/api/socket?{query}", headers={**upgrade, **key})
    assert response.status_code == 403


def test_t_2_every_duration_goes_down_to_100_ms_but_the_one_the_server_bounds():
    for name, field in settings.Settings.model_fields.items():
        if name.endswith("_seconds") and name != "keepalive_seconds":
            assert getattr(settings.Settings(**{name: 0.1}), name) == 0.1, field
    # C-11: the server closes connections that ping more often than every 20 s.
    with pytest.raises(ValueError, match="keepalive_seconds"):
        settings.Settings(keepalive_seconds=19)


def test_settings_are_read_from_the_environment(monkeypatch):
    values = {"PORT": "9", "COFOUNDER_ENV": "production", "COFOUNDER_GATEWAY_MAX_WATCHES": "3"}
    # Shells and compilers' environments export a HOST of their own, which says nothing of where to listen.
    values |= {"HOST": "x86_64-linux-gnu", "COFOUNDER_HOST": "::1"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    made = settings.Settings()
    assert (made.port, made.environment, made.max_watches) == (9, "production", 3)
    assert made.host == "::1"
    assert json.loads(made.model_dump_json())["port"] == 9
