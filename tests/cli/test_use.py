import io
import re
import sys
from pathlib import Path

import pytest
from cli_toys import SMALL, Command, tree

import gatework as gw
from gatework.cli.text_lines import repetition_line
from gatework.text.options import Draw
from gatework.text.run import Run
from gatework.text.sampling import sample as write

# -- sample


def test_a_sample_follows_its_prompt(gatework: Command, place: Path) -> None:
    done = gatework("sample", "run", "--prompt", "abc", "--length", 40, "--seed", 1)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("abc")
    assert done.out.endswith("\n")
    assert len(done.out) == 3 + 40 + 1
    assert set(done.out) <= set("abcdef\n")


def test_one_seed_writes_one_sample(gatework: Command, place: Path) -> None:
    texts = [gatework("sample", "run", "--length", 60, "--seed", seed).out for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_the_options_of_a_draw_reach_it(gatework: Command, place: Path) -> None:
    run = Run.open(Path("run"))
    for options, draw in (
        (["--temperature", "0"], Draw(temperature=0)),
        (["--temperature", "2.5"], Draw(temperature=2.5)),
        (["--top-k", "2"], Draw(top_k=2)),
        (["--top-p", "0.3"], Draw(top_p=0.3)),
        (["--min-p", "0.4"], Draw(min_p=0.4)),
        (["--temperature", "0", "--repetition", "3"], Draw(temperature=0, repetition=3)),
        (["--min-p", "0", "--repetition", "1"], Draw(min_p=0, repetition=1)),
    ):
        text = "".join(write(run.model(), run.vocabulary, "ab", 50, draw=draw, seed=4))
        assert gatework("sample", "run", "--prompt", "ab", "--length", 50, "--seed", 4, *options).out == f"ab{text}\n"


def test_a_sample_of_nothing_is_its_prompt(gatework: Command, place: Path) -> None:
    assert gatework("sample", "run", "--prompt", "fa", "--length", 0).out == "fa\n"


def test_characters_that_the_model_has_never_seen_are_noted(gatework: Command, place: Path) -> None:
    done = gatework("sample", "run", "--prompt", "aXbéX", "--length", 5, "--seed", 1)
    assert done.status == 0
    assert done.err == "note: the model has never seen 'X' 'é'\n"
    assert done.out.startswith("aXbéX")


def test_a_prompt_that_is_no_text_is_shown_as_far_as_it_can_be(gatework: Command, place: Path) -> None:
    done = gatework("sample", "run", "--prompt", "ab\udcff", "--length", 2, "--seed", 1)
    assert done.status == 0
    assert done.out.startswith("ab\\udcff")


def test_what_the_terminal_cannot_show_is_spelled_out(
    gatework: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("accents.txt").write_text("éàü" * 300, encoding="utf-8")
    gatework("train", "text", "accents.txt", "--out", "new", *SMALL)
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert gatework("sample", "new", "--length", 3, "--seed", 1).status == 0
    assert re.fullmatch(rb"(\\xe9|\\xe0|\\xfc){3}\n", terminal.buffer.getvalue())  # type: ignore[attr-defined]


def test_a_run_that_was_stopped_at_once_can_be_sampled(gatework: Command, place: Path) -> None:
    """The best checkpoint comes with the first validation; before, there is only the last."""
    Path("run/best.safetensors").unlink()
    assert gatework("sample", "run", "--length", 5).status == 0


def test_a_text_that_goes_round_and_round_is_noted_with_the_remedy(gatework: Command, place: Path) -> None:
    still = ["sample", "run", "--temperature", 0, "--length", 200]
    done = gatework(*still, "--repetition", 1)
    assert done.status == 0
    assert re.fullmatch(
        r"note: \d\d% of all runs of 16 characters repeat an earlier one; "
        r"--repetition 1.2 or a higher --temperature leads away from it\n",
        done.err,
    )
    assert "note" not in done.out
    assert gatework(*still).err == "", "which is there by default"


def test_the_remedy_is_stronger_where_the_usual_one_is_on() -> None:
    assert repetition_line("ab" * 9, "char", Draw()) is not None
    assert "--repetition 2 or" in str(repetition_line("ab" * 9, "char", Draw()))
    assert "--repetition 1.2 or" in str(repetition_line("ab" * 9, "char", Draw(repetition=1.0)))
    assert repetition_line("abcdefgh" * 2, "char", Draw()) is None


# -- score


def test_a_text_is_scored_in_a_line(gatework: Command, place: Path) -> None:
    done = gatework("score", "run", "text.txt")
    assert (done.status, done.err) == (0, "")
    assert re.fullmatch(r"\d\.\d{3} bits per character, perplexity \d\.\d\d over 899 characters\n", done.out)


def test_each_character_has_its_surprise(gatework: Command, place: Path) -> None:
    done = gatework("score", "run", "text.txt", "--each")
    assert (done.status, done.err) == (0, "")
    pairs = [line.split("\t") for line in done.lines]
    text = Path("text.txt").read_text()
    assert [token for _, token in pairs] == [repr(letter) for letter in text[1:]]
    mean = sum(float(bits) for bits, _ in pairs) / 899
    total = float(gatework("score", "run", "text.txt").out.split()[0])
    assert mean == pytest.approx(total, abs=6e-4)


def test_a_text_can_be_read_as_several_streams(gatework: Command, place: Path) -> None:
    done = gatework("score", "run", "text.txt", "--streams", 5)
    assert "over 899 characters" in done.lines[0]
    assert done.lines[1] == "read as 5 streams, each starting without a past; --streams 1 reads it as one"


def test_a_long_text_is_read_as_streams_unless_one_is_asked_for(gatework: Command, place: Path) -> None:
    Path("long.txt").write_bytes(b"abcdef\n" * 3000)
    assert "read as 32 streams" in gatework("score", "run", "long.txt").out


def test_a_text_from_standard_input_is_scored(gatework: Command, place: Path) -> None:
    done = gatework("score", "run", "-", stdin=Path("text.txt").read_bytes())
    assert done.out == gatework("score", "run", "text.txt").out
    assert "standard input is too short" in gatework("score", "run", "-", stdin=b"a").err


def test_unknown_characters_are_counted_and_cost_extra(gatework: Command, place: Path) -> None:
    Path("odd.txt").write_text("abcXéf" * 10)
    done = gatework("score", "run", "odd.txt")
    assert "20 of them unknown at 20.1 bits more each" in done.out
    assert float(done.out.split()[0]) > 6.7


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("byte", r"\d\.\d{3} bits per character, \d\.\d{3} bits per byte, perplexity [\d.]+ over \d+ bytes"),
        (
            "word",
            r"\d\.\d{3} bits per word token, perplexity [\d.]+ over \d+ word tokens, \d+ of them unknown, .* <unk>",
        ),
    ],
)
def test_each_level_has_its_figures(gatework: Command, place: Path, level: str, said: str) -> None:
    gatework("train", "text", "text.txt", "--level", level, "--out", "new", *SMALL)
    assert re.fullmatch(said, gatework("score", "new", "other.txt").lines[0])


def test_a_model_that_adapts_is_scored_beside_itself_as_it_is(gatework: Command, place: Path) -> None:
    Path("again.txt").write_text("fedcba\n" * 60)
    before = tree(Path("run"))
    as_it_is = gatework("score", "run", "again.txt")
    done = gatework("score", "run", "again.txt", "--adapt")
    assert (done.status, done.err) == (0, "")
    assert done.lines[0] == as_it_is.lines[0]
    assert re.fullmatch(
        r"\d\.\d{3} bits per character, perplexity \d\.\d\d over 419 characters, learning from every 20 "
        r"characters once they are scored: \d\.\d{3} bits per character fewer",
        done.lines[1],
    )
    assert len(done.lines) == 2
    assert tree(Path("run")) == before


def test_each_character_has_its_surprise_to_a_model_that_adapts(gatework: Command, place: Path) -> None:
    plain = gatework("score", "run", "text.txt", "--each").lines
    learning = gatework("score", "run", "text.txt", "--each", "--adapt").lines
    assert len(plain) == len(learning) == 899
    assert learning[-100:] != plain[-100:]
    mean = sum(float(line.split("\t")[0]) for line in learning) / 899
    said = gatework("score", "run", "text.txt", "--adapt").lines[1]
    assert mean == pytest.approx(float(said.split()[0]), abs=6e-4)


# -- cells


def test_all_cells_are_listed_a_line_each(gatework: Command) -> None:
    done = gatework("cells")
    assert (done.status, done.err) == (0, "")
    assert [line.split()[0] for line in done.lines] == ["cell", *gw.cells]


@pytest.mark.parametrize("name", list(gw.cells))
def test_every_cell_can_be_shown_in_every_way(gatework: Command, name: str) -> None:
    shown = [
        gatework("cells", name, *options) for options in ([], ["--backward"], ["--latex"], ["--backward", "--latex"])
    ]
    assert all((done.status, done.err) == (0, "") for done in shown)
    assert all(line in shown[0].out for line in gw.cells[name].equations.splitlines())
    assert len({done.out for done in shown}) == 4


def test_ones_own_cell_can_be_shown(gatework: Command, place: Path) -> None:
    assert "h = tanh(W @ x + U @ h + b)" in gatework("cells", "--equations", "mine.txt").out
    backward = gatework("cells", "--equations", "mine.txt", "--backward")
    assert backward.status == 0
    assert "d_" in backward.out
