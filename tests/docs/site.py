"""The built site, read as a browser does: `python tests/docs/site.py build/site` lists what is wrong and fails.

Links and pictures lead to a file that is there, and to a place on it; nothing is loaded from elsewhere; no list, table
or prompt of the Markdown is left as text.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src", "use": "href"}
NOT_LOADED = {"canonical", "next", "prev", "edit"}  # what a <link> may name without its being fetched
LEFT_AS_TEXT = re.compile(r"<p>(?:[^<]|<(?!/p>))*?(?:^|\n)(?:[-*] |\d+\. |\|.*\|$)|<p>```|(?:<blockquote>\s*){3}", re.M)


class Page(HTMLParser):
    """The anchors of a page, what it links to, and what a browser loads for it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in LOADED and LOADED[tag] in values and values.get("rel") not in NOT_LOADED:
            self.loads.append(values[LOADED[tag]])


def faults(site: Path) -> list[str]:
    """What is wrong with a site, a line each."""
    pages = {path: path.read_text() for path in sorted(site.rglob("*.html"))}
    read = {path.resolve(): Page(html) for path, html in pages.items()}
    found = []
    for path, html in pages.items():
        where = path.relative_to(site)
        if path.name == "404.html":  # its links begin at the root of the site's address
            continue
        page = read[path.resolve()]
        found += [f"{where}: loads {url}" for url in page.loads if urlsplit(url).netloc]
        missing = (no_target(path, url, read) for url in [*page.links, *page.loads])
        found += [f"{where}: {said}" for said in missing if said]
        found += [f"{where}: Markdown left as text: {match[0][-60:]!r}" for match in LEFT_AS_TEXT.finditer(html)]
    return found


def no_target(path: Path, url: str, read: dict[Path, Page]) -> str | None:
    """Why a link from a page leads nowhere, if it does; links to elsewhere are not followed."""
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return f"no such file: {url}"
    if parts.fragment and target in read and unquote(parts.fragment) not in read[target].anchors:
        return f"no such place: {url}"
    return None


def main() -> int:
    found = faults(Path(sys.argv[1]))
    print("\n".join(found) or "The site's links lead somewhere, and nothing is loaded from elsewhere.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
