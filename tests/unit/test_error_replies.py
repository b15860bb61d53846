"""Failures as replies: what a client is told, and whether it may try again."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.errors import failure_response
from domain.errors import StoreUnavailable
from domain.ports.read_models import ReadModelUnavailable


def reply_to(error: Exception) -> tuple[int, dict[str, Any]]:
    response = failure_response(Request({"type": "http", "path": "/", "headers": []}), error)
    return response.status_code, json.loads(bytes(response.body))["error"]


def test_a_read_model_that_is_away_says_nothing_of_new_work() -> None:
    status, error = reply_to(ReadModelUnavailable("too many SQL variables"))
    assert (status, error["code"]) == (503, "read_models_unavailable")
    assert error["message"].startswith("this answer cannot be computed just now")


def test_a_store_that_is_away_takes_no_new_work() -> None:
    status, error = reply_to(StoreUnavailable("the disk is full"))
    assert (status, error["code"]) == (503, "service_unavailable")
    assert error["message"].startswith("the engine cannot record new work")


def test_a_body_that_came_too_slowly_has_a_code_of_its_own() -> None:
    status, error = reply_to(HTTPException(408))
    assert (status, error["type"], error["code"]) == (408, "timeout_error", "request_timeout")
