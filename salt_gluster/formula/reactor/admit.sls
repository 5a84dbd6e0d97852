{#- A node's request to be let into Consul becomes one call of one runner.

    Who asks is the id that Salt puts beside a minion's data, never a name in the data; the runner
    asks the pillar and the minion itself before it believes either. Text of strangers goes through
    `json` or not at all. -#}
{%- set request = data.data if data.data is mapping else {} %}
{%- if data.id is string and request.uuid is string %}
admit:
  runner.gluster_consul.admit:
    - args:
      - minion: {{ data.id | json }}
      - uuid: {{ request.uuid | json }}
{%- endif %}
