"""What is in deploy/ is what Kubernetes and Compose take, confines the bot, and names only settings that there are."""

from __future__ import annotations

import configparser
import copy
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from pydantic import SecretStr
from ruamel.yaml import YAML

from bot.settings import Settings, read_settings
from bot.storage.engine import parse_url
from tests.house_rules.repository import ROOT, files_like, project, text

KUBERNETES = [path for path in files_like("deploy/kubernetes/*.yaml") if path.name != "kustomization.yaml"]
VERSIONS = [
    "1.30",
    "1.33",
    kubernetes_validate.latest_version(),
]  # the oldest that clouds still run, one between, the newest
# What Compose leaves out on purpose, and why.
LEFT_OUT = {
    "HOST": "the image has it",
    "PORT": "the image has it",
    "METRICS_HOST": "as HOST",
    "DD_API_URL": "a stand-in on the same machine is not in the container",
}
LIBRARY = {"OTEL_SERVICE_NAME"}  # read by OpenTelemetry, and no setting of the bot's
SETTINGS = {info.alias: info.annotation is SecretStr for info in Settings.model_fields.values()}


def load(path: Path | str) -> Any:
    """As Kubernetes and Compose read it: YAML 1.1, in which 0440 is octal."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    return yaml.load(text(Path(path)))


def resource(kind: str) -> Any:
    """The one resource of a kind."""
    (found,) = [each for each in map(load, KUBERNETES) if each["kind"] == kind]
    return found


def pod() -> Any:
    return resource("Deployment")["spec"]["template"]["spec"]


def containers() -> list[Any]:
    return [*pod()["initContainers"], *pod()["containers"]]


# ----------------------------------------------------------------------------------------------------------- Kubernetes


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_kubernetes_takes_every_file(path: Path, version: str) -> None:
    kubernetes_validate.validate(load(path), version, strict=True)


def test_the_schemas_refuse_what_they_should() -> None:
    wrong = copy.deepcopy(resource("Deployment"))
    wrong["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRoot"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_the_list_of_files_is_complete() -> None:
    listed = load("deploy/kubernetes/kustomization.yaml")
    assert sorted(listed["resources"]) == sorted(path.name for path in KUBERNETES)
    assert [(image["name"], image["newTag"]) for image in listed["images"]] == [("workflow-bot", project()["version"])]
    assert {each["image"] for each in containers()} == {"workflow-bot"}


def test_two_replicas_of_which_one_always_serves() -> None:
    spec = resource("Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    budget = resource("PodDisruptionBudget")["spec"]
    assert budget["minAvailable"] == 1
    labels = spec["template"]["metadata"]["labels"]
    for selector in (spec["selector"], budget["selector"], resource("NetworkPolicy")["spec"]["podSelector"]):
        assert selector["matchLabels"] == labels
    assert resource("Service")["spec"]["selector"] == labels


def test_no_container_of_the_pod_may_become_root_gain_a_privilege_or_write_to_its_root() -> None:
    context = pod()["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["fsGroup"] == 10001
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod()["automountServiceAccountToken"] is False
    for container in containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_the_schema_is_brought_up_to_date_before_the_bot_serves() -> None:
    assert [each["args"] for each in pod()["initContainers"]] == [["db", "upgrade"]]
    assert [each["args"] for each in pod()["containers"]] == [["serve", "--no-migrate"]]


def test_liveness_asks_for_the_process_alone_and_readiness_for_all() -> None:
    (bot,) = pod()["containers"]
    assert bot["livenessProbe"]["httpGet"]["path"] == bot["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert bot["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert pod()["terminationGracePeriodSeconds"] == 90


def test_secrets_are_files_that_their_group_alone_can_read() -> None:
    (volume,) = [each["secret"] for each in pod()["volumes"] if "secret" in each]
    assert volume["defaultMode"] == 0o440
    for container in containers():
        given = {each["name"]: each["value"] for each in container["env"]}
        assert unknown_settings(given) == set()
        secret = {name for name, path in given.items() if path.startswith("/run/secrets/workflow-bot/")}
        assert secret == {f"{name}_FILE" for name in deployed_secrets()}
        assert not [name for name, value in given.items() if SETTINGS.get(name) and value]  # none by value
    assert set(resource("ConfigMap")["data"]) <= {name for name, is_secret in SETTINGS.items() if not is_secret}


def test_nothing_comes_in_but_by_the_ingress_and_nothing_goes_out_but_to_known_ports() -> None:
    spec = resource("NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in spec["ingress"]] == [["http"], ["metrics"]]
    assert all(rule["from"] for rule in spec["ingress"])
    assert sorted(port["port"] for rule in spec["egress"] for port in rule["ports"]) == [53, 53, 443, 4318, 5432]


def test_metrics_are_where_they_are_scraped_and_the_ingress_leads_nowhere_near(compose: Any) -> None:
    port = resource("ConfigMap")["data"]["METRICS_PORT"]
    notes = resource("Deployment")["spec"]["template"]["metadata"]["annotations"]
    (bot,) = pod()["containers"]
    assert (
        notes["prometheus.io/port"]
        == port
        == str({each["name"]: each["containerPort"] for each in bot["ports"]}["metrics"])
    )
    assert [each["targetPort"] for each in resource("Service")["spec"]["ports"]] == ["http"]
    given = compose["services"]["bot"]
    assert f"127.0.0.1:{given['environment']['METRICS_PORT']}:{given['environment']['METRICS_PORT']}" in given["ports"]


# -------------------------------------------------------------------------------------------------------------- Compose


@pytest.fixture
def compose() -> Any:
    return load("deploy/compose.yaml")


def compose_schema() -> Any:
    """The Compose Specification's own, as check-jsonschema brings it."""
    folder = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    return json.loads((folder / "compose-spec.json").read_text("utf-8"))


def test_compose_takes_the_file(compose: Any) -> None:
    validator = jsonschema.Draft202012Validator(compose_schema())
    assert [error.message for error in validator.iter_errors(compose)] == []
    compose["services"]["bot"]["read_onyl"] = True
    assert not validator.is_valid(compose)


def test_no_container_of_compose_may_become_root_gain_a_privilege_or_write_to_its_root(compose: Any) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["user"].split(":")[0]) > 0, name
        assert not {"privileged", "cap_add", "network_mode", "pid", "env_file"} & set(service), name


def test_the_bot_of_compose_waits_for_its_database_and_is_given_time_to_stop(compose: Any) -> None:
    bot, database = compose["services"]["bot"], compose["services"]["db"]
    assert bot["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert "pg_isready" in database["healthcheck"]["test"]
    assert bot["stop_grace_period"] == "90s"
    assert bot["image"] == f"workflow-bot:{project()['version']}"
    assert all(port.startswith("127.0.0.1:") for port in bot["ports"])
    assert "ports" not in database
    assert compose["networks"]["database"] == {"internal": True}


def test_every_secret_of_compose_is_a_file_and_is_made(compose: Any, tmp_path: Path) -> None:
    services = compose["services"].values()
    assert {each for service in services for each in service["secrets"]} == set(compose["secrets"])
    assert {each["file"] for each in compose["secrets"].values()} == {f"secrets/{name}" for name in compose["secrets"]}
    given = compose["services"]["bot"]["environment"]
    assert unknown_settings(given) == set()
    assert not [name for name, value in given.items() if SETTINGS.get(name) and value]  # none by value
    assert set(compose["secrets"]) == {name.lower() for name in deployed_secrets()} | {"postgres_password"}
    assert set(made(tmp_path)) == set(compose["secrets"])


def test_compose_passes_every_setting_on_or_leaves_it_out_on_purpose(compose: Any) -> None:
    given = compose["services"]["bot"]["environment"]
    passed = {name for name, is_secret in SETTINGS.items() if (f"{name}_FILE" if is_secret else name) in given}
    assert sorted(map(str, SETTINGS.keys() - passed)) == sorted(LEFT_OUT)
    for name, value in given.items():
        assert "${" not in str(value) or value.startswith(f"${{{name}:-"), name


def test_compose_mounts_a_folder_of_policies_that_the_bot_can_not_write_to(compose: Any) -> None:
    bot = compose["services"]["bot"]
    (mounted,) = bot["volumes"]
    assert (mounted["source"], mounted["read_only"]) == ("../policies", True)
    assert Path(bot["environment"]["POLICY_FILE"]).parent == Path(mounted["target"])


def unknown_settings(given: Iterable[str]) -> set[str]:
    """The names that nobody reads: neither a setting, nor the file of a secret one, nor a library's."""
    known = SETTINGS.keys() | LIBRARY
    return {name for name in given if name not in known and not SETTINGS.get(name.removesuffix("_FILE"))}


def deployed_secrets() -> set[str]:
    """The settings that are secrets."""
    return {name or "" for name, is_secret in SETTINGS.items() if is_secret}


def made(folder: Path) -> dict[str, str]:
    """What make-secrets leaves in a folder."""
    shutil.copy(ROOT / "deploy/make-secrets", folder)
    subprocess.run([folder / "make-secrets"], check=True, capture_output=True)
    files = sorted((folder / "secrets").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o400}
    if os.geteuid() == 0:
        assert {file.stat().st_uid for file in files if file.name != "postgres_password"} == {10001}
    return {file.name: file.read_text() for file in files}


def test_secrets_are_random_fit_together_and_are_never_made_twice(tmp_path: Path) -> None:
    first = made(tmp_path)
    url = parse_url(first["database_url"])
    assert (url.password, url.host, url.database) == (first["postgres_password"], "db", "workflow_bot")
    assert len({first["encryption_key"], first["audit_key"], first["postgres_password"]}) == 3
    assert min(len(first[name]) for name in ("encryption_key", "audit_key", "postgres_password")) >= 40
    assert made(tmp_path) == first
    settings = read_settings({f"{name.upper()}_FILE": f"{tmp_path}/secrets/{name}" for name in first})
    assert not settings.socket_mode  # an empty file counts as not set


@pytest.mark.parametrize("where", ["compose", "kubernetes"])
def test_the_bot_understands_what_it_is_given_there_beside_the_images_own(
    where: str, compose: Any, tmp_path: Path
) -> None:
    if where == "compose":
        given = {
            name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(v))
            for name, v in compose["services"]["bot"]["environment"].items()
        }
    else:
        given = resource("ConfigMap")["data"] | {each["name"]: each["value"] for each in pod()["containers"][0]["env"]}
    made(tmp_path)
    given = {
        name: re.sub(r"^/run/secrets(/workflow-bot)?", f"{tmp_path}/secrets", value) for name, value in given.items()
    }
    own = dict(
        re.findall(
            r"(\w+)=(\S+)", re.sub(r"\\\n", " ", text(Path("Dockerfile")).split("ENV PATH", 1)[1].split("USER")[0])
        )
    )
    settings = read_settings(own | given)
    assert parse_url(settings.database_url.get_secret_value()).host == "db"
    assert (settings.host, settings.port, settings.log_format) == ("0.0.0.0", 3000, "json")  # noqa: S104 - in a container
    assert settings.policy_file == Path("/etc/workflow-bot/workflows.yml")


# -------------------------------------------------------------------------------------------------------------- systemd


def test_the_unit_serves_as_a_plain_user_comes_back_always_and_is_given_time_to_stop() -> None:
    unit = service_unit()
    assert unit["Service"]["ExecStart"].endswith("/bin/workflow-bot serve")
    assert unit["Service"]["User"] not in ("", "root")
    assert (unit["Service"]["Restart"], unit["Unit"]["StartLimitIntervalSec"]) == ("always", "0")
    assert unit["Service"]["TimeoutStopSec"] == "90"
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_the_unit_may_gain_no_privilege_and_writes_to_its_own_folder_alone() -> None:
    service = service_unit()["Service"]
    assert service["NoNewPrivileges"] == service["PrivateTmp"] == service["ProtectHome"] == "yes"
    assert (service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("strict", "")
    assert "ReadWritePaths" not in service
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert service["MemoryMax"] == "512M"


def test_the_unit_has_no_secret_by_value_and_names_only_settings_that_there_are() -> None:
    service = service_unit()["Service"]
    assert unknown_settings([service["Environment"].partition("=")[0]]) == set()
    assert service["EnvironmentFile"] == "/etc/workflow-bot/environment"  # "-" before it would start without any


def service_unit() -> configparser.ConfigParser:
    """The unit, in which each name stands once: a second one would be an error here."""
    unit = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",), interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names are as they are written
    unit.read_string(text(Path("deploy/workflow-bot.service")))
    return unit
