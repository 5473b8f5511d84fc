"""The one interceptor of every server: rules in, statuses out.

Around each call it refuses a deadline that is already past, checks every request message against the rules written in
the proto (protovalidate), turns exceptions into `google.rpc.Status`, and counts and times the call.
"""

from __future__ import annotations

import errno
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
import protovalidate
from google.protobuf.message import Message
from prometheus_client import Histogram

from articulation.errors import InvalidArticulation
from serving.errors import DeadlineExceeded, FieldViolation, InvalidPlan, InvalidRequest, SparkError, StorageFull
from serving.status import DETAILS_KEY, hidden, to_status

SECONDS = Histogram(
    "spark_rpc_seconds",
    "Time from the first request message to the end of the call, by method and code.",
    ["method", "code"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300),
)


class SparkInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Makes every handler of a `grpc.aio` server keep the contract of `serving.errors`, unary and streaming alike."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        kind = "_".join(
            "stream" if streams else "unary" for streams in (handler.request_streaming, handler.response_streaming)
        )
        inner = getattr(handler, kind)
        wrap = _wrap_stream if handler.response_streaming else _wrap_unary
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(wrap(method, inner), handler.request_deserializer, handler.response_serializer)


def validate(message: Message) -> None:
    """Check a message against the rules of its proto.

    Raises:
        InvalidRequest: with one violation for each broken rule.
    """
    found = [
        FieldViolation(_path(violation.proto), violation.proto.message)
        for violation in protovalidate.collect_violations(message)
    ]
    if found:
        text = "; ".join(f"{v.field}: {v.description}" for v in found)
        raise InvalidRequest(text, violations=found)


def _path(violation: Any) -> str:
    """The field of a violation as a caller writes it, e.g. `options.model_versions[part_dit]`."""
    path = ""
    for element in violation.field.elements:
        path += f".{element.field_name}"
        subscript = element.WhichOneof("subscript")
        if subscript:
            path += f"[{getattr(element, subscript)}]"
    return path.removeprefix(".")


def _wrap_unary(method: str, inner: Any) -> Any:
    async def call(request: Any, context: grpc.aio.ServicerContext) -> Any:
        start = time.perf_counter()
        try:
            response = await inner(_checked(request, context), context)
        except Exception as error:  # noqa: BLE001  the one place that turns exceptions into statuses
            await _abort(method, error, context, start)
        _observe(method, grpc.StatusCode.OK, start)
        return response

    return call


def _wrap_stream(method: str, inner: Any) -> Any:
    async def call(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        start = time.perf_counter()
        try:
            answers = inner(_checked(request, context), context)
            if inspect.isawaitable(answers):  # a handler that writes to the context itself
                await answers
            else:
                async for answer in answers:
                    yield answer
        except Exception as error:  # noqa: BLE001  the one place that turns exceptions into statuses
            await _abort(method, error, context, start)
        _observe(method, grpc.StatusCode.OK, start)

    return call


def _checked(request: Any, context: grpc.aio.ServicerContext) -> Any:
    remaining = context.time_remaining()
    if remaining is not None and remaining <= 0:
        raise DeadlineExceeded("the deadline was over before the call began")
    if isinstance(request, Message):
        validate(request)
        return request
    return _checked_stream(request)


async def _checked_stream(requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
    async for request in requests:
        validate(request)
        yield request


async def _abort(method: str, error: Exception, context: grpc.aio.ServicerContext, start: float) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError):
        _observe(method, context.code() or grpc.StatusCode.UNKNOWN, start)
        raise error
    known = as_spark_error(error, method)
    _observe(method, known.code, start)
    status = to_status(known)
    await context.abort(known.code, known.message, ((DETAILS_KEY, status.SerializeToString()),))
    raise AssertionError("abort returned")


def as_spark_error(error: Exception, where: str) -> SparkError:
    """What a caller may see of an exception; one that nobody foresaw is logged with an id and hidden behind it."""
    if isinstance(error, SparkError):
        return error
    if isinstance(error, InvalidArticulation):
        return InvalidPlan.at(f"plan.{error.field}", error.problem)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull("the server's disk is full")
    return hidden(error, where)


def _observe(method: str, code: grpc.StatusCode, start: float) -> None:
    SECONDS.labels(method, code.name).observe(time.perf_counter() - start)
