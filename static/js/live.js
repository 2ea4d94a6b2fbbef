// Live regions: htmx asks again after 2 s, then ever more rarely up to 15 s; 304 leaves the page alone.
(() => {
  const FIRST = 2000;
  const LAST = 15000;
  const states = new Map();

  const ask = (region) => htmx.trigger(region, "live:poll");
  const schedule = (id) => {
    const state = states.get(id);
    clearTimeout(state.timer);
    state.timer = setTimeout(() => {
      const region = document.getElementById(id);
      if (!region?.matches("[data-live]")) states.delete(id);
      else if (!document.hidden) ask(region);
    }, state.delay);
  };
  const find = () =>
    document.querySelectorAll("[data-live][id]").forEach((region) => {
      if (states.has(region.id)) return;
      states.set(region.id, { delay: FIRST, etag: null, timer: 0 });
      schedule(region.id);
    });

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    const state = states.get(ctx.sourceElement.id);
    if (!state) return;
    ctx.request.cache = "no-store";
    if (state.etag) ctx.request.headers["If-None-Match"] = state.etag;
  });
  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    const response = ctx.response.raw;
    // A session that ended sends us elsewhere: let the whole page go there.
    if (response.redirected || response.status === 401) {
      event.preventDefault();
      return location.reload();
    }
    const id = ctx.sourceElement.id;
    const state = states.get(id);
    if (!state) return;
    const changed = response.status === 200;
    if (changed) state.etag = response.headers.get("ETag");
    const grown = Math.min(LAST, state.delay * 1.3);
    state.delay = changed ? FIRST : response.status === 204 || response.status === 304 ? grown : LAST;
  });
  document.addEventListener("htmx:finally:request", (event) => {
    const id = event.detail.ctx.sourceElement.id;
    if (states.has(id)) schedule(id);
    find();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const [id, state] of states) {
      state.delay = FIRST;
      const region = document.getElementById(id);
      if (region?.matches("[data-live]")) ask(region);
    }
  });
  find();
})();
