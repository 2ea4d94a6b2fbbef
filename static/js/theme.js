// Sets the theme before the first paint: what was chosen here, else what the system says.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("theme") || "system";
    } catch {
      return "system";
    }
  };
  const apply = () => {
    const theme = chosen();
    root.dataset.bsTheme = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
    root.dataset.themeChoice = theme;
  };
  root.classList.add("js");
  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  addEventListener("theme:choose", (event) => {
    try {
      localStorage.setItem("theme", event.detail);
    } catch {
      /* a browser that keeps nothing follows the system */
    }
    apply();
  });
})();
