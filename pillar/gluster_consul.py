"""Return what a minion needs to join the pool's own Consul: servers, tokens, certificate.

And, where that was asked for, the pool's declaration itself, which Consul then keeps.
"""

import logging

log = logging.getLogger(__name__)

__virtualname__ = "gluster_consul"


def __virtual__():
    return __virtualname__


def ext_pillar(minion_id, pillar, *args, pillar_from="files", **kwargs):
    """
    Add ``gluster_consul`` to the pillar of a node that ``gluster: nodes`` names; nobody else's.

    ``salt-run gluster.setup`` writes the line. Each node gets its own tokens, certificate and key,
    the gossip key, and who the servers are. The token that may do everything stays on the master.
    Consul is not asked. A minion without ``gluster`` in its pillar costs nothing.

    With ``pillar_from: consul`` a node gets the key ``gluster`` too, as ``salt-run gluster.import``
    has put it into Consul. Consul is asked once in some seconds, whoever compiles; while it is
    silent the last good copy on the master serves. Pillar files that declare something else are an
    error, and so is a declaration that is nowhere to be had: Salt puts it into the pillar.

    Changes: yes, a file of the master's for a node that is new. Takes the cluster lock: no.

    .. code-block:: yaml

        ext_pillar:
          - gluster_consul: {}
    """
    if __opts__.get("ext_pillar_first"):
        _refuse_first(minion_id)
    given = {} if pillar_from == "files" else _declared(minion_id, pillar, pillar_from)
    if "gluster" not in pillar and not given:
        return {}
    try:
        from salt_gluster.master.deploy import credentials

        secrets = credentials.for_pillar(
            __opts__["conf_file"], minion_id, {**pillar, **given}, _minions
        )
        return {**given, **secrets}
    except Exception as err:  # whatever it is: the rest of the pillar is not lost with it
        log.warning("gluster_consul: %s gets no access to Consul: %s", minion_id, err)
        return given


def _minions():
    """Return the minions whose keys are accepted; asked only where a glob means some of them."""
    import salt.key

    return salt.key.get_key(__opts__).list_keys()["minions"]


def _refuse_first(minion_id):
    """Raise for a node: files are not read yet, so it would lose its access without a word."""
    from salt_gluster.master import pillar_source
    from salt_gluster.master.deploy import credentials

    if credentials.is_known(__opts__["conf_file"], minion_id):
        pillar_source.refuse_ext_pillar_first(__opts__)


def _declared(minion_id, pillar, pillar_from):
    from salt_gluster.master import pillar_source

    if pillar_from != "consul":
        raise ValueError(f"pillar_from: {pillar_from!r} is neither consul nor files")
    return pillar_source.declared(__opts__, minion_id, pillar)
