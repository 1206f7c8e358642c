"""The format `fhir`: R4 resources and Bundles as JSON, for mapping tables and the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import orjson

from adapter.fhir.codecs import CODECS
from adapter.fhir.graph import Graph, anchor_of
from adapter.fhir.paths import FhirNotation
from adapter.fhir.safe_json import UnsafeJson, loads
from adapter.plugin.errors import DataError
from adapter.plugin.formats import CodecMaker, Finding, Leaf, PathError, Settings
from adapter.plugin.json_lines import json_documents
from adapter.plugin.json_paths import json_leaves

R4 = "4.0.1"


class FhirFormat:
    """FHIR R4 (4.0.1) JSON. Decimals keep their zeros both ways."""

    name = "fhir"
    media_type = "application/fhir+json"
    suffix = ".json"
    codecs: Mapping[str, CodecMaker] = CODECS

    def split(self, data: bytes) -> Iterator[bytes | DataError]:
        """One resource, or one after another; an input without any is one, to be refused."""
        return json_documents([data])

    def split_blocks(self, blocks: Iterable[bytes]) -> Iterator[bytes | DataError]:
        """The same of an input that comes in blocks."""
        return json_documents(blocks)

    def parse(self, raw: bytes) -> Any:
        """One resource.

        Raises:
            DataError: not JSON, or not a resource.
        """
        try:
            tree = loads(raw)
        except UnsafeJson as error:
            raise DataError(
                "mapping.unreadable", str(error), fix="send one FHIR resource as JSON"
            ) from None
        if not isinstance(tree, dict) or not isinstance(tree.get("resourceType"), str):
            raise DataError(
                "mapping.unreadable", "this is no FHIR resource", fix="send one with resourceType"
            )
        return tree

    def parse_leniently(self, raw: bytes) -> tuple[Any, Sequence[str]]:
        """One resource with a peer's plain slips put right, and what was done (`mending`).

        Elements that R4 does not have stay: no row reads them, so they are reported as lost.

        Raises:
            DataError: as `parse`.
        """
        from adapter.fhir import fast
        from adapter.fhir.definitions import resource_types
        from adapter.fhir.mending import mend
        from adapter.fhir.reader import may_need_mending

        tree = self.parse(raw)
        with suppress(*fast.EXCEPTIONS):  # a structure that the fast pass does not expect
            if not may_need_mending(raw) and fast.clean(tree):
                return tree, ()
        if tree["resourceType"] not in resource_types():
            return tree, ()
        made = mend(tree, keep_unknown=True)
        return made.resource, [f"{each.expression}: {each.diagnostics}" for each in made.issues]

    def refuse_faulty(self, tree: Any) -> None:
        """Refuse a tree that we made and that must not leave.

        Raises:
            DataError: ``fhir.not-conformant``: our own checks find an error.
        """
        from adapter.fhir.checks import refuse_faulty

        refuse_faulty(tree)

    def second_opinions(self, trees: Sequence[Any]) -> list[list[str]]:
        """What the models of fhir.resources refuse in each, a sentence each, without any value.

        The laws of mapping packs ask, and `adapter convert --second-opinion`.
        """
        from adapter.fhir.models import second_opinions

        return second_opinions(trees)

    def dump(self, tree: Any) -> bytes:
        """JSON on one line."""
        return orjson.dumps(tree, default=_number)

    def kind(self, tree: Any) -> str:
        """The resource type."""
        return str(tree["resourceType"])

    def leaves(self, tree: Any) -> Iterator[Leaf]:
        """Every value once; in a Bundle, paths begin with the resource's type and number."""
        if tree.get("resourceType") != "Bundle":
            for leaf in json_leaves(tree):
                yield leaf._replace(path=f"{tree['resourceType']}.{leaf.path}")
            return
        head = {key: value for key, value in tree.items() if key != "entry"}
        for leaf in json_leaves(head):
            yield leaf._replace(path=f"Bundle.{leaf.path}")
        seen: dict[str, int] = {}
        for number, entry in enumerate(tree.get("entry", ())):
            resource = entry.get("resource") or {}
            kind = str(resource.get("resourceType", "entry"))
            count = seen[kind] = seen.get(kind, 0) + 1
            for leaf in json_leaves(resource, ("entry", number, "resource")):
                yield leaf._replace(path=f"{kind}[{count - 1}].{leaf.path}")
            rest = {key: value for key, value in entry.items() if key != "resource"}
            for leaf in json_leaves(rest, ("entry", number)):
                yield leaf._replace(path=f"Bundle.entry[{number}].{leaf.path}")

    def made_again(self, leaf: Leaf) -> str:
        """Types, addresses and requests of entries follow from the resources."""
        if leaf.path.rpartition(".")[2] == "resourceType":
            return "the kind of resource, made again with whatever of it is carried"
        if leaf.path.startswith("Bundle.entry"):
            return "an entry's address or request, made again for a resource that is carried"
        return "the kind of Bundle, made again" if leaf.path == "Bundle.type" else ""

    def notation(self, side: Mapping[str, Any]) -> FhirNotation:
        """R4 paths.

        Raises:
            PathError: ``version-unknown``: the map is for another version of FHIR.
        """
        version = str(side.get("version", R4))
        if version not in (R4, "4.0"):
            said = f"the definitions are those of FHIR {R4}, not of {version}"
            raise PathError(said, fix=f'write version: "{R4}"', code="version-unknown")
        return FhirNotation()

    def reading(self, tree: Any, settings: Settings) -> Graph:
        """The Bundle's resources and references."""
        return Graph(settings)

    def writing(self, document: Mapping[str, Any], settings: Settings, kind: str) -> Graph:
        """The Bundle that is built; a map that writes another kind writes that one resource."""
        return Graph(settings, anchor_of(document), "" if kind in ("", "Bundle") else kind)

    def validate(self, raw: bytes) -> Sequence[Finding]:
        """The issues of `adapter.fhir.checks`: base R4, and the profiles that are claimed."""
        from adapter.fhir.checks import check

        issues = check(self.parse(raw))
        return [Finding(each.severity, each.expression, each.diagnostics) for each in issues]


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value).encode())
    raise TypeError
