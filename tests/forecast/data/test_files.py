"""Files as people keep them: packed, in other encodings, with comments, as spreadsheets; within bounds."""

import datetime
import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter
from numpy.testing import assert_array_equal

from gatework import InputError
from gatework.forecast.data import delimited, files, texts
from gatework.forecast.data.reading import Reading, read_table
from gatework.forecast.data.series import read_panel

TEXT = "ds,größe\n2024-01,1.5\n2024-02,\n"


def zipped(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return held.getvalue()


def put(folder: Path, data: bytes, name: str = "sales.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


KEPT = {
    "plain": TEXT.encode(),
    "gzip": gzip.compress(TEXT.encode()),
    "zip": zipped(**{"sales": TEXT.encode(), "__MACOSX/sales": b"x"}),
    "UTF-8 with a mark": TEXT.encode("utf-8-sig"),
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
    "UTF-16 in gzip": gzip.compress(TEXT.encode("utf-16")),
    "old line ends": TEXT.replace("\n", "\r").encode(),
    "sep=": b"sep=;\r\n" + TEXT.replace(",", ";").encode(),
    "sep= tab": b'"sep=\t"\n' + TEXT.replace(",", "\t").encode(),
    "comments before": b"# from the till, 2024; v2\n#\n" + TEXT.encode(),
    "names in a comment": b"# made by hand\n# " + TEXT.encode(),
    "comments between": TEXT.replace("2024-02", "# closed\n2024-02").encode(),
}


@pytest.mark.parametrize("kept", KEPT)
def test_a_table_however_it_is_kept(kept: str, tmp_path: Path) -> None:
    table = read_table(put(tmp_path, KEPT[kept]))
    assert list(table.columns) == ["ds", "größe"]
    assert table.texts("ds") == ["2024-01", "2024-02"]
    assert_array_equal(table.numbers("größe"), [1.5, np.nan])
    assert table.notes == (("1 line is a comment: left out",) if kept == "comments between" else ())


def test_places_count_every_line(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, b"sep=;\n# x\n\nds;y\n1;2\n# y\n2;many\n"))
    with pytest.raises(InputError, match="line 7: y is 'many'"):
        table.numbers("y")


def test_rows_of_series_whose_names_begin_with_a_hash_are_kept(tmp_path: Path) -> None:
    assert read_table(put(tmp_path, b"unique_id,ds,y\n#1,1,2\n#2,1,3\n")).texts("unique_id") == ["#1", "#2"]


def test_a_comment_with_as_many_fields_as_the_names_is_a_comment(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("# by us, 2024\nds,y\n2024-01,5\n2024-02,7\n")
    assert list(read_table(tmp_path / "a.csv").columns) == ["ds", "y"]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le"])
def test_another_encoding_is_named(encoding: str, tmp_path: Path) -> None:
    path = put(tmp_path, TEXT.encode(encoding))
    with pytest.raises(InputError, match=r"is not UTF-8.*name its encoding, such as .*--encoding"):
        read_table(path)
    assert list(read_table(path, Reading(encoding=encoding)).columns) == ["ds", "größe"]


def test_bytes_that_are_not_of_an_encoding_are_shown_with_their_place(tmp_path: Path) -> None:
    path = put(tmp_path, b"ds,y\n" + b"1,2\n" * 700_000 + b"1,\xff\n")
    with pytest.raises(InputError, match="is not UTF-8: bytes ff at offset 2800007"):
        read_table(path)
    with pytest.raises(InputError, match=r"sales.csv is not utf-16"):
        read_table(put(tmp_path, b"\xff\xfea\x00\x00\xd8"))


@pytest.mark.parametrize("encoding", ["klingon", "base64", "", "../x"])
def test_an_encoding_that_is_none(encoding: str) -> None:
    with pytest.raises(InputError, match=r"encoding is .*: expected one such as utf-8"):
        Reading(encoding=encoding)


DAMAGED = {
    "gzip cut off": (gzip.compress(TEXT.encode())[:-12], "is damaged, or locked"),
    "gzip of nothing": (gzip.compress(b""), "is empty"),
    "two members": (zipped(a=b"y\n1\n", b=b"y\n2\n"), r"holds 2 files, 'a', 'b': expected one table"),
    "no member": (zipped(), "holds 0 files: expected one table"),
    "one long line": (b"y\n" + b"1" * (1 << 25), "has a line of more than 16,777,216 characters"),
    "a bomb of one line": (gzip.compress(bytes(1 << 26)), "zero bytes"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_files_are_named(kind: str, tmp_path: Path) -> None:
    data, said = DAMAGED[kind]
    with pytest.raises(InputError, match=said) as error:
        read_table(put(tmp_path, data))
    assert str(error.value).startswith(str(tmp_path / "sales.csv"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped(a=data)], ids=["gzip", "zip"])
def test_what_unpacks_to_far_more_than_its_size_is_refused(
    pack: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "UNPACKED", 1 << 20)
    with pytest.raises(InputError, match=r"holds more than 100 times its .* bytes: unpack it yourself"):
        read_table(put(tmp_path, pack(b"y\n" + b"1\n" * (1 << 22))))  # type: ignore[operator]


# -- spreadsheets


def book(path: Path, **sheets: list[list[object]]) -> Path:
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm"}) as made:
        for name, rows in sheets.items():
            sheet = made.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


HOURS = [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=hour) for hour in range(30)]


def test_a_spreadsheet_is_a_table(tmp_path: Path) -> None:
    rows = [["ds", "y", "note", None], *([time, 1.5, "3"] for time in HOURS)]
    rows[4][1] = None
    table = read_table(book(tmp_path / "sales.xlsx", Empty=[], Sales=rows))
    assert list(table.columns) == ["ds", "y", "note"]
    assert_array_equal(table.times("ds").times, np.array(HOURS, "datetime64[s]"))
    assert_array_equal(table.numbers("y")[:4], [1.5, 1.5, 1.5, np.nan])
    assert_array_equal(table.numbers("note"), np.full(30, 3.0))
    assert table.place(0) == "row 2"


def test_one_sheet_of_several_is_read_and_named(tmp_path: Path) -> None:
    path = book(tmp_path / "sales.xlsx", A=[["y"], [1]], B=[["Sales"], [], ["x", "y"], [1, 2]])
    table = read_table(path)
    assert table.notes == ("the sheet 'A' is read, of 2: --sheet names another",)
    titled = read_table(path, Reading(sheet="B"))
    assert (list(titled.columns), titled.place(0)) == (["x", "y"], "row 4")
    info = book(tmp_path / "info.xlsx", Info=[["Sales of the north shop"]], Data=[["x", "y"], [1, 2]])
    assert list(read_table(info).columns) == ["x", "y"]
    with pytest.raises(InputError, match="has no sheet 'C': the sheets there are 'A', 'B'"):
        read_table(path, Reading(sheet="C"))
    with pytest.raises(InputError, match=r"sales.xlsx is empty"):
        read_table(book(tmp_path / "sales.xlsx", A=[]))


def test_points_in_texts_of_spreadsheets_are_doubtful(tmp_path: Path) -> None:
    path = book(tmp_path / "sales.xlsx", A=[["y"], ["1.003"], [993]])
    with pytest.raises(InputError, match=r"row 2: y is '1.003' \(is its point"):
        read_table(path).numbers("y")
    assert_array_equal(read_table(path, Reading(decimal=",")).numbers("y"), [1003, 993])


def test_without_the_reader_of_spreadsheets_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book(tmp_path / "sales.xlsx", A=[["y"], [1]])
    monkeypatch.setattr("gatework.forecast.data.excel.find_spec", {}.get)
    with pytest.raises(InputError, match=r"pip install 'gatework\[excel\]'"):
        read_table(path)


def test_a_damaged_spreadsheet_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sales.xlsx is a damaged or locked spreadsheet"):
        read_table(put(tmp_path, b"\xd0\xcf\x11\xe0" + bytes(100), "sales.xlsx"))
    with pytest.raises(InputError, match=r"sales.xlsx is a damaged or locked spreadsheet"):
        read_table(put(tmp_path, zipped(**{"xl/workbook.xml": b"x"}), "sales.xlsx"))


# -- memory


def test_a_row_costs_no_more_than_its_numbers_and_its_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, size in ((files, "BLOCK"), (delimited, "CHUNK"), (texts, "BLOCK")):
        monkeypatch.setattr(module, size, getattr(module, size) // 8)  # what is held at once, beside many rows little
    n = 37_500
    times = np.datetime64("2000-01-01T00:00") + np.arange(n)
    path = put(tmp_path, ("ds,y\n" + "".join(f"{time},{i % 997 / 4:.2f}\n" for i, time in enumerate(times))).encode())
    read_panel(path)  # whatever is made once
    tracemalloc.start()
    panel = read_panel(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(panel.series[0]) == n
    assert peak < 160 * n  # bytes; as texts the two cells alone would take 130
