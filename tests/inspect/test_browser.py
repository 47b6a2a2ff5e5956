"""What becomes of the tests of pages where there is no browser."""

import pytest
from page_toys import absent


def test_a_missing_browser_skips_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser: install one"):
        absent("no browser: install one")


def test_a_missing_browser_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no browser: install one"):
        absent("no browser: install one")
