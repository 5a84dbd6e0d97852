"""What runs on a node: observe, plan, apply, query, install, mount."""
