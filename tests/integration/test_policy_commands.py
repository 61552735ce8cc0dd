"""Rules as code on the command line: plan, apply, test, schema, drift; what Datadog has; grants; why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa

from bot.sandbox.datadog import LocalDatadog
from bot.sandbox.datadog.workflows import make_spec
from bot.storage.tables import policies
from tests.integration.command_line import Ended, command, start
from tests.integration.conftest import OpenStore

SERVICE = {"name": "service", "type": "STRING", "allowedValues": ["web", "api"]}
ENV = {"name": "env", "type": "STRING", "allowedValues": ["staging", "production"], "defaultValue": "staging"}
TOMORROW = datetime.now(UTC) + timedelta(days=1)


class Desk:
    """A folder with a policy file, a database and a Datadog with one workflow, `restart-service`."""

    def __init__(self, folder: Path, url: str, datadog: LocalDatadog) -> None:
        self.folder, self.url, self.datadog = folder, url, datadog
        self.path = folder / "workflows.yml"
        self.workflow_id = datadog.add_workflow(name="Restart a service", parameters=[SERVICE, ENV])
        self.environment = {
            "DATABASE_URL": url,
            "DD_API_URL": datadog.url,
            "DD_API_KEY": datadog.api_key,
            "DD_APP_KEY": datadog.app_key,
            "POLICY_FILE": "workflows.yml",
        }

    def write(self, *rules: str, more: str = "") -> None:
        lines = "".join(f"  - {rule}\n" for rule in rules)
        head = f"version: 1\n# kept by the SREs\nworkflows:\n  restart-service:\n    id: {self.workflow_id}\n"
        self.path.write_text(f"{head}    tags: [ops]\nrules:{' []' if not rules else ''}\n{lines}{more}")

    async def run(self, *arguments: str, **more: str) -> Ended:
        ended = await command(self.folder, *arguments, **self.environment, **more)
        assert "Traceback" not in ended.words, ended.words
        return ended

    async def plan_id(self) -> str:
        ended = await self.run("policy", "plan")
        assert ended.code == 0, ended.words
        return ended.words.split("--plan ")[-1].strip()

    def change(self, *parameters: dict[str, Any]) -> None:
        spec = make_spec(list(parameters), ["Step1"], api_trigger=True)
        self.datadog.change_workflow(self.workflow_id, spec=spec)


ALICE = "{ allow: [U01ALICE], run: [restart-service], in: [C01OPS], when: { env: [production] } }"
BOB = "{ allow: [U02BOB], run: [restart-service] }"
GAINS = "U01ALICE gains restart-service in C01OPS with env production"


@pytest.fixture
async def desk(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Desk]:
    async with LocalDatadog() as datadog:
        desk = Desk(tmp_path, sqlite_url, datadog)
        desk.write(ALICE)
        yield desk


# -------------------------------------------------------------------------------------------------------- plan and apply


async def test_a_plan_tells_in_words_what_would_change_and_changes_nothing(desk: Desk, open_store: OpenStore) -> None:
    ended = await desk.run("policy", "plan")
    assert ended.code == 0
    assert ended.output.splitlines() == ["+ restart-service joins the catalogue", f"+ {GAINS}"]
    assert "2 change(s)." in ended.words
    store = open_store(desk.url)
    assert await store.read(lambda tx: (tx.policy_version(), tx.all_grants(), tx.entries())) == (0, [], [])


async def test_a_plan_is_json_for_scripts_and_coloured_for_people(desk: Desk) -> None:
    rows = (await desk.run("policy", "plan", "--format", "json")).rows
    assert [(row["sign"], row["subject"]) for row in rows] == [("+", "workflow"), ("+", "grant")]
    assert rows[1]["words"] == GAINS
    assert {row["plan"] for row in rows} == {await desk.plan_id()}
    process = await start(desk.folder, "policy", "plan", **desk.environment, FORCE_COLOR="1", TERM="xterm")
    output, _ = await process.communicate()
    assert f"\x1b[32m+ {GAINS}\x1b[0m" in output.decode()


async def test_after_it_was_applied_nothing_would_change(desk: Desk) -> None:
    await desk.run("policy", "apply")
    ended = await desk.run("policy", "plan")
    assert (ended.output, ended.words.splitlines()[0]) == ("", "Nothing would change.")
    desk.write(BOB)
    assert (await desk.run("policy", "plan")).output.splitlines() == [
        "+ U02BOB gains restart-service",
        "- U01ALICE loses restart-service in C01OPS with env production",
    ]


async def test_apply_does_exactly_the_plan_and_records_who_what_and_which_text(
    desk: Desk, open_store: OpenStore
) -> None:
    ended = await desk.run("policy", "apply", "--plan", await desk.plan_id(), LOGNAME="carol")
    assert ended.code == 0, ended.words
    assert f"+ {GAINS}" in ended.words
    (record,) = [json.loads(one.body) for one in await open_store(desk.url).read(lambda tx: tx.records(0, 10))]
    assert (record["act"], record["actor"]["name"], record["policy"]) == ("policy applied", "carol", 1)
    assert record["digest"] == hashlib.sha256(desk.path.read_bytes()).hexdigest()


async def test_every_version_is_kept_with_its_text(desk: Desk, open_store: OpenStore) -> None:
    texts = []
    for rules in ([ALICE], [BOB], [ALICE, BOB]):
        desk.write(*rules)
        texts.append(desk.path.read_text())
        assert (await desk.run("policy", "apply")).code == 0
    query = sa.select(policies.c.version, policies.c.source).order_by(policies.c.version)
    rows = await open_store(desk.url).read(lambda tx: tx.connection.execute(query).all())
    assert [tuple(row) for row in rows] == list(enumerate(texts, start=1))


@pytest.mark.parametrize("what", ["another apply", "a changed file", "a changed definition"])
async def test_apply_refuses_a_plan_that_is_not_true_any_more_and_changes_nothing(
    desk: Desk, open_store: OpenStore, what: str
) -> None:
    await desk.run("policy", "apply")
    desk.write(BOB)
    plan = await desk.plan_id()
    if what == "another apply":
        await desk.run("policy", "apply")
    elif what == "a changed file":
        desk.write(BOB, ALICE)
    else:
        desk.change(SERVICE, ENV, {"name": "reason", "type": "STRING"})
    store = open_store(desk.url)
    before = await store.read(lambda tx: (tx.policy_version(), tx.all_grants(), tx.entries(), tx.records(0, 10)))
    ended = await desk.run("policy", "apply", "--plan", plan)
    assert ended.code == 1
    assert f"This is not the plan {plan} any more" in ended.words
    assert "Nothing was changed" in ended.words
    assert (
        await store.read(lambda tx: (tx.policy_version(), tx.all_grants(), tx.entries(), tx.records(0, 10))) == before
    )


# ------------------------------------------------------------------------------------------------------- test and schema


@pytest.mark.parametrize(
    ("values", "expect", "code"), [("production", "allow", 0), ("staging", "deny", 0), ("staging", "allow", 1)]
)
async def test_the_files_own_tests_decide_the_exit_code(desk: Desk, values: str, expect: str, code: int) -> None:
    example = f"{{ who: U01ALICE, in: C01OPS, run: restart-service, with: {{ env: {values} }}, expect: {expect} }}"
    desk.write(ALICE, more=f"tests:\n  - {example}\n")
    ended = await command(desk.folder, "policy", "test", "workflows.yml")  # needs neither database nor Datadog
    assert ended.code == code
    if code:
        assert ended.words.startswith(
            "workflows.yml:10: tests[1]: expected allow, the rules say deny: not allowed with"
        )
    else:
        assert ended.words == "1 test(s) passed.\n"


async def test_the_schema_is_printed_and_is_one(tmp_path: Path) -> None:
    ended = await command(tmp_path, "policy", "schema")
    assert ended.code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(ended.output))


# ------------------------------------------------------------------------------------------------------ what Datadog has


async def test_drift_tells_what_changed_vanished_or_lost_its_trigger(desk: Desk) -> None:
    await desk.run("policy", "apply")
    still = await desk.run("policy", "drift")
    assert (still.code, still.words) == (0, "The catalogue is as Datadog has it.\n")
    desk.change(SERVICE)
    changed = await desk.run("policy", "drift")
    assert (changed.code, changed.output) == (1, "~ restart-service: its definition has changed\n")
    desk.datadog.change_workflow(desk.workflow_id, spec=make_spec([SERVICE], ["Step1"], api_trigger=False))
    (row,) = (await desk.run("policy", "drift", "--format", "json")).rows
    assert row == {"workflow": "restart-service", "drift": "it has no API trigger"}
    desk.datadog.change_workflow(desk.workflow_id, published=False)
    assert "it is not published" in (await desk.run("policy", "drift")).output
    desk.datadog.remove_workflow(desk.workflow_id)
    gone = await desk.run("policy", "drift")
    assert gone.code == 1
    assert "it can't be read" in gone.output


async def test_workflows_are_listed_by_the_page_with_why_some_cannot_be_run(desk: Desk) -> None:
    for number in range(60):
        desk.datadog.add_workflow(name=f"Number {number:02}")
    desk.datadog.add_workflow(name="Draft", published=False, api_trigger=False)
    first = await desk.run("workflows", "list")
    assert first.code == 0
    assert first.words == "50 of 62; the next: --page 2\n"
    second = (await desk.run("workflows", "list", "--page", "2", "--format", "json")).rows
    assert len(second) == 12
    (draft,) = (await desk.run("workflows", "list", "--query", "Draft", "--format", "json")).rows
    assert (draft["name"], draft["runnable"]) == ("Draft", False)
    assert draft["because"] == ["not published", "no API trigger"]
    assert "not published; no API trigger" in (await desk.run("workflows", "list", "--query", "Draft")).output


async def test_import_writes_the_entry_and_leaves_the_rest_of_the_file_alone(desk: Desk) -> None:
    before = desk.path.read_text()
    new = desk.datadog.add_workflow(
        name="Scale a Service!",
        parameters=[{**ENV, "label": "Where"}, {"name": "count", "type": "NUMBER"}],
        published=False,
    )
    ended = await desk.run("workflows", "import", new)
    assert ended.code == 0, ended.words
    assert "can't be run yet: not published" in ended.words
    assert "Added “scale-a-service” to workflows.yml." in ended.words
    after = desk.path.read_text()
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []
    assert "# kept by the SREs" in after
    assert f"    id: {new}\n" in after
    assert "env: {type: string, label: Where, options: [staging, production], default: staging}" in after
    plan = await desk.run("policy", "plan")
    assert "+ scale-a-service joins the catalogue" in plan.output
    assert "gains scale" not in plan.output


async def test_import_never_leaves_a_file_that_cannot_be_read(desk: Desk) -> None:
    before = desk.path.read_text()
    taken = await desk.run("workflows", "import", desk.workflow_id, "--name", "restart-service")
    assert (taken.code, desk.path.read_text()) == (1, before)
    assert "“restart-service” is there already. Choose another with --name." in taken.words
    wrong = await desk.run("workflows", "import", desk.workflow_id, "--name", "Not A Name")
    assert (wrong.code, desk.path.read_text()) == (1, before)
    assert "names are lower-case" in wrong.words
    unknown = await desk.run("workflows", "import", "ccf73164-1998-4785-a7a3-8d06c7e5f558")
    assert (unknown.code, desk.path.read_text()) == (1, before)
    assert "`workflow-bot workflows list` shows the ids." in unknown.words
    desk.path.write_text("version: 1\nrulez: []\n")
    broken = await desk.run("workflows", "import", desk.workflow_id)
    assert (broken.code, desk.path.read_text()) == (1, "version: 1\nrulez: []\n")


async def test_import_begins_a_file_where_there_is_none(desk: Desk) -> None:
    ended = await desk.run("workflows", "import", desk.workflow_id, "--file", "new.yml")
    assert ended.code == 0, ended.words
    assert "restart-a-service:" in (desk.folder / "new.yml").read_text()
    assert (await desk.run("policy", "plan", "new.yml")).code == 0


async def test_an_account_that_the_file_does_not_name_is_said_so(desk: Desk) -> None:
    ended = await desk.run("workflows", "list", "--account", "eu")
    assert (ended.code, ended.words) == (1, "workflows.yml: no account is called “eu”.\n")
    desk.write(ALICE, more="accounts: { eu: { site: datadoghq.eu, api_key_env: EU_API, app_key_env: EU_APP } }\n")
    ended = await desk.run("workflows", "list", "--account", "eu", EU_APP="x" * 40)
    assert (ended.code, ended.words) == (1, "The environment variable EU_API is not set.\n")


# ------------------------------------------------------------------------------------------------------- grants and why


async def test_grants_are_given_with_conditions_and_an_end_and_taken_back(desk: Desk, open_store: OpenStore) -> None:
    await desk.run("policy", "apply")
    until = TOMORROW.isoformat(timespec="minutes")
    given = await desk.run(
        *("grants", "add", "U02BOB", "restart-service", "--channel", "C01OPS"),
        *("--when", "env=staging", "--when", "env=production", "--until", until),
    )
    assert given.code == 0, given.words
    assert given.words.endswith("U02BOB gains restart-service in C01OPS with env staging or production.\n")
    (row,) = (await desk.run("grants", "list", "--given", "--format", "json")).rows
    assert (row["subject"], row["when"], row["rule"]) == ("U02BOB", {"env": ["staging", "production"]}, None)
    assert datetime.fromisoformat(row["until"]) == TOMORROW.replace(second=0, microsecond=0)
    assert len((await desk.run("grants", "list")).output.splitlines()) == 3
    await desk.run("policy", "apply")  # a policy is the file's; what people gave stays
    assert len((await desk.run("grants", "list", "--given", "--format", "json")).rows) == 1
    taken = await desk.run("grants", "remove", str(row["id"]))
    assert (taken.code, taken.words[:11]) == (0, "Taken back:")
    assert (await desk.run("grants", "list", "--given", "--format", "json")).rows == []
    records = await open_store(desk.url).read(lambda tx: tx.records(0, 20))
    acts = [json.loads(one.body)["act"] for one in records]
    assert acts == ["policy applied", "grant added", "policy applied", "grant removed"]


async def test_a_grant_names_no_secret_input(desk: Desk) -> None:
    desk.change(SERVICE, ENV, {"name": "token", "type": "STRING"})
    desk.path.write_text(desk.path.read_text().replace("tags: [ops]", "inputs: { token: { secret: true } }"))
    assert (await desk.run("policy", "apply")).code == 0
    refused = await desk.run("grants", "add", "U02BOB", "restart-service", "--when", "token=hunter2")
    assert (refused.code, "restart-service has no input “token” that a grant can name." in refused.words) == (1, True)
    assert (await desk.run("grants", "list", "--given", "--format", "json")).rows == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["add", "U02BOB", "restart"], 1, "No workflow in the catalogue is called “restart”."),
        (
            ["add", "U02BOB", "restart-service", "--when", "enw=staging"],
            1,
            "restart-service has no input “enw” that a grant can name.",
        ),
        (["add", "U02BOB", "restart-service", "--when", "env=dev"], 1, "env: “dev” is not allowed here."),
        (["add", "U02BOB", "restart-service", "--until", "2020-01-01T00:00Z"], 1, "would have ended already"),
        (["add", "U02BOB", "restart-service", "--until", "2030-01-01"], 2, "with its time zone"),
        (["add", "bob", "restart-service"], 1, "“bob” is no Slack user id, user group id or *"),
        (["add", "U02BOB", "restart-service", "--channel", "ops"], 1, "“ops” is no Slack channel id"),
        (["remove", "1"], 1, "Those of the policy file are changed there."),
        (["remove", "99"], 1, "There is no grant 99 given by people."),
    ],
)
async def test_a_grant_that_could_never_apply_is_refused(
    desk: Desk, open_store: OpenStore, arguments: list[str], code: int, words: str
) -> None:
    await desk.run("policy", "apply")
    store = open_store(desk.url)
    before = await store.read(lambda tx: (tx.all_grants(), tx.records(0, 10)))
    ended = await desk.run("grants", *arguments)
    assert ended.code == code, ended.words
    assert words in ended.words
    assert await store.read(lambda tx: (tx.all_grants(), tx.records(0, 10))) == before


async def test_a_grant_that_is_over_is_in_force_no_more(desk: Desk, open_store: OpenStore) -> None:
    await desk.run("policy", "apply")
    await desk.run("grants", "add", "U02BOB", "*", "--until", TOMORROW.isoformat())
    ask = ("why", "restart-service", "service=web", "--user", "U02BOB", "--channel", "C01OPS")
    assert (await desk.run(*ask)).code == 0
    ended = datetime.now(UTC) - timedelta(seconds=1)
    update = sa.text("UPDATE grants SET until = :then WHERE rule = 0")
    await open_store(desk.url).write(lambda tx: tx.connection.execute(update, {"then": ended.isoformat(" ")[:26]}))
    assert (await desk.run(*ask)).code == 1
    assert (await desk.run("grants", "list", "--given", "--format", "json")).rows == []


async def test_why_says_which_rule_decides_in_words(desk: Desk) -> None:
    await desk.run("policy", "apply")
    ask = ("why", "restart-service", "service=web")
    yes = await desk.run(*ask, "env=production", "--user", "U01ALICE", "--channel", "C01OPS")
    assert (yes.code, yes.output) == (
        0,
        "You may run restart-service here: rule 1 of the policy says"
        " allow U01ALICE to run restart-service in C01OPS when env is production.\n",
    )
    no = await desk.run(*ask, "--user", "U01ALICE", "--channel", "C01OPS")
    assert no.code == 1
    assert no.output.startswith(
        "You may run restart-service, but not with these values. Rule 1 allows env as production.\n"
    )
    elsewhere = await desk.run(*ask, "--user", "U01ALICE", "--channel", "C02GENERAL", "--format", "json")
    (row,) = elsewhere.rows
    assert (row["allowed"], row["reason"], row["rule"]) == (False, "not allowed in this channel", 1)
    nobody = await desk.run(*ask, "--user", "U02BOB", "--channel", "C01OPS")
    assert (nobody.code, nobody.output.splitlines()[0]) == (1, "No rule lets you run restart-service here.")
    assert (await desk.run("why", "restart-service", "web", "--user", "U02BOB")).code == 2


async def test_why_takes_a_person_to_be_in_a_group(desk: Desk) -> None:
    desk.write("{ allow: [S01SRE], run: ['tag:ops'] }", "{ deny: [S02BANNED], run: ['*'] }")
    await desk.run("policy", "apply")
    ask = ("why", "restart-service", "service=web", "--user", "U01ALICE", "--channel", "C01OPS")
    assert (await desk.run(*ask)).code == 1
    assert (await desk.run(*ask, "--group", "S01SRE")).code == 0
    denied = await desk.run(*ask, "--group", "S01SRE", "--group", "S02BANNED")
    assert denied.code == 1
    assert "rule 2 of the policy says deny S02BANNED to run anything" in denied.output
