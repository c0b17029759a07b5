//! A small world of templates, flows and routines, for fixtures and the examples in `docs/diagnostics`.

use agama_lang::check::facts::{
    Facts, FlowFacts, ModelField, ParamFacts, PostedField, Proof, RoutineFacts, TemplateFacts,
};

/// What fixtures and examples may name. Packages other than these are not checked.
pub(crate) struct World;

const PERSON: &str = "option<{id: string, username: string, name: option<string>, email: option<string>, locale: option<string>}>";
const CREDENTIAL: &str =
    "option<{id: string, kind: string, label: option<string>, secret: secret, last-step: option<u64>}>";

/// Package, function, parameters, result.
type Routine = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

const ROUTINES: &[Routine] = &[
    ("agamid.password", "verify", &[("login", "string"), ("password", "secret")], PERSON),
    ("agamid.users", "find", &[("login", "string")], PERSON),
    ("agamid.users", "get", &[("id", "string")], PERSON),
    ("agamid.users", "active", &[("id", "string")], "bool"),
    ("agamid.users", "groups", &[("id", "string")], "list<string>"),
    ("agamid.credentials", "find", &[("person", "string"), ("kind", "string")], CREDENTIAL),
    ("agamid.credentials", "advance", &[("id", "string"), ("step", "u64")], "bool"),
    (
        "agamid.credentials",
        "add",
        &[("person", "string"), ("kind", "string"), ("secret", "secret"), ("label", "string")],
        "result<string, string>",
    ),
    ("agamid.random", "hex", &[("bytes", "u32")], "secret"),
    ("extras.otp.totp", "newSecret", &[("entropy", "secret")], "result<secret, string>"),
    (
        "extras.otp.totp",
        "uri",
        &[("secret", "secret"), ("account", "string"), ("issuer", "string")],
        "secret",
    ),
    ("agamid.mail", "send", &[("to", "string"), ("subject", "string"), ("text", "secret")], ""),
    ("agamid.random", "code", &[("digits", "u32")], "secret"),
    ("agamid.clock", "now", &[], "u64"),
    (
        "extras.otp.totp",
        "verify",
        &[("secret", "secret"), ("code", "string"), ("now", "u64"), ("last-step", "option<u64>")],
        "result<option<u64>, string>",
    ),
];

/// Flow, its inputs, whether it may be started, whether it proves whom it names, what it Triggers.
type Known = (&'static str, &'static [&'static str], bool, bool, &'static [&'static str]);

const FLOWS: &[Known] = &[
    ("demo.password", &["loginHint"], true, true, &[]),
    ("shop.otp", &["person", "channel"], false, false, &[]),
    ("shop.register", &[], true, false, &["shop.welcome"]),
    ("shop.welcome", &[], false, false, &["shop.start"]),
];

/// Template, fields it needs, fields it can do without, fields it posts, secret fields it posts, flows it starts.
type Page = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

const PAGES: &[Page] = &[
    ("shop/login.html", &[], &["error", "login"], &["login"], &["password"], &[]),
    ("shop/code.html", &["username"], &["error"], &[], &["code"], &[]),
    ("shop/menu.html", &[], &[], &["choice"], &[], &[]),
    ("shop/answer.html", &[], &[], &["answer"], &[], &[]),
    ("shop/links.html", &[], &[], &["choice"], &[], &["shop.otp"]),
    ("demo/password.html", &[], &["error", "login"], &["login"], &["password"], &[]),
    ("demo/totp.html", &["username"], &["error"], &[], &["code"], &[]),
    ("demo/totp-setup.html", &["username", "secret", "uri"], &["error"], &[], &["code"], &[]),
    ("shop/profile.html", &["name", "mail"], &[], &["name", "mail"], &[], &[]),
];

impl Facts for World {
    fn template(&self, path: &str) -> bool {
        !path.contains("missing")
    }

    fn flow(&self, qname: &str) -> Option<FlowFacts> {
        let known = FLOWS.iter().find(|flow| flow.0 == qname).map(|flow| flow.1);
        // Flows of other projects, of which only the name is known.
        let inputs = known.or_else(|| qname.starts_with("org.").then_some(&[]))?;
        Some(FlowFacts { inputs: inputs.iter().map(|input| (*input).to_owned()).collect() })
    }

    fn routine(&self, package: &str, function: &str) -> RoutineFacts {
        if !ROUTINES.iter().any(|routine| routine.0 == package) {
            return RoutineFacts::Unchecked;
        }
        let Some((_, name, params, result)) =
            ROUTINES.iter().find(|routine| routine.0 == package && routine.1 == function)
        else {
            let known: Vec<&str> =
                ROUTINES.iter().filter(|routine| routine.0 == package).map(|routine| routine.1).collect();
            return RoutineFacts::Unknown { hint: format!("{package} has {}", known.join(", ")) };
        };
        let listed: Vec<String> = params.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        let arrow = if result.is_empty() { String::new() } else { format!(" -> {result}") };
        RoutineFacts::Known {
            params: params
                .iter()
                .map(|(name, ty)| ParamFacts {
                    name: (*name).to_owned(),
                    ty: (*ty).to_owned(),
                    optional: ty.starts_with("option<"),
                })
                .collect(),
            result: (*result).to_owned(),
            signature: format!("{name}: func({}){arrow}", listed.join(", ")),
        }
    }

    fn template_facts(&self, path: &str) -> Option<TemplateFacts> {
        let (_, needs, can, posts, secrets, launches) = PAGES.iter().find(|page| page.0 == path)?;
        let field = |optional| move |name: &&str| ModelField { name: (*name).to_owned(), optional };
        let posted = |secret| move |name: &&str| PostedField { name: (*name).to_owned(), secret };
        Some(TemplateFacts {
            reads: needs.iter().map(field(false)).chain(can.iter().map(field(true))).collect(),
            posts: posts.iter().map(posted(false)).chain(secrets.iter().map(posted(true))).collect(),
            posts_more: false,
            launches: launches.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    fn proves(&self, package: &str, function: &str) -> Proof {
        match (package, function) {
            ("agamid.password", "verify") => Proof::Result,
            ("extras.otp.totp", "verify") => Proof::Argument(0),
            _ if ROUTINES.iter().any(|routine| routine.0 == package) => Proof::Nobody,
            _ => Proof::Unknown,
        }
    }

    fn flow_proves(&self, qname: &str) -> Option<bool> {
        FLOWS.iter().find(|flow| flow.0 == qname).map(|flow| flow.3)
    }

    fn launchable(&self, qname: &str) -> Option<bool> {
        FLOWS.iter().find(|flow| flow.0 == qname).map(|flow| flow.2)
    }

    fn triggers(&self, qname: &str) -> Vec<String> {
        let found = FLOWS.iter().find(|flow| flow.0 == qname);
        found.map(|flow| flow.4.iter().map(|name| (*name).to_owned()).collect()).unwrap_or_default()
    }

    fn longest_timeout(&self) -> Option<u64> {
        Some(3_600)
    }
}
