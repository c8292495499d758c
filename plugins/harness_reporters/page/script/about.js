// What the numbers mean and where they come from.
function aboutView(_, container) {
  const list = (pairs) => h("dl", {}, pairs.map(([term, said]) => [h("dt", {}, term), h("dd", {}, said)]));
  container.append(
    withoutTexts(),
    board.footnotes.length ? h("section", { "aria-labelledby": "terms" }, h("h3", { id: "terms" }, "Terms"), list(board.footnotes)) : "",
    board.environment.length ? h("section", { "aria-labelledby": "machine" }, h("h3", { id: "machine" }, "Machine and versions"), list(board.environment)) : "",
  );
  return () => {};
}
