"""All is in pyproject.toml; the guard keeps a loader that imports this file from building."""

if __name__ == "__main__":
    from setuptools import setup

    setup()
