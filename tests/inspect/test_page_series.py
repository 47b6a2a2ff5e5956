"""The page of a forecaster: its forecast is Python's, and follows what is changed in the series."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from inspect_toys import forecaster, months
from page_toys import Seen

from gatework.inspect.document import Page, inspect


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return months()[["ds", "y"]]


@pytest.fixture(scope="module")
def made(table: pd.DataFrame) -> Page:
    return inspect(forecaster(table))


@pytest.fixture
def page(show: Callable[..., Seen], made: Page, tmp_path: Path) -> Any:
    seen = show(made.write(tmp_path / "page.html"))
    seen.page.wait_for_selector("body[data-ready]", state="attached")
    yield seen.page
    assert not seen.complaints


def expected(page: Any) -> list[list[float]]:
    return page.evaluate("gatework.desk.forecast()")


def test_its_forecast_is_that_of_python(page: Any, made: Page) -> None:
    assert "computes what Python computed" in page.text_content("#check.good")
    assert np.allclose(expected(page), made.payload["series"]["forecast"], rtol=1e-4)


def test_every_section_is_there(page: Any) -> None:
    sections = page.eval_on_selector_all("main section", "all => all.map(each => each.id)")
    assert sections == ["about", "live", "text", "finder", "heat", "cell", "saturation", "memory", "methods"]
    assert page.locator("#grid span").count() == 96


def test_a_changed_value_changes_the_forecast_and_what_lies_below(page: Any, table: pd.DataFrame) -> None:
    before = page.evaluate("[...gatework.reading.rows[0].get('h').data]")
    page.focus("#desk")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    assert "1 value is changed" in page.text_content("#desk-note")
    values = page.evaluate("gatework.desk.values")
    assert values[:-2] == pytest.approx(list(table["y"][:-2])) and values[-2] > table["y"].iloc[-2]
    assert page.evaluate("[...gatework.reading.rows[0].get('h').data]") != before
    page.click("#reset")
    assert page.evaluate("[...gatework.reading.rows[0].get('h').data]") == before


def test_the_forecast_of_an_earlier_origin_knows_nothing_later(page: Any) -> None:
    page.fill("#origin", "80")
    before = expected(page)
    page.evaluate("gatework.desk.change(90, 1000, true)")
    assert expected(page) == before


def test_a_point_can_be_pulled(page: Any) -> None:
    page.locator("#desk").scroll_into_view_if_needed()
    box = page.locator("#desk .chosen").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    last = page.evaluate("gatework.desk.values.at(-1)")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 60)
    page.mouse.up()
    assert page.evaluate("gatework.desk.values.at(-1)") > last


def test_a_notebook_shows_the_same_page_in_a_frame(show: Callable[..., Seen], made: Page, tmp_path: Path) -> None:
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!doctype html><meta charset='utf-8'><title>notebook</title>{made._repr_html_()}", "utf-8")
    seen = show(notebook)
    frame = seen.page.frame_locator("iframe")
    frame.locator("body[data-ready]").wait_for(state="attached")
    frame.locator("#grid [data-t='40']").click()
    assert "2013-05" in frame.locator("#readout").text_content()
    assert not seen.complaints
