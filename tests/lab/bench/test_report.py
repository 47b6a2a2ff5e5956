from dataclasses import replace

import pytest

from gatework.errors import InputError
from gatework.lab.bench import ROWS, Measurement, Report, Shape, Skipped
from gatework.lab.bench.machine import Machine, machine, processor
from gatework.lab.bench.measure import Spread
from gatework.lab.bench.report import details, digits, summary, table, with_part

MACHINE = Machine("Abacus 3", "beads", 2, 231.7, "native", "0.1", "2.9", "3.12", "2026-01-31")
A, B = Shape(100, 64, 128, 256), Shape(100, 1, 64, 128)


def measured(row: str, figure: float, shape: Shape = A, variant: str = "", **options: object) -> Measurement:
    usual = {"work": 10**9, "floor": 1.0, "their_floor": 1.0, "rounds": 7, "ours": Spread(0.01, 0.0125, 0.02)}
    usual |= {"theirs": Spread(0.02, 0.025, 0.03), "figure": Spread(figure - 0.1, figure, figure + 0.1)}
    return Measurement(row, variant, shape, **(usual | options))


def report(*measurements: Measurement, **options: object) -> Report:
    return Report(MACHINE, finished=True, measurements=list(measurements), **options)


def test_a_table_is_markdown_in_columns_of_one_width():
    assert table(["a", "long"], [["1", "2"], ["three", ""]]) == (
        "| a     | long |\n| ----- | ---- |\n| 1     | 2    |\n| three |      |"
    )


def test_a_row_shows_its_targets_beside_its_worst_shape_and_its_mean():
    found = [measured("lstm-training", 1.0, B), measured("lstm-training", 4.0, A)]
    assert summary(ROWS["lstm-training"], found) == [
        "LSTM training step / torch.nn.LSTM", "2", ">= 1.25", "1.00", str(B), ">= 1.60", "2.00", "missed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "figures", "verdict"),
    [
        ("lstm-inference", (1.0, 2.25), "met"),
        ("lstm-inference", (1.1, 9.0), "met"),
        ("lstm-inference", (0.99, 9.0), "missed"),
        ("lstm-inference", (1.1, 1.2), "missed"),  # at every shape, but not in the mean
        ("cells", (1.3, 0.5), "met"),
        ("cells", (1.31, 0.5), "missed"),
        ("stream", (3e-6, 1e-6), "met"),
        ("stream", (3.1e-6, -1e-6), "missed"),
        ("peephole-eager", (0.1, 9.0), ""),
    ],
)
def test_a_row_is_met_where_every_target_is(row: str, figures: tuple[float, ...], verdict: str):
    assert summary(ROWS[row], [measured(row, value) for value in figures])[-1] == verdict


def test_the_worst_is_the_slowest_or_the_dearest():
    assert summary(ROWS["memory"], [measured("memory", 0.5, A), measured("memory", 2.0, B)])[4] == str(B)
    assert summary(ROWS["lstm-onnx"], [measured("lstm-onnx", 0.5, A), measured("lstm-onnx", 2.0, B)])[4] == str(A)


def test_shares_and_times_bear_their_units():
    assert summary(ROWS["ceiling-training"], [measured("ceiling-training", 0.734)])[2:4] == [">= 70%", "73%"]
    assert summary(ROWS["stream"], [measured("stream", 2.345e-6)])[2:4] == ["<= 3.00 us", "2.35 us"]


def test_each_shape_has_a_line_with_both_times_and_the_spread():
    assert details(ROWS["lstm-training"], [measured("lstm-training", 2.0)]) == (
        "| T,B,I,H        | other ms | ours ms | other / ours | quartiles | rounds | ours GF/s |\n"
        "| -------------- | -------- | ------- | ------------ | --------- | ------ | --------- |\n"
        "| 100,64,128,256 | 25.0     | 12.5    | 2.00         | 1.90-2.10 | 7      | 160       |"
    )


def test_memory_has_no_speed():
    text = details(ROWS["memory"], [measured("memory", 0.5, work=1, ours=Spread(*[2.0**21] * 3))])
    assert "| ours MiB |" in text and "| 2.00     |" in text and "GF/s" not in text


def test_many_variants_are_shown_by_shape():
    cells = ["rnn", "lstm", "np", "nig", "ran"]
    found = [measured("cells", 1.0 + i, shape, cell) for i, cell in enumerate(cells) for shape in (A, B)]
    lines = details(ROWS["cells"], found[:-1]).splitlines()
    assert lines[0] == f"|      | {A} | {B} | mean |"
    assert lines[2] == "| rnn  | 1.00           | 1.00         | 1.00 |"
    assert lines[-1] == "| ran  | 5.00           |              | 5.00 |"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1234"),
        (99.96, "100"),
        (27.13, "27.1"),
        (9.996, "10.0"),
        (1.5, "1.50"),
        (0.0625, "0.0625"),
        (-2, "-2.00"),
    ],
)
def test_numbers_have_three_digits_and_no_exponent(value: float, text: str):
    assert digits(value) == text


def test_a_gpu_stands_in_the_header():
    text = Report(replace(MACHINE, gpu="Abacus G, CUDA 13.0, cuDNN 91002")).text()
    assert "- on Abacus G, CUDA 13.0, cuDNN 91002; times are those between its events\n" in text
    assert "- float32 where no dtype is named; ours" in text


def test_the_text_begins_with_the_machine():
    lines = report(measured("lstm-training", 2.0)).text().splitlines()
    assert lines[0] == "- Abacus 3, beads, 2 threads, FMA ceiling 232 GF/s"
    assert lines[1] == "- gatework 0.1 (engine native), torch 2.9, Python 3.12, 2026-01-31"


def test_the_text_says_what_is_not_all():
    text = Report(replace(MACHINE, ceiling=None, threads=1), quick=True, skipped=[Skipped("lstm-onnx", "none")]).text()
    for said in (
        "1 thread, FMA ceiling not measured",
        "Nothing was measured.",
        "a quick run",
        "stopped before the end",
        "lstm-onnx: none",
    ):
        assert said in text
    assert "quick" not in report().text() and "stopped" not in report().text()


def test_a_report_survives_json():
    whole = report(measured("growth", 2.0, Shape(1, 2, 3, 4, 5), "L"), skipped=[Skipped("memory", "why")], quick=True)
    again = Report.from_dict(whole.to_dict())
    assert again == whole and again.text() == whole.text()


def test_json_of_another_kind_is_refused():
    with pytest.raises(InputError, match=r"^format None; expected 'gatework bench 2'"):
        Report.from_dict({})
    with pytest.raises(InputError, match=r"^damaged: 'machine'"):
        Report.from_dict({"format": "gatework bench 2"})


def test_only_the_part_between_the_marks_of_a_document_changes():
    document = "before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n"
    assert with_part(document, "new\n") == document.replace("old", "new")
    assert with_part(document, "a \\1 b\n") == document.replace("old", "a \\1 b")
    with pytest.raises(InputError, match="no lines <!-- bench -->"):
        with_part("before\n", "new\n")


def test_this_machine_is_described():
    here = machine(threads=1, engine="reference")
    assert here.processor and here.isa and here.engine == "reference"
    assert here.ceiling is None or here.ceiling > 0


def test_the_processor_is_named_by_linux():
    assert processor("processor\t: 0\nmodel name\t: Abacus 3 @ 2 beads\nmodel name\t: x") == "Abacus 3 @ 2 beads"
    assert processor("") != ""


def test_runs_of_one_machine_are_shown_as_one_the_later_figure_for_what_both_measured():
    first = report(measured("memory", 0.5, A), measured("memory", 0.6, B), skipped=[Skipped("lstm-onnx", "no onnx")])
    later = Report(replace(MACHINE, ceiling=240.0), measurements=[measured("memory", 0.7, B), measured("stream", 1.0)])
    both = first.with_more(later)
    assert [(m.row, m.figure.median) for m in both.measurements] == [("memory", 0.5), ("memory", 0.7), ("stream", 1.0)]
    assert (both.machine.ceiling, both.finished, both.skipped) == (240.0, False, first.skipped)


def test_runs_of_two_machines_are_not_shown_as_one():
    with pytest.raises(InputError, match=r"another machine or with other settings: isa, threads$"):
        report().with_more(Report(replace(MACHINE, isa="fingers", threads=10)))
