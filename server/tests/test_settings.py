"""T-2: every duration can be set, down to 100 ms, and reaches what it is for."""

from dataclasses import fields

import pytest
from pydantic import ValidationError

from cofounder_server.agent.patience import Patience
from cofounder_server.app import agents, server
from cofounder_server.settings import Settings

DURATIONS = [name for name in Settings.model_fields if name.endswith("_seconds")]


@pytest.mark.parametrize("name", DURATIONS)
def test_t_2_a_duration_goes_down_to_100_ms_and_no_further(name):
    alias = str(Settings.model_fields[name].alias)
    assert getattr(Settings(**{alias: 0.1}), name) == 0.1
    with pytest.raises(ValidationError):
        Settings(**{alias: 0.09})


def test_t_2_the_patience_with_a_model_is_what_is_set_and_by_default_its_own():
    assert agents._patience(Settings()) == Patience()
    asked = {f"COFOUNDER_MODEL_{field.name.upper()}_SECONDS": 0.1 for field in fields(Patience)}
    patience = agents._patience(Settings(**asked, COFOUNDER_MODEL_ATTEMPTS=1))
    assert patience == Patience(**{field.name: 0.1 for field in fields(Patience)} | {"attempts": 1})


def test_t_2_the_edge_is_as_it_is_set():
    edge = server._edge(Settings(COFOUNDER_CALL_SECONDS=0.1, COFOUNDER_DRAIN_SECONDS=0.2, COFOUNDER_WRITE_SECONDS=0.3))
    assert (edge.call_seconds, edge.drain_seconds, edge.write_seconds) == (0.1, 0.2, 0.3)
