# For clients that are no nodes of the pool: every volume of the pillar that names a mount.
{%- for name, volume in pillar['gluster'].get('volumes', {}).items() if volume.get('mount') %}
{%- set mount = volume['mount'] %}
gluster-mount-{{ name }}:
  gluster_volume.mounted:
    - name: {{ (mount if mount is string else mount['at']) | json }}
    - volume: {{ name | json }}
{%- if mount is mapping and mount.get('servers') %}
    - servers: {{ mount['servers'] | json }}
{%- endif %}
{%- endfor %}
