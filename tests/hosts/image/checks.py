"""The image: what is in it, and what a container made from it says.

Each test gets a container of its own, run by buildah in a chroot on this machine's network. What it says is compared with
what the executable says by itself. tests/hosts/image/run starts these tests; tests/hosts/run alone passes them over.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from programs import FAILURES, Connector, Run, Simulator, _tokens, configured, state_of
from secrecy import assert_absent

REPOSITORY = Path(__file__).resolve().parents[3]
BUILD = REPOSITORY / "packaging/image/build"
VERSION = re.search(r'^version = "(.+)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)[1]
EXECUTABLE = "/usr/local/bin/kometsales"
MEGABYTE = 1_000_000
# A list that does not fit into the memory that a read keeps, and a place in its reply where it no longer did.
MANY, LATE = 120_000, 22_000_000


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


@dataclass
class Container(Connector):
    """A container. The files that it is given are mounted at /config, where Airbyte has them."""

    name: str = ""
    entrypoint: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """Its file system, from outside."""
        return Path(run("buildah", "mount", self.name))

    def command(self, *words: str, options: tuple[str, ...] = ()) -> list[str]:
        """The command line that runs `words` in it."""
        config = f"{self.directory}:/config:ro"
        return ["buildah", "run", "--volume", config, *options, self.name, "--", *words]

    def verb(self, *arguments: str | Path) -> list[str]:
        """A verb as an engine calls it: by the entry point."""
        inside = [f"/config/{word.name}" if isinstance(word, Path) else word for word in arguments]
        return [*self.entrypoint, *inside]

    def run(self, *arguments: str | Path, secrets: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> Run:
        options = tuple(f"--env={name}={value}" for name, value in (environment or {}).items())
        command = self.command(*self.verb(*arguments), options=options)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
        for secret in (*secrets, *_tokens([str(word) for word in arguments])):
            assert_absent(secret, done.stdout, "stdout")
            assert_absent(secret, done.stderr, "stderr")
        return Run([str(word) for word in arguments], done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def image(executable: Path) -> str:
    """The image's name, once it is built."""
    return run(BUILD, executable)


@pytest.fixture(scope="session")
def config(image: str) -> dict:
    """What the image says of itself: platform and configuration."""
    return json.loads(run("buildah", "inspect", "--type", "image", image))["OCIv1"]


@pytest.fixture
def start(executable: Path, image: str, config: dict, tmp_path: Path) -> Iterator[Callable[..., Container]]:
    """Makes containers, with options of `buildah from`."""
    made: list[str] = []
    numbers = count()

    def make(*options: str) -> Container:
        directory = tmp_path / f"config-{next(numbers)}"
        directory.mkdir()
        made.append(run("buildah", "from", *options, image))
        return Container(executable, directory, name=made[-1], entrypoint=config["config"]["Entrypoint"])

    yield make
    for name in made:
        run("buildah", "rm", name)


@pytest.fixture
def container(start) -> Container:
    return start()


# ---------------------------------------------------------------------------------------------- the image


def test_it_is_called_and_configured_as_airbyte_demands(image, config):
    assert image == f"source-kometsales:{VERSION}"
    assert (config["os"], config["architecture"]) in [("linux", "amd64"), ("linux", "arm64")]
    settings = config["config"]
    assert settings["Entrypoint"] == [EXECUTABLE]
    assert "Cmd" not in settings
    assert settings["User"] == "1000:1000"
    assert settings["WorkingDir"] == "/airbyte"
    environment = dict(line.split("=", 1) for line in settings["Env"])
    assert environment["AIRBYTE_ENTRYPOINT"] == " ".join(settings["Entrypoint"])
    assert environment["SSL_CERT_FILE"] == "/etc/ssl/certs/ca-certificates.crt"
    assert settings["Labels"]["io.airbyte.name"] == "source-kometsales"
    assert settings["Labels"]["io.airbyte.version"] == VERSION


def test_its_version_is_that_of_the_executable(container):
    assert container.run("--version").stdout.decode().split()[-1] == VERSION


def test_its_user_can_write_to_two_folders_and_to_nothing_else(container):
    root = container.root
    writable = {}
    for path in [root, *root.rglob("*")]:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            continue
        assert not found.st_mode & (stat.S_ISUID | stat.S_ISGID), path
        if (found.st_uid, found.st_gid) != (0, 0) or found.st_mode & 0o022:
            writable[f"/{path.relative_to(root)}"] = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))
    assert writable == {"/airbyte": (1000, 1000, 0o755), "/tmp": (0, 0, 0o1777)}
    assert "airbyte:x:1000:1000:" in (root / "etc/passwd").read_text()
    assert sorted(path.name for path in root.iterdir()) == ["airbyte", "bin", "etc", "tmp", "usr"]


def test_it_is_small(image, tmp_path):
    unpacked, packed = tmp_path / "image.docker.tar", tmp_path / "image.oci.tar"
    run("buildah", "push", image, f"docker-archive:{unpacked}")
    run("buildah", "push", image, f"oci-archive:{packed}")
    sizes = [path.stat().st_size / MEGABYTE for path in (unpacked, packed)]
    assert sizes[0] < 25, sizes


def test_the_same_executable_makes_the_same_image_and_archives_of_it(executable, image, config, tmp_path):
    oci, docker = tmp_path / "image.oci.tar", tmp_path / "image.docker.tar"
    assert run(BUILD, executable, f"oci-archive:{oci}", f"docker-archive:{docker}") == image
    assert json.loads(run("buildah", "inspect", "--type", "image", image))["OCIv1"] == config
    for archive in (f"oci-archive:{oci}", f"docker-archive:{docker}"):
        copy = run("buildah", "pull", "--quiet", archive)
        copied = json.loads(run("buildah", "inspect", "--type", "image", copy))["OCIv1"]
        assert (copied["config"], copied["rootfs"]) == (config["config"], config["rootfs"])


def test_an_executable_that_needs_libraries_makes_no_image(tmp_path):
    done = subprocess.run([BUILD, shutil.which("ls")], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    assert "link it statically" in done.stderr, done


def test_the_documentation_names_what_is_to_be_copied(connector):
    page = (REPOSITORY / "docs/airbyte.md").read_text()
    (spec,) = connector.run("spec").succeeded().of("SPEC")
    values = dict(re.findall(r"^   \| ([^|]+?) \| `([^`]+)`", page, re.MULTILINE))
    assert values == {
        "Docker full image name": "source-kometsales",
        "Docker image tag": VERSION,
        "Connector documentation URL": spec["documentationUrl"],
    }
    assert set(re.findall(r"source-kometsales:([\w.]+)", page)) == {VERSION}
    assert f"\n| {VERSION} | " in page[page.index("## Changelog") :]
    for setting in re.findall(r"\*\*(Authentication Token|Time Zone|Start Date|Look-back \(Hours\))\*\*", page):
        assert setting in {value["title"] for value in spec["connectionSpecification"]["properties"].values()}


# ---------------------------------------------------------------------------------------------- each verb


def test_spec_check_and_discover_say_what_the_executable_says(container, connector, simulator):
    settings = simulator().config()
    assert container.spec() == connector.spec()
    assert container.check(settings).succeeded().of("CONNECTION_STATUS") == [{"status": "SUCCEEDED"}]
    assert container.stream(settings) == connector.stream(settings)


def test_it_is_the_program_without_tables_and_says_where_they_are(container):
    shown = container.run("demo", "--customers", "12")
    assert shown.exit_code == 0, shown
    assert b"changed" in shown.stdout and b"Delta" not in shown.stdout, shown
    offered = container.run("--help").stdout.decode()
    assert "simulate" in offered and "export" not in offered, offered
    for words in (["export", "--to", "lake"], ["export", "--help"], ["show", "lake", "--json"]):
        refused = container.run(*words)
        assert refused.exit_code == FAILURES["config"][1], refused
        assert b"Use the `kometsales` package." in refused.stderr, refused
    assert container.spec() == json.loads((REPOSITORY / "spec/connector.json").read_text())["connectionSpecification"]


def test_a_full_and_an_incremental_read_give_what_the_executable_gives(container, connector, simulator):
    company = simulator(customers=300)
    settings = company.config()
    inside, outside = (one.read(settings).succeeded() for one in (container, connector))
    assert len(inside.rows) == 300
    assert inside.rows == outside.rows
    assert inside.statuses == outside.statuses
    states = [{**run.stream_state, "list": run.stream_state["list"]["count"]} for run in (inside, outside)]
    assert states[0] == states[1], "but for when each received the list"
    changed = company.change(7)
    inside, outside = (one.read(settings, state=state_of(inside.stream_state)).succeeded() for one in (container, connector))
    assert changed <= {row["id"] for row in inside.rows}
    assert len(inside.rows) < 300
    assert inside.rows == outside.rows


def test_a_read_leaves_nothing_behind(container, simulator):
    def files() -> dict[str, tuple]:
        root = container.root
        return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in [*root.rglob("*")]}

    settings = simulator(customers=10).config()
    container.check(settings).succeeded()
    before = files()
    container.read(settings).succeeded()
    # buildah mounts these anew each time.
    engine = re.compile(r"/(etc/(hosts|hostname|resolv\.conf)|run(/.*)?|dev|proc|sys|config)$")
    assert [path for path, found in files().items() if before.get(path) != found and not engine.search(path)] == []


# What Airbyte's launcher does in a source's container: a shell evaluates AIRBYTE_ENTRYPOINT in the background, its output goes to
# pipes, a loop looks for a file that ends it, and the exit code is written to a file.
LAUNCHER = """
if [ -z "$AIRBYTE_ENTRYPOINT" ]; then exit 127; fi
(
if [ ! -f /source/state.json ]; then
    eval "$AIRBYTE_ENTRYPOINT read --config /source/config.json --catalog /source/catalog.json" 2> /source/stderr > /source/stdout
fi
) &
child=$!
(while kill -0 $$; do if [ -f /source/end ]; then kill $child; exit 0; fi; sleep 1; done) 2> /dev/null &
wait $child
code=$?
echo $code > partial
mv partial exit-code
cat exit-code
touch ended
exit $code
"""


@pytest.mark.parametrize(("fault", "code"), [("healthy", 0), ("cut:5000", 75)])
def test_a_launcher_that_uses_a_shell_starts_it(container, connector, simulator, tmp_path, fault, code):
    settings = simulator(fault, customers=300).config()
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(settings))
    (source / "catalog.json").write_text(json.dumps(configured(connector.stream(settings))))
    os.chown(source, 1000, 1000)
    said: dict[str, bytes] = {}
    for pipe in ("stdout", "stderr"):
        os.mkfifo(source / pipe)
        os.chown(source / pipe, 1000, 1000)
    readers = [
        threading.Thread(target=lambda name=name: said.update({name: (source / name).read_bytes()}), daemon=True)
        for name in ("stdout", "stderr")
    ]
    for reader in readers:
        reader.start()
    options = ("--volume", f"{source}:/source", "--workingdir", "/source")
    # The loop outlives the shell for a second, and would keep a pipe open.
    done = subprocess.run(
        container.command("sh", "-c", LAUNCHER, options=options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    for reader in readers:
        reader.join(20)
    assert done.returncode == code
    assert (source / "exit-code").read_text() == f"{code}\n"
    assert (source / "ended").stat().st_uid == 1000
    read = Run(["read"], code, said["stdout"], said["stderr"])
    assert len(read.records) == (0 if code else 300)
    assert read.statuses[-1] == ("INCOMPLETE" if code else "COMPLETE")


# ---------------------------------------------------------------------------------------------- its user and its files


@contextmanager
def stopped_read(container: Container, company: Simulator) -> Iterator[Path]:
    """A read in the container whose reply stops in the middle: its process, in /proc."""
    settings = company.config(request_timeout_seconds=100)
    files = [container.file("config.json", settings), container.file("catalog.json", configured(container.stream(settings)))]
    words = container.verb("read", "--config", files[0], "--catalog", files[1])
    reading = subprocess.Popen(
        container.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    process = None
    try:
        deadline = time.monotonic() + 20
        while process is None and time.monotonic() < deadline:
            process = next(_below(reading.pid), None)
            time.sleep(0.02)
        assert process, "no process of the container was found"
        yield process
    finally:
        if process:
            os.kill(int(process.name), 9)
        else:
            reading.kill()
        reading.wait(20)


def _below(pid: int) -> Iterator[Path]:
    """The executable's processes among all that come from `pid`."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text().split():
                if os.readlink(f"/proc/{child}/exe").endswith(EXECUTABLE):
                    yield Path(f"/proc/{child}")
                yield from _below(int(child))
        except OSError:
            continue


def _temporary_files(process: Path) -> set[str]:
    """The folders of the open files that have no name."""
    folders = set()
    for file in (process / "fd").iterdir():
        try:
            path = os.readlink(file)
        except OSError:
            continue
        if path.endswith(" (deleted)"):
            folders.add(f"/{Path(path).parent.name}")
    return folders


@pytest.mark.parametrize("folder", ["/tmp", "/airbyte"])
def test_it_runs_as_its_user_and_keeps_a_long_list_where_it_may_write(container, simulator, folder):
    if folder == "/airbyte":
        (container.root / "tmp").chmod(0o555)
    with stopped_read(container, simulator(f"stall:{LATE}", customers=MANY)) as process:
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        assert status["Uid"].split() == ["1000"] * 4
        assert status["Gid"].split() == ["1000"] * 4
        deadline = time.monotonic() + 20
        while not (folders := _temporary_files(process)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert folders == {folder}


def test_a_long_list_arrives_whole_even_where_nothing_can_be_written(container, connector, simulator):
    settings = simulator(customers=MANY).config()
    catalog = configured(connector.stream(settings))
    outside = _rows(connector.read(settings, catalog=catalog))
    assert len(outside) == MANY
    assert _rows(container.read(settings, catalog=catalog)) == outside
    for folder in ("tmp", "airbyte"):
        (container.root / folder).chmod(0o555)
    without = container.read(settings, catalog=catalog)
    assert _rows(without) == outside
    assert b"No temporary folder can be written" in without.stdout


def _rows(read: Run) -> list[dict]:
    """The rows of a long read, each line proved to be JSON."""
    assert read.exit_code == 0, read.stderr
    found = [json.loads(line) for line in read.stdout.splitlines()]
    return [message["record"]["data"] for message in found if message["type"] == "RECORD"]


# ---------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("token-refused", "auth"), ("missing", "config"), ("server-error", "transient"), ("cut:5000", "transient"), ("status-missing", "data")],
)
def test_a_read_that_fails_has_the_exit_code_of_its_kind(container, simulator, fault, kind):
    read = container.read(simulator(fault).config())
    read.failed(kind)
    assert read.statuses[-1] == "INCOMPLETE"
    assert not read.of("STATE")


def test_check_reports_a_wrong_token_as_a_status(container, simulator):
    check = container.check({**simulator().config(), "authentication_token": "n0t-the-right-one"}).succeeded()
    (status,) = check.of("CONNECTION_STATUS")
    assert status["status"] == "FAILED"


def test_a_wrong_configuration_and_a_wrong_command_line_fail_as_such(container):
    assert container.check({"authentication_token": ""}).of("CONNECTION_STATUS")[0]["status"] == "FAILED"
    assert container.read({}, catalog={"streams": []}).exit_code == FAILURES["config"][1]
    assert container.run("walk").exit_code == 2
    assert container.run("read").exit_code == 2


# ---------------------------------------------------------------------------------------------- names and certificates


@contextmanager
def serving(server: socket.socket, answer: Callable[[], None]) -> Iterator[None]:
    """Answers one request after the other meanwhile."""
    ended = threading.Event()
    server.settimeout(0.1)

    def serve() -> None:
        while not ended.is_set():
            try:
                answer()
            except OSError:
                # Nobody asked yet, or a client that hung up.
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def name_server() -> Iterator[str]:
    """The address of a DNS server that knows no name at all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        address = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
        server.bind((address, 53))

        def answer() -> None:
            query, sender = server.recvfrom(4096)
            # The query's number and question, and "there is no such name".
            end = query.index(b"\0", 12) + 5
            server.sendto(query[:2] + b"\x81\x83" + query[4:6] + bytes(6) + query[12:end], sender)

        with serving(server, answer):
            yield address


@dataclass
class SecureServer:
    """Answers over TLS that there are no customers."""

    port: int
    authority: bytes


@pytest.fixture
def secure_server(tmp_path: Path) -> Iterator[SecureServer]:
    """For localhost and komet.example, with a certificate that nobody but its maker trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(timezone.utc)
    names = [x509.DNSName("localhost"), x509.DNSName("komet.example")]
    unsigned = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    certificate = unsigned.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    both = tmp_path / "server.pem"
    both.write_bytes(certificate + key.private_bytes(serialization.Encoding.PEM, *private))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    body = b'{"status": "1", "message": "", "customers": []}'
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            plain, _ = server.accept()
            plain.settimeout(20)
            with plain, context.wrap_socket(plain, server_side=True) as secure:
                secure.recv(4096)
                secure.sendall(reply + body)

        with serving(server, answer):
            yield SecureServer(server.getsockname()[1], certificate)


def _https(host: str, port: int = 1) -> dict:
    return {"authentication_token": "t0ken-of-nobody", "base_url": f"https://{host}:{port}/api", "retry_window_seconds": 0}


def _answer(check: Run) -> str:
    """What a check says, whether it is a status or an error."""
    return (check.of("CONNECTION_STATUS") or check.errors)[0].get("message", "SUCCEEDED")


def test_localhost_is_found_without_a_name_server(container, simulator):
    company = simulator()
    url = company.url.replace("127.0.0.1", "localhost")
    assert container.check({**company.config(), "base_url": url}).of("CONNECTION_STATUS") == [{"status": "SUCCEEDED"}]


def test_a_name_of_its_hosts_file_is_found(start, name_server, secure_server):
    container = start("--dns", name_server, "--add-host", "komet.example:127.0.0.1")
    check = container.check(_https("komet.example", secure_server.port))
    assert f"komet.example:{secure_server.port} is not secure" in _answer(check), check


def test_a_name_that_does_not_exist_is_a_passing_failure(start, name_server):
    check = start("--dns", name_server).check(_https("nowhere.example"))
    error = check.failed("transient")
    assert "nowhere.example:1 cannot be reached" in error["message"], check


def test_the_authorities_of_the_image_are_loaded_and_do_not_trust_just_anyone(container, secure_server):
    check = container.check(_https("localhost", secure_server.port))
    assert "not secure" in _answer(check), check
    assert "invalid peer certificate" in _answer(check), check
    system = Path(os.environ.get("CA_CERTS", "/etc/ssl/certs/ca-certificates.crt")).read_bytes()
    assert (container.root / "etc/ssl/certs/ca-certificates.crt").read_bytes() == system


def test_an_authority_of_the_user_is_trusted(container, secure_server):
    container.file("authority.pem", secure_server.authority)
    (authority,) = container.directory.glob("*authority.pem")
    environment = {"SSL_CERT_FILE": f"/config/{authority.name}"}
    check = container.check(_https("localhost", secure_server.port), environment=environment)
    assert _answer(check) == "SUCCEEDED", check


def test_without_authorities_it_says_so(container, secure_server):
    environment = {"SSL_CERT_FILE": "/config/none.pem"}
    check = container.check(_https("localhost", secure_server.port), environment=environment)
    assert "SSL_CERT_FILE names /config/none.pem, which cannot be read" in _answer(check), check
