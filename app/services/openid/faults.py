"""What is wrong with a provider or with what it answered."""


class ProviderFault(Exception):
    """The provider cannot be used, or its answer cannot be believed; the message says why, for a person.

    It may quote what a provider said, and never holds a secret or a token.
    """


def quoted(text: object, most: int = 120) -> str:
    """Return what a provider said as one short line of printable characters."""
    plain = "".join(sign if sign.isprintable() else " " for sign in str(text)[: most + 1])
    return plain if len(plain) <= most else plain[:most] + "…"
