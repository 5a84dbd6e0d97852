"""SLS files that ship as package data; ``salt-run gluster.setup`` makes them a file root."""
