"""The temperature at which the page predicts and writes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from page_toys import TEXT, Seen, Toy, toy
from torch import Tensor

Show = Callable[..., Seen]


@pytest.fixture
def seen(show: Show, tmp_path: Path) -> Seen:
    page = show(toy().page(tmp_path / "page.html"))
    page.page.wait_for_selector("body[data-ready]", state="attached")
    page.page.uncheck("#warm")
    page.page.fill("#live-box", TEXT[:20])
    return page


def expected(subject: Toy, temperature: float) -> Tensor:
    with torch.no_grad():
        logits = subject.model.logits(subject.ids[:20, None])[0][-1, 0].double()
    return (logits / temperature).softmax(-1)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0, 2.0])
def test_the_bars_are_the_chances_at_the_temperature(seen: Seen, temperature: float) -> None:
    seen.page.fill("#temperature", str(temperature))
    wanted = expected(toy(), temperature)
    shown = [float(text) for text in seen.page.eval_on_selector_all(
        "#bars i", "all => all.map(each => each.style.width.slice(0, -1))")]  # fmt: skip
    assert shown == pytest.approx((100 * wanted.sort(descending=True).values[: len(shown)]).tolist(), abs=0.06)
    entropy = -(wanted * wanted.log2()).nan_to_num().sum()
    assert float(re.findall(r"[\d.]+\d", seen.page.inner_text("#drawn"))[-1]) == pytest.approx(
        float(entropy), abs=0.006
    )


def test_keys_move_the_temperature_and_it_says_what_that_does(seen: Seen) -> None:
    seen.page.focus("#temperature")
    assert seen.page.get_attribute("#temperature", "aria-valuetext") == "1.00: as the network says"
    seen.page.keyboard.press("ArrowLeft")
    assert seen.page.get_attribute("#temperature", "aria-valuetext") == "0.95: the likely becomes likelier"
    seen.page.keyboard.press("End")
    assert seen.page.get_attribute("#temperature", "aria-valuetext") == "2.00: all become more alike"


@pytest.mark.parametrize("temperature", [0.1, 2.0])
def test_what_is_written_is_drawn_at_the_temperature(seen: Seen, temperature: float) -> None:
    """Draws are spread evenly over [0, 1), so that each token comes as often as its chance says."""
    subject, draws = toy(), 1000
    typed = [len(token) == 1 for token in subject.payload["vocabulary"]["tokens"]]
    typed[subject.payload["vocabulary"]["unknown"]] = False
    wanted = expected(subject, temperature) * torch.tensor(typed)
    seen.page.fill("#temperature", str(temperature))
    seen.page.evaluate(f"Math.random = () => (window.k = (window.k ?? -1) + 1) % {draws} / {draws}")
    counts = dict.fromkeys(subject.payload["vocabulary"]["tokens"], 0)
    written = seen.page.evaluate(
        f"""() => Array.from({{ length: {draws} }}, () => {{
          const box = document.getElementById("live-box"), before = box.value;
          document.getElementById("step").click();
          const sign = box.value.slice(before.length), said = document.getElementById("drawn").textContent;
          box.value = before;
          box.dispatchEvent(new Event("input"));
          return [sign, said];
        }})"""
    )
    for sign, said in written:
        counts[sign] += 1
        assert "drawn with a chance of" in said
    shares = torch.tensor([count / draws for count in counts.values()], dtype=torch.float64)
    assert (shares - wanted / wanted.sum()).abs().max() <= 2 / draws
