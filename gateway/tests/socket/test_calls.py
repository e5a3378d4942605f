"""Calls through a socket: bytes untouched, status whole, only what is allowed."""

import base64

import pytest
from google.protobuf import json_format
from google.rpc import code_pb2

from cofounder.gateway.v1 import frame_pb2
from cofounder.runner.v1 import interview_pb2, runner_service_pb2
from cofounder_gateway import frames, methods

RUNNER = "cofounder.runner.v1.RunnerService/"


async def answer(browser):
    """Returns the responses of the only call and its status."""
    parts = []
    while (frame := await browser.receive()).WhichOneof("kind") != "call_end":
        if frame.HasField("call_part"):
            parts.append(frame.call_part.response)
    return parts, frame.call_end.status


@pytest.mark.integration
async def test_a_unary_call_passes_bytes_through_under_the_users_token(server, gateway, browse):
    browser = await browse(gateway, token="user:ada")
    # With a field of a later version, which only bytes that nobody re-encodes may keep in front.
    request = b"\xf8\x3e\x07" + runner_service_pb2.StartBuildRequest(goal="g").SerializeToString()
    await browser.call(RUNNER + "StartBuild", request)
    parts, status = await answer(browser)
    assert status.code == code_pb2.OK
    assert runner_service_pb2.StartBuildResponse.FromString(parts[0]).build.build_id == "build-of-g"
    assert server.started_builds[0].endswith(b"\xf8\x3e\x07")
    assert server.metadata["authorization"] == "Bearer user:ada"
    assert server.metadata["x-correlation-id"]


@pytest.mark.integration
async def test_example_117_headers_of_the_browser_never_reach_the_server(server, gateway, browse):
    claims = {
        "x-user-id": "root",
        "x-forwarded-for": "1.2.3.4",
        "grpc-metadata-x": "y",
        "authorization": "Bearer user:x",
    }
    browser = await browse(gateway, additional_headers=claims)
    await browser.call(RUNNER + "StartBuild", b"")
    await answer(browser)
    assert set(claims) & set(server.metadata) == {"authorization"}
    assert server.metadata["authorization"] == "Bearer user:me"


@pytest.mark.integration
async def test_a_streaming_call_brings_each_response_as_it_comes(server, gateway, browse):
    server.hold_answers.clear()
    browser = await browse(gateway)
    await browser.call(RUNNER + "GenerateQuestions", b"")
    server.hold_answers.set()
    parts, status = await answer(browser)
    texts = [interview_pb2.GenerateQuestionsResponse.FromString(part).text_delta for part in parts]
    assert (texts, status.code) == (["Who ", "pays", "?"], code_pb2.OK)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("codec", "request_bytes"),
    [
        (frames.PROTO_SUBPROTOCOL, runner_service_pb2.CancelBuildRequest(build_id="b").SerializeToString()),
        (frames.JSON_SUBPROTOCOL, b'{"buildId": "b"}'),
    ],
)
async def test_a_refusal_arrives_with_its_details_whole(gateway, browse, refusal, codec, request_bytes):
    browser = await browse(gateway, codec=codec)
    await browser.call(RUNNER + "CancelBuild", request_bytes)
    parts, status = await answer(browser)
    assert parts == []
    # As JSON, for a map inside a packed detail may be encoded in any order.
    expected = refusal(code_pb2.NOT_FOUND, "NOT_FOUND", resource="build", id="b")
    assert json_format.MessageToDict(status) == json_format.MessageToDict(expected)


@pytest.mark.integration
@pytest.mark.parametrize(
    "method",
    [
        RUNNER + "WatchBuild",
        "cofounder.billing.v1.BillingService/IngestStripeEvent",
        "cofounder.gateway.v1.RelayService/ReadBuildLog",
        "cofounder.gateway.v1.RelayService/IssueDevelopmentToken",
        "grpc.health.v1.Health/Check",
        "/" + RUNNER + "StartBuild",
        RUNNER + "../StartBuild",
        "",
    ],
)
async def test_d_5_what_is_not_on_the_list_is_not_called(server, gateway, browse, method):
    browser = await browse(gateway)
    await browser.call(method, b"")
    parts, status = await answer(browser)
    assert (parts, status.code) == ([], code_pb2.UNIMPLEMENTED)


@pytest.mark.integration
async def test_a_hangup_stops_the_waiting_and_the_server_hears_of_it(server, gateway, browse, eventually):
    browser = await browse(gateway)
    await browser.call(RUNNER + "GenerateBrief", b"")
    await browser.next("call_part")
    await browser.send(hangup=frame_pb2.Hangup(call_id=1))
    assert (await browser.next("call_end")).call_end.status.code == code_pb2.CANCELLED
    await eventually(lambda: server.hung_up == 1)


@pytest.mark.integration
async def test_a_socket_that_closes_hangs_up_its_calls(server, gateway, browse, eventually):
    browser = await browse(gateway)
    await browser.call(RUNNER + "GenerateBrief", b"")
    await browser.next("call_part")
    browser.connection.transport.abort()
    await eventually(lambda: server.hung_up == 1)


@pytest.mark.integration
async def test_d_6_a_call_too_many_is_refused_and_the_socket_lives(server, start_gateway, browse):
    browser = await browse(start_gateway(max_calls=2))
    for call_id in (1, 2):
        await browser.call(RUNNER + "GenerateBrief", b"", call_id=call_id)
        await browser.next("call_part")
    await browser.call(RUNNER + "StartBuild", b"", call_id=3)
    end = (await browser.next("call_end")).call_end
    assert (end.call_id, end.status.code) == (3, code_pb2.RESOURCE_EXHAUSTED)


@pytest.mark.integration
async def test_a_call_that_outlives_its_deadline_ends(start_gateway, browse):
    browser = await browse(start_gateway(stream_call_deadline_seconds=0.2))
    await browser.call(RUNNER + "GenerateBrief", b"")
    parts, status = await answer(browser)
    assert (len(parts), status.code) == (1, code_pb2.DEADLINE_EXCEEDED)


@pytest.mark.integration
async def test_d_12_a_server_out_of_reach_is_said_without_its_address(server, gateway, browse):
    browser = await browse(gateway)
    await server.stop()
    await browser.call(RUNNER + "StartBuild", b"")
    _, status = await answer(browser)
    assert status.code == code_pb2.UNAVAILABLE
    assert "127.0.0.1" not in status.message
    assert b"DEPENDENCY_UNAVAILABLE" in status.details[0].value


@pytest.mark.integration
async def test_under_json_request_and_response_are_proto_json(server, gateway, browse):
    browser = await browse(gateway, codec=frames.JSON_SUBPROTOCOL)
    await browser.call(RUNNER + "StartBuild", b'{"goal": "g", "requestId": "r"}')
    parts, status = await answer(browser)
    assert status.code == code_pb2.OK
    response = json_format.Parse(parts[0], runner_service_pb2.StartBuildResponse())
    assert response.build.build_id == "build-of-g"
    assert runner_service_pb2.StartBuildRequest.FromString(server.started_builds[0]).request_id == "r"
    assert base64.b64encode(parts[0]).decode() in "".join(map(str, browser.received))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("request_json", "field"),
    [
        (b"{", "request"),
        (b"[]", "request"),
        (b"\xff", "request"),
        (b"[" * 20_000, "request"),
        (b'{"goal": 1}', "goal"),
        (b'{"goal": "a", "goal": "b"}', "request"),
        (b'{"goal": "a\\ud800b"}', "goal"),
        (b'{"requestId": ["r"]}', "request_id"),
        (b'{"budgetMicrodollars": "1e3"}', "budget_microdollars"),
        (b'{"nothing": 1}', "nothing"),
    ],
)
async def test_under_json_a_request_that_is_none_names_its_field_and_the_socket_lives(
    server, gateway, browse, request_json, field
):
    browser = await browse(gateway, codec=frames.JSON_SUBPROTOCOL)
    await browser.call(RUNNER + "StartBuild", request_json)
    _, status = await answer(browser)
    assert status.code == code_pb2.INVALID_ARGUMENT
    assert status.message.startswith(f"{field}: ")
    await browser.call(RUNNER + "StartBuild", b"", call_id=2)
    assert (await answer(browser))[1].code == code_pb2.OK
    assert len(server.started_builds) == 1


def test_the_list_is_every_method_of_the_four_services_but_two():
    allowed = methods.allowed()
    services = {name.partition("/")[0] for name in allowed}
    assert services == {
        "cofounder.runner.v1.RunnerService",
        "cofounder.runner.v1.ProjectService",
        "cofounder.usage.v1.UsageService",
        "cofounder.billing.v1.BillingService",
    }
    assert allowed[RUNNER + "GenerateQuestions"].streams
    assert not allowed[RUNNER + "StartBuild"].streams
    assert allowed[RUNNER + "StartBuild"].request is runner_service_pb2.StartBuildRequest
    assert RUNNER + "WatchBuild" not in allowed
    assert "cofounder.billing.v1.BillingService/IngestStripeEvent" not in allowed
