"""A failure is an exception of its kind, with the exit code of the program. Messages hold no secret."""

from __future__ import annotations

from typing import Any


class Error(Exception):
    """The program failed. ``str()`` says what happened, where, and what to do next."""

    #: The exit code of the program.
    exit_code: int = 70
    #: Whether the same call may work later.
    retry: bool = False


class UsageError(Error):
    """The program was called in a way that it does not understand, such as a mode that there is not. Exit code 2."""

    exit_code = 2


class ConfigError(Error):
    """A setting or a place that has to be corrected. Exit code 78."""

    exit_code = 78


class AuthError(Error):
    """Komet Sales refused the token or the request. Exit code 77."""

    exit_code = 77


class TransientError(Error):
    """It may work later: no connection, a timeout, a cut reply, once all retries are spent. Exit code 75."""

    exit_code = 75
    retry = True


class DataError(Error):
    """A reply that is not as documented, or rows that are refused. Exit code 65."""

    exit_code = 65


class SystemError(Error):  # noqa: A001 - the kind is called so everywhere
    """The disk is full, or this machine or the program failed. Exit code 70."""

    exit_code = 70


class Warning(UserWarning):  # noqa: A001 - as above
    """Something to look at; the call went on."""


_KINDS = (UsageError, ConfigError, AuthError, TransientError, DataError, SystemError)


def of_exit_code(exit_code: int, message: str) -> Error:
    """The exception of an exit code."""
    for kind in _KINDS:
        if kind.exit_code == exit_code:
            return kind(message)
    error = Error(message)
    error.exit_code = exit_code
    return error


def of_object(error: Any, exit_code: int) -> Error:
    """The exception of the program's error object, which has ``exit_code`` and ``message``."""
    return of_exit_code(int(error.get("exit_code", exit_code)), str(error.get("message", "")))
