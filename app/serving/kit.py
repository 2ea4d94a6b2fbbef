"""What the templates of both consoles call: the built files, icons, times and numbers."""

from functools import lru_cache

from flask import Flask
from jinja2 import StrictUndefined
from markupsafe import Markup

from app.serving import statics
from app.serving.words import ago, capped, elapsed, grouped, moment, moment_of, short, words


def register_kit(app: Flask) -> None:
    """Give the application's templates what both consoles call, and make an unknown name in them an error."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        ago=ago,
        moment=moment,
        moment_of=moment_of,
        grouped=grouped,
        capped=capped,
        elapsed=elapsed,
        short=short,
        words=words,
    )
    app.jinja_env.globals.update(asset=asset, icon=icon)
    app.register_blueprint(statics.blueprint)


@lru_cache(maxsize=1)
def _manifest() -> statics.Manifest:
    return statics.read_manifest()


def asset(name: str) -> str:
    """Return the path of a built file."""
    return _manifest().path(name)


def icon(name: str, classes: str = "") -> Markup:
    """Return an icon from the sprite; it is decoration, so words must stand beside it. Raises KeyError."""
    if name not in _manifest().icons:
        raise KeyError(f"static/icons.txt does not name {name}")
    extra = f" {classes}" if classes else ""
    return Markup('<svg class="icon{}" aria-hidden="true"><use href="{}#{}"></use></svg>').format(
        extra, asset("icons.svg"), name
    )
