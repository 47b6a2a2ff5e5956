"""What every experiment stands on: networks to choose from, learning until a rule holds, results that go on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from experiment_toys import OPTIONS, STOP, TASK, judge, toy

from gatework.errors import InputError
from gatework.lab import EXPERIMENTS, Experiment, Size, Trial, Variant, learning
from gatework.lab.bench.machine import machine
from gatework.lab.learning import Batch, Learnt, Plan, Stop
from gatework.lab.picture import svg
from gatework.lab.report import digits, figures, spread, text
from gatework.lab.results import Results, load, save
from gatework.lab.running import Begun, run

HERE = machine(1, "auto", seconds=0)


def quietly(line: str) -> None:
    """Tells nobody how far a trial is."""


def learn(plan: Plan, stop: Stop = STOP, seed: int = 0, task: learning.Task = TASK) -> Learnt:
    torch.manual_seed(seed)
    return learning.learn(learning.Network("lstm", task, 4), task, plan, stop, seed, quietly)


def ran(experiment: Experiment, size: Size = Size.FULL, seeds: int = 2) -> Results:
    results = Results(experiment.name, size)
    list(run(experiment, experiment.chosen(size=size), seeds, results, HERE, quietly))
    return results


# -- networks


def test_all_networks_are_run_but_in_quick_runs_those_that_are_long() -> None:
    assert [variant.label for variant in toy().chosen()] == ["long, lstm (today)", "long, rnn", "short, lstm (today)"]
    assert [variant.label for variant in toy().chosen(size=Size.QUICK)] == ["long, lstm (today)", "long, rnn"]


def test_networks_are_chosen_by_cell_and_another_cell_is_tried_on_each_form_as_the_first() -> None:
    assert [variant.label for variant in toy().chosen(["rnn"])] == ["long, rnn"]
    tried = toy().chosen(["gru"])
    assert [(variant.label, variant.cell, variant.options, variant.published) for variant in tried] == [
        ("long, gru", "gru", OPTIONS, ""),
        ("short, gru", "gru", OPTIONS, ""),
    ]
    with pytest.raises(InputError, match=r"unknown cell 'gur'; closest are .*gru"):
        toy().chosen(["gur"])


def test_smaller_runs_differ_as_the_options_say() -> None:
    variant = Variant("a", "lstm", {"T": 9, "batch": 4, "quick": {"T": 5}, "tiny": {"batch": 2}})
    assert [variant.at(size) for size in (Size.FULL, Size.QUICK, Size.TINY)] == [
        {"T": 9, "batch": 4},
        {"T": 5, "batch": 4},
        {"T": 5, "batch": 2},
    ]


def test_two_networks_of_one_label_are_refused() -> None:
    variant = toy().variants[0]
    with pytest.raises(InputError, match="two networks are called alike"):
        toy(variants=(variant, variant))


# -- learning


def test_learning_ends_when_the_rule_holds_and_counts_the_sequences() -> None:
    learnt = learn(Plan.of(OPTIONS))
    assert learnt.solved and learnt.sequences < 600
    assert learnt.curve[-1][0] == learnt.sequences and learnt.curve[-1][1] < 0.2
    assert learnt == learn(Plan.of(OPTIONS))
    assert learnt != learn(Plan.of(OPTIONS), seed=1)


def test_learning_ends_unsolved_with_its_budget_or_when_it_diverges() -> None:
    assert learn(Plan(batch=8, sequences=20)).sequences == 24  # whole batches
    assert not learn(Plan(batch=8, sequences=24)).solved
    broken = replace(TASK, judge=lambda outputs, batch: judge(outputs * torch.inf, batch))
    assert learn(Plan(), task=broken) == Learnt()
    with pytest.raises(InputError, match="optimizer 'adm': there are adam"):
        learn(Plan(optimizer="adm"))


def test_a_rule_looks_at_a_full_window_its_mean_and_its_wrong_ones() -> None:
    stop, right = Stop(error=0.1, wrong=2, window=4), torch.tensor([False] * 4)
    assert stop.holds(torch.full((4,), 0.05), right)
    assert stop.holds(torch.full((4,), 0.05), torch.tensor([True, False, False, False]))
    assert not stop.holds(torch.full((4,), 0.05), torch.tensor([True, True, False, False]))
    assert not stop.holds(torch.full((4,), 0.1), right)
    assert not stop.holds(torch.full((3,), 0.05), right[:3])


def test_the_test_is_on_other_sequences_than_the_training() -> None:
    seen: list[Batch] = []

    def draw(B: int, generator: torch.Generator) -> Batch:
        seen.append(Batch(torch.rand(3, B, 1, generator=generator), torch.zeros(B, 1)))
        return seen[-1]

    task = replace(TASK, draw=draw)
    model = learning.Network("lstm", task, 4)
    learning.learn(model, task, Plan(batch=5, sequences=5), STOP, 3, quietly)
    judged = learning.test(model, task, 3, count=7, batch=5)
    assert [len(part) for part in judged] == [7, 7, 7]
    assert [batch.x.shape[1] for batch in seen] == [5, 5, 2]
    assert not torch.equal(seen[0].x, seen[1].x)


def test_a_readout_sees_every_step_or_the_last_of_each_sequence() -> None:
    batch = Batch(torch.randn(5, 3, 1), torch.zeros(3, 1), torch.tensor([5, 2, 4]))
    last = learning.Network("gru", TASK, 4)
    each = learning.Network("gru", replace(TASK, every_step=True), 4)
    each.load_state_dict(last.state_dict())
    torch.testing.assert_close(
        last(batch), torch.stack([each(batch)[length - 1, k] for k, length in enumerate([5, 2, 4])])
    )


# -- results


def test_seeds_run_in_turn_over_the_networks_and_those_there_are_passed_over() -> None:
    experiment = toy()
    results = Results(experiment.name, Size.FULL)
    variants = experiment.chosen(["rnn", "lstm"])[:2]
    begun = [event for event in run(experiment, variants, 2, results, HERE, quietly) if isinstance(event, Begun)]
    assert [(event.variant.cell, event.seed, event.number, event.total) for event in begun] == [
        ("lstm", 0, 1, 4),
        ("rnn", 0, 2, 4),
        ("lstm", 1, 3, 4),
        ("rnn", 1, 4, 4),
    ]
    more = [event for event in run(experiment, variants, 3, results, HERE, quietly) if isinstance(event, Begun)]
    assert [event.seed for event in more] == [2, 2]
    assert all(trial.seconds > 0 for trial in results.of(variants[0]))


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    results = ran(toy())
    save(results, tmp_path / "signs.json")
    assert load(tmp_path / "signs.json", toy()) == results


def test_a_trial_is_a_line_of_the_file(tmp_path: Path) -> None:
    results = ran(toy())
    save(results, tmp_path / "signs.json")
    lines = (tmp_path / "signs.json").read_text().splitlines()
    assert len(lines) == 2 + len(results.variants) + sum(len(results.of(variant)) for variant in results.variants)
    assert json.loads("\n".join(lines)) == json.loads(json.dumps(results.to_dict()))


def test_files_of_the_first_format_are_read(tmp_path: Path) -> None:
    results = ran(toy())
    values = results.to_dict() | {"format": "gatework experiment 1"}
    values["arms"] = [{"variant": each.pop("form"), **each} for each in values.pop("variants")]
    (tmp_path / "signs.json").write_text(json.dumps(values, indent=1))
    assert load(tmp_path / "signs.json", toy()) == results


def test_seeds_that_the_picture_does_not_draw_are_saved_without_their_curves() -> None:
    results = ran(toy(drawn_seeds=1))
    for variant in results.variants:
        first, second = results.of(variant)
        assert first.curve and second.figures
        assert not second.curve and not second.traces


def test_results_come_back_in_the_order_of_the_experiment(tmp_path: Path) -> None:
    results = ran(toy())
    results.variants.reverse()
    save(results, tmp_path / "toy.json")
    assert load(tmp_path / "toy.json", toy()).variants == list(toy().variants)


def test_what_would_now_run_otherwise_is_left_out(tmp_path: Path) -> None:
    save(ran(toy()), tmp_path / "signs.json")
    changed = replace(toy().variants[0], options=OPTIONS | {"hidden": 5})
    found = load(tmp_path / "signs.json", toy(variants=(changed, *toy().variants[1:])))
    assert [variant.label for variant in found.variants] == ["long, rnn", "short, lstm (today)"]


def test_a_cell_that_was_asked_for_is_kept(tmp_path: Path) -> None:
    results = Results("signs", Size.QUICK)
    list(run(toy(), toy().chosen(["gru"]), 1, results, HERE, quietly))
    save(results, tmp_path / "signs.json")
    assert load(tmp_path / "signs.json", toy()) == results


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("format", {"format": "other"}, "format 'other'; expected 'gatework experiment 2'"),
    ("experiment", {"experiment": "other"}, "results of 'other'; expected those of 'signs'"),
    ("size", {"size": "huge"}, "damaged: .*huge"),
    ("machines", {"machines": [{}]}, "damaged: "),
    ("variants", {"variants": [{"name": "rnn"}]}, "damaged: "),
    ("first format", {"format": "gatework experiment 1", "arms": [7]}, "damaged: "),
]


@pytest.mark.parametrize(("change", "said"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "signs.json"
    path.write_text(json.dumps(Results("signs", Size.FULL).to_dict() | change))
    with pytest.raises(InputError, match=f"signs.json: {said}"):
        load(path, toy())


# -- report and picture


def shown(*trials: Trial) -> str:
    experiment = toy(variants=(Variant("net", "lstm", OPTIONS, "7 sequences"),))
    results = Results("signs", Size.FULL)
    for seed, each in enumerate(trials):
        results.add(experiment.variants[0], seed, each, HERE)
    return figures(results).splitlines()[-1]


def test_the_table_has_the_published_figure_beside_median_and_range() -> None:
    trials = [Trial(True, {"sequences": n}, seconds=n / 10) for n in (200, 100, 900)]
    cells = [cell.strip() for cell in shown(*trials).strip("|").split("|")]
    assert cells == ["net", "7 sequences", "solved (3 seeds)", "200 (100 to 900)", "20 (10 to 90)"]


def test_a_miss_is_shown_as_a_miss() -> None:
    solved, missed = (Trial(each, {"sequences": 1.5}) for each in (True, False))
    assert "| not solved (1 seed) " in shown(missed)
    assert "| solved in 1 of 2 seeds " in shown(solved, missed)


def test_figures_are_short() -> None:
    assert [digits(value) for value in (1234567.0, 123.4, 12.345, 0.012345, 3.0)] == [
        "1,234,567",
        "123",
        "12.3",
        "0.0123",
        "3",
    ]
    assert spread([]) == "" and spread([2.0]) == "2"


def test_a_report_says_criterion_source_difference_machine_and_time() -> None:
    told = text(toy(), ran(toy(), Size.QUICK, seeds=1))
    for words in ("no error of 0.2", "Nobody 1900", "nothing", HERE.processor, "1 thread", "took", "a quick run"):
        assert words in told
    assert "Nothing was run." in text(toy(), Results("signs", Size.FULL))


def test_the_picture_is_the_same_each_time_and_names_the_networks() -> None:
    results = ran(toy())
    drawn = svg(toy(), results)
    assert drawn == svg(toy(), results)
    assert b"lstm (today)" in drawn and b"rnn" in drawn and b"short" in drawn
    svg(toy(), Results("signs", Size.FULL))


def test_an_experiment_may_draw_its_own_picture() -> None:
    def picture(figure: Any, trials: Any) -> None:
        figure.suptitle(", ".join(trials))

    assert b"long, rnn" in svg(toy(picture=picture), ran(toy(), seeds=1))


# -- those that are there


def test_names_are_those_of_the_command_line() -> None:
    assert all(name == each.name and name.isidentifier() for name, each in EXPERIMENTS.items())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_experiment_runs_in_its_smallest_form_and_always_the_same(name: str) -> None:
    experiment = EXPERIMENTS[name]
    first, second = (experiment.trial(experiment.variants[0], 0, Size.TINY, quietly) for _ in range(2))
    assert first == second
    saved = json.loads(json.dumps(first.to_dict(), allow_nan=False))
    assert json.loads(json.dumps(Trial.from_dict(saved).to_dict())) == saved
