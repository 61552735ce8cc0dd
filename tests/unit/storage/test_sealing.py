from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from bot.domain.errors import UnreadableSecret
from bot.storage.sealing import FernetSealer
from tests.made_up import JSON, OBJECTS

OLD, NEW = "old key", "new key"


@given(OBJECTS)
def test_what_is_sealed_comes_back(values: dict[str, Any]) -> None:
    assert FernetSealer([NEW]).unseal(FernetSealer([NEW]).seal(values)) == values


def test_a_sealed_value_shows_nothing() -> None:
    assert "hunter2" not in FernetSealer([NEW]).seal({"token": "hunter2"})


def test_after_a_rotation_the_old_key_still_opens_and_the_new_one_seals() -> None:
    sealed = FernetSealer([OLD]).seal({"token": "hunter2"})
    rotated = FernetSealer([NEW, OLD])
    assert rotated.unseal(sealed) == {"token": "hunter2"}
    assert FernetSealer([NEW]).unseal(rotated.seal({"a": 1})) == {"a": 1}


@pytest.mark.parametrize("sealed", ["", "garbage", "🙂"])
def test_what_was_not_sealed_here_is_not_opened(sealed: str) -> None:
    with pytest.raises(UnreadableSecret):
        FernetSealer([NEW]).unseal(sealed)


def test_the_wrong_key_opens_nothing_and_says_what_happened() -> None:
    with pytest.raises(UnreadableSecret, match="the key they were sealed with has changed") as error:
        FernetSealer([NEW]).unseal(FernetSealer([OLD]).seal({"token": "hunter2"}))
    assert error.value.__cause__ is None


@given(JSON)
def test_a_fingerprint_is_the_same_for_the_same_value_under_the_same_key(value: Any) -> None:
    one = FernetSealer([NEW]).fingerprint(value)
    assert one == FernetSealer([NEW, OLD]).fingerprint(value)
    assert one != FernetSealer([OLD]).fingerprint(value)
    assert len(one) == 16
