//! Section `directories` of the settings: a list, each with its servers, its people and what they become.

use std::net::IpAddr;
use std::path::PathBuf;

use ldap3::parse_filter;
use serde::{Deserialize, Serialize};
use url::Url;

use super::filter;
use super::mapping::{Rule, default_rules};

/// All directories.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DirectoriesSettings(pub Vec<DirectorySettings>);

/// How the way to a server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// TLS from the first byte; URLs are `ldaps://`.
    #[default]
    Ldaps,
    /// TLS before anything else is said; URLs are `ldap://`.
    StartTls,
    /// None: only to the machine itself.
    None,
}

/// How deep below the base people are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchScope {
    /// Everything below.
    #[default]
    Subtree,
    /// Directly below only.
    One,
}

/// When people are taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportMode {
    /// Each at a login.
    #[default]
    Login,
    /// All of them, every `interval_seconds`; who is not here yet can't log in.
    Schedule,
}

/// One directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DirectorySettings {
    /// What flows, records and the log call it: 1 to 64 of `a-z`, `0-9`, `-`. It can't be changed later: the people that
    /// came from it are kept under this name.
    pub name: String,
    /// The name of the organisation its people belong to.
    pub organisation: String,
    /// Its servers, the one to be asked first before the others.
    pub urls: Vec<String>,
    /// How the way there is protected.
    pub tls: TlsMode,
    /// The certificates that vouch for the servers, PEM, an absolute path; the system's unless given.
    pub ca_file: Option<PathBuf>,
    /// Who searches.
    pub bind_dn: String,
    /// A file with its password, an absolute path, not readable by others. Read at each connection.
    pub bind_password_file: Option<PathBuf>,
    /// Or the password itself, as `agamid directory seal` printed it.
    pub bind_password_sealed: Option<String>,
    /// Where people are.
    pub base_dn: String,
    /// How deep.
    pub scope: SearchScope,
    /// Who has a login; `{login}` stands for what was typed.
    pub user_filter: String,
    /// Who is imported; unless given, everybody who could log in (`{login}` becomes `*`).
    pub import_filter: Option<String>,
    /// The attribute that stays when an entry is renamed or moved: `entryUUID`, `objectGUID`.
    pub stable_id: String,
    /// What becomes of an entry's attributes.
    pub map: Vec<Rule>,
    /// Whether mail addresses count as proved.
    pub trust_email: bool,
    /// Attributes that flows may read, besides those in `map`.
    pub flow_attributes: Vec<String>,
    /// When people are taken over.
    pub import: ImportMode,
    /// The time between two scheduled imports.
    pub interval_seconds: u64,
    /// Entries in one answer of an import.
    pub page_size: u16,
    /// An import stops instead of disabling more than ten people who are more than this share of all, in percent.
    pub vanish_percent: u8,
    /// The longest wait for a connection, TLS and the search account's bind included.
    pub connect_seconds: u64,
    /// The longest wait for one answer.
    pub operation_seconds: u64,
    /// The longest wait for a login, over all servers.
    pub login_seconds: u64,
    /// How long a server that failed is left alone; doubles while it goes on failing, up to a minute.
    pub quarantine_seconds: u64,
    /// Connections at a time.
    pub connections: u16,
}

impl Default for DirectorySettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            organisation: "default".to_owned(),
            urls: Vec::new(),
            tls: TlsMode::default(),
            ca_file: None,
            bind_dn: String::new(),
            bind_password_file: None,
            bind_password_sealed: None,
            base_dn: String::new(),
            scope: SearchScope::default(),
            user_filter: "(&(objectClass=inetOrgPerson)(uid={login}))".to_owned(),
            import_filter: None,
            stable_id: "entryUUID".to_owned(),
            map: default_rules(),
            trust_email: false,
            flow_attributes: Vec::new(),
            import: ImportMode::default(),
            interval_seconds: 3600,
            page_size: 500,
            vanish_percent: 20,
            connect_seconds: 2,
            operation_seconds: 3,
            login_seconds: 8,
            quarantine_seconds: 5,
            connections: 8,
        }
    }
}

/// A directory's settings that can't work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("directories.{directory}.{key}: {reason}")]
pub struct SettingRefused {
    /// Which directory.
    pub directory: String,
    /// Which key.
    pub key: &'static str,
    /// What is wrong and what is allowed.
    pub reason: String,
}

/// Attributes whose values are secrets: no flow gets them, whatever the settings say.
const SECRET_ATTRIBUTES: [&str; 9] = [
    "userpassword",
    "unicodepwd",
    "ntpwdhistory",
    "lmpwdhistory",
    "dbcspwd",
    "sambantpassword",
    "sambalmpassword",
    "krbprincipalkey",
    "authpassword",
];

/// Whether the values of an attribute are secrets.
pub(super) fn is_secret(attribute: &str) -> bool {
    let name = attribute.split(';').next().unwrap_or_default();
    SECRET_ATTRIBUTES.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

impl DirectoriesSettings {
    /// What types can't say.
    pub(super) fn check(&self) -> Result<(), SettingRefused> {
        for (at, directory) in self.0.iter().enumerate() {
            directory.check()?;
            if self.0.iter().take(at).any(|other| other.name == directory.name) {
                return Err(directory.refuse("name", "two directories have this name; give each its own"));
            }
        }
        Ok(())
    }
}

impl DirectorySettings {
    fn refuse(&self, key: &'static str, reason: impl Into<String>) -> SettingRefused {
        SettingRefused { directory: self.name.clone(), key, reason: reason.into() }
    }

    fn check(&self) -> Result<(), SettingRefused> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(plain) {
            return Err(self.refuse("name", "has 1 to 64 of a-z, 0-9 and -"));
        }
        if self.urls.is_empty() || self.urls.len() > 16 {
            return Err(self.refuse("urls", "names 1 to 16 servers, such as [\"ldaps://ldap.example.org\"]"));
        }
        for url in &self.urls {
            self.server(url)?;
        }
        if self.ca_file.as_ref().is_some_and(|file| !file.is_absolute()) {
            return Err(self.refuse("ca_file", "must be an absolute path"));
        }
        self.check_account()?;
        self.check_search()?;
        self.check_attributes()?;
        self.check_numbers()
    }

    /// A server's URL, if its scheme fits the protection and it is allowed to be reached so.
    pub(super) fn server(&self, text: &str) -> Result<Url, SettingRefused> {
        let url =
            Url::parse(text).map_err(|error| self.refuse("urls", format!("{text:?} is no URL: {error}")))?;
        let scheme = if self.tls == TlsMode::Ldaps { "ldaps" } else { "ldap" };
        let host = url.host_str().unwrap_or_default();
        if url.scheme() != scheme || host.is_empty() {
            let reason = format!(
                "{text:?} does not fit tls = {:?}: write {scheme}://HOST or {scheme}://HOST:PORT",
                self.tls
            );
            return Err(self.refuse("urls", reason));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || !url.username().is_empty() {
            return Err(self.refuse("urls", format!("{text:?} has more than scheme, host and port")));
        }
        if self.tls == TlsMode::None && !is_loopback(host) {
            let reason = "without TLS only 127.0.0.1, [::1] or localhost may be asked; use tls = \"ldaps\" or \"starttls\"";
            return Err(self.refuse("urls", reason));
        }
        Ok(url)
    }

    fn check_account(&self) -> Result<(), SettingRefused> {
        if self.bind_dn.is_empty() {
            return Err(self.refuse("bind_dn", "is missing: the account that searches"));
        }
        match (&self.bind_password_file, &self.bind_password_sealed) {
            (Some(file), None) if file.is_absolute() => Ok(()),
            (Some(_), None) => Err(self.refuse("bind_password_file", "must be an absolute path")),
            (None, Some(_)) => Ok(()),
            _ => {
                let reason =
                    "give either bind_password_file or bind_password_sealed (`agamid directory seal`)";
                Err(self.refuse("bind_password_file", reason))
            }
        }
    }

    fn check_search(&self) -> Result<(), SettingRefused> {
        if self.base_dn.is_empty() {
            return Err(self
                .refuse("base_dn", "is missing: where people are, such as \"ou=people,dc=example,dc=org\""));
        }
        if !self.user_filter.contains(filter::PLACE) {
            return Err(self.refuse("user_filter", "has no {login}, for which what was typed is put in"));
        }
        if parse_filter(filter::of_login(&self.user_filter, "x")).is_err() {
            return Err(self.refuse("user_filter", "is no LDAP filter (RFC 4515), such as \"(uid={login})\""));
        }
        if parse_filter(self.everybody()).is_err() {
            let reason = "is no LDAP filter (RFC 4515), such as \"(objectClass=inetOrgPerson)\"";
            return Err(self.refuse("import_filter", reason));
        }
        Ok(())
    }

    fn check_attributes(&self) -> Result<(), SettingRefused> {
        if !is_attribute(&self.stable_id) {
            return Err(self.refuse("stable_id", "is no attribute name"));
        }
        for rule in &self.map {
            rule.check().map_err(|reason| self.refuse("map", reason))?;
            if let Some(secret) = rule.from.iter().find(|name| is_secret(name)) {
                return Err(self.refuse("map", format!("{secret} is a secret; it is never copied")));
            }
        }
        if !self.map.iter().any(|rule| rule.to == "username") {
            return Err(self.refuse("map", "nothing becomes the username"));
        }
        for name in &self.flow_attributes {
            if !is_attribute(name) || is_secret(name) {
                return Err(
                    self.refuse("flow_attributes", format!("{name:?} is no attribute that flows may read"))
                );
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), SettingRefused> {
        let limits = [
            ("interval_seconds", self.interval_seconds, 60, 30 * 24 * 3600),
            ("page_size", u64::from(self.page_size), 1, 1000),
            ("vanish_percent", u64::from(self.vanish_percent), 0, 100),
            ("connect_seconds", self.connect_seconds, 1, 60),
            ("operation_seconds", self.operation_seconds, 1, 300),
            ("login_seconds", self.login_seconds, 1, 60),
            ("quarantine_seconds", self.quarantine_seconds, 1, 60),
            ("connections", u64::from(self.connections), 1, 256),
        ];
        for (key, value, least, most) in limits {
            if value < least || value > most {
                return Err(self.refuse(key, format!("is {value}; allowed is {least} to {most}")));
            }
        }
        Ok(())
    }

    /// The filter of an import.
    pub(super) fn everybody(&self) -> String {
        self.import_filter.clone().unwrap_or_else(|| self.user_filter.replace(filter::PLACE, "*"))
    }
}

/// Whether a host can only be the machine itself.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a text is an attribute description (RFC 4512 section 2.5), with options.
pub(super) fn is_attribute(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';');
    !name.is_empty()
        && name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> DirectorySettings {
        DirectorySettings {
            name: "staff".into(),
            urls: vec!["ldaps://ldap.example.org".into()],
            bind_dn: "cn=search,dc=example,dc=org".into(),
            bind_password_file: Some("/run/secrets/ldap".into()),
            base_dn: "ou=people,dc=example,dc=org".into(),
            ..DirectorySettings::default()
        }
    }

    #[track_caller]
    fn refused(key: &str, change: impl FnOnce(&mut DirectorySettings)) {
        let mut settings = good();
        change(&mut settings);
        let refused = DirectoriesSettings(vec![settings]).check().unwrap_err();
        assert_eq!(refused.key, key, "{refused}");
    }

    #[test]
    fn what_can_not_work_or_is_not_safe_is_refused_with_its_key() {
        assert_eq!(DirectoriesSettings(vec![good()]).check(), Ok(()));
        refused("name", |s| s.name = "Staff/1".into());
        refused("urls", |s| s.urls.clear());
        refused("urls", |s| s.urls = vec!["ldap://ldap.example.org".into()]);
        refused("urls", |s| s.urls = vec!["ldaps://".into()]);
        refused("urls", |s| s.urls = vec!["ldaps://ldap.example.org/dc=x?uid".into()]);
        refused("ca_file", |s| s.ca_file = Some("ca.pem".into()));
        refused("bind_dn", |s| s.bind_dn.clear());
        refused("bind_password_file", |s| s.bind_password_file = None);
        refused("bind_password_file", |s| s.bind_password_sealed = Some("x".into()));
        refused("base_dn", |s| s.base_dn.clear());
        refused("user_filter", |s| s.user_filter = "(uid=alice)".into());
        refused("user_filter", |s| s.user_filter = "(uid={login}".into());
        refused("import_filter", |s| s.import_filter = Some("objectClass".into()));
        refused("stable_id", |s| s.stable_id = "a)(b".into());
        refused("map", |s| s.map.clear());
        refused("map", |s| s.map.iter_mut().for_each(|rule| rule.from = vec!["userPassword".into()]));
        refused("flow_attributes", |s| s.flow_attributes = vec!["unicodePwd".into()]);
        refused("flow_attributes", |s| s.flow_attributes = vec!["userPassword;x-old".into()]);
        refused("page_size", |s| s.page_size = 0);
        let twice = DirectoriesSettings(vec![good(), good()]).check().unwrap_err();
        assert_eq!(twice.key, "name");
    }

    #[test]
    fn without_tls_only_the_machine_itself_may_be_asked() {
        let plain =
            |url: &str| DirectorySettings { tls: TlsMode::None, urls: vec![url.into()], ..good() }.check();
        for url in ["ldap://127.0.0.1:3389", "ldap://[::1]", "ldap://localhost"] {
            assert_eq!(plain(url), Ok(()), "{url}");
        }
        for url in [
            "ldap://ldap.example.org",
            "ldap://10.0.0.1",
            "ldap://localhost.example.org",
            "ldap://127.0.0.1.example.org",
        ] {
            assert!(plain(url).is_err(), "{url}");
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        let read = serde_json::from_value::<DirectoriesSettings>(serde_json::json!([{ "nmae": "x" }]));
        assert!(read.unwrap_err().to_string().contains("nmae"));
    }
}
