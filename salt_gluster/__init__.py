"""The library of salt-gluster: GlusterFS observed, decided about and changed, without Salt.

Nothing in this package imports ``salt``. The map is in ``docs/map.md``.
"""

__version__ = "0.1.0"

#: Version of the pillar's shape; raised when a key changes meaning.
PILLAR_CONTRACT = 1
#: Version of the actions that a node can be asked for.
ACTION_CONTRACT = 1
