"""docs/api.md says what is so: its examples are read by the models and its table names every code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from backend_client import errors
from backend_client.models import EmailChange, EventType, NewRegistration, Registration, StatusEvent

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "api.md").read_text("utf-8")
CONTRACT = json.loads((ROOT / "backend_client" / "openapi.json").read_text("utf-8"))


def test_the_examples_are_bodies_of_the_contract() -> None:
    sent = re.findall(r"-d '(\{.*?\})'", DOC, re.DOTALL)
    assert msgspec.json.decode(sent[0], type=NewRegistration).kind == "individu_lokal"
    assert msgspec.json.decode(sent[1], type=EmailChange).email == "siti@example.org"
    answer = re.search(r"```json\n(.*?)```", DOC, re.DOTALL)
    assert answer is not None
    assert msgspec.json.decode(answer[1], type=Registration).status == "pending"
    event = re.search(r"\n\n(\{\"type\".*?\})\n```", DOC, re.DOTALL)
    assert event is not None
    assert msgspec.json.decode(event[1], type=StatusEvent).type == "registration.activated"


def test_every_address_of_the_contract_is_told() -> None:
    told = {
        f"{method} /api/v1{path.replace('{id}', '{registration}')}"
        for method, path in re.findall(r"\| `([A-Z]+) (/\S+)` \|", DOC)
    }
    assert told == {f"{method.upper()} {path}" for path, methods in CONTRACT["paths"].items() for method in methods}


def test_every_code_and_its_error_are_told() -> None:
    description = CONTRACT["components"]["schemas"]["ProblemOut"]["description"]
    codes = set(re.findall(r"\b[a-z_]+\b", description.partition("stable:")[2]))
    assert codes <= set(re.findall(r"`([a-z_]+)`", DOC))
    named = set(re.findall(r"`([A-Z]\w+)` \| (?:no|yes|after)", DOC))
    assert named == {
        error.__name__ for error in vars(errors).values() if isinstance(error, type) and error is not errors.BackendError
    }


def test_every_kind_of_event_is_told() -> None:
    for kind in EventType.__args__:
        assert f"`{kind}`" in DOC or f"`{kind.removeprefix('registration')}`" in DOC
