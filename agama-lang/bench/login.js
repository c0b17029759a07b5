// The logic of login.flow. A page is answered from `forms`; `pages` says at which one to stop.
function login(pages) {
  const conf = { attempts: 3, issuer: "https://login.example.com", support: "support@example.com" };
  const forms = [{ username: "alice", password: "correct horse", loginBtn: "" }, { code: "123456" }];
  const log = [];
  let shown = 0;
  const verify = () => ({ id: "0193e1a2-7c4e-7cc1-a2d5-1f5b3f0c9d11", displayName: "Alice Example", secondFactor: "totp", locked: false });
  const model = { title: "Sign in", hint: null, support: conf.support, error: null };
  let user = null;
  let n = 0;
  for (; n < conf.attempts; n++) {
    if (shown === pages) return { template: "login/password.html", model: JSON.stringify(model) };
    const form = forms[shown++];
    const name = form.username;
    if (name === undefined || name === "") {
      model.error = "username.missing";
    } else {
      try { user = verify(name, form.password); } catch (e) {
        log.push("password check failed for " + name + ": " + e.message);
        user = null;
        model.error = "try.later";
      }
    }
    if (user === null) {
      model.error = "credentials.wrong";
      model.hint = name;
      log.push("attempt " + n + " of " + conf.attempts + " failed");
    }
    if (user !== null) break;
    log.push("once more");
  }
  if (user === null) return { success: false, error: { code: "too.many.attempts" } };
  if (user.locked === true) return { template: "login/locked.html", model: JSON.stringify({ title: "Locked", support: conf.support }) };
  const factors = ["totp", "sms", "mail"];
  switch (user.secondFactor) {
    case null: break;
    case "totp": {
      const second = { title: "Code", name: user.displayName, factors: factors, error: null };
      let ok = false;
      for (let i = 0; i < 3; i++) {
        if (shown === pages) return { template: "login/totp.html", model: JSON.stringify(second) };
        const answer = forms[shown++];
        ok = answer.code === "123456";
        if (ok) break;
        second.error = "code.wrong";
      }
      if (!ok) return { success: false };
    }
  }
  log.push(user.id + " signed in");
  return { success: true, data: { userId: user.id, issuer: conf.issuer } };
}
