"""The gluster command line: table of commands, processes, error texts, reader."""
