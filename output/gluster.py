"""Print a runner's screen that has an exit code beside it (``render/printed.py``).

salt-run ends with a code only where a runner returns a dictionary; of that, the text is printed.
"""

__virtualname__ = "gluster"


def __virtual__():
    return __virtualname__


def output(data, **_):
    """Return the text to print."""
    return data.get("text", "") if isinstance(data, dict) else str(data)
