//! Asking in the terminal: for the fields of a page, for the result of a call.

use std::io::BufRead as _;

use agama_lang::effect::{Call, CallError, Page};
use agama_lang::rehearse::{Answer, LogReport, PageReport, Waiting};
use agama_lang::value::{Map, Value};

use crate::out;

/// Whoever sits there. Answers are lines of standard input.
pub(crate) struct Terminal {
    /// Standard output belongs to a report; what is said goes to standard error.
    aside: bool,
    answered: usize,
}

/// A line is an answer, or none came.
type Asked = std::io::Result<Option<Answer>>;

impl Terminal {
    pub(crate) fn new(aside: bool) -> Self {
        Self { aside, answered: 0 }
    }

    fn say(&self, text: &str) {
        if self.aside { out::error(text) } else { out::line(text) }
    }

    /// Asks for a line; nothing at the end of the input.
    fn line(&self, prompt: &str) -> std::io::Result<Option<String>> {
        if !self.aside {
            out::text(prompt);
        }
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned()))
    }

    /// Shows a page.
    pub(crate) fn shown(&self, page: &PageReport) {
        self.say(&format!("page  {}", page.template));
        for (name, value) in page.model.as_object().into_iter().flatten() {
            self.say(&format!("      {name}: {value}"));
        }
    }

    /// Tells where the run waits, and what its variables are.
    pub(crate) fn stands(&self, waiting: &Waiting, variables: &[(String, Value)]) {
        let (Waiting::Page(Page { at, .. }) | Waiting::Callback { at, .. }) = waiting;
        self.say(&format!("at    {}, line {}", at.flow, at.line));
        for (name, value) in variables {
            self.say(&format!("      {name} = {}", value.redacted()));
        }
    }

    /// Asks for the fields of a page one by one, or for `name=value` lines where they are not known.
    pub(crate) fn form(&mut self, fields: &[String]) -> Asked {
        self.answered += 1;
        let mut form = Map::new();
        if fields.is_empty() {
            self.say("fields as name=value, an empty line sends; or {JSON}, /abort, /callback name=value …");
        }
        let mut known = fields.iter();
        loop {
            let field = known.next();
            if field.is_none() && !fields.is_empty() {
                return Ok(Some(Answer::Form(form)));
            }
            let prompt = field.map_or("  ".to_owned(), |name| format!("  {name}: "));
            let Some(line) = self.line(&prompt)? else { return Ok(None) };
            let text = line.trim();
            if text.starts_with('{') {
                match self.json(text) {
                    Ok(answer) => return Ok(Some(answer)),
                    Err(reason) => self.say(&reason),
                }
                known = fields.iter();
            } else if text == "/abort" {
                return Ok(Some(Answer::Abort(form)));
            } else if let Some(parameters) = text.strip_prefix("/callback") {
                return Ok(Some(Answer::Callback(pairs(parameters))));
            } else if let Some(name) = field {
                form.insert(name.clone(), line.into());
            } else if text.is_empty() {
                return Ok(Some(Answer::Form(form)));
            } else if let Some((name, value)) = text.split_once('=') {
                add(&mut form, name.trim(), value.trim());
            } else {
                self.say("write name=value, or an empty line to send the form");
            }
        }
    }

    /// Shows a redirect, and asks for the callback's parameters.
    pub(crate) fn callback(&mut self, url: &str) -> Asked {
        self.answered += 1;
        self.say(&format!("goto  {url}"));
        self.say("the callback's parameters as name=value, all in one line");
        Ok(self.line("  ")?.map(|line| Answer::Callback(pairs(&line))))
    }

    fn json(&self, text: &str) -> Result<Answer, String> {
        let json = serde_json::from_str(text).map_err(|error| format!("that is no JSON: {error}"))?;
        Answer::read(json, self.answered).map_err(|error| error.to_string())
    }

    /// Asks for the result of a call that has no stub; nothing at the end of the input.
    pub(crate) fn result(&self, call: &Call) -> Option<Result<Value, CallError>> {
        self.say(&format!("call  {}", written(call)));
        self.say("its result as JSON, or: error TEXT");
        loop {
            let line = self.line("  ").ok().flatten()?;
            if let Some(message) = line.trim().strip_prefix("error ") {
                return Some(Err(CallError::new("failed", message)));
            }
            match serde_json::from_str(&line) {
                Ok(json) => return Some(Ok(Value::from_json(json))),
                Err(error) => self.say(&format!("that is no JSON: {error}; a text needs quotes: \"text\"")),
            }
        }
    }

    /// Tells of a call that was answered.
    pub(crate) fn called(&self, call: &Call, result: &Result<Value, CallError>) {
        match result {
            Ok(value) => self.say(&format!("call  {} → {}", written(call), value.to_json())),
            Err(error) => self.say(&format!("call  {} → error: {}", written(call), error.message)),
        }
    }

    /// Tells of a log line.
    pub(crate) fn log(&self, line: &LogReport) {
        let level = format!("{:?}", line.level).to_lowercase();
        self.say(&format!("log   {level}: {}", line.message));
    }
}

fn written(call: &Call) -> String {
    let args: String = call.args.iter().map(|arg| format!(" {}", arg.to_json())).collect();
    format!("{}{args}", call.routine)
}

fn pairs(text: &str) -> Map {
    let mut map = Map::new();
    for pair in text.split_whitespace() {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        add(&mut map, name, value);
    }
    map
}

/// As forms are read: a name that comes again makes a list.
fn add(form: &mut Map, name: &str, value: &str) {
    let value = Value::from(value);
    match form.get_mut(name) {
        None => {
            form.insert(name.to_owned(), value);
        }
        Some(Value::List(items)) => items.push(value),
        Some(one) => *one = Value::List(vec![std::mem::take(one), value]),
    }
}

/// The fields that a template's forms post: plain inputs, and those of the form macros. Buttons are left out.
pub(crate) fn fields(template: &str) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let starts = ["forms.text(\"", "forms.password(\"", "forms.code(\"", "<input", "<select", "<textarea"];
    for start in starts {
        for (at, _) in template.match_indices(start) {
            let rest = template.get(at + start.len()..).unwrap_or_default();
            let name = if start.starts_with('<') {
                let tag = rest.split('>').next().unwrap_or_default();
                tag.split_once("name=\"").map(|(_, name)| name)
            } else {
                Some(rest)
            };
            let name = name.and_then(|name| name.split('"').next()).unwrap_or_default();
            let plain = !name.is_empty() && !name.contains(['{', '}']) && name != "_step";
            if plain && found.iter().all(|(_, known)| known != name) {
                found.push((at, name.to_owned()));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn the_fields_of_a_page_are_those_of_its_inputs_and_macros_in_order() {
        let template = "{{ forms.text(\"login\", \"Name\") }}<input type=\"hidden\" name=\"_step\">\
            <input type='x' name=\"mail\">{{ forms.password(\"password\", \"P\") }}<select name=\"{{ n }}\">\
            {{ forms.text(\"login\", \"Again\") }}{{ forms.button(\"Send\", \"go\") }}";
        assert_eq!(fields(template), ["login", "mail", "password"]);
    }
}
