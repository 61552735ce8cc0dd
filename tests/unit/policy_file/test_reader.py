from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.errors import InvalidPolicy
from bot.policy_file.reader import parse_policy, read_policy

GOOD = """\
version: 1
people:
  sre: { users: [U01ALICE] }
workflows:
  restart-service:
    id: ccf73164
    tags: [ops]
    inputs:
      env: { type: string, options: [staging, production], default: staging }
rules:
  - { allow: [sre], run: [restart-service], in: [C01OPS], when: { env: [staging] } }
tests:
  - { who: U01ALICE, in: C01OPS, run: restart-service, with: { env: production }, expect: deny }
"""

FREEZE = "{ run: ['*'], from: 2026-12-20T08:00Z, until: 2026-12-24T18:00Z, reason: holidays }"


def errors_of(text: str) -> list[str]:
    with pytest.raises(InvalidPolicy) as error:
        parse_policy(text, "workflows.yml")
    return str(error.value).split("\n")


def error_after(old: str, new: str) -> str:
    assert old in GOOD
    lines = errors_of(GOOD.replace(old, new, 1))
    assert len(lines) == 1, lines
    return lines[0]


def test_a_good_file_is_read_with_its_digest() -> None:
    source = parse_policy(GOOD, "workflows.yml")
    assert list(source.fields.workflows) == ["restart-service"]
    assert len(source.digest) == 64
    assert source.digest != parse_policy(GOOD + "\n", "workflows.yml").digest


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("version: 1", "version: 2", "1: version: this version of the bot reads policy files of version 1"),
        ("version: 1\n", "", "1: version: this field is missing"),
        ("rules:", "rulez:", "10: rulez: unknown field. Did you mean “rules”?"),
        ("users:", "user:", "3: people.sre.user: unknown field. Did you mean “users”?"),
        ("tags:", "tag:", "7: workflows.restart-service.tag: unknown field. Did you mean “tags”?"),
        (
            "default:",
            "defualt:",
            "9: workflows.restart-service.inputs.env.defualt: unknown field. Did you mean “default”?",
        ),
        ("allow:", "alow:", "11: rules[1].alow: unknown field. Did you mean “allow”?"),
        ("expect: deny", "expect: deny, whit: {}", "13: tests[1].whit: unknown field. Did you mean “with”?"),
        (
            "U01ALICE",
            "alice",
            "3: people.sre.users[1]: “alice” is not valid here: a Slack user id looks like U012AB3CD",
        ),
        ("C01OPS", "ops", "11: rules[1].in[1]: “ops” is not valid here: a Slack channel id looks like C012AB3CD"),
        ("sre:", "SRE:", "3: people.SRE: “SRE” is not valid here: names are lower-case"),
        (
            "type: string",
            "type: strng",
            "9: workflows.restart-service.inputs.env.type: “strng” is not a type. Did you mean “string”",
        ),
        (
            "type: string",
            "type: 7",
            "9: workflows.restart-service.inputs.env.type: “7” is not a type. Types: string, number",
        ),
        (
            "options: [staging, production]",
            "options: []",
            "9: workflows.restart-service.inputs.env.options: list should",
        ),
        (
            "options: [staging, production]",
            "pattern: '['",
            "9: workflows.restart-service.inputs.env.pattern: not a valid regular",
        ),
        ("id: ccf73164", "id: ''", "6: workflows.restart-service.id: string should have at least 1 character"),
        ("    id: ccf73164\n", "", "5: workflows.restart-service.id: this field is missing"),
        ("run: [restart-service], in", "run: [], in", "11: rules[1].run: list should have at least 1 item"),
        ("allow: [sre], ", "", "11: rules[1]: a rule has either “allow” or “deny”"),
        ("allow: [sre]", "allow: [sre], deny: [sre]", "11: rules[1]: a rule has either “allow” or “deny”"),
        ("allow: [sre]", "allow: []", "11: rules[1]: name at least one person"),
        ("when: { env: [staging] }", "when: { env: [] }", "11: rules[1]: “when: env” lists no value"),
        ("when: { env: [staging] }", "when: { env: staging }", "11: rules[1].when.env: input should be a valid list"),
        (
            "when: { env: [staging] }",
            "approval: {}",
            "11: rules[1].approval.from: this field is missing",
        ),
        ("tags: [ops]", "lock_on: env", "7: workflows.restart-service.lock_on: input should be a valid list"),
        (
            "tags: [ops]",
            "limits: { at_once: 0 }",
            "7: workflows.restart-service.limits.at_once: input should be greater",
        ),
        ("tags: [ops]", "limits: { cool_down: soon }", "7: workflows.restart-service.limits.cool_down: “soon” is not"),
        (
            "tags: [ops]",
            "limits: { per_person: 3 }",
            "7: workflows.restart-service.limits.per_person: input should be a valid string",
        ),
        (
            "rules:",
            f"freezes: [{FREEZE}]\nrules:".replace("T08:00Z", ""),
            "10: freezes[1].from: write a moment with its time zone",
        ),
        ("rules:", f"freezes: [{FREEZE}]\nrules:".replace("-24T", "-19T"), "10: freezes[1]: “until” has to be later"),
        ("expect: deny", "expect: maybe", "13: tests[1].expect: input should be 'allow', 'needs approval' or 'deny'"),
        ("env: {", f"{'x' * 201}: {{", "5: workflows.restart-service: an input's name has 1 to 200 characters"),
    ],
)
def test_each_error_names_file_line_and_field(old: str, new: str, error: str) -> None:
    found = error_after(old, new)
    assert found.startswith(f"workflows.yml:{error}"), found


def test_every_error_is_told_at_once() -> None:
    lines = errors_of(GOOD.replace("tags:", "tag:").replace("allow:", "alow:").replace("version: 1", "version: 3"))
    # The misspelt “allow” leaves a rule without effect too, but that is not told before its fields are right.
    assert [line.split(": ")[0] for line in lines] == ["workflows.yml:1", "workflows.yml:7", "workflows.yml:11"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("version: [1", "workflows.yml:1: this is not valid YAML"),
        ("version: 1\nrules: [\n", "workflows.yml:"),
        ("version: 1\nversion: 1\n", "workflows.yml:2: this is not valid YAML"),
        ("a: &x [*x, *x]\n- b", "workflows.yml:2: this is not valid YAML"),
        ("\x00", "workflows.yml:1: this is not valid YAML"),
        ("", "workflows.yml:1: the file must hold version, workflows and rules"),
        ("- a\n", "workflows.yml:1: the file must hold version, workflows and rules"),
        ("[" * 5000, "workflows.yml:1: this is not valid YAML"),
    ],
)
def test_what_is_no_policy_at_all_is_said_so(text: str, error: str) -> None:
    assert errors_of(text)[0].startswith(error)


def test_a_missing_file_is_said_to_be_missing_and_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidPolicy, match=r"there is no such file.*POLICY_FILE"):
        read_policy(tmp_path / "workflows.yml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "workflows.yml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidPolicy, match="can't be read"):
        read_policy(path)
    with pytest.raises(InvalidPolicy, match="can't be read"):
        read_policy(tmp_path)
