"""What runs on the master, for runners, ext_pillar and reactors."""
