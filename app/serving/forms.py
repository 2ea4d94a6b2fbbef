"""What every form shares: a token against forgery, and the words of a service beside the field that they concern."""

from collections.abc import Mapping

from flask_wtf import FlaskForm

from app.core.errors import AppError


class Form(FlaskForm):  # type: ignore[misc]
    """A form of a page."""

    def blame(self, error: AppError) -> None:
        """Show what a service refused: beside the fields that it names, else above them all."""
        if not self._beside(error.fields):
            self.form_errors: list[str] = [*self.form_errors, error.detail]

    def _beside(self, fields: Mapping[str, str]) -> bool:
        known = {name: what for name, what in fields.items() if name in self._fields}
        for name, what in known.items():
            self[name].errors = [*self[name].errors, what[:1].upper() + what[1:]]
        return bool(known)
