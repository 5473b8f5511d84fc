"""A real tritonserver with the flags that the chart gives it for TLS."""

from pathlib import Path

import pytest
import trustme
from chart import main_container, rendered, workloads
from pods import Pods
from triton_server import triton_server

from gateway.triton import TritonModels
from serving.errors import Unavailable
from serving.tls import Identity


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_only_callers_with_a_certificate_are_answered(tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", "localhost", "spark-part-dit")
    (tmp_path / "tls.crt").write_bytes(leaf.cert_chain_pems[0].bytes())
    (tmp_path / "tls.key").write_bytes(leaf.private_key_pem.bytes())
    (tmp_path / "ca.crt").write_bytes(authority.cert_pem.bytes())
    for folder in ("repository", "work"):
        (tmp_path / folder).mkdir()
    arguments = main_container(workloads(rendered("production"))["part_dit"])["args"]
    flags = [
        one.replace("/tls/", f"{tmp_path}/") for one in arguments if "ssl" in one or "-cert=" in one or "-key=" in one
    ]
    assert len(flags) == 4
    certificate, key, ca = (str(tmp_path / name) for name in ("tls.crt", "tls.key", "ca.crt"))
    client = {"ssl": True, "root_certificates": ca, "private_key": key, "certificate_chain": certificate}
    with triton_server(tmp_path / "repository", [], tmp_path / "work", flags, **client) as server:
        for identity in (None, Identity(None, None, Path(ca))):
            stranger = TritonModels(server.address, False, None, identity=identity)
            with pytest.raises(Unavailable):
                await stranger.served("part_dit")
            await stranger.close()
        own = Identity(Path(certificate), Path(key), Path(ca))
        known = TritonModels(server.address, False, None, identity=own)
        assert await known.served("part_dit") == []
        await known.close()
        pod = TritonModels("spark-part-dit:8001", False, None, replicas=Pods(server.address), identity=own)
        assert await pod.served("part_dit") == []
        await pod.close()
        other = TritonModels("spark-other:8001", False, None, replicas=Pods(server.address), identity=own)
        with pytest.raises(Unavailable):
            await other.served("part_dit")
        await other.close()
