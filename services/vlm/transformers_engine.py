"""The in-process engine: any Qwen3-VL folder, loaded by transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoTokenizer,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from articulation.typing import ImageArray
from checkpoints.errors import CheckpointError
from checkpoints.folder import check_safe, read_layout, weight_bytes
from checkpoints.loading import check_finite, check_fits, open_transformers
from services.vlm.constraint import SchemaConstraint, grammar_tokenizer
from services.vlm.engine import TEMPERATURE, Abandoned, Completion, Repair, Token
from services.vlm.prompt import Prompt, Turn, plan_prompt
from serving.errors import ModelNotReady


class TransformersEngine:
    """Generates with a key-value cache under the schema, one answer at a time.

    The image processor and the tokenizer are loaded apart, because Qwen's joint processor needs torchvision for videos.
    """

    def __init__(self, model: Any, tokenizer: Any, image_processor: Any, prompt: Prompt) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._images = image_processor
        self._prompt = prompt
        self._grammar = grammar_tokenizer(tokenizer, model.config.text_config.vocab_size)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Self:
        """Open a model folder; float32 on a CPU, where bfloat16 is slower, and as stored elsewhere.

        Raises:
            serving.errors.ModelNotReady: the folder holds no model that may be used; says what is wrong with it.
        """
        images: Any = AutoImageProcessor
        dtype = torch.float32 if device == "cpu" else "auto"
        try:
            check_safe(folder)
            check_fits(folder.name, weight_bytes(read_layout(folder)), torch.device(device))
            model = open_transformers(AutoModelForImageTextToText.from_pretrained, folder, dtype)
            check_finite(folder.name, model)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            image_processor = images.from_pretrained(folder, local_files_only=True)
        except CheckpointError as error:
            raise ModelNotReady(f"no usable vision-language model: {error}", metadata={"model": folder.name}) from error
        except (OSError, ValueError) as error:  # ValueError: a folder without config.json
            raise ModelNotReady(
                f"no vision-language model in {folder.name}", metadata={"model": folder.name}
            ) from error
        return cls(model.to(device), tokenizer, image_processor, plan_prompt(folder))

    @torch.inference_mode()
    def complete(
        self,
        image: ImageArray,
        hints: Sequence[str],
        schema: dict[str, Any],
        repair: Repair | None,
        stop: Callable[[], bool],
    ) -> Completion:
        """See `services.vlm.engine.PlanEngine`."""
        inputs = self._inputs(image, self._prompt.turns(hints, repair))
        temperature = 1.0
        choice: dict[str, Any] = {"do_sample": False}
        if self._prompt.draws(repair):
            temperature = TEMPERATURE
            choice = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        devices = [] if self._model.device.type == "cpu" else [self._model.device]
        with torch.random.fork_rng(devices):
            torch.manual_seed(0 if repair is None else repair.seed)
            output = self._model.generate(
                **inputs,
                **choice,
                max_length=self._tokenizer.model_max_length,
                logits_processor=LogitsProcessorList([SchemaConstraint(self._grammar, schema)]),
                stopping_criteria=StoppingCriteriaList([_Stop(stop)]),
                eos_token_id=self._tokenizer.eos_token_id,
                pad_token_id=self._tokenizer.pad_token_id,
                return_dict_in_generate=True,
                output_scores=True,
            )
        if stop():
            raise Abandoned
        new = output.sequences[0, inputs["input_ids"].shape[1] :]
        return self._completion(new, [temperature * row for row in output.scores])

    def _inputs(self, image: ImageArray, turns: Sequence[Turn]) -> dict[str, Tensor]:
        """Model inputs of a conversation that begins with the picture."""
        pixels = self._images(images=[Image.fromarray(image)], return_tensors="pt")
        pictures: list[list[dict[str, str]]] = [[{"type": "image"}], *([] for _ in turns[1:])]
        messages = [
            {"role": turn.role, "content": [*shown, {"type": "text", "text": turn.text}]}
            for turn, shown in zip(turns, pictures, strict=True)
        ]
        text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        place = self._tokenizer.convert_ids_to_tokens(self._model.config.image_token_id)
        count = int(pixels["image_grid_thw"][0].prod()) // self._images.merge_size**2
        tokens = self._tokenizer(text.replace(place, place * count), return_tensors="pt")
        inputs = {
            "input_ids": tokens["input_ids"],
            "attention_mask": tokens["attention_mask"],
            "mm_token_type_ids": (tokens["input_ids"] == self._model.config.image_token_id).int(),
            "pixel_values": pixels["pixel_values"].to(self._model.dtype),
            "image_grid_thw": pixels["image_grid_thw"],
        }
        return {name: value.to(self._model.device) for name, value in inputs.items()}

    def _completion(self, new: Tensor, scores: Sequence[Tensor]) -> Completion:
        pieces: list[str] = []
        tokens: list[Token] = []
        length = 0
        for token, row in zip(new.tolist(), scores, strict=True):
            if token == self._tokenizer.eos_token_id:
                break
            piece = self._tokenizer.decode([token])
            tokens.append(Token(length, length + len(piece), float(row[0].softmax(-1)[token])))
            pieces.append(piece)
            length += len(piece)
        return Completion("".join(pieces), tuple(tokens))


class _Stop(StoppingCriteria):
    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        return torch.full((len(input_ids),), self._stop(), dtype=torch.bool, device=input_ids.device)
