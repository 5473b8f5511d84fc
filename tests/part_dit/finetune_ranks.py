"""What torchrun starts in a test: fine-tune, and let every process say what it ended with.

python finetune_ranks.py FOLDER OPTIONS_OF_FINETUNE_PART_DIT
"""

import sys
from pathlib import Path

import torch

from training.finetune_part_dit import finetune, parse
from training.processes import join

if __name__ == "__main__":
    device, rank, world = join("cpu")
    loop = finetune(parse(sys.argv[2:]), torch.device(device), rank, world)
    torch.save(loop.ema_state_dict(), Path(sys.argv[1]) / f"rank-{rank}.pt")
    torch.distributed.destroy_process_group()
