"""Whether bytes are text, whole or cut out of one."""

import pytest

from gatework.files.encoding import is_text

TEXT = "aé☃😀b".encode()


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_text_is_text_however_it_comes(size: int) -> None:
    assert is_text(TEXT[at : at + size] for at in range(0, len(TEXT), size))


@pytest.mark.parametrize("data", [b"a\xff", b"\xe9t\xe9", TEXT[:-2], TEXT[2:], b"\x00\x80"])
def test_other_bytes_are_not(data: bytes) -> None:
    assert not is_text([data])


@pytest.mark.parametrize("first", range(len(TEXT)))
@pytest.mark.parametrize("size", [1, 100])
def test_a_part_cut_inside_characters_is_text(first: int, size: int) -> None:
    for last in range(first, len(TEXT) + 1):
        part = TEXT[first:last]
        assert is_text([part[at : at + size] for at in range(0, len(part), size)], cut=True)


@pytest.mark.parametrize("data", [b"\x80\x80\x80\x80a", b"a\x80", b"\xff", b"a\xe9 b"])
def test_what_no_cut_explains_is_not(data: bytes) -> None:
    assert not is_text([data], cut=True)
    assert not is_text([bytes([byte]) for byte in data], cut=True)
