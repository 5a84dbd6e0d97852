"""The engine on a master: lead, watch Consul, ask, decide, record, tell. No rule of its own.

* ``engine``    the loop, and how one tick's decisions are carried out
* ``watches``   the three blocking queries and the heart, each in a thread of its own
* ``view``      what Consul's rows say of the members; pure
* ``records``   the documents in Consul, as a decision wants them
* ``asking``    which minions are asked what, and what their answers say
* ``accepting`` submitted spec and policy become the accepted version
* ``telling``   what people are told: stored, then fired
* ``status``    what people are shown of the last tick; pure

Salt is not imported: the bus that fires and asks is handed in.
"""

from salt_gluster.master.engine.loop import Engine
from salt_gluster.master.engine.publish import Bus

__all__ = ["Bus", "Engine"]
