// Results as one types. Without this script the form does the same, a page at a time.
"use strict";
(() => {
  const input = document.getElementById("q");
  const main = document.getElementById("main");
  const told = document.getElementById("told");
  let timer = 0;
  let asked = null;

  async function answer() {
    const need = input.value.trim();
    if (need.length < 3) return;
    if (asked) asked.abort();
    asked = new AbortController();
    const address = `/search?${new URLSearchParams({ q: need })}`;
    try {
      const response = await fetch(address, { signal: asked.signal });
      if (!response.ok) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const found = page.getElementById("main");
      main.className = found.className;
      main.replaceChildren(...found.childNodes);
      document.body.className = page.body.className;
      document.title = page.title;
      // For who does not see that something changed.
      told.textContent = document.getElementById("count")?.textContent ?? page.title;
      history.replaceState(null, "", address);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(answer, 300);
  });

  // Only two can be compared: the first one chosen gives way to a third. One that was
  // chosen before this script ran counts as the first.
  let chosen = [];
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.name !== "slug" || box.type !== "checkbox") return;
    const others = [...document.querySelectorAll("input[name=slug]:checked")]
      .filter((each) => each !== box)
      .sort((a, b) => chosen.indexOf(a) - chosen.indexOf(b));
    chosen = box.checked ? [...others, box] : others;
    while (chosen.length > 2) chosen.shift().checked = false;
  });
})();
