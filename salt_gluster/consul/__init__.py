"""The edge to Consul: client, watches, trust, leader lock, documents, rights, agents.

* ``transport``     HTTP under the client library's API; address and token
* ``client``        the requests, one function each
* ``watch``         one blocking query, again and again
* ``trust``         whether the present view may be believed; pure
* ``trust_probe``   what ``trust`` needs to know, gathered at every heartbeat
* ``canary``        the key that tells a wiped Consul from a new one, and its note on this machine
* ``leader_lock``   who leads, with which epoch; the claim before an act
* ``service``       a node's service, checks and report
* ``catalog``       what Consul's rows say of the members; pure
* ``store``         documents, versions, holds, proposals, operations, outcomes, audit
* ``cluster_state`` the documents as a decision wants them
* ``codec``         how a document becomes the value of a key; ``keys``: their names
* ``heartbeat``     the leader's time, and when the pool was last changed
* ``acl``           rights of each role; ``agent``, ``raft``, ``restart_lock``: the agents

Callers import from these files. Nothing is imported here, so that a minion without a client library
can load everything else.
"""
