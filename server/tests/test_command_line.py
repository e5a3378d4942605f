"""`cofounder-server` as an operator meets it: help that teaches, and faults said in a line and not in a traceback."""

import os
import socket
import subprocess
import sys

import pytest

from cofounder_server.settings import Settings

ENGINES = {"DATABASE_URL": "postgres://u:hidden-password@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1"}


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    named = {str(field.alias) for field in Settings.model_fields.values()} | {"PORT"}
    clean = {name: value for name, value in os.environ.items() if name not in named}
    command = [sys.executable, "-m", "cofounder_server", *words]
    return subprocess.run(command, env=clean | environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "environ", "says"),
    [
        (("run",), {"PORT": "abc"}, "PORT is 'abc', which is no port."),
        (("demo", "x"), {"GRPC_PORT": "65536"}, "GRPC_PORT is '65536', which is no port."),
        (("serve",), {}, "DATABASE_URL and REDIS_URL must be set"),
        (("work",), {"DATABASE_URL": ENGINES["DATABASE_URL"]}, "REDIS_URL must be set"),
        (("migrate",), {}, "DATABASE_URL must be set"),
        (("work",), {**ENGINES, "COFOUNDER_LEASE_SECONDS": "0.01"}, "COFOUNDER_LEASE_SECONDS: "),
        (("work",), {**ENGINES, "COFOUNDER_MODELS": "hidden-word"}, "COFOUNDER_MODELS is no JSON object"),
        (("keys",), {"COFOUNDER_ENV": "hidden-word"}, "COFOUNDER_ENV: "),
    ],
)
def test_a_setting_that_is_none_is_named_with_what_to_do_and_not_quoted(words, environ, says):
    ran = run(*words, **environ)
    assert ran.returncode == 2
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "hidden" not in ran.stderr


@pytest.mark.parametrize("words", [("serve",), ("migrate",)])
def test_a_postgres_that_is_not_there_is_said_in_a_line(words):
    ran = run(*words, **ENGINES)
    assert ran.returncode == 1
    assert "DATABASE_URL says" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "hidden-password" not in ran.stderr


@pytest.mark.integration
def test_a_port_that_is_taken_is_said_in_a_line(database, redis_url, tmp_path):
    engines = {"DATABASE_URL": database, "REDIS_URL": redis_url, "COFOUNDER_DATA": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run("serve", **engines, GRPC_PORT=str(taken.getsockname()[1]))
    assert ran.returncode == 1
    assert "the port is taken" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_help_shows_each_command_in_a_sentence_and_every_setting_with_its_default():
    said = run("--help").stdout
    commands = said.partition("Commands:")[2].partition("Settings")[0]
    assert "..." not in commands
    for name, field in Settings.model_fields.items():
        assert (str(field.alias) in said) is (name != "failpoints")


@pytest.mark.integration
async def test_the_first_admin_is_made_here_with_a_reason_that_is_kept(database, pool, tmp_path):
    engine = {"DATABASE_URL": database, "COFOUNDER_DATA": str(tmp_path)}
    ran = run("admin", "grant", "ann", "--reason", "runs support", **engine)
    assert (ran.returncode, ran.stdout) == (0, "ann is an admin\n")
    assert await pool.fetchval("select admin from user_settings where user_id = 'ann'")
    assert run("admin", "revoke", "ann", "--reason", "left", **engine).stdout == "ann is no admin\n"
    rows = await pool.fetch("select user_id, admin_id, reason from settings_changes order by change_id")
    assert [tuple(row) for row in rows] == [("ann", "(operator)", "runs support"), ("ann", "(operator)", "left")]


@pytest.mark.parametrize(
    ("words", "environ", "says"),
    [
        (("grant", "ann"), {}, "Missing option '--reason'"),
        (("grant", " ", "--reason", "r"), ENGINES, "user: is required"),
        (("grant", "ann", "--reason", " "), ENGINES, "reason: is required"),
        (("grant", "ann", "--reason", "r"), {}, "DATABASE_URL is not set"),
    ],
)
def test_an_admin_without_a_reason_or_a_database_is_refused_in_a_line(words, environ, says, tmp_path):
    ran = run("admin", *words, **environ, COFOUNDER_DATA=str(tmp_path))
    assert ran.returncode
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
