"""The command line that every training program shares."""

from __future__ import annotations

import argparse
from pathlib import Path


def training_parser(description: str | None, objects: int) -> argparse.ArgumentParser:
    """Options of state, export, time, device and data; a program adds its own.

    Args:
        description: the program's docstring, shown as it is.
        objects: default number of training objects.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True, help="checkpoint and curve; continued if there")
    parser.add_argument("--export", type=Path, required=True, help="weights folder to write")
    parser.add_argument("--run-seconds", type=float, required=True, help="of this run, data included")
    parser.add_argument("--total-seconds", type=float, required=True, help="over all runs; sets the learning rate")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--objects", type=int, default=objects)
    parser.add_argument("--library", type=Path, help="objects that `training.train_all` generated; else they are made")
    parser.add_argument("--init", action="store_true", help="start from the weights that --export holds")
    parser.add_argument("--processes", type=int, default=16, help="that generate objects")
    parser.add_argument("--toy", action="store_true", help="a tiny model on little data, for a check on a CPU")
    return parser
