"""The page of models that read bytes or words, and of a text that is a stretch of a longer one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from inspect_toys import trained
from page_toys import Seen

from gatework.inspect.document import inspect

TEXT = "Der Käfer krabbelt über 12 Blätter; sie sagt: \u201eja\u201c. 😀\n" * 90


@pytest.mark.parametrize("level", ["byte", "word"])
def test_bytes_and_words_have_a_page(show: Callable[..., Seen], tmp_path: Path, level: str) -> None:
    (tmp_path / "text.txt").write_text(TEXT, "utf-8")
    made = inspect(trained(tmp_path / "run", tmp_path / "text.txt", level=level), tmp_path / "text.txt")
    seen = show(made.write(tmp_path / "page.html"))
    page = seen.page
    page.wait_for_selector("body[data-ready]", state="attached")
    assert page.locator("#check.good").count() == 1
    assert page.locator("#grid span").count() == len(made.payload["text"]["ids"])
    page.fill("#live-box", "Der Käfer 😀")
    tokens = len("Der Käfer 😀".encode()) if level == "byte" else 5
    assert page.locator("#strip span").count() == tokens
    for _ in range(5):
        page.click("#step")
    assert len(page.input_value("#live-box")) > len("Der Käfer 😀")
    assert not seen.complaints
