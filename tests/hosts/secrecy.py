"""Searches bytes for a secret in every form in which programs let one slip."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

# A piece of a secret this long is as bad as the whole: an excerpt may end inside it.
PIECE = 12


def forms(secret: str) -> dict[str, bytes]:
    """What to look for, by name."""
    plain = secret.encode()
    percent = quote(secret, safe="")
    found = {
        "as it is": plain,
        "percent-encoded": percent.encode(),
        "percent-encoded in lower case": _lower_escapes(percent).encode(),
        "percent-encoded but for slashes": quote(secret).encode(),
        "percent-encoded twice": quote(percent, safe="").encode(),
        "form-encoded": quote_plus(secret).encode(),
        "as a JSON string": json.dumps(secret)[1:-1].encode(),
        "as a JSON string in UTF-8": json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        "as JSON in JSON": json.dumps(json.dumps(secret)[1:-1])[1:-1].encode(),
        "as HTML": html.escape(secret).encode(),
        "in hexadecimal": plain.hex().encode(),
        "in Latin-1": secret.encode("latin-1", errors="ignore"),
    }
    for before in range(3):
        # Base64 of a longer text holds the secret at one of three alignments; the ends depend on the neighbours.
        first = -(-before * 4 // 3)
        last = (before + len(plain)) * 4 // 3
        for name, encode in (("base64", base64.b64encode), ("URL-safe base64", base64.urlsafe_b64encode)):
            text = encode(b"\0" * before + plain + b"\0\0")[first:last]
            if len(text) >= 8:
                found[f"in {name}, {before} bytes in"] = text
    if len(secret) > PIECE:
        for start in range(len(secret) - PIECE + 1):
            found[f"a piece, characters {start} to {start + PIECE}"] = secret[start : start + PIECE].encode()
    return {name: form for name, form in found.items() if len(form) >= 6}


def _lower_escapes(text: str) -> str:
    out, rest = [], text
    while "%" in rest:
        head, rest = rest.split("%", 1)
        out += [head, "%", rest[:2].lower()]
        rest = rest[2:]
    return "".join([*out, rest])


def assert_absent(secret: str, output: bytes, where: str) -> None:
    """Fails, without repeating it, when `output` holds `secret` in any of its forms."""
    found = [name for name, form in forms(secret).items() if form in output]
    assert not found, f"{where} holds the token, {found[0]}"
