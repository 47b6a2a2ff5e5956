"""Numbers as people write them: the column as a whole says what its marks mean, or it is asked about."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from gatework import InputError
from gatework.forecast.data.numerals import NumeralError, read_numerals
from gatework.forecast.data.reading import Reading, read_table

MEANT = {
    "two marks, the comma last": (["1.234,5", "993"], [1234.5, 993]),
    "two marks, the point last": (["1,234.5", "993"], [1234.5, 993]),
    "a mark twice": (["1.234.567", "1.003"], [1234567, 1003]),
    "a leading zero": (["0.123", "1.003"], [0.123, 1.003]),
    "groups not of three digits": (["1.003", "12.5"], [1.003, 12.5]),
    "four digits after a point": (["1.0035", "993.125"], [1.0035, 993.125]),
    "apostrophes": (["1'234", "1\u2019234'567.5"], [1234, 1234567.5]),
    "spaces that do and do not break": (
        ["1 234", "1\u00a0234", "1\u202f234,5", "1\u2009234"],
        [1234, 1234, 1234.5, 1234],
    ),
    "underscores": (["1_234", "5"], [1234, 5]),
    "India": (["12,34,567", "1,00,000.5"], [1234567, 100000.5]),
    "exponents": (["1e3", "1.5E-2", "2"], [1000, 0.015, 2]),
    "a comma before an exponent": (["1,5e3", "2"], [1500, 2]),
    "bare points": ([".5", "5.", "-.25"], [0.5, 5, -0.25]),
    "minus signs": (["\u22125", "\u20135", "+5", "-5"], [-5, -5, 5, -5]),
    "currency": (["$1,234.50", "-$5", "$ 7"], [1234.5, -5, 7]),
    "currency after": (["1.234,50 €", "5 €", "-7\u00a0€"], [1234.5, 5, -7]),
    "percent": (["5 %", "7.5%"], [5, 7.5]),
    "missing": (["", "NA", "1,5", "null"], [np.nan, np.nan, 1.5, np.nan]),
}


@pytest.mark.parametrize("name", MEANT)
def test_a_column_tells_what_its_marks_mean(name: str) -> None:
    texts, values = MEANT[name]
    assert_array_equal(read_numerals(texts, points=False).values, values)


def test_a_sign_that_all_numbers_have_is_told() -> None:
    assert read_numerals(["5 %", "6 %"]).note == "numbers such as '5 %' are read without their %"


DOUBTFUL = {"1.003": ["1.003", "993"], "1,234": ["1,234", "12"], "12.500": ["7", "12.500", "3.125"]}


@pytest.mark.parametrize("text", DOUBTFUL)
def test_a_column_that_does_not_tell_is_asked_about(text: str) -> None:
    with pytest.raises(NumeralError, match=text) as error:
        read_numerals(DOUBTFUL[text], points=False)
    assert "a decimal point, or thousands?" in error.value.why
    assert "--decimal" in error.value.why
    read = {mark: read_numerals(DOUBTFUL[text], mark, points=False).values for mark in (".", ",")}
    factor = np.array([1000.0 if set(each) & set(".,") else 1.0 for each in DOUBTFUL[text]])
    one, other = sorted(read.values(), key=lambda values: values.sum())
    assert_allclose(one * factor, other)


@pytest.mark.parametrize(
    "text", ["1,2,3", "1.2.3", "12 34", "1,23,45", "1'2", "5 €%", "--5", "1e", "e5", ".", "1 234'567"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(NumeralError):
        read_numerals(["1.5", text])


@pytest.mark.parametrize("texts", [["5 %", "6"], ["$5", "€5"]], ids=["percent of some", "two currencies"])
def test_signs_that_only_some_have_are_refused(texts: list[str]) -> None:
    with pytest.raises(NumeralError):
        read_numerals(texts)


def semicolons(folder: Path, *fields: str) -> Path:
    path = folder / "sales.csv"
    path.write_text("ds;y\n" + "".join(f"2024-{month:02d};{field}\n" for month, field in enumerate(fields, 1)))
    return path


def test_a_point_of_a_semicolon_table_is_not_taken_for_decimals_in_silence(tmp_path: Path) -> None:
    path = semicolons(tmp_path, "993", "1.003", "987")
    with pytest.raises(InputError, match=r"line 3: y is '1.003' \(is its point a decimal point, or thousands"):
        read_table(path).numbers("y")
    assert_array_equal(read_table(path, Reading(decimal=",")).numbers("y"), [993, 1003, 987])
    assert_array_equal(read_table(path, Reading(decimal=".")).numbers("y"), [993, 1.003, 987])
    assert_array_equal(read_table(semicolons(tmp_path, "993", "1.003", "9.5")).numbers("y"), [993, 1.003, 9.5])
    assert_array_equal(read_table(semicolons(tmp_path, "", "5")).numbers("y"), [np.nan, 5])


def test_a_point_is_decimal_where_commas_are_between_fields_and_in_frames(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("ds,y\n1,1.003\n2,993\n")
    assert_array_equal(read_table(path).numbers("y"), [1.003, 993])
    assert_array_equal(read_table(path, Reading(decimal=",")).numbers("y"), [1003, 993])
    assert_array_equal(read_table(pl.DataFrame({"y": ["1.003", "993"]})).numbers("y"), [1.003, 993])


NUMBERS = st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1)
MARKS = st.sampled_from([(".", ","), (",", "."), (".", "'"), (",", " "), (",", "\u202f"), (".", "_")])


@given(NUMBERS, MARKS, st.booleans())
def test_numbers_written_with_any_marks_are_read_back(
    numbers: list[float], marks: tuple[str, str], points: bool
) -> None:
    decimal, group = marks
    swapped = {",": group, ".": decimal}
    texts = ["".join(swapped.get(letter, letter) for letter in f"{number:,.2f}") for number in numbers]
    assert_array_equal(read_numerals(texts, points=points).values, [float(number) for number in numbers])


@given(NUMBERS, st.booleans())
def test_a_column_in_arrays_is_read_as_its_texts_are(numbers: list[float], points: bool) -> None:
    columns = {"y": np.array([str(number).encode() for number in numbers], "S")}
    table = read_table(pl.DataFrame({"y": [1]})).__class__("t", columns, points=points)
    assert_array_equal(table.numbers("y"), [float(number) for number in numbers])
