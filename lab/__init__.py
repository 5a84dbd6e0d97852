"""Make, break and remove a real GlusterFS pool of namespaces on one machine.

Every node is a network, mount, PID and host-name namespace with its own glusterd, Consul agent and
salt-minion; ``master`` is one more, with the salt-master. What is here makes, breaks and removes
that pool. It knows Salt and Gluster as programs only and imports neither Salt nor salt_gluster.
"""

from __future__ import annotations

from lab.errors import LabError
from lab.node import Node
from lab.pool import Lab

__all__ = ["Lab", "LabError", "Node"]
