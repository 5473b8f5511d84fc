"""What vLLM's chat API answers."""

import json
from math import log

from http_server import Answer

from services.vlm.plan_format import dumps

BODY = {"label": "body", "material": "wood", "parent": -1, "box": [0, 0, 0, 9, 9, 9], "joint": {"type": "fixed"}}
PLAN = dumps({"category": "safe", "size_cm": 40, "camera": [0, 0, 30, 200, 0, 0], "parts": [BODY]})
END = "<|im_end|>"


def chat(*pieces: str, finish: str | None = "stop", text: str | None = None) -> Answer:
    """An answer in pieces, each half as likely as it could be, and the end of the turn."""
    content = [{"token": piece, "logprob": log(0.5), "bytes": [], "top_logprobs": []} for piece in (*pieces, END)]
    message = {"role": "assistant", "content": "".join(pieces) if text is None else text}
    choice = {"index": 0, "message": message, "logprobs": {"content": content}, "finish_reason": finish}
    return Answer(body=json.dumps({"id": "chat-1", "choices": [choice]}).encode())
