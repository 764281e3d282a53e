// The search of the site: names that begin with what is typed, then names and lines that contain it.
// `NAMES` (names.js) is a list of [name, kind, address, line about it].
"use strict";
const field = document.getElementById("search");
const list = document.getElementById("found");

function rank(entry, typed) {
    const name = entry[0].toLowerCase();
    if (name === typed) return 0;
    if (name.startsWith(typed)) return 1;
    if (name.includes(typed)) return 2;
    return entry[3].toLowerCase().includes(typed) ? 3 : 4;
}

function show() {
    const typed = field.value.trim().toLowerCase();
    const ranked = NAMES.map((entry) => [rank(entry, typed), entry]).filter(([it]) => it < 4);
    ranked.sort((a, b) => a[0] - b[0]);
    list.hidden = typed === "";
    list.replaceChildren(...ranked.slice(0, 20).map(([, [name, kind, address, about]]) => {
        const link = document.createElement("a");
        link.href = address;
        link.textContent = name;
        const line = document.createElement("li");
        line.append(link, ` ${kind}: ${about}`);
        return line;
    }));
    if (typed !== "" && ranked.length === 0) list.textContent = "nothing found";
}

field.addEventListener("input", show);
field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && list.querySelector("a")) list.querySelector("a").click();
    if (event.key === "Escape") { field.value = ""; show(); }
});
document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== field) { event.preventDefault(); field.focus(); }
});
