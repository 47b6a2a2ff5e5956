"""The findings, in plain sentences."""

from collections.abc import Sequence
from typing import Any

from gatework.inspect.figures import correlation, figure
from gatework.inspect.hypotheses import PREVALENCE, Hypothesis

Payload = dict[str, Any]
UNIT = {"char": "character", "byte": "byte", "word": "word"}  # what a token is called
UNUSED = " Held still, it is not missed: what a unit follows is not always used."


def findings(payload: Payload, hypotheses: Sequence[Hypothesis], names: Sequence[str]) -> list[str]:
    """How well the network predicts, what its units follow, how long it remembers."""
    unit = UNIT[payload["vocabulary"]["kind"]]
    sentences = [_prediction(payload["results"], unit), *_learned(payload, hypotheses, names, f" bits a {unit}")]
    return sentences + _memory(payload, f"{unit}s")


def series_findings(payload: Payload, hypotheses: Sequence[Hypothesis], names: Sequence[str]) -> list[str]:
    """How far the network is trusted, what its units follow, how long it remembers."""
    trust = payload["results"]["trust"]
    sentences = [
        f"The network corrects a simple forecast ({payload['results']['base']}); where it was judged, it was trusted "
        f"by {figure(100 * trust, 0)} %"
        + (": its medians do not count, only the width of its bands." if not trust else ".")
    ]
    return [*sentences, *_learned(payload, hypotheses, names, " % of the error"), *_memory(payload, "steps")]


def _prediction(results: Payload, unit: str) -> str:
    """How well it predicts, beside guessing blindly."""
    here = f"{results['here']:.2f} bits a {unit} on this text; guessing blindly would take {results['blind']:.2f}"
    if results["bits"] is not None:
        return f"The network needs {results['bits']:.2f} bits a character on text held out from its training, {here}."
    return f"The network needs {here}."


def _learned(payload: Payload, hypotheses: Sequence[Hypothesis], names: Sequence[str], price: str) -> list[str]:
    """Which labels a single unit follows, which none does, and which are too rare to say."""
    if not hypotheses:
        return ["There is too little of it to say what single units follow."]
    sentences: list[str] = []
    unlearned: list[str] = []
    rare: list[str] = []
    for each, listed in zip(hypotheses, payload["hypotheses"], strict=True):
        if listed["found"]:
            sentences.append(finding(each, listed, names[each.best], price))
        elif each.enough:
            unlearned.append(listed["meaning"])
        else:
            rare.append(f"{listed['meaning']} ({_rarity(each)})")
    if unlearned:
        sentences.append(
            f"No unit follows more closely than chance and an untrained network's best unit do: {'; '.join(unlearned)}."
        )
    if rare:
        sentences.append(f"Too rare here to say that a unit follows it: {'; '.join(rare)}.")
    return sentences


def _rarity(each: Hypothesis) -> str:
    """Why a label is too rare for a finding."""
    if each.episodes < each.needed:
        return f"{each.episodes} times in one half of it, {each.needed} are needed"
    return f"{figure(100 * each.prevalence, 1)} % of one half of it, {figure(100 * PREVALENCE, 0)} % is needed"


def finding(each: Hypothesis, listed: Payload, name: str, price: str) -> str:
    """One unit and what it follows, in the figures that the page's table has."""
    r, untrained, chance = correlation(each, each.best), listed["untrained_best"], listed["null95"]
    return (
        f"Unit {name} follows {listed['meaning']}: correlation {figure(r['a'])} where it was chosen, {figure(r['b'])} "
        f"on what was not used to choose it. An untrained network reaches {figure(untrained)}, chance {figure(chance)}."
        + _use(listed, price)
    )


def _use(listed: Payload, price: str) -> str:
    """What holding the best unit still costs, where it was measured."""
    bits, part = listed["cost_bits"], listed.get("cost_percent")
    if bits is None and part is None:
        return ""
    cost = figure(bits, 3) if part is None else figure(part, 1)
    return UNUSED if float(cost) <= 0 else f" Held still, it costs {cost}{price}."


def _memory(payload: Payload, unit: str) -> list[str]:
    """How far back the network looks."""
    flow, lives = payload["flow"], sorted(unit["half_median"] for unit in payload["units"] if unit["half_median"])
    sentences = []
    if flow:
        share = flow["share"]
        sentences.append(
            f"Half of what moves a prediction lies in the last {share['50']} {unit}, nine tenths in the last "
            f"{share['90']}, nearly all (99 %) in the last {share['99']}."
        )
    if lives:
        sentences.append(
            f"Half of the units forget half of what they hold within {lives[len(lives) // 2]:g} {unit}; the tenth "
            f"that remembers longest keeps it for {lives[-max(1, len(lives) // 10)]:g} or more."
        )
    return sentences
