"""The files of docs/deploy name commands, ports, variables, routes and folders that there are."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
from ruamel.yaml import YAML

from bridge import Router
from bridge.app import create_app
from bridge.cli.output import CONFIGURATION
from bridge.config.load import Config, load_config
from bridge.config.schema import Server
from bridge.web.server import DRAIN_SECONDS
from tests.docs.pages import DOCS, ROOT
from tests.docs.shell import check_command

if TYPE_CHECKING:
    from pathlib import Path

DEPLOY: Final = DOCS / "deploy"
DOCKERFILE: Final = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
COMPOSE: Final[Any] = YAML(typ="safe").load(DEPLOY / "compose.yaml")
MANIFEST: Final[list[Any]] = list(YAML(typ="safe").load_all(DEPLOY / "kubernetes.yaml"))
PORT: Final = Server().port
SPARE: Final = 5.0
"""Seconds beyond the drain before a supervisor kills."""


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys of systemd have capitals
    parser.read_string((DEPLOY / name).read_text("utf-8"))
    return parser


def steps(word: str) -> list[str]:
    return re.findall(rf"^{word} +(.+)$", DOCKERFILE, re.MULTILINE)


def of_kind(kind: str, name: str) -> Any:
    (item,) = [item for item in MANIFEST if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    return item


def pod_of(kind: str, name: str) -> Any:
    return of_kind(kind, name)["spec"]["template"]["spec"]


BRIDGE: Final = pod_of("Deployment", "bridge")
CONTAINER: Final = BRIDGE["containers"][0]


def routes(folder: Path) -> set[str]:
    config = Config.from_dict({"accounts": {"a": {"provider": "playground"}}}, folder)
    return {resource.canonical for resource in create_app(config, router=Router()).router.resources()}


def test_what_the_dockerfile_copies_is_there() -> None:
    copied = [source for step in steps("COPY") if "--from" not in step for source in step.split()[:-1]]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert {"bridge", "handlers", "storage", "pyproject.toml", "requirements.lock"} <= {*copied}


def test_the_image_has_what_the_locks_pin() -> None:
    installed = [part for step in steps("RUN") for part in step.split("&&") if "pip install" in part]
    assert len(installed) == 3
    assert all("--require-hashes -r" in part or "--no-deps --no-build-isolation ." in part for part in installed)
    (pattern,) = re.findall(r"sed -n '/\^(\w+)==/,/# via/p' requirements-test.lock", DOCKERFILE)
    text = (ROOT / "requirements-test.lock").read_text("utf-8")
    assert re.search(rf"^{pattern}==\S+ \\\n(    --hash=sha256:\w+( \\)?\n)+    # via", text, re.MULTILINE)


def test_the_image_runs_a_command_that_exists_as_a_user_without_rights(tmp_path: Path) -> None:
    check_command([*json.loads(steps("ENTRYPOINT")[-1]), *json.loads(steps("CMD")[-1])], "Dockerfile")
    (user,) = steps("USER")
    assert 0 < int(user.partition(":")[0]) == BRIDGE["securityContext"]["runAsUser"]
    assert steps("EXPOSE") == [str(PORT)]
    (health,) = steps("HEALTHCHECK")
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/[\w/]+)", health)
    assert asked
    assert int(asked[1]) == PORT
    assert asked[2] in routes(tmp_path)
    compile(json.loads(health.partition("CMD")[2])[2], "HEALTHCHECK", "exec")


def test_the_units_start_commands_that_exist_at_the_address_of_the_configuration() -> None:
    service = unit("threadbridge.service")["Service"]
    for key in ("ExecStart", "ExecStartPre"):
        check_command(shlex.split(service[key]), key)
    assert unit("threadbridge.socket")["Socket"]["ListenStream"] == f"{Server().host}:{PORT}"
    assert int(service["RestartPreventExitStatus"]) == CONFIGURATION


def test_the_unit_asks_for_no_program_that_a_small_debian_lacks() -> None:
    programs = [
        shlex.split(text)[0] for key, text in unit("threadbridge.service")["Service"].items() if key.startswith("Exec")
    ]
    assert len(programs) == 3
    assert {program for program in programs if not program.startswith("/srv/threadbridge/")} == {"/bin/sh"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_page_says_how_exposed_systemd_finds_the_unit() -> None:
    def printed(*arguments: str) -> str:
        return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False).stdout

    version = re.match(r"systemd (\d+)", printed("--version"))
    documented = re.search(
        r"of systemd (\d+) rates its exposure ([\d.]+) of 10", (DOCS / "how-to" / "deploy.md").read_text("utf-8")
    )
    assert version
    assert documented
    if version[1] != documented[1]:
        pytest.skip(f"systemd {version[1]} weighs differently")
    said = printed("security", "--offline=true", "--no-pager", str(DEPLOY / "threadbridge.service"))
    assert f"exposure level for threadbridge.service: {documented[2]} " in said


def test_nobody_kills_a_bridge_that_drains() -> None:
    (pause,) = CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1:]
    assert float(unit("threadbridge.service")["Service"]["TimeoutStopSec"]) >= DRAIN_SECONDS + SPARE
    assert float(COMPOSE["services"]["bridge"]["stop_grace_period"].removesuffix("s")) >= DRAIN_SECONDS + SPARE
    assert BRIDGE["terminationGracePeriodSeconds"] >= float(pause) + DRAIN_SECONDS + SPARE


VARIABLES: Final = {
    "Dockerfile": dict(re.findall(r"(THREADBRIDGE_\w+)=(\S+)", DOCKERFILE)),
    "compose.yaml": {
        name: value for name, value in COMPOSE["services"]["bridge"]["environment"].items() if name != "PGPASSFILE"
    },
    "kubernetes.yaml": {item["name"]: item["value"] for item in CONTAINER["env"] if "value" in item},
}


@pytest.mark.parametrize("file", VARIABLES)
def test_the_variables_are_keys_of_the_configuration(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert VARIABLES[file]
    for name, value in VARIABLES[file].items():
        assert name.startswith("THREADBRIDGE_")
        monkeypatch.setenv(name, value)
    config = load_config(None)
    for name in VARIABLES[file]:
        section, _, key = name.removeprefix("THREADBRIDGE_").lower().partition("__")
        assert key in getattr(config, section).model_fields_set, name


def test_the_composition_fits_its_parts() -> None:
    services = COMPOSE["services"]
    bridge = services["bridge"]
    assert bridge["read_only"]
    assert bridge["cap_drop"] == ["ALL"]
    assert re.findall(r"dynamic a (\w+) (\d+)", (DEPLOY / "Caddyfile").read_text("utf-8")) == [("bridge", str(PORT))]
    (network,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    assert json.loads(bridge["environment"]["THREADBRIDGE_SERVER__TRUSTED_PROXIES"]) == [network["subnet"]]
    assert services["postgres"]["environment"]["POSTGRES_DB"] == "bot"
    assert {name for service in services.values() for name in service.get("depends_on", ())} <= {*services}
    assert {name for service in services.values() for name in service.get("secrets", ())} <= {*COMPOSE["secrets"]}
    mounted = [volume.partition(":")[0] for service in services.values() for volume in service["volumes"]]
    assert {name for name in mounted if not name.startswith(".")} == {*COMPOSE["volumes"]}


def test_the_proxy_keeps_as_much_of_a_request_as_it_takes_and_tries_another_bridge() -> None:
    proxy = (DEPLOY / "Caddyfile").read_text("utf-8")
    (most,) = re.findall(r"max_size (\w+)", proxy)
    assert re.findall(r"request_buffers (\w+)", proxy) == [most]
    assert re.findall(r"handle (/\S+)", proxy) == re.findall(r"lb_retry_match \{\s+path (/\S+)", proxy)


def test_each_command_in_a_container_has_the_password_of_the_database() -> None:
    bridge, page = COMPOSE["services"]["bridge"], (DOCS / "how-to" / "containers.md").read_text("utf-8")
    assert not {"entrypoint", "command"} & {*bridge}  # `docker compose exec` would not have what they do
    url = urlsplit(bridge["environment"]["THREADBRIDGE_STORAGE__URL"])
    line = f"{url.hostname}:{url.port or 5432}:{url.path[1:]}:{url.username}:"
    assert f"'s/^/{line}/' secrets/postgres" in page
    assert COMPOSE["services"]["postgres"]["environment"]["POSTGRES_USER"] == url.username
    (secret,) = bridge["secrets"]
    assert bridge["environment"]["PGPASSFILE"] == f"/run/secrets/{secret}"
    assert f"-o {steps('USER')[0].partition(':')[0]} /dev/stdin {COMPOSE['secrets'][secret]['file'][2:]}" in page


def test_a_deploy_of_the_composition_checks_first_and_replaces_its_bridges() -> None:
    script = (DEPLOY / "replace-bridges.sh").read_text("utf-8")
    assert re.search(r"^set -e$", script, re.MULTILINE)
    checks = [command for _, command in re.findall(r"compose run (--\S+ )+bridge (.+)", script)]
    assert checks == ["check", "dialogs check"]
    for command in checks:
        check_command(["threadbridge", *command.split()], "replace-bridges.sh")
    named = re.findall(r"compose (?:ps|up) [^|\n]* (\w+)(?: \||$)", script, re.MULTILINE)
    assert named == ["bridge", "bridge"]
    assert {*named} <= {*COMPOSE["services"]}


def test_the_pods_run_commands_that_exist_and_are_asked_at_routes(tmp_path: Path) -> None:
    check_command(["threadbridge", *CONTAINER["args"]], "kubernetes.yaml")
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == PORT
    asked = {name: CONTAINER[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in asked.values()} == {port["name"]}
    assert {probe["path"] for probe in asked.values()} <= routes(tmp_path)
    assert asked["readiness"]["path"].endswith("/ready")
    assert asked["liveness"]["path"].endswith("/live")


def test_the_parts_of_the_manifest_find_each_other() -> None:
    (rule,) = of_kind("Ingress", "bridge")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["path"] == "/webhooks/"
    for kind, name in (("Deployment", "bridge"), ("StatefulSet", "postgres")):
        labels = of_kind(kind, name)["spec"]["template"]["metadata"]["labels"]
        assert of_kind("Service", name)["spec"]["selector"] == labels
        assert of_kind(kind, name)["spec"]["selector"]["matchLabels"] == labels
        ports = {item["name"] for item in pod_of(kind, name)["containers"][0]["ports"]}
        (port,) = of_kind("Service", name)["spec"]["ports"]
        assert port.get("targetPort", port["name"]) in ports
    assert path["backend"]["service"]["name"] == "bridge"
    assert {item["metadata"].get("namespace", item["metadata"]["name"]) for item in MANIFEST} == {"bot"}


@pytest.mark.parametrize("pod", [BRIDGE, pod_of("StatefulSet", "postgres")], ids=["bridge", "postgres"])
def test_a_pod_has_no_right_that_it_does_not_need(pod: Any) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    for container in pod["containers"]:
        own = container["securityContext"]
        assert own["readOnlyRootFilesystem"]
        assert not own["allowPrivilegeEscalation"]
        assert own["capabilities"] == {"drop": ["ALL"]}
        volumes = {volume["name"] for volume in pod["volumes"]} | {"data"}
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
