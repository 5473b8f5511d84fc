"""Part hints: what the caller knows about the parts, such as "two drawers".

A hint is passed to the model as text. Where it counts parts in the vocabulary's words ("two drawers", "1 door", "no
handle"), it also binds the plan, whatever the picture suggests.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from services.vlm.vocabulary import LABELS, MAX_PARTS

NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen",
)  # fmt: skip

_COUNTED = re.compile(r"\b(\d{1,2}|no|an?|" + "|".join(NUMBER_WORDS) + r")\s+([a-z]+(?:[ _][a-z]+)?)")


def plural(label: str) -> str:
    """The English plural of a label."""
    if label == "foot":
        return "feet"
    if label == "shelf":
        return "shelves"
    return f"{label}es" if label.endswith(("s", "ch")) else f"{label}s"


_NAMES = {name: label for label in LABELS for name in (label, plural(label))}


def counts(hints: Iterable[str]) -> dict[str, int]:
    """How many parts of each label the hints ask for; hints without a count bind nothing."""
    wanted: dict[str, int] = {}
    for hint in hints:
        for number, words in _COUNTED.findall(hint.lower()):
            label = _NAMES.get(words.replace(" ", "_")) or _NAMES.get(re.split("[ _]", words)[0])
            if label is not None:
                wanted[label] = min(_value(number), MAX_PARTS - 1)
    return wanted


def _value(number: str) -> int:
    if number.isdigit():
        return int(number)
    return {"no": 0, "a": 1, "an": 1}[number] if number in ("no", "a", "an") else NUMBER_WORDS.index(number)


def describe(wanted: Mapping[str, int]) -> str:
    """Counts as a hint in words, e.g. "two drawers; one door": the form in which the compact model saw hints."""
    names = ((NUMBER_WORDS[n] if n else "no", label if n == 1 else plural(label)) for label, n in wanted.items())
    return "; ".join(f"{number} {name}" for number, name in names)


def fit(labels: Sequence[str], wanted: Mapping[str, int]) -> list[str]:
    """The labels of a plan, root first, with parts left out or added at the end until the counts hold.

    The root always stays; the result never exceeds the format's number of parts.
    """
    seen = Counter(labels[:1])
    kept = list(labels[:1])
    for label in labels[1:]:
        seen[label] += 1
        if label not in wanted or seen[label] <= wanted[label]:
            kept.append(label)
    missing = [label for label, count in wanted.items() for _ in range(count - kept.count(label))]
    room = MAX_PARTS - len(missing)
    if len(kept) > room:
        kept = kept[:1] + [x for x in kept[1:] if x in wanted][: max(room - 1, 0)]
    return (kept + missing)[:MAX_PARTS]
