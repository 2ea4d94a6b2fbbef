"""Every model there is."""

import pkgutil
from importlib import import_module
from typing import Any

import app.models
from app.models.tables import Table


def mapped_classes() -> list[type[Any]]:
    """Return the models of all modules of app.models, by name."""
    for module in pkgutil.iter_modules(app.models.__path__, "app.models."):
        import_module(module.name)
    return sorted((mapper.class_ for mapper in Table.registry.mappers), key=lambda cls: cls.__name__)
