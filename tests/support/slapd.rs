//! A private OpenLDAP server on loopback, with people in it. Shared with the tests of other crates by its path.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Below what everything is.
pub(crate) const SUFFIX: &str = "dc=example,dc=org";
/// Where people are.
pub(crate) const PEOPLE: &str = "ou=people,dc=example,dc=org";
/// The account that searches.
pub(crate) const SEARCHER: &str = "cn=search,dc=example,dc=org";
/// Its password.
pub(crate) const SEARCHER_PASSWORD: &str = "search me";
/// The password of everybody else.
pub(crate) const PASSWORD: &str = "correct horse";

/// A running server; stopped when dropped.
pub(crate) struct Slapd {
    server: Option<Child>,
    folder: tempfile::TempDir,
    port: u16,
    tls_port: u16,
}

impl Slapd {
    /// Starts one with alice, bob, two who share a mail address, and `more` people named `p00000` and so on. Its certificate
    /// is for `host`.
    pub(crate) fn start(host: &str, more: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        std::fs::create_dir(at.join("db")).unwrap();
        certificates(at, host);
        std::fs::write(at.join("slapd.conf"), configuration(at)).unwrap();
        let mut ldif = entries();
        for n in 0..more {
            ldif.push_str(&person(&format!("p{n:05}"), &format!("Person {n}")));
        }
        load("slapadd", at, &ldif);
        let mut slapd = Self { server: None, folder, port: free_port(), tls_port: free_port() };
        slapd.go_on();
        slapd
    }

    /// Starts it again on the same ports with the same data.
    pub(crate) fn go_on(&mut self) {
        let urls = format!("ldap://127.0.0.1:{} ldaps://127.0.0.1:{}", self.port, self.tls_port);
        let mut server = run("slapd", self.folder.path());
        let child = server.args(["-d", "0", "-h", &urls]).stderr(Stdio::null()).spawn();
        self.server = Some(child.unwrap_or_else(|_| missing()));
        for _ in 0..200 {
            let up = |port: u16| TcpStream::connect(("127.0.0.1", port)).is_ok();
            if up(self.port) && up(self.tls_port) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("slapd does not listen");
    }

    /// Kills it.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Without TLS, or with StartTLS.
    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// With TLS, by this name of the machine.
    pub(crate) fn tls_url(&self, host: &str) -> String {
        format!("ldaps://{host}:{}", self.tls_port)
    }

    /// The certificate that vouches for the server's.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A file with the search account's password.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// Takes a person away.
    pub(crate) fn delete(&mut self, uid: &str) {
        self.change("slapmodify", &format!("dn: uid={uid},{PEOPLE}\nchangetype: delete\n\n"));
    }

    /// Adds a person, with an id of old where there is one.
    pub(crate) fn add(&mut self, uid: &str, name: &str, entry_uuid: Option<&str>) {
        let id = entry_uuid.map_or_else(String::new, |id| format!("entryUUID: {id}\n"));
        self.change("slapadd", &format!("{}\n{id}\n", person(uid, name).trim_end()));
    }

    /// The server stands still meanwhile: the tools work on its files, and come with it.
    fn change(&mut self, tool: &str, ldif: &str) {
        self.stop();
        load(tool, self.folder.path(), ldif);
        self.go_on();
    }
}

/// Gives LDIF to a tool.
fn load(tool: &str, folder: &Path, ldif: &str) {
    let mut child = run(tool, folder).stdin(Stdio::piped()).spawn().unwrap_or_else(|_| missing());
    child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{tool} failed");
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn missing() -> ! {
    panic!("OpenLDAP is missing; on Debian: sudo apt-get install slapd")
}

fn run(program: &str, folder: &Path) -> Command {
    // Debian keeps servers where not everybody's PATH leads.
    let path = Path::new("/usr/sbin").join(program);
    let mut command = if path.exists() { Command::new(path) } else { Command::new(program) };
    command.arg("-f").arg(folder.join("slapd.conf"));
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn configuration(at: &Path) -> String {
    let mut text = String::new();
    for schema in ["core", "cosine", "inetorgperson"] {
        writeln!(text, "include /etc/ldap/schema/{schema}.schema").unwrap();
    }
    let at = at.display();
    write!(
        text,
        "modulepath /usr/lib/ldap\n\
         moduleload back_mdb\n\
         TLSCACertificateFile {at}/ca.pem\n\
         TLSCertificateFile {at}/cert.pem\n\
         TLSCertificateKeyFile {at}/key.pem\n\
         allow bind_anon_cred bind_anon_dn\n\
         sizelimit size.soft=500 size.hard=500 size.prtotal=unlimited\n\
         database mdb\n\
         maxsize 268435456\n\
         suffix \"{SUFFIX}\"\n\
         rootdn \"cn=root,{SUFFIX}\"\n\
         rootpw root\n\
         directory {at}/db\n\
         index objectClass,uid,mail,entryUUID eq\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=\"{SEARCHER}\" read by * none\n"
    )
    .unwrap();
    text
}

fn entries() -> String {
    let mut text = format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
         dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n\
         dn: {SEARCHER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: search\n\
         userPassword: {SEARCHER_PASSWORD}\n\n"
    );
    for (uid, name) in
        [("alice", "Alice Liddell"), ("bob", "Bob Builder"), ("twin1", "Twin One"), ("twin2", "Twin Two")]
    {
        text.push_str(&person(uid, name));
    }
    text.replace("mail: twin1@", "mail: twins@").replace("mail: twin2@", "mail: twins@")
}

/// An entry in LDIF.
fn person(uid: &str, name: &str) -> String {
    let (first, last) = name.split_once(' ').unwrap();
    format!(
        "dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name}\ngivenName: {first}\nsn: {last}\n\
         mail: {uid}@example.org\nuserPassword: {PASSWORD}\n\n"
    )
}

/// `ca.pem`, and `cert.pem` with `key.pem` for one host name; `password`.
fn certificates(at: &Path, host: &str) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    std::fs::write(at.join("ca.pem"), authority_certificate.pem()).unwrap();
    std::fs::write(at.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(at.join("key.pem"), key.serialize_pem()).unwrap();
    let password = at.join("password");
    std::fs::write(&password, format!("{SEARCHER_PASSWORD}\n")).unwrap();
    private(&password);
}

#[cfg(unix)]
fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn private(_: &Path) {}
