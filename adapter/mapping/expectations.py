"""What the cases of a pack are expected to give: the files of cases/expected/, held and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapter.mapping.cases import WRITTEN, Case, Written, read_cases, read_documents
from adapter.mapping.compare import difference
from adapter.mapping.explain import trace
from adapter.mapping.packs import Pack, Packs
from adapter.mapping.run import Map
from adapter.mapping.writers import written_places
from adapter.plugin import durable_files
from adapter.plugin.formats import Settings

SETTINGS = Settings(site="laws", timezone="America/Toronto")


class Expectations:
    """What one map gives for cases, against what the pack says."""

    def __init__(self, mapping: Map, pack: Pack) -> None:
        self.map = mapping
        self.pack = pack
        self.writes = any(True for _ in written_places(mapping.bound))
        self.left = mapping.left_format
        self.right = mapping.right_format

    def written(self, x: dict[str, Any]) -> bytes:
        """The bytes of a canonical document on the left."""
        return self.left.dump(self.map.to_left(x, SETTINGS).tree)

    def read(self, raw: bytes) -> Any:
        """The canonical document of bytes of the left."""
        return self.map.to_right(self.left.parse(raw), SETTINGS).document

    def wrong_case(self, case: Case) -> str | None:
        """How a case differs from what is expected: document, message, losses."""
        for file, content in self.given(case).items():
            wanted = self.pack.file("cases", "expected", file)
            if not wanted.is_file():
                if file.endswith(".lost.txt"):
                    continue  # a pack may leave its losses unsaid; then nothing holds them
                return f"cases/expected/{file} is missing"
            wrong = self.unexpected(file, wanted.read_bytes(), content)
            if wrong is not None:
                return wrong
        return None

    def wrong_document(self, each: Written) -> str | None:
        """How what a document among the cases writes differs from what is expected."""
        if each.fault:
            return each.fault
        (file, content), *_ = self.given_document(each).items()
        wanted = self.pack.file("cases", "expected", file)
        if not wanted.is_file():
            return f"cases/expected/{file} is missing"
        return self.unexpected(file, wanted.read_bytes(), content)

    def given_document(self, each: Written) -> dict[str, bytes]:
        """What a document among the cases writes now, by the name of the expected file."""
        stem = each.name.removesuffix(WRITTEN)
        return {f"{stem}.written{self.left.suffix}": self.written(each.document)}

    def given(self, case: Case) -> dict[str, bytes]:
        """What a case gives now, by the name of the file that holds what is expected."""
        import orjson

        stem = case.name.rpartition(".")[0]
        document = self.read(case.raw)
        lost = trace(self.map, case.tree, SETTINGS).lost
        report = "".join(f"{each.path}: {each.why}\n" for each in lost)
        found = {
            f"{stem}.referral.json": orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n",
            f"{stem}.lost.txt": report.encode(),
        }
        if self.writes:
            found[f"{stem}.written{self.left.suffix}"] = self.written(document)
        return found

    def unexpected(self, file: str, wanted: bytes, found: bytes) -> str | None:
        """How a file differs from what is expected; None if it does not."""
        if file.endswith(".referral.json"):
            return difference(self.right.parse(wanted), self.right.parse(found))
        same = wanted.strip() == found.strip()
        return None if same else f"{file} is not what is expected"


def accept(packs: Packs, name: str) -> int:
    """Write what the cases of a pack give now as what is expected; the number of cases.

    The difference is for a person to review before it is committed.
    """
    own = packs.preferring(name)
    pack = packs.packs[name]
    count = 0
    for case, mapping in read_cases(pack, own):
        if mapping is None or mapping.pack != name:
            continue
        work = Expectations(mapping, pack)
        _write(pack, work.given(case))
        count += 1
    for each, mapping in read_documents(pack, own):
        if each.fault:
            continue
        _write(pack, Expectations(mapping, pack).given_document(each))
        count += 1
    return count


def _write(pack: Pack, files: dict[str, bytes]) -> None:
    for file, content in files.items():
        target = Path(str(pack.file("cases", "expected", file)))
        durable_files.make_folder(target.parent)
        durable_files.write(target, content)
