"""Deciding what automation does about a hurt pool. Pure: facts in, decisions out.

policy       every duration and budget, with its unit and its reason
observation  what a decision may look at
judge        the verdict tables of nodes and bricks
fleet        may anything be done at all: open, blind, storm, held
guards       named claims that return a refusal or None; the same for engine and executor
ladder       which action has which guards, and what follows when it fails
follow       what has become of the operations under way
newcomers    who has registered and waits to be one of the pool
decide       all of it together, on one screen
execute      what an executor checks before it acts
"""

from salt_gluster.remediation.authorize import Verdict, look_back, verdict
from salt_gluster.remediation.decide import Decisions, decide, remembered
from salt_gluster.remediation.observation import FleetObservation, Lock, Memory
from salt_gluster.remediation.policy import Policy

__all__ = [
    "Decisions",
    "FleetObservation",
    "Lock",
    "Memory",
    "Policy",
    "Verdict",
    "decide",
    "look_back",
    "remembered",
    "verdict",
]
