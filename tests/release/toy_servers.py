"""One toy service as a process: `python toy_servers.py vlm|refinement|triton VERSION HOST:PORT`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import toy_services
from toy_services import Switchboard, ToyRefinement, ToyServer, ToyTriton, ToyVlm
from tritonclient.grpc.service_pb2_grpc import add_GRPCInferenceServiceServicer_to_server

from spark.v1 import model_pb2
from spark.v1.refinement_service_pb2_grpc import add_RefinementServiceServicer_to_server
from spark.v1.vlm_service_pb2_grpc import add_VlmServiceServicer_to_server

KINDS = {
    "vlm": (ToyVlm, add_VlmServiceServicer_to_server),
    "refinement": (ToyRefinement, add_RefinementServiceServicer_to_server),
    "triton": (ToyTriton, add_GRPCInferenceServiceServicer_to_server),
}


async def main(kind: str, version: str, address: str) -> None:
    servicer, add = KINDS[kind]
    toy_services.MODEL = model_pb2.ModelVersion(model=kind, version=version, digest=version * 64)
    server = ToyServer(lambda started: add(servicer(Switchboard()), started))
    server.port = int(address.rpartition(":")[2])
    await server.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
