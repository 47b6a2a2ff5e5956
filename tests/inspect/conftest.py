"""A browser for pages that lie on disk: offline, and every request and complaint written down."""

import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from inspect_toys import trained, write_code
from page_toys import Seen, absent

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium or Playwright's own; without either `absent` says what becomes of the tests of pages."""
    if find_spec("playwright") is None:
        absent("Playwright is not installed: pip install playwright")
    sync = import_module("playwright.sync_api")
    with sync.sync_playwright() as playwright:
        executable = CHROMIUM or playwright.chromium.executable_path
        if not Path(executable).exists():
            absent("Chromium is not installed: apt-get install chromium, or playwright install chromium")
        started = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Seen]]:
    """Opens a file in a fresh, offline context: show(path, "#hash", color_scheme="dark", ...)."""
    contexts = []

    def opened(path: Path, address: str = "", **options: Any) -> Seen:
        context = browser.new_context(offline=True, accept_downloads=True, **options)
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.set_default_timeout(60_000)
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.on("console", lambda said: said.type in {"error", "warning"} and seen.complaints.append(said.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.goto(path.as_uri() + address)
        return seen

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with code.py and run, a model that was trained on it."""
    folder = tmp_path_factory.mktemp("place")
    write_code(folder)
    trained(folder / "run", folder / "code.py")
    return folder
