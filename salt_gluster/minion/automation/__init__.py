"""Automation on a node: sensor, registration, witness, executor of operations."""
