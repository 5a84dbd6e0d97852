{#- A node's request to be let into Consul becomes one call of one runner.

    Who asks is the id that Salt puts beside a minion's data, and nothing in the data: anybody can
    fire such an event in the name of another, and it only makes the runner look. The runner asks
    the pillar and the minion itself. Text of strangers goes through `json` or not at all. -#}
{%- if data.id is string and data.data is mapping %}
admit:
  runner.gluster_consul.admit:
    - args:
      - minion: {{ data.id | json }}
{%- endif %}
