"""Verdicts and differences in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench.scores.listed import HUNDREDTHS


if TYPE_CHECKING:
    from tlbench.judge.decisions import Decision, Outcome
    from tlbench.scores.listed import Unit

# Names of units after differences.
UNITS: dict[Unit, str] = {"percent": " points", "points": " points", "nats": " nats", "number": ""}


def in_words(decision: Decision, outcome: Outcome, threshold: float, unit: Unit, seeds_needed: int | None) -> str:
    """Difference, interval, threshold and p, in a line.

    Args:
        decision: Test, level and interval of the verdict.
        outcome: Outcome of the verdict.
        threshold: Value that the difference should exceed.
        unit: Unit of the difference.
        seeds_needed: Number of seeds that may decide an inconclusive claim; None where it is unknown or above 1,000.
    """
    if decision.interval is None:
        return f"should exceed {shown_with_unit(threshold, unit)}"
    mean = f"difference {shown_with_unit(decision.interval.mean, unit)}"
    if decision.p is None:
        return f"{mean}; should exceed {shown_difference(threshold, unit)}"
    low, high, bound = shown_interval(decision.interval.low, decision.interval.high, threshold, unit)
    p = shown_p(decision.p, decision.level)
    words = f"{mean}, interval {low} to {high}; should exceed {bound}, p {p if p.startswith('<') else f'= {p}'}"
    words += " against it" if decision.against else ""
    words += f" among {decision.claims} claims" if decision.claims > 1 else ""
    if outcome == "inconclusive":
        words += f"; may need {seeds_needed or 'over 1000'} seeds"
    return words


# Two numbers that are shown alike with so many decimals more than usual are alike.
MOST_DECIMALS = 6


def shown_difference(value: float, unit: Unit, more_decimals: int = 0) -> str:
    """A difference with its sign, in points where it is one of shares: `+1.2`; otherwise for instance `+0.012`.

    A value that rounds to zero is `0.0` or `0.000`, without a sign.

    Args:
        value: Difference in the scores' own unit.
        unit: Unit of the scores.
        more_decimals: Number of decimals beyond the usual.
    """
    scale, digits = (100, 1) if unit in HUNDREDTHS else (1, 3)
    return shown_signed(scale * value, digits + more_decimals)


def shown_with_unit(value: float, unit: Unit) -> str:
    """A difference with its sign and the name of its unit: `+1.2 points`, `+0.012 nats`, or `+0.012`."""
    return f"{shown_difference(value, unit)}{UNITS[unit]}"


def shown_signed(value: float, decimals: int) -> str:
    """A number with its sign; without one where it rounds to zero."""
    text = f"{value:+.{decimals}f}"
    return text if float(text) else text[1:]


def shown_interval(low: float, high: float, threshold: float, unit: Unit) -> tuple[str, str, str]:
    """Both ends of an interval and the threshold that decides it, as `shown_difference` shows them.

    All three have as many decimals as it takes to see on which side of the threshold each end is: an interval that
    begins just above the threshold does not seem to begin there.

    Args:
        low: Lower end; may be minus infinity.
        high: Upper end; may be infinity.
        threshold: Finite value that the difference should exceed.
        unit: Unit of the scores.
    """
    values = low, high, threshold
    for more_decimals in range(MOST_DECIMALS + 1):
        texts = [shown_difference(value, unit, more_decimals) for value in values]
        rounded = [float(text) for text in texts]
        if [end > rounded[2] for end in rounded] == [end > threshold for end in values]:
            break
    return texts[0], texts[1], texts[2]


def shown_p(value: float, level: float | None = None) -> str:
    """A p-value as verdicts show it, for instance `0.012`, or `< 0.001`.

    Args:
        value: P-value, from 0 to 1.
        level: Level of the test; more decimals are shown where rounding would move the p-value across it.
    """
    if value < 0.0005:
        return "< 0.001"
    shown = (f"{value:.{decimals}f}" for decimals in range(3, 3 + MOST_DECIMALS))
    first = f"{value:.3f}"
    return first if level is None else next((text for text in shown if (float(text) > level) == (value > level)), first)
