"""`python -m tools.playground`."""

from tools.playground.command import app

if __name__ == "__main__":
    app()
