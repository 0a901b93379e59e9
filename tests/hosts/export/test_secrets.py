"""The token and the keys of stores are nowhere: not in what an export says, however talkative, nor in what it writes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from exporter import STDOUT
from secrecy import assert_absent
from stores import Azurite, Moto, Place

TALKATIVE = {"LOG_LEVEL": "debug", "RUST_LOG": "trace", "RUST_BACKTRACE": "full"}
SESSION = "FwoGZXIvYXdzEBYaDKometSessi0nToken/+9fQ2=="

# What a signature permits; Azurite refuses deletions in batches with the signature of an account, so it is a container's.
READING = ("read", "list")
WRITING = (*READING, "add", "create", "write", "delete")
SIGNED = {"all": WRITING, "reading": READING, "no store": WRITING}

# A token that is refused, as no simulator has it, and that takes another form wherever it is escaped.
STRANGE_TOKEN = 'wr0ng&t%k/é n"2?+=7Zq#Xy'


@pytest.fixture(params=["bucket", "container"])
def store_place(request: pytest.FixtureRequest) -> Place:
    return request.getfixturevalue(request.param)


def assert_secrets_are_nowhere(place, config, *more):
    for name, content in place.files().items():
        for secret in (config["authentication_token"], *place.secrets, *more):
            assert_absent(secret, content, name)


def talkative(exporter, config, to, *flags, **environment):
    """Runs an export that says all it can. What it says was searched by then."""
    return exporter.run(config, to, "--debug", *flags, environment={**TALKATIVE, **environment})


@pytest.mark.parametrize("fault", ["healthy", "bad-ids", "new-fields"])
def test_what_is_written_holds_no_secret(exporter, connector, simulator, place, fault):
    api = simulator(fault)
    config = api.config()
    for flags in (["--check"], [], ["--full-refresh"], ["--mode", "overwrite"]):
        assert talkative(exporter, config, place, *flags).exit_code == 0
        api.change(3)
    assert talkative(exporter, config, place / "list.parquet").exit_code == 0
    assert len(place.files()) > 5
    assert_secrets_are_nowhere(place, config)
    secrets, environment = (api.token, *place.secrets), place.environment | TALKATIVE
    shown = connector.run("show", place.url, "--debug", secrets=secrets, environment=environment)
    assert shown.exit_code == 0, shown


def test_a_stream_holds_no_secret(exporter, simulator):
    assert talkative(exporter, simulator("new-fields").config(), STDOUT).exit_code == 0


@pytest.mark.parametrize(
    ("fault", "exit_code", "with_a_wrong_token"),
    [("echo-token", 77, 77), ("unauthorized", 77, 77), ("web-page", 75, 75), ("cut:9000", 75, 77)],
)
def test_a_failing_api_makes_nobody_show_the_token(exporter, simulator, place, fault, exit_code, with_a_wrong_token):
    for token, expected in ((None, exit_code), (STRANGE_TOKEN, with_a_wrong_token)):
        api = simulator(fault)
        config = api.config(authentication_token=token or api.token)
        run = talkative(exporter, config, place)
        assert run.exit_code == expected, run
        assert_secrets_are_nowhere(place, config)


def test_a_store_that_refuses_makes_nobody_show_its_key(exporter, simulator, bucket):
    config = simulator().config()
    exporter.export(config, bucket)
    bucket.store.refuse_everybody(True)
    try:
        for flags in ([], ["--check"]):
            run = talkative(exporter, config, bucket, *flags, AWS_SESSION_TOKEN=SESSION)
            assert run.exit_code == 78, run
            assert_absent(SESSION, run.stdout + run.stderr, "what export said")
    finally:
        bucket.store.refuse_everybody(False)


def test_a_wrong_key_is_refused_and_not_shown(exporter, simulator, container):
    wrong = "d3Jvbmcta2V5LW9mLXRoZS1zdG9yZS05ZjhlN2Q2YzViNGEzOTI4MTc2NTQzMjE="
    run = talkative(exporter, simulator().config(), container, AZURE_STORAGE_ACCOUNT_KEY=wrong)
    assert run.exit_code == 78, run
    assert_absent(wrong, run.stdout + run.stderr, "what export said")
    assert container.files() == {}


@pytest.mark.parametrize("permission", SIGNED)
def test_a_shared_access_signature_is_not_shown(exporter, simulator, container, nobody_listens, permission):
    store: Azurite = container.store
    sas = generate_container_sas(
        store.account,
        container.url.split("/")[2],
        account_key=store.secret,
        permission=ContainerSasPermissions(**dict.fromkeys(SIGNED[permission], True)),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
    )
    (signature,) = parse_qs(sas)["sig"]
    environment = {
        "AZURE_STORAGE_ACCOUNT_NAME": store.account,
        "AZURE_STORAGE_SAS_TOKEN": sas,
        "AZURE_STORAGE_ENDPOINT": f"{store.origin}/{store.account}",
        "AZURE_ALLOW_HTTP": "true",
    }
    if permission == "no store":
        environment["AZURE_STORAGE_ENDPOINT"] = nobody_listens.replace("/api", f"/{store.account}")
    run = talkative(exporter, simulator().config(), without_keys(container), **environment)
    assert run.exit_code == {"all": 0, "reading": 78, "no store": 75}[permission], run
    assert_absent(signature, run.stdout + run.stderr, "what export said")
    for name, content in container.files().items():
        assert_absent(signature, content, name)


def without_keys(place):
    return Place(place.url, STDOUT.store)


def test_a_store_that_is_not_there_makes_nobody_show_its_key(exporter, simulator, store_place, nobody_listens):
    nowhere = nobody_listens.removesuffix("/api")
    endpoints = {
        Moto: {"AWS_ENDPOINT_URL": nowhere, "AWS_SESSION_TOKEN": SESSION},
        Azurite: {"AZURE_STORAGE_ENDPOINT": f"{nowhere}/{Azurite.account}"},
    }
    run = talkative(exporter, simulator().config(), store_place, **endpoints[type(store_place.store)])
    assert run.exit_code == 75, run
    assert_absent(SESSION, run.stdout + run.stderr, "what export said")
