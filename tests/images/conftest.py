"""The five images in containers, as the chart's local profile runs them: `make images-test`."""

from collections.abc import Iterator

import pytest
from chart import COMPONENTS, rendered, workloads
from containers import SUBNET, PodContainer, create_network, remove_all

Containers = dict[str, PodContainer]


@pytest.fixture(scope="session")
def containers() -> Iterator[Containers]:
    """By component; all of them have started."""
    pods = workloads(rendered("local"))
    hosts = {pods[name]["metadata"]["name"]: str(SUBNET[10 + place]) for place, name in enumerate(COMPONENTS)}
    remove_all()
    create_network()
    try:
        created = {name: PodContainer(pods[name], hosts) for name in COMPONENTS}
        for one in created.values():
            print(f"\n{one.service}: image {one.image_bytes() / 1e6:.0f} MB, started in {one.start():.1f} s")
        yield created
    finally:
        remove_all()
