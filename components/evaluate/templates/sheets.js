// One sheet at a time, which the slider picks. Without scripts all stand side by side.
(() => {
  const player = document.getElementById("player");
  const slider = player.querySelector("input");
  const output = player.querySelector("output");
  const container = document.getElementById("sheets");
  const sheets = [...container.children];
  const show = () => {
    sheets.forEach((sheet, index) => { sheet.hidden = index !== slider.valueAsNumber; });
    const caption = sheets[slider.valueAsNumber].querySelector("figcaption").textContent;
    output.value = caption;
    slider.setAttribute("aria-valuetext", caption);
  };
  slider.addEventListener("input", show);
  container.classList.add("one");
  player.hidden = false;
  show();
})();
