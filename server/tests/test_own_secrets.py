"""Which values of its own a process lets appear nowhere (D-11)."""

from cofounder_server.app.ground import own_secrets
from cofounder_server.builds.redact import Redactor
from cofounder_server.settings import Settings


def test_d_11_a_password_is_a_secret_also_without_its_url():
    settings = Settings(
        database_url="postgres://u:correct%20horse%20battery@db/x",
        redis_url="redis://:staple-staple@cache",
        anthropic_api_key="",
    )
    said = Redactor(own_secrets(settings)).whole(
        "it is 'correct horse battery' or correct%20horse%20battery, staple-staple"
    )
    assert "horse" not in said
    assert "staple" not in said


def test_words_that_stand_for_no_secret_are_left_alone():
    settings = Settings(database_url="postgres:///x", redis_url="redis://h", anthropic_api_key="rehearsal")
    assert Redactor(own_secrets(settings)).whole("a rehearsal") == "a rehearsal"
