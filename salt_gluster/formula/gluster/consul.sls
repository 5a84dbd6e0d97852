# For the nodes of a pool: its Consul agent, which the master's `gluster.setup` decides on, this node
# in Consul, the sensor that watches it, and GlusterFS's own events told to the master. An existing
# Consul is used as it is; without any these states have nothing to do. Nothing of the pool itself
# depends on them.
gluster-consul-agent:
  gluster_consul.agent: []

gluster-in-consul:
  gluster_consul.registered:
    - needed: False
    - require:
      - gluster_consul: gluster-consul-agent

gluster-sensor:
  gluster_consul.sensor:
    - require:
      - gluster_consul: gluster-in-consul

gluster-events:
  gluster_events.webhook:
    - require:
      - gluster_consul: gluster-in-consul
