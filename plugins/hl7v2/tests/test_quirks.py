"""A level 0 plugin: the system hl7v2 with a dialect of its own, and no code."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapter.plugin import ConfigError
from adapter_hl7v2.config import Hl7v2Config
from adapter_hl7v2.dialects import Dialect, dialects
from adapter_hl7v2.quirks import Quirks, dialect_from
from adapter_hl7v2.system import Hl7v2


def adapted(context: Any, settings: dict[str, Any] | None = None, **quirks: Any) -> Hl7v2:
    system: Any = Hl7v2.adapted("acme", quirks)
    made: Hl7v2 = system(Hl7v2Config.model_validate(settings or {}), context)
    return made


async def _take(context: Any, raw: bytes, **quirks: Any) -> bytes:
    return await adapted(context, {"verify_inbound": False}, **quirks).handle(raw)


def test_its_messages_are_of_its_dialect_without_being_recognised(
    context: Any, make_referral: Any
) -> None:
    assert b"MSA|AA" in asyncio.run(_take(context, make_referral()))
    assert [each.dialect for each in context.accepted] == ["acme"]


def test_messages_without_control_id_are_taken_where_the_quirks_say_so(
    context: Any, make_referral: Any
) -> None:
    raw = make_referral(id="")

    assert b"MSA|AR" in asyncio.run(_take(context, raw))
    assert b"MSA|AA" in asyncio.run(_take(context, raw, keyed_by_content=True))
    assert context.accepted[0].key.startswith("sha256:")


def test_the_charset_that_is_really_sent_is_the_one_that_is_read(
    context: Any, make_referral: Any
) -> None:
    raw = make_referral(NTE="NTE|1||sœur").decode().encode("windows-1252")

    assert b"MSA|AE" in asyncio.run(_take(context, raw))
    assert b"MSA|AA" in asyncio.run(_take(context, raw, charset="WINDOWS-1252"))


def test_what_an_empty_msh_18_means_is_said_by_the_site_before_the_quirks(
    context: Any, make_referral: Any
) -> None:
    raw = make_referral(NTE="NTE|1||chômage").decode().encode("latin-1")
    latin = {"default_charset": "8859/1"}
    stricter = {"default_charset": "UNICODE UTF-8", "verify_inbound": False}

    assert b"MSA|AE" in asyncio.run(_take(context, raw))
    assert b"MSA|AA" in asyncio.run(_take(context, raw, **latin))
    assert b"MSA|AE" in asyncio.run(adapted(context, stricter, **latin).handle(raw))


def test_a_version_that_it_does_not_use_is_told(context: Any, make_referral: Any) -> None:
    assert b"203" in asyncio.run(_take(context, make_referral(version="2.5.1"), versions=["2.4"]))
    assert [each.dialect for each in context.accepted] == ["acme"]


def test_a_site_may_still_say_that_its_peer_is_otherwise(context: Any, make_referral: Any) -> None:
    system = adapted(context, {"dialect": "oscar-esend", "verify_inbound": False})

    asyncio.run(system.handle(make_referral()))

    assert [each.dialect for each in context.accepted] == ["oscar-esend"]


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ({"charst": "8859/1"}, "charst"),
        ({"charset": "klingon"}, "charset"),
        ({"versions": "2.4"}, "versions"),
        ({"keyed_by_content": "perhaps"}, "keyed_by_content"),
    ],
)
def test_quirks_that_nobody_knows_are_refused_and_named(table: Any, where: str) -> None:
    with pytest.raises(ConfigError, match=where) as caught:
        dialect_from(table, "acme")
    assert caught.value.code == "hl7v2.quirks"
    assert "klingon" not in caught.value.message


def test_a_quirk_is_a_key_of_a_dialect_and_nothing_else() -> None:
    own = set(Dialect.__dataclass_fields__) - {"name", "sending_applications"}
    assert set(Quirks.model_fields) == own
    assert dialect_from({}, "acme") == Dialect(
        name="acme", recipient_roles=dialects()["generic"].recipient_roles
    )
    assert all(field.description for field in Quirks.model_fields.values())
