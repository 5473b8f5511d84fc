"""Numbers as the XML documents hold them: ten digits, enough for micrometres in a house."""

from collections.abc import Iterable


def number(value: float) -> str:
    return f"{value:.10g}"


def numbers(values: Iterable[float]) -> str:
    """Numbers separated by spaces."""
    return " ".join(number(value) for value in values)
