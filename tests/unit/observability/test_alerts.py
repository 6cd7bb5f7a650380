"""The shipped alert rules and board, as Prometheus itself reads them and Grafana types them."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
RULES = ROOT / "docs/observability/alerts.yml"
BOARD = ROOT / "docs/observability/grafana-dashboard.json"
GRAFANA = Path(__file__).parent / "grafana"
_UNPACKED = ROOT / ".cache/prometheus/promtool"

pytestmark = pytest.mark.requirement("E3")


@pytest.fixture
def promtool() -> str:
    found = str(_UNPACKED) if _UNPACKED.exists() else shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not here: scripts/setup-prometheus unpacks it")
    return found


def _judged(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_given_the_shipped_rules_when_prometheus_reads_them_then_it_takes_all(promtool: str) -> None:
    count = RULES.read_text("utf-8").count("- alert:")
    assert f"{count} rules found" in _judged(promtool, "check", "rules", str(RULES))


def test_given_the_shipped_board_when_prometheus_reads_its_queries_then_it_takes_all(
    promtool: str, tmp_path: Path
) -> None:
    panels = json.loads(BOARD.read_text("utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    # Grafana puts the interval in.
    asked = [query.replace("$__rate_interval", "1m") for query in queries]
    rules = [{"record": f"board:{number}", "expr": query} for number, query in enumerate(asked)]
    file = tmp_path / "board.yml"
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}), "utf-8")
    assert f"{len(queries)} rules found" in _judged(promtool, "check", "rules", str(file))


@pytest.fixture
def tsc() -> str:
    found = GRAFANA / "node_modules/.bin/tsc"
    if not found.exists():
        pytest.skip("Grafana's types are not here: scripts/setup-grafana-types installs them")
    return str(found)


def _typed(tsc: str, directory: Path, board: dict[str, Any]) -> str:
    """What TypeScript has against a board; nothing if Grafana's types take it."""
    file = directory / "board.ts"
    file.write_text(
        (GRAFANA / "board.ts").read_text("utf-8").replace("= BOARD;", f"= {json.dumps(board)};"), "utf-8"
    )
    (directory / "node_modules").symlink_to(GRAFANA / "node_modules")
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"]
    done = subprocess.run(
        [tsc, *options, str(file)], capture_output=True, text=True, check=False, timeout=120
    )
    return done.stdout


def test_given_the_shipped_board_when_grafanas_own_types_judge_it_then_they_take_it(
    tsc: str, tmp_path: Path
) -> None:
    assert _typed(tsc, tmp_path, json.loads(BOARD.read_text("utf-8"))) == ""


def test_given_a_board_with_faults_when_grafanas_own_types_judge_it_then_they_name_each(
    tsc: str, tmp_path: Path
) -> None:
    faults: list[tuple[str, object]] = [
        ("fieldConfig", {"defaults": {"units": "s"}, "overrides": []}),
        ("gridPos", {"x": "0", "y": 0, "w": 12, "h": 8}),
        ("datasource", "prometheus"),
        ("targets", [{"expr": "up", "legendFormat": ""}]),
        ("kind", "stat"),
    ]
    board = json.loads(BOARD.read_text("utf-8"))
    for panel, (place, wrong) in zip(board["panels"], faults, strict=False):
        panel[place] = wrong
    told = _typed(tsc, tmp_path, board)
    assert told.count("error TS") == len(faults), told


def test_given_the_shipped_board_when_laid_out_then_no_two_panels_have_one_id_or_place() -> None:
    panels = json.loads(BOARD.read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)


_SERIES = {
    "VoicecallEndpointDisabled": ('voicecall_push_endpoints_disabled{app="app1"}', "1x30", "0x30"),
    "VoicecallNodeDown": ('voicecall_node_up{node="node2"}', "0x30", "1x30"),
    "VoicecallNoNode": ('voicecall_ready{part="node"}', "0x30", "1x30"),
    "VoicecallTrunkDown": ('voicecall_trunk_up{trunk="carrier"}', "0x30", "1x30"),
    "VoicecallClockOff": ("voicecall_clock_ahead_seconds", "-0.7x30", "-0.3x30"),
    "VoicecallCdrPushesWait": ("voicecall_cdr_pushes_waiting", "3000x30", "300x30"),
    "VoicecallWritesWait": ("voicecall_database_writes_waiting", "900x30", "20x30"),
    "VoicecallRecordingsWait": ('voicecall_recordings_waiting{node="node2"}', "3x30", "0x30"),
    "VoicecallDown": ('up{job="voicecall"}', "0x30", "1x30"),
    "VoicecallNotScraped": ('up{job="voicecall"}', "_x30", "1x30"),
    "VoicecallNotReady": ('voicecall_ready{part="database"}', "0x30", "1x30"),
}
"""By alert: a series, its values in trouble, its values without; one value a minute."""

_EACH, _MANY, _FEW = "0+60x30", "0+540x30", "0+6x30"


def _histogram(name: str, within: str) -> tuple[dict[str, str], dict[str, str]]:
    """A histogram with one observation a second above that bucket, and one with all of them in it."""
    bucket, rest = f'{name}_bucket{{le="{within}"}}', f'{name}_bucket{{le="+Inf"}}'
    above = f'{name}_bucket{{le="1000"}}'
    return {bucket: "0x30", above: _EACH, rest: _EACH}, {bucket: _EACH, above: _EACH, rest: _EACH}


def _share(name: str, bad: str, good: str) -> tuple[dict[str, str], dict[str, str]]:
    """Counters of which all, and of which a hundredth, are bad."""
    bad, good = f"{name}{{{bad}}}", f"{name}{{{good}}}"
    return {bad: _EACH, good: "0x30"}, {bad: _FEW, good: _MANY}


_RATES = {
    "VoicecallAnswersFail": _share(
        "voicecall_http_request_seconds_count", 'route="/x",status="503"', 'route="/x",status="200"'
    ),
    "VoicecallCallsFail": _share("voicecall_calls_ended_total", 'state_code="8000"', 'state_code="0"'),
    "VoicecallPushesFail": _share(
        "voicecall_push_attempts_total",
        'event="fee",outcome="timeout"',
        'event="fee",outcome="accepted"',
    ),
    "VoicecallSlowSetup": _histogram("voicecall_call_setup_seconds", "1"),
    "VoicecallEventLoopLate": _histogram("voicecall_event_loop_lag_seconds", "0.1"),
    "VoicecallPushesLate": _histogram("voicecall_push_lag_seconds", "5"),
}
"""By alert: counters in trouble, and without."""


def test_given_the_shipped_rules_when_counted_then_each_is_shown_to_fire() -> None:
    names = set(re.findall(r"- alert: (\w+)", RULES.read_text("utf-8")))
    assert names == {*_SERIES, *_RATES, "VoicecallAppNearItsLimit"}


@pytest.mark.parametrize("alert", sorted(_RATES))
def test_given_counters_when_they_show_trouble_then_their_alert_fires_and_otherwise_not(
    promtool: str, tmp_path: Path, alert: str
) -> None:
    bad, good = _RATES[alert]
    _check_fires(promtool, tmp_path, alert, bad, fires=True)
    _check_fires(promtool, tmp_path, alert, good, fires=False)


@pytest.mark.parametrize("alert", sorted(_SERIES))
def test_given_a_series_when_it_shows_trouble_then_its_alert_fires_and_otherwise_not(
    promtool: str, tmp_path: Path, alert: str
) -> None:
    series, bad, good = _SERIES[alert]
    _check_fires(promtool, tmp_path, alert, {series: bad}, fires=True)
    _check_fires(promtool, tmp_path, alert, {series: good}, fires=False)


def test_given_controllers_under_another_job_when_the_rules_are_not_adjusted_then_somebody_is_told(
    promtool: str, tmp_path: Path
) -> None:
    others = {f'up{{job="telephony",instance="{instance}"}}': "1x30" for instance in "ab"}
    _check_fires(promtool, tmp_path, "VoicecallNotScraped", others, fires=True)


def test_given_two_controllers_when_one_is_down_then_that_is_told_of_it_alone(
    promtool: str, tmp_path: Path
) -> None:
    one = {'up{job="voicecall",instance="a"}': "1x30", 'up{job="voicecall",instance="b"}': "0x30"}
    _check_fires(promtool, tmp_path, "VoicecallDown", one, fires=True)
    _check_fires(promtool, tmp_path, "VoicecallNotScraped", one, fires=False)


def test_given_a_controller_that_ends_or_nodes_that_were_drained_when_not_ready_then_nobody_is_woken(
    promtool: str, tmp_path: Path
) -> None:
    ready = {f'voicecall_ready{{part="{part}"}}': "1x30" for part in ("database", "trunks")}
    ending = {f'voicecall_ready{{part="{part}"}}': "0x30" for part in ("node", "controller")}
    refused = {**ready, 'voicecall_ready{part="trunks"}': "0x30"}
    _check_fires(promtool, tmp_path, "VoicecallNotReady", {**ready, **ending}, fires=False)
    _check_fires(promtool, tmp_path, "VoicecallNotReady", {**refused, **ending}, fires=True)


def test_given_two_controllers_when_one_has_a_node_that_takes_calls_then_no_drained_one_is_told_of(
    promtool: str, tmp_path: Path
) -> None:
    one = {f'voicecall_ready{{part="node",instance="{name}"}}': f"{name == 'a':d}x30" for name in "ab"}
    _check_fires(promtool, tmp_path, "VoicecallNoNode", one, fires=False)
    _check_fires(promtool, tmp_path, "VoicecallNoNode", dict.fromkeys(one, "0x30"), fires=True)


def test_given_cdrs_that_come_late_when_all_else_that_is_pushed_does_not_then_somebody_is_told(
    promtool: str, tmp_path: Path
) -> None:
    bucket = "voicecall_push_lag_seconds_bucket"
    late = {f'{bucket}{{event="fee",le="{le}"}}': _FEW if le != "5" else "0x30" for le in ("5", "60", "+Inf")}
    rest = {f'{bucket}{{event="answer",le="{le}"}}': _MANY for le in ("5", "60", "+Inf")}
    _check_fires(promtool, tmp_path, "VoicecallPushesLate", {**late, **rest}, fires=True)
    _check_fires(promtool, tmp_path, "VoicecallPushesLate", rest, fires=False)


@pytest.mark.parametrize("probe", ["/readyz", "/healthz"])
def test_given_a_controller_that_ends_when_a_balancer_asks_each_second_then_nobody_is_woken(
    promtool: str, tmp_path: Path, probe: str
) -> None:
    count = "voicecall_http_request_seconds_count"
    probes = {f'{count}{{route="{probe}",status="503"}}': _EACH}
    served = {f'{count}{{route="/x",status="200"}}': _FEW}
    failed = {f'{count}{{route="/x",status="500"}}': _FEW}
    # So many probes that are content hide nothing either.
    content = {f'{count}{{route="{probe}",status="200"}}': _MANY}
    for series, fires in ((probes, False), ({**probes, **served}, False), ({**content, **failed}, True)):
        _check_fires(promtool, tmp_path, "VoicecallAnswersFail", series, fires=fires)


def test_given_two_controllers_when_an_app_is_near_its_limit_then_their_calls_are_counted_together(
    promtool: str, tmp_path: Path
) -> None:
    limit = {f'voicecall_app_calls_limit{{app="app1",instance="{instance}"}}': "10x30" for instance in "ab"}
    five = {f'voicecall_app_calls{{app="app1",instance="{instance}"}}': "5x30" for instance in "ab"}
    three = dict.fromkeys(five, "3x30")
    _check_fires(promtool, tmp_path, "VoicecallAppNearItsLimit", {**limit, **five}, fires=True)
    _check_fires(promtool, tmp_path, "VoicecallAppNearItsLimit", {**limit, **three}, fires=False)


def test_given_a_node_that_is_stopped_when_it_was_drained_then_nobody_is_woken(
    promtool: str, tmp_path: Path
) -> None:
    down = {f'voicecall_node_up{{node="{node}",instance="a"}}': "0x30" for node in ("node1", "node2")}
    drained = {
        f'voicecall_node_draining{{node="{node}",instance="a"}}': "1x30" for node in ("node1", "node2")
    }
    resumed = {**drained, 'voicecall_node_draining{node="node2",instance="a"}': "0x30"}
    _check_fires(promtool, tmp_path, "VoicecallNodeDown", {**down, **drained}, fires=False)
    _check_fires(promtool, tmp_path, "VoicecallNodeDown", {**down, **resumed}, fires=True)


def _check_fires(promtool: str, directory: Path, alert: str, series: dict[str, str], *, fires: bool) -> None:
    """Whether that alert fires after 25 minutes of these series, by Prometheus's own test of rules."""
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": "25m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }
    file = directory / "rules-test.yml"
    # JSON is YAML.
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [case]}), "utf-8")
    assert "SUCCESS" in _judged(promtool, "test", "rules", str(file))
