// Passkeys: a form marked `data-passkey` asks the browser's authenticator, and is sent with its answer.
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const described = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

  const challenge = async (form) => {
    const answer = await fetch(form.dataset.challenge, {
      method: "POST",
      headers: { "X-CSRFToken": form.elements.csrf_token.value, Accept: "application/json" },
    });
    if (!answer.ok || answer.redirected) throw new Error("refused");
    return answer.json();
  };

  const create = async (options) => {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: described(options.excludeCredentials),
      },
    });
    return {
      clientDataJSON: text(made.response.clientDataJSON),
      attestationObject: text(made.response.attestationObject),
      transports: made.response.getTransports?.() ?? [],
      made,
    };
  };

  const get = async (options) => {
    const made = await navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        allowCredentials: described(options.allowCredentials),
      },
    });
    return {
      clientDataJSON: text(made.response.clientDataJSON),
      authenticatorData: text(made.response.authenticatorData),
      signature: text(made.response.signature),
      userHandle: made.response.userHandle ? text(made.response.userHandle) : null,
      made,
    };
  };

  const WORDS = {
    InvalidStateError: "This device holds a passkey of your account already.",
    NotAllowedError: "No passkey was given. Try again, or use another way.",
    NotSupportedError: "This device cannot make a passkey that would do.",
    SecurityError: "Passkeys do not work at this address.",
  };

  const ask = async (form) => {
    const { made, ...response } = await (form.dataset.passkey === "create" ? create : get)(await challenge(form));
    form.elements.credential.value = JSON.stringify({
      id: made.id,
      rawId: text(made.rawId),
      type: made.type,
      response,
      clientExtensionResults: made.getClientExtensionResults(),
    });
    form.requestSubmit();
  };

  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    const problem = form.querySelector("[data-passkey-problem]");
    const say = (words) => {
      problem.textContent = words;
      problem.hidden = !words;
    };
    if (!window.PublicKeyCredential) {
      say("This browser knows no passkeys.");
      form.querySelector("button[type=submit]").disabled = true;
    }
    form.addEventListener("submit", (event) => {
      if (form.elements.credential.value) return;
      event.preventDefault();
      say("");
      ask(form).catch((error) => say(WORDS[error.name] ?? "That did not work. Reload the page and try again."));
    });
    addEventListener("pageshow", () => (form.elements.credential.value = ""));
  });
})();
