"""The page as a file: whole, safe, refused where it would be too large or in the way."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from inspect_toys import code, forecaster, months, trained

import gatework as gw
from gatework.errors import InputError
from gatework.inspect import document
from gatework.inspect.html import embedded, script

HOSTILE = "</script><!-- <script> \u2028 \u2029 😀 & \" ' \x00"


def look(place: Path, **options: Any) -> gw.inspect.Page:
    return gw.inspect(place / "run", place / "code.py", **options)


def inside(page: str, name: str) -> str:
    [found] = re.findall(rf'<script type="[a-z/]+" id="{name}">(.*?)</script>', page, re.DOTALL)
    return found


def test_a_page_is_one_file_that_asks_nothing_of_anyone(place: Path) -> None:
    page = look(place).html
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "default-src 'none'" in page
    assert "{{" not in page[: page.index('id="payload"')]
    assert json.loads(inside(page, "payload"))["title"] == "run"


@pytest.mark.parametrize("text", [HOSTILE, "\ud83d half", "<" * 5])
def test_no_text_ends_the_element_that_it_stands_in(text: str) -> None:
    told = embedded({"text": text})
    assert "<" not in told
    assert json.loads(told) == {"text": text}
    told.encode()


def test_a_page_holds_hostile_text_whole(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(HOSTILE * 20, encoding="utf-8")
    run = trained(tmp_path / "run", tmp_path / "text.txt")
    page = gw.inspect(run, tmp_path / "text.txt").html
    assert "".join(json.loads(inside(page, "payload"))["text"]["pieces"]) == HOSTILE * 20


def test_modules_come_once_and_before_what_needs_them(tmp_path: Path) -> None:
    (tmp_path / "main.js").write_text('import { b } from "./b.js";\nimport { c } from "./c.js";\nb(c);\n')
    (tmp_path / "b.js").write_text('import { c } from "./c.js";\nexport const b = () => c;\n')
    (tmp_path / "c.js").write_text("export function c() {}\n")
    assert [line for line in script(tmp_path).splitlines() if line] == [
        "function c() {}",
        "const b = () => c;",
        "b(c);",
    ]


def test_an_import_may_go_over_lines(tmp_path: Path) -> None:
    (tmp_path / "main.js").write_text('import {\n  a,\n  b,\n} from "./b.js";\na(b);\n')
    (tmp_path / "b.js").write_text("export class a {}\nexport let b = 1;\n")
    assert [line for line in script(tmp_path).splitlines() if line] == ["class a {}", "let b = 1;", "a(b);"]


@pytest.mark.parametrize(
    "line",
    [
        'import b from "./b.js";',
        'import * as b from "./b.js";',
        'import { a as b } from "./b.js";',
        'import "./b.js";',
        'import { b } from "elsewhere";',
        "export { a, b };",
        "export default a;",
        'export * from "./b.js";',
    ],
)
def test_another_form_of_import_or_export_is_refused_in_one_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "main.js").write_text(f"const a = 1;\n{line}\n")
    (tmp_path / "b.js").write_text("export const b = 1;\n")
    with pytest.raises(ValueError, match=rf"^main\.js: '{re.escape(line)}': write .*$"):
        script(tmp_path)


@pytest.mark.parametrize(
    "line", ["function b() {}", "async function b() {}", "const b = 2;", "let b;", "class b {}", "export const b = 2;"]
)
def test_a_name_at_the_top_level_of_two_modules_is_refused_with_both(tmp_path: Path, line: str) -> None:
    (tmp_path / "main.js").write_text(f'import {{ a }} from "./a.js";\n{line}\n')
    (tmp_path / "a.js").write_text("export const a = () => {\n  const own = 1;\n  return own;\n};\nconst b = 1;\n")
    with pytest.raises(ValueError, match=r"^main\.js and a\.js both name 'b' at their top level: rename one of them$"):
        script(tmp_path)


def test_names_inside_functions_may_be_the_same(tmp_path: Path) -> None:
    (tmp_path / "main.js").write_text('import { a } from "./a.js";\nfunction c() {\n  const own = 2;\n}\n')
    (tmp_path / "a.js").write_text("export function a() {\n  const own = 1;\n}\n")
    assert script(tmp_path).count("const own") == 2


def test_text_and_weights_are_left_out_on_request(place: Path) -> None:
    page = look(place, text=False)
    assert (page.payload["text"], page.payload["check"]) == (None, None)
    assert "def f(a, b)" not in page.html.replace("\\n", "\n")
    assert len(page.payload["units"]) == 16
    bare = look(place, weights=False)
    assert (bare.payload["weights"], inside(bare.html, "weights")) == ([], "")
    assert bare.size < look(place).size


def test_a_unit_can_be_asked_for_by_name(place: Path) -> None:
    assert look(place, unit="l0.c.5").payload["unit"] == "l0.c.5"
    with pytest.raises(InputError, match=r"unit 'l3.c.5' is not there; expected one of l0.h.0 to l0.c.7"):
        look(place, unit="l3.c.5")


def test_a_page_replaces_a_page_and_nothing_else(place: Path, tmp_path: Path) -> None:
    page = look(place)
    assert page.write(tmp_path / "page.html").read_text(encoding="utf-8") == page.html
    page.write(tmp_path / "page.html")
    (tmp_path / "thesis.html").write_text("all I have")
    with pytest.raises(InputError, match=r"thesis.html exists and is no page that gatework wrote"):
        page.write(tmp_path / "thesis.html")
    with pytest.raises(InputError, match="is a folder: name a file"):
        page.write(tmp_path)
    with pytest.raises(InputError, match="is no folder: make it first"):
        page.write(tmp_path / "none" / "page.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "thesis.html"]


def test_a_large_page_is_refused_unless_it_is_wanted(place: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(document, "LIMIT", 1000)
    page = look(place)
    with pytest.raises(InputError, match=r"would have .* MB, more than browsers open with ease: .*--large"):
        page.write(tmp_path / "page.html")
    assert not list(tmp_path.iterdir())
    page.write(tmp_path / "page.html", large=True)


def test_a_notebook_shows_it_in_a_frame_of_its_own(place: Path) -> None:
    page = look(place)
    assert repr(page) == f"<Page of {page.size:,} bytes: page.write(path) saves it, a notebook shows it>"
    shown = page._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert 'sandbox="allow-scripts allow-downloads"' in shown
    assert "<script" not in shown


def test_what_cannot_be_looked_into_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist: expected the folder of a run"):
        gw.inspect(tmp_path / "none", place / "code.py")
    with pytest.raises(InputError, match="reads text: name a file for it to read"):
        gw.inspect(place / "run")
    with pytest.raises(InputError, match="call fit"):
        gw.inspect(gw.Forecaster(3))
    with pytest.raises(InputError, match="without its series this page would show nothing"):
        gw.inspect(forecaster(months()), text=False)


def test_progress_is_told_from_start_to_end(place: Path) -> None:
    told: list[tuple[str, int, int]] = []
    look(place, progress=lambda *each: told.append(each))
    assert told[0][0] == "reading with run"
    ends = {what: (done, total) for what, done, total in told}
    assert all(done == total for done, total in ends.values())
    assert ends["reading with run"] == (len(code()), len(code()))
