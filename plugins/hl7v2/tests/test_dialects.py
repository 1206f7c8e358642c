"""Dialects are data, and the data says nothing that the code does not mean."""

from __future__ import annotations

import pytest

from adapter.plugin import ConfigError
from adapter_hl7v2.dialects import GENERIC, dialect, dialects, recognise
from adapter_hl7v2.structure.definitions import VERSIONS, table_codes


def test_the_dialects_are_those_of_the_readme() -> None:
    assert list(dialects()) == ["generic", "oscar-esend", "ireland-2.4"]
    assert all(known.summary for known in dialects().values())


def test_oscar_is_recognised_by_its_name_and_nobody_else() -> None:
    assert recognise("OSCAR") == "oscar-esend"
    assert recognise("oscar") == recognise("") == recognise("CLINIC") == "generic"


@pytest.mark.parametrize("name", dialects())
def test_a_dialect_that_is_recognised_never_changes_how_bytes_are_read(name: str) -> None:
    known = dialect(name)
    if known.sending_applications:
        assert (known.charset, known.default_charset) == (None, GENERIC.default_charset)


@pytest.mark.parametrize("name", dialects())
def test_a_dialect_names_what_exists(name: str) -> None:
    known = dialect(name)
    assert set(known.versions) <= set(VERSIONS)
    assert not set(known.identifier_types) & table_codes("0203")
    assert known.recipient_roles


def test_only_one_dialect_does_without_control_ids() -> None:
    assert [d.name for d in dialects().values() if d.keyed_by_content] == ["oscar-esend"]


def test_a_dialect_that_is_not_there_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError) as caught:
        dialect("klingon")
    assert "oscar-esend" in caught.value.fix
