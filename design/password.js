// The live meter of the pages that set a password. The rules are those of backend/passwords.py, all but "personal": what is known about
// somebody stays on the server. tests/backend/password_vectors.json holds both to the same answers. The lists and zxcvbn come when the
// first character is typed; until then, and where they do not come, the server judges. Nothing typed leaves the page before the form does.

const SCORED = 24;
const SCORE_MIN = 2;
const WORD_MIN = 4;
const MOST_USED = 10_000;
const LEET_EDGE = 6;
const DECORATION_MAX = 8;
const LEET = { "@": "a", 4: "a", 3: "e", 1: "i", "!": "i", 0: "o", $: "s", 5: "s", 7: "t", "|": "l" };

/** The broken rules that need no lists, in the server's order. Characters are code points; nothing is trimmed or normalised. */
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

/** What knows the lists: `strength` (0 to 4) and `isCommon`. The addresses are those of design/passwords/. */
export async function loadJudge(zxcvbnAddress, wordsAddress, commonAddress) {
  const [words, common] = await Promise.all([import(wordsAddress), import(commonAddress), import(zxcvbnAddress)]);
  const own = new Set(words.default);
  const listed = new Set(common.default.map((line) => line.toLowerCase()));

  function estimate(text) {
    const scored = [...text].slice(0, SCORED).map((character) => {
      const point = character.codePointAt(0);
      return point < 0xd800 || (point >= 0xe000 && point < 0x10000) ? character : String.fromCharCode(0xe000 + (point % 0x1900));
    });
    return window.zxcvbn(scored.join(""), words.default);
  }

  function isKnown(core) {
    const letters = [...core];
    if (new Set(letters).size === 1) return true;
    if (own.has(core)) return true;
    for (let at = 1; at < core.length; at += 1) if (own.has(core.slice(0, at)) && own.has(core.slice(at))) return true;
    return letters.length >= WORD_MIN && letters.length <= SCORED && estimate(core).guesses <= MOST_USED;
  }

  const strength = (password) => (password === "" ? 0 : estimate(password).score);
  const isCommon = (password) => {
    const length = [...password].length;
    if (length === 0 || length > 128) return false;
    const folded = password.toLowerCase();
    if (listed.has(folded) || [...cores(folded)].some(isKnown)) return true;
    return length >= 8 && strength(password) < SCORE_MIN;
  };
  return { strength, isCommon };
}

/** What remains when decoration is taken off either end and signs that stand for letters are read as letters. */
function cores(folded) {
  const characters = [...folded];
  const isLetter = (character) => /\p{L}/u.test(character);
  const first = characters.findIndex(isLetter);
  if (first < 0) return new Set();
  const last = characters.length - [...characters].reverse().findIndex(isLetter);
  const found = new Set();
  for (let start = Math.max(0, first - LEET_EDGE); start <= first; start += 1) {
    for (let end = last; end <= Math.min(characters.length, last + LEET_EDGE); end += 1) {
      if (weight(characters.slice(0, start)) + weight(characters.slice(end)) > DECORATION_MAX) continue;
      const read = characters.slice(start, end).map((character) => LEET[character] ?? character);
      found.add(read.filter(isLetter).join(""));
    }
  }
  return found;
}

/** How many characters of it are not simply the one before, its successor or its predecessor. */
function weight(decoration) {
  const points = decoration.map((character) => character.codePointAt(0));
  return points.filter((point, at) => at === 0 || Math.abs(point - points[at - 1]) > 1).length;
}

function watch(form) {
  const [password, again] = [form.elements.namedItem("password"), form.elements.namedItem("again")];
  const items = new Map([...form.querySelectorAll("[data-rule]")].map((item) => [item.dataset.rule, item]));
  const status = form.querySelector("[data-progress]");
  const meter = form.querySelector("[data-strength]");
  const shown = ["length", "lower", "upper", "digit", "special", "same"];
  let judge = null;
  let asked = false;
  let later = 0;

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
    // The server alone knows this one; what it said was about the password before.
    items.get("personal").hidden = true;
    if (judge === null) items.get("common").hidden = true;
    const count = shown.filter((rule) => items.get(rule).dataset.state === "kept").length;
    status.textContent = status.dataset.progress.replace("{kept}", count).replace("{all}", shown.length);
    clearTimeout(later);
    later = setTimeout(weigh, 150);
  }

  function weigh() {
    if (judge === null) return;
    const common = judge.isCommon(password.value);
    const item = items.get("common");
    // While it is still being typed, a beginning that is common says nothing.
    item.hidden = !common || [...password.value].length < 8;
    item.dataset.state = "broken";
    meter.hidden = password.value === "";
    const strength = common ? Math.min(1, judge.strength(password.value)) : judge.strength(password.value);
    meter.dataset.strength = strength;
    meter.querySelector("[data-word]").textContent = meter.dataset[`word${strength}`];
  }

  function fetchJudge() {
    if (asked) return;
    asked = true;
    const { zxcvbn, words, common } = form.dataset;
    loadJudge(zxcvbn, words, common).then(
      (loaded) => {
        judge = loaded;
        weigh();
      },
      () => {}, // the server judges anyway
    );
  }

  for (const input of [password, again]) {
    input.addEventListener("input", () => {
      fetchJudge();
      input.removeAttribute("aria-invalid");
      show(false);
    });
  }
  form.addEventListener("submit", (event) => {
    const rules = broken();
    const common = judge !== null && judge.isCommon(password.value);
    if (rules.length === 0 && !common) return; // the rest is the server's to say
    event.preventDefault();
    show(true);
    weigh();
    const first = !common && rules.every((rule) => rule === "same") ? again : password;
    first.setAttribute("aria-invalid", "true");
    first.focus();
  });
  // A browser may have filled the columns before this ran, and shows them again after "back".
  if (password.value !== "") {
    fetchJudge();
    show(false);
  }
}

const watchAll = (part) => part.querySelectorAll("form[data-password-form]").forEach(watch);
watchAll(document);
// A part of the page that came later (telegram.js).
document.addEventListener("fragment", (event) => watchAll(event.target));
