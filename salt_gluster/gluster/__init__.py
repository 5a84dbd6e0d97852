"""The only room that runs gluster: its command table, its processes, its errors, its reader."""
