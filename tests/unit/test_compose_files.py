"""The compose files: what a first `up --build` asks of docker-compose 1.29 and of Compose v2."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
FILES = ("docker-compose.yml", "docker-compose.wide.yml")
_MADE_FROM = (
    "asterisk_conf",
    "dialplan",
    "controller/asterisk/configuration.py",
    "controller/node_command.py",
)
_FOR_TRYING_OUT = {"phone-a", "phone-b", "receiver"}

pytestmark = pytest.mark.requirement("E5")


@pytest.fixture(params=FILES)
def services(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """Those of a file, in its order."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / request.param).read_text("utf-8"))["services"]
    return found


def test_E5_given_an_image_of_several_services_when_built_then_for_the_first_of_them_and_no_other(
    services: dict[str, dict[str, Any]],
) -> None:
    built: set[str] = set()
    for name, service in services.items():
        # Compose v2 builds all at once, and two that make the same image get in each other's way; 1.29 builds
        # one after the other in the file's order, and pulls what isn't there when it comes to it.
        assert ("build" in service) == (service["image"] not in built), name
        if "build" in service:
            built.add(service["image"])
        else:
            assert service.get("pull_policy") == "never", name


def test_E5_given_what_an_image_is_built_from_when_looked_at_then_no_other_service_has_to_make_it_first(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        if "build" not in service:
            continue
        text = (ROOT / service["build"]["dockerfile"]).read_text("utf-8")
        stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", text, re.MULTILINE)
        bases = {base for base, _stage in stages} - {stage for _base, stage in stages}
        assert bases <= {"${BOOKWORM}", "${FORKY}"}, name
        assert service["build"].get("target", "") in {stage for _base, stage in stages}, name


def test_E5_given_a_machine_that_was_started_again_when_the_engine_runs_then_all_but_the_phones_come_back(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        once = name.startswith("configure")
        assert ("restart" in service) == (not once and name not in _FOR_TRYING_OUT), name
        assert service.get("restart", "unless-stopped") == "unless-stopped", name


def test_E5_given_what_asterisks_files_are_made_from_when_it_changes_then_asterisk_is_made_anew_too(
    services: dict[str, dict[str, Any]],
) -> None:
    """Compose makes a container anew when its own definition is another."""
    making = [service for name, service in services.items() if name.startswith("configure")]
    nodes = [service for name, service in services.items() if name.startswith("asterisk")]
    assert len(making) == len(nodes) > 0
    # A version that writes other files has another image.
    dockerfile = (ROOT / nodes[0]["build"]["dockerfile"]).read_text("utf-8")
    assert set(_MADE_FROM) <= set(re.findall(r"^COPY (.*) \S+$", dockerfile, re.MULTILINE)[0].split())
    for configure, asterisk in zip(making, nodes, strict=True):
        made_from = _variables(configure) - {"VOICECALL_DATABASE_PASSWORD"}
        assert {"VOICECALL_ARI_PASSWORD", "VOICECALL_AMI_PASSWORD"} <= made_from == _variables(asterisk)


def test_E5_given_a_service_that_waits_for_a_controller_when_all_nodes_are_drained_then_it_is_started_too(
    services: dict[str, dict[str, Any]],
) -> None:
    """The image asks whether it takes calls: then the other one would never come up."""
    for service in services.values():
        for name, how in service.get("depends_on", {}).items():
            awaited = services[name]
            if how["condition"] == "service_healthy" and awaited["image"] == "voicecall-controller":
                assert "/healthz" in awaited["healthcheck"]["test"][-1], name


def test_E2_given_the_http_balancer_when_no_controller_is_ready_then_those_that_live_get_requests() -> None:
    text = (ROOT / "containers/haproxy.cfg").read_text("utf-8")
    sections = dict(re.findall(r"^backend (\S+) from balanced\n((?: .*\n)+)", text, re.MULTILINE))
    assert re.findall(r"uri (\S+)", sections["controllers"]) == ["/readyz"]
    assert re.findall(r"uri (\S+)", sections["not-ready"]) == ["/healthz"]
    # The same ones, under the same cookies: a phone in a browser stays where it is.
    assert _servers(sections["controllers"]) == _servers(sections["not-ready"]) != []
    assert "use_backend not-ready if { nbsrv(controllers) lt 1 }" in text
    assert "monitor fail if { nbsrv(not-ready) lt 1 }" in text


def _servers(section: str) -> list[str]:
    return re.findall(r"^ +server .*$", section, re.MULTILINE)


@pytest.mark.parametrize("file", FILES)
def test_E5_given_files_of_this_repository_when_mounted_then_with_their_folder_as_editors_replace_files(
    file: str,
) -> None:
    text = (ROOT / file).read_text("utf-8")
    mounted = set(re.findall(r"(\./[^:]*):/", text))
    assert mounted == {"./containers"}
    assert (ROOT / "containers").is_dir()


def _variables(service: dict[str, Any]) -> set[str]:
    """Of the environment in which compose is run."""
    return set(re.findall(r"\$\{(\w+)", str(service)))


def test_E5_given_nothing_set_when_the_api_is_published_then_this_machine_alone_reaches_it(
    services: dict[str, dict[str, Any]],
) -> None:
    published = [port for service in services.values() for port in service.get("ports", ()) if "8080" in port]
    assert published == ["${VOICECALL_PUBLISHED_ADDRESS:-127.0.0.1}:8080:8080"]


def test_E5_given_services_that_say_much_when_they_run_then_what_is_kept_of_it_has_an_end(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        assert {"max-size", "max-file"} <= set(service["logging"]["options"]), name
        for folder in service.get("tmpfs", ()):
            assert "/var/log" not in folder or "size=" in folder, name


def test_E5_given_asterisk_in_containers_when_it_warns_then_compose_logs_has_it(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        assert ("--log-to-console" in service.get("command", ())) == name.startswith("configure"), name


def test_E5_given_a_password_of_any_characters_when_passed_on_then_it_stands_in_no_address(
    services: dict[str, dict[str, Any]],
) -> None:
    asking = [env for service in services.values() if "VOICECALL_DATABASE__URL" in (env := _set(service))]
    assert asking
    for environment in asking:
        assert "$" not in environment["VOICECALL_DATABASE__URL"]
        assert environment["PGPASSWORD"] == _set(services["database"])["POSTGRES_PASSWORD"]


def _set(service: dict[str, Any]) -> dict[str, str]:
    environment: dict[str, str] = service.get("environment", {})
    return environment


@pytest.mark.parametrize(
    "file", sorted((ROOT / "containers").glob("*.Dockerfile")), ids=lambda file: file.stem
)
def test_E5_given_a_clone_that_others_may_not_read_when_an_image_is_built_then_its_user_may(
    file: Path,
) -> None:
    text = file.read_text("utf-8")
    made_so = re.findall(r"^RUN chmod a\+r (.*)$", text, re.MULTILINE)
    readable = {pattern for words in made_so for pattern in words.split()}
    # What is only built from is read by root; what the image is only told apart by, by nobody.
    text = text.replace(f"COPY {' '.join(_MADE_FROM)} /usr/share/voicecall/", "")
    final = text.split("\nFROM ${BOOKWORM} AS controller")[-1]
    for words in re.findall(r"^COPY (?!--from)(.*)$", final, re.MULTILINE):
        *sources, target = words.split()
        for source in sources:
            place = target + Path(source).name if target.endswith("/") else target
            assert any(Path(place).match(pattern) for pattern in readable), place
