# For the nodes of the pool. Each line waits for the one before it; all nodes may run it at once.
gluster-installed:
  gluster.installed: []

gluster-identified:
  gluster.identified:
    - require:
      - gluster: gluster-installed

gluster-running:
  gluster.running:
    - require:
      - gluster: gluster-identified

gluster-pool:
  gluster.cluster:
    - require:
      - gluster: gluster-running
