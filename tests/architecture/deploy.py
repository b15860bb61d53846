"""What the files of `infra/deploy` say, read for the tests that hold them against the code."""

import ast
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from infra.settings import Settings
from infra.settings.loading import COMMAND_LINE_VARIABLES
from infra.settings.root import ENV_PREFIX
from tests.architecture.source import ROOT, modules, parsed

DEPLOY = ROOT / "infra" / "deploy"
CHART = DEPLOY / "helm" / "gatewayz"
DOCKERFILE = DEPLOY / "Dockerfile"
VARIABLE = re.compile(rf"\b{ENV_PREFIX}[A-Z0-9_]+\b")
METRIC = re.compile(r"\bgatewayz_[a-z_]+\b")
NAME_MATCHER = re.compile(r'\bname(=~?)"([^"]*)"')


def load(path: Path) -> Any:
    """The only YAML document of a file."""
    return yaml.safe_load(path.read_text("utf-8"))


@cache
def compose() -> Any:
    return load(DEPLOY / "compose.yaml")


@cache
def values() -> Any:
    return load(CHART / "values.yaml")


@cache
def rules() -> tuple[Mapping[str, Any], ...]:
    """Every alert rule."""
    groups = load(CHART / "files" / "alerts.yaml")["groups"]
    return tuple(rule for group in groups for rule in group["rules"])


def services() -> dict[str, Any]:
    """The services of the compose file."""
    return dict(compose()["services"])


def own_services() -> dict[str, Any]:
    """Those that run our image."""
    return {name: one for name, one in services().items() if "build" in one}


def dockerfile() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with all that follows it."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line)
    ]


def expressions() -> Iterator[str]:
    """Every PromQL expression of the alerts and the dashboard."""
    yield from (rule["expr"] for rule in rules())
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def exported_metrics() -> set[str]:
    """The names of the metrics that the code exports, as Prometheus sees them."""
    found: set[str] = set()
    for _, path in modules("infra"):
        tree = parsed(path)
        counters = {id(name) for name in _counter_names(tree)}
        for node in ast.walk(tree):
            name = node.value if isinstance(node, ast.Constant) else None
            if isinstance(name, str) and METRIC.fullmatch(name):
                found.add(f"{name}_total" if id(node) in counters else name)
    return found


def _counter_names(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Counter":
            yield from node.args[:1]


def is_setting(variable: str) -> bool:
    """Whether a GATEWAYZ_ variable is one that the processes know."""
    if variable in COMMAND_LINE_VARIABLES:
        return True
    model: Any = Settings
    for name in variable.removeprefix(ENV_PREFIX).lower().split("__"):
        field = None if model is None else model.model_fields.get(name)
        if field is None:
            return False
        model = _section(field.annotation)
    return True


def _section(annotation: Any) -> Any:
    """The group of settings that an annotation holds, if it does."""
    choices = getattr(annotation, "__args__", (annotation,))
    return next(
        (one for one in choices if isinstance(one, type) and issubclass(one, BaseModel)), None
    )


def event_names_in(expression: str) -> Iterator[str]:
    """Each pattern of event names in an expression, alternatives apart."""
    for operator, text in NAME_MATCHER.findall(expression):
        if operator == "=":
            yield re.escape(text)
            continue
        inner = re.fullmatch(r"(.*)\((.*)\)(.*)", text)
        before, choices, after = inner.groups() if inner else ("", text, "")
        yield from (f"{before}{choice}{after}" for choice in choices.split("|"))


def seconds(text: str) -> int:
    """A duration of Compose's, minutes and seconds alone."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text)
    assert found is not None, text
    return int(found[1] or 0) * 60 + int(found[2] or 0)


def rendered(helm: str, given: Path) -> list[Any]:
    """What the chart makes of these values."""
    done = subprocess.run(
        [helm, "template", "rel", str(CHART), "--kube-version", "1.34.0", "-f", str(given)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def has_compose(docker: str | None) -> bool:
    """Whether this Docker has the plugin; no engine is needed to read a file."""
    if docker is None:
        return False
    done = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    return done.returncode == 0
