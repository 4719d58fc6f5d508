// Letters that are chosen: all of a page at once, and buttons that need one.

function follow(form) {
  const boxes = [...form.querySelectorAll("input[name=id]")];
  const chosen = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-choose-all]");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
  for (const button of form.querySelectorAll("[data-needs-choice]")) button.disabled = chosen === 0;
}

function followAll() {
  for (const form of document.querySelectorAll("[data-choice]")) follow(form);
}

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("[data-choice]");
  if (!form) return;
  if (event.target.matches("[data-choose-all]")) {
    for (const box of form.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
  }
  follow(form);
});
document.addEventListener("htmx:afterSettle", followAll);
addEventListener("pageshow", followAll);
followAll();
