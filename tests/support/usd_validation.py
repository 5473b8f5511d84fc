"""What NVIDIA's USD validator says of a file: the rules of OpenUSD itself and those of simulators."""

from pathlib import Path

from usd_validation_nvidia import IssueSeverity, ValidationEngine


def problems(path: Path) -> set[str]:
    """Errors and failures, by rule."""
    return _issues(path, IssueSeverity.ERROR, IssueSeverity.FAILURE)


def warnings(path: Path) -> set[str]:
    """What is allowed but wasteful or odd, by rule."""
    return _issues(path, IssueSeverity.WARNING)


def _issues(path: Path, *severities: IssueSeverity) -> set[str]:
    issues = ValidationEngine().validate(str(path)).issues()
    return {
        f"{issue.rule and issue.rule.__name__}: {issue.message}" for issue in issues if issue.severity in severities
    }
