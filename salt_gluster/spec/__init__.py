"""Parse what the operator declares, from plain data. Every error names the key and the way out.

``types`` the frozen shapes · ``names`` ranges, hosts, paths, devices · ``values`` values by type ·
``volume`` and ``pool`` the two readers · ``option`` what values of options mean. Pure.
"""

from __future__ import annotations

from salt_gluster.spec.names import (
    check_brick_path,
    check_device,
    check_host,
    check_path,
    check_volume_name,
    expand,
    split_brick,
)
from salt_gluster.spec.pool import parse_nodes, parse_pool
from salt_gluster.spec.types import BrickSlot, BrickSpec, MountSpec, PoolSpec, VolumeSpec
from salt_gluster.spec.volume import RISKS, check_mount_options, option_text, parse_volume

__all__ = [
    "RISKS",
    "BrickSlot",
    "BrickSpec",
    "MountSpec",
    "PoolSpec",
    "VolumeSpec",
    "check_brick_path",
    "check_device",
    "check_host",
    "check_mount_options",
    "check_path",
    "check_volume_name",
    "expand",
    "option_text",
    "parse_nodes",
    "parse_pool",
    "parse_volume",
    "split_brick",
]
