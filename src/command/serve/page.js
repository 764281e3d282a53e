// Sends what is dropped, chosen, pasted or written to /predict, and shows the answers.
"use strict";

const byId = (id) => document.getElementById(id);
const drop = byId("drop");
const answers = byId("answers");

function element(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    if (text !== null) made.textContent = text;
    return Object.assign(made, attributes);
}

// The likeliest classes, each with a bar.
function bars(classes) {
    const table = element("table", null);
    for (const it of classes) {
        const sure = "probability" in it;
        const row = table.insertRow();
        row.insertCell().textContent = it.class;
        const bar = element("progress", null, { max: 1, value: sure ? it.probability : 0 });
        row.insertCell().append(...(sure ? [bar] : []));
        row.insertCell().textContent =
            sure ? (100 * it.probability).toFixed(2) + " %" : it.score.toFixed(4);
    }
    return table;
}

function numbers(values, names) {
    const most = 200;
    const table = element("table", null);
    values.slice(0, most).forEach((value, index) => {
        const row = table.insertRow();
        row.insertCell().textContent = names ? names[index] : index;
        row.insertCell().textContent = value;
    });
    if (values.length > most) table.createCaption().textContent = `the first ${most} of ${values.length}`;
    return table;
}

// The parts of an answer, by what is in it.
function shown(answer) {
    if ("error" in answer) return [element("p", answer.error, { className: "error" })];
    const parts = [];
    for (const [key, value] of Object.entries(answer)) {
        if (key === "sample" || key === "names" || key === "shape") continue;
        if (key === "text") parts.push(element("pre", value));
        else if (key === "output") parts.push(numbers(value, answer.names));
        else if (key === "row") parts.push(element("p", value.join(" ")));
        else if (key === "classes") {
            parts.push(numbers(value.map((it) => it.positions), value.map((it) => it.class)));
        } else if (Array.isArray(value)) parts.push(bars(value));
        else parts.push(element("h3", key), ...shown(value));
    }
    return parts;
}

let asked = 0;

async function ask(body, name) {
    const own = ++asked;
    answers.replaceChildren(element("p", "…"));
    let parts;
    try {
        const response = await fetch("/predict?top=5", { method: "POST", body });
        const said = await response.json();
        const all = said.answers || [{ error: said.error }];
        parts = all.map((answer) => {
            const place = (answer.sample || "").replace(/^body/, name);
            const article = element("article", null);
            article.append(element("h2", place), ...shown(answer));
            return article;
        });
    } catch (error) {
        parts = [element("p", `no answer: ${error.message}`, { className: "error" })];
    }
    // An earlier question's answer may come late.
    if (own === asked) answers.replaceChildren(...parts);
}

function take(files) {
    const file = files && files[0];
    if (!file) return;
    const preview = byId("preview");
    URL.revokeObjectURL(preview.src);
    preview.hidden = !file.type.startsWith("image/");
    if (!preview.hidden) preview.src = URL.createObjectURL(file);
    ask(file, file.name);
}

for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.toggle("over", name === "dragenter" || name === "dragover");
    });
}
document.addEventListener("drop", (event) => take(event.dataTransfer.files));
document.addEventListener("paste", (event) => take(event.clipboardData.files));
byId("file").addEventListener("change", (event) => take(event.target.files));

const form = byId("form");
if (form) {
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        ask(byId("text").value, "");
    });
    byId("text").addEventListener("keydown", (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
}
