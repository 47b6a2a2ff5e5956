"""What was found, in plain sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from gatework.inspect.hypotheses import EPISODES, PREVALENCE, Hypothesis
from gatework.inspect.labels import MEANINGS

Payload = dict[str, Any]
UNUSED = " Held still, it is not missed: what a unit follows is not always used."


def findings(payload: Payload, hypotheses: Sequence[Hypothesis], names: Sequence[str]) -> list[str]:
    """How well the network predicts, what its units follow, how long it remembers."""
    unlearned = f"or they are too rare here ({EPISODES} times and {PREVALENCE:.0%} of each half are needed)"
    told = [prediction(payload["results"]), *learned(payload, hypotheses, names, MEANINGS, unlearned)]
    return told + memory(payload, "tokens")


def series_findings(
    payload: Payload, hypotheses: Sequence[Hypothesis], names: Sequence[str], meanings: Mapping[str, str]
) -> list[str]:
    """How far the network is trusted, what its units follow, how long it remembers."""
    trust = payload["results"]["trust"]
    told = [
        f"The network corrects a simple forecast ({payload['results']['base']}); where it was judged, it was trusted "
        f"by {trust:.0%}" + (": its medians do not count, only the width of its bands." if not trust else ".")
    ]
    told += learned(payload, hypotheses, names, meanings, "or the series is too short to tell")
    return told + memory(payload, "steps")


def prediction(results: Payload) -> str:
    """How well it predicts, beside guessing blindly."""
    here = f"{results['here']:.2f} bits a token on this text; guessing blindly would take {results['blind']:.2f}"
    if results["bits"] is not None:
        return f"The network needs {results['bits']:.2f} bits a character on text held out from its training, {here}."
    return f"The network needs {here}."


def learned(
    payload: Payload,
    hypotheses: Sequence[Hypothesis],
    names: Sequence[str],
    meanings: Mapping[str, str],
    rarely: str,
) -> list[str]:
    """Which labels a single unit follows, and which it does not."""
    told: list[str] = []
    unlearned: list[str] = []
    for each, listed in zip(hypotheses, payload["hypotheses"], strict=True):
        if listed["found"]:
            index = each.best
            a, b = (abs(float(half[index])) for half in (each.a, each.b))
            told.append(
                f"Unit {names[index]} follows {meanings[each.name]}: correlation {a:.2f} where it was chosen, {b:.2f} "
                f"on what was not used to choose it. An untrained network reaches {each.untrained:.2f}, chance "
                f"{each.null:.2f}." + cost(listed)
            )
        else:
            unlearned.append(each.name)
    if not hypotheses:
        told.append("There is too little of it to say what single units follow.")
    elif unlearned:
        told.append(
            f"No single unit follows {', '.join(unlearned)} more closely than an untrained network's best unit "
            f"and chance do, {rarely}."
        )
    return told


def cost(listed: Payload) -> str:
    """What it costs to hold a unit still."""
    if (bits := listed["cost_bits"]) is not None:
        return f" Held still, it costs {bits:.3f} bits a token." if bits >= 0.001 else UNUSED
    if (percent := listed.get("cost_percent")) is not None:
        return f" Held still, it costs {percent:.1f} % of the error." if percent >= 0.1 else UNUSED
    return ""


def memory(payload: Payload, unit: str) -> list[str]:
    """How far back the network looks."""
    flow, lives = payload["flow"], sorted(unit["half_median"] for unit in payload["units"] if unit["half_median"])
    told = []
    if flow:
        share = flow["share"]
        told.append(
            f"Half of what moves a prediction lies in the last {share['50']} {unit}, nine tenths in the last "
            f"{share['90']}, nearly all (99 %) in the last {share['99']}."
        )
    if lives:
        told.append(
            f"Half of the units forget half of what they hold within {lives[len(lives) // 2]:g} {unit}; the tenth "
            f"that remembers longest keeps it for {lives[-max(1, len(lives) // 10)]:g} or more."
        )
    return told
