"""Parse gluster's XML and text into ``model``'s nouns. One file per subject; nothing runs here."""
