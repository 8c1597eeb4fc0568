"""The client's models and the frozen contract, `backend_client/openapi.json`, say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

import backend_client
from backend_client.client import BackendClient
from backend_client.models import (
    Consent,
    EmailChange,
    EventData,
    FieldError,
    Mail,
    NewRegistration,
    Notice,
    Page,
    Problem,
    Registration,
    Reveal,
    Revealed,
    StatusEvent,
)

CONTRACT = json.loads((Path(backend_client.__file__).parent / "openapi.json").read_text("utf-8"))
SCHEMAS: dict[str, dict[str, Any]] = CONTRACT["components"]["schemas"]

# Our name, theirs, and whether it is sent (then the contract's required fields are ours too, and nothing else may be sent).
PAIRS = [
    (NewRegistration, "RegistrationIn", True),
    (Consent, "ConsentIn", True),
    (EmailChange, "EmailIn", True),
    (Notice, "NoticeIn", True),
    (Reveal, "RevealIn", True),
    (Revealed, "RevealedOut", False),
    (Registration, "RegistrationOut", False),
    (Page, "RegistrationPageOut", False),
    (Mail, "MailOut", False),
    (Problem, "ProblemOut", False),
    (FieldError, "FieldErrorOut", False),
    (StatusEvent, "StatusEventOut", False),
    (EventData, "EventDataOut", False),
]


def shape(schema: dict[str, Any], schemas: dict[str, Any]) -> object:
    """What a value may be, without titles, limits and the two generators' ways to write the same."""
    if "$ref" in schema:
        return shape(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return sorted((shape(one, schemas) for one in schema["anyOf"]), key=str)
    if "enum" in schema:
        return {"enum": sorted(schema["enum"])}
    if schema.get("type") == "object":
        return {"object": sorted(schema["properties"])}
    if schema.get("type") == "array":
        return {"array": shape(schema["items"], schemas)}
    # Of strings only times have a type of their own here; other formats name rules of the backend.
    return {"type": schema.get("type"), "time": schema.get("format") == "date-time"}


@pytest.mark.parametrize(("ours", "theirs", "sent"), PAIRS, ids=[pair[0].__name__ for pair in PAIRS])
def test_a_model_and_its_schema_agree_on_names_types_words_and_what_is_required(
    ours: type[msgspec.Struct], theirs: str, sent: bool
) -> None:
    [_], own = msgspec.json.schema_components([ours], ref_template="{name}")
    model, schema = own[ours.__name__], SCHEMAS[theirs]
    assert sorted(model["properties"]) == sorted(schema["properties"])
    assert sorted(model.get("required", [])) == sorted(schema.get("required", []))
    for name in schema["properties"]:
        assert shape(model["properties"][name], own) == shape(schema["properties"][name], SCHEMAS), name
    if sent:
        assert schema["additionalProperties"] is False
        assert model["additionalProperties"] is False


def test_every_schema_of_the_contract_has_its_model() -> None:
    assert set(SCHEMAS) == {theirs for _, theirs, _ in PAIRS}


def test_the_client_asks_what_the_contract_offers_and_the_contract_offers_nothing_else() -> None:
    offered = {
        (method.upper(), path, operation["operationId"])
        for path, methods in CONTRACT["paths"].items()
        for method, operation in methods.items()
    }
    assert offered == {
        ("POST", "/api/v1/registrations", "createRegistration"),
        ("GET", "/api/v1/registrations", "listRegistrations"),
        ("GET", "/api/v1/registrations/{registration}", "getRegistration"),
        ("POST", "/api/v1/registrations/{registration}/resend", "resendActivation"),
        ("PUT", "/api/v1/registrations/{registration}/email", "changeEmail"),
        ("POST", "/api/v1/registrations/{registration}/notices", "createNotice"),
        ("DELETE", "/api/v1/registrations/{registration}", "withdrawRegistration"),
        ("POST", "/api/v1/registrations/{registration}/reveal", "revealField"),
    }
    assert {name for name in vars(BackendClient) if not name.startswith("_")} == {
        "create",
        "status",
        "registrations",
        "resend",
        "change_email",
        "notify",
        "withdraw",
        "reveal",
        "close",
    }


def test_what_changes_something_wants_a_key_and_a_bearer_token() -> None:
    for methods in CONTRACT["paths"].values():
        for method, operation in methods.items():
            headers = [each["name"] for each in operation.get("parameters", []) if each["in"] == "header" and each["required"]]
            changes = method in {"post", "put"} and operation["operationId"] != "revealField"
            assert headers == (["Idempotency-Key"] if changes else [])
            assert operation["security"]
    assert {scheme["scheme"] for scheme in CONTRACT["components"]["securitySchemes"].values()} == {"bearer"}


def test_every_refusal_that_the_contract_names_is_a_problem() -> None:
    for methods in CONTRACT["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    content = answer["content"]
                    assert list(content) == ["application/problem+json"]
                    assert content["application/problem+json"]["schema"]["$ref"].endswith("/ProblemOut")


def test_the_codes_that_make_a_typed_error_are_the_contract_s() -> None:
    codes = set(re.findall(r"\b[a-z_]+\b", SCHEMAS["ProblemOut"]["description"].partition("stable:")[2]))
    assert {"not_found", "key_reused", "closed", "limit", "invalid", "unauthorized"} <= codes
