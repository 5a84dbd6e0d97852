# Everything the pillar's `gluster` key declares on the nodes of the pool: the pool, its volumes and
# mounts, and what watches it where `salt-run gluster.setup` was run.
include:
  - gluster.pool
  - gluster.consul
