"""What the commands share that check a signed file away from the installation."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.services import signatures
from app.services.signatures import Unreadable

Command = TypeVar("Command", bound=Callable[..., Any])


def file_and_key(command: Command) -> Command:
    """Have the command ask for a file, and for the public key by which it is checked."""
    file = click.argument("file", type=click.File("rb"))
    key = click.option("--key", "key_file", type=click.File("rb"), required=True, help="The public key, as PEM.")
    return file(key(command))


@contextmanager
def checking(key_file: BinaryIO) -> Iterator[Ed25519PublicKey]:
    """Give the key; leave with 2 where the key or the file cannot be read."""
    try:
        yield signatures.public_key(key_file.read())
    except (Unreadable, ValueError) as error:
        click.echo(f"cannot be checked: {error}", err=True)
        sys.exit(2)


def blame(faults: Sequence[str]) -> None:
    """Tell what is wrong, and leave with 1 if anything is."""
    for fault in faults:
        click.echo(f"FAULT {fault}", err=True)
    if faults:
        sys.exit(1)
