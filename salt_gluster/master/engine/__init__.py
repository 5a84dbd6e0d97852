"""The engine on a master: lead, watch Consul, ask nodes, decide, write, publish. No rule is here.

* ``loop``               one tick: read, decide, act, publish
* ``watches``            the three blocking queries and the heartbeat, each in a thread of its own
* ``probe``              which minions are asked what, and what they answer
* ``declared_config``    submitted spec and policy become the accepted version
* ``config_history``     versions of the configuration
* ``maintenance_expiry`` maintenance windows that are over are removed
* ``publish``            events: stored, then fired
* ``status_document``    the document that the status screen shows; pure

Salt is not imported: the bus that fires and asks is handed in.
"""

from salt_gluster.master.engine.loop import Engine
from salt_gluster.master.engine.publish import Bus

__all__ = ["Bus", "Engine"]
