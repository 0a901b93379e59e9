"""examples/kubernetes: valid by Kubernetes' schemas, and true when its pods are run as processes."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from pods import EXAMPLE, pod_of, rendered, run_job

EXECUTABLE = Path(os.environ["KOMETSALES"])
COMPANIES = 24


class Komet:
    """A running `simulate` of many companies, and the secret with their tokens."""

    def __init__(self, folder: Path, *faults: str) -> None:
        self.folder = folder
        self.tokens = folder / "tokens"
        self.tokens.mkdir()
        words = ["simulate", "--companies", str(COMPANIES), "--customers", "20"]
        for fault in faults:
            words += ["--fault", fault]
        with (folder / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen([EXECUTABLE, *words], stdout=subprocess.PIPE, stderr=stderr, text=True)
        for _ in range(COMPANIES):
            line = json.loads(self.process.stdout.readline())
            # As a secret of settings: this server is not where Komet is.
            settings = {key: line[key] for key in ("authentication_token", "base_url")}
            settings |= {"retry_window_seconds": 0}
            (self.tokens / line["company"]).write_text(json.dumps(settings))

    def start(self, args: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess:
        """A container of the example, with its mounts and its bucket in this test's folder."""
        (self.folder / "scratch").mkdir(exist_ok=True)
        places = {"/run/secrets/komet": str(self.tokens), "s3://lake/komet": str(self.folder / "lake")}
        environment = environment | {"TMPDIR": str(self.folder / "scratch")}
        words = [places.get(word, word) for word in args]
        return subprocess.run([EXECUTABLE, *words], env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def komet(tmp_path: Path) -> Iterator:
    running = []

    def start(*faults: str) -> Komet:
        running.append(Komet(tmp_path, *faults))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.wait(20)
        one.process.stdout.close()


def lines(log: str) -> tuple[list[dict], dict]:
    *companies, last = [json.loads(line) for line in log.splitlines()]
    return companies, last["summary"]


@pytest.mark.parametrize("version", ["1.33", None])
@pytest.mark.parametrize("folder", ["base", "sharded"])
def test_kubernetes_takes_it(folder: str, version: str | None) -> None:
    cron = rendered(folder)
    wanted = version or kubernetes_validate.latest_version()
    kubernetes_validate.validate(cron, wanted, strict=True)
    # And it would notice.
    wrong = deepcopy(cron)
    wrong["spec"]["jobTemplate"]["spec"]["backofLimit"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, wanted, strict=True)


def test_it_runs_without_rights_at_an_odd_minute_and_never_twice_at_once() -> None:
    cron = rendered("base")
    minute = int(cron["spec"]["schedule"].split()[0])
    assert minute % 2 == 1 and cron["spec"]["concurrencyPolicy"] == "Forbid"
    pod = pod_of(cron)
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsUser"] == 65532 and pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    (scratch,) = [volume for volume in pod["volumes"] if "emptyDir" in volume]
    (mounted,) = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == scratch["name"]]
    assert {"name": "TMPDIR", "value": mounted} in container["env"]


def test_the_arguments_count_as_many_parts_as_the_job_has() -> None:
    job = rendered("sharded")["spec"]["jobTemplate"]["spec"]
    args = job["template"]["spec"]["containers"][0]["args"]
    (part,) = [word for word in args if "JOB_COMPLETION_INDEX" in word]
    assert part == f"$(JOB_COMPLETION_INDEX)/{job['completions']}"


def test_one_pod_exports_all_and_a_refused_company_fails_the_job_at_once(komet) -> None:
    one = komet("token-refused@company-0005")
    outcome = run_job(rendered("base"), one.start)
    assert (outcome.tries, outcome.failed) == ({0: [77]}, {0: "FailJob"})
    companies, summary = lines(outcome.logs[0][0])
    assert (summary["exported"], summary["failed"], len(companies)) == (COMPANIES - 1, 1, COMPANIES)
    # Nothing is left where it spills, and no token is in a log.
    assert list((one.folder / "scratch").iterdir()) == []
    assert "demo-token" not in outcome.logs[0][0]


def test_what_may_work_later_is_tried_again_and_goes_on_where_it_ended(komet) -> None:
    one = komet("server-error@company-0005@1")
    outcome = run_job(rendered("base"), one.start)
    assert (outcome.tries, outcome.succeeded) == ({0: [75, 0]}, {0})
    _, summary = lines(outcome.logs[0][1])
    assert (summary["exported"], summary["rows"]) == (COMPANIES, 20), "the others were exported before"


def test_four_pods_share_the_companies_and_one_index_fails_alone(komet) -> None:
    one = komet("token-refused@company-0005")
    outcome = run_job(rendered("sharded"), one.start)
    reports = {index: lines(log[-1]) for index, log in outcome.logs.items()}
    names = [company["company"] for companies, _ in reports.values() for company in companies]
    assert len(names) == len(set(names)) == COMPANIES
    assert [summary["shard"] for _, summary in reports.values()] == ["0/4", "1/4", "2/4", "3/4"]
    (failed,) = outcome.failed.items()
    assert failed[1] == "FailIndex" and outcome.tries[failed[0]] == [77]
    assert len(outcome.succeeded) == 3


def test_the_readme_has_what_the_example_has() -> None:
    page = (EXAMPLE / "README.md").read_text()
    pod = pod_of(rendered("base"))
    for secret in [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]:
        assert f"create secret generic {secret} " in page
    policy = rendered("base")["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]
    fails = next(rule for rule in policy["rules"] if rule["action"] == "FailJob")
    assert f"| {', '.join(map(str, fails['onExitCodes']['values']))} |" in page
    for path in EXAMPLE.rglob("*.yaml"):
        assert yaml.safe_load(path.read_text()), path
        assert not stat.S_IMODE(path.stat().st_mode) & 0o111
        assert not re.search(r"demo-token|password", path.read_text(), re.IGNORECASE)
