// The live rule meter of the password page. The rules are those of backend/passwords.py (all but the lists, which stay on the server);
// tests/backend/password_vectors.json holds both to the same answers. Nothing typed leaves the page before the form is sent.

/** The broken rules, in the server's order. Characters are code points; nothing is trimmed or normalised. */
export function brokenRules(password, again) {
  const length = [...password].length;
  const kept = {
    length: length >= 8,
    lower: /\p{Ll}/u.test(password),
    upper: /\p{Lu}/u.test(password),
    digit: /\p{Nd}/u.test(password),
    special: /[^\p{L}\p{M}\p{N}]/u.test(password),
    same: password === again,
    too_long: length <= 128,
  };
  return Object.keys(kept).filter((rule) => !kept[rule]);
}

function watch(form) {
  const [password, again] = [form.elements.namedItem("password"), form.elements.namedItem("again")];
  const items = new Map([...form.querySelectorAll("[data-rule]")].map((item) => [item.dataset.rule, item]));
  const status = form.querySelector("[data-progress]");
  const shown = ["length", "lower", "upper", "digit", "special", "same"];

  const broken = () => brokenRules(password.value, again.value);

  function show(insist) {
    const rules = broken();
    for (const rule of [...shown, "too_long"]) {
      // Two empty columns are equal, but nobody has done anything yet that deserves a tick.
      const kept = !rules.includes(rule) && password.value !== "";
      const item = items.get(rule);
      if (rule === "too_long") item.hidden = !rules.includes(rule);
      item.dataset.state = kept ? "kept" : insist || rule === "too_long" ? "broken" : "open";
    }
    // The server alone knows these two; what it said was about the password before.
    for (const rule of ["common", "personal"]) items.get(rule).hidden = true;
    const count = shown.filter((rule) => items.get(rule).dataset.state === "kept").length;
    status.textContent = status.dataset.progress.replace("{kept}", count).replace("{all}", shown.length);
  }

  for (const input of [password, again]) {
    input.addEventListener("input", () => {
      input.removeAttribute("aria-invalid");
      show(false);
    });
  }
  form.addEventListener("submit", (event) => {
    const rules = broken();
    if (rules.length === 0) return; // the rest (lists, consent) is the server's to say
    event.preventDefault();
    show(true);
    const first = rules.every((rule) => rule === "same") ? again : password;
    first.setAttribute("aria-invalid", "true");
    first.focus();
  });
  // A browser may have filled the columns before this ran, and shows them again after "back".
  if (password.value !== "") show(false);
}

const form = document.querySelector("form[data-password-form]");
if (form) watch(form);
