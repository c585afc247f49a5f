"""What a chart says of its pools for a cluster only, as the conductor reads it."""

from conductor.cluster import access, pool_values
from conductor.cluster.names import Names


def test_a_port_of_a_pool_is_found_at_the_pools_service() -> None:
    assert {"fix": ("trading-engine", 9878), "door": ("trading-engine", 9879)} == pool_values.ports(Names("trading"))
    assert {} == pool_values.ports(Names("orders"))


def test_the_folder_of_a_pool_is_where_its_volume_is_mounted() -> None:
    assert {"engine": "/var/lib/trading"} == pool_values.folders(Names("trading"))
    assert {} == pool_values.folders(Names("orders"))


def test_a_client_from_outside_finds_the_ports_as_well() -> None:
    assert ("trading-engine", 9878) == access.services("trading")["fix"]
