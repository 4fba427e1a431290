"use strict";
// What is inside something closed is opened before it is shown, or printed.
function show() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let outer = target; outer; outer = outer.parentElement) {
    if (outer.tagName === "DETAILS") outer.open = true;
  }
  target.scrollIntoView();
  const place = target.tagName === "DETAILS" ? target.querySelector("summary") : target;
  place.focus({ preventScroll: true });
}
addEventListener("hashchange", show);
// A second click on the same link changes no hash, and what it leads to may have been closed since.
addEventListener("click", (event) => {
  if (event.target.closest("a[href^='#']")?.hash === location.hash) show();
});
if (location.hash) show();
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const details of closed) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
});
