"use strict";
(() => {
  const bar = document.querySelector("form.review-bar");
  if (!bar) return;
  const COLUMNS = ["cohort", "subject", "session", "decision", "label", "reviewer", "date", "comment"];
  const store = "gliaflow-review-" + bar.dataset.review;
  const told = bar.querySelector("output");
  const blocks = [...document.querySelectorAll(".mark")];
  let marks = {};
  try {
    marks = JSON.parse(localStorage.getItem(store)) || {};
    bar.reviewer.value = localStorage.getItem(store + "-reviewer") || "";
  } catch { marks = {}; }

  const keyOf = (block) => [block.dataset.cohort, block.dataset.subject, block.dataset.session].join("/");
  const today = () => {
    const now = new Date();
    const two = (number) => String(number).padStart(2, "0");
    return [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join("-");
  };
  // Line breaks and tabs would end a cell; a leading = + - @ would be a formula in a spreadsheet.
  const plain = (text) => {
    const line = text.replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, " ").trim();
    return /^[=+\-@]/.test(line) ? "'" + line : line;
  };
  const cell = (text) => text.includes('"') ? '"' + text.replaceAll('"', '""') + '"' : text;

  function keep() {
    const count = Object.keys(marks).length;
    told.textContent = count === 0 ? "No marks" : count === 1 ? "1 mark" : count + " marks";
    try {
      localStorage.setItem(store, JSON.stringify(marks));
      localStorage.setItem(store + "-reviewer", bar.reviewer.value);
    } catch { told.textContent += "; this browser does not keep them when the page is closed"; }
  }

  function field(name, label, value) {
    const input = document.createElement("input");
    Object.assign(input, { name, value, placeholder: label, maxLength: name === "comment" ? 2000 : 400 });
    input.setAttribute("aria-label", label);
    return input;
  }

  function show(block) {
    const mark = marks[keyOf(block)];
    const select = block.querySelector("select");
    select.value = mark ? mark.decision : "";
    block.querySelectorAll("input").forEach((input) => input.remove());
    if (!mark) return;
    if (mark.decision === "edit") block.append(field("label", "path of the edited label map", mark.label));
    block.append(field("comment", "comment", mark.comment));
  }

  for (const block of blocks) {
    show(block);
    block.addEventListener("change", (event) => {
      const key = keyOf(block);
      if (event.target.tagName === "SELECT") {
        const before = marks[key] || { label: block.dataset.label, comment: "" };
        if (event.target.value) marks[key] = { ...before, decision: event.target.value, date: today() };
        else delete marks[key];
        show(block);
      } else if (marks[key]) {
        marks[key][event.target.name] = event.target.value;
      }
      keep();
    });
  }

  function table() {
    const rows = Object.keys(marks).sort().map((key) => {
      const [cohort, subject, session] = key.split("/");
      const { decision, date, comment } = marks[key];
      const label = decision === "edit" ? marks[key].label : "";
      const row = { cohort, subject, session, decision, label, reviewer: bar.reviewer.value, date, comment };
      return COLUMNS.map((column) => cell(plain(row[column] || ""))).join("\t");
    });
    return [COLUMNS.join("\t"), ...rows].join("\n") + "\n";
  }

  bar.addEventListener("submit", (event) => {
    event.preventDefault();
    const keys = Object.keys(marks).sort();
    const open = keys.find((key) => marks[key].decision === "edit" && !plain(marks[key].label || ""));
    if (!keys.length) { told.textContent = "There are no marks to save"; return; }
    if (!plain(bar.reviewer.value)) {
      told.textContent = "Write your initials first";
      bar.reviewer.focus();
      return;
    }
    if (open) {
      told.textContent = open + ": write the path of the edited label map";
      const block = blocks.find((one) => keyOf(one) === open);
      if (block) block.querySelector("input[name=label]").focus();
      return;
    }
    keep();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([table()], { type: "text/tab-separated-values" }));
    const initials = bar.reviewer.value.replace(/[^A-Za-z0-9]/g, "");
    link.download = ["review", bar.dataset.review, initials, today()].filter(Boolean).join("_") + ".tsv";
    link.click();
    told.textContent = "Saved " + link.download;
  });
  bar.reviewer.addEventListener("change", keep);
  bar.elements.clear.addEventListener("click", () => {
    if (Object.keys(marks).length && !confirm("Clear all marks of this cohort?")) return;
    marks = {};
    blocks.forEach(show);
    keep();
  });
  keep();
})();
