// What makes the pages handier; each of them works without it.
(() => {
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const say = (text) => {
    const place = $("#announcer");
    if (place) place.textContent = text;
  };

  // Theme
  const markTheme = () => {
    const choice = document.documentElement.dataset.themeChoice;
    $$("[data-theme-set]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.themeSet === choice)));
  };
  markTheme();

  // Copying
  const copy = async (button) => {
    const source = button.dataset.copyFrom ? $(button.dataset.copyFrom) : null;
    const text = source ? (source.value ?? source.textContent) : button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text.trim());
    } catch {
      const area = Object.assign(document.createElement("textarea"), { value: text.trim() });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.dataset.copied = "";
    say("Copied");
    setTimeout(() => delete button.dataset.copied, 1600);
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy],[data-copy-from],[data-theme-set],[data-open]");
    $$("details.menu[open]").forEach((menu) => menu.contains(event.target) || (menu.open = false));
    if (!target) return;
    if (target.matches("[data-copy],[data-copy-from]")) copy(target);
    else if (target.dataset.themeSet) {
      dispatchEvent(new CustomEvent("theme:choose", { detail: target.dataset.themeSet }));
      markTheme();
    } else if (target.dataset.open) $(target.dataset.open)?.showModal();
  });

  // Forms: one submission at a time; filters apply as they are chosen; a typed name unlocks a dangerous act
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "dialog" || event.defaultPrevented) return;
    if (form.dataset.sent !== undefined) return event.preventDefault();
    if (form.method !== "get") {
      form.dataset.sent = "";
      const button = event.submitter;
      if (button) button.setAttribute("aria-busy", "true");
    } else {
      $$("input,select", form).forEach((field) => field.value === "" && (field.disabled = true));
    }
  });
  addEventListener("pageshow", () => {
    $$("form[data-sent]").forEach((form) => delete form.dataset.sent);
    $$("[aria-busy=true]").forEach((busy) => busy.removeAttribute("aria-busy"));
    $$("form.filters :disabled").forEach((field) => (field.disabled = false));
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-autosubmit]");
    if (form) form.requestSubmit();
  });
  const gate = (field) => {
    const button = $("button[type=submit]", field.form);
    if (button) button.disabled = field.value.trim() !== field.dataset.confirmName;
  };
  $$("[data-confirm-name]").forEach(gate);
  document.addEventListener("input", (event) => {
    if (event.target.dataset?.confirmName !== undefined) gate(event.target);
    const count = event.target.id && $(`[data-count-of="${event.target.id}"]`);
    if (count) count.textContent = new Intl.NumberFormat("en").format(new Blob([event.target.value]).size);
  });

  // The slug follows the company's name until it is typed itself
  const name = $("[data-slug-from]");
  const slug = $("[data-slug]");
  if (name && slug) {
    let own = slug.value !== "";
    slug.addEventListener("input", () => (own = slug.value !== ""));
    name.addEventListener("input", () => {
      if (own) return;
      slug.value = name.value
        .normalize("NFKD")
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, "-")
        .replace(/^-+|-+$/g, "")
        .slice(0, 63);
      slug.dispatchEvent(new Event("slug:proposed", { bubbles: true }));
    });
  }

  // Times: relative ones move on, exact ones are in the person's zone
  const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
  const steps = [
    [60, 1, "second"],
    [3600, 60, "minute"],
    [86400, 3600, "hour"],
    [2592000, 86400, "day"],
    [31536000, 2592000, "month"],
    [Infinity, 31536000, "year"],
  ];
  const relative = (date) => {
    const seconds = (Date.now() - date) / 1000;
    const size = Math.abs(seconds);
    if (size < 10) return "just now";
    const [, unit, word] = steps.find(([limit]) => size < limit);
    const number = Math.floor(size / unit);
    const text = `${number} ${word}${number === 1 ? "" : "s"}`;
    return seconds < 0 ? `in ${text}` : `${text} ago`;
  };
  const clock = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  };
  const zones = (within) =>
    $$("time[datetime]", within).forEach((t) => {
      if (t.dataset.zoned === t.dateTime) return;
      t.title = exact.format(new Date(t.dateTime));
      t.dataset.zoned = t.dateTime;
    });
  const tick = () => {
    $$("time[data-relative]").forEach((t) => {
      const text = relative(new Date(t.dateTime));
      if (t.textContent !== text) t.textContent = text;
    });
    $$("[data-elapsed-since]").forEach((e) => {
      e.textContent = clock((Date.now() - new Date(e.dataset.elapsedSince)) / 1000);
    });
  };
  zones(document);
  tick();
  setInterval(tick, 1000);
  document.addEventListener("htmx:after:swap", () => {
    zones(document);
    tick();
  });

  // A chart that is wider than the screen begins at its latest day
  $$(".chart .scroll-x").forEach((box) => (box.scrollLeft = box.scrollWidth));

  // Keys
  const typing = (element) => element.closest("input,textarea,select,[contenteditable]");
  const rows = () => $$("[data-row-link]").filter((link) => link.offsetParent);
  const move = (by) => {
    const all = rows();
    if (!all.length) return false;
    const at = all.indexOf(document.activeElement);
    all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))].focus();
    return true;
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = $("details.menu[open]");
      if (menu) {
        menu.open = false;
        $("summary", menu).focus();
      }
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
    const go = {
      "/": () => $("[data-search]")?.focus(),
      "?": () => $("#keys")?.showModal(),
      n: () => $("[data-primary]")?.click(),
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      j: () => move(1),
      k: () => move(-1),
    }[event.key];
    if (!go || (event.key.startsWith("Arrow") && !document.activeElement.matches("[data-row-link]"))) return;
    if (go() !== false) event.preventDefault();
  });
})();
