"""Gluster's XML and text into the nouns of ``model``. One file per subject; nothing is run here."""
