"""What Kubernetes would make of a CronJob, as processes: its pods one try after the other, by the rules of the job.

Only what the example uses is understood; a field that is not known here is an error, so that the example cannot say more than is
tested. Shape and spelling are held against Kubernetes' schemas elsewhere.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import yaml

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/kubernetes"
KNOWN_POD = {
    "restartPolicy",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "terminationGracePeriodSeconds",
    "securityContext",
    "containers",
    "volumes",
}
KNOWN_JOB = {
    "backoffLimit",
    "backoffLimitPerIndex",
    "activeDeadlineSeconds",
    "podFailurePolicy",
    "completionMode",
    "completions",
    "parallelism",
    "template",
}


def rendered(folder: str) -> dict:
    """The CronJob of a folder, as `kubectl kustomize` would print it: resources, patches (RFC 6902) and images."""
    place = EXAMPLE / folder
    kustomization = yaml.safe_load((place / "kustomization.yaml").read_text())
    assert set(kustomization) <= {"apiVersion", "kind", "resources", "patches", "images"}, kustomization
    (resource,) = kustomization["resources"]
    cron = rendered(os.path.normpath(f"{folder}/{resource}")) if (place / resource).is_dir() else None
    cron = cron or yaml.safe_load((place / resource).read_text())
    for patch in kustomization.get("patches", []):
        target = patch["target"]
        assert (target["kind"], target["name"]) == (cron["kind"], cron["metadata"]["name"])
        for operation in yaml.safe_load((place / patch["path"]).read_text()):
            cron = patched(cron, operation)
    for image in kustomization.get("images", []):
        for container in pod_of(cron)["containers"]:
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"
    return cron


def patched(document: dict, operation: dict) -> dict:
    """A document after one operation of JSON Patch (RFC 6902): `add`, `replace` or `remove`."""
    document = deepcopy(document)
    *above, last = operation["path"].removeprefix("/").split("/")
    inside = document
    for part in above:
        inside = inside[int(part)] if isinstance(inside, list) else inside[part]
    key = last if isinstance(inside, dict) else len(inside) if last == "-" else int(last)
    is_there = key in inside if isinstance(inside, dict) else key < len(inside)
    match operation["op"]:
        case "add" if isinstance(inside, list):
            inside.insert(key, operation["value"])
        case "add":
            inside[key] = operation["value"]
        case "replace":
            assert is_there, operation
            inside[key] = operation["value"]
        case "remove":
            assert is_there, operation
            del inside[key]
        case other:
            raise AssertionError(other)
    return document


def pod_of(cron: dict) -> dict:
    return cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@dataclass
class Outcome:
    """How a job ended."""

    # By index, the exit codes of its tries.
    tries: dict[int, list[int]] = field(default_factory=dict)
    succeeded: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    # By index, what its tries said.
    logs: dict[int, list[str]] = field(default_factory=dict)


def run_job(cron: dict, start: Callable[[list[str], dict[str, str]], subprocess.CompletedProcess]) -> Outcome:
    """Runs the job once. `start` runs a container: its arguments, with `$(NAME)` expanded, and its environment."""
    job = cron["spec"]["jobTemplate"]["spec"]
    assert set(job) <= KNOWN_JOB, job
    pod = job["template"]["spec"]
    assert set(pod) <= KNOWN_POD, pod
    assert pod["restartPolicy"] == "Never", "a policy for failures needs it"
    is_indexed = job.get("completionMode") == "Indexed"
    assert is_indexed == ("backoffLimitPerIndex" in job)
    limit = job["backoffLimitPerIndex"] if is_indexed else job["backoffLimit"]
    (container,) = pod["containers"]
    outcome = Outcome()
    for index in range(job.get("completions", 1)):
        environment = {one["name"]: one["value"] for one in container.get("env", [])}
        if is_indexed:
            environment["JOB_COMPLETION_INDEX"] = str(index)
        expanded = [re.sub(r"\$\((\w+)\)", lambda name: environment[name[1]], word) for word in container["args"]]
        counted = 0
        while index not in outcome.succeeded and index not in outcome.failed:
            done = start(expanded, environment)
            outcome.tries.setdefault(index, []).append(done.returncode)
            outcome.logs.setdefault(index, []).append(done.stdout)
            match judged(job["podFailurePolicy"], container["name"], done.returncode):
                case "Succeed":
                    outcome.succeeded.add(index)
                case "Count":
                    counted += 1
                    if counted > limit:
                        outcome.failed[index] = "BackoffLimitExceeded"
                case "FailIndex" if is_indexed:
                    outcome.failed[index] = "FailIndex"
                case "FailJob" if not is_indexed:
                    outcome.failed[index] = "FailJob"
                case action:
                    raise AssertionError(f"{action} in this kind of job")
    return outcome


def judged(policy: dict, container: str, code: int) -> str:
    """What the policy says of an exit code; the first rule that fits counts, and without one it counts as a try."""
    if code == 0:
        return "Succeed"
    for rule in policy["rules"]:
        codes = rule.get("onExitCodes")
        if codes and codes["containerName"] == container and codes["operator"] == "In" and code in codes["values"]:
            return rule["action"]
    return "Count"
