"""A protoc plugin that writes the gRPC stubs: buf speaks the plugin protocol, grpc_tools only the command line."""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler import plugin_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc


def main() -> None:
    request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    response = plugin_pb2.CodeGeneratorResponse(
        supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    )
    with tempfile.TemporaryDirectory() as folder:
        descriptors = Path(folder, "descriptors.bin")
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        services = {file.name for file in request.proto_file if file.service}
        wanted = [name for name in request.file_to_generate if name in services]
        if wanted:
            code = protoc.main(["protoc", f"--descriptor_set_in={descriptors}", f"--grpc_python_out={folder}", *wanted])
            if code:
                response.error = f"grpc_tools.protoc ended with {code}"
        for path in sorted(Path(folder).rglob("*_pb2_grpc.py")):
            response.file.add(name=str(path.relative_to(folder)), content=path.read_text())
    sys.stdout.buffer.write(response.SerializeToString())


if __name__ == "__main__":
    main()
