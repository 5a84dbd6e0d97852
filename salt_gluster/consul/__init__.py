"""The only room that speaks to Consul.

* ``transport``  HTTP under the client library's API; address and token
* ``client``     what we ask, one function each
* ``watch``      one blocking query, for ever
* ``trust``      may I believe what I see? Pure
* ``sight``      gathers what the gate wants to know, once a beat
* ``marker``     the note on this machine that the canary was seen
* ``lock``       who leads, with which epoch; the claim before an act
* ``registry``   a node's service, checks, canary and report
* ``store``      documents, versions, holds, proposals, operations, outcomes, audit
* ``documents``  how a document becomes the value of a key; ``keys``: their names

Callers import from these files. Nothing is imported here, so that a minion without a client library
can load everything else.
"""
