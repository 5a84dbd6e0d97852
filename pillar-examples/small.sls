# A pool of four nodes with two disks each, and one volume that survives the loss of any node.
# Apply on every node: salt 'g*' state.apply gluster
gluster:
  # Who is in the pool: minion ids, ranges allowed. The first one begins the pool.
  nodes: g[1-4]

  # The same blank disks on every node. Names that survive a boot; sdb and the like are refused.
  # Each disk gets XFS and is mounted at /srv/gluster/disk1, disk2, ...
  devices:
    - /dev/disk/by-id/lab-disk1
    - /dev/disk/by-id/lab-disk2

  volumes:
    data:
      # Three copies, always on three different nodes.
      replica: 3
      # Only what is written here is looked after; other options stay as they are.
      options:
        network.ping-timeout: 20
        performance.cache-size: 64MB
        cluster.lookup-optimize: true
      # Mounted on every node of the pool.
      mount: /srv/data

  # With Consul and the engine, a dead brick process is started again by itself. To be asked first:
  # remediation: {restart_brick: {mode: propose}}
