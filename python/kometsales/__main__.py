"""``python -m kometsales`` is the program."""

from ._program import replace

if __name__ == "__main__":
    replace()
