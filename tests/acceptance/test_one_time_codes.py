"""Step-up: where a rule asks for it, an approver proves with a one-time code that it is them who presses."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pyotp

from bot.domain.runs import State
from bot.sandbox.slack import Person
from tests.acceptance.approvals import CARA, RUN, ask_for, asked, asks, offer_with_approval, state_of
from tests.acceptance.scene import ONE_DATABASE, OPS, Scene, words
from tests.integration.command_line import command


async def _enrol(scene: Scene, person: Person) -> pyotp.TOTP:
    """Set up an authenticator app, and confirm it with a code of the step before, so that this step's is free."""
    await person.command(OPS, "/workflow authenticator")
    window = await person.wait_for_view(lambda view: view["callback_id"] == "authenticator")
    totp = pyotp.TOTP(str(re.search(r"secret=([A-Z2-7]+)", words(window))[1]))  # type: ignore[index]  # it is there
    await person.fill({"The code that the app shows now": totp.at(int(time.time()) - 30)})
    assert (await person.submit()).happened == "updated"
    await person.wait_for_view(lambda view: "is set up" in words(view))
    await person.close_view()
    return totp


async def _review(scene: Scene, person: Person) -> None:
    await asked(scene, person)
    await person.press("Approve")
    await person.wait_for_view(lambda view: view["callback_id"] == "review")


async def test_an_approval_with_the_right_code_counts_and_the_code_is_used_up(scene: Scene) -> None:
    await offer_with_approval(scene, asks(step_up=True))
    totp = await _enrol(scene, scene.bob)
    first = await ask_for(scene)
    await _review(scene, scene.bob)
    assert "Needed" in str((await scene.bob.wait_for_view())["blocks"])
    wrong = await scene.bob.submit()
    assert wrong.errors["review:code"].endswith("type the one-time code of your authenticator app.")
    code = totp.now()
    await scene.bob.fill({"One-time code": code})
    assert (await scene.bob.submit()).happened == "closed"
    await scene.told(scene.alice, "is running for")
    approved = next(body for body in await scene.records() if body["act"] == "approved")
    assert approved["one_time_code"] is True

    await scene.alice.command(OPS, RUN.replace("web", "api"))
    second = next(run.id for run in await scene.runs() if run.id != first)
    await scene.bob.command(OPS, f"/workflow approve {second}")
    await scene.bob.wait_for_view(lambda view: view["callback_id"] == "review")
    await scene.bob.fill({"One-time code": code})
    assert "wrong, or was used before" in (await scene.bob.submit()).errors["review:code"]
    await state_of(scene, second, State.AWAITING_APPROVAL)


@ONE_DATABASE
async def test_without_an_authenticator_one_is_told_how_to_get_one(scene: Scene) -> None:
    await offer_with_approval(scene, asks(step_up=True))
    await ask_for(scene)
    await _review(scene, scene.bob)
    await scene.bob.fill({"One-time code": "123456"})
    await scene.bob.submit()
    await scene.bob.wait_for_view(lambda view: "Set it up with `/workflow authenticator`" in words(view))
    await scene.only_run(State.AWAITING_APPROVAL)


@ONE_DATABASE
async def test_a_one_press_payload_without_a_code_does_not_slip_past(scene: Scene) -> None:
    await offer_with_approval(scene, asks(step_up=True))
    await _enrol(scene, scene.bob)
    await ask_for(scene)
    press = scene.bob.button_payload("Approve", await asked(scene, scene.bob))
    press["actions"][0]["action_id"] = "approve_run"
    await scene.slack.deliver("interactive", press)
    await scene.only_run(State.AWAITING_APPROVAL)
    assert "approved" not in await scene.acts()


@ONE_DATABASE
async def test_a_refusal_needs_no_code(scene: Scene) -> None:
    await offer_with_approval(scene, asks(step_up=True))
    await ask_for(scene)
    await asked(scene, scene.bob)
    await scene.bob.press("Refuse…")
    await scene.bob.wait_for_view(lambda view: view["callback_id"] == "review")
    await scene.bob.fill({"Comment": "no"})
    assert (await scene.bob.submit()).happened == "closed"
    await scene.only_run(State.REFUSED)


async def test_guessing_codes_is_stopped(scene: Scene) -> None:
    await offer_with_approval(scene, asks(step_up=True))
    totp = await _enrol(scene, scene.bob)
    await ask_for(scene)
    await _review(scene, scene.bob)
    wrong = str((int(totp.now()) + 1) % 1_000_000).zfill(6)
    said = []
    for _ in range(5):
        await scene.bob.fill({"One-time code": wrong})
        said.append((await scene.bob.submit()).errors["review:code"])
    assert ["Too many wrong codes" in words for words in said] == [False, False, False, False, True]
    await scene.bob.fill({"One-time code": totp.now()})
    assert "Too many wrong codes" in (await scene.bob.submit()).errors["review:code"]
    assert (await scene.acts()).count("code refused") == 5
    await scene.only_run(State.AWAITING_APPROVAL)


@ONE_DATABASE
async def test_a_stolen_session_can_not_bring_its_own_authenticator(scene: Scene) -> None:
    await offer_with_approval(scene, asks(step_up=True))
    totp = await _enrol(scene, scene.bob)
    await scene.bob.command(OPS, "/workflow authenticator")
    window = await scene.bob.wait_for_view(lambda view: "To replace it, type a code" in words(view))
    assert "secret=" not in words(window)
    await scene.bob.fill({"A code of the app that you have now": "000000"})
    assert (await scene.bob.submit()).happened == "errors"
    await scene.bob.fill({"A code of the app that you have now": totp.now()})
    assert (await scene.bob.submit()).happened == "updated"
    assert "secret=" in words(await scene.bob.wait_for_view())


async def test_a_lost_phone_is_removed_on_the_command_line_and_the_secret_is_never_in_the_clear(
    scene: Scene, tmp_path: Path
) -> None:
    await offer_with_approval(scene, asks(step_up=True))
    totp = await _enrol(scene, scene.slack.person(CARA))
    held = await scene.world.bot.store.read(lambda tx: tx.hold_authenticator(scene.slack.team_id, CARA))
    assert held is not None
    assert totp.secret not in held.sealed
    ended = await command(tmp_path, "authenticators", "remove", CARA, DATABASE_URL=scene.database_url)
    assert ended.code == 0, ended.words
    again = await command(tmp_path, "authenticators", "remove", CARA, DATABASE_URL=scene.database_url)
    assert (again.code, f"{CARA} has no authenticator." in again.words) == (1, True)
    assert (await scene.acts())[-2:] == ["authenticator added", "authenticator removed"]
