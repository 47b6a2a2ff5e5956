"""What was found, in plain sentences."""

from collections.abc import Sequence
from typing import Any

from gatework.inspect.hypotheses import EPISODES, PREVALENCE, Hypothesis
from gatework.inspect.labels import MEANINGS

Payload = dict[str, Any]


def findings(payload: Payload, hypotheses: Sequence[Hypothesis], names: Sequence[str]) -> list[str]:
    """How well the network predicts, what its units follow, how long it remembers."""
    told = [prediction(payload["results"])]
    told += learned(payload, hypotheses, names)
    told += memory(payload)
    return told


def prediction(results: Payload) -> str:
    """How well it predicts, beside guessing blindly."""
    here = f"{results['here']:.2f} bits a token on this text; guessing blindly would take {results['blind']:.2f}"
    if results["bits"] is not None:
        return f"The network needs {results['bits']:.2f} bits a character on text held out from its training, {here}."
    return f"The network needs {here}."


def learned(payload: Payload, hypotheses: Sequence[Hypothesis], names: Sequence[str]) -> list[str]:
    """Which labels a single unit follows, and which it does not."""
    told: list[str] = []
    unlearned: list[str] = []
    for each, listed in zip(hypotheses, payload["hypotheses"], strict=True):
        if listed["found"]:
            index = each.best
            a, b = (abs(float(half[index])) for half in (each.a, each.b))
            told.append(
                f"Unit {names[index]} follows {MEANINGS[each.name]}: correlation {a:.2f} where it was chosen, {b:.2f} "
                f"on text not used to choose it. An untrained network reaches {each.untrained:.2f}, chance "
                f"{each.null:.2f}." + cost(listed["cost_bits"])
            )
        else:
            unlearned.append(each.name)
    if not hypotheses:
        told.append("The text is too short to say what single units follow.")
    elif unlearned:
        told.append(
            f"No single unit follows {', '.join(unlearned)} more closely than an untrained network's best unit "
            f"and chance do, or the text has them too rarely ({EPISODES} times and {PREVALENCE:.0%} of it at least)."
        )
    return told


def cost(bits: float | None) -> str:
    if bits is None:
        return ""
    if bits < 0.001:
        return " Held still, it is not missed: what follows is not always used."
    return f" Held still, it costs {bits:.3f} bits a token."


def memory(payload: Payload) -> list[str]:
    """How far back the network looks."""
    flow, lives = payload["flow"], sorted(unit["half_median"] for unit in payload["units"] if unit["half_median"])
    told = []
    if flow:
        share = flow["share"]
        told.append(
            f"Half of what moves a prediction lies in the last {share['50']} tokens, nine tenths in the last "
            f"{share['90']}, nearly all (99 %) in the last {share['99']}."
        )
    if lives:
        told.append(
            f"Half of the units forget half of what they hold within {lives[len(lives) // 2]:g} tokens; the tenth "
            f"that remembers longest keeps it for {lives[-max(1, len(lives) // 10)]:g} or more."
        )
    return told
