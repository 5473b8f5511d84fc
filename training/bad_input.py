"""What becomes of pictures of which no asset should be made, and how many good ones are refused with them.

    python -m training.bad_input --out out/bad-input                      # through the running service
    python -m training.bad_input --engine models/vlm/compact-plan ...     # through the plan model alone

A picture is *refused* (the image, before any expensive stage), *failed* (with another typed error), *flagged* (an asset
or plan whose confidence is below the threshold that `gateway.plans` documents) or *accepted*. Writes `report.json`,
`report.md` and `pictures.jpg`, in which each frame's colour tells the outcome; `--page docs/limits.md` also brings the
table into that page.
"""

from __future__ import annotations

import argparse
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from client.cli import DEFAULT_HOME, MODELS
from client.errors import ClientError
from client.local.ensemble import Ensemble
from client.sdk import SparkClient
from gateway.images import normalise, read_rgb
from gateway.plans import LOW_CONFIDENCE
from services.vlm.calibration import load_calibration
from services.vlm.planner import plan_image
from services.vlm.transformers_engine import TransformersEngine
from serving.errors import SparkError
from spark.v1 import reconstruction_service_pb2 as pb
from training.bad_pictures import SIDE, BadPicture, bad_pictures
from training.draw import Split
from training.objects import generate
from training.preview import photograph
from training.sections import write_section

GOOD = "good photograph"
FIRST_GOOD = 510_000
"""Seed of the first validation object; calibration uses others."""
FRAMES = {"refused": "#208040", "failed": "#206080", "flagged": "#e0a020", "accepted": "#c02020"}
"""Every outcome, and the colour of its frame."""
REFUSALS = ("IMAGE_REFUSED", "IMAGE_INVALID")


@dataclass(frozen=True)
class Outcome:
    """What became of one picture.

    Attributes:
        kind: of the picture.
        name: of the picture.
        outcome: a key of `FRAMES`.
        reason: the error's reason and refusal, or the category of the plan.
        confidence: of the plan; None after an error.
    """

    kind: str
    name: str
    outcome: str
    reason: str
    confidence: float | None


Asker = Callable[[bytes], tuple[str, float]]
"""Category and confidence of a PNG file's plan.

Raises:
    ClientError, SparkError: there is none.
"""


def judge(picture: BadPicture, ask: Asker) -> Outcome:
    """Ask about one picture."""
    file = io.BytesIO()
    picture.image.save(file, "PNG")
    try:
        category, confidence = ask(file.getvalue())
    except (ClientError, SparkError) as error:
        outcome = "refused" if error.reason in REFUSALS else "failed"
        return Outcome(picture.kind, picture.name, outcome, f"{error.reason}: {error}", None)
    outcome = "flagged" if confidence < LOW_CONFIDENCE else "accepted"
    return Outcome(picture.kind, picture.name, outcome, category, confidence)


def service(client: SparkClient, last_stage: int) -> Asker:
    """Through the public API, up to a stage."""

    def ask(image: bytes) -> tuple[str, float]:
        plan = client.result(client.create(image, last_stage=last_stage)).plan
        return plan.category, plan.confidence

    return ask


def engine(folder: Path) -> Asker:
    """As the gateway and the plan stage do, in this process."""
    model, calibration = TransformersEngine.load(folder), load_calibration(folder)

    def ask(image: bytes) -> tuple[str, float]:
        plan = plan_image(model, read_rgb(normalise(image)), (), 0, calibration=calibration)
        return plan.category, plan.confidence

    return ask


def good_pictures(count: int) -> list[BadPicture]:
    """Photographs of validation objects, which should not be refused."""
    seeds = range(FIRST_GOOD, FIRST_GOOD + count)
    shots = (photograph(generate(seed, Split.VAL), Split.VAL, SIDE, seed) for seed in seeds)
    return [BadPicture(GOOD, f"good-{index:03d}", Image.fromarray(shot)) for index, shot in enumerate(shots)]


def summarise(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """For each kind of picture the number of them and the share of each outcome; "all bad" over all but the good."""
    groups: dict[str, list[Outcome]] = {"all bad": [x for x in outcomes if x.kind != GOOD]}
    for outcome in outcomes:
        groups.setdefault(outcome.kind, []).append(outcome)
    table: dict[str, dict[str, float]] = {}
    for kind, group in groups.items():
        if group:
            counts = Counter(x.outcome for x in group)
            table[kind] = {"n": len(group)} | {name: round(counts[name] / len(group), 4) for name in FRAMES}
    return table


def page(table: dict[str, dict[str, float]], outcomes: Sequence[Outcome], about: str) -> str:
    """The report in Markdown: the table, and the bad pictures that were accepted."""
    columns = list(FRAMES)
    lines = [f"{about}. Flagged: the plan's confidence is below {LOW_CONFIDENCE}.", ""]
    lines += [f"| picture | n | {' | '.join(columns)} |", f"| --- | --- |{' --- |' * len(columns)}"]
    for kind, row in table.items():
        lines.append(f"| {kind} | {row['n']:.0f} | {' | '.join(f'{row[name]:.2f}' for name in columns)} |")
    lines.append("")
    accepted = [x for x in outcomes if x.kind != GOOD and x.outcome == "accepted"]
    if accepted:
        lines += ["Accepted bad pictures:", ""]
        lines += [f"- {x.name}: {x.reason}, confidence {x.confidence:.2f}" for x in accepted]
        lines.append("")
    return "\n".join(lines)


def sheet(pictures: Sequence[BadPicture], outcomes: Sequence[Outcome]) -> Image.Image:
    """All pictures, each framed in the colour of its outcome."""
    side, columns = 96, 12
    tiles = []
    for picture, outcome in zip(pictures, outcomes, strict=True):
        tile = ImageOps.pad(picture.image, (side - 8, side - 8), color="white")
        tiles.append(np.asarray(ImageOps.expand(tile, 4, FRAMES[outcome.outcome])))
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    return Image.fromarray(np.concatenate(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/bad-input"))
    parser.add_argument("--engine", type=Path, metavar="FOLDER", help="ask this plan model in place of the service")
    home = os.environ.get("SPARK_HOME", DEFAULT_HOME)
    parser.add_argument("--home", type=Path, default=home, help="of the local ensemble that is asked")
    parser.add_argument("--last-stage", default="plan", help="of the service, to which each picture may come")
    parser.add_argument("--good", type=int, default=100, help="photographs that should be accepted")
    parser.add_argument("--split", type=Split, default=Split.TEST, help="of the objects in bad pictures")
    parser.add_argument("--page", type=Path, help="of the documentation, to bring the table into")
    arguments = parser.parse_args()
    pictures = [*bad_pictures(arguments.split), *good_pictures(arguments.good)]
    if arguments.engine:
        ask, through = engine(arguments.engine), "the plan model"
        outcomes = [judge(picture, ask) for picture in pictures]
    else:
        through = f"the service up to the {arguments.last_stage} stage"
        address = Ensemble(arguments.home, MODELS).gateway
        if address is None:
            parser.error("no ensemble runs here: `spark up` starts one")
        with SparkClient(address) as client:
            ask = service(client, pb.Stage.Value(f"STAGE_{arguments.last_stage.upper()}"))
            outcomes = [judge(picture, ask) for picture in pictures]
    table = summarise(outcomes)
    about = f"{len(pictures)} pictures through {through}; objects of the {arguments.split} split in bad ones"
    arguments.out.mkdir(parents=True, exist_ok=True)
    report = {"about": about, "threshold": LOW_CONFIDENCE, "table": table, "pictures": [asdict(x) for x in outcomes]}
    (arguments.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    text = page(table, outcomes, about)
    (arguments.out / "report.md").write_text(f"# Bad input\n\n{text}")
    if arguments.page:
        write_section(arguments.page, "bad-input", text)
    sheet(pictures, outcomes).save(arguments.out / "pictures.jpg", quality=88)
    print(text)


if __name__ == "__main__":
    main()
