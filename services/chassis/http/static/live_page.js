// What every live page does: it asks for a token and keeps it in the tab, says how the connection is, shows times in a zone, and fills tables.

export const $ = (id) => document.getElementById(id);
export const number = new Intl.NumberFormat("en-US");
export const zone = () => $("zone").value || "UTC";
export const clock = (at, style = "medium") =>
  new Intl.DateTimeFormat("en-GB", { timeZone: zone(), timeStyle: style }).format(new Date(at));

const STATES = ["closed", "open", "cut", "refused"];

/**
 * A page with the elements #access, #token, #leave, #connection, #zone and #data. `tokenName` is the token's name in the tab's storage.
 * `follow({ token, signal, changed })` begins a stream, which tells `changed(state, why)` of "open", "cut" and "refused", until `signal`
 * aborts. `redraw()` draws again what has times, `restyle()` what has colours; `forget()` lets go of what the token has shown.
 */
export function livePage(tokenName, { follow, redraw, restyle, forget = () => {} }) {
  let stream = null;
  let heardAt = 0;

  function connect() {
    stream?.abort();
    stream = new AbortController();
    const token = sessionStorage.getItem(tokenName);
    askForToken(!token);
    if (token) follow({ token, signal: stream.signal, changed });
    else show("closed", "Not connected");
  }

  function askForToken(asked) {
    $("access").hidden = !asked;
    $("leave").hidden = asked;
  }

  function changed(how, why) {
    if (how === "open") show("open", "Live");
    else if (how === "cut") {
      const since = heardAt ? `what you see is of ${clock(heardAt)}` : "nothing was heard yet";
      show("cut", `Cut: ${why}; ${since}. Connecting again …`);
    } else {
      sessionStorage.removeItem(tokenName);
      askForToken(true);
      show("refused", `Refused: ${why}`);
      $("token").focus();
    }
  }

  function show(how, text) {
    const { classList } = document.documentElement;
    if (!classList.contains(how)) {
      classList.remove(...STATES);
      classList.add(how);
      restyle();
    }
    if ($("connection").textContent !== text) $("connection").textContent = text;
  }

  /** What is shown is of now. */
  function live() {
    heardAt = Date.now();
    $("data").hidden = false;
    show("open", "Live");
  }

  const homeZone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  for (const name of new Set([homeZone, "UTC"])) $("zone").add(new Option(name, name));
  $("zone").addEventListener("change", redraw);
  $("access").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(tokenName, $("token").value.trim());
    $("token").value = "";
    connect();
  });
  $("leave").addEventListener("click", () => {
    sessionStorage.removeItem(tokenName);
    $("data").hidden = true;
    forget();
    connect();
  });
  return { connect, live, show, heardAt: () => heardAt };
}

/**
 * Make the rows of a table those of `rows`, or one that says `nothing`. `kinds` are the classes of the columns, `keys` those of the rows, for
 * programs. Cells that stay as they are are not touched.
 */
export function fill(body, rows, { nothing = "", kinds = [], keys = [] }) {
  const wanted = rows.length || !nothing ? rows : [[nothing]];
  while (body.rows.length > wanted.length) body.deleteRow(-1);
  wanted.forEach((cells, at) => {
    const row = body.rows[at] ?? body.insertRow();
    if (keys[at]) row.dataset.key = keys[at];
    while (row.cells.length > cells.length) row.deleteCell(-1);
    cells.forEach((content, column) => {
      const cell = row.cells[column] ?? row.insertCell();
      cell.colSpan = rows.length ? 1 : body.parentElement.tHead.rows[0].cells.length;
      cell.className = (rows.length && kinds[column]) || "";
      const text = String(content ?? "");
      if (cell.textContent !== text) cell.textContent = text;
    });
  });
}
