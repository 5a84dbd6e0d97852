"""minion/automation"""
