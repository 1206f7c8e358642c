"""What `adapter plugins new` offers for each transport: what it stands on, and its words."""

from __future__ import annotations

from dataclasses import dataclass

AUTHS = ("none", "basic", "api-key", "oauth2", "smart", "oauth1", "mtls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How a peer talks.

    Attributes:
        plugin: what levels below 2 stand on, by name; `system`: which of its systems.
        always: level 2 stands on it too, as a subclass.
        kind: what such a peer is, for a summary; `there`: the same with its article.
        auths: the schemes that mean something to it; `why` says of the others why not.
        requires: what code of its own at level 2 imports, as in pyproject.toml.
    """

    plugin: str
    system: str
    kind: str
    there: str
    auths: tuple[str, ...] = AUTHS
    why: str = ""
    always: bool = False
    requires: tuple[str, ...] = ("orjson>=3.10", "starlette>=0.40")

    def stands(self, level: int) -> bool:
        """Whether a plugin of this level needs the other plugin."""
        return self.always or level < 2


TRANSPORTS = {
    "fhir": Transport(
        plugin="fhir",
        system="fhir",
        kind="FHIR R4 server",
        there="A FHIR R4 server",
        always=True,
    ),
    "rest": Transport(
        plugin="reference", system="reference", kind="JSON API", there="A peer with a JSON API"
    ),
    "hl7v2": Transport(
        plugin="hl7v2",
        system="hl7v2",
        kind="HL7 v2 system",
        there="A system that speaks HL7 v2",
        auths=("none", "mtls"),
        why="MLLP carries no credentials; certificates on both sides (mtls) are its way",
        always=True,
    ),
    "files": Transport(
        plugin="reference",
        system="reference-files",
        kind="Shared folder",
        there="A shared folder",
        auths=("none",),
        why="a folder asks for none; who may read and write there is the file system's matter",
        requires=("orjson>=3.10",),
    ),
}
"""By the word of ``--transport``."""
