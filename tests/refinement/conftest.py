"""Tests of the refine stage run on one thread: their tensors are small, and other tests run beside them."""

import torch

torch.set_num_threads(1)
