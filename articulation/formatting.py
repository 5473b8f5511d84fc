"""Numbers as the XML documents hold them: ten digits, enough for micrometres in a house."""

from collections.abc import Iterable


def number(value: float) -> str:
    return f"{value + 0.0:.10g}"  # adding zero makes -0 a plain 0


def numbers(values: Iterable[float]) -> str:
    """Numbers separated by spaces."""
    return " ".join(number(value) for value in values)
