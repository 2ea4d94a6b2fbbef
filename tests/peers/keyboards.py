"""A person who has a keyboard and no mouse."""

from playwright.sync_api import Page

FOCUSED = """() => { const e = document.activeElement; if (!e || e === document.body) return null;
  const label = e.getAttribute('aria-label') || [...(e.labels || [])].map(l => l.innerText).join(' ')
    || e.innerText || e.value || '';
  const seen = e.getBoundingClientRect(), style = getComputedStyle(e);
  return {label: label.trim().replace(/\\s+/g, ' '), tag: e.tagName.toLowerCase(),
          shown: seen.width > 0 && seen.height > 0,
          marked: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0}; }"""
MOST = 150


class Keyboard:
    """Moves by Tab, acts by Enter and Space, types; each stop on the way must be seen and be marked as focused."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def reach(self, label: str, *, tag: str | None = None) -> None:
        """Press Tab until the control whose name begins with `label` has the focus. Raises AssertionError."""
        passed = []
        for _ in range(MOST):
            found = self.page.evaluate(FOCUSED)
            if found is not None:
                assert found["marked"], f"no visible focus on {found}"
                passed.append(found["label"])
                if found["label"].startswith(label) and tag in (None, found["tag"]):
                    assert found["shown"], label
                    return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {label!r}, only to {sorted(set(passed))}")

    def fill(self, label: str, text: str) -> None:
        """Reach a field and type into it, in place of what it holds."""
        self.reach(label)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def press(self, label: str, *, tag: str | None = None, key: str = "Enter") -> None:
        """Reach a link or a button and press it."""
        self.reach(label, tag=tag)
        self.page.keyboard.press(key)
        self.page.wait_for_load_state()
