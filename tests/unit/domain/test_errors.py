from __future__ import annotations

import pytest

from bot.domain import errors

EVERY = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.WorkflowBotError)]


@pytest.mark.parametrize("kind", EVERY)
def test_an_errors_first_docstring_line_is_what_people_are_told(kind: type[errors.WorkflowBotError]) -> None:
    words = str(kind())
    assert words
    assert words == (kind.__doc__ or "").split("\n")[0]
    assert words.endswith(".")


def test_an_error_can_say_more_than_its_docstring() -> None:
    error = errors.DatadogRefused("The workflow is not published.", status=400, code="NOT_PUBLISHED")
    assert (str(error), error.status, error.code) == ("The workflow is not published.", 400, "NOT_PUBLISHED")


def test_what_may_have_run_is_never_taken_for_what_surely_has_not() -> None:
    assert not issubclass(errors.OutcomeUnknown, errors.DatadogRefused | errors.DatadogUnreachable)


def test_a_limit_says_how_long_to_wait() -> None:
    error = errors.DatadogLimited(retry_after=3.0)
    assert (error.status, error.retry_after) == (429, 3.0)
