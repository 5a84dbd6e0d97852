"""Decide what automation does about a hurt pool. Pure: facts in, decisions out.

policy        every duration and budget, with its unit and its reason
observation   what a decision may look at
membership    which nodes are members, and whether Consul's view of it may be believed
health        the tables of states of nodes and bricks; ``evaluate`` applies them
fleet_mode    whether anything may be done at all: open, blind, storm, held
guards        named claims that return a refusal or None; the same for engine and executor
ladder        which action has which guards, and what follows when it fails
evaluate      one tick's conditions of nodes, bricks and volumes
operations    the table of an operation's life; ``progress`` applies it
admission     candidate nodes: registered, and not yet accepted
decide        all of it together, on one screen
authorize     what an executor checks before it acts
salt_events   the events on Salt's bus
"""

from salt_gluster.remediation.decide import Decisions, decide, remembered
from salt_gluster.remediation.observation import FleetObservation, LockView, Memory
from salt_gluster.remediation.policy import Policy

__all__ = [
    "Decisions",
    "FleetObservation",
    "LockView",
    "Memory",
    "Policy",
    "decide",
    "remembered",
]
