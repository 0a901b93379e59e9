"""The blocks of Python in the documents, run as they are, and the examples for orchestrators, run or parsed."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import kometsales
import pytest
import yaml
from conftest import MODULE, REPOSITORY

EXAMPLES = REPOSITORY / "examples/orchestrators"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(document: str, language: str) -> list[str]:
    text = (REPOSITORY / "docs" / document).read_text()
    return [text for name, text in BLOCK.findall(text) if name == language]


def _run(code: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(MODULE)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("number", range(len(_blocks("python.md", "python"))))
def test_the_blocks_of_the_page_on_python_run(number, tmp_path):
    _run(_blocks("python.md", "python")[number], tmp_path)


@pytest.mark.parametrize("number", range(len(_blocks("warehouses.md", "python"))))
def test_the_blocks_of_the_page_on_warehouses_read_a_table(number, tmp_path):
    with kometsales.simulate(customers=500) as komet:
        kometsales.export(tmp_path / "lake", **komet)
    assert _run(_blocks("warehouses.md", "python")[number], tmp_path).strip()


def test_what_is_called_untried_is_what_no_test_runs():
    text = (REPOSITORY / "docs/warehouses.md").read_text()
    sections = {part.splitlines()[0]: part for part in text.split("\n## ")[1:]}
    for name in ("Snowflake", "BigQuery", "Databricks", "Microsoft Fabric", "Redshift", "Athena", "ClickHouse"):
        assert "\nUntried." in sections[name], name
    for name in ("Polars", "pandas", "DuckDB", "Spark"):
        assert "\nTried" in sections[name], name
    for name, section in sections.items():
        if name not in ("Who reads it", "PostgreSQL"):
            assert "```" in section and ("_deleted_at" in section), name


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob("docs/*.md")), ids=lambda path: path.name)
def test_every_page_begins_alike_and_its_blocks_of_yaml_are_yaml(path):
    text = path.read_text()
    start = "kometsales reads the customers of a flower company out of Komet Sales and writes them where they are needed. This page"
    assert text.splitlines()[2].startswith(start), path.name
    for page in ("airbyte", "meltano", "export", "companies", "python", "orchestrators", "warehouses", "reference", "compatibility", "reliability"):
        assert f"({page}.md)" in "\n".join(text.splitlines()[:9]), f"{path.name} does not lead to {page}.md at its start"
    for block in _blocks(path.name, "yaml"):
        assert yaml.safe_load(block)


def _module(name: str, **members: object) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(members)
    return module


def _load(path: Path) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def company(monkeypatch):
    """A simulated company that the environment leads to, as on an orchestrator's machine."""
    with kometsales.simulate(customers=60) as komet:
        monkeypatch.setenv("KOMETSALES_AUTHENTICATION_TOKEN", komet["authentication_token"])
        monkeypatch.setenv("KOMETSALES_BASE_URL", komet["base_url"])
        monkeypatch.setenv("KOMETSALES_RETRY_WINDOW_SECONDS", "0")
        yield komet


def test_the_line_for_cron_exports_and_writes_a_line_of_json(company, tmp_path, monkeypatch):
    lines = (EXAMPLES / "cron/kometsales.cron").read_text().splitlines()
    (line,) = [line for line in lines if line[0].isdigit()]
    *schedule, user, command = line.split(maxsplit=6)
    assert len(schedule) == 5 and user == "kometsales"
    for name, value in [line.split("=", 1) for line in lines if re.match(r"\w+=", line)]:
        monkeypatch.setenv(name, value)
    (tmp_path / "token").write_text(company["authentication_token"] + "\n")
    monkeypatch.delenv("KOMETSALES_AUTHENTICATION_TOKEN")
    monkeypatch.setenv("KOMETSALES_AUTHENTICATION_TOKEN_FILE", str(tmp_path / "token"))
    command = command.replace("/var/lib/kometsales", str(tmp_path)).replace("s3://lake/komet", str(tmp_path / "lake"))
    for _ in range(2):
        subprocess.run(["sh", "-c", command], check=True, timeout=60)
    runs = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert [run["rows"] for run in runs] == [60, 0]


def test_the_units_of_systemd_are_units(tmp_path):
    service, timer = EXAMPLES / "systemd/kometsales.service", EXAMPLES / "systemd/kometsales.timer"
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str
    parsed.read(service)
    assert parsed["Service"]["RestartPreventExitStatus"].split() == ["2", "65", "70", "77", "78"]
    assert parsed["Service"]["LoadCredential"].startswith("token:")
    assert shlex.split(parsed["Service"]["ExecStart"])[1] == "export"
    if (verify := shutil.which("systemd-analyze")) is None:
        pytest.skip("there is no systemd-analyze here")
    program = tmp_path / "kometsales"
    program.symlink_to("/bin/true")
    for unit in (service, timer):
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/kometsales", str(program)))
    done = subprocess.run(
        [verify, "verify", "--man=no", str(tmp_path / service.name), str(tmp_path / timer.name)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Unknown" not in done.stderr, done.stderr


def test_the_job_of_kubernetes_tries_again_after_75_alone():
    job = yaml.safe_load((EXAMPLES / "kubernetes/cronjob.yaml").read_text())
    template = job["spec"]["jobTemplate"]["spec"]
    (rule,) = template["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [2, 65, 70, 77, 78])
    pod = template["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "a failure policy needs it"
    (container,) = pod["containers"]
    (names,) = [{mount["name"] for mount in container["volumeMounts"]}]
    assert names == {volume["name"] for volume in pod["volumes"]}
    assert container["args"][0] == "export" and container["env"][0]["name"] == "KOMETSALES_AUTHENTICATION_TOKEN_FILE"


def test_the_workflow_of_github_actions_runs_its_commands(company, program, tmp_path, monkeypatch):
    workflow = yaml.safe_load((EXAMPLES / "github-actions/export.yml").read_text())
    assert workflow[True]["schedule"][0]["cron"].count(" ") == 4  # YAML reads `on` as true
    step = workflow["jobs"]["export"]["steps"][-1]
    assert all(name.isupper() for name in step["env"])
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    command = step["run"].replace("uvx kometsales", str(program)).replace("s3://lake/komet", str(tmp_path / "lake"))
    # As GitHub runs a step whose shell is named.
    subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command], check=True, timeout=60, cwd=tmp_path)
    assert '"rows":60' in (tmp_path / "summary.md").read_text()
    monkeypatch.setenv("KOMETSALES_AUTHENTICATION_TOKEN", "not-the-token")
    failed = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command], timeout=60, cwd=tmp_path, check=False)
    assert failed.returncode == 77


def test_the_dag_of_airflow_exports_and_knows_which_failure_is_final(company, tmp_path, monkeypatch):
    """Airflow itself is not installed: what the DAG takes of it is stood in for."""
    tasks = []

    class Final(Exception):
        pass

    def task(**options):
        def take(call):
            tasks.append((call, options))
            return lambda: None

        return take

    decorators = _module("airflow.decorators", dag=lambda **options: lambda call: call, task=task)
    monkeypatch.setitem(sys.modules, "airflow", _module("airflow"))
    monkeypatch.setitem(sys.modules, "airflow.decorators", decorators)
    monkeypatch.setitem(sys.modules, "airflow.exceptions", _module("airflow.exceptions", AirflowFailException=Final))
    _load(EXAMPLES / "airflow/kometsales_dag.py")
    ((export, options),) = tasks
    assert options["retries"] == 3
    assert export(str(tmp_path / "lake"))["rows"] == 60
    monkeypatch.setenv("KOMETSALES_BASE_URL", "http://127.0.0.1:1/api")
    with pytest.raises(kometsales.TransientError):
        export(str(tmp_path / "lake"))
    monkeypatch.setenv("KOMETSALES_TIMEZONE", "Nowhere")
    monkeypatch.setenv("KOMETSALES_BASE_URL", company["base_url"])
    monkeypatch.setenv("KOMETSALES_AUTHENTICATION_TOKEN", "not-the-token")
    with pytest.raises(Final, match="Token not found"):
        export(str(tmp_path / "lake"))


def test_the_asset_of_dagster_is_materialized(company, tmp_path, monkeypatch):
    dagster = pytest.importorskip("dagster")
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    monkeypatch.setenv("KOMET_PLACE", str(tmp_path / "lake"))
    assets = _load(EXAMPLES / "dagster/assets.py")
    assert list(assets.defs.assets) == [assets.customers]
    done = dagster.materialize([assets.customers])
    (event,) = done.get_asset_materialization_events()
    assert event.materialization.metadata["rows"].value == 60
    monkeypatch.setenv("KOMETSALES_AUTHENTICATION_TOKEN", "not-the-token")
    with pytest.raises(dagster.Failure, match="Token not found") as failed:
        assets.customers()
    assert failed.value.allow_retries is False
    monkeypatch.setenv("KOMETSALES_BASE_URL", "http://127.0.0.1:1/api")
    with pytest.raises(dagster.RetryRequested):
        assets.customers()


PREFECT = """
import json, runpy, sys
import kometsales
from prefect.states import Failed

module = runpy.run_path(sys.argv[1], run_name="example")
export, customers = module["export"], module["customers"]
assert customers.name == "komet" and list(customers.parameters.properties) == ["place"]
again = [export.retry_condition_fn(export, None, Failed(data=error)) for error in (
    kometsales.TransientError("gone"), kometsales.AuthError("refused"), OSError("another"))]
print(json.dumps({"retries": export.retries, "again": again, "rows": export.fn(sys.argv[2])["rows"]}))
"""


def test_the_flow_of_prefect_exports_and_knows_which_failure_passes(company, tmp_path):
    """Prefect itself, without its server: the task's function, and its condition for another try."""
    prefect = REPOSITORY / ".venvs/python/prefect/bin/python"
    environment = {**os.environ, "PYTHONPATH": str(MODULE), "PREFECT_HOME": str(tmp_path / "prefect"), "DO_NOT_TRACK": "1"}
    command = [prefect, "-c", PREFECT, EXAMPLES / "prefect/flow.py", tmp_path / "lake"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"retries": 3, "again": [True, False, False], "rows": 60}


def test_the_sources_of_dbt_name_columns_of_the_table(company, tmp_path):
    import pyarrow.parquet

    (source,) = yaml.safe_load((EXAMPLES / "dbt/sources.yml").read_text())["sources"]
    kometsales.export(tmp_path / "lake", **company)
    (file,) = (tmp_path / "lake/customers").rglob("*.parquet")
    columns = pyarrow.parquet.read_schema(file).names
    named = {column["name"] for table in source["tables"] for column in table["columns"]} | {source["config"]["loaded_at_field"]}
    assert named <= set(columns), columns


def test_the_notebook_runs_and_draws_a_picture(tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(MODULE))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    notebook = nbformat.read(REPOSITORY / "examples/notebook/customers.ipynb", as_version=4)
    kept = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in kept), "the notebook is kept with its picture"
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output["output_type"] == "error"]
