"""The program: where it is, and how it is run."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Mapping, Sequence

from ._errors import Error, SystemError, Warning, of_exit_code, of_object

#: What settings are called in the environment, before their names in capitals.
PREFIX = "KOMETSALES_"

#: How long a program that was interrupted may take to clean up: an export sees its commit through.
GRACE_SECONDS = 30.0

_log = logging.getLogger("kometsales")


@lru_cache(maxsize=None)
def executable() -> str:
    """The path of the program: beside this Python, where this package was installed, or on PATH."""
    name = "kometsales" + (sysconfig.get_config_var("EXE") or "")
    user = sysconfig.get_preferred_scheme("user") if hasattr(sysconfig, "get_preferred_scheme") else None
    folders = [sysconfig.get_path("scripts")]
    if user is not None:
        folders.append(sysconfig.get_path("scripts", scheme=user))
    # `pip install --target FOLDER` puts it there.
    folders.append(str(Path(__file__).resolve().parent.parent / "bin"))
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"There is no program {name} in {', '.join(folders)} or on PATH. Install kometsales again.")
    return found


def version() -> str:
    """The version of the program."""
    said = subprocess.run([executable(), "--version"], check=True, capture_output=True, text=True)
    return said.stdout.split()[-1]


class Secrets:
    """The settings of a call. No ``repr`` shows them, so that no traceback with local variables does."""

    def __init__(self, settings: Mapping[str, Any], has_two_tokens: bool = False) -> None:
        #: Said only once no frame holds the token any more.
        self.has_two_tokens = has_two_tokens
        self._json = {key: _plain(value) for key, value in settings.items() if value not in (None, "")}

    def __repr__(self) -> str:
        return f"<{len(self._json)} settings>"

    def write(self, stdin: IO[bytes]) -> None:
        """Writes them to a program that waits for them."""
        stdin.write(json.dumps(self._json).encode())

    def environment(self) -> dict[str, str]:
        """The environment of the program. What is given here counts before what the environment says."""
        hidden = {f"{PREFIX}{key.upper()}" for key in self._json}
        hidden |= {f"{name}_FILE" for name in hidden}
        # Messages are read by this module, line by line.
        hidden |= {"SINGER_SDK_LOG_CONFIG"}
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        return {**kept, "NO_COLOR": "1"}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(str(item) for item in value)
    if hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    return str(value)


@dataclass
class Answer:
    """What a program said: the objects of its lines of JSON."""

    objects: list[dict[str, Any]]

    @property
    def summary(self) -> dict[str, Any]:
        """The last object."""
        return self.objects[-1] if self.objects else {}


def run(arguments: Sequence[str], settings: Secrets, stdout: int | IO[bytes] = subprocess.PIPE) -> Answer:
    """Runs the program to its end, with the settings on its standard input.

    Raises the exception of its exit code. What it warns of is a ``Warning``; its other messages go to the logger
    ``kometsales``. Where this is interrupted, the program is too, and ends first.
    """
    if settings.has_two_tokens:
        raise TypeError("the token was given twice: as token and as authentication_token")
    process = subprocess.Popen(
        [executable(), *arguments],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=settings.environment(),
    )
    try:
        _hand_over(process, settings)
        out, told = process.communicate()
    except BaseException:
        end(process, signal.SIGINT)
        raise
    objects = _objects(out or b"") + _objects(_messages(told))
    _raise_failure(process.returncode, objects, told)
    return Answer(objects)


def _hand_over(process: subprocess.Popen[bytes], settings: Secrets) -> None:
    """Writes the settings. A program that has ended already says why itself."""
    stdin, process.stdin = process.stdin, None
    if stdin is None:
        return
    try:
        settings.write(stdin)
    except BrokenPipeError:
        pass
    finally:
        try:
            stdin.close()
        except BrokenPipeError:
            pass


def _objects(text: bytes) -> list[dict[str, Any]]:
    """The lines that are an object."""
    objects = []
    for line in text.splitlines():
        if line.startswith(b"{"):
            objects.append(json.loads(line))
    return objects


def _messages(told: bytes) -> bytes:
    """Passes messages on, and returns the lines that are none."""
    rest = []
    for line in told.decode(errors="replace").splitlines():
        level, _, message = line.partition(" ")
        if level == "WARNING":
            warnings.warn(message, Warning, stacklevel=4)
        elif level in ("DEBUG", "INFO"):
            _log.log(getattr(logging, level), "%s", message)
        else:
            rest.append(line)
    return "\n".join(rest).encode()


def _raise_failure(code: int, objects: list[dict[str, Any]], told: bytes) -> None:
    if code == 0:
        return
    if code in (-signal.SIGINT, 128 + signal.SIGINT):
        raise KeyboardInterrupt
    for answer in reversed(objects):
        if "error" in answer:
            raise of_object(answer["error"], code)
    message = told.decode(errors="replace").strip().removeprefix("error: ") if told else ""
    if code < 0:
        raise SystemError(f"kometsales was ended by signal {-code}. Run again.")
    error: Error = of_exit_code(code, message or f"kometsales failed with exit code {code}.")
    raise error


def end(process: subprocess.Popen[bytes], first: signal.Signals) -> None:
    """Ends a program: asks it to, and ends it at once where it takes long or the user asks again."""
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    if process.poll() is not None:
        return
    try:
        process.send_signal(first)
        process.wait(GRACE_SECONDS)
    except BaseException:
        process.kill()
        process.wait()


def replace() -> None:
    """Becomes the program, with the arguments of this process."""
    path = executable()
    if sys.platform == "win32":
        sys.exit(subprocess.run([path, *sys.argv[1:]], check=False).returncode)
    os.execv(path, [path, *sys.argv[1:]])
