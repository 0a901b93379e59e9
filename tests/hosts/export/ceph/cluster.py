"""Ceph's object gateway: an S3 that checks signatures, and in which exactly one of several writers creates an object.

A cluster of one monitor, one store in memory and one gateway, on free ports of loopback, below a folder that goes with it. It takes
some six seconds to start, and ends with the tests.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import uuid
from http.client import HTTPException
from pathlib import Path

from stores import S3, _direct, free_ports

# One copy of everything, nobody asked who he is within the cluster, and rounds of agreement that do not wait for others.
# Without `ms_mon_client_mode` a gateway of this version hangs while it starts.
CONFIGURATION = """
[global]
fsid = {fsid}
mon_initial_members = a
mon_host = v2:127.0.0.1:{monitor}/0
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_mon_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
keyring = {folder}/keyring
run_dir = {folder}/run
crash_dir = {folder}/crash
admin_socket = {folder}/run/$name.$pid.asok
log_file = {folder}/$name.log
mon_cluster_log_to_file = false
mon_data = {folder}/mon
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:{gateway}
rgw_data = {folder}/rgw
"""


class Ceph(S3):
    """S3, from `with` to its end."""

    def __enter__(self) -> Ceph:
        # Short, since the path of a socket may have some hundred characters.
        self.folder = Path(tempfile.mkdtemp(prefix="ceph-"))
        self.configuration = self.folder / "ceph.conf"
        self._daemons: list[subprocess.Popen] = []
        self.gateway: subprocess.Popen | None = None
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # At once: asked kindly, the store waits for a monitor that may be gone.
        for daemon in [self.gateway, *reversed(self._daemons)]:
            if daemon is not None:
                daemon.kill()
                daemon.wait(timeout=20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        self.port, monitor = free_ports(2)
        self.origin = f"http://127.0.0.1:{self.port}"
        fsid = uuid.uuid4()
        for name in ("mon", "osd", "run", "crash", "rgw"):
            (self.folder / name).mkdir()
        settings = CONFIGURATION.format(fsid=fsid, folder=self.folder, monitor=monitor, gateway=self.port)
        self.configuration.write_text(settings)
        owner = ["--setuser", "root", "--setgroup", "root"]
        monitors = str(self.folder / "monmap")
        self._run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{monitor}]", "--fsid", str(fsid), monitors)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors, *owner)
        self._daemons.append(self._spawn("ceph-mon", "-i", "a", "-f", *owner))
        self._run("ceph", "osd", "create")
        self._run("ceph-osd", "-i", "0", "--mkfs", *owner)
        self._daemons.append(self._spawn("ceph-osd", "-i", "0", "-f", *owner))
        self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=here")
        keys = ["--access-key", self.key, "--secret-key", self.secret]
        self._run("radosgw-admin", "user", "create", "--uid", "tests", "--display-name", "tests", *keys)
        self.start_gateway()
        self._started()

    def start_gateway(self) -> None:
        """Starts the gateway, also after it was killed: what it has acknowledged is in the store, not in it."""
        self.gateway = self._spawn("radosgw", "-f", "-n", "client.rgw", "--setuser", "root", "--setgroup", "root")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.gateway.poll() is None:
            try:
                with _direct.open(self.origin, timeout=5):
                    return
            except (OSError, HTTPException):
                time.sleep(0.05)
        raise AssertionError(f"the gateway did not start: {self._logs()}")

    def kill_gateway(self) -> None:
        """Ends it in the middle of whatever it does, so that what it would have answered is lost."""
        self.gateway.kill()
        self.gateway.wait(timeout=20)

    def _run(self, program: str, *words: str) -> None:
        configured = [] if program == "monmaptool" else ["-c", str(self.configuration)]
        command = [program, *configured, *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, f"{program} {words[0]} failed: {done.stderr[-1000:]}\n{self._logs()}"

    def _spawn(self, program: str, *words: str) -> subprocess.Popen:
        command = [program, "-c", str(self.configuration), *words]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)

    def _logs(self) -> str:
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1000:]}" for log in self.folder.glob("*.log"))
