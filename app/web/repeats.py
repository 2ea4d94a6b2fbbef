"""What is typed once more before something that cannot be undone: the name of what it happens to."""

from wtforms import StringField

from app.core.errors import Invalid
from app.serving.forms import Form


class RepeatForm(Form):
    """The name, typed once more."""

    name = StringField("Name")

    def repeats(self, name: str, deed: str, *, folded: bool = False) -> bool:
        """Tell whether `name` was typed (`folded`: in letters of either case) and the rest of the form is in order.

        Otherwise the field says what to type, and to do what.
        """
        typed = (self.name.data or "").strip()
        if (typed.lower() if folded else typed) == name and self.validate():
            return True
        self.blame(Invalid(fields={"name": f"type {name} to {deed}"}))
        return False
