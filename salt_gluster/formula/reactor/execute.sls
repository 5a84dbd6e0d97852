{#- A request of the engine becomes one call on the one minion that it is addressed to.

    No logic lives here: what is to be done, on what, until when and by whom, the minion reads in
    Consul, and refuses an operation that does not name it. What comes with an event is text of
    strangers: it goes through `json` or not at all, and a list of one name is never a pattern.
    An event that a minion sent has its data one level deeper. -#}
{%- set request = data.data if data.data is mapping else data %}
{%- if request.operation is string and request.minion is string %}
execute:
  local.gluster_remediation.execute:
    - tgt: [{{ request.minion | json }}]
    - tgt_type: list
    - args:
      - operation: {{ request.operation | json }}
{%- endif %}
