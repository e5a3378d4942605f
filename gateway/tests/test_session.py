"""The protocol of a socket, frame by frame, without a socket."""

import pytest

from cofounder.gateway.v1 import frame_pb2
from cofounder_gateway import methods, session

pytestmark = pytest.mark.unit
START = "cofounder.runner.v1.RunnerService/StartBuild"


@pytest.fixture
def ready():
    made = session.Session(methods.allowed(), max_watches=2, max_calls=2)
    made.receive(frame_pb2.ClientFrame(hello=frame_pb2.Hello(token="t")))
    made.accept("ada")
    return made


def watch(watch_id, **more):
    return frame_pb2.ClientFrame(watch=frame_pb2.Watch(watch_id=watch_id, **more))


def call(call_id, method=START):
    return frame_pb2.ClientFrame(call=frame_pb2.Call(call_id=call_id, method=method))


def test_a_hello_asks_to_authenticate_and_nothing_else_may_come_first():
    made = session.Session(methods.allowed(), max_watches=2, max_calls=2)
    first = made.receive(watch(1))
    assert isinstance(first, session.Farewell)
    assert first.code == 4501
    hello = frame_pb2.ClientFrame(hello=frame_pb2.Hello(token="t"))
    assert made.receive(hello) == session.Authenticate("t", renewal=False)
    assert made.receive(hello).code == 4501


def test_a_renewal_of_the_same_user_is_taken_and_of_another_is_not(ready):
    asked = ready.receive(frame_pb2.ClientFrame(renew=frame_pb2.Renew(token="t2")))
    assert asked == session.Authenticate("t2", renewal=True)
    assert ready.accept("ada") is None
    assert ready.accept("eve").code == 4503


def test_an_id_may_be_used_again_once_it_has_ended(ready):
    assert isinstance(ready.receive(watch(1)), session.StartWatch)
    assert ready.receive(watch(1)).code == 4504
    ready.watch_ended(1)
    assert isinstance(ready.receive(watch(1)), session.StartWatch)


def test_watches_and_calls_have_ids_and_limits_of_their_own(ready):
    for number in (1, 2):
        assert isinstance(ready.receive(watch(number)), session.StartWatch)
        assert isinstance(ready.receive(call(number)), session.StartCall)
    assert ready.receive(watch(3)).frame.ended.watch_id == 3
    assert ready.receive(call(3)).frame.call_end.call_id == 3
    assert ready.receive(frame_pb2.ClientFrame(unwatch=frame_pb2.Unwatch(watch_id=1))) == session.StopWatch(1)
    assert ready.receive(frame_pb2.ClientFrame(hangup=frame_pb2.Hangup(call_id=2))) == session.StopCall(2)


def test_close_codes_say_what_to_do_next():
    resume, stop = frame_pb2.Leave.ACTION_RESUME, frame_pb2.Leave.ACTION_STOP
    farewells = [
        session.too_slow("x"),
        session.unreached(),
        session.fault(),
        session.token_ended(),
        session.bad_hello("x"),
        session.not_allowed("x"),
        session.bad_frame("x"),
        session.draining(0.5),
    ]
    for one in farewells:
        assert one.action == (stop if one.code >= 4500 else resume)
        # A close frame has room for 123 bytes of reason.
        assert len(one.reason.encode()) <= 123


def test_the_longest_reason_of_a_refused_id_fits_a_close_frame(ready):
    for frame in (watch(-1), call(-1), frame_pb2.ClientFrame()):
        assert len(ready.receive(frame).reason.encode()) <= 123
