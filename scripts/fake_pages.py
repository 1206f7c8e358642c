"""The page about the kit's fakes: what each is, and what it can do wrong."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module

from adapter_conformance import fakes

FAKES = {
    "SftpServer": "sftp_server",
    "MailServer": "mail_server",
    "MllpServer": "mllp_server",
    "FhirServer": "fhir_server",
    "RestHost": "rest_host",
    "OAuth2Server": "oauth2_server",
    "OAuth1Server": "oauth1_server",
    "WebhookReceiver": "webhook_receiver",
}
PACKAGE = "adapter_conformance.fakes"


def fakes_page() -> Iterator[str]:
    yield from ("# Fakes of the conformance kit", "", inspect.cleandoc(fakes.__doc__ or ""), "")
    yield "In a test of your plugin: [an example](../how-to/exchange-files-over-sftp.md)."
    for name, module in FAKES.items():
        made = import_module(f"{PACKAGE}.{module}")
        yield from ("", f"## `{PACKAGE}.{module}.{name}`", "")
        yield from (inspect.cleandoc(made.__doc__ or ""), "")
        yield from ("```text", inspect.cleandoc(getattr(made, name).__doc__ or ""), "```")
        yield from faults(getattr(made, "FAULTS", {}))


def faults(known: Mapping[str, str]) -> Iterator[str]:
    if known:
        yield from ("", "| fault | what it does |", "|---|---|")
        yield from (f"| `{name}` | {meaning} |" for name, meaning in known.items())
