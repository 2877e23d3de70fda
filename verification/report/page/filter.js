"use strict";
const form = document.querySelector(".filters");
const claims = [...document.querySelectorAll("article")];
function apply() {
  const verdicts = new Set([...form.querySelectorAll("input[name=verdict]:checked")].map((box) => box.value));
  const paper = form.elements.paper.value;
  const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const claim of claims) {
    const text = claim.textContent.toLowerCase();
    const keep = verdicts.has(claim.dataset.verdict) && (!paper || claim.dataset.paper === paper) &&
      words.every((word) => text.includes(word));
    claim.hidden = !keep;
    shown += keep;
  }
  for (const section of document.querySelectorAll("section.topic")) {
    section.hidden = !section.querySelector("article:not([hidden])");
  }
  document.getElementById("shown").textContent = `${shown} of ${claims.length} claims`;
}
form.addEventListener("input", apply);
form.addEventListener("change", apply);
form.addEventListener("submit", (event) => event.preventDefault());
apply();
