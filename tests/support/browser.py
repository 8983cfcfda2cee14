"""A person's browser, as a program: `python browser.py URL` logs in there and goes where it is sent.

The environment says how, so that it can stand in `BROWSER`: ``PLAYED_CA`` is whom to trust, ``PLAYED_SUBJECT`` who logs
in, and ``PLAYED_ANSWER`` what becomes of the provider's answer on its way back:

- empty: it arrives; ``deny``: the person refuses; ``never``: the browser is closed;
- ``state``, ``iss``, ``twice-code``: this field is another's, or there twice; ``no-iss``: it is missing;
- ``keep``: it is not brought back but written to ``PLAYED_KEPT``, for somebody else to use.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit


class _Stay(urllib.request.HTTPRedirectHandler):
    """Give the redirect itself."""

    def http_error_302(self, _request: Any, answer: Any, *_more: Any) -> Any:  # noqa: ANN401  # as urllib calls it
        """Return the answer."""
        return answer


def answer_of(url: str, subject: str, ca_file: str, *, deny: bool = False) -> str:
    """Log in at a provider's page, and return where it sends the browser."""
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), tls, _Stay())
    with opener.open(url, timeout=30) as page:  # the form
        page.read()
    said = {"action": "deny"} if deny else {"sub": subject}
    with opener.open(url, urlencode(said).encode(), timeout=30) as answer:
        return str(answer.headers["Location"])


def visit(url: str) -> int:
    """Go to a page in the clear, and return its status."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=30) as page:
            page.read()
            return int(page.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def changed(location: str, **other: str | None) -> str:
    """Return an answer with other fields in it, None for one that is left out."""
    parts = urlsplit(location)
    fields = {name: text for name, text in (dict(parse_qsl(parts.query)) | other).items() if text is not None}
    return parts._replace(query=urlencode(fields)).geturl()


def main() -> None:
    """Play it."""
    how = os.environ.get("PLAYED_ANSWER", "")
    if how == "never":
        return
    location = answer_of(sys.argv[1], os.environ["PLAYED_SUBJECT"], os.environ["PLAYED_CA"], deny=how == "deny")
    if how == "keep":
        Path(os.environ["PLAYED_KEPT"]).write_text(location)
        return
    if how in {"state", "iss"}:
        location = changed(location, **{how: "https://another.example"})
    elif how == "no-iss":
        location = changed(location, iss=None)
    elif how == "twice-code":
        location += "&code=another"
    visit(location)


if __name__ == "__main__":
    main()
