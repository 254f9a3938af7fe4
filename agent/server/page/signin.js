// Exchanges the token, from the address after "#" or from the form, for a cookie.

const problem = document.getElementById("problem");

async function enter(token) {
  problem.textContent = "";
  try {
    const reply = await fetch("/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (reply.ok) {
      location.replace("/");
      return;
    }
    const error = await reply.json();
    problem.textContent = `${error.problem} ${error.remedy}`;
  } catch {
    problem.textContent = "The server does not answer. Check its terminal.";
  }
}

document.getElementById("signin").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(document.getElementById("token").value);
});

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  history.replaceState(null, "", "/"); // the token must not stay in the address bar or the history
  enter(given);
}
