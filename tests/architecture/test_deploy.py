"""The image, the compose file, the chart and the alerts are for the code that is here."""

import json
import os
import re
import shutil
import stat
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from adapters.kafka.topics import Topics
from domain.event_types import ALL_EVENTS
from infra.cli.root import app
from infra.cluster.work import DUTIES, STOP_SECONDS
from infra.providers.registry import registry
from infra.serve import CLOSE_SECONDS
from infra.settings import Settings, load_settings
from infra.version import VERSION
from tests.architecture import deploy
from tests.architecture.deploy import CHART, DEPLOY, services, values
from tests.architecture.source import ROOT

HELM = shutil.which("helm")
PROMTOOL = shutil.which("promtool")
DOCKER = shutil.which("docker")
CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))
PINNED = re.compile(r".+:v?\d+\.\d+\.?\d*\S*|.+@sha256:[0-9a-f]{64}")
REQUIRED = re.compile(r"\$\{([A-Z0-9_]+):\?")
OPERATIONS = ROOT / "infra" / "docs" / "operations.md"
TEXTS = sorted(
    path
    for path in (*DEPLOY.rglob("*"), OPERATIONS)
    if path.is_file() and path.name != ".env" and path.suffix != ".json"
)


def _command(arguments: list[str]) -> None:
    """Fails unless these are arguments of the command line."""
    name, *rest = arguments
    assert name in get_command(app).commands, arguments  # type: ignore[attr-defined]
    assert set(rest) <= set(DUTIES if name == "work" else ()), arguments


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_that_is_named_is_a_setting(path: Path) -> None:
    named = set(deploy.VARIABLE.findall(path.read_text("utf-8")))
    assert {name for name in named if not deploy.is_setting(name)} == set()


def test_a_variable_that_is_no_setting_would_be_found() -> None:
    assert deploy.is_setting("GATEWAYZ_BLOBS__S3__BUCKET")
    assert not deploy.is_setting("GATEWAYZ_BLOBS__S3__BUCKETS")
    assert not deploy.is_setting("GATEWAYZ_SERVICE_HOST")


def test_every_process_is_started_by_a_command_that_is_there() -> None:
    for service in deploy.own_services().values():
        _command(service["command"])
    for process in values()["processes"].values():
        _command(process["args"])
    for word, rest in deploy.dockerfile():
        if word == "CMD":
            _command(json.loads(rest))


def test_both_ways_to_run_a_cluster_have_every_role() -> None:
    roles = {"api", "dispatch", "webhooks", "project", "relay"}
    assert roles <= set(deploy.own_services())
    assert roles == set(values()["processes"])


def test_every_metric_that_is_asked_for_is_exported() -> None:
    exported = deploy.exported_metrics()
    asked = {name for text in deploy.expressions() for name in deploy.METRIC.findall(text)}
    assert len(asked) > 5
    assert asked - exported == set()


def test_every_event_that_is_counted_is_in_the_catalogue() -> None:
    known = {event.event_name for event in ALL_EVENTS} | {"unreadable"}
    asked = {name for text in deploy.expressions() for name in deploy.event_names_in(text)}
    assert len(asked) > 5
    assert [name for name in asked if not any(re.fullmatch(name, one) for one in known)] == []


def test_nobody_adds_up_what_every_node_counts() -> None:
    for text in deploy.expressions():
        for found in re.finditer("gatewayz_events_total", text):
            before = text[: found.start()]
            assert re.search(r"max by \(name\) \((rate\(|increase\()?$", before), text


def test_the_operations_guide_says_what_every_alert_asks_for() -> None:
    guide = OPERATIONS.read_text("utf-8")
    assert [rule["alert"] for rule in deploy.rules() if f"`{rule['alert']}`" not in guide] == []


def test_the_operations_guide_names_every_topic() -> None:
    guide, topics = OPERATIONS.read_text("utf-8"), Topics("gatewayz")
    names = (*topics.log, topics.dead_letters)
    assert [name for name in names if f"`{name}`" not in guide] == []


def test_every_image_is_of_one_version() -> None:
    images = [service["image"] for service in services().values()]
    bases = [rest.split()[0] for word, rest in deploy.dockerfile() if word == "FROM"]
    images += [base for base in bases if base != "base"]
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_every_version_is_that_of_the_project() -> None:
    chart = deploy.load(CHART / "Chart.yaml")
    built = {service["image"] for service in deploy.own_services().values()}
    arguments = dict(rest.split("=") for word, rest in deploy.dockerfile() if word == "ARG")
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    assert built == {f"gatewayz:{VERSION}"}
    assert arguments["VERSION"] == VERSION


def test_the_image_holds_every_package_and_what_they_read() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = {rest.split()[0] for word, rest in deploy.dockerfile() if word == "COPY"}
    context = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {f"{name}/" for name in packages} <= copied
    assert {f"!{name}" for name in packages} <= set(context)
    # The one page of the docs that a process serves.
    assert (ROOT / "infra" / "docs" / "asyncapi.json").exists()
    assert "infra/docs" not in context


def test_the_image_is_made_of_wheels_whose_hashes_are_known() -> None:
    installs = [rest for word, rest in deploy.dockerfile() if word == "RUN" and ".lock" in rest]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--only-binary=:all:" in installs[0]


def test_the_image_runs_as_a_user_that_policies_can_name() -> None:
    users = [rest for word, rest in deploy.dockerfile() if word == "USER"]
    assert users == ["10001:10001"]
    security = values()["podSecurityContext"]
    assert (security["runAsUser"], security["fsGroup"]) == (10001, 10001)


def test_a_process_has_the_time_to_drain() -> None:
    # Answers that are being made, and then the jobs that run.
    longest = 2 * Settings().dispatch.drain_timeout + CLOSE_SECONDS + STOP_SECONDS
    before = max(one.get("preStopSeconds", 0) for one in values()["processes"].values())
    assert values()["terminationGracePeriodSeconds"] > longest + before
    for service in deploy.own_services().values():
        assert deploy.seconds(service["stop_grace_period"]) > longest


def test_no_file_holds_a_secret() -> None:
    example = _variables((DEPLOY / ".env.example").read_text("utf-8"))
    assert set(example.values()) == {""}
    assert values()["secret"] == {"existingSecret": "", "values": {}}
    for service in services().values():
        for name, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD|SECRET|KEY$|KEY_ID$|AUTH$", name):
                assert value is None or REQUIRED.match(value), name


def test_the_secrets_that_are_made_are_those_that_are_needed(tmp_path: Path) -> None:
    made = _make_secrets(tmp_path)
    needed = set(REQUIRED.findall((DEPLOY / "compose.yaml").read_text("utf-8")))
    assert set(made) == needed
    assert set(_variables((DEPLOY / ".env.example").read_text("utf-8"))) == needed
    assert len(set(made.values())) == len(made)
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_secrets_are_never_replaced(tmp_path: Path) -> None:
    first = _make_secrets(tmp_path)
    again = subprocess.run([tmp_path / "make-secrets"], capture_output=True, check=False)
    assert again.returncode == 1
    assert _variables((tmp_path / ".env").read_text("utf-8")) == first


def test_every_provider_that_is_known_can_be_enabled() -> None:
    example = (DEPLOY / ".env.example").read_text("utf-8")
    for service in deploy.own_services().values():
        for facts in registry().values():
            for variable, *_ in facts.variables.values():
                assert variable in service["environment"]
                assert f"# {variable}=" in example


@pytest.mark.parametrize("name", sorted(deploy.own_services()))
def test_the_settings_of_every_container_are_valid(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = _make_secrets(tmp_path)
    environment = deploy.own_services()[name]["environment"]
    _set_environment(
        monkeypatch,
        {key: _filled_in(str(value), secrets) for key, value in environment.items() if value},
    )
    settings = load_settings(DEPLOY / "gatewayz.yaml")
    assert settings.profile == "cluster"
    assert settings.blobs.s3 is not None
    assert settings.unapplied == ()


@pytest.mark.parametrize("given", CI_VALUES, ids=lambda path: path.stem)
def test_the_settings_of_every_example_of_the_chart_are_valid(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = deploy.load(given)
    secrets = own["secret"].get("values") or {
        "GATEWAYZ_POSTGRES__URL": "postgresql://one@host/name",
        "GATEWAYZ_MASTER_KEY": "A" * 43 + "=",
    }
    variables = {one["name"]: one["value"] for one in own.get("env", ())}
    _set_environment(monkeypatch, {**secrets, **variables})
    config = tmp_path / "gatewayz.yaml"
    config.write_text(json.dumps(_merged(values()["config"], own["config"])), "utf-8")
    assert load_settings(config).profile == "cluster"


def test_every_process_is_scraped_under_the_name_that_alerts_know() -> None:
    scrapes = deploy.load(DEPLOY / "monitoring" / "prometheus.yml")["scrape_configs"]
    found = {one["job_name"]: one["dns_sd_configs"][0]["names"] for one in scrapes}
    long_lived = set(deploy.own_services()) - {"migrate"}
    assert found == {f"gatewayz-{name}": [name] for name in long_lived}
    jobs = {job for text in deploy.expressions() for job in re.findall(r'job="([^"]+)"', text)}
    assert jobs <= set(found)


def test_every_file_that_a_container_is_given_is_there() -> None:
    for service in services().values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
            else:
                assert source in deploy.compose()["volumes"], source


def test_what_others_wait_for_can_be_waited_for() -> None:
    for service in services().values():
        for name, condition in (service.get("depends_on") or {}).items():
            other = services()[name]
            if condition["condition"] == "service_healthy":
                # Our image has a health check of its own.
                assert "healthcheck" in other or "build" in other, name
            else:
                assert other["restart"] == "on-failure", name


def test_services_reach_the_host_alone() -> None:
    ports = [port for service in services().values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_no_pod_gets_variables_for_the_services_around_it() -> None:
    """A Service named `gatewayz` would set GATEWAYZ_PORT to `tcp://…`, and others unknown."""
    for path in (CHART / "templates").rglob("*.yaml"):
        text = path.read_text("utf-8")
        assert text.count("containers:") == text.count("enableServiceLinks: false"), path


def test_the_schema_knows_every_value_of_the_chart() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    assert set(values()) <= set(schema["properties"])
    assert schema["additionalProperties"] is False


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
@pytest.mark.parametrize("given", CI_VALUES, ids=lambda path: path.stem)
def test_every_pod_is_restricted(given: Path) -> None:
    pods = [_pod(one) for one in deploy.rendered(HELM or "", given)]
    specs = [one for one in pods if one is not None]
    assert len(specs) > 3
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
@pytest.mark.parametrize("given", CI_VALUES, ids=lambda path: path.stem)
def test_every_object_of_the_chart_has_a_name_of_its_own(given: Path) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in deploy.rendered(HELM or "", given)]
    assert len(set(names)) == len(names)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_the_alerts_call_when_they_should() -> None:
    tests = DEPLOY / "monitoring" / "alerts_test.yaml"
    done = subprocess.run(
        [PROMTOOL or "", "test", "rules", tests], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not deploy.has_compose(DOCKER), reason="docker compose is not installed")
def test_compose_accepts_the_file(tmp_path: Path) -> None:
    _make_secrets(tmp_path)
    files = ["--env-file", str(tmp_path / ".env"), "--file", str(DEPLOY / "compose.yaml")]
    done = subprocess.run(
        [DOCKER or "", "compose", *files, "config", "--quiet"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _variables(text: str) -> dict[str, str]:
    """The variables that a file of variables sets."""
    lines = (line.partition("=") for line in text.splitlines() if re.match(r"[A-Z]", line))
    return {name: value for name, _, value in lines}


def _make_secrets(folder: Path) -> dict[str, str]:
    shutil.copy(DEPLOY / "make-secrets", folder)
    subprocess.run([folder / "make-secrets"], check=True, capture_output=True)
    return _variables((folder / ".env").read_text("utf-8"))


def _filled_in(text: str, secrets: Mapping[str, str]) -> str:
    return re.sub(r"\$\{([A-Z0-9_]+):\?[^}]*\}", lambda found: secrets[found[1]], text)


def _set_environment(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name in list(os.environ):
        if name.startswith("GATEWAYZ_"):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """As Helm lays values over others."""
    result = dict(below)
    for name, value in above.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = _merged(result[name], value) if both else value
    return result


def _pod(thing: Mapping[str, Any]) -> Any:
    """The pod that an object of Kubernetes makes, if it makes one."""
    spec = thing.get("spec") or {}
    if thing["kind"] == "Pod":
        return spec
    return spec["template"]["spec"] if thing["kind"] in {"Deployment", "Job"} else None
