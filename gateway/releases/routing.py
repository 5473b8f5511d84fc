"""Which version a job uses: decided once, when it begins, by its id alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from gateway.releases.state import Mode, ModelRecord, Phase


@dataclass(frozen=True)
class Choice:
    """The versions of one job, written into it when it begins.

    Attributes:
        versions: by model; empty for what Triton has in service where no release was ever made.
        candidate: the model whose version is at release; empty for none.
        stable: the stable version of that model, for a second try.
    """

    versions: Mapping[str, str]
    candidate: str = ""
    stable: str = ""

    @property
    def all_stable(self) -> Self:
        """The same without the version at release."""
        return type(self)({**self.versions, self.candidate: self.stable}) if self.candidate else self

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


def share(model: str, job: str) -> float:
    """Where a job stands among all jobs, in [0, 1): the same for ever, and unrelated from model to model."""
    digest = hashlib.sha256(f"{model}/{job}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def takes_part(record: ModelRecord, job: str, mode: Mode) -> bool:
    """Whether a job falls into the share of the version at release."""
    release = record.release
    return (
        release is not None
        and release.phase is Phase.SERVING
        and release.mode is mode
        and share(record.model, job) < release.weight
    )


def choose(
    job: str, records: Mapping[str, ModelRecord], defaults: Mapping[str, str], pins: Mapping[str, str]
) -> Choice:
    """A job's versions. At most one is at release, so that a failure has one suspect; a job with a pin has none.

    Args:
        job: its id.
        records: of the models that releases were made of.
        defaults: every model, and its version without a record.
        pins: what the caller demands.
    """
    versions = {model: records[model].stable if model in records else default for model, default in defaults.items()}
    if pins:
        return Choice(versions | dict(pins))
    for model, record in records.items():
        if takes_part(record, job, Mode.CANARY):
            return Choice(versions | {model: record.candidate}, model, record.stable)
    return Choice(versions)
