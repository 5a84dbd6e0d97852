"""Speak to Consul: the only package that does. What may be believed of it: docs/facts.md, K.

* ``transport``         HTTP below the client library's API; ``settings``: address and token
* ``client``            what we ask, one function each; ``watch``: one blocking query, for ever
* ``trust``             may what Consul shows be believed? Pure; ``trust_probe`` feeds it
* ``canary``            the key that proves our rights, and the note that it was seen
* ``leader_lock``       the leader's lock and its epoch; the intent before an act
* ``heartbeat``         the leader's sign of life, and the mark of our last change
* ``service``           a node's service and checks; ``catalog``: what the rows of all nodes say
* ``store``             documents, versions, holds, proposals, operations, outcomes, audit
* ``report_parts``      a node's report in parts; ``outcomes``: what it did, read within limits
* ``cluster_snapshot``  all of a pool at one moment; ``pool``: that, as a master opens it
* ``cluster_state``     what the leader keeps of it from one tick to the next
* ``codec``             how a document becomes the value of a key; ``keys``: their names
* ``acl`` ``agent`` ``raft`` ``restart_lock``   a Consul of our own

Callers import from these files. Nothing is imported here, so that a minion without a client library
can load everything else.
"""
